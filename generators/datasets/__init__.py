"""Test data for an API as files: items, records and values, streamed. Begin with `write` (write_data)."""
