"""Sources of endless rows of data (`DataSource`), and CSV rows of JSON values (`write_rows`, RFC 4180)."""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from random import Random
from typing import Final, NamedTuple, TextIO, TypeAlias

import orjson

from contracts.errors import MisuseError
from contracts.openapi.model import Contract
from contracts.schemas.schema_set import Schema
from generators.data.mutation import Mutation
from generators.requests.envelope import OperationSpec
from generators.requests.known_records import KnownRecords, record_context

VALUES_PER_SEED: Final = 64  # values of one block


class DataRow(NamedTuple):
    """One value, its name where values are named, and its mutation, None when it is valid."""

    value: object
    name: str = ""
    mutation: Mutation | None = None


Rows: TypeAlias = Callable[[int, float], Iterator[DataRow]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource:
    """A source of data.

    `rows` yields an endless sequence of rows for a seed and a share (0 to 1) of invalid ones. `around` returns the text
    before and after the values in a JSON document of them; `named` values are members of an object, others elements of
    an array.
    """

    name: str
    rows: Rows
    columns: tuple[str, ...]
    named: bool = False
    around: Callable[[], tuple[str, str]] = field(default=lambda: ("", ""))


MAX_COLUMN_DEPTH: Final = 4  # levels of nested members with columns of their own
REST_COLUMN: Final = "*"
"""The column for undeclared data: members as JSON, or a whole value that is not an object."""


def columns_of(
    schema: Schema | None, inner: Mapping[str, Schema], *, deep: int = MAX_COLUMN_DEPTH, above: str = ""
) -> Iterator[str]:
    """Yield the columns of a schema's objects, `a.b` for a member of a member.

    `inner` are schemas of members by column, in place of those in the schema itself.
    """
    for name, member in (schema.members() if schema is not None else {}).items():
        column = f"{above}{name}"
        nested = inner.get(column, member)
        further = list(columns_of(nested, inner, deep=deep - 1, above=f"{column}.")) if deep > 1 else []
        yield from further if further and nested.raw.get("type", "object") == "object" else (column,)


def write_rows(values: Iterable[object], columns: list[str], out: TextIO) -> None:
    """Write values as CSV rows under a header.

    An absent member and null are an empty cell; strings are written as they are, all else as JSON. Raises MisuseError
    for a member without a column, unless one of the columns is `*`.
    """
    writer, quoting = csv.writer(out, lineterminator="\n"), csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(columns)
    for n, value in enumerate(values):
        cells, rest = _split(value, set(columns), "")
        if rest and REST_COLUMN not in columns:
            fact = f"value {n} has '{next(iter(rest))}', which is not a column."
            raise MisuseError(fact, cure="Use --format ndjson.")
        cells[REST_COLUMN] = _cell(value if not isinstance(value, dict) else rest or None)
        row = [cells.get(column, "") for column in columns]
        (quoting if any("\r" in cell for cell in row) else writer).writerow(row)  # a minimal one leaves CR as it is


def _split(value: object, columns: set[str], above: str) -> tuple[dict[str, str], dict[str, object]]:
    """Return the cells of an object by column, and the members without a column."""
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


MAX_REFERENCED_RECORDS: Final = 10  # as many as the default of `--number`
STORED_RECORD_ACTIONS: Final = frozenset(("delete", "replace", "update"))


def referenced_resources(contract: Contract, name: str, seen: tuple[str, ...] = ()) -> list[str]:
    """Return the resources that one refers to, directly or not, each after those that it refers to itself.

    Resources with keys made by the server are omitted: their keys are not known in advance.
    """
    found: list[str] = []
    resource = contract.resources.get(name)
    for other in resource.references.values() if resource is not None else ():
        named = contract.resources.get(other)
        if named is not None and not named.assigned and other not in seen and other != name:
            found += [one for one in (*referenced_resources(contract, other, (*seen, name)), other) if one not in found]
    return found


def add_stored_records(
    known: KnownRecords, name: str, records: Iterable[tuple[object, Mapping[str, object] | None]]
) -> None:
    """Record the first `MAX_REFERENCED_RECORDS` records of a resource as stored, so that others can refer to them."""
    for key, values in islice(records, MAX_REFERENCED_RECORDS):
        if isinstance(key, str | int):
            known.put(name, key, values=values or {})


def with_assumed_records(known: KnownRecords, design: OperationSpec, block: str) -> KnownRecords:
    """Return the known records together with assumed ones, for items that change or delete a record."""
    if not {word.meaning for word in design.actions} & STORED_RECORD_ACTIONS:
        return known
    more = KnownRecords(design.contract.resources)
    for name in design.contract.resources:
        add_stored_records(more, name, ((one.key, one.values) for one in known.live(name)))
    for name, maker in design.makers.items():
        making = record_context(Random(f"{name}/{block}"), known)
        for _ in range(VALUES_PER_SEED):
            more.put(name, maker.absent_key(making), version=1)
    return more
