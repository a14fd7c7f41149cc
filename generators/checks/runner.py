"""Checking an implementation: examples, every law on every bulk operation, and every reply, as a stream of events."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import product
from typing import Final

from contracts.errors import MisuseError
from contracts.model import Contract, Operation
from generators.caller import Caller, NoAnswerError
from generators.checks import conformance, differential, examples
from generators.checks.bench import Bench, Budget
from generators.checks.conformance import check_response, unanswered
from generators.checks.differential import check_model
from generators.checks.events import Event, FindingFound, Finished, LawAnswered, Started
from generators.checks.exercising import exercise, exercise_jobs
from generators.checks.findings import Answer, Experiment, Finding, Law, Model, Word
from generators.checks.mixing import at_a_place
from generators.checks.overlapping import overlap
from generators.checks.rounds import round_of
from generators.checks.selection import Selection, selection
from generators.checks.views import View, views
from generators.impossible import ImpossibleError

WAITING: Final = ("async-is-sync", "active")
LAST: Final = ("boundary",)  # leave so many records behind that lists are long afterwards
DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
SALT_SIZE: Final = 5
EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
NO_BUDGET: Final = "the time budget was used up"
READ_ONLY: Final = "--read-only allows no writes"


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
    """One run under way. What is found between two harvests waits in `_news`."""

    def __init__(self, bench: Bench, chosen: Selection, model: Model | None, *, read_only: bool) -> None:
        self._bench, self._chosen, self._model, self._read_only = bench, chosen, model, read_only
        self._found: dict[str, Finding] = {}
        self._news: list[Finding] = []
        self._words: Counter[str] = Counter()
        self._reasons: dict[str, str] = {}
        self._exercised: set[tuple[str, str]] = set()
        self._called: set[str] = set()
        self._items = 0

    def events(self) -> Iterator[Event]:
        """Yield the events of the whole run."""
        contract, chosen = self._bench.contract, self._chosen
        bulk = [one for one in contract.operations if one.bulk is not None and one.id in chosen.operations]
        yield Started(
            contract=contract.title,
            version=contract.version,
            operations=tuple(one.id for one in bulk),
            checks=tuple(one for one in chosen.checks if one != differential.CHECK or self._model is not None),
            seed=self._bench.seed,
        )
        for step in self._steps():
            yield from step(bulk)
        yield Finished(
            words=self._words,
            findings=tuple(self._found.values()),
            calls=self._bench.sent,
            items=self._items,
            seconds=self._bench.budget.spent,
        )

    def _steps(self) -> Sequence[Callable[[Sequence[Operation]], Iterator[Event]]]:
        """Return what is done, in an order in which little is lost when there is not time for all."""
        asking = (self._examples, self._rounds, self._exercise, self._experiment, self._jobs, self._waiting)
        return (*asking, self._judge, self._rest)

    def _examples(self, bulk: Sequence[Operation]) -> Iterator[Event]:
        """Replay the examples of every operation."""
        del bulk
        for operation in self._bench.contract.operations:
            wanted = examples.CHECK in self._chosen.checks and operation.id in self._chosen.operations
            if wanted and self._bench.budget.left:
                self._try(partial(examples.replay, self._bench, operation, read_only=self._read_only))
                yield from self._harvest()

    def _rounds(self, bulk: Sequence[Operation]) -> Iterator[Event]:
        """Make every single-record call once."""
        del bulk
        for name in self._bench.contract.resources if conformance.CHECK in self._chosen.checks else ():
            if not self._withheld():
                self._try(partial(self._gather, round_of(self._bench, name)))
                yield from self._harvest()

    def _exercise(self, bulk: Sequence[Operation]) -> Iterator[Event]:
        """Give the laws on single answers and on jobs something to judge; jobs that are not needed yet come later."""
        yield from self._shown(bulk, exercise)

    def _jobs(self, bulk: Sequence[Operation]) -> Iterator[Event]:
        """Show jobs: those that a caller must wish for, and jobs side by side."""
        yield from self._shown(bulk, exercise_jobs)
        yield from self._shown(bulk, overlap)

    def _shown(self, bulk: Sequence[Operation], showing: Experiment) -> Iterator[Event]:
        looking = [law for law in self._chosen.laws if law.looks is not None]
        for n, operation in enumerate(bulk):
            if any(law.exempts(operation) is None for law in looking):
                reason = self._withheld() or self._try(partial(self._make, showing, operation, n))
                self._reasons[operation.id] = self._reasons.get(operation.id) or reason
                yield from self._harvest()

    def _experiment(self, bulk: Sequence[Operation]) -> Iterator[Event]:
        """Make the experiments that need no jobs unless a request always becomes one."""
        yield from self._experiments(bulk, lambda law: law.name not in {*WAITING, *LAST})
        yield from self._experiments(self._hurried(bulk), lambda law: law.name in LAST)

    def _hurried(self, bulk: Sequence[Operation]) -> Sequence[Operation]:
        """Return the operations that answer at once, where waiting for others might take all the time that there is."""
        return [] if self._bench.caller.controlled else [one for one in bulk if not _always_waits(one)]

    def _waiting(self, bulk: Sequence[Operation]) -> Iterator[Event]:
        """Make the experiments that always take jobs, and last those that leave most behind."""
        hurried = self._hurried(bulk)
        yield from self._experiments(bulk, lambda law: law.name in WAITING)
        yield from self._experiments([one for one in bulk if one not in hurried], lambda law: law.name in LAST)

    def _experiments(self, bulk: Sequence[Operation], wanted: Callable[[Law], bool]) -> Iterator[Event]:
        laws = [law for law in self._chosen.laws if law.experiment is not None]
        for turn, (law, operation) in enumerate(product(laws, bulk)):
            if wanted(law):
                yield from self._made(law, operation, turn)

    def _made(self, law: Law, operation: Operation, turn: int) -> Iterator[Event]:
        exempt, reason = law.exempts(operation), self._withheld()
        if law.experiment is not None and exempt is None and not reason:
            reason = self._try(partial(self._make, law.experiment, operation, turn))
            yield from self._harvest()
        yield self._answered(law.name, operation, exempt, reason)

    def _make(self, experiment: Experiment, operation: Operation, turn: int) -> None:
        self._gather(at_a_place(self._bench, operation, experiment, turn=self._bench.seed + turn))

    def _gather(self, findings: Iterator[Finding]) -> None:
        for finding in findings:
            self._news.append(finding)

    def _withheld(self) -> str:
        if self._read_only:
            return READ_ONLY
        return "" if self._bench.budget.left else NO_BUDGET

    def _try(self, action: Callable[[], object]) -> str:
        """Do something and return why it could not be done, "" when it could."""
        try:
            action()
        except ImpossibleError as error:
            return str(error)
        except NoAnswerError as error:
            if not self._bench.sent:
                raise MisuseError(f"No response: {error}.", cure="Give the URL of a running server.") from None
            self._news.append(unanswered(self._bench.asked, error))
            return f"a request got no response: {error}"
        return ""

    def _harvest(self) -> Iterator[Event]:
        """Judge what was exchanged since the last time, tell what is new, and let go of it."""
        history, contract = self._bench.cut(), self._bench.contract
        self._called |= {one.operation for one in history.exchanges if one.operation is not None}
        for exchange in history.exchanges:
            self._news += check_response(contract, exchange)
        for view in views(history, contract, router=self._bench.router):
            self._items += len(view.call.items)
            self._look(view)
        if self._model is not None:
            self._news += check_model(contract, self._model, history)
        news, self._news = self._news, []
        for finding in news:
            if self._is_new(finding):
                self._found[finding.fingerprint] = finding
                yield FindingFound(finding=finding)

    def _is_new(self, finding: Finding) -> bool:
        wanted = finding.law in self._chosen.checks and finding.operation in self._chosen.operations
        return wanted and finding.fingerprint not in self._found

    def _look(self, view: View) -> None:
        for law in self._chosen.laws:
            if law.looks is not None and law.concerns is not None and law.concerns(view):
                self._exercised.add((law.name, view.operation.id))
                self._news += law.looks(view)

    def _judge(self, bulk: Sequence[Operation]) -> Iterator[Event]:
        """Answer the laws that look at whatever was exchanged."""
        for operation, law in product(bulk, self._chosen.laws):
            if law.looks is not None:
                seen = (law.name, operation.id) in self._exercised
                reason = "" if seen else self._reasons.get(operation.id) or "no exchange applies to it"
                yield self._answered(law.name, operation, law.exempts(operation), reason)

    def _rest(self, bulk: Sequence[Operation]) -> Iterator[Event]:
        """Answer what is asked of every operation: that its replies are declared, and as the model has them."""
        del bulk
        asked = [conformance.CHECK, *([differential.CHECK] if self._model is not None else [])]
        for check in (one for one in asked if one in self._chosen.checks):
            for operation in self._bench.contract.operations:
                if operation.id in self._chosen.operations:
                    reason = "" if operation.id in self._called else "no request was sent"
                    yield self._answered(check, operation, None, reason)

    def _answered(self, check: str, operation: Operation, exempt: str | None, reason: str) -> LawAnswered:
        found = tuple(one for one in self._found.values() if one.law == check and one.operation == operation.id)
        word: Word = "failed" if found else "not-run" if reason else "passed"
        if exempt is not None:
            word, reason = "not-applicable", exempt
        self._words[word] += 1
        told = "" if word in {"failed", "passed"} else reason
        return LawAnswered(answer=Answer(law=check, operation=operation.id, word=word, reason=told, findings=found))


def _always_waits(operation: Operation) -> bool:
    job = operation.bulk.job if operation.bulk is not None else None
    return job is not None and "always" in job.when
