"""What On Key's calls have in common: parameters, bodies, answers, and background tasks as they are kept."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from onkey_records import Records
from onkey_types import Message, Record, Refused, malformed, message, now, parsed, whole_number

KIND = "application/vnd.onkey."
NOTIFICATION, ENTITY, ENTITIES = (f"{KIND}{name}+json" for name in ("notification", "entity", "entitycollection"))
MODES = {"allornone": True, "perrecord": False}


@dataclass(slots=True, kw_only=True)
class Task:
    """A request that runs in the background, and what became of its steps."""

    id: int
    steps: list[tuple[int, list[Message]]]
    status: str = "Queued"
    version: int = 1
    created: str = field(default_factory=now)
    started: str | None = None
    completed: str | None = None
    undo: list[tuple[int, Record | None]] = field(default_factory=list)
    running: asyncio.Task[None] | None = None
    twin: Task | None = None
    polls: int = 0
    ended: float = 0.0

    def move(self, status: str) -> None:
        """Go on to another status."""
        self.status, self.version = status, self.version + 1


@dataclass(slots=True)
class Dataset:
    """The records and tasks of one client's connection."""

    records: Records
    tasks: dict[int, Task] = field(default_factory=dict)


def new_id() -> int:
    """Make an id of sixteen digits."""
    return 10**15 + secrets.randbelow(2**53 - 10**15)


def failed(messages: list[Message]) -> bool:
    """Say whether messages tell of an error."""
    return any(m["severity"] == "error" for m in messages)


def answer(body: Any, kind: str = NOTIFICATION, status: int = 200, **headers: str) -> web.Response:
    """Answer with JSON of one of the vendor's types."""
    return web.Response(status=status, body=json.dumps(body).encode(), content_type=kind, headers=headers)


def unknown(type_name: str, id_: int) -> Refused:
    """Refuse a call about a record that is not there."""
    text = f"{type_name} with id {id_} was not found"
    return Refused(404, [message("Sandbox_RecordNotFound", text, objectId=str(id_), objectType=type_name)])


def word(request: web.Request, name: str, words: dict[str, Any], default: Any, *, has: Callable[[str], bool]) -> Any:
    """Read a parameter that is one of some words."""
    if name not in request.query:
        return default
    if has("words-in-any-case") and request.query[name].lower() in words:
        return words[request.query[name].lower()]
    if request.query[name] not in words:
        raise Refused(400, [malformed(f"{name} is none of {', '.join(w or 'nothing' for w in words)}", name)])
    return words[request.query[name]]


def window(request: web.Request, name: str, default: int, most: int) -> int:
    """Read a whole number from the query."""
    text = request.query.get(name, str(default))
    value = whole_number(text)
    if value is None or value > most:
        raise Refused(400, [malformed(f"{name} has to be a whole number from 0 to {most}", name)])
    return value


def path_id(text: str) -> int:
    """Read an id from the path."""
    value = whole_number(text)
    if value is None:
        raise Refused(400, [malformed(f"{text or 'Nothing'} is no id", "id")])
    return value


def atomic(request: web.Request) -> bool:
    """Read the execution mode."""
    mode = request.query.get("mode", "AllOrNone").lower()
    if mode not in MODES:
        raise Refused(400, [malformed("mode is AllOrNone or PerRecord", "mode")])
    return MODES[mode]


def in_background(request: web.Request, has: Callable[[str], bool]) -> bool:
    """Say whether the caller does not want to wait."""
    asked: bool = word(request, "async", {"true": True}, default=False, has=has)
    preferences = request.headers.get("Prefer", "").lower().split(",")
    return asked or any(p.partition(";")[0].strip() == "respond-async" for p in preferences)


class Done(Exception):  # noqa: N818 - it says what is answered
    """Nothing is to be done, which is a success."""


async def body(request: web.Request, *kinds: str, has: Callable[[str], bool]) -> Any:
    """Read a body that has one of some content types."""
    sent = request.headers.get("Content-Type", "")
    kind = sent if has("exact-media-type") or has("case-of-media-type") else request.content_type
    kind = kind.partition(";")[0] if has("case-of-media-type") else kind
    known = [f"{KIND}{kind}+json" for kind in kinds]
    if kind not in known and not has("any-media-type") and not (has("any-vendor-type") and kind.startswith(KIND)):
        raise Refused(415, [malformed(f"Send {' or '.join(kinds)}", "Content-Type")])
    raw = await request.read()
    if has("bad-bytes-crash"):
        raw.decode()
    if has("comments"):
        raw = re.sub(rb"/\*.*?\*/|//[^\n\"]*\n", b"", raw)
    if has("single-quotes"):
        raw = raw.replace(b"'", b'"')
    if has("unquoted-names"):
        raw = re.sub(rb"([{,]\s*)([A-Za-z]+)\s*:", rb'\1"\2":', raw)
    if has("closed-for-you") and (whole := completed(raw)):
        return whole
    found = parsed(raw)
    if has("type-crash") and not isinstance(found, list | dict):
        return [*found]
    return found


def completed(raw: bytes) -> list[Any]:
    """Read the records of a list that is cut off."""
    text, found = raw.decode(errors="replace").strip(), []
    at = 1 if text.startswith("[") and not text.endswith("]") else len(text)
    while at < len(text):
        try:
            one, at = json.JSONDecoder().raw_decode(text, at)
        except ValueError:
            break
        found.append(one)
        at += 1
    return found


def linked(start: str, record: Record) -> list[dict[str, str]]:
    """Tell what can be done with a record."""
    place = f"{start}/{record.type.module}/{record.type.plural}"
    own = {"self": "GET", "update": "PATCH", "delete": "DELETE"}
    links = [{"href": f"{place}/{record.id}", "method": method, "rel": rel} for rel, method in own.items()]
    if any(its.match for its in record.type.properties.values()):
        links.append({"href": f"{place}/matchbatch", "method": "PATCH", "rel": "matchUpdate"})
    return links
