"""The law `deferred`: a single write that runs as a job does what it does at once, and is refused at once.

Begin with `deferred`. A single write may run as a job where it takes a wish for one that bulk requests declare
(`x-bulk.job.when`) and answers 202. Such jobs are polled as those of bulk requests are.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from contracts.bulk.jobs import FINAL_STATES
from contracts.bulk.model import BulkJob
from contracts.exchange.job_traces import SUCCESS_STATUS, handle_id, last_variable, response_state
from contracts.exchange.locations import holds, read_response
from contracts.messages import ABSENT, Exchange, Request
from contracts.openapi.model import Contract, Operation, Route
from generators.check.laws.metamorphic import run_each
from generators.check.specimens import specimen_of
from generators.client.polling import FIRST_DELAY, MAX_DELAY
from generators.client.session import Session
from generators.client.sites import experiment_site, record_context_of, record_factory_of
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding, new_finding
from generators.requests.calls import draft
from generators.requests.single import WRITING_ACTIONS, write_request

LAW: Final = "deferred"
ACCEPTED: Final = 202
ON_ONE: Final = frozenset(("update", "delete"))  # actions on a record that must be there
MAX_POLLS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """A wish for a job as a setting, such as `query:async=true`, and the job that it makes."""

    setting: str
    job: BulkJob


def can_be_deferred(contract: Contract, operation: Operation) -> bool:
    """Say whether an operation writes one record, and may run as a job."""
    return next(_wishes(contract, operation), None) is not None


def _wishes(contract: Contract, operation: Operation) -> Iterator[_Wish]:
    """Yield the wishes for a job that an operation on one record takes."""
    act, takes = operation.record, {f"{one.where}:{one.name}".lower() for one in operation.parameters}
    if act is None or act.action.constant not in WRITING_ACTIONS or str(ACCEPTED) not in operation.responses:
        return
    for job in (one.bulk.job for one in contract.operations if one.bulk is not None and one.bulk.job is not None):
        for setting in job.when:
            if setting.partition("=")[0].lower() in takes:
                yield _Wish(setting=setting, job=job)


def deferred(session: Session, operation: Operation) -> Iterator[Finding]:
    """Write a record as a job, and look at it at the job's end; write one that does not exist, at once and as a job."""
    wishes = {one.setting: one for one in _wishes(session.contract, operation)}
    yield from run_each(wishes.values(), lambda wish: _judged(session, operation, wish))


def _judged(session: Session, operation: Operation, wish: _Wish) -> Iterator[Finding]:
    if operation.record is not None and operation.record.action.constant in ON_ONE:
        yield from _unknown(session, operation, wish)
    yield from _carried_out(session, operation, wish)


def _carried_out(session: Session, operation: Operation, wish: _Wish) -> Iterator[Finding]:
    specimen = specimen_of(session, operation)
    exchange = session.probe(_as_job(specimen.request, wish))
    status = exchange.response.status
    if read_response(exchange.response, wish.job.handle) is ABSENT and status in SUCCESS_STATUS:
        yield from _not_met(operation, wish, exchange)
        return
    if status not in SUCCESS_STATUS:
        at_once = session.send(specimen_of(session, operation).request)
        if at_once.response.status in SUCCESS_STATUS:
            says = f"a valid request is done at once, but refused ({status}) as a job"
            yield _finding(operation, "valid is refused", says, at_once, exchange)
        return
    end = _end_of(session, exchange, wish.job)
    state = response_state(wish.job, end.response)
    trace = specimen.trace()
    failed = wish.job.failed_if is not None and holds(wish.job.failed_if, end.response.data)
    if state != "done" or failed:
        yield _finding(operation, "valid fails", "a valid request fails as a job", exchange, end)
    elif specimen.before and trace is None:
        says = "a job of a valid request has ended, and nothing has changed"
        yield _finding(operation, "nothing is done", says, exchange, end)


def _not_met(operation: Operation, wish: _Wish, exchange: Exchange) -> Iterator[Finding]:
    """Yield a wish in the query that is ignored. Raises NotApplicableError for a preference: RFC 7240 lets it be."""
    says = f"the wish '{wish.setting}' was answered {exchange.response.status}, without a job"
    if wish.setting.startswith("header:"):
        raise NotApplicableError(says)
    yield _finding(operation, "no job", says, exchange)


def _unknown(session: Session, operation: Operation, wish: _Wish) -> Iterator[Finding]:
    """Change a record that does not exist: refused at once, whether it is to be a job or not."""
    request = _request_on_unknown(session, operation)
    at_once, as_job = session.probe(request), session.probe(_as_job(request, wish))
    first, second = at_once.response.status, as_job.response.status
    if first not in SUCCESS_STATUS and second in SUCCESS_STATUS:
        says = f"a request about a record that does not exist is refused with {first} at once, "
        says += f"but accepted ({second}) as a job"
        yield _finding(operation, "unknown is accepted", says, at_once, as_job)


def _request_on_unknown(session: Session, operation: Operation) -> Request:
    action = operation.record.action.constant if operation.record is not None else ""
    for name, resource in session.contract.resources.items():
        site = experiment_site(session, name)
        if site is not None and site.operations.get(action) is operation:
            factory = record_factory_of(session, resource)
            context = record_context_of(session.names(), session.rng(LAW, name))
            members = factory.fresh_change(context, "c") if action == "update" else {}
            return write_request(site, action, members, key=factory.absent_key(context), version=1).request()
    raise NotApplicableError("no resource was found to test it on")


def _as_job(request: Request, wish: _Wish) -> Request:
    """Return a request with the wish that it runs as a job."""
    at, _, word = wish.setting.partition("=")
    where, _, name = at.partition(":")
    if where == "header":
        return replace(request, headers=request.headers.with_((name, word)))
    return replace(request, query=(*request.query, (name, word)))


def _end_of(session: Session, accepted: Exchange, job: BulkJob) -> Exchange:
    """Poll the job of a request until it ends. Raises NotApplicableError when it does not."""
    request, delay = _poll(session, accepted, job), FIRST_DELAY[session.controlled]
    for _ in range(MAX_POLLS):
        session.wait(delay)
        told = session.probe(request)
        if response_state(job, told.response) in FINAL_STATES:
            return told
        delay = min(2 * delay, MAX_DELAY[session.controlled])
    raise NotApplicableError("the job of a request did not end")


def _poll(session: Session, accepted: Exchange, job: BulkJob) -> Request:
    """Return the request that polls the job of a request."""
    poll = session.contract.operation(job.poll)
    route = session.router.match(accepted.request.method, accepted.request.path, accepted.request)
    variable = last_variable(poll) if poll is not None else None
    if poll is None or variable is None or not isinstance(route, Route):
        raise NotApplicableError(f"'{job.poll}' is no call that names a job")
    name = handle_id(session.contract, session.router, read_response(accepted.response, job.handle))
    return draft(poll, {**session.given, **route.variables, variable: name}).request()


def _finding(operation: Operation, shape: str, says: str, *evidence: Exchange) -> Finding:
    return new_finding(LAW, operation.id, shape, says, evidence)
