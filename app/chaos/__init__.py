"""Drills: an instance under load, faults by a seeded plan, then a verification.

`plan` says what happens, `instance` is what runs, `worker_faults` and `external_faults` act,
`load` keeps orders coming, `probe` sees who moves, `drill` runs it all, `report` writes it down.
"""
