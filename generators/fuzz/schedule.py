"""Schedule the tasks of a shard: sequences with their profiles, experiments on laws, limits, rate limits, edge cases.

Begin with `scheduled_tasks`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, zip_longest
from random import Random
from typing import Any, Final, Literal, TypeAlias, TypeVar

import orjson

from contracts.bulk.model import Bulk
from contracts.exchange.locations import find, put
from contracts.messages import Request
from contracts.openapi.model import Contract, Operation
from contracts.syntax.text import as_list
from generators.check.laws.calls.catalogue import CALL_LAWS
from generators.check.laws.catalogue import LAWS
from generators.check.laws.concurrent_jobs import overlap
from generators.check.laws.lists.catalogue import LIST_LAWS
from generators.check.laws.metamorphic import run_at_site
from generators.client.session import Session
from generators.fuzz.progress import PropertyCoverage
from generators.fuzz.targets import FuzzTarget, FuzzTargets
from generators.oracles.findings import Finding, Law
from generators.oracles.intended_effects import RecordType
from generators.oracles.response_laws import TOO_MANY_REQUESTS
from generators.requests.batch import PlannedBatch

EDGE_CASES: Final[tuple[Callable[[str], str], ...]] = (
    lambda text: f" {text}",
    lambda text: f"{text} ",
    lambda text: f" {text}  ",
    lambda text: text.swapcase(),
    lambda text: text.title(),
    lambda text: f"{text} Äß漢🙂",
    lambda text: f"{text}\t'\"\\<&>;--",
    lambda text: f"0{text}",
    lambda text: text.ljust(50, "y"),
    lambda text: text.ljust(100, "z"),
)


def with_edge_cases(batch: PlannedBatch, bulk: Bulk, kind: RecordType | None, rng: Random) -> Request:
    """Return a batch's request with an edge case in one text member, where a valid one exists."""
    place = next((at for at in bulk.items.places if isinstance(find(batch.body, at), list)), None)
    items: Any = find(batch.body, place) if place is not None else None
    if kind is None or not items or bulk.effect.payload in bulk.items.shared:
        return batch.request
    n = rng.randrange(len(items))
    changed = _with_edge_case(items[n], bulk.effect.payload, kind, rng)
    if changed is None or place is None:
        return batch.request
    return replace(batch.request, body=orjson.dumps(put(batch.body, place, [*items[:n], changed, *items[n + 1 :]])))


def _with_edge_case(item: object, at: str, kind: RecordType, rng: Random) -> Any:
    payload = find(item, at)
    texts = [(name, text) for name, text in _text_members(payload) if name in kind.members and _is_free(kind, name)]
    if not texts:
        return None
    name, text = rng.choice(texts)
    fitting = [value for value in (trick(text) for trick in EDGE_CASES) if value != text and kind.accepts(name, value)]
    return put(item, at, _with_text(payload, name, rng.choice(fitting))) if fitting else None


def _is_free(kind: RecordType, name: str) -> bool:
    return name not in kind.resource.references and name != kind.resource.key


def _text_members(payload: object) -> Iterator[tuple[str, str]]:
    """Yield the text members of a payload, itself or a list of changes, with their values."""
    if isinstance(payload, dict):
        yield from ((name, value) for name, value in payload.items() if isinstance(value, str))
    for one in as_list(payload):
        if isinstance(one, dict) and isinstance(one.get("value"), str) and isinstance(one.get("path"), str):
            yield one["path"].removeprefix("/"), one["value"]


def _with_text(payload: Any, name: str, value: str) -> object:
    if isinstance(payload, dict):
        return {**payload, name: value}
    return [{**one, "value": value} if _names(one, name) else one for one in payload]


def _names(change: object, name: str) -> bool:
    """Return whether an entry of a list of changes is one of a member; malformed entries may be any JSON value."""
    return isinstance(change, dict) and str(change.get("path")).removeprefix("/") == name


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceProfile:
    """The profile of a sequence: `mean` is the mean batch size, `actions` the number of actions.

    `weights` are the relative frequencies of actions, `reads` is the mean number of records read after a batch.
    `in_flight` is the maximum of running jobs; with `in_turn` nothing else is written while one runs. `uses_model`
    tells whether the reference model judges too. `narrow` is the share of sequences restricted to one data set and
    to one resource with its related ones.
    """

    name: str
    mean: int
    actions: int
    reads: float
    weights: Mapping[str, float]
    in_flight: int = 2
    in_turn: bool = False
    uses_model: bool = False
    narrow: float = 0.3


DEEP: Final = SequenceProfile(
    name="deep",
    mean=3,
    actions=60,
    reads=1.0,
    in_flight=1,
    in_turn=True,
    uses_model=True,
    narrow=0.7,
    weights={
        "post": 10,
        "single": 4,
        "again": 1,
        "repeat": 1,
        "list": 1,
        "poll": 2,
        "cancel": 0.5,
        "early": 0.7,
        "ghost": 0.7,
    },
)
WIDE: Final = SequenceProfile(
    name="wide",
    mean=16,
    actions=60,
    reads=0.2,
    weights={
        "post": 20,
        "single": 0.5,
        "again": 0.5,
        "repeat": 0.3,
        "list": 0.5,
        "poll": 1,
        "cancel": 0.3,
        "early": 0.3,
    },
)
LONG: Final = SequenceProfile(
    name="long",
    mean=60,
    actions=12,
    reads=3.0,
    weights={"post": 10, "list": 2, "repeat": 0.5, "again": 0.5, "poll": 1, "cancel": 0.3, "early": 0.3},
)


def draw_action(weights: Mapping[str, float], rng: Random) -> str:
    """Draw an action by weight."""
    names = list(weights)
    return rng.choices(names, [weights[name] for name in names])[0]


SIDE_BY_SIDE: Final = replace(
    next(one for one in LAWS if one.name == "job-moves"), judge_exchange=None, applies_to=None, experiment=overlap
)
"""Jobs side by side and cancelled ones, which `check` shows to the laws on exchanges, as an experiment."""
LARGE_EXPERIMENTS: Final = ("boundary",)  # experiments with the maximum number of items: `LimitsTask` does the same
COSTLY_LAWS: Final = ("atomic", "listing", "uniform", "async-is-sync")  # of some 100 requests, or as many items
TELLING_LAWS: Final = ("errors", "duplicate", "exact", "identity", "lookup", "stale-version", "uniform")
"""What tells of kinds of items, which each kind of operation has its own of: run soon on each."""
LAWS_PER_SEQUENCE: Final = 3  # experiments between two sequences of the first round
CALLS_PER_SEQUENCE: Final = 4  # the same of those that any operation can have
ROUNDS_BEFORE_LARGEST: Final = 4  # sequences, with their experiments, before the largest batches
ITEMS_PER_SEQUENCE: Final = 2000  # of the largest batches that are posted between two sequences
SEQUENCES_PER_LAW: Final = 4  # sequences between two experiments later on
LARGEST_LIMITS_INTERVAL: Final = 10  # shards from one with the largest batches to the next
BRIEF: Final = tuple(replace(style, actions=20) for style in (DEEP, WIDE))
FIRST_ROUND: Final = (*BRIEF, *BRIEF, DEEP, WIDE, DEEP, LONG)
SEQUENCE_CYCLE: Final = (WIDE, WIDE, DEEP, WIDE, WIDE, LONG)

Size: TypeAlias = Literal["small", "large"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceTask:
    """Run one sequence with a profile."""

    style: SequenceProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsTask:
    """Post batches around the limits of one operation."""

    target: FuzzTarget
    size: Size

    @property
    def cell(self) -> tuple[str, str]:
        """The name of the experiment, and the operation."""
        return f"limits-{self.size}", self.target.operation.id


@dataclass(frozen=True, slots=True, kw_only=True)
class LawTask:
    """Run the experiment of one law on one operation."""

    law: Law
    operation: Operation

    @property
    def cell(self) -> tuple[str, str]:
        """The name of the experiment, and the operation."""
        return self.law.name, self.operation.id

    def findings(self, session: Session) -> Iterator[Finding]:
        """Yield what the experiment finds. Raises NotApplicableError when it cannot continue."""
        if self.law.experiment is not None:
            return run_at_site(session, self.operation, self.law.experiment)
        return self.law.call_experiment(session, self.operation) if self.law.call_experiment is not None else iter(())


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitTask:
    """Repeat one operation until it is refused."""

    operation: Operation

    @property
    def cell(self) -> tuple[str, str]:
        """The name of the experiment, and the operation."""
        return "rate-limit", self.operation.id


Experiment: TypeAlias = LimitsTask | LawTask | RateLimitTask
Task: TypeAlias = SequenceTask | Experiment
AnyExperiment = TypeVar("AnyExperiment", bound=Experiment)


def scheduled_tasks(
    contract: Contract, targets: FuzzTargets, rng: Random, coverage: PropertyCoverage, *, ordinal: int = 0
) -> Iterator[Task]:
    """Yield tasks without end: first a round of everything that the campaign has not done, then mostly sequences.

    `ordinal` counts the fuzzer's shards from 0. What the first one has no time for, the next ones do, so that a slow
    machine changes nothing but the time; as long as it runs, others that run beside it go on. Every tenth shard posts
    the largest batches again.
    """
    laws, calls, limits = _law_tasks(contract, targets, rng), _call_law_tasks(contract, rng), _limit_tasks(targets)
    done: set[tuple[str, str]] = set()
    is_late = ordinal > 0 and ordinal % LARGEST_LIMITS_INTERVAL == 0
    if is_late:
        yield from limits
    if ordinal == 0 or coverage.has_experiments:
        once: list[Experiment] = [*_rate_limit_tasks(contract), *calls]
        some = _left(coverage, once)
        for task in _first_round(_left_laws(coverage, laws), some, [] if is_late else _left(coverage, limits)):
            yield task
            done |= set() if isinstance(task, SequenceTask) else {task.cell}
    laws = laws[ordinal % len(laws) :] + laws[: ordinal % len(laws)] if laws else []
    laws.sort(key=lambda one: one.cell in done or coverage.has_run(*one.cell))
    for n in count():
        yield SequenceTask(style=SEQUENCE_CYCLE[n % len(SEQUENCE_CYCLE)])
        if laws and n % SEQUENCES_PER_LAW == SEQUENCES_PER_LAW - 1:
            yield laws[0]
            laws.append(laws.pop(0))


def law_task(contract: Contract, cell: Sequence[str]) -> LawTask | None:
    """Return the experiment of a law on an operation by their names, None where there is none."""
    laws = {one.name: one for one in (*LAWS, SIDE_BY_SIDE, *LIST_LAWS, *CALL_LAWS)}
    law, operation = laws.get("".join(cell[:1])), contract.operation("".join(cell[1:]))
    return None if law is None or operation is None else LawTask(law=law, operation=operation)


def quiet_tasks(contract: Contract, targets: FuzzTargets, rng: Random) -> Iterator[Task]:
    """Yield each law on lists once: on a shared server others that write make them wait for lists that are alike."""
    tasks = {one.law.name: one for one in _law_tasks(contract, targets, rng) if one.law in LIST_LAWS}
    yield from tasks.values()


def _left(coverage: PropertyCoverage, tasks: Iterable[AnyExperiment]) -> list[AnyExperiment]:
    """Return the experiments that the campaign has not run."""
    return [one for one in tasks if not coverage.has_run(*one.cell)]


def _left_laws(coverage: PropertyCoverage, laws: Sequence[LawTask]) -> list[LawTask]:
    """Return what the campaign has run none of: each law once, those that tell most on each kind of operation.

    The costly ones come last, in their order.
    """
    first: dict[tuple[str, str], LawTask] = {}
    for one in sorted(laws, key=lambda one: not coverage.has_run(*one.cell)):
        first.setdefault((one.law.name, _kind(laws, one) if one.law.name in TELLING_LAWS else ""), one)
    ranks = {name: rank for rank, name in enumerate(COSTLY_LAWS, 1)}
    return _left(coverage, sorted(first.values(), key=lambda one: ranks.get(one.law.name, 0)))


def _kind(laws: Sequence[LawTask], task: LawTask) -> str:
    """Return the first operation that declares the same as that of a task; two methods may do one thing."""
    return min(one.operation.id for one in laws if one.operation.bulk == task.operation.bulk)


def _first_round(
    laws: Sequence[Experiment], calls: Sequence[Experiment], limits: Sequence[LimitsTask]
) -> Iterator[Task]:
    """Yield all experiments, with sequences between them: the small batches of all operations, then the largest."""
    small = [one for one in limits if one.size == "small"]
    waits: list[Sequence[LimitsTask]] = [small, *([()] * ROUNDS_BEFORE_LARGEST)]
    groups = [*waits, *_in_groups([one for one in limits if one.size == "large"])] if limits else []
    for n in count():
        some = [*_slice(laws, n, LAWS_PER_SEQUENCE), *_slice(calls, n, CALLS_PER_SEQUENCE)]
        some += groups[n] if n < len(groups) else ()
        if not some and n >= len(groups):
            return
        yield SequenceTask(style=FIRST_ROUND[n % len(FIRST_ROUND)])
        yield from some


def _in_groups(limits: Iterable[LimitsTask]) -> Iterator[Sequence[LimitsTask]]:
    """Yield the largest batches in groups with few items together, or with one operation."""
    some, items = list[LimitsTask](), 0
    for one in limits:
        own = _max_items(one.target)
        if some and items + own > ITEMS_PER_SEQUENCE:
            yield some
            some, items = [], 0
        some, items = [*some, one], items + own
    if some:
        yield some


def _slice(tasks: Sequence[Experiment], n: int, size: int) -> Sequence[Experiment]:
    return tasks[n * size : (n + 1) * size]


def _law_tasks(contract: Contract, targets: FuzzTargets, rng: Random) -> list[LawTask]:
    """Return all applicable experiments, each law on one operation before any law on a second."""
    bulk = list({one.operation.id: one.operation for one in targets.bulk}.values())
    every = (*LAWS, SIDE_BY_SIDE, *LIST_LAWS)
    laws = [one for one in every if one.experiment is not None and one.name not in LARGE_EXPERIMENTS]
    places = ((law, contract.operations if law in LIST_LAWS else bulk) for law in laws)
    return _by_columns(rng, ((law, [one for one in some if law.exempt_reason(one) is None]) for law, some in places))


def _by_columns(
    rng: Random, operations: Iterable[tuple[Law, list[Operation]]], rank: Callable[[Operation], int] = lambda _: 0
) -> list[LawTask]:
    """Return the tasks of laws on operations by rank, else in random order, one of each law before a second of any."""
    places = ((law, sorted(rng.sample(some, len(some)), key=rank)) for law, some in operations)
    rows = [[LawTask(law=law, operation=one) for one in some] for law, some in places]
    rng.shuffle(rows)
    return [one for column in zip_longest(*rows) for one in column if one is not None]


def _call_law_tasks(contract: Contract, rng: Random) -> list[LawTask]:
    """Return the experiments that any operation can have, each law on one operation before any law on a second.

    Each law on each type of body comes first, on the operation with the most parameters.
    """
    places = ((law, [one for one in contract.operations if law.calls(contract, one)]) for law in CALL_LAWS)
    tasks = _by_columns(rng, places, lambda one: -len(one.parameters))
    first: dict[tuple[str, ...], LawTask] = {}
    for one in tasks:
        first.setdefault((one.law.name, *_media_types(one.operation)), one)
    soon = {one.cell for one in first.values()}
    return [*first.values(), *(one for one in tasks if one.cell not in soon)]


def _media_types(operation: Operation) -> list[str]:
    return sorted(one.media_range for one in operation.body.content) if operation.body is not None else []


def _rate_limit_tasks(contract: Contract) -> list[RateLimitTask]:
    """Return the operations without x-bulk that declare 429."""
    return [
        RateLimitTask(operation=one)
        for one in contract.operations
        if str(TOO_MANY_REQUESTS) in one.responses and one.bulk is None
    ]


def _limit_tasks(targets: FuzzTargets) -> list[LimitsTask]:
    """Return the limits of each operation: the small batches of all, then the largest, those with fewer items first."""
    first: dict[str, FuzzTarget] = {}
    for one in targets.bulk:
        first.setdefault(one.operation.id, one)
    sizes: Sequence[Size] = ("small", "large")
    by_cost = sorted(first.values(), key=_max_items)
    return [LimitsTask(target=one, size=size) for size in sizes for one in by_cost]


def _max_items(target: FuzzTarget) -> int:
    bulk = target.operation.bulk
    return (bulk.items.max if bulk is not None else None) or 0
