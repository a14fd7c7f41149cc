"""Where JSON Schema 2020-12 keeps schemas inside a schema, as tables, and walks over them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

ONE: Final = frozenset(
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
LISTED: Final = frozenset(("allOf", "anyOf", "oneOf", "prefixItems"))
NAMED: Final = frozenset(("$defs", "definitions", "dependentSchemas", "patternProperties", "properties"))
NAMING: Final = frozenset(("$anchor", "$dynamicAnchor", "$id", "$schema", "$vocabulary"))
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
    """Say whether a keyword has no say in validation."""
    return keyword in ANNOTATIONS or keyword.startswith("x-")


def children(schema: Mapping[str, object]) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield each schema directly inside `schema`, with the tokens that lead to it."""
    for keyword, value in schema.items():
        if keyword in ONE:
            yield (keyword,), value
        elif keyword in LISTED and isinstance(value, list):
            yield from (((keyword, str(n)), one) for n, one in enumerate(value))
        elif keyword in NAMED and isinstance(value, Mapping):
            yield from (((keyword, name), one) for name, one in value.items())


def rewritten(schema: Mapping[str, object], reference: Callable[[str], str]) -> dict[str, object]:
    """Return a copy of a schema, without what names it, each `$ref` in it replaced by what `reference` says."""
    return {keyword: _value(keyword, value, reference) for keyword, value in schema.items() if keyword not in NAMING}


def _part(schema: object, reference: Callable[[str], str]) -> object:
    return rewritten(schema, reference) if isinstance(schema, Mapping) else schema


def _value(keyword: str, value: object, reference: Callable[[str], str]) -> object:
    if keyword == "$ref" and isinstance(value, str):
        return reference(value)
    if keyword in ONE:
        return _part(value, reference)
    if keyword in LISTED and isinstance(value, list):
        return [_part(one, reference) for one in value]
    if keyword in NAMED and isinstance(value, Mapping):
        return {name: _part(one, reference) for name, one in value.items()}
    return value
