"""Plant bugs in an API: `planted` returns a variant that breaks one law in one way (mutation testing).

A variant is an `Api` like any other, and the engine serves it as such. `mockserver.bugs.catalogue` describes the bugs;
the code of each is found by its name in `BREAKS`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final, TypeAlias
from weakref import WeakKeyDictionary

from contracts.messages import Response
from mockserver.api.model import Api, Behaviour, Hooks, RequestContext
from mockserver.bulk.execution import apply_batch
from mockserver.bulk.job_endpoints import BUGS_OF_REQUEST
from mockserver.bulk.prepared_api import prepared, share_prepared
from mockserver.engine.handlers import handler_for
from mockserver.mutants import guards, jobs, records, responses, units
from mockserver.mutants.hooks import BrokenHooks, Note

Fired: TypeAlias = Callable[[str], None]
BREAKS: Final[Mapping[str, BrokenHooks]] = {
    name: one for module in (responses, units, records, guards, jobs) for name, one in module.BREAKS.items()
}
_VARIANTS: "WeakKeyDictionary[Api, dict[str, Api]]" = WeakKeyDictionary()


def planted(api: Api, *names: str, fired: Fired | None = None) -> Api:
    """Return a variant of `api` with these bugs; `fired` is called with a bug's name whenever it changed a result.

    Raises KeyError for an unknown bug.
    """
    for name in names:
        if name not in api.bugs:
            api = _variant(api, name) if fired is None else _mutated(api, name, fired)
    return api


def _variant(api: Api, name: str) -> Api:
    """Return the variant with one more bug; it is cached."""
    known = _VARIANTS.setdefault(api, {})
    if name not in known:
        known[name] = _mutated(api, name, _ignore)
    return known[name]


def _ignore(name: str) -> None:
    del name


def _mutated(api: Api, name: str, fired: Fired) -> Api:
    one, note, ready = BREAKS[name], partial(_record_fired, name, fired), prepared(api)
    bugs = (*api.bugs, name)
    behaviours = {
        operation.id: _traced(bugs, note, one, handler_for(ready, operation.id))
        for operation in api.contract.operations
    }
    return share_prepared(replace(api, hooks=_hooks(api.hooks, one, note), behaviours=behaviours, bugs=bugs), ready)


def _hooks(hooks: Hooks, one: BrokenHooks, note: Note) -> Hooks:
    if one.perform is not None:
        hooks = replace(hooks, perform=one.perform(note, hooks.perform or apply_batch))
    if one.refuse is not None:
        hooks = replace(hooks, refuse=one.refuse(note, hooks.refuse))
    if one.finish is not None:
        hooks = replace(hooks, finish=one.finish(note, hooks.finish))
    return hooks


def _traced(bugs: tuple[str, ...], note: Note, one: BrokenHooks, handler: Behaviour) -> Behaviour:
    """Return a behaviour with the bug, which also marks the jobs that it creates with it."""
    broken = handler if one.behave is None else one.behave(note, handler)

    def behave(context: RequestContext) -> Response:
        before = context.api_state.jobs.arrivals
        response = broken(context)
        for job in context.jobs:
            if job.arrival >= before:
                context.api_state.jobs.replace(replace(job, extra={**job.extra, BUGS_OF_REQUEST: bugs}))
        return response

    return behave


def _record_fired(name: str, fired: Fired, context: RequestContext) -> None:
    """Record that a bug changed the result of a request or of a running job."""
    if name not in context.bugs:
        context.bugs.append(name)
    fired(name)
