"""Bugs in the form of answers: statuses, counters, headers, and bodies that do not fit their contract."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from contracts.bulk import Bulk, Outcomes
from contracts.messages import ABSENT, Headers, Reply
from contracts.pointers import look_up
from mockserver.bugs.breaking import Break, answering
from mockserver.bugs.edits import edited, placed, setting
from mockserver.bugs.guards import CRASH
from mockserver.bugs.jobs import life
from mockserver.problems import problem
from mockserver.turn import Turn

SUCCESSES: Final = range(200, 300)


def answered(turn: Turn) -> Bulk | None:
    """Return what the operation of a bulk call declares whose items were run at once, None for any other call."""
    bulk = None if turn.operation is None else turn.operation.bulk
    return bulk if turn.outcomes and not turn.jobs else None


def _results(turn: Turn) -> set[str]:
    return {one.result for one in turn.outcomes}


def succeed(turn: Turn, reply: Reply) -> Reply:
    """Answer with the status of success where something failed."""
    bulk = None if turn.operation is None else turn.operation.bulk
    if bulk is None or not (turn.outcomes or bulk.items.fan_out is not None):
        return reply
    status = bulk.reply.status
    good = status.get("allOk", status.get("accepted", reply.status))
    bad = {status.get(word) for word in ("someFailed", "allFailed", "wholeFailed")}
    return replace(reply, status=good) if reply.status in bad and reply.status != good else reply


def miscount(turn: Turn, reply: Reply) -> Reply:
    """Let a counter be one too high when an item failed."""
    places = list(_counters(turn, reply))
    found = [(place, number) for place in places if type(number := look_up(reply.data, place)) is int]
    if not found:
        return reply
    place, number = found[0]
    return edited(reply, setting(place, number + 1))


def _counters(turn: Turn, reply: Reply) -> Iterator[str]:
    """Yield where an answer counts what became of items of which some failed."""
    bulk, job = answered(turn), life(turn, reply)
    if bulk is not None and _results(turn) != {"done"}:
        yield from bulk.reply.counts.values()
    elif job is not None and job.ended and job.result is not None and job.result.failed:
        yield from (place for name, place in job.declared.progress.items() if name in {"done", "failed"})


def crash(turn: Turn, reply: Reply) -> Reply:
    """Answer 500 when every item failed."""
    if answered(turn) is None or "done" in _results(turn) or reply.status not in _of_outcomes(turn):
        return reply
    return problem(CRASH)


def _of_outcomes(turn: Turn) -> set[int]:
    """Return the statuses with which outcomes are told."""
    bulk = answered(turn)
    return set() if bulk is None else set(bulk.reply.status.values())


def nullify(turn: Turn, reply: Reply) -> Reply:
    """Put null where the outcomes ought to stand when every item failed."""
    bulk = answered(turn)
    told = None if bulk is None else bulk.reply.outcomes
    if told is None or "done" in _results(turn):
        return reply
    places = (at for at in (told.at, told.failed_at) if at is not None and look_up(reply.data, at) is not ABSENT)
    at = next(places, None)
    return reply if at is None else edited(reply, partial(placed, at=at, value=None))


def flatten(turn: Turn, reply: Reply) -> Reply:
    """Write an empty map of outcomes as a list."""
    for told in _maps(turn, reply):
        if look_up(reply.data, told.at) == {}:
            return edited(reply, setting(told.at, []))
    return reply


def _maps(turn: Turn, reply: Reply) -> Iterator[Outcomes]:
    bulk, job = answered(turn), life(turn, reply)
    found = (bulk.reply.outcomes if bulk is not None else None, job.declared.outcomes if job is not None else None)
    yield from (one for one in found if one is not None and one.shape == "map")


def untype(turn: Turn, reply: Reply) -> Reply:
    """Do not say of what type an answer is in which an item failed."""
    bulk, job = answered(turn), life(turn, reply)
    failed = bulk is not None and _results(turn) != {"done"}
    ended = job is not None and job.ended and job.result is not None and job.result.failed > 0
    return _less(reply, {"content-type"}) if (failed or ended) and reply.body else reply


def unhead(turn: Turn, reply: Reply) -> Reply:
    """Leave out what headers the contract demands."""
    response = None if turn.operation is None else turn.operation.response(reply.status)
    if response is None or reply.status not in SUCCESSES:
        return reply
    return _less(reply, {header.name.lower() for header in response.headers if header.required})


def hurry(turn: Turn, reply: Reply) -> Reply:
    """Do not say how long to wait."""
    del turn
    return _less(reply, {"retry-after"})


def _less(reply: Reply, names: set[str]) -> Reply:
    kept = [(name, value) for name, value in reply.headers if name.lower() not in names]
    return reply if len(kept) == len(reply.headers) else replace(reply, headers=Headers(kept))


def end_early(turn: Turn, reply: Reply) -> Reply:
    """Leave the last record out of a list of several."""
    act = None if turn.operation is None else turn.operation.record
    data: Any = reply.data
    if act is None or act.action.constant != "list" or not isinstance(data, list) or len(data) < 2:  # noqa: PLR2004 - several
        return reply
    return edited(reply, lambda found: found[:-1])


BREAKS: Final[Mapping[str, Break]] = {
    "all-failed-crash": answering(crash),
    "counter-off": answering(miscount),
    "empty-map-as-list": answering(flatten),
    "header-missing": answering(unhead),
    "list-ends-early": answering(end_early),
    "outcomes-null": answering(nullify),
    "retry-after-missing": answering(hurry),
    "status-of-success": answering(succeed),
    "type-missing": answering(untype),
}
