"""Play the scenarios of one sandbox: `ScenarioPlayer.decide` returns the `Decision` about a request.

It counts how often each rule applied, and holds the named counters. Random numbers are seeded for each rule and
request, so that the same requests get the same decisions.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Final, TypeAlias

from mockserver.scenarios.matching import (
    KnownDraw,
    MatchedItem,
    RequestFacts,
    RequestPurpose,
    UndecidedDraw,
    Unmet,
    select_items,
    unmet_conditions,
    why_no_items,
)
from mockserver.scenarios.model import Effects, Rule, Scenario

RulePlace: TypeAlias = tuple[str, int]  # a scenario's name, and a rule's number in it from 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NearMiss:
    """A rule that did not match, and the conditions that were not met."""

    scenario: str
    rule: int
    unmet: tuple[Unmet, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What happens to a request: the rule that applies, or the nearest one when none does (`scenario` is then "").

    `chosen` are the selected items; `delay` is the drawn delay. `applied_preferences` are the preferences of the
    request that led to it, `seed` is the one that a preference names.
    """

    scenario: str = ""
    rule: int = 0
    effects: Effects = field(default_factory=Effects)
    chosen: tuple[MatchedItem, ...] = ()
    delay: timedelta | None = None
    near_misses: tuple[NearMiss, ...] = ()
    applied_preferences: tuple[str, ...] = ()
    seed: int | None = None

    @property
    def is_requested(self) -> bool:
        """Tell whether a scenario or the request itself asked for it."""
        return self.scenario != "" or self.applied_preferences != ()


@dataclass(slots=True)
class ScenarioPlayer:
    """The active scenarios of a sandbox in order, with the counts of their rules. It is deterministic."""

    scenarios: tuple[Scenario, ...] = ()
    seed: int = 0
    times_applied: dict[RulePlace, int] = field(default_factory=dict)
    times_matched: dict[RulePlace, int] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)

    def activate(self, scenarios: Sequence[Scenario]) -> None:
        """Activate these scenarios alone, with all counts at 0."""
        self.scenarios = tuple(scenarios)
        self.times_applied, self.times_matched, self.counters = {}, {}, {}

    def add(self, scenarios: Sequence[Scenario]) -> None:
        """Activate these scenarios beside the active ones; one of an active scenario's name replaces it."""
        for one in scenarios:
            if any(known.name == one.name for known in self.scenarios):
                self.replace(one)
            else:
                self.scenarios = (*self.scenarios, one)

    def arrange(self, names: Sequence[str]) -> None:
        """Keep the active scenarios of these names, in this order, each with its counts; end the others.

        Raises KeyError, and changes nothing, for a name that is not active.
        """
        active = {one.name: one for one in self.scenarios}
        self.scenarios = tuple([active[name] for name in names])
        for counts in (self.times_applied, self.times_matched):
            for place in [one for one in counts if one[0] in active and one[0] not in names]:
                del counts[place]

    def replace(self, changed: Scenario) -> None:
        """Replace an active scenario of the same name, with its counts at 0."""
        self.scenarios = tuple(changed if one.name == changed.name else one for one in self.scenarios)
        for counts in (self.times_applied, self.times_matched):
            for place in [one for one in counts if one[0] == changed.name]:
                del counts[place]

    def decide(self, facts: RequestFacts, first: Sequence[Scenario] = ()) -> Decision:
        """Return the decision of the first rule that matches and is not used up.

        The scenarios `first` take precedence over the active ones.
        """
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

    def _draw(self, place: RulePlace, scenario: Scenario, rule: Rule, facts: RequestFacts) -> KnownDraw:
        """Count the request for the rule when it matches except for number and chance, and draw."""
        if not rule.when.is_drawn:
            return KnownDraw(number=0, roll=0.0, counters=self.counters)
        number = self.times_matched.get(place, 0) + 1
        if not (
            _other_api(scenario, facts) or unmet_conditions(rule.when, facts, UndecidedDraw(counters=self.counters))
        ):
            self.times_matched[place] = number
        return KnownDraw(number=number, roll=self._chance(place, "roll", number).random(), counters=self.counters)

    def _try(
        self, place: RulePlace, scenario: Scenario, rule: Rule, facts: RequestFacts, drawn: KnownDraw
    ) -> Decision | tuple[Unmet, ...]:
        found = [*_other_api(scenario, facts), *unmet_conditions(rule.when, facts, drawn)]
        used = self.times_applied.get(place, 0)
        if rule.times is not None and used >= rule.times:
            found.append(Unmet("times", rule.times, used))
        if found:
            return tuple(found)
        chance = self._chance(place, "then", used)
        chosen, lacking = _chosen(rule, facts, chance)
        if lacking:
            return lacking
        return self._decided(place, rule, chosen, chance)

    def _decided(self, place: RulePlace, rule: Rule, chosen: tuple[MatchedItem, ...], chance: Random) -> Decision:
        then = rule.then
        self.times_applied[place] = self.times_applied.get(place, 0) + 1
        if then.count is not None:
            self.counters[then.count] = self.counters.get(then.count, 0) + 1
        delay = None if then.delay is None else then.delay.draw(chance)
        return Decision(scenario=place[0], rule=place[1], effects=then, chosen=chosen, delay=delay)

    def _chance(self, place: RulePlace, what: str, n: int) -> Random:
        return Random(f"{self.seed}/{place[0]}/{place[1]}/{what}/{n}")


def _rules(scenarios: Sequence[Scenario]) -> Iterator[tuple[Scenario, int, Rule]]:
    seen: set[str] = set()
    for scenario in scenarios:
        if scenario.name not in seen:
            seen.add(scenario.name)
            yield from ((scenario, n, rule) for n, rule in enumerate(scenario.rules))


def _nearest(missed: Sequence[NearMiss]) -> tuple[NearMiss, ...]:
    return (min(missed, key=lambda one: len(one.unmet)),) if missed else ()


def _other_api(scenario: Scenario, facts: RequestFacts) -> tuple[Unmet, ...]:
    return () if scenario.api in {"", facts.api} else (Unmet("api", scenario.api, facts.api),)


def _chosen(rule: Rule, facts: RequestFacts, chance: Random) -> tuple[tuple[MatchedItem, ...], tuple[Unmet, ...]]:
    """Return the items that a rule means, or what its effects need and the call has not."""
    lacking = tuple(one for need in EFFECT_NEEDS for one in need(rule, facts))
    if rule.picks is None or lacking:
        return (), lacking
    items = facts.items()
    chosen = select_items(rule.picks, items, chance)
    return chosen, () if chosen else why_no_items(rule.picks, items)


def _needs_items(rule: Rule, facts: RequestFacts) -> tuple[Unmet, ...]:
    if rule.picks is None:
        return ()
    if not facts.items():
        return (Unmet("items", rule.picks.document, None),)
    kind = "" if rule.then.item is None else rule.then.item.kind
    if kind == "leave" and not facts.purpose().returns_items:
        return (Unmet("then", "a call that returns the items that were not processed", None),)
    silent = kind == "skip" and not facts.purpose().unit
    return (Unmet("then", "a call that tells outcomes by item", None),) if silent else ()


def _needs_job(rule: Rule, facts: RequestFacts) -> tuple[Unmet, ...]:
    if rule.then.job is None or facts.purpose().makes_job:
        return ()
    return (Unmet("then", "a call that makes a job", None),)


def _needs_tenants(rule: Rule, facts: RequestFacts) -> tuple[Unmet, ...]:
    tenants = rule.then.tenants
    if tenants is None:
        return ()
    named = facts.purpose().tenants
    if any(tenants.is_unknown(one) or tenants.problem(one) is not None for one in named):
        return ()
    return (Unmet("then", sorted({*tenants.unknown, *tenants.problems}), list(named) or None),)


def _needs_half(rule: Rule, facts: RequestFacts) -> tuple[Unmet, ...]:
    """During the commit is a point only where items are applied one after the other, now."""
    if rule.then.commit_point != "during-commit" or _has_half(facts.purpose()):
        return ()
    work = facts.purpose()
    got = "a job" if work.makes_job else f"the unit {work.unit}" if work.unit else "a call without items"
    return (Unmet("at", "during-commit", got),)


def _has_half(work: RequestPurpose) -> bool:
    return work.unit in {"item", "group"} and not work.makes_job


EFFECT_NEEDS: Final[tuple[Callable[[Rule, RequestFacts], tuple[Unmet, ...]], ...]] = (
    _needs_items,
    _needs_job,
    _needs_tenants,
    _needs_half,
)
