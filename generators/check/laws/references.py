"""The laws on items that depend on others: `broken-reference`, and `isolated`, until failures stop a request.

Begin with `broken_reference` and `isolated_until_stopped`.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from contracts.exchange.bulk_request import chooses_inside
from contracts.exchange.references import reference_text
from contracts.schemas.equality import key_text
from contracts.syntax.text import counted, short
from generators.check.laws.metamorphic import invalid_cases, isolated, run_each, valid_cases
from generators.check.trial_setup import ItemCase, prepare_trial
from generators.check.trials import (
    TrialResult,
    perform,
    reported_keys,
    snapshots,
    snapshots_before,
    stored_records,
    trial_finding,
)
from generators.client.sites import SiteContext, experiment_site, experiment_sites
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding
from generators.requests.calls import body_schema
from generators.requests.envelope import SendOptions
from generators.requests.options import actions_of, place_schema

STOPS: Final = ((1, 1), (2, 2), (1, 2), (2, 0))  # failures, and the number that stops a request


def broken_reference(context: SiteContext) -> Iterator[Finding]:
    """Let items depend on one that fails, and on ones that succeed."""
    yield from run_each((_depending, _referring), lambda part: part(context))


def _depending(context: SiteContext) -> Iterator[Finding]:
    """Let one item depend on an item that fails, and another on one that succeeds."""
    wrong, right = invalid_cases(context)[0], valid_cases(context, 1)[0]
    cases = [right, replace(right, awaits=(0,)), wrong, replace(right, awaits=(2,))]
    trial = prepare_trial(context, cases)
    initial = snapshots_before(trial)[3]
    done = perform(trial, SendOptions(unit=context.unit))
    if 2 not in done.slots("failed"):  # noqa: PLR2004 - the place of the one that is wrong
        raise NotApplicableError("the item that another one waits for did not fail")
    after = stored_records(done, slots=[3])[3]
    yield from _judge_report(done)
    if initial.differs(after, trial.names):
        says = "an item was applied although the item that it depends on had failed"
        yield trial_finding("broken-reference", "run all the same", says, done, after)


def _judge_report(done: TrialResult) -> Iterator[Finding]:
    declared, one = done.trial.context.bulk.order.on_broken, done.outcomes[3]
    if one.result == "done":
        says = "an item is done although the item that it depends on failed"
        yield trial_finding("broken-reference", "told as done", says, done)
    elif declared is not None and one.result == "failed":
        says = f"an item whose dependency failed reports {short(one.error)}, but {short(declared)} is declared"
        yield trial_finding("broken-reference", "not told as declared", says, done)
    if done.result(1) not in {"done", "untold"}:
        says = "an item is not applied although the item that it depends on is done"
        yield trial_finding("broken-reference", "not run although it could", says, done)


def _referring(context: SiteContext) -> Iterator[Finding]:
    """Let items refer to records that items before them create: they have the keys of those records."""
    sites = [replace(context, site=site) for site in experiment_sites(context.session, context.operation)]
    others = bool(context.bulk.effect.http) or chooses_inside(context.bulk)
    pairs = [(at, name, of) for at in sites for name, of in at.resource.references.items()]
    pairs = [(at, name, of) for at, name, of in pairs if others or of == at.resource.name]
    if not pairs or context.bulk.order.reference is None:
        raise NotApplicableError("its items cannot refer to records that others create")
    yield from run_each(pairs, lambda one: _refer(*one))


def _refer(context: SiteContext, member: str, resource: str) -> Iterator[Finding]:
    """Create a record, and one that refers to it; it has the key that the first one is read with."""
    order, site = context.bulk.order, experiment_site(context.session, resource)
    action = next((one for one in ("create", "upsert") if one in actions_of(context.bulk)), None)
    if action is None or site is None:
        raise NotApplicableError(f"no {resource} can be created")
    first, trial = (prepare_trial(one, [ItemCase(action=action)]) for one in (replace(context, site=site), context))
    key, own = first.items[0].content.key, trial.items[0].content
    text = reference_text(order.reference or "", str(key), site.resource.key)
    if key is None or text is None:
        raise NotApplicableError("its items have no names by which others refer to them")
    second = replace(
        trial.items[0], slot=1, content=replace(own, awaited=[key] if order.depends_on is not None else ())
    )
    trial.items[:] = [first.items[0], trial.with_members(second, {**own.values, member: text})]
    done = perform(trial, SendOptions(unit=context.unit))
    if done.refused or done.slots("done") != [0, 1]:
        raise NotApplicableError("a record and one that refers to it were not both created")
    made = snapshots(first, reported_keys(done), slots=[0], expected=[0])[0]
    after = stored_records(done, slots=[1])[1]
    got = (after.members or {}).get(member)
    if after.present and (got in (None, text) or (made.present and key_text(got) != key_text(made.key))):
        says = f"'{member}' refers to the record that the item before it makes, and is {short(got)}"
        yield trial_finding("broken-reference", "not the key of what is referred to", says, done, made, after)


def isolated_until_stopped(context: SiteContext) -> Iterator[Finding]:
    """Leave failed items out; let as many fail as stop a request, one less, and any number where that is allowed."""
    yield from run_each((isolated, _stopping), lambda part: part(context))


def _stopping(context: SiteContext) -> Iterator[Finding]:
    declared = context.bulk.unit.stop_after
    if not declared or "=" in str(declared) or context.bulk.order.run != "listed":
        raise NotApplicableError("no number of failures stops it")
    if isinstance(declared, int):
        tried: list[tuple[int, int, SendOptions]] = [
            (n, declared, SendOptions(unit="item")) for n in {declared - 1, declared}
        ]
    else:
        schema = place_schema(context.operation, body_schema(context.operation), declared)
        tried = [
            (failures, limit, SendOptions(unit="item", more={declared: limit}))
            for failures, limit in STOPS
            if schema is None or schema.is_valid(limit)
        ]
    yield from run_each(tried, lambda one: _stop(context, *one))


def _stop(context: SiteContext, failures: int, limit: int, options: SendOptions) -> Iterator[Finding]:
    """Send a valid item behind so many failures: it is not run where these are as many as the limit, and else it is."""
    right, wrong = valid_cases(context, 1)[0], invalid_cases(context)[0]
    trial = prepare_trial(context, [right, *[wrong] * failures, right])
    last = failures + 1
    before = snapshots_before(trial, [last])[last]
    done = perform(trial, options)
    if done.result(0) != "done" or done.slots("failed")[:failures] != list(range(1, last)):
        raise NotApplicableError("an item before that should fail did not, or one that should not did")
    after, stops = stored_records(done, slots=[last])[last], 0 < limit <= failures
    if stops and (done.result(last) == "done" or before.differs(after, trial.names)):
        says = f"an item is run behind {counted(failures, 'failure')}, after which the request stops"
        yield trial_finding("isolated", "run behind a stop", says, done, after)
    if not stops and done.result(last) not in {"done", "untold"}:
        says = (
            f"an item is not run behind {counted(failures, 'failure')}, where {limit or 'none'} would stop the request"
        )
        yield trial_finding("isolated", "stopped too early", says, done)
