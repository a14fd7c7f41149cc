"""Whether a whole request must be turned away before any item is looked at, and with what status."""

from collections.abc import Iterator, Sequence
from typing import Final

from contracts.messages import ABSENT
from generators.campaign.kinds import Kinds
from generators.campaign.wants import members_of
from generators.checks.findings import Finding
from generators.checks.outcome_laws import found
from generators.checks.reading import BulkCall, SentItem
from generators.checks.views import View
from generators.locations import locate
from generators.requests.calls import body_schema

OTHERWISE: Final = frozenset((401, 403, 404, 405, 408, 409, 413, 415, 423, 425, 429))
"""Statuses of refusals that have nothing to do with what the items are."""
LAWS: Final = {"empty": "boundary", "tooMany": "boundary", "duplicateKey": "duplicate", "duplicateTarget": "duplicate"}
SAYS: Final = {
    "empty": "without items",
    "tooMany": "with more items than are allowed",
    "duplicateKey": "with a duplicate key",
    "duplicateTarget": "that targets one record twice",
    "malformedItem": "with an item that violates its schema",
    "badMode": "with an unknown mode",
}


def refusal_findings(kinds: Kinds, view: View) -> Iterator[Finding]:
    """Yield where a request was accepted that had to be refused, or refused although nothing is wrong with it."""
    call, status = view.call, view.exchange.reply.status
    reasons = list(reasons_of(kinds, call))
    declared = [(word, call.bulk.guard.refuse[word]) for word in reasons if word in call.bulk.guard.refuse]
    if view.kind != "refused":
        for word, _ in declared[:1]:
            says = f"a request {SAYS[word]} was answered with {status} instead of being refused"
            yield found(LAWS.get(word, "verdict"), view, f"{word} accepted", says)
        return
    statuses = {code for _, code in declared if isinstance(code, int)}
    if statuses and status not in statuses | OTHERWISE and status < 500:  # noqa: PLR2004 - others are told elsewhere
        wanted = " or ".join(map(str, sorted(statuses)))
        says = f"a request {SAYS[declared[0][0]]} was refused with {status}, but {wanted} is declared"
        yield found("status-class", view, f"{declared[0][0]} refused otherwise", says)
    if call.bulk.reply.outcomes is None and status in call.bulk.reply.status.values():
        return  # the answer for items that failed: it says no more than that
    if not reasons and status not in OTHERWISE and status < 500 and is_plain(kinds, call):  # noqa: PLR2004 - the same
        yield found(
            "verdict", view, f"good request refused with {status}", f"nothing is wrong, and it was refused ({status})"
        )


def reasons_of(kinds: Kinds, call: BulkCall) -> Iterator[str]:
    """Yield why a request must be refused, as words of `guard.refuse`."""
    bulk, size = call.bulk, len(call.items)
    if size < bulk.items.min:
        yield "empty"
    if bulk.items.max is not None and size > bulk.items.max:
        yield "tooMany"
    if _twice([item.key for item in call.items]):
        yield "duplicateKey"
    if _twice([item.target for item in call.items]):
        yield "duplicateTarget"
    if call.unit is None:
        yield "badMode"
    if any(not fits(kinds, call, item) for item in call.items) or not _body_fits(call):
        yield "malformedItem"


def _twice(values: Sequence[object]) -> bool:
    named = [repr(value) for value in values if value is not ABSENT and value is not None]
    return len(set(named)) < len(named)


def fits(kinds: Kinds, call: BulkCall, item: SentItem) -> bool:
    """Say whether an item does not have the whole request refused for it."""
    bulk, kind = call.bulk, kinds.get(item.resource or "")
    if bulk.effect.payload or kind is None or "malformedItem" not in bulk.guard.refuse:
        return True
    if bulk.effect.action.constant == "delete":
        return True
    members = members_of(item.payload, kind)
    return kind.schema is None or (members is not None and kind.is_valid(members))


def _body_fits(call: BulkCall) -> bool:
    schema = body_schema(call.operation)
    bulk, size = call.bulk, len(call.items)
    counted = size < bulk.items.min or (bulk.items.max is not None and size > bulk.items.max)
    return counted or schema is None or schema.is_valid(call.sent.data)


def is_plain(kinds: Kinds, call: BulkCall) -> bool:
    """Say whether everything about a request can be read here, so that nothing else could be wrong with it."""
    wanted = (one for one in call.operation.parameters if one.required and one.where in {"header", "query"})
    if any(locate(call.sent, f"{one.where}:{one.name}") is ABSENT for one in wanted):
        return False
    return all(item.action is not None and item.resource in kinds for item in call.items)
