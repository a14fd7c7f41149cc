"""Doing a lease: the bulk fuzzer plays its agenda, or schemathesis its phases; what happens is told as it happens."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from random import Random
from threading import Lock, RLock, Thread
from time import monotonic
from typing import Any, Final

from contracts.errors import MisuseError
from contracts.messages import Exchange
from generators.caller import NoAnswerError
from generators.campaign.agenda import Entry, Episode, Experiment, Insist, Limits, agenda
from generators.campaign.coverage import Coverage
from generators.campaign.episodes import insist, play_episode, play_limits
from generators.campaign.grounds import Grounds, survey
from generators.campaign.grouping import is_explained
from generators.campaign.investigating import Investigator
from generators.campaign.kept import Kept, from_json, to_json
from generators.campaign.leases import Emit, Job, Lease, first_world, outfit_for, seed_of
from generators.campaign.schemas_side import run_schemas
from generators.campaign.session import Seen, Session
from generators.campaign.target import open_target
from generators.campaign.timely import OverError, Timely
from generators.campaign.watchers import Outfit
from generators.campaign.watching import Watcher
from generators.campaign.worlds import Target, World
from generators.checks.bench import Budget
from generators.checks.mixing import at_a_place
from generators.checks.views import View
from generators.impossible import ImpossibleError

TELLING: Final = 0.5  # seconds between two reports of how far it is
LOST: Final = 3  # calls in a row that are not answered before the target is given up
LANES: Final = 8  # worlds that are played in at a time where waiting takes real time
CROWDED: Final = frozenset((409, 423, 425, 429, 503))
ENOUGH: Final = 12  # bulk calls turned away because of others before only one world is played in
AGAIN: Final = 3  # times that a finding which did not show again is tried anew
SOON: Final = 0.1  # seconds between two looks at whether it is over
PATIENCE: Final = 1.0  # seconds that a lane is waited for when the time is up


def run_lease(job: Job, lease: Lease, emit: Emit, is_over: Callable[[], bool] = lambda: False) -> None:
    """Do a lease and tell what happens through `emit`. Raises MisuseError when nothing answers at all."""
    target = open_target(job.contract, job.place, f"{job.label}-{lease.name}", first_world(job, lease))
    try:
        if lease.part == "schemas":
            run_schemas(job, lease, target, emit, is_over)
        else:
            Bulk(job, lease, target, emit, is_over).run()
    finally:
        target.close()
    emit({"kind": "ended", "lease": lease.name})


@dataclass(slots=True)
class Bulk:
    """The bulk fuzzer's part of one lease."""

    job: Job
    lease: Lease
    target: Target
    emit: Emit
    is_over: Callable[[], bool]
    outfit: Outfit = field(init=False)
    coverage: Coverage = field(init=False)
    budget: Budget = field(init=False)
    found: dict[str, Kept] = field(default_factory=dict)
    waiting: list[Kept] = field(default_factory=list)
    calls: int = 0
    items: int = 0
    told: float = 0.0
    investigated: float = 0.0
    turned_away: int = 0
    is_lost: bool = False
    is_closed: bool = False
    seen_again: Counter[str] = field(default_factory=Counter)
    failures: list[BaseException] = field(default_factory=list)
    _state: RLock = field(default_factory=RLock)
    _investigating: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self.outfit = Outfit(contract=self.job.contract, make_model=self.job.make_model)
        self.coverage = Coverage(self.job.contract)
        self.budget = Budget(seconds=self.lease.seconds)
        self.waiting = [from_json(one, where="the campaign") for one in self.lease.untried]
        self.found = {one.fingerprint: one for one in self.waiting}

    def run(self) -> None:
        """Play the agenda until the time is up; what was found is investigated between two entries, and at the end."""
        rng = Random(f"{seed_of(self.job, self.lease)}/agenda")
        with suppress(OverError):
            grounds = survey(self._session("survey", 0).bench)
            if grounds.bulk:
                entries = enumerate(agenda(self.job.contract, grounds, rng, nth=self.lease.nth))
                self._play_through(entries, grounds)
            else:
                self._tell({"kind": "barren", "lease": self.lease.name})
        self._progress(final=True)
        self.is_closed = True
        if self.is_lost:
            raise MisuseError("the server stopped responding.", where=self.job.place.url)

    def _play_through(self, entries: Iterator[tuple[int, Entry]], grounds: Grounds) -> None:
        """Play, make small what was found, and play on when that took less than the time that was kept for it."""
        while not self._is_over() and not self.is_lost:
            if self.target.controlled:
                self._play(entries, grounds)
            else:
                self._play_in_lanes(entries, grounds)

    def _play_in_lanes(self, entries: Iterator[tuple[int, Entry]], grounds: Grounds) -> None:
        """Play in several worlds at a time: while jobs take their time in one, others go on."""
        lanes = [Thread(target=self._lane, args=(entries, grounds, n), daemon=True) for n in range(LANES)]
        for one in lanes:
            one.start()
        try:
            self._wait_for(lanes)
        except BaseException:
            self.is_closed = True
            raise
        if self.failures:
            raise self.failures[0]

    def _lane(self, entries: Iterator[tuple[int, Entry]], grounds: Grounds, lane: int) -> None:
        """Play in one lane; when it fails no other goes on."""
        try:
            self._play(entries, grounds, lane)
        except BaseException as error:  # noqa: BLE001 - it is raised by whoever waits for the lanes
            self.failures.append(error)

    def _wait_for(self, lanes: Sequence[Thread]) -> None:
        """Wait for lanes to end; one that has not a while after the time was up is left to itself, and not heard."""
        for one in lanes:
            while one.is_alive() and not self._is_over():
                one.join(SOON)
        until = monotonic() + PATIENCE
        for one in lanes:
            one.join(max(0.0, until - monotonic()))
        if any(one.is_alive() for one in lanes):
            self._progress(final=True)
            self.is_closed = True

    def _play(self, entries: Iterator[tuple[int, Entry]], grounds: Grounds, lane: int = 0) -> None:
        lost = 0
        while not self._is_played() and not self.is_lost and not self.is_idle(lane):
            with self._state:
                n, entry = next(entries)
            with suppress(OverError):
                try:
                    self._do(entry, grounds, n, lane)
                    lost = 0
                except NoAnswerError:
                    lost += 1
                    self.is_lost = self.is_lost or lost >= LOST
            self._investigate(lane)
        self._investigate(lane)

    def _is_over(self) -> bool:
        return self.is_closed or bool(self.failures) or not self.budget.left or self.is_over()

    def _is_played(self) -> bool:
        """Say whether there is to be no more playing: what is left of the time may be needed for what was found."""
        left = self.budget.left if self._has_waiting() else self.lease.seconds
        return self._is_over() or left < self.lease.seconds * self.lease.reserved

    def _has_waiting(self) -> bool:
        return self.job.shrinks and (bool(self.waiting) or self._investigating.locked())

    def is_idle(self, lane: int) -> bool:
        """Say whether a lane is to make no calls: the others play in one world by now."""
        return lane > 0 and self.turned_away >= ENOUGH

    def _session(self, purpose: str, n: int, *, modelled: bool = False, lane: int = 0) -> Session:
        world: World = self.target.fresh(purpose)
        return Session(
            self.outfit,
            replace(world, caller=Timely(world.caller, lambda: self._is_played() or self.is_idle(lane))),
            seed=seed_of(self.job, self.lease) * 1000 + n,
            budget=self.budget,
            given=self.job.given,
            on_finding=self._hear,
            on_exchange=self._count,
            modelled=modelled,
        )

    def _do(self, entry: Entry, grounds: Grounds, n: int, lane: int) -> None:
        modelled = isinstance(entry, Experiment) or (isinstance(entry, Episode) and entry.style.modelled)
        session = self._session("play", n, modelled=modelled, lane=lane)
        rng = Random(f"{seed_of(self.job, self.lease)}/{n}")
        if isinstance(entry, Episode):
            play_episode(session, grounds, entry.style, rng, self._is_played)
        elif isinstance(entry, Limits):
            play_limits(session, grounds, entry, rng)
        elif isinstance(entry, Insist):
            insist(session, entry)
        else:
            self._experiment(session, entry)

    def _experiment(self, session: Session, entry: Experiment) -> None:
        assert entry.law.experiment is not None  # noqa: S101 - the agenda has no others
        try:
            for finding in at_a_place(session.bench, entry.operation, entry.law.experiment):
                session.tell(finding, judged="signs")
        except ImpossibleError:
            return
        with self._state:
            self.coverage.experiment(entry.law.name, entry.operation.id)

    def _hear(self, seen: Seen) -> None:
        """Keep what is new at once, as it was seen; it is made small later."""
        mark = seen.finding.fingerprint
        with self._state:
            old = self.found.get(mark)
            if mark in self.lease.known or (old is not None and not self.is_worth_more(old)):
                return
            investigator = Investigator(outfit=self.outfit, target=self.target)
            kept = investigator.keep(seen, seconds=self.budget.spent, seed=self.job.seed, url=self.job.place.url)
            self.found[mark] = kept
            if old is None:
                self._tell({"kind": "found", "lease": self.lease.name, "finding": to_json(kept)})
            self.waiting.append(kept)

    def is_worth_more(self, old: Kept) -> bool:
        """Say whether a finding is tried once more as it shows now: it did not show again as it had shown before."""
        self.seen_again[old.fingerprint] += old.is_doubtful
        return old.is_doubtful and self.seen_again[old.fingerprint] <= AGAIN

    def _investigator(self, kept: Kept) -> Investigator:
        outfit = outfit_for(self.job, kept)
        return Investigator(outfit=outfit, target=self.target, is_over=self._is_over, left=lambda: self.budget.left)

    def _investigate(self, lane: int) -> None:
        """Make findings small, in one lane at a time, unless others already do."""
        if self.job.shrinks and self._investigating.acquire(blocking=False):
            try:
                self.make_small(lane)
            finally:
                self._investigating.release()

    def make_small(self, lane: int) -> None:
        """Make findings small as long as that takes no more than half of the time; first causes come first."""
        while self.waiting and not self._is_over() and not self.is_idle(lane):
            if self.target.controlled and self.investigated > self.budget.spent / 2 and not self._is_played():
                return
            with self._state:
                self.waiting.sort(key=self._urgency)
                seen = self.waiting.pop(0)
            before = self.budget.spent
            kept = self._investigator(seen).confirmed(seen)
            self.investigated += self.budget.spent - before
            if not kept.tries or self._may_be_disturbed(kept):
                self.waiting.append(seen)
                continue
            with self._state:
                self.found[kept.fingerprint] = kept
                self._tell({"kind": "kept", "lease": self.lease.name, "finding": to_json(kept)})
            self._progress()

    def _may_be_disturbed(self, kept: Kept) -> bool:
        """Say whether other lanes may be why a finding did not show; from then on there is but one."""
        if not kept.is_doubtful or self.target.controlled or self.turned_away >= ENOUGH:
            return False
        self.turned_away = ENOUGH
        return True

    def _urgency(self, kept: Kept) -> tuple[bool, bool, float]:
        """Return the place of a finding among those that wait: new causes come first."""
        return is_explained(kept, self.found.values()), bool(kept.cause), kept.seconds

    def _count(self, exchange: Exchange, watcher: Watcher) -> None:
        if self.is_over():
            self.budget.seconds = 0.0  # whoever waits in an experiment is to stop waiting
        with self._state:
            self.calls += 1
            view: View | None = watcher.last_view
            if view is not None and view.exchange.n == exchange.n:
                self.items += len(view.call.items)
                self.turned_away += exchange.reply.status in CROWDED
            self.coverage.see(exchange, watcher)
            self._progress()

    def _progress(self, *, final: bool = False) -> None:
        with self._state:
            now = monotonic()
            if final or now - self.told > TELLING:
                self.told = now
                self._tell(self._told())
                self.calls = self.items = 0

    def _tell(self, event: Mapping[str, Any]) -> None:
        """Tell something, unless the lease has come to its end without whoever tells it."""
        if not self.is_closed:
            self.emit(event)

    def _told(self) -> Mapping[str, Any]:
        return {
            "kind": "progress",
            "lease": self.lease.name,
            "calls": self.calls,
            "items": self.items,
            **self.coverage.take(),
        }
