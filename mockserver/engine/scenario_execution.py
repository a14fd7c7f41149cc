"""Execute what a scenario decided: `execute` commits before, during or after its delay or wire fault.

The delay is set here as `DeferredResponse.delay`; `mockserver.http.wire_faults` waits for it and applies wire faults.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from contracts.messages import Response
from mockserver.api.model import ApiState, Refusal, RequestContext
from mockserver.domain.jobs import JobRegistry
from mockserver.domain.values import HalfCommit, not_run_outcomes
from mockserver.engine.stages import (
    call_handler,
    finish_and_record,
    finish_response,
    make_context,
    respond,
    validate_request,
)
from mockserver.sandbox.sandboxes import Sandbox
from mockserver.stores.memory import Overlay

if TYPE_CHECKING:
    from mockserver.scenarios.model import Effects, WireFault
    from mockserver.scenarios.player import Decision


Continuation: TypeAlias = Callable[[datetime], Response]


class DeferredResponse(NamedTuple):
    """A request that is being served: its response, delay and wire fault.

    `response` is None until it is known: then `continuation`, called with the sandbox's time once the delay has passed,
    completes the request and returns it. With both, the response is sent first and the continuation is called
    afterwards. `delay` is in real time, in the sandbox's time when `on_clock`.
    """

    response: Response | None = None
    delay: timedelta | None = None
    on_clock: bool = False
    wire_fault: "WireFault | None" = None
    continuation: Continuation | None = None

    @property
    def is_plain(self) -> bool:
        """Tell whether the response can be sent at once, without delay or wire fault."""
        return self.delay is None and self.wire_fault is None

    def complete(self, now: datetime) -> Response:
        """Complete the request as of `now` without waiting, and return its response."""
        done = self.response if self.continuation is None else self.continuation(now)
        response = self.response or done
        assert response is not None  # noqa: S101 - one of them is always there
        return response

    def map_response(self, change: Callable[[Response], Response]) -> "DeferredResponse":
        """Return the same with `change` applied to every response."""
        rest = self.continuation
        return self._replace(
            response=None if self.response is None else change(self.response),
            continuation=None if rest is None else lambda now: change(rest(now)),
        )


PREFERENCE_APPLIED: Final = "Preference-Applied"


def execute(sandbox: Sandbox, context: RequestContext) -> DeferredResponse:
    """Select the scenario of a request and execute it as far as it goes without waiting."""
    from mockserver.engine.scenario_selection import select_scenario  # noqa: PLC0415 - most servers play nothing

    refusal = validate_request(context)
    decision = select_scenario(sandbox, context, refused=refusal is not None)
    if isinstance(decision, Refusal):
        return DeferredResponse(response=finish_and_record(sandbox, context, context.refuse(decision)))
    _apply_decision(context, decision)
    effects = decision.effects
    deferred = DeferredResponse(
        delay=decision.delay,
        on_clock=effects.delay is not None and effects.delay.on_clock,
        wire_fault=effects.wire_fault,
    )
    if refusal is not None or not effects.affects_wire or _replaces_handler(effects):
        return deferred._replace(response=finish_and_record(sandbox, context, _carry_out(context, refusal)))
    kind = "delay" if effects.wire_fault is None else "late" if effects.wire_fault.delivers_all else "cut"
    return FLOW_BY_POINT_AND_EFFECT[effects.commit_point or "after-commit", kind](sandbox, context, deferred)


def _apply_decision(context: RequestContext, decision: "Decision") -> None:
    context.decision = decision
    if decision.effects.bug is not None:
        context.api = context.api.plant(context.api, decision.effects.bug)
    if decision.effects.item is not None:
        chosen = {part.index: decision.effects.item for part in decision.chosen}
        context.item_effects = {**chosen, **(context.item_effects or {})}


def _replaces_handler(effects: "Effects") -> bool:
    """Tell whether the response replaces the handler, so that nothing is applied."""
    return effects.response is not None and effects.response.replaces and effects.commit_point != "after-commit"


def _carry_out(context: RequestContext, refusal: Refusal | None = None) -> Response:
    """Call the handler, unless the request is refused or a scenario's response replaces it; return the response."""
    decision = context.decision
    assert decision is not None  # noqa: S101 - it has been taken
    effect = decision.effects.response
    if effect is None or not effect.replaces:
        return _with_scenario_headers(context, respond(context, refusal))
    if refusal is None and not _replaces_handler(decision.effects):
        call_handler(context)
    from mockserver.engine.example_responses import make_response  # noqa: PLC0415 - most servers play nothing

    return _with_scenario_headers(context, make_response(context, effect))


def _with_scenario_headers(context: RequestContext, response: Response) -> Response:
    """Return the response with a scenario's header fields, and `Preference-Applied` (RFC 7240, section 3)."""
    decision = context.decision
    assert decision is not None  # noqa: S101 - it has been taken
    extra = [] if decision.effects.response is None else list(decision.effects.response.headers)
    if decision.applied_preferences:
        extra.append((PREFERENCE_APPLIED, ", ".join(decision.applied_preferences)))
    return response.with_headers(*extra) if extra else response


def _commit_now(sandbox: Sandbox, context: RequestContext, deferred: DeferredResponse) -> DeferredResponse:
    """Commit now; the delay or wire fault applies to the final response."""
    return deferred._replace(response=finish_and_record(sandbox, context, _carry_out(context)))


def _delay_then_commit(sandbox: Sandbox, context: RequestContext, deferred: DeferredResponse) -> DeferredResponse:
    """Commit when the delay has passed."""
    return deferred._replace(continuation=partial(_complete, sandbox, context, None, None))


def _delay_between_halves(sandbox: Sandbox, context: RequestContext, deferred: DeferredResponse) -> DeferredResponse:
    """Commit one half of the items now, the other when the delay has passed."""
    return deferred._replace(continuation=partial(_complete, sandbox, context, _commit_first_half(context), None))


def _respond_then_commit(sandbox: Sandbox, context: RequestContext, deferred: DeferredResponse) -> DeferredResponse:
    """Respond with the result of a dry run, and commit when that has been sent."""
    early, _ = _dry_run(context)
    return deferred._replace(response=early, continuation=partial(_complete, sandbox, context, None, early))


def _respond_between_halves(sandbox: Sandbox, context: RequestContext, deferred: DeferredResponse) -> DeferredResponse:
    """Respond with the result of a dry run; commit one half of the items now, the other when that has been sent."""
    early, _ = _dry_run(context)
    return deferred._replace(
        response=early, continuation=partial(_complete, sandbox, context, _commit_first_half(context), early)
    )


def _cut_without_commit(sandbox: Sandbox, context: RequestContext, deferred: DeferredResponse) -> DeferredResponse:
    """Commit nothing; the response that is cut off is the result of a dry run."""
    early, rehearsal = _dry_run(context)
    context.outcomes = not_run_outcomes([one.item for one in rehearsal.outcomes])
    sandbox.journal.record(context, early)
    return deferred._replace(response=early)


def _cut_after_first_half(sandbox: Sandbox, context: RequestContext, deferred: DeferredResponse) -> DeferredResponse:
    """Commit one half of the items and no more; the response that is cut off is the result of a dry run."""
    early, _ = _dry_run(context)
    _commit_first_half(context)
    sandbox.journal.record(context, early)
    return deferred._replace(response=early)


def _commit_first_half(context: RequestContext) -> HalfCommit:
    halves = context.half_commit = HalfCommit()
    _carry_out(context)
    context.writes = tuple(context.api_state.store.undo or ())
    return halves


def _complete(
    sandbox: Sandbox, context: RequestContext, halves: HalfCommit | None, early: Response | None, now: datetime
) -> Response:
    """Complete a request as of `now`, on the state of that time; `early` is the response when it was sent already."""
    again = make_context(sandbox, context.api, context.request, now)
    again.arrived_at = context.now
    refusal = validate_request(again)
    assert context.decision is not None  # noqa: S101 - it has been taken
    _apply_decision(again, context.decision)
    if halves is not None:
        halves.is_second, again.half_commit, again.writes = True, halves, context.writes
    response = _carry_out(again, refusal)
    if early is None:
        return finish_and_record(sandbox, again, response)
    finish_response(again, response)
    sandbox.journal.record(again, early)
    return early


def _dry_run(context: RequestContext) -> tuple[Response, RequestContext]:
    """Return the response that the request would have, and the context of the dry run."""
    rehearsal = replace(context, api_state=copied_state(context.api_state))
    return finish_response(rehearsal, _carry_out(rehearsal)), rehearsal


def copied_state(api_state: ApiState) -> ApiState:
    """Return a copy of an API's state whose changes do not reach the original; its store is an `Overlay`."""
    store: Any = Overlay(api_state.store)
    return replace(
        api_state,
        store=store,
        undo=[],
        ids=replace(api_state.ids, counters=dict(api_state.ids.counters)),
        jobs=_copy_jobs(api_state.jobs),
        memory=deepcopy(api_state.memory),
        expiring=list(api_state.expiring),
        populated=set(api_state.populated),
        on_job_end=None,
    )


def _copy_jobs(book: JobRegistry) -> JobRegistry:
    return replace(
        book,
        jobs=dict(book.jobs),
        results=dict(book.results),
        due_queue=list(book.due_queue),
        unfinished=dict(book.unfinished),
        expiry_queue=list(book.expiry_queue),
        without_expiry=dict(book.without_expiry),
    )


FLOW_BY_POINT_AND_EFFECT: Final[
    dict[tuple[str, str], Callable[[Sandbox, RequestContext, DeferredResponse], DeferredResponse]]
] = {
    ("before-commit", "delay"): _delay_then_commit,
    ("before-commit", "late"): _respond_then_commit,
    ("before-commit", "cut"): _cut_without_commit,
    ("during-commit", "delay"): _delay_between_halves,
    ("during-commit", "late"): _respond_between_halves,
    ("during-commit", "cut"): _cut_after_first_half,
    ("after-commit", "delay"): _commit_now,
    ("after-commit", "late"): _commit_now,
    ("after-commit", "cut"): _commit_now,
}
