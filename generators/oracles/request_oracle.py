"""Judge whether a whole request must be refused, and whether a repeated idempotency key is honoured.

Begin with `refusal_findings` and `IdempotencyOracle`.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from typing import Final, Literal, TypeAlias

from contracts.bulk.model import Idempotency
from contracts.exchange.bulk_exchange import BulkExchange
from contracts.exchange.bulk_request import BulkItem, BulkRequest
from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.exchange.locations import ParsedRequest, locate
from contracts.exchange.raw_items import writes_apart
from contracts.messages import ABSENT, Exchange, Response
from contracts.openapi.validation import parse_parameters
from generators.oracles.findings import Finding
from generators.oracles.intended_effects import RecordTypes, written_members
from generators.oracles.response_laws import comparable_reply, view_finding
from generators.requests.calls import body_schema

RefusalFault: TypeAlias = Literal["accepted", "otherwise"]
ReplayFault: TypeAlias = Literal["status", "content"]
UNRELATED_REFUSALS: Final = frozenset((401, 403, 404, 405, 408, 409, 413, 415, 423, 425, 428, 429))
"""Statuses of refusals that have nothing to do with what the items are."""
REASON_LAWS: Final = {
    "empty": "boundary",
    "tooMany": "boundary",
    "tooBig": "boundary",
    "duplicateKey": "duplicate",
    "duplicateTarget": "duplicate",
}
REASON_TEXTS: Final = {
    "empty": "without items",
    "tooMany": "with more items than are allowed",
    "tooBig": "with more bytes than are allowed",
    "duplicateKey": "with a duplicate key",
    "duplicateTarget": "that targets one record twice",
    "malformedItem": "with an item that violates its schema",
    "badMode": "with an unknown mode",
}


def refusal_fault(declared: Collection[int | str], status: int, *, refused: bool) -> RefusalFault | None:
    """Return how the response to a request that must be refused is wrong, None when it is as declared.

    `declared` are the statuses of the applicable reasons; a text among them is an error code and allows any status.
    """
    if not refused:
        return "accepted"
    statuses = {one for one in declared if isinstance(one, int)}
    return "otherwise" if statuses and status not in statuses else None


def replay_fault(
    declared: Idempotency,
    first: Response,
    again: Response,
    content: Callable[[Response], object] = attrgetter("data"),
) -> ReplayFault | None:
    """Return how the response to a repeated request with the same key is wrong, None when it is as declared.

    `content` returns what must be equal in both, where they differ: see `comparable_reply`.
    """
    if again.status != first.status:
        return "status"
    is_same = declared.replay != "same-reply" or again.data == first.data or content(again) == content(first)
    return None if is_same else "content"


def mismatch_fault(declared: Idempotency, status: int) -> RefusalFault | None:
    """Return how the response to other content under a used key is wrong, None when it is as declared."""
    if declared.mismatch is None:
        return None
    return refusal_fault([declared.mismatch], status, refused=status not in SUCCESS_STATUS)


def refusal_findings(record_types: RecordTypes, view: BulkExchange) -> Iterator[Finding]:
    """Yield when a request was accepted that must be refused, or refused without a reason."""
    request, status = view.request, view.exchange.response.status
    reasons = list(reasons_of(record_types, request))
    declared = [(word, request.bulk.guard.refuse[word]) for word in reasons if word in request.bulk.guard.refuse]
    fault = refusal_fault([code for _, code in declared], status, refused=view.kind == "refused")
    if fault == "accepted":
        for word, _ in declared[:1]:
            says = f"a request {REASON_TEXTS[word]} was answered with {status} instead of being refused"
            yield view_finding(REASON_LAWS.get(word, "verdict"), view, f"{word} accepted", says)
        return
    if "malformedItem" in reasons and "malformedItem" not in request.bulk.guard.refuse:
        return  # something else is wrong too, for which no status is declared
    if fault == "otherwise" and status not in UNRELATED_REFUSALS and status < 500:  # noqa: PLR2004 - others are told elsewhere
        wanted = " or ".join(map(str, sorted({code for _, code in declared if isinstance(code, int)})))
        says = f"a request {REASON_TEXTS[declared[0][0]]} was refused with {status}, but {wanted} is declared"
        yield view_finding("status-class", view, f"{declared[0][0]} refused otherwise", says)
    tells_no_items = request.bulk.reply.outcomes is None or request.unit == "whole"
    if tells_no_items and status in request.bulk.reply.status.values():
        return  # the answer for items that failed: it says no more than that
    if not reasons and status not in UNRELATED_REFUSALS and status < 500 and is_fully_readable(record_types, request):  # noqa: PLR2004 - the same
        yield view_finding(
            "verdict", view, f"good request refused with {status}", f"nothing is wrong, and it was refused ({status})"
        )


def reasons_of(record_types: RecordTypes, request: BulkRequest) -> Iterator[str]:
    """Yield why a request must be refused, as keys of `guard.refuse`."""
    bulk, size = request.bulk, len(request.items)
    if size < bulk.items.min:
        yield "empty"
    if bulk.items.max is not None and size > bulk.items.max:
        yield "tooMany"
    if bulk.items.max_bytes is not None and len(request.sent.request.body) > bulk.items.max_bytes:
        yield "tooBig"
    if _has_duplicates([item.key for item in request.items]):
        yield "duplicateKey"
    if _has_duplicates([item.target for item in request.items]):
        yield "duplicateTarget"
    if request.unit is None:
        yield "badMode"
    if any(not fits(record_types, request, item) for item in request.items) or not _body_fits(request):
        yield "malformedItem"


def _has_duplicates(values: Sequence[object]) -> bool:
    named = [repr(value) for value in values if value is not ABSENT and value is not None]
    return len(set(named)) < len(named)


def fits(record_types: RecordTypes, request: BulkRequest, item: BulkItem) -> bool:
    """Return whether an item is no reason to refuse the whole request."""
    bulk, record_type = request.bulk, record_types.get(item.resource or "")
    if writes_apart(bulk.effect) or bulk.effect.http or record_type is None or "malformedItem" not in bulk.guard.refuse:
        return True
    if bulk.effect.action.constant == "delete":
        return True
    members = written_members(item.payload, record_type)
    return record_type.schema is None or (members is not None and record_type.is_valid(members))


def _body_fits(request: BulkRequest) -> bool:
    schema = body_schema(request.operation)
    bulk, size = request.bulk, len(request.items)
    counted = size < bulk.items.min or (bulk.items.max is not None and size > bulk.items.max)
    return counted or schema is None or schema.is_valid(request.sent.data)


def is_fully_readable(record_types: RecordTypes, request: BulkRequest) -> bool:
    """Return whether every part of a request can be read here, so that no other fault is possible."""
    wanted = (one for one in request.operation.parameters if one.required and one.where in {"header", "query"})
    if any(locate(request.sent, f"{one.where}:{one.name}") is ABSENT for one in wanted):
        return False
    return all(item.action is not None and item.resource in record_types for item in request.items)


@dataclass(slots=True)
class IdempotencyOracle:
    """The requests sent under each idempotency key; a repeated one has no further effect.

    Whether a request that failed is done again under its key, or its response repeated, is not declared.
    """

    _requests: dict[tuple[str, str], Exchange] = field(default_factory=dict)

    def before(self, view: BulkExchange) -> Exchange | None:
        """Return the earlier exchange under the same key, None when there is none."""
        name = _idempotency_key(view)
        return None if name is None else self._requests.get(name)

    def note(self, view: BulkExchange) -> None:
        """Store the first exchange under its key, or the first that succeeded."""
        name = _idempotency_key(view)
        known = self._requests.get(name) if name is not None else None
        if name is not None and (known is None or known.response.status not in SUCCESS_STATUS):
            self._requests[name] = view.exchange

    def findings(self, view: BulkExchange, earlier: Exchange) -> Iterator[Finding]:
        """Yield when a repeated request gets another response, or other content is accepted under its key."""
        declared = view.bulk.guard.idempotency
        if declared is None:
            return
        same, status = earlier.request.body == view.exchange.request.body, view.exchange.response.status
        if same and declared.replay == "same-reply" and declared.concurrent is None:
            content = partial(comparable_reply, view)
            if replay_fault(declared, earlier.response, view.exchange.response, content) is not None:
                says = "a request that was repeated with its idempotency key got a different response"
                yield view_finding("idempotent", view, "repeat answered otherwise", says, earlier)
        elif not same and mismatch_fault(declared, status) == "accepted":
            says = (
                f"other content under a used idempotency key was answered with {status} instead of {declared.mismatch}"
            )
            yield view_finding("idempotent", view, "other content accepted", says, earlier)


def _idempotency_key(view: BulkExchange) -> tuple[str, str] | None:
    declared = view.bulk.guard.idempotency
    if declared is None or declared.scope != "request":
        return None
    given = locate(view.request.sent, declared.key)
    return None if given is ABSENT else (view.operation.id, str(given))


def is_fit_request(sent: ParsedRequest) -> bool:
    """Say whether a request fits the schemas of its parameters and of its body."""
    schema = body_schema(sent.operation)
    is_body = sent.data is ABSENT or schema is None or schema.is_valid(sent.data)
    return is_body and not parse_parameters(sent.operation, sent.request, sent.variables)[1]
