"""Saying outcomes as the declaration wants: the status of their class, the entries in their place, the counts."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from contracts.bulk import Bulk, Outcomes, Test
from contracts.messages import ABSENT
from mockserver.domain.acting import is_told
from mockserver.domain.places import put_at
from mockserver.domain.values import Fault, Item, Outcome

if TYPE_CHECKING:
    from mockserver.turn import Run

_STATUS_OF = {
    "missing": 422,
    "type": 422,
    "length": 422,
    "schema": 422,
    "unknown": 422,
    "not-found": 404,
    "duplicate": 409,
    "referenced": 409,
    "version": 409,
}
_OK = {"create": 201}


def outcome_class(outcomes: Sequence[Outcome], unit: str) -> str:
    """Return the class that the status speaks of: `allOk`, `someFailed`, `allFailed` or `wholeFailed`."""
    done = [outcome[1] for outcome in outcomes].count("done")
    if done == len(outcomes):
        return "allOk"
    if unit == "whole":
        return "wholeFailed"
    return "someFailed" if done else "allFailed"


def status_of(status: Mapping[str, int], wanted: str) -> int:
    """Return the status declared for a class of outcomes, else the nearest that is."""
    nearest = {"allFailed": ("someFailed", "wholeFailed"), "someFailed": ("allOk",), "wholeFailed": ("allFailed",)}
    for name in (wanted, *nearest.get(wanted, ()), "allOk", "accepted"):
        if name in status:
            return status[name]
    return 200


def shown(declared: Outcomes, outcomes: Sequence[Outcome], whole_failed: bool, rolled_back: str) -> list[Outcome]:  # noqa: FBT001 - two facts of one question
    """Return the outcomes that the answer speaks of."""
    if declared.covers == "failed":
        return [outcome for outcome in outcomes if outcome.result == "failed"]
    if whole_failed and (declared.covers == "unless-failed" or rolled_back == "nothing"):
        return [outcome for outcome in outcomes if outcome.result == "failed"]
    return list(outcomes)


def body_of(run: "Run", bulk: Bulk, declared: Outcomes | None, outcomes: Sequence[Outcome], body: Any = None) -> Any:
    """Return the body that says the outcomes: `declared` places them, `body` is what stands there already."""
    body = {} if body is None else body
    if declared is not None:
        whole_failed = outcome_class(outcomes, run.unit) == "wholeFailed"
        spoken = shown(declared, outcomes, whole_failed, bulk.unit.rolled_back)
        bad = [one for one in spoken if one.result != "done"] if declared.failed_at is not None else []
        good = [one for one in spoken if one.result == "done"] if declared.failed_at is not None else spoken
        if declared.at == "":
            return collected(run, declared, good)
        if not (whole_failed and declared.covers == "unless-failed" and declared.failed_at is not None):
            put_at(body, declared.at, collected(run, declared, good))
        if declared.failed_at is not None and (bad or declared.covers == "split"):
            put_at(body, declared.failed_at, collected(run, declared, bad))
    for name, place in bulk.reply.counts.items():
        put_at(body, place, count(name, outcomes))
    return body


def collected(run: "Run", declared: Outcomes, outcomes: Sequence[Outcome]) -> object:
    """Return the entries of these outcomes, as an array or as a map by key; a list for each where each stands apart."""
    entries = run.api.hooks.entries(run)
    if run.acts is not None:
        outcomes = [one for one in outcomes if is_told(run, one)]
    if declared.at.startswith("/*/"):
        return [entries(one) for one in outcomes]
    if declared.shape == "map":
        return {name_of(one.item): said[0] for one in outcomes if (said := entries(one))}
    return [entry for one in outcomes for entry in entries(one)]


def name_of(item: Item) -> str:
    """Return the name of an item's outcome in a map: its key, or its place in the request when it has none."""
    return str(item.key if isinstance(item.key, str | int) else item.index)


def count(name: str, outcomes: Sequence[Outcome]) -> int | bool:
    """Return a declared counter: `total`, `done`, `failed`, `notRun`, or `anyFailed`."""
    results = [outcome.result for outcome in outcomes]
    failed, not_run = results.count("failed"), results.count("not-run")
    table = {"failed": failed, "notRun": not_run, "done": len(results) - failed - not_run, "anyFailed": failed > 0}
    return table.get(name, len(results))


def declared_entry(run: "Run", outcome: Outcome) -> object:
    """Return one outcome's entry with what the declaration names: key, id, version, error, and the mark of failure."""
    declared = outcomes_of(run)
    if declared.shape == "map" and declared.error == "":
        return message_of(outcome)
    entry: dict[str, Any] = {}
    _mark(entry, declared.failed_if, outcome, _on_broken(run, outcome))
    if declared.key and outcome.item.key is not None:
        put_at(entry, declared.key, outcome.item.key)
    if outcome.record is not None:
        if declared.id:
            put_at(entry, declared.id, outcome.record.key)
        if declared.version:
            put_at(entry, declared.version, outcome.record.version)
    if declared.error and outcome.result != "done":
        put_at(entry, declared.error, _error_of(run, outcome))
    return entry


def outcomes_of(run: "Run") -> Outcomes:
    """Return how the operation of a run says outcomes, in its reply or in its job."""
    bulk = None if run.operation is None else run.operation.bulk
    if bulk is None:
        return Outcomes(at="")
    return bulk.reply.outcomes or (bulk.job.outcomes if bulk.job is not None else None) or Outcomes(at="")


def _error_of(run: "Run", outcome: Outcome) -> object:
    marked = run.operation.bulk.unit.marked_as if run.operation is not None and run.operation.bulk is not None else None
    if outcome.result == "not-run" and marked is not None and not outcome.faults:
        return marked
    word = _on_broken(run, outcome)
    return word if isinstance(word, str) else message_of(outcome)


def _on_broken(run: "Run", outcome: Outcome) -> int | str | None:
    """Return what an item is declared to say whose reference failed, None when this one waited for nothing."""
    waited = any(fault.kind == "broken" and fault.value for fault in outcome.faults)
    bulk = None if run.operation is None else run.operation.bulk
    return bulk.order.on_broken if waited and bulk is not None else None


def _mark(entry: dict[str, Any], test: Test | None, outcome: Outcome, declared: int | str | None) -> None:
    if test is None or test.at == "":
        return
    bad = outcome.result != "done"
    if test.word == "exists":
        if bad == bool(test.value):
            put_at(entry, test.at, message_of(outcome))
    elif isinstance(test.value, bool):
        put_at(entry, test.at, test.value if (test.word == "is") == bad else not test.value)
    elif test.word == "not" or str(test.value)[1:] in {"xx", "XX"}:
        put_at(entry, test.at, declared if isinstance(declared, int) else http_status(outcome))
    else:
        put_at(entry, test.at, test.value if bad else "ok")


def http_status(outcome: Outcome) -> int:
    """Return the status that an item's single-record operation would have answered."""
    if outcome.result == "not-run":
        return 424
    if outcome.result == "failed":
        return _STATUS_OF.get(outcome.faults[0].kind, 400) if outcome.faults else 400
    return _OK.get(outcome.action, 200)


def message_of(outcome: Outcome) -> str:
    """Return why an item failed, in plain words."""
    return "; ".join(map(_said, outcome.faults)) or ("not run" if outcome.result == "not-run" else "")


def _bounds(facts: Mapping[str, object]) -> str:
    least, most = facts.get("min"), facts.get("max")
    return f"at least {least}" if most is None else f"{least} to {most}"


def _meant(closest: object, words: object = None) -> str:
    """Return the closest known name in brackets, or the words that there are, "" when neither is known."""
    if closest:
        return f" (did you mean {closest}?)"
    return f" (it may be {', '.join(map(str, words))})" if isinstance(words, tuple) else ""


def _said(fault: Fault) -> str:
    facts, name = fault.facts, ", ".join(fault.members)
    if "message" in facts:
        return str(facts["message"])
    texts = {
        "missing": f"{name} is required",
        "unknown": f"{name} is not known{_meant(facts.get('closest'))}",
        "type": f"{name} must be a {facts.get('expected')}",
        "length": f"{name} must have {_bounds(facts)} characters",
        "schema": f"{name} breaks {facts.get('keyword')}{_meant(facts.get('nearest'), facts.get('words'))}",
        "reference": f"{name} refers to no record",
        "duplicate": f"{name} must be unique",
        "not-found": f"no record has the key {'' if fault.value is ABSENT else fault.value}".rstrip(),
        "version": f"the record is at version {facts.get('current')}",
        "referenced": f"{facts.get('count')} records refer to it",
        "broken": "an item that it depends on failed",
        "scenario": "it was rejected",
    }
    return texts.get(fault.kind, fault.kind)
