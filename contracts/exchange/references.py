"""References between the items of one bulk request: how they are written, and what takes their place.

Begin with `references_of`. An item is named by its key, as in `bulkId:{key}` (RFC 7644, 3.7.2), `${key}` (OData 4.01,
11.7.3) or `@{key.path}`; or by a member such as `lid` (JSON:API 1.1), which an object that refers to it has too.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from contracts.bulk.model import Bulk
from contracts.exchange.locations import find
from contracts.messages import ABSENT

NAME: Final = r"([\w-]+)"
DOTTED_NAME: Final = r"([\w-]+(?:[.][\w-]+)*)"
PATH: Final = r"([\w\[\]-]+(?:[.][\w\[\]-]+)*)"
WHOLE_NAME: Final = r"(?<![\w-])(?<![\w-][.])"  # a name is not looked for within a longer one: that takes n squared
PLACEHOLDER: Final = re.compile(r"\{(key|path)\}")
BARE_WORD: Final = re.compile(r"\b(key|path)\b")

NAMING_ACTIONS: Final = frozenset(("create", "upsert"))

Resolve: TypeAlias = Callable[[str, str], object]
"""Returns what takes the place of a reference to a key, with the path into that item's result ("" for none)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """How the items of an operation refer to one another: by text of a `pattern`, or by a `member`.

    `strict`: text of this pattern is always a reference, whether or not an item has that key.
    """

    pattern: re.Pattern[str] | None
    member: str
    own_name: tuple[str, ...]
    strict: bool
    has_path: bool

    def name_of(self, raw: object, key: object, action: str | None) -> object:
        """Return the name by which other items refer to this one; a member names records that its item makes."""
        if not self.member:
            return key
        if action not in NAMING_ACTIONS:
            return ABSENT
        found = (find(raw, at) for at in self.own_name)
        return next((one for one in found if one is not ABSENT), ABSENT)

    def named(self, raw: object, own: object) -> list[str]:
        """Return the names of the items that an item refers to, in order; `own` is its own name."""
        if not self.member:
            return [found[1] for text in strings_of(raw) for found in self._matches(text)]
        return [str(one) for one in self._members(raw) if one != own]

    def filled(self, value: Any, resolve: Resolve) -> Any:
        """Return a value with each reference replaced where `resolve` does not say ABSENT; None drops a member."""
        if isinstance(value, str):
            return value if self.member else self._text(value, resolve)
        if isinstance(value, list):
            return [self.filled(one, resolve) for one in value]
        if not isinstance(value, dict):
            return value
        inner = {name: self.filled(one, resolve) for name, one in value.items()}
        known = resolve(str(inner[self.member]), "") if self.member in inner else ABSENT
        if known is ABSENT:
            return inner
        others = {name: one for name, one in inner.items() if name != self.member}
        return others if known is None else {**others, "id": known}

    def _matches(self, text: str) -> Iterator[re.Match[str]]:
        assert self.pattern is not None  # noqa: S101 - there is a pattern or a member
        return self.pattern.finditer(text)

    def _members(self, value: object) -> Iterator[object]:
        if isinstance(value, dict):
            if self.member in value:
                yield value[self.member]
            for inner in value.values():
                yield from self._members(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from self._members(inner)

    def _text(self, text: str, resolve: Resolve) -> object:
        assert self.pattern is not None  # noqa: S101 - there is a pattern or a member

        def known(found: re.Match[str]) -> object:
            return resolve(found[1], found[2] if self.has_path else "")

        whole = self.pattern.fullmatch(text)
        if whole is not None:
            value = known(whole)
            return text if value is ABSENT else value

        def word(found: re.Match[str]) -> str:
            value = known(found)
            return found[0] if value is ABSENT else str(value)

        return self.pattern.sub(word, text)


def references_of(bulk: Bulk) -> References | None:
    """Return how the items of an operation refer to one another, None when they do not."""
    declared = bulk.order.reference
    if declared is None:
        return None
    places = PLACEHOLDER if "{key}" in declared else BARE_WORD
    pieces = places.split(declared)
    if "key" not in pieces[1::2]:
        return _by_member(bulk, declared)
    has_path = "path" in pieces[1::2]
    texts: Mapping[str, str] = {"key": NAME if has_path else DOTTED_NAME, "path": PATH}
    pattern = "".join(texts[piece] if n % 2 else re.escape(piece) for n, piece in enumerate(pieces))
    fixed = "".join(pieces[::2])
    begin = "" if pieces[0] else WHOLE_NAME
    return References(
        pattern=re.compile(begin + pattern), member="", own_name=(), strict=len(fixed) > 1, has_path=has_path
    )


def reference_text(declared: str, key: str, path: str) -> str | None:
    """Return how an item refers to another one, or to `path` in its result; None where a member does so by its name."""
    places = PLACEHOLDER if "{key}" in declared else BARE_WORD
    pieces = places.split(declared)
    if "key" not in pieces[1::2]:
        return None
    return "".join({"key": key, "path": path}[piece] if n % 2 else piece for n, piece in enumerate(pieces))


def _by_member(bulk: Bulk, member: str) -> References:
    at = bulk.effect.payload
    own = (bulk.key.at,) if bulk.key.at is not None else (f"{at}/{member}", f"{at.rpartition('/')[0]}/{member}")
    return References(pattern=None, member=member, own_name=own, strict=True, has_path=False)


def strings_of(value: object) -> Iterator[str]:
    """Yield every string inside a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings_of(inner)


def keys_awaited(raw: object, at: str | None) -> tuple[object, ...]:
    """Return the keys of the items that one names at `x-bulk.order.dependsOn`."""
    found = ABSENT if at is None else find(raw, at)
    if found is ABSENT or found is None:
        return ()
    return tuple(found) if isinstance(found, list) else (found,)
