"""What checking is told in: exchanges, findings, answers, laws, and the model that may be handed in."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from contracts.messages import Exchange, History
from contracts.model import Contract, Operation

if TYPE_CHECKING:
    from generators.checks.venues import Spot
    from generators.checks.views import View

Word: TypeAlias = Literal["passed", "failed", "not-run", "not-applicable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One way in which an implementation breaks a law, with the exchanges that show it.

    `law` is a law's name, or that of another check (`response`, `model`). `shape` says in a few fixed words how it is
    broken: findings of one law, operation and shape are one finding.
    """

    law: str
    operation: str
    shape: str
    says: str
    evidence: tuple[Exchange, ...] = ()

    @property
    def fingerprint(self) -> str:
        """What is the same whenever this is found again: 16 hexadecimal digits of law, operation and shape."""
        return sha256(f"{self.law}\n{self.operation}\n{self.shape}".encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of one law on one operation; `reason` says why it was not exercised or does not apply."""

    law: str
    operation: str
    word: Word
    reason: str = ""
    findings: tuple[Finding, ...] = ()


Judge: TypeAlias = Callable[["View"], Iterator[Finding]]
Experiment: TypeAlias = Callable[["Spot"], Iterator[Finding]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """One law of bulk semantics.

    `exempts` returns why the law does not apply to an operation with `x-bulk`, None when it does. A law has either
    `looks`, which finds breaches in one bulk call and all that was answered about it, with `concerns`, which says
    whether that call has anything to look at; or `experiment`, which makes calls, compares them and yields what it
    finds, and raises ImpossibleError when it cannot go on.
    """

    name: str
    says: str
    exempts: Callable[[Operation], str | None]
    looks: Judge | None = None
    concerns: Callable[["View"], bool] | None = None
    experiment: Experiment | None = None

    def judge(self, history: History, contract: Contract) -> tuple[Finding, ...]:
        """Return what a history shows of breaches, each once; nothing when the law needs an experiment."""
        from generators.checks.views import views  # noqa: PLC0415 - views are made of what stands here

        found: dict[str, Finding] = {}
        for view in views(history, contract) if self.looks is not None else ():
            for finding in self.looks(view) if self.looks is not None else ():
                found.setdefault(finding.fingerprint, finding)
        return tuple(found.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a right implementation does with a call; None for what is not predicted.

    `results` are `done`, `failed` or `not-run` for each item of a bulk call that is carried out, in the order of the
    request, and `errors` what each should say went wrong; they come with the poll that tells them when the call became
    a job. `record` holds members that a record which is read must have, with their values.
    """

    status: int | None = None
    results: tuple[str, ...] | None = None
    errors: tuple[object, ...] | None = None
    record: Mapping[str, object] | None = None


class Model(Protocol):
    """A reference implementation, handed in from outside."""

    def predict(self, exchange: Exchange) -> Prediction | None:
        """Return what the answer should have been, None when it cannot say.

        It is told every exchange once, in order, and may learn from the reply what only the server could choose.
        """
