"""A campaign as a report: findings by operation, and laws that were checked without a finding."""

from collections.abc import Iterator

from contracts.model import Contract
from generators.campaign.kept import Kept
from generators.campaign.readback import CHECK as READ_BACK
from generators.campaign.readback import SAYS as READ_BACK_SAYS
from generators.campaign.reckoning import CHECK as VERDICT
from generators.campaign.reckoning import SAYS as VERDICT_SAYS
from generators.campaign.state import State
from generators.campaign.steps import Asking, Step
from generators.reports import Report, Row, Status
from generators.reports.checked import SAYS

LAWS = {**SAYS, READ_BACK: READ_BACK_SAYS, VERDICT: VERDICT_SAYS}


def report_of(state: State, contract: Contract, *, version: str, url: str, seed: int) -> Report:
    """Return what a campaign came to."""
    facts = (
        ("server", url),
        ("seed", str(seed)),
        ("seconds", f"{state.seconds:.1f}"),
        ("requests", str(state.calls)),
        ("items", str(state.items)),
        ("shards", str(state.leases)),
        ("distinct bugs", str(len(state.groups))),
        ("coverage", f"{len(state.laws)} property cells"),
        ("schema keywords", str(len({key[:2] for key in state.keywords}))),
    )
    rows = (*_broken(state), *_kept(state))
    ordered = sorted(rows, key=lambda row: _place(contract, row.group))
    return Report(title=f"{contract.title} {contract.version}", version=version, rows=tuple(ordered), facts=facts)


def _place(contract: Contract, name: str) -> int:
    names = [one.id for one in contract.operations]
    return names.index(name) if name in names else len(names)


def _broken(state: State) -> Iterator[Row]:
    """Yield the findings, the first of each root cause before the others of it."""
    for kept in [one for group in state.groups.values() for one in group]:
        status: Status = "known" if kept.fingerprint in state.known else "flaky" if kept.is_doubtful else "failed"
        yield Row(
            id=f"{kept.law}: {kept.shape}",
            group=kept.operation or "any",
            says=LAWS.get(kept.law, ""),
            status=status,
            detail=_detail(kept, len(state.groups.get(kept.fingerprint, ())) - 1),
            evidence=tuple(_told(kept)),
            fingerprint=kept.fingerprint,
            cause=kept.group,
        )


def _detail(kept: Kept, more: int) -> str:
    same = f" Same bug as {kept.group[:8]}." if kept.group else ""
    others = f" {more} more {'finding' if more == 1 else 'findings'} of the same bug." if more > 0 else ""
    return f"{kept.says} {_shown(kept)}{same}{others}"


def _shown(kept: Kept) -> str:
    """Return how sure a finding is."""
    if not kept.tries:
        return "Not replayed: no time was left."
    often = f"Reproduced {kept.confirmed}/{kept.tries}"
    return f"{often}: flaky." if kept.is_flaky else f"{often}."


def _told(kept: Kept) -> Iterator[str]:
    """Yield the steps that make a finding show."""
    steps = [_step(n, step) for n, step in enumerate(kept.script.steps, 1)]
    yield "\n".join([f"{len(steps)} {'step' if len(steps) == 1 else 'steps'} to reproduce", *steps])


def _step(n: int, step: Step) -> str:
    if not isinstance(step, Asking):
        return f"{n}. wait {step.seconds:g} s"
    return f"{n}. {step.method} /{'/'.join(step.path)} ({step.operation})"


def _kept(state: State) -> Iterator[Row]:
    """Yield the laws that were checked on an operation without a finding."""
    broken = {(kept.law, kept.operation) for kept in state.findings.values()}
    words: dict[tuple[str, str], list[str]] = {}
    for (law, operation, word), n in sorted(state.laws.items()):
        words.setdefault((law, operation), []).append(f"{word} {n}")
    for (law, operation), seen in words.items():
        if (law, operation) not in broken:
            says, detail = LAWS.get(law, ""), f"Coverage: {', '.join(seen)}."
            yield Row(id=law, group=operation, says=says, status="passed", detail=detail)
