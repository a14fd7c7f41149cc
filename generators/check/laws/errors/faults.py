"""The law `errors`: what is wrong with items is told, by code, member and text, and nothing good is blamed.

Begin with `errors`. Items get faults that are known exactly; what is told of them in a bulk response, by a job, by the
equivalent single-record operation and in the refusal of a whole request is compared with these.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, cycle, product
from typing import Final

from contracts.bulk.model import Bulk, Outcomes
from contracts.exchange.bulk_exchange import OutcomeReport
from contracts.exchange.bulk_request import names_target
from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.exchange.locations import find, find_all, put
from contracts.messages import ABSENT, Exchange
from contracts.schemas.equality import key_text
from contracts.syntax.text import short
from generators.check.laws.errors.fault_order import (
    KnownFault,
    declared_outcomes,
    misjoined,
    misplaced_fault,
    unnamed_fact,
)
from generators.check.laws.errors.faulty_items import faulty_trial
from generators.check.laws.errors.member_faults import Faulty, member_trials
from generators.check.laws.errors.referred_faults import (
    freed,
    kept,
    lacking_trials,
    pair_trials,
    referred_trials,
    undone,
)
from generators.check.laws.errors.refused_faults import refused_errors
from generators.check.laws.metamorphic import known_targets, run_each, send_singly, single_operation
from generators.check.trial_setup import ItemCase, Trial, available_cases, prepare_trial
from generators.check.trials import TrialResult, perform, trial_finding
from generators.client.sites import SiteContext
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding, shape_at
from generators.requests.envelope import SendOptions
from generators.requests.options import job_setting_of, stops_at_failure, units_of

GROUPS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldFault:
    """What an entry tells of a failure: a code, the members that it names, a text; whether it can name several."""

    code: object
    members: tuple[str, ...]
    text: object
    is_listing: bool = False


def tells_errors(declared: Outcomes | None) -> bool:
    """Say whether a declaration tells what failures are like, beside that there are some."""
    return declared is not None and bool(declared.codes or declared.members or declared.names or declared.every)


def errors(context: SiteContext) -> Iterator[Finding]:
    """Judge what is told of items that fail by themselves, and of items that have the whole request refused."""
    named = [partial(_reference_errors, one) for one in (referred_trials, lacking_trials, pair_trials)]
    parts: Sequence[Callable[[SiteContext], Iterator[Finding]]] = (
        _failed_errors,
        *named,
        freed,
        undone,
        _behind_failure,
        kept,
        refused_errors,
    )
    yield from run_each((*parts, _member_errors), lambda part: part(context))


def _failed_errors(context: SiteContext) -> Iterator[Finding]:
    """Send items with known faults in every unit, at once and as jobs, and each alone. Raises NotApplicableError."""
    bulk = context.bulk
    _require_told(bulk)
    plain = SendOptions(targets=known_targets(context)[:1])
    ways = [replace(plain, as_job=wish) for wish in dict.fromkeys((None, job_setting_of(bulk)))]
    ways += [replace(plain, grouped=True)] if bulk.order.run == "grouped" and bulk.order.when else []
    for n, (unit, way) in enumerate(product(units_of(bulk), ways)):
        trial, faults = faulty_trial(context)
        trial = _in_groups(trial) if way.grouped else trial
        done = perform(trial, replace(way, unit=unit))
        alone = partial(_faulty_alone, context)
        yield from _narrowed(done, list(faults), list(_judge_reports(done, faults)), alone)
        if n == 0:
            yield from _judge_alone(done, faults)
            trial, others = faulty_trial(context)
            failed = perform(trial, replace(done.options, order=[*others])), others
            yield from misjoined((done, faults), failed)


def _in_groups(trial: Trial) -> Trial:
    """Return a trial whose items are in groups, some in each."""
    at = trial.context.bulk.order.group_by or ""
    fit = trial.context.spec.encoder.fits
    grouped = [put(one.raw, at, str(n % GROUPS)) for n, one in enumerate(trial.items)] if at.startswith("/") else []
    if not grouped or not all(map(fit, grouped)):
        return trial
    return replace(trial, items=[replace(one, raw=raw) for one, raw in zip(trial.items, grouped, strict=True)])


def _require_told(bulk: Bulk) -> None:
    if not any(map(tells_errors, declared_outcomes(bulk))):
        raise NotApplicableError("it does not declare what failures are like")


def _behind_failure(context: SiteContext) -> Iterator[Finding]:
    """Let two items meet behind one that fails the whole request: the second is told as it is without that one."""
    bulk, (right, wrong) = context.bulk, available_cases(context)
    told = bulk.reply.outcomes
    is_told = told is not None and bool(told.every) and "whole" in units_of(bulk) and not stops_at_failure(bulk)
    if not (is_told and wrong and (bulk.order.run == "listed" or bulk.order.when)):
        raise NotApplicableError("it does not declare that each item that is wrong is told, whatever fails before it")
    yield from run_each(right, lambda case: _pair_behind(context, wrong[0], case))


def _pair_behind(context: SiteContext, bad: ItemCase, case: ItemCase) -> Iterator[Finding]:
    """Do so with two items on one record, or with one unique value. Raises NotApplicableError."""
    trial = prepare_trial(context, [bad, case, replace(case, twin=1)])
    if context.bulk.effect.version is None and case.existing and case.action != "delete":
        raise NotApplicableError("two changes of a record do not meet")
    options = SendOptions(unit="whole", targets=known_targets(context)[:1])
    control, done = perform(trial, replace(options, order=[1, 2])), perform(trial, options)
    if control.slots("failed") == [2] and done.slots("failed") == [0]:
        says = f"a second {case.action} of one record is told as failed, and not behind an item that fails"
        yield _finding(done, "not told behind a failure", says, control.view.exchange)


def _member_errors(context: SiteContext) -> Iterator[Finding]:
    """Send items with one wrong member each, until one is told wrongly. Raises NotApplicableError."""
    bulk = context.bulk
    _require_told(bulk)
    units = units_of(bulk) if all(one.every for one in declared_outcomes(bulk)) else units_of(bulk)[:1]
    for unit, made in zip(cycle(units), member_trials(context), strict=False):
        done = perform(made.trial, SendOptions(unit=unit, targets=known_targets(context)[:1]))
        reported = [*_judge_reports(done, made.faults)]
        found = [*_narrowed(done, [*made.faults], reported, made.alone)]
        found += _judge_alone(done, made.faults if made.is_first else {})
        yield from found
        if found:
            return


def _reference_errors(trials: Callable[[SiteContext], Iterator[Faulty]], context: SiteContext) -> Iterator[Finding]:
    """Send items that fail for references in every unit, as a job too, and each alone. Raises NotApplicableError."""
    for trial, faults in trials(context):
        ways = [SendOptions(unit=unit) for unit in units_of(context.bulk)]
        ways += [replace(ways[0], as_job=wish) for wish in [job_setting_of(context.bulk)] if wish is not None]
        results = [perform(trial, way) for way in ways]
        yield from chain.from_iterable(_judge_reports(done, faults) for done in results)
        yield from _judge_alone(results[0], faults)


def _faulty_alone(context: SiteContext, slot: int) -> Faulty:
    return faulty_trial(context, only=slot)


def _narrowed(
    done: TrialResult, slots: Sequence[int], found: Sequence[Finding], alone: Callable[[int], Faulty]
) -> Iterator[Finding]:
    """Yield findings, from a request with the one item that brings a finding out, where there is such an item."""
    left = {one.shape: one for one in found}
    for slot in slots:
        with suppress(NotApplicableError):
            if left:
                trial, faults = alone(slot)
                shown = _judge_reports(perform(trial, done.options), faults)
                yield from [one for one in shown if left.pop(one.shape, None) is not None]
    yield from left.values()


def _judge_reports(done: TrialResult, faults: Mapping[int, Sequence[KnownFault]]) -> Iterator[Finding]:
    return (one for report in done.view.reports for one in _judge_report(done, report, faults))


def _judge_report(
    done: TrialResult, report: OutcomeReport, faults: Mapping[int, Sequence[KnownFault]]
) -> Iterator[Finding]:
    """Yield what a report tells wrongly of items with faults, and of those without."""
    declared, whole = report.declared, done.view.request.unit == "whole"
    entries: dict[int, list[ToldFault]] = {}
    for entry in report.entries:
        for slot in entry.items if entry.failed else ():
            entries.setdefault(slot, []).append(told_fault(declared, entry.raw, entry.error))
    for slot, expected in faults.items():
        about = f"item {slot}, a {done.trial.items[slot].case.action} with {' and '.join(map(str, expected))} at fault"
        if slot in entries:
            for shape, says in misreported(done.trial, declared, expected, entries[slot]):
                yield _finding(done, shape, f"of {about}, {says}", *report.evidence)
        elif (declared.every or not whole) and tells_errors(declared):
            yield _finding(done, "a bad item is not told", f"{about}, is not told as failed", *report.evidence)
    blamed = sorted(entries.keys() - faults.keys())
    if blamed and _succeed_alone(done, faults):
        says = f"item {blamed[0]} is told as failed, but succeeds in a request without the items that are wrong"
        yield _finding(done, "a good item is told as failed", says, *report.evidence)


def _succeed_alone(done: TrialResult, faults: Mapping[int, Sequence[KnownFault]]) -> bool:
    """Say whether the good items of a trial succeed without the others."""
    trial, _ = faulty_trial(done.trial.context)
    good = [slot for slot in range(len(trial.items)) if slot not in faults]
    again = perform(trial, replace(done.options, order=good))
    return not again.refused and all(again.result(slot) == "done" for slot in good)


def _finding(done: TrialResult, shape: str, says: str, *more: Exchange) -> Finding:
    return trial_finding("errors", shape, says, done, *more)


def told_fault(declared: Outcomes, raw: object, error: object) -> ToldFault:
    """Return what the entry of a failure tells."""
    named = find(raw, declared.members) if declared.members is not None else ABSENT
    members = named if isinstance(named, list) else [] if named is ABSENT else [named]
    text = error if declared.message is None else find(raw, declared.message)
    return ToldFault(code=error, members=tuple(map(str, members)), text=text, is_listing=isinstance(named, list))


def _judge_alone(done: TrialResult, faults: Mapping[int, Sequence[KnownFault]]) -> Iterator[Finding]:
    """Send items with faults by their single-record operation, and yield what its refusals tell wrongly."""
    trial, declared = done.trial, done.view.bulk.reply.outcomes
    if declared is None or declared.alike is None:
        return
    for slot, expected in faults.items():
        if single_operation(trial.context, trial.items[slot].case) is None:
            continue
        exchange, _ = send_singly(trial, trial.items[slot])
        found = next(find_all(exchange.response.data, declared.alike), None)
        if exchange.response.status in SUCCESS_STATUS and done.result(slot) == "failed":
            says = f"a {trial.items[slot].case.action} with {expected[0]} at fault, which fails among others, is done"
            yield _finding(done, "alone: a bad item is done", says, exchange)
        if exchange.response.status in SUCCESS_STATUS or not isinstance(found, list) or not found:
            continue
        told = [told_fault(declared, raw, find(raw, declared.error) if declared.error else ABSENT) for raw in found]
        others = [find(raw, declared.key) for raw in found] if declared.key and names_target(done.view.bulk) else []
        if astray := [one for one in others if key_text(one) != key_text(trial.items[slot].content.target)]:
            says = f"a fault of a {trial.items[slot].case.action}, sent alone, is told of {short(astray[0])}"
            yield _finding(done, "alone: another record is told", says, exchange)
        for shape, says in misreported(trial, declared, expected, told):
            about = f"of a {trial.items[slot].case.action} with {' and '.join(map(str, expected))} at fault"
            yield _finding(done, f"alone: {shape}", f"{about}, sent alone, {says}", exchange)


def misreported(
    trial: Trial, declared: Outcomes, faults: Sequence[KnownFault], told: Sequence[ToldFault]
) -> Iterator[tuple[str, str]]:
    """Yield shape and description of what is told wrongly of one item's faults; `told` has at least one entry."""
    differences = [[_difference(trial, declared, fault, one) for one in told] for fault in faults]
    missed = [(fault, min(filter(None, some))) for fault, some in zip(faults, differences, strict=True) if all(some)]
    if not declared.every and len(missed) < len(faults):
        return
    for fault, (_, shape, says) in missed:
        is_lost = declared.many and len(told) < len(faults)
        yield (f"{fault.kind} is not told", f"nothing is told of the {fault}") if is_lost else (shape, says)
    if not missed and len(faults) > 1 and declared.fault_order:
        entries = [some.index(None) for some in differences]
        order = misplaced_fault(declared, faults, entries, [told[n].text for n in entries])
        yield from [("faults in another order", order)] if order is not None else []
    right = {_written(trial, declared, name) for fault in faults for name in _members_at_fault(trial, fault)}
    foreign = next((name for one in told for name in one.members if name not in right), None)
    if foreign is not None and not missed and all(fault.member for fault in faults):
        yield "a good member is told", f"{short(foreign)} is told to be wrong"


def _difference(trial: Trial, declared: Outcomes, fault: KnownFault, told: ToldFault) -> tuple[int, str, str] | None:
    """Return how far an entry is from telling a fault (smaller is closer), shape and description; None when it does."""
    code, member = declared.codes.get(fault.kind), _written(trial, declared, fault.member)
    if code is not None and told.code != code:
        named = declared.members is None or not fault.member or member in told.members
        shape = shape_at(f"{fault.kind} has another code", "", told.code, code)
        return 3 - named, shape, f"the {fault} is told with {short(told.code)}, but {short(code)} is declared"
    if fault.member and declared.members is not None and member not in told.members:
        return 2, f"{fault.kind} names another member", f"the {fault} is told of {short(list(told.members))}"
    others = {_written(trial, declared, one) for one in _members_at_fault(trial, fault) if fault.member}
    if told.is_listing and not others <= {*told.members}:
        return 2, f"{fault.kind} names not all members", f"the {fault} is told of {short(list(told.members))} alone"
    fact = unnamed_fact(declared, fault, told.text, member)
    if fact is None:
        return None
    says = f"the text {short(told.text)} does not name the {fact} of the {fault}"
    return 1, f"text of {fault.kind} without {fact}", says


def _members_at_fault(trial: Trial, fault: KnownFault) -> Sequence[str]:
    groups = [one for one in trial.context.resource.unique if fault.member in one]
    return [name for one in groups for name in one] if fault.kind == "duplicate" else [fault.member]


def _written(trial: Trial, declared: Outcomes, member: str) -> str:
    """Return the name of a member as a failure writes it."""
    names = {"resource": trial.context.resource.name, "member": member, "Member": member[:1].upper() + member[1:]}
    return declared.member_as.format_map(names)
