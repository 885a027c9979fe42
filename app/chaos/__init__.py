"""Drills: an instance under load, faults by a seeded plan, then a verification.

`plan` draws the faults, `instance` runs Payflow, `worker_faults` and `external_faults` inject
faults, `load` places orders, `probe` measures progress, `drill` runs it all, `report` summarises
it.
"""
