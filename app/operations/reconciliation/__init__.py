"""The three books of money compared line by line; `app.cli.reconcile` is the command."""
