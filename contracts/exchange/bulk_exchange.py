"""A bulk request together with everything reported about it: in its response, and later by its jobs.

Begin with `bulk_exchanges`, for a recorded history; `JobTracker` follows jobs while a history grows.
"""

from collections.abc import Iterator, Mapping, Sequence
from csv import DictReader
from dataclasses import dataclass, field, replace
from io import StringIO
from typing import Any, Final, Literal, TypeAlias

from contracts.bulk.lists import Pagination
from contracts.bulk.model import Bulk, BulkJob, Location, Outcomes
from contracts.exchange.bulk_request import BulkRequest, KeyIndex, read_bulk_request
from contracts.exchange.job_traces import (
    SUCCESS_STATUS,
    JobTrace,
    JobTraces,
    handle_id,
    last_variable,
    response_handles,
)
from contracts.exchange.locations import find, json_of, parse_request, put, read_response
from contracts.exchange.outcomes import OutcomeEntry, ReportedOutcome, entries_of, outcomes_of
from contracts.exchange.raw_items import returned_items
from contracts.messages import ABSENT, Exchange, ExchangeHistory, Response, essence
from contracts.openapi.model import Contract, NoRoute, Operation
from contracts.openapi.representations import page_of
from contracts.openapi.routing import Router
from contracts.openapi.validation import is_lines
from contracts.syntax.text import parse_digits

ExchangeKind: TypeAlias = Literal["refused", "answered", "accepted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeReport:
    """The outcomes of a bulk request for one target: from its response, or from its job after that has ended.

    `target` is None unless the operation has a fan-out, `trace` None unless a job reported; `evidence` are the
    exchanges that contain the outcomes, `body` is the JSON value in which `entries` are.
    """

    declared: Outcomes
    target: str | None
    entries: tuple[OutcomeEntry, ...]
    outcomes: tuple[ReportedOutcome, ...]
    evidence: tuple[Exchange, ...]
    body: object
    trace: JobTrace | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkExchange:
    """One bulk request and its reports.

    `kind`: `refused` is a request rejected as a whole, `accepted` one that became jobs, `answered` one with outcomes in
    its response. `failed_targets` are the targets of a fan-out with problem details in place of a result.
    """

    request: BulkRequest
    exchange: Exchange
    kind: ExchangeKind
    reports: tuple[OutcomeReport, ...] = ()
    traces: tuple[JobTrace, ...] = ()
    failed_targets: Mapping[str, object] | None = None

    @property
    def operation(self) -> Operation:
        """Return the bulk operation."""
        return self.request.operation

    @property
    def bulk(self) -> Bulk:
        """Return its declaration."""
        return self.request.bulk


NONE_READ: Final[Mapping[int, BulkExchange]] = {}


def bulk_exchanges(
    history: ExchangeHistory,
    contract: Contract,
    *,
    operation: str | None = None,
    router: Router | None = None,
    known: Mapping[int, BulkExchange] = NONE_READ,
) -> Iterator[BulkExchange]:
    """Yield every readable bulk request of a history, with its reports; only those of `operation` when it is given.

    `router` is the contract's; one is made when it is None. `known` are bulk exchanges of this history by number, as
    they were read before: they are not read again, but for what was told of their jobs since.
    """
    router = router or Router(contract)
    job_traces: JobTraces | None = None
    for exchange in history.exchanges:
        named = contract.operation(exchange.operation or "")
        if named is None or named.bulk is None or operation not in {None, named.id}:
            continue
        view = known.get(exchange.n)
        if view is not None and not view.traces:  # nothing is told later
            yield view
            continue
        request = view.request if view is not None else _read_request(exchange, named, contract, router)
        if request is not None:
            job_traces = job_traces or JobTraces(contract, history.exchanges, router)
            yield _bulk_exchange(request, exchange, job_traces)


def _read_request(exchange: Exchange, operation: Operation, contract: Contract, router: Router) -> BulkRequest | None:
    route = router.match(exchange.request.method, exchange.request.path, exchange.request)
    variables = {} if isinstance(route, NoRoute) else route.variables
    return read_bulk_request(contract, parse_request(operation, exchange.request, variables))


def with_history(view: BulkExchange, history: ExchangeHistory, contract: Contract, router: Router) -> BulkExchange:
    """Return the exchange with the reports of a longer history; its request is not read again."""
    return _bulk_exchange(view.request, view.exchange, JobTraces(contract, history.exchanges, router))


def _bulk_exchange(request: BulkRequest, exchange: Exchange, job_traces: JobTraces) -> BulkExchange:
    if request.bulk.items.fan_out is not None:
        return _fan_out_exchange(request, exchange, job_traces)
    traces = _job_traces(request, exchange, job_traces)
    if traces:
        return BulkExchange(
            request=request, exchange=exchange, kind="accepted", traces=traces, reports=_job_reports(request, traces)
        )
    report = _response_report(request, exchange, exchange.response.data, None)
    if report is None and exchange.response.status not in SUCCESS_STATUS:
        return BulkExchange(request=request, exchange=exchange, kind="refused")
    kind: ExchangeKind = "accepted" if report is None and request.as_job else "answered"
    return BulkExchange(request=request, exchange=exchange, kind=kind, reports=(report,) if report is not None else ())


def _job_traces(request: BulkRequest, exchange: Exchange, job_traces: JobTraces) -> tuple[JobTrace, ...]:
    declared = request.bulk.job
    if declared is None or not request.as_job or exchange.response.status not in SUCCESS_STATUS:
        return ()
    handles = response_handles(request.bulk, exchange.response)
    return tuple(job_traces.trace(declared, one, target, exchange, request.sent) for target, one in handles.items())


def _fan_out_exchange(request: BulkRequest, exchange: Exchange, job_traces: JobTraces) -> BulkExchange:
    fan_out, declared = request.bulk.items.fan_out, request.bulk.job
    assert fan_out is not None  # noqa: S101 - asked before
    done, failed = read_response(exchange.response, fan_out.succeeded), read_response(exchange.response, fan_out.failed)
    known = exchange.response.status in SUCCESS_STATUS or exchange.response.status in request.bulk.reply.status.values()
    if not known or not (isinstance(done, dict) or isinstance(failed, dict)):
        return BulkExchange(request=request, exchange=exchange, kind="refused")
    done, failed = done if isinstance(done, dict) else {}, failed if isinstance(failed, dict) else {}
    if declared is not None and request.as_job:
        handles = response_handles(request.bulk, exchange.response)
        traces = tuple(
            job_traces.trace(declared, one, target, exchange, request.sent) for target, one in handles.items()
        )
        tellings = _job_reports(request, traces)
        return BulkExchange(
            request=request, exchange=exchange, kind="accepted", traces=traces, reports=tellings, failed_targets=failed
        )
    told_of = [_response_report(request, exchange, body, name) for name, body in done.items()]
    tellings = tuple(one for one in told_of if one is not None)
    return BulkExchange(request=request, exchange=exchange, kind="answered", reports=tellings, failed_targets=failed)


def _response_report(
    request: BulkRequest, exchange: Exchange, body: object, target: str | None
) -> OutcomeReport | None:
    """Return the outcomes in the response itself, None when the whole request was refused."""
    declared, status = request.bulk.reply.outcomes, exchange.response.status
    words = {name: code for name, code in request.bulk.reply.status.items() if name != "accepted"}
    if declared is None or (status not in SUCCESS_STATUS and status not in words.values()):
        return None
    report = _outcome_report(request, declared, body, target=target, evidence=(exchange,))
    if report is None:
        return None
    return report if status in SUCCESS_STATUS or any(entry.items for entry in report.entries) else None


def _job_reports(request: BulkRequest, traces: tuple[JobTrace, ...]) -> tuple[OutcomeReport, ...]:
    found = (_job_report(request, trace) for trace in traces)
    return tuple(one for one in found if one is not None)


def _job_report(request: BulkRequest, trace: JobTrace) -> OutcomeReport | None:
    """Return the outcomes of a job that ended in success, None when it has not, or reported none.

    One that failed reports some if its items stand or fall together, and it names one of them.
    """
    end, declared = trace.end, trace.declared.outcomes
    if end is None or end.state not in {"done", "doneWithErrors", "failed"} or declared is None:
        return None
    here = trace.declared.results in {(), ("here",)}
    lists = [[end.exchange]] if here else _result_exchanges(trace, end.exchange.n)
    if not lists:
        return None
    sources = [one for pages in lists for one in pages]
    evidence = (end.exchange, *(one for one in sources if one is not end.exchange))
    body = _joined(declared, lists[0])
    if results_of := trace.declared.results_of:
        named = {results_of.get(pages[0].operation or ""): _joined(declared, pages) for pages in lists}
        body = {name: find(one, declared.at) for name, one in named.items() if find(one, declared.at) is not ABSENT}
        covers: Literal["split", "failed"] = "split" if "done" in results_of.values() else "failed"
        declared = replace(declared, at="/done", failed_at="/failed", shape="array", covers=covers)
    report = _outcome_report(request, declared, body, target=trace.target, evidence=evidence, trace=trace)
    if trace.declared.results_of and report is not None:
        report = _with_not_run(request, declared, report, find(body, "/notRun"))
    if end.state == "failed" and not _tells_whole_failure(request, report):
        return None
    failure_at = trace.declared.error
    fell = failure_at is not None and _has_value(end.exchange.response.data, failure_at)
    return None if fell and report is not None and not report.entries else report  # no item has an outcome of its own


def _tells_whole_failure(request: BulkRequest, report: OutcomeReport | None) -> bool:
    """Say whether a report names an item that failed, and all others with it."""
    entries = report.entries if report is not None else ()
    return request.unit == "whole" and any(entry.failed and entry.items for entry in entries)


def _with_not_run(request: BulkRequest, declared: Outcomes, report: OutcomeReport, raws: object) -> OutcomeReport:
    """Return a report in which the items that an operation of its own lists as not run are so."""
    key_index, at = KeyIndex(request.items), declared.failed_key or declared.key
    if not isinstance(raws, list) or at is None:
        return report
    idle = {place for raw in raws for place in key_index.find(find(raw, at))}
    told = (replace(one, result="not-run") if one.index in idle else one for one in report.outcomes)
    return replace(report, outcomes=tuple(told))


def _result_exchanges(trace: JobTrace, after: int) -> list[list[Exchange]]:
    """Return the first responses with results, the pages of each operation; none when some were not asked for."""
    later = [one for one in trace.results if one.n > after]
    of_each = {name: [one for one in later if one.operation == name] for name in trace.declared.results}
    if any(not of_each[name] for name in trace.declared.results_of):
        return []
    found = {name: _pages(trace, some) for name, some in of_each.items() if some}
    return [] if any(not pages for pages in found.values()) else list(found.values())


def _pages(trace: JobTrace, asked: Sequence[Exchange]) -> list[Exchange]:
    """Return the first responses that have a whole list, page after page; none when some of it was not asked for."""
    pages: list[Exchange] = []
    size: int | None = 0
    for one in asked:
        if size is not None and skipped(trace, one) == size:
            pages.append(one)
            size = next_page(trace, one)
    return pages if size is None else []


def skipped(trace: JobTrace, exchange: Exchange) -> int:
    """Return how many results a request leaves out at the beginning of their list."""
    skip = _results_page(trace, exchange).skip
    return int(parse_digits(exchange.request.parameter((skip or "").removeprefix("query:"), "0")) or 0)


def next_page(trace: JobTrace, exchange: Exchange) -> int | None:
    """Return how many results to skip for the next page after a response, None when it is the last one."""
    page, declared = _results_page(trace, exchange), trace.declared.outcomes
    if page.skip is None or page.take is None or declared is None:
        return None
    asked = exchange.request.parameter(page.take.removeprefix("query:"), "")
    most = parse_digits(asked) if asked else page.default
    entries = find(read_outcomes(declared, exchange.response), declared.at)
    size = len(entries) if isinstance(entries, list) else 0
    return skipped(trace, exchange) + size if most is not None and size >= most > 0 else None


def _results_page(trace: JobTrace, exchange: Exchange) -> Pagination:
    operation = trace.contract.operation(exchange.operation or "") if trace.contract is not None else None
    return page_of(operation) if operation is not None else Pagination()


def _joined(declared: Outcomes, pages: Sequence[Exchange]) -> Any:
    """Return the outcomes in all pages of a list, in the form of the first one."""
    bodies = [read_outcomes(declared, one.response) for one in pages]
    if len(bodies) == 1:
        return bodies[0]
    lists = [find(one, declared.at) for one in bodies]
    return put(bodies[0], declared.at, [entry for some in lists if isinstance(some, list) for entry in some])


def read_outcomes(declared: Outcomes, response: Response) -> object:
    """Return the outcomes in a response: its JSON value, or the values of its lines or rows.

    They are lines or rows where its media type says so, and otherwise where that is declared.
    """
    written = response.headers.get("Content-Type", "")
    shape = "lines" if is_lines(written) else "rows" if essence(written) == "text/csv" else declared.shape
    if shape == "lines":
        return [json_of(line) for line in response.body.splitlines() if line.strip()]
    if shape == "rows":
        return list(DictReader(StringIO(response.body.decode("utf-8", "replace"))))
    return response.data


def _has_value(body: object, at: Location) -> bool:
    return find(body, at) not in (ABSENT, None)


def _outcome_report(
    request: BulkRequest,
    declared: Outcomes,
    body: object,
    *,
    target: str | None,
    evidence: tuple[Exchange, ...],
    trace: JobTrace | None = None,
) -> OutcomeReport | None:
    entries = entries_of(request.bulk, declared, body, request.items)
    if entries is None:
        return None
    outcomes = outcomes_of(request.bulk, declared, entries, len(request.items), whole=request.unit == "whole")
    return OutcomeReport(
        declared=declared,
        target=target,
        entries=entries,
        outcomes=_with_unprocessed(request, body, outcomes),
        evidence=evidence,
        body=body,
        trace=trace,
    )


def _with_unprocessed(
    request: BulkRequest, body: object, outcomes: tuple[ReportedOutcome, ...]
) -> tuple[ReportedOutcome, ...]:
    """Return the outcomes with the result `left` for items that were returned as not processed."""
    at = request.bulk.guard.unprocessed
    left = find(body, at) if at is not None else ABSENT
    raws = returned_items(request.bulk, left)
    if not raws:
        return outcomes
    return tuple(
        replace(one, result="left") if item.raw in raws else one
        for one, item in zip(outcomes, request.items, strict=True)
    )


@dataclass(slots=True)
class TrackedJob:
    """An accepted request, the exchanges about its jobs, and which of their reports the caller has processed."""

    view: BulkExchange
    declared: BulkJob
    related: list[Exchange]
    settled: set[str] = field(default_factory=set)
    observed: set[str] = field(default_factory=set)
    is_over: bool = False

    @property
    def n(self) -> int:
        """Return the number of the request's exchange."""
        return self.related[0].n


class JobTracker:
    """Finds the job of an exchange by operation and job id."""

    def __init__(self, contract: Contract, router: Router) -> None:
        self._contract, self._router = contract, router
        self._of: dict[tuple[str, str], TrackedJob] = {}
        self.all: list[TrackedJob] = []

    def add(self, view: BulkExchange) -> TrackedJob | None:
        """Track the jobs of an accepted request; None when its response names no job."""
        if not view.traces:
            return None
        watched = TrackedJob(view=view, declared=view.traces[0].declared, related=[view.exchange])
        for trace in view.traces:
            own = handle_id(self._contract, self._router, trace.handle)
            for name in watched.declared.operations:
                self._of[name, own] = watched
        self.all.append(watched)
        return watched

    def about(self, exchange: Exchange, variables: Mapping[str, str]) -> TrackedJob | None:
        """Add an exchange to the job that it polls, cancels or reads; return that job, None when there is none."""
        operation = self._contract.operation(exchange.operation or "")
        last = None if operation is None else last_variable(operation)
        watched = None if last is None else self._of.get((exchange.operation or "", variables.get(last, "")))
        if watched is None:
            return None
        watched.related.append(exchange)
        history = ExchangeHistory(exchanges=tuple(watched.related))
        watched.view = with_history(watched.view, history, self._contract, self._router)
        return watched

    def unfinished(self) -> list[TrackedJob]:
        """Return the requests with jobs that have not ended."""
        return [one for one in self.all if not one.is_over]
