"""Data for an API, written as it is made."""

from generators.data.writing import Form, write_data

__all__ = ["Form", "write_data"]
