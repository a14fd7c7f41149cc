"""Checking an implementation in one go: examples, laws and replies, then the cases of schemathesis' coverage phase."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from contracts.errors import MisuseError
from contracts.model import Contract, Operation
from contracts.names import did_you_mean
from generators.attention import Attentive
from generators.caller import Caller
from generators.checks.bench import Budget
from generators.checks.events import Event, FindingFound, Finished, LawAnswered, Started
from generators.checks.findings import Answer, Finding, Model
from generators.checks.runner import READ_ONLY, run_checks
from generators.checks.selection import CHECKS, selection
from generators.thesis import coverage
from generators.thesis.coverage import Coverage

__all__ = ["NAMES", "Plan", "check"]

NAMES: Final = (*CHECKS, coverage.CHECK)
SAFE: Final = frozenset(("GET", "HEAD"))
RESERVED: Final = 20.0  # seconds that are kept for the coverage phase, at most a third of all


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be checked, and how.

    `only` and `skip` name checks (`NAMES`) and operationIds. `seconds` is the time that all may take. `document` is the
    contract as one OpenAPI document, `base` the URL that its paths stand behind; without a document there is no
    coverage phase. `headers` and `timeout` are those of the caller. `given` are values for parameters; `salt` begins
    every name that is made up. `model` predicts what is right, where there is one.
    """

    seed: int = 0
    only: Sequence[str] = ()
    skip: Sequence[str] = ()
    read_only: bool = False
    seconds: float = 60.0
    given: Mapping[str, str] = field(default_factory=dict)
    salt: str | None = None
    model: Model | None = None
    document: Mapping[str, Any] | None = None
    base: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 30.0


def check(contract: Contract, caller: Caller, plan: Plan) -> Iterator[Event]:
    """Check an implementation and yield what happens.

    Raises MisuseError: an unknown name, nothing answers, or every answer is the same refusal.
    """
    _require_known(contract, plan)
    yield from _Run(contract, caller, plan).events()


def _require_known(contract: Contract, plan: Plan) -> None:
    known = (*NAMES, *(one.id for one in contract.operations))
    for name in (*plan.only, *plan.skip):
        if name not in known:
            cure = did_you_mean(name, known) or f"Known: {', '.join(known)}."
            raise MisuseError(f"'{name}' is neither a check nor an operationId of {contract.title}.", cure=cure)


class _Run:
    """One run under way."""

    def __init__(self, contract: Contract, caller: Caller, plan: Plan) -> None:
        self._contract, self._plan = contract, plan
        self._caller = Attentive(caller, plan.base, contract, self._operations())
        named = [name for name in plan.only if name in NAMES]
        self._laws = not named or any(name != coverage.CHECK for name in named)
        wanted = (not named or coverage.CHECK in named) and coverage.CHECK not in plan.skip
        self._coverage = wanted and plan.document is not None
        self._budget = Budget(seconds=plan.seconds)
        self._words: Counter[str] = Counter()
        self._found: list[Finding] = []
        self._calls = self._items = 0

    def events(self) -> Iterator[Event]:
        """Yield the events of the whole run: one beginning, one end."""
        yield self._started()
        if self._laws:
            for event in self._checks():
                if isinstance(event, Finished):
                    self._calls, self._items = event.calls, event.items
                    self._found += event.findings
                elif not isinstance(event, Started):
                    yield self._counted(event)
        if self._coverage:
            for event in self._covered():
                yield self._counted(event)
        self._caller.require_an_open_door()
        yield Finished(
            words=self._words,
            findings=tuple(self._found),
            calls=self._calls,
            items=self._items,
            seconds=self._budget.spent,
        )

    def _names(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if name != coverage.CHECK]

    def _started(self) -> Started:
        chosen = selection(self._contract, self._names(self._plan.only), self._names(self._plan.skip))
        checks = (*(chosen.checks if self._laws else ()), *((coverage.CHECK,) if self._coverage else ()))
        operations = tuple(one.id for one in self._operations() if one.bulk is not None)
        contract = self._contract
        return Started(
            contract=contract.title,
            version=contract.version,
            operations=operations,
            checks=checks,
            seed=self._plan.seed,
        )

    def _operations(self) -> list[Operation]:
        chosen = selection(self._contract, self._names(self._plan.only), self._names(self._plan.skip))
        return [one for one in self._contract.operations if one.id in chosen.operations]

    def _checks(self) -> Iterator[Event]:
        plan = self._plan
        reserved = min(RESERVED, plan.seconds / 3) if self._coverage else 0.0
        yield from run_checks(
            self._contract,
            self._caller,
            seed=plan.seed,
            only=self._names(plan.only),
            skip=self._names(plan.skip),
            read_only=plan.read_only,
            budget=Budget(seconds=plan.seconds - reserved),
            given=plan.given,
            salt=plan.salt,
            model=plan.model,
        )

    def _covered(self) -> Iterator[Event]:
        plan, operations = self._plan, self._operations()
        wanted = [one for one in operations if one.method in SAFE or not plan.read_only]
        run = Coverage(self._contract, wanted)
        task = run.task(
            plan.document or {},
            plan.base,
            headers=plan.headers,
            seed=plan.seed,
            seconds=self._budget.left,
            timeout=plan.timeout,
            safe=plan.read_only,
        )
        for finding in run.findings(task) if wanted and self._budget.left else ():
            self._found.append(finding)
            yield FindingFound(finding=finding)
        for name, answers in run.statuses.items():
            self._calls += answers.total()
            self._caller.note(name, answers)
        yield from (LawAnswered(answer=answer) for answer in run.answers())
        for one in operations:
            if one not in wanted:
                answer = Answer(law=coverage.CHECK, operation=one.id, word="not-run", reason=READ_ONLY)
                yield LawAnswered(answer=answer)

    def _counted(self, event: Event) -> Event:
        if isinstance(event, LawAnswered):
            self._words[event.answer.word] += 1
        return event
