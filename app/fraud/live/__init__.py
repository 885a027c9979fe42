"""What payments are judged by now: rules and models of the moment, and their drift."""
