"""Making laws that judge any history out of what they say of one bulk call."""

from collections.abc import Callable, Iterator

from contracts.model import Contract, Operation
from generators.checks.findings import Finding, History, Judge
from generators.checks.views import View, views


def judging(law: Callable[[View], Iterator[Finding]]) -> Judge:
    """Return a judge that holds every bulk call of a history to `law`; each finding is told once."""

    def judge(history: History, contract: Contract) -> tuple[Finding, ...]:
        found: dict[str, Finding] = {}
        for view in views(history, contract):
            for finding in law(view):
                found.setdefault(finding.fingerprint, finding)
        return tuple(found.values())

    return judge


def seeing(concerns: Callable[[View], bool]) -> Callable[[History, Contract, Operation], bool]:
    """Return what says whether a history has a call of an operation that a law has something to say of."""

    def exercises(history: History, contract: Contract, operation: Operation) -> bool:
        return any(map(concerns, views(history, contract, operation=operation.id)))

    return exercises
