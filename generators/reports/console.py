"""A report as a table for a terminal."""

from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Final

from contracts.texts import clipped
from generators.reports.model import WORDS, Report, Row, counted, shown, summary

COLOURS: Final[Mapping[str, str]] = {
    "passed": "32",
    "failed": "1;31",
    "flaky": "35",
    "known": "33",
    "not-run": "2",
    "not-applicable": "2",
}
WIDEST: Final = 32  # columns of the names; what is told of a longer one begins in the next line
NARROWEST: Final = 20  # columns that a detail has at least, however narrow the terminal is
TOLD: Final = frozenset(("failed", "flaky"))  # what is told in as many lines as it takes
QUIET: Final = frozenset(("passed", "not-applicable"))
LISTED: Final = 5  # pieces of evidence named in a line


def table(report: Report, *, width: int = 100, colour: bool = False, brief: bool = False) -> str:
    """Return the report as lines of at most `width` columns: one for each row, as many as it takes for findings.

    With `brief` rows that are kept or do not apply are only counted, in the line of their group, and so are those that
    have the root cause of another row.
    """
    return "\n".join(_lines(report, width, colour, QUIET if brief else frozenset())) + "\n"


def _lines(report: Report, width: int, colour: bool, quiet: frozenset[str]) -> Iterator[str]:  # noqa: FBT001 - one page, drawn in one way
    yield report.title
    yield from (f"{name}: {value}" for name, value in report.facts)
    loud = [row for row in report.rows if row.status not in quiet]
    state = max((len(WORDS[row.status]) for row in loud), default=0)
    name = max((len(row.id) for row in loud if len(row.id) <= WIDEST), default=0)
    room = max(width - state - name - 6, NARROWEST)
    longest = max(map(len, report.groups), default=0)
    for n, (group, rows) in enumerate(report.groups.items()):
        if not (n and quiet):
            yield ""
        yield f"{group.ljust(longest)}  {counted(rows)}" if quiet else group
        for row in rows:
            if row.status in quiet or (quiet and row.cause):
                continue
            first, *more = _told(row, room) if len(row.id) <= name else ["", *_told(row, room)]
            head = f"  {_painted(WORDS[row.status].ljust(state), row.status, colour)}  {row.id.ljust(name)}"
            yield f"{head}  {first}".rstrip()
            yield from (f"{'':{state + name + 6}}{line}" for line in more)
    yield ""
    yield from wrap(summary(report).capitalize() + ".", width)


def _told(row: Row, room: int) -> list[str]:
    text = row.detail or row.says
    if row.status not in TOLD:
        return [clipped(" ".join(text.split()), room)]
    named = [clipped(shown(one).partition("\n")[0], 40) for one in row.evidence[:LISTED]]
    rest = f" and {len(row.evidence) - LISTED} more" if len(row.evidence) > LISTED else ""
    return wrap(f"{text} [{', '.join(named)}{rest}]" if named else text, room) or [""]


def _painted(text: str, status: str, colour: bool) -> str:  # noqa: FBT001 - one page, drawn in one way
    return f"\x1b[{COLOURS[status]}m{text}\x1b[0m" if colour else text
