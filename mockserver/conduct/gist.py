"""What the laws of conduct need of an exchange, taken down when it is recorded: bodies are not kept, their facts are.

Lists are packed, since a batch has thousands of items: texts as a JSON array, marks as 64-bit numbers. A mark is the same
exactly when the content is, within one process.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from contracts.bulk import Bulk, BulkJob, Outcomes, Resource
from contracts.messages import ABSENT, Reply
from contracts.model import Operation
from generators.checks.jobs import handle_id
from generators.checks.locations import holds, look, look_all
from mockserver.domain.places import choose, is_outside, locate, reader, wished
from mockserver.served import BulkPlan, Served, served

if TYPE_CHECKING:
    from mockserver.turn import Turn

PACKED: Final = 10_000  # items; of a larger call only the number is taken down
OK: Final = range(200, 300)
COUNTED: Final = frozenset(("index", "order"))  # items that have no key of their own
MARK: Final = "q"


class Items(NamedTuple):
    """What a bulk call sent. `resource` is that of every item, "" when they differ.

    `unit` is what stood or fell together, `states_unit` says whether the caller chose it. `groups` says whether an item
    names a group, `ordered` whether the groups count, `repeats` whether a key stands there twice. `gone` are the keys of
    items that delete, `refers` are the keys of other records by resource.
    """

    size: int
    most: int | None = None
    unit: str = ""
    states_unit: bool = False
    groups: bool = False
    ordered: bool = False
    repeats: bool = False
    resource: str = ""
    keys: bytes = b""
    marks: bytes = b""
    gone: bytes = b""
    refers: bytes = b""


class Made(NamedTuple):
    """A job that the client was told of, for which target of a fan-out; `due` is None when it never ends."""

    id: str
    target: str
    due: datetime | None


class Gist(NamedTuple):
    """The facts of one exchange.

    `targets` are the records that a call with versions speaks of, `stale` those whose version was not the stored one, as
    `Resource/key`. `asked` is the job that is asked for, `state` the class of state that was told of it, `undone` the keys
    of its items that were told not to be done. `shown` are the keys of records that a read answered with.
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
        sent = 0 if self.items is None else sum(len(one) for one in self.items if isinstance(one, bytes))
        return 200 + sent + sum(map(len, (self.targets, self.stale, self.undone, self.shown))) + 120 * len(self.made)


def gist(turn: "Turn", reply: Reply) -> Gist | None:
    """Return the facts of an exchange; None when no law looks at more than the journal's entry has."""
    operation = turn.operation
    if operation is None:
        return None
    ready = served(turn.api)
    plan = ready.plans.get(operation.id)
    if plan is not None:
        return _of_bulk(turn, reply, ready, plan)
    declared = _declared(ready, operation.id)
    if declared is not None:
        return _of_job(turn, reply, operation, declared)
    if operation.method == "GET":
        shown = _shown(ready, reply) if reply.status in OK else b""
        return Gist(shown=shown) if shown else None
    return _of_single(turn, reply) if turn.outcomes or turn.jobs else None


def texts(packed: bytes) -> list[str]:
    """Return packed texts."""
    found: list[str] = orjson.loads(packed) if packed else []
    return found


def numbers(packed: bytes) -> Sequence[int]:
    """Return packed marks."""
    found = array(MARK)
    found.frombytes(packed)
    return found


def _of_bulk(turn: "Turn", reply: Reply, ready: Served, plan: BulkPlan) -> Gist:
    raws = [raw for _, raw in plan.dismantler.collection(turn)] if turn.data is not ABSENT else None
    versioned = plan.bulk.effect.version is not None and raws is not None
    return Gist(
        items=None if raws is None else _items(turn, plan, raws),
        targets=_pack(_targets(turn, plan, raws)) if versioned and raws is not None else b"",
        stale=_stale(turn.outcomes),
        made=_made(turn, reply, ready, plan.bulk) if reply.status in OK and plan.bulk.job is not None else (),
    )


def _of_job(turn: "Turn", reply: Reply, operation: Operation, declared: BulkJob) -> Gist:
    asked = turn.variables[_last_variable(operation)] if "{" in operation.path else ""
    if reply.status not in OK:
        return Gist(asked=asked)
    word = look(reply.data, declared.state_at)
    state = declared.words.get(str(word).lower() if isinstance(word, bool) else str(word), "")
    if operation.id == declared.cancel:
        return Gist(asked=asked, state=state or "cancelled")
    here = declared.results in {(), ("here",)}
    tells = declared.outcomes is not None and (here if operation.id == declared.poll else True)
    undone = _undone(declared.outcomes, reply.data) if tells and declared.outcomes is not None else []
    results = [turn.world.jobs.results.get(job.id) for job in turn.jobs] if tells and not here else []
    stale = [outcome for result in results if result is not None for outcome in result.outcomes]
    return Gist(
        asked=asked,
        state=state if operation.id == declared.poll else "",
        undone=_pack(undone),
        stale=_stale(stale),
    )


def _of_single(turn: "Turn", reply: Reply) -> Gist:
    named = [f"{one.item.resource.name}/{one.item.target}" for one in turn.outcomes if _is_key(one.item.target)]
    accepted = turn.jobs if reply.status == HTTPStatus.ACCEPTED else ()
    made = tuple(Made(job.id, "", job.due) for job in accepted)
    return Gist(targets=_pack(named), stale=_stale(turn.outcomes), made=made)


def _items(turn: "Turn", plan: BulkPlan, raws: Sequence[object]) -> Items:
    bulk, allowed = plan.bulk, turn.api.hooks.max_items(turn)
    limits = [one for one in (bulk.items.max, allowed) if one is not None]
    whole = Items(
        size=len(raws),
        most=min(limits, default=None),
        unit=choose(bulk.unit.of, locate(turn, bulk.unit.of.source) if bulk.unit.of.source else ABSENT) or "",
        states_unit=_is_given(turn, bulk.unit.of.source),
        groups=_groups(bulk, raws),
        ordered=_is_ordered(turn, bulk),
    )
    return whole if len(raws) > PACKED else whole._replace(**_contents(turn, plan, raws))


def _contents(turn: "Turn", plan: BulkPlan, raws: Sequence[object]) -> dict[str, Any]:
    bulk = plan.bulk
    choice = bulk.effect.resource
    fixed = choice is None or not choice.source or is_outside(choice.source)
    resource = plan.dismantler.resource(turn, None) if fixed else None
    keys = [] if bulk.key.by in COUNTED else [str(key) for key in plan.dismantler.keys(turn) if key is not ABSENT]
    return {
        "resource": "" if resource is None else resource.name,
        "repeats": bulk.key.by == "client" and len(set(keys)) < len(keys),
        "keys": _pack(keys) if len(keys) == len(raws) else b"",
        "marks": _marks(turn, bulk, "" if resource is None else resource.name, raws),
        "gone": _pack(_gone(bulk, keys, raws)),
        "refers": b"" if resource is None else _refers(resource, bulk, raws),
    }


def _marks(turn: "Turn", bulk: Bulk, resource: str, raws: Sequence[object]) -> bytes:
    """Return a mark of what each item wants, without the key that the client chose for it."""
    own = bulk.key.at[1:] if bulk.key.by == "client" and bulk.key.at and bulk.key.at.count("/") == 1 else ""
    salt = hash((resource, *(_dumped(locate(turn, at)) for at in bulk.items.shared)))
    wanted = raws if not own else [_without(own, raw) for raw in raws]
    try:
        return array(MARK, [hash(orjson.dumps(raw, option=orjson.OPT_SORT_KEYS)) ^ salt for raw in wanted]).tobytes()
    except TypeError:
        return array(MARK, [hash(_dumped(raw)) ^ salt for raw in wanted]).tobytes()


def _without(member: str, raw: object) -> object:
    return {name: value for name, value in raw.items() if name != member} if isinstance(raw, dict) else raw


def _dumped(value: object) -> bytes:
    """Return a value as bytes; what JSON has no room for (lone surrogates, huge integers) in Python's way."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return repr(value).encode("utf-8", "backslashreplace")


def _gone(bulk: Bulk, keys: Sequence[str], raws: Sequence[object]) -> list[str]:
    stones = [(reader(at), value) for at, value in bulk.effect.tombstone.items()]
    if not stones or len(keys) != len(raws):
        return []
    return [key for key, raw in zip(keys, raws, strict=True) if all(read(raw) == value for read, value in stones)]


def _refers(resource: Resource, bulk: Bulk, raws: Sequence[object]) -> bytes:
    if not resource.references:
        return b""
    payload = reader(bulk.effect.payload)
    found: dict[str, set[str]] = {}
    for member, name in resource.references.items():
        read = reader(f"/{member}")
        found.setdefault(name, set()).update(str(key) for raw in raws if _is_key(key := read(payload(raw))))
    return orjson.dumps({name: sorted(keys) for name, keys in found.items() if keys}) if any(found.values()) else b""


def _targets(turn: "Turn", plan: BulkPlan, raws: Sequence[object]) -> Iterable[str]:
    if len(raws) > PACKED:
        return
    places = [reader(at) for at in plan.bulk.effect.target if not is_outside(at)]
    for raw in raws:
        resource = plan.dismantler.resource(turn, raw)
        key = next((key for read in places if _is_key(key := read(raw))), None)
        if resource is not None and key is not None:
            yield f"{resource.name}/{key}"


def _groups(bulk: Bulk, raws: Sequence[object]) -> bool:
    if bulk.order.group_by is None:
        return False
    read = reader(bulk.order.group_by)
    return any(read(raw) not in (ABSENT, None) for raw in raws)


def _is_ordered(turn: "Turn", bulk: Bulk) -> bool:
    when = bulk.order.when
    if when is None:
        return True
    return wished(turn, when) if "=" in when else locate(turn, when) in (True, "true")


def _is_given(turn: "Turn", location: str) -> bool:
    """Tell whether the call itself says what stands at a location; defaults do not count."""
    where, _, name = location.partition(":")
    if where == "query":
        return any(given == name for given, _ in turn.call.query)
    return bool(location) and locate(turn, location) is not ABSENT


def _made(turn: "Turn", reply: Reply, ready: Served, bulk: Bulk) -> tuple[Made, ...]:
    """Return the jobs whose handles the reply tells."""
    declared, fan_out = bulk.job, bulk.items.fan_out
    assert declared is not None  # noqa: S101 - the caller has looked
    if fan_out is not None:
        told = look(reply.data, fan_out.succeeded)
        handles = dict(told) if isinstance(told, dict) else {}
    elif declared.handle.startswith("header:"):
        name = declared.handle.partition(":")[2]
        handles = {"": reply.headers.get(name)} if name in reply.headers else {}
    else:
        handles = {"": look(reply.data, declared.handle)}
    due = {job.id: job.due for job in turn.jobs}
    ids = {name: handle_id(turn.api.contract, ready.router, one) for name, one in handles.items() if _is_key(one)}
    return tuple(Made(one, str(target), due.get(one)) for target, one in ids.items())


def _undone(declared: Outcomes, data: object) -> list[str]:
    """Return the keys of the items that an answer says were not done."""
    found: list[object] = []
    for at, bad in ((declared.at, declared.covers == "failed"), (declared.failed_at, True)):
        for place, key, entry in _entries(declared, data, at) if at is not None else ():
            test = declared.failed_if
            if bad or (test is not None and holds(test, entry)):
                found.append(place if key is ABSENT else key)
    return [str(key) for key in found]


def _entries(declared: Outcomes, data: object, at: str) -> Iterable[tuple[int, object, object]]:
    place = 0
    for collection in look_all(data, at):
        pairs = collection.items() if isinstance(collection, dict) else ((ABSENT, one) for one in _listed(collection))
        for name, entry in pairs:
            yield place, name if declared.key is None else look(entry, declared.key), entry
            place += 1


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()


def _stale(outcomes: Iterable[Any]) -> bytes:
    """Return the records whose version was not the stored one, or whose error has a code that speaks of versions."""
    found = [
        f"{one.item.resource.name}/{one.item.target}"
        for one in outcomes
        if one.faults and any(map(_is_conflict, one.faults)) and _is_key(one.item.target)
    ]
    return _pack(found)


def _is_conflict(fault: Any) -> bool:
    return fault.kind == "version" or "version" in str(fault.facts.get("code", "")).lower()


def _shown(ready: Served, reply: Reply) -> bytes:
    members = {one.key for one in ready.api.contract.resources.values() if one.version is not None}
    if not members or reply.data is ABSENT:
        return b""
    data = reply.data
    outer = data if isinstance(data, list) else [data]
    inner = [one for value in (data.values() if isinstance(data, dict) else ()) if isinstance(value, list) for one in value]
    records = [one for one in (*outer, *inner) if isinstance(one, dict)]
    return _pack(str(key) for one in records for name in members if _is_key(key := one.get(name)))


def _declared(ready: Served, operation_id: str) -> BulkJob | None:
    """Return the jobs that an operation polls, cancels, or tells the results of."""
    plans = ready.polls.get(operation_id) or ready.cancels.get(operation_id)
    if plans:
        return plans[0].bulk.job
    jobs = (plan.bulk.job for plan in ready.plans.values())
    return next((one for one in jobs if one is not None and operation_id in one.results), None)


def _last_variable(operation: Operation) -> str:
    return operation.path.rpartition("{")[2].partition("}")[0]


def _is_key(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _pack(words: Iterable[str]) -> bytes:
    listed = list(words)
    return _dumped_texts(listed) if listed else b""


def _dumped_texts(words: list[str]) -> bytes:
    try:
        return orjson.dumps(words)
    except TypeError:
        return orjson.dumps([word.encode("utf-8", "backslashreplace").decode() for word in words])


Facts = Mapping[str, object]
