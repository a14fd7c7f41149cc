"""The law `writes`: a write does what it says, whatever has become of its record and of what it refers to.

Begin with `writes`. A record may be there, deleted in any way, or never have been; so may one that it refers to. It is
written to by single calls, and by the items of a request. An oracle of its own judges the answers, as that of a
campaign does.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from random import Random
from typing import Final, TypeAlias

from contracts.bulk.model import Bulk
from contracts.exchange.bulk_request import names_target
from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.exchange.locations import put
from contracts.exchange.preconditions import IF_MATCH, IF_NONE_MATCH, precondition_value
from contracts.messages import Request
from contracts.openapi.model import Contract, Operation
from generators.check.laws.metamorphic import batched, known_targets, max_independent_items, run_each
from generators.check.records import CreatedRecord, create_records, new_record_members, read_record
from generators.check.specimens import send_and_follow
from generators.check.trial_setup import available_cases, prepare_trial
from generators.check.trials import perform, trial_finding
from generators.client.environments import Environment
from generators.client.session import Session
from generators.client.sites import (
    SiteContext,
    experiment_site,
    experiment_sites,
    record_context_of,
    record_factory_of,
)
from generators.data.mutation import invalid_variants
from generators.oracles import response_laws
from generators.oracles.findings import Finding, new_finding
from generators.oracles.oracle import Oracle
from generators.requests.calls import body_schema
from generators.requests.envelope import SendOptions, unsupported_reason
from generators.requests.items import ItemContent, own_key_member
from generators.requests.known_records import Names
from generators.requests.options import actions_of, stops_at_failure, units_of
from generators.requests.record_factory import RecordFactory
from generators.requests.single import Members, RecordSite, write_request

LAW: Final = "writes"
OTHER_VERSION: Final = 10**6  # of no record
CREATING: Final = ("upsert", "replace")  # that delete a record, too, where the member that marks it so is set
MAX_SITES: Final = 5
FALSE_CONDITION: Final = "412"
Part: TypeAlias = Callable[[Session, RecordSite, str], None]


def writes_records(contract: Contract, operation: Operation) -> bool:
    """Say whether an operation changes or deletes single records, or those that items name by keys of their own."""
    del contract
    if operation.bulk is not None:
        can = _names_records(operation.bulk) or "headers" in operation.bulk.effect.http
        is_each = "item" in units_of(operation.bulk) and not stops_at_failure(operation.bulk)
        return can and is_each and unsupported_reason(operation, groups=False) is None
    return operation.record is not None and operation.record.action.constant in {*CREATING, "update", "delete"}


def _names_records(bulk: Bulk) -> bool:
    return "upsert" in actions_of(bulk) and own_key_member(bulk) is None


def writes(session: Session, operation: Operation) -> Iterator[Finding]:
    """Write to records that are there, deleted or unknown, refer to such, and write what is unusual or wrong."""
    if operation.bulk is not None:
        sites = experiment_sites(session, operation)
        contexts = [SiteContext(session=session, operation=operation, site=one) for one in sites]
        named = [one for one in contexts if not one.resource.assigned] if _names_records(operation.bulk) else []
        yield from run_each([partial(_by_items, one) for one in named[:MAX_SITES]], partial(_judged, session))
        yield from run_each(contexts[:MAX_SITES], _items_under_false_conditions)
        return
    action = (operation.record.action.constant or "") if operation.record is not None else ""
    found = [experiment_site(session, name) for name in session.contract.resources]
    sites = [one for one in found if one is not None and one.operations.get(action) is operation]
    sites = sorted((one for one in sites if "read" in one.operations), key=lambda one: -len(one.resource.references))
    others: tuple[Part, ...] = (_referring, _unusual, *([_wrong] if response_laws.declares_refusal(operation) else []))
    parts = (_deleted, *(others if action != "delete" else (_referred_to,)))
    trials = [partial(part, session, site, action) for site in sites[:MAX_SITES] for part in parts]
    yield from run_each(trials, partial(_judged, session))
    yield from run_each(sites[:MAX_SITES], partial(_under_false_conditions, session, action))


def _items_under_false_conditions(context: SiteContext) -> Iterator[Finding]:
    """Send items that are requests under conditions that are false, as single writes are sent."""
    at = context.bulk.effect.http.get("headers")
    for case in available_cases(context)[0] if at is not None else ():
        operation = context.site.operations.get(case.action) if case.existing else None
        for name, value in () if operation is None else _false_conditions(operation):
            trial = prepare_trial(context, [case])
            raw = put(trial.items[0].raw, f"{at}/{name}", value)
            if context.spec.encoder.fits(raw):
                trial.items[0] = replace(trial.items[0], raw=raw)
                done = perform(trial, SendOptions(unit="item", targets=known_targets(context)))
                if done.result(0) == "done":
                    says = f"an item that writes to a record that is there with {name}: {value} is done"
                    yield trial_finding(LAW, f"{case.action} under a false {name} is done", says, done)


def _false_conditions(operation: Operation) -> Iterator[tuple[str, str]]:
    """Yield conditions that an operation declares, with 412, and that are false of a record that is there."""
    fields = {one.name.lower(): one.schema for one in operation.parameters if one.where == "header"}
    other = precondition_value(operation, IF_MATCH, OTHER_VERSION)
    for name, value in ((IF_MATCH, other), (IF_NONE_MATCH, "*")) if FALSE_CONDITION in operation.responses else ():
        schema = fields.get(name.lower())
        if name.lower() in fields and (schema is None or schema.is_valid(value)):
            yield name, value


def _under_false_conditions(session: Session, action: str, site: RecordSite) -> Iterator[Finding]:
    """Write under conditions that are false (RFC 9110, 13.1.1 and 13.1.2), where they and 412 are declared."""
    operation, names = site.operations[action], session.names()
    fields = {
        one.name.lower(): one.schema for one in operation.parameters if one.where == "header" and not one.is_ignored
    }
    if FALSE_CONDITION not in operation.responses:
        return
    for (name, value), what, request in _conditional(session, site, action, names):
        schema = fields.get(name.lower())
        if name.lower() in fields and (schema is None or schema.is_valid(value)):
            exchange = session.probe(replace(request, headers=request.headers.with_((name, value))))
            if exchange.response.status in SUCCESS_STATUS:
                says = f"a write to {what} with {name}: {value} is answered with {exchange.response.status}"
                yield new_finding(LAW, operation.id, f"false {name} of {what} is taken", says, [exchange])


def _conditional(
    session: Session, site: RecordSite, action: str, names: Names
) -> Iterator[tuple[tuple[str, str], str, Request]]:
    """Yield conditions, the record of which they are false, and a write to it."""
    operation = site.operations[action]
    other = (IF_MATCH, precondition_value(operation, IF_MATCH, OTHER_VERSION))
    known = _created(session, site, names, "c")
    changed = record_factory_of(session, site.resource).fresh_change(
        record_context_of(names, session.rng(LAW, "conditions")), "cc"
    )
    for condition in (other, (IF_NONE_MATCH, "*")):
        yield condition, "a record that is there", _request(site, action, changed, known, None)
    for n, condition in enumerate(
        (other, (IF_MATCH, "*")) if action in CREATING and not site.resource.assigned else ()
    ):
        new = new_record_members(session, site, names, f"cn{n}", session.rng(LAW, site.resource.name))
        yield condition, "no record", write_request(site, action, new, key=new[site.resource.key]).request()


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


def _referred_to(session: Session, site: RecordSite, action: str) -> None:
    """Delete records to which others refer, by each member of each kind that can."""
    names, target = session.names(), site.resource.name
    sites = [experiment_site(session, name) for name in session.contract.resources if site.resource.restrict]
    found = [(one, member) for one in sites if one is not None for member in one.resource.references]
    own = [(one, member) for one, member in found if one.resource.references[member] == target]
    for n, (one, member) in enumerate(own):
        known = _created(session, site, names, f"r{n}")
        members = new_record_members(session, one, names, f"rr{n}", session.rng(LAW, one.resource.name))
        create_records(session, one, [{**members, member: known.key}], names)
        _delete(session, site, action, known.key)


def _ways(site: RecordSite) -> list[str]:
    """Return the actions that delete a record of a site."""
    marks = [one for one in CREATING if one in site.operations] if site.resource.tombstone is not None else []
    marked = ["update"] if _updates_mark(site) else []
    return [*(["delete"] if "delete" in site.operations else []), *marks[:1], *marked]


def _updates_mark(site: RecordSite) -> bool:
    """Say whether an update declares the member that marks a record as deleted, and may set it alone."""
    stone, operation = site.resource.tombstone, site.operations.get("update")
    schema = body_schema(operation) if operation is not None else None
    if stone is None or operation is None or operation.record is None or schema is None:
        return False
    inner = schema.at(operation.record.payload)
    is_valid = schema.is_valid(write_request(site, "update", {stone: True}).data)
    return inner is not None and stone in inner.members() and is_valid


def _delete(session: Session, site: RecordSite, way: str, key: object) -> None:
    stone = site.resource.tombstone
    own = {} if way == "update" else {site.resource.key: key}
    members = {} if way == "delete" or stone is None else {**own, stone: True}
    version = read_record(session, site, key).known_version if site.resource.version is not None else None
    session.send(write_request(site, way, members, key=key, version=version).request())


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
    """Break each rule of each member alone, and leave out the key: such a write changes nothing."""
    known, maker, drawn = _drawn(session, site)
    version = read_record(session, site, known.key).known_version
    for name, value in drawn.items():
        found = invalid_variants(maker.members[name], value, Random(name))
        wrong = {one.keyword: one.value for one in found if not one.pointer}
        for one in [*wrong.values(), *([] if maker.members[name].is_valid(None) else [None])]:
            session.send(_request(site, action, {name: one}, known, version))
    if action in CREATING:
        keyless = {name: value for name, value in known.members.items() if name != site.resource.key}
        session.send(write_request(site, action, keyless, key=known.key, version=version).request())
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


def _by_items(context: SiteContext) -> None:
    """Write to records by the items of a request, and read each."""
    targets, fan_out = known_targets(context)[:1], context.bulk.items.fan_out
    site = context.site if fan_out is None else context.site.at_target([fan_out.over], next(iter(targets), ""))
    if site is None:
        return
    options = SendOptions(unit="item", targets=targets)
    for some in batched([*_contents(context, site)], max_independent_items(context)):
        raws = [context.item(one, context.session.rng(LAW, n)) for n, one in enumerate(some)]
        keys = [n if one.key is None else one.key for n, one in enumerate(some)]
        send_and_follow(context.session, context.request(raws, [one.action for one in some], options, keys=keys))
        for one in some:
            read_record(context.session, site, one.target)


def _contents(context: SiteContext, site: RecordSite) -> Iterator[ItemContent]:
    """Yield items on records that are there, deleted and unknown: each change, a wrong reference each, a deletion."""
    session, names, own = context.session, context.session.names(), site.resource
    parents = {name: experiment_site(session, one) for name, one in own.references.items() if name != own.key}
    wrong = [{name: _absent(session, one, names)} for name, one in parents.items() if one is not None]
    changes: list[Members] = [{}, *([{own.tombstone: False}] if own.tombstone is not None else []), *wrong]
    deletes, ways = bool(context.bulk.effect.tombstone) or "delete" in actions_of(context.bulk), _ways(site)
    for n, change in enumerate([*changes, *([None] if deletes else [])]):
        there, gone = (_created(session, site, names, f"{state}{n}") for state in "tg")
        for way in ways[n % len(ways) :][:1] if ways else ():
            _delete(session, site, way, gone.key)
        for known in (there, gone):
            yield _content(context, names, known.key, change)
        new = new_record_members(session, site, names, f"n{n}", session.rng(LAW, own.name))
        needed = {name: value for name, value in new.items() if name in own.required and change}
        yield _content(context, names, _absent(session, site, names), None if change is None else {**needed, **change})


def _content(context: SiteContext, names: Names, key: object, change: Members | None) -> ItemContent:
    action = "delete" if change is None else "upsert"
    own = key if names_target(context.bulk) else context.spec.encoder.fresh_key(action, names, f"i{key}")
    return ItemContent(action=action, members=change, target=key, key=own)
