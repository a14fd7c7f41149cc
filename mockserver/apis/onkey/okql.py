"""OKQL as far as lists understand it: reading `$filter`, `$orderby` and `$select`, each mistake with its column."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple, TypeAlias

from contracts.names import closest
from mockserver.apis.onkey.kinds import DIGITS, Kind, Kinds, Steps, key_of

OPERATORS: Final = ("eq", "ne", "gt", "ge", "lt", "le", "startswith")
EQUALITY: Final = frozenset(("eq", "ne"))
WORDS: Final = {"true": True, "false": False, "null": None}
ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
MAX_CONDITIONS: Final = 100
TOKEN: Final = re.compile(
    r"""\s*(?:(?P<text>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")|(?P<word>[A-Za-z_](?:->|\w)*)|"""
    r"""(?P<number>[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\w.])|(?P<other>\S))""",
    re.DOTALL | re.ASCII,
)


class Token(NamedTuple):
    """A word, a text or a number, and the column at which it begins, from 1."""

    kind: str
    text: str
    column: int


class Mistake(NamedTuple):
    """What is wrong at which column; `got` and the closest known name, `hint`, where a word is unknown."""

    column: int
    detail: str
    got: str = ""
    hint: str = ""


class Condition(NamedTuple):
    """One comparison of a filter."""

    steps: Steps
    operator: str
    value: object


class Order(NamedTuple):
    """One property to order by."""

    steps: Steps
    descending: bool


Literal: TypeAlias = str | int | float | bool | datetime | None


def read_filter(kinds: Kinds, kind: Kind, text: str) -> tuple[Condition, ...] | Mistake:
    """Return the conditions of `PROPERTY OPERATOR VALUE and ...`, all of which must hold."""
    tokens, end = _tokens(text), Token("end", "the end", len(text) + 1)
    conditions: list[Condition] = []
    while len(conditions) < MAX_CONDITIONS:
        name, operator, literal, joint = [*tokens[:4], end, end, end, end][:4]
        read = _condition(kinds, kind, name, operator, literal)
        if isinstance(read, Mistake):
            return read
        conditions.append(read)
        if joint.kind == "end":
            return tuple(conditions)
        if joint.text.lower() != "and":
            return _unknown(joint.column, f"expected 'and' or the end; got {_got(joint)}", joint.text, ("and",))
        tokens = tokens[4:]
    return Mistake(joint.column, f"expected at most {MAX_CONDITIONS} conditions")


def read_order(kinds: Kinds, kind: Kind, text: str) -> tuple[Order, ...] | Mistake:
    """Return what `PROPERTY [asc|desc], ...` orders by."""
    orders: list[Order] = []
    for column, part in _parts(text):
        name, _, direction = part.partition(" ")
        steps = _steps(kinds, kind, Token("word", name, column))
        if isinstance(steps, Mistake):
            return steps
        direction = direction.strip().lower()
        if direction not in {"", "asc", "desc"}:
            detail = f"expected asc or desc; got '{direction[:40]}'"
            return _unknown(column + len(name) + 1, detail, direction, ("asc", "desc"))
        orders.append(Order(steps, direction == "desc"))
    return tuple(orders)


def read_select(kinds: Kinds, kind: Kind, text: str) -> tuple[Steps, ...] | Mistake:
    """Return the properties that `PROPERTY, ...` names."""
    selected: list[Steps] = []
    for column, part in _parts(text):
        steps = _steps(kinds, kind, Token("word", part, column))
        if isinstance(steps, Mistake):
            return steps
        selected.append(steps)
    return tuple(selected)


def _parts(text: str) -> list[tuple[int, str]]:
    """Return the parts between commas, trimmed, each with its column."""
    parts, column = [], 1
    for part in text.split(","):
        parts.append((column + len(part) - len(part.lstrip()), " ".join(part.split())))
        column += len(part) + 1
    return parts


def _tokens(text: str) -> list[Token]:
    return [
        Token(str(found.lastgroup), found[found.lastgroup], found.start(found.lastgroup) + 1)
        for found in TOKEN.finditer(text)
        if found.lastgroup
    ]


def _got(token: Token) -> str:
    return token.text if token.kind == "end" else f"'{token.text[:40]}'"


def _steps(kinds: Kinds, kind: Kind, name: Token) -> Steps | Mistake:
    if name.kind != "word" or not name.text:
        return Mistake(name.column, f"expected a property of {kind.name}; got {_got(name)}")
    steps = kinds.steps(kind, name.text)
    if steps:
        return steps
    detail = f"'{name.text[:80]}' is not a property of {kind.name}."
    return _unknown(name.column, detail, name.text.rpartition("->")[2], kind.members.values())


def _unknown(column: int, detail: str, given: str, known: Iterable[str]) -> Mistake:
    """Return the mistake of a word that is not known, with the closest one that is."""
    hint = closest(given, known)
    return (
        Mistake(column, f"{detail.rstrip('.')}. Did you mean '{hint}'?", given[:80], hint)
        if hint
        else Mistake(column, detail)
    )


def _condition(kinds: Kinds, kind: Kind, name: Token, operator: Token, literal: Token) -> Condition | Mistake:
    steps = _steps(kinds, kind, name)
    if isinstance(steps, Mistake):
        return steps
    word = operator.text.lower()
    if operator.kind != "word" or word not in OPERATORS:
        detail = f"expected one of {', '.join(OPERATORS)}; got {_got(operator)}"
        return _unknown(operator.column, detail, operator.text, OPERATORS)
    wanted = kinds.type_of(kind, steps)
    value = _literal(literal, wanted)
    if isinstance(value, Mistake):
        return value
    unfit = _unfit(word, wanted, value)
    return Mistake(operator.column, unfit) if unfit else Condition(steps, word, value)


def _unfit(operator: str, wanted: str, value: Literal) -> str:
    """Return why an operator does not fit the type or the value, "" when it does."""
    if operator == "startswith" and (wanted != "string" or value is None):
        return f"startswith compares texts; got {'null' if value is None else f'a property that is a {wanted}'}"
    if operator not in EQUALITY and (value is None or wanted == "boolean"):
        return f"{operator} needs an order, which {'null' if value is None else 'a boolean'} has not; eq and ne do not"
    return ""


def _literal(token: Token, wanted: str) -> Literal | Mistake:
    """Return the value of a literal that is of the wanted type, or null."""
    if token.kind == "word" and token.text.lower() == "null":
        return None
    read = READERS[wanted].get(token.kind)
    value = Mistake(0, "") if read is None else read(token)
    return Mistake(token.column, f"expected {SAYS[wanted]}; got {_got(token)}") if isinstance(value, Mistake) else value


def _text(token: Token) -> Literal | Mistake:
    quote, inner = token.text[0], token.text[1:-1]
    return re.sub(
        r"\\u([0-9a-fA-F]{4})|\\(.)|(?:''|\"\")", lambda found: _unescaped(found, quote), inner, flags=re.DOTALL
    )


def _unescaped(found: "re.Match[str]", quote: str) -> str:
    if found[1]:
        return chr(int(found[1], 16))
    return ESCAPES.get(found[2], found[2]) if found[2] else quote if found[0] == quote * 2 else found[0]


def _number(token: Token) -> Literal | Mistake:
    whole = not set(token.text) & set(".eE") and len(token.text) <= DIGITS
    return int(token.text) if whole else float(token.text)


def _boolean(token: Token) -> Literal | Mistake:
    value = WORDS.get(token.text.lower())
    return Mistake(token.column, "") if value is None else value


def _instant(token: Token) -> Literal | Mistake:
    try:
        instant = datetime.fromisoformat(str(_text(token)))
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return Mistake(token.column, "")


def _digits(token: Token) -> Literal | Mistake:
    key = key_of(_text(token))
    return Mistake(token.column, "") if key is None else key


READERS: Final[Mapping[str, Mapping[str, Callable[[Token], Literal | Mistake]]]] = {
    "string": {"text": _text},
    "number": {"number": _number},
    "integer": {"number": _number, "text": _digits},
    "boolean": {"word": _boolean},
    "instant": {"text": _instant},
}
SAYS: Final = {
    "string": "a text in quotes",
    "number": "a number",
    "integer": "a number",
    "boolean": "true or false",
    "instant": "an instant in quotes, such as '2026-01-31T00:00:00Z'",
}
