"""Serving a bulk call: at once, or by making jobs; for one data set, or for each target of a fan-out."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from contracts.bulk import BulkJob, FanOut
from contracts.messages import ABSENT, Headers, Reply
from mockserver.domain.bending import bent
from mockserver.domain.jobs import Job, schedule
from mockserver.domain.places import is_outside, locate, put_at, wished
from mockserver.domain.replies import body_of, outcome_class, status_of
from mockserver.domain.units import run_items
from mockserver.domain.values import Item, Outcome, Target
from mockserver.guard import Admission, Batch, admitted, opened
from mockserver.replying import reply_with
from mockserver.scopes import stocked
from mockserver.served import BulkPlan, served
from mockserver.turn import Refusal, Run, Turn


def bulk(turn: Turn) -> Reply:
    """Serve a bulk call that fits the contract."""
    assert turn.operation is not None  # noqa: S101 - the engine calls this for a routed call only
    plan = served(turn.api).plans[turn.operation.id]
    admission = admitted(turn, plan)
    if isinstance(admission, Refusal):
        turn.violations = admission.violations
        return turn.api.hooks.refuse(turn, admission)
    if plan.bulk.job is not None and any(wished(turn, wish) for wish in plan.bulk.job.when):
        return accepted(turn, admission, plan.bulk.job)
    batch = opened(turn, plan, admission.unit)
    if plan.bulk.items.fan_out is not None:
        return _fanned(turn, batch, plan.bulk.items.fan_out)
    outcomes = perform(turn, batch, turn.scope)
    status = status_of(plan.bulk.reply.status, outcome_class(outcomes, batch.unit))
    body = body_of(run_of(turn, batch, turn.scope), plan.bulk, plan.bulk.reply.outcomes, outcomes)
    return reply_with(turn, status, body)


def run_of(turn: Turn, batch: Batch, scope: str) -> Run:
    """Return what the items of a batch share in one data set."""
    return Run(
        api=turn.api,
        world=turn.world,
        scope=scope,
        now=turn.now,
        unit=batch.unit,
        operation=batch.plan.operation,
        client=turn.client,
        valid=batch.valid,
        acts=turn.acts,
    )


def perform(turn: Turn, batch: Batch, scope: str) -> Sequence[Outcome]:
    """Apply a batch to a data set, now, in the API's own way or the engine's; the turn knows its outcomes then."""
    return (turn.api.hooks.perform or apply)(turn, batch, scope)


def apply(turn: Turn, batch: Batch, scope: str) -> Sequence[Outcome]:
    """Apply a batch to a data set in its units and order, and note its outcomes in the turn."""
    run = run_of(turn, batch, scope)
    stocked(run)
    keepers = served(turn.api).keepers
    bulk, store, grouped = batch.plan.bulk, turn.world.store, batch.grouped
    if turn.halves is None:
        outcomes = run_items(run, bulk, batch.items, store, keepers, grouped=grouped)
    else:

        def half(items: Sequence[Item], broken: frozenset[object]) -> list[Outcome]:
            return run_items(replace(run, broken=broken), bulk, items, store, keepers, grouped=grouped)

        outcomes = turn.halves.perform(scope, batch.unit, batch.items, half, grouped=grouped)
    turn.outcomes = outcomes
    return outcomes


def targets(turn: Turn, declared: FanOut) -> dict[str, Target]:
    """Return what each named target means; one that is named twice counts once."""
    named = locate(turn, declared.over)
    every = named if isinstance(named, list) else []
    return {str(name): _spoilt(turn, str(name)) or turn.api.hooks.target(turn, name) for name in every}


def _spoilt(turn: Turn, name: str) -> Target | None:
    """Return a target that a scenario makes unknown, or gives a problem."""
    spoils = None if turn.decision is None else turn.decision.effects.tenants
    if spoils is None:
        return None
    text = turn.api.hooks.unknown_target(name) if spoils.is_unknown(name) else spoils.problem(name)
    return None if text is None else Target(name, (text,))


def _fanned(turn: Turn, batch: Batch, declared: FanOut) -> Reply:
    """Do the batch for each target at once and tell the results by target."""
    succeeded: dict[str, Any] = {}
    failed: dict[str, Any] = {}
    every: list[Outcome] = []
    for name, target in targets(turn, declared).items():
        if target.problems:
            failed[name] = list(target.problems)
            continue
        outcomes = perform(turn, batch, target.scope)
        every += outcomes
        run = run_of(turn, batch, target.scope)
        succeeded[name] = body_of(run, batch.plan.bulk, batch.plan.bulk.reply.outcomes, outcomes)
    turn.outcomes = every
    return _split(turn, batch.plan, declared, succeeded, failed)


def _split(turn: Turn, plan: BulkPlan, declared: FanOut, succeeded: dict[str, Any], failed: dict[str, Any]) -> Reply:
    body: dict[str, Any] = {}
    put_at(body, declared.succeeded, succeeded)
    put_at(body, declared.failed, failed)
    word = "allOk" if not failed else "someFailed" if succeeded else "allFailed"
    statuses = plan.bulk.reply.status
    if word == "allOk" and "accepted" in statuses and plan.bulk.job is not None:
        word = "accepted"
    return reply_with(turn, status_of(statuses, word), body)


def accepted(turn: Turn, admission: Admission, declared: BulkJob) -> Reply:
    """Make the jobs and tell their handles."""
    refusal = turn.api.hooks.conduct(turn, admission.size) or _too_many_active(turn, declared)
    if refusal is not None:
        return turn.api.hooks.refuse(turn, refusal)
    fan_out = admission.plan.bulk.items.fan_out
    if fan_out is None:
        job = _job(turn, admission, declared, turn.scope)
        turn.jobs = (job,)
        return _told(turn, admission.plan, declared, job)
    succeeded: dict[str, Any] = {}
    failed: dict[str, Any] = {}
    jobs: list[Job] = []
    for name, target in targets(turn, fan_out).items():
        if target.problems:
            failed[name] = list(target.problems)
            continue
        jobs.append(_job(turn, admission, declared, target.scope))
        succeeded[name] = jobs[-1].id
    turn.jobs = jobs
    return _split(turn, admission.plan, fan_out, succeeded, failed)


def _too_many_active(turn: Turn, declared: BulkJob) -> Refusal | None:
    """Refuse a job over the number that may be unfinished, where the declaration names a status for that."""
    active = declared.active
    if active is None or not isinstance(active.breach, int):
        return None
    jobs = turn.world.jobs
    unfinished = [jobs.jobs[name] for name in jobs.unfinished]
    mine = [one for one in unfinished if active.per != "client" or one.client == turn.client]
    if len(mine) < active.max:
        return None
    return Refusal(
        status=active.breach, kind="conflict", detail=f"{len(mine)} jobs are unfinished; at most {active.max} may be."
    )


def _job(turn: Turn, admission: Admission, declared: BulkJob, scope: str) -> Job:
    """Put a job on the agenda of its world."""
    world = turn.world
    begins, due = schedule(declared, admission.size, turn.now)
    job = Job(
        id=turn.api.hooks.job_id(turn, admission.size),
        operation=admission.plan.operation.id,
        scope=scope,
        client=turn.client,
        posted=turn.now,
        begins=begins,
        due=due,
        items=admission.size,
        variables=turn.variables,
        query=turn.query,
        parcel=world.depot.keep(turn.call.body),
        unit=admission.unit,
        arrival=world.jobs.arrivals,
        call=replace(turn.call, body=b""),
        keep=declared.keep,
    )
    if turn.decision is not None:
        job = bent(job, turn.decision.effects.job, turn.acts)
    world.jobs.arrivals += 1
    world.jobs.add(job, turn.api.hooks.precedence(job))
    return job


def _told(turn: Turn, plan: BulkPlan, declared: BulkJob, job: Job) -> Reply:
    status = status_of(plan.bulk.reply.status, "accepted") if "accepted" in plan.bulk.reply.status else 202
    if is_outside(declared.handle):
        name = declared.handle.partition(":")[2]
        return Reply(status=status, headers=Headers(((name, poll_path(turn, declared.poll, job)),)))
    body: dict[str, Any] = {}
    put_at(body, declared.handle, job.id)
    return reply_with(turn, status, body)


def poll_path(turn: Turn, poll: str, job: Job) -> str:
    """Return the path under which a job is asked for: the poll operation's, its last variable being the job's id."""
    operation = turn.api.contract.operation(poll)
    assert operation is not None  # noqa: S101 - the contract was checked when it was loaded
    names = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    path = operation.path
    for name in names:
        value = job.id if name == names[-1] else job.variables.get(name, ABSENT)
        path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
    return turn.api.mount + path
