"""Items that are HTTP requests (`x-bulk.effect.http`): the request in an item, and the operation that it is for.

Begin with `request_of`. Such items are in SCIM bulk requests (RFC 7644, 3.7), OData JSON batches (4.01, 19) and others.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import orjson

from contracts.bulk.model import BulkEffect
from contracts.exchange.preconditions import IF_MATCH
from contracts.exchange.references import References, Resolve
from contracts.messages import ABSENT, Headers, Request
from contracts.openapi.model import NoRoute, Operation, Route, is_json
from contracts.openapi.routing import Router
from contracts.syntax.text import look_up, step, tokens_of

DEFAULT_ACTIONS: Final[Mapping[str, str]] = {
    "DELETE": "delete",
    "GET": "read",
    "HEAD": "read",
    "PATCH": "update",
    "POST": "create",
    "PUT": "replace",
}
OF_THE_WHOLE: Final = frozenset(
    [
        "accept-encoding",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "idempotency-key",
        "if-match",
        "if-none-match",
        "prefer",
        "transfer-encoding",
    ]
)
"""Header fields of the bulk request that say nothing about its items."""


def request_of(effect: BulkEffect, raw: object, *, mount: str, headers: Headers) -> Request:
    """Return the request that an item is, with the header fields of the whole request that apply to it.

    Its URL may be absolute, begin at the API's `mount`, or be relative to it. `body` is any JSON value; text that is in
    its place is sent as it is.
    """
    places = effect.http
    method = _text(raw, places.get("method"), "GET").upper()
    url = urlsplit(_text(raw, places.get("url"), ""))
    own = look_up(raw, places["headers"]) if "headers" in places else ABSENT
    fields = [(str(name), str(value)) for name, value in own.items()] if isinstance(own, dict) else []
    given = {name.lower() for name, _ in fields}
    version = ABSENT if effect.version is None else look_up(raw, effect.version)
    if version is not ABSENT and version is not None and "if-match" not in given:
        fields.append((IF_MATCH, _entity_tag(version)))
    outer = [(name, value) for name, value in headers if name.lower() not in OF_THE_WHOLE | given]
    body = look_up(raw, places["body"]) if "body" in places else ABSENT
    return Request(
        method=method,
        path=_path(url.path, mount),
        query=tuple(parse_qsl(url.query, keep_blank_values=True)),
        headers=Headers((*outer, *fields)),
        body=b"" if body is ABSENT or body is None else body.encode() if isinstance(body, str) else orjson.dumps(body),
    )


def _entity_tag(version: object) -> str:
    """Return a version as an entity tag (RFC 9110, 8.8.3), as which it may be written already."""
    text = str(version)
    return text if text == "*" or text.endswith('"') else f'"{text}"'


def _text(raw: object, at: str | None, default: str) -> str:
    found = ABSENT if at is None else look_up(raw, at)
    return found if isinstance(found, str) else default


def _path(path: str, mount: str) -> str:
    full = path if path.startswith("/") else f"/{path}"
    is_below = bool(mount) and full.startswith(mount) and full[len(mount) : len(mount) + 1] in {"", "/"}
    return (full[len(mount) :] or "/") if is_below else full


def with_media_type(request: Request, operation: Operation) -> Request:
    """Return a request with a body, and the media type that its operation takes where it names none."""
    if not request.body or operation.body is None or "Content-Type" in request.headers:
        return request
    known = [one.media_range for one in operation.body.content]
    media = next((one for one in known if is_json(one)), "application/json")
    return replace(request, headers=request.headers.with_(("Content-Type", media)))


def route_item(router: Router, request: Request) -> Route | None:
    """Return the operation that an item is for, None when there is none."""
    found = router.match(request.method, request.path, request)
    return None if isinstance(found, NoRoute) else found


def target_of(route: Route, request: Request) -> object:
    """Return the key of the record that a request names, ABSENT when it names none."""
    act = route.operation.record
    where, _, name = (act.key or "" if act is not None else "").partition(":")
    if where == "path":
        return route.variables.get(name, ABSENT)
    if where == "query":
        return next((value for key, value in request.query if key == name), ABSENT)
    return request.headers.get(name) if where == "header" and name in request.headers else ABSENT


def identified(router: Router, mount: str, value: object) -> tuple[str, object] | None:
    """Return the resource and the key of what identifies a record: `{type, id}` (JSON:API), or a URL; None of others.

    The key is ABSENT where there is none, as in the URL of a collection.
    """
    if isinstance(value, dict) and isinstance(value.get("type"), str):
        return value["type"], value.get("id", ABSENT)
    if not isinstance(value, str) or "/" not in value:
        return None
    path = _path(urlsplit(value).path, mount)
    for method in DEFAULT_ACTIONS:
        request = Request(method=method, path=path)
        route = route_item(router, request)
        if route is not None and route.operation.record is not None:
            return route.operation.record.resource.constant, target_of(route, request)
    return None


def identifies_records(effect: BulkEffect) -> bool:
    """Say whether the targets of items identify records of any kind: nothing else says of which kind they are."""
    return bool(effect.target) and effect.resource is None and not effect.like and not effect.http


def action_of(route: Route | None, request: Request) -> str:
    """Return what a request does to a record: by its operation, else by its method."""
    act = None if route is None else route.operation.record
    if act is None or not act.action.constant:
        return DEFAULT_ACTIONS.get(request.method, "read")
    return "read" if act.action.constant == "list" else act.action.constant


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What takes the place of references: `resolve` returns a value, `address` the path of a record, else ABSENT."""

    references: References
    resolve: Resolve
    address: Callable[[str], object]

    def fill(self, raw: object, url_at: str | None) -> Any:
        """Return an item with its references replaced, those of the URL at `url_at` as a URL has them."""
        filled = self.references.filled(raw, self.resolve)
        url = ABSENT if url_at is None else look_up(raw, url_at)
        if url_at is None or not isinstance(url, str) or self.references.pattern is None:
            return filled
        return _with(filled, tokens_of(url_at), self._url(url))

    def _url(self, url: str) -> str:
        """Return a URL: a reference at its beginning is a record, others are values. Options are left as they are."""
        path, mark, query = url.partition("?")
        begin = "/" if path.startswith("/") else ""
        first, slash, rest = path.removeprefix("/").partition("/")
        assert self.references.pattern is not None  # noqa: S101 - asked before
        leading = self.references.pattern.fullmatch(unquote(first))
        record = ABSENT if leading is None or self.references.has_path else self.address(leading[1])
        head = str(record) if record is not ABSENT else f"{begin}{self._segment(first)}"
        asked = str(self.references.filled(query, self.resolve)) if self.references.strict else query
        return f"{head}{slash}{'/'.join(map(self._segment, rest.split('/')))}{mark}{asked}"

    def _segment(self, segment: str) -> str:
        text = unquote(segment)
        value = str(self.references.filled(text, self.resolve))
        return segment if value == text else quote(value, safe="")


def _with(value: Any, tokens: tuple[str, ...], new: object) -> Any:
    if not tokens:
        return new
    return {**value, tokens[0]: _with(step(value, tokens[0]), tokens[1:], new)}
