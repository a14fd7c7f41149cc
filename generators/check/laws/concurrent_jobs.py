"""Laws on jobs: the limit on active ones, effects on one another, cancellation, and by which name they are known.

Begin with `active`, `overlap` and `known_by_name`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random
from string import digits
from typing import Final

from contracts.bulk.jobs import ActiveJobs
from contracts.bulk.model import BulkJob
from contracts.exchange.bulk_exchange import BulkExchange
from contracts.exchange.job_traces import SUCCESS_STATUS, JobTrace, handle_id
from contracts.messages import Exchange
from contracts.openapi.model import Operation
from contracts.syntax.text import as_list, text_of
from generators.check.laws.metamorphic import invalid_cases, known_targets, valid_cases
from generators.check.records import Snapshot
from generators.check.trial_setup import ItemCase, Trial, prepare_trial
from generators.check.trials import (
    TrialResult,
    is_astray,
    send,
    send_at_once,
    snapshots,
    snapshots_before,
    stored_records,
    trial_finding,
    trial_result,
)
from generators.client.polling import (
    NO_VALUES,
    JobCall,
    follow,
    job_request,
    poll_until_started,
    request_job,
    request_jobs,
    request_results,
    view_of,
)
from generators.client.session import Session
from generators.client.sites import SiteContext
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding
from generators.oracles.job_laws import CONFLICT
from generators.oracles.request_oracle import refusal_fault
from generators.requests.calls import sample_value
from generators.requests.envelope import SendOptions
from generators.requests.options import job_setting_of

MAX_STARTED_JOBS: Final = 40  # largest limit that is tested


def active(context: SiteContext) -> Iterator[Finding]:
    """Start as many jobs as may be active, and one more; then follow each of them to its end."""
    declared = _limit(context)
    bulk = context.bulk
    options = SendOptions(unit=context.unit, as_job=job_setting_of(bulk), targets=known_targets(context))
    sizes = [1 + n % 3 for n in range(declared.max + 1)]
    trials = [prepare_trial(context, valid_cases(context, size)) for size in sizes]
    sent = [(send_at_once if n else send)(trial, options) for n, trial in enumerate(trials)]
    if sent[0].response.status not in SUCCESS_STATUS:
        raise NotApplicableError(f"the first job was refused ({sent[0].response.status})")
    yield from _judge_limit(context.session, declared, sent)
    yield from _judge_results(trials, options, sent)


def _limit(context: SiteContext) -> ActiveJobs:
    job = context.bulk.job
    declared = job.active if job is not None else None
    assert declared is not None  # noqa: S101 - the law applies
    if declared.max > MAX_STARTED_JOBS:
        raise NotApplicableError(f"{declared.max} jobs are more than are started here")
    return declared


def _judge_limit(session: Session, declared: ActiveJobs, sent: Sequence[Exchange]) -> Iterator[Finding]:
    """Yield when the declared limit is not enforced."""
    early = next((one for one in sent[:-1] if one.response.status not in SUCCESS_STATUS), None)
    if early is not None and isinstance(declared.breach, int):
        says = f"{declared.max} jobs may be active, but one of them is refused ({early.response.status})"
        yield trial_finding("active", "refused within the limit", says, sent[0], early)
        return
    last = sent[-1]
    status = last.response.status
    fault = refusal_fault((declared.breach,), status, refused=status not in SUCCESS_STATUS)
    if fault is None or not isinstance(declared.breach, int):
        return
    if fault == "otherwise":
        says = f"a job over the limit is refused with {last.response.status}, but {declared.breach} is declared"
        yield trial_finding("active", f"refused with {last.response.status}", says, last)
    elif all(_is_running(session, one) for one in sent[:-1]):
        says = f"{declared.max} jobs may be active, but one more is accepted"
        yield trial_finding("active", "accepted over the limit", says, *sent)
    else:
        raise NotApplicableError("a job ended before the next one was sent")


def _is_running(session: Session, exchange: Exchange) -> bool:
    view = view_of(session, exchange)
    if view.traces:
        request_jobs(session, view, view.traces[0].declared.poll)
    return all(trace.end is None for trace in view_of(session, exchange).traces)


def _judge_results(trials: Sequence[Trial], options: SendOptions, sent: Sequence[Exchange]) -> Iterator[Finding]:
    """Follow every accepted job to its end: none may be lost or confused with another."""
    for trial, exchange in zip(trials, sent, strict=True):
        if exchange.response.status not in SUCCESS_STATUS:
            continue
        done: TrialResult = trial_result(trial, options, follow(trial.context.session, exchange))
        if done.by_target and not options.targets:
            after = stored_records(done, slots=done.slots("done"))
            gone = [slot for slot, one in after.items() if is_astray(trial, trial.items[slot].case, one)]
            if gone:
                says = f"of two concurrent jobs one reports item {gone[0]} as done, but it was not applied"
                yield trial_finding("active", "jobs lose items", says, done, after[gone[0]])


FEW_ITEMS: Final = 5
UNLIKELY_DIGITS: Final = 10  # ids of fewer are longer where no job is to have them
POLLS_AFTER_END: Final = 3
GONE_STATUSES: Final = frozenset(("404", "410"))
UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
REFUSALS: Final = (400, 405, 409, 412, 422)  # of a cancellation, for what the job is
REAL_WAIT: Final = timedelta(seconds=0.2)
CONTROLLED_WAIT: Final = timedelta(minutes=10)


def overlap(context: SiteContext) -> Iterator[Finding]:
    """Run two jobs concurrently, and cancel a third."""
    job = context.bulk.job
    if job is None:
        return
    options = SendOptions(unit=context.unit, as_job=job_setting_of(context.bulk), targets=known_targets(context))
    yield from _side_by_side(context, options)
    for runs in (False, True) if job.cancel is not None else ():
        yield from _judge_cancellation(context, options, job, runs=runs)


def _side_by_side(context: SiteContext, options: SendOptions) -> Iterator[Finding]:
    """Post a job between one of its size and a short one, both with failures, and judge whether it acts too early.

    It may have to wait for the first one, so that there is time to look. All are polled to their ends.
    """
    session = context.session
    second = prepare_trial(context, valid_cases(context, min(FEW_ITEMS, context.bulk.items.max or FEW_ITEMS)))
    target = next(iter(options.targets), None)
    initial = snapshots_before(second, target=target)
    first, last = (prepare_trial(context, _some_fail(context, size)) for size in (len(second.items), 2))
    other, sent = send(first, options), send_at_once(second, options)
    is_job, view = bool(view_of(session, other).traces), view_of(session, sent)
    if not view.traces and is_job:  # there may be one at a time
        follow(session, other)
        view = view_of(session, sent := send(second, options))
    if not view.traces:
        return
    short = send_at_once(last, options)
    poll, rounds = view.traces[0].declared.poll, []
    for slots in (range(1), range(len(second.items))):
        request_jobs(session, view, poll)
        rounds.append(snapshots(second, {}, target=target, slots=slots))
    request_results(session, view)
    for one in (short, other, sent):
        _ask_after_end(session, one)
    told = next((one for one in view_of(session, sent).traces if one.target == target), None)
    if told is None:
        return
    for judge in (_too_early, _counted_early):
        found = next((some for early in rounds if (some := [*judge(second, told, initial, early)])), [])
        yield from (replace(one, operation=context.operation.id, evidence=(sent, *one.evidence)) for one in found)


def _ask_after_end(session: Session, sent: Exchange) -> None:
    """Poll a request's jobs to their end, and then some times more, with their results.

    Then cancel them, where that is declared to be a conflict.
    """
    view = follow(session, sent)
    for _ in range(POLLS_AFTER_END if view.traces else 0):
        request_jobs(session, view, view.traces[0].declared.poll)
        request_results(session, view)
    cancel = session.contract.operation(view.traces[0].declared.cancel or "") if view.traces else None
    if cancel is not None and str(CONFLICT) in cancel.responses:
        request_jobs(session, view, cancel.id)


def _some_fail(context: SiteContext, size: int) -> list[ItemCase]:
    """Return cases of which the last one fails, as far as such a one can be made."""
    try:
        wrong = invalid_cases(context)[:1]
    except NotApplicableError:
        wrong = ()
    size = min(size, context.bulk.items.max or size)
    return [*valid_cases(context, size - 1), *wrong] if wrong else valid_cases(context, size)


def _too_early(
    trial: Trial, trace: JobTrace, initial: Mapping[int, Snapshot], early: Mapping[int, Snapshot]
) -> Iterator[Finding]:
    """Yield a change that is visible while the job reports, before and after, that nothing was processed."""
    around = _idle_polls(trace, early)
    for slot, one in early.items() if around else ():
        if one.differs(initial[slot], trial.names):
            says = f"item {slot} was applied while its job reported that nothing was processed"
            yield trial_finding("job-progress", "acts before it is processed", says, *around, one)
            return


def _counted_early(
    trial: Trial, trace: JobTrace, initial: Mapping[int, Snapshot], early: Mapping[int, Snapshot]
) -> Iterator[Finding]:
    """Yield an item of a job that told that all are processed, and did this one later."""
    if trial.context.resource.consistency is not None or trial.context.unit != "item":
        return
    polls = [one for one in trace.polls if one.progress.get("processed") == len(trial.items)]
    told = next((one.exchange for one in polls if one.state in {"queued", "running"}), None)
    unlike = {slot: one for slot, one in early.items() if not one.differs(initial[slot], trial.names)}
    late = {slot: one for slot, one in unlike.items() if told and one.exchange and told.n < one.exchange.n}
    for slot, after in snapshots(trial, {}, target=trace.target, slots=list(late)[:1]).items():
        if after.differs(initial[slot], trial.names):
            says = f"item {slot} was applied after its job reported that all items were processed"
            yield trial_finding("job-progress", "is processed before it acts", says, told, late[slot])


def _idle_polls(trace: JobTrace, early: Mapping[int, Snapshot]) -> list[Exchange]:
    """Return a poll before and one after the reads, both reporting that nothing was processed; else none."""
    read = [one.exchange.n for one in early.values() if one.exchange is not None]
    polls = [one for one in trace.polls if one.is_idle]
    sooner = [one.exchange for one in polls if read and one.exchange.n < min(read)]
    later = [one.exchange for one in polls if read and one.exchange.n > max(read)]
    return [sooner[-1], later[0]] if sooner and later else []


def _judge_cancellation(
    context: SiteContext, options: SendOptions, declared: BulkJob, *, runs: bool
) -> Iterator[Finding]:
    """Cancel a job, at once or once it `runs`; ask for it at once and later, and look whether it acts after its end."""
    session = context.session
    trial = prepare_trial(context, valid_cases(context, min(FEW_ITEMS, context.bulk.items.max or FEW_ITEMS)))
    initial = snapshots_before(trial)
    sent = send(trial, options)
    view = view_of(session, sent)
    if not view.traces or declared.cancel is None:
        return
    request_jobs(session, view, declared.poll)
    if runs:
        poll_until_started(session, lambda: view_of(session, sent))
        request_results(session, view)
    asked = request_jobs(session, view, declared.cancel)
    request_jobs(session, view, declared.poll)
    yield from _judge_refused(view_of(session, sent), asked)
    if not _stopped_idle(view_of(session, sent)):
        initial = snapshots(trial, {})
    session.wait(CONTROLLED_WAIT if session.controlled else REAL_WAIT)
    for _ in range(POLLS_AFTER_END):
        request_jobs(session, view, declared.poll)
        request_results(session, view)
    after = snapshots(trial, {})
    states = [poll.state for trace in view_of(session, sent).traces for poll in trace.polls]
    for slot, one in after.items() if "cancelled" in states else ():
        if one.differs(initial[slot], trial.names):
            says = f"a cancelled job applied item {slot} after its end"
            yield trial_finding("job-moves", "acts after its end", says, sent, initial[slot], one)
            return


def _judge_refused(view: BulkExchange, asked: Sequence[Exchange]) -> Iterator[Finding]:
    """Yield a job that was not cancelled, although a poll after the refusal shows that it had not ended."""
    refused = [one for one in asked if one.response.status in REFUSALS]
    for trace in view.traces if refused else ():
        last = trace.polls[-1] if trace.polls else None
        if trace.declared.cancel_until == "end" and last is not None and last.state in {"queued", "running"}:
            says = (
                f"a job is not cancelled ({refused[0].response.status}), although it tells later that it has not ended"
            )
            yield trial_finding("job-moves", "is not cancelled", says, view.exchange, *refused, last.exchange)


def _stopped_idle(view: BulkExchange) -> bool:
    """Say whether a cancelled job tells that it has processed nothing, so that nothing of it may be done."""
    ends = [trace.end for trace in view.traces if trace.end is not None]
    return bool(ends) and all(one.progress.get("processed") == 0 for one in ends)


def known_by_name(context: SiteContext) -> Iterator[Finding]:
    """Run a job, and ask for it by an id that no job has, and under the paths and targets of others, or of no one."""
    job, session = context.bulk.job, context.session
    assert job is not None  # noqa: S101 - the law applies
    targets = known_targets(context)
    sent = _started(context, _own_values(context, job), targets[:1])
    view = follow(session, sent)
    if not view.traces:
        raise NotApplicableError(f"the request was answered {sent.response.status}, without a job")
    trace = view.traces[0]
    for name in job.operations:
        operation = session.contract.operation(name)
        if operation is not None and not GONE_STATUSES.isdisjoint(operation.responses):
            unknown = _other_id(
                handle_id(session.contract, session.router, trace.handle), session.rng("job-name", name)
            )
            yield from _judge_unknown(request_job(session, view, name, trace, job_id=unknown), sent, "of no job")
        for location in job.within:
            for value in () if operation is None else _others(context, operation, location.rstrip("?"), trace.target):
                variable = _name_of(location)
                asked = request_job(session, view, name, trace, others={variable: value})
                yield from _judge_unknown(asked, sent, f"of another {variable}")
    yield from _judge_unsaid(context, job, targets)


def _started(context: SiteContext, more: Mapping[str, object], targets: Sequence[str]) -> Exchange:
    """Start a job of one item."""
    options = SendOptions(unit=context.unit, as_job=job_setting_of(context.bulk), targets=targets, more=more)
    return send(prepare_trial(context, valid_cases(context, 1)), options)


def _name_of(location: str) -> str:
    return location.rstrip("?").partition(":")[2]


def _judge_unsaid(context: SiteContext, job: BulkJob, targets: Sequence[str]) -> Iterator[Finding]:
    """Run jobs at the values of scopes that a name may leave out, or at each target: they are known without these."""
    session, own = context.session, {_name_of(at): at.rstrip("?") for at in job.within if at.endswith("?")}
    named = {f"{one.where}:{one.name}" for one in context.operation.parameters}
    known = {at: session.places_of(name) for name, at in own.items() if at in named}
    starts = [({at: value}, targets[:1]) for at, values in known.items() for value in values]
    for more, some in starts or [({}, [one]) for one in targets if own]:
        view = view_of(session, sent := _started(context, more, some))
        left_out: dict[str, str | None] = dict.fromkeys(own)
        for trace in view.traces:
            id_ = handle_id(session.contract, session.router, trace.handle)
            said, unsaid = (
                session.send(
                    job_request(session, view, JobCall(operation=job.poll, job=id_, target=trace.target, given=given))
                )
                for given in (NO_VALUES, left_out)
            )
            if said.response.status in SUCCESS_STATUS and str(unsaid.response.status) in GONE_STATUSES:
                says = f"a job is not known by {unsaid.operation} ({unsaid.response.status}) without {', '.join(own)}"
                yield trial_finding("job-name", "not known without what may be left out", says, sent, said, unsaid)


def _judge_unknown(asked: Exchange, sent: Exchange, what: str) -> Iterator[Finding]:
    if asked.response.status in SUCCESS_STATUS:
        says = f"{asked.operation} under the name {what} is answered with {asked.response.status}"
        yield trial_finding("job-name", f"known by the name {what}", says, sent, asked)


def _own_values(context: SiteContext, job: BulkJob) -> Mapping[str, object]:
    """Return values for the parameters of a job's name that are optional, so that they are known."""
    optional = (one for one in context.operation.parameters if not one.required)
    named = {f"{one.where}:{one.name}": one for one in optional}
    within = [one.rstrip("?") for one in job.within]
    return {at: sample_value(named[at]) for at in within if at in named}


def _others(context: SiteContext, operation: Operation, location: str, target: str | None) -> Sequence[str]:
    """Return other values for a part of a job's name: a known one, and one that nobody has; none without a choice."""
    where, _, name = location.partition(":")
    parameter = next((one for one in operation.parameters if (one.where, one.name) == (where, name)), None)
    if parameter is None:
        return ()
    own = (
        context.site.values.get(name, sample_value(parameter)) if where == "path" else target or sample_value(parameter)
    )
    words = parameter.schema.raw.get("enum") if parameter.schema is not None else None
    known = [text_of(one) for one in (*parameter.examples.values(), *as_list(words))]
    others = [one for one in dict.fromkeys(known) if one.casefold() != own.casefold()][:1]
    return others if isinstance(words, list) else [*others, f"{own}x"]


def _other_id(own: str, rng: Random) -> str:
    """Return an id of the same form that no job has, unless by an unlikely chance."""
    drawn = [rng.choice(digits if one in digits else "abcdef") if one in digits + "abcdef" else one for one in own]
    kept = {14, 19} if UUID.fullmatch(own) else {0}  # version and variant; a first digit is not to become 0
    more = "" if sum(one in digits for one in own) >= UNLIKELY_DIGITS else str(rng.randrange(10**7, 10**8))
    return "".join(own[n] if n in kept else one for n, one in enumerate(drawn)) + more
