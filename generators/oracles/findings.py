"""Findings, check results, laws, and the interface of a reference model. Begin with `Finding` and `Law`."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from contracts.exchange.bulk_exchange import BulkExchange, bulk_exchanges
from contracts.messages import Exchange, ExchangeHistory
from contracts.openapi.model import Contract, Operation

if TYPE_CHECKING:
    from generators.client.sites import SiteContext

CheckStatus: TypeAlias = Literal["passed", "failed", "not-run", "not-applicable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One violation of a law by an implementation, with the exchanges that show it.

    `law` is the name of a law or of another check (`response`, `model`). `shape` describes the violation in a few
    fixed words: findings with equal law, operation and shape are one finding.
    """

    law: str
    operation: str
    shape: str
    says: str
    evidence: tuple[Exchange, ...] = ()

    @property
    def fingerprint(self) -> str:
        """The finding's stable id: the first 16 hexadecimal digits of the SHA-256 of law, operation and shape."""
        return sha256(f"{self.law}\n{self.operation}\n{self.shape}".encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The result of one law on one operation; `reason` tells why it was not run or does not apply."""

    law: str
    operation: str
    word: CheckStatus
    reason: str = ""
    findings: tuple[Finding, ...] = ()


ExchangeLaw: TypeAlias = Callable[["BulkExchange"], Iterator[Finding]]
Experiment: TypeAlias = Callable[["SiteContext"], Iterator[Finding]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """One law of bulk semantics.

    `exempt_reason` returns why the law does not apply to an operation, or None. A law has either
    `judge_exchange`, which yields violations in one bulk exchange and what was received about it, with `applies_to`,
    which says whether that exchange can be judged; or `experiment`, which sends requests, compares the results and
    yields findings, and raises NotApplicableError when it cannot continue.
    """

    name: str
    says: str
    exempt_reason: Callable[[Operation], str | None]
    judge_exchange: ExchangeLaw | None = None
    applies_to: Callable[["BulkExchange"], bool] | None = None
    experiment: Experiment | None = None

    def judge(self, history: ExchangeHistory, contract: Contract) -> tuple[Finding, ...]:
        """Return the violations in a history, each once; empty when the law needs an experiment."""
        found: dict[str, Finding] = {}
        for view in bulk_exchanges(history, contract) if self.judge_exchange is not None else ():
            for finding in self.judge_exchange(view) if self.judge_exchange is not None else ():
                found.setdefault(finding.fingerprint, finding)
        return tuple(found.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a correct implementation responds; None for what is not predicted.

    `results` are `done`, `failed` or `not-run` for each item of a bulk request that is carried out, in request
    order, and `errors` the expected errors; for a job they apply to the poll that reports outcomes. `record` maps
    members of the record in the response to their values.
    """

    status: int | None = None
    results: tuple[str, ...] | None = None
    errors: tuple[object, ...] | None = None
    record: Mapping[str, object] | None = None


class Model(Protocol):
    """A reference implementation that the caller supplies."""

    def predict(self, exchange: Exchange) -> Prediction | None:
        """Return the expected response, None when it is unknown.

        It receives every exchange once, in order, and may learn from the response what only the server chooses.
        """
