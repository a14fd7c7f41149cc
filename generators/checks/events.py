"""What a run of checks tells while it runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from generators.checks.findings import Answer, Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """Checking begins: the contract's title, its operations with `x-bulk`, and the checks that will be answered."""

    contract: str
    version: str
    operations: tuple[str, ...]
    checks: tuple[str, ...]
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LawAnswered:
    """One check is answered for one operation."""

    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingFound:
    """Something was found; told once for each fingerprint, as soon as it is known."""

    finding: Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """Checking has ended. `words` counts the answers, `calls` and `items` what was sent, `seconds` are real."""

    words: Mapping[str, int]
    findings: tuple[Finding, ...]
    calls: int
    items: int
    seconds: float


Event: TypeAlias = Started | LawAnswered | FindingFound | Finished
