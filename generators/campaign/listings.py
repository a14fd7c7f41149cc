"""Holding lists against earlier lists: windows show what the whole shows, and nobody's records stay."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from contracts.messages import Exchange
from generators.campaign.ledger import Where

Evidence: TypeAlias = tuple[Exchange, ...]
Touched: TypeAlias = Callable[[str], bool]
ODD: Final = 3  # windows that differ before it is told where others write too
OURS: Final = re.compile(r"[bB][0-9a-z]{5}|[B][0-9A-Z]{5}")  # how names begin that campaigns and experiments make up


class Whole(NamedTuple):
    """A list of all records of a kind, as it was told."""

    keys: tuple[str, ...]
    natives: frozenset[str]
    exchange: Exchange


class Window(NamedTuple):
    """A list of some records of a kind: of how many from where on was asked for, and which came."""

    skip: int
    take: int
    keys: tuple[str, ...]
    exchange: Exchange


@dataclass(slots=True)
class Listings:
    """The lists that were told in one world. Natives are records that were made by nobody who names them as we do.

    Where others write too, and it is not `alone`, a window may differ now and then: only one that mostly does is told.
    """

    alone: bool = True
    _judged: int = 0
    _odd: int = 0
    _wholes: dict[Where, Whole] = field(default_factory=dict)
    _windows: dict[Where, list[Window]] = field(default_factory=dict)

    def window(self, where: Where, window: Window) -> None:
        """Note a part of a list; it is judged when the whole was the same before and after it."""
        if where in self._wholes:
            self._windows.setdefault(where, []).append(window)

    def whole(
        self, where: Where, keys: Sequence[str], natives: frozenset[str], exchange: Exchange, touched: Touched
    ) -> Iterator[tuple[str, str, Evidence]]:
        """Yield the shape, the words and the evidence of what differs from the list before.

        `touched` says of a key whether it is that of a record which a call has named.
        """
        now, before = Whole(tuple(keys), natives, exchange), self._wholes.get(where)
        self._wholes[where] = now
        windows = self._windows.pop(where, [])
        if before is None:
            return
        lost = [key for key in sorted(before.natives - set(now.keys)) if not touched(key)]
        if lost:
            says = f"the {where.resource} {lost[0]}, which was not deleted, is no longer in the list"
            yield "record that nobody deleted is gone", says, (before.exchange, exchange)
        for one in windows if before.keys == now.keys else ():
            is_odd = one.keys != now.keys[one.skip : one.skip + one.take]
            self._judged, self._odd = self._judged + 1, self._odd + is_odd
            if is_odd and self._odd >= (1 if self.alone else max(ODD, self._judged / 2)):
                says = f"a page of {one.take} records from {one.skip} on differs from that part of the full list"
                yield "window shows other records", says, (before.exchange, one.exchange, exchange)


def is_native(names: Sequence[object]) -> bool:
    """Say whether a record is called by texts of which none looks as if a campaign had made it up."""
    texts = [name for name in names if isinstance(name, str)]
    return bool(texts) and not any(OURS.search(text) for text in texts)
