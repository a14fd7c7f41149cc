"""OpenAPI 3.0's dialect of JSON Schema, and 3.1's siblings of `$ref`, made plain 2020-12."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from contracts.keywords import is_annotation

Rewrite: TypeAlias = Callable[[dict[str, object]], None]  # in place
LIMITS: Final = (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum"))


def from_30(schema: dict[str, object]) -> None:
    """Rewrite a schema object of OpenAPI 3.0: `nullable`, exclusive limits, `example`, what is beside `$ref`."""
    if "$ref" in schema:
        for keyword in [one for one in schema if one != "$ref" and not is_annotation(one)]:
            del schema[keyword]  # 3.0 ignores what stands beside a reference
        return
    if schema.pop("nullable", False) is True and isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
    for exclusive, limit in LIMITS:
        if isinstance(schema.get(exclusive), bool):
            is_exclusive = schema.pop(exclusive)
            if is_exclusive and limit in schema:
                schema[exclusive] = schema.pop(limit)
    if "example" in schema:
        schema.setdefault("examples", [schema.pop("example")])


def from_31(schema: dict[str, object]) -> None:
    """Rewrite a schema object of OpenAPI 3.1: a `$ref` beside other rules becomes a member of `allOf`."""
    if "$ref" in schema and not all(keyword == "$ref" or is_annotation(keyword) for keyword in schema):
        parts = schema.get("allOf")
        schema["allOf"] = [{"$ref": schema.pop("$ref")}, *(parts if isinstance(parts, list) else ())]


def rewriting(document: Mapping[str, object]) -> Rewrite:
    """Return how the schemas of a document are rewritten, by its `openapi` version."""
    return from_30 if str(document.get("openapi", "")).startswith("3.0") else from_31
