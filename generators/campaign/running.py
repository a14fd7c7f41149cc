"""Running a campaign: known findings first, then leases; every finding is on disk before it is told."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any, Final, Protocol

from contracts.errors import MisuseError
from contracts.model import Contract
from generators.campaign.corpus import Corpus
from generators.campaign.investigating import Investigator
from generators.campaign.kept import Kept, from_json, to_json
from generators.campaign.leases import RESERVED, Job, Lease, lengths, outfit_for
from generators.campaign.state import State
from generators.campaign.target import open_target
from generators.checks.bench import Budget
from generators.checks.wrapping import unspoken
from generators.scale.executors import Executor

COVERAGE: Final = ("coverage",)
FUZZING: Final = ("fuzzing", "stateful")
LEAST: Final = 3.0  # seconds that a lease must have
AFTERWARDS: Final = 10.0  # seconds for making small what was found when a campaign stops at the first
SCHEMAS: Final = 12.0  # seconds that a run of schemathesis must have
HANDED: Final = 12  # findings that a lease is given to make small at most
LAST: Final = 6.0  # seconds that the last lease keeps for making small what was found ...
SHARE: Final = 0.4  # ... or so much of it when it is short
BARREN: Final = "No fuzzable bulk operation"


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
    """One campaign. `corpus` None keeps nothing; `schemas` says whether schemathesis takes part.

    Once it has run, `interrupted` says whether Ctrl-C has ended it.
    """

    job: Job
    executor: Executor
    listener: Listener
    seconds: float
    corpus: Corpus | None = None
    schemas: bool = True
    state: State = field(default_factory=State)
    stops_at_first: bool = False
    interrupted: bool = False
    _lock: Lock = field(default_factory=Lock)
    _owners: dict[str, str] = field(default_factory=dict)
    _under_way: set[str] = field(default_factory=set)
    _over: bool = False
    _barren: bool = False

    def run(self) -> State:
        """Run it and return what it came to; Ctrl-C ends it early, and what was found stays.

        Raises MisuseError when there is nothing that it could play.
        """
        budget = Budget(seconds=self.seconds)
        self._barren = not is_playable(self.job.contract)
        self.listener.began(self.state)
        try:
            self._require_something()
            self._replay_known(budget)
            self.executor.run(self._leases(budget), self._hear, lambda: self._over or not budget.left)
            self._make_small(budget)
            self._require_something()
        except KeyboardInterrupt:
            self.interrupted = True
            self.listener.told("Interrupted: findings so far are stored.")
        finally:
            self._over = True
            self.executor.stop()
        return self.state

    def _require_something(self) -> None:
        """Say that schemathesis alone plays where nothing else can. Raises MisuseError when that cannot either."""
        if self._barren and (not self.schemas or self.seconds < SCHEMAS):
            why = "without schemathesis" if not self.schemas else f"and schemathesis needs at least {SCHEMAS:g} s"
            cure = "Declare x-bulk, or remove --no-schemathesis." if not self.schemas else "Give it more --max-time."
            raise MisuseError(f"{BARREN[0].lower()}{BARREN[1:]}, {why}: nothing to run.", cure=cure)

    def _replay_known(self, budget: Budget) -> None:
        """Try the findings that earlier campaigns have kept."""
        known = self.corpus.findings(self.listener.told) if self.corpus is not None else []
        mine = [one for one in known if one.contract == self.job.contract.name]
        for kept, investigator in self._investigated(mine, "known", budget):
            if investigator.shows(kept):
                self._take_in(self.state.add(replace(kept, group="", cause="")))
            elif budget.left:
                self.listener.told(f"{kept.fingerprint[:8]} is no longer reproduced: {kept.law} on {kept.operation}.")
            if self._over:
                return

    def _make_small(self, budget: Budget) -> None:
        """Make small what no lease had the time for: the first of each cause, for a while when the rest is not."""
        budget = Budget(seconds=min(budget.left, AFTERWARDS)) if self.stops_at_first else budget
        waiting = [one for one in self.state.findings.values() if not one.tries and self.job.shrinks]
        for kept, investigator in self._investigated(sorted(waiting, key=lambda one: bool(one.group)), "small", budget):
            confirmed = investigator.confirmed(kept)
            if confirmed.tries:
                self._renew(confirmed)

    def _investigated(self, some: Sequence[Kept], name: str, budget: Budget) -> Iterator[tuple[Kept, Investigator]]:
        """Yield findings, each with what makes it show, as long as there is time."""
        if not some or not budget.left:
            return
        place = replace(self.job.place, timeout=min(self.job.place.timeout, budget.left + 1))
        target = open_target(self.job.contract, place, f"{self.job.label}-{name}")
        try:
            for kept in some:
                outfit = outfit_for(self.job, kept)
                is_over, left = lambda: not budget.left, lambda: budget.left
                yield kept, Investigator(outfit=outfit, target=target, is_over=is_over, left=left)
                if not budget.left:
                    return
        finally:
            target.close()

    def _leases(self, budget: Budget) -> Iterator[Lease]:
        """Yield leases as long as there is time: schemathesis once for coverage, then now and then, else the fuzzer."""
        done = self.corpus.leases() if self.corpus is not None else {}
        length = lengths(self.seconds)
        if self.schemas and self.seconds >= SCHEMAS:
            phases = COVERAGE if "schemas-000000" not in done else FUZZING
            first = 0 if "schemas-000000" not in done else _next(done, "schemas")
            yield self._given(Lease(number=first, part="schemas", seconds=min(length * 2, budget.left), phases=phases))
        numbers, others = count(_next(done, "bulk")), count(max(1, _next(done, "schemas")))
        for n in count(1):
            left = budget.left
            if self._barren or (left < LEAST and n > 1):
                break
            if self.schemas and n % 4 == 0 and left >= SCHEMAS:
                yield self._given(Lease(number=next(others), part="schemas", seconds=min(length, left), phases=FUZZING))
            reserved = RESERVED if left - length >= LEAST else max(RESERVED, min(SHARE, LAST / max(left, LEAST)))
            bulk = Lease(number=next(numbers), nth=n - 1, part="bulk", seconds=min(length, left), reserved=reserved)
            yield self._given(self._with_untried(bulk))
        if self._barren and self.schemas:
            yield from self._schemas_alone(budget, others)

    def _schemas_alone(self, budget: Budget, numbers: Iterator[int]) -> Iterator[Lease]:
        self.listener.told(f"{BARREN}: only schemathesis runs.")
        while (left := budget.left) >= SCHEMAS:
            seconds = min(lengths(self.seconds), left)
            yield self._given(Lease(number=next(numbers), part="schemas", seconds=seconds, phases=FUZZING, alone=True))

    def _given(self, lease: Lease) -> Lease:
        """Return a lease as it is given away, with what is known by now."""
        with self._lock:
            self._under_way.add(lease.name)
            known = [name for name, one in self.state.findings.items() if not one.is_doubtful]
            return replace(lease, known=frozenset(known))

    def _with_untried(self, lease: Lease) -> Lease:
        """Return a lease with findings that no lease under way has: nobody had the time to make them small."""
        with self._lock:
            free = [
                one
                for name, one in self.state.findings.items()
                if not one.tries and self._owners.get(name) not in self._under_way
            ]
            some = sorted(free, key=lambda one: bool(one.group))[:HANDED] if self.job.shrinks else []
            self._owners |= {one.fingerprint: lease.name for one in some}
        return replace(lease, untried=tuple(map(to_json, some)))

    def _hear(self, event: Mapping[str, Any]) -> None:
        """Take in an event of a lease; findings go to disk first."""
        with self._lock:
            HEARD[event["kind"]](self, event)

    def _hear_barren(self, event: Mapping[str, Any]) -> None:
        del event
        self._barren = True

    def _hear_found(self, event: Mapping[str, Any]) -> None:
        kept = from_json(event["finding"], where="a lease")
        self._owners.setdefault(kept.fingerprint, event["lease"])
        self._take_in(self.state.add(kept))

    def _hear_kept(self, event: Mapping[str, Any]) -> None:
        self._renew(from_json(event["finding"], where="a lease"))

    def _take_in(self, placed: Kept | None) -> None:
        """Keep a finding that is new, and tell of it."""
        if placed is not None:
            self.listener.found(placed, self._keep(placed))
            self._regroup(placed)
            self._over = self._over or (self.stops_at_first and placed.fingerprint not in self.state.known)

    def _renew(self, kept: Kept) -> None:
        """Keep the confirmed form of a finding, and tell what became of it."""
        before, placed = self.state.findings.get(kept.fingerprint), self.state.renew(kept)
        folder = self._keep(placed)
        if before is not None and before.group and not placed.group:
            self.listener.found(placed, folder)
        self.listener.confirmed(placed, folder)
        self._regroup(placed)

    def _regroup(self, placed: Kept) -> None:
        """Keep the findings whose group is another one now; one that turns out to have a cause of its own is told."""
        for name in self.state.take_moved() - {placed.fingerprint}:
            kept = self.state.findings[name]
            folder = None if self.corpus is None else self.corpus.keep_group(kept)
            if not kept.group:
                self.listener.found(kept, folder)

    def _keep(self, kept: Kept) -> Path | None:
        return None if self.corpus is None else self.corpus.keep(kept)

    def _hear_progress(self, event: Mapping[str, Any]) -> None:
        self.state.progress(event)
        self.listener.progressed(self.state)

    def _hear_ended(self, event: Mapping[str, Any]) -> None:
        self._under_way.discard(event["lease"])
        self.state.leases += 1
        if self.corpus is not None:
            self.corpus.note_lease(event["lease"], {"findings": len(self.state.findings)})

    def _hear_lost(self, event: Mapping[str, Any]) -> None:
        self._under_way.discard(event["lease"])
        self.state.lost.append(event["lease"])
        self.listener.told(f"Shard {event['lease']} was lost: {event['says']}")


def _next(done: Mapping[str, object], part: str) -> int:
    """Return the number after the last lease of a part that was done."""
    return max((int(name.rpartition("-")[2]) + 1 for name in done if name.startswith(part)), default=0)


def is_playable(contract: Contract) -> bool:
    """Say whether a contract declares a bulk operation that requests can be made for."""
    return any(one.bulk is not None and unspoken(one) is None for one in contract.operations)


HEARD: Final[Mapping[str, Callable[[Campaign, Mapping[str, Any]], None]]] = {
    "barren": Campaign._hear_barren,  # noqa: SLF001 - the class's own table
    "ended": Campaign._hear_ended,  # noqa: SLF001 - the same
    "found": Campaign._hear_found,  # noqa: SLF001 - the same
    "kept": Campaign._hear_kept,  # noqa: SLF001 - the same
    "lost": Campaign._hear_lost,  # noqa: SLF001 - the same
    "progress": Campaign._hear_progress,  # noqa: SLF001 - the same
}
