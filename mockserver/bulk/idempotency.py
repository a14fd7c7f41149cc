"""Answer a repeated bulk request under an idempotency key with what came of the first. Main: `serve_bulk_idempotently`.

See the IETF draft "The Idempotency-Key HTTP Header Field": other content under a key is refused, and so is a repetition
of what still runs where that is declared. `mockserver.bulk.item_keys` has the keys of single items.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from contracts.bulk.model import Idempotency
from contracts.exchange.locations import chosen_by, locate
from contracts.messages import ABSENT, Response
from contracts.openapi.model import Operation
from mockserver.api.model import Refusal, RequestContext
from mockserver.bulk.execution import reply_of, serve_bulk
from mockserver.bulk.guards import make_batch
from mockserver.bulk.item_keys import DEFAULT_KEY_RETENTION, with_current_record
from mockserver.bulk.prepared_api import BulkPlan, prepared
from mockserver.domain.values import Outcome

MISMATCH_STATUSES: Final = (422, 409, 400)  # of the response to other content, the first that is declared


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """What is kept under an idempotency key: when, the SHA-256 of the request's body, and what came of it."""

    at: datetime
    content: bytes
    response: Response
    jobs: tuple[str, ...]
    outcomes: Sequence[Outcome] = ()


def serve_bulk_idempotently(context: RequestContext) -> Response:
    """Serve a bulk request; a repeated key gets the stored response, or is refused when the body differs."""
    plan = prepared(context.api).plans[context.routed.id]
    declared = plan.bulk.guard.idempotency
    given = ABSENT if declared is None else locate(context, declared.key)
    if declared is None or given is ABSENT or declared.scope != "request":
        return serve_bulk(context)
    place = (context.routed.id, context.scope, context.client, str(given))
    memory: dict[tuple[str, ...], IdempotencyRecord] = context.api_state.memory.setdefault("idempotency", {})
    keep = declared.keep or DEFAULT_KEY_RETENTION
    before = memory.get(place)
    content = sha256(context.request.body).digest()
    if before is not None and context.now < before.at + keep:
        return _repeated_response(context, plan, declared, before, content)
    response = serve_bulk(context)
    outcomes = context.outcomes if declared.replay == "current-state" else ()
    kept = IdempotencyRecord(context.now, content, response, tuple(job.id for job in context.jobs), outcomes)
    context.api_state.remember("idempotency", place, kept, context.now + keep)
    return response


def _repeated_response(
    context: RequestContext, plan: BulkPlan, declared: Idempotency, before: IdempotencyRecord, content: bytes
) -> Response:
    if content != before.content:
        otherwise = _declared_status(plan.operation)
        return _refused(context, declared.mismatch, "The key was used with other content.", otherwise)
    unfinished = any(name in context.api_state.jobs.unfinished for name in before.jobs)
    if unfinished and declared.concurrent is not None:
        return _refused(context, declared.concurrent, "The request with this key is still running.", 409)
    if not before.outcomes:
        return before.response
    unit = chosen_by(context, plan.bulk.unit.of) or "item"
    current = [with_current_record(context.api_state.store, context.scope, one) for one in before.outcomes]
    return reply_of(context, plan, make_batch(context, plan, unit), current)


def _declared_status(operation: Operation) -> int:
    known = (one for one in MISMATCH_STATUSES if operation.response(one) is not None)
    return next(known, MISMATCH_STATUSES[0])


def _refused(context: RequestContext, status: int | str | None, detail: str, otherwise: int) -> Response:
    code = status if isinstance(status, int) else otherwise
    message = f"{status}: {detail}" if isinstance(status, str) else detail
    return context.refuse(Refusal(status=code, kind="conflict", detail=message))
