"""The first call that a new user is shown: `curl_line` makes a command of a contract's example, one that works."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

import orjson

from contracts.bulk.model import Choice
from contracts.messages import ABSENT, FORM_MEDIA_TYPE, Headers, Request
from contracts.openapi.model import Operation, Parameter, is_json
from contracts.openapi.routing import expand
from contracts.openapi.security import with_credentials
from mockserver.api.model import Api
from mockserver.engine import pipeline
from mockserver.sandbox.sandboxes import Sandbox, SandboxTemplate

MAX_EXAMPLE_BYTES: Final = 600  # bytes of a body that one would still paste


def curl_line(api: Api, template: SandboxTemplate, url: str, real: datetime) -> str | None:
    """Return a `curl` command whose request succeeds in a fresh sandbox; None when no example gives one.

    It creates records if any example does, and deletes none. `url` is the server's base URL.
    """
    template = replace(template, on_exchange=lambda _: None)
    asks = template.settings["auth"] == "strict" and api.plain
    harmless = [one for one in api.contract.operations if one.method != "DELETE" and _action(one) != "delete"]
    for operation in sorted(harmless, key=_example_rank):
        for drawn in _requests(operation):
            request = with_credentials(api.contract, operation, drawn) if asks else drawn
            sandbox = Sandbox("example", template, real)
            if pipeline.handle(sandbox, api, request, sandbox.now(real)).status < HTTPStatus.BAD_REQUEST:
                return _command(api, request, url)
    return None


def _action(operation: Operation) -> str:
    """Return what an operation does to records, "" where that is unknown or differs from item to item."""
    if operation.bulk is not None:
        return operation.bulk.effect.action.constant
    return "" if operation.record is None else operation.record.action.constant


def _example_rank(operation: Operation) -> tuple[int, bool, bool]:
    action = _action(operation)
    use = 0 if action in {"create", "upsert"} else 1 if action in {"", "read", "list"} else 2
    return use, operation.bulk is None, operation.method != "POST"


def _requests(operation: Operation) -> Iterator[Request]:
    """Yield the requests that the contract's examples give, one for each example of the body.

    Where the client chooses what fails together, each is tried with items that fail by themselves, too.
    """
    values = {(one.where, one.name): _example(one) for one in operation.parameters if one.required}
    if any(value is ABSENT for value in values.values()):
        return
    path = expand(operation.path, {name: _text(value) for (where, name), value in values.items() if where == "path"})
    query, headers = [], []
    for (where, name), value in values.items():
        text = _text(value)
        if where == "query":
            query.append((name, text))
        elif where == "header":
            headers.append((name, text))
    for media, body in _bodies(operation):
        fields = (*headers, ("Content-Type", media)) if media else tuple(headers)
        request = Request(method=operation.method, path=path, query=tuple(query), headers=Headers(fields), body=body)
        yield request
        yield from (replace(request, query=(*query, choice)) for choice in _by_item(operation))


def _by_item(operation: Operation) -> Iterator[tuple[str, str]]:
    """Yield the query parameter by which a client lets items fail by themselves."""
    choice = Choice() if operation.bulk is None else operation.bulk.unit.of
    where, _, name = choice.source.partition(":")
    if where == "query":
        yield from ((name, word) for word, unit in choice.words.items() if unit == "item")


def _example(parameter: Parameter) -> object:
    raw: Mapping[str, object] = parameter.schema.raw if parameter.schema is not None else {}
    listed = [raw[name] for name in ("examples", "enum") if raw.get(name)]
    own = [one for some in listed if isinstance(some, list) for one in some]
    single = [raw[name] for name in ("example", "const", "default") if name in raw]
    return next(iter([*parameter.examples.values(), *single, *own]), ABSENT)


def _text(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _bodies(operation: Operation) -> Iterator[tuple[str, bytes]]:
    if operation.body is None:
        yield "", b""
        return
    for media in operation.body.content:
        for value in media.examples.values():
            body = _body(media.media_range, value)
            if body is not None and len(body) <= MAX_EXAMPLE_BYTES:
                yield media.media_range, body


def _body(media: str, value: object) -> bytes | None:
    if is_json(media):
        return orjson.dumps(value)
    if media == FORM_MEDIA_TYPE and isinstance(value, Mapping):
        return urlencode(value).encode()
    return value.encode() if isinstance(value, str) else None


def _command(api: Api, request: Request, url: str) -> str:
    query = f"?{urlencode(request.query)}" if request.query else ""
    words = [
        "curl",
        "-sS",
        *(() if request.method == "GET" else ("-X", request.method)),
        f"{url}{api.mount}{request.path}{query}",
    ]
    for name, value in request.headers:
        words += ["-H", f"{name}: {value}"]
    return shlex.join(words + (["-d", request.body.decode()] if request.body else []))
