"""A report: rows, each with the result of a law or check; exchanges as evidence; the JSON Lines format.

Begin with `Report` and `Row`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import orjson

from contracts.openapi.provenance import FactSource
from contracts.syntax.text import listed
from generators.oracles.facts import BrokenFact, fact_sentences

Status: TypeAlias = Literal["passed", "failed", "warning", "flaky", "known", "not-run", "not-applicable"]
Evidence: TypeAlias = int | str

STATUS_TEXTS: Final[Mapping[Status, str]] = {
    "passed": "passed",
    "failed": "failed",
    "warning": "warning",
    "flaky": "flaky",
    "known": "known",
    "not-run": "not run",
    "not-applicable": "not applicable",
}


MAX_CALLS: Final = 4  # of a finding, that are told in words


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The result of one law or check on its `group`: an API or an operation.

    `detail` is one sentence. `evidence` are numbers of exchanges, or texts of any number of lines. The status
    `known` is a violation that a baseline accepts, `flaky` one that replays did not reproduce, `warning` one that
    departs from an assumption alone. `facts` are what it breaks in the contract. `fingerprint` is stable across runs.
    `cause` is the fingerprint of the row with the same root cause, "" for itself. `calls` are what was sent and came
    back, a line each, `command` are the failing calls as curl, a line each, `since` tells when it was first seen.
    """

    id: str
    group: str
    says: str
    status: Status
    detail: str = ""
    evidence: tuple[Evidence, ...] = ()
    fingerprint: str = ""
    cause: str = ""
    facts: tuple[BrokenFact, ...] = ()
    calls: tuple[str, ...] = ()
    command: str = ""
    since: str = ""

    @property
    def sentences(self) -> tuple[tuple[str, str], ...]:
        """The finding in words: what was sent and came back, what was expected, why, since when; and how to try it."""
        shown = [
            *self.calls[:MAX_CALLS],
            *([f"and {len(self.calls) - MAX_CALLS} more"] if len(self.calls) > MAX_CALLS else []),
        ]
        labelled = [
            *(("sent", one) for one in shown),
            ("expected", self.says if self.calls else ""),
            *(("why", sentence) for sentence in fact_sentences(self.facts)),
            ("since", self.since),
            ("try", self.command),
        ]
        return tuple((label, text) for label, text in labelled if text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Rows in reading order. `facts` are names and values shown above them.

    `failure` is the reason why the run ended before its time; its rows are what was found until then. `coverage` counts
    what was exercised, by law, operation and outcome class; empty where that is not counted.
    """

    title: str
    version: str
    rows: tuple[Row, ...]
    facts: tuple[tuple[str, str], ...] = ()
    failure: str = ""
    coverage: Mapping[tuple[str, str, str], int] = field(default_factory=dict)

    @property
    def counts(self) -> Mapping[Status, int]:
        """The number of rows by status in the order of `STATUS_TEXTS`, without zeros."""
        found = Counter(row.status for row in self.rows)
        return {status: found[status] for status in STATUS_TEXTS if status in found}

    @property
    def groups(self) -> Mapping[str, tuple[Row, ...]]:
        """The rows by group, in the order of first occurrence."""
        found: dict[str, list[Row]] = {}
        for row in self.rows:
            found.setdefault(row.group, []).append(row)
        return {name: tuple(rows) for name, rows in found.items()}


def summary_text(report: Report) -> str:
    """Return the counts in words: `1 failed, 3 passed, 2 not run`."""
    return counts_text(report.rows) or "nothing judged"


BREAKING_STATUSES: Final = frozenset(("failed", "warning"))


def sources_text(report: Report) -> str:
    """Return how many facts of each source the findings break, as a sentence; "" without findings.

    A finding that rests on an assumption counts for that, whatever else it rests on; known and flaky ones do not count.
    What several operations declare alike is one fact.
    """
    broken: dict[str, set[tuple[str, ...]]] = {"http": set(), "stated": set(), "assumed": set(), "own": set()}
    for row in report.rows:
        if row.status in BREAKING_STATUSES and row.facts:
            assumed = [one for one in row.facts if one.assumed]
            for one in assumed or row.facts:
                kind = "http" if one.is_of_http else "own" if one.source is None else "assumed" if assumed else "stated"
                told = one.source or FactSource(says="stated")
                broken[kind].add((one.place.partition(" of ")[0], told.says, told.page, told.note))
    if not any(broken.values()):
        return ""
    said = [_counted(len(broken["http"]), "rule", "of HTTP")] if broken["http"] else []
    said += [_counted(len(broken["own"]), "statement", "of the document")] if broken["own"] else []
    if broken["stated"] or broken["assumed"]:
        said.append(_counted(len(broken["stated"]), "statement", "of the vendor"))
    departs = (
        f", departs from {len(broken['assumed'])} of our assumptions" if broken["stated"] or broken["assumed"] else ""
    )
    return f"Breaks {listed(said)}{departs}."


def _counted(number: int, noun: str, of: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'} {of}"


def counts_text(rows: Iterable[Row]) -> str:
    """Return the number of rows by status, failed ones first; "" for no rows."""
    counts = Counter(row.status for row in rows)
    ordered = sorted(counts, key=lambda status: (status not in BREAKING_STATUSES, [*STATUS_TEXTS].index(status)))
    return ", ".join(f"{counts[status]} {_status_text(status, counts[status])}" for status in ordered)


def _status_text(status: Status, number: int) -> str:
    return f"{STATUS_TEXTS[status]}s" if status == "warning" and number > 1 else STATUS_TEXTS[status]


def evidence_text(evidence: Evidence) -> str:
    """Return evidence as text; the number of an exchange is `#7`."""
    return f"#{evidence}" if isinstance(evidence, int) else evidence


ROW_FIELDS: Final = (
    *("group", "says", "status", "detail", "evidence", "fingerprint", "cause", "calls", "command", "since"),
)


def json_lines(report: Report) -> bytes:
    """Return one JSON object per line: first the report's title and counts, then each row."""
    head: dict[str, Any] = {
        "report": report.title,
        "version": report.version,
        "facts": dict(report.facts),
        "counts": report.counts,
    }
    head |= {"error": report.failure} if report.failure else {}
    head |= {"coverage": _coverage(report)} if report.coverage else {}
    head |= {"summary": f"{summary_text(report)}. {sources_text(report)}".strip()}
    rows = ({"row": row.id, **{name: getattr(row, name) for name in ROW_FIELDS}, **_breaks(row)} for row in report.rows)
    return b"".join(orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE) for one in (head, *rows))


def _coverage(report: Report) -> list[dict[str, str | int]]:
    """Return how often each law was exercised on each operation with each outcome class, as JSON."""
    names = ("law", "operation", "outcome")
    return [{**dict(zip(names, cell, strict=True)), "times": n} for cell, n in sorted(report.coverage.items())]


def _breaks(row: Row) -> dict[str, list[dict[str, str]]]:
    """Return the facts that a row breaks as JSON."""
    return {"breaks": [fact_json(one) for one in row.facts]}


def fact_json(fact: BrokenFact) -> dict[str, str]:
    """Return a fact as a JSON object; what no source is named for, the document itself states."""
    told = fact.source or FactSource(says="stated")
    return {"place": fact.place, "says": told.says, "page": told.page, "note": told.note}
