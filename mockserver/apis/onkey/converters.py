"""Schema converters: finding the record that a reference or a target means by its code or by other properties."""

from collections.abc import Mapping
from typing import Any, Final

from contracts.bulk import Resource
from contracts.names import closest
from mockserver.apis.onkey.dataset import DataSet
from mockserver.apis.onkey.kinds import Kind, Steps, key_of, kinds_of, pascal
from mockserver.domain.values import Fault, Resolution
from mockserver.stores import View
from mockserver.turn import Run

CODE: Final = "code"


def resolve(run: Run, view: View, resource: Resource, member: str, value: object) -> Resolution:
    """Return the id that a value stands for: an id as a number or as digits, or a converter that fits one record."""
    if type(value) is int:
        return Resolution(value)
    if isinstance(value, dict):
        kinds = kinds_of(run.api)
        kind = kinds.by_name[resource.references.get(member, resource.name)]
        found = look_up(DataSet(kinds, view, run.scope), kind, value)
        return found if found.fault is None else Resolution(None, found.fault._replace(members=(member,)))
    key = key_of(value)
    return Resolution(key, None if key is not None else Fault("type", (member,), value, {"expected": "integer"}))


def look_up(data: DataSet, kind: Kind, converter: Mapping[str, Any]) -> Resolution:
    """Return the one record of a kind that a `ReferenceLookup` fits, or why there is not one."""
    custom = str(converter.get("type", CODE)).lower() != CODE
    given = converter["properties"] if custom else {CODE: converter["code"]}
    wanted: list[tuple[Steps, object]] = []
    for path, value in given.items():
        steps = data.kinds.steps(kind, path)
        if steps is None:
            return Resolution(None, _unknown(kind, path))
        wanted.append((steps, _id(value) if data.kinds.type_of(kind, steps) == "integer" else value))
    found = data.matching(kind, wanted)
    if len(found) == 1:
        return Resolution(found[0].key)
    return Resolution(None, Fault("ambiguous", (), converter, {"count": len(found)}) if found else Fault("reference"))


def _id(value: object) -> object:
    key = key_of(value)
    return value if key is None else key


def _unknown(kind: Kind, path: str) -> Fault:
    own = path.rpartition("->")[2]
    known = closest(own, kind.members.values())
    facts = {"kind": kind.name, "path": kind.path("_".join(map(pascal, own.split("_"))))}
    return Fault("unknown", (), path, {**facts, "closest": kind.path(known)} if known else facts)
