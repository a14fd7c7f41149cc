"""Build mutants: functions that wrap one stage of an API's hooks and behaviours, without a change to the engine."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import orjson

from contracts.exchange.locations import put_at
from contracts.messages import ABSENT, Response
from contracts.syntax.text import look_up
from mockserver.api.model import ApiState, Batch, Behaviour, Perform, Refusal, RequestContext
from mockserver.bulk.execution import populate_scope, run_of
from mockserver.domain.values import Outcome
from mockserver.stores.memory import Overlay

Note: TypeAlias = Callable[[RequestContext], None]
Refuse: TypeAlias = Callable[[RequestContext, Refusal], Response]
Finish: TypeAlias = Callable[[RequestContext, Response], Response]
Outcomes: TypeAlias = Sequence[Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenHooks:
    """The wrappers that a bug puts around `perform`, `refuse`, `finish` and every behaviour; None changes nothing.

    Each gets a function to call with the request's context when the bug changed a result.
    """

    perform: Callable[[Note, Perform], Perform] | None = None
    refuse: Callable[[Note, Refuse], Refuse] | None = None
    finish: Callable[[Note, Finish], Finish] | None = None
    behave: Callable[[Note, Behaviour], Behaviour] | None = None


def mutate_batch(change: Callable[[Perform, RequestContext, Batch, str], Outcomes]) -> BrokenHooks:
    """Run batches with `change`. It is noted when outcomes or stored records differ from the correct ones."""

    def broken(note: Note, handler: Perform) -> Perform:
        def perform(context: RequestContext, batch: Batch, scope: str) -> Outcomes:
            if context.half_commit is not None:
                return handler(context, batch, scope)
            populate_scope(run_of(context, batch, scope))
            with overlay_store(context.api_state) as right:
                proper, issued = handler(context, batch, scope), dict(context.api_state.ids.counters)
            reported = context.outcomes
            with overlay_store(context.api_state, counting=True) as wrong:
                outcomes = change(handler, context, batch, scope)
            differs = list(outcomes) != list(proper) or not are_alike(right, wrong)
            wrong.commit()
            context.outcomes = outcomes if differs else reported
            if differs:
                note(context)
            else:
                _issue_from(context.api_state, issued)
            return outcomes

        return perform

    return BrokenHooks(perform=broken)


def mutate_outcomes(change: Callable[[Batch, list[Outcome]], Outcomes]) -> BrokenHooks:
    """Report changed outcomes in the response; the journal has the correct ones."""

    def broken(note: Note, handler: Perform) -> Perform:
        def perform(context: RequestContext, batch: Batch, scope: str) -> Outcomes:
            outcomes = list(handler(context, batch, scope))
            reported = list(change(batch, list(outcomes)))
            if reported != outcomes:
                note(context)
            return reported

        return perform

    return BrokenHooks(perform=broken)


def mutate_response(change: Callable[[RequestContext, Response], Response]) -> BrokenHooks:
    """Change the response; `change` returns the same object when it changes nothing."""

    def broken(note: Note, handler: Finish) -> Finish:
        def finish(context: RequestContext, response: Response) -> Response:
            proper = handler(context, response)
            other = change(context, proper)
            if other is not proper:
                note(context)
            return other

        return finish

    return BrokenHooks(finish=broken)


def replace_handling(act: Callable[[Behaviour, RequestContext], Response | None]) -> BrokenHooks:
    """Replace the handling of a request by `act`, which returns None where the bug does not apply."""

    def broken(note: Note, handler: Behaviour) -> Behaviour:
        def behave(context: RequestContext) -> Response:
            response = act(handler, context)
            if response is None:
                return handler(context)
            note(context)
            return response

        return behave

    return BrokenHooks(behave=broken)


def replace_refusal(act: Callable[[Refuse, RequestContext, Refusal], Response | None]) -> BrokenHooks:
    """Replace the refusal of a request by `act`, which returns None where the bug does not apply."""

    def broken(note: Note, handler: Refuse) -> Refuse:
        def refuse(context: RequestContext, refusal: Refusal) -> Response:
            response = act(handler, context, refusal)
            if response is None:
                return handler(context, refusal)
            note(context)
            return response

        return refuse

    return BrokenHooks(refuse=broken)


@contextmanager
def overlay_store(api_state: ApiState, *, counting: bool = False) -> Iterator[Overlay]:
    """Let the block write to an overlay of the store; ids that it took are issued again, unless `counting`."""
    store, counters = api_state.store, dict(api_state.ids.counters)
    over: Any = Overlay(store)
    api_state.store = over
    try:
        yield over
    finally:
        api_state.store = store
        if not counting:
            _issue_from(api_state, counters)


def _issue_from(api_state: ApiState, counters: Mapping[str, int]) -> None:
    """Let ids be issued from these counters."""
    api_state.ids.counters.clear()
    api_state.ids.counters.update(counters)


def dry_run(handler: Perform, context: RequestContext, batch: Batch, scope: str) -> Outcomes:
    """Return the outcomes that a batch would have, without a change to the store."""
    with overlay_store(context.api_state):
        return handler(context, batch, scope)


def by_index(outcomes: Outcomes) -> dict[int, Outcome]:
    """Return outcomes by the index of their items in the request."""
    return {one.item.index: one for one in outcomes}


def without(batch: Batch, places: set[int]) -> Batch:
    """Return a batch without the items at these indices of the request."""
    return replace(batch, items=[item for item in batch.items if item.index not in places])


def are_alike(one: Overlay, other: Overlay) -> bool:
    """Return whether two overlays of the same store change it alike."""
    return dict(_changes(one)) == dict(_changes(other)) and set(one.dropped()) == set(other.dropped())


def _changes(over: Overlay) -> Iterator[tuple[object, object]]:
    yield from (((collection, record.key), record) for collection, record in over.changed())


def edit_data(response: Response, change: Callable[[Any], Any]) -> Response:
    """Return a response with `change` applied to a copy of its data; the same object when nothing changes."""
    data: Any = change(deepcopy(response.data))
    return response if data == response.data else replace(response, data=data, body=orjson.dumps(data))


def with_value(data: Any, at: str, value: object) -> Any:
    """Return data with a value set at a JSON Pointer."""
    if at == "":
        return value
    put_at(data, at, value)
    return data


def value_setter(at: str, value: object) -> Callable[[Any], Any]:
    """Return a function that replaces the value at a JSON Pointer, if there is one."""
    return lambda data: data if look_up(data, at) is ABSENT else with_value(data, at, value)
