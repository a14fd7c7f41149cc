"""The part of the law `errors` on records that others refer to, which cannot be deleted (`restrict`).

Begin with `referred_trial` and `freed`. How many refer to a record is a fact that a text may name: right for one, two
and three. Once they are deleted, by the same request too, the record can be.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from contracts.bulk.model import Bulk
from contracts.exchange.bulk_request import chooses_inside
from generators.check.laws.errors.fault_order import KnownFault
from generators.check.records import CreatedRecord, create_records, new_record_members
from generators.check.trial_setup import ItemCase, Trial, trial_item
from generators.check.trials import perform, trial_finding
from generators.client.session import Session
from generators.client.sites import SiteContext, experiment_site, experiment_sites
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding
from generators.requests.envelope import SendOptions
from generators.requests.known_records import Names
from generators.requests.options import actions_of
from generators.requests.single import RecordSite

KIND: Final = "referenced"
COUNTS: Final = (1, 2, 3)  # records that refer to another one
DELETION: Final = ItemCase(action="delete", existing=True)


def referred_trial(context: SiteContext) -> tuple[Trial, Mapping[int, Sequence[KnownFault]]]:
    """Return a trial that deletes records to which others refer, and the fault of each. Raises NotApplicableError."""
    session, names = context.session, context.session.names()
    if "delete" not in actions_of(context.bulk) or not _tells(context.bulk):
        raise NotApplicableError("it does not declare how a deletion fails of what others refer to")
    site, other, member = _referring(context)
    trial = Trial(context=replace(context, site=site), names=names)
    parents = _created(session, site, names, [{} for _ in COUNTS])
    _created(session, other, names, [{member: parents[n].key} for n, size in enumerate(COUNTS) for _ in range(size)])
    trial.items += [trial_item(trial, n, DELETION, one, fitting=True) for n, one in enumerate(parents)]
    title = session.contract.schemas.schema(site.resource.schema).raw.get("title") if site.resource.schema else None
    facts = [{"key": one.key, "title": title, "referrers": size} for one, size in zip(parents, COUNTS, strict=True)]
    return trial, {n: [KnownFault(kind=KIND, facts=one)] for n, one in enumerate(facts)}


def freed(context: SiteContext) -> Iterator[Finding]:
    """Delete what refers to a record, and behind it the record itself, in one request: both are deleted."""
    session, bulk, names = context.session, context.bulk, context.session.names()
    if "delete" not in actions_of(bulk) or bulk.order.run == "any":
        raise NotApplicableError("its items delete no records in an order")
    site, other, member = _referring(context) if chooses_inside(bulk) else _self_referring(context)
    parent = _created(session, site, names, [{}])[0]
    child = _created(session, other, names, [{member: parent.key}])[0]
    grouped = bulk.order.run == "grouped"
    trial = Trial(context=replace(context, site=site), names=names)
    for n, (at, one) in enumerate(((other, child), (site, parent))):
        part = Trial(context=replace(context, site=at), names=names)
        case = replace(DELETION, group=n + 1 if grouped else None)
        trial.items.append(replace(trial_item(part, n, case, one, fitting=True), slot=n))
    done = perform(trial, SendOptions(unit=context.unit, grouped=grouped))
    if done.refused or (done.result(0) == "done" and done.result(1) == "failed"):
        says = f"a {site.resource.name} is not deleted behind the {other.resource.name} that refers to it"
        yield trial_finding("errors", "a deleted record counts as referring", says, done)


def _self_referring(context: SiteContext) -> tuple[RecordSite, RecordSite, str]:
    """Return a site whose records refer to others of their kind, twice, and the member by which they do."""
    for site in experiment_sites(context.session, context.operation):
        for member, name in site.resource.references.items() if site.resource.restrict else ():
            if name == site.resource.name and "create" in site.operations:
                return site, site, member
    raise NotApplicableError("no record refers to another one of its kind")


def _tells(bulk: Bulk) -> bool:
    told = bulk.reply.outcomes
    return told is not None and (KIND in told.codes or KIND in told.names)


def _referring(context: SiteContext) -> tuple[RecordSite, RecordSite, str]:
    """Return a site, the simplest one whose records refer to its records, and the member by which they do."""
    session, resources = context.session, context.session.contract.resources
    others = [one for name in resources if (one := experiment_site(session, name)) and "create" in one.operations]
    others.sort(key=lambda one: len(set(one.resource.required) & set(one.resource.references)))
    for site in experiment_sites(session, context.operation):
        for other in others if site.resource.restrict else ():
            for member, name in other.resource.references.items():
                if name == site.resource.name and other.resource.name != name:
                    return site, other, member
    raise NotApplicableError("no record that others refer to can be made")


def _created(
    session: Session, site: RecordSite, names: Names, own: Sequence[Mapping[str, object]]
) -> list[CreatedRecord]:
    rng, slot = session.rng("referred", site.resource.name), site.resource.name[:1].lower()
    members = [{**new_record_members(session, site, names, f"{slot}{n}", rng), **one} for n, one in enumerate(own)]
    return create_records(session, site, members, names)
