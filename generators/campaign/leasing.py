"""Doing a lease: the bulk fuzzer plays its agenda, or schemathesis its phases; what happens is told as it happens."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from time import monotonic
from typing import Any, Final

from contracts.errors import MisuseError
from contracts.messages import Exchange
from generators.caller import NoAnswerError
from generators.campaign.agenda import Entry, Episode, Experiment, Insist, Limits, agenda
from generators.campaign.coverage import Coverage
from generators.campaign.episodes import insist, play_episode, play_limits
from generators.campaign.grounds import Grounds, survey
from generators.campaign.investigating import Investigator
from generators.campaign.kept import Kept, to_json
from generators.campaign.leases import Emit, Job, Lease, seed_of
from generators.campaign.schemas_side import run_schemas
from generators.campaign.session import Seen, Session
from generators.campaign.target import open_target
from generators.campaign.watchers import Outfit
from generators.campaign.watching import Watcher
from generators.campaign.worlds import Target, World
from generators.checks.bench import Budget
from generators.checks.findings import ImpossibleError
from generators.checks.mixing import at_a_place
from generators.checks.views import View

TELLING: Final = 0.5  # seconds between two reports of how far it is
LOST: Final = 3  # calls in a row that are not answered before the target is given up


def run_lease(job: Job, lease: Lease, emit: Emit, is_over: Callable[[], bool] = lambda: False) -> None:
    """Do a lease and tell what happens through `emit`. Raises MisuseError when nothing answers at all."""
    target = open_target(job.contract, job.place, f"{job.label}-{lease.name}")
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

    def __post_init__(self) -> None:
        self.outfit = Outfit(contract=self.job.contract, make_model=self.job.make_model)
        self.coverage = Coverage(self.job.contract)
        self.budget = Budget(seconds=self.lease.seconds)

    def run(self) -> None:
        """Play the agenda until the time is up; what was found is investigated between two entries."""
        rng = Random(f"{seed_of(self.job, self.lease)}/agenda")
        grounds = survey(self._session("survey", 0).bench)
        lost = 0
        for n, entry in enumerate(agenda(self.job.contract, grounds, rng)):
            if self._is_over() or lost >= LOST:
                break
            try:
                self._do(entry, grounds, n)
                lost = 0
            except NoAnswerError:
                lost += 1
            self._investigate()
        self._progress(final=True)
        if lost >= LOST:
            raise MisuseError("the server does not answer any more.", where=self.job.place.url)

    def _is_over(self) -> bool:
        return self.is_over() or not self.budget.left

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
            play_episode(session, grounds, entry.style, rng, self._is_over)
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
        self.coverage.experiment(entry.law.name, entry.operation.id)

    def _hear(self, seen: Seen) -> None:
        """Keep what is new at once, as it was seen; it is made small later."""
        mark = seen.finding.fingerprint
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
        """Make findings small as long as that takes no more than half of the time; first causes come first."""
        while self.waiting and self.job.shrinks and not self._is_over():
            if self.investigated > self.budget.spent / 2:
                return
            self.waiting.sort(key=lambda one: (bool(one.group), one.seconds))
            before = self.budget.spent
            kept = self._investigator().confirmed(self.waiting.pop(0))
            self.investigated += self.budget.spent - before
            self.found[kept.fingerprint] = kept
            self.emit({"kind": "kept", "lease": self.lease.name, "finding": to_json(kept)})
            self._progress()

    def _count(self, exchange: Exchange, watcher: Watcher) -> None:
        self.calls += 1
        view: View | None = watcher.last_view
        if view is not None and view.exchange.n == exchange.n:
            self.items += len(view.call.items)
        self.coverage.see(exchange, watcher)
        self._progress()

    def _progress(self, *, final: bool = False) -> None:
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
