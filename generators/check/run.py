"""Check an implementation: examples, laws, responses, then schemathesis' coverage phase, as a stream of events.

Begin with `check`.
"""

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from datetime import timedelta
from functools import partial
from itertools import product
from typing import Any, Final

from contracts.errors import MisuseError
from contracts.exchange.bulk_exchange import BulkExchange, bulk_exchanges
from contracts.openapi.model import Contract, Operation
from contracts.openapi.security import key_field
from generators.check import warm_up
from generators.check.lanes import Action, Lanes, Tried
from generators.check.laws.concurrent_jobs import overlap
from generators.check.laws.lists.catalogue import LIST_LAWS
from generators.check.laws.metamorphic import run_at_site
from generators.check.plan import CheckPlan, Event, FindingFound, Finished, LawAnswered, Started, StepBegun, selection
from generators.client.access import AccessGuard
from generators.client.environments import headers_for
from generators.client.http import Client, NoAnswerError
from generators.client.session import Budget, Session
from generators.errors import NotApplicableError
from generators.oracles import reference_model, response_laws
from generators.oracles.findings import CheckResult, CheckStatus, Experiment, Finding, Law
from generators.schemathesis_engine import coverage
from generators.schemathesis_engine.process import SchemathesisProcess, SchemathesisTask

COVERAGE_SECONDS: Final = 8.0  # reserved for the coverage phase, at most a third of the time limit
JOB_LAWS: Final = ("async-is-sync", "active", "job-name", "job-lookup")
LIST_LAW_NAMES: Final = frozenset(law.name for law in LIST_LAWS)
WAITING_LAWS: Final = ("expiry", "quota")
LATE: Final = timedelta(seconds=2)  # after which a job that has ended is asked for again
LAST_LAWS: Final = ("uniform", "boundary")  # they create so many records that lists are long afterwards
BUDGET_USED_UP: Final = "the time budget was used up"
WRITES_NOT_ALLOWED: Final = "--read-only allows no writes"


def check(contract: Contract, client: Client, plan: CheckPlan) -> Iterator[Event]:
    """Check an implementation and yield events.

    Raises MisuseError for an unknown name, when the server does not respond, or when every response is one refusal.
    """
    operations = selection(contract, plan.only, plan.skip, plan.laws).operations
    chosen = [one for one in contract.operations if one.id in operations]
    guard = AccessGuard(plan.base, chosen, contract.clients, key_field(contract))
    yield from _CheckRun(contract, client, plan, guard=guard).events()


def run_checks(contract: Contract, client: Client, *, budget: Budget | None = None, **options: Any) -> Iterator[Event]:
    """Check as `check` does, but accept that every response is a refusal. `options` are those of a CheckPlan."""
    yield from _CheckRun(contract, client, CheckPlan(**options), budget or Budget()).events()


class _CheckRun:
    """One run. What takes turns with nothing else is done in the first of its lanes."""

    def __init__(
        self,
        contract: Contract,
        client: Client,
        plan: CheckPlan,
        budget: Budget | None = None,
        guard: AccessGuard | None = None,
    ) -> None:
        self._selection, self._plan = selection(contract, plan.only, plan.skip, plan.laws), plan
        self._covers = coverage.CHECK in self._selection.checks and plan.document is not None
        self._guard, self._budget = guard, budget or Budget(seconds=plan.seconds)
        reserved = min(COVERAGE_SECONDS, plan.seconds / 3) if self._covers else 0.0
        budget = budget or Budget(seconds=plan.seconds - reserved)
        self._lanes = Lanes(contract, client, plan, budget, guard)
        self._session = self._lanes.first.session
        self._model, self._read_only = plan.model, plan.read_only
        self._found: dict[str, Finding] = {}
        self._words: Counter[str] = Counter()
        self._reasons: dict[str, str] = {}
        self._exercised: set[tuple[str, str]] = set()
        self._called: set[str] = set()
        self._ended: dict[str, BulkExchange] = {}
        self._items = self._covered = 0
        self._schemathesis: SchemathesisProcess | None = None
        self._beside: tuple[coverage.SchemathesisCoverage, SchemathesisTask] | None = None

    def events(self) -> Iterator[Event]:
        """Yield the events of the whole run."""
        with closing(self._lanes), coverage.waiting_process(is_wanted=self._covers) as self._schemathesis:
            if self._schemathesis is not None:
                self._begin_coverage(self._schemathesis)
            yield from self._events()

    def _events(self) -> Iterator[Event]:
        contract, chosen = self._session.contract, self._selection
        can = {reference_model.CHECK: self._model is not None, coverage.CHECK: self._covers}
        bulk = [one for one in contract.operations if one.bulk is not None and one.id in chosen.operations]
        yield Started(
            contract=contract.title,
            version=contract.version,
            operations=tuple(one.id for one in bulk),
            checks=tuple(one for one in chosen.checks if can.get(one, True)),
            seed=self._session.seed,
        )
        for step in self._steps():
            yield from step(bulk)
        if self._guard is not None:
            self._guard.require_access()
        yield Finished(
            words=self._words,
            findings=tuple(self._found.values()),
            calls=self._lanes.sent + self._covered,
            items=self._items,
            seconds=self._budget.spent,
        )

    def _steps(self) -> Sequence[Callable[[Sequence[Operation]], Iterator[Event]]]:
        """Return the steps, the most informative first in case the time limit is reached."""
        asking = (
            self._examples,
            self._crud_rounds,
            self._warm_up_all,
            self._list_experiments,  # while lists are short
            self._immediate_experiments,
            self._call_experiments,
            self._jobs,
            self._job_experiments,
            self._late_polls,
            self._long_waits,
        )
        others = [one for one in self._selection.checks if one != coverage.CHECK]
        return (*(asking if others else ()), self._report_laws, self._report_other_checks, self._run_coverage)

    def _examples(self, bulk: Sequence[Operation]) -> Iterator[Event]:
        """Send the examples of every operation."""
        del bulk
        for operation in self._session.contract.operations:
            wanted = warm_up.EXAMPLES_CHECK in self._selection.checks and operation.id in self._selection.operations
            if wanted and self._session.budget.left:
                yield from self._turn(partial(warm_up.replay_examples, operation=operation, read_only=self._read_only))

    def _crud_rounds(self, bulk: Sequence[Operation]) -> Iterator[Event]:
        """Send every single-record request once."""
        del bulk
        for name in self._session.contract.resources if response_laws.CHECK in self._selection.checks else ():
            if not self._skip_reason():
                yield from self._turn(partial(warm_up.crud_smoke, name=name))

    def _warm_up_all(self, bulk: Sequence[Operation]) -> Iterator[Event]:
        """Send requests that the laws on single responses judge; jobs that need a setting come later."""
        yield from self._warm_up(bulk, warm_up.run_warm_up)

    def _jobs(self, bulk: Sequence[Operation]) -> Iterator[Event]:
        """Run jobs: those that a client must ask for, and concurrent ones."""
        yield from self._warm_up(bulk, warm_up.run_job_warm_up)
        yield from self._warm_up(bulk, overlap)

    def _warm_up(self, bulk: Sequence[Operation], showing: Experiment) -> Iterator[Event]:
        looking = [law for law in self._selection.laws if law.judge_exchange is not None]
        for n, operation in enumerate(bulk):
            if any(law.exempt_reason(operation) is None for law in looking):
                yield StepBegun(doing=f"requests of {operation.id}", calls=self._lanes.sent)
                show = partial(self._at_site, experiment=showing, operation=operation, number=n)
                reason = yield from self._turn(show)
                self._reasons[operation.id] = self._reasons.get(operation.id) or reason

    def _immediate_experiments(self, bulk: Sequence[Operation]) -> Iterator[Event]:
        """Run the experiments that need no jobs, unless a request always becomes one."""
        others = {*JOB_LAWS, *LAST_LAWS, *LIST_LAW_NAMES}
        yield from self._experiments(bulk, lambda law: law.name not in others, apart=True)
        yield from self._last_experiments(self._immediate(bulk))

    def _list_experiments(self, bulk: Sequence[Operation]) -> Iterator[Event]:
        """Run the experiments on lists."""
        del bulk
        chosen = [one for one in self._session.contract.operations if one.id in self._selection.operations]
        lists = [one for one in chosen if one.record is not None and one.record.action.constant == "list"]
        yield from self._experiments(lists, lambda law: law.name in LIST_LAW_NAMES)

    def _immediate(self, bulk: Sequence[Operation]) -> Sequence[Operation]:
        """Return the operations that respond without a job, where waiting for jobs takes real time."""
        return [] if self._session.controlled else [one for one in bulk if not _always_becomes_job(one)]

    def _call_experiments(self, bulk: Sequence[Operation]) -> Iterator[Event]:
        """Run the experiments that any operation can have, but for those that wait for days."""
        del bulk
        yield from self._run_call_laws(lambda law: law.name not in WAITING_LAWS, apart=True)

    def _long_waits(self, bulk: Sequence[Operation]) -> Iterator[Event]:
        """Run the experiments after which tokens have expired and quotas are used up."""
        del bulk
        yield from self._run_call_laws(lambda law: law.name in WAITING_LAWS)

    def _run_call_laws(self, wanted: Callable[[Law], bool], *, apart: bool = False) -> Iterator[Event]:
        contract, chosen = self._session.contract, self._selection.operations
        laws = [law for law in self._selection.laws if law.call_experiment is not None and wanted(law)]
        own = [one for one in contract.operations if one.id in chosen]
        rows = [(law, one) for law, one in product(laws, own) if law.calls(contract, one)]
        actions = [partial(self._run_call_law, law=law, operation=operation) for law, operation in rows]
        yield from self._answer_all(rows, actions, apart=apart)

    def _run_call_law(self, session: Session, law: Law, operation: Operation) -> Iterator[Finding]:
        self._require_time()
        yield from law.call_experiment(session, operation) if law.call_experiment is not None else ()

    def _job_experiments(self, bulk: Sequence[Operation]) -> Iterator[Event]:
        """Run the experiments that always need jobs, and last those that create most records."""
        hurried = self._immediate(bulk)
        yield from self._experiments(bulk, lambda law: law.name in JOB_LAWS, apart=True)
        yield from self._last_experiments([one for one in bulk if one not in hurried])

    def _last_experiments(self, bulk: Sequence[Operation]) -> Iterator[Event]:
        for name in LAST_LAWS:
            yield from self._experiments(bulk, partial(_is_named, name), apart=True)

    def _late_polls(self, bulk: Sequence[Operation]) -> Iterator[Event]:
        """Ask once more for a job of each operation that ended some time ago, and judge all that was told of it."""
        wanted = {one.id for one in bulk}
        ended = [one for name, one in self._ended.items() if name in wanted]
        if ended and not self._skip_reason():
            yield from self._turn(partial(Session.wait, by=LATE))
        for view in (one for one in ended if not self._skip_reason()):
            yield from self._turn(partial(self._seen_late, view=view))

    def _seen_late(self, session: Session, view: BulkExchange) -> Iterator[Finding]:
        with suppress(NotApplicableError):
            warm_up.poll_late(session, view)
        yield from self._law_findings(warm_up.seen_late(session, view))

    def _experiments(
        self, bulk: Sequence[Operation], wanted: Callable[[Law], bool], *, apart: bool = False
    ) -> Iterator[Event]:
        laws = [law for law in self._selection.laws if law.experiment is not None]
        numbered = [row for row in enumerate(product(laws, bulk)) if wanted(row[1][0])]
        actions = [partial(self._run_law, law=law, operation=one, number=number) for number, (law, one) in numbered]
        yield from self._answer_all([row for _, row in numbered], actions, apart=apart)

    def _answer_all(
        self, rows: Sequence[tuple[Law, Operation]], actions: Sequence[Action], *, apart: bool
    ) -> Iterator[Event]:
        """Run an experiment for each law and operation, and answer in their order."""
        results = self._lanes.run(actions, apart=apart)
        for law, operation in rows:
            exempt = law.exempt_reason(operation) if law.experiment is not None else None
            if exempt is None and not self._skip_reason():
                yield StepBegun(doing=f"{law.name} on {operation.id}", calls=self._lanes.sent)
            tried = next(results)
            yield from self._judge(tried)
            yield self._answered(law.name, operation, exempt, tried.reason)

    def _run_law(self, session: Session, law: Law, operation: Operation, number: int) -> Iterator[Finding]:
        if law.experiment is not None and law.exempt_reason(operation) is None:
            yield from self._at_site(session, law.experiment, operation, number)

    def _at_site(
        self, session: Session, experiment: Experiment, operation: Operation, number: int
    ) -> Iterator[Finding]:
        self._require_time()
        yield from run_at_site(session, operation, experiment, offset=session.seed + number)

    def _require_time(self) -> None:
        if reason := self._skip_reason():
            raise NotApplicableError(reason)

    def _skip_reason(self) -> str:
        if self._read_only:
            return WRITES_NOT_ALLOWED
        return "" if self._session.budget.left else BUDGET_USED_UP

    def _turn(self, action: Action) -> Generator[Event, None, str]:
        """Do something in the first lane, and return why it could not be completed, "" when it was."""
        tried = self._lanes.first.run(action)
        yield from self._judge(tried)
        return tried.reason

    def _judge(self, tried: Tried) -> Iterator[Event]:
        """Judge what came of an action, and yield new findings."""
        contract, history, router = self._session.contract, tried.history, self._session.router
        found = [*tried.findings]
        self._called |= {one.operation for one in history.exchanges if one.operation is not None}
        for exchange in history.exchanges:
            found += response_laws.check_response(contract, exchange, router)
        for view in bulk_exchanges(history, contract, router=router, known=tried.views):
            self._items += len(view.request.items)
            found += self._law_findings(view)
            told = [one for report in view.reports if report.trace for one in report.outcomes]
            if tried.is_first and any(one.result == "failed" for one in told):
                self._ended.setdefault(view.operation.id, view)
        if self._model is not None:
            found += reference_model.check_model(contract, self._model, history)
        for finding in found:
            is_wanted = finding.law in self._selection.checks and finding.operation in self._selection.operations
            if is_wanted and finding.fingerprint not in self._found:
                self._found[finding.fingerprint] = finding
                yield FindingFound(finding=finding)

    def _law_findings(self, view: BulkExchange) -> Iterator[Finding]:
        for law in self._selection.laws:
            if law.judge_exchange is not None and law.applies_to is not None and law.applies_to(view):
                self._exercised.add((law.name, view.operation.id))
                yield from law.judge_exchange(view)

    def _report_laws(self, bulk: Sequence[Operation]) -> Iterator[Event]:
        """Report the laws that judge recorded exchanges."""
        for operation, law in product(bulk, self._selection.laws):
            if law.judge_exchange is not None:
                seen = (law.name, operation.id) in self._exercised
                reason = "" if seen else self._reasons.get(operation.id) or "no exchange applies to it"
                yield self._answered(law.name, operation, law.exempt_reason(operation), reason)

    def _report_other_checks(self, bulk: Sequence[Operation]) -> Iterator[Event]:
        """Report the checks of every operation: its responses are declared, and equal the model's."""
        del bulk
        asked = [response_laws.CHECK, *([reference_model.CHECK] if self._model is not None else [])]
        for check in (one for one in asked if one in self._selection.checks):
            for operation in self._session.contract.operations:
                if operation.id in self._selection.operations:
                    reason = "" if operation.id in self._called else "no request was sent"
                    yield self._answered(check, operation, None, reason)

    def _answered(self, check: str, operation: Operation, exempt: str | None, reason: str) -> LawAnswered:
        found = tuple(one for one in self._found.values() if one.law == check and one.operation == operation.id)
        word: CheckStatus = "failed" if found else "not-run" if reason else "passed"
        if exempt is not None:
            word, reason = "not-applicable", exempt
        self._words[word] += 1
        told = "" if word in {"failed", "passed"} else reason
        return LawAnswered(
            answer=CheckResult(law=check, operation=operation.id, word=word, reason=told, findings=found)
        )

    def _coverable(self, operations: Sequence[Operation]) -> Sequence[Operation]:
        return [one for one in operations if one.method in warm_up.SAFE_METHODS or not self._read_only]

    def _begin_coverage(self, process: SchemathesisProcess) -> None:
        """Let the coverage phase begin in a sandbox of its own, where the server makes one."""
        try:
            client = self._plan.beside() if self._plan.beside is not None else None
        except (MisuseError, NoAnswerError):
            return  # there is no place for one more: it comes last
        if client is not None:
            headers = {name: one for name, one in self._plan.headers.items() if name.lower() != "sandbox"}
            self._beside = self._coverage(client.base, client, headers)
            process.begin(self._beside[1])
            self._session.budget = self._budget  # no time has to be left for it

    def _coverage(
        self, base: str, client: Client, headers: Mapping[str, str]
    ) -> tuple[coverage.SchemathesisCoverage, SchemathesisTask]:
        plan, contract = self._plan, self._session.contract
        operations = [one for one in contract.operations if one.id in self._selection.operations]
        run = coverage.SchemathesisCoverage(contract, self._coverable(operations))
        task = run.task(
            plan.document or {},
            base,
            headers=headers_for(contract, client, headers),
            seed=plan.seed,
            seconds=self._budget.left,
            timeout=plan.timeout,
            rate=plan.rate,
            safe=plan.read_only,
        )
        return run, task

    def _run_coverage(self, bulk: Sequence[Operation]) -> Iterator[Event]:
        """Send the cases of schemathesis' coverage phase in the remaining time."""
        del bulk
        if not self._covers:
            return
        yield StepBegun(doing="the cases that the schemas define", calls=self._lanes.sent)
        run, task = self._beside or self._coverage(self._plan.base, self._session.client, self._plan.headers)
        operations = [one for one in self._session.contract.operations if one.id in self._selection.operations]
        wanted = self._coverable(operations)
        is_time = self._beside is not None or self._budget.left
        for finding in run.findings(task, process=self._schemathesis) if wanted and is_time else ():
            self._found[finding.fingerprint] = finding
            yield FindingFound(finding=finding)
        for name, answers in run.statuses.items():
            self._covered += answers.total()
            if self._guard is not None:
                self._guard.note(name, answers)
        left_out = (
            CheckResult(law=coverage.CHECK, operation=one.id, word="not-run", reason=WRITES_NOT_ALLOWED)
            for one in operations
            if one not in wanted
        )
        for answer in (*run.answers(), *left_out):
            self._words[answer.word] += 1
            yield LawAnswered(answer=answer)


def _is_named(name: str, law: Law) -> bool:
    return law.name == name


def _always_becomes_job(operation: Operation) -> bool:
    job = operation.bulk.job if operation.bulk is not None else None
    return job is not None and "always" in job.when
