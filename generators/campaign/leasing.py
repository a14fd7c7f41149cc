"""Doing a lease: the bulk fuzzer plays its agenda, or schemathesis its phases; what happens is told as it happens."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from threading import Lock, RLock
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
from generators.campaign.kept import Kept, to_json
from generators.campaign.leases import Emit, Job, Lease, first_world, seed_of
from generators.campaign.schemas_side import run_schemas
from generators.campaign.session import Seen, Session
from generators.campaign.target import open_target
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
RESERVED: Final = 0.15  # the share of a lease that is kept for making small what was found


def run_lease(job: Job, lease: Lease, emit: Emit, is_over: Callable[[], bool] = lambda: False) -> None:
    """Do a lease and tell what happens through `emit`. Raises MisuseError when nothing answers at all."""
    target = open_target(job.contract, job.place, f"{job.label}-{lease.name}", first_world(job, lease))
    try:
        if lease.part == "schemas":
            run_schemas(job, lease, target, emit, is_over)
        else:
            _Bulk(job, lease, target, emit, is_over).run()
    finally:
        target.close()
    emit({"kind": "ended", "lease": lease.name})


@dataclass(slots=True)
class _Bulk:
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
    _state: RLock = field(default_factory=RLock)
    _investigating: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self.outfit = Outfit(contract=self.job.contract, make_model=self.job.make_model)
        self.coverage = Coverage(self.job.contract)
        self.budget = Budget(seconds=self.lease.seconds)

    def run(self) -> None:
        """Play the agenda until the time is up; what was found is investigated between two entries."""
        rng = Random(f"{seed_of(self.job, self.lease)}/agenda")
        grounds = survey(self._session("survey", 0).bench)
        entries = enumerate(agenda(self.job.contract, grounds, rng))
        if self.target.controlled:
            self._play(entries, grounds)
        else:
            self._play_in_lanes(entries, grounds)
        self._progress(final=True)
        if self.is_lost:
            raise MisuseError("the server does not answer any more.", where=self.job.place.url)

    def _play_in_lanes(self, entries: Iterator[tuple[int, Entry]], grounds: Grounds) -> None:
        """Play in several worlds at a time: while jobs take their time in one, others go on."""
        with ThreadPoolExecutor(LANES) as pool, self._ending():
            lanes = [pool.submit(self._play, entries, grounds, lane) for lane in range(LANES)]
            for one in lanes:
                one.result()

    @contextmanager
    def _ending(self) -> Iterator[None]:
        """See to it that no lane goes on when one of them fails, or when it all is interrupted."""
        try:
            yield
        except BaseException:
            self.budget.seconds = 0.0
            raise

    def _play(self, entries: Iterator[tuple[int, Entry]], grounds: Grounds, lane: int = 0) -> None:
        lost = 0
        while not self._is_over() and not self.is_lost and (lane == 0 or self.turned_away < ENOUGH):
            with self._state:
                n, entry = next(entries)
            try:
                self._do(entry, grounds, n)
                lost = 0
            except NoAnswerError:
                lost += 1
                self.is_lost = self.is_lost or lost >= LOST
            self._investigate()

    def _is_over(self) -> bool:
        return self.is_over() or not self.budget.left

    def _is_played(self) -> bool:
        """Say whether there is to be no more playing: what is left of the time may be needed for what was found."""
        left = self.budget.left if self.waiting and self.job.shrinks else self.lease.seconds
        return self._is_over() or left < self.lease.seconds * RESERVED

    def _session(self, purpose: str, n: int, *, modelled: bool = False) -> Session:
        world: World = self.target.fresh(purpose)
        return Session(
            self.outfit,
            world,
            seed=seed_of(self.job, self.lease) * 1000 + n,
            budget=self.budget,
            given=self.job.given,
            on_finding=self._hear,
            on_exchange=self._count,
            modelled=modelled,
        )

    def _do(self, entry: Entry, grounds: Grounds, n: int) -> None:
        modelled = isinstance(entry, Experiment) or (isinstance(entry, Episode) and entry.style.modelled)
        session = self._session("play", n, modelled=modelled)
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
            if mark in self.found or mark in self.lease.known:
                return
            investigator = self._investigator()
            kept = investigator.keep(seen, seconds=self.budget.spent, seed=self.job.seed, url=self.job.place.url)
            self.found[mark] = kept
            self.emit({"kind": "found", "lease": self.lease.name, "finding": to_json(kept)})
            self.waiting.append(kept)

    def _investigator(self) -> Investigator:
        return Investigator(outfit=self.outfit, target=self.target, is_over=self._is_over)

    def _investigate(self) -> None:
        """Make findings small, in one lane at a time, unless others already do."""
        if self.job.shrinks and self._investigating.acquire(blocking=False):
            try:
                self._make_small()
            finally:
                self._investigating.release()

    def _make_small(self) -> None:
        """Make findings small as long as that takes no more than half of the time; first causes come first."""
        while self.waiting and not self._is_over():
            if self.target.controlled and self.investigated > self.budget.spent / 2 and not self._is_played():
                return
            with self._state:
                self.waiting.sort(key=self._urgency)
                kept = self.waiting.pop(0)
            before = self.budget.spent
            kept = self._investigator().confirmed(kept)
            self.investigated += self.budget.spent - before
            with self._state:
                self.found[kept.fingerprint] = kept
                self.emit({"kind": "kept", "lease": self.lease.name, "finding": to_json(kept)})
            self._progress()

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
                self.emit(self._told())
                self.calls = self.items = 0

    def _told(self) -> Mapping[str, Any]:
        return {
            "kind": "progress",
            "lease": self.lease.name,
            "calls": self.calls,
            "items": self.items,
            **self.coverage.take(),
        }
