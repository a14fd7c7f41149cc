"""Scenarios as frozen values: rules, the calls and items that they mean."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mockserver.scenario.effects import Effects
from mockserver.scenario.predicates import Test


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """The calls that a rule is for; an empty one fits every call.

    `words` are the names that `api`, `operation`, `method`, `tenant` and `client` may have, `nth` is empty and `chance`
    None where the rule does not say them, `counter` a name with its test.
    """

    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    path: str | None = None
    header: Mapping[str, Test] = field(default_factory=dict)
    query: Mapping[str, Test] = field(default_factory=dict)
    body: tuple[tuple[str, Test], ...] = ()
    nth: tuple[int, ...] = ()
    chance: float | None = None
    counter: tuple[str, Test] | None = None
    all: tuple["When", ...] = ()
    any: tuple["When", ...] = ()
    never: "When | None" = None

    @property
    def draws(self) -> bool:
        """Tell whether it depends on how many calls came before, or on chance."""
        inner = (*self.all, *self.any, *(() if self.never is None else (self.never,)))
        return bool(self.nth) or self.chance is not None or any(one.draws for one in inner)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picks:
    """The items of a call that a rule is for. `said` is the document that says so."""

    where: tuple[tuple[str, Test], ...] = ()
    keys: frozenset[str] | None = None
    indexes: frozenset[int] | None = None
    every: int = 1
    ratio: float | None = None
    first: int | None = None
    said: Mapping[str, object] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule; `times` is how often it may decide, None for always."""

    when: When = field(default_factory=When)
    picks: Picks | None = None
    then: Effects = field(default_factory=Effects)
    times: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A named list of rules; `api` is the only API that it is for, "" when it is for all."""

    name: str
    summary: str
    api: str
    rules: tuple[Rule, ...]
    document: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)
