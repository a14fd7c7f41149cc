"""Preconditions of a request: entity tags, the lists of them in If-Match and If-None-Match, and versions in items.

RFC 9110: entity tags 8.8.3, their comparison 8.8.3.2, If-Match 13.1.1, If-None-Match 13.1.2. A record's entity tag is
its version, `"3"`.
"""

import re
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

import orjson

from contracts.messages import ABSENT, Headers
from contracts.model import Operation
from contracts.schemas import Schema

IF_MATCH: Final = "If-Match"
IF_NONE_MATCH: Final = "If-None-Match"
CONDITIONS: Final = (IF_MATCH, IF_NONE_MATCH)
TAG: Final = re.compile(r'(W/)?"([^"\x00-\x20\x7f]*)"')
GAP: Final = re.compile(r"[ \t]*(?:,[ \t]*)*")
DIGITS: Final = re.compile(r"[0-9]+")


class EntityTag(NamedTuple):
    """An entity tag without its quotes."""

    opaque: str
    weak: bool = False


@dataclass(frozen=True, slots=True)
class Tags:
    """What a precondition names: some entity tags, or with `*` any. `text` is what was sent."""

    text: str
    tags: tuple[EntityTag, ...] = ()
    any: bool = False

    def matches(self, version: int | None, *, weakly: bool = False) -> bool:
        """Tell whether a record's version is among them, None for a record that is not there. `*` means any record."""
        if version is None:
            return False
        return self.any or any(one.opaque == str(version) and (weakly or not one.weak) for one in self.tags)

    def __str__(self) -> str:
        return self.text


Version: TypeAlias = int | Tags
"""The version that a caller has seen: a number, or entity tags."""


def read_tags(text: str) -> Tags | None:
    """Return what the value of If-Match or If-None-Match names, None when it is malformed."""
    if text.strip() == "*":
        return Tags(text, any=True)
    tags: list[EntityTag] = []
    at = _after_gap(text, 0)
    while at < len(text):
        found = TAG.match(text, at)
        if found is None:
            return None
        tags.append(EntityTag(found[2], weak=found[1] is not None))
        at = _after_gap(text, found.end())
        if at < len(text) and "," not in text[found.end() : at]:
            return None
    return Tags(text, tuple(tags)) if tags else None


def _after_gap(text: str, at: int) -> int:
    gap = GAP.match(text, at)
    return at if gap is None else gap.end()


def condition(operation: Operation, headers: Headers, name: str) -> Tags | None:
    """Return what a precondition of a call names, None when the call has none or a malformed one.

    A contract whose parameter takes no quotes, such as one of the type integer, has the version as it is.
    """
    if name not in headers:
        return None
    text = ", ".join(headers.get_all(name))
    if _is_bare(_schema(operation, name)) and text.strip() != "*":
        return Tags(text, (EntityTag(text.strip()),))
    return read_tags(text)


def written(operation: Operation, name: str, version: object) -> str:
    """Return a version as the value of a precondition: an entity tag, or as it is where the contract has it so."""
    return str(version) if _is_bare(_schema(operation, name)) else f'"{version}"'


def etag(schema: Schema | None, version: int) -> str:
    """Return a version as the value of an ETag field with this schema."""
    return str(version) if _is_bare(schema) else f'"{version}"'


def _schema(operation: Operation, name: str) -> Schema | None:
    named = (one for one in operation.parameters if one.where == "header" and one.name.lower() == name.lower())
    return next((one.schema for one in named), None)


def _is_bare(schema: Schema | None) -> bool:
    """Tell whether a schema takes numbers and no entity tags."""
    if schema is None or schema.is_valid('"1"'):
        return False
    return schema.is_valid(1) or schema.is_valid("1")


def version_of(value: object) -> Version | None:
    """Return the version that an item or a parameter names, None when it names none.

    What is no version, such as a weak entity tag, equals no record's.
    """
    if value is ABSENT or value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = value.strip() if isinstance(value, str) else orjson.dumps(value).decode()
    if DIGITS.fullmatch(text):
        return int(text)
    tags = read_tags(text) or Tags(text)
    only = tags.tags[0] if len(tags.tags) == 1 else EntityTag("")
    return int(only.opaque) if DIGITS.fullmatch(only.opaque) and not only.weak else tags


def is_stale(named: Version | None, stored: int) -> bool:
    """Tell whether the version that a caller has seen is not the stored one."""
    if named is None or named == stored:
        return False
    return not isinstance(named, Tags) or not named.matches(stored)
