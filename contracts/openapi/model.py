"""A loaded contract: immutable operations, parameters, bodies and responses. Begin with `Contract`.

Names and defaults follow the OpenAPI Specification 3.1.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal, Protocol, TypeAlias, TypeVar

from contracts.bulk.model import Bulk, Choice, Location, Quota, RecordAct, Resource
from contracts.errors import Fault
from contracts.messages import essence
from contracts.openapi.provenance import Provenance
from contracts.schemas.schema_set import Schema, SchemaSet


class HasMediaRange(Protocol):
    """An entry of a `content` map."""

    @property
    def media_range(self) -> str:
        """Return a media type or range in lower case, without parameters."""


MAX_CACHED_FIELDS: Final = 200  # values of Content-Type and Accept; a client may send 16 KiB in each
MediaEntry = TypeVar("MediaEntry", bound=HasMediaRange)


def best_media(content: Iterable[MediaEntry], content_type: str) -> MediaEntry | None:
    """Return the most specific matching entry: `a/x+json`, then `a/*+json`, `a/*`, `*/*`; None when none matches."""
    entries = tuple(content)
    place = _specific_place(tuple([one.media_range for one in entries]), content_type)
    return None if place is None else entries[place]


@lru_cache(maxsize=MAX_CACHED_FIELDS)
def _specific_place(media_ranges: tuple[str, ...], content_type: str) -> int | None:
    places = {one: n for n, one in enumerate(media_ranges)}
    return next((places[one] for one in _ranges(content_type) if one in places), None)


def best_accepted(content: Iterable[MediaEntry], accept: str) -> MediaEntry | None:
    """Return the entry that an `Accept` field prefers, the first without one; None when it accepts none.

    The highest quality wins, then the order in the field, then that of the entries (RFC 9110, section 12.5.1). Where
    nothing else fits, any JSON is taken for `application/json`.
    """
    entries = tuple(content)
    if not accept or not entries:
        return entries[0] if entries else None
    place = _best_place(tuple([one.media_range for one in entries]), accept)
    return None if place is None else entries[place]


@lru_cache(maxsize=MAX_CACHED_FIELDS)
def _best_place(media_ranges: tuple[str, ...], accept: str) -> int | None:
    """Return the place of the media range that an `Accept` field prefers, None when it accepts none."""
    ranges = _accepted_ranges(accept)
    best, place = min((_rank(one, ranges), n) for n, one in enumerate(media_ranges))
    if best < NOT_ACCEPTED:
        return place
    wants_json = any(is_json(one) and quality > 0 for one, quality in ranges)
    return next((n for n, one in enumerate(media_ranges) if is_json(one)), None) if wants_json else None


def is_accepted_as_well(media_range: str, other: str, accept: str) -> bool:
    """Say whether an `Accept` field gives one media range at least the quality of another one."""
    ranges = _accepted_ranges(accept)
    mine, others = _rank(media_range, ranges), _rank(other, ranges)
    return not accept or (mine < NOT_ACCEPTED and mine[0] <= others[0])


NOT_ACCEPTED: Final = (0.0, 0)  # of negated quality and place in the field: whatever is accepted sorts before it


def _rank(media_range: str, ranges: tuple[tuple[str, float], ...]) -> tuple[float, int]:
    """Return the negated quality of the most specific range that fits, and its place in the field."""
    fitting = [(one.count("*"), n, -quality) for n, (one, quality) in enumerate(ranges) if _overlap(media_range, one)]
    if not fitting:
        return NOT_ACCEPTED
    _, place, quality = min(fitting)
    return (quality, place) if quality else NOT_ACCEPTED


def _overlap(one: str, other: str) -> bool:
    return other in _ranges(one) or one in _ranges(other)


@lru_cache(maxsize=MAX_CACHED_FIELDS)
def _accepted_ranges(accept: str) -> tuple[tuple[str, float], ...]:
    found = []
    for part in accept.split(","):
        name, _, parameters = part.partition(";")
        quality = next((one.strip()[2:] for one in parameters.split(";") if one.strip()[:2].lower() == "q="), "1")
        found.append((name.strip().lower(), float(quality) if QUALITY.fullmatch(quality) else 1.0))
    return tuple(found)


QUALITY: Final = re.compile(r"[01](\.[0-9]*)?")


@lru_cache(maxsize=MAX_CACHED_FIELDS)
def is_json(content_type: str) -> bool:
    """Say whether a media type is JSON: `application/json`, one with the suffix `+json` (RFC 6839), AWS's own."""
    name = essence(content_type)
    return name.endswith(("/json", "+json")) or name.startswith("application/x-amz-json-")


@lru_cache(maxsize=MAX_CACHED_FIELDS)
def _ranges(content_type: str) -> tuple[str, ...]:
    expected = essence(content_type)
    main, _, sub = expected.partition("/")
    _, plus, suffix = sub.rpartition("+")
    return (expected, *((f"{main}/*+{suffix}",) if plus else ()), f"{main}/*", "*/*")


ParameterLocation: TypeAlias = Literal["path", "query", "header", "cookie"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter in path, query, header or cookie; `style` and `explode` have OpenAPI's defaults filled in.

    `allow_empty` is `allowEmptyValue`: an empty value is valid whatever the schema. `ignore_case` is `x-ignore-case`:
    whether values that differ in case alone mean the same, None where nobody says it. What `is_ignored` has no effect.
    """

    name: str
    where: ParameterLocation
    required: bool
    schema: Schema | None
    style: str
    explode: bool
    description: str = ""
    examples: Mapping[str, object] = field(default_factory=dict, hash=False)
    deprecated: bool = False
    allow_empty: bool = False
    ignore_case: bool | None = None
    is_ignored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaType:
    """One entry of a `content` map: `media_range` in lower case (may be `application/*` or `*/*`).

    `encoding` has the Encoding Objects of a form's fields.
    """

    media_range: str
    schema: Schema | None
    examples: Mapping[str, object] = field(default_factory=dict)
    encoding: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A request body."""

    required: bool
    content: tuple[MediaType, ...]

    def media(self, content_type: str) -> MediaType | None:
        """Return the most specific entry that fits, `application/x+json` before `application/*` before `*/*`."""
        return best_media(self.content, content_type)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderField:
    """A response header field as declared; `tells` is what its value is of what was made, `address` or `key`."""

    name: str
    required: bool
    schema: Schema | None
    examples: Mapping[str, object] = field(default_factory=dict)
    tells: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseLink:
    """A link from a response to another operation: an OpenAPI Link Object.

    `operation` is an operationId or the JSON Pointer of an operation; `parameters` are expressions by parameter name.
    """

    operation: str
    parameters: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredResponse:
    """The response declared for one status: `200`, `2XX` or `default`; one that is empty has `content: {}`."""

    status: str
    description: str
    headers: tuple[HeaderField, ...]
    content: tuple[MediaType, ...]
    links: tuple[ResponseLink, ...] = ()
    is_empty: bool = False

    def media(self, content_type: str) -> MediaType | None:
        """Return the most specific entry that fits `content_type`."""
        return best_media(self.content, content_type)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyReads:
    """What an operation shows that reads records by several keys (`x-reads`).

    `keys` is where they stand, with `separator` between them; `at` is where the response has the records, each as a
    single read shows it. With `in_order` they stand as asked for, with `repeats` as often. `unknown`: what becomes of
    keys that no record has, "" where nobody says it.
    """

    resource: Choice
    keys: Location
    separator: str = ","
    at: Location = ""
    in_order: bool = False
    repeats: bool = False
    unknown: Literal["", "leftOut"] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method on one path.

    `security` lists alternatives, each a map of scheme name to scopes; an empty alternative permits anonymous requests.
    `bulk` is its `x-bulk`, `record` its `x-record` or the inferred one. `pointer` is its JSON Pointer in the document.
    `selectors` are the parameters, with a value or any, that select it among operations with its method and path.
    `quota` are the limits of its `x-quota` on requests that are answered with a success, `reads` is its `x-reads`.
    """

    id: str
    method: str
    path: str
    pointer: str
    summary: str = ""
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    responses: Mapping[str, DeclaredResponse] = field(default_factory=dict)
    security: tuple[Mapping[str, tuple[str, ...]], ...] = ()
    bulk: Bulk | None = None
    record: RecordAct | None = None
    quota: tuple[Quota, ...] = ()
    reads: ManyReads | None = None
    deprecated: bool = False
    selectors: tuple[tuple[str, str | None], ...] = ()
    extras: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_declared(self) -> bool:
        """Whether `x-bulk` or `x-record` says what it does; an author who writes these means what else is there."""
        return self.bulk is not None or (self.record is not None and not self.record.inferred)

    def telling_fields(self, what: str) -> list[HeaderField]:
        """Return the header fields of its responses whose values are the address or the key of what was made."""
        return [one for response in self.responses.values() for one in response.headers if one.tells == what]

    def response(self, status: int) -> DeclaredResponse | None:
        """Return the response declared for `status`: its code, else its class (`2XX`), else `default`, else None."""
        declared = self.responses
        return declared.get(str(status)) or declared.get(f"{status // 100}XX") or declared.get("default")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A matched path: the operation, and the percent-decoded values of the path variables."""

    operation: Operation
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoRoute:
    """No operation matched. `allow` is None for an unknown path, else the methods of the path."""

    allow: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientIdentity:
    """A client that tests may act as (`x-test-clients`).

    `auth` are its credentials: the value of `Authorization`, or the key of an API key scheme; "" when they are not
    known. `refused` is the status of all its calls, None when they are admitted. Clients of different `tenant` share no
    records and no jobs; `scopes` are the values of scope parameters that it may use, by name.
    """

    name: str
    auth: str = ""
    refused: int | None = None
    tenant: str = ""
    scopes: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """A loaded OpenAPI document.

    `name` is the folder name for a bundled API and the file's stem otherwise; `mount` is the path of the first server
    URL ("" when there is none); `document` is the whole document, its schemas converted to JSON Schema 2020-12.
    `ignore_case`: paths match without regard to case; with `has_unique_names` a body with a name twice in an object is
    refused, with `has_strict_parameters` a query parameter whose value its schema excludes; `reserved` are words that
    no path variable matches. `files` are those that it was read from, overlays included; `scopes` maps parameters to
    values whose records and jobs are apart (`x-scopes`), in `open_scopes` with any other value; `syntax_errors` is
    where a refusal of a body that is no JSON tells `line` and `column`, or both in a `text` (`x-syntax-errors`),
    `accepts` are media ranges that `Accept` may have beside those of answers (`x-accept`), `clients` are those that
    tests may act as; `repairs` are its mistakes, with what was done about each; `provenance` says where its facts come
    from.
    """

    name: str
    title: str
    version: str
    mount: str
    operations: tuple[Operation, ...]
    resources: Mapping[str, Resource]
    schemas: SchemaSet
    document: Mapping[str, object]
    security_schemes: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    ignore_case: bool = False
    has_unique_names: bool = False
    has_strict_parameters: bool = False
    reserved: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    repairs: tuple[Fault, ...] = ()
    scopes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    open_scopes: frozenset[str] = frozenset()
    syntax_errors: Mapping[str, Location] = field(default_factory=dict)
    accepts: tuple[str, ...] = ()
    clients: tuple[ClientIdentity, ...] = ()
    provenance: Provenance = field(default_factory=Provenance)
    _by_id: dict[str, Operation] = field(init=False, default_factory=dict, repr=False, compare=False)
    _by_resource: dict[str, list[Operation]] = field(init=False, default_factory=dict, repr=False, compare=False)

    def operation(self, operation_id: str) -> Operation | None:
        """Return the operation with that id, None when there is none."""
        if not self._by_id:
            self._by_id.update((one.id, one) for one in reversed(self.operations))
        return self._by_id.get(operation_id)

    def linked(self, link: ResponseLink) -> Operation | None:
        """Return the operation that a link leads to, None when the contract has none."""
        named = self.operation(link.operation)
        return named or next((one for one in self.operations if one.pointer == link.operation), None)

    def keeps_deleted(self, resource: str) -> bool:
        """Return whether a deletion of a record may leave it, in another state."""
        return any(one.record is not None and one.record.keeps for one in self.acting_on(resource))

    def acting_on(self, resource: str) -> list[Operation]:
        """Return the operations on single records of a resource, and those that list them."""
        if not self._by_resource:
            for one in self.operations:
                if one.record is not None and one.record.resource.constant is not None:
                    self._by_resource.setdefault(one.record.resource.constant, []).append(one)
        return self._by_resource.get(resource, [])
