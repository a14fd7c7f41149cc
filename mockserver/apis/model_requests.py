"""The requests of an implementation as the reference model gets them: with the model's ids. Begin with `request_ids`.

A short id, such as 1, may be any number: it stands for a record only where the contract says that a key is. A long one
is nothing else by chance, wherever it stands.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

import orjson

from contracts.bulk.model import Bulk, Location
from contracts.exchange.bulk_request import names_target
from contracts.exchange.http_items import DEFAULT_ACTIONS
from contracts.exchange.job_traces import job_query
from contracts.exchange.locations import ParsedRequest, find, is_outside, parse_request, put
from contracts.exchange.raw_items import raw_items
from contracts.messages import ABSENT, Headers, Request
from contracts.openapi.model import Contract, MediaType, Operation, Route
from contracts.openapi.routing import Router
from contracts.syntax.text import is_text_or_integer, tokens_of
from generators.requests.calls import item_media
from generators.requests.serialisation import encode_items

ID_PATTERN: Final = re.compile(r"[\w-]+")
LONG_ID: Final = 12  # characters that nobody writes by chance
MAX_TEXT: Final = 1000  # characters; no address is longer


@dataclass(frozen=True, slots=True)
class RequestIds:
    """Puts the model's ids in the place of an implementation's: `ours` maps these to those of the model.

    `names` are of members and parameters that have keys, in small letters; `bulk` and `items`, the identities of its
    items, are of the body that is translated.
    """

    contract: Contract
    router: Router
    ours: Mapping[str, object]
    names: frozenset[str]
    bulk: Bulk | None = None
    items: frozenset[int] = frozenset()

    def translated(self, request: Request, operation: Operation | None) -> Request:
        """Return a request with the model's ids in the place of the implementation's."""
        if not self.ours:
            return request
        query = tuple((name, self._parameter(name, value)) for name, value in request.query)
        moved = replace(request, path=self._path(request.method, request.path), query=query)
        media = None if operation is None else item_media(operation)
        if operation is not None and operation.bulk is not None and media is not None:
            return self._with_items(moved, operation, operation.bulk, media)
        try:
            data = orjson.loads(request.body) if request.body else ABSENT
        except orjson.JSONDecodeError:
            return moved
        return moved if data is ABSENT else replace(moved, body=orjson.dumps(self._body(moved, operation, data)))

    def _with_items(self, request: Request, operation: Operation, bulk: Bulk, media: MediaType) -> Request:
        """Return a request whose items are no JSON value."""
        data = parse_request(operation, request, {}).data
        if data is ABSENT:
            return request
        encoded = encode_items(bulk, media, self._body(request, operation, data))
        others = ((name, value) for name, value in request.headers if name.lower() != "content-type")
        headers = Headers((*others, ("Content-Type", encoded.media_type)))
        return replace(request, headers=headers, body=encoded.content)

    def _body(self, request: Request, operation: Operation | None, data: Any) -> Any:
        bulk = None if operation is None else operation.bulk
        if operation is None or bulk is None:
            return self._value(data)
        items = raw_items(bulk, ParsedRequest(operation=operation, request=request, variables={}, data=data))
        listed = frozenset(name.lower() for at in bulk.items.places for name in tokens_of(at)[-1:])
        own = replace(self, bulk=bulk, items=frozenset(map(id, items)), names=self.names | listed)
        made = own._value(data, is_key="" in bulk.items.places)  # noqa: SLF001 - of the same class
        named = find(made, bulk.items.at) if names_target(bulk) else ABSENT
        if not isinstance(named, dict):
            return made
        return put(made, bulk.items.at, {str(self.ours.get(name, name)): one for name, one in named.items()})

    def _value(self, value: Any, *, is_key: bool = False) -> Any:
        """Return a value of a body, which stands where a key does or elsewhere."""
        if isinstance(value, list):
            return [self._value(one, is_key=is_key) for one in value]
        if isinstance(value, dict):
            made = {name: self._value(one, is_key=self._has_key(name, value)) for name, one in value.items()}
            return made if self.bulk is None or id(value) not in self.items else self._item(self.bulk, value, made)
        whole = int(value) if isinstance(value, float) and value.is_integer() else value
        if is_text_or_integer(whole) and str(whole) in self.ours and (is_key or len(str(whole)) >= LONG_ID):
            ours = self.ours[str(whole)]
            return str(ours) if isinstance(value, str) else ours
        is_address = isinstance(value, str) and value.startswith(("/", "http://", "https://"))
        return self._address(value, DEFAULT_ACTIONS) if is_address else value

    def _has_key(self, name: str, owner: Mapping[str, object]) -> bool:
        """Say whether a member has a key: by its name, by the type beside it, or by the path beside a value."""
        if name == "value" and isinstance(path := owner.get("path"), str):
            name = path.rpartition("/")[2]
        return name.lower() in self.names or (name == "id" and isinstance(owner.get("type"), str))

    def _item(self, bulk: Bulk, raw: Mapping[str, Any], made: Any) -> Any:
        """Return an item with the client's own words as they were, and with the address that it is sent to."""
        for at in _own_words(self.contract, bulk):
            kept = find(raw, at)
            made = made if kept is ABSENT else put(made, at, kept)
        url = find(raw, bulk.effect.http["url"]) if "url" in bulk.effect.http else ABSENT
        return put(made, bulk.effect.http["url"], self._address(url, DEFAULT_ACTIONS)) if isinstance(url, str) else made

    def _address(self, address: str, methods: Mapping[str, str]) -> str:
        """Return an address with the model's ids where an operation has it, and else with the long ones of them."""
        full, mark, query = address.partition("?")
        path = urlsplit(full).path
        inner = "/" + path.removeprefix(self.contract.mount).lstrip("/")
        method = next((one for one in methods if isinstance(self.router.match(one, inner), Route)), None)
        if method is None or len(address) >= MAX_TEXT:
            return self._text(address)
        start = full.removesuffix(inner.lstrip("/"))
        parts = (one.partition("=") for one in query.split("&"))
        asked = "&".join(f"{name}{sign}{self._parameter(name, value)}" for name, sign, value in parts)
        return f"{start}{self._path(method, inner).lstrip('/')}{mark}{asked}"

    def _path(self, method: str, path: str) -> str:
        """Return a path with the model's ids in its variables; where no operation has it, any segment may be one."""
        route, segments = self.router.match(method, path), path.split("/")
        parts = route.operation.path.split("/") if isinstance(route, Route) else []
        free = ["{" in part for part in parts] if len(parts) == len(segments) else [True] * len(segments)
        moved = (self._text(unquote(one), is_key=is_key) for one, is_key in zip(segments, free, strict=True))
        return "/".join(quote(one, safe="") for one in moved)

    def _parameter(self, name: str, value: str) -> str:
        return self._text(value, is_key=name.lower() in self.names)

    def _text(self, text: str, *, is_key: bool = False) -> str:
        """Return a text with the model's ids among its words."""
        if is_key and text in self.ours:
            return str(self.ours[text])
        if len(text) >= MAX_TEXT:
            return text
        return ID_PATTERN.sub(lambda one: self._word(one[0], is_key=is_key), text)

    def _word(self, word: str, *, is_key: bool) -> str:
        return str(self.ours.get(word, word)) if is_key or len(word) >= LONG_ID else word


def request_ids(contract: Contract, router: Router, ours: Mapping[str, object]) -> RequestIds:
    """Return what translates the requests of an implementation of a contract."""
    acts = [one.bulk.effect for one in contract.operations if one.bulk is not None]
    versions = {_name(one.version) for one in acts if one.version is not None}
    versions |= {one.version for one in contract.resources.values() if one.version is not None}
    names = {one.lower() for one in _key_names(contract) if one}
    return RequestIds(contract, router, ours, frozenset(names - {one.lower() for one in versions}))


def _key_names(contract: Contract) -> Iterator[str]:
    """Yield the names of members and parameters that have keys of records or ids of jobs."""
    for resource in contract.resources.values():
        yield from (resource.key, *resource.references)
    for operation in contract.operations:
        act, reads, bulk = operation.record, operation.reads, operation.bulk
        if act is not None:
            yield from (_name(act.key or ""), *map(_name, _filters(contract, operation)))
        yield from () if reads is None else (_name(reads.keys),)
        if bulk is not None:
            yield from map(_name, bulk.effect.target)
            yield _name(bulk.key.at or "") if bulk.key.by == "target" else ""
        yield from _job_names(contract, bulk)


def _filters(contract: Contract, operation: Operation) -> Iterator[Location]:
    """Yield the parameters that select records of a list by keys."""
    references = {name for one in contract.resources.values() for name in (one.key, *one.references)}
    where = operation.record.rules.where if operation.record is not None else {}
    yield from (at for member, at in where.items() if member in references)


def _job_names(contract: Contract, bulk: Bulk | None) -> Iterator[str]:
    """Yield the parameters that name a job in the operations on it."""
    job = None if bulk is None else bulk.job
    for name in () if job is None else job.operations:
        operation = contract.operation(name)
        yield "" if operation is None else job_query(operation) or ""


def _name(at: Location) -> str:
    """Return the name of the member or parameter at a location, "" of a whole item and of its name in a map."""
    name = at.partition(":")[2] if is_outside(at) else (tokens_of(at) or ("",))[-1]
    return "" if name.startswith("~") else name


def _own_words(contract: Contract, bulk: Bulk) -> Iterator[Location]:
    """Yield the locations in an item that have the client's names, of items and of groups, and versions."""
    effect, at = bulk.effect, bulk.key.at
    keys = {one.key for one in contract.resources.values()}
    is_member = not effect.target and not effect.http and (at or "").rpartition("/")[0] == effect.payload
    is_target = at in effect.target or (is_member and _name(at or "") in keys)
    own = at if bulk.key.by == "client" and not is_target else None
    places = (own, bulk.order.depends_on, bulk.order.group_by, bulk.unit.group, effect.version)
    yield from (one for one in places if one and one.startswith("/") and not one.startswith("/~"))
