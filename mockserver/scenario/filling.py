"""Filling `${item.x}` in: data in which members of the submitted items stand. References only, no expressions."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

from contracts.messages import ABSENT
from contracts.pointers import look_up
from mockserver.scenario.building import pointer_of_path
from mockserver.scenario.predicates import as_text

Tokens: TypeAlias = tuple[str | int, ...]
SIGN: Final = re.compile(r"(?P<escape>\$\$\{)|\$\{(?P<inside>[^{}]*)\}?")
INSIDE: Final = re.compile(r"item(?:\.(?P<path>.+))?", re.DOTALL)


def fill(value: Any, items: Sequence[object]) -> Any:
    """Return `value` with its references filled in from the raw `items`.

    An element of a list, or a member of an object, that has references stands there once for each item, unless one
    around it did already; anything else speaks of the first item. Without items such elements and members are left
    out, and elsewhere a reference is null, or no text inside a longer one.
    """
    return _filled(value, items, items[0] if items else ABSENT, spread=True)


def fill_text(text: str, item: object) -> str:
    """Return a text with its references filled in from one raw item."""
    return _text(text, item)


def bad_references(value: Any, at: Tokens = ()) -> Iterator[tuple[Tokens, str]]:
    """Yield every reference that is not well written, with where it stands."""
    if isinstance(value, str):
        yield from ((at, found[0]) for found in SIGN.finditer(value) if not _is_good(found))
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from bad_references(name, (*at, name))
            yield from bad_references(one, (*at, name))
    elif isinstance(value, list):
        for n, one in enumerate(value):
            yield from bad_references(one, (*at, n))


def _is_good(found: re.Match[str]) -> bool:
    inside = found["inside"]
    return bool(found["escape"]) or (found[0].endswith("}") and INSIDE.fullmatch(inside) is not None)


def _refers(value: Any) -> bool:
    if isinstance(value, str):
        return any(not found["escape"] for found in SIGN.finditer(value))
    if isinstance(value, dict):
        return any(_refers(name) or _refers(one) for name, one in value.items())
    return isinstance(value, list) and any(map(_refers, value))


def _filled(value: Any, items: Sequence[object], item: object, *, spread: bool) -> Any:
    if isinstance(value, str):
        return _value(value, item)
    if isinstance(value, dict):
        return dict(_members(value, items, item, spread=spread))
    if isinstance(value, list):
        return list(_elements(value, items, item, spread=spread))
    return value


def _elements(value: list[Any], items: Sequence[object], item: object, *, spread: bool) -> Iterator[Any]:
    for one in value:
        if spread and _refers(one):
            yield from (_filled(one, (), each, spread=False) for each in items)
        else:
            yield _filled(one, items, item, spread=spread)


def _members(
    value: dict[str, Any], items: Sequence[object], item: object, *, spread: bool
) -> Iterator[tuple[str, Any]]:
    for name, one in value.items():
        if spread and _refers(name):
            yield from ((_text(name, each), _filled(one, (), each, spread=False)) for each in items)
        else:
            yield _text(name, item), _filled(one, items, item, spread=spread)


def _value(text: str, item: object) -> Any:
    whole = SIGN.fullmatch(text)
    if whole is None or whole["escape"]:
        return _text(text, item)
    found = _look(whole, item)
    return None if found is ABSENT else found


def _text(text: str, item: object) -> str:
    if "${" not in text:
        return text

    def told(found: re.Match[str]) -> str:
        value = ABSENT if found["escape"] else _look(found, item)
        return "${" if found["escape"] else "" if value is ABSENT or value is None else as_text(value)

    return SIGN.sub(told, text)


def _look(found: re.Match[str], item: object) -> object:
    inside = INSIDE.fullmatch(found["inside"])
    path = None if inside is None else inside["path"]
    return item if path is None else look_up(item, pointer_of_path(path))
