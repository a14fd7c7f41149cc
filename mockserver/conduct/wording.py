"""Numbers and lengths of time in the sentences of a verdict."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

UNITS: Final = (("day", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
SHOWN: Final = 3  # names in a list before the rest is counted


def span(length: timedelta) -> str:
    """Return a length of time in its two largest units: `4 min 30 s`, `7 days`, `0.25 s`."""
    seconds = length.total_seconds()
    if seconds < 10:  # noqa: PLR2004 - where fractions begin to matter
        return f"{seconds:.2f}".rstrip("0").rstrip(".") + " s"
    rest = round(seconds)
    parts: list[tuple[int, str]] = []
    for name, size in UNITS:
        number, rest = divmod(rest, size)
        if number or parts:
            parts.append((number, name))
    return " ".join(
        counted(number, name) if name == "day" else f"{number} {name}" for number, name in parts[:2] if number
    )


def counted(number: int, noun: str) -> str:
    """Return `1 poll`, `3 polls`, `2 batches`."""
    ending = "es" if noun.endswith(("ch", "s", "sh", "x")) else "s"
    return f"{number} {noun}" if number == 1 else f"{number} {noun}{ending}"


def named(names: Sequence[str]) -> str:
    """Return a few names quoted, and how many more there are."""
    first = ", ".join(f"'{name[:40]}'" for name in names[:SHOWN])
    return f"{first} and {len(names) - SHOWN} more" if len(names) > SHOWN else first
