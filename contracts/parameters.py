"""Parameters outside the body: taken apart by OpenAPI's styles, and given the types that their schemas want."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

import orjson

from contracts.messages import ABSENT, Call
from contracts.model import Operation, Parameter
from contracts.schemas import Schema

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
REPEATED: Final = object()  # a parameter of one value that was given several times


def read_parameters(operation: Operation, call: Call, variables: Mapping[str, str]) -> list[tuple[Parameter, Any]]:
    """Return each declared parameter with its value, `ABSENT` when not given, `REPEATED` for a single one given twice.

    A text that is not of the wanted type stays a text: the schema then says so.
    """
    given = {
        "path": {name: [value] for name, value in variables.items()},
        "query": _pairs(call.query),
        "cookie": _cookies(call) if any(one.where == "cookie" for one in operation.parameters) else {},
    }
    return [(one, _read(one, given.get(one.where) or _headers(call, one))) for one in operation.parameters]


def fits_path(operation: Operation, variables: Mapping[str, str]) -> bool:
    """Tell whether the values of a path's variables fit the parameters that an operation has for them."""
    given = {name: [value] for name, value in variables.items()}
    declared = (one for one in operation.parameters if one.where == "path" and one.name in variables)
    return all(one.schema is None or one.schema.is_valid(_read(one, given)) for one in declared)


def read_text(text: str, schema: Schema | None) -> Any:
    """Return a text as the JSON value that a schema wants; what is not of the wanted type stays a text."""
    types = types_of(schema)
    if "array" in types:
        return [read_text(one.strip(), schema.items() if schema else None) for one in text.split(",")]
    return _scalar(text, types)


@lru_cache(maxsize=10_000)
def types_of(schema: Schema | None) -> frozenset[str]:
    """Return the types that a schema speaks of in any of its forms."""
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


def _headers(call: Call, parameter: Parameter) -> dict[str, list[str]]:
    values = call.headers.get_all(parameter.name) if parameter.where == "header" else ()
    return {parameter.name: [", ".join(values)]} if values else {}


def _cookies(call: Call) -> dict[str, list[str]]:
    crumbs = (one.partition("=") for value in call.headers.get_all("cookie") for one in value.split(";"))
    return _pairs((name.strip(), value.strip()) for name, equals, value in crumbs if equals)


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
    return REPEATED if len(texts) > 1 else _scalar(_bare(parameter, texts[0]), types)


def _bare(parameter: Parameter, text: str) -> str:
    """Return the text without what its style puts before it: `.5` and `;id=5` give `5`."""
    if parameter.style == "label":
        return text.removeprefix(".")
    return text.removeprefix(f";{parameter.name}=") if parameter.style == "matrix" else text


def _elements(parameter: Parameter, texts: list[str]) -> list[str]:
    if len(texts) > 1:
        return texts
    text = _bare(parameter, texts[0])
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
    text = _bare(parameter, given[parameter.name][0])
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
