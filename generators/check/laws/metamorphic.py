"""Metamorphic laws: equal trials have equal results (isolated, split, permuted, async-is-sync, singular).

Metamorphic relations: Chen, Cheung and Yiu, "Metamorphic testing: a new approach for generating next test cases", 1998.
Begin with `run_at_site` and `compare_trials`.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, cycle, islice, product
from typing import Final, TypeVar

from contracts.exchange.bulk_request import names_target
from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.exchange.locations import is_outside
from contracts.messages import ABSENT, Exchange
from contracts.openapi.model import Operation
from generators.check.records import key_of_created
from generators.check.trial_setup import ItemCase, Trial, TrialItem, available_cases, prepare_trial, variant_cases
from generators.check.trials import (
    TrialResult,
    differing_outcomes,
    differing_snapshots,
    perform,
    send,
    snapshots,
    stored_records,
    trial_finding,
    trial_result,
)
from generators.client.polling import follow
from generators.client.session import Session
from generators.client.sites import NO_SITE, SiteContext, experiment_sites
from generators.errors import NotApplicableError
from generators.oracles.findings import Experiment, Finding, shape_at
from generators.requests.envelope import SendOptions, unsupported_reason
from generators.requests.options import named_targets, place_schema, stops_at_failure, units_of
from generators.requests.single import RecordSite, write_request

MIN_MIX_ITEMS: Final = 12  # in a mix: some faults show in long lists only
Element = TypeVar("Element")
MAX_ITEMS: Final = 100  # sent together where there is no limit
MAX_SITES: Final = 3  # tried before an experiment is given up


def run_at_site(
    session: Session, operation: Operation, experiment: Experiment, *, offset: int = 0
) -> Iterator[Finding]:
    """Yield the findings of an experiment at the first site where it can run. Raises NotApplicableError.

    Sites that allow most experiments come first; `offset` rotates the first three.
    """
    reason = unsupported_reason(operation, groups=False) if operation.bulk is not None else None
    if reason is not None:
        raise NotApplicableError(reason)
    found = experiment_sites(session, operation)
    if found and not any(_is_readable(operation, site) for site in found):
        raise NotApplicableError("its records belong to targets that no call for single records can name")
    sites = deque(found[:MAX_SITES])
    sites.rotate(-offset)
    reasons: list[str] = []
    for site in sites:
        try:
            yield from experiment(SiteContext(session=session, operation=operation, site=site))
        except NotApplicableError as error:
            reasons.append(str(error))
        else:
            return
    raise NotApplicableError(reasons[0] if reasons else NO_SITE)


def _is_readable(operation: Operation, site: RecordSite) -> bool:
    """Return whether single-record operations can read what a bulk operation stores for one target."""
    fan_out = operation.bulk.items.fan_out if operation.bulk is not None else None
    return fan_out is None or site.at_target([fan_out.over], "") is not None


def valid_cases(context: SiteContext, size: int) -> list[ItemCase]:
    """Return `size` valid cases, every kind in turn. Raises NotApplicableError when there is none."""
    known = _of_one_request(context, available_cases(context)[0])
    if not known:
        raise NotApplicableError(f"no item could be made that {context.operation.id} should carry out")
    return list(islice(cycle(known), size))


def invalid_cases(context: SiteContext) -> Sequence[ItemCase]:
    """Return one case of each defect that does not have the whole request refused. Raises NotApplicableError."""
    known = _of_one_request(context, available_cases(context)[1])
    if not known:
        raise NotApplicableError("no item could be made that fails by itself")
    return known


def _of_one_request(context: SiteContext, cases: Sequence[ItemCase]) -> Sequence[ItemCase]:
    """Return the cases that a request can have together: of the action with most of them, where it says one for all."""
    source = context.bulk.effect.action.source
    if not source or not is_outside(source):
        return cases
    count = Counter(one.action for some in available_cases(context) for one in some)
    return [one for one in cases if one.action == max(count, key=lambda action: count[action])]


def mixed_cases(context: SiteContext) -> list[ItemCase]:
    """Return valid cases alternating with cases with a defect, two of these adjacent, and valid ones at the end."""
    most = context.bulk.items.max or 2 * MIN_MIX_ITEMS
    wrong = invalid_cases(context)[: max(1, (most - 2) // 2)]
    right = valid_cases(context, max(len(wrong) + 3, MIN_MIX_ITEMS - len(wrong)))
    pairs = list(chain.from_iterable(zip(right, wrong, strict=False)))
    return [*pairs, wrong[0], *right[len(wrong) :]][:most]


def insert_case(right: Sequence[ItemCase], wrong: ItemCase, at: int) -> list[ItemCase]:
    """Return valid cases with another case inserted at an index."""
    return [*right[:at], wrong, *right[at:]]


def batched(things: Sequence[Element], most: int) -> Iterator[Sequence[Element]]:
    """Yield consecutive slices of at most `most` elements."""
    yield from (things[start : start + most] for start in range(0, len(things), most))


def max_independent_items(context: SiteContext) -> int:
    """Return how many items can be sent together without affecting one another."""
    apart = context.unit == "item" and not stops_at_failure(context.bulk)
    return (context.bulk.items.max or MAX_ITEMS) if apart else 1


def run_each(sets: Iterable[Element], trial: Callable[[Element], Iterator[Finding]]) -> Iterator[Finding]:
    """Yield the findings of a trial on each set. Raises NotApplicableError when none of them could run."""
    reasons: list[str] = []
    tried = 0
    for some in sets:
        try:
            yield from trial(some)
            tried += 1
        except NotApplicableError as error:
            reasons.append(str(error))
    if reasons and not tried:
        raise NotApplicableError(reasons[0])


def compare_trials(
    law: str, first: TrialResult, second: TrialResult, slots: Sequence[int], how: str, *, target: str | None = None
) -> Iterator[Finding]:
    """Yield the differences between two equal trials in outcomes and stored records."""
    cases = [trial_item.case for trial_item in first.trial.items]
    for slot, what, errors in differing_outcomes(first, second, slots):
        says = f"item {slot} ({cases[slot]}) {what}, {how}"
        yield trial_finding(law, shape_at(f"outcome of {cases[slot]} differs", "", *errors), says, first, second)
    one = stored_records(first, target=target, slots=slots, probe=target is None)
    other = stored_records(second, target=target, slots=slots, probe=target is None)
    for slot, what, pointer in differing_snapshots(one, first.trial.names, other, second.trial.names, slots):
        says = f"the record of item {slot} ({cases[slot]}) is not the same, {how}: {what}"
        shape = shape_at(f"state after {cases[slot]} differs", pointer)
        yield trial_finding(law, shape, says, first, second, one[slot], other[slot])


def require_outcomes(done: TrialResult) -> TrialResult:
    """Return the result when its outcomes are known. Raises NotApplicableError when refused or not reported."""
    if done.refused:
        raise NotApplicableError(f"the whole request was refused ({done.status})")
    if not done.outcomes:
        raise NotApplicableError("the outcomes of its items are not reported")
    return done


def isolated(context: SiteContext) -> Iterator[Finding]:
    """Send mixed cases, then the same without the failed items: the others must have the same results."""
    if stops_at_failure(context.bulk):
        raise NotApplicableError("its items stop at a failure")
    cases = mixed_cases(context)
    first = perform(prepare_trial(context, cases), SendOptions(unit="item"))
    if first.refused:
        yield from _judge_refusal(context, cases, first)
        return
    if not require_outcomes(first).slots("failed"):
        raise NotApplicableError("no item failed, although some should")
    rest = [slot for slot, one in enumerate(cases) if first.result(slot) != "failed" or not one.defect]
    if not rest:
        raise NotApplicableError("every item failed")
    second = perform(prepare_trial(context, cases), SendOptions(unit="item", order=rest))
    if second.refused:
        says = f"the request is refused ({second.status}) when the items that failed are left out"
        yield trial_finding("isolated", "refused without its failures", says, first, second)
        return
    yield from compare_trials("isolated", first, second, rest, "with the failed items there and without them")


def _judge_refusal(context: SiteContext, cases: Sequence[ItemCase], first: TrialResult) -> Iterator[Finding]:
    """Yield that a request was refused for items that should only fail individually."""
    rest = [slot for slot, one in enumerate(cases) if not one.defect]
    second = perform(prepare_trial(context, cases), SendOptions(unit="item", order=rest))
    if second.refused:
        raise NotApplicableError(f"the whole request was refused ({first.status}), with bad items and without them")
    says = f"the whole request is refused ({first.status}) for items that should fail individually"
    yield trial_finding("isolated", "refused for its bad items", says, first, second)


def split(context: SiteContext) -> Iterator[Finding]:
    """Send a list in one request, and the same list in two requests."""
    cases = _with_repeats(context, mixed_cases(context))
    middle = len(cases) // 2
    first = require_outcomes(perform(prepare_trial(context, cases), SendOptions(unit="item")))
    trial = prepare_trial(context, cases)
    halves = (range(middle), range(middle, len(cases)))
    parts = [require_outcomes(perform(trial, SendOptions(unit="item", order=half))) for half in halves]
    second = replace(parts[1], outcomes={**parts[0].outcomes, **parts[1].outcomes})
    yield from compare_trials("split", first, second, range(len(cases)), "in one request and in two")


def _with_repeats(context: SiteContext, cases: list[ItemCase]) -> list[ItemCase]:
    """Return the cases with one that targets the same record again, where a request may do that."""
    refuse = context.bulk.guard.refuse
    again = [n for n, one in enumerate(cases) if one.existing and not one.defect and one.action != "delete"]
    if "duplicateTarget" in refuse or not again or names_target(context.bulk):
        return cases
    return [*cases, replace(cases[again[0]], twin=again[0])]


def permuted(context: SiteContext) -> Iterator[Finding]:
    """Send a list in other orders."""
    cases, unit = mixed_cases(context), context.unit
    slots = list(range(len(cases)))
    first = require_outcomes(perform(prepare_trial(context, cases), SendOptions(unit=unit)))
    shuffled = context.session.rng("permuted", context.operation.id).sample(slots, len(slots))
    for order in (slots[::-1], shuffled) if context.session.controlled else (shuffled,):
        second = require_outcomes(perform(prepare_trial(context, cases), SendOptions(unit=unit, order=order)))
        yield from compare_trials("permuted", first, second, slots, "in this order and in another")


def async_is_sync(context: SiteContext) -> Iterator[Finding]:
    """Send the same list at once and as a job, in each unit; where others apply, items alone beside failures only."""
    wishes = context.bulk.job.when if context.bulk.job is not None else ()
    mixed, right, units = mixed_cases(context), valid_cases(context, 6), units_of(context.bulk)
    sets = [one for one in product(units, (mixed, right)) if one != ("item", right) or len(units) == 1]
    odd = [one for one in variant_cases(context)[0] if one.existing and one.variant in WRITES_NOTHING]
    sets += [(units[0], odd)] if odd else []
    for n, (unit, cases) in enumerate(sets):
        options = SendOptions(unit=unit, as_job=wishes[n % len(wishes)])
        trial = prepare_trial(context, cases)
        sent = send(trial, options)
        first = require_outcomes(perform(prepare_trial(context, cases), SendOptions(unit=unit)))
        second = trial_result(trial, options, follow(context.session, sent))
        if second.view.kind != "accepted":
            raise NotApplicableError(f"the wish '{options.as_job}' was answered {second.status}, without a job")
        slots = range(len(cases))
        yield from compare_trials(
            "async-is-sync", first, require_outcomes(second), slots, f"at once and as a job ({unit})"
        )
    yield from _preferred(context)


def _preferred(context: SiteContext) -> Iterator[Finding]:
    """Write the preference for a job in other ways that mean it, and one that is another (RFC 7240, 2)."""
    wishes, statuses = context.bulk.job.when if context.bulk.job is not None else (), context.bulk.reply.status
    name, _, word = next((one for one in wishes if one.startswith(PREFERENCE)), "").partition("=")
    if not word or statuses.get("accepted") == statuses.get("allOk"):
        return
    schema = place_schema(context.operation, None, name)
    for text, is_meant in ((f"handling=lenient, {word}", True), ("handling=lenient", False)):
        if schema is not None and not schema.is_valid(text):
            continue
        options = SendOptions(unit=context.unit, as_job=f"{name}={text}")
        done = perform(prepare_trial(context, valid_cases(context, 1)), options)
        if done.status in SUCCESS_STATUS and (done.status == statuses.get("accepted")) is not is_meant:
            says = f"a request with Prefer: {text} is answered with {done.status}"
            shape = f"a preference is {'not read' if is_meant else 'read that is another'}"
            yield trial_finding("async-is-sync", shape, says, done)


def known_targets(context: SiteContext) -> list[str]:
    """Return the targets in `given`, else those of the contract's examples; empty without a fan-out."""
    declared, given = context.bulk.items.fan_out, context.session.given
    if declared is None:
        return []
    name = declared.over.rpartition("/")[2]
    if name in given:
        return given[name].split(",")
    named = named_targets(context.session.contract, [context.operation])
    return [*named.first, *named.others]


PREFERENCE: Final = "header:Prefer="  # how a wish for a job begins that is a preference
WRITES_NOTHING: Final = frozenset(("bare", "cleared"))  # variants of items that write no value
VARIANT_TRIES: Final = 2  # times that each unusual content is tried


def singular(context: SiteContext) -> Iterator[Finding]:
    """Send every kind of item in bulk, and each alone by its equivalent single-record request."""
    plain, odd, broken = (
        [one for one in some if single_operation(context, one) is not None] for some in _case_groups(context)
    )
    if not plain:
        raise NotApplicableError("the call that items are like does none of the actions that could be tried")
    most = max_independent_items(context)
    sets = [*batched(plain, most), *batched(odd, most), *([one] for one in broken)]
    yield from run_each(sets, partial(_compare_with_single, context))


def _case_groups(context: SiteContext) -> tuple[Sequence[ItemCase], Sequence[ItemCase], Sequence[ItemCase]]:
    """Return plain cases, cases with unusual contents, and cases that may have the whole request refused."""
    (right, wrong), (odd, broken) = available_cases(context), variant_cases(context)
    timeless = not any(_names_version(one) for one in _single_operations(context))
    shared = context.bulk.effect.payload in context.bulk.items.shared
    known = [one for one in wrong if not (timeless and one.defect == "stale")]
    return [*right, *known], () if shared else odd * VARIANT_TRIES, broken


def _compare_with_single(context: SiteContext, cases: Sequence[ItemCase]) -> Iterator[Finding]:
    unit = context.unit
    many = perform(prepare_trial(context, cases, fitting=False), SendOptions(unit=unit))
    trial = prepare_trial(context, cases, fitting=False)
    calls = [send_singly(trial, trial_item) for trial_item in trial.items]
    told = {slot: key for slot, (_, key) in enumerate(calls) if key is not ABSENT}
    for slot, (exchange, _) in enumerate(calls):
        verdict = "done" if exchange.response.status in SUCCESS_STATUS else "failed"
        result = "failed" if many.refused else many.result(slot)
        if result not in {verdict, "untold"}:
            says = f"item {slot} ({cases[slot]}) is {result} in bulk and {verdict} alone ({exchange.response.status})"
            yield trial_finding("singular", f"verdict on {cases[slot]} differs", says, many, exchange)
    yield from _compare_states(many, trial, told, cases, [exchange for exchange, _ in calls])


def _compare_states(
    many: TrialResult, trial: Trial, told: dict[int, object], cases: Sequence[ItemCase], calls: Sequence[Exchange]
) -> Iterator[Finding]:
    slots = range(len(cases))
    bulk, alone = stored_records(many, probe=True), snapshots(trial, told, probe=True)
    for slot, what, pointer in differing_snapshots(bulk, many.trial.names, alone, trial.names, slots):
        says = f"the record of item {slot} ({cases[slot]}) is not the same in bulk and alone: {what}"
        shape = shape_at(f"state after {cases[slot]} differs", pointer)
        yield trial_finding("singular", shape, says, many, bulk[slot], calls[slot], alone[slot])


def single_operation(context: SiteContext, case: ItemCase) -> Operation | None:
    """Return the equivalent single-record operation of a case, None when there is none."""
    wanted = "upsert" if case.action == "delete" and context.bulk.effect.tombstone else case.action
    return next(
        (one for one in _single_operations(context) if one.record is not None and one.record.action.constant == wanted),
        None,
    )


def _single_operations(context: SiteContext) -> list[Operation]:
    if context.bulk.effect.http:
        return [one for one in context.site.operations.values() if one.record is not None]
    named = (context.session.contract.operation(name) for name in context.bulk.effect.like)
    return [one for one in named if one is not None and one.record is not None]


def _names_version(operation: Operation) -> bool:
    return operation.record is not None and operation.record.version is not None


def send_singly(trial: Trial, trial_item: TrialItem) -> tuple[Exchange, object]:
    """Send one item by its single-record operation; return the exchange and the created record's key, or ABSENT."""
    bulk, case = trial.context.bulk, trial_item.case
    like = single_operation(trial.context, case)
    assert like is not None  # noqa: S101 - others were left out
    members = {**trial.shared_members, **trial_item.content.values}
    target = trial_item.content.target
    if case.action == "delete" and bulk.effect.tombstone:
        stones = {at.removeprefix("/"): value for at, value in bulk.effect.tombstone.items()}
        members = {trial.context.resource.key: target, **stones}
    action = like.record.action.constant if like.record is not None else case.action
    made = write_request(trial.context.site, action, members, key=target, version=trial_item.content.version)
    exchange = trial.context.session.send(made.request())
    if exchange.response.status not in SUCCESS_STATUS or target is not None:
        return exchange, ABSENT
    return exchange, key_of_created(trial.context.session, trial.context.site, exchange, members, trial.names)
