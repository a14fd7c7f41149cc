"""What happens to a call when scenarios are active or it asks for one: its facts, and what is decided about them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final
from urllib.parse import unquote

from contracts.errors import MisuseError
from contracts.messages import ABSENT
from contracts.texts import clipped, short
from mockserver.domain.places import is_outside, locate, wished
from mockserver.guard import admitted
from mockserver.preferences import Preferences, preferences
from mockserver.redaction import HIDDEN, NAMES, header_value
from mockserver.sandbox import Sandbox
from mockserver.scenario.effects import Effects, ReplyEffect
from mockserver.scenario.facts import Facts, Part, Unmet, Work
from mockserver.scenario.player import Decision, NearMiss
from mockserver.scenario.rules import Scenario
from mockserver.served import BulkPlan, served
from mockserver.turn import Refusal, Turn

LONGEST: Final = 200  # characters of a value that a near miss shows
READS: Final = frozenset(("read", "list"))


@dataclass(frozen=True, slots=True)
class Alone:
    """The record that a single-record call writes, as its only item."""

    index: int
    key: object
    raw: object


def decide(sandbox: Sandbox, turn: Turn, *, refused: bool) -> Decision | Refusal:
    """Return what happens to a call; `refused` when it does not fit its contract anyhow."""
    wanted = preferences(turn.call)
    if isinstance(wanted, Refusal):
        return wanted
    if wanted.replaces and not wanted.scenario:
        return Decision() if refused else _preferred(wanted)
    try:
        first = _named(sandbox, wanted.scenario)
    except MisuseError as error:
        return Refusal(status=400, kind="invalid", detail=str(error))
    decision = sandbox.player.decide(_facts(turn, refused=refused), first)
    if decision.scenario == "" and wanted.replaces and not refused:
        return replace(_preferred(wanted), near_misses=_shown(decision.near_misses))
    asked = bool(first) and decision.scenario == wanted.scenario
    return replace(
        decision,
        applied=(f"scenario={wanted.scenario}",) if asked else (),
        seed=wanted.seed,
        near_misses=_shown(decision.near_misses),
    )


def _named(sandbox: Sandbox, name: str) -> Sequence[Scenario]:
    if not name:
        return ()
    active = [one for one in sandbox.player.scenarios if one.name == name]
    return active or (sandbox.blank.catalogue.get(name),)


def _preferred(wanted: Preferences) -> Decision:
    source: Any = "generate" if wanted.dynamic else "example" if wanted.example else ""
    reply = ReplyEffect(status=wanted.code, source=source, example=wanted.example)
    return Decision(effects=Effects(reply=reply), applied=wanted.applied, seed=wanted.seed)


def _facts(turn: Turn, *, refused: bool) -> Facts:
    call = turn.call
    return Facts(
        api=turn.api.name,
        operation="" if turn.operation is None else turn.operation.id,
        method=call.method,
        path=unquote(call.path),
        tenant=turn.scope,
        client=turn.client,
        headers=call.headers,
        query=call.query,
        body=turn.data,
        ignore_case=turn.api.contract.ignore_case,
        work=cache(lambda: Work() if refused else _work(turn)),
        items=cache(lambda: () if refused else _items(turn)),
    )


def _work(turn: Turn) -> Work:
    """Return what the call would do if nothing happened to it."""
    plan = _plan(turn)
    if plan is None or isinstance(admission := admitted(turn, plan), Refusal):
        return Work(makes_job=plan is None and _is_deferred(turn))
    fan_out = plan.bulk.items.fan_out
    named = locate(turn, fan_out.over) if fan_out is not None else ()
    tenants = tuple(map(str, named)) if isinstance(named, list) else ()
    return Work(unit=admission.unit, makes_job=_makes_job(turn, plan), tenants=tenants)


def _items(turn: Turn) -> Sequence[Part]:
    plan = _plan(turn)
    if plan is not None:
        return () if isinstance(admitted(turn, plan), Refusal) else plan.dismantler.items(turn)
    act = None if turn.operation is None else turn.operation.record
    if act is None or act.action.constant in READS or turn.data is ABSENT:
        return ()
    key = locate(turn, act.key) if act.key is not None and is_outside(act.key) else None
    return (Alone(0, key, turn.data),)


def _plan(turn: Turn) -> BulkPlan | None:
    return None if turn.operation is None else served(turn.api).plans.get(turn.operation.id)


def _makes_job(turn: Turn, plan: BulkPlan) -> bool:
    job = plan.bulk.job
    return job is not None and any(wished(turn, wish) for wish in job.when)


def _is_deferred(turn: Turn) -> bool:
    """Tell whether a single-record call becomes a job, as the bulk calls do that it is like."""
    own = "" if turn.operation is None else turn.operation.id
    return any(own in plan.bulk.effect.like and _makes_job(turn, plan) for plan in served(turn.api).plans.values())


def _shown(misses: Sequence[NearMiss]) -> tuple[NearMiss, ...]:
    """Return near misses fit to be kept: without secrets, and short."""
    return tuple(replace(miss, unmet=tuple(map(_kept, miss.unmet))) for miss in misses)


def _kept(unmet: Unmet) -> Unmet:
    kind, _, name = unmet.field.rpartition(".")
    got = unmet.got
    if kind.endswith("header") and got is not None:
        got = header_value(name, got) if isinstance(got, str) else HIDDEN
    elif unmet.field.endswith(NAMES) and got is not None:
        got = HIDDEN
    return unmet._replace(wanted=_short(unmet.wanted), got=_short(got))


def _short(value: object) -> object:
    if isinstance(value, str):
        return clipped(value, LONGEST)
    flat = isinstance(value, list) and all(isinstance(one, str | int | float) or one is None for one in value)
    if flat and len(value) <= LONGEST // 10:  # type: ignore[arg-type] # it is a list
        return [_short(one) for one in value]  # type: ignore[attr-defined] # the same
    small = isinstance(value, dict) and len(value) == 1 and all(isinstance(one, str) for one in value.values())
    return value if small or value is None or isinstance(value, bool | int | float) else short(value)
