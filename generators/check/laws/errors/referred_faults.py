"""The part of the law `errors` on records that others refer to, which cannot be deleted (`restrict`).

Begin with `referred_trials` and `freed`. How many refer to a record is a fact that a text may name: right for one, two
and three. Once they are deleted, by the same request too, or undone, the record can be. `lacking_trials` are of records
that lack a reference, `pair_trials` of those with references that only one record may have.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final, NamedTuple

from contracts.bulk.model import Bulk
from contracts.exchange.bulk_request import chooses_inside
from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.syntax.text import is_text_or_number
from generators.check.laws.again import item_changing
from generators.check.laws.errors.fault_order import KnownFault
from generators.check.laws.errors.member_faults import Faulty
from generators.check.records import CreatedRecord, create_records, new_record_members
from generators.check.trial_setup import (
    WRITING_ACTIONS,
    ItemCase,
    Trial,
    available_cases,
    fits_request,
    possible_cases,
    prepare_trial,
    trial_item,
)
from generators.check.trials import perform, trial_finding
from generators.client.session import Session
from generators.client.sites import SiteContext, experiment_site, experiment_sites
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding
from generators.requests.envelope import SendOptions
from generators.requests.known_records import Names
from generators.requests.options import actions_of, units_of
from generators.requests.single import RecordSite, write_request

KIND: Final = "referenced"
LACKING: Final = "missing-reference"
COUNTS: Final = (1, 2, 3)  # records that refer to another one
DELETION: Final = ItemCase(action="delete", existing=True)


class Referring(NamedTuple):
    """A site, another one whose records refer to its records, and the member by which they do."""

    site: RecordSite
    other: RecordSite
    member: str


def referred_trials(context: SiteContext) -> Iterator[Faulty]:
    """Yield trials that delete records to which others refer, by each member that does so, and the fault of each.

    Simple ones come first. Raises NotApplicableError.
    """
    if "delete" not in actions_of(context.bulk) or not _tells(context.bulk):
        raise NotApplicableError("it does not declare how a deletion fails of what others refer to")
    found = sorted(_referring(context), key=lambda one: one.other == one.site)
    for n, one in enumerate(found):
        with suppress(NotApplicableError):
            yield _referred(context, one, (1,) if n else COUNTS)


def _referred(context: SiteContext, one: Referring, sizes: Sequence[int]) -> Faulty:
    """Return a trial that deletes records to which so many others refer, and the fault of each."""
    session, names, site = context.session, context.session.names(), one.site
    trial = Trial(context=replace(context, site=site), names=names)
    parents = _created(session, site, names, [{} for _ in sizes])
    children = [{one.member: parents[n].key} for n, size in enumerate(sizes) for _ in range(size)]
    _created(session, one.other, names, children, "r")
    trial.items += [trial_item(trial, n, DELETION, known, fitting=True) for n, known in enumerate(parents)]
    title = session.contract.schemas.schema(site.resource.schema).raw.get("title") if site.resource.schema else None
    facts = [{"key": known.key, "title": title, "referrers": n} for known, n in zip(parents, sizes, strict=True)]
    return trial, {n: [KnownFault(kind=KIND, facts=one)] for n, one in enumerate(facts)}


def lacking_trials(context: SiteContext) -> Iterator[Faulty]:
    """Yield trials of new records that lack a reference that they need, and the faults. Raises NotApplicableError."""
    told = context.bulk.reply.outcomes
    if told is None or LACKING not in {*told.codes, *told.names}:
        raise NotApplicableError("it does not declare what is told of a reference that is missing")
    for site in experiment_sites(context.session, context.operation):
        names = [name for name in site.resource.references if name in site.resource.required]
        cases = [one for one in possible_cases(context.bulk) if not one.defect and one.action in WRITING_ACTIONS]
        for case in cases if names else ():
            with suppress(NotApplicableError):
                yield _lacking(replace(context, site=site), case, names)


def pair_trials(context: SiteContext) -> Iterator[Faulty]:
    """Yield trials of a new record with the unique pair of another one, references among it, and what is in use."""
    for site in experiment_sites(context.session, context.operation):
        groups = [one for one in site.resource.unique if len(one) > 1 and set(one) & site.resource.references.keys()]
        case = next((one for one in possible_cases(context.bulk) if not one.existing and not one.defect), None)
        with suppress(NotApplicableError):
            if case is not None and groups:
                yield _paired(replace(context, site=site), case, groups[0])


def _paired(context: SiteContext, case: ItemCase, group: Sequence[str]) -> Faulty:
    """Return a trial of one new record that has the values of another one in a unique group, and its fault."""
    trial = prepare_trial(context, [case])
    known = _created(context.session, context.site, trial.names, [{}])[0]
    values = {name: known.members.get(name) for name in group}
    trial.items[0] = trial.with_members(trial.items[0], {**trial.items[0].content.values, **values})
    if not fits_request(trial, case, trial.items[0].raw) or not all(map(is_text_or_number, values.values())):
        raise NotApplicableError("no item has what is unique of another record")
    return trial, {0: [KnownFault(kind="duplicate", member=group[0], facts={"value": tuple(values.values())})]}


def _lacking(context: SiteContext, case: ItemCase, names: Sequence[str]) -> Faulty:
    """Return a trial of items that have null in the place of each name, and new ones without it, and their faults."""
    lacking = [*names, *names]
    if case.existing:
        trial = Trial(context=context, names=context.session.names())
        known = _created(context.session, context.site, trial.names, [{} for _ in names])
        pairs = enumerate(zip(known, names, strict=True))
        trial.items = [replace(item_changing(trial, case, one, {name: None}), slot=n) for n, (one, name) in pairs]
    else:
        trial = prepare_trial(context, [case] * len(lacking))
        for n, one in enumerate(trial.items):
            others = {name: value for name, value in one.content.values.items() if name != lacking[n]}
            members = {**others, lacking[n]: None} if n < len(names) else others
            trial.items[n] = trial.with_members(one, members)
    if not all(fits_request(trial, case, one.raw) for one in trial.items):
        raise NotApplicableError("a record without its references has the whole request refused")
    return trial, {n: [KnownFault(kind=LACKING, member=lacking[n])] for n in range(len(trial.items))}


def freed(context: SiteContext) -> Iterator[Finding]:
    """Delete what refers to a record, and behind it the record itself, in one request: both are deleted."""
    session, bulk, names = context.session, context.bulk, context.session.names()
    if "delete" not in actions_of(bulk) or bulk.order.run == "any":
        raise NotApplicableError("its items delete no records in an order")
    found = [one for one in _referring(context) if (one.other == one.site) is not chooses_inside(bulk)]
    if not found:
        raise NotApplicableError("no record refers to another one that a request could delete behind it")
    site, other, member = found[0]
    parent = _created(session, site, names, [{}])[0]
    child = _created(session, other, names, [{member: parent.key}], "r")[0]
    grouped = bulk.order.run == "grouped"
    trial = Trial(context=replace(context, site=site), names=names)
    for n, (at, one) in enumerate(((other, child), (site, parent))):
        part = Trial(context=replace(context, site=at), names=names)
        case = replace(DELETION, group=n + 1 if grouped else None)
        trial.items.append(replace(trial_item(part, n, case, one, fitting=True), slot=n))
    done = perform(trial, SendOptions(unit=context.unit, grouped=grouped))
    if done.refused or (done.result(0) == "done" and done.result(1) == "failed"):
        says = f"a record of {site.resource.name} is not deleted behind the {other.resource.name} that refers to it"
        yield trial_finding("errors", "a deleted record counts as referring", says, done)


def undone(context: SiteContext) -> Iterator[Finding]:
    """Have a record that refers to another one undone with its request: the other one can be deleted."""
    session, (right, wrong) = context.session, available_cases(context)
    case, bad = (next((one for one in some if not one.existing), None) for some in (right, wrong))
    unit = next((one for one in units_of(context.bulk) if one != "item"), "")
    site, member = next(_restricted(context), (None, ""))
    if case is None or bad is None or site is None or not unit:
        raise NotApplicableError("no record refers to another one, and is undone with its request")
    trial = prepare_trial(context, [case, bad])
    parents = _created(session, site, trial.names, [{}, {}])
    one = trial.items[0]
    trial.items[0] = trial.with_members(one, {**one.content.values, member: parents[0].key})
    done = perform(trial, SendOptions(unit=unit))
    if done.result(0) == "done":
        raise NotApplicableError("a request is not undone as a whole")
    calls = [write_request(site, "delete", {}, key=known.key, version=known.version).request() for known in parents]
    first, second = (session.send(call) for call in calls)
    if first.response.status not in SUCCESS_STATUS and second.response.status in SUCCESS_STATUS:
        says = f"a record of {site.resource.name} is not deleted after the one that refers to it was undone"
        yield trial_finding("errors", "an undone record counts as referring", says, done, first, second)


def kept(context: SiteContext) -> Iterator[Finding]:
    """Have the deletion of what refers to a record undone with its request: the record cannot be deleted."""
    session, names = context.session, context.session.names()
    unit = next((one for one in units_of(context.bulk) if one != "item"), "")
    bad = next((one for one in available_cases(context)[1] if one.action == "delete"), None)
    sites = experiment_sites(session, context.operation)
    one = next((one for one in _referring(context) if one.other in sites and one.other != one.site), None)
    if bad is None or one is None or not unit or "delete" not in one.site.operations:
        raise NotApplicableError("no deletion of what refers to a record is undone with its request")
    parent = _created(session, one.site, names, [{}])[0]
    child = _created(session, one.other, names, [{one.member: parent.key}], "r")[0]
    trial = prepare_trial(replace(context, site=one.other), [bad, bad])
    trial.items[0] = trial_item(trial, 0, DELETION, child, fitting=True)
    done = perform(trial, SendOptions(unit=unit))
    if done.result(0) == "done":
        raise NotApplicableError("a request is not undone as a whole")
    request = write_request(one.site, "delete", {}, key=parent.key, version=parent.version).request()
    exchange = session.send(request)
    if exchange.response.status in SUCCESS_STATUS:
        says = f"a record of {one.site.resource.name} is deleted after the deletion of what refers to it was undone"
        yield trial_finding("errors", "what an undone deletion keeps is not protected", says, done, exchange)


def _restricted(context: SiteContext) -> Iterator[tuple[RecordSite, str]]:
    """Yield each member by which a record refers to one that cannot be deleted then, and the site of that."""
    for member, name in context.resource.references.items():
        site = experiment_site(context.session, name) if name in context.session.contract.resources else None
        if site is not None and site.resource.restrict and "delete" in site.operations:
            yield site, member


def _tells(bulk: Bulk) -> bool:
    told = bulk.reply.outcomes
    return told is not None and (KIND in told.codes or KIND in told.names)


def _referring(context: SiteContext) -> list[Referring]:
    """Return each member by which records refer to those of a site, the simplest ones first."""
    session, resources = context.session, context.session.contract.resources
    others = [one for name in resources if (one := experiment_site(session, name)) and "create" in one.operations]
    others.sort(key=lambda one: len(set(one.resource.required) & set(one.resource.references)))
    kept = [one for one in experiment_sites(session, context.operation) if one.resource.restrict]
    return [
        Referring(site, other, member)
        for site in kept
        for other in others
        for member, name in other.resource.references.items()
        if name == site.resource.name
    ]


def _created(
    session: Session, site: RecordSite, names: Names, own: Sequence[Mapping[str, object]], slot: str = "p"
) -> list[CreatedRecord]:
    rng = session.rng("referred", site.resource.name)
    members = [{**new_record_members(session, site, names, f"{slot}{n}", rng), **one} for n, one in enumerate(own)]
    return create_records(session, site, members, names)
