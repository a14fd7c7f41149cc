"""Checking an implementation: examples, every law on every bulk operation, and every reply, as a stream of events."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

from contracts.errors import MisuseError
from contracts.model import Contract, Operation
from generators.caller import Caller, NoAnswerError
from generators.checks import conformance, differential, examples
from generators.checks.bench import Bench, Budget
from generators.checks.conformance import check_response
from generators.checks.differential import check_model
from generators.checks.events import Event, FindingFound, Finished, LawAnswered, Started
from generators.checks.exercising import exercise
from generators.checks.findings import Answer, Experiment, Finding, ImpossibleError, Law, Model
from generators.checks.mixing import at_a_place
from generators.checks.selection import Selection, selection
from generators.checks.views import View, views

LAST: Final = ("boundary",)  # leave so many records behind that lists are long afterwards
DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
SALT_SIZE: Final = 5
EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
NO_BUDGET: Final = "the time budget was used up"
READ_ONLY: Final = "only reading was allowed"


def run_checks(
    contract: Contract,
    caller: Caller,
    *,
    seed: int = 0,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    read_only: bool = False,
    budget: Budget | None = None,
    model: Model | None = None,
    given: Mapping[str, str] | None = None,
    salt: str | None = None,
) -> Iterator[Event]:
    """Check an implementation and yield what happens.

    `only` and `skip` name laws, `examples`, `response`, `model`, or operationIds. `given` are values for parameters, in
    place of the contract's examples. `salt` begins every name that is made up: five of 0-9 and a-z, by default the
    time of day, so that a server can be checked again; all else depends on `seed` alone.
    Raises MisuseError: an unknown name, or nothing answers.
    """
    chosen = selection(contract, only, skip)
    bench = Bench(
        contract,
        caller,
        seed=seed,
        salt=salt or salt_of(datetime.now(UTC)),
        budget=budget or Budget(),
        given=given or {},
    )
    yield from _Run(bench, chosen, model, read_only=read_only).events()


def salt_of(instant: datetime) -> str:
    """Return the salt of an instant: another one for each second of nearly two years."""
    number, text = int((instant - EPOCH).total_seconds()), ""
    for _ in range(SALT_SIZE):
        number, digit = divmod(number, len(DIGITS))
        text = DIGITS[digit] + text
    return text


class _Run:
    """One run under way."""

    def __init__(self, bench: Bench, chosen: Selection, model: Model | None, *, read_only: bool) -> None:
        self._bench, self._chosen, self._model, self._read_only = bench, chosen, model, read_only
        self._found: dict[str, Finding] = {}
        self._answers: list[Answer] = []
        self._reasons: dict[str, str] = {}
        self._exercised: set[tuple[str, str]] = set()
        self._seen: Counter[str] = Counter()
        self._items = 0

    def events(self) -> Iterator[Event]:
        """Yield the events of the whole run."""
        contract, chosen = self._bench.contract, self._chosen
        bulk = [one for one in contract.operations if one.bulk is not None and one.id in chosen.operations]
        yield Started(
            contract=contract.title,
            version=contract.version,
            operations=tuple(one.id for one in bulk),
            checks=chosen.checks,
            seed=self._bench.seed,
        )
        yield from self._examples()
        for operation in bulk:
            yield from self._operation(operation)
        for operation in bulk:
            yield from self._experiments(operation, lambda law: law.name in LAST)
        for operation in bulk:
            yield from self._judged(operation)
        yield from self._others()
        words = Counter[str](answer.word for answer in self._answers)
        yield Finished(
            words=words,
            findings=tuple(self._found.values()),
            calls=self._bench.sent,
            items=self._items,
            seconds=self._bench.budget.spent,
        )

    def _examples(self) -> Iterator[Event]:
        if examples.CHECK not in self._chosen.checks:
            return
        for operation in self._bench.contract.operations:
            if operation.id in self._chosen.operations and self._bench.budget.left:
                self._try(operation, partial(examples.replay, self._bench, operation, read_only=self._read_only))
                yield from self._harvest()

    def _operation(self, operation: Operation) -> Iterator[Event]:
        """Give the laws on single answers and jobs something to judge, then make the experiments."""
        if not self._read_only and any(self._applies(law, operation) and law.looks for law in self._chosen.laws):
            found: list[Finding] = []
            self._reasons[operation.id] = self._try(operation, partial(self._make, exercise, operation, found))
            yield from self._harvest()
            for finding in found:
                yield from self._told(finding)
        yield from self._experiments(operation, lambda law: law.name not in LAST)

    def _applies(self, law: Law, operation: Operation) -> bool:
        return law.exempts(operation) is None

    def _experiments(self, operation: Operation, wanted: Callable[[Law], bool]) -> Iterator[Event]:
        for law in self._chosen.laws:
            if law.experiment is None or not wanted(law):
                continue
            found: list[Finding] = []
            exempt, reason = law.exempts(operation), self._withheld()
            if exempt is None and not reason:
                reason = self._try(operation, partial(self._make, law.experiment, operation, found))
                yield from self._harvest()
            for finding in found:
                yield from self._told(finding)
            yield self._answered(law.name, operation, exempt, reason)

    def _make(self, experiment: Experiment, operation: Operation, found: list[Finding]) -> None:
        found += at_a_place(self._bench, operation, experiment)

    def _withheld(self) -> str:
        if self._read_only:
            return READ_ONLY
        return "" if self._bench.budget.left else NO_BUDGET

    def _try(self, operation: Operation, action: Callable[[], object]) -> str:
        """Do something and return why it could not be done, "" when it could."""
        try:
            action()
        except ImpossibleError as error:
            return str(error)
        except NoAnswerError as error:
            return self._silent(operation, error)
        return ""

    def _silent(self, operation: Operation, error: NoAnswerError) -> str:
        if not self._bench.sent:
            raise MisuseError(f"Nothing answers: {error}.", cure="Give the URL of a server that runs.") from None
        says = f"A call was not answered: {error}."
        finding = Finding(law=conformance.CHECK, operation=operation.id, shape="no answer", says=says)
        self._found.setdefault(finding.fingerprint, finding)
        return says[:-1]

    def _harvest(self) -> Iterator[Event]:
        """Judge what was exchanged since the last time, and let go of it."""
        history = self._bench.cut()
        contract = self._bench.contract
        for exchange in history.exchanges:
            self._seen[exchange.operation or ""] += 1
            if conformance.CHECK in self._chosen.checks:
                for finding in check_response(contract, exchange):
                    yield from self._told(finding)
        for view in views(history, contract, router=self._bench.router):
            self._items += len(view.call.items)
            yield from self._judge(view)
        if self._model is not None and differential.CHECK in self._chosen.checks:
            for finding in check_model(contract, self._model, history):
                yield from self._told(finding)

    def _judge(self, view: View) -> Iterator[Event]:
        for law in self._chosen.laws:
            if law.looks is not None and law.concerns is not None and law.concerns(view):
                self._exercised.add((law.name, view.operation.id))
                for finding in law.looks(view):
                    yield from self._told(finding)

    def _told(self, finding: Finding) -> Iterator[Event]:
        """Yield a finding that is new and wanted."""
        if finding.fingerprint not in self._found and finding.operation in self._chosen.operations:
            self._found[finding.fingerprint] = finding
            yield FindingFound(finding=finding)

    def _answered(self, law: str, operation: Operation, exempt: str | None, reason: str) -> LawAnswered:
        found = tuple(one for one in self._found.values() if one.law == law and one.operation == operation.id)
        word = "not-applicable" if exempt is not None else "broken" if found else "not-exercised" if reason else "kept"
        said = exempt if exempt is not None else "" if found else reason
        answer = Answer(law=law, operation=operation.id, word=word, reason=said, findings=found)  # type: ignore[arg-type] # one of Word
        self._answers.append(answer)
        return LawAnswered(answer=answer)

    def _judged(self, operation: Operation) -> Iterator[Event]:
        """Answer the laws that judge whatever was exchanged."""
        for law in self._chosen.laws:
            if law.looks is not None:
                seen = (law.name, operation.id) in self._exercised
                reason = "" if seen else self._withheld() or self._reasons.get(operation.id) or "no call showed it"
                yield self._answered(law.name, operation, law.exempts(operation), reason)

    def _others(self) -> Iterator[Event]:
        """Answer what is asked of every operation: that its replies are declared, and as the model has them."""
        for check in (conformance.CHECK, differential.CHECK):
            if check not in self._chosen.checks or (check == differential.CHECK and self._model is None):
                continue
            for operation in self._bench.contract.operations:
                if operation.id in self._chosen.operations:
                    reason = "" if self._seen[operation.id] else "it was not called"
                    yield self._answered(check, operation, None, reason)
