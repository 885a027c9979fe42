"""Replay: the rows of a service made again from topics, beside the live ones, and compared.

`order` says in which order a row received its events, `shadow` runs the engine without effects,
`run` reads topics and rows and does it all, partition by partition.
"""
