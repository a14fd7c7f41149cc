"""Run a shard: the fuzzer runs its tasks one after the other, schemathesis its phases; progress is emitted as events.

Begin with `run_shard` (`FuzzWorker`).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from itertools import islice
from random import Random
from threading import Lock, RLock, Thread
from time import monotonic, sleep
from typing import Any, Final

from contracts.errors import MisuseError
from contracts.exchange.bulk_exchange import BulkExchange
from contracts.messages import Exchange
from generators.client.environments import Target, open_target
from generators.client.http import NoAnswerError
from generators.client.session import Budget, DeadlineExceededError
from generators.fuzz.progress import PropertyCoverage
from generators.fuzz.schedule import LawTask, SequenceTask, Task, quiet_tasks, scheduled_tasks
from generators.fuzz.shards import (
    Beside,
    CampaignConfig,
    Emit,
    Hearer,
    Shard,
    ShardProgress,
    TaskRun,
    first_environment,
    oracle_factory_for,
    run_schemathesis,
    shard_seed,
)
from generators.fuzz.targets import FuzzTargets, discover_targets
from generators.fuzz.tasks import TaskQueue, own_tasks, run_experiment, run_sequence, with_repeats
from generators.oracles.oracle import Oracle, OracleFactory
from generators.requests.options import limits_jobs
from generators.triage.confirm import MAX_SHRINK_SECONDS, Triager
from generators.triage.stored_finding import Observation, StoredFinding, is_explained

MAX_LOST_REQUESTS: Final = 3  # consecutive requests without response before the server is given up
THREAD_COUNT: Final = 16  # environments used at a time in real time, by one process or two
LANE_COUNT: Final = 4  # the same of sandboxes: some are played in while the server works for others
QUIET_SHARE: Final = 0.1  # of a campaign's first shard, in which nothing but lists is looked at on a shared server ...
MAX_QUIET_SECONDS: Final = 2.0  # ... and at most so long
CONFLICT_STATUSES: Final = frozenset((409, 423, 425, 429, 503))
MAX_CONFLICTS: Final = 12  # bulk requests refused for concurrency before one environment is used
MAX_RETRIES: Final = 3  # times that a finding which was not reproduced is tried again
POLL_INTERVAL: Final = 0.1  # seconds between two checks whether the run is over
PAUSE: Final = 0.02  # seconds between two looks whether the findings that wait have been replayed
STOP_TIMEOUT: Final = 1.0  # seconds to wait for a thread after the time limit


def run_shard(
    job: CampaignConfig,
    shard: Shard,
    emit: Emit,
    is_over: Callable[[], bool] = lambda: False,
    beside: Beside | None = None,
) -> None:
    """Run a shard, or the lanes of it that are named, and tell its events. Raises MisuseError without a response."""
    label = f"{job.label}-{shard.name}{''.join(f'-{one}' for one in shard.lanes)}"
    target = open_target(job.contract, job.place, label, first_environment(job, shard))
    try:
        if shard.part == "schemas":
            run_schemathesis(job, shard, target, emit, is_over)
        else:
            FuzzWorker(job, shard, target, emit, is_over, beside or Beside()).run()
    finally:
        target.close()
    emit({"kind": "ended", "shard": shard.name})


@dataclass(slots=True)
class FuzzWorker:
    """Runs one shard of the fuzzer."""

    job: CampaignConfig
    shard: Shard
    target: Target
    emit: Emit
    is_over: Callable[[], bool]
    beside: Beside = field(default_factory=Beside)
    oracle_factories: list[OracleFactory] = field(init=False)
    coverages: list[PropertyCoverage] = field(init=False)
    progress: ShardProgress = field(init=False)
    budget: Budget = field(init=False)
    found: dict[str, StoredFinding] = field(default_factory=dict)
    waiting: list[StoredFinding] = field(default_factory=list)
    interrupted: list[tuple[int, Task]] = field(default_factory=list)
    shrink_seconds: float = 0.0
    conflicts: int = field(init=False)
    is_lost: bool = False
    is_quiet: bool = False
    is_closed: bool = False
    retries: Counter[str] = field(default_factory=Counter)
    paces: dict[object, timedelta] = field(default_factory=dict)
    failures: list[BaseException] = field(default_factory=list)
    _state: RLock = field(default_factory=RLock)
    _shrink_lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self.job = replace(self.job, model_factory=self.job.model(is_sandbox=self.target.controlled))
        factory = OracleFactory(contract=self.job.contract, model_factory=self.job.model_factory)
        coverage = partial(PropertyCoverage, self.job.contract, self.shard.covered)
        others, apart = range(1, self.thread_count), self.target.controlled
        self.oracle_factories = [factory, *(factory.apart() if apart else factory for _ in others)]
        self.coverages = [coverage() for _ in (0, *others)] if apart else [coverage()] * self.thread_count
        self.progress = ShardProgress(self.shard.name, self._emit, self.coverages)
        self.budget = Budget(seconds=self.shard.seconds)
        self.waiting = list(self.shard.untried)
        self.found = {one.fingerprint: one for one in self.waiting}
        is_limited = not apart and any(map(limits_jobs, self.job.contract.operations))
        self.conflicts = MAX_CONFLICTS if is_limited else 0

    @property
    def thread_count(self) -> int:
        """The number of environments that are used at a time."""
        return LANE_COUNT if self.target.controlled else THREAD_COUNT // 2

    def run(self) -> None:
        """Run tasks until the time is up; findings are shrunk between two tasks and at the end."""
        with suppress(DeadlineExceededError):
            targets = discover_targets(self._task_run("survey", 0, partial(self._on_finding, 0)).session)
            if targets.bulk:
                self._run_quiet_tasks(targets)
                self._run_all(self._task_queues(targets), targets)
            else:
                self._emit({"kind": "nothing-to-fuzz", "shard": self.shard.name})
        self._tell_progress(final=True)
        self.is_closed = True
        if self.is_lost:
            raise MisuseError("the server stopped responding.", where=self.job.place.url)

    def _run_quiet_tasks(self, targets: FuzzTargets) -> None:
        """Compare lists before anything else of ours writes to a shared server, for a small part of the time."""
        if self.target.controlled or self.shard.process or self.shard.ordinal:
            return
        self.is_quiet = True
        rng = Random(f"{shard_seed(self.job, self.shard)}/quiet")
        for n, task in enumerate(quiet_tasks(self.job.contract, targets, rng), 1):
            with suppress(DeadlineExceededError, NoAnswerError):
                self._run_task(task, targets, -n, 0)
        self.is_quiet = False

    def _task_queues(self, targets: FuzzTargets) -> list[TaskQueue]:
        """Return the numbered tasks of each thread.

        In sandboxes each thread has tasks of its own, and learns nothing of the others': what is sent depends on the
        seed alone. On a shared server whoever is free takes the next task.
        """

        def queue() -> TaskQueue:
            rng, covered = Random(f"{shard_seed(self.job, self.shard)}/agenda"), self.shard.covered
            coverage = PropertyCoverage(self.job.contract, covered)
            return enumerate(scheduled_tasks(self.job.contract, targets, rng, coverage, ordinal=self.shard.ordinal))

        if not self.target.controlled:
            return [own_tasks(queue(), self.shard, lambda: self.is_alone)] * self.thread_count
        return [islice(queue(), n, None, self.thread_count) for n in range(self.thread_count)]

    def _run_all(self, queues: Sequence[TaskQueue], targets: FuzzTargets) -> None:
        """Run tasks, shrink findings, and run more tasks when shrinking took less time than reserved."""
        while not (self._is_over() or self.is_lost or self.is_idle(0)) and (
            self.waiting or self.budget.left >= self.shard.closing
        ):
            self._run_in_threads(queues, targets)

    def _run_in_threads(self, queues: Sequence[TaskQueue], targets: FuzzTargets) -> None:
        """Run tasks in several environments at a time, so that answers and jobs are waited for concurrently.

        Where requests are answered at once, one of the threads is this one.
        """
        lanes = [n for n in range(len(queues)) if not self.target.controlled or n in (self.shard.lanes or (n,))]
        own = 1 if self.target.controlled else 0
        threads = [Thread(target=self._run_thread, args=(queues[n], targets, n), daemon=True) for n in lanes[own:]]
        for one in threads:
            one.start()
        try:
            for n in lanes[:own]:
                self._run_thread(queues[n], targets, n)
            self._wait_for(threads)
        except BaseException:
            self.is_closed = True
            raise
        if self.failures:
            self.is_closed = True
            raise self.failures[0]

    def _run_thread(self, tasks: TaskQueue, targets: FuzzTargets, thread: int) -> None:
        """Run tasks in one thread; its failure ends the others."""
        try:
            self._run_tasks(tasks, targets, thread)
        except BaseException as error:  # noqa: BLE001 - it is raised by whoever waits for the lanes
            self.failures.append(error)

    def _wait_for(self, threads: Sequence[Thread]) -> None:
        """Wait for threads to end; events of those that have not `STOP_TIMEOUT` after the end are dropped."""
        for one in threads:
            while one.is_alive() and not self._is_over():
                one.join(POLL_INTERVAL)
        until = monotonic() + STOP_TIMEOUT
        for one in threads:
            one.join(max(0.0, until - monotonic()))
        if any(one.is_alive() for one in threads):
            self._tell_progress(final=True)
            self.is_closed = True

    def _run_tasks(self, tasks: TaskQueue, targets: FuzzTargets, thread: int) -> None:
        lost = 0
        while not self._is_task_time_over() and not self.is_lost and not self.is_idle(thread):
            if self.is_paused():
                self._shrink_in_turn(thread)
                sleep(PAUSE)
                continue
            with self._state:
                n, task = self.interrupted.pop(0) if self.interrupted else next(tasks)
            try:
                self._run_task(task, targets, n, thread)
                lost = 0
            except DeadlineExceededError:
                self.interrupted += [(n, task)] if self._is_interrupted(thread) else []
            except NoAnswerError:
                lost += 1
                self.is_lost = self.is_lost or lost >= MAX_LOST_REQUESTS
            self._shrink_in_turn(thread)
        self._shrink_in_turn(thread)
        self._hand_over()

    def _hand_over(self) -> None:
        """Leave findings to the other process, if it is the one that goes on alone."""
        with self._state:
            some, self.waiting = (self.waiting, []) if self.is_idle(0) else ([], self.waiting)
        for kept in some:
            self._emit({"kind": "handed", "finding": kept})

    def _is_over(self) -> bool:
        return self.is_closed or bool(self.failures) or not self.budget.left or self.is_over()

    def _is_task_time_over(self) -> bool:
        """Return whether no task is to be run: the remaining time is reserved for shrinking."""
        share = self.shard.seconds * self.shard.reserved if self._has_findings_to_shrink() else 0.0
        is_quiet_over = self.is_quiet and self.budget.spent > min(MAX_QUIET_SECONDS, self.shard.seconds * QUIET_SHARE)
        return is_quiet_over or self._is_over() or self.budget.left < max(share, self.shard.closing)

    def is_paused(self) -> bool:
        """Return whether nothing new is looked for: what waits for its replays may be the end of the campaign."""
        is_waiting = self._has_findings_to_shrink() or (self.job.shrinks and bool(self.beside.waiting))
        return self.job.stops_at_first and is_waiting

    def _is_interrupted(self, thread: int) -> bool:
        """Return whether a task waits until others are done: on a shared server it would be in their way."""
        return not self.target.controlled and (self.is_paused() or self.is_idle(thread))

    def _has_findings_to_shrink(self) -> bool:
        return self.job.shrinks and (bool(self.waiting) or self._shrink_lock.locked())

    def is_idle(self, thread: int) -> bool:
        """Return whether a thread is to send nothing, since only one environment is used by now."""
        return (thread > 0 or self.shard.process > 0) and self.is_alone

    @property
    def is_alone(self) -> bool:
        """Whether only one environment is used by now."""
        return self.conflicts >= MAX_CONFLICTS or self.beside.is_alone

    def _task_run(
        self, purpose: str, n: int, hear: Hearer | None = None, *, uses_model: bool = False, thread: int = 0
    ) -> TaskRun:
        return TaskRun(
            self.oracle_factories[thread],
            self.target.fresh(f"{purpose}-{thread}" if thread else purpose),
            seed=shard_seed(self.job, self.shard) * 1000 + n,
            budget=self.budget,
            given=self.job.given,
            on_finding=hear or partial(self._on_finding, thread),
            on_exchange=partial(self._count, thread),
            uses_model=uses_model,
            is_over=self._is_over if hear else lambda: self._is_task_time_over() or self._is_interrupted(thread),
            paces=self.paces,
        )

    def _run_task(self, task: Task, targets: FuzzTargets, n: int, thread: int) -> None:
        uses_model = isinstance(task, LawTask) or (isinstance(task, SequenceTask) and task.style.uses_model)
        run = self._task_run("play", n, uses_model=uses_model, thread=thread)
        rng, coverage = Random(f"{shard_seed(self.job, self.shard)}/{n}"), self.coverages[thread]
        if isinstance(task, SequenceTask):
            is_narrow = rng.random() < task.style.narrow
            targets = targets.narrow(rng, coverage.cells) if is_narrow else targets
            run_sequence(run, targets, task.style, rng, self._is_task_time_over)
            return
        run.experiment = task.cell
        is_applicable = run_experiment(run, targets, task, rng)
        with self._state:
            coverage.count_experiment(*task.cell, is_applicable=is_applicable)

    def _on_finding(self, thread: int, seen: Observation) -> None:
        """Store and emit a new finding as observed; it is shrunk later."""
        mark = seen.finding.fingerprint
        with self._state:
            old = self.found.get(mark)
            is_known = mark in self.shard.known or mark in self.beside.found
            if is_known or (old is not None and not self.is_worth_retrying(old)):
                return
            triager = Triager(oracle_factory=self.oracle_factories[thread], target=self.target)
            kept = triager.store(seen, seconds=self.budget.spent, seed=self.job.seed, url=self.job.place.url)
            self.found[mark] = kept
            if old is None:
                self._emit({"kind": "found", "shard": self.shard.name, "finding": kept})
            self.waiting.append(kept)

    def is_worth_retrying(self, old: StoredFinding) -> bool:
        """Return whether a finding that was not reproduced is tried again as observed now."""
        self.retries[old.fingerprint] += old.is_doubtful
        return old.is_doubtful and self.retries[old.fingerprint] <= MAX_RETRIES

    def _triager(self, kept: StoredFinding) -> Triager:
        share = self.budget.left / (len(self.waiting) + 1) if self._is_task_time_over() else MAX_SHRINK_SECONDS
        return Triager(
            oracle_factory=oracle_factory_for(self.job, kept),
            target=self.target,
            is_over=self._is_over,
            left=lambda: self.budget.left,
            shrink_seconds=min(MAX_SHRINK_SECONDS, share / 2),
        )

    def _shrink_in_turn(self, thread: int) -> None:
        """Shrink findings, unless another thread does so."""
        if self.job.shrinks and self._shrink_lock.acquire(blocking=False):
            try:
                self.shrink_waiting(thread)
            finally:
                self._shrink_lock.release()

    def shrink_waiting(self, thread: int) -> None:
        """Shrink findings, new root causes first; in sandboxes for half of the time while there is more to look for."""
        while self.beside.handed:
            self.waiting.append(self.beside.handed.pop())
        while self.waiting and not self._is_over() and not self.is_idle(thread):
            has_others = not (self.is_paused() or self._is_task_time_over())  # something else can be done meanwhile
            if self.target.controlled and self.shrink_seconds > self.budget.spent / 2 and has_others:
                return
            with self._state:
                self.waiting.sort(key=self._urgency)
                seen = self.waiting.pop(0)
            before = self.budget.spent
            kept = self._triager(seen).confirm(seen)
            self.shrink_seconds += self.budget.spent - before
            if not kept.tries or self._may_be_interference(kept):
                self.waiting.append(seen)
                continue
            kept = with_repeats(kept, partial(self._task_run, "repeat", uses_model=True), self._is_over)
            with self._state:
                self.found[kept.fingerprint] = kept
                self._emit({"kind": "kept", "shard": self.shard.name, "finding": kept})
            self._tell_progress()

    def _may_be_interference(self, kept: StoredFinding) -> bool:
        """Return whether other threads may have kept a finding from showing; one remains from then on."""
        if not kept.is_doubtful or self.target.controlled or self.conflicts >= MAX_CONFLICTS:
            return False
        self._count_conflicts(MAX_CONFLICTS)
        return True

    def _count_conflicts(self, number: int) -> None:
        """Count requests that others may have kept from being carried out; with the last one, one remains alone."""
        before, self.conflicts = self.conflicts, self.conflicts + number
        if before < MAX_CONFLICTS <= self.conflicts:
            self._emit({"kind": "alone"})

    def _urgency(self, kept: StoredFinding) -> tuple[bool, bool, float]:
        """Return the sort key of a waiting finding: new root causes first."""
        return is_explained(kept, self.found.values()), bool(kept.cause), kept.seconds

    def _count(self, thread: int, exchange: Exchange, oracle: Oracle) -> None:
        if self.is_over():
            self.budget.seconds = 0.0  # whoever waits in an experiment is to stop waiting
        with self._state:
            self.progress.count(exchange)
            view: BulkExchange | None = oracle.last_view
            if view is not None and view.exchange.n == exchange.n:
                self.progress.items += len(view.request.items)
                self._count_conflicts(not self.target.controlled and exchange.response.status in CONFLICT_STATUSES)
            self.coverages[thread].count_exchange(exchange, oracle)
            self.progress.tell()

    def _tell_progress(self, *, final: bool = False) -> None:
        with self._state:
            self.progress.tell(final=final)

    def _emit(self, event: Mapping[str, Any]) -> None:
        """Emit an event, unless the shard has ended."""
        if not self.is_closed:
            self.emit(event)
