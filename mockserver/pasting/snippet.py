"""An exchange as a test for pytest that needs nothing but a running sandbox."""

from collections.abc import Iterator
from typing import Final

import orjson

from contracts.media import is_json
from mockserver.conduct.history import header_of
from mockserver.journal import Entry
from mockserver.pasting.trail import Setting, Step, Trail, clock_at
from mockserver.redaction import HIDDEN

SECONDS: Final = 30

HELPERS: Final = """
SERVER = urlsplit(os.environ.get("BULKPROOF_URL", {base!r})).netloc
TOKEN = os.environ.get("TOKEN")
CONTROL_TOKEN = os.environ.get("BULKPROOF_CONTROL_TOKEN")


def send(method, path, headers, body=None, token=None):
    if token:
        headers = {{**headers, "Authorization": f"Bearer {{token}}"}}
    with closing(HTTPConnection(SERVER, timeout={seconds})) as connection:
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        return reply.status, reply.read()


def set_up(method, what, value):
    path = f"/_sandbox/sandboxes/{name}/{{what}}"
    headers = {{"Content-Type": "application/json"}}
    status, said = send(method, path, headers, json.dumps(value).encode(), CONTROL_TOKEN)
    assert status == 200, said


def test_exchange_{number}():"""


def as_pytest(trail: Trail) -> str:
    """Return a test module."""
    helpers = HELPERS.format(base=trail.base, seconds=SECONDS, name=trail.name, number=trail.last.entry.n)
    lines = [
        f'"""{trail.title}.',
        "",
        f"Run it with pytest while the sandbox serves at {trail.base}, or set BULKPROOF_URL.",
        *trail.notes,
        '"""',
        "",
        *_imports(trail),
        *helpers.split("\n"),
        *(f"    {line}" for line in _lines(trail)),
    ]
    return "\n".join(lines) + "\n"


def _imports(trail: Trail) -> Iterator[str]:
    yield from ("import json", "import os", "from contextlib import closing")
    yield f"from http.client import HTTPConnection{'' if _arrived(trail.last.entry) else ', HTTPException'}"
    if any(step.file for step in trail.steps):
        yield "from pathlib import Path"
    yield "from urllib.parse import urlsplit"


def _lines(trail: Trail) -> Iterator[str]:
    yield from (_setting(one) for one in trail.settings)
    at = trail.steps[0].at
    for step in trail.steps:
        if step.at != at:
            yield _setting(clock_at(step.at))
            at = step.at
        yield from (_told(step) if step is trail.last else (_call(step),))


def _setting(setting: Setting) -> str:
    method, what, value = setting
    return f"set_up({method!r}, {what!r}, {_plain(value)!r})"


def _plain(value: object) -> object:
    """Return a JSON value made of Python's own types alone."""
    return orjson.loads(orjson.dumps(value))


def _call(step: Step) -> str:
    headers: dict[str, str] = {}
    for name, value in step.headers:
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    body = f"Path({step.file!r}).read_bytes()" if step.file else repr(step.body) if step.body else "None"
    token = ", TOKEN" if any(name.lower() == "authorization" for name in step.secrets) else ""
    return f"send({step.entry.method!r}, {step.path!r}, {headers!r}, {body}{token})"


def _told(step: Step) -> Iterator[str]:
    entry = step.entry
    if not _arrived(entry):
        yield "try:"
        yield f"    {_call(step)}"
        yield "except (OSError, HTTPException):"
        yield "    return"
        yield 'raise AssertionError("the reply arrived whole")'
        return
    yield f"status, body = {_call(step)}"
    yield f"assert status == {int(entry.status)}, body"
    reply = entry.reply
    if reply.size and not reply.digest and HIDDEN.encode() not in reply.body:
        if is_json(header_of(reply, "Content-Type")):
            yield f"assert json.loads(body) == {orjson.loads(reply.body)!r}"
        else:
            yield f"assert body == {reply.body!r}"


def _arrived(entry: Entry) -> bool:
    return entry.staged is None or entry.staged.arrived
