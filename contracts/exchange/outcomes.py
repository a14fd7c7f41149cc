"""Read what responses report: the outcomes of items, the representations of records, the totals of lists.

Begin with `entries_of` and `outcomes_of` for items, `representation_reader` for records.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Final, Literal, NamedTuple, TypeAlias
from urllib.parse import unquote, urlsplit

from contracts.bulk.lists import Pagination
from contracts.bulk.model import Bulk, Location, Outcomes, Resource
from contracts.exchange.bulk_request import KEYLESS_MATCHING, BulkItem, KeyIndex, dependencies, item_index
from contracts.exchange.job_traces import route_of
from contracts.exchange.locations import chosen_by, find, find_all, holds, locate, parse_request, read_response
from contracts.messages import ABSENT, Exchange, Request, Response
from contracts.openapi.model import Contract, Operation, Route
from contracts.openapi.parameters import types_of
from contracts.openapi.routing import Router, expand
from contracts.schemas.equality import equal
from contracts.syntax.text import is_text_or_integer, parse_digits, text_of

Result: TypeAlias = Literal["done", "failed", "left", "not-run", "untold"]


@dataclass(slots=True, kw_only=True)  # there is one for each item: a frozen one takes three times as long to make
class OutcomeEntry:
    """One outcome entry matched to items. `key` is ABSENT when it has none; `items` are the indexes of its items."""

    place: int
    key: object
    failed: bool
    not_run: bool
    id: object
    version: object
    error: object
    items: tuple[int, ...]
    raw: object


@dataclass(slots=True, kw_only=True)  # there is one for each item: a frozen one takes three times as long to make
class ReportedOutcome:
    """What a response reports of one item.

    `left` is an item returned as not processed, `not-run` one that was rolled back or skipped; `untold` is an item that
    should have been reported and was not.
    """

    index: int
    result: Result
    id: object = ABSENT
    version: object = ABSENT
    error: object = None


class RawEntry(NamedTuple):
    """One outcome entry not matched to items. `failed`: it is in the collection of failures, or its test says so.

    `place` is the index of its item where entries are told apart by their place alone, None where places say nothing.
    """

    key: object
    failed: bool
    error: object
    raw: object
    place: int | None


def raw_entries(declared: Outcomes, body: object) -> Iterator[RawEntry] | None:
    """Yield the entries in a body, None when no collection is at the declared location."""
    at = list(find_all(body, declared.at))
    apart = declared.failed_at is not None and declared.failed_at != declared.at
    failures = list(find_all(body, declared.failed_at or "")) if apart else []
    if not at and not failures:
        return None
    return _raw_entries(declared, at, failures)


def _raw_entries(declared: Outcomes, at: Sequence[object], failures: Sequence[object]) -> Iterator[RawEntry]:
    done = [one for collection in at for one in _pairs(collection)]
    bad = [one for collection in failures for one in _pairs(collection)]
    for n, (name, raw) in enumerate(done):
        if raw is None and declared.gaps:
            if not bad:
                yield RawEntry(ABSENT, True, None, None, n)  # noqa: FBT003 - a failure
            continue
        place = n if declared.gaps or not bad else None
        yield _raw_entry(declared, name, raw, declared.key, place, failed=declared.covers == "failed")
    for n, (name, raw) in enumerate(bad):
        place = n if not done else None
        yield _raw_entry(declared, name, raw, declared.failed_key or declared.key, place, failed=True)


def _raw_entry(
    declared: Outcomes, name: object, raw: object, key_at: Location | None, place: int | None, *, failed: bool
) -> RawEntry:
    error = _optional(raw, declared.error)
    key = name if key_at is None else find(raw, key_at)
    if declared.key_as is not None and isinstance(key, str):
        before, _, after = declared.key_as.partition("{key}")
        key = key.removeprefix(before).removesuffix(after)
    return RawEntry(key, failed or _is_failure(declared, raw, error), error, raw, place)


def _pairs(collection: object) -> Iterable[tuple[object, object]]:
    if isinstance(collection, dict):
        return collection.items()
    return ((ABSENT, raw) for raw in collection) if isinstance(collection, list) else ()


def entries_of(
    bulk: Bulk, declared: Outcomes, body: object, items: Sequence[BulkItem]
) -> tuple[OutcomeEntry, ...] | None:
    """Return the entries in a body matched to items, None when no collection is at the declared location."""
    found = raw_entries(declared, body)
    if found is None:
        return None
    entry_reader = _EntryReader(bulk, declared, items)
    entries = [entry_reader.entry(place, one) for place, one in enumerate(found)]
    apart = declared.failed_at not in {None, declared.at} and declared.covers in {"all", "split"}
    return tuple(_with_nameless_failures(entries, len(items)) if apart else entries)


def _with_nameless_failures(entries: list[OutcomeEntry], size: int) -> list[OutcomeEntry]:
    """Return the entries; failures without a key are of the items that have no entry, where there are as many."""
    nameless = [one for one in entries if one.failed and one.key is ABSENT and not one.items]
    if not nameless:
        return entries
    told = {item for one in entries for item in one.items}
    others = [item for item in range(size) if item not in told]
    if len(others) != len(nameless):
        return entries
    named = dict(zip(map(id, nameless), others, strict=True))
    return [replace(one, items=(named[id(one)],)) if id(one) in named else one for one in entries]


class _EntryReader:
    """Reads the entries of one response to one request."""

    def __init__(self, bulk: Bulk, declared: Outcomes, items: Sequence[BulkItem]) -> None:
        self._bulk, self._declared = bulk, declared
        self._key_index = KeyIndex(items)
        self._waits = dependencies(bulk, items)
        loose = bulk.key.optional or bool(bulk.key.only_for)
        self._in_place = declared.in_order and declared.covers == "all"
        self._by_place = loose and self._in_place
        self._mixed = len({type(item.key) for item in items} - {float}) > 1  # so that some have no key to be named by

    def entry(self, place: int, reported: RawEntry) -> OutcomeEntry:
        """Return an entry with the items that it reports."""
        declared = self._declared
        items = self._matched_items(reported.place, reported.key)
        idle = self._is_marked(reported.raw, reported.error, items)
        return OutcomeEntry(
            place=place,
            key=reported.key,
            failed=reported.failed and not idle,
            not_run=idle,
            id=_key_of_address(_optional(reported.raw, declared.id)),
            version=_optional(reported.raw, declared.version),
            error=None if reported.error is ABSENT else reported.error,
            items=items,
            raw=reported.raw,
        )

    def _is_marked(self, raw: object, error: object, items: Sequence[int]) -> bool:
        """Say whether an entry is marked as not run: cancelled, rolled back, or dependent on an item that failed."""
        own = {at: value for at, value in self._declared.set_not_run.items() if not str(value).startswith("$")}
        if own and all(equal(find(raw, at), value) for at, value in own.items()):
            return True
        waiting = any(self._waits[item] for item in items)
        marks = (self._bulk.unit.marked_as, self._bulk.order.on_broken if waiting else None)
        test = self._declared.failed_if
        reported = {
            text_of(value)
            for value in (error, None if test is None else find(raw, test.at))
            if is_text_or_integer(value)
        }
        return any(text_of(mark) in reported for mark in marks if mark is not None)

    def _matched_items(self, place: int | None, key: object) -> tuple[int, ...]:
        declared = self._declared
        if key is ABSENT and (self._by_place or (declared.gaps and place is not None)):
            return (place,) if place is not None and place < len(self._waits) else ()
        if key == "" and self._mixed:
            return (place,) if self._in_place and place is not None and place < len(self._waits) else ()
        if self._bulk.key.by not in KEYLESS_MATCHING:
            return tuple(self._key_index.find_named(key) if declared.shape == "map" else self._key_index.find(key))
        if key is ABSENT and declared.key is None and declared.shape != "map":
            return () if place is None else tuple(self._key_index.find(place))
        return tuple(self._key_index.find(item_index(self._bulk, key)))


def _key_of_address(value: object) -> object:
    """Return the last segment of a URL or an absolute path, other values as they are."""
    if isinstance(value, str) and value.startswith(("/", "http://", "https://")):
        return unquote(urlsplit(value).path.rpartition("/")[2])
    return value


def _is_failure(declared: Outcomes, raw: object, error: object) -> bool:
    """Say whether an entry reports a failure: by the declared test, else by the presence of an error."""
    if declared.failed_if is not None:
        return holds(declared.failed_if, raw)
    return declared.failed_at is None and error is not ABSENT and error is not None


def _optional(raw: object, at: str | None) -> object:
    return ABSENT if at is None else find(raw, at)


def entries_by_item(entries: Sequence[OutcomeEntry], size: int) -> tuple[tuple[OutcomeEntry, ...], ...]:
    """Return the entries of each item; items with the same key get theirs in order, the last of them the rest."""
    of_item: list[list[OutcomeEntry]] = [[] for _ in range(size)]
    for entry in entries:
        if entry.items:
            free = next((place for place in entry.items if not of_item[place]), entry.items[-1])
            of_item[free].append(entry)
    return tuple(map(tuple, of_item))


def outcomes_of(
    bulk: Bulk, declared: Outcomes, entries: Sequence[OutcomeEntry], size: int, *, whole: bool
) -> tuple[ReportedOutcome, ...]:
    """Return what is reported of each item of a request of `size` items; `whole` when they fail together."""
    failed = any(entry.failed for entry in entries)
    unreported = _unreported_result(
        bulk, declared, unit_failed=failed and whole, stopped=failed and bool(bulk.unit.stop_after)
    )
    return tuple(_outcome(n, reported, unreported) for n, reported in enumerate(entries_by_item(entries, size)))


def _unreported_result(bulk: Bulk, declared: Outcomes, *, unit_failed: bool, stopped: bool) -> Result:
    """Return the result of items without an entry."""
    if unit_failed and (declared.covers in {"failed", "unless-failed"} or bulk.unit.rolled_back != "marked"):
        return "not-run"
    if stopped and bulk.unit.rolled_back == "skipped":
        return "not-run"
    return "done" if declared.covers == "failed" else "untold"


def _outcome(index: int, reported: Sequence[OutcomeEntry], unreported: Result) -> ReportedOutcome:
    if not reported:
        return ReportedOutcome(index=index, result=unreported)
    worst = next((one for one in reported if one.failed), next((one for one in reported if one.not_run), reported[0]))
    result: Result = "failed" if worst.failed else "not-run" if worst.not_run else "done"
    return ReportedOutcome(
        index=index, result=result, id=reported[0].id, version=reported[0].version, error=worst.error
    )


WRITE_ACTIONS: Final = frozenset(("create", "upsert", "replace"))
LOCATION_FIELDS: Final = (
    "Location",
    "Content-Location",
)  # RFC 9110, 10.2.2 and 8.7


@dataclass(frozen=True, slots=True, kw_only=True)
class RepresentationReader:
    """Reads representations of one resource.

    `places` are locations where their members may be, besides the body; `has_numbers` shows their keys as numbers.
    """

    resource: Resource
    places: tuple[Location, ...] = ()
    has_numbers: bool = False

    def members(self, body: object) -> Mapping[str, Any]:
        """Return the members of a record: at the location of its payload, else the body itself."""
        found = [find(body, at) for at in (*self.places, "")]
        return next((one for one in found if isinstance(one, dict)), {})

    def key(self, body: object) -> object:
        """Return the key of a record, ABSENT when the body has none."""
        return self._own(body, self.resource.key)

    def version(self, body: object) -> object:
        """Return the version of a record, ABSENT when the body or the resource has none."""
        return ABSENT if self.resource.version is None else self._own(body, self.resource.version)

    def stored(self, body: object, known: Iterable[str] | None) -> dict[str, Any]:
        """Return the members without key and version; only the `known` ones, unless that is None."""
        skipped = {self.resource.key, self.resource.version}
        every = self.members(body).items()
        return {name: one for name, one in every if name not in skipped and (known is None or name in known)}

    def numeric_key(self, key: object) -> int | None:
        """Return the number that a key in a URL or a header field stands for, None where records show no number."""
        return parse_digits(key) if self.has_numbers and isinstance(key, str) else None

    def _own(self, body: object, name: str) -> object:
        for at in ("", *self.places):
            found = find(body, f"{at}/{name}")
            if found is not ABSENT:
                return found
        return ABSENT


def representation_reader(resource: Resource, operations: Iterable[Operation]) -> RepresentationReader:
    """Return the reader of a resource whose single-record operations are among `operations`."""
    own_operations = [one for one in operations if one.record is not None]
    acts = [one.record for one in own_operations if one.record is not None]
    places = [act.payload for act in acts if act.payload and act.action.constant in WRITE_ACTIONS]
    replies = [act.reply for act in acts if act.reply and act.action.constant != "list"]
    own = [f"{at}{resource.payload}" for at in (*replies, "") if resource.payload]
    places = [*own, *replies, *places]
    return RepresentationReader(
        resource=resource, places=tuple(dict.fromkeys(places)), has_numbers=_has_numbers(resource, own_operations)
    )


def _has_numbers(resource: Resource, operations: Iterable[Operation]) -> bool:
    """Return whether read responses show the key as a number."""
    bodies = [
        media.schema
        for one in operations
        if one.record is not None and one.record.action.constant == "read"
        for status, response in one.responses.items()
        if status.startswith("2")
        for media in response.content
        if media.schema is not None
    ]
    return any({"integer", "number"} & types_of(schema.member(resource.key)) for schema in bodies)


def created_key(contract: Contract, router: Router, reader: RepresentationReader, exchange: Exchange) -> object:
    """Return the key of a created record: the one in the body, or in the URL of a link or of a header field.

    ABSENT when the response has none. The links are those that the contract declares. The fields are Location and
    Content-Location (RFC 9110, 10.2.2 and 8.7), and no others: what a field such as X-Parent names may be any record.
    An operation must read one record of the resource at the URL.
    """
    own = reader.key(exchange.response.data)
    if own is not ABSENT and not isinstance(own, dict | list):
        return own
    fields = (exchange.response.headers.get(name) for name in LOCATION_FIELDS)
    found = (
        _key_at(contract, router, reader.resource, one) for one in chain(_linked(contract, router, exchange), fields)
    )
    key = next((key for key in found if key is not ABSENT), ABSENT)
    number = reader.numeric_key(key)
    return key if number is None else number


def _linked(contract: Contract, router: Router, exchange: Exchange) -> Iterator[str]:
    """Yield the URLs to which the declared links of a response lead."""
    operation = contract.operation(exchange.operation or "")
    declared = operation.response(exchange.response.status) if operation is not None else None
    for link in declared.links if declared is not None else ():
        target = contract.linked(link)
        if target is not None:
            given = {name.removeprefix("path."): one for name, one in link.parameters.items()}
            values = {name: _evaluate(one, router, exchange) for name, one in given.items()}
            address = expand(target.path, {name: one for name, one in values.items() if one is not ABSENT})
            yield address if "{" not in address else ""


def _evaluate(value: object, router: Router, exchange: Exchange) -> object:
    """Return what a parameter of a link has: a constant, or what a runtime expression of OpenAPI finds, else ABSENT."""
    if not isinstance(value, str) or not value.startswith("$"):
        return value
    source, _, rest = value.partition(".")
    place = rest.removeprefix("body#") if rest.startswith("body") else rest.replace(".", ":", 1)
    if source == "$response":
        return read_response(exchange.response, place)
    route = router.match(exchange.request.method, exchange.request.path)
    if source != "$request" or not isinstance(route, Route):
        return ABSENT
    return locate(parse_request(route.operation, exchange.request, route.variables), place)


def _key_at(contract: Contract, router: Router, resource: Resource, address: str) -> object:
    route = route_of(contract, router, address) if "/" in address else None
    act = None if route is None else route.operation.record
    if route is None or act is None or act.key is None or act.action.constant != "read":
        return ABSENT
    sent = parse_request(route.operation, Request(method="GET", path=address), route.variables)
    return locate(sent, act.key) if chosen_by(sent, act.resource) == resource.name else ABSENT


def listed_records(data: object) -> Sequence[object] | None:
    """Return the records of a list response: the body, or the only array in it; None without exactly one array."""
    lists = [data] if isinstance(data, list) else []
    lists += [value for value in data.values() if isinstance(value, list)] if isinstance(data, dict) else []
    return lists[0] if len(lists) == 1 else None


def page_total(page: Pagination, response: Response) -> int | None:
    """Return the total number of records that a page of a list reports, None when it reports none."""
    total = read_response(response, page.total) if page.total is not None else ABSENT
    return parse_digits(str(total))
