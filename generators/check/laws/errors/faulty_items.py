"""Items with known faults for the law `errors`: of each kind that can be told, alone and several in one item.

Begin with `faulty_trial`.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from contracts.exchange.locations import find
from generators.check.laws.errors.fault_order import (
    KnownFault,
    declared_outcomes,
    length_limits,
    sent_names,
)
from generators.check.laws.errors.member_faults import Faulty
from generators.check.laws.metamorphic import valid_cases
from generators.check.records import read_record
from generators.check.trial_setup import ItemCase, Trial, TrialItem, available_cases, fits_request, prepare_trial
from generators.client.sites import SiteContext
from generators.data.mutation import invalid_variants
from generators.errors import NotApplicableError
from generators.requests.items import own_key_member

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


def faulty_trial(context: SiteContext, *, only: int | None = None) -> Faulty:
    """Return a trial of good items and of items with faults, and the faults by slot; of `only` one of the items.

    Raises NotApplicableError.
    """
    right, wrong = available_cases(context)
    by_state = [one for one in wrong if one.defect in STATE_KINDS]
    plan = [(_case_of(right, n, mix), mix) for n, mix in enumerate(MIXES)] if right else []
    plan += [(case, ()) for case in (*by_state, *valid_cases(context, GOOD_ITEMS))]
    versioned = any("version" in one.fault_order for one in declared_outcomes(context.bulk))
    beside = ("taken", "stale") if versioned else ("taken",)
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
