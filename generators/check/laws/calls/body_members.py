"""Malformed forms of a request that differ from it in one member of its body: for the law `malformed`.

Begin with `wrong_members`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from random import Random
from typing import Any, Final

import orjson

from contracts.exchange.locations import chosen_by, find, json_of, locate, parse_request, put
from contracts.messages import ABSENT, Request
from contracts.openapi.model import Contract, Operation, Route
from contracts.openapi.parameters import read_text
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import escape, tokens_of
from generators.client.session import Session
from generators.data.mutation import invalid_variants
from generators.oracles.response_laws import declares_refusal
from generators.requests.calls import body_schema

MAX_WORDS: Final = 5  # of a body that are sent in another case
MAX_INSIDE: Final = 60  # values of another type, and members left out, inside of a body
OTHER_TYPES: Final = (b"null", b"true", b"7", b'"bulkproof"', b"{}", b"[]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A malformed form of a request: its kind, what it is, and whether it `must` be refused."""

    kind: str
    what: str
    request: Request
    must: bool


def wrong_members(session: Session, operation: Operation, request: Request) -> Iterator[Variant]:
    """Yield a request with a word in another case, a value of another type, or another key than its path has."""
    yield from _other_words_inside(session.contract, operation, request)
    yield from _other_types_inside(operation, request)
    yield from _other_keys(session, operation, request)


def wrong_inside(
    operation: Operation, request: Request, keywords: tuple[str, ...] = ("type", "required")
) -> Iterator[Variant]:
    """Yield a request with one value of its body of another type, or a needed member left out, at whatever depth.

    What is inside of items is left to the law `errors`, and so is content of a record that is not declared to be
    refused.
    """
    bulk, act, schema, data = operation.bulk, operation.record, body_schema(operation), json_of(request.body)
    is_told = bulk is not None or (act is not None and act.invalid is not None)
    if schema is None or not (is_told and isinstance(data, dict) and declares_refusal(operation)):
        return
    apart = tuple(f"{at}/" for at in (bulk.items.places if bulk is not None else ()))
    for one in islice(invalid_variants(schema, data, Random(operation.id), keywords=keywords), MAX_INSIDE):
        if one.pointer.startswith(apart) or not (one.pointer or one.keyword == "required"):
            continue
        place = one.pointer or "its body"
        body = replace(request, body=orjson.dumps(one.value))
        yield Variant(kind=f"{one.keyword} at {place}", what=f"{place}, where {one.says}", request=body, must=True)


def _other_keys(session: Session, operation: Operation, request: Request) -> Iterator[Variant]:
    """Yield a request whose body has another key than its path, beside its payload or in it, which must be refused."""

    def other(own: str) -> str:
        return str(int(own) + 1) if own.removeprefix("-").isdecimal() else f"{own}x"

    for changed in keyed_bodies(session, operation, request, other, is_read=True):
        what = "a key in its body that is not that of its path"
        yield Variant(kind="another key", what=what, request=changed, must=True)


def keyed_bodies(
    session: Session, operation: Operation, request: Request, key_for: Callable[[str], Any], *, is_read: bool = False
) -> Iterator[Request]:
    """Yield a single write with a key in its body, beside its payload or in it, where its contract judges that.

    `key_for` returns it for the key of the path; one that `is_read` has the type that the schema of its place asks for.
    """
    act, schema = operation.record, body_schema(operation)
    route = session.router.match(request.method, request.path, request)
    if act is None or act.key is None or not act.same_key or schema is None or not isinstance(route, Route):
        return
    sent = parse_request(operation, request, route.variables)
    resource = session.contract.resources.get(chosen_by(sent, act.resource) or "")
    key, places = key_for(str(locate(sent, act.key))), dict.fromkeys(("", act.payload))
    for at in [f"{place}/{resource.key}" for place in places] if resource is not None else ():
        inner, known = schema.at(at), find(sent.data, at)
        if inner is None and known is ABSENT:
            continue
        typed = read_text(key, inner) if is_read and inner is not None else key
        value = int(key) if is_read and inner is None and not isinstance(known, str) else typed
        changed = put(sent.data, at, value)
        if schema.is_valid(changed):
            yield replace(request, body=orjson.dumps(changed))


def _other_words_inside(contract: Contract, operation: Operation, request: Request) -> Iterator[Variant]:
    """Yield the request with one word of its body in another case, where one that is invalid is refused as a whole."""
    schema, bulk, data = body_schema(operation), operation.bulk, json_of(request.body)
    is_apart = bulk is not None and "malformedItem" not in bulk.guard.refuse
    if schema is None or is_apart or not declares_refusal(operation):
        return
    folded = {name for one in contract.resources.values() for name in one.normalize}
    for at in islice(_words_in(schema, data), MAX_WORDS):
        word = str(find(data, at)).swapcase()
        changed = _with_word(request, at, word)
        if at.rpartition("/")[2] not in folded and not schema.is_valid(changed):
            body = orjson.dumps(changed)
            yield Variant(
                kind=f"words at {at}", what=f"the word {word} at {at}", request=replace(request, body=body), must=True
            )


def _other_types_inside(operation: Operation, request: Request) -> Iterator[Variant]:
    """Yield the request with a member of its body, not of an item, of another type; or without a required one."""
    schema, data = body_schema(operation), json_of(request.body)
    places = operation.bulk.items.places if operation.bulk is not None else ("",)
    if schema is None or not isinstance(data, dict) or "" in places or not declares_refusal(operation):
        return
    for name, value in data.items():
        others = [(f"that is {text.decode()}", {**data, name: orjson.loads(text)}) for text in OTHER_TYPES]
        others += (
            [("that is one of its values alone", {**data, name: value[0]})] if isinstance(value, list) and value else []
        )
        others.append(("left out", {one: data[one] for one in data if one != name}))
        for what, changed in others:
            if not schema.is_valid(changed):
                body = replace(request, body=orjson.dumps(changed))
                yield Variant(kind=f"type of {name}", what=f"a member '{name}' {what}", request=body, must=True)


def _words_in(schema: Schema, value: object, at: str = "") -> Iterator[str]:
    """Yield the JSON Pointers of texts that are one of a few words, whose case counts."""
    if isinstance(value, dict):
        for name, one in value.items():
            member = schema.member(name)
            yield from _words_in(member, one, f"{at}/{escape(name)}") if member is not None else ()
    elif isinstance(value, list):
        items = schema.items()
        for n, one in enumerate(value[:1] if items is not None else ()):
            yield from _words_in(items, one, f"{at}/{n}") if items is not None else ()
    elif isinstance(value, str) and isinstance(schema.raw.get("enum"), list) and not schema.is_valid(value.swapcase()):
        yield at


def _with_word(request: Request, at: str, word: str) -> Any:
    """Return the data of a request with another word at a place that it has."""
    data: Any = orjson.loads(request.body)
    *above, last = tokens_of(at)
    inner: Any = data
    for token in above:
        inner = inner[int(token) if isinstance(inner, list) else token]
    inner[int(last) if isinstance(inner, list) else last] = word
    return data
