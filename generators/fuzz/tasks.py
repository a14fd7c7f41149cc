"""Perform one task in its environment: a sequence of actions, batches at limits, calls until one is refused.

Begin with `run_experiment` and `run_sequence`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import Final, TypeAlias

from generators.check.laws.limits import TELLING_SLOTS
from generators.client.http import NoAnswerError
from generators.client.session import DeadlineExceededError
from generators.errors import NotApplicableError
from generators.fuzz.actions import SequenceRunner
from generators.fuzz.schedule import (
    DEEP,
    Experiment,
    LimitsTask,
    RateLimitTask,
    SequenceProfile,
    Task,
    draw_action,
    law_task,
)
from generators.fuzz.shards import Hearer, Shard, TaskRun
from generators.fuzz.targets import FuzzTarget, FuzzTargets
from generators.oracles.response_laws import TOO_MANY_REQUESTS
from generators.oracles.state_model import RecordSet
from generators.requests.calls import draft
from generators.requests.profiles import PROFILES
from generators.triage.stored_finding import StoredFinding

MAX_PROBES: Final = 12
MAX_REPEATS: Final = 3  # of an experiment whose finding not each replay reproduced
MAX_LIMIT_ITEMS: Final = 10_000  # largest maximum that is tested
PROCESS_COUNT: Final = 2  # that share the tasks of a shard whose lanes are named
TaskQueue: TypeAlias = Iterator[tuple[int, Task]]
"""Tasks with their numbers, from 0."""


def own_tasks(tasks: TaskQueue, shard: Shard, is_alone: Callable[[], bool]) -> TaskQueue:
    """Yield the tasks of a process: every second one where another has the others, all once this one is alone."""
    count = PROCESS_COUNT if shard.lanes else 1
    return (one for one in tasks if one[0] % count == shard.process or is_alone())


def run_experiment(run: TaskRun, targets: FuzzTargets, task: Experiment, rng: Random) -> bool:
    """Run an experiment, and return whether it is possible here. Raises NoAnswerError, DeadlineExceededError."""
    try:
        if isinstance(task, LimitsTask):
            run_limits(run, targets, task, rng)
        elif isinstance(task, RateLimitTask):
            probe_rate_limit(run, task)
        else:
            for finding in task.findings(run.session):
                run.report(finding, judged="signs")
    except NotApplicableError:
        return False
    return True


def with_repeats(
    kept: StoredFinding, task_run: Callable[[int, Hearer], TaskRun], is_over: Callable[[], bool] = lambda: False
) -> StoredFinding:
    """Return a finding that not each replay reproduced with whether its experiment shows it again, elsewhere.

    A script names what it is about, such as a record that is there once; an experiment looks for such a one anew.
    """
    found: set[str] = set()
    for n in range(MAX_REPEATS) if kept.is_flaky and kept.experiment else ():
        if not (is_over() or kept.fingerprint in found):
            _repeat(kept.experiment, task_run(n, lambda seen: found.add(seen.finding.fingerprint)), found)
    return replace(kept, again=True) if kept.fingerprint in found else kept


def _repeat(cell: Sequence[str], run: TaskRun, found: set[str]) -> None:
    """Run an experiment, and add the fingerprints of its findings, as far as it gets."""
    task = law_task(run.session.contract, cell)
    with suppress(DeadlineExceededError, NoAnswerError, NotApplicableError):
        found |= {one.fingerprint for one in task.findings(run.session)} if task is not None else set()


def run_sequence(
    run: TaskRun,
    targets: FuzzTargets,
    style: SequenceProfile,
    rng: Random,
    is_over: Callable[[], bool] = lambda: False,
) -> SequenceRunner:
    """Run one sequence and return its runner. Raises NoAnswerError."""
    runner = SequenceRunner(run, targets, style, rng)
    for _ in range(style.actions):
        if is_over():
            return runner
        runner.perform(draw_action(style.weights, rng))
    for _ in range(style.in_flight):
        runner.perform("finish")
    for _ in targets.resources if not is_over() else ():
        runner.perform("list")
    return runner


def run_limits(run: TaskRun, targets: FuzzTargets, task: LimitsTask, rng: Random) -> SequenceRunner:
    """Post batches at the limits of an operation: of 0 and 1 items, or one above the maximum and the maximum."""
    runner = SequenceRunner(run, targets, DEEP, rng)
    bulk = task.target.operation.bulk
    most = bulk.items.max if bulk is not None else None
    large = (most + 1, most) if most is not None and most <= MAX_LIMIT_ITEMS else ()
    for size in (0, 1) if task.size == "small" else large:
        try:
            _post_and_read(runner, task.target, size)
        except NotApplicableError:
            continue
        finally:
            run.session.take_history()
    return runner


def probe_rate_limit(run: TaskRun, task: RateLimitTask) -> None:
    """Repeat an operation with its first example until it is refused; only where the clock is controlled."""
    if not run.session.controlled:
        return
    made = draft(task.operation, {})
    content = task.operation.body.content if task.operation.body is not None else ()
    examples = [example for media in content for example in media.examples.values()]
    made.data = examples[0] if examples else made.data
    for _ in range(MAX_PROBES):
        if run.session.exchange(made.request(), is_observed=False).response.status >= TOO_MANY_REQUESTS:
            break
    run.session.exchange(made.request())


def _post_and_read(runner: SequenceRunner, target: FuzzTarget, size: int) -> None:
    """Post valid items, and read the first, the last and some between them."""
    batch = runner.compose(target, size, PROFILES["valid"])
    runner.run.session.send(batch.request)
    runner.batches, runner.items = runner.batches + 1, runner.items + size
    runner.finish()
    named = [(RecordSet(target.scope, one.resource or ""), one.target) for one in batch.items if one.target is not None]
    runner.read_back([*(named[slot] for slot in TELLING_SLOTS if slot < len(named)), *named[-1:]])
    runner.list_created(batch, target)
