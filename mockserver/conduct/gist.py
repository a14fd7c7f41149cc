"""What the laws of conduct need of an exchange, taken down when it is recorded: large bodies are not kept."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from contracts.bulk import BulkJob
from contracts.messages import ABSENT, Call, Headers, Reply
from contracts.model import Operation
from contracts.templates import last_variable
from mockserver.conduct.packing import pack
from mockserver.conduct.sent import Items, is_key, items_of, raws_of, targets_of
from mockserver.conduct.told import Made, made, shown, stale, state_of, undone
from mockserver.served import BulkPlan, Served, served

if TYPE_CHECKING:
    from mockserver.api import Api
    from mockserver.journal import Entry
    from mockserver.turn import Turn

OK: Final = range(200, 300)
OWN_BYTES: Final = 400  # what a gist takes beside its packed lists
MADE_BYTES: Final = 160  # what a job that was made takes
UNREAD_BYTES: Final = 700  # what it takes to read a call again, beside its body


class Gist(NamedTuple):
    """The facts of one exchange; its lists are packed.

    `targets` are the records that a call with versions speaks of, `stale` those whose version was not the stored one,
    as `Resource/key`. `asked` is the job that is asked for, `state` the class of state that was told of it, `undone`
    the keys of its items that were told not to be done. `shown` are the keys of records that a read answered with.
    """

    items: Items | None = None
    targets: bytes = b""
    stale: bytes = b""
    made: tuple[Made, ...] = ()
    asked: str = ""
    state: str = ""
    undone: bytes = b""
    shown: bytes = b""

    @property
    def size(self) -> int:
        """Return about how many bytes it takes."""
        lists = [one for one in (*self, *(self.items or ())) if isinstance(one, bytes)]
        return OWN_BYTES + sum(map(len, lists)) + MADE_BYTES * len(self.made)


NOTHING: Final = Gist()


class Unread(NamedTuple):
    """A bulk call whose body is kept whole: what was sent is taken down when somebody asks. `told` are its other facts.

    `settings` are those that it met, `variables` and `query` are parsed.
    """

    told: Gist
    api: "Api"
    plan: BulkPlan
    scope: str
    settings: dict[str, Any]
    variables: Mapping[str, str]
    query: Mapping[str, object]

    @property
    def size(self) -> int:
        """Return about how many bytes it takes."""
        return self.told.size + UNREAD_BYTES

    def read(self, entry: "Entry") -> Gist:
        """Return the facts of the exchange that the journal's entry is about."""
        from mockserver.reading import data_again  # noqa: PLC0415 - it imports what records exchanges

        turn = _resumed(self, entry)
        turn.data = data_again(turn)
        return _sent(turn, self.plan)._replace(stale=self.told.stale, made=self.told.made)


def gist(turn: "Turn", reply: Reply, *, heard: bool = True, whole: bool = False) -> Gist | Unread | None:
    """Return the facts of an exchange; None when no law needs more than the journal's entry says.

    A reply that was not `heard` has told the client nothing. What a bulk call sent is read later when its body is kept
    `whole`.
    """
    operation = turn.operation
    if operation is None:
        return None
    ready = served(turn.api)
    plan = ready.plans.get(operation.id)
    if plan is not None:
        told = Gist(stale=stale(turn.outcomes), made=_made(turn, reply, ready, plan)) if heard else NOTHING
        if whole and turn.data is not ABSENT:
            return Unread(told, turn.api, plan, turn.scope, turn.world.settings, turn.variables, turn.query)
        return _sent(turn, plan)._replace(stale=told.stale, made=told.made)
    declared = _asked_about(ready, operation.id)
    if declared is not None:
        return _of_job(turn, reply, operation, declared, heard=heard)
    if operation.method == "GET":
        records = shown(ready, reply) if heard and reply.status in OK else b""
        return Gist(shown=records) if records else None
    return _of_single(turn, reply, heard=heard) if turn.outcomes or turn.jobs else None


def _resumed(unread: Unread, entry: "Entry") -> "Turn":
    """Return a recorded call in hand once more; secrets are hidden in it."""
    from mockserver.ids import Ids  # noqa: PLC0415 - these three import what records exchanges
    from mockserver.stores.memory import MemoryStore  # noqa: PLC0415
    from mockserver.turn import Turn  # noqa: PLC0415
    from mockserver.world import World  # noqa: PLC0415

    lines = (line.partition(": ") for line in entry.call.headers.split("\n") if line)
    headers = Headers((name, value) for name, _, value in lines)
    call = Call(method=entry.method, path=entry.path, query=entry.query, headers=headers, body=entry.call.body)
    world = World(store=MemoryStore(), ids=Ids(), settings=unread.settings, born=entry.at)
    return Turn(
        api=unread.api,
        world=world,
        call=call,
        now=entry.at,
        operation=unread.plan.operation,
        variables=unread.variables,
        query=unread.query,
        scope=unread.scope,
        client=entry.client,
    )


def _sent(turn: "Turn", plan: BulkPlan) -> Gist:
    if turn.data is ABSENT:
        return Gist()
    raws = raws_of(turn, plan)
    return Gist(items=items_of(turn, plan, raws), targets=pack(targets_of(turn, plan, raws)))


def _made(turn: "Turn", reply: Reply, ready: Served, plan: BulkPlan) -> tuple[Made, ...]:
    return made(turn, reply, ready, plan.bulk) if reply.status in OK else ()


def _of_job(turn: "Turn", reply: Reply, operation: Operation, declared: BulkJob, *, heard: bool) -> Gist:
    asked = turn.variables.get(last_variable(operation.path) or "", "")
    if not heard or reply.status not in OK:
        return Gist(asked=asked)
    if operation.id == declared.cancel:
        return Gist(asked=asked, state=state_of(declared, reply) or "cancelled")
    polled, here = operation.id == declared.poll, declared.results in {(), ("here",)}
    state = state_of(declared, reply) if polled else ""
    if declared.outcomes is None or polled is not here:
        return Gist(asked=asked, state=state)
    results = (turn.world.jobs.results.get(job.id) for job in turn.jobs)
    outcomes = [outcome for result in results if result is not None for outcome in result.outcomes]
    return Gist(asked=asked, state=state, undone=undone(declared.outcomes, reply), stale=stale(outcomes))


def _of_single(turn: "Turn", reply: Reply, *, heard: bool) -> Gist:
    named = pack(f"{one.item.resource.name}/{one.item.target}" for one in turn.outcomes if is_key(one.item.target))
    if not heard:
        return Gist(targets=named)
    jobs = turn.jobs if reply.status == HTTPStatus.ACCEPTED else ()
    accepted = tuple(Made(job.id, "", job.due) for job in jobs)
    return Gist(targets=named, stale=stale(turn.outcomes), made=accepted)


def _asked_about(ready: Served, operation_id: str) -> BulkJob | None:
    """Return the declaration of the jobs that an operation polls, cancels, or tells the results of."""
    plans = ready.polls.get(operation_id) or ready.cancels.get(operation_id)
    if plans:
        return plans[0].bulk.job
    jobs = (plan.bulk.job for plan in ready.plans.values())
    return next((one for one in jobs if one is not None and operation_id in one.results), None)
