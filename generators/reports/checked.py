"""A run of checks as a report: a row for each law and operation, and one for each finding where a law is broken."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from generators.checks import conformance, differential, examples
from generators.checks.findings import Answer, Finding
from generators.checks.selection import EVERY
from generators.reports.exchanges import told
from generators.reports.model import Report, Row, Status
from generators.thesis import coverage

SAYS: Mapping[str, str] = {
    examples.CHECK: "The contract's examples are accepted.",
    conformance.CHECK: conformance.SAYS,
    differential.CHECK: differential.SAYS,
    coverage.CHECK: coverage.SAYS,
    **{law.name: law.says for law in EVERY},
}


def checked(
    title: str,
    answers: Iterable[Answer],
    *,
    version: str,
    base: str = "",
    facts: Sequence[tuple[str, str]] = (),
    known: frozenset[str] = frozenset(),
) -> Report:
    """Return what a run of checks came to, by operation. `known` are the fingerprints of accepted findings."""
    ordered = _by_operation(answers)
    rows = tuple(row for one in ordered for row in _rows(one, base, known))
    return Report(title=title, version=version, rows=rows, facts=tuple(facts))


def _by_operation(answers: Iterable[Answer]) -> list[Answer]:
    place = {name: n for n, name in enumerate(SAYS)}
    groups: dict[str, list[Answer]] = {}
    for one in answers:
        groups.setdefault(one.operation, []).append(one)
    return [one for group in groups.values() for one in sorted(group, key=lambda one: place.get(one.law, len(place)))]


def _rows(answer: Answer, base: str, known: frozenset[str]) -> Iterator[Row]:
    says = SAYS.get(answer.law, "")
    if not answer.findings:
        yield Row(id=answer.law, group=answer.operation, says=says, status=answer.word, detail=_sentence(answer.reason))
    for one in answer.findings:
        yield _broken(one, says, base, known)


def _broken(finding: Finding, says: str, base: str, known: frozenset[str]) -> Row:
    status: Status = "known" if finding.fingerprint in known else "failed"
    return Row(
        id=f"{finding.law}: {finding.shape}",
        group=finding.operation,
        says=says,
        status=status,
        detail=finding.says,
        evidence=tuple(told(one, base) for one in finding.evidence),
        fingerprint=finding.fingerprint,
    )


def _sentence(reason: str) -> str:
    return f"{reason[0].upper()}{reason[1:].rstrip('.')}." if reason else ""
