"""Serving single records: create, read, update, replace, upsert, delete, list."""

from collections.abc import Sequence
from typing import Final

from contracts.bulk import Page, RecordAct
from contracts.messages import ABSENT, Headers, Reply
from contracts.model import Operation
from contracts.parameters import INTEGER
from contracts.pointers import look_up
from contracts.preconditions import IF_MATCH, Version, version_of
from mockserver.domain.acting import acting
from mockserver.domain.places import choose, is_outside, locate
from mockserver.domain.preconditions import NEEDY, is_known, malformed, missing, tagged, unmatched, unmodified, unwanted
from mockserver.domain.records import Keeper, failed
from mockserver.domain.replies import http_status, message_of
from mockserver.domain.values import Fault, Item, Outcome
from mockserver.replying import reply_with
from mockserver.scopes import stocked
from mockserver.served import served
from mockserver.stores import Collection, Record, key_order
from mockserver.stores.memory import Overlay
from mockserver.turn import Refusal, Run, Turn

NOT_FOUND: Final = 404


def single(turn: Turn) -> Reply:
    """Serve a single-record call."""
    operation = _operation(turn)
    act = operation.record
    assert act is not None  # noqa: S101 - the engine calls this for such an operation only
    keeper = keeper_of(turn, act)
    if keeper is None:
        return turn.api.hooks.refuse(turn, Refusal(status=404, kind="not-found", detail="No such kind of record."))
    refusal = malformed(turn, operation) or missing(turn, operation) or _misnamed(turn, keeper, act)
    if refusal is not None:
        return turn.api.hooks.refuse(turn, refusal)
    run = run_of(turn)
    stocked(run)
    action = act.action.constant
    if action == "list":
        return _listed(turn, run, keeper, act.page)
    if action == "read":
        return _read(turn, run, keeper, act)
    return _written(turn, run, keeper, act)


def _misnamed(turn: Turn, keeper: Keeper, act: RecordAct) -> Refusal | None:
    """Refuse a call whose path, query or header names what cannot be a key."""
    key = _key(turn, keeper, act)
    if key is ABSENT or not is_outside(act.key or "") or keeper.keys.kind.fits(key):
        return None
    detail = f"'{str(key)[:80]}' cannot be the {keeper.resource.key} of a record of {keeper.resource.name}."
    status = declared_status(_operation(turn), (404, 400, 422))
    return Refusal(status=status, kind="not-found" if status == NOT_FOUND else "invalid", detail=detail)


def declared_status(operation: Operation, choices: Sequence[int]) -> int:
    """Return the first of these statuses that an operation declares, by number or class; else the first."""
    declared = operation.responses
    known = (one for one in choices if str(one) in declared or f"{one // 100}XX" in declared)
    return next(known, choices[0])


def _operation(turn: Turn) -> Operation:
    assert turn.operation is not None  # noqa: S101 - the engine calls behaviours for routed calls only
    return turn.operation


def keeper_of(turn: Turn, act: RecordAct) -> Keeper | None:
    """Return the keeper of the resource that a call speaks of."""
    name = choose(act.resource, locate(turn, act.resource.source) if act.resource.source else ABSENT)
    return served(turn.api).keepers.get(name or "")


def run_of(turn: Turn) -> Run:
    """Return a run of one record in the call's data set."""
    return Run(
        api=turn.api,
        world=turn.world,
        scope=turn.scope,
        now=turn.now,
        unit="item",
        operation=turn.operation,
        client=turn.client,
    )


def item_of(turn: Turn, keeper: Keeper, act: RecordAct) -> Item:
    """Return the one item that a single-record call amounts to."""
    payload = look_up(turn.data, act.payload) if turn.data is not ABSENT else {}
    target = _key(turn, keeper, act)
    if target is ABSENT and isinstance(payload, dict):
        target = payload.get(keeper.resource.key, ABSENT)
    elif isinstance(payload, dict) and act.key is not None and not keeper.resource.assigned:
        payload = {keeper.resource.key: target, **payload}
    action, version = _action(turn, keeper, act, target), _version(turn, act)
    return Item(0, None, action, keeper.resource, target, payload, version, None, turn.data)


def _version(turn: Turn, act: RecordAct) -> Version | None:
    """Return the version that the call names; If-Match is looked at before, as the precondition that it is."""
    if act.version is None or act.version.lower() == f"header:{IF_MATCH}".lower():
        return None
    return version_of(locate(turn, act.version))


def _action(turn: Turn, keeper: Keeper, act: RecordAct, target: object) -> str:
    """Return what the call wants done: a replacement may create where the operation declares 201."""
    creates = act.action.constant == "replace" and "201" in _operation(turn).responses
    return "create" if creates and stored(turn, keeper, target) is None else act.action.constant


def stored(turn: Turn, keeper: Keeper, key: object) -> Record | None:
    """Return the record of that key in the call's data set, None when there is none or it is deleted."""
    record = turn.world.store.get(Collection(turn.scope, keeper.resource.name), key)  # type: ignore[arg-type] # a str or an int
    return None if record is None or record.deleted else record


def _key(turn: Turn, keeper: Keeper, act: RecordAct) -> object:
    """Return the key that the call names, in the type that its schema says.

    Where that says none, digits name a number if a record has it and none has them as text.
    """
    if act.key is None:
        return ABSENT
    given = keeper.keys.kind.typed(locate(turn, act.key))
    unsure = is_outside(act.key) and not keeper.keys.kind.is_text
    if unsure and isinstance(given, str) and INTEGER.fullmatch(given):
        collection = Collection(turn.scope, keeper.resource.name)
        named = stored(turn, keeper, given) is None and turn.world.store.get(collection, int(given)) is not None
        return int(given) if named else given
    return given


def _read(turn: Turn, run: Run, keeper: Keeper, act: RecordAct) -> Reply:
    record = stored(turn, keeper, _key(turn, keeper, act))
    if record is None:
        return _not_found(turn, keeper, act)
    operation = _operation(turn)
    refusal = unmatched(turn, operation, record)
    if refusal is not None:
        return turn.api.hooks.refuse(turn, refusal)
    headers = tagged(operation, 200, record)
    if headers and is_known(turn, operation, record):
        return unmodified(headers)
    return reply_with(turn, 200, turn.api.hooks.render(run, keeper.resource, record), headers)


def _not_found(turn: Turn, keeper: Keeper, act: RecordAct) -> Reply:
    detail = f"No {keeper.resource.name} has the key {str(locate(turn, act.key or ''))[:80]}."
    return turn.api.hooks.refuse(turn, Refusal(status=404, kind="not-found", detail=detail))


def _written(turn: Turn, run: Run, keeper: Keeper, act: RecordAct) -> Reply:
    item = item_of(turn, keeper, act)
    refusal = _contradicted(turn, keeper, act, item) or _unfulfilled(turn, keeper, act, item)
    if refusal is not None:
        return turn.api.hooks.refuse(turn, refusal)
    outcome = _applied(turn, run, keeper, item)
    turn.outcomes = (outcome,)
    if outcome.failed:
        return _refused(turn, outcome)
    return _done(turn, run, keeper, outcome)


def _contradicted(turn: Turn, keeper: Keeper, act: RecordAct, item: Item) -> Refusal | None:
    """Refuse a body whose key is not the one that the call names."""
    own = keeper.resource.key
    shown = item.payload.get(own) if isinstance(item.payload, dict) else None
    if act.key is None or shown is None or shown == item.target or keeper.keys.kind.typed(shown) == item.target:
        return None
    named = f"'{str(item.target)[:80]}', which {act.key} names"
    detail = f"{own} in the body must be {named}, or be left out; got '{str(shown)[:80]}'."
    return Refusal(status=declared_status(_operation(turn), (400, 409, 422)), kind="invalid", detail=detail)


def _unfulfilled(turn: Turn, keeper: Keeper, act: RecordAct, item: Item) -> Refusal | None:
    """Refuse a write whose precondition is false; what would be refused for want of a record is not looked at."""
    record = stored(turn, keeper, item.target)
    if (act.key is None and item.action == "create") or (record is None and item.action in NEEDY):
        return None
    operation = _operation(turn)
    refusal = unmatched(turn, operation, record)
    if refusal is None and is_known(turn, operation, record):
        refusal = unwanted(turn)
    if refusal is not None:
        current = None if record is None else record.version
        turn.outcomes = (failed(item, Fault("version", (), facts={"current": current, "key": item.target})),)
    return refusal


def _applied(turn: Turn, run: Run, keeper: Keeper, item: Item) -> Outcome:
    """Apply the record, as a scenario wants it if one does."""
    store = turn.world.store
    if turn.acts is None:
        return keeper.bind(run, store).apply(item)
    return acting(turn.acts, keeper.bind(run, store).apply, lambda one: keeper.bind(run, Overlay(store)).apply(one))(
        item
    )


def _refused(turn: Turn, outcome: Outcome) -> Reply:
    status = http_status(outcome)
    known = _operation(turn).responses
    if str(status) not in known and "default" not in known and f"{status // 100}XX" not in known:
        status = 400
    kind = "not-found" if status == 404 else "invalid"  # noqa: PLR2004 - HTTP's own number
    return turn.api.hooks.refuse(turn, Refusal(status=status, kind=kind, detail=f"{message_of(outcome)}."))


def _done(turn: Turn, run: Run, keeper: Keeper, outcome: Outcome) -> Reply:
    assert outcome.record is not None  # noqa: S101 - a done item has a record
    statuses = _operation(turn).responses
    if outcome.action == "delete":
        return Reply(status=204) if "204" in statuses else reply_with(turn, 200, ABSENT)
    status = 201 if outcome.action == "create" and "201" in statuses else 200
    shown = turn.api.hooks.render(run, keeper.resource, outcome.record)
    return reply_with(turn, status, shown, tagged(_operation(turn), status, outcome.record))


def _listed(turn: Turn, run: Run, keeper: Keeper, page: Page) -> Reply:
    every = in_key_order(turn, keeper)
    is_paged = page.skip is not None or page.take is not None
    skip, take = _number(turn, page.skip, 0), _number(turn, page.take, page.default if is_paged else len(every))
    window = every[skip : skip + take]
    headers = Headers()
    if page.total is not None and page.total.startswith("header:"):
        headers = Headers(((page.total.partition(":")[2], str(len(every))),))
    return reply_with(turn, 200, [turn.api.hooks.render(run, keeper.resource, one) for one in window], headers)


def in_key_order(turn: Turn, keeper: Keeper) -> Sequence[Record]:
    """Return the records of the call's data set that are not deleted, ordered by key."""
    found = turn.world.store.scan(Collection(turn.scope, keeper.resource.name))
    return sorted((one for one in found if not one.deleted), key=key_order)


def _number(turn: Turn, place: str | None, default: int) -> int:
    given = ABSENT if place is None else locate(turn, place)
    return given if isinstance(given, int) else default
