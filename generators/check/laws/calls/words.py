"""The law `words`: in another case a word means the same where case does not count, and nothing where it does.

Begin with `words`. Both are judged where the contract says it: `x-path-case`, `x-ignore-case` of a parameter,
`ignoreCase` of a choice, of items and of a resource. What is said to be another word has no effect.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, TypeAlias

import orjson

from contracts.bulk.lists import written_name
from contracts.bulk.model import Choice
from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.exchange.locations import find, json_of, put
from contracts.messages import Exchange, Request
from contracts.openapi.model import Contract, Operation
from contracts.syntax.text import as_list, escape
from generators.check.laws.calls.malformed import BUSY_STATUS
from generators.check.laws.metamorphic import known_targets, run_each
from generators.check.records import read_record
from generators.check.separate_places import created_record
from generators.check.specimens import Specimen, item_kinds, send_and_follow, specimen_or_request
from generators.check.trial_setup import available_cases, prepare_trial
from generators.check.trials import perform, stored_records, trial_request
from generators.client.session import Session
from generators.client.sites import experiment_site, record_context_of, record_factory_of
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding, new_finding
from generators.requests.envelope import SendOptions
from generators.requests.options import units_of
from generators.requests.single import write_request

LAW: Final = "words"
NO_PATH: Final = frozenset((404, 405))  # statuses of a request that is refused for its path
Change: TypeAlias = Callable[[Specimen], Request]
Changes: TypeAlias = dict[str, Change]


def has_words(contract: Contract, operation: Operation) -> bool:
    """Say whether a request of an operation has words of which the contract says whether their case counts."""
    said = any(one.ignore_case is not None for one in operation.parameters)
    exact = _writes_members(operation) and any(one.ignore_case is False for one in contract.resources.values())
    return contract.ignore_case or said or exact or bool(_choices(operation))


def words(session: Session, operation: Operation) -> Iterator[Finding]:
    """Send a request with its words in another case."""
    parts = (_in_any_case, _units, _other_values, _other_names)
    yield from run_each(parts, lambda part: part(session, operation))


# Where case does not count


def _in_any_case(session: Session, operation: Operation) -> Iterator[Finding]:
    """Change the case of all words whose case does not count; where that makes a difference, of one at a time.

    The other forms of names exclude each other: each is tried by itself.
    """
    changes = _free_changes(session.contract, operation)
    if not changes:
        raise NotApplicableError("it has no words whose case does not count")
    control = specimen_or_request(session, operation)
    before = _sent(session, operation, control.request)
    if before.response.status in BUSY_STATUS:
        raise NotApplicableError(f"a valid request is refused ({before.response.status})")
    is_seen = bool(control.before) and not _is_lost(control)
    if any(_judged(session, operation, "all", [*changes.values()], before, is_seen=is_seen)):
        for what, change in changes.items():
            yield from _judged(session, operation, what, [change], before, is_seen=is_seen)
    for what, change in _form_changes(session.contract, operation).items():
        yield from _judged(session, operation, what, [change], before, is_seen=is_seen)


def _judged(
    session: Session, operation: Operation, what: str, changes: Sequence[Change], before: Exchange, *, is_seen: bool
) -> Iterator[Finding]:
    """Yield when a request is refused, or does not do what it does otherwise, with words in another case."""
    specimen = specimen_or_request(session, operation)
    for change in changes:
        specimen = replace(specimen, request=change(specimen))
    exchange = _sent(session, operation, specimen.request)
    status = exchange.response.status
    if status in BUSY_STATUS:
        return
    is_taken = before.response.status in SUCCESS_STATUS
    if status != before.response.status and (status not in SUCCESS_STATUS if is_taken else status in NO_PATH):
        says = f"a request with {what} in another case was answered with {status}, and {before.response.status} without"
        yield _finding(operation, f"{what} refused in another case", says, exchange, before)
    elif is_seen and _is_lost(specimen):
        says = f"a request with {what} in another case was answered with {status}, but did not do what it says"
        yield _finding(operation, f"{what} means something else in another case", says, exchange)


def _units(session: Session, operation: Operation) -> Iterator[Finding]:
    """Send a good item and a bad one in each unit, with its word in another case: the answer has the same status."""
    choice = operation.bulk.unit.of if operation.bulk is not None else None
    kinds = item_kinds(session, operation) if choice is not None and choice.ignore_case else ()
    context = next((one for one, _ in kinds), None)
    right, wrong = available_cases(context) if context is not None else ((), ())
    if choice is None or context is None or not (right and wrong):
        raise NotApplicableError("no word for its unit has a case that does not count, or no item of it fails")
    for unit in units_of(context.bulk):
        own, other = (trial_request(prepare_trial(context, [right[0], wrong[0]]), SendOptions(unit=unit)) for _ in "12")
        changed = _with_word(operation, other, choice.source) if choice.source.startswith("query:") else other
        before, after = (_sent(session, operation, one) for one in (own, changed))
        told, first = after.response.status, before.response.status
        if changed != other and told != first and not {told, first} & BUSY_STATUS:
            says = f"a request for the unit '{unit}' in another case was answered with {told}, and {first} without"
            yield _finding(operation, "a unit means something else in another case", says, after, before)


def _is_lost(specimen: Specimen) -> bool:
    """Say whether all records of a specimen are certainly as they were before."""
    after = specimen.look()
    known = all(one.present is not None for one in (*specimen.before, *after))
    return known and not any(was.differs(now, specimen.names) for was, now in zip(specimen.before, after, strict=True))


def _sent(session: Session, operation: Operation, request: Request) -> Exchange:
    """Send a request that no other law looks at; one that always becomes a job is followed to its end."""
    return send_and_follow(session, request) if _always_waits(operation) else session.probe(request)


def _always_waits(operation: Operation) -> bool:
    job = operation.bulk.job if operation.bulk is not None else None
    return job is not None and "always" in job.when


def _free_changes(contract: Contract, operation: Operation) -> Changes:
    """Return by a description what changes the case of the words of a request whose case does not count, in order.

    The names in items come last: they are where the other words are.
    """
    found: Changes = {}
    if contract.ignore_case:
        found["the path"] = lambda made: _with_segments(operation, made.request, lambda one: "{" not in one)
    named = [f"{one.where}:{one.name}" for one in operation.parameters if one.ignore_case]
    for at in dict.fromkeys([*named, *_choices(operation)]):
        found[f"the word at {at}"] = lambda made, at=at: _with_word(operation, made.request, at)  # type: ignore[misc]  # its own
    if _has_names_in_any_case(contract, operation):
        payload = _payload(operation)
        found["the names of members"] = lambda made: _with_names(operation, made.request, payload, str.swapcase)
    if operation.bulk is not None and operation.bulk.items.ignore_case and not _always_waits(operation):
        found["the names in an item"] = lambda made: _with_names(operation, made.request, "", str.swapcase)
    return found


def _form_changes(contract: Contract, operation: Operation) -> Changes:
    """Return by a description what writes the names of members in each of their other forms, in another case."""
    found: Changes = {}
    payload = _payload(operation)
    for other in _other_forms(contract, operation) if _has_names_in_any_case(contract, operation) else ():
        found[f"members written as {other}"] = lambda made, other=other: _with_names(  # type: ignore[misc]  # its own
            operation, made.request, payload, lambda name: written_name(other, made.resource, name).swapcase()
        )
    return found


def _has_names_in_any_case(contract: Contract, operation: Operation) -> bool:
    """Say whether an operation writes members of which no name has a case that counts."""
    own = [contract.resources.get(one) for one in _resources(contract, operation)]
    return _writes_members(operation) and bool(own) and all(one is not None and one.ignore_case for one in own)


def _payload(operation: Operation) -> str:
    if operation.bulk is not None:
        return operation.bulk.effect.payload
    return operation.record.payload if operation.record is not None else ""


def _other_forms(contract: Contract, operation: Operation) -> Sequence[str]:
    """Return the other ways to write a member in a list of changes: its own, or those of what it is like."""
    like = operation.bulk.effect.like if operation.bulk is not None else ()
    acts = [one.record for one in (operation, *map(contract.operation, like)) if one is not None]
    return next((one.rules.names for one in acts if one is not None and one.action.constant != "list"), ())


def _writes_members(operation: Operation) -> bool:
    act = operation.bulk.effect.action if operation.bulk else operation.record.action if operation.record else None
    return act is not None and act.constant not in {"delete", "list", "read"}


def _resources(contract: Contract, operation: Operation) -> Sequence[str]:
    """Return the resources that an operation may act on."""
    chosen = (
        operation.bulk.effect.resource if operation.bulk else operation.record.resource if operation.record else None
    )
    if chosen is None:
        return ()
    return [chosen.constant] if chosen.constant else [*(chosen.words.values() or contract.resources)]


def _choices(operation: Operation) -> list[str]:
    """Return where words of choices stand whose case does not count."""
    bulk, record = operation.bulk, operation.record
    every: list[Choice | None] = [bulk.unit.of, bulk.effect.action, bulk.effect.resource] if bulk is not None else []
    every += [record.resource] if record is not None else []
    return [one.source for one in every if one is not None and one.ignore_case]


def _with_segments(operation: Operation, request: Request, wanted: Callable[[str], bool]) -> Request:
    """Return a request with those segments of its path in another case whose segments in the template are wanted."""
    parts = zip(operation.path.split("/"), request.path.split("/"), strict=False)
    path = "/".join(own.swapcase() if wanted(declared) else own for declared, own in parts)
    return replace(request, path=path)


def _with_word(operation: Operation, request: Request, at: str) -> Request:
    """Return a request with the word at a place of its path, its query, or its items, in another case."""
    where, _, name = at.partition(":")
    if where == "path":
        return _with_segments(operation, request, lambda one: one == f"{{{name}}}")
    if where == "query":
        query = tuple((key, value.swapcase() if key == name else value) for key, value in request.query)
        return replace(request, query=query)
    return _with_items(operation, request, lambda item: put(item, at, _swapped(find(item, at))))


def _swapped(value: object) -> object:
    return value.swapcase() if isinstance(value, str) else value


def _with_names(operation: Operation, request: Request, payload: str, written: Callable[[str], str]) -> Request:
    """Return a request with the names of members written otherwise: those of its items, or those in their payload."""

    def renamed(item: Any) -> Any:
        inner = find(item, payload)
        if isinstance(inner, dict):
            return put(item, payload, {written(name): value for name, value in inner.items()})
        steps = [{**one, "path": written(one["path"])} for one in as_list(inner) if _is_change(one)]
        return put(item, payload, steps) if steps else item

    is_shared = operation.bulk is not None and payload in operation.bulk.items.shared
    if is_shared:
        return replace(request, body=orjson.dumps(renamed(json_of(request.body))))
    return _with_items(operation, request, renamed)


def _is_change(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("path"), str)


def _with_items(operation: Operation, request: Request, change: Callable[[Any], Any]) -> Request:
    """Return a request with each of its items changed; its body is the only one where it has no items."""
    data = json_of(request.body)
    places = operation.bulk.items.places if operation.bulk is not None else ()
    at = next((one for one in places if isinstance(find(data, one), list)), None)
    changed = change(data) if at is None else put(data, at, [change(item) for item in as_list(find(data, at))])
    return replace(request, body=orjson.dumps(changed))


# Where case counts


def _other_values(session: Session, operation: Operation) -> Iterator[Finding]:
    """Send a request with the value of a parameter in another case, which names something that is not there."""
    exact = [one for one in operation.parameters if one.ignore_case is False and one.where in {"path", "query"}]
    if not exact:
        raise NotApplicableError("no parameter is said to be exact")
    specimen = specimen_or_request(session, operation)
    for one in exact:
        changed = _with_word(operation, specimen.request, f"{one.where}:{one.name}")
        exchange = session.probe(changed) if changed != specimen.request else None
        if exchange is not None and exchange.response.status in SUCCESS_STATUS:
            says = f"a request whose '{one.name}' is in another case was answered with {exchange.response.status}"
            yield _finding(operation, f"another case of {one.name} accepted", says, exchange)


def _other_names(session: Session, operation: Operation) -> Iterator[Finding]:
    """Change a record with the name of a member in another case, which is no member: the record keeps its value."""
    if operation.bulk is None:
        yield from _other_names_alone(session, operation)
        return
    for context, case in item_kinds(session, operation):
        payload = context.bulk.effect.payload
        if context.resource.ignore_case is not False or not case.existing or case.action == "delete":
            continue
        trial = prepare_trial(context, [case])
        members, free = trial.items[0].content.values, trial.maker.free
        inner = find(trial.items[0].raw, payload)
        name = next((one for one in members if one in free and trial.names.is_fresh(members[one])), None)
        if not isinstance(inner, dict) or name is None or name not in inner:
            continue
        other = {(key.swapcase() if key == name else key): value for key, value in inner.items()}
        trial.items[0] = replace(trial.items[0], raw=put(trial.items[0].raw, payload, other))
        done = perform(trial, SendOptions(unit=context.unit, targets=known_targets(context)[:1]))
        stored = stored_records(done, target=next(iter(known_targets(context)), None))[0]
        if (stored.members or {}).get(name) == members[name]:
            says = f"an item with '{name.swapcase()}' in the place of '{name}' sets {escape(name)}"
            yield _finding(operation, "another case of a member is taken", says, done.view.exchange, stored.exchange)
        return
    raise NotApplicableError("no item could be made whose members' names are said to be exact")


def _other_names_alone(session: Session, operation: Operation) -> Iterator[Finding]:
    """Do the same with a call that changes one record."""
    action = operation.record.action.constant if operation.record is not None else ""
    exact = [one for one in session.contract.resources.values() if one.ignore_case is False]
    sites = [experiment_site(session, one.name) for one in exact if action in {"replace", "update", "upsert"}]
    site = next((one for one in sites if one is not None and one.operations.get(action) is operation), None)
    if site is None:
        raise NotApplicableError("it changes no record whose members' names are said to be exact")
    names = session.names()
    known = created_record(session, site, names)
    change = record_factory_of(session, site.resource).fresh_change(record_context_of(names, session.rng(LAW)), "c")
    members = {**known.members, **change}
    other = {(name.swapcase() if name in change else name): value for name, value in members.items()}
    exchange = session.probe(write_request(site, action, other, key=known.key, version=known.version).request())
    stored = read_record(session, site, known.key)
    taken = next((name for name in change if (stored.members or {}).get(name) == change[name]), None)
    if taken is not None:
        says = f"a call with '{taken.swapcase()}' in the place of '{taken}' sets {taken}"
        yield _finding(operation, "another case of a member is taken", says, exchange, stored.exchange)


def _finding(operation: Operation, shape: str, says: str, *evidence: Exchange | None) -> Finding:
    return new_finding(LAW, operation.id, shape, says, evidence)
