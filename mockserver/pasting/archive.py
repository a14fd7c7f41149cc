"""An exchange as an HTTP archive (HAR 1.2), alone."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from mockserver.journal import Entry, Kept
from mockserver.pasting.trail import Trail
from mockserver.sandbox import DEFAULT
from mockserver.version import VERSION


def as_har(trail: Trail) -> dict[str, Any]:
    """Return an archive of one entry; what HAR has no place for stands under `_bulkproof`."""
    entry = trail.last.entry
    wait = 0.0 if entry.staged is None or entry.staged.delay is None else entry.staged.delay.total_seconds() * 1000
    one = {
        "startedDateTime": entry.at.isoformat().replace("+00:00", "Z"),
        "time": wait,
        "request": _request(trail, entry),
        "response": _response(entry),
        "cache": {},
        "timings": {"send": 0, "wait": wait, "receive": 0},
        "comment": f"{trail.title}. {' '.join(trail.notes)}".strip(),
        "_bulkproof": {
            "sandbox": trail.origin,
            "exchange": entry.n,
            "seed": trail.seed,
            "clock": entry.at.isoformat().replace("+00:00", "Z"),
            "scenarios": list(trail.scenarios),
        },
    }
    return {"log": {"version": "1.2", "creator": {"name": "Bulkproof", "version": VERSION}, "entries": [one]}}


def _request(trail: Trail, entry: Entry) -> dict[str, Any]:
    path = trail.last.path.removeprefix(f"/@{trail.name}")
    prefix = "" if trail.origin == DEFAULT else f"/@{trail.origin}"
    request = {
        "method": entry.method,
        "url": f"{trail.base}{prefix}{path}",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(entry.call),
        "queryString": [{"name": name, "value": value} for name, value in entry.query],
        "headersSize": -1,
        "bodySize": entry.call.size,
    }
    return request | ({"postData": _content(entry.call)} if entry.call.size else {})


def _response(entry: Entry) -> dict[str, Any]:
    return {
        "status": int(entry.status),
        "statusText": HTTPStatus(entry.status).phrase if entry.status in set(HTTPStatus) else "",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(entry.reply),
        "content": {"size": entry.reply.size, **_content(entry.reply)},
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": entry.reply.size,
    }


def _pairs(message: Kept) -> list[Mapping[str, str]]:
    lines = (line.partition(": ") for line in message.headers.split("\n") if line)
    return [{"name": name, "value": value} for name, _, value in lines]


def _content(message: Kept) -> dict[str, str]:
    media = next((pair["value"] for pair in _pairs(message) if pair["name"].lower() == "content-type"), "")
    cut = {"comment": f"The first {len(message.body)} bytes; SHA-256 {message.digest}"} if message.digest else {}
    return {"mimeType": media, "text": message.body.decode("utf-8", "replace"), **cut}
