"""Bulk requests and responses read by their `x-bulk` declaration.

Begin with `bulk_exchange` (bulk_exchanges). `locations` reads and writes values at `x-bulk` locations; `bulk_request`
reads what a request asks for, `outcomes` what a response reports of items and records, `job_traces` the polls of jobs,
`preconditions` entity tags and versions.
"""
