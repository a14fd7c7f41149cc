"""Schemathesis as a part of ours: run in a process of its own, and told in our findings."""

__all__: list[str] = []
