"""The objects of the OpenAPI Specification 3.1 by kind: which members of an object hold objects of which kind.

Begin with `GRAMMAR` and `members`.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from contracts.schemas.keywords import children

METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


class Member(NamedTuple):
    """A member with objects of another kind: one object, a list, or a map of names to objects."""

    holds: str
    kind: str


def _one(kind: str) -> Member:
    return Member("one", kind)


def _list(kind: str) -> Member:
    return Member("list", kind)


def _map(kind: str) -> Member:
    return Member("map", kind)


SCHEMA_OR_CONTENT: Final = {"schema": _one("schema"), "content": _map("media"), "examples": _map("example")}
GRAMMAR: Final[Mapping[str, Mapping[str, Member]]] = {
    "document": {
        "paths": _map("path"),
        "webhooks": _map("path"),
        "components": _one("components"),
        "x-resources": _map("resource"),
    },
    "components": {
        "schemas": _map("schema"),
        "responses": _map("response"),
        "parameters": _map("parameter"),
        "examples": _map("example"),
        "requestBodies": _map("body"),
        "headers": _map("header"),
        "pathItems": _map("path"),
        "links": _map("link"),
        "callbacks": _map("callback"),
        "securitySchemes": _map("security"),
    },
    "path": {"parameters": _list("parameter"), **dict.fromkeys(METHODS, _one("operation"))},
    "operation": {
        "parameters": _list("parameter"),
        "requestBody": _one("body"),
        "responses": _map("response"),
        "callbacks": _map("callback"),
    },
    "parameter": SCHEMA_OR_CONTENT,
    "header": SCHEMA_OR_CONTENT,
    "body": {"content": _map("media")},
    "response": {"headers": _map("header"), "content": _map("media"), "links": _map("link")},
    "media": {"schema": _one("schema"), "examples": _map("example"), "encoding": _map("encoding")},
    "encoding": {"headers": _map("header")},
    "resource": {"schema": _one("schema")},
    "example": {},
    "link": {},
    "security": {},
}


class DocumentObject(NamedTuple):
    """An object of a known kind, and its document and tokens."""

    kind: str
    uri: str
    tokens: tuple[str, ...]
    node: object


def members(place: DocumentObject) -> Iterator[DocumentObject]:
    """Yield the objects of known kinds directly inside one."""
    node = place.node
    if not isinstance(node, Mapping):
        return
    if place.kind == "schema":
        yield from (
            DocumentObject("schema", place.uri, (*place.tokens, *tokens), one) for tokens, one in children(node)
        )
        return
    named = GRAMMAR.get(place.kind)
    if named is None:  # a callback: a map of expressions to paths
        yield from _member_objects(place, (), Member("map", "path"), node)
        return
    for name, member in named.items():
        if name in node:
            yield from _member_objects(place, (name,), member, node[name])


def _member_objects(
    place: DocumentObject, tokens: tuple[str, ...], member: Member, value: object
) -> Iterator[DocumentObject]:
    at = (*place.tokens, *tokens)
    if member.holds == "one":
        yield DocumentObject(member.kind, place.uri, at, value)
    elif member.holds == "list" and isinstance(value, list):
        yield from (DocumentObject(member.kind, place.uri, (*at, str(n)), one) for n, one in enumerate(value))
    elif member.holds == "map" and isinstance(value, Mapping):
        keep_all = (place.kind, *tokens) not in EXTENDED_MAPS
        yield from (
            DocumentObject(member.kind, place.uri, (*at, name), one)
            for name, one in value.items()
            if keep_all or not name.startswith("x-")
        )


EXTENDED_MAPS: Final = {
    ("document", "paths"),
    ("operation", "responses"),
    ("callback",),
}  # the names of others are free
