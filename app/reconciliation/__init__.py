"""The three books of money compared line by line; `app.cli_reconcile` is the door."""
