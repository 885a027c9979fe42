"""Models made and measured: data, features, training, evaluation."""
