"""A contract in memory: immutable operations with everything that an OpenAPI document says of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from contracts.bulk import Bulk, RecordAct, Resource
from contracts.media import best_media
from contracts.schemas import Schema, SchemaSet

Where: TypeAlias = Literal["path", "query", "header", "cookie"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter outside the body; `style` and `explode` as in OpenAPI, defaults filled in."""

    name: str
    where: Where
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
    """A response header as declared."""

    name: str
    required: bool
    schema: Schema | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What one status may look like; `status` is `200`, `2XX` or `default`."""

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

    `security` lists alternatives, each a map of scheme name to scopes; an empty alternative means that none is needed.
    `bulk` is its `x-bulk`, `record` its `x-record` or what method and path say of a single-record operation.
    `pointer` is where it stands in the document.
    """

    id: str
    method: str
    path: str
    pointer: str
    summary: str = ""
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    responses: Mapping[str, Response] = field(default_factory=dict)
    security: tuple[Mapping[str, tuple[str, ...]], ...] = ()
    bulk: Bulk | None = None
    record: RecordAct | None = None
    extras: Mapping[str, object] = field(default_factory=dict)

    def response(self, status: int) -> Response | None:
        """Return what is declared for `status`: the number, else its class (`2XX`), else `default`."""
        declared = self.responses
        return declared.get(str(status)) or declared.get(f"{status // 100}XX") or declared.get("default")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A path that fitted: the operation, and the percent-decoded values of the path's variables."""

    operation: Operation
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoRoute:
    """No operation fitted. `allow` is None when the path is unknown, else the methods that the path has."""

    allow: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """A loaded OpenAPI document.

    `name` is the file's folder name for a bundled API and the file's stem for a user's; `mount` is the path part of
    the first server URL ("" when there is none); `document` is the whole document with 3.0's dialect made 3.1's.
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

    def operation(self, operation_id: str) -> Operation | None:
        """Return the operation of that id."""
        return next((one for one in self.operations if one.id == operation_id), None)
