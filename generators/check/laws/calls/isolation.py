"""The law on what is apart: what belongs to another scope, tenant or resource is neither seen nor touched.

Begin with `isolation`. Scopes and tenants are declared (`x-scopes`, `x-test-clients`), resources are always apart. An
answer about what belongs elsewhere is that about what never existed, and what it belongs to is as it was.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import islice, product
from typing import Final, TypeAlias

from contracts.exchange.bulk_request import target_parameters
from contracts.exchange.job_traces import SUCCESS_STATUS, handle_id
from contracts.messages import ABSENT, Request
from contracts.openapi.model import Contract, Operation
from contracts.syntax.text import is_text_or_integer, short
from generators.check.laws.metamorphic import known_targets, run_each
from generators.check.lists import MAX_PAGES, walk
from generators.check.records import CreatedRecord, find_records, read_record
from generators.check.separate_places import (
    Answers,
    Elsewhere,
    at_values,
    changed_from_elsewhere,
    compared,
    created_record,
    created_twin,
    elsewheres,
    law_finding,
    similar_id,
)
from generators.check.specimens import item_kinds
from generators.check.trial_setup import SHARED_SLOT, ItemCase, Trial, prepare_trial, trial_item
from generators.check.trials import TrialResult, perform, send, trial_request
from generators.client.polling import JobCall, follow, job_request, view_of
from generators.client.session import Session
from generators.client.sites import SiteContext, experiment_site, experiment_sites, record_context_of, record_factory_of
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding
from generators.requests.calls import fill_lookup
from generators.requests.envelope import SendOptions
from generators.requests.known_records import Names
from generators.requests.options import job_setting_of
from generators.requests.single import RecordSite, list_request, page_size, record_request, write_request

JUDGED_ACTIONS: Final = frozenset(("read", "update", "delete"))
"""Actions that fail where there is no record; others make one."""
Asker: TypeAlias = Callable[[RecordSite, object], Request]


def is_apart(contract: Contract, operation: Operation) -> bool:
    """Say whether anything of an operation is apart from something else: of one on records, or of a bulk request."""
    record, bulk = operation.record, operation.bulk
    if bulk is None and (record is None or record.action.constant == "create"):
        return False
    if contract.scopes or len({one.tenant for one in contract.clients if one.tenant}) > 1:
        return True
    chosen = record.resource if record is not None else bulk.effect.resource if bulk is not None else None
    if chosen is not None and chosen.source.startswith("path:"):
        return len(contract.resources) > 1
    alike = [one.record for one in contract.operations if record and one.record and one.record.action == record.action]
    return any(record is not None and one.resource != record.resource for one in alike) and not _lists(operation)


def _lists(operation: Operation) -> bool:
    return operation.record is not None and operation.record.action.constant == "list"


def isolation(session: Session, operation: Operation) -> Iterator[Finding]:
    """Look for a record and a job from elsewhere, and try to change them."""
    experiment = _bulk if operation.bulk is not None else _single
    before = session.identity
    try:
        yield from experiment(session, operation)
    finally:
        session.identity = before


def _single(session: Session, operation: Operation) -> Iterator[Finding]:
    """Judge a single-record operation from each of the other places."""
    action = operation.record.action.constant or "" if operation.record is not None else ""
    probed = [experiment_site(session, name) for name in session.contract.resources]
    sites = [site for site in probed if site is not None and action in site.operations]
    found = [site for site in sites if site.operations[action] is operation]
    if not found:
        raise NotApplicableError("no resource was found to test it on")
    site = min(found, key=lambda one: len(set(one.resource.required) & set(one.resource.references)))
    places = [one for one in elsewheres(session, [operation], site, sites) if not one.is_kind]
    if action == "list":
        yield from _mixed(session, operation, found)
    judge = _listed if action == "list" else _called
    yield from run_each(_some(places), partial(judge, session, operation, site))


def _some(places: Sequence[Elsewhere]) -> Sequence[Elsewhere]:
    """Return the places when there are any. Raises NotApplicableError."""
    if not places:
        raise NotApplicableError("nothing is apart from it")
    return places


def _called(session: Session, operation: Operation, site: RecordSite, place: Elsewhere) -> Iterator[Finding]:
    """Make a call on a record from elsewhere; then on another one there that has its key."""
    names, action = session.names(), operation.record.action.constant or "" if operation.record is not None else ""
    own, there = place.own_site(site), place.other_site(site)
    session.identity = place.owner
    known = created_record(session, own, names)
    before = read_record(session, own, known.key)
    asked = _asker(session, there.resource.name, action, known, names)
    session.identity = place.caller
    _require_own_key(session, place, known, names)
    foreign = session.probe(asked(there, known.key))
    what = f"a {site.resource.name} asked for by {foreign.operation} from {place.what}"
    if action in JUDGED_ACTIONS:
        rng = session.rng("never", operation.id, place.what)
        keys = [similar_id(known.key, rng), similar_id(known.key, rng)]
        nowhere = [asked(there, key) for key in keys]
        if place.nowhere is not None:
            nowhere = [asked(at_values(site, place.nowhere), known.key)] * 2
        never, other = map(session.probe, nowhere)
        words = [*map(str, (known.key, *keys)), *place.there.values(), *(place.nowhere or {}).values()]
        answers = Answers(what=what, foreign=foreign, never=never, other=other, words=words)
        yield from compared(session, operation, answers)
    if place.is_parallel and action != "read" and created_twin(session, there, known, names) is not None:
        foreign = session.probe(asked(there, known.key))
    session.identity = place.owner
    after = read_record(session, own, known.key)
    yield from changed_from_elsewhere(operation, names, (before, after), what, foreign)


def _require_own_key(session: Session, place: Elsewhere, known: CreatedRecord, names: Names) -> None:
    """Raise NotApplicableError when a record of the other resource has the key of a known one, as counted keys do."""
    marker = names.marker(known.members)
    if place.other is not None and place.other.resource.assigned and "read" in place.other.operations:
        response = session.probe(record_request(place.other, "read", key=known.key).request()).response
        if response.status in SUCCESS_STATUS and (marker is None or marker.text not in response.body.decode()):
            raise NotApplicableError(f"a {place.other.resource.name} has the same key")


def _asker(session: Session, resource: str, action: str, known: CreatedRecord, names: Names) -> Asker:
    """Return what makes the request of an action on a key at a site."""
    factory = record_factory_of(session, session.contract.resources[resource])
    rng = session.rng("apart change", resource)
    change = {} if action in {"read", "delete"} else factory.fresh_change(record_context_of(names, rng), "c")
    change = {**known.members, **change} if action in {"replace", "upsert"} else change

    def asked(site: RecordSite, key: object) -> Request:
        if action == "read":
            return record_request(site, "read", key=key).request()
        own = {site.resource.key: key} if site.resource.key in change else {}
        return write_request(site, action, {**change, **own}, key=key, version=known.version).request()

    return asked


def _listed(session: Session, operation: Operation, site: RecordSite, place: Elsewhere) -> Iterator[Finding]:
    """Yield when a list shows a record of another place."""
    if place.nowhere is not None:
        session.identity = place.caller
        asked = [list_request(at_values(site, one)).request() for one in (place.there, place.nowhere)]
        foreign, never = map(session.probe, asked)
        words = [*place.there.values(), *place.nowhere.values()]
        what = f"a list asked for by {place.what}"
        yield from compared(
            session, operation, Answers(what=what, foreign=foreign, never=never, other=never, words=words)
        )
    elif place.is_parallel:
        session.identity = place.owner
        names = session.names()
        known = created_record(session, place.own_site(site), names)
        session.identity = place.caller
        found = find_records(session, place.other_site(site), [names.marker(known.members)], by_filter=False)[0]
        if found.present and found.exchange is not None:
            says = f"the list of {place.what} shows a {site.resource.name} that was created elsewhere"
            yield law_finding(operation, "is listed elsewhere", says, found.exchange)


def _mixed(session: Session, operation: Operation, sites: Sequence[RecordSite]) -> Iterator[Finding]:
    """Create a record of each resource that one operation lists: no list shows one of another resource."""
    made: dict[object, RecordSite] = {}
    for site in sites if len(sites) > 1 else ():
        names = session.names()
        with suppress(NotApplicableError):
            marker = names.marker(created_record(session, site, names).members)
            made |= {} if marker is None else {marker.value: site}
    for site in sites if made else ():
        for exchange, bodies in islice(walk(session, site, page_size(site.page)), MAX_PAGES):
            other = next(
                (one for body in bodies for one in _own_values(site, body) if made.get(one, site) is not site), None
            )
            if other is not None:
                says = f"the list of {site.resource.name} shows the {made[other].resource.name} {short(other)}"
                yield law_finding(operation, "another resource is listed", says, exchange)


def _own_values(site: RecordSite, body: object) -> Iterator[object]:
    """Yield the values of a record's members that refer to no other record; all of what has not the resource's key."""
    referring = site.resource.references if site.reader.key(body) is not ABSENT else ()
    for name, value in site.reader.members(body).items():
        if name not in referring and is_text_or_integer(value):
            yield value


def _bulk(session: Session, operation: Operation) -> Iterator[Finding]:
    """Judge a bulk operation: its items name what belongs elsewhere, its jobs are asked for from elsewhere."""
    context = next((one for one, _ in item_kinds(session, operation)), None)
    if context is None:
        raise NotApplicableError("no resource was found to test it on")
    operations = [operation, *context.site.operations.values()]
    job = operation.bulk.job if operation.bulk is not None else None
    polled = session.contract.operation(job.poll) if job is not None and job.poll else None
    chosen = context.bulk.effect.resource
    others = experiment_sites(session, operation) if chosen is not None and chosen.source.startswith("path:") else ()
    places = list(elsewheres(session, [*operations, *([polled] if polled else [])], context.site, others))
    experiments = (_existing, _references, _unique, _job, _fan_out)
    yield from run_each(product(_some(places), experiments), lambda pair: pair[1](context, pair[0]))


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
    done = _performed(there, place, case, known)
    what = f"a {context.resource.name} named by an item ({case}) from {place.what}"
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


def _unique(context: SiteContext, place: Elsewhere) -> Iterator[Finding]:
    """Use a unique value that is in use elsewhere: it is free here."""
    session, resource, cases = context.session, context.resource, _cases(context, existing=False)
    group = next((one for one in resource.unique if not set(one) & set(resource.references)), None)
    if group is None or not cases or not place.is_parallel:
        return
    session.identity = place.owner
    known = created_record(session, place.own_site(context.site), session.names())
    session.identity = place.caller
    there = replace(context, site=place.other_site(context.site))
    trial = prepare_trial(there, cases[:1])
    _set_members(trial, {member: known.members.get(member) for member in group})
    done, plain = perform(trial, _options(context, place.there)), _performed(there, place, cases[0])
    if done.result(0) == "failed" and plain.result(0) == "done":
        says = f"a value that is in use elsewhere is refused at {place.what}"
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
    asked = [name for name in (declared.poll, *declared.results, declared.cancel) if name and name != "here"]
    session.identity = place.caller
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


def _fan_out(context: SiteContext, place: Elsewhere) -> Iterator[Finding]:
    """Name a target that the client may not use: it is refused as one that does not exist."""
    session, fan_out = context.session, context.bulk.items.fan_out
    if fan_out is None or place.nowhere is None:
        return
    acts = context.site.operations.values()
    if not any(place.there.keys() & target_parameters(act, fan_out.over, "").keys() for act in acts):
        return
    session.identity = place.caller
    cases = [one for _, one in item_kinds(session, context.operation)][:1]
    asked = [
        trial_request(prepare_trial(context, cases), _options(context, one)) for one in (place.there, place.nowhere)
    ]
    foreign, never = map(session.probe, asked)
    words = [*place.there.values(), *place.nowhere.values()]
    what = f"a request for the target of {place.what}"
    yield from compared(
        session, context.operation, Answers(what=what, foreign=foreign, never=never, other=never, words=words)
    )
