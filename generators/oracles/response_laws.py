"""Laws that one response decides: conformance, outcomes, counters. Those on jobs are in `job_laws`.

Begin with `check_response`; the others judge a `BulkExchange`.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import Final

from contracts.bulk.model import Outcomes
from contracts.exchange.bulk_exchange import BulkExchange, OutcomeReport, read_outcomes
from contracts.exchange.job_traces import SUCCESS_STATUS, JobTrace, last_variable, route_of
from contracts.exchange.locations import find
from contracts.exchange.outcomes import OutcomeEntry, entries_by_item, entries_of
from contracts.messages import ABSENT, Exchange, Request, Response
from contracts.openapi.model import Contract, Operation, Route
from contracts.openapi.routing import Router
from contracts.openapi.validation import parse_parameters, validate_response
from contracts.schemas.equality import declared_part, key_text
from contracts.schemas.schema_set import Schema
from contracts.schemas.violations import Violation
from contracts.syntax.text import is_text_or_number, parse_digits, short
from generators.client.http import NoAnswerError
from generators.oracles.findings import Finding, new_finding
from generators.requests.calls import body_schema

CHECK: Final = "response"
STATEMENT: Final = "Every response matches the contract: status, headers, content type and schema."
SERVER_FAULT: Final = 500
INVALID_STATUSES: Final = frozenset((400, 422))
GONE_STATUSES: Final = frozenset((404, 410))
WORDS_FOR_GONE: Final = frozenset(("404", "410", "4XX", "default"))  # keys of responses
REFUSALS: Final = frozenset(("400", "422", "4XX", "default"))  # keys of responses that a malformed request may get
REQUEST_TOO_LARGE: Final = frozenset(
    (408, 413, 414, 431)
)  # what any server may say to a request that is too much for it
TOO_MANY_REQUESTS: Final = 429  # RFC 6585, section 4
NAMING_ACTIONS: Final = frozenset(("delete", "replace", "update"))  # of items that name a record that is there
ANSWER_FIELD: Final = "Bulkproof-Answer"  # of a sandbox
MADE_UP: Final = frozenset(("example", "generated"))
ARRAY_INDEX: Final = re.compile(r"/\d+")


def is_made_up(response: Response) -> bool:
    """Say whether a sandbox tells of a response that the document made it: it says nothing of what is stored."""
    return response.headers.get(ANSWER_FIELD).partition(";")[0] in MADE_UP


def check_response(contract: Contract, exchange: Exchange, router: Router | None = None) -> Iterator[Finding]:
    """Yield how a response violates its contract, each shape once; a request of no operation is not judged.

    Addresses in header fields are judged with a router.
    """
    operation = contract.operation(exchange.operation or "")
    if operation is None:
        return
    status, is_for_now = exchange.response.status, exchange.response.asks_to_wait
    if status >= SERVER_FAULT and not is_for_now:
        yield _finding(exchange, f"status {status}", f"The server answered {status} to {operation.id}.")
        return
    if (status in REQUEST_TOO_LARGE or is_for_now) and str(status) not in operation.responses:
        return  # a gateway may say so, in words of its own
    if is_undeclared_kind(operation, status):
        return
    for violation in validate_response(operation, exchange.response):
        place = ARRAY_INDEX.sub("/*", violation.pointer)
        shape = f"{exchange.response.status} {violation.where} {place} {violation.rule}"
        yield _finding(exchange, shape, _violation_text(exchange, violation))
    if router is not None and operation.telling_fields("address"):
        yield from _wrong_addresses(contract, operation, exchange, router)


def is_undeclared_kind(operation: Operation, status: int) -> bool:
    """Say whether an operation declares none of the statuses of a kind that any server has.

    They say that a request has succeeded, is malformed, or is about what is not there.
    """
    if status in SUCCESS_STATUS:
        return not any(one.startswith(("2", "3", "default")) for one in operation.responses)
    if status in GONE_STATUSES:
        return "{" in operation.path and WORDS_FOR_GONE.isdisjoint(operation.responses)
    return status in INVALID_STATUSES and not declares_refusal(operation)


def declares_refusal(operation: Operation) -> bool:
    """Say whether an operation declares how it refuses a malformed request.

    Where it does not, a server may read more than JSON (RFC 8259, section 9), and nobody has said what it must not do.
    """
    return not operation.responses.keys().isdisjoint(REFUSALS)


def _wrong_addresses(contract: Contract, operation: Operation, exchange: Exchange, router: Router) -> Iterator[Finding]:
    """Yield an address of what was made that nothing is read at, is elsewhere, or has another key than is told."""
    fields = {what: {one.name for one in operation.telling_fields(what)} for what in ("address", "key")}
    told = exchange.response.headers
    keys = {name: told.get(name) for name in sorted(fields["key"]) if told.get(name)}
    own = router.match(exchange.request.method, exchange.request.path, exchange.request)
    for name in (one for one in sorted(fields["address"]) if told.get(one)):
        route = route_of(contract, router, told.get(name))
        last = last_variable(route.operation) if route is not None else None
        if route is None or last is None or not _fits_path(route):
            yield _finding(
                exchange, f"{name} leads nowhere", f"Nothing can be read at {name}: {short(told.get(name))}."
            )
            continue
        places = own.variables if isinstance(own, Route) else {}
        shared = (route.variables.keys() & places.keys()) - {last}
        if astray := [one for one in sorted(shared) if route.variables[one].casefold() != places[one].casefold()]:
            says = f"{name} leads to another {astray[0]} than the request: {short(told.get(name))}."
            yield _finding(exchange, f"{name} leads elsewhere", says)
        for other in (one for one, key in keys.items() if key != route.variables[last]):
            says = f"{other} is {keys[other]}, but {name} leads to {route.variables[last]}."
            yield _finding(exchange, f"{other} has another key", says)


def _fits_path(route: Route) -> bool:
    """Say whether the variables of a path fit the schemas of their parameters."""
    wrong = parse_parameters(route.operation, Request(method="GET", path=route.operation.path), route.variables)[1]
    return not any(one.where.startswith("path:") for one in wrong)


def unanswered(operation: str, error: NoAnswerError) -> Finding:
    """Return the finding that a request got no response."""
    return Finding(law=CHECK, operation=operation, shape="no answer", says=f"A request got no response: {error}.")


def _violation_text(exchange: Exchange, violation: Violation) -> str:
    at = f" at {violation.pointer}" if violation.pointer else ""
    status = exchange.response.status
    return f"The response {status} violates the contract in its {violation.where}{at}: {violation.detail}"


def _finding(exchange: Exchange, shape: str, says: str) -> Finding:
    return Finding(law=CHECK, operation=exchange.operation or "", shape=shape, says=says, evidence=(exchange,))


def count(view: BulkExchange) -> Iterator[Finding]:
    """Yield items that have no outcome though one is required, or more than one."""
    if view.kind == "answered" and not view.reports and view.bulk.reply.outcomes and view.request.targets is None:
        yield view_finding(
            "count", view, "no outcomes", f"{view.bulk.reply.outcomes.at or 'the body'} holds no outcomes"
        )
    for report in view.reports:
        keyless = _keyless(view, report)
        missing = [one.index for one in report.outcomes if one.result == "untold" and one.index not in keyless]
        if missing and not (report.trace is not None and report.trace.is_cancelled):
            says = f"{_items_text(view, missing)} no outcome"
            yield view_finding("count", view, _missing_shape(missing, view), says, report)
        yield from _surplus_outcomes(view, report)


def _keyless(view: BulkExchange, report: OutcomeReport) -> frozenset[int]:
    """Return the items that no entry can name: those without a key, or with one that neither side's schema allows.

    Where there are such items, an empty text may be told of them, and names no item.
    """
    items, schemas = view.request.items, tuple(_key_schemas(view, report))
    fits = [not schemas or any(schema.is_valid(one.key) for schema in schemas) for one in items]
    wrong = [one.index for one in items if not (is_text_or_number(one.key) and fits[one.index])]
    return frozenset((*wrong, *(one.index for one in items if wrong and one.key == "")))


def _key_schemas(view: BulkExchange, report: OutcomeReport) -> Iterator[Schema]:
    """Yield the schemas of keys in items and in entries, none where one side has none, or says keys otherwise."""
    asked, told = body_schema(view.operation), declared_schema(view.operation, view.exchange.response)
    declared, bulk = report.declared, view.bulk
    if report.trace is None and bulk.items.shape == declared.shape == "array" and bulk.key.at and declared.key:
        own = [asked.at(f"{at}/0{bulk.key.at}") if asked is not None else None for at in bulk.items.places]
        other = told.at(f"{declared.at}/0{declared.key}") if told is not None else None
        found = [one for one in (*own, other) if one is not None]
        yield from found if len(found) > len(own) else ()


def _missing_shape(missing: list[int], view: BulkExchange) -> str:
    return "all outcomes missing" if len(missing) == len(view.request.items) else "outcomes missing"


def _surplus_outcomes(view: BulkExchange, report: OutcomeReport) -> Iterator[Finding]:
    said, size = entries_by_item(report.entries, len(view.request.items)), len(view.request.items)
    if report.declared.key is None and report.declared.shape != "map" and len(report.entries) > size:
        says = f"{size} items have {len(report.entries)} outcomes"
        yield view_finding("count", view, "more outcomes than items", says, report)
    several = [n for n, entries in enumerate(said) if len(entries) > 1]
    if several and not report.declared.many:
        yield view_finding(
            "count", view, "several outcomes", f"{_items_text(view, several)} more than one outcome", report
        )
    alone = [n for n in several if len(said[n][0].items) == 1]
    twice = [n for n in alone if any(one.raw == after.raw for one, after in pairwise(said[n]))]
    if twice and report.declared.many:
        yield view_finding(
            "count", view, "one outcome twice", f"{_items_text(view, twice)} the same outcome twice", report
        )


def key(view: BulkExchange) -> Iterator[Finding]:
    """Yield outcomes whose key is no key of the request, or occurs twice, and those that name another record.

    An outcome of an item that has no usable key may have one that its schema demands.
    """
    for report in view.reports:
        keyed = [entry for entry in report.entries if is_text_or_number(entry.key)]
        foreign = [entry for entry in keyed if not entry.items]
        keyless = _keyless(view, report)
        if len(foreign) > len(keyless):
            says = f"outcome {foreign[0].place} has the key {short(foreign[0].key)}, which is no key of the request"
            yield view_finding("key", view, "foreign key", says, report)
        unkeyed = [entry for entry in report.entries if entry.key is ABSENT and entry.failed and not entry.items]
        if len(unkeyed) > len(keyless) and report.declared.key is not None:
            yield view_finding("key", view, "no key", f"outcome {unkeyed[0].place} is a failure without a key", report)
        yield from _repeated_keys(view, report)
        yield from _other_records(view, report)


def _other_records(view: BulkExchange, report: OutcomeReport) -> Iterator[Finding]:
    """Yield an outcome that names another record than the one that its item changes or deletes: keys are numbers."""
    for entry in report.entries if len(view.bulk.effect.target) == 1 else ():
        item = view.request.items[entry.items[0]] if len(entry.items) == 1 else None
        if item is not None and item.action in NAMING_ACTIONS:
            told, target = parse_digits(str(entry.id)), parse_digits(str(item.target))
            if None not in {told, target} and told != target:
                says = f"outcome {entry.place} names the record {short(entry.id)}, and its item {short(item.target)}"
                yield view_finding("key", view, "another record is named", says, report)
                return


def _repeated_keys(view: BulkExchange, report: OutcomeReport) -> Iterator[Finding]:
    if report.declared.many:
        return
    once = [entry.items[0] for entry in report.entries if len(entry.items) == 1]
    twice = sorted({place for place in once if once.count(place) > 1}) if len(set(once)) < len(once) else []
    if twice:
        yield view_finding("key", view, "repeated key", f"the key of item {twice[0]} occurs more than once", report)


def outcome_order(view: BulkExchange) -> Iterator[Finding]:
    """Yield outcomes out of request order, where that order is declared."""
    for report in view.reports:
        if not report.declared.in_order:
            continue
        for failed in (False, True) if report.declared.failed_at else (None,):
            places = [entry.items[0] for entry in report.entries if _is_in(entry, failed) and len(entry.items) == 1]
            wrong = next(((one, after) for one, after in pairwise(places) if after < one), None)
            if wrong is not None:
                says = f"the outcome of item {wrong[0]} comes before that of item {wrong[1]}"
                yield view_finding("outcome-order", view, "out of order", says, report)


def _is_in(entry: OutcomeEntry, failed: bool | None) -> bool:  # noqa: FBT001 - one of three groups
    return failed is None or entry.failed is failed


def status_class(view: BulkExchange) -> Iterator[Finding]:
    """Yield a status, or a job's final state, other than the one declared for its outcomes."""
    wanted = _class_of(view)
    declared, got = view.bulk.reply.status.get(wanted or ""), view.exchange.response.status
    if declared is not None and got != declared:
        says = f"the status is {got}, but {declared} is declared for {wanted}"
        yield view_finding("status-class", view, f"{wanted} answered {got}", says, *view.reports[:1])
    for report in view.reports:
        yield from _final_state(view, report)


def _class_of(view: BulkExchange) -> str | None:
    if view.kind == "refused":
        return None
    if view.request.targets is not None:
        return _class_of_targets(view)
    if view.kind == "accepted":
        return "accepted"
    results = [one.result for report in view.reports for one in report.outcomes if one.result != "left"]
    return None if not results or "untold" in results else class_of(results, view.request.unit)


def class_of(results: Sequence[str], unit: str | None) -> str:
    """Return the status class of results: `allOk`, `someFailed`, `allFailed` or `wholeFailed`."""
    if all(result == "done" for result in results):
        return "allOk"
    if unit == "whole":
        return "wholeFailed"
    return "someFailed" if "done" in results else "allFailed"


def _class_of_targets(view: BulkExchange) -> str | None:
    failed_targets, targets = view.failed_targets or {}, view.request.targets or ()
    if not failed_targets:
        return "accepted" if view.kind == "accepted" else "allOk"
    return "someFailed" if len(failed_targets) < len(targets) else "allFailed"


def _final_state(view: BulkExchange, report: OutcomeReport) -> Iterator[Finding]:
    trace = report.trace
    if trace is None or trace.end is None or "untold" in {one.result for one in report.outcomes}:
        return
    if "doneWithErrors" not in trace.declared.words.values() or "done" not in trace.declared.words.values():
        return
    failed = any(one.result != "done" for one in report.outcomes)
    if (trace.end.state in {"doneWithErrors", "failed"}) is not failed:
        says = f"the job ended as {short(trace.end.word)} although {'some' if failed else 'no'} items failed"
        yield view_finding("status-class", view, f"job ended as {trace.end.word}", says, report)


def counts(view: BulkExchange) -> Iterator[Finding]:
    """Yield declared counters that disagree with the outcomes or with the number of items."""
    for report in view.reports:
        if "untold" in {one.result for one in report.outcomes}:
            continue
        wanted = _expected_counters(report)
        loose = _with_those_not_run(report, view.bulk.reply.counts)
        for name, at in view.bulk.reply.counts.items():
            got = find(report.body, at)
            if got is not ABSENT and name in wanted and got not in (wanted[name], loose.get(name)):
                says = f"{at} says {short(got)}, but {short(wanted[name])} is right for '{name}'"
                yield view_finding("counts", view, f"{name} is wrong", says, report)
        if report.trace is not None and view.request.unit == "item":
            yield from _final_counters(view, report, report.trace, wanted)
    for trace in view.traces:
        yield from _posted_count(view, trace)


def _expected_counters(report: OutcomeReport) -> dict[str, int | bool]:
    results = [one.result for one in report.outcomes]
    done, failed = results.count("done"), results.count("failed")
    said = {"failed": failed, "notRun": results.count("not-run"), "anyFailed": failed > 0, "total": len(results)}
    return {**said, "done": done, "succeeded": done}


def _with_those_not_run(report: OutcomeReport, declared: Collection[str]) -> dict[str, int]:
    """Return the number of failures with what was not run among them, for replies without a counter of that."""
    not_done = sum(one.result in {"failed", "not-run"} for one in report.outcomes)
    return {} if "notRun" in declared else {"failed": not_done}


def _final_counters(
    view: BulkExchange, report: OutcomeReport, trace: JobTrace, wanted: dict[str, int | bool]
) -> Iterator[Finding]:
    if trace.end is None:
        return
    for name in ("failed", "done", "succeeded"):
        got = trace.end.progress.get(name)
        if got is not None and got != wanted[name]:
            says = f"{trace.declared.progress[name]} says {got} at the end, but {wanted[name]} is right"
            yield view_finding("counts", view, f"{name} is wrong at the end", says, report)


def _posted_count(view: BulkExchange, trace: JobTrace) -> Iterator[Finding]:
    """Yield a posted count that is neither the number of items nor of units."""
    size = len(view.request.items)
    right = {"item": {size}, "whole": {1, size}}.get(view.request.unit or "")
    wrong = [one for one in trace.polls if right and one.progress.get("posted", size) not in right]
    if wrong:
        says = f"{trace.declared.progress['posted']} says {wrong[0].progress['posted']} for {size} items"
        yield view_finding("counts", view, "posted is wrong", says, wrong[0].exchange)


def view_finding(law: str, view: BulkExchange, shape: str, says: str, *shown: OutcomeReport | Exchange) -> Finding:
    """Return a finding about a bulk exchange; its evidence is the request and the exchanges in `shown`."""
    more = [one for part in shown for one in (part.evidence if isinstance(part, OutcomeReport) else (part,))]
    evidence = (view.exchange, *(one for one in more if one is not view.exchange))
    return new_finding(law, view.operation.id, shape, says, evidence)


def _items_text(view: BulkExchange, places: list[int]) -> str:
    named = ", ".join(f"{n} (key {short(view.request.items[n].key)})" for n in places[:3])
    more = f" and {len(places) - 3} more" if len(places) > 3 else ""  # noqa: PLR2004 - three are named
    return f"item{'s' if len(places) > 1 else ''} {named}{more} {'have' if len(places) > 1 else 'has'}"


def comparable_reply(
    view: BulkExchange, response: Response, declared: Outcomes | None = None, operation: Operation | None = None
) -> object:
    """Return what must be equal in two responses that report the same: outcomes, and what the contract declares.

    Values are in canonical form; their order counts only where that of the outcomes is declared. `declared` are the
    outcomes that `operation` reports, by default those of the reply to the request.
    """
    outcomes = declared or view.bulk.reply.outcomes
    body = None if outcomes is None else read_outcomes(outcomes, response)
    entries = () if outcomes is None else entries_of(view.bulk, outcomes, body, view.request.items) or ()
    told = [(one.items, one.failed, one.not_run, key_text(one.id), one.version, repr(one.error)) for one in entries]
    is_ordered = outcomes is None or outcomes.in_order
    schema = declared_schema(operation or view.operation, response)
    said = declared_part(schema, response.data, is_ordered=is_ordered)
    return told if is_ordered else sorted(told, key=repr), said


def declared_schema(operation: Operation, response: Response) -> Schema | None:
    """Return the schema that an operation declares for the body of a response, None when it declares none."""
    declared = operation.response(response.status)
    media = declared.media(response.headers.get("Content-Type", "application/json")) if declared else None
    return None if media is None else media.schema
