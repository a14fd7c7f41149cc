"""The parts of On Key's query language that lists take: conditions, orders, selections."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

from onkey_records import Records
from onkey_types import TYPES, WRONG, Record, Refused, Type, malformed

PATH = r"(?:[A-Za-z]+->)?[A-Za-z]+(?:_[A-Za-z]+)*"
LITERAL = r"'(?:[^']|'')*'|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null"
CONDITION = re.compile(rf"\s*({PATH})\s+(eq|ne|gt|ge|lt|le|startswith)\s+({LITERAL})\s*", re.IGNORECASE)
ORDER = re.compile(rf"\s*({PATH})(?:\s+(asc|desc))?\s*", re.IGNORECASE)
WORDS = {"true": True, "false": False, "null": None}
ORDERS = {"gt": operator.gt, "ge": operator.ge, "lt": operator.lt, "le": operator.le}

Row = Callable[[Record], Any]
Condition = Callable[[Record], bool]


def steps(type_: Type, path: str, name: str) -> str:
    """Give the member that a path is shown as, or refuse it."""
    first, joined, rest = path.rpartition("->")[2].partition("_")
    if not joined:
        plain = {n.lower(): n for n in (*type_.properties, "createdOn", "modifiedOn")}
        if first.lower() in plain:
            return plain[first.lower()]
    elif (link := type_.find(f"{first}Id")) and (target := type_.properties[link].target):
        tail = steps(TYPES[target], rest, name)
        return f"{link[:-2]}{tail[0].upper()}{tail[1:]}"
    raise Refused(400, [malformed(f"{path} is no property of {type_.name}", name)])


def reader(records: Records, type_: Type, path: str, name: str) -> Row:
    """Make what reads a path of a record; id and version are paths here, too."""
    if path.lower() in ("id", "version"):
        return operator.attrgetter(path.lower())
    steps(type_, path, name)
    entity = path.rpartition("->")[0]
    if entity and entity.lower() != type_.name.lower():
        raise Refused(400, [malformed(f"{path} is no property of {type_.name}", name)])
    return lambda record: records.at(record, path)


Has = Callable[[str], bool]


def literal(text: str, has: Has) -> Any:
    """Read a literal."""
    if text.startswith("'"):
        return text[1:-1] if has("filter-quote") else text[1:-1].replace("''", "'")
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    return float(text) if re.search(r"[.eE]", text) else int(text)


def holds(word: str, value: Any, wanted: Any) -> bool:
    """Say whether a comparison holds; values of two kinds are never in an order."""
    alike = isinstance(value, str) == isinstance(wanted, str) and isinstance(value, bool) == isinstance(wanted, bool)
    if word in ("eq", "ne"):
        return (alike and value is not WRONG and value == wanted) == (word == "eq")
    if not alike or value is None or wanted is None:
        return False
    return value.startswith(wanted) if word == "startswith" else bool(ORDERS[word](value, wanted))


def blurred(value: Any, has: Has) -> Any:
    """Give what the mistaken ones compare in place of a text."""
    if not isinstance(value, str):
        return value
    if has("filter-ascii"):
        value = value.encode("ascii", "ignore").decode()
    return value.lower() if has("filter-folded") else value


def condition(row: Row, word: str, wanted: Any, has: Has) -> Condition:
    """Make one condition."""
    if word == "eq" and wanted is None and has("filter-null"):
        return lambda _: False
    if word == "ge" and has("filter-ge"):
        word = "gt"
    if word == "eq" and isinstance(wanted, str) and has("filter-prefix"):
        word = "startswith"
    return lambda record: holds(word, blurred(row(record), has), blurred(wanted, has))


def fits(record: Record, tests: list[Condition], has: Has) -> bool:
    """Say whether a record is to be listed."""
    if has("filter-any"):
        return any(test(record) for test in tests)
    return all(test(record) for test in (tests[:1] if has("filter-first") else tests))


def conditions(records: Records, type_: Type, text: str, has: Has) -> list[Condition]:
    """Read a filter."""
    found: list[Condition] = []
    at = 0
    while True:
        match = CONDITION.match(text, at)
        if not match:
            raise Refused(400, [malformed(f"The filter is not understood from character {at + 1} on", "$filter")])
        row, word, wanted = reader(records, type_, match[1], "$filter"), match[2].lower(), literal(match[3], has)
        if word == "startswith" and not isinstance(wanted, str):
            raise Refused(400, [malformed("startswith takes a text", "$filter")])
        found.append(condition(row, word, wanted, has))
        at = match.end()
        if at == len(text):
            return found
        if not (joined := re.compile(r"and\s", re.IGNORECASE).match(text, at)):
            raise Refused(400, [malformed(f"The filter is not understood from character {at + 1} on", "$filter")])
        at = joined.end()


def ordered(records: Records, type_: Type, text: str, rows: list[Record], has: Has) -> list[Record]:
    """Put records in the order that a list asks for; nothing comes before something."""
    parts = text.split(",")
    for part in reversed(parts[:1] if has("second-key-ignored") else parts):
        match = ORDER.fullmatch(part)
        if not match:
            raise Refused(400, [malformed(f"{part.strip() or 'An empty path'} is no order", "$orderby")])
        row = reader(records, type_, match[1], "$orderby")
        descending = (match[2] or "").lower() == "desc" and not has("desc-ignored")
        rows.sort(key=sorter(row, as_text=has("order-as-text")), reverse=descending)
    return rows


def sorter(row: Row, *, as_text: bool) -> Row:
    """Make what records are sorted by."""
    if as_text:
        return lambda record: sortable(None if row(record) is None else str(row(record)))
    return lambda record: sortable(row(record))


def sortable(value: Any) -> tuple[int, Any]:
    """Make a value comparable with nothing."""
    return (0, 0) if value is None else (1, value)


def selected(records: Records, type_: Type, text: str) -> dict[str, Row]:
    """Read a selection: the members to show, and what reads each."""
    paths = [part.strip() for part in text.split(",")]
    return {steps(type_, path, "$select"): reader(records, type_, path, "$select") for path in paths}
