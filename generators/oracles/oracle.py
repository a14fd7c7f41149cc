"""Judge every exchange by itself and against all exchanges before it. Begin with `Oracle`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Final

from contracts.exchange.bulk_exchange import BulkExchange, JobTracker, OutcomeReport, TrackedJob, bulk_exchanges
from contracts.exchange.job_traces import GONE_STATUS, SUCCESS_STATUS
from contracts.exchange.locations import ParsedRequest, parse_request
from contracts.exchange.outcomes import created_key
from contracts.messages import ABSENT, Exchange, ExchangeHistory
from contracts.openapi.model import Contract, Route
from contracts.openapi.routing import Router
from contracts.schemas.equality import key_text
from generators.client.environments import Environment
from generators.oracles import job_laws, response_laws
from generators.oracles.expected_outcome import (
    CONTENT_REASONS,
    CREATING_ACTIONS,
    MISSING,
    OPEN,
    ExpectedOutcome,
    apply_effect,
    expected_outcome,
)
from generators.oracles.facts import FactFinder
from generators.oracles.findings import Finding, Model
from generators.oracles.intended_effects import IntendedEffect, RecordTypes, effect_of_request, resolve_lookups
from generators.oracles.outcome_oracle import CHECK, OutcomeOracle, forbid_names
from generators.oracles.read_oracle import ReadOracle
from generators.oracles.reference_model import differences
from generators.oracles.request_oracle import UNRELATED_REFUSALS, IdempotencyOracle, is_fit_request, refusal_findings
from generators.oracles.response_laws import (
    INVALID_STATUSES,
    SERVER_FAULT,
    TOO_MANY_REQUESTS,
    WORDS_FOR_GONE,
    check_response,
    is_made_up,
)
from generators.oracles.state_model import RecordState, StateModel

MODEL_FIRST_VERSION: Final = 1  # of new records of a reference model; with another one it predicts other conflicts
VIEW_LAWS: Final[tuple[Callable[[BulkExchange], Iterator[Finding]], ...]] = (
    response_laws.count,
    response_laws.key,
    response_laws.outcome_order,
    response_laws.status_class,
    response_laws.counts,
    job_laws.job_moves,
    job_laws.job_progress,
)
ACCEPTED: Final = 202
FAILURE_STATUSES: Final = frozenset((400, 404, 409, 410, 412, 422))
CONFLICT: Final = 409
STALE_STATUSES: Final = frozenset((409, 412))
READING_ACTIONS: Final = frozenset(("list", "read"))


class Oracle:
    """Judges the exchanges of one environment.

    `last_view` is the bulk exchange that the last exchange belongs to, None when it belongs to none.
    """

    def __init__(
        self,
        contract: Contract,
        environment: Environment,
        *,
        model: Model | None = None,
        router: Router | None = None,
        first_versions: dict[str, int] | None = None,
        record_types: RecordTypes | None = None,
    ) -> None:
        self.contract, self.model = contract, model
        self.record_types = record_types or RecordTypes(contract)
        self.router = router or Router(contract)
        self.state_model = StateModel(
            contract.resources, environment, first_versions, canonical=self.record_types.canonical
        )
        self.jobs = JobTracker(contract, self.router)
        self.read_oracle = ReadOracle(self.state_model, self.record_types, is_exclusive=environment.client.controlled)
        self.idempotency_oracle = IdempotencyOracle()
        self._effects: dict[tuple[int, str], list[IntendedEffect | None]] = {}
        self.last_view: BulkExchange | None = None
        self._plain: set[int] = set()
        self._is_open = False  # what of a record that came back the last exchange shows

    def judge(self, exchange: Exchange) -> list[Finding]:
        """Return the findings of an exchange, the most severe first."""
        self.last_view, self._plain, self._is_open = None, set(), False
        found = list(check_response(self.contract, exchange, self.router))
        route = self.router.match(exchange.request.method, exchange.request.path, exchange.request)
        is_refused_for_now = exchange.response.asks_to_wait or exchange.response.status == TOO_MANY_REQUESTS
        if isinstance(route, Route) and not is_refused_for_now:
            sent = parse_request(route.operation, exchange.request, route.variables)
            found += self._judge_request(sent, exchange)
        if any(one != MODEL_FIRST_VERSION for one in self.state_model.first_versions.values()):
            self.model = None
        if self.model is not None and not exchange.response.asks_to_wait:
            view, contract, is_open = self.last_view, self.contract, self._is_open
            found += differences(self.model, exchange, view, self._plain, contract=contract, is_open=is_open)
        return list({one.fingerprint: one for one in found}.values())

    def forget(self, exchange: Exchange) -> None:
        """Mark everything unknown that an exchange may have written which is not judged here."""
        self.model = None
        route = self.router.match(exchange.request.method, exchange.request.path, exchange.request)
        if not isinstance(route, Route) or exchange.response.status in FAILURE_STATUSES:
            return
        if route.operation.bulk is None:
            effect = effect_of_request(
                self.record_types, parse_request(route.operation, exchange.request, route.variables)
            )
            if effect is not None and effect.action not in READING_ACTIONS:
                self._mark_unknown(effect)
            return
        history = ExchangeHistory(exchanges=(exchange,))
        for view in bulk_exchanges(history, self.contract, operation=route.operation.id, router=self.router):
            self._outcome_oracle(view, None).mark_all_unknown()

    def _judge_request(self, sent: ParsedRequest, exchange: Exchange) -> list[Finding]:
        if sent.operation.bulk is not None:
            return list(self._judge_bulk(sent, exchange))
        tracked = self.jobs.about(exchange, sent.variables)
        if tracked is not None:
            return list(self._about_job(tracked, exchange))
        effect = resolve_lookups(self.state_model, [effect_of_request(self.record_types, sent)])[0]
        return [] if effect is None else list(self._judge_single(effect, sent, exchange))

    def _judge_bulk(self, sent: ParsedRequest, exchange: Exchange) -> Iterator[Finding]:
        history = ExchangeHistory(exchanges=(exchange,))
        view = next(bulk_exchanges(history, self.contract, operation=sent.operation.id, router=self.router), None)
        if view is None:
            return
        self.last_view = view
        again = self.idempotency_oracle.before(view)
        if again is not None and again.response.status not in SUCCESS_STATUS:
            self._outcome_oracle(view, None).mark_all_unknown()
            self.idempotency_oracle.note(view)
            return
        if again is not None:
            yield from self.idempotency_oracle.findings(view, again)
            return
        self.idempotency_oracle.note(view)
        found = [one for law in VIEW_LAWS for one in law(view)]
        yield from found
        if exchange.response.status >= SERVER_FAULT:
            self._outcome_oracle(view, None).mark_all_unknown()
            return
        yield from refusal_findings(self.record_types, view)
        if view.kind == "refused":
            self._outcome_oracle(view, None).forbid_all(exchange)
        elif view.traces:
            self._accept(view)
        else:
            for report in view.reports:
                yield from self._judge_report(view, report, is_broken=bool(found))
            if not view.reports:
                self._outcome_oracle(view, None).mark_all_unknown()

    def _outcome_oracle(self, view: BulkExchange, target: str | None) -> OutcomeOracle:
        name = (view.exchange.n, target or "")
        scope = self.record_types.scope_of(view.request.sent, target)
        outcome_oracle = OutcomeOracle(
            self.state_model, self.record_types, view, scope, effects=self._effects.get(name)
        )
        if view.traces:
            self._effects[name] = outcome_oracle.effects
        return outcome_oracle

    def _judge_report(self, view: BulkExchange, report: OutcomeReport, *, is_broken: bool) -> Iterator[Finding]:
        """Judge reported outcomes; mark all records unknown when the report itself violates a law."""
        outcome_oracle = self._outcome_oracle(view, report.target)
        if is_broken:
            outcome_oracle.mark_all_unknown()
        else:
            yield from outcome_oracle.findings(report)
            self._plain |= outcome_oracle.plain

    def _accept(self, view: BulkExchange) -> None:
        tracked = self.jobs.add(view)
        if tracked is None:
            return
        for target in [trace.target for trace in view.traces]:
            for effect in self._outcome_oracle(view, target).effects:
                self._mark_pending(effect, view.exchange.n)

    def _mark_pending(self, effect: IntendedEffect | None, n: int) -> None:
        """Note that a job may change a record from now on."""
        if effect is None:
            return
        self.state_model.add_pending(effect.where, effect.members or {})
        if isinstance(effect.key, str | int):
            fresh = self.state_model.is_generated(effect.key) and not self.state_model.has_alias(
                effect.where, effect.key
            )
            unknown = RecordState(where=effect.where, key=effect.key, present=False if fresh else None)
            entry = self.state_model.find(effect.where, effect.key) or unknown
            self.state_model.put(entry.with_jobs(entry.jobs | {n}))
            self.state_model.mark_aliases_unknown(effect.where, effect.key)
        elif isinstance(effect.key, Mapping):
            for entry in self.state_model.entries(effect.where):
                self.state_model.put(entry.with_jobs(entry.jobs | {n}))

    def _about_job(self, tracked: TrackedJob, exchange: Exchange) -> Iterator[Finding]:
        found = [one for law in VIEW_LAWS for one in law(tracked.view) if one.fingerprint not in tracked.observed]
        tracked.observed |= {one.fingerprint for one in found}
        yield from found
        yield from self._judge_early_reads(tracked, exchange)
        for report in tracked.view.reports:
            if (report.target or "") not in tracked.settled:
                tracked.settled.add(report.target or "")
                self._clear_pending(tracked, report.target)
                self.last_view = tracked.view
                yield from self._judge_report(tracked.view, report, is_broken=bool(found))
        self._settle_ended(tracked)

    def _judge_early_reads(self, tracked: TrackedJob, exchange: Exchange) -> Iterator[Finding]:
        """Yield records that had changed while their job reported that nothing was processed."""
        idle = [
            trace.target
            for trace in tracked.view.traces
            for one in trace.polls
            if one.exchange is exchange and one.is_idle
        ]
        effects = [
            one for target in idle for one in self._outcome_oracle(tracked.view, target).effects if one is not None
        ]
        if effects:
            yield from self._changed_before(tracked, effects, exchange)

    def _changed_before(
        self, tracked: TrackedJob, effects: Sequence[IntendedEffect], exchange: Exchange
    ) -> Iterator[Finding]:
        scopes = {effect.where.scope for effect in effects}
        early = [one for one in self.read_oracle.early if tracked.n in one.entry.jobs and one.exchange.n > tracked.n]
        for seen in [one for one in early if one.entry.where.scope in scopes]:
            self.read_oracle.early.remove(seen)
            named = (seen.entry.where, key_text(seen.entry.key))
            if any((effect.where, key_text(effect.key)) == named and seen.has_effect(effect) for effect in effects):
                says = f"the {named[0].resource} {named[1]} has changed although its job has processed nothing yet"
                yield response_laws.view_finding(
                    "async-is-sync", tracked.view, "job acts early", says, seen.exchange, exchange
                )

    def _clear_pending(self, tracked: TrackedJob, target: str | None) -> None:
        """Note that a job has ended; mark records unknown that another request wrote meanwhile."""
        for effect in filter(None, self._outcome_oracle(tracked.view, target).effects):
            self.state_model.remove_pending(effect.where, effect.members or {})
            named = self.state_model.find(effect.where, effect.key)
            some = (
                self.state_model.entries(effect.where) if isinstance(effect.key, Mapping) else [named] if named else []
            )
            for entry in [one for one in some if tracked.n in one.jobs]:
                self.state_model.put(entry.with_jobs(entry.jobs - {tracked.n}))
                touched = entry.at is not None and entry.at.n > tracked.n
                if touched or entry.jobs - {tracked.n}:
                    self.state_model.mark_unknown(effect.where, entry.key)

    def _settle_ended(self, tracked: TrackedJob) -> None:
        """Settle jobs that ended without outcomes: cancelled before any item ran, or failed."""
        for trace in tracked.view.traces:
            end, target = trace.end, trace.target
            if end is None or end.state in {"done", "doneWithErrors"} or (target or "") in tracked.settled:
                continue
            tracked.settled.add(target or "")
            self._clear_pending(tracked, target)
            outcome_oracle = self._outcome_oracle(tracked.view, target)
            if end.state == "cancelled" and not end.progress.get("processed", 0):
                outcome_oracle.forbid_all(end.exchange)
            else:
                outcome_oracle.mark_all_unknown()
        tracked.is_over = all((trace.target or "") in tracked.settled for trace in tracked.view.traces)

    def _judge_single(self, effect: IntendedEffect, sent: ParsedRequest, exchange: Exchange) -> Iterator[Finding]:
        if is_made_up(exchange.response):
            if effect.action not in READING_ACTIONS:
                self._mark_unknown(effect)
        elif effect.action == "read":
            entry = self.state_model.find(effect.where, effect.key)
            self._is_open = entry is not None and entry.revived
            yield from self.read_oracle.judge_read(effect, exchange)
        elif effect.action == "list":
            yield from self.read_oracle.judge_list(effect, exchange)
        else:
            yield from self._judge_write(effect, exchange, is_fit=is_fit_request(sent))

    def _judge_write(self, effect: IntendedEffect, exchange: Exchange, *, is_fit: bool) -> Iterator[Finding]:
        """Yield unexpected results of a single-record request, and update the state model otherwise."""
        status = exchange.response.status
        done, failed = status in SUCCESS_STATUS, status in FAILURE_STATUSES
        keeps = self._keeps(exchange)
        expected = expected_outcome(self.state_model, effect) if is_fit and not keeps else OPEN
        otherwise = expected.result == ("failed" if done else "done" if failed else None)
        wrong = otherwise and not self._may_answer(expected, effect, exchange)
        if wrong:
            said = f"{effect.action} {expected.reason} is done" if done else f"good {effect.action} fails"
            says = f"A single {said} ({status})."
            yield Finding(
                law=CHECK, operation=exchange.operation or "", shape=f"single {said}", says=says, evidence=(exchange,)
            )
        yield from self._judge_status(effect, expected, exchange) if failed and not wrong else ()
        is_odd = expected.result == "failed" and effect.action != "delete"
        if done and not (wrong or is_odd) and status != ACCEPTED:
            key = self._written_key(effect, exchange)
            apply_effect(self.state_model, effect, key=key, by=exchange.operation or "", at=exchange)
            yield from self.read_oracle.judge_answer(effect, exchange)
        elif failed and not wrong:
            forbid_names(self.state_model, effect, exchange)
        elif wrong or done or status >= SERVER_FAULT or status not in UNRELATED_REFUSALS:
            self._mark_unknown(effect)

    def _keeps(self, exchange: Exchange) -> bool:
        """Return whether a request is a deletion that may leave its record."""
        operation = self.contract.operation(exchange.operation or "")
        return operation is not None and operation.record is not None and operation.record.keeps

    def _may_answer(self, expected: ExpectedOutcome, effect: IntendedEffect, exchange: Exchange) -> bool:
        """Return whether another result than the expected one may be right, since an operation declares so or nothing.

        A change or deletion of no record succeeds where no refusal is declared, a valid request where its resource is
        only inferred. A write fails with a declared status if it breaks a rule that nothing says.
        """
        operation, status = self.contract.operation(exchange.operation or ""), exchange.response.status
        declared, deletes = operation.responses if operation is not None else {}, effect.action == "delete"
        rules = effect.resource
        if expected.result == "failed":
            is_nothing = expected.reason == MISSING and WORDS_FOR_GONE.isdisjoint(declared)
            return is_nothing or (rules.inferred and expected.reason in CONTENT_REASONS)
        has_reason = rules.version is not None or (rules.restrict if deletes else bool(rules.unique))
        is_open = (status == CONFLICT and not has_reason) or (status in INVALID_STATUSES and rules.inferred)
        return is_open and str(status) in declared

    def _judge_status(self, effect: IntendedEffect, expected: ExpectedOutcome, exchange: Exchange) -> Iterator[Finding]:
        """Yield a refusal of a single-record request for its content whose status is not the declared one.

        That there is no such record, or that it has another version, is what another client may have brought about.
        """
        operation, status = self.contract.operation(exchange.operation or ""), exchange.response.status
        declared = operation.record.invalid if operation is not None and operation.record is not None else None
        is_sure = expected.reason in CONTENT_REASONS and expected.is_only_reason
        may_be_gone = status in GONE_STATUS and effect.action not in CREATING_ACTIONS
        may_be_stale = status in STALE_STATUSES and effect.version is not None
        if is_sure and declared not in {None, status} and not (may_be_gone or may_be_stale):
            said = f"single {effect.action} {expected.reason} is refused with {status}"
            says = f"A {said}, not {declared}."
            yield Finding(law=CHECK, operation=exchange.operation or "", shape=said, says=says, evidence=(exchange,))

    def _mark_unknown(self, effect: IntendedEffect) -> None:
        self.state_model.mark_effect_unknown(effect.where, effect.key, effect.members or {})

    def _written_key(self, effect: IntendedEffect, exchange: Exchange) -> object:
        """Return the key of the record that a request wrote, ABSENT for a deletion."""
        if effect.action == "delete":
            return ABSENT
        reader = effect.record_type.reader
        if effect.action in CREATING_ACTIONS and effect.resource.assigned:
            return created_key(self.contract, self.router, reader, exchange)
        return reader.key(exchange.response.data)


ModelFactory = Callable[[], Model]


@dataclass(slots=True, kw_only=True)
class OracleFactory:
    """Creates one oracle per environment; all share the first version number observed per resource."""

    contract: Contract
    model_factory: ModelFactory | None = None
    first_versions: dict[str, int] = field(default_factory=dict)
    router: Router = field(init=False)
    record_types: RecordTypes = field(init=False)
    fact_finder: FactFinder = field(init=False)

    def __post_init__(self) -> None:
        self.router, self.record_types = Router(self.contract), RecordTypes(self.contract)
        self.fact_finder = FactFinder(self.contract, self.router)

    def apart(self) -> "OracleFactory":
        """Return a factory for the same contract whose oracles share nothing observed with those of this one."""
        other = copy(self)
        other.first_versions = {}
        return other

    def create(self, environment: Environment, *, uses_model: bool = True) -> Oracle:
        """Return an oracle for a new environment, with a reference model if `uses_model` and there is one."""
        return Oracle(
            self.contract,
            environment,
            model=self.model_factory() if self.model_factory is not None and uses_model else None,
            router=self.router,
            first_versions=self.first_versions,
            record_types=self.record_types,
        )
