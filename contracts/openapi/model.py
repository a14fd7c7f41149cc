"""A loaded contract: immutable operations, parameters, bodies and responses. Begin with `Contract`.

Names and defaults follow the OpenAPI Specification 3.1.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, TypeVar

from contracts.bulk.model import Bulk, RecordAct, Resource
from contracts.messages import essence
from contracts.schemas.schema_set import Schema, SchemaSet


class HasMediaRange(Protocol):
    """An entry of a `content` map."""

    @property
    def media_range(self) -> str:
        """Return a media type or range in lower case, without parameters."""


MediaEntry = TypeVar("MediaEntry", bound=HasMediaRange)


def best_media(content: Iterable[MediaEntry], content_type: str) -> MediaEntry | None:
    """Return the most specific matching entry: `a/x+json`, then `a/*+json`, `a/*`, `*/*`; None when none matches."""
    by_range = {entry.media_range: entry for entry in content}
    return next((by_range[one] for one in _ranges(content_type) if one in by_range), None)


def is_json(content_type: str) -> bool:
    """Say whether a media type is JSON: `application/json`, or one with the suffix `+json` (RFC 6839)."""
    name = essence(content_type)
    return name.endswith(("/json", "+json")) or name.startswith("application/x-amz-json-")


@lru_cache(maxsize=1000)
def _ranges(content_type: str) -> tuple[str, ...]:
    expected = essence(content_type)
    main, _, sub = expected.partition("/")
    _, plus, suffix = sub.rpartition("+")
    return (expected, *((f"{main}/*+{suffix}",) if plus else ()), f"{main}/*", "*/*")


ParameterLocation: TypeAlias = Literal["path", "query", "header", "cookie"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter in path, query, header or cookie; `style` and `explode` have OpenAPI's defaults filled in."""

    name: str
    where: ParameterLocation
    required: bool
    schema: Schema | None
    style: str
    explode: bool
    description: str = ""
    examples: Mapping[str, object] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaType:
    """One entry of a `content` map: `media_range` in lower case (may be `application/*` or `*/*`)."""

    media_range: str
    schema: Schema | None
    examples: Mapping[str, object] = field(default_factory=dict)


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
    """A response header field as declared."""

    name: str
    required: bool
    schema: Schema | None
    examples: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredResponse:
    """The response declared for one status: `200`, `2XX` or `default`."""

    status: str
    description: str
    headers: tuple[HeaderField, ...]
    content: tuple[MediaType, ...]

    def media(self, content_type: str) -> MediaType | None:
        """Return the most specific entry that fits `content_type`."""
        return best_media(self.content, content_type)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method on one path.

    `security` lists alternatives, each a map of scheme name to scopes; an empty alternative permits anonymous requests.
    `bulk` is its `x-bulk`, `record` its `x-record` or the inferred one. `pointer` is its JSON Pointer in the document.
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
    extras: Mapping[str, object] = field(default_factory=dict)

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
class Contract:
    """A loaded OpenAPI document.

    `name` is the folder name for a bundled API and the file's stem otherwise; `mount` is the path of the first server
    URL ("" when there is none); `document` is the whole document, its schemas converted to JSON Schema 2020-12.
    `ignore_case`: paths match without regard to case; `reserved` are words that no path variable matches. `files` are
    those that it was read from, overlays included.
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
    reserved: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()

    def operation(self, operation_id: str) -> Operation | None:
        """Return the operation with that id, None when there is none."""
        return next((one for one in self.operations if one.id == operation_id), None)
