"""Holding a document to the shape of OpenAPI, to JSON Schema 2020-12 and to our own vocabulary: one Fault a mistake."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
from jsonschema import Draft202012Validator
from jsonschema_rs import ValidationError as CompileError

from contracts.errors import Fault
from contracts.faults import facts
from contracts.grammar import Place
from contracts.keywords import children
from contracts.pointers import pointer_of
from contracts.references import Documents
from contracts.schemas import compiled, is_pure_reference

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

HERE: Final = Path(__file__).parent
MANY_PATHS: Final = 500


@cache
def published(name: str) -> Mapping[str, Any]:
    """Return one of the JSON Schemas beside this file: `openapi`, `x-bulk`, `x-record`, `x-resources`."""
    schema: Mapping[str, Any] = orjson.loads((HERE / f"{name}.schema.json").read_bytes())
    return schema


def check_shape(root: Mapping[str, Any], shown: str) -> list[Fault]:
    """Return what is wrong with a root document as OpenAPI, its schemas left aside.

    A very large document is only explained by jsonschema, which takes milliseconds an operation, when it does not pass
    jsonschema-rs.
    """
    paths = root.get("paths")
    is_large = isinstance(paths, Mapping) and len(paths) > MANY_PATHS
    if is_large and compiled({**published("openapi"), "$ref": "#/$defs/document"}).is_valid(root):
        return []
    return [*_faults(_kind("document"), root, shown, ())]


def check_contract(documents: Documents) -> list[Fault]:
    """Return what is wrong with linked documents: schemas, declarations, and objects in other files."""
    places = {(one.kind, id(one.node)): one for one in documents.roots}.values()
    found = [fault for place in places for fault in _check_root(documents, place)]
    declared = [fault for place in documents.declaring for fault in _check_declarations(documents, place)]
    return [*found, *declared]


def _check_root(documents: Documents, place: Place) -> Iterator[Fault]:
    shown = documents.shown(place.uri)
    if is_pure_reference(place.node):
        return
    if place.kind == "schema":
        found = [*_faults(_of_schemas(), place.node, shown, place.tokens)]
        yield from found or _check_patterns(place.node, shown, place.tokens)
    elif place.uri != documents.root:
        yield from _faults(_kind(place.kind), place.node, shown, place.tokens)


def _check_declarations(documents: Documents, place: Place) -> Iterator[Fault]:
    assert isinstance(place.node, Mapping)  # noqa: S101 - only mappings declare
    for name in ("x-bulk", "x-record", "x-resources"):
        if name in place.node:
            shown, tokens = documents.shown(place.uri), (*place.tokens, name)
            yield from _faults(_declared(name), place.node[name], shown, tokens)


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
def _kind(kind: str) -> "Validator":
    return Draft202012Validator({**published("openapi"), "$ref": f"#/$defs/{kind}"})


@cache
def _of_schemas() -> "Validator":
    return Draft202012Validator(Draft202012Validator.META_SCHEMA)


@cache
def _declared(name: str) -> "Validator":
    return Draft202012Validator(published(name))


def _faults(validator: "Validator", value: Any, shown: str, tokens: tuple[str, ...]) -> Iterator[Fault]:
    for error in validator.iter_errors(value):
        pointer = pointer_of((*tokens, *error.absolute_path))
        yield from (Fault(file=shown, pointer=pointer, fact=fact, cure=cure) for fact, cure in facts(error))
