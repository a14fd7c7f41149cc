"""Schema converters: finding the record that a reference or a target means by its code or by other properties."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

from contracts.bulk import Resource
from contracts.names import closest
from mockserver.apis.onkey.kinds import Kind, Kinds, Steps, key_of, pascal, stamp
from mockserver.domain.values import Fault, Resolution
from mockserver.stores import Collection, Key, Record, View
from mockserver.turn import Run

Wanted: TypeAlias = Sequence[tuple[Steps, object]]
CODE: Final = "code"


def resolve(kinds: Kinds, run: Run, view: View, resource: Resource, member: str, value: object) -> Resolution:
    """Return the id that a value stands for: an id as a number or as digits, or a converter that fits one record."""
    if type(value) is int:
        return Resolution(value)
    if isinstance(value, dict):
        kind = kinds.by_name[resource.references.get(member, resource.name)]
        found = look_up(kinds, view, run.scope, kind, value)
        return found if found.fault is None else Resolution(None, found.fault._replace(members=(member,)))
    key = key_of(value)
    return Resolution(key, None if key is not None else Fault("type", (member,), value, {"expected": "integer"}))


def look_up(kinds: Kinds, view: View, scope: str, kind: Kind, converter: Mapping[str, Any]) -> Resolution:
    """Return the one record of a kind that a `ReferenceLookup` fits, or why there is not one."""
    custom = str(converter.get("type", CODE)).lower() != CODE
    given = converter["properties"] if custom else {CODE: converter["code"]}
    wanted: list[tuple[Steps, object]] = []
    for path, value in given.items():
        steps = kinds.steps(kind, path)
        if steps is None:
            return Resolution(None, _unknown(kind, path))
        wanted.append((steps, key_of(value) if kinds.type_of(kind, steps) == "integer" else value))
    keys = matching(kinds, view, scope, kind, wanted)
    if len(keys) == 1:
        return Resolution(keys[0])
    return Resolution(None, Fault("ambiguous", (), converter, {"count": len(keys)}) if keys else Fault("reference"))


def _unknown(kind: Kind, path: str) -> Fault:
    own = path.rpartition("->")[2]
    known = closest(own, kind.members.values())
    facts = {"kind": kind.name, "path": kind.path("_".join(map(pascal, own.split("_"))))}
    return Fault("unknown", (), path, {**facts, "closest": kind.path(known)} if known else facts)


def matching(kinds: Kinds, view: View, scope: str, kind: Kind, wanted: Wanted) -> list[Key]:
    """Return the keys of the records of a kind that have every wanted value, in the order of the keys."""
    found = _candidates(kinds, view, scope, kind, wanted)
    return sorted(one.key for one in found if _fits(kinds, view, scope, kind, one, wanted))  # type: ignore[type-var] # numbers all


def _fits(kinds: Kinds, view: View, scope: str, kind: Kind, record: Record, wanted: Wanted) -> bool:
    return all(same(kinds.value(view, scope, kind, record, steps), value) for steps, value in wanted)


def same(stored: object, given: object) -> bool:
    """Tell whether a stored value is the given JSON value, exactly; `true` is not 1."""
    if isinstance(stored, datetime):
        return stamp(stored) == given
    return stored == given and isinstance(stored, bool) == isinstance(given, bool)


def _candidates(kinds: Kinds, view: View, scope: str, kind: Kind, wanted: Wanted) -> Iterable[Record]:
    """Return the records among which those that fit must be: by key or index where the wanted values allow it."""
    collection = Collection(scope, kind.name)
    known = {steps[0]: value for steps, value in wanted if len(steps) == 1 and value is not None}
    known |= _joined(kinds, view, scope, kind, wanted)
    if "id" in known:
        keys: Iterable[Any] = (known["id"],)
    else:
        indexes = (*kind.resource.unique, *((member,) for member in kind.resource.references))
        index = next((one for one in indexes if known.keys() >= set(one)), None)
        if index is None:
            return view.scan(collection)
        keys = view.find(collection, index, tuple(known[member] for member in index))
    return [record for key in keys if (record := view.get(collection, key)) is not None]


def _joined(kinds: Kinds, view: View, scope: str, kind: Kind, wanted: Wanted) -> dict[str, object]:
    """Return the references whose value follows from what is wanted of the record that they name."""
    found: dict[str, object] = {}
    for member, target in kind.resource.references.items():
        inner = [(steps[1:], value) for steps, value in wanted if steps[0] == member and len(steps) > 1]
        if inner and all(value is not None for _, value in inner):
            keys = matching(kinds, view, scope, kinds.by_name[target], inner)
            if len(keys) <= 1:
                found[member] = keys[0] if keys else -1
    return found
