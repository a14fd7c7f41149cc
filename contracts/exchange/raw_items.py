"""Take the collection of items out of a bulk request: each raw item, with its name where it has one.

Begin with `named_items`. Raw items are JSON values. Some have further members, whose names begin with a tilde, which no
JSON Pointer of RFC 6901 has: `~action` and `~payload` of a pair of lines, `~member`, the name of an item's only member,
and `~name`, the name of the item or its list in a map. The last two are there where the declaration speaks of them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import count
from typing import Any, Final, TypeAlias

from contracts.bulk.model import Bulk, BulkEffect, Location, RecordAct, Resource
from contracts.exchange.item_text import pair_lines
from contracts.exchange.locations import Reader, RequestValues, chooser, is_outside, locate, reader
from contracts.messages import ABSENT
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import tokens_of

Named: TypeAlias = list[tuple[object, object]]
MEMBER: Final = "~member"
NAME: Final = "~name"


def collection_reader(bulk: Bulk) -> Callable[[RequestValues], tuple[Location | None, Any]]:
    """Compile what finds the collection of items in a request, for one declaration.

    It returns location and value of the collection, None and an empty list where none of its declared shape is there.
    """
    expected = dict if bulk.items.shape == "map" else list
    places = [(at, None if is_outside(at) else reader(at)) for at in bulk.items.places]

    def read(values: RequestValues) -> tuple[Location | None, Any]:
        for at, inside in places:
            found = locate(values, at) if inside is None else inside(values.data)
            if isinstance(found, expected):
                return at, found
        return None, []

    return read


def named_items(bulk: Bulk, values: RequestValues) -> Named | None:
    """Return the raw items with their names: member name in a map, group index in a list of lists, else index.

    None when the request has no collection of items.
    """
    at, found = collection_reader(bulk)(values)
    if at is None:
        return None
    if not _is_plain(bulk):
        return _enriched(bulk, values, found)
    return list(found.items()) if isinstance(found, dict) else list(enumerate(found))


def raw_items(bulk: Bulk, values: RequestValues) -> Sequence[object]:
    """Return the raw items, none when the request has no collection of them."""
    return raw_items_reader(bulk)(values)


def raw_items_reader(bulk: Bulk) -> Callable[[RequestValues], Sequence[object]]:
    """Compile `raw_items` for one declaration, whose requests are many."""
    collection, plain = collection_reader(bulk), _is_plain(bulk)

    def read(values: RequestValues) -> Sequence[object]:
        _, found = collection(values)
        if not plain:
            return [raw for _, raw in _enriched(bulk, values, found)]
        return list(found.values()) if isinstance(found, dict) else found

    return read


def taken_items(bulk: Bulk, values: RequestValues, indices: frozenset[int]) -> object:
    """Return the collection of a request with the items at these indices alone, to be sent again as it is."""
    _, found = collection_reader(bulk)(values)
    if isinstance(found, list):
        return [one for n, one in enumerate(found) if n in indices]
    if not _is_map_of_lists(bulk, found):
        return {name: one for n, (name, one) in enumerate(found.items()) if n in indices}
    place = count()
    lists = {name: [one for one in some if next(place) in indices] for name, some in found.items()}
    return {name: some for name, some in lists.items() if some}


def returned_items(bulk: Bulk, found: object) -> Sequence[object]:
    """Return the raw items of a collection that a response returns, such as those that were not processed."""
    if not isinstance(found, list | dict):
        return ()
    if bulk.items.shape not in {"array", "map"}:
        return list(found.values()) if isinstance(found, dict) else found
    elements: Named = list(found.items()) if isinstance(found, dict) else list(enumerate(found))
    tildes = _tilde_names(bulk)
    return [_added(tildes, name, {}, raw) if isinstance(raw, dict) else raw for name, raw in _ungrouped(bulk, elements)]


def payload_reader(bulk: Bulk, at: Location) -> Reader:
    """Compile what reads the payload of a raw item; one that is its own payload has no members with a tilde there."""
    added = _tilde_names(bulk) if not at else ()
    if not added:
        return reader(at)
    return lambda raw: {name: one for name, one in raw.items() if name not in added} if isinstance(raw, dict) else raw


def writes_apart(effect: BulkEffect) -> bool:
    """Say whether what an item writes is at a place in it, not the item itself."""
    return bool(effect.payload or effect.payload_of)


def naming_member(bulk: Bulk | None, resource: Resource) -> str | None:
    """Return the unique member by whose value items name records, such as an external id; None where the key does."""
    at = bulk.effect.target[0] if bulk is not None and len(bulk.effect.target) == 1 else ""
    name = at.rpartition("/")[2]
    if bulk is None or not resource.assigned or name == resource.key or (name,) not in resource.unique:
        return None
    return name if at == f"{bulk.effect.payload}/{name}" else None


def envelope(bulk: Bulk, action: str | None = None) -> frozenset[str]:
    """Return the members inside a payload by which an item says what it is, beside those of its record.

    One that creates a record names none: a key in it is content.
    """
    effect, order, creates = bulk.effect, bulk.order, action == "create"
    choices = [one.source for one in (effect.action, effect.resource) if one is not None]
    named = () if creates else effect.target
    own = None if creates and bulk.key.by != "client" else bulk.key.at
    places = [*choices, *named, own, effect.version, bulk.unit.group, order.group_by, order.depends_on]
    return frozenset() if effect.http else _names_inside(effect.payload_of.get(action or "", effect.payload), places)


def _names_inside(payload: Location, places: Iterable[Location | None]) -> frozenset[str]:
    """Return the members of a payload that have these places, or in which they are."""
    inside = (one for one in places if one and one.startswith(f"{payload}/"))
    return frozenset(tokens_of(one)[len(tokens_of(payload))] for one in inside)


def barred_envelope(bulk: Bulk, schema: Schema | None, action: str | None) -> frozenset[str]:
    """Return the members of the envelope that a closed schema of records does not have: they are no content."""
    return _barred(envelope(bulk, action), schema)


def _barred(names: frozenset[str], schema: Schema | None) -> frozenset[str]:
    is_closed = schema is not None and schema.raw.get("additionalProperties") is False
    return names.difference(schema.members()) if schema is not None and is_closed else frozenset()


def record_content(act: RecordAct, payload: object, schema: Schema | None) -> object:
    """Return what a call on one record writes: its payload without the key and the version that stand beside it."""
    places = () if act.action.constant == "create" else (act.key, act.version)
    return without(payload, _barred(_names_inside(act.payload, places), schema))


def without(payload: object, beside: frozenset[str]) -> object:
    """Return what an item writes: its payload without what stands beside it."""
    if not isinstance(payload, Mapping) or beside.isdisjoint(payload):
        return payload
    return {name: value for name, value in payload.items() if name not in beside}


def _is_map_of_lists(bulk: Bulk, found: object) -> bool:
    return (
        bulk.items.groups is None and isinstance(found, dict) and all(isinstance(one, list) for one in found.values())
    )


def _is_plain(bulk: Bulk) -> bool:
    """Say whether the elements of the collection are the raw items as they are."""
    items = bulk.items
    return items.groups is None and not items.shared and items.shape in PLAIN_SHAPES and not _tilde_names(bulk)


PLAIN_SHAPES: Final = frozenset(("array", "lines", "parts", "rows"))


def _tilde_names(bulk: Bulk) -> frozenset[str]:
    """Return the members with a tilde that the declaration speaks of."""
    effect = bulk.effect
    resource = effect.resource.source if effect.resource is not None else ""
    return _tildes_in((effect.action.source, resource, *effect.target, effect.payload, bulk.key.at or ""))


@lru_cache(maxsize=1000)
def _tildes_in(places: tuple[Location, ...]) -> frozenset[str]:
    return frozenset(at[1:] for at in places if at in {f"/{MEMBER}", f"/{NAME}"})


def _enriched(bulk: Bulk, values: RequestValues, found: Any) -> Named:
    """Return the raw items of a collection whose elements are groups of them, or which lack some of their members."""
    if bulk.items.shape == "line-pairs":
        named: Named = list(enumerate(_paired(bulk, found)))
    else:
        elements: Named = list(found.items()) if isinstance(found, dict) else list(enumerate(found))
        named = _ungrouped(bulk, elements)
    given, tildes = _shared(bulk, values), _tilde_names(bulk)
    if not given and not tildes:
        return named
    return [(name, _added(tildes, name, given, raw) if isinstance(raw, dict) else raw) for name, raw in named]


def _paired(bulk: Bulk, lines: list[object]) -> list[object]:
    """Return the items of pairs of lines; a deletion has no second line."""
    chosen = chooser(bulk.effect.action)
    return pair_lines(lines, has_payload=lambda word: chosen(word) != "delete")


def _ungrouped(bulk: Bulk, elements: Named) -> Named:
    """Return the items of all groups with their group's name; a group without a list of items has none."""
    at = bulk.items.groups
    if at is None and bulk.items.shape == "map" and all(isinstance(one, list) for _, one in elements):
        at = ""
    if at is None:
        return elements
    read = reader(at)
    return [(name, raw) for name, group in elements if isinstance(some := read(group), list) for raw in some]


def _shared(bulk: Bulk, values: RequestValues) -> Mapping[str, object]:
    """Return the members that the body says once for all items that do not say them.

    A shared value that is the payload is read there. Of items that are HTTP requests it has the members itself.
    """
    places = [at for at in bulk.items.shared if at and at != bulk.effect.payload]
    given = {tokens_of(at)[-1]: value for at in places if (value := locate(values, at)) is not ABSENT}
    if not bulk.effect.http:
        return given
    return {name: one for value in given.values() if isinstance(value, dict) for name, one in value.items()}


def _added(
    names: frozenset[str], name: object, given: Mapping[str, object], raw: dict[str, object]
) -> dict[str, object]:
    """Return an item with the shared members that it lacks, and those with a tilde."""
    added: dict[str, object] = {}
    if MEMBER in names and len(raw) == 1:
        added[MEMBER] = next(iter(raw))
    if NAME in names:
        added[NAME] = name
    return {**given, **raw, **added}
