"""The facts of an exchange that the laws of client conduct need: `summarise` extracts them when it is recorded.

The summary of a bulk request whose body is kept whole, in memory or in a file, is computed on demand
(`DeferredSummary`).
"""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, NamedTuple, Protocol

from contracts.bulk.model import BulkJob
from contracts.exchange.job_traces import SUCCESS_STATUS, response_state
from contracts.exchange.raw_items import raw_items
from contracts.messages import ABSENT, Headers, Request, Response
from contracts.openapi.model import Operation
from contracts.openapi.routing import last_variable
from contracts.syntax.text import is_text_or_integer
from mockserver.api.model import Api, ApiState, RequestContext
from mockserver.bulk.items import reread_body
from mockserver.bulk.prepared_api import BulkPlan, PreparedApi, prepared
from mockserver.domain.clock_and_ids import IdSource
from mockserver.journal.facts import (
    CreatedJob,
    SentItems,
    created_jobs,
    failed_keys,
    items_of,
    pack,
    read_keys,
    stale_targets,
    targets_of,
)
from mockserver.stores.memory import MemoryStore

SUMMARY_BYTES: Final = 120  # what a summary takes beside its lists, measured with those of items and jobs
SENT_ITEMS_BYTES: Final = 320  # what the facts of items take beside their lists
CREATED_JOB_BYTES: Final = 160  # what a job that was made takes
DEFERRED_SUMMARY_BYTES: Final = 300  # what it takes to read a call again, beside its body


class RecordedMessage(Protocol):
    """The stored form of a message: header fields as lines `name: value`, and the body."""

    @property
    def headers(self) -> str:
        """Return the header fields, one a line."""

    @property
    def content(self) -> bytes:
        """Return the body, where it can be read again."""


class RecordedRequest(Protocol):
    """What is read of a journal entry; `mockserver.journal.journal.JournalEntry` implements it."""

    @property
    def at(self) -> datetime:
        """Return when the request arrived, on the sandbox's clock."""

    @property
    def method(self) -> str:
        """Return the method."""

    @property
    def path(self) -> str:
        """Return the path, relative to the API's mount."""

    @property
    def query(self) -> tuple[tuple[str, str], ...]:
        """Return the query parameters as decoded pairs."""

    @property
    def client(self) -> str:
        """Return the client."""

    @property
    def request(self) -> RecordedMessage:
        """Return the stored request."""


class ExchangeSummary(NamedTuple):
    """The facts of one exchange; lists are packed JSON.

    `targets` are the records that a request with versions names, `stale_targets` those whose version was not the stored
    one, as `Resource/key`. `job_id` is the job that was polled or cancelled, `job_state` the reported class of state,
    `failed_keys` the keys of items reported as not done, `read_keys` the keys of records in the response to a read.
    `lost_jobs` were created although no response with their handles was sent.
    """

    items: SentItems | None = None
    targets: bytes = b""
    stale_targets: bytes = b""
    created_jobs: tuple[CreatedJob, ...] = ()
    job_id: str = ""
    job_state: str = ""
    failed_keys: bytes = b""
    read_keys: bytes = b""
    lost_jobs: tuple[CreatedJob, ...] = ()

    @property
    def size(self) -> int:
        """Return the approximate size in memory, in bytes."""
        lists = len(self.targets) + len(self.stale_targets) + len(self.failed_keys) + len(self.read_keys)
        items = SENT_ITEMS_BYTES + sum(len(one) for one in self.items if isinstance(one, bytes)) if self.items else 0
        return SUMMARY_BYTES + lists + items + CREATED_JOB_BYTES * (len(self.created_jobs) + len(self.lost_jobs))


EMPTY_SUMMARY: Final = ExchangeSummary()


class DeferredSummary(NamedTuple):
    """The summary of a bulk request whose body can be read again; `known` are the facts of its response.

    `settings` are those in force at the time; `variables` and `query` are parsed.
    """

    known: ExchangeSummary
    api: Api
    plan: BulkPlan
    scope: str
    settings: dict[str, Any]
    variables: Mapping[str, str]
    query: Mapping[str, object]

    @property
    def size(self) -> int:
        """Return the approximate size in memory, in bytes."""
        return self.known.size + DEFERRED_SUMMARY_BYTES

    def read(self, entry: RecordedRequest) -> ExchangeSummary:
        """Return the facts of the exchange that the journal's entry records."""
        context = _restore_context(self, entry)
        context.data = reread_body(context)
        return _with_response(_request_summary(context, self.plan), self.known)


def summarise(
    context: RequestContext, response: Response, *, delivered: bool = True, whole: bool = False
) -> ExchangeSummary | DeferredSummary | None:
    """Return the facts of an exchange; None when no law needs more than the journal's entry.

    A response that was not `delivered` contributes no facts but the jobs that are lost with it. With `whole`, the body
    is kept, and the items of a bulk request are read on demand.
    """
    operation = context.operation
    if operation is None:
        return None
    ready = prepared(context.api)
    plan = ready.plans.get(operation.id)
    if plan is not None:
        response_facts = (
            ExchangeSummary(
                stale_targets=stale_targets(context.outcomes),
                created_jobs=_created_jobs(context, response, ready, plan),
            )
            if delivered
            else ExchangeSummary(lost_jobs=tuple(CreatedJob(job.id, "", job.due) for job in context.jobs))
        )
        if whole and context.data is not ABSENT:
            return DeferredSummary(
                EMPTY_SUMMARY if response_facts == EMPTY_SUMMARY else response_facts,
                context.api,
                plan,
                context.scope,
                context.api_state.settings,
                context.variables,
                context.query,
            )
        return _with_response(_request_summary(context, plan), response_facts)
    declared = _job_declaration(ready, operation.id)
    if declared is not None:
        return _job_summary(context, response, operation, declared, delivered=delivered)
    if operation.method == "GET":
        records = read_keys(ready, response) if delivered and response.status in SUCCESS_STATUS else b""
        return ExchangeSummary(read_keys=records) if records else None
    return _record_summary(context, response, delivered=delivered) if context.outcomes or context.jobs else None


def _restore_context(unread: DeferredSummary, entry: RecordedRequest) -> RequestContext:
    """Return the context of a recorded request, with secrets hidden."""
    lines = (line.partition(": ") for line in entry.request.headers.split("\n") if line)
    headers = Headers((name, value) for name, _, value in lines)
    request = Request(
        method=entry.method, path=entry.path, query=entry.query, headers=headers, body=entry.request.content
    )
    api_state = ApiState(store=MemoryStore(), ids=IdSource(), settings=unread.settings, created=entry.at)
    return RequestContext(
        api=unread.api,
        api_state=api_state,
        request=request,
        now=entry.at,
        operation=unread.plan.operation,
        variables=unread.variables,
        query=unread.query,
        scope=unread.scope,
        client=entry.client,
    )


def _request_summary(context: RequestContext, plan: BulkPlan) -> ExchangeSummary:
    if context.data is ABSENT:
        return ExchangeSummary()
    raws = raw_items(plan.bulk, context)
    return ExchangeSummary(items=items_of(context, plan, raws), targets=pack(targets_of(context, plan, raws)))


def _with_response(request: ExchangeSummary, response: ExchangeSummary) -> ExchangeSummary:
    """Return the facts of a bulk request with those of its response."""
    return request._replace(
        stale_targets=response.stale_targets, created_jobs=response.created_jobs, lost_jobs=response.lost_jobs
    )


def _created_jobs(
    context: RequestContext, response: Response, ready: PreparedApi, plan: BulkPlan
) -> tuple[CreatedJob, ...]:
    return created_jobs(context, response, ready, plan.bulk) if response.status in SUCCESS_STATUS else ()


def _job_summary(
    context: RequestContext, response: Response, operation: Operation, declared: BulkJob, *, delivered: bool
) -> ExchangeSummary:
    asked = context.variables.get(last_variable(operation.path) or "", "")
    if not delivered or response.status not in SUCCESS_STATUS:
        return ExchangeSummary(job_id=asked)
    if operation.id == declared.cancel:
        return ExchangeSummary(job_id=asked, job_state=response_state(declared, response) or "cancelled")
    polled, here = operation.id == declared.poll, declared.results in {(), ("here",)}
    state = response_state(declared, response) or "" if polled else ""
    if declared.outcomes is None or polled is not here:
        return ExchangeSummary(job_id=asked, job_state=state)
    results = (context.api_state.jobs.results.get(job.id) for job in context.jobs)
    outcomes = [outcome for result in results if result is not None for outcome in result.outcomes]
    return ExchangeSummary(
        job_id=asked,
        job_state=state,
        failed_keys=failed_keys(declared.outcomes, response),
        stale_targets=stale_targets(outcomes),
    )


def _record_summary(context: RequestContext, response: Response, *, delivered: bool) -> ExchangeSummary:
    named = pack(
        f"{one.item.resource.name}/{one.item.target}" for one in context.outcomes if is_text_or_integer(one.item.target)
    )
    if not delivered:
        return ExchangeSummary(targets=named)
    jobs = context.jobs if response.status == HTTPStatus.ACCEPTED else ()
    accepted = tuple(CreatedJob(job.id, "", job.due) for job in jobs)
    return ExchangeSummary(targets=named, stale_targets=stale_targets(context.outcomes), created_jobs=accepted)


def _job_declaration(ready: PreparedApi, operation_id: str) -> BulkJob | None:
    """Return the declaration of the jobs that an operation polls, cancels, or returns the results of."""
    plans = ready.polls.get(operation_id) or ready.cancels.get(operation_id)
    if plans:
        return plans[0].bulk.job
    jobs = (plan.bulk.job for plan in ready.plans.values())
    return next((one for one in jobs if one is not None and operation_id in one.results), None)
