"""Playing the scenarios of one sandbox: how often each rule decided, what the counters show, and what comes next."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Final, TypeAlias

from mockserver.scenario.effects import Effects
from mockserver.scenario.facts import Facts, Part, Unmet, Work
from mockserver.scenario.matching import Drawn, Open, unmet
from mockserver.scenario.picking import nothing_picked, pick
from mockserver.scenario.rules import Rule, Scenario

Place: TypeAlias = tuple[str, int]  # a scenario's name, and a rule's number in it from 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NearMiss:
    """A rule that did not fit, and what of it did not."""

    scenario: str
    rule: int
    unmet: tuple[Unmet, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is to happen to a call: the rule that decided, or the nearest one when none did (`scenario` is then "").

    `chosen` are the items that the rule means; `delay` is drawn. `applied` are the preferences of the call that it
    comes from, and `seed` is the one that a preference names.
    """

    scenario: str = ""
    rule: int = 0
    effects: Effects = field(default_factory=Effects)
    chosen: tuple[Part, ...] = ()
    delay: timedelta | None = None
    near_misses: tuple[NearMiss, ...] = ()
    applied: tuple[str, ...] = ()
    seed: int | None = None

    @property
    def is_asked(self) -> bool:
        """Tell whether somebody asked for what happens to the call: a scenario, or the call itself."""
        return self.scenario != "" or self.applied != ()


@dataclass(slots=True)
class Player:
    """The active scenarios of a sandbox, in order, and how far they have been played. The same calls play the same."""

    scenarios: tuple[Scenario, ...] = ()
    seed: int = 0
    used: dict[Place, int] = field(default_factory=dict)
    seen: dict[Place, int] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)

    def play(self, scenarios: Sequence[Scenario]) -> None:
        """Begin with these scenarios, from their beginnings."""
        self.scenarios = tuple(scenarios)
        self.used, self.seen, self.counters = {}, {}, {}

    def add(self, scenarios: Sequence[Scenario]) -> None:
        """Begin these beside those that are active, which go on; one of an active scenario's name takes its place."""
        for one in scenarios:
            if any(known.name == one.name for known in self.scenarios):
                self.swap(one)
            else:
                self.scenarios = (*self.scenarios, one)

    def swap(self, changed: Scenario) -> None:
        """Go on with another version of an active scenario, from its beginning."""
        self.scenarios = tuple(changed if one.name == changed.name else one for one in self.scenarios)
        for counts in (self.used, self.seen):
            for place in [one for one in counts if one[0] == changed.name]:
                del counts[place]

    def decide(self, facts: Facts, first: Sequence[Scenario] = ()) -> Decision:
        """Return what the first rule that fits and is not used up says; those of the scenarios `first` come first."""
        decided: Decision | None = None
        missed: list[NearMiss] = []
        for scenario, n, rule in _rules((*first, *self.scenarios)):
            place = (scenario.name, n)
            drawn = self._draw(place, scenario, rule, facts)
            if decided is not None:
                continue
            outcome = self._try(place, scenario, rule, facts, drawn)
            if isinstance(outcome, Decision):
                decided = outcome
            else:
                missed.append(NearMiss(scenario=scenario.name, rule=n, unmet=outcome))
        return decided or Decision(near_misses=_nearest(missed))

    def _draw(self, place: Place, scenario: Scenario, rule: Rule, facts: Facts) -> Drawn:
        """Count the call for the rule when it fits but for number and chance, and draw."""
        if not rule.when.draws:
            return Drawn(number=0, roll=0.0, counters=self.counters)
        number = self.seen.get(place, 0) + 1
        if not (_other_api(scenario, facts) or unmet(rule.when, facts, Open(counters=self.counters))):
            self.seen[place] = number
        return Drawn(number=number, roll=self._chance(place, "roll", number).random(), counters=self.counters)

    def _try(
        self, place: Place, scenario: Scenario, rule: Rule, facts: Facts, drawn: Drawn
    ) -> Decision | tuple[Unmet, ...]:
        found = [*_other_api(scenario, facts), *unmet(rule.when, facts, drawn)]
        used = self.used.get(place, 0)
        if rule.times is not None and used >= rule.times:
            found.append(Unmet("times", rule.times, used))
        if found:
            return tuple(found)
        chance = self._chance(place, "then", used)
        chosen, lacking = _chosen(rule, facts, chance)
        if lacking:
            return lacking
        return self._decided(place, rule, chosen, chance)

    def _decided(self, place: Place, rule: Rule, chosen: tuple[Part, ...], chance: Random) -> Decision:
        then = rule.then
        self.used[place] = self.used.get(place, 0) + 1
        if then.count is not None:
            self.counters[then.count] = self.counters.get(then.count, 0) + 1
        delay = None if then.delay is None else then.delay.draw(chance)
        return Decision(scenario=place[0], rule=place[1], effects=then, chosen=chosen, delay=delay)

    def _chance(self, place: Place, what: str, n: int) -> Random:
        return Random(f"{self.seed}/{place[0]}/{place[1]}/{what}/{n}")


def _rules(scenarios: Sequence[Scenario]) -> Iterator[tuple[Scenario, int, Rule]]:
    seen: set[str] = set()
    for scenario in scenarios:
        if scenario.name not in seen:
            seen.add(scenario.name)
            yield from ((scenario, n, rule) for n, rule in enumerate(scenario.rules))


def _nearest(missed: Sequence[NearMiss]) -> tuple[NearMiss, ...]:
    return (min(missed, key=lambda one: len(one.unmet)),) if missed else ()


def _other_api(scenario: Scenario, facts: Facts) -> tuple[Unmet, ...]:
    return () if scenario.api in {"", facts.api} else (Unmet("api", scenario.api, facts.api),)


def _chosen(rule: Rule, facts: Facts, chance: Random) -> tuple[tuple[Part, ...], tuple[Unmet, ...]]:
    """Return the items that a rule means, or what its effects need and the call has not."""
    lacking = tuple(one for need in NEEDS for one in need(rule, facts))
    if rule.picks is None or lacking:
        return (), lacking
    items = facts.items()
    chosen = pick(rule.picks, items, chance)
    return chosen, () if chosen else nothing_picked(rule.picks, items)


def _needs_items(rule: Rule, facts: Facts) -> tuple[Unmet, ...]:
    if rule.picks is None:
        return ()
    if not facts.items():
        return (Unmet("items", rule.picks.said, None),)
    silent = rule.then.item is not None and rule.then.item.kind == "skip" and not facts.work().unit
    return (Unmet("then", "a call that tells outcomes by item", None),) if silent else ()


def _needs_job(rule: Rule, facts: Facts) -> tuple[Unmet, ...]:
    if rule.then.job is None or facts.work().makes_job:
        return ()
    return (Unmet("then", "a call that makes a job", None),)


def _needs_tenants(rule: Rule, facts: Facts) -> tuple[Unmet, ...]:
    tenants = rule.then.tenants
    if tenants is None:
        return ()
    named = facts.work().tenants
    if any(tenants.is_unknown(one) or tenants.problem(one) is not None for one in named):
        return ()
    return (Unmet("then", sorted({*tenants.unknown, *tenants.problems}), list(named) or None),)


def _needs_half(rule: Rule, facts: Facts) -> tuple[Unmet, ...]:
    """During the commit is a point only where items are applied one after the other, now."""
    if rule.then.at != "during-commit" or _has_half(facts.work()):
        return ()
    work = facts.work()
    got = "a job" if work.makes_job else f"the unit {work.unit}" if work.unit else "a call without items"
    return (Unmet("at", "during-commit", got),)


def _has_half(work: Work) -> bool:
    return work.unit in {"item", "group"} and not work.makes_job


NEEDS: Final[tuple[Callable[[Rule, Facts], tuple[Unmet, ...]], ...]] = (
    _needs_items,
    _needs_job,
    _needs_tenants,
    _needs_half,
)
