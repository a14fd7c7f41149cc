"""What a reply told the client, as facts: jobs that were made, their state, items that were not done, records shown."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from contracts.bulk import Bulk, BulkJob, Outcomes
from contracts.messages import ABSENT, Reply
from generators.checks.jobs import handle_id
from generators.locations import holds, look, look_all, text_of, told
from mockserver.conduct.packing import pack
from mockserver.conduct.sent import is_key
from mockserver.served import Served

if TYPE_CHECKING:
    from mockserver.turn import Turn


class Made(NamedTuple):
    """A job that the client was told of, for which target of a fan-out; `due` is None when it never ends."""

    id: str
    target: str
    due: datetime | None


def made(turn: "Turn", reply: Reply, ready: Served, bulk: Bulk) -> tuple[Made, ...]:
    """Return the jobs whose handles the reply of a bulk call tells."""
    if bulk.job is None:
        return ()
    fan_out = bulk.items.fan_out
    found = told(reply, bulk.job.handle if fan_out is None else fan_out.succeeded)
    handles = found if isinstance(found, dict) else {"": found}
    due = {job.id: job.due for job in turn.jobs}
    ids = ((target, handle_id(ready.api.contract, ready.router, one)) for target, one in handles.items() if is_key(one))
    return tuple(Made(one, str(target), due.get(one)) for target, one in ids)


def state_of(declared: BulkJob, reply: Reply) -> str:
    """Return the class of state that the answer to a poll tells, "" when it tells none that is known."""
    return declared.words.get(text_of(told(reply, declared.state_at)), "")


def undone(declared: Outcomes, reply: Reply) -> bytes:
    """Return the keys of the items that an answer says were not done, packed."""
    bad = _failing(declared, reply.data, declared.at, always=declared.covers == "failed")
    also = () if declared.failed_at is None else _failing(declared, reply.data, declared.failed_at, always=True)
    return pack(map(str, (*bad, *also)))


def stale(outcomes: Iterable[Any]) -> bytes:
    """Return the records whose version was not the stored one, packed: an error's code may say so too."""
    return pack(
        f"{one.item.resource.name}/{one.item.target}"
        for one in outcomes
        if one.faults and any(map(_is_conflict, one.faults)) and is_key(one.item.target)
    )


def shown(ready: Served, reply: Reply) -> bytes:
    """Return the keys of the records with versions that a read answered with, packed."""
    members = {one.key for one in ready.api.contract.resources.values() if one.version is not None}
    if not members or reply.data is ABSENT:
        return b""
    return pack(str(key) for one in _records(reply.data) for name in members if is_key(key := one.get(name)))


def _failing(declared: Outcomes, data: object, at: str, *, always: bool) -> Iterator[object]:
    test = declared.failed_if
    for place, (name, entry) in enumerate(_entries(data, at)):
        key = name if declared.key is None else look(entry, declared.key)
        if always or (test is not None and holds(test, entry)):
            yield place if key is ABSENT else key


def _entries(data: object, at: str) -> Iterator[tuple[object, object]]:
    for collection in look_all(data, at):
        if isinstance(collection, dict):
            yield from collection.items()
        else:
            yield from ((ABSENT, entry) for entry in _listed(collection))


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()


def _records(data: object) -> Iterator[dict[str, object]]:
    """Yield the objects of an answer: itself, its elements, and the elements of its members."""
    outer = data if isinstance(data, list) else [data]
    inner = [one for value in data.values() for one in _listed(value)] if isinstance(data, dict) else []
    yield from (one for one in (*outer, *inner) if isinstance(one, dict))


def _is_conflict(fault: Any) -> bool:
    return fault.kind == "version" or "version" in str(fault.facts.get("code", "")).lower()
