"""The law on large requests: `uniform`. What becomes of an item does not depend on how many stand before it.

Begin with `uniform`. The items of a request differ in fresh names alone, so that their records do too.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import cycle, islice
from typing import Final

from contracts.messages import ABSENT
from contracts.schemas.equality import equivalent
from contracts.syntax.text import short
from generators.check.laws.limits import TELLING_SLOTS
from generators.check.lists import whole_list
from generators.check.records import Snapshot, snapshot_of
from generators.check.trial_setup import ItemCase, Trial, available_cases, prepare_trial
from generators.check.trials import TrialResult, is_astray, perform, record_keys, stored_records, trial_finding
from generators.client.sites import SiteContext
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding
from generators.requests.envelope import SendOptions
from generators.requests.options import actions_of, units_of

LAW: Final = "uniform"
MANY: Final = 17  # items of a request that has many
SIZES: Final = (100, 128, 256, 1001)  # beside decimal and binary boundaries, and at them
BRIEF_SIZES: Final = (100, 256)  # where jobs take real time
FAILURES: Final = 150  # items that fail, or change records, in one request
FEW: Final = 3


def uniform(context: SiteContext) -> Iterator[Finding]:
    """Create many records in one request, whose records differ in names alone; then let many items fail."""
    needed = [name for name in context.resource.references if name in context.resource.required]
    if needed:
        raise NotApplicableError(f"its {context.resource.name} must refer to other records ('{needed[0]}'), one each")
    action = next((one for one in ("create", "upsert") if one in actions_of(context.bulk)), None)
    if action is None:
        yield from _judge_changes(context)
        return
    waits = context.bulk.job is not None and "always" in context.bulk.job.when and not context.session.controlled
    most = context.bulk.items.max or MANY
    sizes = dict.fromkeys(min(size, most) for size in (BRIEF_SIZES if waits else SIZES))
    for size in sizes:
        yield from _judge_size(context, ItemCase(action=action), size)
    with suppress(NotApplicableError):
        yield from _judge_failures(context, min(FAILURES, most))
    with suppress(NotApplicableError):
        yield from _judge_ends(context, min(max(SIZES), most))


def _judge_changes(context: SiteContext) -> Iterator[Finding]:
    """Change or delete many records in one request; then let a payload that they share fail."""
    case = next((one for one in available_cases(context)[0] if one.existing), None)
    if case is None:
        raise NotApplicableError("no item could be made that changes a record")
    done = perform(prepare_trial(context, [case] * _many(context)), SendOptions(unit=context.unit))
    if done.refused or not done.slots("done"):
        raise NotApplicableError(f"a request of many valid items was not carried out ({done.status})")
    others = [slot for slot in range(_many(context)) if done.result(slot) not in {"done", "untold"}]
    if others:
        says = f"of {_many(context)} items of one kind item {others[0]} is {done.result(others[0])}, others are done"
        yield trial_finding(LAW, "an item of many is not done", says, done)
    else:
        yield from _judge_changed(done, case)
    yield from _judge_shared_fault(context, case)
    with suppress(NotApplicableError):
        yield from _judge_failures(context, _many(context))


def _many(context: SiteContext) -> int:
    return min(FAILURES, context.bulk.items.max or MANY)


def _judge_changed(done: TrialResult, case: ItemCase) -> Iterator[Finding]:
    """Yield a record of many that is not as its item says."""
    trial, last = done.trial, len(done.trial.items) - 1
    slots = sorted({slot for slot in (*TELLING_SLOTS, last) if slot <= last})
    for slot, after in stored_records(done, slots=slots).items():
        wanted = {**trial.shared_members, **trial.items[slot].content.values} if case.action != "delete" else {}
        shown = after.members or {}
        lost = [
            name for name, value in wanted.items() if not equivalent(trial.maker.members[name], shown.get(name), value)
        ]
        if is_astray(trial, case, after) or (after.members is not None and lost):
            says = f"of {last + 1} items that are done, item {slot} ({case.action}) was not carried out"
            yield trial_finding(LAW, "an item of many is not carried out", says, done, after)
            return


def _judge_shared_fault(context: SiteContext, case: ItemCase) -> Iterator[Finding]:
    """Give several items a payload that fails: each of them does, and is told."""
    if context.bulk.effect.payload not in context.bulk.items.shared or context.unit != "item":
        return
    trial = prepare_trial(context, [case] * FEW)
    spared = {*trial.maker.unique, context.resource.key}
    broken = trial.maker.broken_members(trial.shared_members, trial.rng("shared"), spared=spared, keywords=("type",))
    trial.shared = context.spec.encoder.payload(next((one.value for one in broken if isinstance(one.value, dict)), {}))
    done = perform(trial, SendOptions(unit="item"))
    told = [done.result(slot) for slot in range(FEW)]
    if not done.refused and "failed" in told and set(told) != {"failed"}:
        says = (
            f"of {FEW} items that share a payload which fails, item {told.index('failed')} failed, and others did not"
        )
        yield trial_finding(LAW, "a shared fault fails one item", says, done)


def _judge_ends(context: SiteContext, size: int) -> Iterator[Finding]:
    """Let few items of a long request fail with one text, the first and the last among them."""
    valid = next((one for one in available_cases(context)[0] if not one.existing), None)
    references, resources = context.resource.references, context.session.contract.resources
    if valid is None or context.unit != "item":
        return
    for count in (FEW, size):
        trial = prepare_trial(context, [valid] * count, alike=True)
        member = next((name for name in references if name in trial.maker.members), None)
        if member is None:
            return
        assigned = references[member] in resources and resources[references[member]].assigned
        record_context = trial.record_context("missing")
        missing = record_context.absent_key(references[member], trial.maker.members[member], assigned=assigned)
        failing = {slot for slot in (0, *TELLING_SLOTS[2:], count - 1) if slot < count}
        for slot in failing:
            one = trial.items[slot]
            trial.items[slot] = trial.with_members(one, {**one.content.values, member: missing})
        done = perform(trial, SendOptions(unit="item"))
        if done.refused or not done.slots("failed"):
            return
        unlike = [n for n in range(count) if done.result(n) not in {"failed" if n in failing else "done", "untold"}]
        if unlike:
            says = f"{len(failing)} of {count} items refer to the same that is missing, and item {unlike[0]} is"
            says = f"{says} {done.result(unlike[0])}"
            yield trial_finding(LAW, "equal failures of many are not told", says, done)
            return


def _judge_size(context: SiteContext, case: ItemCase, size: int) -> Iterator[Finding]:
    trial = _marked(prepare_trial(context, [case] * size, alike=True))
    if trial.names.is_scarce:
        raise NotApplicableError(f"there are not {size} new values of what is unique that are certainly unused")
    done = perform(trial, SendOptions(unit=context.unit))
    if done.refused or not done.slots("done"):
        raise NotApplicableError(f"a request of {size} valid items was not carried out ({done.status})")
    others = [slot for slot in range(size) if done.result(slot) not in {"done", "untold"}]
    if others:
        says = f"of {size} equal items item {others[0]} is {done.result(others[0])}, others are done"
        yield trial_finding(LAW, "an item of many is not done", says, done)
        return
    yield from _judge_records(done, _stored(done))


def _marked(trial: Trial) -> Trial:
    """Return a trial with a fresh text in a member of each item that has none otherwise, where there is one."""
    barred = trial.context.barred(trial.maker.free)
    for n, one in enumerate(trial.items):
        try:
            change = trial.maker.fresh_change(trial.record_context(f"u{n}"), f"u{n}", besides=barred)
        except NotApplicableError:
            return trial
        trial.items[n] = trial.with_members(one, {**one.content.values, **change})
    return trial


def _stored(done: TrialResult) -> Mapping[int, Snapshot]:
    """Return the records of all items from a list, or else of some from single reads."""
    context, keys = done.trial.context, record_keys(done)
    try:
        whole = whole_list(context.session, context.site)
    except NotApplicableError:
        last = len(done.trial.items) - 1
        return stored_records(done, slots=sorted({slot for slot in (*TELLING_SLOTS, last) if slot <= last}))
    missing = [slot for slot, key in keys.items() if key is not None and str(key) not in whole.bodies]
    reads = stored_records(done, slots=missing[:1])
    found = {
        slot: snapshot_of(context.session, context.site, whole.bodies[str(key)], whole.page_of(str(key)))
        for slot, key in keys.items()
        if key is not None and str(key) in whole.bodies
    }
    return {**found, **reads}


def _judge_records(done: TrialResult, stored: Mapping[int, Snapshot]) -> Iterator[Finding]:
    """Yield a record that is missing, or has a member that most of its like have otherwise."""
    size = len(done.trial.items)
    lost = [slot for slot, one in stored.items() if one.present is False]
    if lost:
        says = f"of {size} items that are done, item {lost[0]} was not stored"
        yield trial_finding(LAW, "an item of many is not stored", says, done, stored[lost[0]])
    kept: dict[str, dict[int, bool]] = {}
    for slot, one in stored.items():
        sent = done.trial.items[slot].content.values
        for name, value in sent.items() if one.present else ():
            kept.setdefault(name, {})[slot] = (one.members or {}).get(name) == value
    for name, same in kept.items():
        odd = [slot for slot, is_same in same.items() if not is_same]
        if odd and 2 * len(odd) < len(same):
            slot = odd[0]
            got = short((stored[slot].members or {}).get(name, ABSENT))
            says = f"of {size} items that differ in names alone, '{name}' of item {slot} is stored as {got}"
            yield trial_finding(LAW, f"'{name}' of an item of many", says, done, stored[slot])
    yield from _judge_versions(done, stored)


def _judge_versions(done: TrialResult, stored: Mapping[int, Snapshot]) -> Iterator[Finding]:
    """Yield a new record whose version is a number other than that of most of its like."""
    versions = {slot: one.version for slot, one in stored.items() if one.present and isinstance(one.version, int)}
    counts = Counter(versions.values())
    usual, count = counts.most_common(1)[0] if counts else (None, 0)
    odd = [slot for slot, version in versions.items() if version != usual]
    if odd and 2 * count > len(versions):
        says = f"of {len(done.trial.items)} new records that of item {odd[0]} is at version {versions[odd[0]]}"
        yield trial_finding(LAW, "version of an item of many", f"{says}, others at {usual}", done, stored[odd[0]])


def _can_be_many(context: SiteContext, case: ItemCase) -> bool:
    """Return whether a case can be made again and again; the data of some leave no room for its fault."""
    try:
        prepare_trial(context, [case] * MANY)
    except NotApplicableError:
        return False
    return True


def _judge_failures(context: SiteContext, size: int) -> Iterator[Finding]:
    """Let each kind of item that fails alone fail many times beside valid ones, and once beside many."""
    right, wrong = available_cases(context)
    cases = [one for one in wrong if not one.needs_record and one.defect != "taken" and _can_be_many(context, one)]
    told = context.bulk.reply.outcomes
    if not cases or not right:
        return
    valid = min(right, key=lambda one: one.existing)
    for unit in units_of(context.bulk):
        if unit == "item" or (unit == "whole" and told is not None and told.every):
            yield from _judge_unit(context, valid, cases, unit, size)


def _judge_unit(
    context: SiteContext, valid: ItemCase, cases: Sequence[ItemCase], unit: str, size: int
) -> Iterator[Finding]:
    """Let items fail in one unit: where all fail together, those that are wrong are told, and no others."""
    few = perform(prepare_trial(context, [valid, *cases], alike=True), SendOptions(unit=unit))
    failing = [case for n, case in enumerate(cases, 1) if not few.refused and few.result(n) == "failed"]
    if not failing or few.result(0) == "failed":
        return
    many = {"most fail": list(islice(cycle([*failing, *failing, *failing, valid]), size))}
    if not valid.existing:
        many["one fails"] = [*[valid] * (size - 2), failing[0], valid]
    for what, items in many.items():
        done = perform(prepare_trial(context, items, alike=True), SendOptions(unit=unit))
        if done.refused:
            says = f"a request of {size} items of which {what} is refused ({done.status}), one with a few is not"
            yield trial_finding(LAW, "many failures are refused", says, few, done)
            return
        for n, case in enumerate(items):
            wanted, got = "failed" if case.defect else few.result(0), done.result(n)
            if got != wanted and (case.defect or got != "untold"):
                says = f"item {n} of {size}, of which {what}, is {got}; among a few it is {wanted} ({case})"
                yield trial_finding(LAW, f"{wanted} item of many is {got}", says, few, done)
                return
