"""The law on what is apart: what belongs to another scope, tenant or resource is neither seen nor touched.

Begin with `isolation`. Scopes and tenants are declared (`x-scopes`, `x-test-clients`), resources are always apart. An
answer about what belongs elsewhere is that about what never existed, and what it belongs to is as it was.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice, product
from typing import Final, TypeAlias

from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.messages import ABSENT, Request
from contracts.openapi.model import ClientIdentity, Contract, Operation
from contracts.syntax.text import is_text_or_integer, short, text_of
from generators.check.laws.calls.isolated_items import isolated_items
from generators.check.laws.metamorphic import run_each
from generators.check.lists import MAX_PAGES, walk
from generators.check.records import CreatedRecord, Snapshot, find_records, read_record
from generators.check.separate_places import (
    JUDGED_ACTIONS,
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
    unused,
)
from generators.client.session import Session
from generators.client.sites import NO_SITE, experiment_site, record_context_of, record_factory_of
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding
from generators.oracles.response_laws import is_made_up
from generators.requests.known_records import Names
from generators.requests.single import RecordSite, list_request, page_size, record_request, write_request

ABSENT_STATUS: Final = frozenset((400, 404, 410))  # of a place that is not there
SAME_KEY_ACTIONS: Final = frozenset(("update", "delete"))
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
    experiment = isolated_items if operation.bulk is not None else _single
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
        raise NotApplicableError(NO_SITE)
    site = min(found, key=lambda one: len(set(one.resource.required) & set(one.resource.references)))
    places = [one for one in elsewheres(session, [operation], site, sites) if not one.is_kind]
    if action == "list":
        yield from _mixed(session, operation, found)
    judge = _listed if action == "list" else _called
    trials = [partial(judge, session, operation, site, place) for place in some_places(places)]
    trials += [partial(_same_key, session, operation, found, one) for one in places if action in SAME_KEY_ACTIONS]
    trials += [partial(_first_use, session, operation, found[0], one) for one in places if action == "list"]
    yield from run_each(trials, lambda trial: trial())


def _first_use(session: Session, operation: Operation, site: RecordSite, place: Elsewhere) -> Iterator[Finding]:
    """List what is at a place that nobody has used: it is there, where any value names one."""
    other = unused(session, place)
    if other is place:
        raise NotApplicableError("not any value names a place")
    exchange = session.probe(list_request(other.own_site(site)).request())
    if exchange.response.status in ABSENT_STATUS:
        says = f"a list at a place that nobody has used is answered with {exchange.response.status}"
        yield law_finding(operation, "an unused place is not there", says, exchange)


def _called(session: Session, operation: Operation, site: RecordSite, place: Elsewhere) -> Iterator[Finding]:
    """Make a call on a record from elsewhere; then on another one there that has its key."""
    names, action = session.names(), operation.record.action.constant or "" if operation.record is not None else ""
    own, there = place.own_site(site), place.other_site(site)
    session.identity = place.owner
    known = created_record(session, own, names)
    before = read_record(session, own, known.key)
    asked = _asker(session, there.resource.name, action, known, names)
    session.identity = place.caller
    require_own_key(session, there, known, names)
    foreign = session.probe(asked(there, known.key))
    what = f"a record of {site.resource.name} asked for by {foreign.operation} from {place.what}"
    if action in JUDGED_ACTIONS:
        rng = session.rng("never", operation.id, place.what)
        keys = [similar_id(known.key, rng), similar_id(known.key, rng)]
        nowhere = [asked(there, key) for key in keys]
        if place.nowhere is not None:
            nowhere = [asked(at_values(site, place.nowhere), known.key)] * 2
        never, other = map(session.probe, nowhere)
        if is_made_up(never.response):
            raise NotApplicableError("what it shows of records that never existed is made up")
        words = [*map(str, (known.key, *keys)), *place.there.values(), *(place.nowhere or {}).values()]
        answers = Answers(what=what, foreign=foreign, never=never, other=other, words=words)
        yield from compared(session, operation, answers)
    if place.is_parallel and action != "read" and created_twin(session, there, known, names) is not None:
        foreign = session.probe(asked(there, known.key))
    session.identity = place.owner
    after = read_record(session, own, known.key)
    yield from changed_from_elsewhere(operation, names, (before, after), what, foreign)


def _same_key(
    session: Session, operation: Operation, sites: Sequence[RecordSite], place: Elsewhere
) -> Iterator[Finding]:
    """Change what has at the other place a key that examples name: what has it at the own place stays as it was."""
    assert operation.record is not None  # noqa: S101 - asked before
    named = [one for one in operation.parameters if f"{one.where}:{one.name}" == operation.record.key]
    keys = [text_of(key) for one in named for key in one.examples.values()] if place.is_parallel else []
    place = unused(session, place)
    for site, key in product(sites, keys):
        own, there, names = place.own_site(site), place.other_site(site), session.names()
        before = _read_by(session, place.owner, own, key)
        session.identity = place.caller
        twin = session.probe(record_request(there, "read", key=key).request()).response
        if not before.present or twin.status not in SUCCESS_STATUS:
            continue
        change = record_factory_of(session, site.resource).fresh_change(
            record_context_of(names, session.rng("same key", operation.id)), "c"
        )
        members = {} if operation.record.action.constant == "delete" else change
        version = None if (told := there.reader.version(twin.data)) is ABSENT else told
        made = write_request(there, operation.record.action.constant, members, key=key, version=version)
        exchange = session.probe(made.request())
        after = _read_by(session, place.owner, own, key)
        is_shown = any((after.members or {}).get(name) == value for name, value in change.items())
        if after.present is False or is_shown:
            says = f"the {site.resource.name} {key} was changed by a call on that of {place.what}, which has its key"
            yield law_finding(operation, "the same key elsewhere", says, before.exchange, exchange, after.exchange)


def _read_by(session: Session, who: ClientIdentity | None, site: RecordSite, key: object) -> Snapshot:
    """Read a record of which nobody here knows what it has, so that the reader alone can judge it."""
    session.identity = who
    return read_record(session, site, key, probe=True)


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
            says = f"the list of {place.what} shows a record of {site.resource.name} that was created elsewhere"
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
