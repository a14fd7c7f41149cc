"""Find what an `x-bulk` says and the mock server cannot do, to refuse it and not to ignore it. Begin with `unserved`.

`x-bulk.schema.json` says which members there are and of what type; here is which of them go together. The table
`CHECKS` has one function for each axis; each yields a pointer into `x-bulk`, a fact and a cure.
"""

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from contracts.bulk.declarations import unreturnable
from contracts.bulk.model import Bulk, BulkJob, Choice, Outcomes, RecordAct
from contracts.openapi.model import Contract, Operation, is_json
from contracts.openapi.routing import last_variable
from contracts.syntax.text import did_you_mean, listed

Mistakes: TypeAlias = Iterator[tuple[str, str, str]]
RECORD_ACTIONS: Final = frozenset(("create", "delete", "replace", "update", "upsert"))
REQUEST_ACTIONS: Final = RECORD_ACTIONS | {"read"}  # of items that are HTTP requests
CALL_ACTIONS: Final = REQUEST_ACTIONS | {"list"}
UNITS: Final = frozenset(("group", "item", "whole"))
JSON_SHAPES: Final = frozenset(("array", "map"))
QUOTAS: Final = frozenset(("bytes", "items", "max-size-batch", "requests"))  # what a quota can count
FAILURES: Final = ("someFailed", "allFailed", "wholeFailed")  # classes of reply.status
FAILED_STATES: Final = frozenset(("doneWithErrors", "failed"))  # of a job
FAILURE_COUNTS: Final = frozenset(("anyFailed", "done", "failed"))
OK: Final = 200  # the status of a reply that declares none
UNPROCESSED: Final = "unprocessed"  # a quota whose breach leaves items over


def unserved(contract: Contract) -> Mistakes:
    """Yield what operations declare that is not served: pointers into the document, facts, cures."""
    for one in contract.operations:
        if one.record is not None and not one.record.inferred:
            yield from ((f"{one.pointer}/x-record{at}", fact, cure) for at, fact, cure in _record(one.record))
        if one.bulk is not None and one.quota:
            yield f"{one.pointer}/x-quota", "the operation has an x-bulk.", "Write it as guard.quota there."
        if one.bulk is not None:
            for check in CHECKS:
                yield from ((f"{one.pointer}/x-bulk{at}", fact, cure) for at, fact, cure in check(one, one.bulk))


def _record(record: RecordAct) -> Mistakes:
    """Yield an action of a call that is none, or is not the same in every call."""
    action, cure = record.action, f"Write {listed(sorted(CALL_ACTIONS), 'or')}."
    if action.source:
        yield "/action", f"{action.source} does not choose what the call does: an operation does one thing.", cure
    elif action.constant not in CALL_ACTIONS:
        cure = did_you_mean(action.constant, CALL_ACTIONS) or cure
        yield "/action", f"'{action.constant}' is no action of a call that is served.", cure


def _items(operation: Operation, bulk: Bulk) -> Mistakes:
    items = bulk.items
    content = () if operation.body is None else operation.body.content
    if not content:
        yield "/items", "the operation has no request body to take items from.", "Declare its requestBody."
    elif items.shape in JSON_SHAPES and not any(is_json(one.media_range) or "*" in one.media_range for one in content):
        known = listed(one.media_range for one in content)
        yield (
            "/items/as",
            f"items as {items.shape} are read from JSON, and the body is {known}.",
            "Declare a JSON body, or items as lines, line-pairs, rows or parts.",
        )
    if items.shape not in JSON_SHAPES and items.also_at:
        yield "/items/alsoAt", f"items as {items.shape} are looked for in one place.", "Drop it."
    if items.groups is not None and items.shape in {"line-pairs", "parts", "rows"}:
        yield "/items/groups", f"items as {items.shape} are not read in groups.", "Drop it, or name unit.group."
    if items.shape == "parts" and not bulk.effect.http:
        cure = "Add effect.http: {method: /method, url: /url, headers: /headers, body: /body}."
        yield "/items/as", "the parts of a body are read as HTTP requests.", cure
    if items.shape != "line-pairs" and "/~action" in {bulk.effect.action.source, bulk.key.at}:
        yield "/effect/action/from", "/~action is the word of a pair of lines.", "Write items.as: line-pairs."


READS_CURE: Final = (
    "Leave x-bulk out: x-reads is for reads of several records, by keys in the path or the query; items that are HTTP "
    "requests (effect.http) may read."
)


def _effect(operation: Operation, bulk: Bulk) -> Mistakes:
    del operation
    effect = bulk.effect
    known = REQUEST_ACTIONS if effect.http else RECORD_ACTIONS
    at = "/effect/action" + ("/map" if effect.action.source else "")
    spoken = [(at, one) for one in _meanings(effect.action)] + [("/effect/payload", one) for one in effect.payload_of]
    for place, action in spoken:
        if action not in known:
            cure = did_you_mean(action, known) or f"Write {listed(sorted(known), 'or')}."
            cure = READS_CURE if action == "read" else cure
            yield place, f"'{action}' is no action of an item that is served.", cure
    if effect.http:
        yield from _http(bulk)


def _http(bulk: Bulk) -> Mistakes:
    """Yield what the request inside an item says already."""
    effect = bulk.effect
    for member in ("method", "url"):
        if member not in effect.http:
            yield "/effect/http", f"a request has a {member}, and nothing says where.", f"Add {member}."
    again = (
        ("resource", effect.resource is not None),
        ("target", bool(effect.target) and effect.target != (effect.http.get("url"),)),
        ("payload", bool(effect.payload) and effect.payload != effect.http.get("body")),
        ("tombstone", bool(effect.tombstone)),
    )
    for member, is_said in again:
        if is_said:
            yield f"/effect/{member}", "the operation that an item's request is for says that.", "Drop it."


def _key(operation: Operation, bulk: Bulk) -> Mistakes:
    del operation
    if bulk.key.by in {"index", "order"} and bulk.key.at is not None and bulk.order.reference is None:
        yield "/key/at", f"items that are matched by {bulk.key.by} have no key.", "Drop it, or write by: client."


def _unit(operation: Operation, bulk: Bulk) -> Mistakes:
    del operation
    unit, order = bulk.unit, bulk.order
    at = "/unit/of" + ("/map" if unit.of.source else "")
    for word in _meanings(unit.of):
        if word not in UNITS:
            yield at, f"'{word}' is no unit.", did_you_mean(word, UNITS) or f"Write {listed(sorted(UNITS), 'or')}."
    has_groups = unit.group is not None or order.group_by is not None or bulk.items.groups is not None
    if "group" in _meanings(unit.of) and not has_groups:
        yield "/unit/of", "nothing says in which group an item is.", "Add unit.group."
    if unit.group is not None and order.group_by is not None and unit.group != order.group_by:
        yield "/unit/group", "items are grouped by order.groupBy too, by another member.", "Name the same member twice."
    if unit.marked_as is not None and unit.rolled_back != "marked":
        yield "/unit/markedAs", "items of a failed unit are not marked.", "Add rolledBack: marked."


def _meanings(choice: Choice) -> set[str]:
    return set(choice.words.values()) if choice.source else {choice.constant}


def _order(operation: Operation, bulk: Bulk) -> Mistakes:
    del operation
    order = bulk.order
    waits = order.depends_on is not None or order.reference is not None
    if order.run == "grouped" and order.group_by is None:
        yield "/order/run", "nothing says in which group an item is.", "Add groupBy."
    if order.when is not None and order.run != "grouped":
        yield "/order/when", "only a grouped order can be asked for.", "Write run: grouped, or drop it."
    if order.on_broken is not None and not waits:
        yield "/order/onBroken", "items do not depend on one another.", "Add dependsOn or reference, or drop it."
    if order.forward and not waits:
        yield "/order/forward", "items do not refer to one another.", "Add dependsOn or reference, or drop it."


def _outcomes(operation: Operation, bulk: Bulk) -> Mistakes:
    del operation
    places: list[tuple[str, Outcomes | None]] = [("/reply/outcomes", bulk.reply.outcomes)]
    places.append(("/job/outcomes", None if bulk.job is None else bulk.job.outcomes))
    for at, outcomes in places:
        apart = at == "/job/outcomes" and bulk.job is not None and bulk.job.results not in {(), ("here",)}
        if outcomes is None or outcomes.shape in JSON_SHAPES or (apart and outcomes.shape in {"lines", "rows"}):
            continue
        if outcomes.shape == "parts" and bulk.effect.http and (at, outcomes.at) == ("/reply/outcomes", ""):
            continue  # HTTP responses to items that are HTTP requests
        yield f"{at}/as", f"outcomes are not written as {outcomes.shape}.", "Write array or map."
    for at, outcomes in places:
        if outcomes is not None and not (shows_failures(outcomes, bulk.job) or _is_told_apart(bulk)):
            cure = (
                "Add failedIf, such as {at: /status, not: 2xx}, or error (a member that failures alone have), "
                "failedAt (a list of failures), or covers: failed."
            )
            yield at, "an item that failed looks like one that succeeded.", cure
    if not _tells_failures(bulk):
        cure = (
            "Add reply.outcomes or job.outcomes, or a status for what fails (reply.status.wholeFailed: 422 with "
            "unit: {of: whole}), or guard.refuse.malformedItem."
        )
        yield "/reply", "an item can fail, and nothing of the answer can tell it.", cure


def shows_failures(outcomes: Outcomes, job: BulkJob | None) -> bool:
    """Tell whether entries, or the lists in which they are, differ for items that failed, as a reader sees them."""
    apart = outcomes.failed_at not in {None, outcomes.at} or (job is not None and bool(job.results_of))
    is_error = outcomes.error is not None and outcomes.failed_at is None
    return outcomes.failed_if is not None or is_error or apart or outcomes.gaps or outcomes.covers == "failed"


def _is_told_apart(bulk: Bulk) -> bool:
    """Tell whether outcomes speak of successes alone: any failure fails the whole request, or refuses it."""
    return "malformedItem" in bulk.guard.refuse or (_meanings(bulk.unit.of) == {"whole"} and _tells_by_itself(bulk))


def _tells_by_itself(bulk: Bulk) -> bool:
    """Tell whether the answer says without entries that something failed: by its status, a text, the job's end."""
    statuses = {code for name, code in bulk.reply.status.items() if name in FAILURES}
    job = bulk.job
    return (
        not statuses <= {bulk.reply.status.get("allOk", OK)}
        or bulk.reply.error is not None
        or (job is not None and (job.error is not None or not FAILED_STATES.isdisjoint(job.words.values())))
    )


def _tells_failures(bulk: Bulk) -> bool:
    """Tell whether a failed item is seen: in an outcome, a counter, the status, or as a refusal of the request."""
    reply, job = bulk.reply, bulk.job
    return (
        reply.outcomes is not None
        or _tells_by_itself(bulk)
        or not FAILURE_COUNTS.isdisjoint(reply.counts)
        or "malformedItem" in bulk.guard.refuse
        or (job is not None and (job.outcomes is not None or bool(job.results_of) or "failed" in job.progress))
    )


def _job(operation: Operation, bulk: Bulk) -> Mistakes:
    if bulk.job is not None and bulk.job.start is not None and bulk.job.open is None:
        yield "/job/start", "a job begins with the request that makes it.", "Drop it, or add open."
    if bulk.job is not None and bulk.job.open is not None and last_variable(operation.path) is None:
        yield "/job/open", "nothing in the path names the job that is filled.", "Give the path a variable."


def _guard(operation: Operation, bulk: Bulk) -> Mistakes:
    del operation
    for n, quota in enumerate(bulk.guard.quota):
        if quota.what not in QUOTAS:
            cure = did_you_mean(quota.what, QUOTAS) or f"Write {listed(sorted(QUOTAS), 'or')}."
            yield f"/guard/quota/{n}/what", f"'{quota.what}' is nothing that can be counted.", cure
        elif quota.breach == UNPROCESSED:
            at, reason = f"/guard/quota/{n}/breach", unreturnable(bulk)
            if quota.what != "items":
                yield at, f"of {quota.what} nothing is left unprocessed.", "Write what: items, or a status."
            elif reason:
                yield at, f"nothing can be returned as not processed: {reason}.", "Mend that, or write a status."
    once = bulk.guard.idempotency
    if once is not None and once.scope == "item" and once.concurrent is not None:
        yield "/guard/idempotency/concurrent", "an item is done before the next one begins.", "Drop it."


CHECKS: Final[tuple[Callable[[Operation, Bulk], Mistakes], ...]] = (
    _items,
    _effect,
    _key,
    _unit,
    _order,
    _outcomes,
    _job,
    _guard,
)
