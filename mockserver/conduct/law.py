"""A law of conduct, and what it finds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from contracts.model import Contract
from mockserver.conduct.history import Deed, History

if TYPE_CHECKING:
    from generators.reports import Status

EVIDENCE: Final = 20  # exchanges that a ruling names at most


class Ruling(NamedTuple):
    """What a law found in a history. `detail` is one sentence, `evidence` the numbers of the exchanges that show it."""

    status: "Status"
    detail: str
    evidence: tuple[int, ...] = ()


Judge: TypeAlias = Callable[[History], Ruling]


def always(contract: Contract) -> bool:
    """Say that a law has a hold on any contract."""
    del contract
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """One law of client conduct. `judge` is pure; `applies` tells whether a contract declares what the law is about."""

    id: str
    says: str
    judge: Judge
    applies: Callable[[Contract], bool] = always


def broken(detail: str, evidence: Iterable[Deed]) -> Ruling:
    """Return that the law was broken."""
    return Ruling("failed", detail, _numbers(evidence))


def kept(detail: str, evidence: Iterable[Deed]) -> Ruling:
    """Return that the law was kept although there was occasion to break it."""
    return Ruling("passed", detail, _numbers(evidence))


def not_exercised(detail: str) -> Ruling:
    """Return that there was no occasion."""
    return Ruling("not-run", detail)


def _numbers(evidence: Iterable[Deed]) -> tuple[int, ...]:
    return tuple(sorted({deed.n for deed in evidence})[:EVIDENCE])
