"""The control call that compares what a client believes with what is stored."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from contracts.bulk import Resource
from contracts.messages import ABSENT, Reply
from contracts.pointers import escape, look_up
from mockserver.control.desk import Desk, RefusedError
from mockserver.control.state import kind_of, run_in
from mockserver.stores import Collection, Key, Record
from mockserver.turn import Run, Turn

NUMBERS: Final = (int, float)


class Difference(NamedTuple):
    """One place at which a record is not as it is believed to be; `stored` is None when nothing stands there."""

    pointer: str
    believed: object
    stored: object


def reconcile(desk: Desk, turn: Turn) -> Reply:
    """Compare beliefs with the store."""
    wanted: Any = turn.data
    api = desk.named(wanted["api"])
    resource = api.contract.resources[kind_of(api, wanted["kind"])]
    run = run_in(desk, turn, api, wanted.get("tenant", wanted.get("dataset")))
    stored = {str(one.key): one for one in run.world.store.scan(Collection(run.scope, resource.name))}
    believed = _by_key(resource, wanted["records"])
    return Reply.of(200, _compared(run, resource, believed, stored))


def _by_key(resource: Resource, records: list[dict[str, Any]]) -> dict[str, tuple[Key, dict[str, Any]]]:
    """Return the believed records by key as text. Raises RefusedError: a record without a key, or a key twice."""
    found: dict[str, tuple[Key, dict[str, Any]]] = {}
    for n, record in enumerate(records):
        key = record.get(resource.key)
        if isinstance(key, bool) or not isinstance(key, str | int):
            detail = f"/records/{n}: it has no key; give its '{resource.key}' as the API shows it."
            raise RefusedError(HTTPStatus.BAD_REQUEST, detail)
        if str(key) in found:
            detail = f"/records/{n}: the key '{str(key)[:80]}' was there before; name each record once."
            raise RefusedError(HTTPStatus.BAD_REQUEST, detail)
        found[str(key)] = key, record
    return found


def _compared(
    run: Run,
    resource: Resource,
    believed: Mapping[str, tuple[Key, dict[str, Any]]],
    stored: Mapping[str, Record],
) -> dict[str, Any]:
    lost: list[Key] = []
    different: list[dict[str, Any]] = []
    same = 0
    for name, (key, record) in believed.items():
        found = stored.get(name)
        if found is None or found.deleted:
            gone = _is_gone(resource, record)
            same += gone
            lost += [] if gone else [key]
            continue
        differences = list(_differences(record, run.api.hooks.render(run, resource, found), resource.key))
        different += [{"key": found.key, **one._asdict()} for one in differences]
        same += not differences
    phantom = [one.key for name, one in stored.items() if name not in believed and not one.deleted]
    return {"lost": lost, "phantom": sorted(phantom, key=str), "different": different, "same": same}


def _is_gone(resource: Resource, record: Mapping[str, Any]) -> bool:
    """Tell whether a record is believed to be deleted."""
    return resource.tombstone is not None and record.get(resource.tombstone) is True


def _differences(record: Mapping[str, Any], shown: object, key: str) -> Iterator[Difference]:
    """Yield where a record differs, of the members that were sent; the key has been compared already."""
    for name, value in record.items():
        if name != key:
            yield from _compare(f"/{escape(name)}", value, look_up(shown, f"/{escape(name)}"))


def _compare(pointer: str, believed: object, stored: object) -> Iterator[Difference]:
    if isinstance(believed, dict) and isinstance(stored, dict):
        for name, value in believed.items():
            yield from _compare(f"{pointer}/{escape(name)}", value, stored.get(name, ABSENT))
    elif isinstance(believed, list) and isinstance(stored, list) and len(believed) == len(stored):
        for n, (one, other) in enumerate(zip(believed, stored, strict=True)):
            yield from _compare(f"{pointer}/{n}", one, other)
    elif not _is_equal(believed, stored):
        yield Difference(pointer, believed, None if stored is ABSENT else stored)


def _is_equal(one: object, other: object) -> bool:
    """Tell whether two JSON values are the same: `1` is `1.0`, and `true` is not `1`."""
    numbers = isinstance(one, NUMBERS) and isinstance(other, NUMBERS)
    return one == other and isinstance(one, bool) is isinstance(other, bool) and (numbers or type(one) is type(other))
