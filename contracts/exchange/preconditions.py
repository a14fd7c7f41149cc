"""Preconditions of requests: entity tags, the lists of them in If-Match and If-None-Match, versions of items.

Begin with `read_precondition` and `is_stale`. RFC 9110: entity tags 8.8.3, comparison 8.8.3.2, If-Match 13.1.1,
If-None-Match 13.1.2. The entity tag of a record is its version, `"3"`.
"""

import re
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

import orjson

from contracts.messages import ABSENT, Headers
from contracts.openapi.model import Operation
from contracts.schemas.schema_set import Schema

IF_MATCH: Final = "If-Match"
IF_NONE_MATCH: Final = "If-None-Match"
CONDITIONS: Final = (IF_MATCH, IF_NONE_MATCH)
ENTITY_TAG: Final = re.compile(r'(W/)?"([^"\x00-\x20\x7f]*)"')
LIST_SEPARATOR: Final = re.compile(r"[ \t]*(?:,[ \t]*)*")
DIGITS: Final = re.compile(r"[0-9]+")


def is_if_match(location: str) -> bool:
    """Say whether a location is the header field If-Match."""
    return location.lower() == f"header:{IF_MATCH}".lower()


class EntityTag(NamedTuple):
    """An entity tag without its quotes."""

    opaque: str
    weak: bool = False


@dataclass(frozen=True, slots=True)
class EntityTagList:
    """The value of a precondition: entity tags, or with `*` any. `text` is the field value as sent."""

    text: str
    tags: tuple[EntityTag, ...] = ()
    any: bool = False

    def matches(self, version: int | None, *, weakly: bool = False) -> bool:
        """Say whether the list has a record's version, None for no record; `*` matches any record.

        Comparison is strong, unless `weakly`.
        """
        if version is None:
            return False
        return self.any or any(one.opaque == str(version) and (weakly or not one.weak) for one in self.tags)

    def __str__(self) -> str:
        return self.text


Version: TypeAlias = int | EntityTagList
"""The version that a client expects: a number, or entity tags."""


def parse_entity_tags(text: str) -> EntityTagList | None:
    """Return the list in a value of If-Match or If-None-Match, None when it is malformed."""
    if text.strip() == "*":
        return EntityTagList(text, any=True)
    tags: list[EntityTag] = []
    at = _after_gap(text, 0)
    while at < len(text):
        found = ENTITY_TAG.match(text, at)
        if found is None:
            return None
        tags.append(EntityTag(found[2], weak=found[1] is not None))
        at = _after_gap(text, found.end())
        if at < len(text) and "," not in text[found.end() : at]:
            return None
    return EntityTagList(text, tuple(tags)) if tags else None


def _after_gap(text: str, at: int) -> int:
    gap = LIST_SEPARATOR.match(text, at)
    return at if gap is None else gap.end()


def read_precondition(operation: Operation, headers: Headers, name: str) -> EntityTagList | None:
    """Return a precondition of a request, None when it is absent or malformed.

    A parameter whose schema accepts numbers and no entity tags has the bare version.
    """
    if name not in headers:
        return None
    text = ", ".join(headers.get_all(name))
    if _takes_bare_version(_schema(operation, name)) and text.strip() != "*":
        return EntityTagList(text, (EntityTag(text.strip()),))
    return parse_entity_tags(text)


def precondition_value(operation: Operation, name: str, version: object) -> str:
    """Return a version as a field value: an entity tag, or bare where the parameter's schema requires it."""
    return str(version) if _takes_bare_version(_schema(operation, name)) else f'"{version}"'


def etag_value(schema: Schema | None, version: int) -> str:
    """Return a version as the value of an ETag field with this schema."""
    return str(version) if _takes_bare_version(schema) else f'"{version}"'


def _schema(operation: Operation, name: str) -> Schema | None:
    named = (one for one in operation.parameters if one.where == "header" and one.name.lower() == name.lower())
    return next((one.schema for one in named), None)


def _takes_bare_version(schema: Schema | None) -> bool:
    """Say whether a schema accepts numbers and no entity tags."""
    if schema is None or schema.is_valid('"1"'):
        return False
    return schema.is_valid(1) or schema.is_valid("1")


def read_version(value: object) -> Version | None:
    """Return the version that an item or a parameter names, None when it names none.

    A value that is no version, such as a weak entity tag, equals no stored version.
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
    tags = parse_entity_tags(text) or EntityTagList(text)
    only = tags.tags[0] if len(tags.tags) == 1 else EntityTag("")
    return int(only.opaque) if DIGITS.fullmatch(only.opaque) and not only.weak else tags


def next_version(version: int) -> int:
    """Return the version of a record after one change."""
    return version + 1


def is_next(before: object, after: object, *, counts: bool = True) -> bool:
    """Say whether one change may lead from one version to the other: a counter increases by one, others differ."""
    if counts and isinstance(before, int) and isinstance(after, int):
        return after == next_version(before)
    return before != after


def is_stale(named: Version | None, stored: int) -> bool:
    """Say whether an expected version differs from the stored one; None expects nothing.

    A version that is shown as a text is that text, or the number that its digits are.
    """
    if named is None or named == stored or named == read_version(stored):
        return False
    return not isinstance(named, EntityTagList) or not named.matches(stored)
