"""Values as rows of a table: a column for each declared member, JSON where a cell holds more than a word."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TextIO

import orjson

from contracts.errors import MisuseError
from contracts.schemas import Schema

DEEP: Final = 4  # members of members are columns of their own so far down
REST: Final = "*"
"""The column for what is not declared: members as JSON, or a whole value that is no object."""


def columns_of(
    schema: Schema | None, inner: Mapping[str, Schema], *, deep: int = DEEP, above: str = ""
) -> Iterator[str]:
    """Yield the columns of a schema's objects, `a.b` for a member of a member.

    `inner` are the schemas of members by column where they are another than the schema itself says.
    """
    for name, member in (schema.members() if schema is not None else {}).items():
        column = f"{above}{name}"
        nested = inner.get(column, member)
        further = list(columns_of(nested, inner, deep=deep - 1, above=f"{column}.")) if deep > 1 else []
        yield from further if further and nested.raw.get("type", "object") == "object" else (column,)


def write_rows(values: Iterable[object], columns: list[str], out: TextIO) -> None:
    """Write values as comma-separated rows under a header.

    An absent member and null are an empty cell; text stands as it is, all else as JSON. Raises MisuseError for a value
    that the columns have no place for, unless one of them is `*`.
    """
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for n, value in enumerate(values):
        cells, rest = _split(value, set(columns), "")
        if rest and REST not in columns:
            fact = f"value {n} has '{next(iter(rest))}', which is not a column."
            raise MisuseError(fact, cure="Use --format ndjson.")
        cells[REST] = _cell(value if not isinstance(value, dict) else rest or None)
        writer.writerow([cells.get(column, "") for column in columns])


def _split(value: object, columns: set[str], above: str) -> tuple[dict[str, str], dict[str, object]]:
    """Return the cells of an object by column, and the members that have no column."""
    cells: dict[str, str] = {}
    rest: dict[str, object] = {}
    for name, one in value.items() if isinstance(value, dict) else ():
        column = f"{above}{name}"
        if column in columns:
            cells[column] = _cell(one)
        elif isinstance(one, dict) and any(other.startswith(f"{column}.") for other in columns):
            inner, left = _split(one, columns, f"{column}.")
            cells |= inner
            rest |= {f"{name}.{key}": member for key, member in left.items()}
        else:
            rest[name] = one
    return cells, rest


def _cell(value: object) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return orjson.dumps(value).decode()
