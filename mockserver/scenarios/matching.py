"""Match a request against a rule's condition (`unmet_conditions`), and select a rule's items (`select_items`)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import floor
from random import Random
from typing import Final, NamedTuple, Protocol

import orjson

from contracts.messages import ABSENT, Headers
from contracts.syntax.text import clipped, listed, look_up
from mockserver.scenarios.model import ItemSelection, RequestCondition, ValueTest, as_text, glob

MAX_VALUES_SHOWN: Final = 5  # values of a member that a near miss names


class MatchedItem(Protocol):
    """One item of a request; `raw` is the received JSON value."""

    @property
    def index(self) -> int:
        """Return its index in the list, from 0."""

    @property
    def key(self) -> object:
        """Return its key, None when it has none."""

    @property
    def raw(self) -> object:
        """Return the item as it was received."""


class Unmet(NamedTuple):
    """A condition that a request does not meet; `got` is None where the request has no value."""

    field: str
    wanted: object
    got: object

    @property
    def says(self) -> str:
        """Return the condition and what the request has, in words."""
        if self.field == "times":
            limit, used = (f"{number} time{'' if number == 1 else 's'}" for number in (self.wanted, self.got))
            return f"it was to fire {limit} and has fired {used}: it is used up"
        if self.field == "nth" and self.got is not None:
            return f"it is for request {_shown(self.wanted)} that fits, and this is request {self.got}"
        return f"{self.field} must be {_shown(self.wanted)}, and it is {_shown(self.got)}"


def _shown(value: object) -> str:
    if value is None:
        return "absent"
    if isinstance(value, list | tuple) and value and len(value) <= MAX_VALUES_SHOWN:
        return listed(map(_shown, value), "or")
    return value if isinstance(value, str) else clipped(orjson.dumps(value, default=str).decode())


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPurpose:
    """What a request would do; all empty when it is refused or changes nothing.

    `unit` is `whole`, `item` or `group`, "" when it is no bulk request. `makes_job`: it makes one job or more.
    `tenants` are the targets of its fan-out. `returns_items`: it says where items are that were not processed.
    """

    unit: str = ""
    returns_items: bool = False
    makes_job: bool = False
    tenants: tuple[str, ...] = ()


def _idle() -> RequestPurpose:
    return RequestPurpose()


def _nothing() -> Sequence[MatchedItem]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RequestFacts:
    """The facts of one request that conditions can test. `purpose` and `items` are computed on demand.

    `path` is percent-decoded and relative to the API's mount; `ignore_case` is how the API compares paths. A request
    that writes one record has it as its only item.
    """

    api: str
    operation: str
    method: str
    path: str
    tenant: str = ""
    client: str = ""
    headers: Headers = field(default_factory=Headers)
    query: tuple[tuple[str, str], ...] = ()
    body: object = ABSENT
    ignore_case: bool = False
    purpose: Callable[[], RequestPurpose] = _idle
    items: Callable[[], Sequence[MatchedItem]] = _nothing


class DrawSource(Protocol):
    """What depends on earlier requests and on chance, for one rule and one request."""

    def nth(self, numbers: tuple[int, ...]) -> Iterable[Unmet]:
        """Return the unmet condition on the number of the request, if it is unmet."""

    def chance(self, share: float) -> Iterable[Unmet]:
        """Return the unmet condition on the random number, if it is unmet."""

    def counter(self, name: str, test: ValueTest) -> Iterable[Unmet]:
        """Return the unmet condition on a named counter, if it is unmet."""

    def negated(self) -> "DrawSource":
        """Return the source to use inside a `not`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UndecidedDraw:
    """A draw that is not known yet: conditions on number and chance count as met, inside a `not` as unmet."""

    counters: Mapping[str, int] = field(default_factory=dict)
    fits: bool = True

    def nth(self, numbers: tuple[int, ...]) -> Iterable[Unmet]:
        """Return nothing, inside a `not` the condition."""
        return () if self.fits else (Unmet("nth", numbers, None),)

    def chance(self, share: float) -> Iterable[Unmet]:
        """Return nothing, inside a `not` the condition."""
        return () if self.fits else (Unmet("chance", share, None),)

    def counter(self, name: str, test: ValueTest) -> Iterable[Unmet]:
        """Return the condition if the counter does not meet it."""
        return unmet_counter(self.counters, name, test)

    def negated(self) -> "UndecidedDraw":
        """Return the opposite."""
        return replace(self, fits=not self.fits)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDraw:
    """A draw: `number` counts the requests that meet the other conditions, from 1; `roll` is in [0, 1)."""

    number: int
    roll: float
    counters: Mapping[str, int] = field(default_factory=dict)

    def nth(self, numbers: tuple[int, ...]) -> Iterable[Unmet]:
        """Return the condition unless the number is one of these."""
        return () if self.number in numbers else (Unmet("nth", _one_or_list(numbers), self.number),)

    def chance(self, share: float) -> Iterable[Unmet]:
        """Return the condition unless the roll is below `share`."""
        return () if self.roll < share else (Unmet("chance", share, round(self.roll, 6)),)

    def counter(self, name: str, test: ValueTest) -> Iterable[Unmet]:
        """Return the condition if the counter does not meet it."""
        return unmet_counter(self.counters, name, test)

    def negated(self) -> "KnownDraw":
        """Return the same draw."""
        return self


def unmet_counter(counters: Mapping[str, int], name: str, test: ValueTest) -> Iterable[Unmet]:
    """Return the condition on a named counter if it is unmet; counters begin at 0."""
    number = counters.get(name, 0)
    return () if test.holds(number) else (Unmet(f"counter.{name}", test.document, number),)


def unmet_conditions(when: RequestCondition, facts: RequestFacts, luck: DrawSource) -> tuple[Unmet, ...]:
    """Return the conditions that the request does not meet, none when it matches."""
    return tuple(one for judge in MATCHERS for one in judge(when, facts, luck))


def _one_or_list(values: tuple[object, ...]) -> object:
    return values[0] if len(values) == 1 else list(values)


def _words(when: RequestCondition, facts: RequestFacts, luck: DrawSource) -> Iterable[Unmet]:
    del luck
    for name, wanted in when.words.items():
        given: str = getattr(facts, name)
        if given not in wanted:
            yield Unmet(name, _one_or_list(wanted), given or None)


def _path(when: RequestCondition, facts: RequestFacts, luck: DrawSource) -> Iterable[Unmet]:
    del luck
    if when.path is None:
        return ()
    fold = str.lower if facts.ignore_case else str
    return () if glob(fold(when.path))(fold(facts.path)) else (Unmet("path", when.path, facts.path),)


def _header(when: RequestCondition, facts: RequestFacts, luck: DrawSource) -> Iterable[Unmet]:
    del luck
    for name, test in when.header.items():
        yield from _any_of(f"header.{name}", test, facts.headers.get_all(name))


def _query(when: RequestCondition, facts: RequestFacts, luck: DrawSource) -> Iterable[Unmet]:
    del luck
    for name, test in when.query.items():
        yield from _any_of(f"query.{name}", test, tuple(value for key, value in facts.query if key == name))


def _any_of(field_name: str, test: ValueTest, values: tuple[str, ...]) -> Iterable[Unmet]:
    if not any(map(test.holds, values or (ABSENT,))):
        yield Unmet(field_name, test.document, _one_or_list(values) if values else None)


def _body(when: RequestCondition, facts: RequestFacts, luck: DrawSource) -> Iterable[Unmet]:
    del luck
    for pointer, test in when.body:
        given = ABSENT if facts.body is ABSENT else look_up(facts.body, pointer)
        if not test.holds(given):
            yield Unmet(f"body{pointer}", test.document, None if given is ABSENT else given)


def _nth(when: RequestCondition, facts: RequestFacts, luck: DrawSource) -> Iterable[Unmet]:
    del facts
    return luck.nth(when.nth) if when.nth else ()


def _chance(when: RequestCondition, facts: RequestFacts, luck: DrawSource) -> Iterable[Unmet]:
    del facts
    return () if when.chance is None else luck.chance(when.chance)


def _counter(when: RequestCondition, facts: RequestFacts, luck: DrawSource) -> Iterable[Unmet]:
    del facts
    return () if when.counter is None else luck.counter(*when.counter)


def _all(when: RequestCondition, facts: RequestFacts, luck: DrawSource) -> Iterable[Unmet]:
    for n, one in enumerate(when.all):
        yield from _inside(f"all.{n}", unmet_conditions(one, facts, luck))


def _any(when: RequestCondition, facts: RequestFacts, luck: DrawSource) -> Iterable[Unmet]:
    tried = [unmet_conditions(one, facts, luck) for one in when.any]
    if not tried or not all(tried):
        return ()
    nearest = min(range(len(tried)), key=lambda n: len(tried[n]))
    return _inside(f"any.{nearest}", tried[nearest])


def _not(when: RequestCondition, facts: RequestFacts, luck: DrawSource) -> Iterable[Unmet]:
    if when.negated is None or unmet_conditions(when.negated, facts, luck.negated()):
        return ()
    return (Unmet("not", "something that does not fit", "it fits"),)


def _inside(prefix: str, found: Iterable[Unmet]) -> Iterable[Unmet]:
    return [one._replace(field=f"{prefix}.{one.field}") for one in found]


MATCHERS: Final[tuple[Callable[[RequestCondition, RequestFacts, DrawSource], Iterable[Unmet]], ...]] = (
    _words,
    _path,
    _header,
    _query,
    _body,
    _counter,
    _all,
    _any,
    _not,
    _nth,
    _chance,
)


def select_items(picks: ItemSelection, items: Sequence[MatchedItem], chance: Random) -> tuple[MatchedItem, ...]:
    """Return the selected items in their order. `chance` is used for a `ratio` alone."""
    fitting = [one for one in items if _fits(picks, one)][picks.every - 1 :: picks.every]
    if picks.ratio is not None and fitting:
        share = max(1, floor(picks.ratio * len(fitting) + 0.5))
        fitting = [fitting[n] for n in sorted(chance.sample(range(len(fitting)), share))]
    return tuple(fitting if picks.first is None else fitting[: picks.first])


def why_no_items(picks: ItemSelection, items: Sequence[MatchedItem]) -> tuple[Unmet, ...]:
    """Return why no item is selected: the first condition that no item meets, with the values found."""
    for pointer, test in picks.where:
        if not any(test.holds(look_up(one.raw, pointer)) for one in items):
            return (Unmet(f"items.where{pointer}", test.document, _values(pointer, items)),)
    if picks.keys is not None and not any(as_text(one.key) in picks.keys for one in items):
        return (Unmet("items.key", sorted(picks.keys), [one.key for one in items[:MAX_VALUES_SHOWN]]),)
    return (Unmet("items", picks.document, f"{len(items)} items"),)


def _fits(picks: ItemSelection, part: MatchedItem) -> bool:
    return (
        (picks.indexes is None or part.index in picks.indexes)
        and (picks.keys is None or as_text(part.key) in picks.keys)
        and all(test.holds(look_up(part.raw, pointer)) for pointer, test in picks.where)
    )


def _values(pointer: str, items: Sequence[MatchedItem]) -> object:
    found = (look_up(one.raw, pointer) for one in items)
    values = list(dict.fromkeys(as_text(value) for value in found if value is not ABSENT))
    return values[:MAX_VALUES_SHOWN] or None
