"""Replay: rebuilds the rows of a service from topics and compares them with the live ones.

`event_order` finds the order in which a row received its events, `shadow_runtime` runs the engine
without effects, `run` reads topics and rows, partition by partition.
"""
