"""What a bulk call sent, as facts: keys, marks of content, what it refers to, and how it asked."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from contracts.bulk import Bulk, Resource
from contracts.messages import ABSENT
from mockserver.conduct.packing import dumped, marks_of, pack
from mockserver.domain.places import choose, column, is_outside, locate, reader, wished
from mockserver.served import BulkPlan

if TYPE_CHECKING:
    from mockserver.turn import Turn

PACKED: Final = 10_000  # items; of a larger call only the number is taken down
COUNTED: Final = frozenset(("index", "order"))  # items that have no key of their own


class Items(NamedTuple):
    """What a bulk call sent. `resource` is that of every item, "" when they differ.

    `unit` is what stood or fell together, `states_unit` says whether the caller chose it. `groups` says whether an item
    names a group, `ordered` whether the groups count, `repeats` whether a key stands there twice. `gone` are the keys
    of items that delete, `refers` the keys of other records by resource.
    """

    size: int
    most: int | None = None
    unit: str = ""
    states_unit: bool = False
    groups: bool = False
    ordered: bool = False
    repeats: bool = False
    resource: str = ""
    keys: bytes = b""
    marks: bytes = b""
    gone: bytes = b""
    refers: bytes = b""


def items_of(turn: "Turn", plan: BulkPlan, raws: Sequence[object]) -> Items:
    """Return the facts of the items of a call that may not even fit its contract."""
    bulk, allowed = plan.bulk, turn.api.hooks.max_items(turn)
    limits = [one for one in (bulk.items.max, allowed) if one is not None]
    source = bulk.unit.of.source
    whole = Items(
        size=len(raws),
        most=min(limits, default=None),
        unit=choose(bulk.unit.of, locate(turn, source) if source else ABSENT) or "",
        states_unit=_is_given(turn, source),
        groups=_names_groups(bulk, raws),
        ordered=_is_ordered(turn, bulk),
    )
    return whole if len(raws) > PACKED else whole._replace(**_contents(turn, plan, raws))


def targets_of(turn: "Turn", plan: BulkPlan, raws: Sequence[object]) -> Iterable[str]:
    """Yield the records that the items of a call with versions name, as `Resource/key`."""
    if plan.bulk.effect.version is None or len(raws) > PACKED:
        return
    places = [reader(at) for at in plan.bulk.effect.target if not is_outside(at)]
    for raw in raws:
        resource = plan.dismantler.resource(turn, raw)
        key = next((key for read in places if is_key(key := read(raw))), None)
        if resource is not None and key is not None:
            yield f"{resource.name}/{key}"


def raws_of(turn: "Turn", plan: BulkPlan) -> Sequence[object]:
    """Return the items as they were sent, none where the body has no collection of them."""
    items = plan.bulk.items
    if items.shape != "map" and items.groups is None:
        return next((found for at in (items.at, *items.also_at) if isinstance(found := locate(turn, at), list)), [])
    return [raw for _, raw in plan.dismantler.collection(turn)]


def is_key(value: object) -> bool:
    """Tell whether a JSON value can name a record."""
    return isinstance(value, str | int) and not isinstance(value, bool)


def _contents(turn: "Turn", plan: BulkPlan, raws: Sequence[object]) -> dict[str, Any]:
    bulk = plan.bulk
    choice = bulk.effect.resource
    fixed = choice is None or not choice.source or is_outside(choice.source)
    resource = plan.dismantler.resource(turn, None) if fixed else None
    name = "" if resource is None else resource.name
    keys = _keys(turn, plan, resource, raws)
    return {
        "resource": name,
        "repeats": bulk.key.by == "client" and len(set(map(str, keys))) < len(keys),
        "keys": pack(keys),
        "marks": marks_of(_wanted(bulk, raws), hash((name, *(dumped(locate(turn, at)) for at in bulk.items.shared)))),
        "gone": pack(_gone(bulk.effect.tombstone, keys, raws)) if keys else b"",
        "refers": b"" if resource is None else _refers(resource, bulk, raws),
    }


def _keys(turn: "Turn", plan: BulkPlan, resource: Resource | None, raws: Sequence[object]) -> list[object]:
    """Return the items' keys, none unless every item has one."""
    bulk = plan.bulk
    if bulk.key.by in COUNTED:
        return []
    if bulk.items.shape == "map":
        found = plan.dismantler.keys(turn)
    elif bulk.key.at is not None:
        found = column(bulk.key.at, raws)
    elif bulk.effect.target or resource is None:
        found = plan.dismantler.keys(turn)
    else:
        found = column(f"{bulk.effect.payload}/{resource.key}", raws)
    return [] if ABSENT in found or len(found) < len(raws) else found


def _wanted(bulk: Bulk, raws: Sequence[object]) -> Sequence[object]:
    """Return the items without the key that the client chose for each: a retry may choose another."""
    own = (bulk.key.at or "") if bulk.key.by == "client" else ""
    if own.count("/") != 1:
        return raws
    member = own[1:]
    return [
        {name: value for name, value in raw.items() if name != member} if isinstance(raw, dict) else raw for raw in raws
    ]


def _gone(stones: Mapping[str, object], keys: Sequence[object], raws: Sequence[object]) -> list[object]:
    """Return the keys of the items that delete: those with all of `stones`, values by pointer."""
    columns = [(column(at, raws), value) for at, value in stones.items()]
    if not columns or any(value not in found for found, value in columns):
        return []
    return [key for n, key in enumerate(keys) if all(found[n] == value for found, value in columns)]


def _refers(resource: Resource, bulk: Bulk, raws: Sequence[object]) -> bytes:
    found: dict[str, set[str]] = {}
    payloads = column(bulk.effect.payload, raws)
    for member, name in resource.references.items():
        given = [one[member] for one in payloads if type(one) is dict and member in one]
        found.setdefault(name, set()).update(str(key) for key in given if type(key) is str or type(key) is int)
    named_by = {name: pack(keys).decode() for name, keys in found.items() if keys}
    return orjson.dumps(named_by) if named_by else b""


def _names_groups(bulk: Bulk, raws: Sequence[object]) -> bool:
    at = bulk.order.group_by
    return at is not None and any(group is not ABSENT and group is not None for group in column(at, raws))


def _is_ordered(turn: "Turn", bulk: Bulk) -> bool:
    when = bulk.order.when
    if when is None:
        return True
    given = locate(turn, when)
    return wished(turn, when) if "=" in when else given is True or given == "true"


def _is_given(turn: "Turn", location: str) -> bool:
    """Tell whether the call itself says what stands at a location; defaults do not count."""
    where, _, name = location.partition(":")
    if where == "query":
        return any(given == name for given, _ in turn.call.query)
    return bool(location) and locate(turn, location) is not ABSENT
