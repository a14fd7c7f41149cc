"""Control requests about the journal: the list of exchanges, and one exchange in full."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson

from contracts.messages import Response
from contracts.openapi.model import is_json
from contracts.openapi.validation import Violation, validate_response
from contracts.syntax.json_text import MAX_BODY_DEPTH, is_deeper
from contracts.syntax.text import format_duration, is_text_or_number
from mockserver.api.model import Api, RequestContext
from mockserver.control.routes import ControlContext, RefusedError, instant
from mockserver.journal.item_results import PartResult, results_by_item
from mockserver.journal.journal import JournalEntry
from mockserver.journal.stored_messages import StoredMessage

if TYPE_CHECKING:
    from mockserver.scenarios.player import NearMiss


def list_exchanges(control: ControlContext, context: RequestContext) -> Response:
    """List summaries of exchanges after number `after` (default 0), oldest first, at most `limit` (default 1000).

    With `before`, those of lower numbers alone, the last of them.
    """
    after, limit = _number(context.query.get("after"), 0), _number(context.query.get("limit"), 1000)
    journal = control.sandbox(context).journal
    before = min(_number(context.query.get("before"), 0), journal.last + 1)
    if before:
        after, limit = max(after, before - 1 - limit), min(limit, before - 1 - after)
    entries = list(journal.after(after, max(0, limit)))
    summaries = [summary(control, one) for one in entries]
    return Response.of(200, {"exchanges": summaries, "next": entries[-1].n if entries else after})


def get_exchange(control: ControlContext, context: RequestContext) -> Response:
    """Return one exchange with its request, response, outcomes and violations."""
    return Response.of(200, _full_exchange(control, entry_of(control, context)))


def require_shown(control: ControlContext, own: Api, entry: JournalEntry) -> None:
    """Require that an exchange that somebody wrote can be shown and judged; `own` is the control API.

    Raises anything, ValueError where a view would break the control API's contract.
    """
    if entry.summary is not None and entry.summary.size < 0:
        raise ValueError("a request has no fewer than 0 items")
    views = (("getExchange", _full_exchange(control, entry)), ("listExchanges", _listed(control, entry)))
    for name, view in views:
        operation = own.contract.operation(name)
        broken = validate_response(operation, Response.of(200, view)).violations if operation is not None else ()
        if broken:
            raise ValueError(broken[0].detail)


def _listed(control: ControlContext, entry: JournalEntry) -> dict[str, Any]:
    return {"exchanges": [summary(control, entry)], "next": entry.n}


def entry_of(control: ControlContext, context: RequestContext) -> JournalEntry:
    """Return the journal's entry that the path names. Raises RefusedError (404): evicted, or not recorded yet."""
    n = int(context.variables["n"])
    journal = control.sandbox(context).journal
    entry = journal.get(n)
    if entry is None:
        why = "has been forgotten" if 0 < n <= journal.last else "has not been made"
        raise RefusedError(f"Exchange {n} {why}.", HTTPStatus.NOT_FOUND)
    return entry


def clear_exchanges(control: ControlContext, context: RequestContext) -> Response:
    """Empty the journal."""
    control.sandbox(context).journal.clear()
    return Response(status=204)


def _number(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) else otherwise


def _line(control: ControlContext, entry: JournalEntry) -> dict[str, Any]:
    api = control.apis.get(entry.api)
    return {
        "n": entry.n,
        "at": instant(entry.at),
        "api": entry.api,
        "operation": entry.operation,
        "method": entry.method,
        "path": entry.path if api is None else api.mount + entry.path,
        "status": entry.status,
        "delivery": _delivery(entry),
        "tenant": entry.tenant,
        "client": entry.client,
        "rules": [] if entry.scenario_trace is None else list(entry.scenario_trace.rules),
    }


def _delivery(entry: JournalEntry) -> dict[str, Any]:
    fate, sent = entry.delivery
    return {"fate": fate} if sent is None else {"fate": fate, "bytes": sent}


def summary(control: ControlContext, entry: JournalEntry) -> dict[str, Any]:
    """Return an exchange as the list shows it: its line, the numbers of outcomes and of items, and of violations."""
    told, every = entry.tally, entry.whole_tally
    return _line(control, entry) | {
        "outcomes": {"done": told.done, "failed": told.failed, "notRun": told.not_run},
        "items": {"done": every.done, "failed": every.failed, "notRun": every.not_run, "waiting": every.waiting},
        "violations": sum(one.items for one in entry.violations),
        **_due(entry),
    }


def _due(entry: JournalEntry) -> dict[str, str]:
    """Return when the next of the jobs ends that a request waits for, {} when none will."""
    dues = [part.due for part in entry.parts if part.is_waiting and part.due is not None]
    return {"due": instant(min(dues))} if dues else {}


def _full_exchange(control: ControlContext, entry: JournalEntry) -> dict[str, Any]:
    return (
        _line(control, entry)
        | {
            "outcomes": [{**result._asdict(), "key": _key(result.key)} for result in entry.results],
            "items": [
                _item(n, one) for n, one in enumerate(results_by_item(entry.results, entry.parts, _item_keys(entry)))
            ],
            "violations": [_violation(one) for one in entry.violations],
            "nearMisses": []
            if entry.scenario_trace is None
            else [_near_miss(one) for one in entry.scenario_trace.near_misses],
            "call": {**_message(entry.request), "query": entry.query},
            "reply": _message(entry.response),
            "writes": [] if entry.writes is None else entry.writes.records,
            "written": 0 if entry.writes is None else entry.writes.total,
        }
        | _wire(entry)
    )


def _key(key: object) -> object:
    """Return the key of an item as it is shown: a key that is neither text nor number, as its JSON text."""
    return key if is_text_or_number(key) else orjson.dumps(key).decode()


def _item(n: int, one: PartResult) -> dict[str, object]:
    told: dict[str, object] = {"key": n if one.key is None else _key(one.key), "result": one.result, "error": one.error}
    return told | {name: value for name, value in (("target", one.target), ("job", one.job)) if value}


def _item_keys(entry: JournalEntry) -> Sequence[object]:
    """Return the keys of the items of a bulk request that were not run, none where not every item has one."""
    items = entry.summary.items if entry.parts and entry.summary is not None else None
    return () if items is None or not items.keys else tuple(orjson.loads(items.keys))


def _near_miss(miss: "NearMiss") -> dict[str, Any]:
    unmet = [{**one._asdict(), "says": one.says} for one in miss.unmet]
    return {"scenario": miss.scenario, "rule": miss.rule, "unmet": unmet}


def _wire(entry: JournalEntry) -> dict[str, Any]:
    """Return which delay or fault a scenario applied to the response, {} without one."""
    staged = entry.scenario_trace
    if staged is None or (not staged.wire_fault and staged.delay is None):
        return {}
    wire: dict[str, Any] = {"at": staged.commit_point, "arrived": staged.is_delivered}
    if staged.wire_fault:
        wire["fault"] = staged.wire_fault
    if staged.delay is not None:
        wire["delay"] = format_duration(staged.delay)
    return {"wire": wire}


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


def _message(kept: StoredMessage) -> dict[str, Any]:
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
            if not is_deeper(value, MAX_BODY_DEPTH):  # what was refused as too deep could not be written either
                return value
    return body.decode("utf-8", "replace")
