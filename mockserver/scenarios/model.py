"""Scenarios as frozen values: `Scenario`, its rules, their conditions (`RequestCondition`) and `Effects`.

Regular expressions are those of Rust's `regex` crate, which match in linear time; durations are texts such as
`300ms`, or ISO 8601.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from math import exp
from random import Random
from typing import Any, Final, Literal, TypeAlias

import orjson
from jsonschema_rs import ReferencingError, ValidationError

from contracts.messages import ABSENT
from contracts.schemas.equality import equal
from contracts.schemas.patterns import TextPredicate, linear_regex
from contracts.schemas.schema_set import compiled
from contracts.syntax.text import is_text_or_number, parse_duration
from mockserver.domain.values import ItemEffect

GLOB_EXPRESSIONS: Final = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
GLOB_SIGN: Final = re.compile(r"\*\*|\*|\?")


@lru_cache(maxsize=1024)
def glob(text: str) -> TextPredicate:
    """Return a predicate that tells whether a whole path matches a glob: `*` and `?` stop at a `/`, `**` does not."""
    signs = GLOB_SIGN.findall(text)
    literals = map(re.escape, GLOB_SIGN.split(text))
    return linear_regex(
        "(?s)^"
        + "".join(a + b for a, b in zip(literals, [*(GLOB_EXPRESSIONS[sign] for sign in signs), ""], strict=True))
        + "$"
    )


MAX_DURATION: Final = timedelta(days=36_525)  # a hundred years: far from the end of a sandbox's calendar


def scenario_duration(text: str) -> timedelta:
    """Return the duration that `text` states. Raises ValueError when it is none, or longer than a hundred years."""
    length = parse_duration(text)
    if length > MAX_DURATION:
        raise ValueError(f"{text!r} is longer than a hundred years.")
    return length


CommitPoint: TypeAlias = Literal["before-commit", "during-commit", "after-commit"]
MAX_DRAWN_MS: Final = 86_400_000.0  # a day: what a distribution draws is never longer


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEffect:
    """The effect on the job that a request makes; `errors` maps keys of items to error texts."""

    duration: timedelta | None = None
    never_ends: bool = False
    progress: str | None = None
    errors: Mapping[str, str] = field(default_factory=dict)
    gone_after: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantEffect:
    """Tenants that are unknown, and those that have a problem; the name `*` means every tenant."""

    unknown: frozenset[str] = frozenset()
    problems: Mapping[str, str] = field(default_factory=dict)

    def is_unknown(self, tenant: str) -> bool:
        """Tell whether the tenant counts as unknown."""
        return tenant in self.unknown or "*" in self.unknown

    def problem(self, tenant: str) -> str | None:
        """Return the problem of a tenant, None when it has none."""
        return self.problems.get(tenant, self.problems.get("*"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseEffect:
    """The response of a rule.

    `source` is the source of the body: `given`, `example`, `generate`, "" for the API's own.
    """

    status: int | None = None
    source: Literal["", "given", "example", "generate"] = ""
    example: str = ""
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def replaces(self) -> bool:
        """Tell whether it replaces the handler's response, rather than adding header fields to it."""
        return self.status is not None or self.source != ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """A delay in ms: `fixed` (length `a`), `uniform` (from `a` to `b`) or `lognormal` (median `a`, sigma `b`).

    `on_clock`: it passes in the sandbox's time.
    """

    kind: Literal["fixed", "uniform", "lognormal"]
    a: float
    b: float = 0.0
    on_clock: bool = False

    def draw(self, chance: Random) -> timedelta:
        """Return a length; at most a day when it is drawn from a distribution."""
        return timedelta(milliseconds=DRAW_BY_KIND[self.kind](self, chance))


@dataclass(frozen=True, slots=True, kw_only=True)
class WireFault:
    """How sending a response fails: `timeout`, one of the four faults, `truncate` (a `fraction`) or `dribble`.

    `dribble` sends `chunks` parts within `duration`.
    """

    kind: str
    fraction: float = 0.0
    chunks: int = 0
    duration: timedelta = timedelta(0)

    @property
    def delivers_all(self) -> bool:
        """Tell whether the whole response is delivered in the end."""
        return self.kind == "dribble"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """All effects of one rule. `commit_point` is None where the rule does not set it: then it is after the commit."""

    item: ItemEffect | None = None
    job: JobEffect | None = None
    tenants: TenantEffect | None = None
    response: ResponseEffect | None = None
    delay: Delay | None = None
    wire_fault: WireFault | None = None
    commit_point: CommitPoint | None = None
    count: str | None = None
    bug: str | None = None

    @property
    def affects_wire(self) -> bool:
        """Tell whether the rule delays the response or breaks its sending."""
        return self.delay is not None or self.wire_fault is not None


def _fixed(delay: Delay, chance: Random) -> float:
    del chance
    return delay.a


def _uniform(delay: Delay, chance: Random) -> float:
    return chance.uniform(delay.a, delay.b)


def _lognormal(delay: Delay, chance: Random) -> float:
    return min(MAX_DRAWN_MS, delay.a * exp(chance.gauss(0.0, delay.b)))


DRAW_BY_KIND: Final[Mapping[str, Callable[[Delay, Random], float]]] = {
    "fixed": _fixed,
    "uniform": _uniform,
    "lognormal": _lognormal,
}


Predicate: TypeAlias = Callable[[object], bool]
SCALARS: Final = (int, float)


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueTest:
    """One of the tests `equals`, `matches`, `in`, `exists`, `schema`, with its value. Equal tests compare equal."""

    __test__ = False  # not a pytest class

    word: str
    value: Any
    holds: Predicate = field(compare=False, repr=False)

    @property
    def document(self) -> object:
        """Return the test as it is written in a document; `equals` as the plain value."""
        return self.value if self.word == "equals" else {self.word: self.value}


def as_test(document: Any) -> ValueTest:
    """Return the test of a document: one of the words, or a plain value that must be equal.

    Raises ValueError for a regular expression or a schema that cannot be compiled.
    """
    (word, value), *_ = document.items() if isinstance(document, Mapping) else (("equals", document),)
    return ValueTest(word=word, value=value, holds=PREDICATE_BY_WORD[word](value))


def as_text_test(document: Any) -> ValueTest:
    """Return the same for values that are always text; numbers and booleans are compared by their notation."""
    said = document if isinstance(document, Mapping) else {"equals": document}
    texts = {word: _texts(value) if word in {"equals", "in"} else value for word, value in said.items()}
    return as_test(texts)


def as_text(value: object) -> str:
    """Return a JSON value as text: a string as it is, numbers in their notation, anything else as JSON."""
    if is_text_or_number(value):
        return str(value)
    return orjson.dumps(value).decode()


def _texts(value: object) -> object:
    return [as_text(one) for one in value] if isinstance(value, list) else as_text(value)


def _equals(wanted: object) -> Predicate:
    return lambda given: equal(wanted, given)


def _in(wanted: list[object]) -> Predicate:
    return lambda given: any(equal(one, given) for one in wanted)


def _exists(wanted: bool) -> Predicate:  # noqa: FBT001 - the word's own value
    return lambda given: (given is not ABSENT) is wanted


def _matches(expression: str) -> Predicate:
    found = linear_regex(expression)
    return lambda given: isinstance(given, str | int | float) and found(as_text(given))


def _schema(schema: Any) -> Predicate:
    try:
        fits = compiled(schema if isinstance(schema, Mapping) else {"not": {}} if schema is False else {}).is_valid
    except (ValidationError, ReferencingError, ValueError) as error:
        raise ValueError(f"It cannot be used as a JSON Schema: {str(error).splitlines()[0]}.") from None
    return lambda given: given is not ABSENT and fits(given)


PREDICATE_BY_WORD: Final[Mapping[str, Callable[[Any], Predicate]]] = {
    "equals": _equals,
    "matches": _matches,
    "in": _in,
    "exists": _exists,
    "schema": _schema,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCondition:
    """The requests that a rule applies to; an empty condition matches every request.

    `words` has the allowed names by `api`, `operation`, `method`, `tenant` and `client`. `nth` is empty and `chance`
    None where the rule does not set them; `counter` is a name with its test.
    """

    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    path: str | None = None
    header: Mapping[str, ValueTest] = field(default_factory=dict)
    query: Mapping[str, ValueTest] = field(default_factory=dict)
    body: tuple[tuple[str, ValueTest], ...] = ()
    nth: tuple[int, ...] = ()
    chance: float | None = None
    counter: tuple[str, ValueTest] | None = None
    all: tuple["RequestCondition", ...] = ()
    any: tuple["RequestCondition", ...] = ()
    negated: "RequestCondition | None" = None

    @property
    def is_drawn(self) -> bool:
        """Tell whether it depends on the number of earlier requests, or on chance."""
        inner = (*self.all, *self.any, *(() if self.negated is None else (self.negated,)))
        return bool(self.nth) or self.chance is not None or any(one.is_drawn for one in inner)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSelection:
    """The items of a request that a rule applies to. `document` is its form in the scenario's document."""

    where: tuple[tuple[str, ValueTest], ...] = ()
    keys: frozenset[str] | None = None
    indexes: frozenset[int] | None = None
    every: int = 1
    ratio: float | None = None
    first: int | None = None
    document: Mapping[str, object] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule; `times` is how often it may apply, None for always."""

    when: RequestCondition = field(default_factory=RequestCondition)
    picks: ItemSelection | None = None
    then: Effects = field(default_factory=Effects)
    times: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A named list of rules; `api` is the only API that it applies to, "" for all; `source` its text, "" for none."""

    name: str
    summary: str
    api: str
    rules: tuple[Rule, ...]
    document: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)
    source: str = field(default="", compare=False, repr=False)
