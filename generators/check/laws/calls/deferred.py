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
from contracts.exchange.locations import find, holds, read_response
from contracts.messages import ABSENT, Exchange, Request
from contracts.openapi.model import Contract, Operation, Route
from contracts.syntax.text import short
from generators.check.laws.metamorphic import run_each
from generators.check.specimens import Specimen, specimen_of
from generators.client.polling import FIRST_DELAY, MAX_DELAY
from generators.client.session import Session
from generators.client.sites import NO_SITE, experiment_site, record_context_of, record_factory_of
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding, new_finding
from generators.oracles.response_laws import check_response
from generators.requests.calls import draft
from generators.requests.single import WRITING_ACTIONS, write_request

LAW: Final = "deferred"
ACCEPTED: Final = 202
NOT_FOUND: Final = 404
ON_ONE: Final = frozenset(("update", "delete"))  # actions on a record that must be there
MAX_POLLS: Final = 12
ATTEMPTS: Final = 4  # to do something before a job begins


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
    is_on_one = operation.record is not None and operation.record.action.constant in ON_ONE
    is_first = wish == next(_wishes(session.contract, operation), None)
    if is_on_one:
        yield from _unknown(session, operation, wish)
    cancelled = _cancelled(session, operation, wish) if is_first and wish.job.cancel is not None else None
    yield from _carried_out(session, operation, wish)
    trace = cancelled[0].trace() if cancelled is not None and cancelled[0].before else None
    if cancelled is not None and trace is not None:
        says = "a job was cancelled before it had done anything, and has been carried out"
        yield _finding(operation, "a cancelled job acts", says, cancelled[1], trace.exchange)
    if is_first and is_on_one and wish.job.look_up == "run":
        yield from _overtaken(session, operation, wish)


def _carried_out(session: Session, operation: Operation, wish: _Wish) -> Iterator[Finding]:
    specimen = specimen_of(session, operation)
    exchange = session.probe(_as_job(specimen.request, wish))
    status = exchange.response.status
    for one in check_response(session.contract, exchange, session.router):
        yield _finding(operation, one.shape, f"as a job: {one.says.rstrip('.')}", exchange)
    if read_response(exchange.response, wish.job.handle) is ABSENT and status in SUCCESS_STATUS:
        yield from _not_met(operation, wish, exchange)
        return
    if status not in SUCCESS_STATUS:
        at_once = session.send(specimen_of(session, operation).request)
        if at_once.response.status in SUCCESS_STATUS:
            says = f"a valid request is done at once, but refused ({status}) as a job"
            yield _finding(operation, "valid is refused", says, at_once, exchange)
        return
    yield from _acts_early(session, operation, wish, specimen, exchange)
    end = _end_of(session, exchange, wish.job)
    yield from _results(session, operation, wish, exchange)
    trace = specimen.trace()
    if _has_failed(wish.job, end):
        yield _finding(operation, "valid fails", "a valid request fails as a job", exchange, end)
    elif specimen.before and trace is None:
        says = "a job of a valid request has ended, and nothing has changed"
        yield _finding(operation, "nothing is done", says, exchange, end)


def _has_failed(job: BulkJob, end: Exchange) -> bool:
    failed = job.failed_if is not None and holds(job.failed_if, end.response.data)
    return response_state(job, end.response) != "done" or failed


def _acts_early(
    session: Session, operation: Operation, wish: _Wish, specimen: Specimen, accepted: Exchange
) -> Iterator[Finding]:
    """Yield a change that is seen while the job reports, afterwards, that it has not begun."""
    known = [one.exchange for one in specimen.before if one.present and one.exchange is not None]
    early = [(one, session.probe(one.request)) for one in known]  # what is seen now is no state that lasts
    changed = next((after for one, after in early if after.response.data != one.response.data), None)
    told = session.probe(_about(session, accepted, wish.job, wish.job.poll)) if changed is not None else None
    if told is not None and _is_idle(wish.job, told):
        says = "a record has changed while its job reported that nothing was processed"
        yield _finding(operation, "the job acts early", says, accepted, changed, told)


def _is_idle(job: BulkJob, told: Exchange) -> bool:
    at = job.progress.get("processed")
    return response_state(job, told.response) == "queued" or (
        response_state(job, told.response) == "running" and at is not None and find(told.response.data, at) == 0
    )


def _results(session: Session, operation: Operation, wish: _Wish, accepted: Exchange) -> Iterator[Finding]:
    """Yield how the results of a job violate what is declared of them."""
    for exchange in _told_results(session, wish.job, accepted):
        for one in check_response(session.contract, exchange, session.router):
            yield _finding(operation, one.shape, f"of a job: {one.says.rstrip('.')}", accepted, exchange)


def _told_results(session: Session, job: BulkJob, accepted: Exchange) -> list[Exchange]:
    return [session.probe(_about(session, accepted, job, name)) for name in job.results if name != "here"]


def _cancelled(session: Session, operation: Operation, wish: _Wish) -> tuple[Specimen, Exchange] | None:
    """Cancel a job that has not begun, and return it with its records; None where it was too late."""
    specimen = specimen_of(session, operation)
    accepted = session.probe(_as_job(specimen.request, wish))
    if read_response(accepted.response, wish.job.handle) is ABSENT:
        return None
    exchange = session.probe(_about(session, accepted, wish.job, wish.job.cancel or ""))
    told = session.probe(_about(session, accepted, wish.job, wish.job.poll))
    is_over = exchange.response.status in SUCCESS_STATUS and response_state(wish.job, told.response) == "cancelled"
    at = wish.job.progress.get("processed")
    return (specimen, exchange) if is_over and at is not None and find(told.response.data, at) == 0 else None


def _overtaken(session: Session, operation: Operation, wish: _Wish) -> Iterator[Finding]:
    """Send a write as a job, and the same at once: it fails, as its record is another one, or gone, when it runs."""
    request, accepted, at_once = _overtaking(session, operation, wish)
    end, again = _end_of(session, accepted, wish.job), session.probe(request)
    if again.response.status in SUCCESS_STATUS:
        return  # the request names no version
    if not _has_failed(wish.job, end):
        says = f"a job whose request would be refused ({again.response.status}) when it ran has not failed"
        yield _finding(operation, "is compared before the run", says, accepted, at_once, end)
        return
    yield from _told_alike(session, operation, wish, accepted, again)
    late = session.probe(_as_job(request, wish))
    if again.response.status != NOT_FOUND and late.response.status == again.response.status:
        says = f"a job is refused ({late.response.status}) for what is compared when it runs"
        yield _finding(operation, "is compared before the run", says, again, late)


def _overtaking(session: Session, operation: Operation, wish: _Wish) -> tuple[Request, Exchange, Exchange]:
    """Return a write, its job, and what it did at once before the job had begun. Raises NotApplicableError."""
    for _ in range(ATTEMPTS):
        request = specimen_of(session, operation).request
        accepted = session.probe(_as_job(request, wish))
        if read_response(accepted.response, wish.job.handle) is ABSENT:
            break
        at_once = session.probe(request)
        waits = session.probe(_about(session, accepted, wish.job, wish.job.poll))
        if at_once.response.status in SUCCESS_STATUS and _is_idle(wish.job, waits):
            return request, accepted, at_once
    raise NotApplicableError("no job could be overtaken by what was done at once")


def _told_alike(
    session: Session, operation: Operation, wish: _Wish, accepted: Exchange, refusal: Exchange
) -> Iterator[Finding]:
    """Yield a code of a refusal that the results of the job do not tell, where both are said to tell the same."""
    named = [one.bulk.reply.outcomes for one in session.contract.operations if one.bulk and one.bulk.job == wish.job]
    declared = next((one for one in named if one is not None and one.alike is not None and one.error), None)
    results = _told_results(session, wish.job, accepted)
    if declared is None or not results or refusal.response.status == NOT_FOUND:
        return
    told = {code for one in results for code in _values_at(one.response.data, declared.error or "")}
    missing = [one for one in _values_at(refusal.response.data, declared.error or "") if one not in told]
    if missing:
        says = f"a write is refused with {short(missing[0])} at once, which its job does not tell"
        yield _finding(operation, "tells other faults", says, refusal, accepted, *results)


def _values_at(data: object, at: str) -> Iterator[str]:
    """Yield the texts at a place in any part of a value."""
    found = find(data, at) if isinstance(data, dict) else ABSENT
    if isinstance(found, str):
        yield found
    inner = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    for one in inner:
        yield from _values_at(one, at)


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
    raise NotApplicableError(NO_SITE)


def _as_job(request: Request, wish: _Wish) -> Request:
    """Return a request with the wish that it runs as a job."""
    at, _, word = wish.setting.partition("=")
    where, _, name = at.partition(":")
    if where == "header":
        return replace(request, headers=request.headers.with_((name, word)))
    return replace(request, query=(*request.query, (name, word)))


def _end_of(session: Session, accepted: Exchange, job: BulkJob) -> Exchange:
    """Poll the job of a request until it ends. Raises NotApplicableError when it does not."""
    request, delay = _about(session, accepted, job, job.poll), FIRST_DELAY[session.controlled]
    for _ in range(MAX_POLLS):
        session.wait(delay)
        told = session.probe(request)
        if response_state(job, told.response) in FINAL_STATES:
            return told
        delay = min(2 * delay, MAX_DELAY[session.controlled])
    raise NotApplicableError("the job of a request did not end")


def _about(session: Session, accepted: Exchange, job: BulkJob, name: str) -> Request:
    """Return the request of an operation about the job of a request."""
    call = session.contract.operation(name)
    route = session.router.match(accepted.request.method, accepted.request.path, accepted.request)
    variable = last_variable(call) if call is not None else None
    if call is None or variable is None or not isinstance(route, Route):
        raise NotApplicableError(f"'{name}' is no call that names a job")
    own = handle_id(session.contract, session.router, read_response(accepted.response, job.handle))
    return draft(call, {**session.given, **route.variables, variable: own}).request()


def _finding(operation: Operation, shape: str, says: str, *evidence: Exchange | None) -> Finding:
    return new_finding(LAW, operation.id, shape, says, evidence)
