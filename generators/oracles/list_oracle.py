"""Judge lists by earlier ones, and say what of the records a request for a list asks for. Begin with `ListOracle`."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from contracts.bulk.model import RecordAct
from contracts.messages import Exchange
from contracts.syntax.text import parse_digits
from generators.oracles.state_model import RecordSet

Evidence: TypeAlias = tuple[Exchange, ...]
IsTouched: TypeAlias = Callable[[str], bool]
MIN_ODD_PAGES: Final = 3  # differing pages before a finding, where other clients write too
GENERATED_NAME: Final = re.compile(r"[bB][0-9a-z]{5}|[B][0-9A-Z]{5}")  # how names of campaigns and experiments begin


class FullList(NamedTuple):
    """A list of all records of a resource. `foreign_keys` are those of records without a generated name."""

    keys: tuple[str, ...]
    foreign_keys: frozenset[str]
    exchange: Exchange


class ListPage(NamedTuple):
    """A list of some records: the requested `skip` and `take`, and the keys received."""

    skip: int
    take: int
    keys: tuple[str, ...]
    exchange: Exchange


@dataclass(slots=True)
class ListOracle:
    """Compares the lists of one environment.

    Unless it `is_exclusive` others write too: what is theirs may go at any time, and pages that differ are reported
    only from the third on and when at least half of the pages differ.
    """

    is_exclusive: bool = True
    _judged_count: int = 0
    _odd_count: int = 0
    _full_lists: dict[RecordSet, FullList] = field(default_factory=dict)
    _pages: dict[RecordSet, list[ListPage]] = field(default_factory=dict)

    def add_page(self, where: RecordSet, page: ListPage) -> None:
        """Add a page; it is judged when the full list was equal before and after it."""
        if where in self._full_lists:
            self._pages.setdefault(where, []).append(page)

    def judge_full_list(
        self,
        where: RecordSet,
        keys: Sequence[str],
        foreign_keys: frozenset[str],
        exchange: Exchange,
        touched: IsTouched,
    ) -> Iterator[tuple[str, str, Evidence]]:
        """Yield shape, message and evidence of each difference from the last full list and its pages.

        `touched` tells whether a request has named the record of a key.
        """
        now, before = FullList(tuple(keys), foreign_keys, exchange), self._full_lists.get(where)
        self._full_lists[where] = now
        pages = self._pages.pop(where, [])
        if before is None:
            return
        lost = [key for key in sorted(before.foreign_keys - set(now.keys)) if not touched(key)]
        if lost and self.is_exclusive:
            says = f"the {where.resource} {lost[0]}, which was not deleted, is no longer in the list"
            yield "record that nobody deleted is gone", says, (before.exchange, exchange)
        for one in pages if before.keys == now.keys else ():
            is_odd = one.keys != now.keys[one.skip : one.skip + one.take]
            self._judged_count, self._odd_count = self._judged_count + 1, self._odd_count + is_odd
            if is_odd and self._odd_count >= (1 if self.is_exclusive else max(MIN_ODD_PAGES, self._judged_count / 2)):
                says = f"a page of {one.take} records from {one.skip} on differs from that part of the full list"
                yield "window shows other records", says, (before.exchange, one.exchange, exchange)


def is_foreign(names: Sequence[object]) -> bool:
    """Return whether a record has texts among its names and none of them looks generated."""
    texts = [name for name in names if isinstance(name, str)]
    return bool(texts) and not any(GENERATED_NAME.search(text) for text in texts)


def is_selective(act: RecordAct, exchange: Exchange) -> bool:
    """Return whether a request for a list asks for some records, for another order, or for a page in other ways."""
    rules, page = act.rules, act.page
    places = [*rules.where.values(), *(one.at for one in (rules.sort, rules.filter) if one is not None)]
    names = {at.partition(":")[2] for at in (*places, page.cursor, page.number) if at is not None}
    return any(name in names for name, _ in exchange.request.query)


def query_number(exchange: Exchange, at: str | None, otherwise: int | None) -> int | None:
    """Return a number that a request asks for at a query parameter, `otherwise` where it does not."""
    name = at.partition(":")[2] if at is not None else ""
    number = parse_digits(dict(exchange.request.query).get(name, ""))
    return otherwise if number is None else number


def shows_some_members(act: RecordAct | None, exchange: Exchange) -> bool:
    """Return whether a request chooses which members are shown: of the others its response tells nothing."""
    chosen = act.rules.select if act is not None else None
    return chosen is not None and chosen.partition(":")[2] in dict(exchange.request.query)
