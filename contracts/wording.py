"""What a broken keyword is called: the sentence's end, and what was expected, by keyword."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from contracts.alternatives import words_of
from contracts.texts import clipped, listed, short

ARTICLES: Final = {
    "array": "an array",
    "boolean": "true or false",
    "integer": "an integer",
    "null": "null",
    "number": "a number",
    "object": "an object",
    "string": "a string",
}
FORMATS: Final = {
    "date": "a date such as 2024-01-31",
    "date-time": "a date and time such as 2024-01-31T08:30:00Z",
    "email": "an e-mail address",
    "ipv4": "an IPv4 address",
    "time": "a time such as 08:30:00Z",
    "uri": "a URI",
    "uuid": "a UUID",
}


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """A rule, the end of the sentence that says it broken, and what was expected; equal ones are the same object.

    `known` are the names or words that would have been right, for hints.
    """

    rule: str
    predicate: str
    expected: str
    known: tuple[str, ...] = ()

    @property
    def lacks(self) -> bool:
        """Whether it is broken by what is not there."""
        return self.rule in {"required", "dependentRequired"}


@lru_cache(maxsize=10_000)
def check(rule: str, predicate: str, expected: str, known: tuple[str, ...] = ()) -> Check:
    """Return the check of that content."""
    return Check(rule, predicate, expected, known)


def lacking(name: str, known: Iterable[str] = ()) -> Check:
    """Return the check that an object has a member; `known` are the names of all that it may have."""
    return check("required", f"lacks '{name}'", f"member '{name}'", tuple(dict.fromkeys((name, *known))))


def lacking_for(name: str, given: str) -> Check:
    """Return the check that an object which has one member has another."""
    return check("dependentRequired", f"lacks '{name}', which '{given}' needs", f"member '{name}'")


def unknown(known: tuple[str, ...], rule: str = "additionalProperties") -> Check:
    """Return the check that a member is one of those that are known."""
    expected = f"one of {listed(known, 'or')}" if known else "no member"
    return check(rule, "is not known here", clipped(expected), known)


def of_keyword(keyword: str, value: Any, raw: Mapping[str, Any] | None = None) -> Check:
    """Return the check of a keyword that looks at one value by itself; `raw` is the schema that has it.

    A pattern that is a list of words is told as the words.
    """
    if keyword == "not" and value in ({}, True):
        return check("not", "is not allowed here", "nothing")
    say = SAYINGS.get(keyword)
    if say is None:
        return check(keyword, f"breaks the rule '{keyword}'", clipped(f"{keyword} {short(value)}"))
    known = known_words(keyword, value, raw)
    listed_out = keyword == "pattern" and known
    expected = SAYINGS["enum"](known) if listed_out else say(value)
    lead = {"not": "must not be"}.get(keyword, "must be" if keyword in BEING or listed_out else "must have")
    return check(keyword, clipped(f"{lead} {expected}", 200), clipped(expected), known)


def known_words(keyword: str, value: Any, raw: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """Return the words that a keyword allows, () when it is none that lists words."""
    if keyword == "pattern":
        return words_of(value, raw)
    options = value if keyword == "enum" and isinstance(value, list) else [value] if keyword == "const" else []
    return tuple(one for one in options if isinstance(one, str))


def type_words(types: Any) -> str:
    """Return `a string or null` for the value of `type`."""
    names = [types] if isinstance(types, str) else types
    return listed([ARTICLES.get(one, str(one)) for one in names], "or")


def _counted(bound: str, noun: str) -> Callable[[Any], str]:
    return lambda n: f"{bound} {n} {noun}" if n == 1 else f"{bound} {n} {noun}s"


BEING: Final = frozenset(
    ("const", "enum", "exclusiveMaximum", "exclusiveMinimum", "format", "maximum", "minimum", "multipleOf", "type")
)
SAYINGS: Final[Mapping[str, Callable[[Any], str]]] = {
    "const": short,
    "contains": lambda _: "elements of the required kind",
    "enum": lambda options: listed([short(one) for one in options], "or"),
    "exclusiveMaximum": lambda n: f"less than {n}",
    "exclusiveMinimum": lambda n: f"more than {n}",
    "format": lambda name: FORMATS.get(name, f"of the format '{name}'"),
    "maxItems": _counted("at most", "element"),
    "maxLength": _counted("at most", "character"),
    "maxProperties": _counted("at most", "member"),
    "maximum": lambda n: f"at most {n}",
    "minItems": _counted("at least", "element"),
    "minLength": _counted("at least", "character"),
    "minProperties": _counted("at least", "member"),
    "minimum": lambda n: f"at least {n}",
    "multipleOf": lambda n: f"a multiple of {n}",
    "not": lambda _: "of the excluded form",
    "pattern": lambda pattern: f"the form {pattern}",
    "type": type_words,
    "unevaluatedItems": lambda _: "no further elements",
    "uniqueItems": lambda _: "no element twice",
}
