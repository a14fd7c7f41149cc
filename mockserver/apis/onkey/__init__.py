"""On Key, after the vendor's API pages: hooks and behaviours for what its contract cannot declare."""

from dataclasses import replace
from typing import Final

from contracts.openapi.loading import load_bundled
from mockserver.api.model import Api, Behaviour, RequestContext
from mockserver.apis.onkey import data_set, lists, messages, resource_types, scope, tasks, writes
from mockserver.engine.default_hooks import DEFAULT_HOOKS
from mockserver.verdicts.conduct_law import ConductLaw
from mockserver.verdicts.limits import re_read_after_conflict
from mockserver.verdicts.messages import ordered_stated, right_content_type, stated_mode, unique_keys
from mockserver.verdicts.polling import polled_to_end
from mockserver.verdicts.resending import no_unchanged_retry, resent_only_failed

__all__ = ["api"]

MAX_REQUEST_ITEMS: Final = 1000  # records in a request, the contract's limit too
SETTINGS: Final = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "maxRecords": {
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_REQUEST_ITEMS,
            "description": "How many records a request may have.",
        }
    },
}
LAWS: Final = (
    ConductLaw(id="unique-user-ids", says="Gives each record of a request its own userObjectId.", judge=unique_keys),
    ConductLaw(
        id="resent-only-failed", says="Sends only failed records again after PerRecord.", judge=resent_only_failed
    ),
    ConductLaw(
        id="re-read-after-conflict", says="Reads a record after a version conflict.", judge=re_read_after_conflict
    ),
    ConductLaw(
        id="no-unchanged-retry", says="Does not send an AllOrNone failure again unchanged.", judge=no_unchanged_retry
    ),
    ConductLaw(id="stated-mode", says="States the mode in each bulk request.", judge=stated_mode),
    ConductLaw(
        id="right-content-type", says="Sends each body with the content type of its call.", judge=right_content_type
    ),
    ConductLaw(id="polled-to-end", says="Polls each background task until it has ended.", judge=polled_to_end),
    ConductLaw(id="ordered-stated", says="Sends ordered=true where records have a groupOrder.", judge=ordered_stated),
)

BEHAVIOURS: Final[dict[str, Behaviour]] = {
    "batchGet": lists.batch_get,
    "cancelTask": tasks.cancel_task,
    "create": writes.create,
    "delete": writes.delete,
    "fetchToken": scope.fetch_token,
    "import": messages.imported,
    "importByPatch": messages.imported,
    "list": lists.list_records,
    "listTaskSteps": tasks.list_steps,
    "read": lists.read,
    "readTask": tasks.read_task,
    "update": writes.update,
}


def max_items(context: RequestContext) -> int:
    """Return the maximum number of records of a request."""
    most: int = context.api_state.settings["onkey"]["maxRecords"]
    return most


HOOKS: Final = replace(
    DEFAULT_HOOKS,
    authenticate=scope.admit,
    scope=scope.scope,
    populate=scope.stock,
    canonicalise=resource_types.canonical_body,
    refuse=messages.refuse,
    max_items=max_items,
    changed_members=writes.changes,
    resolve=data_set.resolve,
    new_keys=scope.new_keys,
    job_id=scope.job_id,
    render=data_set.render,
    entries=messages.entries,
    finish=messages.finish,
)


def api() -> Api:
    """Return the API as it is served under `/onkey`."""
    return Api(
        name="onkey",
        contract=load_bundled("onkey"),
        behaviours=BEHAVIOURS,
        hooks=HOOKS,
        settings={"maxRecords": MAX_REQUEST_ITEMS},
        settings_schema=SETTINGS,
        laws=LAWS,
        memory_types=scope.MEMORY_TYPES,
        plain=False,
    )
