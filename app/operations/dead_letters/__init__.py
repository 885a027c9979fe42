"""Dead letters as a tool: what is dead-lettered, its status, and how it gets back to work.

`dead_letter` is one of them, `state` says the status of each, `choice` which are meant: all pure.
`reading` gathers them from the broker, `sending` sends them back.
"""
