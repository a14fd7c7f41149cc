"""Render outcomes as the contract declares them: status code, entries and counters (`body_of`), and faults as texts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import orjson

from contracts.bulk.model import Bulk, Outcomes
from contracts.exchange.locations import put_at
from contracts.messages import ABSENT
from contracts.openapi.bulk_checks import shows_failures
from contracts.schemas.violations import MAX_GROUPS, Violation
from contracts.syntax.text import listed, pointer_of, short
from mockserver.bulk.set_members import Facts, put_members
from mockserver.bulk.units import is_reported
from mockserver.domain.columns import result_words, undone
from mockserver.domain.values import Item, ItemFault, Outcome, ServedOutcome, is_unprocessed

if TYPE_CHECKING:
    from mockserver.api.model import ItemRun


_STATUS_OF = {
    "missing": 422,
    "type": 422,
    "length": 422,
    "schema": 422,
    "unknown": 422,
    "choice": 422,
    "not-found": 404,
    "duplicate": 409,
    "referenced": 409,
    "version": 409,
}
_OK = {"create": 201}


def outcome_class(outcomes: Sequence[Outcome], unit: str) -> str:
    """Return the class of outcomes that selects the status: `allOk`, `someFailed`, `allFailed` or `wholeFailed`.

    Items that were not processed, and are returned, count for none.
    """
    done = result_words(outcomes).count("done")
    left = 0 if done == len(outcomes) else sum(map(is_unprocessed, outcomes))
    if done + left == len(outcomes):
        return "allOk"
    if unit == "whole":
        return "wholeFailed"
    return "someFailed" if done else "allFailed"


def status_of(status: Mapping[str, int], wanted: str) -> int:
    """Return the status code declared for a class of outcomes, else that of the nearest class; 200 when none is."""
    nearest = {"allFailed": ("someFailed", "wholeFailed"), "someFailed": ("allOk",), "wholeFailed": ("allFailed",)}
    for name in (wanted, *nearest.get(wanted, ()), "allOk", "accepted"):
        if name in status:
            return status[name]
    return 200


def reported_outcomes(
    declared: Outcomes, outcomes: Sequence[Outcome], *, whole_failed: bool, rolled_back: str
) -> Sequence[Outcome]:
    """Return the outcomes that the response reports."""
    if declared.covers == "failed":
        return [outcome for outcome in undone(outcomes) if outcome.result == "failed"]
    if rolled_back == "skipped" and not whole_failed:
        return [outcome for outcome in outcomes if not _is_skipped(outcome)]
    if whole_failed and (declared.covers == "unless-failed" or rolled_back == "nothing"):
        return [outcome for outcome in outcomes if outcome.result == "failed" or _waited(outcome)]
    return outcomes


def _is_skipped(outcome: Outcome) -> bool:
    """Tell whether an item was not run, although it waited for no other item."""
    return outcome.result == "not-run" and not _waited(outcome)


def _waited(outcome: Outcome) -> bool:
    """Tell whether an item was not run because of another one."""
    return any(fault.kind == "broken" and fault.value for fault in outcome.faults)


def body_of(
    run: "ItemRun", bulk: Bulk, declared: Outcomes | None, outcomes: Sequence[Outcome], facts: Facts | None = None
) -> Any:
    """Return the body that reports the outcomes, where `declared` places them; `facts` are those of the request."""
    body: dict[str, Any] = {}
    whole_failed = outcome_class(outcomes, run.unit) == "wholeFailed"
    declared = _telling(declared) if whole_failed else declared
    if whole_failed and bulk.reply.error is not None:
        put_at(body, bulk.reply.error, message_of(next(one for one in outcomes if one.failed)))
        if declared is None or declared.covers == "unless-failed":
            return body
    if declared is not None:
        told = [one for one in outcomes if declared.gaps or not is_unprocessed(one)] if run.item_effects else outcomes
        reported = reported_outcomes(declared, told, whole_failed=whole_failed, rolled_back=bulk.unit.rolled_back)
        if declared.at == "":
            return render_entries(run, declared, _at_place(declared, reported))
        if not (whole_failed and declared.covers == "unless-failed" and _is_apart(declared)):
            put_at(body, declared.at, render_entries(run, declared, _at_place(declared, reported)))
        bad = [one for one in undone(reported) if not is_unprocessed(one)] if _is_apart(declared) else []
        if declared.failed_at is not None and (bad or (declared.covers == "split" and _is_apart(declared))):
            put_at(body, declared.failed_at, render_entries(run, replace(declared, gaps=False), bad))
    for name, place in bulk.reply.counts.items():
        put_at(body, place, count(name, outcomes))
    if bulk.guard.unprocessed is not None:
        put_at(body, bulk.guard.unprocessed, {} if bulk.items.shape == "map" else [])
    if bulk.reply.set_members:
        put_members(body, bulk.reply.set_members, {**(facts or {}), "count": lambda name: count(name[1:], outcomes)})
    return body


def _telling(declared: Outcomes | None) -> Outcomes | None:
    """Return where outcomes are told when all failed, None where their entries could not tell that."""
    return declared if declared is not None and shows_failures(declared, None) else None


def _is_apart(declared: Outcomes) -> bool:
    """Tell whether failures are in a collection of their own."""
    return declared.failed_at is not None and declared.failed_at != declared.at


def _at_place(declared: Outcomes, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """Return the outcomes that the collection at `at` speaks of; with gaps all of them, to keep their places."""
    if not _is_apart(declared) or declared.gaps or not undone(outcomes):
        return outcomes
    return [one for one in outcomes if one.result == "done"]


def split_entries(run: "ItemRun", declared: Outcomes, outcomes: Sequence[Outcome]) -> tuple[object, object]:
    """Return the entries at `at` and those at `failedAt`, None where failures are not apart."""
    failures = undone(outcomes) if _is_apart(declared) else None
    entries = render_entries(run, declared, _at_place(declared, outcomes))
    return entries, None if failures is None else render_entries(run, replace(declared, gaps=False), failures)


def render_entries(run: "ItemRun", declared: Outcomes, outcomes: Sequence[Outcome]) -> object:
    """Return the entries of these outcomes: an array, a map by key, or a list of lists where they are at `/*/`."""
    if declared is not outcomes_of(run):
        run = replace(run, outcomes=declared)
    entries = run.api.hooks.entries(run)
    if run.item_effects is not None:
        outcomes = [one for one in outcomes if is_reported(run, one)]
    told = entries(outcomes)
    if declared.at.startswith("/*/"):
        return told
    if declared.shape == "map":
        return {name_of(one.item): said[0] for one, said in zip(outcomes, told, strict=True) if said}
    if declared.gaps:
        both = zip(result_words(outcomes), told, strict=True)
        return [None if word != "done" else entry for word, said in both for entry in said]
    return list(chain.from_iterable(told))


def name_of(item: Item) -> str:
    """Return the key of an item's outcome in a map: the item's key, else its index."""
    return str(item.key if isinstance(item.key, str | int) else item.index)


def count(name: str, outcomes: Sequence[Outcome]) -> int | bool:
    """Return a declared counter: `total`, `done`, `failed`, `notRun`, or `anyFailed`."""
    results = result_words(outcomes)
    failed, not_run = results.count("failed"), results.count("not-run")
    table = {"failed": failed, "notRun": not_run, "done": len(results) - failed - not_run, "anyFailed": failed > 0}
    return table.get(name, len(results))


def outcomes_of(run: "ItemRun") -> Outcomes:
    """Return how a run's operation declares outcomes, in its response or in its job."""
    bulk = None if run.operation is None else run.operation.bulk
    if run.outcomes is not None or bulk is None:
        return run.outcomes or Outcomes(at="")
    return bulk.reply.outcomes or (bulk.job.outcomes if bulk.job is not None else None) or Outcomes(at="")


def http_status(outcome: Outcome) -> int:
    """Return the status code that the item's single-record operation would have, or had."""
    if isinstance(outcome, ServedOutcome):
        return outcome.response.status
    if outcome.result == "not-run":
        return 424
    stated = outcome.faults[0].facts.get("status") if outcome.faults else None
    if isinstance(stated, int):
        return stated
    if outcome.result == "failed":
        return _STATUS_OF.get(outcome.faults[0].kind, 400) if outcome.faults else 400
    return _OK.get(outcome.action, 200)


def message_of(outcome: Outcome) -> str:
    """Return the error text of an item, "" when it did not fail."""
    return "; ".join(map(fault_text, outcome.faults)) or ("not run" if outcome.result == "not-run" else "")


def _bounds(facts: Mapping[str, object]) -> str:
    least, most = facts.get("min"), facts.get("max")
    return f"at least {least}" if most is None else f"{least} to {most}"


def _suggestion(closest: object, words: object = None) -> str:
    """Return the closest known name in brackets, or the words that there are, "" when neither is known."""
    if closest:
        return f" (did you mean {closest}?)"
    return f" (it may be {', '.join(map(str, words))})" if isinstance(words, tuple) else ""


def fact_text(value: object) -> str:
    """Return a value in a text: a text as it is, any other one, such as a lookup, as JSON."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else orjson.dumps(value).decode()


def fault_text(fault: ItemFault) -> str:
    """Return the text of one fault."""
    facts, name = fault.facts, ", ".join(fault.members)
    if "message" in facts:
        return str(facts["message"])
    texts = {
        "missing": f"{name} is required",
        "choice": f"{name} cannot be set by this operation",
        "unknown": f"{name} is not known{_suggestion(facts.get('closest'))}",
        "type": f"{name} must be a {facts.get('expected')}",
        "length": f"{name} must have {_bounds(facts)} characters",
        "schema": f"{name} breaks {facts.get('keyword')}{_suggestion(facts.get('nearest'), facts.get('words'))}",
        "reference": f"{name} refers to no record",
        "duplicate": f"{name} must be unique",
        "ambiguous": f"{facts.get('count')} records fit {fact_text(fault.value)}",
        "not-found": f"no record has the key {'' if fault.value is ABSENT else fact_text(fault.value)}".rstrip(),
        "version": f"the record is at version {facts.get('current')}",
        "referenced": f"{facts.get('count')} records refer to it",
        "broken": "an item that it depends on failed",
        "scenario": "it was rejected",
    }
    return texts.get(fault.kind, fault.kind)


RULE_BY_FAULT: Final = {"missing": "required", "unknown": "additionalProperties", "type": "type", "length": "maxLength"}


def violations_of(outcomes: Sequence[Outcome], at: str, payload: str) -> tuple[Violation, ...]:
    """Return the faults of failed items as violations, equal faults as one, at most a hundred.

    `at` is the JSON Pointer of the list of items, `payload` that of the record inside an item.
    """
    groups: dict[tuple[str, tuple[str, ...], str], list[tuple[Outcome, ItemFault]]] = {}
    for outcome, fault in _validation_faults(outcomes):
        key = (fault.kind, fault.members, str(fault.facts.get("closest", "")))
        groups.setdefault(key, []).append((outcome, fault))
    return tuple(_violation(*group[0], at, payload, len(group)) for group in list(groups.values())[:MAX_GROUPS])


def _validation_faults(outcomes: Sequence[Outcome]) -> Iterator[tuple[Outcome, ItemFault]]:
    for outcome in outcomes:
        if outcome.result == "failed":
            yield from ((outcome, fault) for fault in outcome.faults if fault.kind in {*RULE_BY_FAULT, "schema"})


def _violation(outcome: Outcome, fault: ItemFault, at: str, payload: str, items: int) -> Violation:
    facts, member = fault.facts, fault.members[-1] if fault.members else ""
    lacks = fault.kind == "missing" and fault.value is ABSENT
    inner = pointer_of((member,)) if member and not lacks and isinstance(outcome.item.payload, dict) else ""
    words = facts.get("words")
    return Violation(
        pointer=f"{at}/{outcome.item.index}{payload}{inner}",
        rule=_rule(fault),
        expected=listed(map(str, words), "or") if isinstance(words, tuple) else _expected(fault, member),
        got="nothing" if fault.value is ABSENT else short(fault.value),
        hint=str(facts.get("closest") or facts.get("nearest") or ""),
        detail=message_of(outcome._replace(faults=(fault,))),
        items=items,
        field=member,
    )


def _rule(fault: ItemFault) -> str:
    if fault.kind == "length" and isinstance(fault.value, str):
        least = fault.facts.get("min")
        return "minLength" if isinstance(least, int) and len(fault.value) < least else "maxLength"
    return RULE_BY_FAULT.get(fault.kind, str(fault.facts.get("keyword", "")))


def _expected(fault: ItemFault, member: str) -> str:
    facts = fault.facts
    if fault.kind == "missing":
        return f"member '{member}'"
    if fault.kind == "length":
        return f"{facts.get('min')} to {facts.get('max')} characters"
    return str(facts.get("expected", "")) if fault.kind == "type" else ""
