"""Bulk requests: guards, items, transactions, outcomes and jobs.

Begin with `execution` (`serve_bulk`); `record_service` applies an item to the stored records.
"""
