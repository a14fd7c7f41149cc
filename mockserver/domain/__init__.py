"""Bulk execution, jobs and records: pure functions over views, with time and chance as arguments."""
