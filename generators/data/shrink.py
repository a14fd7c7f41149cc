"""Shrink a sequence or a JSON value while it stays interesting: `ddmin`, `shrink_value`, `simplest_scalar`.

Delta debugging: Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input" (IEEE TSE, 2002). Scalars
get simpler in shortlex order: shorter ones first, among equally long ones the plainer.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeAlias, TypeVar

T = TypeVar("T")
Path: TypeAlias = tuple[str | int, ...]
"""A place in a JSON value: names of members and indexes of elements."""

MAX_SHRINK_DEPTH: Final = 8  # levels of a value
FILLER: Final = "x"
MAX_PLAIN_CHARS: Final = 60  # of a text whose characters are replaced one by one
SIMPLEST: Final[Sequence[tuple[re.Pattern[str], str]]] = (
    (re.compile(r"\d{4}-\d\d-\d\d[Tt ].+"), "2000-01-01T00:00:00Z"),
    (re.compile(r"\d{4}-\d\d-\d\d"), "2000-01-01"),
    (re.compile(r"\d\d:\d\d:\d\d.*"), "00:00:00Z"),
    (re.compile(r"(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "00000000-0000-0000-0000-000000000000"),
)
"""The simplest text of a kind; texts of these kinds get no simpler by having fewer characters."""


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


def least(low: int, high: int, is_interesting: Callable[[int], bool]) -> int:
    """Return the least number above `low`, and up to `high`, that is interesting, where larger ones are too.

    `high` is assumed to be interesting and `low` not to be. It takes some log2(high - low) tries.
    """
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_interesting(middle) else (middle, high)
    return high


def simplest_scalar(value: object, is_interesting: Callable[[object], bool]) -> object:
    """Return a number or text that cannot be made simpler; any other value as it is."""
    if isinstance(value, str):
        return _simplest_text(value, is_interesting)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    whole = int(value) if abs(value) < 2**63 else None
    if whole is None or whole == value:
        same = isinstance(value, int) or (whole is not None and is_interesting(whole))
        return _simplest_integer(int(value), is_interesting) if same else value
    beyond = whole + (1 if value > 0 else -1)
    return (
        _simplest_integer(beyond, is_interesting)
        if is_interesting(beyond)
        else _simplest_fraction(value, is_interesting)
    )


def _simplest_integer(value: int, is_interesting: Callable[[object], bool]) -> int:
    """Return the integer of this sign that is nearest to 0."""
    sign = -1 if value < 0 else 1
    for size in (0, 1):
        if size >= abs(value):
            return value
        if is_interesting(sign * size):
            return sign * size
    return sign * least(1, abs(value), lambda size: is_interesting(sign * size))


def _simplest_fraction(value: float, is_interesting: Callable[[object], bool]) -> float:
    """Return a number with a fraction of few digits, then with the whole part nearest to 0."""
    sign, (whole, _, digits) = "-" if value < 0 else "", repr(abs(value)).partition(".")
    if not (whole + digits).isdecimal():
        return value  # 1e-07
    kept = least(0, len(digits), lambda size: is_interesting(float(f"{sign}{whole}.{digits[:size]}")))
    digits = next((one for one in "51" if is_interesting(float(f"{sign}{whole}.{one}"))), digits[:kept])
    if is_interesting(float(f"{sign}0.{digits}")):
        return float(f"{sign}0.{digits}")
    return float(f"{sign}{least(0, int(whole), lambda one: is_interesting(float(f'{sign}{one}.{digits}')))}.{digits}")


def _simplest_text(text: str, is_interesting: Callable[[object], bool]) -> str:
    """Return a text of a few plain characters: fillers if these suffice, else as many of its own as are needed."""
    if text.isascii() and text.isdecimal() and (len(text) == 1 or text[0] != "0"):
        return str(_simplest_integer(int(text), lambda number: is_interesting(str(number))))
    for kind, simplest in SIMPLEST:
        if kind.fullmatch(text):
            return simplest if text != simplest and is_interesting(simplest) else text
    for short in ("", FILLER):
        if len(short) >= len(text):
            return text
        if is_interesting(short):
            return short
    if is_interesting(FILLER * len(text)):
        return FILLER * least(1, len(text), lambda size: is_interesting(FILLER * size))
    return _fewest_characters(text, is_interesting)


def _fewest_characters(text: str, is_interesting: Callable[[object], bool]) -> str:
    """Return a text without the characters that are not needed, fillers in the place of those that may be any."""
    if not is_interesting(text[:-1]) and not is_interesting(text[1:]):
        return text  # a word with a meaning, such as an id
    kept = text[: least(0, len(text), lambda size: is_interesting(text[:size]))]
    some = "".join(ddmin(kept, lambda some: is_interesting("".join(some))))
    places = [n for n, one in enumerate(some) if one != FILLER] if len(some) <= MAX_PLAIN_CHARS else []

    def with_own(own: Sequence[int]) -> str:
        return "".join(FILLER if n in places and n not in own else one for n, one in enumerate(some))

    return with_own(ddmin(places, lambda own: is_interesting(with_own(own)))) if places else some
