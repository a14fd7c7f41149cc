"""What a rule does to a call, as frozen values: to its items, its job, its tenants, its reply, on the wire."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from math import exp
from random import Random
from typing import Any, Final, Literal, TypeAlias

Point: TypeAlias = Literal["before-commit", "during-commit", "after-commit"]
LONGEST_MS: Final = 86_400_000.0  # a day: what a distribution draws is never longer


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemEffect:
    """What becomes of the picked items: they `fail`, `lose` their effect, or `skip` the answer."""

    kind: Literal["fail", "lose", "skip"]
    message: str | None = None
    code: str | None = None
    properties: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEffect:
    """What becomes of the job that a call makes; `errors` maps keys of items to texts."""

    duration: timedelta | None = None
    never_ends: bool = False
    progress: str | None = None
    errors: Mapping[str, str] = field(default_factory=dict)
    gone_after: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantEffect:
    """Tenants that are not known, and those that have a problem; the name `*` is every tenant."""

    unknown: frozenset[str] = frozenset()
    problems: Mapping[str, str] = field(default_factory=dict)

    def is_unknown(self, tenant: str) -> bool:
        """Tell whether the tenant counts as unknown."""
        return tenant in self.unknown or "*" in self.unknown

    def problem(self, tenant: str) -> str | None:
        """Return the problem that a tenant has, None when it has none."""
        return self.problems.get(tenant, self.problems.get("*"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyEffect:
    """What is answered. `source` is where the body comes from: `given`, `example`, `generate`, "" as the API would."""

    status: int | None = None
    source: Literal["", "given", "example", "generate"] = ""
    example: str = ""
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def replaces(self) -> bool:
        """Tell whether it stands in the place of the call's own answer, rather than beside it."""
        return self.status is not None or self.source != ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """A length of time, drawn: `fixed` (a length), `uniform` (from, to) or `lognormal` (median, sigma); in ms.

    `on_clock`: it passes in the sandbox's time.
    """

    kind: Literal["fixed", "uniform", "lognormal"]
    a: float
    b: float = 0.0
    on_clock: bool = False

    def draw(self, chance: Random) -> timedelta:
        """Return a length; at most a day when it comes from a distribution."""
        return timedelta(milliseconds=DRAW[self.kind](self, chance))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """How the sending of a reply goes wrong: `timeout`, one of the four faults, `truncate` (a share) or `dribble`."""

    kind: str
    share: float = 0.0
    chunks: int = 0
    over: timedelta = timedelta(0)

    @property
    def delivers(self) -> bool:
        """Tell whether the whole reply arrives in the end."""
        return self.kind == "dribble"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """Everything that one rule does. `at` is None where the rule does not say it: then it is after the commit."""

    item: ItemEffect | None = None
    job: JobEffect | None = None
    tenants: TenantEffect | None = None
    reply: ReplyEffect | None = None
    delay: Delay | None = None
    cut: Cut | None = None
    at: Point | None = None
    count: str | None = None
    bug: str | None = None

    @property
    def on_wire(self) -> bool:
        """Tell whether the rule touches how the reply is sent."""
        return self.delay is not None or self.cut is not None


def _fixed(delay: Delay, chance: Random) -> float:
    del chance
    return delay.a


def _uniform(delay: Delay, chance: Random) -> float:
    return chance.uniform(delay.a, delay.b)


def _lognormal(delay: Delay, chance: Random) -> float:
    return min(LONGEST_MS, delay.a * exp(chance.gauss(0.0, delay.b)))


DRAW: Final[Mapping[str, Callable[[Delay, Random], float]]] = {
    "fixed": _fixed,
    "uniform": _uniform,
    "lognormal": _lognormal,
}
