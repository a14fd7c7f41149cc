"""Reports of a check and of a campaign: a row for each law and operation, or for each of their findings.

Begin with `check_report` and `campaign_report`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from contracts.openapi.model import Contract
from generators.check import warm_up
from generators.check.laws.catalogue import ALL_LAWS
from generators.fuzz.progress import CampaignState
from generators.oracles import reference_model, response_laws
from generators.oracles.facts import Assumptions, FactFinder
from generators.oracles.findings import CheckResult, Finding, is_accepted
from generators.oracles.outcome_oracle import CHECK as VERDICT
from generators.oracles.outcome_oracle import STATEMENT as VERDICT_SAYS
from generators.oracles.read_oracle import CHECK as READ_BACK
from generators.oracles.read_oracle import STATEMENT as READ_BACK_SAYS
from generators.reports.model import Report, Row, Status, exchange_text
from generators.schemathesis_engine import coverage
from generators.triage.script import RequestStep, Step
from generators.triage.stored_finding import StoredFinding

CHECK_STATEMENTS: Mapping[str, str] = {
    warm_up.EXAMPLES_CHECK: "The contract's examples are accepted.",
    response_laws.CHECK: response_laws.STATEMENT,
    reference_model.CHECK: reference_model.STATEMENT,
    coverage.CHECK: coverage.STATEMENT,
    **{law.name: law.says for law in ALL_LAWS},
}


def check_report(
    title: str,
    answers: Iterable[CheckResult],
    *,
    version: str,
    base: str = "",
    facts: Sequence[tuple[str, str]] = (),
    known: frozenset[str] = frozenset(),
    fact_finder: FactFinder | None = None,
    assumptions: Assumptions = "fail",
) -> Report:
    """Return the report of a check, by operation. `known` are the fingerprints that a baseline accepts.

    With `fact_finder` the findings name what they break, and `assumptions` says what becomes of assumptions.
    """
    rows = _CheckRows(base=base, known=known, fact_finder=fact_finder, assumptions=assumptions)
    found = tuple(row for one in _by_operation(answers) for row in rows.of(one))
    return Report(title=title, version=version, rows=found, facts=tuple(facts))


def _by_operation(answers: Iterable[CheckResult]) -> list[CheckResult]:
    place = {name: n for n, name in enumerate(CHECK_STATEMENTS)}
    groups: dict[str, list[CheckResult]] = {}
    for one in answers:
        groups.setdefault(one.operation, []).append(one)
    return [one for group in groups.values() for one in sorted(group, key=lambda one: place.get(one.law, len(place)))]


@dataclass(frozen=True, slots=True, kw_only=True)
class _CheckRows:
    """Makes the rows of a check."""

    base: str
    known: frozenset[str]
    fact_finder: FactFinder | None
    assumptions: Assumptions

    def of(self, answer: CheckResult) -> Iterator[Row]:
        """Yield the rows of one result: one for each finding, or one without."""
        says = CHECK_STATEMENTS.get(answer.law, "")
        rows = [row for one in answer.findings if (row := self._failed(one, says)) is not None]
        left_out = len(answer.findings) - len(rows)
        yield from rows
        if not rows:
            status: Status = "passed" if left_out else answer.word
            detail = f"{left_out} left out: what departs from an assumption." if left_out else _sentence(answer.reason)
            yield Row(id=answer.law, group=answer.operation, says=says, status=status, detail=detail)

    def _failed(self, finding: Finding, says: str) -> Row | None:
        finder = self.fact_finder
        facts = finder.facts(finder.places(finding)) if finder is not None else ()
        assumed = any(one.assumed for one in facts) and self.assumptions != "fail"
        is_known = is_accepted(self.known, finding.law, finding.operation, finding.shape)
        if assumed and self.assumptions == "ignore":
            return None
        return Row(
            id=f"{finding.law}: {finding.shape}",
            group=finding.operation,
            says=says,
            status="known" if is_known else "warning" if assumed else "failed",
            detail=finding.says,
            evidence=tuple(exchange_text(one, self.base) for one in finding.evidence),
            fingerprint=finding.fingerprint,
            facts=facts,
        )


def _sentence(reason: str) -> str:
    return f"{reason[0].upper()}{reason[1:].rstrip('.')}." if reason else ""


STATEMENTS = {**CHECK_STATEMENTS, READ_BACK: READ_BACK_SAYS, VERDICT: VERDICT_SAYS}


def campaign_report(state: CampaignState, contract: Contract, *, version: str, url: str, seed: int) -> Report:
    """Return the report of a campaign."""
    facts = (
        ("server", url),
        ("seed", str(seed)),
        ("seconds", f"{state.seconds:.1f}"),
        ("requests", str(state.calls)),
        ("items", str(state.items)),
        ("shards", str(state.shards)),
        ("distinct bugs", str(len(state.groups))),
        ("coverage", f"{len(state.laws)} property cells"),
        ("schema keywords", str(len({key[:2] for key in state.keywords}))),
    )
    rows = (*_findings(state, FactFinder(contract)), *_passed_rows(state))
    ordered = sorted(rows, key=lambda row: _operation_index(contract, row.group))
    return Report(title=f"{contract.title} {contract.version}", version=version, rows=tuple(ordered), facts=facts)


def _operation_index(contract: Contract, name: str) -> int:
    names = [one.id for one in contract.operations]
    return names.index(name) if name in names else len(names)


def _findings(state: CampaignState, finder: FactFinder) -> Iterator[Row]:
    """Yield the findings, the first of each root cause before the others."""
    ordered = [one for group in state.groups.values() for one in sorted(group, key=lambda kept: bool(kept.group))]
    for kept in (one for one in ordered if not state.is_left_out(one)):
        status: Status = "known" if state.is_known(kept) else "flaky" if kept.is_doubtful else "failed"
        status = "warning" if status == "failed" and state.is_warning(kept) else status
        yield Row(
            id=f"{kept.law}: {kept.shape}",
            group=kept.operation or "any",
            says=STATEMENTS.get(kept.law, ""),
            status=status,
            detail=_detail(kept, len(state.groups.get(kept.fingerprint, ())) - 1),
            evidence=tuple(_replay_steps(kept)),
            fingerprint=kept.fingerprint,
            cause=kept.group,
            facts=finder.facts(kept.places),
        )


def _detail(kept: StoredFinding, more: int) -> str:
    same = f" Same bug as {kept.group[:8]}." if kept.group else ""
    others = f" {more} more {'finding' if more == 1 else 'findings'} of the same bug." if more > 0 else ""
    return f"{kept.says} {_confidence(kept)}{same}{others}"


def _confidence(kept: StoredFinding) -> str:
    """Return how many replays reproduced a finding, as a sentence."""
    if not kept.tries:
        return "Not replayed: no time was left."
    often = f"Reproduced {kept.confirmed}/{kept.tries}"
    return f"{often}: flaky." if kept.is_flaky else f"{often}."


def _replay_steps(kept: StoredFinding) -> Iterator[str]:
    """Yield the steps that reproduce a finding."""
    steps = [_step(n, step) for n, step in enumerate(kept.script.steps, 1)]
    yield "\n".join([f"{len(steps)} {'step' if len(steps) == 1 else 'steps'} to reproduce", *steps])


def _step(n: int, step: Step) -> str:
    if not isinstance(step, RequestStep):
        return f"{n}. wait {step.seconds:g} s"
    return f"{n}. {step.method} /{'/'.join(step.path)} ({step.operation})"


def _passed_rows(state: CampaignState) -> Iterator[Row]:
    """Yield the laws that were checked on an operation without a finding."""
    broken = {(kept.law, kept.operation) for kept in state.findings.values()}
    words: dict[tuple[str, str], list[str]] = {}
    for (law, operation, word), n in sorted(state.laws.items()):
        words.setdefault((law, operation), []).append(f"{word} {n}")
    for (law, operation), seen in words.items():
        if (law, operation) not in broken:
            says, detail = STATEMENTS.get(law, ""), f"Coverage: {', '.join(seen)}."
            yield Row(id=law, group=operation, says=says, status="passed", detail=detail)
