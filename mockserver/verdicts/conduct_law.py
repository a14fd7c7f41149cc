"""Laws of client conduct (`ConductLaw`), their results, and the words in which results are reported."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from contracts.openapi.model import Contract
from contracts.syntax.text import counted
from mockserver.verdicts.history import ClientHistory, ObservedExchange

if TYPE_CHECKING:
    from generators.reports.model import Status


MAX_EVIDENCE: Final = 20  # exchanges that a ruling names at most


class LawResult(NamedTuple):
    """The result of a law on a history. `detail` is one sentence, `evidence` the numbers of at most 20 exchanges."""

    status: "Status"
    detail: str
    evidence: tuple[int, ...] = ()


Judge: TypeAlias = Callable[[ClientHistory], LawResult]


def applies_always(contract: Contract) -> bool:
    """Return True: the law applies to any contract."""
    del contract
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class ConductLaw:
    """One law of client conduct.

    `judge` is a pure function; `applies` returns whether a contract declares what the law is about.
    """

    id: str
    says: str
    judge: Judge
    applies: Callable[[Contract], bool] = applies_always


def failed(detail: str, evidence: Iterable[ObservedExchange]) -> LawResult:
    """Return the result of a violation."""
    return LawResult("failed", detail, _numbers(evidence))


def passed(detail: str, evidence: Iterable[ObservedExchange]) -> LawResult:
    """Return the result of a law that was exercised and not violated."""
    return LawResult("passed", detail, _numbers(evidence))


def not_run(detail: str) -> LawResult:
    """Return the result of a law that no exchange exercised."""
    return LawResult("not-run", detail)


def _numbers(evidence: Iterable[ObservedExchange]) -> tuple[int, ...]:
    return tuple(sorted({observed.n for observed in evidence})[:MAX_EVIDENCE])


UNITS: Final = (("day", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
MAX_NAMES: Final = 3  # names in a list before the rest is counted


def duration_text(length: timedelta) -> str:
    """Return a duration in its two largest units: `4 min 30 s`, `7 days`, `0.25 s`."""
    seconds = length.total_seconds()
    if seconds < 10:  # noqa: PLR2004 - where fractions begin to matter
        return f"{seconds:.2f}".rstrip("0").rstrip(".") + " s"
    rest = round(seconds)
    parts: list[tuple[int, str]] = []
    for name, size in UNITS:
        number, rest = divmod(rest, size)
        if number or parts:
            parts.append((number, name))
    return " ".join(
        counted(number, name) if name == "day" else f"{number} {name}" for number, name in parts[:2] if number
    )


def names_text(names: Sequence[str]) -> str:
    """Return the first names quoted, and the number of the others."""
    first = ", ".join(f"'{name[:40]}'" for name in names[:MAX_NAMES])
    return f"{first} and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else first
