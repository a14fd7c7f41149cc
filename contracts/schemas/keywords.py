"""Tables of the JSON Schema 2020-12 keywords that contain schemas, and conversion of OpenAPI's dialects to 2020-12.

Begin with `children` and `dialect_rewriter`. Differences: OpenAPI Specification 3.0.3, Schema Object; 3.1.0, Schema
Object.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

from contracts.messages import ABSENT
from contracts.syntax.text import as_list, pointer_of, step, tokens_of

SCHEMA_KEYWORDS: Final = frozenset(
    (
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    )
)
SCHEMA_LIST_KEYWORDS: Final = frozenset(("allOf", "anyOf", "oneOf", "prefixItems"))
SCHEMA_MAP_KEYWORDS: Final = frozenset(("$defs", "definitions", "dependentSchemas", "patternProperties", "properties"))
REFERENCES: Final = ("$ref", "$dynamicRef")
IDENTIFIER_KEYWORDS: Final = frozenset(("$anchor", "$dynamicAnchor", "$id", "$schema", "$vocabulary"))
ANNOTATIONS: Final = frozenset(
    (
        "$comment",
        "$schema",
        "default",
        "deprecated",
        "description",
        "example",
        "examples",
        "externalDocs",
        "readOnly",
        "summary",
        "title",
        "writeOnly",
        "xml",
    )
)


def is_annotation(keyword: str) -> bool:
    """Say whether a keyword does not take part in validation."""
    return keyword in ANNOTATIONS or keyword.startswith("x-")


def children(schema: Mapping[str, object]) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield each schema directly inside `schema`, with its tokens."""
    for keyword, value in schema.items():
        if keyword in SCHEMA_KEYWORDS:
            yield (keyword,), value
        elif keyword in SCHEMA_LIST_KEYWORDS and isinstance(value, list):
            yield from (((keyword, str(n)), one) for n, one in enumerate(value))
        elif keyword in SCHEMA_MAP_KEYWORDS and isinstance(value, Mapping):
            yield from (((keyword, name), one) for name, one in value.items())


Reference: TypeAlias = Callable[[str], str]


def rewrite_references(
    schema: Mapping[str, object], reference: Reference, dynamic: Reference | None = None
) -> dict[str, object]:
    """Return a copy of a schema without identifiers (`$id`, `$anchor`), each `$ref` replaced by `reference` of it.

    `dynamic` replaces each `$dynamicRef`; without it `reference` does.
    """
    return {
        keyword: _value(keyword, value, reference, dynamic or reference)
        for keyword, value in schema.items()
        if keyword not in IDENTIFIER_KEYWORDS
    }


def _part(schema: object, reference: Reference, dynamic: Reference) -> object:
    return rewrite_references(schema, reference, dynamic) if isinstance(schema, Mapping) else schema


def _value(keyword: str, value: object, reference: Reference, dynamic: Reference) -> object:
    if keyword in REFERENCES and isinstance(value, str):
        return reference(value) if keyword == "$ref" else dynamic(value)
    if keyword in SCHEMA_KEYWORDS:
        return _part(value, reference, dynamic)
    if keyword in SCHEMA_LIST_KEYWORDS and isinstance(value, list):
        return [_part(one, reference, dynamic) for one in value]
    if keyword in SCHEMA_MAP_KEYWORDS and isinstance(value, Mapping):
        return {name: _part(one, reference, dynamic) for name, one in value.items()}
    return value


Rewrite: TypeAlias = Callable[[dict[str, object]], None]  # in place
COMBINATORS: Final = ("$ref", "allOf", "anyOf", "not", "oneOf")
EXCLUSIVE_LIMITS: Final = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}


def from_30(schema: dict[str, object]) -> None:
    """Convert a schema of OpenAPI 3.0 in place: `nullable`, boolean exclusive limits, `example`, siblings of `$ref`."""
    is_nullable = schema.pop("nullable", False) is True
    if "$ref" in schema:
        for keyword in [one for one in schema if one != "$ref" and not is_annotation(one)]:
            del schema[keyword]  # OpenAPI 3.0 ignores the siblings of a reference
    if is_nullable:
        _allow_null(schema)
    if "$ref" in schema:
        return
    for exclusive, limit in EXCLUSIVE_LIMITS.items():
        if isinstance(schema.get(exclusive), bool):
            is_exclusive = schema.pop(exclusive)
            if is_exclusive and limit in schema:
                schema[exclusive] = schema.pop(limit)
    if "example" in schema:
        schema.setdefault("examples", [schema.pop("example")])


def _allow_null(schema: dict[str, object]) -> None:
    """Let a schema of OpenAPI 3.0 that is `nullable` take null, whatever its enum, its reference or its parts say."""
    if any(keyword in schema for keyword in COMBINATORS):
        whole = {keyword: schema.pop(keyword) for keyword in [*schema] if not is_annotation(keyword)}
        schema["anyOf"] = [whole, {"type": "null"}]
        return
    if isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
    options = schema.get("enum")
    if isinstance(options, list) and None not in options:
        schema["enum"] = [*options, None]


def from_31(schema: dict[str, object]) -> None:
    """Convert a schema of OpenAPI 3.1 in place: a `$ref` beside assertions becomes a member of `allOf`.

    An `$id` that is a fragment alone, as in draft 7, is an anchor.
    """
    given = schema.get("$id")
    if isinstance(given, str) and given[:1] == "#":
        schema["$anchor"] = schema.pop("$id")[1:]  # type: ignore[index] # a string
    if "$ref" in schema and not all(keyword == "$ref" or is_annotation(keyword) for keyword in schema):
        schema["allOf"] = [{"$ref": schema.pop("$ref")}, *as_list(schema.get("allOf"))]


def from_07(schema: dict[str, object]) -> None:
    """Convert a schema of draft 6 or 7 in place: lists of `items`, `dependencies`, siblings of `$ref`."""
    if "$ref" in schema:
        for keyword in [one for one in schema if one != "$ref" and not is_annotation(one)]:
            del schema[keyword]
        return
    from_2019(schema)


def from_2019(schema: dict[str, object]) -> None:
    """Convert a schema of draft 2019-09 in place: lists of `items`, `dependencies`."""
    prefix_items(schema)
    dependencies = schema.pop("dependencies", {})
    for name, needed in dependencies.items() if isinstance(dependencies, dict) else ():
        keyword = "dependentRequired" if isinstance(needed, list) else "dependentSchemas"
        schema.setdefault(keyword, {})[name] = needed  # type: ignore[index] # a map, where it is a schema
    from_31(schema)


def prefix_items(schema: dict[str, object]) -> bool:
    """Convert a list of `items` in place, as drafts before 2020-12 have it; say whether there was one."""
    if not isinstance(schema.get("items"), list):
        return False
    schema["prefixItems"] = schema.pop("items")
    if "additionalItems" in schema:
        schema["items"] = schema.pop("additionalItems")
    return True


def from_04(schema: dict[str, object]) -> None:
    """Convert a schema of draft 4 in place: as draft 7, and limits that are exclusive by a flag."""
    from_07(schema)
    from_30(schema)


def moved_pointer(document: object, pointer: str) -> str | None:
    """Return where a conversion has put what was at a pointer of a document, None when it is nowhere."""
    value, way = document, list[str]()
    for token in tokens_of(pointer):
        inner = step(value, token)
        if inner is ABSENT and isinstance(value, Mapping):
            parts = value.get("anyOf")
            whole = parts[0] if isinstance(parts, list) and parts else None
            if token == "items" and "prefixItems" in value:  # noqa: S105 - a pointer's token
                way, inner = [*way, "prefixItems"], value["prefixItems"]
            elif isinstance(whole, Mapping) and token in whole:  # beside null
                way, inner = [*way, "anyOf", "0", token], whole[token]
        elif inner is not ABSENT:
            way.append(token)
        if inner is ABSENT:
            return None
        value = inner
    return pointer_of(way)


VALIDATION_KEYWORDS: Final = (
    *("const", "enum", "maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum", "multipleOf", "pattern", "type"),
    *("dependentRequired", "maxContains", "maxItems", "maxLength", "maxProperties", "required", "uniqueItems"),
    *("minContains", "minItems", "minLength", "minProperties"),
)
DIALECTS: Final[Mapping[str, Rewrite]] = {
    "https://json-schema.org/draft/2020-12/schema": from_31,
    "https://json-schema.org/draft/2019-09/schema": from_2019,
    "http://json-schema.org/draft-07/schema": from_07,
    "http://json-schema.org/draft-06/schema": from_07,
    "http://json-schema.org/draft-04/schema": from_04,
}


def without_validation(rewrite: Rewrite) -> Rewrite:
    """Return the conversion for schemas of a metaschema without the validation vocabulary (core, 8.1.2)."""

    def rewritten(schema: dict[str, object]) -> None:
        rewrite(schema)
        for keyword in VALIDATION_KEYWORDS:
            schema.pop(keyword, None)

    return rewritten


def dialect_rewriter(document: Mapping[str, object]) -> Rewrite:
    """Return the conversion for the schemas of a document, by its `openapi` version."""
    return from_30 if str(document.get("openapi", "")).startswith("3.0") else from_31
