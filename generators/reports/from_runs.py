"""Reports of a check and of a campaign: a row for each law and operation, or for each of their findings.

Begin with `check_report` and `campaign_report`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from contracts.openapi.model import Contract
from contracts.syntax.text import counted, listed
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
from generators.reports.calls import call_line, exchange_command, exchange_text, step_command, step_text
from generators.reports.model import Report, Row, Status
from generators.schemathesis_engine import coverage
from generators.triage.script import RequestStep
from generators.triage.stored_finding import StoredFinding, violation_kind_of

CHECK_STATEMENTS: Mapping[str, str] = {
    warm_up.EXAMPLES_CHECK: "The contract's examples are accepted.",
    response_laws.CHECK: response_laws.STATEMENT,
    reference_model.CHECK: reference_model.STATEMENT,
    coverage.CHECK: coverage.STATEMENT,
    **{law.name: law.says for law in ALL_LAWS},
}


def check_report(
    title: str,
    answers: Sequence[CheckResult],
    *,
    version: str,
    base: str = "",
    facts: Sequence[tuple[str, str]] = (),
    known: frozenset[str] = frozenset(),
    fact_finder: FactFinder | None = None,
    assumptions: Assumptions = "fail",
    given: Sequence[str] = (),
) -> Report:
    """Return the report of a check, by operation. `known` are the fingerprints that a baseline accepts.

    With `fact_finder` the findings name what they break, and `assumptions` says what becomes of assumptions. `given`
    are the names of header fields that went with every request.
    """
    rows = _CheckRows(base=base, known=known, fact_finder=fact_finder, assumptions=assumptions, given=given)
    found = [row for one in _by_operation(answers) for row in rows.of(one)]
    findings = {one.fingerprint: one for answer in answers for one in answer.findings}
    return Report(title=title, version=version, rows=_grouped(found, findings), facts=tuple(facts))


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
    given: Sequence[str]

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
        contract = finder.contract if finder is not None else None
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
            evidence=tuple(exchange_text(one, self.base, contract, self.given) for one in finding.evidence),
            fingerprint=finding.fingerprint,
            facts=facts,
            calls=tuple(call_line(one, self.base, contract) for one in finding.evidence),
            command=exchange_command(finding.evidence[0], self.base, contract, self.given) if finding.evidence else "",
        )


def _grouped(rows: Sequence[Row], findings: Mapping[str, Finding]) -> tuple[Row, ...]:
    """Return the rows, those of one cause under the first of them; a row that fails comes before one that does not."""
    first: dict[str, str] = {}
    for row in sorted((one for one in rows if one.fingerprint), key=lambda one: one.status != "failed"):
        one = findings[row.fingerprint]
        same = (name for name in first if first[name] == name and _share_cause(findings[name], one))
        first[row.fingerprint] = next(same, row.fingerprint)
    others: dict[str, list[Finding]] = {}
    for name, cause in first.items():
        others.setdefault(cause, []).extend([] if name == cause else [findings[name]])
    return tuple(_in_group(row, first.get(row.fingerprint, ""), others) for row in rows)


def _share_cause(one: Finding, other: Finding) -> bool:
    """Say whether two findings are of one telling kind, or break a law on an operation by one of the same exchanges."""
    kind = violation_kind_of(one.law, one.shape)
    if kind == violation_kind_of(other.law, other.shape) and kind.is_telling:
        return True
    shared = {id(exchange) for exchange in one.evidence} & {id(exchange) for exchange in other.evidence}
    return (one.law, one.operation) == (other.law, other.operation) and bool(shared)


def _in_group(row: Row, cause: str, others: Mapping[str, Sequence[Finding]]) -> Row:
    if cause != row.fingerprint:
        return replace(row, cause=cause)
    more = others.get(cause, ())
    if not more or not cause:
        return row
    here = [one.shape for one in more if one.operation == row.group]
    elsewhere = listed(dict.fromkeys(one.operation for one in more if one.operation != row.group))
    named = "; ".join([*here, *([f"the same on {elsewhere}"] if elsewhere else [])])
    return replace(row, detail=f"{row.detail} {counted(len(more), 'more finding')} of this cause: {named}.")


def _sentence(reason: str) -> str:
    return f"{reason[0].upper()}{reason[1:].rstrip('.')}." if reason else ""


MAX_COMMANDS: Final = 5  # of the steps of a finding, that are all told as curl
STATEMENTS = {**CHECK_STATEMENTS, READ_BACK: READ_BACK_SAYS, VERDICT: VERDICT_SAYS}


def campaign_report(
    state: CampaignState, contract: Contract, *, version: str, url: str, seed: int, given: Sequence[str] = ()
) -> Report:
    """Return the report of a campaign; `given` are the names of header fields that went with every request."""
    facts = (
        ("server", url),
        ("seed", str(seed)),
        ("seconds", f"{state.seconds:.1f}"),
        ("requests", str(state.calls)),
        ("items", str(state.items)),
        ("shards", str(state.shards)),
        ("distinct bugs", str(len(state.groups))),
        ("coverage", f"{state.cells} property cells"),
        ("schema keywords", str(len({key[:2] for key in state.keywords}))),
    )
    rows = (*_findings(state, FactFinder(contract), given), *_passed_rows(state))
    ordered = sorted(rows, key=lambda row: _operation_index(contract, row.group))
    title = f"{contract.title} {contract.version}"
    coverage = {(law, operation, word): n for (law, operation, word), n in state.laws.items()}
    return Report(title=title, version=version, rows=tuple(ordered), facts=facts, coverage=coverage)


def _operation_index(contract: Contract, name: str) -> int:
    names = [one.id for one in contract.operations]
    return names.index(name) if name in names else len(names)


def _findings(state: CampaignState, finder: FactFinder, given: Sequence[str]) -> Iterator[Row]:
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
            evidence=tuple(_replay_steps(kept, given)),
            fingerprint=kept.fingerprint,
            cause=kept.group,
            facts=finder.facts(kept.places),
            calls=tuple(_step_lines(kept)),
            command=_step_commands(kept, given),
            since=f"First seen on {kept.first_seen}." if kept.first_seen else "",
        )


def _detail(kept: StoredFinding, more: int) -> str:
    same = f" Same bug as {kept.group[:8]}." if kept.group else ""
    others = f" {counted(more, 'more finding')} of the same bug." if more > 0 else ""
    return f"{kept.says} {_confidence(kept)}{same}{others}"


def _confidence(kept: StoredFinding) -> str:
    """Return how many replays reproduced a finding, as a sentence."""
    if not kept.tries:
        return "Not replayed: no time was left."
    often = f"Reproduced {kept.confirmed}/{kept.tries}"
    again = " Its experiment showed it again." if kept.again else ""
    return f"{often}: flaky.{again}" if kept.is_flaky else f"{often}."


def _replay_steps(kept: StoredFinding, given: Sequence[str]) -> Iterator[str]:
    """Yield the steps that reproduce a finding."""
    steps = [step_text(n, step, kept.script, kept.url, given) for n, step in enumerate(kept.script.steps, 1)]
    yield "\n".join([f"{counted(len(steps), 'step')} to reproduce", *steps])


def _step_lines(kept: StoredFinding) -> Iterator[str]:
    """Yield each step, with the status of its answer where that shows the finding."""
    statuses = {one.step: one.status for one in kept.signatures}
    for n, step in enumerate(kept.script.steps):
        line = step_text(n + 1, step, kept.script, kept.url).partition("\n")[0]
        yield f"{line} → {statuses[n] or 'no answer'}" if n in statuses else line


def _step_commands(kept: StoredFinding, given: Sequence[str]) -> str:
    """Return the curl commands of a short script; of a longer one, that of the last request that shows the finding."""
    steps = dict(enumerate(kept.script.steps))
    if len(steps) > MAX_COMMANDS:
        shown = [steps[one.step] for one in kept.signatures if one.step in steps] or [*steps.values()]
        steps = dict(enumerate(shown[-1:]))
    requests = [one for one in steps.values() if isinstance(one, RequestStep)]
    return "\n".join(step_command(one, kept.script, kept.url, given) for one in requests)


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
