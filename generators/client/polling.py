"""Poll jobs until they end, with growing delays, in the implementation's own time where its clock can be advanced.

Begin with `follow`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain
from typing import Final

from contracts.bulk.lists import Pagination
from contracts.exchange.bulk_exchange import BulkExchange, bulk_exchanges, next_page, with_history
from contracts.exchange.bulk_request import target_parameters
from contracts.exchange.job_traces import JobTrace, handle_id, job_query, last_variable
from contracts.messages import Exchange, Request
from contracts.openapi.model import Operation
from contracts.openapi.representations import page_of
from contracts.syntax.text import short
from generators.client.session import Session
from generators.errors import NotApplicableError
from generators.requests.calls import draft

FIRST_DELAY: Final = {True: timedelta(seconds=0.5), False: timedelta(seconds=0.02)}
MIN_DELAY: Final = timedelta(seconds=0.01)
MAX_DELAY: Final = {True: timedelta(minutes=5), False: timedelta(seconds=5)}
WAITING_STEP: Final = {True: timedelta(seconds=0.1), False: timedelta(seconds=0.002)}
WAITING_GROWTH: Final = 1.3  # in real time, in which a second is waited in all
MAX_WAITING_POLLS: Final = 20  # of a job that is to run
LEARNED_STEPS: Final = 10  # polls per learned duration after it has passed
SHORTENED: Final = 0.85  # a learned duration, after each job that had ended by then
NO_VALUES: Final[Mapping[str, str]] = {}
UNKNOWN_POLLS: Final = 3  # with a state that is not declared, after which nobody waits for the end
PATIENCE: Final = timedelta(seconds=10)  # in real time; it is at least `SLOWER` times as long as other jobs took
LESS_PATIENCE: Final = timedelta(seconds=1)  # after one job of the operation that did not end
SLOWER: Final = 100
ENDED, HANGING = "ended", "hanging"  # what is known of paces, by the number of digits of items, or by operation
MAX_RESULT_PAGES: Final = 100
MAX_DIGITS: Final = 8  # of the number of items of a job
MIN_TIMEOUT: Final = {True: timedelta(hours=2), False: timedelta(days=1)}


def view_of(session: Session, exchange: Exchange) -> BulkExchange:
    """Return a bulk exchange with everything received about it. Raises NotApplicableError when it is unreadable."""
    history = session.history(exchange.n - 1)
    own, known = exchange.operation, session.views
    for view in bulk_exchanges(history, session.contract, operation=own, router=session.router, known=known):
        if view.exchange is exchange:
            session.views[exchange.n] = view
            return view
    raise NotApplicableError("the request that was sent could not be read as its declaration says")


def follow(session: Session, exchange: Exchange) -> BulkExchange:
    """Poll the jobs of a bulk exchange until they end, and request their results. Raises NotApplicableError."""
    view = view_of(session, exchange)
    if not view.traces:
        return view
    pacing = Pacing(session, view)

    def latest() -> BulkExchange:
        return with_history(view, session.history(exchange.n - 1), session.contract, session.router)

    poll_until_ended(session, latest, chain((timedelta(0),), pacing.delays()))
    pacing.remember()
    request_results(session, view)
    return latest()


def poll_until_ended(session: Session, latest: Callable[[], BulkExchange], delays: Iterable[timedelta]) -> None:
    """Poll unfinished jobs after each delay, until all have ended or the delays are used up.

    `latest` returns the exchange with everything received about it. Raises NotApplicableError when a state
    or the job is unknown.
    """
    view = latest()
    open_ = [trace for trace in view.traces if trace.end is None]
    for delay in delays if open_ else ():
        if delay:
            session.wait(delay)
        request_jobs(session, view, view.traces[0].declared.poll, open_)
        open_ = [trace for trace in latest().traces if trace.end is None]
        if not open_:
            return
        for trace in open_:
            last = trace.polls[-UNKNOWN_POLLS:]
            if len(last) == UNKNOWN_POLLS and all(poll.state is None for poll in last):
                raise NotApplicableError(f"a job has the state {short(last[0].word)}, which is not declared")
            if len(trace.gone) >= UNKNOWN_POLLS:
                raise NotApplicableError(f"a job is not known ({trace.gone[-1].response.status})")


def poll_until_started(session: Session, latest: Callable[[], BulkExchange]) -> None:
    """Poll jobs that wait until one of them runs, or for so many times; `latest` is as for `poll_until_ended`."""
    for n in range(MAX_WAITING_POLLS):
        view = latest()
        states = [trace.polls[-1].state if trace.polls else "queued" for trace in view.traces]
        if any(one != "queued" for one in states):
            return
        session.wait(WAITING_STEP[session.controlled] * (1 if session.controlled else WAITING_GROWTH**n))
        request_jobs(session, view, view.traces[0].declared.poll)


class Pacing:
    """Delays between polls: growing ones; in real time the first is about as long as jobs of the kind and size took.

    Nobody waits long for a job when others of its size, or larger ones, have ended much sooner.
    """

    def __init__(self, session: Session, view: BulkExchange) -> None:
        self._session, self._post = session, view.exchange
        self._paces, self._controlled = session.paces, session.controlled
        self._digits = len(str(len(view.request.items)))  # jobs of about the same size
        self._name = (view.operation.id, self._digits)
        self._learned = None if self._controlled else self._paces.get(self._name)
        self._waited = self._unfinished = timedelta(0)
        self._limit = max(view.traces[0].declared.timeout or timedelta(0), MIN_TIMEOUT[self._controlled])

    def delays(self) -> Iterator[timedelta]:
        """Yield the delay before each poll. Raises NotApplicableError after the time limit."""
        delay, growing = self._learned or FIRST_DELAY[self._controlled], FIRST_DELAY[self._controlled]
        while self._waited <= self._limit and not self._is_hanging():
            self._unfinished = self._waited
            self._waited += delay
            yield delay
            delay = max(growing, (self._learned or growing) / LEARNED_STEPS)
            growing = min(growing * 2, MAX_DELAY[self._controlled])
        if self._waited <= self._limit:
            self._paces[HANGING, self._name[0]] = LESS_PATIENCE
            self._session.give_up(self._post, self._waited)
        raise NotApplicableError(f"a job had not ended after {self._waited.total_seconds():g} s")

    def _is_hanging(self) -> bool:
        """Return whether the job has not ended long after others have."""
        patience = self._paces.get((HANGING, self._name[0]), PATIENCE)
        ended = [self._paces[ENDED, n] for n in range(self._digits, MAX_DIGITS) if (ENDED, n) in self._paces]
        return bool(ended) and not self._controlled and self._waited > max(patience, SLOWER * max(ended))

    def remember(self) -> None:
        """Learn how long the job took: between the last two polls, or less than it used to."""
        self._paces[ENDED, self._digits] = max(self._waited, self._paces.get((ENDED, self._digits), self._waited))
        if self._unfinished:
            self._paces[self._name] = (self._unfinished + self._waited) / 2
        elif self._learned is not None and self._waited:
            self._paces[self._name] = max(self._learned * SHORTENED, MIN_DELAY)


def request_results(session: Session, view: BulkExchange) -> None:
    """Request the results of the jobs, where they are separate from the poll."""
    for name in view.traces[0].declared.results:
        if name != "here":
            for trace in view.traces:
                _request_list(session, view, name, trace)


def _request_list(session: Session, view: BulkExchange, name: str, trace: JobTrace) -> None:
    """Request the results of a job, page after page, each as large as may be."""
    operation = session.contract.operation(name)
    page = page_of(operation) if operation is not None else Pagination()
    most = _largest(operation, page)
    skip: int | None = 0
    for _ in range(MAX_RESULT_PAGES):
        others = most | ({page.skip.removeprefix("query:"): str(skip)} if page.skip is not None and skip else {})
        skip = next_page(trace, request_job(session, view, name, trace, others=others))
        if skip is None:
            return


def _largest(operation: Operation | None, page: Pagination) -> dict[str, str]:
    """Return the parameter for the size of a page with its largest value, none where that is unknown."""
    sizes = {one.name: one.schema for one in operation.parameters if one.where == "query"} if operation else {}
    name = (page.take or "").removeprefix("query:")
    schema = sizes.get(name)
    most = schema.raw.get("maximum") if schema is not None else None
    return {name: str(most)} if type(most) is int else {}


def request_jobs(
    session: Session, view: BulkExchange, name: str, traces: Sequence[JobTrace] | None = None
) -> list[Exchange]:
    """Send one request about each job of a bulk exchange."""
    return [request_job(session, view, name, trace) for trace in (view.traces if traces is None else traces)]


def request_job(
    session: Session,
    view: BulkExchange,
    name: str,
    trace: JobTrace,
    *,
    job_id: str | None = None,
    others: Mapping[str, str] = NO_VALUES,
) -> Exchange:
    """Send the operation `name` about one job. Raises NotApplicableError when the contract has no such operation.

    `job_id` is an id instead of the job's, `others` are values of parameters instead of those that belong to it.
    """
    job = handle_id(session.contract, session.router, trace.handle) if job_id is None else job_id
    call = JobCall(operation=name, job=job, target=trace.target, given=others)
    return session.send(job_request(session, view, call))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCall:
    """A call about a job: operationId, the job's id, its target, and values of parameters, None for one left out."""

    operation: str
    job: str
    target: str | None = None
    given: Mapping[str, str | None] = field(default_factory=dict)


def job_request(session: Session, view: BulkExchange, call: JobCall) -> Request:
    """Return the request of a call about a job of a bulk exchange. Raises NotApplicableError."""
    operation = session.contract.operation(call.operation)
    variable = None if operation is None else last_variable(operation) or job_query(operation)
    if operation is None or variable is None:
        raise NotApplicableError(f"'{call.operation}' is no call that names a job")
    values: dict[str, str] = {**session.given, **view.request.sent.variables}
    values[variable] = call.job
    values |= target_values(operation, view, call.target)
    values |= _queries(operation, view)
    wanted: dict[str, str | None] = {**values, **call.given}
    return draft(operation, {one: value for one, value in wanted.items() if value is not None}).request()


def target_values(operation: Operation, view: BulkExchange, target: str | None) -> Mapping[str, str]:
    """Return a fan-out target as the value of another operation's parameter with the name of the target list."""
    fan_out = view.bulk.items.fan_out
    if fan_out is None or target is None:
        return {}
    return target_parameters(operation, fan_out.over, target)


def _queries(operation: Operation, view: BulkExchange) -> Mapping[str, str]:
    """Return the query parameters that a bulk request shares with the requests about its job."""
    names = {one.name for one in operation.parameters if one.where == "query"}
    return {name: value for name, value in view.exchange.request.query if name in names}
