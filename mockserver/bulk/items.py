"""Read the items of a bulk request as its `x-bulk` declares them. Main entry: `ItemReader`."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias
from urllib.parse import parse_qsl

from contracts.bulk.model import Bulk, Choice, Resource
from contracts.exchange.bulk_request import KEYLESS_MATCHING
from contracts.exchange.http_items import identified, identifies_records
from contracts.exchange.item_text import is_text, read_item_text, row_schema, typed_rows
from contracts.exchange.locations import (
    Reader,
    chooser,
    column,
    in_declared_names,
    is_fixed,
    is_outside,
    json_of,
    locate,
    reader,
)
from contracts.exchange.preconditions import IF_MATCH, Version, is_if_match, read_precondition, read_version
from contracts.exchange.raw_items import (
    barred_envelope,
    collection_reader,
    named_items,
    payload_reader,
    raw_items_reader,
    without,
)
from contracts.messages import ABSENT, FORM_MEDIA_TYPE, essence
from contracts.openapi.bulk_checks import RECORD_ACTIONS
from contracts.openapi.inference import KeyType
from contracts.openapi.model import is_json
from contracts.openapi.routing import Router
from contracts.schemas.schema_set import Schema
from contracts.syntax.json_text import JsonFault, read_json
from contracts.syntax.text import pointer_of
from mockserver.api.model import RequestContext
from mockserver.bulk.http_items import http_item, unknown_method
from mockserver.domain.columns import ItemColumns
from mockserver.domain.values import Item

Raws: TypeAlias = Sequence[tuple[object, object]]
Chosen: TypeAlias = Callable[[object], str | None]


class ItemReader:
    """Reads the items of one operation's requests. `fallback` is the resource when the declaration names none.

    `keys` are the kinds of the keys by resource, `schemas` those of their payloads; `router` finds the operations
    of items that are HTTP requests.
    """

    __slots__ = (
        "_action",
        "_bulk",
        "_collection",
        "_envelopes",
        "_fallback",
        "_group",
        "_has_one_action",
        "_has_one_kind",
        "_identifies",
        "_key",
        "_keys",
        "_only",
        "_own",
        "_payload",
        "_payloads",
        "_raws",
        "_resource",
        "_resources",
        "_router",
        "_schemas",
        "_targets",
        "_tomb",
        "_version",
    )

    def __init__(
        self,
        bulk: Bulk,
        resources: Mapping[str, Resource],
        fallback: str | None,
        *,
        keys: Mapping[str, KeyType],
        router: Router,
        schemas: Mapping[str, Schema],
    ) -> None:
        effect = bulk.effect
        self._collection, self._raws = collection_reader(bulk), raw_items_reader(bulk)
        self._router, self._schemas = router, schemas
        self._identifies = identifies_records(effect)
        self._keys = keys
        self._bulk, self._resources, self._fallback = bulk, resources, fallback
        self._payload = payload_reader(bulk, effect.payload)
        self._envelopes: dict[tuple[str, str], frozenset[str]] = {}
        self._payloads = {action: payload_reader(bulk, at) for action, at in effect.payload_of.items()}
        self._version = None if effect.version is None or is_outside(effect.version) else reader(effect.version)
        group = bulk.order.group_by or bulk.unit.group
        self._group = None if group is None else reader(group)
        self._key = None if bulk.key.at is None else reader(bulk.key.at)
        self._targets = tuple(reader(place) for place in effect.target if not is_outside(place))
        action = chooser(effect.action)
        self._action = _read_in(effect.action, action if effect.http else _known(effect.action, action))
        named = effect.resource or Choice(constant=fallback or "")
        self._resource = _read_in(named, chooser(named))
        self._has_one_kind = is_fixed(named) and not self._identifies
        self._own = {name: pointer_of((one.key,)) for name, one in resources.items()}
        self._has_one_action = is_fixed(effect.action)
        self._only = resources.get(named.constant or "") if self._has_one_kind and not named.source else None
        self._tomb = tuple((reader(at), value) for at, value in effect.tombstone.items())

    def collection(self, context: RequestContext) -> Raws:
        """Return the raw items, each with its name in a map, its index in the list, or its group's."""
        named = named_items(self._bulk, context) or []
        if self._bulk.items.shape != "rows":
            return named
        return list(zip((name for name, _ in named), self.raws(context), strict=True))

    def raws(self, context: RequestContext) -> Sequence[object]:
        """Return the raw items alone."""
        raws = self._raws(context)
        if self._bulk.items.shape != "rows":
            return raws
        resource = self.resource(context, None) if self._has_one_kind else None
        rows: Sequence[object] = typed_rows(raws, None if resource is None else self._schemas.get(resource.name))
        return rows

    def location(self, context: RequestContext) -> str | None:
        """Return the location of the collection of items, None where none of its declared shape is there."""
        return self._collection(context)[0]

    def size(self, context: RequestContext) -> int:
        """Return the number of items."""
        return len(self._raws(context))

    def resource(self, context: RequestContext, raw: object) -> Resource | None:
        """Return the resource that an item names, None when its word is unknown."""
        if self._only is not None:
            return self._only
        if self._identifies:
            known = self._identity(context, raw)
            return self._resources.get(self._fallback or "" if known is None else known[0])
        return self._resources.get(self._resource(context, raw) or "")

    def keys(self, context: RequestContext) -> list[object]:
        """Return each item's own key, `ABSENT` where it has none."""
        if self._key is None:
            return self.targets(context)
        if self._bulk.items.shape == "map" and not self._bulk.key.at:
            return [name for name, _ in self.collection(context)]
        return column(self._bulk.key.at or "", self.raws(context))

    def targets(self, context: RequestContext) -> list[object]:
        """Return the key of the record that each item names, `ABSENT` where it names none."""
        resource = self.resource(context, None) if self._has_one_kind else None
        if resource is not None and not self._targets and not self._bulk.effect.payload:
            return self._typed(resource, column(self._own[resource.name], self.raws(context)))
        return [item.target for item in self.items(context)]

    def items(self, context: RequestContext) -> Sequence[Item]:
        """Return the items in the order of the request. The body must conform to the contract."""
        effect = self._bulk.effect
        if effect.http:
            return self._requests(context, self.collection(context))
        resource = self.resource(context, None) if self._has_one_kind else None
        action = self._action_of_all(context)
        if resource is not None and action is not None and self._is_plain(resource, action):
            return self._plain(self.raws(context), resource, action)
        make = self._maker(context, resource, action)
        return [
            item for n, (name, raw) in enumerate(self.collection(context)) if (item := make(n, name, raw)) is not None
        ]

    def reread(self, context: RequestContext, item: Item, raw: object) -> Item:
        """Return an item with another value in its place in the body; its key and its group are as before."""
        if self._bulk.effect.http:
            return self._requests(context, [(item.index, raw)])[0]._replace(
                index=item.index, key=item.key, group=item.group
            )
        resource = self.resource(context, None) if self._has_one_kind else None
        action = self._action_of_all(context)
        made = self._maker(context, resource, action)(item.index, item.key, raw)
        return item if made is None else made._replace(key=item.key, group=item.group)

    def _identity(self, context: RequestContext, raw: object) -> tuple[str, object] | None:
        """Return resource and key of the record that an item's target identifies, None where it is the key itself."""
        found = next((one for read in self._targets if (one := read(raw)) is not ABSENT), ABSENT)
        return identified(self._router, context.api.mount, found)

    def _action_of_all(self, context: RequestContext) -> str | None:
        """Return the action of every item, None where each says its own, or its word is unknown."""
        return self._action(context, None) if self._has_one_action else None

    def _requests(self, context: RequestContext, raws: Raws) -> list[Item]:
        """Return items that are HTTP requests."""
        make = http_item(context, self._bulk, self._router, self._resources, self._keys)
        named = self._bulk.items.shape == "map" and self._bulk.key.at == ""
        key_of, group_of = self._key or _absent, self._group or _absent
        is_keyed = self._bulk.key.by not in KEYLESS_MATCHING
        return [
            make(n, (name if named else key_of(raw)) if is_keyed else n, _or_none(group_of(raw)), raw)
            for n, (name, raw) in enumerate(raws)
        ]

    def _beside(self, resource: Resource, action: str) -> frozenset[str]:
        """Return the members of items that say what they are, and are no content of a record; a deletion has none."""
        if action == "delete":
            return frozenset()
        known = self._envelopes.get((resource.name, action))
        if known is None:
            known = barred_envelope(self._bulk, self._schemas.get(resource.name), action)
            self._envelopes[resource.name, action] = known
        return known

    def _is_plain(self, resource: Resource, action: str) -> bool:
        """Tell whether an item is no more than a payload with a key: the common case, which is worth doing quickly."""
        bulk = self._bulk
        listed = bulk.items.shape in {"array", "lines"} and bulk.items.groups is None and not bulk.items.shared
        inside = not any(map(is_outside, (*bulk.effect.target, bulk.effect.version or ""))) and len(self._targets) <= 1
        bare = inside and self._group is None and not self._payloads
        settled = (not self._tomb or resource.tombstone is not None) and not self._beside(resource, action)
        named = bool(self._targets) or resource.assigned or not bulk.effect.payload
        return listed and bare and settled and named and bulk.key.by in {"client", "target"}

    def _plain(self, raws: Sequence[object], resource: Resource, action: str) -> ItemColumns:
        effect, key_at, own = self._bulk.effect, self._bulk.key.at, self._own[resource.name]
        at = next(iter(effect.target), "" if effect.payload else own)
        aims = self._typed(resource, column(at, raws)) if at else [ABSENT] * len(raws)
        given = aims if effect.target and key_at is None else column(own if key_at is None else key_at, raws)
        keys: list[object] = [None if key is ABSENT else key for key in given]
        if effect.target:
            keys = [key if isinstance(key, str | int) else None for key in keys]
        payloads = column(effect.payload, raws) if effect.payload else raws
        versions = None if effect.version is None else list(map(read_version, column(effect.version, raws)))
        return ItemColumns(action, resource, key=keys, target=aims, payload=payloads, version=versions, raw=raws)

    def _typed(self, resource: Resource, targets: list[object]) -> list[object]:
        kind = self._keys[resource.name]
        is_typed = not kind.is_number or set(map(type, targets)) == {int}
        return targets if is_typed else list(map(kind.typed, targets))

    def _maker(
        self, context: RequestContext, fixed: Resource | None, settled: str | None
    ) -> Callable[[int, object, object], Item | None]:
        """Return what makes an item of a raw one; what all items share is found once."""
        payload_of, version_at, group_of, tomb = self._payload, self._version, self._group, self._tomb
        payloads = self._payloads
        key_of, by, targets = self._key, self._bulk.key.by, self._targets
        whole = not self._bulk.effect.payload
        shared = (
            locate(context, self._bulk.effect.payload)
            if self._bulk.effect.payload in self._bulk.items.shared
            else ABSENT
        )
        named = self._bulk.items.shape == "map" and self._bulk.key.at == ""
        names_target = by == "target" and named and not targets
        aim, seen = self._aimed(context), self._seen(context)
        kinds = {name: kind for name, kind in self._keys.items() if kind.is_number}
        grouped, identifies = self._bulk.items.groups is not None, self._identifies

        def make(n: int, name: object, raw: object) -> Item | None:
            resource = fixed or self.resource(context, raw)
            action = settled or self._action(context, raw)
            if resource is None or action is None:
                return None
            if tomb and resource.tombstone is None and all(read(raw) == value for read, value in tomb):
                action = "delete"
            payload = payloads[action](raw) if action in payloads else payload_of(raw)
            if payload is ABSENT:
                payload = shared
            target = _target(targets, raw, payload, resource) if targets or whole or not resource.assigned else ABSENT
            if identifies and (known := self._identity(context, raw)) is not None:
                target = known[1]
            if names_target or aim is not ABSENT:
                target = name if names_target else aim
            if resource.name in kinds:
                target = kinds[resource.name].typed(target)
            if by in KEYLESS_MATCHING:
                key: object = n
            else:
                key = name if named else target if key_of is None else key_of(raw)
            group = name if grouped else None if group_of is None else _or_none(group_of(raw))
            version = seen if version_at is None else read_version(version_at(raw))
            own, content = key if isinstance(key, str | int) else None, without(payload, self._beside(resource, action))
            return Item(n, own, action, resource, target, content, version, group, raw)

        return make

    def _aimed(self, context: RequestContext) -> object:
        """Return the record that the call names for all items, outside its body."""
        places = (locate(context, at) for at in self._bulk.effect.target if is_outside(at))
        return next((found for found in places if found is not ABSENT), ABSENT)

    def _seen(self, context: RequestContext) -> Version | None:
        """Return the version that the call names for all items, outside its body."""
        at = self._bulk.effect.version
        if at is None or not is_outside(at):
            return None
        given = (
            read_precondition(context.operation, context.request.headers, IF_MATCH)
            if context.operation and is_if_match(at)
            else None
        )
        return given or read_version(locate(context, at))

    def unread(self, context: RequestContext) -> int | None:
        """Return the index of the first item whose kind or action is an unknown word, None when there is none."""
        effect = self._bulk.effect
        if effect.http:
            return next((n for n, raw in enumerate(self.raws(context)) if unknown_method(self._bulk, raw)), None)
        fixed = self._has_one_kind and self._has_one_action
        for n, raw in enumerate([None] if fixed else self.raws(context)):
            if self.resource(context, raw) is None or self._action(context, raw) is None:
                return n
        return None


def _read_in(choice: Choice, chosen: Chosen) -> Callable[[RequestContext, object], str | None]:
    """Compile what reads a choice in a request, or in a raw item where its location is there."""
    source = choice.source
    if not source:
        constant = chosen(ABSENT)
        return lambda _, raw: constant  # noqa: ARG005 - it is the same for all
    if is_outside(source):
        return lambda context, _: chosen(locate(context, source))
    inside = reader(source)
    return lambda _, raw: chosen(inside(raw))


def _known(choice: Choice, chosen: Chosen) -> Chosen:
    """Return a choice of actions; where words are taken as they are, others than those of records are unknown."""
    if not choice.source or choice.words:
        return chosen
    return lambda given: word if (word := chosen(given)) in RECORD_ACTIONS else None


def _target(targets: tuple[Reader, ...], raw: object, payload: object, resource: Resource) -> object:
    for read in targets:
        found = read(raw)
        if found is not ABSENT:
            return found
    if targets:
        return ABSENT
    return payload.get(resource.key, ABSENT) if isinstance(payload, dict) else ABSENT


def _absent(_: object) -> object:
    return ABSENT


def _or_none(value: object) -> object:
    return None if value is ABSENT else value


def reread_body(context: RequestContext) -> object:
    """Return the JSON value of a body that was parsed before; limits that changed since then do not apply."""
    request = context.request
    kind = essence(request.headers.get("Content-Type"))
    if (bulk := _text_items(context)) is not None:
        read = read_item_text(bulk, request.headers.get("Content-Type"), request.body, max_depth=len(request.body))
        if isinstance(read, JsonFault) or bulk.items.shape != "rows" or context.operation is None:
            return ABSENT if isinstance(read, JsonFault) else read
        return typed_rows(read, row_schema(context.operation, request.headers.get("Content-Type")))
    if kind and not is_json(kind):
        return body_text(kind, request.body)
    read = json_of(request.body)  # it was read strictly then
    if read is ABSENT:
        read = read_json(request.body, max_depth=len(request.body), lenient=True)
    return ABSENT if isinstance(read, JsonFault) else canonical_body(context, read)


def canonical_body(context: RequestContext, data: object) -> object:
    """Return a body with names and values as the contract writes them."""
    return context.api.hooks.canonicalise(context, in_declared_names(context.operation, context.request, data))


def _text_items(context: RequestContext) -> Bulk | None:
    """Return the declaration of a request whose items are lines, rows or parts, None for others."""
    bulk = None if context.operation is None else context.operation.bulk
    return bulk if is_text(bulk) else None


def body_text(content_type: str, body: bytes) -> object:
    """Return the fields of a form as a dictionary, else the body as text."""
    text = body.decode("utf-8", "replace")
    return dict(parse_qsl(text, keep_blank_values=True)) if essence(content_type) == FORM_MEDIA_TYPE else text
