"""Mend the mistakes of a document in place, so that one with mistakes is served all the same.

Begin with `mend_value` (a value against a published schema) and `mend_paths` (paths, operationIds, path parameters).
Each mistake becomes one Fault whose `mended` says what was done. Declarations of this project (`x-`) are never mended.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple, TypeAlias

from contracts.errors import Fault
from contracts.messages import ABSENT
from contracts.openapi.grammar import METHODS
from contracts.openapi.references import LEFT_OUT, Documents
from contracts.openapi.routing import SERVER_VARIABLE, joined_variables, split_template, variables_of
from contracts.schemas.keywords import EXCLUSIVE_LIMITS, SCHEMA_KEYWORDS
from contracts.schemas.published import PublishedSchema, SchemaError
from contracts.syntax.text import did_you_mean, look_up, pointer_of, short, split_ref

Tokens: TypeAlias = tuple[str | int, ...]
MAX_ROUNDS: Final = 50  # mending one mistake may show another one
UNKNOWN: Final = "It is ignored."
ANYTHING: Final = "It accepts everything."
FIXED_FORMATS: Final = frozenset(("date", "date-time", "ipv4", "ipv6", "time", "uuid"))  # that say where a value ends
DEFAULTS: Final[Mapping[str, Callable[[], object]]] = {
    "content": dict,
    "description": str,
    "info": lambda: {"title": "Untitled", "version": "0"},
    "paths": dict,
    "required": lambda: True,
    "schema": lambda: {"type": "string"},
    "title": lambda: "Untitled",
    "version": lambda: "0",
}


class Mended(NamedTuple):
    """What is now in the place of a value (`ABSENT`: nothing can be), and the faults that were found in it."""

    value: object
    faults: list[Fault]


def mend_value(schema: PublishedSchema, value: object, *, shown: str, tokens: Sequence[str | int] = ()) -> Mended:
    """Mend a value in place by a published schema; `shown` is its file's name, `tokens` are its place in the file.

    Unknown members stay where they are. Mistakes in declarations of this project are faults that are not mended.
    """
    holder = {"": value}
    found: dict[tuple[str, str], Fault] = {}
    for _ in range(MAX_ROUNDS):
        root = holder.get("", ABSENT)
        errors = [] if root is ABSENT else sorted(schema.errors(root), key=_depth_first, reverse=True)
        texts = [list(schema.explained(broken, root)) for broken in errors]
        is_changed = False
        for broken, explained in zip(errors, texts, strict=True):
            done = _mend(holder, broken)
            if done is None:
                continue
            is_changed = is_changed or done not in {"", UNKNOWN}
            pointer = pointer_of((*tokens, *broken.error.instance_path))
            for fact, cure in explained:
                fault = Fault(file=shown, pointer=pointer, fact=fact, cure=cure, mended=done)
                found.setdefault((pointer, fact), fault)
        if not is_changed:
            break
    return Mended(holder.get("", ABSENT), list(found.values()))


def _depth_first(broken: SchemaError) -> list[tuple[bool, int, str]]:
    """Order errors so that, from the last to the first, removing one value leaves the places of the others."""
    path = broken.error.instance_path
    return [(isinstance(one, int), one if isinstance(one, int) else 0, str(one)) for one in path]


def _mend(holder: dict[str, object], broken: SchemaError) -> str | None:
    """Mend one mistake. Return what was done, "" when nothing can be, None when its value is no longer there."""
    path, value = _found(holder, broken.error.instance_path)
    if path[1:2] and str(path[1]).startswith("x-"):  # a declaration of ours: nobody else says what it means
        return ""
    if value is ABSENT:
        return None
    mend = MENDERS.get(broken.keyword)
    return (mend(holder, path, value, broken) if mend is not None else "") or _leave_out(holder, path)


def _found(holder: dict[str, object], instance_path: Sequence[str | int]) -> tuple[Tokens, object]:
    """Return the tokens and the value of an error, `ABSENT` when it is gone; in an error, the key "200" is 200."""
    path: list[str | int] = [""]
    value: Any = holder.get("", ABSENT)
    for token in instance_path:
        if isinstance(value, dict) and not isinstance(token, str):
            token = next((one for one in value if one.isdecimal() and int(one) == token), "")  # noqa: PLW2901 - the same
        path.append(token)
        try:
            value = value[token]
        except (LookupError, TypeError):
            return tuple(path), ABSENT
    return tuple(path), value


def _parent(holder: Mapping[str, object], path: Tokens) -> Any:
    return look_up(holder, pointer_of(path[:-1]))


def _put(holder: Mapping[str, object], path: Tokens, value: object, done: str = "") -> str:
    _parent(holder, path)[path[-1]] = value
    return done or f"It is taken as {short(value)}."


def _leave_out(holder: Mapping[str, object], path: Tokens) -> str:
    del _parent(holder, path)[path[-1]]
    return LEFT_OUT


def _unknown(holder: Mapping[str, object], path: Tokens, value: Any, broken: SchemaError) -> str:
    """Leave unknown members; those of `responses` and `paths`, whose names are values, get the nearest right name."""
    del holder
    place = path[-1]
    if place not in {"responses", "paths"}:
        return UNKNOWN
    for name in broken.error.kind.value:
        one, known = value.pop(name), f"/{name}" if place == "paths" else _status(name)
        if known and known not in value:
            value[known] = one
    return "A name like '/pets' is taken for it." if place == "paths" else "A status is taken for it, if it has one."


def _status(name: str) -> str:
    found = re.fullmatch(r"([1-5])(\d\d|xx)", name.strip().lower())
    return found[0].upper() if found else "default" if name.lower() == "default" else ""


def _missing(holder: Mapping[str, object], path: Tokens, value: Any, broken: SchemaError) -> str:
    name = broken.error.kind.value
    if name == "default" and isinstance(value.get("enum"), list) and value["enum"]:
        value[name] = str(value["enum"][0])
    elif name == "default" and "url" not in value:
        value[name] = str(path[-1])
    elif name in DEFAULTS:
        value[name] = DEFAULTS[name]()
    else:
        return _leave_out(holder, path)
    return f"It is taken as {short(value[name])}."


def _const(holder: Mapping[str, object], path: Tokens, _: object, broken: SchemaError) -> str:
    return _put(holder, path, broken.expected)


def _repeated(holder: Mapping[str, object], path: Tokens, value: Any, _: SchemaError) -> str:
    unlike: list[object] = []
    unlike += (one for one in value if one not in unlike)
    return _put(holder, path, unlike, "It counts once.")


def _one_of_several(holder: Mapping[str, object], path: Tokens, value: Any, _: SchemaError) -> str:
    name, one = next(iter(value.items()))
    return _put(holder, path, {name: one}, f"Only '{name}' is taken.")


def _no_branch(holder: Mapping[str, object], path: Tokens, value: Any, _: SchemaError) -> str:
    """Mend a document without paths, components and webhooks; all else is left out."""
    if len(path) > 1:
        return ""
    del holder
    value["paths"] = {}
    return "It has no paths."


def _wrong_type(holder: Mapping[str, object], path: Tokens, value: Any, broken: SchemaError) -> str:
    expected = broken.expected
    types = {expected} if isinstance(expected, str) else set(expected)
    if path[-1] in EXCLUSIVE_LIMITS:
        return _exclusive(holder, path, value)
    if types == {"object", "boolean"}:
        return _wrong_schema(holder, path)
    for one in sorted(types & CONVERT.keys()):
        with suppress(ValueError):
            converted = CONVERT[one](value, path)
            if converted is not ABSENT:
                return _put(holder, path, converted)
    return ""


def _exclusive(holder: Mapping[str, object], path: Tokens, value: object) -> str:
    """Mend an exclusive limit that is a flag, as in OpenAPI 3.0, where 3.1 wants a number."""
    schema, limit = _parent(holder, path), EXCLUSIVE_LIMITS[str(path[-1])]
    other = schema.get(limit)
    if value is not True or not isinstance(other, int | float) or isinstance(other, bool):
        return ""
    return _put(holder, path, schema.pop(limit), f"It is taken as {short(other)}, in the place of '{limit}'.")


def _wrong_schema(holder: Mapping[str, object], path: Tokens) -> str:
    if path[-1] in SCHEMA_KEYWORDS:
        return ""
    return _put(holder, path, {}, ANYTHING)


def _as_text(value: object, _: Tokens) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else ABSENT


def _as_boolean(value: object, _: Tokens) -> object:
    return {"true": True, "false": False}.get(value.lower(), ABSENT) if isinstance(value, str) else ABSENT


def _as_number(value: object, _: Tokens) -> object:
    if not isinstance(value, str):
        return ABSENT
    number = float(value)
    if not math.isfinite(number):
        return ABSENT
    return int(number) if number.is_integer() else number


def _as_list(value: object, path: Tokens) -> object:
    return [value] if isinstance(value, str | dict) and path[-1] != "examples" else ABSENT


def _as_object(value: object, path: Tokens) -> object:
    if value in ([], None):
        return {}
    if isinstance(value, list) and path[-1] == "examples":
        return {str(n): {"value": one} for n, one in enumerate(value, 1)}
    return {"value": value} if path[-2:-1] == ("examples",) else ABSENT


CONVERT: Final[Mapping[str, Callable[[object, Tokens], object]]] = {
    "array": _as_list,
    "boolean": _as_boolean,
    "integer": _as_number,
    "number": _as_number,
    "object": _as_object,
    "string": _as_text,
}
MENDERS: Final[Mapping[str, Callable[[dict[str, object], Tokens, Any, SchemaError], str]]] = {
    "additionalProperties": _unknown,
    "anyOf": _no_branch,
    "const": _const,
    "maxProperties": _one_of_several,
    "required": _missing,
    "type": _wrong_type,
    "uniqueItems": _repeated,
}


class PathPlace(NamedTuple):
    """One operation of a document, with the path item around it."""

    path: str
    method: str
    item: dict[str, Any]

    @property
    def operation(self) -> dict[str, Any]:
        """Return the operation object."""
        found: dict[str, Any] = self.item[self.method]
        return found

    @property
    def tokens(self) -> tuple[str, ...]:
        """Return its place in the document."""
        return ("paths", self.path, self.method)


def mend_paths(documents: Documents) -> Iterator[Fault]:
    """Mend clashing paths, repeated operationIds and path parameters of a linked root document; yield the faults.

    Variables of server URLs that are not declared are told; the mount takes them as their names.
    """
    root: Any = documents.read(documents.root)
    shown = documents.shown(documents.root)
    for n, server in enumerate(root.get("servers", ())):
        for name in [one for one in SERVER_VARIABLE.findall(server["url"]) if one not in server.get("variables", ())]:
            pointer, fact = f"/servers/{n}/url", f"the URL's variable '{name}' is not declared."
            yield Fault(file=shown, pointer=pointer, fact=fact, mended="Its name is taken.", cure="Declare it.")
    ids: dict[str, PathPlace] = {}
    taken: dict[object, PathPlace] = {}
    for path in [one for one in root.get("paths", ()) if one.startswith("/")]:
        item = root["paths"][path] = _own_copy(_resolved(documents, root["paths"][path]))
        for method in [one for one in METHODS if one in item]:
            place = PathPlace(path, method, item)
            checks = (_clash(place, taken, ignore_case=root.get("x-path-case") == "insensitive"),)
            found = [*checks[0]] or [
                *_repeated_id(place, ids),
                *_fragment(documents, place),
                *_variables(documents, place),
                *_joined(documents, place),
            ]
            for tokens, fact, mended, cure in found:
                yield Fault(file=shown, pointer=pointer_of(tokens), fact=fact, mended=mended, cure=cure)


Mends: TypeAlias = Iterator[tuple[tuple[str, ...], str, str, str]]  # tokens, fact, what was done, cure


def _resolved(documents: Documents, node: Any) -> Any:
    while isinstance(node, Mapping) and "$ref" in node:
        uri, pointer = split_ref(node["$ref"])
        node = look_up(documents.loaded.get(uri), pointer)
    return node


def _own_copy(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a path item and its operations, which other paths may share."""
    return {name: dict(one) if name in METHODS else one for name, one in item.items()}


def _clash(place: PathPlace, taken: dict[object, PathPlace], *, ignore_case: bool) -> Mends:
    path, selectors = split_template(place.path)
    shape = re.sub(r"\{[^{}]+\}", "{}", path.lower() if ignore_case else path)
    other = taken.setdefault((place.method, shape, selectors), place)
    if other is not place:
        fact = f"it cannot be told from {other.method.upper()} {other.path}."
        yield place.tokens, fact, "Only that one is served.", "Keep one of them."
        del place.item[place.method]


def _repeated_id(place: PathPlace, ids: dict[str, PathPlace]) -> Mends:
    name = place.operation.get("operationId")
    other = ids.setdefault(name, place) if name else place
    if other is not place:
        fact = f"the operationId '{name}' is also that of {other.method.upper()} {other.path}."
        yield (*place.tokens, "operationId"), fact, "This one is named by method and path.", "Give each its own."
        del place.operation["operationId"]


def _fragment(documents: Documents, place: PathPlace) -> Mends:
    """Declare the query and the fragment of a path as parameters, where it has any."""
    path, selectors = split_template(place.path)
    if path == place.path:
        return
    declared = {one["name"].lower() for _, one in _parameters(documents, place)}
    for name, value in selectors:
        if name.lower() not in declared and (value is not None or "?" in place.path):
            where = "header" if name.lower().startswith("x-") else "query"
            schema = {"type": "string"} if value is None else {"type": "string", "enum": [value]}
            added = {"name": name, "in": where, "required": True, "schema": schema}
            place.operation["parameters"] = [*place.operation.get("parameters", ()), added]
    fact = "a path has no query and no fragment."
    yield place.tokens[:2], fact, f"It is served at {path}, by its parameters.", "Declare them as parameters."


def _parameters(documents: Documents, place: PathPlace) -> list[tuple[object, Mapping[str, Any]]]:
    """Return the parameter objects of an operation and its path item, as written and as referred to."""
    listed = (*place.item.get("parameters", ()), *place.operation.get("parameters", ()))
    return [(one, _resolved(documents, one)) for one in listed]


def _joined(documents: Documents, place: PathPlace) -> Mends:
    """Tell variables that share a segment, and whose values cannot be told apart."""
    schemas = {one["name"]: _resolved(documents, one.get("schema", {})) for _, one in _parameters(documents, place)}
    path = split_template(place.path)[0]
    names = variables_of(path)
    for at, literals in joined_variables(path):
        for literal, left, right in zip(literals, names[at:], names[at + 1 :], strict=False):
            if not any(_ends_at(schemas.get(one, {}), literal) for one in (left, right)):
                fact = f"nothing says where '{left}' ends and '{right}' begins."
                mended = f"It is split at the {'last' if literal == '.' else 'first'} '{literal}'."
                cure = "Give one of them an enum or a pattern."
                yield place.tokens[:2], fact, mended if literal else f"'{left}' is as short as can be.", cure


def _ends_at(schema: Mapping[str, Any], literal: str) -> bool:
    """Say whether the values of a path parameter are told from a literal beside them, as far as its schema says."""
    if schema.get("enum"):
        return not literal or not any(literal in str(word) for word in schema["enum"])
    if "pattern" in schema or schema.get("format") in FIXED_FORMATS:
        return True
    length = schema.get("minLength")
    if length is not None and length == schema.get("maxLength"):
        return True
    kind = schema.get("type")
    return kind == "boolean" or (kind in {"integer", "number"} and literal not in {"", "."})


def _variables(documents: Documents, place: PathPlace) -> Mends:
    declared = [(one, known["name"]) for one, known in _parameters(documents, place) if known["in"] == "path"]
    named, used = {name for _, name in declared}, set(variables_of(split_template(place.path)[0]))
    for name in sorted(used - named):
        cure = did_you_mean(name, named - used) or "Describe it."
        yield place.tokens, f"the path's variable '{name}' has no parameter.", "It is taken as a string.", cure
        added = {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        place.operation["parameters"] = [*place.operation.get("parameters", ()), added]
    for name in sorted(named - used):
        cure = did_you_mean(name, used - named) or "Drop the parameter."
        yield place.tokens, f"the path has no variable '{name}'.", UNKNOWN, cure
    extra = [one for one, name in declared if name not in used]
    for holder in (place.item, place.operation):
        if extra and "parameters" in holder:
            holder["parameters"] = [one for one in holder["parameters"] if not any(one is other for other in extra)]
