"""Whether a call fits a condition, and if not, what does not fit. Pure functions, one for each word of `when`."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from contracts.messages import ABSENT
from contracts.pointers import look_up
from mockserver.scenario.facts import Facts, Unmet
from mockserver.scenario.patterns import glob
from mockserver.scenario.predicates import Test
from mockserver.scenario.rules import When


class Luck(Protocol):
    """What depends on earlier calls and on chance, for one rule and one call."""

    def nth(self, numbers: tuple[int, ...]) -> Iterable[Unmet]:
        """Return what does not fit in the number of the call."""

    def chance(self, share: float) -> Iterable[Unmet]:
        """Return what does not fit in what was drawn."""

    def counter(self, name: str, test: Test) -> Iterable[Unmet]:
        """Return what does not fit in a named counter."""

    def turned(self) -> "Luck":
        """Return the luck inside a `not`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Luck that is not known yet: it is as it must be for the call to fit."""

    counters: Mapping[str, int] = field(default_factory=dict)
    good: bool = True

    def nth(self, numbers: tuple[int, ...]) -> Iterable[Unmet]:
        """Fit, or not inside a `not`."""
        return () if self.good else (Unmet("nth", numbers, None),)

    def chance(self, share: float) -> Iterable[Unmet]:
        """Fit, or not inside a `not`."""
        return () if self.good else (Unmet("chance", share, None),)

    def counter(self, name: str, test: Test) -> Iterable[Unmet]:
        """Fit when the counter does."""
        return counted(self.counters, name, test)

    def turned(self) -> "Open":
        """Return the opposite."""
        return replace(self, good=not self.good)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Luck as it fell: `number` is the call's among those that fit the rest, `roll` a number from 0 to 1."""

    number: int
    roll: float
    counters: Mapping[str, int] = field(default_factory=dict)

    def nth(self, numbers: tuple[int, ...]) -> Iterable[Unmet]:
        """Fit when the call's number is one of them."""
        return () if self.number in numbers else (Unmet("nth", _one_or_list(numbers), self.number),)

    def chance(self, share: float) -> Iterable[Unmet]:
        """Fit when less was drawn."""
        return () if self.roll < share else (Unmet("chance", share, round(self.roll, 6)),)

    def counter(self, name: str, test: Test) -> Iterable[Unmet]:
        """Fit when the counter does."""
        return counted(self.counters, name, test)

    def turned(self) -> "Drawn":
        """Return the same: what is drawn is drawn."""
        return self


def counted(counters: Mapping[str, int], name: str, test: Test) -> Iterable[Unmet]:
    """Return what does not fit in a named counter, which begins at 0."""
    number = counters.get(name, 0)
    return () if test.holds(number) else (Unmet(f"counter.{name}", test.said, number),)


def unmet(when: When, facts: Facts, luck: Luck) -> tuple[Unmet, ...]:
    """Return what of a condition the call does not fit; nothing when it fits."""
    return tuple(one for judge in JUDGES for one in judge(when, facts, luck))


def _one_or_list(values: tuple[object, ...]) -> object:
    return values[0] if len(values) == 1 else list(values)


def _words(when: When, facts: Facts, luck: Luck) -> Iterable[Unmet]:
    del luck
    for name, wanted in when.words.items():
        given: str = getattr(facts, name)
        if given not in wanted:
            yield Unmet(name, _one_or_list(wanted), given or None)


def _path(when: When, facts: Facts, luck: Luck) -> Iterable[Unmet]:
    del luck
    if when.path is None:
        return ()
    fold = str.lower if facts.ignore_case else str
    return () if glob(fold(when.path))(fold(facts.path)) else (Unmet("path", when.path, facts.path),)


def _header(when: When, facts: Facts, luck: Luck) -> Iterable[Unmet]:
    del luck
    for name, test in when.header.items():
        yield from _any_of(f"header.{name}", test, facts.headers.get_all(name))


def _query(when: When, facts: Facts, luck: Luck) -> Iterable[Unmet]:
    del luck
    for name, test in when.query.items():
        yield from _any_of(f"query.{name}", test, tuple(value for key, value in facts.query if key == name))


def _any_of(field_name: str, test: Test, values: tuple[str, ...]) -> Iterable[Unmet]:
    if not any(map(test.holds, values or (ABSENT,))):
        yield Unmet(field_name, test.said, _one_or_list(values) if values else None)


def _body(when: When, facts: Facts, luck: Luck) -> Iterable[Unmet]:
    del luck
    for pointer, test in when.body:
        given = ABSENT if facts.body is ABSENT else look_up(facts.body, pointer)
        if not test.holds(given):
            yield Unmet(f"body{pointer}", test.said, None if given is ABSENT else given)


def _nth(when: When, facts: Facts, luck: Luck) -> Iterable[Unmet]:
    del facts
    return luck.nth(when.nth) if when.nth else ()


def _chance(when: When, facts: Facts, luck: Luck) -> Iterable[Unmet]:
    del facts
    return () if when.chance is None else luck.chance(when.chance)


def _counter(when: When, facts: Facts, luck: Luck) -> Iterable[Unmet]:
    del facts
    return () if when.counter is None else luck.counter(*when.counter)


def _all(when: When, facts: Facts, luck: Luck) -> Iterable[Unmet]:
    for n, one in enumerate(when.all):
        yield from _inside(f"all.{n}", unmet(one, facts, luck))


def _any(when: When, facts: Facts, luck: Luck) -> Iterable[Unmet]:
    tried = [unmet(one, facts, luck) for one in when.any]
    if not tried or not all(tried):
        return ()
    nearest = min(range(len(tried)), key=lambda n: len(tried[n]))
    return _inside(f"any.{nearest}", tried[nearest])


def _not(when: When, facts: Facts, luck: Luck) -> Iterable[Unmet]:
    if when.never is None or unmet(when.never, facts, luck.turned()):
        return ()
    return (Unmet("not", "something that does not fit", "it fits"),)


def _inside(prefix: str, found: Iterable[Unmet]) -> Iterable[Unmet]:
    return [one._replace(field=f"{prefix}.{one.field}") for one in found]


JUDGES: Final[tuple[Callable[[When, Facts, Luck], Iterable[Unmet]], ...]] = (
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
