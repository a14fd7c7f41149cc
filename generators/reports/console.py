"""A report as a table on the terminal (`table`), and as files in the formats of `WRITERS` (`write_files`)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from textwrap import wrap
from typing import Any, Final

from contracts.errors import MisuseError
from contracts.syntax.text import clipped
from generators.reports.html import html_page
from generators.reports.junit_sarif import junit_xml, sarif_log
from generators.reports.model import (
    STATUS_TEXTS,
    Report,
    Row,
    counts_text,
    evidence_text,
    json_lines,
    sources_text,
    summary_text,
)

ANSI_COLOURS: Final[Mapping[str, str]] = {
    "passed": "32",
    "failed": "1;31",
    "warning": "33",
    "flaky": "35",
    "known": "2",
    "not-run": "2",
    "not-applicable": "2",
}
MAX_NAME_COLUMNS: Final = 32  # of the name column; the detail of a longer name begins on the next line
DETAIL_INDENT: Final = 4  # of what stands below a finding
MIN_DETAIL_COLUMNS: Final = 20  # of the detail column, however narrow the terminal is
DETAILED_STATUSES: Final = frozenset(("failed", "warning", "flaky"))  # shown in as many lines as needed
BRIEF_STATUSES: Final = frozenset(("passed", "not-applicable"))
MAX_ROWS_ALIKE: Final = 2  # that were not run for one reason, each in a line of its own
MAX_LISTED_EVIDENCE: Final = 5  # pieces of evidence named in a line, where no calls are told
LABEL_COLUMNS: Final = 10  # of the words that begin the sentences of a finding
WHOLE_WORDS: Final[Mapping[str, Any]] = {"break_long_words": False, "break_on_hyphens": False}  # as addresses are


WRITERS: Final[Mapping[str, Callable[[Report], bytes]]] = {
    "junit": junit_xml,
    "jsonl": json_lines,
    "sarif": sarif_log,
    "html": html_page,
}


def write_files(report: Report, files: Mapping[str, Path | None]) -> None:
    """Write the report in each format for which a file is given, all that can be. Raises MisuseError."""
    faults = []
    for name, write in WRITERS.items():
        path = files[name]
        if path is None:
            continue
        try:
            path.write_bytes(write(report))
        except OSError as error:
            faults.append(f"cannot write {path}: {error.strerror}.")
    if faults:
        raise MisuseError(" ".join(faults), cure="Choose another file.")


def table(report: Report, *, width: int = 100, colour: bool = False, brief: bool = False) -> str:
    """Return the report as lines of at most `width` columns: one per row, several for findings.

    With `brief` rows that passed or do not apply, and those with another row's root cause, are only counted.
    """
    return "\n".join(_lines(report, width, colour, BRIEF_STATUSES if brief else frozenset())) + "\n"


def _lines(report: Report, width: int, colour: bool, quiet: frozenset[str]) -> Iterator[str]:  # noqa: FBT001 - one page, drawn in one way
    yield report.title
    yield from (f"{name}: {value}" for name, value in report.facts)
    loud = [row for row in report.rows if row.status not in quiet]
    state = max((len(STATUS_TEXTS[row.status]) for row in loud), default=0)
    name = max((len(row.id) for row in loud if len(row.id) <= MAX_NAME_COLUMNS), default=0)
    room = max(width - state - name - 6, MIN_DETAIL_COLUMNS)
    longest = max(map(len, report.groups), default=0)
    for n, (group, rows) in enumerate(report.groups.items()):
        if not (n and quiet):
            yield ""
        yield f"{group.ljust(longest)}  {counts_text(rows)}" if quiet else group
        for row in _without_repetition(rows) if quiet else rows:
            if row.status in quiet or (quiet and row.cause):
                continue
            if row.status in DETAILED_STATUSES and row.sentences:
                yield f"  {_coloured(STATUS_TEXTS[row.status].ljust(state), row.status, colour)}  {row.id}"
                room_below = max(width - DETAIL_INDENT, MIN_DETAIL_COLUMNS)
                yield from (f"{'':{DETAIL_INDENT}}{line}" for line in _detail_lines(row, room_below))
                continue
            first, *more = _detail_lines(row, room) if len(row.id) <= name else ["", *_detail_lines(row, room)]
            head = f"  {_coloured(STATUS_TEXTS[row.status].ljust(state), row.status, colour)}  {row.id.ljust(name)}"
            yield f"{head}  {first}".rstrip()
            yield from (f"{'':{state + name + 6}}{line}" for line in more)
    yield ""
    yield from wrap(f"{summary_text(report).capitalize()}. {sources_text(report)}", width)


def _without_repetition(rows: tuple[Row, ...]) -> Iterator[Row]:
    """Yield the rows of a group; those that were not run for one reason are one row, after the others."""
    idle: dict[str, list[Row]] = {}
    for row in rows:
        if row.status == "not-run":
            idle.setdefault(row.detail, []).append(row)
        else:
            yield row
    for some in idle.values():
        many = len(some) > MAX_ROWS_ALIKE
        yield from [replace(some[0], id=f"{len(some)} checks")] if many else some


def _detail_lines(row: Row, room: int) -> list[str]:
    text = row.detail or row.says
    if row.status not in DETAILED_STATUSES:
        return [clipped(" ".join(text.split()), room)]
    named = [clipped(evidence_text(one).partition("\n")[0], 40) for one in row.evidence[:MAX_LISTED_EVIDENCE]]
    rest = f" and {len(row.evidence) - MAX_LISTED_EVIDENCE} more" if len(row.evidence) > MAX_LISTED_EVIDENCE else ""
    lines = wrap(f"{text} [{', '.join(named)}{rest}]" if named and not row.calls else text, room) or [""]
    last = ""
    for label, words in row.sentences:
        head = f"{'' if label == last else label:<{LABEL_COLUMNS}}"
        whole = words.split("\n") if label == "try" else wrap(words, room - LABEL_COLUMNS, **WHOLE_WORDS)
        lines += [f"{head if n == 0 else '':<{LABEL_COLUMNS}}{line}" for n, line in enumerate(whole)]
        last = label
    return lines


def _coloured(text: str, status: str, colour: bool) -> str:  # noqa: FBT001 - one page, drawn in one way
    return f"\x1b[{ANSI_COLOURS[status]}m{text}\x1b[0m" if colour else text
