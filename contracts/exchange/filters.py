"""Filters of lists, in the language that an `x-record` declares: written, read, and tried on a record.

Begin with `write_filter`, `read_filter` and `holds`. Texts are compared exactly, numbers by value. `ne` is not `eq`; an
order is there between two texts and between two numbers alone, and every other comparison is false.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from operator import ge, gt, le, lt
from typing import Any, Final, NamedTuple, TypeAlias

from contracts.bulk.lists import FilterLanguage

ORDERS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {"lt": lt, "le": le, "gt": gt, "ge": ge}
EQUALITY: Final = frozenset(("eq", "ne"))
LITERALS: Final = {"true": True, "false": False}
NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?", re.ASCII)


class Comparison(NamedTuple):
    """A member compared with a value: text, number, boolean or null."""

    member: str
    operator: str
    value: object


class Joined(NamedTuple):
    """Parts of which all (`and`), any (`or`) or, of a single one, none (`not`) hold."""

    word: str
    parts: tuple["Filter", ...]


Filter: TypeAlias = Comparison | Joined
RANKS: Final = {"or": 0, "and": 1, "not": 2}  # what binds more closely has the larger one


class FilterError(Exception):
    """A text that is no filter; `column` is counted from 1."""

    def __init__(self, says: str, column: int) -> None:
        super().__init__(f"column {column}: {says}")


def is_writable(language: FilterLanguage, one: Filter) -> bool:
    """Return whether a language can say a filter."""
    if isinstance(one, Comparison):
        known = one.operator in language.operators and (one.value is not None or language.null is not None)
        return known and (one.value is not None or one.operator in EQUALITY)
    words = {"and": language.and_, "or": language.or_, "not": language.not_}
    grouped = any(_needs_parentheses(one, part) for part in one.parts)
    return (
        words[one.word] is not None
        and (language.parentheses or not grouped)
        and all(is_writable(language, part) for part in one.parts)
    )


def _needs_parentheses(one: Joined, part: Filter) -> bool:
    return isinstance(part, Joined) and RANKS[part.word] <= RANKS[one.word]


def write_filter(language: FilterLanguage, one: Filter) -> str:
    """Return a filter in a language that can say it, with no more parentheses than it needs."""
    if isinstance(one, Comparison):
        return f"{one.member} {language.operators[one.operator]} {_written_value(language, one.value)}"
    parts = [
        f"({write_filter(language, part)})" if _needs_parentheses(one, part) else write_filter(language, part)
        for part in one.parts
    ]
    if one.word == "not":
        return f"{language.not_} {parts[0]}"
    return f" {language.and_ if one.word == 'and' else language.or_} ".join(parts)


def _written_value(language: FilterLanguage, value: object) -> str:
    if value is None:
        return language.null or ""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return str(value)
    quote = language.quote
    if language.escape == "double":
        inner = value.replace(quote, quote * 2)
    else:
        inner = value.replace("\\", "\\\\").replace(quote, f"\\{quote}")
    return f"{quote}{inner}{quote}"


def holds(one: Filter, members: Mapping[str, object]) -> bool:
    """Return whether a filter holds for a record; a member that is absent is null."""
    if isinstance(one, Joined):
        found = [holds(part, members) for part in one.parts]
        return all(found) if one.word == "and" else any(found) if one.word == "or" else not found[0]
    value, wanted = members.get(one.member), one.value
    alike = _type_of(value) == _type_of(wanted)
    if one.operator in EQUALITY:
        return (alike and value == wanted) is (one.operator == "eq")
    if not alike or _type_of(value) not in {"text", "number"}:
        return False
    return str(value).startswith(str(wanted)) if one.operator == "startswith" else ORDERS[one.operator](value, wanted)


def certain(one: Filter, members: Mapping[str, object]) -> bool | None:
    """Return whether a filter of a language without null holds for a record; None where that depends on a null."""
    if isinstance(one, Comparison):
        is_null = members.get(one.member) is None
        if is_null and one.value is not None and one.operator != "eq":
            return None
        return holds(one, members)
    found = [certain(part, members) for part in one.parts]
    if one.word == "not":
        return None if found[0] is None else not found[0]
    decisive = one.word == "or"
    if decisive in found:
        return decisive
    return None if None in found else not decisive


def _type_of(value: object) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    return "text" if isinstance(value, str) else "number" if isinstance(value, int | float) else "other"


def members_of(one: Filter) -> frozenset[str]:
    """Return the members that a filter compares."""
    if isinstance(one, Comparison):
        return frozenset((one.member,))
    return frozenset().union(*map(members_of, one.parts))


class _Token(NamedTuple):
    kind: str
    text: str
    column: int


def read_filter(language: FilterLanguage, text: str, known: Sequence[str] = ()) -> Filter:
    """Return a filter that a request has, its members among the `known` ones if any. Raises FilterError."""
    return _FilterReader(language, text, known).read()


class _FilterReader:
    """Reads one filter, the words of the language without regard to case."""

    def __init__(self, language: FilterLanguage, text: str, known: Sequence[str]) -> None:
        self._language, self._known = language, known
        self._operators = {word.lower(): name for name, word in language.operators.items()}
        quote = re.escape(language.quote)
        body = rf"(?:[^{quote}]|{quote}{quote})*" if language.escape == "double" else rf"(?:[^{quote}\\]|\\.)*"
        pattern = re.compile(
            rf"\s*(?:(?P<text>{quote}{body}{quote})|(?P<bracket>[()])|(?P<word>[^\s()]+)|\Z)", re.DOTALL
        )
        self._tokens = [
            _Token(found.lastgroup or "end", found[found.lastgroup or 0], found.end() - len(found[0].lstrip()) + 1)
            for found in pattern.finditer(text)
        ]
        self._at = 0

    def read(self) -> Filter:
        """Return the whole filter."""
        found = self._joined("or")
        if self._next.kind != "end":
            self._fail("the end")
        return found

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _fail(self, wanted: str) -> None:
        token = self._next
        got = "the end" if token.kind == "end" else f"'{token.text[:40]}'"
        raise FilterError(f"expected {wanted}; got {got}", token.column)

    def _take(self) -> _Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def _takes(self, word: str | None) -> bool:
        is_next = word is not None and self._next.kind == "word" and self._next.text.lower() == word.lower()
        self._at += is_next
        return is_next

    def _joined(self, word: str) -> Filter:
        """Read parts joined by `or`, or by `and`."""
        said = self._language.or_ if word == "or" else self._language.and_
        parts = [self._part(word)]
        while self._takes(said):
            parts.append(self._part(word))
        return parts[0] if len(parts) == 1 else Joined(word, tuple(parts))

    def _part(self, word: str) -> Filter:
        return self._joined("and") if word == "or" else self._factor()

    def _factor(self) -> Filter:
        if self._takes(self._language.not_):
            return Joined("not", (self._factor(),))
        if self._language.parentheses and self._next.text == "(":
            self._take()
            found = self._joined("or")
            if self._next.text != ")":
                self._fail("')'")
            self._take()
            return found
        return self._comparison()

    def _comparison(self) -> Comparison:
        if self._next.kind != "word" or (self._known and self._next.text not in self._known):
            self._fail(f"one of {', '.join(self._known)}" if self._known else "a member")
        member = self._take().text
        operator = self._operators.get(self._next.text.lower(), "") if self._next.kind == "word" else ""
        if not operator:
            self._fail(f"one of {', '.join(self._language.operators.values())}")
        self._take()
        value = self._value()
        if value is None and operator not in EQUALITY:
            self._at -= 1
            self._fail("a value that has an order")
        return Comparison(member, operator, value)

    def _value(self) -> object:
        token, language = self._next, self._language
        word = token.text.lower()
        value: object = None
        if token.kind == "text":
            value = _unquoted(language, token.text[1:-1])
        elif token.kind == "word" and word in LITERALS:
            value = LITERALS[word]
        elif token.kind == "word" and NUMBER.fullmatch(token.text):
            value = float(token.text) if set(token.text) & set(".eE") else int(token.text)
        elif language.null is None or word != language.null.lower():
            self._fail("a text in quotes, a number, true or false")
        self._take()
        return value


def _unquoted(language: FilterLanguage, text: str) -> str:
    if language.escape == "double":
        return text.replace(language.quote * 2, language.quote)
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
