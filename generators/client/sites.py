"""Find where an experiment can run: a resource, parameter values, its single-record operations.

Begin with `experiment_sites`; a `SiteContext` is one site for one bulk operation.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from random import Random
from typing import Final

from contracts.bulk.model import Bulk, Resource
from contracts.errors import MisuseError
from contracts.exchange.bulk_request import names_target
from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.exchange.locations import find, is_outside
from contracts.exchange.raw_items import naming_member
from contracts.exchange.references import reference_text
from contracts.messages import ABSENT, Request
from contracts.openapi.inference import fallback_resource, key_type
from contracts.openapi.model import Contract, Operation, Parameter
from contracts.openapi.parameters import read_text
from contracts.openapi.representations import takes_key
from contracts.syntax.text import as_list, text_of
from generators.client.session import Session
from generators.errors import NotApplicableError
from generators.requests.calls import draft, sample_value
from generators.requests.envelope import OperationSpec, SendOptions, operation_spec
from generators.requests.items import ItemContent, own_key_member
from generators.requests.known_records import KnownRecords, Names, RecordContext
from generators.requests.options import option_for, units_of
from generators.requests.record_factory import RecordFactory
from generators.requests.single import Members, RecordSite, item_resources, record_operations

MAX_PROBED_SITES: Final = 24
LONG_KEY: Final = "bulkId:0123456789-0123456789-0123456789"  # as long as a reference, or the key of a record
NO_SITE: Final = "no single calls were found that make and read the records that it is about"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SiteContext:
    """A bulk operation, one resource site, and the session of an experiment."""

    session: Session
    operation: Operation
    site: RecordSite

    @property
    def bulk(self) -> Bulk:
        """The operation's `x-bulk`. Raises NotApplicableError when it has none."""
        if self.operation.bulk is None:
            raise NotApplicableError(f"{self.operation.id} has no x-bulk")
        return self.operation.bulk

    @property
    def resource(self) -> Resource:
        """The resource of the site."""
        return self.site.resource

    @property
    def unit(self) -> str:
        """The first of the units that a request can have: `item` where that is one of them."""
        return units_of(self.bulk)[0]

    @property
    def spec(self) -> OperationSpec:
        """The operation's specification. Raises NotApplicableError when its requests cannot be composed."""
        name = ("spec", self.operation.id, self.site)
        found = self.session.cache.get(name)
        if not isinstance(found, OperationSpec):
            found = self.session.cache[name] = self._spec()
        return found

    def _spec(self) -> OperationSpec:
        try:
            return operation_spec(self.session.contract, self.operation, {**self.session.given, **self.site.values})
        except MisuseError as error:
            raise NotApplicableError(str(error)) from None

    def barred(self, members: Iterable[str]) -> set[str]:
        """Return those of the members of a record that the operation may not set, as the resource's list says."""
        limit = self.spec.writable.get(self.resource.name)
        if limit is None:
            return set()
        free = {*limit, self.resource.key, self.resource.version, own_key_member(self.bulk)}
        return record_factory_of(self.session, self.resource).members.keys() & {*members} - free

    def sendable(self, members: Members) -> Members:
        """Return the members that an item can have: no others than it may set, and of a row what its cells can have."""
        barred = self.barred(members)
        found = self.spec.sendable(self.resource.name, members)
        return {name: value for name, value in found.items() if name not in barred}

    def item(self, content: ItemContent, rng: Random, *, barred: bool = False) -> object:
        """Return an item as it is sent. Raises NotApplicableError when the contract cannot express it.

        What the operation may not set is in no item that is not meant to be wrong, `barred`.
        """
        spec, effect, bulk = self.spec, self.bulk.effect, self.bulk
        content = replace(content, target=self._naming(content.target))
        own = effect.payload not in bulk.items.shared
        bare = content.action == "delete" or not own
        members = {} if bare else {**content.values, **self._reference(content)}
        names_record = bool(effect.target or effect.http) or names_target(bulk)
        if own and not names_record and content.target is not None:
            members = {**members, self.resource.key: content.target}
        if not barred and (names := self.barred(members)):
            raise NotApplicableError(f"{self.operation.id} may not set {', '.join(sorted(names))}")
        action, resource = self._words(content.action)
        said = replace(content, members=None if bare and not members else members)
        return spec.item(said, rng, action=action, resource=resource, kind=self.resource.name)

    def _naming(self, key: object) -> object:
        """Return how an item names the record with a key: by it, or by another member of a record that was made."""
        member = naming_member(self.bulk, self.resource) if isinstance(key, str | int) else None
        made = None if member is None else self.session.cache.get(("made", self.resource.name, key))
        if not isinstance(made, Mapping):
            return key
        if made.get(member) is None:
            raise NotApplicableError(f"a record of {self.resource.name} has no '{member}' to name it by")
        return made[member]

    def is_filled(self, content: ItemContent, raw: object) -> bool:
        """Return whether an item has what a record must have and its content does not, as its schema asks for it."""
        effect, needed = self.bulk.effect, {*self.resource.required} - {self.resource.key}
        payload = find(raw, effect.payload_of.get(content.action, effect.payload))
        return isinstance(payload, dict) and not (needed - content.values.keys()).isdisjoint(payload)

    def _words(self, action: str) -> Sequence[str | None]:
        """Return the words by which an item names its action and its resource, None for one that it does not name."""
        name = ("words", self.operation.id, self.site, action)
        found = self.session.cache.get(name)
        if not isinstance(found, tuple):
            spec, effect = self.spec, self.bulk.effect
            meant = ((effect.action, action), (effect.resource, self.resource.name))
            found = self.session.cache[name] = tuple(spec.item_option(*one).written for one in meant)
        return found

    def _reference(self, content: ItemContent) -> Mapping[str, object]:
        """Return the member by which an item names one that it depends on, where members do that.

        The reference is all of its value, and the key of a record can take its place.
        """
        order = self.bulk.order
        if not content.awaited or order.depends_on is not None or order.reference is None:
            return {}
        text = reference_text(order.reference, str(content.awaited[0]), self.resource.key)
        if text is None:
            return {}
        name = next(filter(self._can_refer, self._referring(content)), None)
        if name is None:
            raise NotApplicableError(f"a record of {self.resource.name} has no member that could refer to another item")
        return {name: text}

    def _referring(self, content: ItemContent) -> Iterable[str]:
        """Return the members that may refer to another item: references first, and then what is not set yet."""
        maker, references = record_factory_of(self.session, self.resource), self.resource.references
        own = [name for name, resource in references.items() if resource == self.resource.name]
        unset = [name for name in maker.free if name not in content.values]
        others = [name for name in maker.members if name not in references]
        return dict.fromkeys((*own, *unset, *maker.free, *others))

    def _can_refer(self, name: str) -> bool:
        """Return whether a member takes a reference to an item, and the key of a record in its place."""
        schema = record_factory_of(self.session, self.resource).members.get(name)
        is_text = name in self.resource.references or key_type(self.session.contract, self.resource).is_text
        return is_text and name != self.resource.key and schema is not None and schema.is_valid(LONG_KEY)

    def request(
        self,
        items: Sequence[object],
        actions: Iterable[str],
        options: SendOptions,
        *,
        keys: Sequence[object],
        shared: object = ABSENT,
    ) -> Request:
        """Return a bulk request with these items. Raises NotApplicableError when an option cannot be expressed."""
        spec, effect = self.spec, self.bulk.effect
        action = spec.request_option(effect.action, actions)
        resource = spec.request_option(effect.resource, [self.resource.name])
        rng = self.session.rng("request")
        made = spec.request(items, options, rng, action=action, resource=resource, keys=keys, shared=shared)
        return made.request()


def record_factory_of(session: Session, resource: Resource) -> RecordFactory:
    """Return the record factory of a resource; one per session."""
    name = ("maker", resource.name)
    found = session.cache.get(name)
    if not isinstance(found, RecordFactory):
        found = session.cache[name] = RecordFactory(session.contract, resource, fallback=None, target_schema=None)
    return found


def record_context_of(names: Names, rng: Random) -> RecordContext:
    """Return a record context without stored records."""
    return RecordContext(rng=rng, known=KnownRecords(), names=names, slot_prefix="y")


def experiment_sites(session: Session, operation: Operation) -> Sequence[RecordSite]:
    """Return the sites at which an operation can be tested, those that allow most experiments first."""
    found = [experiment_site(session, name) for name in _resources(session.contract, operation)]
    fitting = [one for one in found if one is not None and _accepts(operation, one)]
    return sorted(fitting, key=lambda one: -_score(one))


def known_sites(session: Session, operation: Operation) -> Sequence[RecordSite]:
    """Return what `experiment_sites` does; none where it cannot be found out."""
    try:
        return experiment_sites(session, operation)
    except NotApplicableError:
        return ()


def experiment_site(session: Session, name: str) -> RecordSite | None:
    """Return the site of a resource, None when no parameter values were found; looked for once in a session."""
    if ("experiment_site", name) not in session.cache:
        session.cache["experiment_site", name] = _probe(session, session.contract.resources[name])
    known = session.cache["experiment_site", name]
    return known if isinstance(known, RecordSite) else None


def _score(one: RecordSite) -> int:
    resource = one.resource
    optional = [member for member in resource.references if member not in resource.required]
    return (
        4 * bool(optional)
        + 2 * bool(resource.required)
        + 2 * ("read" in one.operations)
        + (resource.schema is not None)
        - 8 * any(member in resource.required for member in resource.references)
        + len(optional)
    )


def _resources(contract: Contract, operation: Operation) -> Sequence[str]:
    bulk, act = operation.bulk, operation.record
    choice = bulk.effect.resource if bulk is not None else act.resource if act is not None else None
    if bulk is not None and bulk.effect.http:
        return item_resources(contract, bulk)
    if choice is None:
        name = fallback_resource(contract, operation)
        return [name] if name is not None else []
    return [name for name in contract.resources if option_for(operation, choice, name) is not None]


def _parameter(operation: Operation, name: str) -> Parameter | None:
    return next((one for one in operation.parameters if one.name == name), None)


def _probe(session: Session, resource: Resource) -> RecordSite | None:
    """Return the first site whose list operation responds with success, else the first site of the examples."""
    found = record_operations(session.contract, resource)
    operations = {action: one for action, one in found.items() if resource.assigned or takes_key(one, resource)}
    speaking = [*operations.values(), *(one for one in session.contract.operations if one.bulk is not None)]
    places = list(islice(_places(session, resource, operations, speaking), MAX_PROBED_SITES))
    lister = operations.get("list")
    if lister is not None and len(places) > 1:
        places = [one for one in places if _responds(session, lister, one)]
    return RecordSite(resource=resource, values=places[0], operations=operations) if places else None


def _places(
    session: Session, resource: Resource, operations: Mapping[str, Operation], speaking: Sequence[Operation]
) -> Iterator[dict[str, str]]:
    """Yield values for the path parameters that the resource's operations share, those of examples first.

    What a resource has as `x-NAME` is the value of the parameter NAME.
    """
    own = {name.removeprefix("x-"): value for name, value in resource.extras.items() if isinstance(value, str)}
    fixed = dict(session.given) | own | _resource_parameters(resource, speaking)
    keys = {one.record.key.partition(":")[2] for one in operations.values() if one.record and one.record.key}
    open_ = {
        one.name: one
        for operation in speaking
        for one in operation.parameters
        if one.where == "path" and one.name not in fixed and one.name not in keys
    }
    if not operations:
        yield fixed
        return
    shared = [one for name, one in open_.items() if any(_parameter(act, name) for act in operations.values())]
    for values in product(*(_candidate_values(one) for one in shared)):
        yield {**dict(zip((one.name for one in shared), values, strict=True)), **fixed}


def _resource_parameters(resource: Resource, speaking: Sequence[Operation]) -> dict[str, str]:
    """Return the parameter values that choose a resource, by parameter name."""
    words: dict[str, str] = {}
    for one in speaking:
        choice = one.record.resource if one.record is not None else one.bulk.effect.resource if one.bulk else None
        if choice is not None and choice.source and is_outside(choice.source):
            word = option_for(one, choice, resource.name)
            if word is not None:
                words.setdefault(choice.source.partition(":")[2], word)
    return words


def _candidate_values(parameter: Parameter) -> Sequence[str]:
    words = parameter.schema.raw.get("enum") if parameter.schema is not None else None
    others = map(text_of, as_list(words))
    return list(dict.fromkeys((sample_value(parameter), *others)))


def _responds(session: Session, lister: Operation, values: Mapping[str, str]) -> bool:
    return session.send(draft(lister, values).request()).response.status in SUCCESS_STATUS


def _accepts(operation: Operation, one: RecordSite) -> bool:
    """Return whether the path parameters of an operation accept a site's values."""
    return all(
        parameter.schema is None or parameter.schema.is_valid(read_text(one.values[parameter.name], parameter.schema))
        for parameter in operation.parameters
        if parameter.where == "path" and parameter.name in one.values
    )
