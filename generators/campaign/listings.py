"""Holding lists against earlier lists: windows show what the whole shows, and nobody's records stay."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from contracts.messages import Exchange
from generators.campaign.ledger import Where

Evidence: TypeAlias = tuple[Exchange, ...]
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
    """The lists that were told in one world. Natives are records that were made by nobody who names them as we do."""

    _wholes: dict[Where, Whole] = field(default_factory=dict)
    _windows: dict[Where, list[Window]] = field(default_factory=dict)

    def window(self, where: Where, window: Window) -> None:
        """Note a part of a list; it is judged when the whole was the same before and after it."""
        if where in self._wholes:
            self._windows.setdefault(where, []).append(window)

    def whole(
        self, where: Where, keys: Sequence[str], natives: frozenset[str], exchange: Exchange
    ) -> Iterator[tuple[str, str, Evidence]]:
        """Yield the shape, the words and the evidence of what differs from the list before."""
        now, before = Whole(tuple(keys), natives, exchange), self._wholes.get(where)
        self._wholes[where] = now
        windows = self._windows.pop(where, [])
        if before is None:
            return
        lost = sorted(before.natives - set(now.keys))
        if lost:
            says = f"the {where.resource} {lost[0]}, which nobody has deleted, is not in the list any more"
            yield "record that nobody deleted is gone", says, (before.exchange, exchange)
        for one in windows if before.keys == now.keys else ():
            if one.keys != now.keys[one.skip : one.skip + one.take]:
                says = f"a list of {one.take} records from {one.skip} on is not that part of the whole list"
                yield "window shows other records", says, (before.exchange, one.exchange, exchange)


def is_native(names: Sequence[object]) -> bool:
    """Say whether a record is called by texts of which none looks as if a campaign had made it up."""
    texts = [name for name in names if isinstance(name, str)]
    return bool(texts) and not any(OURS.search(text) for text in texts)
