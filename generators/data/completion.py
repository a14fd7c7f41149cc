"""Make a value fit a schema: types converted, missing required members filled. Main entry: `fitted`.

A server that knows only a part of a response, such as the outcomes of a bulk request, completes it so. What is there
keeps its meaning. A missing member gets the least that is valid: null, false, an empty list; for a date the time of the
call; else a value drawn by a seed, which is the same for the same seed and place.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any, Final

from contracts.messages import ABSENT
from contracts.schemas.equality import equal
from contracts.schemas.schema_set import Schema, SchemaSet
from contracts.syntax.text import as_mapping, type_name
from generators.data.normalise import Flat, alternatives, flatten
from generators.data.plan import compile_predicate
from generators.errors import ContradictionError, UnsatisfiableError

if TYPE_CHECKING:
    from generators.data.compile import Generator

MAX_DEPTH: Final = 30  # levels that are filled; deeper ones are left as they are
TEXT_MEMBERS: Final = ("message", "detail", "error", "description", "title", "reason", "text", "errormessage")
"""Members of an error object that take its text, in lower case."""
TIME_NAME: Final = re.compile(r"(?i)(?:_at|At|time|timestamp|date|_on)$")
MOST_OF_A_NUMBER: Final = 100


def fitted(schema: Schema, value: object, seed: str, now: datetime, *, replaces: bool = False) -> Any:
    """Return `value` made to fit `schema`, or as near as it gets; a value that fits is returned as it is.

    `seed` names the value: the same seed and place get the same drawn value. With `replaces` a part that cannot be
    converted is replaced by a drawn value, and a member that is not allowed is left out. Nothing of `value` is changed
    in place.
    """
    if schema.is_valid(value):
        return value
    shapes = schema.within.once(_Shapes, lambda: _Shapes(schema.within))
    return _Fitter(shapes, seed, now, replaces=replaces).fit(schema.raw, value, "")


def time_text(now: datetime, kind: str = "date-time") -> str | int:
    """Return an instant as RFC 3339 with milliseconds (`date-time`), as `date`, `epoch` or `epoch-millis`."""
    utc = now.astimezone(UTC)
    if kind == "epoch":
        return int(utc.timestamp())
    if kind == "epoch-millis":
        return int(utc.timestamp() * 1000)
    return utc.date().isoformat() if kind == "date" else utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Shapes:
    """The schemas of a set, flattened and compiled on first use, by the identity of their JSON values."""

    def __init__(self, schemas: SchemaSet) -> None:
        self.schemas = schemas
        self._flat: dict[int, tuple[object, Flat]] = {}
        self._predicates: dict[int, tuple[object, Callable[[object], bool]]] = {}
        self._ways: dict[int, list[object]] = {}
        self._generators: dict[int, tuple[object, Generator]] = {}

    def flat(self, schema: object) -> Flat:
        """Return a schema with references followed and `allOf` merged; empty when it contradicts itself."""
        known = self._flat.get(id(schema))
        if known is None:
            flat: Flat = {}
            with suppress(ContradictionError, UnsatisfiableError, LookupError):
                flat = flatten(schema, self.schemas)
            known = self._flat[id(schema)] = (schema, flat)
        return known[1]

    def ways(self, flat: Flat) -> list[object]:
        """Return the alternatives of a flat schema (`oneOf`, `anyOf`, `if`), none when it has none."""
        found = self._ways.get(id(flat))
        if found is None:
            chosen = alternatives(flat, self.schemas)
            found = self._ways[id(flat)] = [] if chosen is None else chosen[1]
        return found

    def fits(self, schema: object, value: object) -> bool:
        """Tell whether a value is valid."""
        known = self._predicates.get(id(schema))
        if known is None:
            known = self._predicates[id(schema)] = (schema, compile_predicate(schema, self.schemas))
        return known[1](value)

    def generator(self, schema: object) -> "Generator":
        """Return the compiled generator of a schema. Raises UnsatisfiableError."""
        known = self._generators.get(id(schema))
        if known is None:
            from generators.data.compile import compile_schema  # noqa: PLC0415 - most values are fitted without one

            bound = self.schemas.enclosed(as_mapping(schema))
            made = compile_schema(bound, edges=0.0, profile="plain")
            known = self._generators[id(schema)] = (schema, made)
        return known[1]


class _Fitter:
    """Fits one value; `where` is the JSON Pointer of the part at hand."""

    def __init__(self, shapes: _Shapes, seed: str, now: datetime, *, replaces: bool) -> None:
        self._shapes, self._seed, self._now, self._replaces = shapes, seed, now, replaces

    def fit(self, schema: object, value: object, where: str) -> object:
        """Return a part of the value made to fit its schema."""
        if where.count("/") > MAX_DEPTH:
            return value
        flat = self._shapes.flat(schema)
        ways = self._shapes.ways(flat)
        if ways:
            return self._fit_one_of(ways, schema, value, where)
        typed = _converted(value, flat)
        if isinstance(typed, dict):
            return self._fit_members(flat, typed, where)
        items = flat.get("items")
        if isinstance(typed, list) and items is not None:
            return [self.fit(items, one, f"{where}/{n}") for n, one in enumerate(typed)]
        return self._drawn(schema, where) if self._replaces and not self._shapes.fits(schema, typed) else typed

    def _fit_one_of(self, ways: list[object], schema: object, value: object, where: str) -> object:
        if self._shapes.fits(schema, value):
            return value
        candidates = [self.fit(way, value, where) for way in ways]
        valid = (one for one in candidates if self._shapes.fits(schema, one))
        return next(valid, candidates[0])

    def _fit_members(self, flat: Flat, value: dict[str, object], where: str) -> dict[str, object]:
        declared, others = flat.get("properties", {}), flat.get("additionalProperties", True)
        if self._replaces and others is False and "patternProperties" not in flat:
            value = {name: one for name, one in value.items() if name in declared}
        found = {name: self.fit(declared.get(name, others), one, f"{where}/{name}") for name, one in value.items()}
        for name in flat.get("required", ()):
            if name not in found:
                found[name] = self._made(declared.get(name, others), name, f"{where}/{name}")
        return found

    def _made(self, schema: object, name: str, where: str) -> object:
        """Return a value for a missing member."""
        if isinstance(schema, dict) and "default" in schema and self._shapes.fits(schema, schema["default"]):
            return schema["default"]
        flat = self._shapes.flat(schema)
        plain = (one for one in self._plain(flat, name, where) if self._shapes.fits(schema, one))
        found = next(plain, ABSENT)
        return self._drawn(schema, where) if found is ABSENT else found

    def _plain(self, flat: Flat, name: str, where: str) -> Iterator[object]:
        """Yield simple values for a member, the least first; not all of them are valid."""
        types = _types(flat)
        if "enum" in flat:
            return
        rng = Random(f"{self._seed}{where}")
        if "null" in types:
            yield None
        if "boolean" in types:
            yield False
        if "array" in types:
            yield []
        if "object" in types or "properties" in flat:
            yield self.fit(flat, {}, where)
        if types & {"integer", "number"}:
            yield from (time_text(self._now, "epoch"),) if TIME_NAME.search(name) else ()
            yield rng.randint(1, MOST_OF_A_NUMBER)
            yield rng.randint(0, 1)
        if "string" in types and flat.get("format") in {"date-time", "date"}:
            yield time_text(self._now, flat["format"])
        if "string" in types and "format" not in flat:
            yield f"{name}-{rng.randint(1000, 9999)}"

    def _drawn(self, schema: object, where: str) -> object:
        """Return a drawn value, an empty object where none can be drawn."""
        try:
            return self._shapes.generator(schema).draw(Random(f"{self._seed}{where}"))
        except UnsatisfiableError:
            return {}


def _types(flat: Flat) -> set[str]:
    given = flat.get("type", ())
    return {given} if isinstance(given, str) else set(given)


def _converted(value: object, flat: Flat) -> object:
    """Return a value in the declared type where one of the same meaning exists."""
    types, kind = _types(flat), type_name(value)
    if value in (None, "") and "array" in types and "string" not in types:
        return []
    if not types or kind in types or (kind == "integer" and "number" in types):
        return _word(value, flat)
    if "string" in types and isinstance(value, bool | int | float):
        return _word(str(value).lower() if isinstance(value, bool) else str(value), flat)
    read = _read(value, types, flat) if isinstance(value, str) else ABSENT
    if read is not ABSENT:
        return read
    return [value] if "array" in types and value is not None else value


def _read(text: str, types: set[str], flat: Flat) -> object:
    """Return what a text means in another type: a boolean, number, instant, error object; else ABSENT."""
    if "boolean" in types and text.lower() in {"true", "false"}:
        return text.lower() == "true"
    if types & {"integer", "number"}:
        with suppress(ValueError):
            return int(text)
        with suppress(ValueError):
            return int(datetime.fromisoformat(text).timestamp())
    if "object" in types:
        return _error_object(text, flat)
    return None if text == "" and "null" in types else ABSENT


def _word(value: object, flat: Flat) -> object:
    """Return the word of an enumeration that is meant, whatever its case."""
    words = flat.get("enum", ())
    if not isinstance(value, str) or any(equal(value, one) for one in words):
        return value
    return next((one for one in words if isinstance(one, str) and one.lower() == value.lower()), value)


def _error_object(text: str, flat: Flat) -> object:
    """Return an object with the text in the member that is for it."""
    if text == "":
        return {}
    known = {name.lower(): name for name in flat.get("properties", {})}
    name = next((known[one] for one in TEXT_MEMBERS if one in known), None)
    return {name or "message": text}
