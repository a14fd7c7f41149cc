"""Control calls about what a sandbox knows: jobs with their plans, and the records as they are stored."""

from collections.abc import Iterator
from http import HTTPStatus

from contracts.messages import Reply
from contracts.names import did_you_mean
from mockserver.api import Api
from mockserver.control.desk import Desk, RefusedError, instant
from mockserver.scopes import stocked
from mockserver.stores import Collection, Record
from mockserver.travel import JobView, jobs_of
from mockserver.turn import Run, Turn
from mockserver.world import World


def list_jobs(desk: Desk, turn: Turn) -> Reply:
    """List every job."""
    sandbox = desk.sandbox(turn)
    now = sandbox.now(turn.now)
    desk.settle(sandbox, now)
    jobs = [
        {
            "id": view.job.id,
            "api": view.api.name,
            "operation": view.job.operation,
            "tenant": view.job.scope,
            "client": view.job.client,
            "state": view.state(now),
            "posted": instant(view.job.posted),
            "due": None if view.job.due is None else instant(view.job.due),
            "plan": _plan(view),
            "items": view.job.items,
        }
        for view in jobs_of(sandbox)
    ]
    return Reply.of(200, {"jobs": jobs})


def _plan(view: JobView) -> list[dict[str, str]]:
    return [{"at": instant(at), "state": word} for at, word in view.moves()]


def list_entities(desk: Desk, turn: Turn) -> Reply:
    """Return the records of one kind in one data set."""
    api, sandbox = desk.api(turn), desk.sandbox(turn)
    now = sandbox.now(turn.now)
    desk.settle(sandbox, now)
    world = sandbox.world(api, now)
    kind = _kind(api, turn.variables["kind"])
    run = Run(api=api, world=world, scope=_scope(world, turn), now=now)
    stocked(run)
    entities = list(_entities(run, kind))
    return Reply.of(200, {"entities": entities, "total": len(entities)})


def _entities(run: Run, kind: str) -> Iterator[dict[str, object]]:
    resource, render = run.api.contract.resources[kind], run.api.hooks.render
    for record in sorted(run.world.store.scan(Collection(run.scope, kind)), key=_by_key):
        body = render(run, resource, record)
        yield {"key": record.key, "version": record.version, "deleted": record.deleted, "body": body}


def _by_key(record: Record) -> tuple[bool, str | int]:
    return isinstance(record.key, str), record.key


def _kind(api: Api, name: str) -> str:
    known = api.contract.resources
    found = name if name in known else next((one for one in known if one.casefold() == name.casefold()), None)
    if found is None:
        hint = did_you_mean(name, known) or f"It has: {', '.join(known)}."
        detail = f"{api.contract.title} has no kind of record '{name[:80]}'. {hint}"
        raise RefusedError(HTTPStatus.NOT_FOUND, detail, kind="not-found")
    return found


def _scope(world: World, turn: Turn) -> str:
    """Return the data set that the call names, else the only one there is."""
    given = turn.query.get("tenant", turn.query.get("dataset"))
    known = sorted(world.stocked)
    if isinstance(given, str):
        return next((one for one in known if one.casefold() == given.casefold()), given)
    if len(known) == 1:
        return known[0]
    which = f"There are: {', '.join(known)}" if known else "None has been used yet"
    raise RefusedError(HTTPStatus.BAD_REQUEST, f"Which data set? Name it with ?tenant= or ?dataset=. {which}."[:500])
