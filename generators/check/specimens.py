"""Valid requests of any operation that acts on records, and whether they were carried out.

Begin with `specimen_of`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.messages import Exchange, Request
from contracts.openapi.model import Operation
from generators.check.laws.metamorphic import known_targets
from generators.check.records import CreatedRecord, Snapshot, create_records, find_records, new_record_members
from generators.check.records import read_record as read
from generators.check.trial_setup import ItemCase, Trial, possible_cases, prepare_trial
from generators.check.trials import snapshots, trial_request
from generators.client.polling import follow
from generators.client.session import Session
from generators.client.sites import (
    NO_SITE,
    SiteContext,
    experiment_site,
    experiment_sites,
    record_context_of,
    record_factory_of,
)
from generators.errors import NotApplicableError
from generators.requests.calls import valid_request
from generators.requests.envelope import SendOptions, unsupported_reason
from generators.requests.known_records import Names
from generators.requests.single import RecordSite, record_request, write_request

ITEM_COUNT: Final = 2
MAX_SITES: Final = 3
NEW_RECORD_ACTIONS: Final = ("create", "upsert", "replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """A valid request that was not sent yet.

    `look` returns the snapshots of the records that it writes, `before` are those from before; `names` are its fresh
    names. A request that writes nothing has none. `hidden` are texts that only who may see a record knows. `resource`
    is that of its records.
    """

    request: Request
    names: Names
    before: Sequence[Snapshot] = ()
    look: Callable[[], Sequence[Snapshot]] = tuple
    hidden: Sequence[str] = ()
    resource: str = ""

    def trace(self) -> Snapshot | None:
        """Return the first snapshot that shows a change, None when there is none or none can be seen."""
        after = self.look()
        return next((now for was, now in zip(self.before, after, strict=True) if was.differs(now, self.names)), None)


def specimen_of(session: Session, operation: Operation) -> Specimen:
    """Return a valid request of an operation with `x-bulk` or `x-record`. Raises NotApplicableError."""
    return next(specimens_of(session, operation))


def specimens_of(session: Session, operation: Operation) -> Iterator[Specimen]:
    """Yield valid requests, of each resource where there are several. Raises NotApplicableError behind the last."""
    return _bulk_specimens(session, operation) if operation.bulk is not None else _single(session, operation)


def specimen_or_request(session: Session, operation: Operation) -> Specimen:
    """Return a valid request of any operation; one whose effects cannot be seen where no other can be made."""
    try:
        return specimen_of(session, operation)
    except NotApplicableError:
        found = valid_request(session.contract, operation, made_up=False)
        if found.warning:
            raise
        return Specimen(request=found.request, names=session.names())


def carry_out(session: Session, specimen: Specimen) -> Exchange:
    """Send a specimen as it is, and wait for the end of its jobs. Raises NotApplicableError unless it is accepted."""
    exchange = send_and_follow(session, specimen.request)
    if exchange.response.status not in SUCCESS_STATUS:
        raise NotApplicableError(f"a valid request is refused ({exchange.response.status})")
    return exchange


def send_and_follow(session: Session, request: Request) -> Exchange:
    """Send a request, and wait for the end of its jobs."""
    exchange, operation = session.send(request), session.operation_of(request)
    has_jobs = operation is not None and operation.bulk is not None and operation.bulk.job is not None
    if has_jobs and exchange.response.status in SUCCESS_STATUS:
        follow(session, exchange)
    return exchange


def _bulk_specimens(session: Session, operation: Operation) -> Iterator[Specimen]:
    """Yield a request of the first kind of valid items that can be made, new records first."""
    reason = ""
    name = ("specimen", operation.id)
    known = session.cache.get(name)
    kinds = [known] if isinstance(known, tuple) else item_kinds(session, operation)
    for context, case in kinds:
        try:
            made = _bulk_specimen(context, case)
        except NotApplicableError as error:
            reason = reason or str(error)
            continue
        session.cache[name] = (context, case)
        yield made
    raise NotApplicableError(reason or NO_SITE)


def item_kinds(session: Session, operation: Operation) -> list[tuple[SiteContext, ItemCase]]:
    """Return the kinds of valid items of a bulk operation at its sites, new records first."""
    reason = unsupported_reason(operation, groups=False)
    if reason is not None:
        raise NotApplicableError(reason)
    found: list[tuple[SiteContext, ItemCase]] = []
    for site in experiment_sites(session, operation)[:MAX_SITES]:
        context = SiteContext(session=session, operation=operation, site=site)
        valid = [one for one in possible_cases(context.bulk) if not one.defect and one.action != "read"]
        found += [(context, case) for case in sorted(valid, key=lambda one: one.existing)]
    return found


def _bulk_specimen(context: SiteContext, case: ItemCase) -> Specimen:
    trial = prepare_trial(context, [case] * min(ITEM_COUNT, context.bulk.items.max or ITEM_COUNT))
    targets = known_targets(context)
    options = SendOptions(unit=context.unit, targets=targets[:1])
    look = _looking_at(trial, targets[0] if targets else None)
    request = trial_request(trial, options)
    resource = context.resource.name
    return Specimen(request=request, names=trial.names, before=look(), look=look, resource=resource)


def _looking_at(trial: Trial, target: str | None) -> Callable[[], Sequence[Snapshot]]:
    def look() -> Sequence[Snapshot]:
        found = snapshots(trial, {}, target=target)
        return [found[slot] for slot in sorted(found)]

    return look


def _single(session: Session, operation: Operation) -> Iterator[Specimen]:
    """Yield a single-record request: on a new record where it makes one, else on one that is created for it."""
    record = operation.record
    if record is None:
        raise NotApplicableError("it acts on no records")
    reason = NO_SITE
    for name in session.contract.resources:
        site, action = experiment_site(session, name), record.action.constant or ""
        if site is not None and site.operations.get(action) is operation:
            try:
                yield _single_specimen(session, site, action)
            except NotApplicableError as error:
                reason = str(error)
    raise NotApplicableError(reason)


def _single_specimen(session: Session, site: RecordSite, action: str) -> Specimen:
    names = session.names()
    rng = session.rng("specimen", site.resource.name)
    if action == "list":
        return Specimen(request=record_request(site, "list").request(), names=names)
    members = new_record_members(session, site, names, "s", rng)
    is_new = action in NEW_RECORD_ACTIONS and not (site.resource.assigned and action != "create")
    if is_new:
        key = None if site.resource.assigned else members.get(site.resource.key)
        request = write_request(site, action, members, key=key).request()
    else:
        known = create_records(session, site, [members], names)[0]
        key, request = known.key, _request_on(session, site, action, known, names)

    def look() -> Sequence[Snapshot]:
        if key is not None:
            return [read(session, site, key)]
        return find_records(session, site, [names.marker(members)], expected=())

    fresh = [value for value in members.values() if isinstance(value, str) and names.is_fresh(value)]
    hidden = () if is_new else [value for value in fresh if value != key]
    resource = site.resource.name
    return Specimen(request=request, names=names, before=look(), look=look, hidden=hidden, resource=resource)


def _request_on(session: Session, site: RecordSite, action: str, known: CreatedRecord, names: Names) -> Request:
    if action == "read":
        return record_request(site, "read", key=known.key).request()
    rng = session.rng("specimen change", site.resource.name)
    factory = record_factory_of(session, site.resource)
    changes = {} if action == "delete" else factory.fresh_change(record_context_of(names, rng), "c")
    members = {**known.members, **changes} if action == "replace" else changes
    return write_request(site, action, members, key=known.key, version=known.version).request()
