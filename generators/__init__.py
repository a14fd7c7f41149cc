"""Data that an API must accept, data that it must refuse, and judging what it answers."""

__all__: list[str] = []
