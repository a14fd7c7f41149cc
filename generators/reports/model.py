"""What is reported: rows, each a law or a check with what became of it, whoever has judged."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Status: TypeAlias = Literal["passed", "failed", "flaky", "known", "not-run", "not-applicable"]
Evidence: TypeAlias = int | str

WORDS: Final[Mapping[Status, str]] = {
    "passed": "passed",
    "failed": "failed",
    "flaky": "flaky",
    "known": "known",
    "not-run": "not run",
    "not-applicable": "not applicable",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One law or check. `group` is what was judged by it: an API, or an operation.

    `detail` is one sentence. `evidence` are the numbers of exchanges, or texts of any number of lines. `known` is a
    breach that was accepted before, `flaky` one that was seen once and did not show when it was tried again.
    `fingerprint` is the same whenever the same is found again. `cause` is the fingerprint of another row that has the
    same root cause and stands for it, "" when it stands for itself.
    """

    id: str
    group: str
    says: str
    status: Status
    detail: str = ""
    evidence: tuple[Evidence, ...] = ()
    fingerprint: str = ""
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Rows in the order in which they are to be read. `facts` are names and values that stand above them."""

    title: str
    version: str
    rows: tuple[Row, ...]
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def counts(self) -> Mapping[Status, int]:
        """Return how many rows have each status, those that none has left out, in the order of `WORDS`."""
        found = Counter(row.status for row in self.rows)
        return {status: found[status] for status in WORDS if status in found}

    @property
    def groups(self) -> Mapping[str, tuple[Row, ...]]:
        """Return the rows by group, in the order in which groups first occur."""
        found: dict[str, list[Row]] = {}
        for row in self.rows:
            found.setdefault(row.group, []).append(row)
        return {name: tuple(rows) for name, rows in found.items()}


def summary(report: Report) -> str:
    """Return the counts in words: `1 failed, 3 passed, 2 not run`."""
    return counted(report.rows) or "nothing judged"


def counted(rows: Iterable[Row]) -> str:
    """Return how many rows have each status, broken ones first; "" for none."""
    counts = Counter(row.status for row in rows)
    ordered = sorted(counts, key=lambda status: (status != "failed", [*WORDS].index(status)))
    return ", ".join(f"{counts[status]} {WORDS[status]}" for status in ordered)


def shown(evidence: Evidence) -> str:
    """Return evidence as text; the number of an exchange is `#7`."""
    return f"#{evidence}" if isinstance(evidence, int) else evidence
