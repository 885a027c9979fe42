"""The current rules and models of a worker, and their drift."""
