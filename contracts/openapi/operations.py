"""Build Operations from the objects of a linked OpenAPI document. Begin with `read_operations`."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, TypeVar, cast
from urllib.parse import unquote

from contracts.bulk.declarations import read_bulk, read_choice, read_quotas, read_record_act
from contracts.bulk.model import RecordAct
from contracts.messages import essence
from contracts.openapi.grammar import METHODS
from contracts.openapi.model import (
    Body,
    DeclaredResponse,
    HeaderField,
    ManyReads,
    MediaType,
    Operation,
    Parameter,
    ResponseLink,
)
from contracts.openapi.routing import last_segment_variable, split_template
from contracts.schemas.schema_set import Schema, SchemaSet, is_pure_reference
from contracts.syntax.text import pointer_of, step

DEFAULT_STYLES: Final = {"path": "simple", "query": "form", "header": "simple", "cookie": "form"}
RESERVED_HEADERS: Final = frozenset(("accept", "authorization", "content-type"))  # OpenAPI: not declared as parameters
Made = TypeVar("Made")
KNOWN_EXTENSIONS: Final = frozenset(("x-bulk", "x-quota", "x-reads", "x-record", "x-source"))


@dataclass(frozen=True, slots=True)
class DocumentNode:
    """An object of the document, and its reference (`uri#pointer`); `shared` is what was made of components."""

    within: SchemaSet
    ref: str
    value: Mapping[str, Any]
    shared: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def inside(self, *tokens: str) -> "DocumentNode":
        """Return the object at those tokens, a `$ref` at its top followed."""
        value: Any = self.value
        for token in tokens:
            value = step(value, token)
        if isinstance(value, Mapping) and "$ref" in value:
            return replace(node_at(self.within, value["$ref"]), shared=self.shared)
        return DocumentNode(self.within, self.ref + pointer_of(tokens), value, self.shared)

    def once(self, kind: str, make: Callable[["DocumentNode"], Made]) -> Made:
        """Return what is made of this object, made once for all that refer to it under `components`."""
        if "#/components/" not in self.ref:
            return make(self)
        key = f"{kind} {self.ref}"
        if key not in self.shared:
            self.shared[key] = make(self)
        made: Made = self.shared[key]
        return made

    def named(self, member: str) -> "Iterator[tuple[str, DocumentNode]]":
        """Yield the entries of a map of objects."""
        for name in self.value.get(member, ()):
            if not name.startswith("x-") or member != "responses":
                yield name, self.inside(member, name)

    def listed(self, member: str) -> "Iterator[DocumentNode]":
        """Yield the elements of a list of objects."""
        return (self.inside(member, str(n)) for n in range(len(self.value.get(member, ()))))

    def schema(self, member: str = "schema") -> Schema | None:
        """Return the schema in a member, None when there is none."""
        if member not in self.value:
            return None
        found = self.value[member]
        if is_pure_reference(found):
            return self.within.schema(found["$ref"])
        return Schema(within=self.within, ref=f"{self.ref}/{member}")


def node_at(within: SchemaSet, ref: str) -> DocumentNode:
    """Return the object at `ref`, a `$ref` at its top followed."""
    value = cast("Mapping[str, Any]", within.value(ref))
    while "$ref" in value:
        ref = value["$ref"]
        value = cast("Mapping[str, Any]", within.value(ref))
    return DocumentNode(within, ref, value)


def read_operations(root: DocumentNode) -> tuple[Operation, ...]:
    """Return every operation in the document's order; one without an operationId is named by method and path."""
    taken = set(_given_ids(root))
    security = _security(root.value.get("security", ()))
    return tuple(
        _operation(item, path, method, taken, security)
        for path, item in _path_items(root)
        for method in METHODS
        if method in item.value
    )


def _path_items(root: DocumentNode) -> Iterator[tuple[str, DocumentNode]]:
    """Yield the paths of a document, each with its path item."""
    return ((path, root.inside("paths", path)) for path in root.value.get("paths", ()) if path.startswith("/"))


def _given_ids(root: DocumentNode) -> Iterator[str]:
    for _, item in _path_items(root):
        yield from (item.value[method].get("operationId", "") for method in METHODS if method in item.value)


def default_operation_id(method: str, path: str) -> str:
    """Return the id of an operation without an operationId: `GET /pets/{id}` is `getPetsById`."""
    words = [f"By-{part[1:-1]}" if part.startswith("{") else part for part in path.split("/") if part]
    letters = ("".join(c if c.isalnum() else " " for c in word).split() for word in words)
    return method.lower() + "".join(piece[:1].upper() + piece[1:] for word in letters for piece in word)


def _operation(
    item: DocumentNode, path: str, method: str, taken: set[str], security: tuple[Mapping[str, tuple[str, ...]], ...]
) -> Operation:
    node = item.inside(method)
    value = node.value
    return Operation(
        id=value.get("operationId") or _unique(default_operation_id(method, path), taken),
        method=method.upper(),
        path=split_template(path)[0],
        selectors=split_template(path)[1],
        pointer=pointer_of(("paths", path, method)),
        summary=value.get("summary", ""),
        description=value.get("description", ""),
        parameters=_parameters(item, node),
        body=_body(node),
        responses={
            status.upper() if status != "default" else status: one.once(status, partial(_response, status))
            for status, one in node.named("responses")
        },
        security=_security(value["security"]) if "security" in value else security,
        bulk=read_bulk(value["x-bulk"]) if "x-bulk" in value else None,
        record=_record(value, path),
        quota=read_quotas(value["x-quota"]) if "x-quota" in value else (),
        reads=_reads(value["x-reads"]) if "x-reads" in value else None,
        deprecated=value.get("deprecated") is True,
        extras={name: one for name, one in value.items() if name.startswith("x-") and name not in KNOWN_EXTENSIONS},
    )


def _reads(value: Mapping[str, Any]) -> ManyReads:
    given = {name: one for name, one in value.items() if name not in {"resource", "inOrder", "x-source"}}
    return ManyReads(resource=read_choice(value["resource"]), in_order=value.get("inOrder", False), **given)


def _unique(name: str, taken: set[str]) -> str:
    one, n = name, 1
    while one in taken:
        n += 1
        one = f"{name}{n}"
    taken.add(one)
    return one


def _record(value: Mapping[str, Any], path: str) -> RecordAct | None:
    if "x-record" not in value:
        return None
    variable = None if value["x-record"]["action"] == "list" else last_segment_variable(split_template(path)[0])
    return read_record_act(value["x-record"], key=None if variable is None else f"path:{variable}")


def _parameters(item: DocumentNode, operation: DocumentNode) -> tuple[Parameter, ...]:
    found: dict[tuple[str, str], Parameter] = {}
    for node in (*item.listed("parameters"), *operation.listed("parameters")):
        value = node.value
        if value["in"] != "header" or value["name"].lower() not in RESERVED_HEADERS:
            found[value["in"], value["name"]] = node.once("parameter", _parameter)
    return tuple(found.values())


def _parameter(node: DocumentNode) -> Parameter:
    value = node.value
    style = value.get("style", DEFAULT_STYLES[value["in"]])
    content = _content(node)
    return Parameter(
        name=value["name"],
        where=value["in"],
        required=value.get("required", False),
        schema=content[0].schema if content else node.schema(),
        style="content" if content else style,
        explode=value.get("explode", style in {"form", "deepObject"}),
        description=value.get("description", ""),
        examples=_examples(node),
        deprecated=value.get("deprecated") is True,
        ignore_case=value.get("x-ignore-case"),
        is_ignored=value.get("x-ignored") is True,
        allow_empty=value.get("allowEmptyValue") is True,
    )


def _body(operation: DocumentNode) -> Body | None:
    if "requestBody" not in operation.value:
        return None
    node = operation.inside("requestBody")
    return Body(required=node.value.get("required", False), content=_content(node))


def _response(status: str, node: DocumentNode) -> DeclaredResponse:
    return DeclaredResponse(
        status=status,
        description=node.value.get("description", ""),
        headers=tuple(_header(name, one) for name, one in node.named("headers") if name.lower() != "content-type"),
        content=_content(node),
        links=tuple(_link(one.value) for _, one in node.named("links")),
        is_empty=node.value.get("content") == {},
    )


def _link(value: Mapping[str, Any]) -> ResponseLink:
    operation = value.get("operationId") or unquote(str(value.get("operationRef", "")).removeprefix("#"))
    return ResponseLink(operation=operation, parameters=value.get("parameters") or {})


def _header(name: str, node: DocumentNode) -> HeaderField:
    content = _content(node)
    schema = content[0].schema if content else node.schema()
    required = node.value.get("required", False)
    tells = node.value.get("x-tells", "")
    return HeaderField(name=name, required=required, schema=schema, examples=_examples(node), tells=tells)


def _content(node: DocumentNode) -> tuple[MediaType, ...]:
    return tuple(
        MediaType(media_range=essence(media), schema=one.schema(), examples=_examples(one), encoding=_encoding(one))
        for media, one in node.named("content")
    )


def _encoding(node: DocumentNode) -> dict[str, Mapping[str, object]]:
    encoding = node.value.get("encoding", {})
    return {name: one for name, one in encoding.items() if isinstance(one, Mapping)}


def _examples(node: DocumentNode) -> dict[str, object]:
    examples = {name: one.value["value"] for name, one in node.named("examples") if "value" in one.value}
    return examples or ({"example": node.value["example"]} if "example" in node.value else {})


def _security(listed: list[Mapping[str, list[str]]]) -> tuple[Mapping[str, tuple[str, ...]], ...]:
    return tuple({scheme: tuple(scopes) for scheme, scopes in one.items()} for one in listed)
