"""Read what a bulk request asks for: items, unit, order, targets, dependencies, and whether it becomes a job.

Begin with `read_bulk_request`; `KeyIndex` matches the keys of outcomes to items.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Protocol, TypeVar

from contracts.bulk.model import Bulk, Choice, Location, Resource
from contracts.exchange.http_items import action_of, identified, identifies_records, request_of, route_item, target_of
from contracts.exchange.item_text import typed_rows
from contracts.exchange.locations import (
    ParsedRequest,
    Reader,
    RequestValues,
    chooser,
    chosen_by,
    condition_holds,
    expresses_preference,
    find,
    is_fixed,
    is_outside,
    locate,
    reader,
)
from contracts.exchange.preconditions import IF_MATCH
from contracts.exchange.raw_items import barred_envelope, named_items, naming_member, payload_reader, without
from contracts.exchange.references import keys_awaited, references_of
from contracts.messages import ABSENT
from contracts.openapi.inference import fallback_resource
from contracts.openapi.model import Contract, Operation, is_json
from contracts.openapi.routing import Router
from contracts.schemas.equality import key_text
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import as_list, parse_digits, pointer_of, tokens_of

KEYLESS_MATCHING: Final = frozenset(("index", "order"))
"""The words of `x-bulk.key.by` for items that have no key of their own."""


@dataclass(slots=True, kw_only=True)  # there is one for each item: a frozen one takes three times as long to make
class BulkItem:
    """One item of a bulk request. Absent values are ABSENT; a word without a declared meaning is None."""

    index: int
    key: object
    action: str | None
    resource: str | None
    target: object
    payload: object
    version: object
    group: object
    raw: object


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkRequest:
    """A bulk request as its declaration reads it.

    `unit` is `whole`, `item` or `group`, None when the request has an undeclared word. `targets` are those of a fan-out
    in order, without repetitions; None when the operation has no fan-out.
    """

    operation: Operation
    bulk: Bulk
    sent: ParsedRequest
    items: tuple[BulkItem, ...]
    unit: str | None
    grouped: bool
    as_job: bool
    targets: tuple[str, ...] | None


def read_bulk_request(contract: Contract, sent: ParsedRequest) -> BulkRequest | None:
    """Return a request as its `x-bulk` reads it; None without a collection of items, or for other operations."""
    bulk = sent.operation.bulk
    collection = None if bulk is None else named_items(bulk, sent)
    if bulk is None or collection is None:
        return None
    items = _ItemReader(contract, bulk, sent)
    if bulk.items.shape == "rows":
        rows = typed_rows([raw for _, raw in collection], _record_schema(contract, sent))
        collection = [(name, row) for (name, _), row in zip(collection, rows, strict=True)]
    return BulkRequest(
        operation=sent.operation,
        bulk=bulk,
        sent=sent,
        items=tuple(items.item(n, name, raw) for n, (name, raw) in enumerate(collection)),
        unit=chosen_by(sent, bulk.unit.of),
        grouped=bulk.order.run == "grouped" and condition_holds(sent, bulk.order.when),
        as_job=becomes_job(bulk, sent),
        targets=_targets(bulk, sent),
    )


def _record_schema(contract: Contract, sent: ParsedRequest) -> Schema | None:
    """Return the schema of the records that all rows of a request are of, None where that is not known."""
    declared = None if sent.operation.bulk is None else sent.operation.bulk.effect.resource
    name = fallback_resource(contract, sent.operation) if declared is None else chosen_by(sent, declared)
    resource = contract.resources.get(name or "")
    return None if resource is None or resource.schema is None else contract.schemas.schema(resource.schema)


def becomes_job(bulk: Bulk, values: RequestValues) -> bool:
    """Say whether a bulk request becomes a job: always, or because it meets a condition of `x-bulk.job.when`."""
    return bulk.job is not None and any(expresses_preference(values, condition) for condition in bulk.job.when)


def _targets(bulk: Bulk, sent: ParsedRequest) -> tuple[str, ...] | None:
    if bulk.items.fan_out is None:
        return None
    return tuple(dict.fromkeys(map(str, as_list(locate(sent, bulk.items.fan_out.over)))))


def target_parameters(operation: Operation, over: str, target: str) -> Mapping[str, str]:
    """Return the parameter named like a list of targets, in the singular, with one target as its value."""
    name = over.rpartition("/")[2].lower()
    known = {name, name.removesuffix("s"), name.removesuffix("es")}
    return {one.name: target for one in operation.parameters if one.name.lower() in known}


class _ItemReader:
    """Reads the items of one request."""

    def __init__(self, contract: Contract, bulk: Bulk, sent: ParsedRequest) -> None:
        self._contract, self._bulk, self._sent = contract, bulk, sent
        effect, grouping = bulk.effect, bulk.order.group_by or bulk.unit.group
        self._fallback = fallback_resource(contract, sent.operation) if effect.resource is None else None
        self._named = None if effect.resource is None else self._chosen(effect.resource)
        self._action_of = self._chosen(effect.action)
        self._payload_of, self._targets = payload_reader(bulk, effect.payload), tuple(map(self._given, effect.target))
        self._payloads = {action: payload_reader(bulk, at) for action, at in effect.payload_of.items()}
        self._version = _absent if effect.version is None else self._given(effect.version)
        self._grouping = _absent if grouping is None else reader(grouping)
        self._key_of = None if bulk.key.at is None else reader(bulk.key.at)
        self._names_target = names_target(bulk)
        self._envelopes: dict[tuple[str | None, str | None], frozenset[str]] = {}
        self._tombstone = tuple((reader(at), value) for at, value in effect.tombstone.items())
        self._router = Router(contract) if effect.http or identifies_records(effect) else None

    def _given(self, at: Location) -> Reader:
        """Compile a location that may be outside the body, and is then the same for all items."""
        if not is_outside(at):
            return reader(at)
        shared = locate(self._sent, at)
        return lambda _: shared

    def _chosen(self, choice: Choice) -> Callable[[object], str | None]:
        chosen = chooser(choice)
        if is_fixed(choice):
            fixed = chosen(locate(self._sent, choice.source) if choice.source else ABSENT)
            return lambda _: fixed
        read = reader(choice.source)
        return lambda raw: chosen(read(raw))

    def item(self, index: int, name: object, raw: object) -> BulkItem:
        """Return one item; `name` is its member name, group index or index (see `named_items`)."""
        if self._router is not None and self._bulk.effect.http:
            return self._request(self._router, index, name, raw)
        resource, action = self._resource(raw), self._action(raw)
        payload = self._payload(raw, action)
        target = name if self._names_target else self._target(raw, payload, resource)
        return BulkItem(
            index=index,
            key=self._key(index, name, raw, target),
            action=action,
            resource=resource,
            target=self._meant(target, resource),
            payload=without(payload, self._beside(resource, action)),
            version=self._version(raw),
            group=self._group(name, raw),
            raw=raw,
        )

    def _request(self, router: Router, index: int, name: object, raw: object) -> BulkItem:
        """Return an item that is an HTTP request: its operation says what it does, and to which record."""
        effect, headers = self._bulk.effect, self._sent.request.headers
        request = request_of(effect, raw, mount=self._contract.mount, headers=headers)
        route = route_item(router, request)
        act = None if route is None else route.operation.record
        target = ABSENT if route is None else target_of(route, request)
        body = find(raw, effect.http["body"]) if "body" in effect.http else ABSENT
        is_known = not effect.action.words or self._action(raw) is not None
        payload = body if act is None or body is ABSENT else find(body, act.payload)
        if route is not None and not _is_taken(route.operation, body):
            payload = None
        return BulkItem(
            index=index,
            key=self._key(index, name, raw, target),
            action=action_of(route, request) if is_known else None,
            resource=None if act is None else act.resource.constant,
            target=target,
            payload=payload,
            version=request.headers.get(IF_MATCH) if IF_MATCH in request.headers else ABSENT,
            group=self._group(name, raw),
            raw=raw,
        )

    def _beside(self, resource: str | None, action: str | None) -> frozenset[str]:
        """Return the members of items that say what they are, and are no content of a record."""
        if (resource, action) not in self._envelopes:
            at = None if resource is None else self._contract.resources[resource].schema
            schema = None if at is None else self._contract.schemas.schema(at).request
            self._envelopes[resource, action] = barred_envelope(self._bulk, schema, action)
        return self._envelopes[resource, action]

    def _group(self, name: object, raw: object) -> object:
        return name if self._bulk.items.groups is not None else self._grouping(raw)

    def _resource(self, raw: object) -> str | None:
        if self._named is None:
            known = self._identity(raw)
            return self._fallback if known is None or known[0] not in self._contract.resources else known[0]
        name = self._named(raw)
        return name if name in self._contract.resources else None

    def _identity(self, raw: object) -> tuple[str, object] | None:
        """Return resource and key of the record that an item's target identifies, None where it is the key itself."""
        found = next((one for read in self._targets if (one := read(raw)) is not ABSENT), ABSENT)
        return None if self._router is None else identified(self._router, self._contract.mount, found)

    def _payload(self, raw: object, action: str | None) -> object:
        if action in self._payloads:
            return self._payloads[action](raw)
        own, at = self._payload_of(raw), self._bulk.effect.payload
        return locate(self._sent, at) if own is ABSENT and at in self._bulk.items.shared else own

    def _action(self, raw: object) -> str | None:
        if self._tombstone and all(read(raw) == value for read, value in self._tombstone):
            return "delete"
        return self._action_of(raw)

    def _target(self, raw: object, payload: object, resource: str | None) -> object:
        if (known := self._identity(raw)) is not None:
            return known[1]
        if self._targets:
            found = (read(raw) for read in self._targets)
            return next((one for one in found if one is not ABSENT), ABSENT)
        own = self._contract.resources.get(resource or "")
        return payload.get(own.key, ABSENT) if own is not None and isinstance(payload, Mapping) else ABSENT

    def _meant(self, target: object, resource: str | None) -> object:
        """Return a target as what names a record: where a member does, an object of its value, empty without one."""
        member = None if resource is None else naming_member(self._bulk, self._contract.resources[resource])
        if member is None:
            return target
        return {} if target is ABSENT else {member: target}

    def _key(self, index: int, name: object, raw: object, target: object) -> object:
        declared = self._bulk.key
        if declared.by in KEYLESS_MATCHING:
            return index
        if declared.at == "" and self._bulk.items.shape == "map":
            return name
        return target if self._key_of is None else self._key_of(raw)


def _is_taken(operation: Operation, body: object) -> bool:
    """Say whether a body is one that an operation takes, as far as its schema of JSON says."""
    if operation.body is None or body is ABSENT:
        return operation.body is None
    schemas = (one.schema for one in operation.body.content if is_json(one.media_range))
    schema = next((one for one in schemas if one is not None), None)
    return schema is None or schema.request.is_valid(body)


def has_stray_key(resource: Resource, known: Collection[str], members: Mapping[str, object], target: object) -> bool:
    """Say whether the members of an item have a key that none of the `known` ones is, and not the one that it names."""
    given = members.get(resource.key, ABSENT)
    is_stray = resource.key not in known and not resource.assigned
    return is_stray and ABSENT not in (given, target) and key_text(given) != key_text(target)


def names_target(bulk: Bulk) -> bool:
    """Say whether the names of a map's members are the keys of the records that its items are for."""
    is_name = bulk.items.shape == "map" and bulk.key.at == ""
    return is_name and bulk.key.by == "target" and not bulk.effect.target and not bulk.effect.http


def chooses_inside(bulk: Bulk) -> bool:
    """Say whether each item says of which resource its record is."""
    chosen = bulk.effect.resource
    return chosen is not None and not is_outside(chosen.source or "header:")


def _absent(_: object) -> object:
    return ABSENT


class KeyIndex:
    """Finds items by the key of an outcome: equal, else equal in its canonical spelling, else as a number.

    Where several items match otherwise than by equality, none is found.
    """

    def __init__(self, items: Sequence[BulkItem]) -> None:
        self._exact: dict[object, list[int]] = {}
        for item in items:
            if isinstance(item.key, str | int | float):
                self._exact.setdefault(item.key, []).append(item.index)
        self._nameless = {str(one.index): (one.index,) for one in items if not isinstance(one.key, str | int)}
        self._text = self._by(key_text)
        self._number = self._by(_as_number)

    def _by(self, form: Any) -> dict[object, list[int]]:
        found: dict[object, list[list[int]]] = {}
        for key, places in self._exact.items():
            found.setdefault(form(key), []).append(places)
        return {name: places[0] for name, places in found.items() if len(places) == 1 and name is not None}

    def find(self, key: object) -> Sequence[int]:
        """Return the indexes of the items with this key, none when no item of the request has it."""
        if not isinstance(key, str | int | float):
            return ()
        return self._exact.get(key) or self._text.get(key_text(key)) or self._number.get(_as_number(key)) or ()

    def find_named(self, name: object) -> Sequence[int]:
        """Return the indexes of the items for a member name: by key, else by index for items without a key."""
        return self.find(name) or self._nameless.get(str(name), ())


def _as_number(key: object) -> float | int | None:
    try:
        number = float(str(key))
    except ValueError:
        return None
    exact = parse_digits(str(key))
    return number if exact is None else exact


def item_index(bulk: Bulk, key: object) -> object:
    """Return the index in a JSON Pointer into the request's items, `key` itself when it is no such pointer."""
    if not isinstance(key, str):
        return key
    for at in bulk.items.places:
        head = tokens_of(at)
        tokens = tokens_of(key)
        index = parse_digits(tokens[len(head)]) if len(tokens) > len(head) else None
        if key.startswith(pointer_of(head) + "/") and index is not None:
            return index
    return key


def dependencies(bulk: Bulk, items: Sequence[BulkItem]) -> tuple[tuple[int, ...], ...]:
    """Return for each item the indexes of the other items that it depends on."""
    references = references_of(bulk)
    if bulk.order.depends_on is None and references is None:
        return ((),) * len(items)
    key_index = KeyIndex(items)
    own = [ABSENT if references is None else references.name_of(one.raw, one.key, one.action) for one in items]
    by_name = {str(name): (n,) for n, name in enumerate(own) if references and references.member and name is not ABSENT}

    def awaited(item: BulkItem) -> tuple[int, ...]:
        named = () if references is None else references.named(item.raw, own[item.index])
        places = [*map(key_index.find, keys_awaited(item.raw, bulk.order.depends_on))]
        places += [by_name.get(name) or key_index.find(name) for name in named]
        return tuple(place for some in places for place in some if place != item.index)

    return tuple(map(awaited, items))


class Grouped(Protocol):
    """An item that may have a group: the order in which `x-bulk.order.run: grouped` runs it."""

    @property
    def group(self) -> object:
        """The group, ABSENT or None for none."""


GroupedItem = TypeVar("GroupedItem", bound=Grouped)


def in_group_order(items: Sequence[GroupedItem]) -> list[GroupedItem]:
    """Return the items in ascending order of their group, those without a group last.

    Groups are compared as numbers when all of them are numbers, else as texts.
    """
    names = {str(item.group) for item in items if item.group is not ABSENT and item.group is not None}
    numbers = {name: number for name in names if (number := _decimal(name)) is not None}
    are_numbers = len(numbers) == len(names)

    def rank(item: GroupedItem) -> tuple[bool, Decimal | str]:
        if item.group is ABSENT or item.group is None:
            return True, Decimal(0) if are_numbers else ""
        return False, numbers[str(item.group)] if are_numbers else str(item.group)

    return sorted(items, key=rank)


def _decimal(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
