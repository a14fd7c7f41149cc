"""A `curl` line that works when pasted: a call made of a contract's own examples, tried out before it is shown."""

import shlex
from collections.abc import Iterator, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

import orjson

from contracts.media import is_json
from contracts.messages import ABSENT, Call, Headers
from contracts.model import Operation, Parameter
from contracts.templates import expanded
from mockserver import engine
from mockserver.api import Api
from mockserver.sandbox import Blank, Sandbox

LONGEST: Final = 600  # bytes of a body that one would still paste
FORM: Final = "application/x-www-form-urlencoded"


def curl_line(api: Api, blank: Blank, url: str, real: datetime) -> str | None:
    """Return a `curl` command for a call of `api` that succeeds in a fresh sandbox; None when no example makes one.

    `url` is the server's base URL.
    """
    for operation in sorted(api.contract.operations, key=_by_interest):
        for call in _calls(operation):
            sandbox = Sandbox("example", blank, real)
            if engine.handle(sandbox, api, call, sandbox.now(real)).status < HTTPStatus.BAD_REQUEST:
                return _command(api, call, url)
    return None


def _by_interest(operation: Operation) -> tuple[bool, bool]:
    return operation.bulk is None, operation.method != "POST"


def _calls(operation: Operation) -> Iterator[Call]:
    """Yield the calls that the examples amount to, one for each example of the body."""
    values = {(one.where, one.name): _example(one) for one in operation.parameters if one.required}
    if any(value is ABSENT for value in values.values()):
        return
    path = expanded(operation.path, {name: _text(value) for (where, name), value in values.items() if where == "path"})
    query, headers = [], []
    for (where, name), value in values.items():
        text = _text(value)
        if where == "query":
            query.append((name, text))
        elif where == "header":
            headers.append((name, text))
    for media, body in _bodies(operation):
        fields = (*headers, ("Content-Type", media)) if media else tuple(headers)
        yield Call(method=operation.method, path=path, query=tuple(query), headers=Headers(fields), body=body)


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
            if body is not None and len(body) <= LONGEST:
                yield media.media_range, body


def _body(media: str, value: object) -> bytes | None:
    if is_json(media):
        return orjson.dumps(value)
    if media == FORM and isinstance(value, Mapping):
        return urlencode(value).encode()
    return value.encode() if isinstance(value, str) else None


def _command(api: Api, call: Call, url: str) -> str:
    query = f"?{urlencode(call.query)}" if call.query else ""
    words = [
        "curl",
        "-sS",
        *(() if call.method == "GET" else ("-X", call.method)),
        f"{url}{api.mount}{call.path}{query}",
    ]
    for name, value in call.headers:
        words += ["-H", f"{name}: {value}"]
    return shlex.join(words + (["-d", call.body.decode()] if call.body else []))
