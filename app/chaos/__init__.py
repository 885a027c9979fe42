"""Drills: an instance under load, hurt on purpose by a seeded plan, then asked whether it held.

`plan` says what happens, `site` is what can be hurt, `workers`, `brokers` and `outside` do it,
`load` keeps orders coming, `probe` sees who moves, `drill` runs it all, `report` writes it down.
"""
