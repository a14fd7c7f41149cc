"""Carrying a call out as a scenario decided: before, during or after the commit, with a reply that may never arrive.

A rehearsal is a run on a copy of the world that is thrown away: it tells what would have been answered.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from contracts.messages import Reply
from mockserver.answers import answer
from mockserver.domain.halves import Halves, cut_off
from mockserver.domain.jobs import JobBook
from mockserver.pipeline import behaved, checked, finished, sent, turn_of
from mockserver.sandbox import Sandbox
from mockserver.scenario.effects import Effects
from mockserver.scenario.player import Decision
from mockserver.staging import decide
from mockserver.stores.memory import Overlay
from mockserver.turn import Refusal, Turn
from mockserver.underway import Played
from mockserver.world import World

APPLIED: Final = "Preference-Applied"


def played(sandbox: Sandbox, turn: Turn) -> Played:
    """Decide about a call, and carry it out as far as it goes now."""
    met = checked(turn)
    decision = decide(sandbox, turn, refused=met is not None)
    if isinstance(decision, Refusal):
        return Played(reply=sent(sandbox, turn, turn.api.hooks.refuse(turn, decision)))
    _take(turn, decision)
    effects = decision.effects
    fresh = Played(delay=decision.delay, on_clock=effects.delay is not None and effects.delay.on_clock, cut=effects.cut)
    if met is not None or not effects.on_wire or _stands_in(effects):
        return fresh._replace(reply=sent(sandbox, turn, _carried(turn, met)))
    kind = "delay" if effects.cut is None else "late" if effects.cut.delivers else "cut"
    return FLOWS[effects.at or "after-commit", kind](sandbox, turn, fresh)


def _take(turn: Turn, decision: Decision) -> None:
    turn.decision = decision
    if decision.effects.bug is not None:
        from mockserver.bugs import planted  # noqa: PLC0415 - only where a bug is

        turn.api = planted(turn.api, decision.effects.bug)
    if decision.effects.item is not None:
        turn.acts = {part.index: decision.effects.item for part in decision.chosen}


def _stands_in(effects: Effects) -> bool:
    """Tell whether the answer stands in the place of carrying the call out."""
    return effects.reply is not None and effects.reply.replaces and effects.at != "after-commit"


def _carried(turn: Turn, met: Refusal | None = None) -> Reply:
    """Carry the call out, unless it is refused or a scenario answers in its place; return the answer."""
    decision = turn.decision
    assert decision is not None  # noqa: S101 - it has been taken
    effect = decision.effects.reply
    if effect is None or not effect.replaces:
        return _dressed(turn, behaved(turn) if met is None else turn.api.hooks.refuse(turn, met))
    if met is None and not _stands_in(decision.effects):
        behaved(turn)
    return _dressed(turn, answer(turn, effect))


def _dressed(turn: Turn, reply: Reply) -> Reply:
    """Return the reply with the headers that a scenario gives it, and what was applied of the call's preferences."""
    decision = turn.decision
    assert decision is not None  # noqa: S101 - it has been taken
    extra = [] if decision.effects.reply is None else list(decision.effects.reply.headers)
    if decision.applied:
        extra.append((APPLIED, ", ".join(decision.applied)))
    return replace(reply, headers=reply.headers.with_(*extra)) if extra else reply


def _after(sandbox: Sandbox, turn: Turn, fresh: Played) -> Played:
    """Do all of it now; what happens on the wire happens to a true reply."""
    return fresh._replace(reply=sent(sandbox, turn, _carried(turn)))


def _wait_first(sandbox: Sandbox, turn: Turn, fresh: Played) -> Played:
    """Do nothing until the delay has passed."""
    return fresh._replace(rest=partial(_later, sandbox, turn, None, None))


def _wait_halfway(sandbox: Sandbox, turn: Turn, fresh: Played) -> Played:
    """Apply one half now, the other when the delay has passed."""
    return fresh._replace(rest=partial(_later, sandbox, turn, _first_half(turn), None))


def _answer_first(sandbox: Sandbox, turn: Turn, fresh: Played) -> Played:
    """Answer what would be done, and do it when that has been sent."""
    said, _ = _rehearsed(turn)
    return fresh._replace(reply=said, rest=partial(_later, sandbox, turn, None, said))


def _answer_halfway(sandbox: Sandbox, turn: Turn, fresh: Played) -> Played:
    """Answer what would be done; apply one half now, the other when that has been sent."""
    said, _ = _rehearsed(turn)
    return fresh._replace(reply=said, rest=partial(_later, sandbox, turn, _first_half(turn), said))


def _break_first(sandbox: Sandbox, turn: Turn, fresh: Played) -> Played:
    """Do nothing; what would have been answered is only rehearsed."""
    said, rehearsal = _rehearsed(turn)
    turn.outcomes = cut_off([one.item for one in rehearsal.outcomes])
    sandbox.journal.record(turn, said)
    return fresh._replace(reply=said)


def _break_halfway(sandbox: Sandbox, turn: Turn, fresh: Played) -> Played:
    """Apply one half and no more; what would have been answered is only rehearsed."""
    said, _ = _rehearsed(turn)
    _first_half(turn)
    sandbox.journal.record(turn, said)
    return fresh._replace(reply=said)


def _first_half(turn: Turn) -> Halves:
    halves = turn.halves = Halves()
    _carried(turn)
    return halves


def _later(sandbox: Sandbox, turn: Turn, halves: Halves | None, said: Reply | None, now: datetime) -> Reply:
    """Carry out what is left of a call as of `now`, on the world as it is then; `said` has been answered already."""
    again = turn_of(sandbox, turn.api, turn.call, now)
    again.arrived = turn.now
    met = checked(again)
    assert turn.decision is not None  # noqa: S101 - it has been taken
    _take(again, turn.decision)
    if halves is not None:
        halves.second, again.halves = True, halves
    reply = _carried(again, met)
    if said is None:
        return sent(sandbox, again, reply)
    finished(again, reply)
    sandbox.journal.record(again, said)
    return said


def _rehearsed(turn: Turn) -> tuple[Reply, Turn]:
    """Return what would be answered, and the turn of the rehearsal."""
    rehearsal = replace(turn, world=_copied(turn.world))
    return finished(rehearsal, _carried(rehearsal)), rehearsal


def _copied(world: World) -> World:
    """Return a copy of a world that may be changed without a trace."""
    store: Any = Overlay(world.store)
    return replace(
        world,
        store=store,
        ids=replace(world.ids, counters=dict(world.ids.counters)),
        jobs=_copied_jobs(world.jobs),
        memory=deepcopy(world.memory),
        expiring=list(world.expiring),
        stocked=set(world.stocked),
    )


def _copied_jobs(book: JobBook) -> JobBook:
    return replace(
        book,
        jobs=dict(book.jobs),
        results=dict(book.results),
        agenda=list(book.agenda),
        unfinished=dict(book.unfinished),
        leaving=list(book.leaving),
        lasting=dict(book.lasting),
    )


FLOWS: Final[dict[tuple[str, str], Callable[[Sandbox, Turn, Played], Played]]] = {
    ("before-commit", "delay"): _wait_first,
    ("before-commit", "late"): _answer_first,
    ("before-commit", "cut"): _break_first,
    ("during-commit", "delay"): _wait_halfway,
    ("during-commit", "late"): _answer_halfway,
    ("during-commit", "cut"): _break_halfway,
    ("after-commit", "delay"): _after,
    ("after-commit", "late"): _after,
    ("after-commit", "cut"): _after,
}
