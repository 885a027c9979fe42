"""Simulators of the external systems: processes of their own, used only over HTTP.

Each keeps its records in a SQLite file that no other process writes, as an independent witness.
"""
