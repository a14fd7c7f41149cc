"""Judging clients: laws of conduct over the journal of a sandbox, and the verdict that they make."""

__all__: list[str] = []
