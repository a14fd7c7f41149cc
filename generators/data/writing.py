"""Data for an API, written as it is made: items of a bulk operation, bodies of another, records, values of a schema."""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, Literal, TextIO, TypeAlias

from contracts.errors import MisuseError
from contracts.model import Contract
from generators.data.columns import REST, write_rows
from generators.data.naming import subject_of
from generators.data.subject import Row, Subject

Form: TypeAlias = Literal["json", "ndjson", "csv"]

TRIED: Final = 32  # values looked at before one says that nothing can be broken


def write_data(
    contract: Contract,
    name: str,
    out: TextIO,
    *,
    n: int,
    seed: int = 0,
    invalid: float = 0.0,
    form: Form = "json",
    given: Mapping[str, str] | None = None,
    labels: TextIO | None = None,
) -> None:
    """Write `n` values to `out`, one at a time, the same for the same arguments.

    `name` is an operationId, a resource, or a schema. `invalid` is the share of values of which one keyword is broken;
    `labels` gets a line of JSON for each of them: its number, the keyword, the pointer, and what is wrong. JSON is the
    request's body for a bulk operation, an array for others; NDJSON has one value on a line, CSV one in a row. `given`
    are values of parameters by name. Raises MisuseError, and UnsatisfiableError for a schema that no value fits.
    """
    subject = subject_of(contract, name, given or {})
    if invalid:
        _check_breakable(subject, seed)
    rows = islice(subject.rows(seed, invalid), n)
    WRITERS[form](subject, rows if labels is None else _labelled(rows, labels), out, invalid > 0)


def _check_breakable(subject: Subject, seed: int) -> None:
    if all(row.mutation is None for row in islice(subject.rows(seed, 1.0), TRIED)):
        raise MisuseError(f"{subject.name} has no keyword that can be violated.", cure="Remove --invalid.")


def _labelled(rows: Iterable[Row], labels: TextIO) -> Iterator[Row]:
    for n, row in enumerate(rows):
        if row.mutation is not None:
            said = {"keyword": row.mutation.keyword, "pointer": row.mutation.pointer, "says": row.mutation.says}
            labels.write(f"{dumped({'value': n, **said})}\n")
        yield row


def dumped(value: Any) -> str:
    """Return a value as JSON on one line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _write_json(subject: Subject, rows: Iterable[Row], out: TextIO, _: bool) -> None:  # noqa: FBT001 - one of a table
    before, after = subject.around()
    opening, closing = "{}" if subject.named else "[]"
    out.write(f"{before}{opening}")
    for n, row in enumerate(rows):
        text = f"{dumped(row.name)}:{dumped(row.value)}" if subject.named else dumped(row.value)
        out.write(f",\n{text}" if n else text)
    out.write(f"{closing}{after}\n")


def _write_lines(_: Subject, rows: Iterable[Row], out: TextIO, __: bool) -> None:  # noqa: FBT001 - the same
    out.writelines(f"{dumped(row.value)}\n" for row in rows)


def _write_table(subject: Subject, rows: Iterable[Row], out: TextIO, broken: bool) -> None:  # noqa: FBT001 - the same
    columns = [*subject.columns, *((REST,) if broken or not subject.columns else ())]
    write_rows((row.value for row in rows), columns, out)


WRITERS: Final = {"json": _write_json, "ndjson": _write_lines, "csv": _write_table}
