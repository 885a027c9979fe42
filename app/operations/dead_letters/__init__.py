"""Dead letters as a tool: what is dead-lettered, where it stands, and how it gets back to work.

`dead_letter` is one of them, `state` says where each stands, `choice` which are meant: all pure.
`reading` gathers them from the broker, `sending` sends them back.
"""
