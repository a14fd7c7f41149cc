"""The part of the law `errors` on single members: each value that a member cannot have fails its item, and is told.

Begin with `member_trials`. The members of all resources are tried, each with a value beyond each of its limits, in each
kind of item; where items share a payload, in that.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any, Final, TypeAlias

from contracts.exchange.raw_items import envelope
from contracts.schemas.schema_set import Schema
from generators.check.laws.errors.fault_order import KnownFault, declared_outcomes, length_limits
from generators.check.laws.metamorphic import batched, max_independent_items
from generators.check.trial_setup import WRITING_ACTIONS, ItemCase, Trial, available_cases, fits_request, prepare_trial
from generators.client.sites import SiteContext, experiment_sites
from generators.errors import NotApplicableError
from generators.requests.items import own_key_member
from generators.requests.single import Members

KINDS: Final = {"type": "type", "maxLength": "length", "minLength": "length"}  # of faults, by the keyword
OTHER_TYPES: Final[tuple[object, ...]] = ("1", 1, True, [])
STRANGE: Final = "bulkproofUnknown"  # a member that no record has
SHARING: Final = 2  # items that share a payload
MAX_REQUESTS: Final = 4  # where items cannot be sent together

Wrong: TypeAlias = tuple[Members, KnownFault]
Faulty: TypeAlias = tuple[Trial, Mapping[int, Sequence[KnownFault]]]
"""A trial, and the faults of its items by slot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberTrial:
    """Items with a wrong member each, and the fault of each by slot.

    `is_first` tells that no others like them were sent alone before, `alone` makes a trial of one of them.
    """

    trial: Trial
    faults: Mapping[int, Sequence[KnownFault]]
    is_first: bool
    alone: Callable[[int], Faulty]


def member_trials(context: SiteContext) -> Iterator[MemberTrial]:
    """Yield trials whose items have one wrong member each, and the fault of each item by slot."""
    is_shared = context.bulk.effect.payload in context.bulk.items.shared
    for site in experiment_sites(context.session, context.operation):
        own = replace(context, site=site)
        if any(name in site.resource.required for name in site.resource.references):
            continue  # each record needs others
        with suppress(NotApplicableError):
            yield from _shared_trials(own) if is_shared else _own_trials(own, _wrong_members)


def barred_trials(context: SiteContext) -> Iterator[MemberTrial]:
    """Yield trials whose items, each with a payload of its own, set what the operation may not set."""
    if context.bulk.effect.payload not in context.bulk.items.shared:
        for site in experiment_sites(context.session, context.operation):
            own = replace(context, site=site)
            limit = own.spec.writable.get(site.resource.name)
            if limit:
                yield from _own_trials(own, partial(_not_chosen, chosen=limit))


def _own_trials(context: SiteContext, wrong: Callable[[Trial], Iterator[Wrong]]) -> Iterator[MemberTrial]:
    """Yield trials in which each item has a payload of its own."""
    for case in available_cases(context)[0]:
        if case.action not in WRITING_ACTIONS:
            continue
        rows = list(wrong(prepare_trial(context, [case])))
        for some in islice(batched(rows, max_independent_items(context)), MAX_REQUESTS):
            fitting = list(_fitting(context, case, some))
            if fitting:
                trial, faults = _spoiled(context, case, fitting)
                alone = partial(_spoiled_alone, context, case, fitting)
                yield MemberTrial(trial=trial, faults=faults, is_first=_is_first(context, case), alone=alone)


def _is_first(context: SiteContext, case: ItemCase) -> bool:
    """Say whether no other operation has had such items sent alone."""
    name = ("wrong members alone", context.resource.name, case.action)
    return context.session.cache.setdefault(name, context.operation.id) == context.operation.id


def _fitting(context: SiteContext, case: ItemCase, rows: Sequence[Wrong]) -> Iterator[Wrong]:
    """Yield the wrong members of items that are no reason to refuse the request."""
    trial = prepare_trial(context, [case])
    for members, fault in rows:
        is_barred = fault.kind == "choice"
        if not is_barred and not trial.can_have(members):
            continue
        values = {**trial.items[0].content.values, **members}
        if fits_request(trial, case, trial.with_members(trial.items[0], values, barred=is_barred).raw):
            yield members, fault


def _spoiled(context: SiteContext, case: ItemCase, rows: Sequence[Wrong]) -> Faulty:
    """Return a trial of items with these wrong members, and their faults."""
    trial = prepare_trial(context, [case] * len(rows))
    pairs = zip(trial.items, rows, strict=True)
    trial.items = [
        trial.with_members(one, {**one.content.values, **members}, barred=fault.kind == "choice")
        for one, (members, fault) in pairs
    ]
    return trial, {slot: [fault] for slot, (_, fault) in enumerate(rows)}


def _spoiled_alone(context: SiteContext, case: ItemCase, rows: Sequence[Wrong], slot: int) -> Faulty:
    return _spoiled(context, case, rows[slot : slot + 1])


def _shared_trials(context: SiteContext) -> Iterator[MemberTrial]:
    """Yield trials whose items share a payload with one wrong member; none of them changes a record."""
    case = next((one for one in available_cases(context)[0] if one.existing), None)
    if case is None:
        return
    trial = prepare_trial(context, [case] * SHARING)
    chosen = context.spec.writable.get(context.resource.name, (*trial.maker.members,))
    rows = [one for one in _wrong_members(trial) if one[1].member in {*chosen, STRANGE, ""}]
    for members, fault in (*rows, *_not_chosen(trial, chosen)):
        trial.shared_members, trial.shared = members, context.spec.encoder.payload(members)
        faults = {slot: [fault] for slot in range(SHARING)}
        yield MemberTrial(trial=trial, faults=faults, is_first=False, alone=partial(_together, trial, faults))


def _together(trial: Trial, faults: Mapping[int, Sequence[KnownFault]], slot: int) -> Faulty:
    """Return items that share a payload as they are: none has it alone."""
    del slot
    return trial, faults


def _not_chosen(trial: Trial, chosen: Sequence[str]) -> Iterator[Wrong]:
    """Yield members that the operation may not set, with values that they may have otherwise."""
    for name in (*trial.maker.free, *trial.maker.unique):
        if name not in chosen:
            value = trial.maker.any_value(name, trial.record_context(f"c{name}"))
            yield {name: value}, KnownFault(kind="choice", member=name)
    for name in trial.context.resource.references:
        if name not in chosen and name in trial.maker.members and trial.maker.members[name].is_valid(None):
            yield {name: None}, KnownFault(kind="choice", member=name)


def _wrong_members(trial: Trial) -> Iterator[Wrong]:
    """Yield each member that an item sets with each value that it cannot have, and what is wrong with it."""
    resource, bulk = trial.context.resource, trial.context.bulk
    spared = {resource.key, resource.tombstone, resource.version, own_key_member(bulk), *resource.normalize}
    spared |= envelope(bulk)
    for name, schema in trial.maker.members.items():
        for value in _wrong_values(schema) if name not in spared else ():
            fault = _fault(name, schema, value)
            if fault is not None:
                yield {name: value}, fault
        if name in resource.references and name not in spared:
            yield _dangling(trial, name)
    if bulk.effect.payload and trial.maker.schema and trial.maker.schema.raw.get("additionalProperties") is False:
        yield from (({name: "1"}, KnownFault(kind="unknown", member=name)) for name in _strange(trial))
        yield from (({name: value}, KnownFault(kind="unknown")) for name, value in _of_others(trial).items())


def _strange(trial: Trial) -> Iterator[str]:
    """Yield names of members that no item sets: one that no record has, and those that the server sets."""
    resource, known = trial.context.resource, trial.maker.schema.members() if trial.maker.schema is not None else {}
    shown = [(place or "").rpartition("/")[2] for place in (resource.created, resource.modified, resource.version)]
    yield from (name for name in dict.fromkeys((STRANGE, *shown, resource.key)) if name and name not in known)


def _of_others(trial: Trial) -> Members:
    """Return an own member with a valid value, under the name that it would have of another resource."""
    own, names = trial.context.resource.name, [one.member_as for one in declared_outcomes(trial.context.bulk)]
    other = next((one for one in trial.context.session.contract.resources if one != own), own)
    member = next(iter(trial.maker.free), None)
    if member is None or other == own or not any("{resource}" in one for one in names):
        return {}
    value = trial.maker.any_value(member, trial.record_context("o"))
    parts = {"resource": other, "member": member, "Member": member[:1].upper() + member[1:]}
    return {names[0].format_map(parts): value}


def _wrong_values(schema: Schema) -> Iterator[object]:
    yield from (value for value in (None, *OTHER_TYPES, "") if not schema.is_valid(value))
    longest = schema.raw.get("maxLength")
    if isinstance(longest, int):
        yield "y" * (longest + 1)


def _fault(name: str, schema: Schema, value: Any) -> KnownFault | None:
    """Return what is wrong with a value; None where that is several things."""
    errors = list(schema.validator.iter_errors(value))
    if len(errors) != 1:
        return None
    kind = KINDS.get(str(errors[0].schema_path[-1]), "value")
    if value is None:
        kind = "null" if schema.raw.get("type") == "string" else "value"
    length = len(value) if isinstance(value, str) else 0
    return KnownFault(kind=kind, member=name, facts=length_limits(schema) | {"length": length})


def _dangling(trial: Trial, name: str) -> Wrong:
    """Return a reference to a record that does not exist."""
    named, resources = trial.context.resource.references[name], trial.context.session.contract.resources
    assigned = named in resources and resources[named].assigned
    key = trial.record_context(f"d{name}").absent_key(named, trial.maker.members[name], assigned=assigned)
    return {name: key}, KnownFault(kind="reference", member=name, facts={"value": key})
