"""Check a document against OpenAPI, JSON Schema 2020-12 and the `x-bulk` schemas, then the contract as a whole.

Begin with `check_shape`, `check_contract` and `check_meaning`; each returns one Fault for each mistake.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson
from jsonschema_rs import ValidationError as CompileError

from contracts.bulk.model import Bulk
from contracts.errors import Fault
from contracts.openapi.model import Contract, Operation
from contracts.openapi.references import DocumentObject, Documents
from contracts.schemas.keywords import children
from contracts.schemas.published import META_SCHEMA, PublishedSchema
from contracts.schemas.schema_set import compiled, is_pure_reference
from contracts.syntax.text import did_you_mean, pointer_of

SCHEMA_FOLDER: Final = Path(__file__).parent.parent


@cache
def published_schema(name: str) -> Mapping[str, Any]:
    """Return one of the package's JSON Schemas: `openapi`, `overlay`, `x-bulk`, `x-record`, `x-resources`."""
    schema: Mapping[str, Any] = orjson.loads((SCHEMA_FOLDER / f"{name}.schema.json").read_bytes())
    return schema


def check_shape(root: Mapping[str, Any], shown: str) -> list[Fault]:
    """Return the mistakes of a root document as OpenAPI, its schemas excepted."""
    return [*_object_schema("document").faults(root, shown=shown)]


def check_published(name: str, value: object, shown: str) -> Iterator[Fault]:
    """Yield the mistakes of a value by one of the package's JSON Schemas; `shown` is its file."""
    yield from _declaration_schema(name).faults(value, shown=shown)


def check_contract(documents: Documents) -> list[Fault]:
    """Return the mistakes in linked documents: schemas, `x-` declarations, objects in other files."""
    places = {(one.kind, id(one.node)): one for one in documents.roots}.values()
    found = [fault for place in places for fault in _check_root(documents, place)]
    declared = [fault for place in documents.with_extensions for fault in _check_declarations(documents, place)]
    return [*found, *declared]


def _check_root(documents: Documents, place: DocumentObject) -> Iterator[Fault]:
    shown = documents.shown(place.uri)
    if is_pure_reference(place.node):
        return
    if place.kind == "schema":
        found = [*_meta_schema().faults(place.node, shown=shown, tokens=place.tokens)]
        yield from found or _check_patterns(place.node, shown, place.tokens)
    elif place.uri != documents.root:
        yield from _object_schema(place.kind).faults(place.node, shown=shown, tokens=place.tokens)


def _check_declarations(documents: Documents, place: DocumentObject) -> Iterator[Fault]:
    assert isinstance(place.node, Mapping)  # noqa: S101 - only mappings declare
    for name in ("x-bulk", "x-record", "x-resources"):
        if name in place.node:
            shown, tokens = documents.shown(place.uri), (*place.tokens, name)
            yield from _declaration_schema(name).faults(place.node[name], shown=shown, tokens=tokens)


def _check_patterns(schema: object, shown: str, tokens: tuple[str, ...]) -> Iterator[Fault]:
    if not isinstance(schema, Mapping):
        return
    for pattern in _patterns(schema):
        if not _compiles(pattern):
            fact = f"the pattern {pattern!r} is no regular expression that can be used."
            yield Fault(file=shown, pointer=pointer_of(tokens), fact=fact, cure="Write it in ECMA-262's syntax.")
    for inner, one in children(schema):
        yield from _check_patterns(one, shown, (*tokens, *inner))


def _patterns(schema: Mapping[str, Any]) -> Iterable[str]:
    own = [schema["pattern"]] if "pattern" in schema else []
    return [*own, *schema.get("patternProperties", ())]


@cache
def _compiles(pattern: str) -> bool:
    try:
        compiled({"pattern": pattern})
    except CompileError:
        return False
    return True


@cache
def _object_schema(kind: str) -> PublishedSchema:
    return PublishedSchema({**published_schema("openapi"), "$ref": f"#/$defs/{kind}"})


@cache
def _meta_schema() -> PublishedSchema:
    return PublishedSchema(META_SCHEMA)


@cache
def _declaration_schema(name: str) -> PublishedSchema:
    return PublishedSchema(published_schema(name))


VARIABLE: Final = re.compile(r"\{([^{}]+)\}")


def check_meaning(contract: Contract, shown: str) -> list[Fault]:
    """Return the mistakes of a contract whose parts are well formed: duplicate ids, clashing paths, unknown names."""
    checks = (_repeated_ids, _clashing_paths, _variables, _named_operations, _named_resources)
    return [
        Fault(file=shown, pointer=pointer, fact=fact, cure=cure)
        for check in checks
        for pointer, fact, cure in check(contract)
    ]


Mistakes = Iterator[tuple[str, str, str]]


def _repeated_ids(contract: Contract) -> Mistakes:
    given: dict[str, Operation] = {}
    for one in contract.operations:
        other = given.setdefault(one.id, one)
        if other is not one:
            fact = f"the operationId '{one.id}' is also that of {other.method} {other.path}."
            yield f"{one.pointer}/operationId", fact, "Give each its own."


def _clashing_paths(contract: Contract) -> Mistakes:
    taken: dict[tuple[str, str], Operation] = {}
    for one in contract.operations:
        shape = VARIABLE.sub("{}", one.path.lower() if contract.ignore_case else one.path)
        other = taken.setdefault((one.method, shape), one)
        if other is not one:
            yield one.pointer, f"it cannot be told from {other.method} {other.path}.", "Keep one of them."


def _variables(contract: Contract) -> Mistakes:
    for one in contract.operations:
        named = {parameter.name for parameter in one.parameters if parameter.where == "path"}
        used = set(VARIABLE.findall(one.path))
        for name in sorted(used - named):
            yield (
                one.pointer,
                f"the path's variable '{name}' has no parameter.",
                did_you_mean(name, named - used) or "Describe it.",
            )
        for name in sorted(named - used):
            yield (
                one.pointer,
                f"the path has no variable '{name}'.",
                did_you_mean(name, used - named) or "Drop the parameter.",
            )


def _named_operations(contract: Contract) -> Mistakes:
    known = [one.id for one in contract.operations]
    for one in contract.operations:
        for member, name in _referenced_operations(one.bulk) if one.bulk else ():
            if name not in known:
                fact = f"'{name}' is no operationId of this document."
                yield f"{one.pointer}/x-bulk/{member}", fact, did_you_mean(name, known) or "Describe that operation."


def _referenced_operations(bulk: Bulk) -> Iterator[tuple[str, str]]:
    yield from (("effect/like", name) for name in bulk.effect.like)
    if bulk.job:
        named = (("job/poll", bulk.job.poll), ("job/cancel", bulk.job.cancel), ("job/start", bulk.job.start))
        yield from ((member, name) for member, name in named if name)


def _named_resources(contract: Contract) -> Mistakes:
    for resource in contract.resources.values():
        for member, name in resource.references.items():
            if name not in contract.resources:
                pointer = f"/x-resources/{resource.name}/references/{member}"
                yield (
                    pointer,
                    f"'{name}' is no resource.",
                    did_you_mean(name, contract.resources) or "Add it to x-resources.",
                )
