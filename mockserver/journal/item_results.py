"""What became of the items of a request: of those run at once, and of those of jobs and targets (`Part`).

Main entries: `results_of` and `parts_of`, which are recorded; `tally_of` and `results_by_item`, which are told.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from itertools import islice
from operator import add
from typing import TYPE_CHECKING, Final, NamedTuple

from contracts.exchange.raw_items import raw_items
from contracts.messages import ABSENT, Response
from mockserver.bulk.outcome_rendering import message_of
from mockserver.domain.columns import outcome_keys, result_words
from mockserver.domain.values import Outcome
from mockserver.journal.facts import MAX_ITEMS_STORED

if TYPE_CHECKING:
    from mockserver.api.model import RequestContext


class ItemCounts(NamedTuple):
    """The number of items that were done, failed, were not run, and wait for their job to run."""

    done: int = 0
    failed: int = 0
    not_run: int = 0
    waiting: int = 0


NO_ITEMS: Final = ItemCounts()


class ItemResult(NamedTuple):
    """The result of one item: `done`, `failed` or `not-run`, with its error text."""

    key: object
    result: str
    error: str


@dataclass(frozen=True, slots=True)
class ItemResults:
    """The results of a request's items, in their order. `undone` are those that are not `done`, by index."""

    keys: tuple[object, ...]
    undone: Mapping[int, ItemResult]

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[ItemResult]:
        undone = self.undone
        return (undone[n] if n in undone else ItemResult(key, "done", "") for n, key in enumerate(self.keys))

    @property
    def tally(self) -> ItemCounts:
        """Return the number of items by result."""
        if not self.keys:
            return NO_ITEMS
        failed = sum(1 for one in self.undone.values() if one.result == "failed")
        return ItemCounts(len(self.keys) - len(self.undone), failed, len(self.undone) - failed)


NO_RESULTS: Final = ItemResults((), {})


def results_of(outcomes: Sequence[Outcome]) -> ItemResults:
    """Return the results of items."""
    if not outcomes:
        return NO_RESULTS
    keys = outcome_keys(outcomes)
    if None in keys:
        keys = [outcome.item.index if key is None else key for outcome, key in zip(outcomes, keys, strict=True)]
    words = result_words(outcomes)
    if words.count("done") == len(words):
        return ItemResults(tuple(keys), {})
    bad = [n for n, word in enumerate(words) if word != "done"]
    return ItemResults(tuple(keys), {n: ItemResult(keys[n], words[n], message_of(outcomes[n])) for n in bad})


class Part(NamedTuple):
    """What became of the `size` items of a bulk request for one `target` of a fan-out, "" without one.

    `job` is the job that they wait in or were run by, "" for none, and `due` when it was to end, None for never;
    `results` are those of a job that ran. `error` says why none of them was run. Without job and error they were run at
    once: the next `size` of the request's results.
    """

    target: str
    size: int
    job: str = ""
    due: datetime | None = None
    results: ItemResults | None = None
    error: str = ""

    @property
    def is_waiting(self) -> bool:
        """Tell whether the items are those of a job that has not ended."""
        return self.job != "" and self.results is None and not self.error


def parts_of(context: "RequestContext", response: Response, results: ItemResults) -> tuple[Part, ...]:
    """Return the parts of a bulk request, none where all items were run at once for one target."""
    bulk = None if context.operation is None else context.operation.bulk
    if bulk is None or (results.keys and not context.targets):
        return ()
    made = [job for job in context.jobs if context.operation is not None and job.operation == context.operation.id]
    if made and not context.targets:
        return tuple([Part("", job.items, job.id, job.due) for job in made])
    size = made[0].items if made else 0 if context.data is ABSENT else len(raw_items(bulk, context))
    good = [name for name, one in context.targets.items() if not one.problems]
    if not size:
        return ()
    if len(good) != len(made) and len(good) * size != len(results):  # nothing was run, or it was taken back
        return (Part("", size, error=_why_nothing_was_run(response)),)
    jobs = dict(zip(good, [(job.id, job.due) for job in made], strict=False))
    return tuple(
        [
            Part(name, size, *jobs.get(name, ("", None)), error=" ".join(one.problems))
            for name, one in context.targets.items()
        ]
    ) or (Part("", size, error=_why_nothing_was_run(response)),)


def tally_of(at_once: ItemCounts, parts: Sequence[Part]) -> ItemCounts:
    """Return the number of items by outcome: of those that were run at once, and of the parts that were not."""
    tally = at_once
    for part in parts:
        if part.results is not None:
            tally = ItemCounts(*map(add, tally, part.results.tally))
        elif part.error:
            tally = tally._replace(not_run=tally.not_run + part.size)
        elif part.job:
            tally = tally._replace(waiting=tally.waiting + part.size)
    return tally


class PartResult(NamedTuple):
    """The result of one item of a request: `done`, `failed`, `not-run` or `waiting`, for which target and job."""

    key: object
    result: str
    error: str
    target: str = ""
    job: str = ""


def results_by_item(at_once: ItemResults, parts: Sequence[Part], keys: Sequence[object]) -> Iterator[PartResult]:
    """Yield the result of each item of a request, part by part; `keys` name the items that no result names.

    Of a part without keys the first `MAX_ITEMS_STORED` are told: its size may be anything that a client has sent.
    """
    told = iter(at_once)
    for part in parts or (Part("", len(at_once)),):
        if part.results is not None:
            found: Iterable[tuple[object, str, str]] = part.results
        elif part.is_waiting or part.error:
            names = keys if len(keys) == part.size else range(min(part.size, MAX_ITEMS_STORED))
            result = "waiting" if part.is_waiting else "not-run"
            found = ((name, result, part.error) for name in names)
        else:
            found = islice(told, part.size)
        yield from (PartResult(*one, part.target, part.job) for one in found)


def _why_nothing_was_run(response: Response) -> str:
    if response.status >= HTTPStatus.BAD_REQUEST:
        return f"The whole request was refused with {response.status}."
    return "It was answered without running any item."
