"""Render an exchange with its prerequisites: HAR (`as_har`), HTTP file, curl script, pytest test.

HAR 1.2: http://www.softwareishard.com/blog/har-12-spec/. HTTP files:
https://www.jetbrains.com/help/idea/exploring-http-syntax.html.
"""

import re
import shlex
from base64 import b64encode
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson

from contracts.openapi.model import is_json
from mockserver import VERSION
from mockserver.export.prerequisites import Prerequisites, Setting, Step, clock_at
from mockserver.journal.journal import JournalEntry
from mockserver.journal.stored_messages import HIDDEN, StoredMessage
from mockserver.sandbox.sandboxes import DEFAULT_SANDBOX
from mockserver.verdicts.history import header_of


def as_har(prerequisites: Prerequisites) -> dict[str, Any]:
    """Return a HAR log of one entry; facts without a place in HAR are under `_bulkproof`."""
    entry = prerequisites.last.entry
    wait = (
        0.0
        if entry.scenario_trace is None or entry.scenario_trace.delay is None
        else entry.scenario_trace.delay.total_seconds() * 1000
    )
    one = {
        "startedDateTime": entry.at.isoformat().replace("+00:00", "Z"),
        "time": wait,
        "request": _request(prerequisites, entry),
        "response": _response(entry),
        "cache": {},
        "timings": {"send": 0, "wait": wait, "receive": 0},
        "comment": f"{prerequisites.title}. {' '.join(prerequisites.notes)}".strip(),
        "_bulkproof": {
            "sandbox": prerequisites.origin,
            "exchange": entry.n,
            "seed": prerequisites.seed,
            "clock": entry.at.isoformat().replace("+00:00", "Z"),
            "scenarios": list(prerequisites.scenarios),
        },
    }
    return {"log": {"version": "1.2", "creator": {"name": "Bulkproof", "version": VERSION}, "entries": [one]}}


def _request(prerequisites: Prerequisites, entry: JournalEntry) -> dict[str, Any]:
    path = prerequisites.last.path.removeprefix(f"/@{prerequisites.name}")
    prefix = "" if prerequisites.origin == DEFAULT_SANDBOX else f"/@{prerequisites.origin}"
    har_request = {
        "method": entry.method,
        "url": f"{prerequisites.base}{prefix}{path}",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(entry.request),
        "queryString": [{"name": name, "value": value} for name, value in entry.query],
        "headersSize": -1,
        "bodySize": entry.request.size,
    }
    return har_request | ({"postData": _content(entry.request)} if entry.request.size else {})


def _response(entry: JournalEntry) -> dict[str, Any]:
    return {
        "status": int(entry.status),
        "statusText": HTTPStatus(entry.status).phrase if entry.status in set(HTTPStatus) else "",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(entry.response),
        "content": {"size": entry.response.size, **_content(entry.response)},
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": entry.response.size,
    }


def _pairs(message: StoredMessage) -> list[Mapping[str, str]]:
    lines = (line.partition(": ") for line in message.headers.split("\n") if line)
    return [{"name": name, "value": value} for name, _, value in lines]


def _content(message: StoredMessage) -> dict[str, str]:
    media = next((pair["value"] for pair in _pairs(message) if pair["name"].lower() == "content-type"), "")
    cut = {"comment": f"The first {len(message.body)} bytes; SHA-256 {message.digest}"} if message.digest else {}
    return {"mimeType": media, "text": message.body.decode("utf-8", "replace"), **cut}


VARIABLE: Final = "{{"  # of an HTTP file
SYNTAX: Final = re.compile(r"\{\{|^[ \t]*(?:###|//|[#<>])|[\x00-\x08\x0b-\x1f\x7f]|\A\s|\s\Z", re.MULTILINE)


def as_http(prerequisites: Prerequisites) -> str:
    """Return an HTTP file; its last request is the exchange."""
    return "\n".join(_http_lines(prerequisites)) + "\n"


def _http_lines(prerequisites: Prerequisites) -> Iterator[str]:
    yield f"# {prerequisites.title}."
    yield f"# {prerequisites.setting}."
    yield from (f"# {note}" for note in prerequisites.notes)
    yield from _http_notes(prerequisites)
    for setting in prerequisites.settings:
        yield from _http_setting(prerequisites, setting)
    at = prerequisites.steps[0].at
    for step in prerequisites.steps:
        if step.at != at:
            yield from _http_setting(prerequisites, clock_at(step.at))
            at = step.at
        yield from _http_request(prerequisites, step)


def _http_setting(prerequisites: Prerequisites, setting: Setting) -> Iterator[str]:
    method, what, value = setting
    yield from ("", f"### Set up: {what}")
    yield f"{method} {prerequisites.base}/_sandbox/sandboxes/{prerequisites.name}/{what} HTTP/1.1"
    yield "Content-Type: application/json"
    if prerequisites.guarded:
        yield "Authorization: Bearer {{controlToken}}"
    yield from ("", orjson.dumps(value).decode())


def _http_request(prerequisites: Prerequisites, step: Step) -> Iterator[str]:
    yield from ("", f"### Exchange {step.entry.n}")
    path = step.path.replace(VARIABLE, "%7B%7B")
    yield f"{step.entry.method} {prerequisites.base}{path} HTTP/1.1"
    yield from (f"{name}: {value}" for name, value in step.headers if VARIABLE not in value)
    if step.file or _is_syntax(step.body):
        yield from ("", f"< ./exchange-{step.entry.n}.body")
    elif step.body:
        yield from ("", step.body.decode())


def _is_syntax(body: bytes) -> bool:
    """Tell whether a body cannot stand in an HTTP file: a part of it would be read as something else."""
    try:
        return SYNTAX.search(body.decode()) is not None
    except UnicodeDecodeError:
        return True


def _http_notes(prerequisites: Prerequisites) -> Iterator[str]:
    """Yield what an HTTP file cannot say by itself: bodies and header fields that it would take for its own signs."""
    for step in prerequisites.steps:
        if not step.file and _is_syntax(step.body):
            file, text = f"exchange-{step.entry.n}.body", b64encode(step.body).decode()
            yield f"# Write the body of exchange {step.entry.n} into a file: printf %s {text} | base64 -d > {file}"
        for name in [name for name, value in step.headers if VARIABLE in value]:
            yield f"# The field {name} of exchange {step.entry.n} is left out: it would be read as a variable."


MAX_ARGUMENT_CHARS: Final = 100_000  # characters of one argument; Linux takes 128 KiB
DISCARD_OUTPUT: Final = ("-o", "/dev/null")
CONTROL_AUTH_OPTION: Final = '-H "Authorization: Bearer $BULKPROOF_CONTROL_TOKEN"'
AUTH_OPTION: Final = '${TOKEN:+-H "Authorization: Bearer $TOKEN"}'


def as_curl(prerequisites: Prerequisites) -> str:
    """Return a POSIX shell script of curl commands; the last one is the exchange."""
    return "\n".join(_curl_lines(prerequisites)) + "\n"


def _curl_lines(prerequisites: Prerequisites) -> Iterator[str]:
    yield f"# {prerequisites.title}."
    yield f"# {prerequisites.setting}."
    yield from (f"# {note}" for note in prerequisites.notes)
    yield from (_curl_setting(prerequisites, one) for one in prerequisites.settings)
    at = prerequisites.steps[0].at
    for step in prerequisites.steps:
        if step.at != at:
            yield _curl_setting(prerequisites, clock_at(step.at))
            at = step.at
        yield _curl_request(prerequisites, step, *(() if step is prerequisites.last else DISCARD_OUTPUT))


def _curl_setting(prerequisites: Prerequisites, setting: Setting) -> str:
    method, what, value = setting
    url = f"{prerequisites.base}/_sandbox/sandboxes/{prerequisites.name}/{what}"
    words = ["curl", "-sSf", *DISCARD_OUTPUT, "-X", method, url, "-H", "Content-Type: application/json"]
    guard = f" {CONTROL_AUTH_OPTION}" if prerequisites.guarded else ""
    return f"{shlex.join(words)}{guard} --data-raw {shlex.quote(orjson.dumps(value).decode())}"


def _curl_request(prerequisites: Prerequisites, step: Step, *options: str) -> str:
    method = step.entry.method
    words = [
        "curl",
        "-sSg",
        *options,
        *(("--head",) if method == "HEAD" else ("-X", method)),
        f"{prerequisites.base}{step.path}",
    ]
    if "/." in step.path:
        words.append("--path-as-is")
    for name, value in step.headers:
        words += ["-H", f"{name}: {value}" if value else f"{name};"]
    if (step.body or step.file) and all(name.lower() != "content-type" for name, _ in step.headers):
        words += ["-H", "Content-Type:"]
    token = f" {AUTH_OPTION}" if any(name.lower() == "authorization" for name in step.secrets) else ""
    before, data = _curl_data(step)
    return f"{before}{shlex.join(words)}{token}{data}"


def _curl_data(step: Step) -> tuple[str, str]:
    """Return the text before a command and the arguments after it that send the body."""
    if step.file:
        return "", f" --data-binary @{step.file}"
    if not step.body:
        return "", ""
    text = step.body.decode("utf-8", "replace")
    quoted = shlex.quote(text)
    if text.encode() == step.body and "\0" not in text and len(quoted) <= MAX_ARGUMENT_CHARS:
        return "", f" --data-raw {quoted}"
    return f"printf %s {b64encode(step.body).decode()} | base64 -d | ", " --data-binary @-"


REQUEST_TIMEOUT_SECONDS: Final = 30

TEST_PREAMBLE: Final = """
SERVER = urlsplit(os.environ.get("BULKPROOF_URL", {base!r})).netloc
TOKEN = os.environ.get("TOKEN")
CONTROL_TOKEN = os.environ.get("BULKPROOF_CONTROL_TOKEN")


def send(method, path, headers, body=None, token=None):
    if token:
        headers = {{**headers, "Authorization": f"Bearer {{token}}"}}
    with closing({connection}(SERVER, timeout={seconds})) as connection:
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        return reply.status, reply.read()


def set_up(method, what, value):
    path = f"/_sandbox/sandboxes/{name}/{{what}}"
    headers = {{"Content-Type": "application/json"}}
    status, said = send(method, path, headers, json.dumps(value).encode(), CONTROL_TOKEN)
    assert status == 200, said


def test_exchange_{number}():"""


def as_pytest(prerequisites: Prerequisites) -> str:
    """Return a test module that repeats the exchange and asserts its response."""
    helpers = TEST_PREAMBLE.format(
        base=prerequisites.base,
        seconds=REQUEST_TIMEOUT_SECONDS,
        connection=_connection(prerequisites),
        name=prerequisites.name,
        number=prerequisites.last.entry.n,
    )
    lines = [
        f'"""{prerequisites.title}.',
        "",
        f"Run it with pytest while the sandbox serves at {prerequisites.base}, or set BULKPROOF_URL.",
        *prerequisites.notes,
        '"""',
        "",
        *_imports(prerequisites),
        *helpers.split("\n"),
        *(f"    {line}" for line in _test_lines(prerequisites)),
    ]
    return "\n".join(lines) + "\n"


def _connection(prerequisites: Prerequisites) -> str:
    return "HTTPSConnection" if prerequisites.base.startswith("https:") else "HTTPConnection"


def _imports(prerequisites: Prerequisites) -> Iterator[str]:
    yield from ("import json", "import os", "from contextlib import closing")
    error = "" if _was_delivered(prerequisites.last.entry) else ", HTTPException"
    yield f"from http.client import {_connection(prerequisites)}{error}"
    if any(step.file for step in prerequisites.steps):
        yield "from pathlib import Path"
    yield "from urllib.parse import urlsplit"


def _test_lines(prerequisites: Prerequisites) -> Iterator[str]:
    yield from (_test_setting(one) for one in prerequisites.settings)
    at = prerequisites.steps[0].at
    for step in prerequisites.steps:
        if step.at != at:
            yield _test_setting(clock_at(step.at))
            at = step.at
        yield from (_test_assertions(step) if step is prerequisites.last else (_test_request(step),))


def _test_setting(setting: Setting) -> str:
    method, what, value = setting
    return f"set_up({method!r}, {what!r}, {_builtin_value(value)!r})"


def _builtin_value(value: object) -> object:
    """Return a JSON value without subclasses of Python's own types."""
    return orjson.loads(orjson.dumps(value))


def _test_request(step: Step) -> str:
    headers: dict[str, str] = {}
    for name, value in step.headers:
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    sent = {name: value if value.isascii() else value.encode() for name, value in headers.items()}
    body = f"Path({step.file!r}).read_bytes()" if step.file else repr(step.body) if step.body else "None"
    token = ", TOKEN" if any(name.lower() == "authorization" for name in step.secrets) else ""
    return f"send({step.entry.method!r}, {step.path!r}, {sent!r}, {body}{token})"


def _test_assertions(step: Step) -> Iterator[str]:
    entry = step.entry
    if not _was_delivered(entry):
        yield "try:"
        yield f"    {_test_request(step)}"
        yield "except (OSError, HTTPException):"
        yield "    return"
        yield 'raise AssertionError("the reply arrived whole")'
        return
    yield f"status, body = {_test_request(step)}"
    yield f"assert status == {int(entry.status)}, body"
    response = entry.response
    if response.size and not response.digest and HIDDEN.encode() not in response.body:
        if is_json(header_of(response, "Content-Type")):
            yield f"assert json.loads(body) == {orjson.loads(response.body)!r}"
        else:
            yield f"assert body == {response.body!r}"


def _was_delivered(entry: JournalEntry) -> bool:
    return entry.scenario_trace is None or entry.scenario_trace.is_delivered
