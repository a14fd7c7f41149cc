"""Parse parameters by OpenAPI's `style` and `explode` into the types of their schemas. Begin with `read_parameters`.

OpenAPI Specification 3.1, Parameter Object, Style Values. `coerce` gives texts the types of a schema, those of forms
too; `nest` reads names with brackets, such as `filter[price][min]` or `tags[]`, as paths into objects and arrays: the
style `deepObject`, and what most form libraries write.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson

from contracts.messages import ABSENT, Request
from contracts.openapi.model import Operation, Parameter
from contracts.schemas.schema_set import Schema

INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
BOOLEANS: Final = {"true": True, "false": False}
BRACKETS: Final = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])+)")
MAX_INDEX_DIGITS: Final = 9
MAX_BRACKETS: Final = 32  # levels of a name; a deeper one stays a name
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
    query = grouped(request.query)
    given = {
        "path": {name: [value] for name, value in variables.items()},
        "query": query,
        "cookie": _cookies(request) if any(one.where == "cookie" for one in operation.parameters) else {},
    }
    if any(map(_is_open, operation.parameters)):
        names = {one.name for one in operation.parameters if one.where == "query" and not _is_open(one)}
        given["open"] = {name: texts for name, texts in query.items() if name not in names and name[:2] != "__"}
    return [
        (one, _read(one, given["open"] if _is_open(one) else given.get(one.where) or _headers(request, one)))
        for one in operation.parameters
    ]


def undeclared_query(operation: Operation, request: Request) -> tuple[str, ...]:
    """Return the names in the query that no parameter of the operation declares, in order."""
    declared = [one for one in operation.parameters if one.where == "query"]
    if not request.query or any(map(_is_open, declared)):
        return ()
    names: set[str] = set()
    for one in declared:
        names.update(one.schema.members() if one.schema and _is_exploded_object(one) else (one.name,))
    heads = {one.name for one in declared if one.style == "deepObject"}
    given = dict.fromkeys(name for name, _ in request.query)
    return tuple(name for name in given if name not in names and path_of(name)[0] not in heads)


def _is_exploded_object(parameter: Parameter) -> bool:
    """Say whether the members of the parameter are parameters of the query themselves."""
    return (parameter.where, parameter.style, parameter.explode) == ("query", "form", True) and (
        "object" in types_of(parameter.schema)
    )


def _is_open(parameter: Parameter) -> bool:
    """Say whether the parameter takes whatever else the query has."""
    return _is_exploded_object(parameter) and not (parameter.schema and parameter.schema.members())


def fits_path(operation: Operation, variables: Mapping[str, str]) -> bool:
    """Say whether path variables are valid for the path parameters of an operation."""
    given = {name: [value] for name, value in variables.items()}
    declared = (one for one in operation.parameters if one.where == "path" and one.name in variables)
    return all(one.schema is None or one.schema.is_valid(_read(one, given)) for one in declared)


def _headers(request: Request, parameter: Parameter) -> dict[str, list[str]]:
    values = request.headers.get_all(parameter.name) if parameter.where == "header" else ()
    return {parameter.name: [", ".join(values)]} if values else {}


def _cookies(request: Request) -> dict[str, list[str]]:
    cookie_pairs = (one.partition("=") for value in request.headers.get_all("cookie") for one in value.split(";"))
    return grouped((name.strip(), value.strip()) for name, equals, value in cookie_pairs if equals)


def _read(parameter: Parameter, given: Mapping[str, list[str]]) -> Any:
    types, texts = types_of(parameter.schema), given.get(parameter.name)
    if parameter.style == "content":
        return ABSENT if texts is None else json_of(texts[0])
    read = _deep if parameter.style == "deepObject" else _object if "object" in types else None
    if read is not None and (found := read(parameter, given)) is not ABSENT:
        return found
    if texts is None:
        return ABSENT
    if "array" in types:
        items = parameter.schema.items() if parameter.schema else None
        return [coerce(one, items) for one in _elements(parameter, texts)]
    text = _without_prefix(parameter, texts[0])
    return REPEATED if len(texts) > 1 else coerce(text, parameter.schema) if "object" in types else scalar(text, types)


def _deep(parameter: Parameter, given: Mapping[str, list[str]]) -> Any:
    prefix = f"{parameter.name}["
    found = {name: texts for name, texts in given.items() if name.startswith(prefix)}
    tree = nest(found).get(parameter.name, ABSENT) if found else ABSENT
    return ABSENT if tree is ABSENT else coerce(tree, parameter.schema)


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
    pairs = _pairs(parameter, given, members)
    if pairs is None:
        return ABSENT
    schema = parameter.schema
    return {name: coerce(value, schema.member(name) if schema else None) for name, value in pairs}


def _pairs(
    parameter: Parameter, given: Mapping[str, list[str]], members: Mapping[str, Schema]
) -> list[tuple[str, str | list[str]]] | None:
    """Return the members of an object with their texts, None when it is not sent as one."""
    if parameter.explode and parameter.style == "form":
        known = {name: given[name] for name in members or given if name in given}
        return [(name, texts if len(texts) > 1 else texts[0]) for name, texts in known.items()] or None
    if parameter.name not in given:
        return None
    text = _without_prefix(parameter, given[parameter.name][0])
    if parameter.explode:
        pieces = re.split({"label": r"\.", "matrix": ";"}.get(parameter.style, ","), text.removeprefix(";"))
        return [(name, value) for name, _, value in (piece.partition("=") for piece in pieces)]
    words = text.split(SEPARATORS.get(parameter.style, ","))
    return None if len(words) % 2 else list(zip(words[::2], words[1::2], strict=True))


def types_of(schema: Schema | None) -> frozenset[str]:
    """Return the values of `type` in all parts of a schema (see `Schema.forms`)."""
    return schema.within.once((types_of, schema.ref), lambda: _types_of(schema)) if schema is not None else frozenset()


def _types_of(schema: Schema) -> frozenset[str]:
    found: set[str] = set()
    for form in schema.forms():
        types = form.raw.get("type", ())
        found.update([types] if isinstance(types, str) else types if isinstance(types, list) else ())
    return frozenset(found)


def describes_text(schema: Schema | None) -> bool:
    """Say whether a schema describes a text as it is, and not a value that is written in XML, CSV or the like."""
    types = types_of(schema)
    return not types or "string" in types or not types & {"array", "object"}


def coerce(value: object, schema: Schema | None) -> Any:
    """Return texts, and arrays and objects of texts, in the types of a schema; what does not fit stays as it is.

    An object whose names are numbers is an array where the schema wants one, and a single value is an array of one.
    """
    if isinstance(value, str):
        return _coerced_text(value, schema)
    if isinstance(value, list):
        types = types_of(schema)
        is_single = len(value) == 1 and types and "array" not in types
        return coerce(value[0], schema) if is_single else _coerced_each(value, schema)
    if isinstance(value, Mapping):
        if value and "array" in types_of(schema) and all(map(_is_index, value)):
            return _coerced_each([value[name] for name in sorted(value, key=int)], schema)
        return {name: coerce(one, schema.member(name) if schema else None) for name, one in value.items()}
    return value


def _is_index(name: str) -> bool:
    return name.isdecimal() and len(name) <= MAX_INDEX_DIGITS


def _coerced_text(text: str, schema: Schema | None) -> Any:
    types = types_of(schema)
    if types & {"array", "object"} and text.lstrip()[:1] in {"[", "{"}:
        return json_of(text)
    wants_array = "array" in types and "string" not in types
    return _coerced_each([text], schema) if wants_array else scalar(text, types)


def _coerced_each(values: Sequence[object], schema: Schema | None) -> list[Any]:
    items = schema.items() if schema else None
    return [coerce(one, items) for one in values]


def scalar(text: str, types: frozenset[str]) -> Any:
    """Return a text as an integer, number, boolean or null of these types, else as it is."""
    if "integer" in types and INTEGER.fullmatch(text):
        return int(text)
    if "number" in types and NUMBER.fullmatch(text):
        return json_of(text)
    if "boolean" in types and text in BOOLEANS:
        return BOOLEANS[text]
    return None if "null" in types and text in {"", "null"} and "string" not in types else text


def json_of(text: str) -> Any:
    """Return the JSON value of a text, the text itself when it is no JSON."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def read_text(text: str, schema: Schema | None) -> Any:
    """Return a text as the JSON value of a schema's type, an array's elements between commas (style `simple`)."""
    types = types_of(schema)
    if "array" in types:
        return [read_text(one.strip(), schema.items() if schema else None) for one in text.split(",")]
    return scalar(text, types)


def grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the values of each name, in order."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def nest(given: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return the tree of names with brackets: objects, arrays of repeated or `[]` names, texts."""
    tree: dict[str, Any] = {}
    for name, texts in given.items():
        *above, last = path_of(name)
        is_list = last == ""
        if is_list and above:
            *above, last = above
        inner = tree
        for token in above:
            found = inner.get(token)
            inner[token] = inner = found if isinstance(found, dict) else {}
        inner[last] = list(texts) if is_list or len(texts) > 1 else texts[0]
    return tree


def path_of(name: str) -> tuple[str, ...]:
    """Return the tokens of a name with brackets: `a[b][]` gives `a`, `b` and ""."""
    found = BRACKETS.fullmatch(name) if "[" in name else None
    if found is None or name.count("[") > MAX_BRACKETS:
        return (name,)
    return (found[1], *found[2][1:-1].split("]["))
