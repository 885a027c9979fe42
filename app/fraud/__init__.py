"""What surrounds the judging of payments: rules and models of the moment, training, evaluation."""
