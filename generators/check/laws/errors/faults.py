"""The law `errors`: what is wrong with items is told, by code, member and text, and nothing good is blamed.

Begin with `errors`. Items get faults that are known exactly; what is told of them in a bulk response, by a job, by the
equivalent single-record operation and in the refusal of a whole request is compared with these.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle, product
from typing import Any, Final

from contracts.bulk.model import Bulk, Outcomes
from contracts.exchange.bulk_exchange import OutcomeReport
from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.exchange.locations import find, find_all
from contracts.messages import ABSENT, Exchange
from contracts.syntax.text import short
from generators.check.laws.errors.fault_order import (
    KnownFault,
    declared_outcomes,
    length_limits,
    misjoined,
    misplaced_fault,
    sent_names,
    unnamed_fact,
)
from generators.check.laws.errors.member_faults import Faulty, member_trials
from generators.check.laws.errors.referred_faults import freed, referred_trial, referring
from generators.check.laws.errors.refused_faults import refused_errors
from generators.check.laws.metamorphic import known_targets, run_each, send_singly, single_operation, valid_cases
from generators.check.records import read_record
from generators.check.trial_setup import ItemCase, Trial, TrialItem, available_cases, fits_request, prepare_trial
from generators.check.trials import TrialResult, perform, trial_finding
from generators.client.sites import SiteContext
from generators.data.mutation import invalid_variants
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding, shape_at
from generators.requests.envelope import SendOptions
from generators.requests.items import own_key_member
from generators.requests.options import job_setting_of, units_of

KINDS: Final = {"type": ("type",), "length": ("maxLength", "minLength")}  # of faults in values, with their keywords
STATE_KINDS: Final = {"taken": "duplicate", "unknown": "not-found", "stale": "version"}
MIXES: Final = (
    ("length", "reference"),
    ("reference",),
    ("type",),
    ("reference", "reference"),
    ("missing",),
    ("length",),
    ("missing", "length"),
    ("missing", "missing", "reference"),
    ("null",),
)
MIX_OF_TAKEN: Final = ("length",)  # beside a unique value that is in use
MIX_OF_UNKNOWN: Final = ("reference",)  # beside the deletion of what is not there
GOOD_ITEMS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldFault:
    """What an entry tells of a failure: a code, the members that it names, a text."""

    code: object
    members: tuple[str, ...]
    text: object


def tells_errors(declared: Outcomes | None) -> bool:
    """Say whether a declaration tells what failures are like, beside that there are some."""
    return declared is not None and bool(declared.codes or declared.members or declared.names or declared.every)


def errors(context: SiteContext) -> Iterator[Finding]:
    """Judge what is told of items that fail by themselves, and of items that have the whole request refused."""
    yield from run_each((_failed_errors, _referred_errors, freed, refused_errors), lambda part: part(context))


def _failed_errors(context: SiteContext) -> Iterator[Finding]:
    """Send items with known faults in every unit, at once and as jobs, and each alone. Raises NotApplicableError."""
    bulk = context.bulk
    if not any(map(tells_errors, declared_outcomes(bulk))):
        raise NotApplicableError("it does not declare what failures are like")
    units = units_of(bulk) if all(one.every for one in declared_outcomes(bulk)) else units_of(bulk)[:1]
    for unit, made in zip(cycle(units), member_trials(context), strict=False):
        done = perform(made.trial, SendOptions(unit=unit, targets=known_targets(context)[:1]))
        reported = [*_judge_reports(done, made.faults)]
        found = [*_narrowed(done, [*made.faults], reported, made.alone)]
        found += _judge_alone(done, made.faults if made.is_first else {})
        yield from found
        if found:
            return
    for n, (unit, wish) in enumerate(product(units_of(bulk), dict.fromkeys((None, job_setting_of(bulk))))):
        trial, faults = faulty_trial(context)
        done = perform(trial, SendOptions(unit=unit, as_job=wish, targets=known_targets(context)[:1]))
        alone = partial(_faulty_alone, context)
        yield from _narrowed(done, list(faults), list(_judge_reports(done, faults)), alone)
        if n == 0:
            yield from _judge_alone(done, faults)
            trial, others = faulty_trial(context)
            failed = perform(trial, replace(done.options, order=[*others])), others
            yield from misjoined((done, faults), failed)


def _referred_errors(context: SiteContext) -> Iterator[Finding]:
    """Delete records that others refer to, at once and each alone. Raises NotApplicableError."""
    for one, sizes in referring(context):
        with suppress(NotApplicableError):
            trial, faults = referred_trial(context, one, sizes)
            done = perform(trial, SendOptions(unit=units_of(context.bulk)[0]))
            yield from _judge_reports(done, faults)
            yield from _judge_alone(done, faults)


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


def faulty_trial(context: SiteContext, *, only: int | None = None) -> Faulty:
    """Return a trial of good items and of items with faults, and the faults by slot; of `only` one of the items.

    Raises NotApplicableError.
    """
    right, wrong = available_cases(context)
    by_state = [one for one in wrong if one.defect in STATE_KINDS]
    plan = [(_case_of(right, n, mix), mix) for n, mix in enumerate(MIXES)] if right else []
    plan += [(case, ()) for case in (*by_state, *valid_cases(context, GOOD_ITEMS))]
    beside = {"taken", *(["stale"] if "version" in _fault_order(context.bulk) else [])}
    plan += [(case, MIX_OF_TAKEN) for case in by_state if case.defect in beside]
    plan += [(case, MIX_OF_UNKNOWN) for case in by_state if case.action == "delete" and context.bulk.effect.tombstone]
    plan = plan[: context.bulk.items.max or len(plan)] if only is None else plan[only : only + 1]
    trial = prepare_trial(context, [case for case, _ in plan])
    faults: dict[int, Sequence[KnownFault]] = {}
    for trial_item, (_, mix) in zip(list(trial.items), plan, strict=True):
        slot = trial_item.slot
        spoiled, found = trial_item, [_fault_of_state(trial, trial_item)] if trial_item.case.defect is not None else []
        if mix:
            spoiled, more = _with_faults(trial, trial_item, mix)
            found += more
        if found and fits_request(trial, trial_item.case, spoiled.raw):
            trial.items[slot], faults[slot] = spoiled, [_placed(trial, spoiled, one) for one in found]
    if not faults:
        raise NotApplicableError("no item could be made that fails by itself")
    return trial, faults


def _case_of(right: Sequence[ItemCase], n: int, mix: Sequence[str]) -> ItemCase:
    """Return a case that can have a mix of faults: new records lack members, and those that exist have them cleared."""
    writing = [one for one in right if one.action != "delete"] or [*right]
    fitting = [one for one in writing if not (one.existing and "missing" in mix)]
    fitting = [one for one in fitting if one.existing or "null" not in mix] or writing
    return fitting[n % len(fitting)]


def _fault_order(bulk: Bulk) -> Sequence[str]:
    return next((one.fault_order for one in declared_outcomes(bulk) if one.fault_order), ())


def _placed(trial: Trial, spoiled: TrialItem, fault: KnownFault) -> KnownFault:
    """Return a fault with the places of its member in the item and in the schema."""
    names = [*trial.maker.members, *sent_names(find(spoiled.raw, trial.context.bulk.effect.payload))]
    own, sent = [n for n, name in enumerate(names) if name == fault.member], len(trial.maker.members)
    return replace(
        fault,
        declared=next((n for n in own if n < sent), -1),
        sent=next((n - sent for n in own if n >= sent), -1),
    )


def _fault_of_state(trial: Trial, trial_item: TrialItem) -> KnownFault:
    """Return the fault of an item that does not fit what is stored."""
    content, known, kind = trial_item.content, trial_item.known, STATE_KINDS[trial_item.case.defect or ""]
    facts: dict[str, object] = _own_facts(trial, trial_item)
    if kind == "version":
        current = read_record(trial.context.session, trial.context.site, known.key).known_version if known else None
        facts |= {"version": content.version, "current": current}
    group = next((one for one in trial.context.resource.unique if len(one) == 1), ("",))
    member = group[0] if kind == "duplicate" else ""
    return KnownFault(kind=kind, member=member, facts=facts | {"value": content.values.get(member)})


def _own_facts(trial: Trial, trial_item: TrialItem) -> dict[str, object]:
    return {"key": trial_item.content.target, "title": _title(trial, trial.context.resource.name)}


def _title(trial: Trial, resource: str) -> object:
    """Return the title of a resource's schema, None when it has none."""
    contract = trial.context.session.contract
    ref = contract.resources[resource].schema if resource in contract.resources else None
    return None if ref is None else contract.schemas.schema(ref).raw.get("title")


def _with_faults(trial: Trial, trial_item: TrialItem, kinds: Sequence[str]) -> tuple[TrialItem, list[KnownFault]]:
    """Return an item with a fault of each kind, each in another member, as far as there are such members."""
    bulk, content = trial.context.bulk, trial_item.content
    if content.action == "delete" and bulk.effect.tombstone and not bulk.effect.payload:
        return _deletion_with_reference(trial, trial_item)
    if content.action == "delete" or bulk.effect.payload in bulk.items.shared:
        return trial_item, []
    members, found = dict(content.values), list[KnownFault]()
    for kind in kinds:
        fault = _spoil(trial, trial_item, members, kind, {one.member for one in found})
        found += [fault] if fault is not None else []
    spoiled = trial.with_members(trial_item, dict(reversed(members.items())) if trial_item.slot % 2 else members)
    sent = find(spoiled.raw, bulk.effect.payload)  # what an item must have may have been filled in again
    kept = [one for one in found if one.kind != "missing" or not (isinstance(sent, dict) and one.member in sent)]
    return spoiled, kept


def _deletion_with_reference(trial: Trial, trial_item: TrialItem) -> tuple[TrialItem, list[KnownFault]]:
    """Return an item that marks a record as deleted, and refers to nothing beside it."""
    fault = _refer_to_nothing(trial, trial_item.slot, members := dict[str, Any](), set())
    return replace(trial_item, raw={**trial_item.raw, **members}), [fault] if fault is not None else []


def _spoil(
    trial: Trial, trial_item: TrialItem, members: dict[str, Any], kind: str, used: set[str]
) -> KnownFault | None:
    """Put a fault into members and return it, None when no member can have it."""
    if kind == "reference":
        return _refer_to_nothing(trial, trial_item.slot, members, used)
    if kind == "null":
        return _clear(trial, members, used)
    if kind != "missing":
        return _break_value(trial, trial_item.slot, members, kind, used)
    resource = trial.context.resource
    spared = {resource.key, own_key_member(trial.context.bulk), *resource.references, *used}
    names = sorted(resource.required, key=trial.maker.unique.__contains__)  # those that tell records apart come last
    name = next((one for one in names if one in members and one not in spared), None)
    if trial_item.case.existing or name is None:
        return None
    del members[name]
    return KnownFault(kind=kind, member=name, facts=_own_facts(trial, trial_item))


def _refer_to_nothing(trial: Trial, slot: int, members: dict[str, Any], used: set[str]) -> KnownFault | None:
    schemas, resources = trial.maker.members, trial.context.session.contract.resources
    named = trial.context.resource.references
    name = next((one for one in named if one in schemas and one not in used), None)
    if name is None:
        return None
    assigned = named[name] in resources and resources[named[name]].assigned
    context = trial.record_context(f"f{slot}{name}")
    members[name] = context.absent_key(named[name], schemas[name], assigned=assigned)
    return KnownFault(
        kind="reference", member=name, facts={"value": members[name], "title": _title(trial, named[name])}
    )


def _clear(trial: Trial, members: dict[str, Any], used: set[str]) -> KnownFault | None:
    """Set a text to null that may not be null."""
    schemas, resource = trial.maker.members, trial.context.resource
    spared = {*used, own_key_member(trial.context.bulk) or "", resource.key, *resource.references}
    own = [name for name in dict.fromkeys((*trial.maker.free, *schemas)) if name not in spared]
    texts = [name for name in own if schemas[name].raw.get("type") == "string"]
    name = next((one for one in texts if trial.can_have({one: None})), None)
    if name is None:
        return None
    members[name] = None
    return KnownFault(kind="null", member=name, facts=length_limits(schemas[name]) | {"length": 0})


def _break_value(trial: Trial, slot: int, members: dict[str, Any], kind: str, used: set[str]) -> KnownFault | None:
    """Put a value of a wrong type or length into a free member, preferably one that is there."""
    maker, context = trial.maker, trial.record_context(f"f{slot}{kind}")
    used = {*used, own_key_member(trial.context.bulk) or ""}
    for name in sorted(set(maker.free) - used, key=lambda one: (one not in members, maker.free.index(one))):
        value = maker.any_value(name, context) if members.get(name) is None else members[name]
        raw = maker.members[name].raw
        for mutation in invalid_variants(maker.members[name], value, context.rng, keywords=KINDS[kind]):
            new = mutation.value
            if mutation.keyword == "maxLength" and isinstance(new, str) and not {"format", "pattern"} & raw.keys():
                new = f"{new[:-1]}é"  # two bytes, one character
            if new is None or mutation.pointer or not trial.can_have({name: new}):
                continue
            members[name] = new
            length = len(new) if isinstance(new, str) else None
            return KnownFault(kind=kind, member=name, facts=length_limits(maker.members[name]) | {"length": length})
    return None


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
    return ToldFault(code=error, members=tuple(map(str, members)), text=text)


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
