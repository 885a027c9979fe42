"""Training and evaluation of models: data, features, training, metrics."""
