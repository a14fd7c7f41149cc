"""The law `writes`: a single write does what it says, whatever has become of its record and of what it refers to.

Begin with `writes`. A record may be there, deleted in any way, or never have been; so may one that it refers to. An
oracle of its own judges the answers, as that of a campaign does.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from random import Random
from typing import Final, TypeAlias

from contracts.messages import Request
from contracts.openapi.model import Contract, Operation
from generators.check.laws.calls.body_members import declares_refusal
from generators.check.laws.metamorphic import run_each
from generators.check.records import CreatedRecord, create_records, new_record_members, read_record
from generators.client.environments import Environment
from generators.client.session import Session
from generators.client.sites import experiment_site, record_context_of, record_factory_of
from generators.data.mutation import invalid_variants
from generators.oracles import response_laws
from generators.oracles.findings import Finding
from generators.oracles.oracle import Oracle
from generators.requests.calls import body_schema
from generators.requests.known_records import Names
from generators.requests.record_factory import RecordFactory
from generators.requests.single import Members, RecordSite, write_request

LAW: Final = "writes"
CREATING: Final = ("upsert", "replace")  # that delete a record, too, where the member that marks it so is set
MAX_SITES: Final = 5
MAX_WRONG: Final = 8  # values of one member
Part: TypeAlias = Callable[[Session, RecordSite, str], None]


def writes_records(contract: Contract, operation: Operation) -> bool:
    """Say whether an operation changes or deletes single records."""
    del contract
    return operation.record is not None and operation.record.action.constant in {*CREATING, "update", "delete"}


def writes(session: Session, operation: Operation) -> Iterator[Finding]:
    """Write to records that are there, deleted or unknown, refer to such, and write what is unusual or wrong."""
    action = (operation.record.action.constant or "") if operation.record is not None else ""
    found = [experiment_site(session, name) for name in session.contract.resources]
    sites = [one for one in found if one is not None and one.operations.get(action) is operation]
    sites = sorted((one for one in sites if "read" in one.operations), key=lambda one: -len(one.resource.references))
    others: tuple[Part, ...] = (_referring, _unusual, *([_wrong] if declares_refusal(operation) else []))
    parts = (_deleted, *(others if action != "delete" else ()))
    trials = [partial(part, session, site, action) for site in sites[:MAX_SITES] for part in parts]
    yield from run_each(trials, partial(_judged, session))


def _judged(session: Session, trial: Callable[[], None]) -> Iterator[Finding]:
    """Yield what is wrong with the answers to the requests of a trial, as far as it comes."""
    environment = Environment(client=session.client, name_prefix=session.name_prefix)
    oracle, since = Oracle(session.contract, environment), session.exchanges[-1].n if session.exchanges else 0
    try:
        trial()
    finally:
        found = [one for exchange in session.history(since).exchanges for one in oracle.judge(exchange)]
    yield from (replace(one, law=LAW) for one in found if one.law != response_laws.CHECK)


def _deleted(session: Session, site: RecordSite, action: str) -> None:
    """Delete a record in each way, and write to it; delete it again, and one that never was; create one by its key."""
    names = session.names()
    for n, way in enumerate(_ways(site)):
        known = _created(session, site, names, f"d{n}")
        _delete(session, site, way, known.key)
        if action == "delete":
            _delete(session, site, action, known.key)
            continue
        _delete(session, site, way, known.key)
        _write(session, site, action, {}, known)
        _delete(session, site, way, known.key)
        _write(session, site, action, known.members, known)
    for way in _ways(site):
        _delete(session, site, way, _absent(session, site, names))
    if action in CREATING and not site.resource.assigned:
        key = _absent(session, site, names)
        _write(session, site, action, {}, CreatedRecord(key=key, version=None, members={site.resource.key: key}))


def _ways(site: RecordSite) -> list[str]:
    """Return the actions that delete a record of a site."""
    marks = [one for one in CREATING if one in site.operations] if site.resource.tombstone is not None else []
    return [*(["delete"] if "delete" in site.operations else []), *marks[:1]]


def _delete(session: Session, site: RecordSite, way: str, key: object) -> None:
    stone = site.resource.tombstone
    members = {} if way == "delete" or stone is None else {site.resource.key: key, stone: True}
    version = read_record(session, site, key).known_version
    session.send(write_request(site, way, members, key=key, version=version).request())
    read_record(session, site, key)


def _referring(session: Session, site: RecordSite, action: str) -> None:
    """Refer to what is not there, to what is, and to what was deleted in each way."""
    names = session.names()
    for member, target in site.resource.references.items():
        parents = experiment_site(session, target) if target in session.contract.resources else None
        if parents is None or member == site.resource.key:
            continue
        known = _created(session, site, names, f"{member}k")
        _write(session, site, action, {member: _absent(session, parents, names)}, known)
        for n, way in enumerate(_ways(parents)):
            parent = _created(session, parents, names, f"{member}p{n}")
            _write(session, site, action, {member: parent.key}, known)
            _delete(session, parents, way, parent.key)
            _write(session, site, action, {member: parent.key}, known)


def _unusual(session: Session, site: RecordSite, action: str) -> None:
    """Write texts in other cases, and with blanks around them."""
    known, maker, drawn = _drawn(session, site)
    texts = {name: value for name, value in drawn.items() if isinstance(value, str) and name in maker.free}
    for change in (str.swapcase, " {} ".format):
        changed = {name: change(text) for name, text in texts.items()}
        _write(
            session, site, action, {n: text for n, text in changed.items() if maker.members[n].is_valid(text)}, known
        )


def _wrong(session: Session, site: RecordSite, action: str) -> None:
    """Break each rule of each member alone: such a write changes nothing."""
    known, maker, drawn = _drawn(session, site)
    version = read_record(session, site, known.key).known_version
    for name, value in drawn.items():
        found = invalid_variants(maker.members[name], value, Random(name))
        for one in islice((one for one in found if not one.pointer), MAX_WRONG):
            session.send(_request(site, action, {name: one.value}, known, version))
    read_record(session, site, known.key)


def _drawn(session: Session, site: RecordSite) -> tuple[CreatedRecord, RecordFactory, Members]:
    """Return a new record, and a valid value of each member that is not its key or version."""
    names, maker, own = session.names(), record_factory_of(session, site.resource), site.resource
    context = record_context_of(names, session.rng(LAW, "texts"))
    drawn = {name: maker.any_value(name, context) for name in maker.members if name not in {own.key, own.version}}
    return _created(session, site, names, "u"), maker, drawn


def _created(session: Session, site: RecordSite, names: Names, slot: str) -> CreatedRecord:
    rng = session.rng(LAW, site.resource.name)
    return create_records(session, site, [new_record_members(session, site, names, slot, rng)], names)[0]


def _absent(session: Session, site: RecordSite, names: Names) -> object:
    context = record_context_of(names, session.rng(LAW, site.resource.name))
    return record_factory_of(session, site.resource).absent_key(context)


def _write(session: Session, site: RecordSite, action: str, changed: Members, known: CreatedRecord) -> None:
    """Write members of a record between two reads."""
    before = read_record(session, site, known.key)
    version = before.known_version if before.present else known.version
    session.send(_request(site, action, changed, known, version))
    read_record(session, site, known.key)


def _request(site: RecordSite, action: str, changed: Members, known: CreatedRecord, version: object) -> Request:
    """Return a write of members, alone where the schema allows it."""
    alone = {**({site.resource.key: known.key} if action == "upsert" else {}), **changed}
    schema = body_schema(site.operations[action])
    made = write_request(site, action, alone, key=known.key, version=version)
    if action == "replace" or (schema is not None and not schema.is_valid(made.data)):
        made = write_request(site, action, {**known.members, **changed}, key=known.key, version=version)
    return made.request()
