"""Laws on the stored state: atomic, reuse and stale-version, and the check of effects. Begin with `effect`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final

from contracts.bulk.normalisation import stored_forms
from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.exchange.locations import choose, put
from contracts.exchange.preconditions import is_next
from contracts.messages import ABSENT
from contracts.schemas.equality import difference_at, equal, equivalent
from contracts.syntax.text import pointer_of, short
from generators.check.laws.again import created_again
from generators.check.laws.exact import old_versions
from generators.check.laws.keys import takes_texts
from generators.check.laws.metamorphic import (
    batched,
    insert_case,
    invalid_cases,
    max_independent_items,
    run_each,
    send_singly,
    single_operation,
    valid_cases,
)
from generators.check.laws.ordering import with_successive_versions
from generators.check.records import Snapshot
from generators.check.trial_setup import ItemCase, Trial, TrialItem, available_cases, prepare_trial, variant_cases
from generators.check.trials import TrialResult, is_astray, perform, snapshots_before, stored_records, trial_finding
from generators.client.sites import SiteContext
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding, shape_at
from generators.requests.envelope import SendOptions
from generators.requests.options import actions_of, units_of

VALID_ITEMS = 4  # around the failing one
DEFAULT_LISTS: Final = (1, 2)  # also sent without a unit: there is something to roll back, whatever the failure
CHANGING: Final = ("update", "upsert")
UNLIKE_STORED: Final = (" Two Words  ", " aB ", "aB", " ab ", "ab ", 12.34567, 0.987654321)


def atomic(context: SiteContext) -> Iterator[Finding]:
    """Send units with one failing item first, in the middle or last; then look for changes that remained."""
    failures = seen = 0
    for n, cases in enumerate(_case_lists(context)):
        for unit in _atomic_units(context, with_default=n in DEFAULT_LISTS):
            trial = prepare_trial(context, _in_groups(cases) if unit == "group" else cases)
            initial = snapshots_before(trial)
            done = perform(trial, SendOptions(unit=unit))
            if done.refused or done.slots("failed"):
                failures += 1
                after = stored_records(done, slots=_failed_group(trial), probe=True)
                seen += sum(one.present is not None for one in after.values())
                yield from _judge_rollback(trial, initial, after, done)
    yield from _judge_changed_twice(context)
    if not failures:
        raise NotApplicableError("no unit failed, although some should")
    if not seen:
        raise NotApplicableError("it cannot be determined which records are stored")


def _judge_changed_twice(context: SiteContext) -> Iterator[Finding]:
    """Change one record twice, and let an item behind fail: the record is as it was before both."""
    case = next((one for one in available_cases(context)[0] if one.existing and one.action in CHANGING), None)
    if case is None or context.bulk.order.run == "any" or "duplicateTarget" in context.bulk.guard.refuse:
        return
    for unit in (one for one in units_of(context.bulk) if one == "whole"):
        cases = [case, replace(case, twin=0), invalid_cases(context)[0]]
        trial = with_successive_versions(prepare_trial(context, cases))
        initial = snapshots_before(trial, [0])
        done = perform(trial, SendOptions(unit=unit))
        if done.refused or done.slots("failed"):
            yield from _judge_rollback(trial, initial, stored_records(done, slots=[0], probe=True), done)


def _atomic_units(context: SiteContext, *, with_default: bool) -> list[str | None]:
    """Return the units of several items that a request can have; None where that is the default, and is wanted."""
    default = context.bulk.unit.of.default
    unsaid = choose(context.bulk.unit.of, ABSENT) if default is not None else None
    said: list[str | None] = [one for one in units_of(context.bulk) if one != "item"]
    return [*said, *([None] if with_default and unsaid in said else [])]


def _case_lists(context: SiteContext) -> Iterator[list[ItemCase]]:
    right, wrong = valid_cases(context, VALID_ITEMS), invalid_cases(context)
    for n, at in enumerate((0, VALID_ITEMS // 2, VALID_ITEMS)):
        yield insert_case(right, wrong[n % len(wrong)], at)
    for one in wrong[3:]:
        yield insert_case(right, one, VALID_ITEMS)


def _in_groups(cases: Sequence[ItemCase]) -> list[ItemCase]:
    """Return the cases in one group, and the valid ones in another."""
    right = [one for one in cases if not one.defect]
    return [*(replace(one, group=1) for one in cases), *(replace(one, group=2) for one in right)]


def _failed_group(trial: Trial) -> list[int]:
    return [trial_item.slot for trial_item in trial.items if trial_item.case.group in {None, 1}]


def _judge_rollback(
    trial: Trial, initial: Mapping[int, Snapshot], after: Mapping[int, Snapshot], done: TrialResult
) -> Iterator[Finding]:
    """Yield what a failed unit changed."""
    for slot, other in after.items():
        case, one = trial.items[slot].case, initial[slot]
        if one.differs(other, trial.names):
            who = "the item that failed" if case.defect else "an item beside it"
            says = f"a unit ({done.options.unit}) failed, but item {slot} ({case}), {who}, changed the stored state"
            yield trial_finding("atomic", f"{case.action} stays", says, done, one, other)


def stale_version(context: SiteContext) -> Iterator[Finding]:
    """Change each record once; then send current versions around a stale one, for each action with a version."""
    right, wrong = available_cases(context)
    live = [one for one in right if one.existing and one.action not in {"delete", "create"}]
    actions = [one for one in actions_of(context.bulk) if ItemCase(action=one, defect="stale", existing=True) in wrong]
    for case in live:
        yield from _judge_increment(context, case)
        yield from _judge_idle(context, case)
    if not actions:
        raise NotApplicableError("no item could be made that names a stale version")
    for action in actions:
        yield from _judge_stale_item(context, action)
        yield from _judge_future_version(context, action)
        yield from _judge_repeated_version(context, action)
    yield from old_versions(context, actions[0])


def _judge_increment(context: SiteContext, case: ItemCase) -> Iterator[Finding]:
    """Change one record: its version increments by one."""
    trial = prepare_trial(context, [case])
    initial = snapshots_before(trial)
    done = perform(trial, SendOptions(unit=context.unit))
    if done.result(0) == "done":
        yield from _judge_current_items(done, {0: initial[0]}, stored_records(done), case.action)


def _judge_idle(context: SiteContext, case: ItemCase) -> Iterator[Finding]:
    """Write nothing, and what is there already: where writes are counted, the version increments all the same."""
    if not context.resource.counts_writes:
        return
    trial, encoder = prepare_trial(context, [case] * 3), context.spec.encoder
    is_shared, known = trial.shared is not ABSENT, trial.items[2].known
    stored = {name: value for name, value in (known.members if known else {}).items() if name in trial.maker.free}
    trial.items = [trial.with_members(one, stored if one.slot == 2 else {}) for one in trial.items]  # noqa: PLR2004 - the third
    trial.shared_members, trial.shared = {}, encoder.payload({}) if is_shared else ABSENT
    order = [0] if is_shared else [0, 2]
    initial, done = snapshots_before(trial), perform(trial, SendOptions(unit=context.unit, order=order))
    is_alone = single_operation(context, case) is not None and not done.refused
    alone = send_singly(trial, trial.items[1])[0] if is_alone else None
    after = stored_records(done)
    told = {slot for slot in order if done.result(slot) == "done"}
    told |= {1} if alone is not None and alone.response.status in SUCCESS_STATUS else set()
    for slot in [slot for slot in told if _is_wrong_increment(initial[slot], after[slot])][:1]:
        before, now = short(initial[slot].version), short(after[slot].version)
        says = f"a write that changes nothing ({case.action}) moved a version from {before} to {now}"
        yield trial_finding("stale-version", "version misses a write", says, done, alone, initial[slot], after[slot])


def _judge_stale_item(context: SiteContext, action: str) -> Iterator[Finding]:
    unit = context.unit
    live = ItemCase(action=action, existing=True)
    trial = prepare_trial(context, [live, replace(live, defect="stale"), live])
    initial = snapshots_before(trial)
    done = perform(trial, SendOptions(unit=unit))
    after = stored_records(done)
    if done.result(1) == "done":
        yield trial_finding("stale-version", f"stale {action} is done", f"a stale version is accepted ({action})", done)
    if initial[1].differs(after[1], trial.names):
        says = f"an item with a stale version changed its record ({action})"
        yield trial_finding("stale-version", f"stale {action} changes its record", says, done, initial[1], after[1])
    if unit == "item":
        yield from _judge_current_items(done, initial, after, action)


def _judge_future_version(context: SiteContext, action: str) -> Iterator[Finding]:
    """State the version after the live one, where versions are counted: the record never had it."""
    trial, version = prepare_trial(context, [ItemCase(action=action, existing=True)]), context.bulk.effect.version
    given, initial = trial.items[0].content.version, snapshots_before(trial)
    if not isinstance(given, int) or not initial[0].has_counter or not isinstance(trial.items[0].raw, dict):
        return
    one, is_text = trial.items[0], takes_texts(context.spec.encoder.element, version or "", given)
    for written in (given + 1, *([str(given + 1)] if is_text else [])):
        trial.items[0] = replace(one, raw=put(one.raw, version or "", written))
        done = perform(trial, SendOptions(unit=context.unit))
        if done.result(0) == "done":
            says = f"a version that the record does not have yet, {short(written)}, is accepted ({action})"
            yield trial_finding("stale-version", f"future {action} is done", says, done)
            return


def _judge_current_items(
    done: TrialResult, initial: Mapping[int, Snapshot], after: Mapping[int, Snapshot], action: str
) -> Iterator[Finding]:
    """Yield unexpected results of the items around the stale one."""
    for slot in (slot for slot in (0, 2) if slot in initial):
        if done.result(slot) == "failed":
            says = f"an item with the live version failed beside one with a stale version ({action})"
            yield trial_finding("stale-version", f"live {action} fails", says, done, initial[slot])
        elif action != "delete" and _is_wrong_increment(initial[slot], after[slot]):
            first, now = short(initial[slot].version), short(after[slot].version)
            says = f"one change moved a version from {first} to {now}"
            yield trial_finding("stale-version", "version moves wrongly", says, done, initial[slot], after[slot])


def _is_wrong_increment(before: Snapshot, after: Snapshot) -> bool:
    known = before.version is not ABSENT and after.version is not ABSENT
    return known and not is_next(before.version, after.version, counts=before.has_counter)


def _judge_repeated_version(context: SiteContext, action: str) -> Iterator[Finding]:
    """State one version in two items on one record, in a list that runs in order: the second is stale."""
    bulk = context.bulk
    if bulk.order.run == "any" or "duplicateTarget" in bulk.guard.refuse or context.unit != "item":
        return
    live = ItemCase(action=action, existing=True)
    trial = prepare_trial(context, [live, replace(live, twin=0)])
    initial = snapshots_before(trial)[0]
    done = perform(trial, SendOptions(unit="item"))
    after = stored_records(done, slots=[0])[0]
    if done.refused or initial.version is ABSENT:
        return
    if len(done.slots("done")) > 1 or (action != "delete" and _is_wrong_increment(initial, after)):
        says = f"one version served for two items of one request ({action})"
        yield trial_finding("stale-version", f"one version serves two {action}s", says, done, initial, after)


EFFECT: Final = "effect"
MUST_FAIL: Final = frozenset(("dangling", "invalid", "incomplete", "taken", "unknown"))


def reuse(context: SiteContext) -> Iterator[Finding]:
    """Let new records fail, then create records with the same unique values in another request."""
    unit, (right, wrong) = context.unit, available_cases(context)
    failing = [one for one in wrong if not one.existing and one.defect not in {"taken", "unknown"}]
    valid = next((one for one in right if not one.existing), None)
    if valid is None or not failing:
        raise NotApplicableError("no new record could be made that fails")
    if perform(prepare_trial(context, [valid]), SendOptions(unit=unit)).result(0) != "done":
        raise NotApplicableError("a valid new record was not done")
    yield from run_each(failing, partial(_judge_reuse, context, valid))
    yield from run_each((created_again,), lambda part: part(context, valid))
    for whole in (one for one in units_of(context.bulk) if one != "item"):
        yield from run_each(failing[:1], partial(_judge_undone, context, valid, whole))


def _judge_reuse(context: SiteContext, valid: ItemCase, case: ItemCase) -> Iterator[Finding]:
    unit = context.unit
    trial = prepare_trial(context, [case, replace(valid, twin=0)])
    first = perform(trial, SendOptions(unit=unit, order=[0]))
    if not first.refused and first.result(0) != "failed":
        raise NotApplicableError(f"an item ({case}) did not fail")
    second = perform(trial, SendOptions(unit=unit, order=[1]))
    if second.refused or second.result(1) == "failed":
        says = f"an item ({case}) failed, and a valid one with the same unique values fails after it"
        yield trial_finding("reuse", f"values of a failed {case.action} are taken", says, first, second)
    elif unit == "item" and context.bulk.order.run != "any" and context.resource.assigned:
        both = perform(prepare_trial(context, [case, replace(valid, twin=0)]), SendOptions(unit=unit))
        if both.slots("failed") == [0, 1]:
            says = f"an item ({case}) failed, and a valid one behind it with the same unique values fails too"
            yield trial_finding("reuse", f"values of a failed {case.action} are taken by it", says, both)


def _judge_undone(context: SiteContext, valid: ItemCase, unit: str, case: ItemCase) -> Iterator[Finding]:
    """Have a new record undone, since another item of its request fails; then create one with its unique values."""
    trial = prepare_trial(context, [valid, case, replace(valid, twin=0)])
    first = perform(trial, SendOptions(unit=unit, order=[0, 1]))
    if not first.refused and first.result(0) == "done":
        raise NotApplicableError("a request is not undone as a whole")
    second = perform(trial, SendOptions(unit=context.unit, order=[2]))
    if second.refused or second.result(2) == "failed":
        says = "a new record was undone with its request, and a valid one with the same unique values fails after it"
        yield trial_finding("reuse", f"values of an undone {valid.action} are taken", says, first, second)


def effect(context: SiteContext) -> Iterator[Finding]:
    """Send every kind of item, and compare the stored records with what was sent and reported."""
    (right, wrong), (odd, bad) = available_cases(context), variant_cases(context)
    shared = context.bulk.effect.payload in context.bulk.items.shared
    if not right:
        raise NotApplicableError(f"no item could be made that {context.operation.id} should carry out")
    most = max_independent_items(context)
    nothing = [one for one in bad if one.defect == "dangling"]
    sets = [*batched([*right, *wrong, *right], most), *batched(() if shared else odd, most), *batched(nothing, most)]
    yield from run_each(sets, partial(_judge_effects, context))
    if context.resource.normalize and not shared:
        with suppress(NotApplicableError):
            yield from _judge_effects(context, right[:most], prepare=_unlike_stored)


def _unlike_stored(trial: Trial) -> None:
    """Give members that are declared to be normalised values that are not yet as they are stored."""
    rules, schemas = trial.context.resource.normalize, trial.maker.members
    samples: dict[str, object] = {}
    for name in rules.keys() & schemas.keys():
        forms = [(value, stored_forms(rules, name, value)) for value in UNLIKE_STORED]
        fitting = [(value, found) for value, found in forms if all(map(schemas[name].is_valid, (value, *found)))]
        unlike = [value for value, found in fitting if not any(equal(value, one) for one in found)]
        samples |= {name: unlike[0]} if unlike else {}
    if not samples:
        raise NotApplicableError("no value is stored otherwise than it is sent")
    for n, one in enumerate(trial.items):
        if one.case.action != "delete":
            trial.items[n] = trial.with_members(one, {**one.content.values, **samples})


def _judge_effects(
    context: SiteContext, cases: Sequence[ItemCase], prepare: Callable[[Trial], None] = lambda _: None
) -> Iterator[Finding]:
    trial = prepare_trial(context, cases)
    prepare(trial)
    initial = snapshots_before(trial)
    done = perform(trial, SendOptions(unit=context.unit))
    after = stored_records(done)
    for trial_item in trial.items:
        one, other, result = initial[trial_item.slot], after[trial_item.slot], done.result(trial_item.slot)
        if other.present is None or one.present is None:
            continue
        if done.refused or result == "failed":
            yield from _judge_failed(trial, trial_item, done, one, other)
        elif result == "done":
            yield from _judge_done(trial, trial_item, done, one, other)
            yield from _judge_word(trial_item, done, one)


def _judge_word(trial_item: TrialItem, done: TrialResult, initial: Snapshot) -> Iterator[Finding]:
    """Yield a success that is told by the word of another one."""
    action, declared = trial_item.case.action, done.view.bulk.reply.outcomes
    kind = "deleted" if action == "delete" else "updated" if initial.present else "created"
    wanted, told = declared.codes.get(kind) if declared else None, done.outcomes[trial_item.slot].error
    if wanted is not None and told != wanted:
        says = f"a record is {kind} ({action}), which is told as {short(told)}, but {short(wanted)} is declared"
        yield trial_finding(EFFECT, f"{kind} is told otherwise", says, done)


def _judge_failed(
    trial: Trial, trial_item: TrialItem, done: TrialResult, initial: Snapshot, after: Snapshot
) -> Iterator[Finding]:
    if initial.differs(after, trial.names):
        says = f"item {trial_item.slot} ({trial_item.case}) is reported as failed, but it changed the stored state"
        yield trial_finding(EFFECT, f"failed {trial_item.case.action} leaves a trace", says, done, initial, after)


def _judge_done(
    trial: Trial, trial_item: TrialItem, done: TrialResult, initial: Snapshot, after: Snapshot
) -> Iterator[Finding]:
    case = trial_item.case
    schemas = trial.maker.members

    def fits(member: str, form: object) -> bool:
        return member not in schemas or schemas[member].is_valid(form)

    if case.defect in MUST_FAIL:
        says = f"item {trial_item.slot} ({case}) is reported as done"
        yield trial_finding(EFFECT, f"{case} is done", says, done, after)
    elif is_astray(trial, case, after):
        where = "still there" if after.present else "not there"
        says = f"item {trial_item.slot} ({case}) is reported as done, but the record is {where}"
        yield trial_finding(EFFECT, f"{case.action} is not carried out", says, done, initial, after)
    elif case.action != "delete" and after.members is not None:
        for name, wanted in _expected_members(trial, trial_item, initial).items():
            got = after.members.get(name)
            forms = stored_forms(trial.context.resource.normalize, name, wanted, fits)
            if not any(equivalent(schemas.get(name), got, form) for form in forms):
                says = (
                    f"item {trial_item.slot} ({case}) is done, and '{name}' reads {short(got)}, not {short(forms[0])}"
                )
                pointer = f"{pointer_of((name,))}{difference_at(schemas.get(name), got, wanted)}"
                shape = shape_at(f"{case.action} stores something else", pointer)
                yield trial_finding(EFFECT, shape, says, done, initial, after)


def _expected_members(trial: Trial, trial_item: TrialItem, initial: Snapshot) -> Mapping[str, Any]:
    """Return the expected members: what was sent, else what was stored, else a declared default."""
    resource = trial.context.resource
    sent = {**trial.shared_members, **trial_item.content.values}
    kept = dict(initial.members or {}) if trial_item.case.action != "replace" else {}
    defaults = {} if initial.present else resource.defaults
    skipped = {resource.key, resource.version}
    return {
        name: value
        for name, value in {**defaults, **kept, **sent}.items()
        if name not in skipped and value is not ABSENT and not isinstance(value, dict | list)
    }
