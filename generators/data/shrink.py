"""Shrink a sequence or a JSON value while it stays interesting. Begin with `shrink_value` and `ddmin`.

Delta debugging: Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input" (IEEE TSE, 2002).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeAlias, TypeVar

T = TypeVar("T")
Path: TypeAlias = tuple[str | int, ...]
"""A place in a JSON value: names of members and indexes of elements."""

MAX_SHRINK_DEPTH: Final = 8  # levels of a value


def ddmin(parts: Sequence[T], is_interesting: Callable[[Sequence[T]], bool], *, least: int = 0) -> list[T]:
    """Return a 1-minimal subsequence of `parts`: without any single element, `is_interesting` would be false.

    `is_interesting` is assumed true of `parts` as a whole. At least `least` elements are kept.
    """
    if not least and parts and is_interesting([]):
        return []
    kept, granularity = list(parts), 2
    while len(kept) > max(least, 1):
        size = max(1, len(kept) // granularity)
        smaller = _without_one_chunk(kept, size, is_interesting, least)
        if smaller is not None:
            kept, granularity = smaller, max(2, granularity - 1)
        elif size == 1:
            break
        else:
            granularity = min(len(kept), granularity * 2)
    return kept


def _without_one_chunk(
    kept: list[T], size: int, is_interesting: Callable[[Sequence[T]], bool], least: int
) -> list[T] | None:
    """Return what remains without one chunk, None when each is needed."""
    for start in range(0, len(kept), size):
        rest = kept[:start] + kept[start + size :]
        if len(rest) >= max(least, 1) and is_interesting(rest):
            return rest
    return None


def shortest_suffix(parts: Sequence[T], is_interesting: Callable[[Sequence[T]], bool]) -> Sequence[T]:
    """Return the last 1, 2, 4 ... parts, as soon as `is_interesting` is true of them; all parts when it never is."""
    size = 1
    while size < len(parts):
        if is_interesting(parts[-size:]):
            return parts[-size:]
        size *= 2
    return parts


def shrink_value(
    value: object,
    is_interesting: Callable[[object], bool],
    places: Callable[[object, int], Iterable[Path]] | None = None,
) -> object:
    """Return a JSON value without the members and elements that are not needed; outer ones are tried first.

    `places` yields the paths at a depth, counted from 1, that may be removed: by default all. `is_interesting` is
    assumed true of `value`, and is true of the result.
    """
    for depth in range(1, MAX_SHRINK_DEPTH):
        value = _shrink_level(value, list((places or paths_at_depth)(value, depth)), is_interesting)
    return value


def _shrink_level(value: object, parts: Sequence[Path], is_interesting: Callable[[object], bool]) -> object:
    def with_(some: Sequence[Path]) -> object:
        return without(value, frozenset(parts) - frozenset(some))

    return with_(ddmin(parts, lambda some: is_interesting(with_(some)))) if parts else value


def paths_at_depth(value: object, depth: int, at: Path = ()) -> Iterator[Path]:
    """Yield the paths of a value at this depth."""
    for name, inner in _inside(value):
        if depth == 1:
            yield (*at, name)
        else:
            yield from paths_at_depth(inner, depth - 1, (*at, name))


def scalar_leaves(value: object, at: Path = ()) -> Iterator[tuple[Path, object]]:
    """Yield the scalars of a value with their paths."""
    if isinstance(value, dict | list):
        for name, inner in _inside(value):
            yield from scalar_leaves(inner, (*at, name))
    else:
        yield at, value


def _inside(value: object) -> Iterator[tuple[str | int, object]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from enumerate(value)


def without(value: object, removed: frozenset[Path], at: Path = ()) -> object:
    """Return a copy of a value without these paths."""
    if isinstance(value, dict):
        return {name: without(one, removed, (*at, name)) for name, one in value.items() if (*at, name) not in removed}
    if isinstance(value, list):
        return [without(one, removed, (*at, n)) for n, one in enumerate(value) if (*at, n) not in removed]
    return value


def with_leaves(value: object, changed: frozenset[Path], new: object, at: Path = ()) -> object:
    """Return a copy of a value with `new` at these paths."""
    if isinstance(value, dict):
        return {name: with_leaves(one, changed, new, (*at, name)) for name, one in value.items()}
    if isinstance(value, list):
        return [with_leaves(one, changed, new, (*at, n)) for n, one in enumerate(value)]
    return new if at in changed else value
