"""Running a campaign: known findings first, then leases; every finding is on disk before it is told."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any, Final, Protocol

from generators.campaign.corpus import Corpus
from generators.campaign.investigating import Investigator
from generators.campaign.kept import Kept, from_json
from generators.campaign.leases import Job, Lease, lengths
from generators.campaign.state import State
from generators.campaign.target import open_target
from generators.campaign.watchers import Outfit
from generators.checks.bench import Budget
from generators.scale.executors import Executor

COVERAGE: Final = ("coverage",)
FUZZING: Final = ("fuzzing", "stateful")
LEAST: Final = 3.0  # seconds that a lease must have
SCHEMAS: Final = 12.0  # seconds that a run of schemathesis must have


class Listener(Protocol):
    """Whoever is told how a campaign goes."""

    def began(self, state: State) -> None:
        """Hear that the campaign begins."""

    def found(self, kept: Kept, folder: Path | None) -> None:
        """Hear of a new finding, which is on disk in `folder` by now."""

    def confirmed(self, kept: Kept, folder: Path | None) -> None:
        """Hear what became of a finding when it was made small and tried again."""

    def progressed(self, state: State) -> None:
        """Hear how far it is."""

    def told(self, says: str) -> None:
        """Hear something else that is worth saying."""


@dataclass(slots=True, kw_only=True)
class Campaign:
    """One campaign. `corpus` None keeps nothing; `schemas` says whether schemathesis takes part."""

    job: Job
    executor: Executor
    listener: Listener
    seconds: float
    corpus: Corpus | None = None
    schemas: bool = True
    state: State = field(default_factory=State)
    stops_at_first: bool = False
    _lock: Lock = field(default_factory=Lock)
    _done: Counter[str] = field(default_factory=Counter)
    _over: bool = False

    def run(self) -> State:
        """Run it and return what it came to; Ctrl-C ends it early, and what was found stays."""
        budget = Budget(seconds=self.seconds)
        self.listener.began(self.state)
        try:
            self._replay_known(budget)
            self.executor.run(self._leases(budget), self._hear, lambda: self._over or not budget.left)
        except KeyboardInterrupt:
            self.listener.told("Interrupted: what was found until now is kept.")
        finally:
            self._over = True
            self.executor.stop()
        return self.state

    def _replay_known(self, budget: Budget) -> None:
        """Try the findings that earlier campaigns have kept."""
        known = self.corpus.findings() if self.corpus is not None else []
        mine = [one for one in known if one.contract == self.job.contract.name]
        if not mine:
            return
        target = open_target(self.job.contract, self.job.place, f"{self.job.label}-known")
        try:
            for kept in mine:
                if not budget.left:
                    return
                self._try(
                    kept,
                    Investigator(outfit=outfit_for(self.job, kept), target=target, is_over=lambda: not budget.left),
                )
        finally:
            target.close()

    def _try(self, kept: Kept, investigator: Investigator) -> None:
        if investigator.shows(kept):
            placed = self.state.add(replace(kept, group=""))
            if placed is not None and self.corpus is not None:
                self.listener.found(placed, self.corpus.folder_of(placed))
                if not placed.tries:
                    small = self.state.renew(investigator.confirmed(placed))
                    self.listener.confirmed(small, self.corpus.keep(small))
        else:
            self.listener.told(f"{kept.fingerprint[:8]} does not show any more: {kept.law} on {kept.operation}.")

    def _leases(self, budget: Budget) -> Iterator[Lease]:
        """Yield leases as long as there is time: schemathesis once for coverage, then now and then, else the fuzzer."""
        done = self.corpus.leases() if self.corpus is not None else {}
        length = lengths(self.seconds)
        if self.schemas and self.seconds >= SCHEMAS:
            phases = COVERAGE if "schemas-000000" not in done else FUZZING
            first = 0 if "schemas-000000" not in done else _next(done, "schemas")
            yield Lease(number=first, part="schemas", seconds=min(length * 2, budget.left), phases=phases)
        numbers, others = count(_next(done, "bulk")), count(max(1, _next(done, "schemas")))
        for n in count(1):
            left = budget.left
            if left < LEAST and n > 1:
                return
            known = frozenset(self.state.findings)
            if self.schemas and n % 4 == 0 and left >= SCHEMAS:
                yield Lease(number=next(others), part="schemas", seconds=min(length, left), phases=FUZZING, known=known)
            yield Lease(number=next(numbers), part="bulk", seconds=min(length, left), known=known)

    def _hear(self, event: Mapping[str, Any]) -> None:
        """Take in an event of a lease; findings go to disk first."""
        with self._lock:
            HEARD[event["kind"]](self, event)

    def _hear_found(self, event: Mapping[str, Any]) -> None:
        placed = self.state.add(from_json(event["finding"], where="a lease"))
        if placed is not None:
            self.listener.found(placed, self._keep(placed))
            self._over = self._over or self.stops_at_first

    def _hear_kept(self, event: Mapping[str, Any]) -> None:
        placed = self.state.renew(from_json(event["finding"], where="a lease"))
        self.listener.confirmed(placed, self._keep(placed))

    def _keep(self, kept: Kept) -> Path | None:
        return None if self.corpus is None else self.corpus.keep(kept)

    def _hear_progress(self, event: Mapping[str, Any]) -> None:
        self.state.progress(event)
        self.listener.progressed(self.state)

    def _hear_ended(self, event: Mapping[str, Any]) -> None:
        self.state.leases += 1
        if self.corpus is not None:
            self.corpus.note_lease(event["lease"], {"findings": len(self.state.findings)})

    def _hear_lost(self, event: Mapping[str, Any]) -> None:
        self.state.lost.append(event["lease"])
        self.listener.told(f"{event['lease']} was lost: {event['says']}")


def _next(done: Mapping[str, object], part: str) -> int:
    """Return the number after the last lease of a part that was done."""
    return max((int(name.rpartition("-")[2]) + 1 for name in done if name.startswith(part)), default=0)


def outfit_for(job: Job, kept: Kept) -> Outfit:
    """Return what judging a kept finding takes: with what had been learned when it was found."""
    learned = {name: int(version) for name, _, version in (one.partition("=") for one in kept.traits)}
    return Outfit(contract=job.contract, make_model=job.make_model, first_versions=learned)


HEARD: Final[Mapping[str, Callable[[Campaign, Mapping[str, Any]], None]]] = {
    "ended": Campaign._hear_ended,  # noqa: SLF001 - the class's own table
    "found": Campaign._hear_found,  # noqa: SLF001 - the same
    "kept": Campaign._hear_kept,  # noqa: SLF001 - the same
    "lost": Campaign._hear_lost,  # noqa: SLF001 - the same
    "progress": Campaign._hear_progress,  # noqa: SLF001 - the same
}
