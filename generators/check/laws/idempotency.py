"""Laws on repeated requests: idempotent and unprocessed. Begin with `idempotent` and `unprocessed`."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Final

from contracts.bulk.model import Idempotency
from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.exchange.locations import put, read_response
from contracts.messages import ABSENT, Exchange
from generators.check.laws.metamorphic import valid_cases
from generators.check.records import Snapshot
from generators.check.trial_setup import ItemCase, Trial, available_cases, prepare_trial
from generators.check.trials import (
    MAX_RESENDS,
    TrialResult,
    perform,
    reported_keys,
    send,
    snapshots,
    stored_records,
    trial_finding,
)
from generators.client.sites import SiteContext
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding
from generators.oracles.request_oracle import mismatch_fault, replay_fault
from generators.oracles.response_laws import comparable_reply
from generators.requests.envelope import SendOptions

ITEM_COUNT: Final = 4
MANY_ITEMS: Final = 100


def idempotent(context: SiteContext) -> Iterator[Finding]:
    """Send a request twice with one idempotency key, then another request with that key."""
    declared = context.bulk.guard.idempotency
    assert declared is not None  # noqa: S101 - the law applies
    cases = valid_cases(context, ITEM_COUNT)
    trial = _with_item_keys(prepare_trial(context, cases), declared)
    options = SendOptions(unit=context.unit, more=_request_key(trial, declared))
    first = perform(trial, options)
    if first.refused:
        raise NotApplicableError(f"the whole request was refused ({first.status})")
    before = stored_records(first)
    again = send(trial, options)
    yield from _judge_replay(declared, first, again)
    yield from _judge_state(first, before, again)
    if declared.scope == "request":
        yield from _mismatch(prepare_trial(context, cases), declared, options)


def _request_key(trial: Trial, declared: Idempotency) -> dict[str, object]:
    return {declared.key: trial.names.text("once")} if declared.scope == "request" else {}


def _with_item_keys(trial: Trial, declared: Idempotency) -> Trial:
    """Return the trial with an idempotency key in each item, where the keys belong to items."""
    if declared.scope == "item":
        if not declared.key:
            raise NotApplicableError("an item's idempotency key is its name in the request")
        for n, trial_item in enumerate(trial.items):
            raw = put(trial_item.raw, declared.key, trial.names.text(f"once{n}"))
            trial.items[n] = replace(trial_item, raw=raw)
    return trial


def _judge_replay(declared: Idempotency, first: TrialResult, again: Exchange) -> Iterator[Finding]:
    before, after = first.view.exchange.response, again.response
    if declared.scope == "item":
        return
    fault = replay_fault(declared, before, after, partial(comparable_reply, first.view))
    if fault == "status":
        says = f"the same request with the same key is answered with {after.status}, after {before.status}"
        yield trial_finding("idempotent", "replay has another status", says, first, again)
    elif fault == "content":
        says = "the same request with the same key gets a different response"
        yield trial_finding("idempotent", "replay is another reply", says, first, again)


def _judge_state(first: TrialResult, before: dict[int, Snapshot], again: Exchange) -> Iterator[Finding]:
    after = snapshots(first.trial, reported_keys(first))
    for slot, one in after.items():
        multiplied = one.present and before[slot].present is not None and one.copies > before[slot].copies
        if multiplied or one.differs(before[slot], first.trial.names):
            says = f"the same request with the same key was processed again, as item {slot} shows"
            yield trial_finding("idempotent", "done twice", says, first, again, before[slot], one)
            return


def _mismatch(other: Trial, declared: Idempotency, options: SendOptions) -> Iterator[Finding]:
    """Send other items under the first request's key, where the contract declares the response."""
    if declared.mismatch is None:
        return
    exchange = send(other, options)
    status = exchange.response.status
    fault = mismatch_fault(declared, status)
    if fault == "accepted":
        says = f"another request with a key that was used is not refused ({status})"
        yield trial_finding("idempotent", "other content is accepted", says, exchange)
    elif fault == "otherwise":
        says = f"another request with a key that was used is refused with {status}, but {declared.mismatch} is declared"
        yield trial_finding("idempotent", f"other content refused with {status}", says, exchange)


def unprocessed(context: SiteContext) -> Iterator[Finding]:
    """Send many items of each kind whose effect shows, and resend the unprocessed ones until none is left."""
    bulk = context.bulk
    size = min(bulk.items.max or MANY_ITEMS, MANY_ITEMS)
    kinds = [_creating_case(context), *_deleting_cases(context)]
    trial = prepare_trial(context, [kinds[n % len(kinds)] for n in range(size)])
    exchange = send(trial, SendOptions(unit=context.unit))
    if exchange.response.status not in SUCCESS_STATUS:
        raise NotApplicableError(f"{size} items were refused ({exchange.response.status})")
    left = _unprocessed_items(trial, exchange)
    if not left:
        raise NotApplicableError(f"all of {size} items were processed at once")
    yield from _resend_until_done(trial, exchange, left)


def _creating_case(context: SiteContext) -> Any:
    kinds = valid_cases(context, ITEM_COUNT)
    return next((one for one in kinds if not one.existing), kinds[0])


def _deleting_cases(context: SiteContext) -> list[ItemCase]:
    """Return the deletion of a record that is there, where nothing is left of it."""
    right, _ = available_cases(context)
    return [one for one in right if one.action == "delete" and context.resource.tombstone is None]


def _unprocessed_items(trial: Trial, exchange: Exchange) -> Any:
    at = trial.context.bulk.guard.unprocessed
    found = read_response(exchange.response, at) if at is not None else ABSENT
    return found if isinstance(found, list | dict) else []


def _resend_until_done(trial: Trial, first: Exchange, left: Any) -> Iterator[Finding]:
    last = first
    for _ in range(MAX_RESENDS):
        if not left:
            break
        last = send(_trial_of(trial, left), SendOptions(unit=trial.context.unit))
        left = _unprocessed_items(trial, last)
    if left:
        says = f"after {MAX_RESENDS} rounds {len(left)} items are still reported as not processed"
        yield trial_finding("unprocessed", "does not converge", says, first, last)
        return
    after = snapshots(trial, {})
    lost = [slot for slot, one in after.items() if one.present is (trial.items[slot].case.action == "delete")]
    if lost:
        says = f"every item is reported as processed, but item {lost[0]} was never applied"
        yield trial_finding("unprocessed", "lost on the way", says, first, last, after[lost[0]])


def _trial_of(trial: Trial, left: Any) -> Trial:
    """Return a trial of the unprocessed items as they were returned."""
    if isinstance(left, dict):
        named = {str(one.slot if one.content.key is None else one.content.key): one for one in trial.items}
        return replace(trial, items=[replace(named[name], raw=raw) for name, raw in left.items() if name in named])
    rows = enumerate(zip(trial.items, left, strict=False))
    return replace(trial, items=[replace(trial_item, slot=n, raw=raw) for n, (trial_item, raw) in rows])
