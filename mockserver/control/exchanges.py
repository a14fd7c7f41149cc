"""Control calls about the journal: lists of exchanges, and one with everything that is known of it."""

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson

from contracts.durations import iso
from contracts.jsontext import DEEPEST, is_deeper
from contracts.media import is_json
from contracts.messages import Reply
from contracts.validation import Violation
from mockserver.control.desk import Desk, RefusedError, instant
from mockserver.journal import Entry, Kept
from mockserver.turn import Turn

if TYPE_CHECKING:
    from mockserver.scenario.player import NearMiss


def list_exchanges(desk: Desk, turn: Turn) -> Reply:
    """List exchanges, oldest first."""
    after, limit = _number(turn.query.get("after"), 0), _number(turn.query.get("limit"), 1000)
    entries = list(desk.sandbox(turn).journal.after(after, limit))
    summaries = [summary(desk, one) for one in entries]
    return Reply.of(200, {"exchanges": summaries, "next": entries[-1].n if entries else after})


def get_exchange(desk: Desk, turn: Turn) -> Reply:
    """Return one exchange."""
    return Reply.of(200, _whole(desk, entry_of(desk, turn)))


def entry_of(desk: Desk, turn: Turn) -> Entry:
    """Return the exchange that the path names. Raises RefusedError."""
    n = int(turn.variables["n"])
    journal = desk.sandbox(turn).journal
    entry = journal.get(n)
    if entry is None:
        why = "has been forgotten" if 0 < n <= journal.last else "has not been made"
        raise RefusedError(HTTPStatus.NOT_FOUND, f"Exchange {n} {why}.", kind="not-found")
    return entry


def clear_exchanges(desk: Desk, turn: Turn) -> Reply:
    """Empty the journal."""
    desk.sandbox(turn).journal.clear()
    return Reply(status=204)


def _number(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) else otherwise


def _common(desk: Desk, entry: Entry) -> dict[str, Any]:
    api = desk.apis.get(entry.api)
    return {
        "n": entry.n,
        "at": instant(entry.at),
        "api": entry.api,
        "operation": entry.operation,
        "method": entry.method,
        "path": entry.path if api is None else api.mount + entry.path,
        "status": entry.status,
        "tenant": entry.tenant,
        "client": entry.client,
        "rules": [] if entry.staged is None else list(entry.staged.rules),
    }


def summary(desk: Desk, entry: Entry) -> dict[str, Any]:
    """Return what a list shows of an exchange."""
    tally = entry.tally
    return _common(desk, entry) | {
        "outcomes": {"done": tally.done, "failed": tally.failed, "notRun": tally.not_run},
        "violations": sum(one.items for one in entry.violations),
    }


def _whole(desk: Desk, entry: Entry) -> dict[str, Any]:
    return (
        _common(desk, entry)
        | {
            "outcomes": [result._asdict() for result in entry.results],
            "violations": [_violation(one) for one in entry.violations],
            "nearMisses": [] if entry.staged is None else [_near_miss(one) for one in entry.staged.near_misses],
            "call": {**_message(entry.call), "query": entry.query},
            "reply": _message(entry.reply),
        }
        | _wire(entry)
    )


def _near_miss(miss: "NearMiss") -> dict[str, Any]:
    return {"scenario": miss.scenario, "rule": miss.rule, "unmet": [one._asdict() for one in miss.unmet]}


def _wire(entry: Entry) -> dict[str, Any]:
    """Return what a scenario did to the sending of a reply."""
    staged = entry.staged
    if staged is None or (not staged.cut and staged.delay is None):
        return {}
    told: dict[str, Any] = {"at": staged.at, "arrived": staged.arrived}
    if staged.cut:
        told["fault"] = staged.cut
    if staged.delay is not None:
        told["delay"] = iso(staged.delay)
    return {"wire": told}


def _violation(one: Violation) -> dict[str, Any]:
    return {
        "side": one.side,
        "pointer": one.pointer if one.where == "body" else f"{one.where}{one.pointer}",
        "rule": one.rule,
        "expected": one.expected,
        "got": one.got,
        "hint": one.hint,
        "items": one.items,
    }


def _message(kept: Kept) -> dict[str, Any]:
    headers: dict[str, str] = {}
    for line in kept.headers.split("\n"):
        name, _, value = line.partition(": ")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if not kept.size:
        return {"headers": headers}
    if kept.digest:
        head = kept.body.decode("utf-8", "replace")
        return {"headers": headers, "bodyDigest": {"sha256": kept.digest, "bytes": kept.size, "head": head}}
    media = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    return {"headers": headers, "body": _body(kept.body, media)}


def _body(body: bytes, media: str) -> Any:
    if is_json(media):
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError:
            pass
        else:
            if not is_deeper(value, DEEPEST):  # what was refused as too deep could not be written either
                return value
    return body.decode("utf-8", "replace")
