"""The side of a campaign that schemathesis plays; what it finds comes out in the same shape as all else."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from generators.campaign.investigating import Investigator
from generators.campaign.kept import Kept, to_json
from generators.campaign.leases import Emit, Job, Lease, seed_of
from generators.campaign.session import Seen
from generators.campaign.watchers import Outfit
from generators.campaign.worlds import Target
from generators.checks.bench import Budget
from generators.checks.findings import Finding
from generators.http import ControlledCaller, HttpCaller
from generators.thesis.coverage import Coverage
from generators.thesis.running import GRACE

AFTERWARDS: Final = 3.0  # seconds that are kept for trying again what was found


def run_schemas(job: Job, lease: Lease, target: Target, emit: Emit, is_over: Callable[[], bool]) -> None:
    """Let schemathesis run its phases in a world of its own, and tell what it finds."""
    side = _Side(job, lease, target, emit, is_over)
    side.run()


class _Side:
    """One run of schemathesis."""

    def __init__(self, job: Job, lease: Lease, target: Target, emit: Emit, is_over: Callable[[], bool]) -> None:
        self._job, self._lease, self._emit, self._is_over = job, lease, emit, is_over
        self._target, self._world = target, target.fresh("schemas")
        self._budget = Budget(seconds=lease.seconds)

    def run(self) -> None:
        """Run it; each finding is told as soon as it is known, and tried again at the end."""
        job = self._job
        run = Coverage(job.contract, job.contract.operations)
        task = run.task(
            job.document,
            _base(self._world.caller),
            phases=self._lease.phases,
            headers=job.place.headers,
            seed=seed_of(job, self._lease),
            seconds=max(1.0, self._budget.left - GRACE - AFTERWARDS),
            timeout=job.place.timeout,
        )
        found: list[Kept] = []
        calls = 0
        for finding in run.findings(task, self._is_over):
            if finding.fingerprint not in self._lease.known:
                found.append(self._told(finding))
            calls = self._progress(_sent(run), calls)
        self._progress(_sent(run), calls)
        self._investigate(found)

    def _progress(self, calls: int, before: int) -> int:
        self._emit({"kind": "progress", "lease": self._lease.name, "calls": calls - before, "items": 0})
        return calls

    def _told(self, finding: Finding) -> Kept:
        deeds = tuple(replace(one, n=n) for n, one in enumerate(finding.evidence, 1))
        seen = Seen(finding=replace(finding, evidence=deeds), deeds=deeds, world=self._world, judged="signs")
        kept = self._investigator().keep(seen, seconds=self._budget.spent, seed=self._job.seed, url=self._job.place.url)
        self._emit({"kind": "found", "lease": self._lease.name, "finding": to_json(kept)})
        return kept

    def _investigator(self) -> Investigator:
        outfit = Outfit(contract=self._job.contract)
        return Investigator(outfit=outfit, target=self._target, is_over=self._is_over)

    def _investigate(self, found: list[Kept]) -> None:
        for kept in found if self._job.shrinks else ():
            if not self._is_over():
                confirmed = self._investigator().confirmed(kept)
                self._emit({"kind": "kept", "lease": self._lease.name, "finding": to_json(confirmed)})


def _sent(run: Coverage) -> int:
    return sum(one.total() for one in run.statuses.values())


def _base(caller: object) -> str:
    assert isinstance(caller, ControlledCaller | HttpCaller)  # noqa: S101 - targets have no others
    return caller.base
