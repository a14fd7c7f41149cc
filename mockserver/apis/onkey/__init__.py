"""On Key, as far as its contract cannot say it: message texts, converters, OKQL, and the shapes of its answers."""

from typing import Final

from contracts.document import load_bundled
from mockserver.api import Api, Behaviour, Hooks
from mockserver.apis.onkey import (
    canon,
    converters,
    entities,
    laws,
    listing,
    messages,
    refusals,
    replies,
    scope,
    singles,
    stock,
    tasks,
    updates,
)
from mockserver.turn import Turn

__all__ = ["api"]

MOST: Final = 1000  # records in a request, the contract's limit too
SETTINGS: Final = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "maxRecords": {
            "type": "integer",
            "minimum": 1,
            "maximum": MOST,
            "description": "How many records a request may have.",
        }
    },
}
BEHAVIOURS: Final[dict[str, Behaviour]] = {
    "batchGet": listing.batch_get,
    "cancelTask": tasks.cancel_task,
    "create": singles.create,
    "delete": singles.delete,
    "fetchToken": scope.fetch_token,
    "import": replies.imported,
    "importByPatch": replies.imported,
    "list": listing.list_records,
    "listTaskSteps": tasks.list_steps,
    "read": listing.read,
    "readTask": tasks.read_task,
    "update": singles.update,
}


def max_items(turn: Turn) -> int:
    """Return how many records a request may have."""
    most: int = turn.world.settings["onkey"]["maxRecords"]
    return most


HOOKS: Final = Hooks(
    admit=scope.admit,
    scope=scope.scope,
    stock=stock.stock,
    canon=canon.canon,
    refuse=refusals.refuse,
    max_items=max_items,
    changes=updates.changes,
    resolve=converters.resolve,
    new_keys=stock.new_keys,
    job_id=stock.job_id,
    inspect=updates.inspect,
    render=entities.render,
    entries=messages.entries,
    finish=replies.finish,
)


def api() -> Api:
    """Return the API as it is served under `/onkey`."""
    return Api(
        name="onkey",
        contract=load_bundled("onkey"),
        behaviours=BEHAVIOURS,
        hooks=HOOKS,
        settings={"maxRecords": MOST},
        settings_schema=SETTINGS,
        laws=laws.LAWS,
    )
