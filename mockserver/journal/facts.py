"""Extract and pack the facts of a request and a response: `items_of`, `targets_of`, `created_jobs`, `failed_keys`.

Requests and responses are read by `contracts.exchange`, as everywhere. Only the members of items are read here by
columns instead of as one value for each item: this is done for every request that the server records, and a value for
each item costs several times as much as a column.
"""

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from contracts.bulk.model import Bulk, Outcomes, Resource
from contracts.exchange.bulk_request import KEYLESS_MATCHING
from contracts.exchange.job_traces import handle_id, response_handles
from contracts.exchange.locations import chosen_by, column, condition_holds, is_fixed, is_outside, locate, reader
from contracts.exchange.outcomes import raw_entries
from contracts.messages import ABSENT, Response
from contracts.syntax.text import as_list, is_text_or_integer
from mockserver.bulk.prepared_api import BulkPlan, PreparedApi
from mockserver.domain.columns import undone
from mockserver.domain.values import Outcome

if TYPE_CHECKING:
    from mockserver.api.model import RequestContext


MARK_TYPECODE: Final = "q"
MARK_BYTES: Final = 8
SORTED_JSON: Final = partial(orjson.dumps, option=orjson.OPT_SORT_KEYS)


def pack(words: Iterable[object]) -> bytes:
    """Return texts, or values with a text form, as JSON bytes; none as b""."""
    listed = words if isinstance(words, list) else list(words)
    if not listed:
        return b""
    try:
        packed = orjson.dumps(listed)
    except TypeError:  # a lone surrogate, a huge number
        packed = orjson.dumps([str(word).encode("utf-8", "backslashreplace").decode() for word in listed])
    return bytes(memoryview(packed))  # orjson's own bytes hold room to grow


def unpack(packed: bytes) -> list[str]:
    """Return the packed texts."""
    return list(map(str, orjson.loads(packed))) if packed else []


def marks_of(values: Sequence[object], salt: bytes) -> bytes:
    """Return a 64-bit hash of each JSON value, packed, combined with that of `salt`.

    Equal content has equal hashes, in any order of members; they are the same in every process.
    """
    try:
        marks = list(map(_mark, map(SORTED_JSON, values)))
    except TypeError:
        marks = list(map(_mark, map(dumped, values)))
    return _salted(b"".join(marks), _mark(salt) * len(marks))


def _mark(content: bytes) -> bytes:
    return blake2b(content, digest_size=MARK_BYTES).digest()


def _salted(marks: bytes, salt: bytes) -> bytes:
    """Return marks with every bit changed that is set in their salt, all in one go."""
    both = int.from_bytes(marks) ^ int.from_bytes(salt)
    return both.to_bytes(len(marks))


def marks_in(packed: bytes) -> Sequence[int]:
    """Return the packed hashes."""
    found = array(MARK_TYPECODE)
    found.frombytes(packed)
    return found


def dumped(value: object) -> bytes:
    """Return a JSON value as bytes with sorted members, also where orjson fails (huge numbers, lone surrogates)."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return json.dumps(value, sort_keys=True, default=str).encode()


MAX_ITEMS_STORED: Final = 10_000  # items; of a larger call only the number is taken down


class SentItems(NamedTuple):
    """The items of a bulk request. `resource` is that of every item, "" when they differ.

    `max_items` is the limit in force. `unit` is the transaction unit, `states_unit` tells whether the client chose it.
    `groups` tells whether an item names a group, `ordered` whether groups are run in order, `has_duplicate_keys`
    whether a key occurs twice. `deleted_keys` are the keys of items that delete, `referenced_keys` those of other
    records by resource.
    """

    size: int
    max_items: int | None = None
    unit: str = ""
    states_unit: bool = False
    groups: bool = False
    ordered: bool = False
    has_duplicate_keys: bool = False
    resource: str = ""
    keys: bytes = b""
    marks: bytes = b""
    deleted_keys: bytes = b""
    referenced_keys: bytes = b""


def items_of(context: "RequestContext", plan: BulkPlan, raws: Sequence[object]) -> SentItems:
    """Return the facts of a request's items; the request may violate its contract."""
    bulk, allowed = plan.bulk, context.api.hooks.max_items(context)
    limits = [one for one in (bulk.items.max, allowed) if one is not None]
    whole = SentItems(
        size=len(raws),
        max_items=min(limits, default=None),
        unit=chosen_by(context, bulk.unit.of) or "",
        states_unit=_is_given(context, bulk.unit.of.source),
        groups=_names_groups(bulk, raws),
        ordered=condition_holds(context, bulk.order.when),
    )
    return whole if len(raws) > MAX_ITEMS_STORED else whole._replace(**_contents(context, plan, raws))


def targets_of(context: "RequestContext", plan: BulkPlan, raws: Sequence[object]) -> Iterable[str]:
    """Yield the records that the items of a request with versions name, as `Resource/key`."""
    if plan.bulk.effect.version is None or len(raws) > MAX_ITEMS_STORED:
        return
    places = [reader(at) for at in plan.bulk.effect.target if not is_outside(at)]
    for raw in raws:
        resource = plan.item_reader.resource(context, raw)
        key = next((key for read in places if is_text_or_integer(key := read(raw))), None)
        if resource is not None and key is not None:
            yield f"{resource.name}/{key}"


def _contents(context: "RequestContext", plan: BulkPlan, raws: Sequence[object]) -> dict[str, Any]:
    bulk = plan.bulk
    resource = plan.item_reader.resource(context, None) if is_fixed(bulk.effect.resource) else None
    name = "" if resource is None else resource.name
    keys = _keys(context, plan, resource, raws)
    return {
        "resource": name,
        "has_duplicate_keys": bulk.key.by == "client" and len(set(map(str, keys))) < len(keys),
        "keys": pack(keys),
        "marks": marks_of(
            _without_client_key(bulk, raws),
            b"\n".join([name.encode(), *(dumped(locate(context, at)) for at in bulk.items.shared)]),
        ),
        "deleted_keys": pack(_deleted_keys(bulk.effect.tombstone, keys, raws)) if keys else b"",
        "referenced_keys": b"" if resource is None else _referenced_keys(resource, bulk, raws),
    }


def _keys(context: "RequestContext", plan: BulkPlan, resource: Resource | None, raws: Sequence[object]) -> list[object]:
    """Return the items' keys, none unless every item has one."""
    bulk = plan.bulk
    if bulk.key.by in KEYLESS_MATCHING:
        return []
    if bulk.items.shape == "map":
        found = plan.item_reader.keys(context)
    elif bulk.key.at is not None:
        found = column(bulk.key.at, raws)
    elif bulk.effect.target or resource is None:
        found = plan.item_reader.keys(context)
    else:
        found = column(f"{bulk.effect.payload}/{resource.key}", raws)
    return [] if ABSENT in found or len(found) < len(raws) else found


def _without_client_key(bulk: Bulk, raws: Sequence[object]) -> Sequence[object]:
    """Return the items without the key that the client chose for each: a retry may choose another."""
    own = (bulk.key.at or "") if bulk.key.by == "client" else ""
    if own.count("/") != 1:
        return raws
    member = own[1:]
    return [
        {name: value for name, value in raw.items() if name != member} if isinstance(raw, dict) else raw for raw in raws
    ]


def _deleted_keys(stones: Mapping[str, object], keys: Sequence[object], raws: Sequence[object]) -> list[object]:
    """Return the keys of the items that delete: those with all of `stones`, values by pointer."""
    columns = [(column(at, raws), value) for at, value in stones.items()]
    if not columns or any(value not in found for found, value in columns):
        return []
    return [key for n, key in enumerate(keys) if all(found[n] == value for found, value in columns)]


def _referenced_keys(resource: Resource, bulk: Bulk, raws: Sequence[object]) -> bytes:
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


def _is_given(context: "RequestContext", location: str) -> bool:
    """Tell whether the call itself says what stands at a location; defaults do not count."""
    where, _, name = location.partition(":")
    if where == "query":
        return any(given == name for given, _ in context.request.query)
    return bool(location) and locate(context, location) is not ABSENT


class CreatedJob(NamedTuple):
    """A job whose handle the client received, for which target of a fan-out; `due` is None when it never ends."""

    id: str
    target: str
    due: datetime | None


def created_jobs(
    context: "RequestContext", response: Response, ready: PreparedApi, bulk: Bulk
) -> tuple[CreatedJob, ...]:
    """Return the jobs whose handles the response to a bulk request has."""
    due = {job.id: job.due for job in context.jobs}
    found = response_handles(bulk, response).items()
    ids = [(target, handle_id(ready.api.contract, ready.router, one)) for target, one in found]
    return tuple([CreatedJob(one, target or "", due.get(one)) for target, one in ids])


def failed_keys(declared: Outcomes, response: Response) -> bytes:
    """Return the keys of the items that a response reports as not done, packed."""
    found = enumerate(raw_entries(declared, response.data) or ())
    return pack(str(place if one.key is ABSENT else one.key) for place, one in found if one.failed)


def stale_targets(outcomes: Sequence[Outcome]) -> bytes:
    """Return the records whose version was not the stored one, packed; an error code with "version" counts too."""
    return pack(
        f"{one.item.resource.name}/{one.item.target}"
        for one in undone(outcomes)
        if one.faults and any(map(_is_conflict, one.faults)) and is_text_or_integer(one.item.target)
    )


def read_keys(ready: PreparedApi, response: Response) -> bytes:
    """Return the keys of the versioned records in the response to a read, packed."""
    members = {one.key for one in ready.api.contract.resources.values() if one.version is not None}
    if not members or response.data is ABSENT:
        return b""
    return pack(
        str(key) for one in _records(response.data) for name in members if is_text_or_integer(key := one.get(name))
    )


def _records(data: object) -> Iterator[dict[str, object]]:
    """Yield the objects of an answer: itself, its elements, and the elements of its members."""
    outer = data if isinstance(data, list) else [data]
    inner = [one for value in data.values() for one in as_list(value)] if isinstance(data, dict) else []
    yield from (one for one in (*outer, *inner) if isinstance(one, dict))


def _is_conflict(fault: Any) -> bool:
    return fault.kind == "version" or "version" in str(fault.facts.get("code", "")).lower()
