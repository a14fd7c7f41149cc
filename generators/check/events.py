"""The events of a check, in the order in which they happen: it begins, steps, results, findings, its end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from generators.oracles.findings import CheckResult, Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The check begins: the contract's title, its operations with `x-bulk`, and the checks to be reported."""

    contract: str
    version: str
    operations: tuple[str, ...]
    checks: tuple[str, ...]
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LawAnswered:
    """The result of one check on one operation."""

    answer: CheckResult


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingFound:
    """A finding; emitted once per fingerprint, as soon as it is known."""

    finding: Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class StepBegun:
    """The check begins to do something, such as `isolated on createBooks`; `calls` were sent until then."""

    doing: str
    calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The check has ended. `words` counts results by status, `calls` requests, `items` items; `seconds` are real."""

    words: Mapping[str, int]
    findings: tuple[Finding, ...]
    calls: int
    items: int
    seconds: float


Event: TypeAlias = Started | StepBegun | LawAnswered | FindingFound | Finished
