"""Create records for experiments, and take snapshots of records that compare across equal trials.

Begin with `create_records`, `read_record` and `Snapshot`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

from contracts.exchange.bulk_exchange import bulk_exchanges
from contracts.exchange.job_traces import GONE_STATUS, SUCCESS_STATUS
from contracts.exchange.outcomes import created_key
from contracts.messages import ABSENT, Exchange, ExchangeHistory
from contracts.openapi.inference import settable_members
from contracts.openapi.model import Operation
from contracts.schemas.equality import canonical, has_spellings, key_text, stored_part
from contracts.schemas.schema_set import Schema
from generators.check.lists import find_rows, find_selected
from generators.client.session import Session
from generators.client.sites import SiteContext, experiment_site, experiment_sites, record_context_of, record_factory_of
from generators.errors import NotApplicableError
from generators.oracles.response_laws import is_made_up
from generators.requests.envelope import SendOptions, unsupported_reason
from generators.requests.items import ItemContent, example_members
from generators.requests.known_records import Marker, Names
from generators.requests.options import actions_of
from generators.requests.single import Members, RecordSite, record_request, write_request


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A record as it was read. `members` are those of its schema; `present` is None when its existence is unknown.

    `copies` counts the records with the marker by which it was found in a list. `schema` is that of the record; its
    version is not compared unless it `has_counter`.
    """

    present: bool | None
    key: object = ABSENT
    version: object = ABSENT
    members: Mapping[str, object] | None = None
    copies: int = 1
    exchange: Exchange | None = None
    schema: Schema | None = None
    has_counter: bool = True

    @property
    def known_version(self) -> object:
        """The version that the record shows, None when it shows none."""
        return None if self.version is ABSENT else self.version

    def comparable(self, names: Names) -> tuple[object, ...]:
        """Return the parts that must be equal in an equal trial, in canonical form and with fresh names normalised."""
        version = self.version if self.has_counter else ABSENT
        return (self.present, version, self.comparable_members(names) if self.members is not None else None)

    def comparable_members(self, names: Names) -> Mapping[str, object]:
        """Return the members in canonical form, with fresh names normalised; null ones are left out."""
        found = stored_part(self.schema, dict(self.members or {}))
        given = found.items() if isinstance(found, dict) else ()
        return {name: names.normalise({name: value}) for name, value in given if value is not None}

    def differs(self, other: "Snapshot", names: Names, others: Names | None = None) -> bool:
        """Return whether both records are known and different; `others` are the names of the other one's trial."""
        known = self.present is not None and other.present is not None
        return known and self.comparable(names) != other.comparable(names if others is None else others)


UNKNOWN: Final = Snapshot(present=None)


def read_record(session: Session, site: RecordSite, key: object, *, probe: bool = False) -> Snapshot:
    """Return a record by its key; what a `probe` shows nobody else judges. Raises NotApplicableError if unreadable."""
    exchange = (session.probe if probe else session.send)(record_request(site, "read", key=key).request())
    if exchange.response.status in GONE_STATUS:
        return Snapshot(present=False, key=key, exchange=exchange)
    if exchange.response.status not in SUCCESS_STATUS:
        raise NotApplicableError(
            f"reading a record of {site.resource.name} back was answered {exchange.response.status}"
        )
    return snapshot_of(session, site, exchange.response.data, exchange)


def snapshot_of(session: Session, site: RecordSite, body: object, exchange: Exchange) -> Snapshot:
    """Return the snapshot of the record in a response body."""
    maker, reader = record_factory_of(session, site.resource), site.reader
    return Snapshot(
        present=True,
        key=reader.key(body),
        version=reader.version(body),
        members=reader.stored(body, None if maker.schema is None else maker.members),
        exchange=exchange,
        schema=maker.schema,
        has_counter=site.resource.has_counter,
    )


def find_records(
    session: Session,
    site: RecordSite,
    markers: Sequence[Marker | None],
    *,
    expected: Collection[Marker | None] | None = None,
    by_filter: bool = True,
) -> Sequence[Snapshot]:
    """Return the records with these values from the list of all records; UNKNOWN where the list cannot tell.

    `expected` are the values of records that were reported as stored, all by default. Others are looked for only where
    new records stand in the list, once that is known. A list that can be filtered is, unless `by_filter` is false.
    """
    sought = [marker for marker in markers if marker is not None]
    awaited = {marker.text for marker in (markers if expected is None else expected) if marker is not None}
    schema = record_factory_of(session, site.resource).schema
    members = schema.members() if schema is not None else {}
    spelled = {name: one for name, one in members.items() if has_spellings(one)}

    def marks(body: object) -> Iterator[str]:
        return _scalars(site.reader.members(body), spelled)

    if by_filter:
        rows, end = find_selected(session, site, sought, awaited, marks)
    else:
        rows, end = find_rows(session, site, {one.text for one in sought}, awaited, marks)
    found = {mark: replace(snapshot_of(session, site, one[0], one[1]), copies=one[2]) for mark, one in rows.items()}
    missing = UNKNOWN if end is None else Snapshot(present=False, exchange=end)
    return [UNKNOWN if marker is None else found.get(marker.text, missing) for marker in markers]


def _scalars(members: Mapping[str, object], spelled: Mapping[str, Schema]) -> Iterator[str]:
    """Yield the texts and numbers among the members of a record as keys are written."""
    for name, value in members.items():
        if isinstance(value, str | int | float):
            yield key_text(canonical(spelled[name], value) if name in spelled else value)


PLACEHOLDER: Final = "A text of some length"
BULK_THRESHOLD: Final = 4  # number of records from which they are created in bulk, where possible
MAX_VERSION_READS: Final = 64  # records whose version is read individually


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedRecord:
    """A record that was created: its key, its version (None when it has none) and the members that were sent."""

    key: object
    version: object
    members: Members


def create_parents(
    session: Session, site: RecordSite, names: Names, slot: str, wanted: Iterable[str] | None = None
) -> Members:
    """Create records for these references of a new record, or the required ones, and return their keys by member."""
    resource = site.resource
    wanted = [name for name in resource.references if name in resource.required] if wanted is None else wanted
    made: Members = {}
    for n, name in enumerate(wanted):
        made[name] = _create_parent(session, resource.references[name], names, f"{slot}p{n}", site.values)
        names.parents[name, key_text(made[name])] = f"{slot}p{n}"
    return made


def _create_parent(session: Session, name: str, names: Names, slot: str, at: Mapping[str, str]) -> object:
    """Create a record that one at these values of parameters may refer to: it has the same values of scopes."""
    site = experiment_site(session, name)
    if site is None:
        raise NotApplicableError(f"a {name} to refer to cannot be made")
    site = replace(site, values={**site.values, **{one: at[one] for one in session.contract.scopes if one in at}})
    members = new_record_members(session, site, names, slot, session.rng("parent", name))
    return create_keys(session, site, [members], names)[0]


def new_record_members(
    session: Session,
    site: RecordSite,
    names: Names,
    slot: str,
    rng: Random,
    *,
    edges: float = 0.0,
) -> Members:
    """Return members of a new record; its references name records that were created for it."""
    parents = create_parents(session, site, names, slot)
    return record_factory_of(session, site.resource).fresh_record(
        record_context_of(names, rng), slot, parents, edges=edges
    )


def filled_members(session: Session, site: RecordSite, names: Names, slot: str, wanted: Iterable[str]) -> Members:
    """Return values of these members, none of them null; references name records that were created for it."""
    maker, context = record_factory_of(session, site.resource), record_context_of(names, session.rng("filled", slot))
    filled, parents = dict[str, Any](), list[str]()
    for name in wanted:
        if name in site.resource.references:
            parents.append(name)
        else:
            is_text = maker.members[name].is_valid(PLACEHOLDER)
            filled[name] = PLACEHOLDER if is_text else maker.any_value(name, context)
    return {**filled, **create_parents(session, site, names, slot, parents)}


def create_records(session: Session, site: RecordSite, members: Sequence[Members], names: Names) -> list[CreatedRecord]:
    """Create records and return them. Raises NotApplicableError when no operation succeeds."""
    return _created_records(session, site, _create(session, site, members, names), members)


def create_keys(session: Session, site: RecordSite, members: Sequence[Members], names: Names) -> list[object]:
    """Create records and return their keys; their versions are not looked up. Raises NotApplicableError."""
    return [one.key for one in _create(session, site, members, names)]


def _create(session: Session, site: RecordSite, members: Sequence[Members], names: Names) -> list[Snapshot]:
    """Create records, and return what is told of them, their keys at least. Raises NotApplicableError.

    Those that no list could tell from others are created in bulk, where outcomes tell their keys.
    """
    is_lost = site.resource.assigned and any(names.marker(one) is None for one in members)
    ways: list[Callable[[], list[Snapshot] | None]] = [
        lambda: _create_singly(session, site, members, names),
        lambda: _create_in_bulk(session, site, members, names),
    ]
    for way in reversed(ways) if is_lost or len(members) >= BULK_THRESHOLD else ways:
        made = way()
        if made is not None:
            for one, sent in zip(made, members, strict=True):
                session.cache["made", site.resource.name, one.key] = sent
            return made
    raise NotApplicableError(f"no record of {site.resource.name} could be made to act on")


def _created_records(
    session: Session, site: RecordSite, made: Sequence[Snapshot], members: Sequence[Members]
) -> list[CreatedRecord]:
    """Return created records; versions that are counters are equal where those of the first and the last are.

    Once that is known, the last one is read alone, while its version is the one that new records had before.
    """
    if site.resource.version is None:
        return [CreatedRecord(key=one.key, version=None, members=sent) for one, sent in zip(made, members, strict=True)]
    unread = [n for n, one in enumerate(made) if one.version is ABSENT]
    reads = {n: read_record(session, site, made[n].key) for n in unread[-1:]}
    first = reads[unread[-1]].known_version if unread else None
    usual = ("version of new records", site)
    if first is not None and session.cache.get(usual) != first:
        reads |= {n: read_record(session, site, made[n].key) for n in unread[:1] if n not in reads}
        alike = site.resource.has_counter and len({one.known_version for one in reads.values()}) == 1
        if alike and len(reads) > 1:
            session.cache[usual] = first
        if not alike:
            most = MAX_VERSION_READS if site.resource.has_counter else None  # no other tells an opaque version
            reads |= {n: read_record(session, site, made[n].key) for n in unread[1:most] if n not in reads}
    shown = [reads.get(n, one) for n, one in enumerate(made)]
    return [
        CreatedRecord(
            key=one.key if one.key is not ABSENT else told.key,
            version=first if one.version is ABSENT and n not in reads else one.known_version,
            members=sent,
        )
        for n, (one, told, sent) in enumerate(zip(shown, made, members, strict=True))
    ]


def _create_singly(
    session: Session, site: RecordSite, members: Sequence[Members], names: Names
) -> list[Snapshot] | None:
    action = next((name for name in ("create", "upsert", "replace") if _can_create(site, name)), None)
    if action is None:
        return None
    exchanges: list[Exchange] = []
    for one in members:
        exchanges.append(session.send(write_request(site, action, one, key=one.get(site.resource.key)).request()))
        if exchanges[-1].response.status not in SUCCESS_STATUS or is_made_up(exchanges[-1].response):
            return None
    made = _snapshots_of_created(session, site, exchanges, members, names)
    return made if all(one.key is not ABSENT for one in made) else None


def _can_create(site: RecordSite, action: str) -> bool:
    return action in site.operations and (action == "create" or not site.resource.assigned)


def key_of_created(session: Session, site: RecordSite, exchange: Exchange, members: Members, names: Names) -> object:
    """Return the key of a created record: its own, or from the body, the Location header, or a list; else ABSENT."""
    return _snapshots_of_created(session, site, [exchange], [members], names)[0].key


def _snapshots_of_created(
    session: Session, site: RecordSite, exchanges: Sequence[Exchange], members: Sequence[Members], names: Names
) -> list[Snapshot]:
    """Return the keys of created records; those that no response tells are looked up in one list, and so shown whole.

    The key is ABSENT where it is not found.
    """
    if not site.resource.assigned:
        return [Snapshot(present=None, key=one.get(site.resource.key, ABSENT)) for one in members]
    keys = [created_key(session.contract, session.router, site.reader, one) for one in exchanges]
    made = [Snapshot(present=None, key=key) for key in keys]
    untold = [n for n, key in enumerate(keys) if key is ABSENT]
    found = find_records(session, site, [names.marker(members[n]) for n in untold]) if untold else ()
    for n, one in zip(untold, found, strict=True):
        made[n] = one if one.present else made[n]
    return made


def _create_in_bulk(
    session: Session, site: RecordSite, members: Sequence[Members], names: Names
) -> list[Snapshot] | None:
    """Create records by a bulk request that reports keys, or whose items carry them."""
    for operation in session.contract.operations:
        if (
            operation.bulk is None
            or unsupported_reason(operation, groups=False) is not None
            or not _can_create_in_bulk(session, operation, site)
        ):
            continue
        keys: list[object] = []
        size = min(operation.bulk.items.max or len(members), len(members))
        for start in range(0, len(members), size):
            some = _post_creations(
                SiteContext(session=session, operation=operation, site=site),
                members[start : start + size],
                names,
                start,
            )
            if some is None:
                break
            keys += some
        if len(keys) == len(members):
            return [Snapshot(present=None, key=key) for key in keys]
    return None


def _can_create_in_bulk(session: Session, operation: Operation, site: RecordSite) -> bool:
    bulk = operation.bulk
    assert bulk is not None  # noqa: S101 - asked before
    told = bulk.reply.outcomes is not None and (bulk.reply.outcomes.id is not None or not site.resource.assigned)
    at_once = bulk.job is None or "always" not in bulk.job.when
    makes = bool({"create", "upsert"} & set(actions_of(bulk)))
    makes = makes and site.resource.name not in settable_members(session.contract, operation)
    return told and at_once and makes and bulk.items.fan_out is None and site in experiment_sites(session, operation)


def _post_creations(context: SiteContext, members: Sequence[Members], names: Names, start: int) -> list[object] | None:
    action = next(name for name in actions_of(context.bulk) if name in {"create", "upsert"})
    rng, own_key = context.session.rng("made"), context.resource.key
    keys = [context.spec.encoder.fresh_key(action, names, f"ks{start + n}") for n in range(len(members))]
    contents = [
        ItemContent(action=action, members=one, target=one.get(own_key), key=key)
        for one, key in zip(members, keys, strict=True)
    ]
    raws = [context.item(content, rng) for content in contents]
    named = [n if key is None else key for n, key in enumerate(keys, start)]
    exchange = context.session.send(context.request(raws, [action], SendOptions(), keys=named))
    view = next(
        bulk_exchanges(ExchangeHistory(exchanges=(exchange,)), context.session.contract, router=context.session.router),
        None,
    )
    outcomes = view.reports[0].outcomes if view is not None and view.reports else ()
    if len(outcomes) != len(members) or any(one.result != "done" for one in outcomes):
        return None
    own = [one.get(own_key, ABSENT) for one in members]
    return [one.id if one.id is not ABSENT else key for one, key in zip(outcomes, own, strict=True)]


def change_version(context: SiteContext, known: CreatedRecord, names: Names, slot: str) -> None:
    """Update a record once, so that its known version becomes stale. Raises NotApplicableError.

    That a version moves is looked at once for each site.
    """
    session, site, rng = context.session, context.site, context.session.rng("bump", slot)
    action = site.changing_action
    if action is None:
        raise NotApplicableError(f"no call changes one {site.resource.name}, so that its version would move")
    maker = record_factory_of(session, site.resource)
    changes = maker.fresh_change(record_context_of(names, rng), f"b{slot}", example_members(context.operation))
    members = {**known.members, **changes} if action == "replace" else changes
    exchange = session.send(write_request(site, action, members, key=known.key, version=known.version).request())
    has_moved = session.cache.get(("versions move", site)) is not None
    if not has_moved:
        has_moved = read_record(session, site, known.key).known_version != known.version
    if exchange.response.status not in SUCCESS_STATUS or not has_moved:
        raise NotApplicableError(f"changing one {site.resource.name} did not move its version")
    session.cache["versions move", site] = True
