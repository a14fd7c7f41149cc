"""What is written again: by the same request, to a deleted record, and unique values of another one.

Begin with `written_again` and `changed_to_taken`, of the law `exact`, and `created_again`, of the law `reuse`.
`item_changing` is an item that changes some members of a record.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Final

from contracts.bulk.model import Resource
from contracts.exchange.bulk_request import names_target
from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.exchange.locations import put
from contracts.messages import Exchange
from contracts.schemas.equality import equivalent
from generators.check.laws.metamorphic import known_targets, run_each, send_singly, single_operation
from generators.check.records import CreatedRecord, Snapshot, create_records, new_record_members, read_record
from generators.check.trial_setup import (
    ItemCase,
    Trial,
    TrialItem,
    available_cases,
    fits_request,
    possible_cases,
    prepare_trial,
)
from generators.check.trials import TrialResult, perform, record_keys, stored_records, trial_finding
from generators.client.sites import SiteContext, experiment_sites
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding
from generators.requests.envelope import SendOptions
from generators.requests.items import ItemContent, own_key_member
from generators.requests.single import Members, write_request

LAW: Final = "exact"
CHANGING: Final = ("update", "upsert", "replace")


def written_again(context: SiteContext) -> Iterator[Finding]:
    """Repeat a request after another one changed the same members; write to a deleted record, and bring it back."""
    yield from run_each((_repeated, _buried), lambda part: part(context))


def _is_other(trial: Trial, other: Mapping[str, object], own: Mapping[str, object], name: str, value: object) -> bool:
    """Return whether a member has the value that it has in `other`, and not its own one, however they are written."""
    same = partial(equivalent, trial.maker.members.get(name), value)
    return same(other.get(name)) and not same(own.get(name))


def _changing_case(context: SiteContext) -> ItemCase:
    """Return a case that changes a record, and can be sent again. Raises NotApplicableError."""
    bulk, found = context.bulk, [one for one in available_cases(context)[0] if one.existing and one.action in CHANGING]
    once = bulk.effect.version is not None or bulk.guard.idempotency is not None
    if once or not found or bulk.effect.payload in bulk.items.shared or "read" not in context.site.operations:
        raise NotApplicableError("it changes no records by requests that can be sent again")
    return found[0]


def _repeated(context: SiteContext) -> Iterator[Finding]:
    """Change a record, change the same members again, and repeat the first request: it is carried out once more."""
    trial = prepare_trial(context, [_changing_case(context)])
    item, target = trial.items[0], next(iter(known_targets(context)), None)
    options = SendOptions(unit=context.unit, targets=known_targets(context)[:1])
    other = replace(trial, items=[trial.with_members(item, {**item.content.values, **trial.changed("other")})])
    reads = []
    for one in (trial, other, trial):
        done = perform(one, options)
        if done.refused or done.result(0) != "done":
            raise NotApplicableError("a change was not done")
        reads.append(stored_records(done, target=target)[0])
    first, second, third = (read.members or {} for read in reads)
    is_old = partial(_is_other, trial, second, first)
    name = next((name for name in first if is_old(name, third.get(name))), None)
    if name is not None and all(read.present for read in reads):
        says = f"a request that was sent before is sent again and done, but '{name}' is not as it says"
        yield trial_finding(LAW, "a repeated request is not carried out", says, done, reads[-1])


def _buried(context: SiteContext) -> Iterator[Finding]:
    """Change a live record and a deleted one, and bring that back: where the one is changed, the other is."""
    stone, case = context.resource.tombstone, _changing_case(context)
    if stone is None or case.action != "upsert" or context.bulk.items.fan_out or context.unit != "item":
        raise NotApplicableError("no member marks a record as deleted")
    trial = prepare_trial(context, [case, case])
    dead = trial.items[1]
    deleted = _deleted(context, trial)
    done = perform(trial, SendOptions(unit=context.unit))
    own = {context.resource.key: dead.key}
    back = replace(trial, items=[trial.items[0], trial.with_members(dead, own)])
    raw = put(back.items[1].raw, f"{context.bulk.effect.payload}/{stone}", value=False)
    back.items[1] = replace(back.items[1], raw=raw)
    revived = perform(back, SendOptions(unit=context.unit, order=[1]))
    if done.slots("done") != [0, 1] or revived.slots("done") != [1]:
        raise NotApplicableError("a deleted record cannot be changed, or not be brought back")
    yield from _judge_buried(trial, done, stored_records(done), deleted)


def _deleted(context: SiteContext, trial: Trial) -> Exchange:
    """Delete the record of the second item. Raises NotApplicableError."""
    known = trial.items[1].known
    if known is None:
        raise NotApplicableError("no record was made")
    return _delete(context, known.key, known.version)


def _delete(context: SiteContext, key: object, version: object) -> Exchange:
    if not isinstance(key, str | int) or "delete" not in context.site.operations:
        raise NotApplicableError("no single record can be deleted")
    made = write_request(context.site, "delete", {}, key=key, version=version)
    exchange = context.session.send(made.request())
    if exchange.response.status not in SUCCESS_STATUS:
        raise NotApplicableError(f"a record cannot be deleted ({exchange.response.status})")
    return exchange


def _judge_buried(
    trial: Trial, done: TrialResult, reads: Mapping[int, Snapshot], deleted: Exchange
) -> Iterator[Finding]:
    """Yield a member that the live record took, and the deleted one did not."""
    live, dead = reads[0].members or {}, reads[1].members or {}
    known, wanted = trial.items[1].known, trial.items[1].content.values
    before = known.members if known is not None else {}
    for name, value in trial.items[0].content.values.items() if reads[1].present else ():
        is_old = _is_other(trial, before, wanted, name, dead.get(name))
        is_taken = equivalent(trial.maker.members.get(name), live.get(name), value)
        if name != trial.context.resource.key and is_taken and is_old:
            says = f"'{name}' was written to a deleted record, and is as before when the record is brought back"
            yield trial_finding(LAW, "what is written to a deleted record is lost", says, done, deleted, reads[1])
            return


def created_again(context: SiteContext, valid: ItemCase) -> Iterator[Finding]:
    """Delete a record with all members, and create one with its unique values and few: it has none of the others."""
    resource = context.resource
    if resource.tombstone is not None or not resource.assigned:
        raise NotApplicableError("what is created again is the same record")
    trial, few = prepare_trial(context, [valid, replace(valid, twin=0), valid]), _needed(resource)
    for n, one in enumerate(trial.items):
        members = {name: value for name, value in one.content.values.items() if name in few}
        more = {name: trial.maker.any_value(name, trial.record_context(f"m{n}")) for name in trial.maker.free if not n}
        trial.items[n] = trial.with_members(one, {**more, **members})
    first = perform(trial, SendOptions(unit=context.unit, order=[0]))
    before = stored_records(first, slots=[0])[0]
    _delete(context, record_keys(first)[0], before.known_version)
    second = perform(trial, SendOptions(unit=context.unit, order=[1, 2]))
    reads = stored_records(second, slots=[1, 2])
    if not (before.present and reads[1].present and reads[2].present):
        raise NotApplicableError("no record was created with the unique values of a deleted one")
    old, got, usual = (one.members or {} for one in (before, reads[1], reads[2]))
    kept = [name for name in got.keys() - few if _is_other(trial, old, usual, name, got[name])]
    if kept:
        says = f"a new record has '{min(kept)}' of a deleted one that had the same unique values"
        yield trial_finding("reuse", "a new record has members of a deleted one", says, second, before, *reads.values())


def _needed(resource: Resource) -> set[str]:
    """Return the members that a new record needs, or that tell it apart."""
    return {*resource.required, *resource.references, *(name for group in resource.unique for name in group)}


def changed_to_taken(context: SiteContext) -> Iterator[Finding]:
    """Change records of each resource so that what must be unique of them is that of another one: it is refused."""
    bulk = context.bulk
    cases = [one for one in possible_cases(bulk) if one.existing and one.action in CHANGING and not one.defect]
    if bulk.effect.payload in bulk.items.shared or bulk.items.fan_out is not None or own_key_member(bulk) is not None:
        raise NotApplicableError("its items change no records that they name, and nothing else")
    sites = experiment_sites(context.session, context.operation)
    groups = [(site, group) for site in sites for group in site.resource.unique if site.resource.key not in group]
    groups.sort(key=lambda one: -len(one[1]))
    plans = [(replace(context, site=site), group, one) for site, group in groups for one in group]
    yield from run_each(product(plans, cases), lambda one: _judge_taken(*one[0], one[1]))


def _judge_taken(context: SiteContext, group: Sequence[str], member: str, case: ItemCase) -> Iterator[Finding]:
    """Change one member, in bulk and alone, of a record that has all others of the group in common with another one."""
    session, site, trial = context.session, context.site, Trial(context=context, names=context.session.names())
    rng = session.rng("taken", site.resource.name)
    first, second = (new_record_members(session, site, trial.names, slot, rng) for slot in ("t1", "t2"))
    if any(first.get(name) is None for name in group):
        raise NotApplicableError("a new record has nothing that must be unique")
    shared = {name: first[name] for name in group if name != member}
    known = create_records(session, site, [first, {**second, **shared}], trial.names)[1]
    trial.items.append(item_changing(trial, case, known, {member: first[member]}))
    done = perform(trial, SendOptions(unit=context.unit))
    alone = send_singly(trial, trial.items[0])[0] if single_operation(context, case) is not None else None
    is_alone = alone is not None and alone.response.status in SUCCESS_STATUS
    told = (*([done] if done.result(0) == "done" else []), *([alone] if is_alone else []))
    read = read_record(session, site, known.key) if told else None
    if read is not None and equivalent(
        trial.maker.members.get(member), (read.members or {}).get(member), first[member]
    ):
        whose = f"'{member}' of a record of {site.resource.name}"
        says = f"{whose} is changed to what makes {', '.join(group)} those of another one"
        yield trial_finding(LAW, f"{case.action} to a value in use is done", says, *told, read)
    if not told and known.members.get(member) is not None:
        yield from _judge_own(context, known, member, case)
    if len(group) == 1:
        yield from _judge_freed(context, member, case)


def _judge_freed(context: SiteContext, member: str, case: ItemCase) -> Iterator[Finding]:
    """Change what is unique of a record, or delete it, and give another one in the same request what it had.

    It is judged where the other record may have it in a request of its own.
    """
    session, site, names = context.session, context.site, context.session.names()
    rng = session.rng("freed", site.resource.name)
    frees = [case, *(one for one in available_cases(context)[0] if one.action == "delete")]
    for n, freeing in enumerate(frees if context.bulk.order.run != "any" else ()):
        made = [new_record_members(session, site, names, f"{slot}{n}", rng) for slot in "fg"]
        if made[0].get(member) is None:
            continue
        known = create_records(session, site, made, names)
        trial = Trial(context=context, names=names)
        fresh = {} if freeing.action == "delete" else {member: f"{made[0][member]}r"}
        trial.items.append(item_changing(trial, freeing, known[0], fresh))
        trial.items.append(replace(item_changing(trial, case, known[1], {member: made[0][member]}), slot=1))
        done = perform(trial, SendOptions(unit=context.unit))
        if done.slots("done") == [0] and not done.refused and _is_done_alone(trial, trial.items[1]):
            says = f"an item takes '{member}' of a record away, and the next one cannot give it to another record"
            yield trial_finding(LAW, f"what an earlier {freeing.action} frees is in use", says, done)


def _is_done_alone(trial: Trial, item: TrialItem) -> bool:
    """Say whether an item is done in a request of its own."""
    alone = Trial(context=trial.context, names=trial.names)
    alone.items.append(replace(item, slot=0))
    return perform(alone, SendOptions(unit=trial.context.unit)).slots("done") == [0]


def _judge_own(context: SiteContext, known: CreatedRecord, member: str, case: ItemCase) -> Iterator[Finding]:
    """Give a record the unique value that it has: nobody else has it."""
    trial = Trial(context=context, names=context.session.names())
    trial.items.append(item_changing(trial, case, known, {member: known.members[member]}))
    done = perform(trial, SendOptions(unit=context.unit))
    if done.refused or done.result(0) == "failed":
        says = f"'{member}' of a record of {context.resource.name} is written as it is, and is told as wrong"
        yield trial_finding(LAW, f"{case.action} to the own value fails", says, done)


def item_changing(trial: Trial, case: ItemCase, known: CreatedRecord, members: Members) -> TrialItem:
    """Return an item that changes these members of a record. Raises NotApplicableError when no request can do so."""
    context = trial.context
    needed = {**known.members, **members} if case.action == "replace" else members
    keyed = {} if context.resource.assigned or case.action != "upsert" else {context.resource.key: known.key}
    version = known.version if context.bulk.effect.version is not None else None
    key = known.key if names_target(context.bulk) else context.spec.encoder.fresh_key(case.action, trial.names, "k")
    content = ItemContent(action=case.action, members={**keyed, **needed}, target=known.key, version=version, key=key)
    raw = context.item(content, trial.rng("raw"))
    item = TrialItem(slot=0, case=case, content=content, raw=raw, known=known)
    if not trial.can_have(members) or not fits_request(trial, case, item.raw):
        raise NotApplicableError("no item changes a record so")
    return item
