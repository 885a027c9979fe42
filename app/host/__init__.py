"""This process and its machine: processes, exits, logs."""
