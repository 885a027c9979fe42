"""The external systems, played locally: processes of their own, spoken to only over HTTP.

Each keeps its books in a SQLite file that nobody else writes: the independent witness.
"""
