"""The reference model of the fuzzer: a private sandbox that gets every request of the implementation (`sandbox_model`).

Ids that only a server can choose, of records and jobs, are learned from the implementation's responses. Model-based
testing as in Hughes, "QuickCheck Testing for Fun and Profit" (2007).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from contracts.bulk.jobs import FINAL_STATES
from contracts.bulk.model import Resource
from contracts.exchange.bulk_exchange import OutcomeReport, bulk_exchanges
from contracts.exchange.job_traces import SUCCESS_STATUS, handle_id
from contracts.exchange.locations import json_of, read_response
from contracts.messages import Exchange, ExchangeHistory, Request, Response
from contracts.openapi.model import Operation, Route
from contracts.openapi.validation import is_lines
from contracts.syntax.text import is_text_or_integer
from generators.oracles.findings import Prediction
from generators.oracles.reference_model import are_refusals
from mockserver.api.model import Api, ItemRun, RequestContext
from mockserver.apis.model_requests import ID_PATTERN, RequestIds, request_ids
from mockserver.bulk.prepared_api import prepared
from mockserver.domain.clock_and_ids import FROZEN_EPOCH
from mockserver.engine.pipeline import handle
from mockserver.journal.journal import Journal
from mockserver.sandbox.sandboxes import Sandbox, SandboxTemplate, default_settings
from mockserver.stores.interface import Key, View

MODEL_SEED: Final = 0x6D6F64656C  # unlikely for a sandbox, so that the model's ids differ from the implementation's
FIRST_MODEL_ID: Final = 9_007_100_000_000_000  # where ids are numbers; the last that doubles hold are near
JOB_ID_STEP: Final = 10_000  # between ids of jobs, whose parts may have ids of their own
NOT_FOUND: Final = 404
UNPREDICTED_STATUSES: Final = frozenset((401, 403, 408, 413, 429, 503))


def sandbox_model(name: str) -> "SandboxModel":
    """Return a model of a bundled API, an installed plug-in, or an OpenAPI file. Raises MisuseError, ContractError."""
    from mockserver.apis.sources import find_sources  # noqa: PLC0415 - it imports every API

    if name not in _LOADED_APIS:
        _LOADED_APIS[name] = find_sources((name,))[0].load()
    return SandboxModel(_LOADED_APIS[name])


_LOADED_APIS: Final[dict[str, Api]] = {}


class _NoJournal(Journal):
    """A journal that nobody reads."""

    def record(self, context: RequestContext, response: Response) -> None:
        """Record nothing."""


@dataclass(slots=True)
class SandboxModel:
    """Predicts the responses of an implementation while the stored state is certain.

    It gives up for good after a wrong prediction, after a bulk response or results of a job with another number of
    outcomes than its own, and after a write while a job was unfinished: their order is unknown.

    `ours` maps its ids to those of the model, which has made `issued_ids`; `initial_ids` are of initial records.
    """

    api: Api
    sandbox: Sandbox = field(init=False)
    ours: dict[str, object] = field(default_factory=dict)
    issued_ids: set[str] = field(default_factory=set)
    initial_ids: set[str] = field(default_factory=set)
    gave_up: bool = False
    _now: datetime = FROZEN_EPOCH
    _ids: RequestIds = field(init=False)
    _job_exchanges: list[tuple[Exchange, Exchange]] = field(default_factory=list)
    _overtaken: set[str] = field(default_factory=set)  # jobs that end with another here, and perhaps later there

    def __post_init__(self) -> None:
        self.api = _with_initial_ids_recorded(_with_model_ids(self.api, self.issued_ids), self.initial_ids)
        template = SandboxTemplate(
            apis={self.api.name: self.api},
            settings=default_settings([self.api], {"auth": "open"}),
            seed=MODEL_SEED,
            mode="frozen",
            allows_preferences=False,
        )
        self.sandbox = Sandbox("model", template, FROZEN_EPOCH)
        self.sandbox.journal = _NoJournal()
        self._ids = request_ids(self.api.contract, prepared(self.api).router, self.ours)

    def predict(self, exchange: Exchange) -> Prediction | None:
        """Return the expected response to a request, None when it is unknown."""
        operation = self.api.contract.operation(exchange.operation or "")
        is_known = operation is not None and (operation.bulk or operation.record or self._is_about_jobs(operation))
        if self.gave_up or operation is None or not is_known or exchange.response.status in UNPREDICTED_STATUSES:
            return None
        if self._is_unfinished() and not self._is_about_jobs(operation):
            self.gave_up = operation.method != "GET"
            return None
        self._catch_up(operation, exchange.request.path, exchange.response)
        mine = self._replay(exchange)
        if operation.bulk is not None and operation.bulk.guard.quota and mine.response.status in UNPREDICTED_STATUSES:
            self.gave_up = True  # a quota is of the implementation's time
            return None
        is_alike = _have_same_shape(_told(mine.response), _told(exchange.response))
        if is_alike and (operation.record is None or operation.record.action.constant != "list"):
            self._learn(mine.response, exchange.response)  # a list shows what others have made, too
            if self.gave_up:
                return None
        predicted = self._predicted(operation, exchange, mine)
        is_failure = predicted.status in SUCCESS_STATUS and exchange.response.status not in SUCCESS_STATUS
        is_unlearned = predicted.status == NOT_FOUND and self._may_name_unlearned(exchange.request)
        if is_unlearned or (is_failure and self._names_initial_record(exchange.request)):
            self.gave_up = _action(operation) not in ({"read"} if is_unlearned else {"read", "update", "delete"})
            return None
        is_missed = not is_alike and (
            operation.bulk is not None or self._tells_results(operation)
        )  # ids are unknown now
        self.gave_up = _is_wrong(predicted, exchange) or is_missed
        return predicted

    def _names_initial_record(self, request: Request) -> bool:
        """Return whether a request names an initial record: other clients may have deleted it before."""
        words = f"{request.path} {request.body.decode(errors='replace')}"
        return not self.initial_ids.isdisjoint(ID_PATTERN.findall(words))

    def _may_name_unlearned(self, request: Request) -> bool:
        """Return whether the path may name a record whose id the responses that made it did not both tell."""
        route = prepared(self.api).router.match(request.method, request.path, request)
        unknown = isinstance(route, Route) and not self.ours.keys() >= set(route.variables.values())
        return unknown and not self.issued_ids <= {str(ours) for ours in self.ours.values()}

    def _is_about_jobs(self, operation: Operation) -> bool:
        ready = prepared(self.api)
        return operation.id in {*ready.polls, *ready.cancels} or self._tells_results(operation)

    def _tells_results(self, operation: Operation) -> bool:
        """Return whether it tells the results of jobs apart from their states."""
        plans = prepared(self.api).plans.values()
        return operation.id in {name for plan in plans if plan.bulk.job for name in plan.bulk.job.results}

    def _is_unfinished(self) -> bool:
        api_state = self.sandbox.api_states.get(self.api.name)
        return api_state is not None and (bool(api_state.jobs.unfinished) or bool(self._overtaken))

    def _catch_up(self, operation: Operation, path: str, response: Response) -> None:
        """Advance the clock to the end of the model's job when the implementation's has ended."""
        plans = prepared(self.api).polls.get(operation.id, ())
        declared = [plan.bulk.job for plan in plans if plan.bulk.job is not None]
        words = {str(read_response(response, one.state_at)) for one in declared}
        ended = any(one.words.get(word) in FINAL_STATES - {"cancelled"} for one in declared for word in words)
        if ended or (operation.id in prepared(self.api).cancels and response.status not in SUCCESS_STATUS):
            route = prepared(self.api).router.match(operation.method, path)
            given = set(route.variables.values()) if isinstance(route, Route) else set()
            named = {str(ours) for other, ours in self.ours.items() if other in given}
            jobs = self.sandbox.api_state(self.api, self._now).jobs
            dues = [jobs.jobs[name].due for name in named if name in jobs.jobs]
            self._now = max([self._now, *(due for due in dues if due is not None)])
            waiting = {name: jobs.jobs[name].due for name in jobs.unfinished}
            self._overtaken |= {name for name, due in waiting.items() if due is not None and due <= self._now}
            self._overtaken -= named

    def _replay(self, exchange: Exchange) -> Exchange:
        """Return the exchange that the model makes of a request."""
        request = self._ids.translated(exchange.request, self.api.contract.operation(exchange.operation or ""))
        response = handle(self.sandbox, self.api, request, self._now)
        return replace(exchange, request=request, response=replace(response, data=json_of(response.body)))

    def _id_in(self, address: str) -> str:
        """Return the id in a URL, which may be a part of its last segment."""
        return handle_id(self.api.contract, prepared(self.api).router, address)

    def _learn(self, mine: Response, theirs: Response) -> None:
        """Map the implementation's ids to the model's: they are at the same locations of the two responses."""
        for ours, other in _paired_values(mine, theirs, self._id_in):
            if str(ours) in self.issued_ids and isinstance(other, str | int):
                known = self.ours.get(str(other), ours)
                self.gave_up = self.gave_up or str(known) != str(ours)  # records of two kinds have this id
                self.ours[str(other)] = ours if not str(ours).isdecimal() else int(str(ours))

    def _predicted(self, operation: Operation, exchange: Exchange, mine: Exchange) -> Prediction:
        status, report = mine.response.status, None
        if operation.bulk is not None:
            self._job_exchanges = [(exchange, mine)]
            report = self._outcome_report()
        elif self._is_about_jobs(operation):
            self._job_exchanges.append((exchange, mine))
            report = self._outcome_report()
            return Prediction(status=None if status in {200, 409} else status, **self._results(report))
        if operation.record is not None and operation.record.action.constant == "read" and status in SUCCESS_STATUS:
            return Prediction(status=status, record=self._record(operation, exchange, mine.response))
        return Prediction(status=status, **self._results(report))

    def _results(self, report: OutcomeReport | None) -> dict[str, Any]:
        """Return the expected results of items; errors have the implementation's ids."""
        if report is None or any(one.result == "untold" for one in report.outcomes):
            return {}
        theirs = {str(ours): other for other, ours in self.ours.items()}
        errors = tuple(_translated_error(one.error, theirs) for one in report.outcomes)
        return {"results": tuple(one.result for one in report.outcomes), "errors": errors}

    def _outcome_report(self) -> OutcomeReport | None:
        """Return the outcome report of the last bulk request, None without one or with one for each target."""
        history = ExchangeHistory(
            exchanges=tuple(replace(mine, n=n) for n, (_, mine) in enumerate(self._job_exchanges, 1))
        )
        view = next(bulk_exchanges(history, self.api.contract, router=prepared(self.api).router), None)
        return view.reports[0] if view is not None and len(view.reports) == 1 else None

    def _record(self, operation: Operation, exchange: Exchange, mine: Response) -> Mapping[str, object]:
        """Return the expected members of a record; references have the implementation's ids."""
        theirs = {str(ours): other for other, ours in self.ours.items()}
        resource = self._resource(operation, exchange)
        schema = resource.schema if resource is not None else None
        names = self.api.contract.schemas.schema(schema).members() if schema is not None else {}
        shown = dict(_flat_members(mine.data))
        wanted = [*names, resource.version if resource is not None else None]
        known = {name: shown[name] for name in wanted if name is not None and name in shown}
        return {name: _translated_id(value, theirs) for name, value in known.items()}

    def _resource(self, operation: Operation, exchange: Exchange) -> Resource | None:
        route = prepared(self.api).router.match(exchange.request.method, exchange.request.path, exchange.request)
        act = operation.record
        if not isinstance(route, Route) or act is None:
            return None
        word = route.variables.get(act.resource.source.partition(":")[2], act.resource.constant)
        words = {name.lower(): meaning for name, meaning in act.resource.words.items()}
        return self.api.contract.resources.get(words.get(word.lower(), word))


def _with_model_ids(api: Api, issued_ids: set[str]) -> Api:
    """Return the API with ids that no implementation has; each is added to `issued_ids`."""
    hooks = api.hooks

    def new_keys(run: ItemRun, resource: Resource) -> Callable[[int], Sequence[Key]]:
        fresh = hooks.new_keys(run, resource)

        def keys(size: int) -> Sequence[Key]:
            ids = run.api_state.ids
            own = [FIRST_MODEL_ID + ids.count("own") if isinstance(one, int) else one for one in fresh(size)]
            issued_ids.update(map(str, own))
            return own

        return keys

    def job_id(context: RequestContext, items: int) -> str:
        made = hooks.job_id(context, items)
        own = str(FIRST_MODEL_ID + context.api_state.ids.count("own", JOB_ID_STEP)) if made.isdecimal() else made
        issued_ids.add(own)
        return own

    return replace(api, hooks=replace(hooks, new_keys=new_keys, job_id=job_id))


def _with_initial_ids_recorded(api: Api, initial_ids: set[str]) -> Api:
    """Return the API with the ids of its initial records added to `initial_ids`."""
    hooks = api.hooks

    def populate(run: ItemRun, view: View) -> None:
        hooks.populate(run, view)
        store = run.api_state.store
        kinds = [one for one in store.collections() if one.scope == run.scope]
        initial_ids.update(str(record.key) for one in kinds for record in store.scan(one))

    return replace(api, hooks=replace(hooks, populate=populate))


def _action(operation: Operation) -> str | None:
    """Return the constant action of an operation, None when the request chooses it."""
    if operation.bulk is not None:
        return operation.bulk.effect.action.constant
    return operation.record.action.constant if operation.record is not None else None


def _paired_values(mine: Response, theirs: Response, id_in: Callable[[str], str]) -> Iterator[tuple[object, object]]:
    """Yield the values at equal locations of two responses; of URLs the last segments, and the ids."""
    for name, value in mine.headers:
        other = theirs.headers.get(name)
        yield value.rstrip("/").rpartition("/")[2], other.rstrip("/").rpartition("/")[2]
        yield id_in(value), id_in(other)
    yield from _aligned(_told(mine), _told(theirs))


def _told(response: Response) -> object:
    """Return what a response tells: its JSON value, or the list of those of its lines."""
    if not is_lines(response.headers.get("Content-Type")):
        return response.data
    return [json_of(line) for line in response.body.splitlines() if line.strip()]


def _aligned(one: object, other: object) -> Iterator[tuple[object, object]]:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in one.keys() & other.keys():
            yield from _aligned(one[name], other[name])
    elif isinstance(one, list) and isinstance(other, list):
        for first, second in zip(one, other, strict=False):
            yield from _aligned(first, second)
    elif isinstance(one, str | int):
        yield one, other
        if isinstance(one, str) and isinstance(other, str) and "/" in one and "/" in other:
            yield one.rstrip("/").rpartition("/")[2], other.rstrip("/").rpartition("/")[2]


def _have_same_shape(one: object, other: object) -> bool:
    """Return whether arrays at equal locations have equal lengths, so that ids in them can be mapped."""
    if isinstance(one, dict) and isinstance(other, dict):
        return all(_have_same_shape(one[name], other[name]) for name in one.keys() & other.keys())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_have_same_shape, one, other))
    return True


def _flat_members(data: object) -> Iterator[tuple[str, object]]:
    """Yield the members of a record: those one level down first, then its own."""
    own = data if isinstance(data, dict) else {}
    for value in own.values():
        if isinstance(value, dict):
            yield from value.items()
    yield from ((name, value) for name, value in own.items() if not isinstance(value, dict))


def _translated_id(value: object, theirs: Mapping[str, str]) -> object:
    if isinstance(value, dict):
        return {name: _translated_id(one, theirs) for name, one in value.items()}
    if isinstance(value, list):
        return [_translated_id(one, theirs) for one in value]
    if is_text_or_integer(value) and str(value) in theirs:
        other = theirs[str(value)]
        return int(other) if isinstance(value, int) and other.isdecimal() else other
    return value


def _translated_error(error: object, theirs: Mapping[str, str]) -> object:
    if isinstance(error, dict):
        return {name: _translated_error(one, theirs) for name, one in error.items()}
    if isinstance(error, list):
        return [_translated_error(one, theirs) for one in error]
    return ID_PATTERN.sub(lambda found: theirs.get(found[0], found[0]), error) if isinstance(error, str) else error


def _is_wrong(predicted: Prediction, exchange: Exchange) -> bool:
    """Return whether the status code differs from the expected one; two different refusals count as equal."""
    status = exchange.response.status
    if predicted.status is None or (exchange.request.body and are_refusals(status, predicted.status)):
        return False
    return predicted.status != status
