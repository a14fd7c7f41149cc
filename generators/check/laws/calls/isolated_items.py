"""The part of the law `isolation` on bulk requests: what belongs elsewhere is not named by items, nor by jobs.

Begin with `isolated_items`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import product

from contracts.exchange.bulk_request import target_parameters
from contracts.exchange.job_traces import handle_id
from contracts.openapi.model import Operation
from contracts.schemas.equality import key_text
from generators.check.laws.lookups import lookup_reference
from generators.check.laws.metamorphic import known_targets, run_each
from generators.check.records import CreatedRecord, create_keys, new_record_members, read_record
from generators.check.separate_places import (
    JUDGED_ACTIONS,
    LAW,
    Answers,
    Elsewhere,
    at_values,
    changed_from_elsewhere,
    compared,
    created_record,
    created_twin,
    elsewheres,
    law_finding,
    require_own_key,
    similar_id,
    some_places,
)
from generators.check.specimens import item_kinds
from generators.check.trial_setup import SHARED_SLOT, WRITING_ACTIONS, ItemCase, Trial, prepare_trial, trial_item
from generators.check.trials import (
    TrialResult,
    perform,
    send,
    send_at_once,
    snapshots_before,
    stored_records,
    trial_finding,
    trial_request,
    trial_result,
)
from generators.client.polling import JobCall, follow, job_request, view_of
from generators.client.session import Session
from generators.client.sites import NO_SITE, SiteContext, experiment_site, experiment_sites, record_factory_of
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding
from generators.requests.calls import fill_lookup
from generators.requests.envelope import SendOptions
from generators.requests.options import job_setting_of


def isolated_items(session: Session, operation: Operation) -> Iterator[Finding]:
    """Judge a bulk operation: its items name what belongs elsewhere, its jobs are asked for from elsewhere."""
    context = next((one for one, _ in item_kinds(session, operation)), None)
    if context is None:
        raise NotApplicableError(NO_SITE)
    operations = [operation, *context.site.operations.values()]
    job = operation.bulk.job if operation.bulk is not None else None
    polled = session.contract.operation(job.poll) if job is not None and job.poll else None
    chosen = context.bulk.effect.resource
    others = experiment_sites(session, operation) if chosen is not None else ()
    places = list(elsewheres(session, [*operations, *([polled] if polled else [])], context.site, others))
    experiments = (_existing, _references, _looked_up, _unique, _job, _fan_out)
    trials = [partial(one, context, place) for place, one in product(some_places(places), experiments)]
    yield from run_each([*trials, partial(_kinds, context)], lambda trial: trial())


def _cases(context: SiteContext, *, existing: bool) -> list[ItemCase]:
    kinds = item_kinds(context.session, context.operation)
    return [one for at, one in kinds if at.site == context.site and one.existing is existing]


def _existing(context: SiteContext, place: Elsewhere) -> Iterator[Finding]:
    """Send items that change what belongs elsewhere: they fail, and it stays as it was."""
    if place.is_kind or place.nowhere is not None:
        return
    for case in _cases(context, existing=True):
        yield from _changed(context, place, case)


def _changed(context: SiteContext, place: Elsewhere, case: ItemCase) -> Iterator[Finding]:
    session, names, operation = context.session, context.session.names(), context.operation
    own, there = place.own_site(context.site), replace(context, site=place.other_site(context.site))
    session.identity = place.owner
    known = created_record(session, own, names)
    before = read_record(session, own, known.key)
    session.identity = place.caller
    require_own_key(session, there.site, known, names)
    done = _performed(there, place, case, known)
    what = f"a record of {context.resource.name} named by an item ({case}) from {place.what}"
    if done.result(0) == "done" and case.action in JUDGED_ACTIONS:
        says = f"{what} is reported as done, although it belongs elsewhere"
        yield law_finding(operation, f"{case.action} from elsewhere is done", says, done.view.exchange)
    if place.is_parallel and created_twin(session, there.site, known, names) is not None:
        done = _performed(there, place, case, known)
    session.identity = place.owner
    after = read_record(session, own, known.key)
    yield from changed_from_elsewhere(operation, names, (before, after), what, done.view.exchange)


def _performed(
    context: SiteContext, place: Elsewhere, case: ItemCase, known: CreatedRecord | None = None
) -> TrialResult:
    """Send one item of a kind, on a record if one is given."""
    if known is None:
        return perform(prepare_trial(context, [case]), _options(context, place.there))
    trial = Trial(context=context, names=context.session.names())
    if context.bulk.effect.payload in context.bulk.items.shared:
        trial.shared_members = trial.changed(SHARED_SLOT)
        trial.shared = context.spec.encoder.payload(trial.shared_members)
    trial.items.append(trial_item(trial, 0, case, known, fitting=True))
    return perform(trial, _options(context, place.there))


def _options(context: SiteContext, values: object, as_job: str | None = None) -> SendOptions:
    """Return the options of a request, whose only target is the one that the values name, if any."""
    fan_out, targets = context.bulk.items.fan_out, known_targets(context)[:1]
    known = values if isinstance(values, dict) else {}
    for act in context.site.operations.values() if fan_out is not None else ():
        named = target_parameters(act, fan_out.over, "") if fan_out is not None else {}
        targets = next(([known[name]] for name in named if name in known), targets)
    return SendOptions(unit=context.unit, targets=targets, as_job=as_job)


def _references(context: SiteContext, place: Elsewhere) -> Iterator[Finding]:
    """Refer to a record that belongs elsewhere: the item fails. One reference is tried, of those that can be made."""
    resource, cases = context.resource, _cases(context, existing=False)
    named = {name: one for name, one in resource.references.items() if one != resource.name}
    for member in sorted(named, key=lambda one: one not in resource.required) if cases and place.is_parallel else ():
        with suppress(NotApplicableError):
            yield from _referred(context, place, cases[0], member)
            return


def _referred(context: SiteContext, place: Elsewhere, case: ItemCase, member: str) -> Iterator[Finding]:
    session, name = context.session, context.resource.references[member]
    site = experiment_site(session, name)
    if site is None:
        raise NotApplicableError(f"no {name} can be made")
    session.identity = place.owner
    parent = created_record(session, place.own_site(site), session.names())
    session.identity = place.caller
    resource = session.contract.resources[name]
    by_lookup = [found for one in resource.sure_lookups if (found := fill_lookup(one, parent.members)) is not None]
    for value in (parent.key, *by_lookup[:1]):
        trial = prepare_trial(replace(context, site=place.other_site(context.site)), [case])
        _set_members(trial, {member: value})
        done = perform(trial, _options(context, place.there))
        if done.result(0) == "done":
            says = f"an item that refers to a {name} that does not belong to {place.what} is done"
            yield law_finding(context.operation, "a reference elsewhere is resolved", says, done.view.exchange)
            return


def _looked_up(context: SiteContext, place: Elsewhere) -> Iterator[Finding]:
    """Refer by lookup to records with the same unique values, at their places in turn: each finds its own one."""
    kinds = [*_cases(context, existing=False), *_cases(context, existing=True)]
    session, cases = context.session, [one for one in kinds if one.action in WRITING_ACTIONS]
    if not cases or not place.is_parallel:
        return
    member, resource = lookup_reference(context)
    site, names = experiment_site(session, resource.name), session.names()
    if site is None or set(resource.references) & set(resource.required):
        raise NotApplicableError(f"no record of {resource.name} can be made that refers to nothing")
    members = new_record_members(session, site, names, "l", session.rng(LAW, "lookup"))
    lookup = next(filter(None, (fill_lookup(one, members) for one in resource.sure_lookups)), None)
    if lookup is None:
        raise NotApplicableError(f"a record of {resource.name} has no lookup by what is unique of it")
    sides = ((place.owner, place.here), (place.caller, place.there))
    keys = []
    for session.identity, values in sides:
        keys.append(create_keys(session, at_values(site, values), [members], names)[0])
    for (session.identity, values), key in zip(sides, keys, strict=True):
        there = replace(context, site=at_values(context.site, values))
        found, by_key = (_referring(there, cases[0], values, {member: one}) for one in (lookup, key))
        target = next(iter(found.options.targets), None)
        read = stored_records(found, target=target, slots=[0])[0] if found.result(0) == "done" else None
        if found.result(0) == "failed" and by_key.result(0) == "done":
            says = "a lookup finds nothing, although each place has a record with its values"
            yield trial_finding(LAW, "a lookup does not find its own record", says, found, by_key)
        elif read is not None and read.present and key_text((read.members or {}).get(member)) != key_text(key):
            says = "a lookup names a record that has the same values at another place than that of the item"
            yield trial_finding(LAW, "a lookup finds a record elsewhere", says, found, read)


def _referring(context: SiteContext, case: ItemCase, values: object, members: Mapping[str, object]) -> TrialResult:
    """Send an item with these members."""
    trial = prepare_trial(context, [case])
    _set_members(trial, members)
    return perform(trial, _options(context, values))


def _kinds(context: SiteContext) -> Iterator[Finding]:
    """Refer by key to a record of the own resource where one of another resource belongs: the item fails."""
    session, bulk, named = context.session, context.bulk, context.resource.references
    kinds = [one for at, one in item_kinds(session, context.operation) if at.site == context.site]
    cases = [one for one in kinds if one.action in WRITING_ACTIONS and bulk.effect.payload not in bulk.items.shared]
    members = [member for member, name in named.items() if name != context.resource.name and context.resource.assigned]
    known = created_record(session, context.site, session.names()) if cases and members else None
    for member in members if known is not None else ():
        there = experiment_site(session, named[member])
        if known is None or there is None or read_record(session, there, known.key).present is not False:
            continue
        trial = prepare_trial(context, cases[:1])
        _set_members(trial, {member: known.key})
        done = perform(trial, _options(context, {}))
        if done.result(0) == "done":
            says = f"an item is done whose '{member}' is a key of {context.resource.name}, not of {named[member]}"
            yield law_finding(context.operation, "a reference to another resource", says, done.view.exchange)


def _in_use(context: SiteContext, place: Elsewhere) -> Mapping[str, object] | None:
    """Create a record elsewhere, and return its unique values for members that are unique here; None for none."""
    session = context.session
    site = place.other or place.own_site(context.site)
    group, there = (
        next((group for group in one.unique if not set(group) & set(one.references)), ())
        for one in (context.resource, site.resource)
    )
    if not group or len(group) != len(there):
        return None
    session.identity = place.owner
    known = created_record(session, site, session.names())
    session.identity = place.caller
    values = dict(zip(group, map(known.members.get, there), strict=True))
    schemas = record_factory_of(session, context.resource).members
    return values if all(schemas[name].is_valid(one) for name, one in values.items() if name in schemas) else None


def _unique(context: SiteContext, place: Elsewhere) -> Iterator[Finding]:
    """Use a unique value that is in use elsewhere, or by another resource: it is free here."""
    cases = _cases(context, existing=False)
    used = _in_use(context, place) if cases and (place.is_parallel or place.other is not None) else None
    if used is None:
        return
    there = context if place.other is not None else replace(context, site=place.other_site(context.site))
    trial = prepare_trial(there, cases[:1])
    _set_members(trial, used)
    done, plain = perform(trial, _options(context, place.there)), _performed(there, place, cases[0])
    if done.result(0) == "failed" and plain.result(0) == "done":
        says = f"a value that is in use elsewhere is refused at {place.what}"
        says = f"a value that {place.what} has is refused" if place.other is not None else says
        yield law_finding(context.operation, "a value in use elsewhere is refused", says, done.view.exchange)


def _set_members(trial: Trial, members: Mapping[str, object]) -> None:
    """Give the only item of a trial other values of some members."""
    item = trial.items[0]
    trial.items[0] = trial.with_members(item, {**item.content.values, **members})


def _job(context: SiteContext, place: Elsewhere) -> Iterator[Finding]:
    """Ask for a job from elsewhere, and cancel it: it is not known there, and runs to its end."""
    session, declared = context.session, context.bulk.job
    cases = [one for _, one in item_kinds(session, context.operation)]
    if declared is None or place.other is not None:
        return
    session.identity = place.owner
    trial = prepare_trial(replace(context, site=place.own_site(context.site)), cases[:1])
    exchange = send(trial, _options(context, place.here, job_setting_of(context.bulk)))
    view = view_of(session, exchange)
    if not view.traces:
        raise NotApplicableError("no job was made")
    rng, own = session.rng("never", context.operation.id, place.what), view.traces[0].handle
    own = handle_id(session.contract, session.router, own)
    ids = [str(one) for one in (own, similar_id(own, rng), similar_id(own, rng))]
    named = [name for name in (declared.poll, *declared.results, declared.cancel) if name and name != "here"]
    asked = [name for name in named if _says_where(session, name, place)]
    session.identity = place.caller
    judged = _job_there(context, place, cases[0]) if place.is_parallel else tuple
    values = dict.fromkeys(place.there) if place.nowhere is not None else place.there
    for name in dict.fromkeys(asked):
        calls = [JobCall(operation=name, job=one, target=view.traces[0].target, given=values) for one in ids]
        foreign, never, other = (session.probe(job_request(session, view, one)) for one in calls)
        what = f"a job asked for by {name} from {place.what}"
        yield from compared(
            session, context.operation, Answers(what=what, foreign=foreign, never=never, other=other, words=ids)
        )
    session.identity = place.owner
    end = next((trace.end for trace in follow(session, exchange).traces), None)
    if end is not None and end.state == "cancelled":
        says = f"a job was cancelled from {place.what}"
        yield law_finding(context.operation, "is cancelled from elsewhere", says, exchange, end.exchange)
    yield from judged()


def _says_where(session: Session, name: str, place: Elsewhere) -> bool:
    """Return whether a call tells that it comes from the other place: by who calls, or by a parameter that it has."""
    operation = session.contract.operation(name)
    given = {one.name for one in operation.parameters} if operation is not None else set()
    return place.caller is not None or not given.isdisjoint(place.there)


def _job_there(context: SiteContext, place: Elsewhere, case: ItemCase) -> Callable[[], Iterator[Finding]]:
    """Send an item that a job carries out at the other place, and return what judges that its record changes there."""
    session, options = context.session, _options(context, place.there, job_setting_of(context.bulk))
    trial = prepare_trial(replace(context, site=place.other_site(context.site)), [case])
    before, sent = snapshots_before(trial), send_at_once(trial, options)

    def judged() -> Iterator[Finding]:
        session.identity = place.caller
        done = trial_result(trial, options, follow(session, sent))
        after = stored_records(done, target=next(iter(options.targets), None))
        if done.result(0) == "done" and after[0].present is not None and not after[0].differs(before[0], trial.names):
            says = f"a job at {place.what} is done, and what it was sent for ({case}) is not done there"
            yield trial_finding(LAW, "a job has no effect at its place", says, done, before[0], after[0])

    return judged


def _fan_out(context: SiteContext, place: Elsewhere) -> Iterator[Finding]:
    """Send items to a place that the client may not use, or name it as a target: it is as one that does not exist."""
    session, fan_out, operation = context.session, context.bulk.items.fan_out, context.operation
    if place.nowhere is None or place.other is not None or place.is_kind:
        return
    targets = [target_parameters(act, fan_out.over, "") for act in context.site.operations.values()] if fan_out else []
    if not any(place.there.keys() & one for one in [{own.name for own in operation.parameters}, *map(set, targets)]):
        return
    session.identity = place.caller
    cases = [one for _, one in item_kinds(session, operation)][:1]
    trials = [
        (prepare_trial(replace(context, site=at_values(context.site, {} if fan_out else one)), cases), one)
        for one in (place.there, place.nowhere)
    ]
    foreign, never = (session.probe(trial_request(trial, _options(context, one))) for trial, one in trials)
    words = [*place.there.values(), *place.nowhere.values()]
    what = f"a request for {place.what}"
    yield from compared(session, operation, Answers(what=what, foreign=foreign, never=never, other=never, words=words))
