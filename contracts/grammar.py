"""What stands where in an OpenAPI document, as a table: kinds of objects, and the kinds of their members."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from contracts.keywords import children

METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


class Member(NamedTuple):
    """A member that holds another kind: itself (`one`), a list of it, or a map of names to it."""

    holds: str
    kind: str


def _one(kind: str) -> Member:
    return Member("one", kind)


def _list(kind: str) -> Member:
    return Member("list", kind)


def _map(kind: str) -> Member:
    return Member("map", kind)


CARRIER: Final = {"schema": _one("schema"), "content": _map("media"), "examples": _map("example")}
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
    "parameter": CARRIER,
    "header": CARRIER,
    "body": {"content": _map("media")},
    "response": {"headers": _map("header"), "content": _map("media"), "links": _map("link")},
    "media": {"schema": _one("schema"), "examples": _map("example"), "encoding": _map("encoding")},
    "encoding": {"headers": _map("header")},
    "resource": {"schema": _one("schema")},
    "example": {},
    "link": {},
    "security": {},
}


class Place(NamedTuple):
    """An object of a known kind, and where it stands."""

    kind: str
    uri: str
    tokens: tuple[str, ...]
    node: object


def members(place: Place) -> Iterator[Place]:
    """Yield the objects of known kind directly inside one."""
    node = place.node
    if not isinstance(node, Mapping):
        return
    if place.kind == "schema":
        yield from (Place("schema", place.uri, (*place.tokens, *tokens), one) for tokens, one in children(node))
        return
    named = GRAMMAR.get(place.kind)
    if named is None:  # a callback: a map of expressions to paths
        yield from _of(place, (), Member("map", "path"), node)
        return
    for name, member in named.items():
        if name in node:
            yield from _of(place, (name,), member, node[name])


def _of(place: Place, tokens: tuple[str, ...], member: Member, value: object) -> Iterator[Place]:
    at = (*place.tokens, *tokens)
    if member.holds == "one":
        yield Place(member.kind, place.uri, at, value)
    elif member.holds == "list" and isinstance(value, list):
        yield from (Place(member.kind, place.uri, (*at, str(n)), one) for n, one in enumerate(value))
    elif member.holds == "map" and isinstance(value, Mapping):
        keep_all = member.kind in {"schema", "example"}
        yield from (
            Place(member.kind, place.uri, (*at, name), one)
            for name, one in value.items()
            if keep_all or not name.startswith("x-")
        )
