"""Read records: one, several by id, or a list filtered, ordered and selected by OKQL, On Key's query language."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from heapq import nsmallest
from operator import attrgetter, eq, ge, gt, le, lt, ne
from typing import Any, Final, NamedTuple, TypeAlias

from contracts.messages import Response
from contracts.syntax.text import closest
from mockserver.api.model import RequestContext, json_response
from mockserver.apis.onkey.data_set import data_set, entity, selection, with_links
from mockserver.apis.onkey.messages import invalid, not_found
from mockserver.apis.onkey.resource_types import MAX_ID_DIGITS, ObjectType, ObjectTypes, Steps, key_of
from mockserver.apis.onkey.scope import kind_of
from mockserver.stores.interface import Record

OPERATORS: Final = ("eq", "ne", "gt", "ge", "lt", "le", "startswith")
EQUALITY: Final = frozenset(("eq", "ne"))
LITERALS: Final = {"true": True, "false": False, "null": None}
ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
MAX_CONDITIONS: Final = 100
TOKEN_PATTERN: Final = re.compile(
    r"""\s*(?:(?P<text>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")|(?P<word>[A-Za-z_](?:->|\w)*)|"""
    r"""(?P<number>[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\w.])|(?P<other>\S))""",
    re.DOTALL | re.ASCII,
)


class Token(NamedTuple):
    """A word, text or number of a query, with its column, counted from 1."""

    kind: str
    text: str
    column: int


class Mistake(NamedTuple):
    """A syntax error at a column; of an unknown word `got` is the word and `hint` the closest known name."""

    column: int
    detail: str
    got: str = ""
    hint: str = ""


class Condition(NamedTuple):
    """One comparison of a filter."""

    steps: Steps
    operator: str
    value: object


class SortKey(NamedTuple):
    """One property to sort by."""

    steps: Steps
    descending: bool


Literal: TypeAlias = str | int | float | bool | datetime | None


def read_filter(kinds: ObjectTypes, kind: ObjectType, text: str) -> tuple[Condition, ...] | Mistake:
    """Parse `PROPERTY OPERATOR VALUE and ...`; all conditions must hold. Return a Mistake for a syntax error."""
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


def read_order(kinds: ObjectTypes, kind: ObjectType, text: str) -> tuple[SortKey, ...] | Mistake:
    """Parse `PROPERTY [asc|desc], ...`, the properties to sort by. Return a Mistake for a syntax error."""
    orders: list[SortKey] = []
    for column, part in _parts(text):
        name, _, direction = part.partition(" ")
        steps = _steps(kinds, kind, Token("word", name, column))
        if isinstance(steps, Mistake):
            return steps
        direction = direction.strip().lower()
        if direction not in {"", "asc", "desc"}:
            detail = f"expected asc or desc; got '{direction[:40]}'"
            return _unknown(column + len(name) + 1, detail, direction, ("asc", "desc"))
        orders.append(SortKey(steps, direction == "desc"))
    return tuple(orders)


def read_select(kinds: ObjectTypes, kind: ObjectType, text: str) -> tuple[Steps, ...] | Mistake:
    """Parse `PROPERTY, ...`, the properties to show. Return a Mistake for a syntax error."""
    selected: list[Steps] = []
    for column, part in _parts(text):
        steps = _steps(kinds, kind, Token("word", part, column))
        if isinstance(steps, Mistake):
            return steps
        selected.append(steps)
    return tuple(selected)


def _parts(text: str) -> list[tuple[int, str]]:
    """Return the parts between commas, stripped, each with its column."""
    parts, column = [], 1
    for part in text.split(","):
        parts.append((column + len(part) - len(part.lstrip()), " ".join(part.split())))
        column += len(part) + 1
    return parts


def _tokens(text: str) -> list[Token]:
    return [
        Token(str(found.lastgroup), found[found.lastgroup], found.start(found.lastgroup) + 1)
        for found in TOKEN_PATTERN.finditer(text)
        if found.lastgroup
    ]


def _got(token: Token) -> str:
    return token.text if token.kind == "end" else f"'{token.text[:40]}'"


def _steps(kinds: ObjectTypes, kind: ObjectType, name: Token) -> Steps | Mistake:
    if name.kind != "word" or not name.text:
        return Mistake(name.column, f"expected a property of {kind.name}; got {_got(name)}")
    steps = kinds.steps(kind, name.text)
    if steps:
        return steps
    detail = f"'{name.text[:80]}' is not a property of {kind.name}."
    return _unknown(name.column, detail, name.text.rpartition("->")[2], kind.members.values())


def _unknown(column: int, detail: str, given: str, known: Iterable[str]) -> Mistake:
    """Return the mistake of an unknown word, with the closest known one."""
    hint = closest(given, known)
    return (
        Mistake(column, f"{detail.rstrip('.')}. Did you mean '{hint}'?", given[:80], hint)
        if hint
        else Mistake(column, detail)
    )


def _condition(
    kinds: ObjectTypes, kind: ObjectType, name: Token, operator: Token, literal: Token
) -> Condition | Mistake:
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
    unfit = _operator_fault(word, wanted, value)
    return Mistake(operator.column, unfit) if unfit else Condition(steps, word, value)


def _operator_fault(operator: str, wanted: str, value: Literal) -> str:
    """Return why an operator does not fit the type or the value, "" when it does."""
    if operator == "startswith" and (wanted != "string" or value is None):
        return f"startswith compares texts; got {'null' if value is None else f'a property that is a {wanted}'}"
    if operator not in EQUALITY and (value is None or wanted == "boolean"):
        return f"{operator} needs an order, which {'null' if value is None else 'a boolean'} has not; eq and ne do not"
    return ""


def _literal(token: Token, wanted: str) -> Literal | Mistake:
    """Return the value of a literal of the wanted type, or null."""
    if token.kind == "word" and token.text.lower() == "null":
        return None
    read = READERS[wanted].get(token.kind)
    value = Mistake(0, "") if read is None else read(token)
    return (
        Mistake(token.column, f"expected {LITERAL_TEXT[wanted]}; got {_got(token)}")
        if isinstance(value, Mistake)
        else value
    )


def _text(token: Token) -> Literal | Mistake:
    quote, inner = token.text[0], token.text[1:-1]
    return re.sub(
        r"\\u([0-9a-fA-F]{4})|\\(.)|(?:''|\"\")", lambda found: _unescaped(found, quote), inner, flags=re.DOTALL
    )


def _unescaped(found: "re.Match[str]", quote: str) -> str:
    if found[1]:
        return chr(int(found[1], 16))
    return ESCAPES.get(found[2], found[2]) if found[2] else quote if found[0] == quote * 2 else found[0]


def _number_literal(token: Token) -> Literal | Mistake:
    whole = not set(token.text) & set(".eE") and len(token.text) <= MAX_ID_DIGITS
    return int(token.text) if whole else float(token.text)


def _boolean(token: Token) -> Literal | Mistake:
    value = LITERALS.get(token.text.lower())
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
    "number": {"number": _number_literal},
    "integer": {"number": _number_literal, "text": _digits},
    "boolean": {"word": _boolean},
    "instant": {"text": _instant},
}
LITERAL_TEXT: Final = {
    "string": "a text in quotes",
    "number": "a number",
    "integer": "a number",
    "boolean": "true or false",
    "instant": "an instant in quotes, such as '2026-01-31T00:00:00Z'",
}


Query: TypeAlias = Mapping[str, Sequence[Any]]
Value: TypeAlias = Callable[[Record, Steps], Any]
BAD_ID_TEXT: Final = "The id must be a number from 0 to 9223372036854775807."
DEFAULT_TOP: Final = 50
QUERY_PARSERS: Final[Mapping[str, Callable[[ObjectTypes, ObjectType, str], Sequence[Any] | Mistake]]] = {
    "$filter": read_filter,
    "$orderby": read_order,
    "$select": read_select,
}
COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "eq": eq,
    "ne": ne,
    "gt": gt,
    "ge": ge,
    "lt": lt,
    "le": le,
    "startswith": str.startswith,
}


def read(context: RequestContext) -> Response:
    """Return one record, or 404."""
    kind, key = kind_of(context), key_of(context.variables["id"])
    if key is None:
        return invalid(context, "id", BAD_ID_TEXT)
    record = data_set(context).get(kind, key)
    if record is None:
        return not_found(kind.name, key)
    return json_response(context, 200, with_links(context, kind, [entity(kind, record)])[0])


def batch_get(context: RequestContext) -> Response:
    """Return the records of a list of ids: unknown ids are left out, repeated ones repeated."""
    kind, data = kind_of(context), data_set(context)
    keys = [key_of(one.strip()) for one in context.variables["ids"].split(",")]
    known = [key for key in keys if key is not None]
    if len(known) < len(keys):
        return invalid(context, "ids", f"{BAD_ID_TEXT} Several are separated by commas.")
    found = [record for key in known if (record := data.get(kind, key)) is not None]
    return json_response(context, 200, with_links(context, kind, [entity(kind, record) for record in found]))


def list_records(context: RequestContext) -> Response:
    """Return the window of records that the query asks for."""
    kind, data = kind_of(context), data_set(context)
    query = _query(context, data.kinds, kind)
    if isinstance(query, Response):
        return query
    value = partial(data.value, kind)
    window, selected = _window(context, data.scan(kind), query, value), query["$select"]
    if not selected:
        return json_response(context, 200, with_links(context, kind, [entity(kind, record) for record in window]))
    shown = [selection(kind, one, {steps: value(one, steps) for steps in selected}) for one in window]
    return json_response(context, 200, with_links(context, kind, shown))


def _query(context: RequestContext, kinds: ObjectTypes, kind: ObjectType) -> Query | Response:
    """Return the parsed parts of the query, or the refusal of a syntax error."""
    parts: dict[str, Sequence[Any]] = {}
    for name, read_part in QUERY_PARSERS.items():
        given = context.query.get(name)
        part = read_part(kinds, kind, given) if isinstance(given, str) else ()
        if isinstance(part, Mistake):
            end = "" if part.detail.endswith("?") else "."
            detail = f"{name}, column {part.column}: {part.detail.rstrip('.')}{end}"
            return invalid(context, name, detail, got=part.got, hint=part.hint)
        parts[name] = part
    return parts


def _window(context: RequestContext, records: Iterable[Record], query: Query, value: Value) -> Sequence[Record]:
    """Return the records of the query: filtered, ordered (ties by id), paged."""
    begin = _number(context, "$skip", 0)
    end = begin + _number(context, "$top", DEFAULT_TOP)
    if query["$filter"]:
        records = [one for one in records if all(_matches(value(one, test.steps), test) for test in query["$filter"])]
    if not query["$orderby"]:
        return nsmallest(end, records, key=attrgetter("key"))[begin:]
    found = sorted(records, key=attrgetter("key"))
    for steps, descending in reversed(query["$orderby"]):
        found.sort(key=partial(_sort_key, value, steps), reverse=descending)
    return found[begin:end]


def _sort_key(value: Value, steps: Steps, record: Record) -> tuple[Any, ...]:
    """Return the sort key of a record: null before any value."""
    found = value(record, steps)
    return (False,) if found is None else (True, found)


def _matches(stored: Any, test: Condition) -> bool:
    if stored is None or test.value is None:
        return test.operator in EQUALITY and COMPARE[test.operator](stored, test.value)
    return COMPARE[test.operator](stored, test.value)


def _number(context: RequestContext, name: str, default: int) -> int:
    given = context.query.get(name)
    return given if isinstance(given, int) else default
