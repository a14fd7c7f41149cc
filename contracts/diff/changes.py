"""A change between two versions of a contract, and how bad it is for a client of the old one."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from contracts.messages import ABSENT

Severity: TypeAlias = Literal["error", "warning", "info"]
Direction: TypeAlias = Literal["request", "response"]
Proof: TypeAlias = Literal["rule", "containment", "witness"]
SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "info")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change.

    `error` breaks clients, `warning` may break some, `info` breaks none. `operation` is `POST /pets`, or "" for the
    contract as a whole; `place` is where in it; `schema` is the schema in which it is; `also` are other operations and
    places for which the same is true. `witness` is a value that one version takes and the other does not: a body, a
    parameter, a header.
    """

    rule: str
    severity: Severity
    operation: str
    place: str
    says: str
    proof: Proof = "rule"
    witness: object = ABSENT
    schema: str = ""
    also: tuple[str, ...] = ()

    @property
    def direction(self) -> str:
        """Return `request`, `response`, or "" when it is neither."""
        head = self.rule.partition("-")[0]
        return head if head in {"request", "response"} else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """All changes, worst first, and what was compared: title and version of either side."""

    old: tuple[str, str]
    new: tuple[str, str]
    changes: tuple[Change, ...]

    @property
    def counts(self) -> Mapping[Severity, int]:
        """Return how many changes of each severity there are."""
        found = Counter(one.severity for one in self.changes)
        return {severity: found[severity] for severity in SEVERITIES}

    def at_least(self, severity: Severity) -> tuple[Change, ...]:
        """Return the changes that are as bad as `severity`, or worse."""
        worst = SEVERITIES[: SEVERITIES.index(severity) + 1]
        return tuple(one for one in self.changes if one.severity in worst)
