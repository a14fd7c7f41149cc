"""What became of the items of a call, kept small: their keys, and in words only what was not done."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from mockserver.domain.replies import message_of
from mockserver.domain.values import Outcome


class Tally(NamedTuple):
    """How many items were done, failed, and were not run."""

    done: int = 0
    failed: int = 0
    not_run: int = 0


class ItemResult(NamedTuple):
    """What became of one item: `result` is `done`, `failed` or `not-run`, `error` says why in plain words."""

    key: object
    result: str
    error: str


@dataclass(frozen=True, slots=True)
class Results:
    """The results of a call's items, in their order. `undone` are those that are not `done`, by their place."""

    keys: tuple[object, ...]
    undone: Mapping[int, ItemResult]

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[ItemResult]:
        undone = self.undone
        return (undone[n] if n in undone else ItemResult(key, "done", "") for n, key in enumerate(self.keys))

    @property
    def tally(self) -> Tally:
        """Count them."""
        failed = sum(1 for one in self.undone.values() if one.result == "failed")
        return Tally(len(self.keys) - len(self.undone), failed, len(self.undone) - failed)


NONE: Final = Results((), {})


def results_of(outcomes: Sequence[Outcome]) -> Results:
    """Return the results of items."""
    if not outcomes:
        return NONE
    keys = [outcome[0][1] for outcome in outcomes]
    if None in keys:
        keys = [outcome.item.index if key is None else key for outcome, key in zip(outcomes, keys, strict=True)]
    words = [outcome[1] for outcome in outcomes]
    if words.count("done") == len(words):
        return Results(tuple(keys), {})
    bad = [n for n, word in enumerate(words) if word != "done"]
    return Results(tuple(keys), {n: ItemResult(keys[n], words[n], message_of(outcomes[n])) for n in bad})
