"""Bodies as the contract writes them: ids and versions as numbers, an import's names and words in their own case."""

from collections.abc import Mapping
from typing import Any, Final

from mockserver.apis.onkey.kinds import key_of
from mockserver.turn import Turn

NUMBERS: Final = ("id", "version")
RECORD: Final = ("entityType", "action", "userObjectId", "groupOrder", "Id", "version", "properties")
CONVERTER: Final = ("converter", "type", "code", "properties")


def canon(turn: Turn, data: Any) -> object:
    """Return the body with names, ids and versions as the contract has them; what fits no shape stays as it is."""
    operation = "" if turn.operation is None else turn.operation.id
    if operation in {"import", "importByPatch"} and isinstance(data, list):
        return [_imported(one) for one in data]
    if operation in {"batchUpdate", "batchDelete"} and isinstance(data, list):
        return [_numbered(one) for one in data]
    if operation == "matchUpdate" and isinstance(data, dict) and isinstance(data.get("records"), list):
        return {**data, "records": [_numbered(one) for one in data["records"]]}
    return _numbered(data) if operation in {"update", "delete"} else data


def _numbered(record: Any, names: tuple[str, ...] = NUMBERS) -> Any:
    """Return a record with ids and versions as numbers where they are ids at all."""
    if not isinstance(record, dict) or all(type(record.get(name, 0)) is int for name in names):
        return record
    keys = {name: key_of(record[name]) for name in names if name in record}
    return {**record, **{name: key for name, key in keys.items() if key is not None}}


def _imported(record: Any) -> Any:
    """Return a record of an import with its names, its id and its version as the contract has them."""
    if not isinstance(record, dict):
        return record
    named = _numbered(_named(record, RECORD), ("Id", "version"))
    values = named.get("properties")
    converters = _converters(values) if isinstance(values, dict) else {}
    if isinstance(named.get("Id"), dict):
        named = {**named, "Id": _named(named["Id"], CONVERTER)}
    return {**named, "properties": {**values, **converters}} if converters else named


def _converters(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _named(value, CONVERTER) for name, value in values.items() if type(value) is dict}


def _named(given: Mapping[str, Any], names: tuple[str, ...]) -> Mapping[str, Any]:
    """Return members under the names that the contract has for them; of two that mean the same the exact one counts."""
    if given.keys() <= set(names):
        return given
    folded = {name.lower(): name for name in names}
    named: dict[str, Any] = {}
    for name, value in given.items():
        own = folded.get(name.lower(), name)
        named[name if own in given or own in named else own] = value
    return named
