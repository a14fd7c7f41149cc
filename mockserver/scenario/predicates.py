"""Tests: one question about one value. A frozen `Test` is made once, when its scenario is loaded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import orjson
from jsonschema_rs import ReferencingError, ValidationError

from contracts.messages import ABSENT
from contracts.schemas import compiled
from mockserver.scenario.patterns import regex

Holds: TypeAlias = Callable[[object], bool]
SCALARS: Final = (int, float)


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """One of `equals`, `matches`, `in`, `exists`, `schema`, with its value; two are equal when they ask the same."""

    __test__ = False  # not a pytest class

    word: str
    value: Any
    holds: Holds = field(compare=False, repr=False)

    @property
    def said(self) -> object:
        """Return the test as a document says it; `equals` as the plain value."""
        return self.value if self.word == "equals" else {self.word: self.value}


def as_test(document: Any) -> Test:
    """Return the test that a document says: one of the words, or a plain value that must be equal.

    Raises ValueError: a regular expression or a schema that cannot be compiled.
    """
    (word, value), *_ = document.items() if isinstance(document, Mapping) else (("equals", document),)
    return Test(word=word, value=value, holds=HOLDS[word](value))


def as_text_test(document: Any) -> Test:
    """Return the same for values that are always text: numbers and booleans stand for how they are written."""
    said = document if isinstance(document, Mapping) else {"equals": document}
    texts = {word: _texts(value) if word in {"equals", "in"} else value for word, value in said.items()}
    return as_test(texts)


def same(one: object, other: object) -> bool:
    """Tell whether two JSON values are equal: `1` is `1.0`, `true` is not `1`."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) is isinstance(other, bool) and one == other


def as_text(value: object) -> str:
    """Return a JSON value as text: a string as it is, `true`, numbers as they are written, the rest as JSON."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)
    return orjson.dumps(value).decode()


def _texts(value: object) -> object:
    return [as_text(one) for one in value] if isinstance(value, list) else as_text(value)


def _equals(wanted: object) -> Holds:
    return lambda given: same(wanted, given)


def _in(wanted: list[object]) -> Holds:
    return lambda given: any(same(one, given) for one in wanted)


def _exists(wanted: bool) -> Holds:  # noqa: FBT001 - the word's own value
    return lambda given: (given is not ABSENT) is wanted


def _matches(expression: str) -> Holds:
    found = regex(expression)
    return lambda given: isinstance(given, str | int | float) and found(as_text(given))


def _schema(schema: Any) -> Holds:
    try:
        fits = compiled(schema if isinstance(schema, Mapping) else {"not": {}} if schema is False else {}).is_valid
    except (ValidationError, ReferencingError, ValueError) as error:
        raise ValueError(f"It cannot be used as a JSON Schema: {str(error).splitlines()[0]}.") from None
    return lambda given: given is not ABSENT and fits(given)


HOLDS: Final[Mapping[str, Callable[[Any], Holds]]] = {
    "equals": _equals,
    "matches": _matches,
    "in": _in,
    "exists": _exists,
    "schema": _schema,
}
