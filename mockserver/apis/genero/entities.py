"""PUT of one entity: what a batch item does, at once, and a deleted entity lives again."""

from typing import Any, Final

from contracts.messages import Reply
from contracts.validation import check_value
from mockserver.apis.genero.texts import NOT_FOUND, WORDS, text_of
from mockserver.behaviours.records import run_of, stored
from mockserver.domain.records import Keeper
from mockserver.domain.values import Item
from mockserver.replying import reply_with
from mockserver.served import served
from mockserver.turn import Refusal, Turn

CREATED: Final = 201
OK: Final = 200


def put(turn: Turn) -> Reply:
    """Create, change, revive or delete the entity that the path names."""
    keeper = served(turn.api).keepers[turn.variables["entity"]]
    refusal = _malformed(turn, keeper)
    if refusal is not None:
        return turn.api.hooks.refuse(turn, refusal)
    entity: dict[str, Any] = turn.data  # type: ignore[assignment] # its schema says that it is an object
    key, deletes = turn.variables["id"], entity.get("deleted", False)
    lives = stored(turn, keeper, key) is not None
    if deletes and not lives:
        text = NOT_FOUND.format(entity=WORDS[keeper.resource.name], id=key)
        return turn.api.hooks.refuse(turn, Refusal(status=404, kind="not-found", detail=text))
    item = Item(0, key, "upsert", keeper.resource, key, {**entity, "deleted": deletes}, None, None, entity)
    return _written(turn, keeper, item, CREATED if not lives else OK)


def _malformed(turn: Turn, keeper: Keeper) -> Refusal | None:
    """Refuse a body that would deny a batch, or whose key is not the path's."""
    schema = keeper.payloads.schema
    report = None if schema is None else check_value(schema, turn.data)
    if report:
        turn.violations = report.violations
        detail = "The entity cannot be interpreted."
        return Refusal(status=400, kind="invalid", detail=detail, violations=report.violations, total=report.total)
    key = keeper.resource.key
    if isinstance(turn.data, dict) and turn.data[key] != turn.variables["id"]:
        return Refusal(status=400, kind="invalid", detail=f"'{key}' in the body is not the id in the path.")
    return None


def _written(turn: Turn, keeper: Keeper, item: Item, status: int) -> Reply:
    run = run_of(turn)
    outcome = keeper.bind(run, turn.world.store).apply(item)
    turn.outcomes = (outcome,)
    if outcome.record is None:
        return turn.api.hooks.refuse(turn, Refusal(status=400, kind="invalid", detail=text_of(outcome)))
    if outcome.record.deleted:
        return Reply(status=204)
    return reply_with(turn, status, turn.api.hooks.render(run, keeper.resource, outcome.record))
