"""Places whose records and jobs are apart from others, and answers about what belongs elsewhere.

Begin with `elsewheres` and `compared`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.exchange.locations import json_of
from contracts.messages import ABSENT, Exchange, essence
from contracts.openapi.model import ClientIdentity, Contract, Operation
from contracts.schemas.equality import declared_part
from generators.check.records import CreatedRecord, Snapshot, create_records, new_record_members
from generators.client.session import Session
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding, new_finding
from generators.oracles.response_laws import declared_schema
from generators.requests.known_records import Names
from generators.requests.single import RecordSite, record_request

LAW: Final = "isolation"
NOWHERE: Final = "bulkproofnone"  # a value of a scope that nobody has
CONFIRMATIONS: Final = 2
ANSWERS: Final = ("foreign", "never", "other")
JUDGED_ACTIONS: Final = frozenset(("read", "update", "delete"))
"""Actions that fail where there is no record; others make one."""
UNRELATED_STATUS: Final = frozenset((408, 429, 503))


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """Another place than that of a record or a job.

    `here` are the parameters that name the own place, `there` those of the other one, `nowhere` those of a place that
    does not exist, by which `there` is to be judged; without it what never existed is asked for there. `owner` calls
    here, `caller` calls there; None is whoever the client's own credentials name. `other` is the site of another
    resource. With `is_kind` a parameter chooses the resource.
    """

    what: str
    here: Mapping[str, str] = field(default_factory=dict)
    there: Mapping[str, str] = field(default_factory=dict)
    nowhere: Mapping[str, str] | None = None
    owner: ClientIdentity | None = None
    caller: ClientIdentity | None = None
    other: RecordSite | None = None
    is_kind: bool = False

    @property
    def is_parallel(self) -> bool:
        """Whether the same things may exist there, each apart from those here."""
        return not self.is_kind and self.nowhere is None and self.other is None

    def own_site(self, site: RecordSite) -> RecordSite:
        """Return a site at the own place."""
        return at_values(site, self.here)

    def other_site(self, site: RecordSite) -> RecordSite:
        """Return a site at the other place."""
        return self.other or at_values(site, self.there)


def unused(session: Session, place: Elsewhere) -> Elsewhere:
    """Return a parallel place as two that nobody has used, where any value names one."""
    names = session.names()
    is_open = place.is_parallel and place.there.keys() <= session.contract.open_scopes
    here, there = ({name: names.text(which).lower() for name in place.there} for which in ("here", "there"))
    return replace(place, here=here, there=there) if is_open and there else place


def at_values(site: RecordSite, values: Mapping[str, str]) -> RecordSite:
    """Return a site with these values of parameters."""
    return replace(site, values={**site.values, **values})


def elsewheres(
    session: Session, operations: Sequence[Operation], site: RecordSite, others: Sequence[RecordSite]
) -> Iterator[Elsewhere]:
    """Yield the other places that requests of these operations can name, or be sent from, and one of `others`."""
    named = {one.name for operation in operations for one in operation.parameters}
    for name in session.contract.scopes:
        known = session.places_of(name)
        here = session.given.get(name) or site.values.get(name) or known[0]
        there = next((one for one in known if one != here), None)
        if name in named and there is not None:
            kind = any(_chooses_resource(one, name) for one in operations)
            yield Elsewhere(what=f"{name} {there}", here={name: here}, there={name: there}, is_kind=kind)
    yield from _other_clients(session, named)
    other = next((one for one in others if one.resource.name != site.resource.name), None)
    if other is not None:
        yield Elsewhere(what=f"the {other.resource.name} resource", other=other)


def _other_clients(session: Session, named: set[str]) -> Iterator[Elsewhere]:
    able = [one for one in session.contract.clients if one.auth and one.refused is None]
    for client in able:
        for name, allowed in client.scopes.items():
            other = next((one for one in session.contract.scopes[name] if one not in allowed), None)
            owners = [None] if other in session.places_of(name) else [one for one in able if _may_use(one, name, other)]
            if other is not None and name in named and owners:
                at, what = {name: other}, f"the client {client.name} at {name} {other}"
                yield Elsewhere(what=what, here=at, there=at, nowhere={name: NOWHERE}, owner=owners[0], caller=client)
    owner = next((one for one in able if one.tenant), None)
    caller = next((one for one in able if owner and one.tenant and one.tenant != owner.tenant), None)
    if caller is not None:
        yield Elsewhere(what=f"the client {caller.name}", owner=owner, caller=caller)


def _may_use(client: ClientIdentity, scope: str, value: str | None) -> bool:
    return value in client.scopes.get(scope, (value,))


def _chooses_resource(operation: Operation, name: str) -> bool:
    choices = [operation.record.resource] if operation.record else []
    choices += [operation.bulk.effect.resource] if operation.bulk and operation.bulk.effect.resource else []
    return any(one.source == f"path:{name}" for one in choices)


def created_record(session: Session, site: RecordSite, names: Names) -> CreatedRecord:
    """Create a record, and those that it must refer to. Raises NotApplicableError."""
    rng = session.rng("apart", site.resource.name)
    return create_records(session, site, [new_record_members(session, site, names, "o", rng)], names)[0]


def created_twin(session: Session, site: RecordSite, known: CreatedRecord, names: Names) -> CreatedRecord | None:
    """Create a record with the key of another one at another place; None where keys are assigned or refer."""
    if site.resource.assigned or set(site.resource.references) & set(site.resource.required):
        return None
    return create_records(session, site, [dict(known.members)], names)[0]


def similar_id(key: object, rng: Random) -> object:
    """Return an id of the same form as another one, which nothing has."""
    kept = {0, 14, 19}  # a first digit is not 0; version and variant of a UUID

    def drawn(n: int, char: str) -> str:
        if n in kept or not char.isascii():
            return char
        if char.isdecimal():
            return rng.choice("0123456789")
        return rng.choice("abcdef") if char in "abcdef" else char

    text = "".join(drawn(n, char) for n, char in enumerate(str(key)))
    text = text if text != str(key) else f"{text[:-1]}{'2' if text.endswith('1') else '1'}"
    return int(text) if isinstance(key, int) else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The answer about what belongs elsewhere, and those about two things that never existed.

    `words` are the names in each of them that mean the same.
    """

    what: str
    foreign: Exchange
    never: Exchange
    other: Exchange
    words: Sequence[str]


def compared(session: Session, operation: Operation, answers: Answers) -> Iterator[Finding]:
    """Yield when the answers differ in more than the names in them, and in what differs anyway.

    What an answer tells by chance, such as how long it took, is not told again: differences are asked for twice more.
    """
    got, wanted = answers.foreign.response, answers.never.response
    if {got.status, wanted.status} & UNRELATED_STATUS:
        return
    shown = (answers.foreign, answers.never)
    if got.status in SUCCESS_STATUS and wanted.status not in SUCCESS_STATUS:
        says = f"{answers.what} was answered with {got.status}, although it belongs elsewhere"
        yield law_finding(operation, "is reached from elsewhere", says, *shown)
        return
    unlike = _differences(session.contract, answers)
    for _ in range(CONFIRMATIONS if unlike else 0):
        again = [session.probe(one.request) for one in (answers.foreign, answers.never, answers.other)]
        unlike &= _differences(
            session.contract, Answers(what="", words=answers.words, **dict(zip(ANSWERS, again, strict=True)))
        )
    if unlike:
        differs = f", {min(unlike)} differs" if got.status == wanted.status else ""
        says = f"{answers.what} is answered otherwise than one that never existed "
        says += f"({got.status} and {wanted.status}{differs})"
        yield law_finding(operation, "its existence is told elsewhere", says, *shown)


def _differences(contract: Contract, answers: Answers) -> set[str]:
    """Return the parts of the answer about what belongs elsewhere that the others agree on, and it does not have so."""
    asked = (answers.foreign, answers.never, answers.other)
    one, two, three = (_parts(contract, exchange, answers.words) for exchange in asked)
    steady = {at for at in two.keys() | three.keys() if two.get(at, ABSENT) == three.get(at, ABSENT)}
    more = one.keys() - two.keys() - three.keys()
    return {at for at in steady | more if one.get(at, ABSENT) != two.get(at, ABSENT)}


def _parts(contract: Contract, exchange: Exchange, words: Sequence[str]) -> dict[str, object]:
    """Return status, media type and the declared parts of the body, with names that mean the same made equal."""
    response = exchange.response
    is_json = response.data is not ABSENT
    text = _spelled(response.data) if is_json else response.body.decode("utf-8", "replace")
    for word in sorted(words, key=len, reverse=True):
        named = _spelled(word)[1:-1] if is_json else word
        text = text.replace(named, "7" * len(word) if word.isdecimal() else "~")
    data = json_of(text.encode())
    operation = contract.operation(exchange.operation or "")
    schema = declared_schema(operation, response) if operation is not None else None
    shown = declared_part(schema, data) if schema is not None and data is not ABSENT else data
    body = dict(leaves(shown, "the body")) if data is not ABSENT else {"the body": text}
    return {"status": response.status, "media type": essence(response.headers.get("Content-Type")), **body}


def _spelled(value: object) -> str:
    """Return JSON as it is written here, however the server has written it."""
    return json.dumps(value, ensure_ascii=False)


def leaves(value: object, at: str) -> Iterator[tuple[str, object]]:
    """Yield the pointers of all values that have no parts, below a place, and the values as text."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inner:
        yield from leaves(one, f"{at}/{name}")
    if not isinstance(value, dict | list) or not value:
        yield at, repr(value)


def changed_from_elsewhere(
    operation: Operation, names: Names, states: tuple[Snapshot, Snapshot], what: str, cause: Exchange
) -> Iterator[Finding]:
    """Yield when a record is not as it was; `states` are those before and after the `cause`."""
    before, after = states
    if before.differs(after, names):
        yield law_finding(operation, "is changed from elsewhere", f"{what} was changed", cause, after.exchange)


def law_finding(operation: Operation, shape: str, says: str, *evidence: Exchange | None) -> Finding:
    """Return a finding of the law."""
    return new_finding(LAW, operation.id, shape, says, evidence)


def some_places(places: Sequence[Elsewhere]) -> Sequence[Elsewhere]:
    """Return the places when there are any. Raises NotApplicableError."""
    if not places:
        raise NotApplicableError("nothing is apart from it")
    return places


def require_own_key(session: Session, there: RecordSite, known: CreatedRecord, names: Names) -> None:
    """Raise NotApplicableError when a record of its own has the key of a known one there, as counted keys do."""
    marker = names.marker(known.members)
    if there.resource.assigned and "read" in there.operations:
        response = session.probe(record_request(there, "read", key=known.key).request()).response
        if response.status in SUCCESS_STATUS and (marker is None or marker.text not in response.body.decode()):
            raise NotApplicableError(f"a record of {there.resource.name} has the same key")
