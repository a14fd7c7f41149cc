"""Render the entry of one outcome as `x-bulk` declares it: record, key, status, error, further members.

Main entry: `declared_entry`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from contracts.bulk.model import Outcomes, Resource
from contracts.exchange.bulk_request import KEYLESS_MATCHING
from contracts.exchange.locations import find, put_at
from contracts.messages import ABSENT
from contracts.openapi.parameters import types_of
from contracts.openapi.routing import expand, last_variable
from generators.data.completion import time_text
from mockserver.bulk.http_items import put_response
from mockserver.bulk.outcome_rendering import fact_text, fault_text, http_status, message_of, outcomes_of
from mockserver.bulk.set_members import Facts, put_members, time_facts
from mockserver.domain.values import ItemFault, Outcome, ServedOutcome

if TYPE_CHECKING:
    from mockserver.api.model import ItemRun


def declared_entry(run: "ItemRun", outcome: Outcome) -> object:
    """Return the entry of one outcome with its declared members: record, key, id, version, error, mark of failure."""
    declared, bad = outcomes_of(run), outcome.result != "done"
    is_idle = outcome.result == "not-run" and bool(declared.set_not_run)
    if declared.error == "" and (bad or declared.shape == "map"):
        return _error_of(run, declared, outcome)
    shown = _shown(run, outcome) if declared.record is not None or _asks_for_record(declared) else ABSENT
    entry: dict[str, Any] = dict(shown) if declared.record == "" and isinstance(shown, dict) else {}
    if declared.record and shown is not ABSENT:
        put_at(entry, declared.record, shown)
    word = _broken_reference_word(run, outcome)
    _put_failure_mark(entry, declared, outcome, word)
    is_told = put_response(entry, declared, outcome)
    _put_names(entry, run, declared, outcome)
    if declared.status is not None:
        put_at(entry, declared.status, _status(declared, outcome, word))
    if bad and declared.error and not is_told and not is_idle:
        put_at(entry, declared.error, _error_of(run, declared, outcome))
    if bad and declared.message and not is_idle:
        put_at(entry, declared.message, text_of_failure(run, declared, outcome))
    if declared.members and any(fault.members for fault in outcome.faults):
        put_at(entry, declared.members, _members_at_fault(run, declared, outcome))
    own = declared.set_not_run if is_idle else declared.set_failed if bad else declared.set_done
    members = {**declared.set_members, **own}
    if members:
        put_members(entry, members, _entry_facts(run, declared, outcome, shown))
    return _wrapped(run, declared, outcome, entry)


def _asks_for_record(declared: Outcomes) -> bool:
    return bool(declared.set_members or declared.set_done)


def _shown(run: "ItemRun", outcome: Outcome) -> object:
    """Return the record as the API shows it, ABSENT after a deletion and where there is none."""
    if outcome.record is None or outcome.action == "delete":
        return ABSENT
    return run.api.hooks.render(run, outcome.item.resource, outcome.record)


def _put_names(entry: dict[str, Any], run: "ItemRun", declared: Outcomes, outcome: Outcome) -> None:
    """Set the item's key, and the record's id and version."""
    bulk = None if run.operation is None else run.operation.bulk
    at = declared.failed_key if outcome.result != "done" and declared.failed_key else declared.key
    if at and outcome.item.key is not None:
        keyless = bulk is not None and bulk.key.by in KEYLESS_MATCHING and at.endswith("pointer")
        base = f"{bulk.items.at}/" if keyless and bulk is not None else ""
        key = outcome.item.key if declared.key_as is None else declared.key_as.replace("{key}", str(outcome.item.key))
        put_at(entry, at, f"{base}{key}" if base else key)
    if outcome.record is not None:
        if declared.id:
            put_at(entry, declared.id, outcome.record.key)
        if declared.version:
            put_at(entry, declared.version, outcome.record.version)


def _wrapped(run: "ItemRun", declared: Outcomes, outcome: Outcome, entry: dict[str, Any]) -> object:
    """Return the entry; where its members are at `/*/`, under the item's own word for what it does."""
    if set(entry) != {"*"} or declared.at.startswith("/*/"):
        return entry
    return {action_word(run, outcome): entry["*"]}


def action_word(run: "ItemRun", outcome: Outcome) -> str:
    """Return the request's word for what an item does."""
    bulk = None if run.operation is None else run.operation.bulk
    if bulk is None or not bulk.effect.action.source:
        return outcome.action
    said = find(outcome.item.raw, bulk.effect.action.source)
    words = (word for word, action in bulk.effect.action.words.items() if action == outcome.item.action)
    return said if isinstance(said, str) else next(words, outcome.action)


def _entry_facts(run: "ItemRun", declared: Outcomes, outcome: Outcome, shown: object) -> Facts:
    """Return the facts about one item: `$item#/a`, `$record#/a`, `$record.key`, `$key`, `$message` and so on."""

    def record(rest: str) -> object:
        if rest.startswith("#") or not rest:
            return find(shown, rest[1:])
        if outcome.record is None:
            return ABSENT
        name, _, kind = rest[1:].partition(".")
        if name == "path":
            return record_path(run, outcome)
        found: object = getattr(outcome.record, name)
        return time_text(found, kind or "date-time") if isinstance(found, datetime) else found

    return {
        **time_facts(run.now),
        "item": lambda rest: find(outcome.item.raw, rest[1:]),
        "record": record,
        "key": lambda _: outcome.item.key,
        "index": lambda _: outcome.item.index,
        "action": lambda _: outcome.action,
        "status": lambda _: _status(declared, outcome, None),
        "message": lambda _: text_of_failure(run, declared, outcome),
        "code": lambda _: _error_of(run, declared, outcome),
        "uuid": lambda _: run.api_state.ids.uuid("reply"),
        "failures": lambda _: [_fault_text(run, declared, outcome, fault) for fault in outcome.faults],
    }


def text_of_failure(run: "ItemRun", declared: Outcomes, outcome: Outcome) -> str:
    """Return the text of a failure, with the facts that are declared to be in it; "" for none."""
    if _mark(run, outcome) is not None:
        return "rolled back"
    joint = declared.every if isinstance(declared.every, str) else "; "
    texts = [_fault_text(run, declared, outcome, fault) for fault in outcome.faults]
    return joint.join(texts) or message_of(outcome)


def _fault_text(run: "ItemRun", declared: Outcomes, outcome: Outcome, fault: ItemFault) -> str:
    """Return the text of one fault, with its declared facts in brackets."""
    names = declared.names.get(fault.kind, ())
    facts = _facts_of(run, declared, outcome, fault) if names else {}
    told = [f"{name}: {fact_text(one)}" for name in names for one in _values(facts.get(name))]
    return f"{fault_text(fault)} ({', '.join(told)})" if told else fault_text(fault)


def _values(fact: object) -> Sequence[object]:
    return fact if isinstance(fact, tuple) else () if fact is None or fact is ABSENT else (fact,)


def _facts_of(run: "ItemRun", declared: Outcomes, outcome: Outcome, fault: ItemFault) -> Mapping[str, object]:
    """Return the facts that the text of a fault may name (`names`)."""
    facts, resource, resources = fault.facts, outcome.item.resource, run.api.contract.resources
    target = outcome.item.target
    referred = resources.get(resource.references.get(next(iter(fault.members), ""), resource.name), resource)
    schema = None if referred.schema is None else run.api.contract.schemas.schema(referred.schema)
    count = facts.get("count")
    return {
        "member": tuple(_written(declared, resource, name) for name in fault.members),
        "value": fault.value,
        "minLength": facts.get("min"),
        "maxLength": facts.get("max"),
        "length": facts.get("length"),
        "key": facts.get("key", target if isinstance(target, str | int) else None),
        "current": facts.get("current"),
        "version": fault.value if fault.kind == "version" else None,
        "matches": count,
        "referrers": count,
        "title": None if schema is None else schema.raw.get("title"),
    }


def _written(declared: Outcomes, resource: Resource, member: str) -> str:
    """Return the name of a member as failures write it."""
    return declared.member_as.format(resource=resource.name, member=member, Member=f"{member[:1].upper()}{member[1:]}")


def _members_at_fault(run: "ItemRun", declared: Outcomes, outcome: Outcome) -> object:
    """Return the names of the members at fault: a list, or that of the first where the schema has a text there."""
    every = dict.fromkeys(name for fault in outcome.faults for name in fault.members)
    names = [_written(declared, outcome.item.resource, name) for name in every]
    return names[0] if _is_text(run, f"{declared.at}/0{declared.members}") else names


def _is_text(run: "ItemRun", at: str) -> bool:
    """Tell whether a place in a response of the operation holds a text and no list."""
    responses = () if run.operation is None else run.operation.responses.values()
    schemas = (one.schema.at(at) for shown in responses for one in shown.content if one.schema is not None)
    types = next((types_of(one) for one in schemas if one is not None), frozenset[str]())
    return "string" in types and "array" not in types


def _mark(run: "ItemRun", outcome: Outcome) -> object:
    """Return the declared mark of an item that was rolled back, None for any other item."""
    bulk = None if run.operation is None else run.operation.bulk
    return bulk.unit.marked_as if bulk is not None and outcome.result == "not-run" and not outcome.faults else None


def record_path(run: "ItemRun", outcome: Outcome) -> object:
    """Return the path at which the record can be read, ABSENT where no operation reads one alone."""
    name = outcome.item.resource.name
    for one in run.api.contract.operations:
        act = one.record
        if act is not None and act.action.constant == "read" and act.resource.constant == name and outcome.record:
            variable = last_variable(one.path)
            return run.api.mount + expand(one.path, {variable or "": outcome.record.key})
    return ABSENT


def _error_of(run: "ItemRun", declared: Outcomes, outcome: Outcome) -> object:
    """Return the code of a failure: the mark of a rolled-back item, a declared code, else the text."""
    mark = _mark(run, outcome)
    if mark is not None:
        return mark
    word = _broken_reference_word(run, outcome)
    if isinstance(word, str):
        return word
    if isinstance(outcome, ServedOutcome) and isinstance(outcome.response.data, dict) and not declared.codes:
        return outcome.response.data
    stated = outcome.faults[0].facts.get("word") if outcome.faults else None
    if isinstance(stated, str):
        return stated
    kind = outcome.faults[0].kind if outcome.faults else ""
    code = declared.codes.get(kind, declared.codes.get("default")) if outcome.result != "done" else None
    return text_of_failure(run, declared, outcome) if code is None else code


def _status(declared: Outcomes, outcome: Outcome, word: int | str | None) -> int:
    """Return the status code of an entry: that of a broken reference, the declared one, else HTTP's."""
    if isinstance(word, int):
        return word
    kind = outcome.faults[0].kind if outcome.faults and outcome.result == "failed" else ""
    return declared.statuses.get(kind, declared.statuses.get("default", 0) if kind else 0) or http_status(outcome)


def _broken_reference_word(run: "ItemRun", outcome: Outcome) -> int | str | None:
    """Return what an item is declared to say whose reference failed, None when this one waited for nothing."""
    waited = any(fault.kind == "broken" and fault.value for fault in outcome.faults)
    bulk = None if run.operation is None else run.operation.bulk
    return bulk.order.on_broken if waited and bulk is not None else None


def _put_failure_mark(entry: dict[str, Any], declared: Outcomes, outcome: Outcome, word: int | str | None) -> None:
    test, bad = declared.failed_if, outcome.result != "done"
    if test is None or test.at == "":
        return
    if test.word == "exists":
        own = (declared.error, declared.message, declared.id, declared.record, declared.key)
        told = any(place and (place == test.at or place.startswith(f"{test.at}/")) for place in own)
        if bad == bool(test.value) and not told:
            put_at(entry, test.at, message_of(outcome))
    elif isinstance(test.value, bool):
        put_at(entry, test.at, test.value if (test.word == "is") == bad else not test.value)
    elif str(test.value)[1:] in {"xx", "XX"} or isinstance(test.value, int):
        put_at(entry, test.at, _status(declared, outcome, word))
    elif (test.word == "is") == bad:
        put_at(entry, test.at, test.value)
    else:
        put_at(entry, test.at, "failed" if bad else "ok")
