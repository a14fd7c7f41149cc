"""Runs a case against a sandbox: steps in order, the first reply that does not fit ends it."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import BadStatusLine, HTTPConnection, IncompleteRead, RemoteDisconnected
from typing import Protocol
from urllib.parse import urlsplit
from uuid import uuid4

from case_match import ABSENT, Names, body_of_call, differences, differences_of_body, fill
from case_text import Case, CaseError, Exchange, Message, Step

BROKEN = {  # the first that an error is
    RemoteDisconnected: "closed",
    ConnectionResetError: "reset",
    BadStatusLine: "rubbish",
    IncompleteRead: "incomplete",
}
EPOCH = "2026-01-01T00:00:00Z"
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A reply as it came: `headers` in order, names as sent. `broken` says how it failed to come as a whole."""

    status: int
    headers: Pairs = ()
    body: bytes = b""
    broken: str = ""


class Server(Protocol):
    """Something that answers; `target` is what stands in a request line."""

    def __call__(self, method: str, target: str, headers: Pairs, body: bytes) -> Answer:
        """Answer one request."""


class CaseFailed(Exception):  # noqa: N818 - a report for the reader, no error of the runner
    """What came instead of what was expected."""


@dataclass(slots=True)
class Running:
    """A case under way: whom it speaks to, and what it has learned."""

    server: Server
    mount: str
    names: Names
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        """Return what stands before the path of a call."""
        return f"/@{self.names['sandbox']}{self.mount}"


def over_http(url: str) -> Server:
    """Return the server at `url`; one connection for each request."""
    parts = urlsplit(url)

    def answer(method: str, target: str, headers: Pairs, body: bytes) -> Answer:
        connection = HTTPConnection(parts.hostname or "127.0.0.1", parts.port or 80, timeout=30)
        try:
            connection.request(method, parts.path.rstrip("/") + target, body=body or None, headers=dict(headers))
            reply = connection.getresponse()
            return Answer(status=reply.status, headers=tuple(reply.getheaders()), body=reply.read())
        except tuple(BROKEN) as error:
            return Answer(status=0, broken=next(word for kind, word in BROKEN.items() if isinstance(error, kind)))
        finally:
            connection.close()

    return answer


def new_sandbox() -> str:
    """Return a name that no other case has: on a server that runs on, sandboxes stay."""
    return f"case-{os.getpid()}-{uuid4().hex[:12]}"


def run_case(case: Case, server: Server, mount: str, *, sandbox: str) -> None:
    """Run `case` on a frozen clock in a sandbox of that name, which is dropped afterwards.

    Raises `CaseFailed` at the first thing that is not as expected.
    """
    running = Running(server=server, mount=mount, names={"sandbox": sandbox})
    _control(running, "PUT", "/clock", {"mode": "frozen", "now": EPOCH})
    try:
        for step in case.steps:
            _run(case, running, step)
    finally:
        _control(running, "DELETE", "")


def _run(case: Case, running: Running, step: Step | Exchange) -> None:
    try:
        if isinstance(step, Exchange):
            _exchange(running, step)
        elif step.word in STEPS:
            STEPS[step.word](running, fill(step.rest, running.names))
    except (CaseFailed, ValueError) as error:
        line = step.call.line if isinstance(step, Exchange) else step.line
        raise CaseFailed(f"{case.file}:{line}: in '{case.title}'\n{error}") from error


def _exchange(running: Running, step: Exchange) -> None:
    for _ in range(int(step.call.start["times"] or 1)):
        answer = _send(running, step.call)
        wrong = list(_unlike(step.reply, answer, running.names))
        if wrong:
            asked = f"{step.call.start['method']} {fill(step.call.start['target'], running.names)}"
            got = f"{answer.status} {answer.body[:1500].decode(errors='replace')}"
            raise CaseFailed("\n".join([*(f"  {line}" for line in wrong), f"> {asked}", f"< {got}"]))


def _send(running: Running, call: Message) -> Answer:
    names = running.names
    headers = running.headers | {name: fill(value, names) for name, value in call.headers}
    body = body_of_call(call.body, names)
    if body:
        headers.setdefault("Content-Type", "application/json")
    elif "Content-Type" not in dict(call.headers):
        headers.pop("Content-Type", None)
    target = fill(call.start["target"], names)
    place = target if target.startswith("/_sandbox/") else running.prefix + target
    return running.server(call.start["method"], place, tuple(headers.items()), body)


def _unlike(expected: Message, answer: Answer, names: Names) -> Iterator[str]:
    if expected.start["broken"] or answer.broken:
        if expected.start["broken"] != answer.broken:
            yield f"reply: expected {expected.start['broken'] or 'a whole one'}, got {answer.broken or 'a whole one'}"
        return
    if int(expected.start["status"]) != answer.status:
        yield f"status: expected {expected.start['status']}, got {answer.status}"
    got = {name.lower(): value for name, value in answer.headers}
    media = got.get("content-type", "").partition(";")[0].strip().lower()
    if expected.start["media"] not in {None, media}:
        yield f"media type: expected {expected.start['media']}, got {media or 'none'}"
    for name, value in expected.headers:
        if value == ABSENT or name.lower() not in got:
            if (value == ABSENT) is (name.lower() in got):
                yield f"header {name}: {'not expected' if value == ABSENT else 'missing'}"
        else:
            yield from differences(value, got[name.lower()], names, f"header {name}")
    if expected.body:
        yield from differences_of_body(expected.body, answer.body, names)
    elif answer.body:
        yield f"body: expected none, got {answer.body[:200]!r}"


def _control(running: Running, method: str, what: str, body: object = None) -> None:
    target = f"/_sandbox/sandboxes/{running.names['sandbox']}{what}"
    sent = b"" if body is None else json.dumps(body).encode()
    answer = running.server(method, target, (("Content-Type", "application/json"),), sent)
    if answer.status // 100 != 2:
        raise CaseFailed(f"  {method} {target} answered {answer.status} {answer.body.decode(errors='replace')}")


def _header(running: Running, rest: str) -> None:
    name, _, value = rest.partition(":")
    running.headers.pop(name, None)
    if value.strip():
        running.headers[name] = value.strip()


def _settings(running: Running, rest: str) -> None:
    _control(running, "PATCH", "/settings", json.loads(rest))


def _scenario(running: Running, rest: str) -> None:
    given = [json.loads(rest)] if rest.startswith("{") else rest.split()
    _control(running, "PUT", "/scenarios", {"scenarios": given})


def _seed(running: Running, rest: str) -> None:
    _control(running, "POST", "/reset", {"seed": int(rest)})
    _control(running, "PUT", "/clock", {"mode": "frozen", "now": EPOCH})


def _clock(running: Running, rest: str) -> None:
    word, _, value = rest.partition(" ")
    if word == "at":
        _control(running, "PUT", "/clock", {"now": value})
    elif word in {"advance", "to"}:
        _control(running, "POST", "/clock/advance", {"by" if word == "advance" else "to": value})
    else:
        raise CaseError(f"'@ clock' takes advance, to or at; not {word!r}.")


STEPS: dict[str, Callable[[Running, str], None]] = {
    "clock": _clock,
    "header": _header,
    "scenario": _scenario,
    "seed": _seed,
    "settings": _settings,
}
