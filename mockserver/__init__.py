"""Keeping a contract's promises, or breaking them on request: a stateful sandbox for bulk and batch APIs."""

__all__: list[str] = []
