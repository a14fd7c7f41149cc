"""Pure values of the mock server: clock and ids, jobs and their state, items, faults and outcomes.

Begin with `jobs` (`job_state`) and `values` (`Item`, `Outcome`).
"""
