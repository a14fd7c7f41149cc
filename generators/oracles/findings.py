"""Findings, check results, laws, and the interface of a reference model. Begin with `Finding` and `Law`."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

from contracts.exchange.bulk_exchange import BulkExchange, bulk_exchanges
from contracts.messages import Exchange, ExchangeHistory
from contracts.openapi.model import Contract, Operation
from contracts.syntax.text import is_text_or_integer

if TYPE_CHECKING:
    from generators.client.session import Session
    from generators.client.sites import SiteContext

CheckStatus: TypeAlias = Literal["passed", "failed", "not-run", "not-applicable"]
DETAIL: Final = re.compile(r"(?: at (?P<member>/\S*))?(?: with code (?P<codes>\S+(?: for \S+)?))?\Z")
"""What a shape ends with: the JSON Pointer of a member in its record's schema, and error codes."""
CODE: Final = re.compile(r"-?\d{1,9}|(?:[^\W\d]+\d{0,4}|\d{1,4})(?:[-.:/#]+(?:[^\W\d]+\d{0,4}|\d{1,4}))*", re.ASCII)
MAX_CODE_CHARS: Final = 60
NO_CODE: Final = "none"


def shape_at(shape: str, pointer: str = "", *errors: object) -> str:
    """Return a shape with the member that it is about, and the codes among the errors: what came, what was expected.

    An error is a code when it is an integer or one word; a sentence may quote values and is left out.
    """
    codes = [_code_of(one) for one in errors]
    told = " for ".join(code or NO_CODE for code in codes) if any(codes) else ""
    at = "".join(pointer.split())
    return f"{shape}{f' at {at}' if at else ''}{f' with code {told}' if told else ''}"


def _code_of(error: object) -> str:
    text = str(error) if is_text_or_integer(error) else ""
    return text if len(text) <= MAX_CODE_CHARS and CODE.fullmatch(text) else ""


def general_shape(shape: str) -> str:
    """Return a shape without its member and error codes."""
    found = DETAIL.search(shape)
    return shape if found is None else shape[: found.start()]


def member_at(shape: str) -> str:
    """Return the JSON Pointer of the member that a shape is about, "" for none."""
    found = DETAIL.search(shape)
    return (found["member"] or "") if found is not None else ""


def fingerprint_of(law: str, operation: str, shape: str) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of law, operation and shape."""
    return sha256(f"{law}\n{operation}\n{shape}".encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One violation of a law by an implementation, with the exchanges that show it.

    `law` is the name of a law or of another check (`response`, `model`). `shape` describes the violation in a few
    fixed words, with the member and the error codes that it is about (`shape_at`): findings with equal law, operation
    and shape are one finding.
    """

    law: str
    operation: str
    shape: str
    says: str
    evidence: tuple[Exchange, ...] = ()

    @property
    def fingerprint(self) -> str:
        """The finding's stable id, `fingerprint_of` law, operation and shape."""
        return fingerprint_of(self.law, self.operation, self.shape)


def new_finding(law: str, operation: str, shape: str, says: str, evidence: Iterable[Exchange | None]) -> Finding:
    """Return a finding. `says` is made a sentence: a capital letter and a full stop are added; None is no evidence."""
    sentence = f"{says[:1].upper()}{says[1:]}."
    shown = tuple(one for one in evidence if one is not None)
    return Finding(law=law, operation=operation, shape=shape, says=sentence, evidence=shown)


def is_accepted(known: Collection[str], law: str, operation: str, shape: str) -> bool:
    """Return whether the fingerprints of a baseline accept a finding.

    That of the general shape accepts every member and code: baselines had no others once.
    """
    return any(fingerprint_of(law, operation, one) in known for one in {shape, general_shape(shape)})


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
CallExperiment: TypeAlias = Callable[["Session", Operation], Iterator[Finding]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """One law of bulk semantics, or of calls in general.

    `exempt_reason` returns why the law does not apply to an operation, or None. A law has one of these:
    `judge_exchange` yields violations in one bulk exchange and what was received about it, with `applies_to`, which
    says whether that exchange can be judged; `experiment` sends bulk requests, compares the results and yields
    findings; `call_experiment` does so with requests of any operation, where the law `applies_in` the contract.
    Experiments raise NotApplicableError when they cannot continue.
    """

    name: str
    says: str
    exempt_reason: Callable[[Operation], str | None] = lambda _: None
    judge_exchange: ExchangeLaw | None = None
    applies_to: Callable[["BulkExchange"], bool] | None = None
    experiment: Experiment | None = None
    call_experiment: CallExperiment | None = None
    applies_in: Callable[[Contract, Operation], bool] | None = None

    def calls(self, contract: Contract, operation: Operation) -> bool:
        """Return whether its experiment on single calls is made with an operation."""
        is_fit = self.applies_in is None or self.applies_in(contract, operation)
        return self.call_experiment is not None and self.exempt_reason(operation) is None and is_fit

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
