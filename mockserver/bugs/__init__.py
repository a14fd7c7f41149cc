"""Planted bugs: a variant of an API that breaks one law in one way.

A variant is an API like any other: the engine serves it without knowing. What each bug is stands in
`mockserver.scenario.bugs`; here is how it is done.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final, TypeAlias
from weakref import WeakKeyDictionary

from contracts.messages import Reply
from mockserver.api import Api, Behaviour, Hooks
from mockserver.behaviours import behaviour
from mockserver.behaviours.bulk import apply
from mockserver.behaviours.polls import BUGS
from mockserver.bugs import answers, guards, jobs, lies, orders, records, targets, units
from mockserver.bugs.breaking import Break, Note
from mockserver.served import served, share
from mockserver.turn import Turn

Fired: TypeAlias = Callable[[str], None]
BREAKS: Final[Mapping[str, Break]] = {
    name: one
    for module in (lies, units, orders, records, guards, jobs, targets, answers)
    for name, one in module.BREAKS.items()
}
_VARIANTS: "WeakKeyDictionary[Api, dict[str, Api]]" = WeakKeyDictionary()

__all__ = ["BREAKS", "planted"]


def planted(api: Api, *names: str, fired: Fired | None = None) -> Api:
    """Return a variant of `api` that has these bugs; `fired` hears a bug's name whenever it made a difference.

    Raises KeyError for a name that no bug has.
    """
    for name in names:
        if name not in api.bugs:
            api = _variant(api, name) if fired is None else _made(api, name, fired)
    return api


def _variant(api: Api, name: str) -> Api:
    """Return the variant with one bug more; it is made once."""
    known = _VARIANTS.setdefault(api, {})
    if name not in known:
        known[name] = _made(api, name, _unheard)
    return known[name]


def _unheard(name: str) -> None:
    del name


def _made(api: Api, name: str, fired: Fired) -> Api:
    one, note, ready = BREAKS[name], partial(_noted, name, fired), served(api)
    bugs = (*api.bugs, name)
    behaviours = {
        operation.id: _traced(bugs, note, one, doing)
        for operation in api.contract.operations
        if (doing := behaviour(ready, operation.id)) is not None
    }
    return share(replace(api, hooks=_hooks(api.hooks, one, note), behaviours=behaviours, bugs=bugs), ready)


def _hooks(hooks: Hooks, one: Break, note: Note) -> Hooks:
    if one.perform is not None:
        hooks = replace(hooks, perform=one.perform(note, hooks.perform or apply))
    if one.refuse is not None:
        hooks = replace(hooks, refuse=one.refuse(note, hooks.refuse))
    if one.finish is not None:
        hooks = replace(hooks, finish=one.finish(note, hooks.finish))
    return hooks


def _traced(bugs: tuple[str, ...], note: Note, one: Break, doing: Behaviour) -> Behaviour:
    """Return a behaviour that has the bug, and hands it to the jobs that are made."""
    broken = doing if one.behave is None else one.behave(note, doing)

    def behave(turn: Turn) -> Reply:
        before = turn.world.jobs.arrivals
        reply = broken(turn)
        for job in turn.jobs:
            if job.arrival >= before:
                turn.world.jobs.change(replace(job, extra={**job.extra, BUGS: bugs}))
        return reply

    return behave


def _noted(name: str, fired: Fired, turn: Turn) -> None:
    """Note that a bug made a difference to a call, or to the job that runs."""
    if name not in turn.bugs:
        turn.bugs.append(name)
    fired(name)
