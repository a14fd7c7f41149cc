"""The law `reads`: a request for several keys shows the records that single reads show, and no others.

Begin with `many_reads`. The order of the records, repeated keys and unknown ones are judged as `x-reads` says.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.exchange.locations import find
from contracts.messages import Exchange, Request
from contracts.openapi.inference import key_type
from contracts.openapi.model import ManyReads, Operation, Parameter
from contracts.openapi.parameters import types_of
from contracts.schemas.equality import declared_part, key_text
from contracts.syntax.text import as_list, short
from generators.check.laws.calls.parameters import WORD
from generators.check.records import CreatedRecord, create_keys, create_records, new_record_members, read_record
from generators.check.separate_places import Elsewhere, created_record, elsewheres, leaves, similar_id
from generators.client.session import Session
from generators.client.sites import NO_SITE, experiment_site, record_factory_of
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding, new_finding
from generators.oracles.response_laws import declared_schema
from generators.requests.calls import draft
from generators.requests.options import option_for
from generators.requests.single import RecordSite, record_request, write_request

LAW: Final = "reads"
ABSENT_LEAF: Final = repr(None)  # a member that is absent is as one that is null
MANY: Final = 34  # times that three keys are repeated, so that there are more than a hundred
TOO_LONG: Final = frozenset((414, 431))  # statuses of a request whose keys are too many


def many_reads(session: Session, operation: Operation) -> Iterator[Finding]:
    """Read records by several keys: existing, repeated, deleted and unknown ones, and those of other places."""
    assert operation.reads is not None  # noqa: S101 - asked before
    probed = [experiment_site(session, name) for name in session.contract.resources]
    known = [site for site in probed if site is not None and "read" in site.operations]
    sites = [one for one in known if option_for(operation, operation.reads.resource, one.resource.name) is not None]
    if not sites:
        raise NotApplicableError(NO_SITE)
    site = min(sites, key=lambda one: len(set(one.resource.required) & set(one.resource.references)))
    reading = _Reading(session=session, operation=operation, declared=operation.reads, site=site)
    yield from reading.findings(sites)
    for other in sites:
        if not set(other.resource.required) & set(other.resource.references):
            yield from replace(reading, site=other).alike()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """Asks for several records at one site."""

    session: Session
    operation: Operation
    declared: ManyReads
    site: RecordSite
    query: tuple[tuple[str, str], ...] = ()

    def findings(self, sites: Sequence[RecordSite]) -> Iterator[Finding]:
        """Create records here and elsewhere, and ask for them."""
        names, rng = self.session.names(), self.session.rng(LAW)
        members = [new_record_members(self.session, self.site, names, f"m{n}", rng) for n in range(3)]
        one, other, gone = create_records(self.session, self.site, members, names)
        again = [one.key, other.key, one.key] * MANY if self.declared.repeats else []
        yield from self._judged([other.key, one.key, *again][: self._most()], ())
        for query in self._shared_queries():
            yield from replace(self, query=query)._judged([other.key, one.key], ())  # noqa: SLF001 - its own class
        if self.declared.unknown:
            known = {key_text(own.key) for own in (one, other, gone)}  # short numbers are often alike
            never = [new for new in (similar_id(one.key, rng),) if key_text(new) not in known]
            self._delete(gone)
            yield from self._judged([one.key, gone.key, *never, other.key], [gone.key, *never])
            if never:
                yield from self._judged(never, never)
        yield from self._malformed(one, other)
        for place in elsewheres(self.session, [self.operation], self.site, sites):
            if place.is_parallel or (place.other is not None and self.declared.unknown):
                yield from self._from_elsewhere(place, one)

    def alike(self) -> Iterator[Finding]:
        """Create two records of a resource, one with what it needs alone, and ask for them."""
        names, rng, maker = (
            self.session.names(),
            self.session.rng(LAW),
            record_factory_of(self.session, self.site.resource),
        )
        whole, bare = (new_record_members(self.session, self.site, names, f"m{n}", rng) for n in range(2))
        less = {name: value for name, value in bare.items() if name not in maker.free}
        less |= {name: bare[name] for name in self.site.resource.required if name in bare}
        members = [whole, less if maker.fits(less, partial=False) else bare]
        keys = create_keys(self.session, self.site, members, names)
        yield from self._judged(keys, ())

    def _shared_queries(self) -> Iterator[tuple[tuple[str, str], ...]]:
        """Yield a query for each word of the parameters that single reads take too."""
        single = {one.name for one in self.site.operations["read"].parameters if one.where == "query"}
        for one in self.operation.parameters:
            schema = one.schema if one.where == "query" and one.name in single else None
            words = as_list(schema.raw.get("enum")) if schema is not None else ()
            yield from (((one.name, word),) for word in words if isinstance(word, str) and word)

    def _delete(self, record: CreatedRecord) -> None:
        if "delete" in self.site.operations:
            version = read_record(self.session, self.site, record.key).known_version
            self.session.send(write_request(self.site, "delete", {}, key=record.key, version=version).request())

    def _malformed(self, one: CreatedRecord, other: CreatedRecord) -> Iterator[Finding]:
        """Put a word beside good keys that are numbers: where parameters are strict, it is refused."""
        contract = self.session.contract
        is_strict = contract.has_strict_parameters and not key_type(contract, self.site.resource).is_text
        some = ([one.key, WORD], [WORD, other.key], [one.key, WORD, other.key], [one.key, "", other.key])
        for keys in some if is_strict else ():
            exchange, _ = self.asked(keys)
            if exchange.response.status in SUCCESS_STATUS:
                says = f"a request for {short(self._joined(keys))} was answered with {exchange.response.status}"
                yield self._finding("what is no key is accepted", says, exchange)

    def _list(self) -> Parameter | None:
        """Return the parameter with the keys where it is a list, which is written in its own style."""
        named = (one for one in self.operation.parameters if f"{one.where}:{one.name}" == self.declared.keys)
        return next((one for one in named if "array" in types_of(one.schema)), None)

    def _most(self) -> int | None:
        """Return how many keys the schema of a list allows, None where it sets no limit."""
        own = self._list()
        most = None if own is None or own.schema is None else own.schema.raw.get("maxItems")
        return most if isinstance(most, int) else None

    def _joined(self, keys: Sequence[object]) -> str:
        return self.declared.separator.join(map(str, keys))

    def _judged(self, keys: Sequence[object], unknown: Sequence[object]) -> Iterator[Finding]:
        """Yield what is wrong with the answer to keys, of which some are unknown if single reads say so too."""
        reads = {key_text(key): self.single(key) for key in keys}
        exchange, shown = self.asked(keys)
        if exchange.response.status in TOO_LONG:
            return
        if shown is None:
            says = f"a request for {len(keys)} keys was answered with {exchange.response.status}"
            yield self._finding("keys are refused", says, exchange)
            return
        wanted = [key_text(key) for key in keys if reads[key_text(key)].response.status in SUCCESS_STATUS]
        got = [key_text(self.site.reader.key(body)) for body in shown]
        surplus, missing = Counter(got) - Counter(wanted), Counter(wanted) - Counter(got)
        for key in surplus:
            shape = "unknown key is shown" if key in map(key_text, unknown) else "another number of records"
            yield self._finding(shape, f"{short(key)} is shown {got.count(key)} times", exchange, reads.get(key))
        for key in missing:
            says = f"{short(key)} is asked for {wanted.count(key)} times, and shown {got.count(key)} times"
            yield self._finding("a record is left out", says, exchange, reads[key])
        if not surplus and not missing and self.declared.in_order and got != wanted:
            says = f"{short(got[0])} stands first, but {short(wanted[0])} was asked for first"
            yield self._finding("another order", says, exchange)
        for key, body in dict(zip(got, shown, strict=True)).items():
            yield from self._compared(key, body, reads[key], exchange) if key in wanted else ()

    def _compared(self, key: str, body: object, single: Exchange, exchange: Exchange) -> Iterator[Finding]:
        """Yield a member that a single read shows with another value, before and afterwards."""
        schema = declared_schema(self.site.operations["read"], single.response)
        told, after, mine = (
            dict(leaves(declared_part(schema, one) if schema is not None else one, ""))
            for one in (single.response.data, self.single(key).response.data, body)
        )
        for at, value in told.items():
            if value == after.get(at) and mine.get(at, ABSENT_LEAF) != value:
                says = f"{short(key)} has {at} {value} when read alone, and {mine.get(at, 'nothing')} among others"
                yield self._finding("a record differs from its single read", says, single, exchange)
                return

    def _from_elsewhere(self, place: Elsewhere, here: CreatedRecord) -> Iterator[Finding]:
        """Ask for a record of another place: it is not shown."""
        own = replace(self, site=place.own_site(self.site))
        foreign = created_record(self.session, place.other_site(self.site), self.session.names())
        single = own.single(foreign.key)
        if single.response.status in SUCCESS_STATUS:
            return  # another record may have the key here
        exchange, shown = own.asked([here.key, foreign.key])
        keys = [key_text(self.site.reader.key(body)) for body in shown or ()]
        if key_text(foreign.key) in keys:
            says = f"a record of {place.what} is shown, although a read of it is answered {single.response.status}"
            yield self._finding("a record from elsewhere is shown", says, exchange, single)

    def single(self, key: object) -> Exchange:
        """Read one record."""
        return self._sent(record_request(self.site, "read", key=key).request())

    def _sent(self, request: Request) -> Exchange:
        return self.session.send(replace(request, query=(*request.query, *self.query)))

    def asked(self, keys: Sequence[object]) -> tuple[Exchange, list[object] | None]:
        """Ask for several records; None where none are shown as a list."""
        made, own = draft(self.operation, self.site.values), self._list()
        if own is None:
            made.put(self.declared.keys, self._joined(keys))
        else:
            made.more_query = [pair for pair in made.more_query if pair[0] != own.name]
            made.query.pop(own.name, None)
            made.set_parameter(own, list(map(str, keys)))
        exchange = self._sent(made.request())
        bodies = find(exchange.response.data, self.declared.at)
        return exchange, bodies if exchange.response.status in SUCCESS_STATUS and isinstance(bodies, list) else None

    def _finding(self, shape: str, says: str, *evidence: Exchange | None) -> Finding:
        return new_finding(LAW, self.operation.id, shape, says, evidence)
