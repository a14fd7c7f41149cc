"""Making a witness small: whatever can be left out of it, and still show the difference, is left out."""

from collections.abc import Callable, Iterator
from typing import Any, Final

TRIES: Final = 400
LARGE: Final = 200  # elements of an array that are not tried one by one


def shrunk(value: object, shows: Callable[[object], bool]) -> object:
    """Return the value without members and elements that are not needed. `value` shows it; so does what is returned."""
    left = TRIES
    smaller = _smaller(value)
    while left:
        left -= 1
        candidate = next(smaller, None)
        if candidate is None:
            break
        if shows(candidate[0]):
            value = candidate[0]
            smaller = _smaller(value)
    return value


def _smaller(value: Any) -> Iterator[tuple[Any]]:
    """Yield the value with one thing less, the largest things first; each in a tuple of its own."""
    if isinstance(value, dict):
        yield from (({name: one for name, one in value.items() if name != left},) for left in value)
        for name, one in value.items():
            yield from (({**value, name: inner},) for (inner,) in _smaller(one))
    elif isinstance(value, list) and len(value) > LARGE:
        yield (value[:-1],)
    elif isinstance(value, list):
        yield from ((value[:n] + value[n + 1 :],) for n in range(len(value)))
        for n, one in enumerate(value):
            yield from (([*value[:n], inner, *value[n + 1 :]],) for (inner,) in _smaller(one))
