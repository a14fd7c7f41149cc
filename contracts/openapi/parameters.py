"""Parse parameters by OpenAPI's `style` and `explode` into the types of their schemas. Begin with `read_parameters`.

OpenAPI Specification 3.1, Parameter Object, Style Values.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

import orjson

from contracts.messages import ABSENT, Request
from contracts.openapi.model import Operation, Parameter
from contracts.schemas.schema_set import Schema

INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
BOOLEANS: Final = {"true": True, "false": False}
SEPARATORS: Final = {
    "form": ",",
    "simple": ",",
    "spaceDelimited": " ",
    "pipeDelimited": "|",
    "label": ",",
    "matrix": ",",
}
REPEATED: Final = object()  # the value of a single-valued parameter sent more than once


def read_parameters(
    operation: Operation, request: Request, variables: Mapping[str, str]
) -> list[tuple[Parameter, Any]]:
    """Return each declared parameter with its value.

    The value is `ABSENT` when it is not sent, `REPEATED` when a single one is sent more than once. A string that is not
    of the schema's type stays a string, for validation to report.
    """
    given = {
        "path": {name: [value] for name, value in variables.items()},
        "query": _pairs(request.query),
        "cookie": _cookies(request) if any(one.where == "cookie" for one in operation.parameters) else {},
    }
    return [(one, _read(one, given.get(one.where) or _headers(request, one))) for one in operation.parameters]


def fits_path(operation: Operation, variables: Mapping[str, str]) -> bool:
    """Say whether path variables are valid for the path parameters of an operation."""
    given = {name: [value] for name, value in variables.items()}
    declared = (one for one in operation.parameters if one.where == "path" and one.name in variables)
    return all(one.schema is None or one.schema.is_valid(_read(one, given)) for one in declared)


def read_text(text: str, schema: Schema | None) -> Any:
    """Return a string as the JSON value of a schema's type; a string of no such type is returned as it is."""
    types = types_of(schema)
    if "array" in types:
        return [read_text(one.strip(), schema.items() if schema else None) for one in text.split(",")]
    return _scalar(text, types)


@lru_cache(maxsize=10_000)
def types_of(schema: Schema | None) -> frozenset[str]:
    """Return the values of `type` in all parts of a schema (see `Schema.forms`)."""
    found: set[str] = set()
    for form in schema.forms() if schema else ():
        types = form.raw.get("type", ())
        found.update([types] if isinstance(types, str) else types if isinstance(types, list) else ())
    return frozenset(found)


def _pairs(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _headers(request: Request, parameter: Parameter) -> dict[str, list[str]]:
    values = request.headers.get_all(parameter.name) if parameter.where == "header" else ()
    return {parameter.name: [", ".join(values)]} if values else {}


def _cookies(request: Request) -> dict[str, list[str]]:
    cookie_pairs = (one.partition("=") for value in request.headers.get_all("cookie") for one in value.split(";"))
    return _pairs((name.strip(), value.strip()) for name, equals, value in cookie_pairs if equals)


def _read(parameter: Parameter, given: Mapping[str, list[str]]) -> Any:
    types = types_of(parameter.schema)
    if parameter.style == "content":
        return _json(given[parameter.name][0]) if parameter.name in given else ABSENT
    if "object" in types:
        return _object(parameter, given)
    texts = given.get(parameter.name)
    if texts is None:
        return ABSENT
    if "array" in types:
        items = parameter.schema.items() if parameter.schema else None
        return [_scalar(one, types_of(items)) for one in _elements(parameter, texts)]
    return REPEATED if len(texts) > 1 else _scalar(_without_prefix(parameter, texts[0]), types)


def _without_prefix(parameter: Parameter, text: str) -> str:
    """Return a value without the prefix of its style: `.5` and `;id=5` give `5`."""
    if parameter.style == "label":
        return text.removeprefix(".")
    return text.removeprefix(f";{parameter.name}=") if parameter.style == "matrix" else text


def _elements(parameter: Parameter, texts: list[str]) -> list[str]:
    if len(texts) > 1:
        return texts
    text = _without_prefix(parameter, texts[0])
    if parameter.explode and parameter.where in {"query", "cookie"}:
        return texts
    if parameter.explode and parameter.style in {"label", "matrix"}:
        return text.split("." if parameter.style == "label" else f";{parameter.name}=")
    pieces = text.split(SEPARATORS.get(parameter.style, ","))
    return [piece.strip() for piece in pieces] if parameter.where == "header" else pieces


def _object(parameter: Parameter, given: Mapping[str, list[str]]) -> Any:
    members = parameter.schema.members() if parameter.schema else {}
    pairs = _exploded(parameter, given, members)
    if pairs is None:
        return ABSENT
    return {name: _scalar(text, types_of(members.get(name))) for name, text in pairs}


def _exploded(
    parameter: Parameter, given: Mapping[str, list[str]], members: Mapping[str, Schema]
) -> list[tuple[str, str]] | None:
    if parameter.style == "deepObject":
        prefix = f"{parameter.name}["
        found = [
            (name[len(prefix) : -1], texts[0])
            for name, texts in given.items()
            if name.startswith(prefix) and name.endswith("]")
        ]
        return found or None
    if parameter.explode and parameter.style == "form":
        return [(name, given[name][0]) for name in members if name in given] or None
    if parameter.name not in given:
        return None
    text = _without_prefix(parameter, given[parameter.name][0])
    if parameter.explode:
        pieces = re.split({"label": r"\.", "matrix": ";"}.get(parameter.style, ","), text.removeprefix(";"))
        return [(name, value) for name, _, value in (piece.partition("=") for piece in pieces)]
    words = text.split(SEPARATORS.get(parameter.style, ","))
    return list(zip(words[::2], words[1::2], strict=False))


def _scalar(text: str, types: frozenset[str]) -> Any:
    if "integer" in types and INTEGER.fullmatch(text):
        return int(text)
    if "number" in types and NUMBER.fullmatch(text):
        return _json(text)
    if "boolean" in types and text in BOOLEANS:
        return BOOLEANS[text]
    return None if "null" in types and text in {"", "null"} and "string" not in types else text


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
