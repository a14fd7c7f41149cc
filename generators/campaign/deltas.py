"""Delta debugging: the smallest part of a sequence that still shows what the whole showed."""

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def ddmin(parts: Sequence[T], shows: Callable[[Sequence[T]], bool], *, least: int = 0) -> list[T]:
    """Return a part of `parts`, in order, from which no single element can be taken without `shows` saying no.

    `parts` as a whole is taken to show it. At least `least` elements are kept.
    """
    if not least and parts and shows([]):
        return []
    kept, pieces = list(parts), 2
    while len(kept) > max(least, 1):
        size = max(1, len(kept) // pieces)
        smaller = _without_a_piece(kept, size, shows, least)
        if smaller is not None:
            kept, pieces = smaller, max(2, pieces - 1)
        elif size == 1:
            break
        else:
            pieces = min(len(kept), pieces * 2)
    return kept


def _without_a_piece(kept: list[T], size: int, shows: Callable[[Sequence[T]], bool], least: int) -> list[T] | None:
    """Return what is left when one piece is taken away, None when each is needed."""
    for start in range(0, len(kept), size):
        rest = kept[:start] + kept[start + size :]
        if len(rest) >= max(least, 1) and shows(rest):
            return rest
    return None


def shortest_tail(parts: Sequence[T], shows: Callable[[Sequence[T]], bool]) -> Sequence[T]:
    """Return the last 1, 2, 4 ... parts, as soon as they show it; all of them when no shorter end does."""
    size = 1
    while size < len(parts):
        if shows(parts[-size:]):
            return parts[-size:]
        size *= 2
    return parts
