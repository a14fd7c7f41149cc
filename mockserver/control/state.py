"""Control calls about what a sandbox knows: jobs with their plans, and the records as they are stored."""

from collections.abc import Iterator
from http import HTTPStatus

from contracts.messages import Reply
from contracts.names import did_you_mean
from mockserver.api import Api
from mockserver.control.desk import Desk, RefusedError, instant
from mockserver.scopes import stocked
from mockserver.stores import Collection, key_order
from mockserver.travel import JobView, jobs_of
from mockserver.turn import Run, Turn
from mockserver.world import World


def list_jobs(desk: Desk, turn: Turn) -> Reply:
    """List every job."""
    sandbox = desk.sandbox(turn)
    now = sandbox.now(turn.now)
    desk.settle(sandbox, now)
    sandbox.forget(now)
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
    api = desk.api(turn)
    kind = kind_of(api, turn.variables["kind"])
    run = run_in(desk, turn, api, turn.query.get("tenant", turn.query.get("dataset")))
    entities = list(_entities(run, kind))
    return Reply.of(200, {"entities": entities, "total": len(entities)})


def run_in(desk: Desk, turn: Turn, api: Api, scope: object) -> Run:
    """Return a run in a data set of the sandbox that the path names, with all done that is due.

    `scope` names the data set; it may be None when there is only one. Raises RefusedError.
    """
    sandbox = desk.sandbox(turn)
    now = sandbox.now(turn.now)
    desk.settle(sandbox, now)
    world = sandbox.world(api, now)
    run = Run(api=api, world=world, scope=_scope(world, scope), now=now)
    stocked(run)
    return run


def _entities(run: Run, kind: str) -> Iterator[dict[str, object]]:
    resource, render = run.api.contract.resources[kind], run.api.hooks.render
    for record in sorted(run.world.store.scan(Collection(run.scope, kind)), key=key_order):
        body = render(run, resource, record)
        yield {"key": record.key, "version": record.version, "deleted": record.deleted, "body": body}


def kind_of(api: Api, name: str) -> str:
    """Return the kind of record of that name, whatever its case. Raises RefusedError."""
    known = api.contract.resources
    found = name if name in known else next((one for one in known if one.casefold() == name.casefold()), None)
    if found is None:
        hint = did_you_mean(name, known) or f"It has: {', '.join(known)}."
        detail = f"{api.contract.title} has no kind of record '{name[:80]}'. {hint}"
        raise RefusedError(HTTPStatus.NOT_FOUND, detail, kind="not-found")
    return found


def _scope(world: World, given: object) -> str:
    """Return the data set of that name, else the only one there is."""
    known = sorted(world.stocked | {collection.scope for collection in world.store.collections()})
    if isinstance(given, str):
        return next((one for one in known if one.casefold() == given.casefold()), given)
    if len(known) == 1:
        return known[0]
    which = f"There are: {', '.join(known)}" if known else "None has been used yet"
    raise RefusedError(HTTPStatus.BAD_REQUEST, f"Which data set? Name it as tenant or dataset. {which}."[:500])
