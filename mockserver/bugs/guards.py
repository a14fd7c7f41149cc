"""Bugs at the gate: what ought to be refused is let in or leaves traces, and what ought to be let in is refused."""

from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Final

from contracts.bulk import Bulk, Choice
from contracts.messages import ABSENT, Reply
from contracts.validation import Violation
from mockserver import plain
from mockserver.api import Behaviour
from mockserver.behaviours.bulk import perform, targets
from mockserver.bugs.breaking import Break, Note, Refuse, instead, overlooking
from mockserver.bugs.requests import makes_job, most_of, place_of_list, plan_of, relaxed, size_of, with_items
from mockserver.domain.places import locate
from mockserver.guard import admitted, opened
from mockserver.pipeline import behaved, checked
from mockserver.problems import problem
from mockserver.served import BulkPlan, served
from mockserver.turn import Refusal, Turn

DUPLICATES: Final = ("duplicateKey", "duplicateTarget")


def _unruled(bulk: Bulk, *kinds: str) -> Bulk:
    refuse = {kind: status for kind, status in bulk.guard.refuse.items() if kind not in kinds}
    return replace(bulk, guard=replace(bulk.guard, refuse=refuse))


def accept_duplicates(doing: Refuse, turn: Turn, refusal: Refusal) -> Reply | None:
    """Carry out a request that names something twice."""
    plan = plan_of(turn)
    if plan is None or refusal.kind not in DUPLICATES:
        return None
    return relaxed(turn, plan, lambda bulk: _unruled(bulk, *DUPLICATES), refuse=doing)


def accept_one_more(doing: Refuse, turn: Turn, refusal: Refusal) -> Reply | None:
    """Carry out a request with one item more than may be."""
    plan = plan_of(turn)
    if plan is None or refusal.kind != "tooMany" or size_of(turn, plan) - 1 != most_of(turn, plan):
        return None
    return relaxed(turn, plan, _same, refuse=doing)


def accept_nothing(doing: Refuse, turn: Turn, refusal: Refusal) -> Reply | None:
    """Carry out a request without items."""
    plan = plan_of(turn)
    return None if plan is None or refusal.kind != "empty" else relaxed(turn, plan, _same, refuse=doing)


def _same(bulk: Bulk) -> Bulk:
    return bulk


def drop_malformed(doing: Refuse, turn: Turn, refusal: Refusal) -> Reply | None:
    """Carry out what can be interpreted of a request, and say nothing of the rest."""
    plan = plan_of(turn)
    good = [] if plan is None or refusal.kind != "malformedItem" else _interpretable(turn, plan)
    if plan is None or not good:
        return None
    fewer = with_items(turn, plan, good)
    turn.data, turn.call = fewer.data, fewer.call
    return relaxed(turn, plan, _same, refuse=doing)


def _interpretable(turn: Turn, plan: BulkPlan) -> list[int]:
    """Return the places of the items that fit their resource's schema."""
    resource = plan.dismantler.resource(turn, None)
    schema = None if resource is None else served(turn.api).keepers[resource.name].payloads.schema
    raws = [raw for _, raw in plan.dismantler.collection(turn)]
    return [n for n, raw in enumerate(raws) if schema is not None and schema.is_valid(raw)]


def accept_mode(doing: Refuse, turn: Turn, refusal: Refusal) -> Reply | None:
    """Take an unknown mode for the default one."""
    plan = plan_of(turn)
    source = "" if plan is None else plan.bulk.unit.of.source
    where, _, name = source.partition(":")
    if refusal.kind != "badMode" and {one.where for one in refusal.violations} != {source}:
        return None
    if where != "query":
        return None
    turn.call = replace(turn.call, query=tuple(pair for pair in turn.call.query if pair[0] != name))
    turn.violations = ()
    again = checked(turn)
    return behaved(turn) if again is None else doing(turn, again)


def accept_another_job(doing: Refuse, turn: Turn, refusal: Refusal) -> Reply | None:
    """Make a job over the number that may be active."""
    plan = plan_of(turn)
    job = None if plan is None else plan.bulk.job
    if (
        plan is None
        or job is None
        or job.active is None
        or refusal.kind != "conflict"
        or not _is_full(turn, job.active.max)
    ):
        return None
    free = replace(job, active=None)
    return relaxed(turn, plan, lambda bulk: replace(bulk, job=free), refuse=doing, conduct=plain.conduct)


def _is_full(turn: Turn, most: int) -> bool:
    return len(turn.world.jobs.unfinished) >= most


def leave_traces(kinds: tuple[str, ...], doing: Refuse, turn: Turn, refusal: Refusal) -> Reply | None:
    """Apply the first item of a request that is refused."""
    plan = plan_of(turn)
    if plan is None or refusal.kind not in kinds or not size_of(turn, plan):
        return None
    first = with_items(turn, plan, [0])
    if not _fits(first) or isinstance(admitted(first, plan), Refusal):
        return None
    batch = opened(first, plan, "item")
    done = [one.result == "done" for scope in _scopes(first, plan) for one in perform(first, batch, scope)]
    return doing(turn, refusal) if any(done) else None


def _fits(turn: Turn) -> bool:
    """Tell whether the body of a call fits its schema."""
    body = None if turn.operation is None else turn.operation.body
    media = None if body is None else body.media(turn.call.headers.get("Content-Type"))
    return media is None or media.schema is None or media.schema.is_valid(turn.data)


def _scopes(turn: Turn, plan: BulkPlan) -> list[str]:
    fan_out = plan.bulk.items.fan_out
    if fan_out is None:
        return [turn.scope]
    return [target.scope for target in targets(turn, fan_out).values() if not target.problems]


def refuse_maximum(doing: Behaviour, turn: Turn) -> Reply | None:
    """Refuse a list that is as long as it may be."""
    del doing
    plan = plan_of(turn)
    if plan is None or size_of(turn, plan) != most_of(turn, plan):
        return None
    size = size_of(turn, plan)
    violation = Violation(
        side="call",
        where="body",
        pointer=place_of_list(turn, plan) or "",
        rule="maxItems",
        expected=f"at most {size - 1} items",
        got=f"{size} items",
        detail=f"The list must have at most {size - 1} items; it has {size}.",
    )
    status = plan.bulk.guard.refuse.get("tooMany", 400)
    refusal = Refusal(
        status=status if isinstance(status, int) else 400,
        kind="tooMany",
        detail=violation.detail,
        violations=(violation,),
        total=1,
    )
    return turn.api.hooks.refuse(turn, refusal)


def crash_on_one(doing: Behaviour, turn: Turn) -> Reply | None:
    """Break on a list of one."""
    del doing
    plan = plan_of(turn)
    return problem(CRASH) if plan is not None and size_of(turn, plan) == 1 else None


def other_mode(note: Note, doing: Behaviour) -> Behaviour:
    """Run requests that name no mode in the other one; it is noted when items failed, for else both do the same."""

    def behave(turn: Turn) -> Reply:
        plan = plan_of(turn)
        unit = None if plan is None else _other_unit(turn, plan)
        if plan is None or unit is None:
            return doing(turn)
        reply = relaxed(turn, plan, lambda bulk: _in_mode(bulk, unit))
        if len(turn.outcomes) > 1 and any(one.result != "done" for one in turn.outcomes):
            note(turn)
        return reply

    return behave


def _other_unit(turn: Turn, plan: BulkPlan) -> str | None:
    """Return the unit that a caller who names no mode does not expect."""
    of = plan.bulk.unit.of
    if not of.source or _is_given(turn, of.source) or makes_job(turn, plan):
        return None
    usual = of.words.get(of.default or "")
    return next((unit for unit in of.words.values() if unit != usual), None)


def _is_given(turn: Turn, source: str) -> bool:
    """Tell whether the caller says something there, defaults aside."""
    where, _, name = source.partition(":")
    if where == "query":
        return any(given == name for given, _ in turn.call.query)
    return locate(turn, source) is not ABSENT


def _in_mode(bulk: Bulk, unit: str) -> Bulk:
    return replace(bulk, unit=replace(bulk.unit, of=Choice(constant=unit)))


def do_again(doing: Behaviour, turn: Turn) -> Reply | None:
    """Forget a key that was used, so that the request is carried out again."""
    plan = plan_of(turn)
    declared = None if plan is None else plan.bulk.guard.idempotency
    if plan is None or declared is None:
        return None
    key = (plan.operation.id, turn.scope, turn.client, str(locate(turn, declared.key)))
    memory: MutableMapping[Any, Any] = turn.world.memory.get("idempotency", {})
    if key not in memory:
        return None
    with _set_aside(memory, key):
        return doing(turn)


@contextmanager
def _set_aside(memory: MutableMapping[Any, Any], key: object) -> Iterator[None]:
    kept = memory.pop(key)
    yield
    memory.setdefault(key, kept)


CRASH: Final = Refusal(status=500, kind="fault", detail="Internal server error.")
BREAKS: Final[Mapping[str, Break]] = {
    "active-limit-ignored": overlooking(accept_another_job),
    "crash-on-one": instead(crash_on_one),
    "duplicate-accepted": overlooking(accept_duplicates),
    "empty-accepted": overlooking(accept_nothing),
    "idempotency-ignored": instead(do_again),
    "malformed-dropped": overlooking(drop_malformed),
    "maximum-refused": instead(refuse_maximum),
    "mode-unchecked": overlooking(accept_mode),
    "overlong-accepted": overlooking(accept_one_more),
    "overlong-leaves-traces": overlooking(partial(leave_traces, ("tooMany",))),
    "refusal-leaves-traces": overlooking(partial(leave_traces, DUPLICATES)),
    "wrong-default-mode": Break(behave=other_mode),
}
