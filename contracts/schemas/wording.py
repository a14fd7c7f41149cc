"""Messages for violated keywords: the predicate of the sentence, and the expected value. Begin with `keyword_check`."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from contracts.syntax.text import clipped, counted, listed, short, words_of

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
    """A violated rule: keyword, predicate of the message, expected value; equal ones are the same object.

    `known` are the names or words that would be valid, for hints.
    """

    rule: str
    predicate: str
    expected: str
    known: tuple[str, ...] = ()

    @property
    def is_missing(self) -> bool:
        """Return whether the rule is violated by an absent member."""
        return self.rule in {"required", "dependentRequired"}


@lru_cache(maxsize=10_000)
def check(rule: str, predicate: str, expected: str, known: tuple[str, ...] = ()) -> Check:
    """Return the check with this content, the same object each time."""
    return Check(rule, predicate, expected, known)


def missing_member(name: str, known: Iterable[str] = ()) -> Check:
    """Return the check that an object has a member; `known` are the names of all its declared members."""
    return check("required", f"lacks '{name}'", f"member '{name}'", tuple(dict.fromkeys((name, *known))))


def missing_dependent(name: str, given: str) -> Check:
    """Return the check that an object with one member has another."""
    return check("dependentRequired", f"lacks '{name}', which '{given}' needs", f"member '{name}'")


def unknown_member(known: tuple[str, ...], rule: str = "additionalProperties") -> Check:
    """Return the check that a member is one of the known ones."""
    expected = f"one of {listed(known, 'or')}" if known else "no member"
    return check(rule, "is not known here", clipped(expected), known)


def keyword_check(keyword: str, value: Any, raw: Mapping[str, Any] | None = None) -> Check:
    """Return the check of a keyword that applies to one value by itself; `raw` is the schema that has it.

    A pattern that is a list of words is shown as these words.
    """
    if keyword == "not" and value in ({}, True):
        return check("not", "is not allowed here", "nothing")
    phrase = PHRASES.get(keyword)
    if phrase is None:
        return check(keyword, f"breaks the rule '{keyword}'", clipped(f"{keyword} {short(value)}"))
    known = known_words(keyword, value, raw)
    listed_out = keyword == "pattern" and known
    expected = PHRASES["enum"](known) if listed_out else phrase(value)
    lead = {"not": "must not be"}.get(keyword, "must be" if keyword in BE_KEYWORDS or listed_out else "must have")
    return check(keyword, clipped(f"{lead} {expected}", 200), clipped(expected), known)


def known_words(keyword: str, value: Any, raw: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """Return the words that a keyword permits, () when it does not list words."""
    if keyword == "pattern":
        return words_of(value, raw)
    options = value if keyword == "enum" and isinstance(value, list) else [value] if keyword == "const" else []
    return tuple(one for one in options if isinstance(one, str))


def type_words(types: Any) -> str:
    """Return `a string or null` for the value of `type`."""
    names = [types] if isinstance(types, str) else types
    return listed([ARTICLES.get(one, str(one)) for one in names], "or")


def _counted(bound: str, noun: str) -> Callable[[Any], str]:
    return lambda n: f"{bound} {counted(n, noun)}"


BE_KEYWORDS: Final = frozenset(
    ("const", "enum", "exclusiveMaximum", "exclusiveMinimum", "format", "maximum", "minimum", "multipleOf", "type")
)
PHRASES: Final[Mapping[str, Callable[[Any], str]]] = {
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
