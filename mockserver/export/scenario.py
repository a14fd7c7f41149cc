"""Write a recorded exchange as a scenario, which gives its answer to its request: `as_scenario`."""

from collections.abc import Iterator
from typing import Any, Final

import orjson

from contracts.openapi.model import is_json
from mockserver.export.prerequisites import Prerequisites
from mockserver.journal.journal import JournalEntry
from mockserver.journal.stored_messages import HIDDEN, StoredMessage
from mockserver.verdicts.history import header_of

WILDCARDS: Final = frozenset("*?")  # of a path in a scenario
REFERENCE: Final = "${"  # of a member of an item, in the body of a scenario's response
OWN_FIELDS: Final = frozenset(("content-length", "content-type", "date", "server", "transfer-encoding"))
MAX_FIELD_CHARS: Final = 4000


def as_scenario(prerequisites: Prerequisites) -> str:
    """Return a scenario in YAML. What it leaves out of the request or the answer is said in comments above it."""
    import yaml  # noqa: PLC0415 - only who wants a scenario needs it

    entry, notes = prerequisites.last.entry, list[str]()
    rule = {"when": dict(_condition(entry, notes)), "then": dict(_effect(entry, notes))}
    scenario = {
        "name": f"as-exchange-{entry.n}",
        "summary": f"{entry.operation or entry.method} is answered as in exchange {entry.n}, and nothing is stored.",
        "api": entry.api,
        "rules": [rule],
    }
    text = yaml.safe_dump(scenario, sort_keys=False, allow_unicode=True, width=110)
    return "".join([*(f"# {note}\n" for note in notes), text])


def _condition(entry: JournalEntry, notes: list[str]) -> Iterator[tuple[str, Any]]:
    if entry.operation is not None:
        yield "operation", entry.operation
    else:
        yield "method", entry.method
    if WILDCARDS.isdisjoint(entry.path) and 0 < len(entry.path) <= 500:  # noqa: PLR2004 - what a scenario takes
        yield "path", entry.path
    query = {name: value for name, value in entry.query if value != HIDDEN}
    if query:
        yield "query", query
    if not entry.request.size:
        return
    value = _json(entry.request)
    if value is None:
        notes.append("It fits every body: that of the exchange is not kept whole, has secrets, or is no JSON.")
    else:
        yield "body", [{"pointer": "", "test": {"equals": value[0]}}]


def _effect(entry: JournalEntry, notes: list[str]) -> Iterator[tuple[str, Any]]:
    response, trace = entry.response, entry.scenario_trace
    yield "status", int(entry.status)
    if response.size:
        value = _json(response) or _text(response)
        if value is None or REFERENCE in response.body.decode("utf-8", "replace"):
            notes.append("The body of the response is not part of it: it is not kept whole, or cannot be written.")
        else:
            yield "body", value[0]
    fields = dict(_fields(response))
    if fields:
        yield "headers", fields
    if trace is not None and trace.delay is not None:
        yield "delay", f"{max(1, round(trace.delay.total_seconds() * 1000))}ms"
    if trace is not None and not trace.is_delivered:
        yield _fault(entry, trace.wire_fault)


def _fault(entry: JournalEntry, fault: str) -> tuple[str, Any]:
    if fault == "truncate":
        return "truncate", round((entry.delivery.sent or 0) / max(1, entry.response.size), 3)
    return ("timeout", True) if fault == "timeout" else ("fault", fault)


def _json(message: StoredMessage) -> tuple[Any] | None:
    """Return the JSON value of a message in a tuple; None when it is not kept whole and open, or is no JSON."""
    if message.digest or HIDDEN.encode() in message.body or not is_json(header_of(message, "Content-Type")):
        return None
    try:
        return (orjson.loads(message.body),)
    except orjson.JSONDecodeError:
        return None


def _text(message: StoredMessage) -> tuple[Any] | None:
    if message.digest or is_json(header_of(message, "Content-Type")):
        return None
    try:
        return (message.body.decode(),)
    except UnicodeDecodeError:
        return None


def _fields(message: StoredMessage) -> Iterator[tuple[str, str]]:
    """Yield the header fields that a scenario can set."""
    for line in message.headers.split("\n"):
        name, _, value = line.partition(": ")
        if (
            name
            and name.lower() not in OWN_FIELDS
            and value != HIDDEN
            and value.isascii()
            and value.isprintable()
            and len(value) <= MAX_FIELD_CHARS
        ):
            yield name, value
