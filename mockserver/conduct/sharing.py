"""Which later posts have items of an earlier one, found without comparing every post with every other."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from heapq import nsmallest
from typing import Final, TypeAlias

from mockserver.conduct.history import Deed, History

SKETCH: Final = 64  # marks of a large post that stand for all of it: the smallest, which are those of any like it
Side: TypeAlias = tuple[str, str]  # a client, and a tenant or data set


class Shared:
    """An index of the posts of a history by their content.

    A post of more than `SKETCH` items is found by what shares a good part of it; a smaller one by any of its items.
    """

    def __init__(self, history: History) -> None:
        self._deeds = {deed.n: deed for deed in history.posts if deed.is_understood}
        self._by_mark: dict[Side, dict[int, list[int]]] = {}
        for deed in self._deeds.values():
            marks = set(_sketch(deed.marks))
            for target in deed.targets:
                places = self._by_mark.setdefault((deed.client, target), {})
                for mark in marks:
                    places.setdefault(mark, []).append(deed.n)

    def after(self, sent: Deed, aims: Iterable[str], n: int) -> list[Deed]:
        """Return posts after number `n`, to one of these tenants, with items of `sent`: for each item the first."""
        found: set[int] = set()
        for target in aims:
            places = self._by_mark.get((sent.client, target), {})
            for mark in sent.marks:
                later = places.get(mark)
                if later is not None and later[-1] > n:
                    found.add(later[bisect_right(later, n)])
        return [self._deeds[number] for number in sorted(found)]


def _sketch(marks: Sequence[int]) -> Sequence[int]:
    return marks if len(marks) <= SKETCH else nsmallest(SKETCH, marks)
