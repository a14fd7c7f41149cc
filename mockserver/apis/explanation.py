"""An API in words: who answers each operation, who says so, and what a bulk operation means, axis by axis.

Begin with `explanation`.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from contracts.bulk.in_words import bulk_in_words
from contracts.bulk.model import Bulk, Outcomes, RecordAct
from contracts.openapi.inference import fallback_resource
from contracts.openapi.model import Contract, Operation
from contracts.openapi.operations import node_at
from contracts.syntax.text import listed, pointer_of, tokens_of
from generators.check.laws.catalogue import LAWS
from mockserver.api.model import Api
from mockserver.bulk.prepared_api import PreparedApi, prepared
from mockserver.engine.inferred_resources import keeps_state

Explained: TypeAlias = dict[str, Any]
ACTIONS: Final = {
    "list": "lists records of",
    "read": "reads a record of",
    "create": "creates a record of",
    "update": "changes members of a record of",
    "replace": "replaces a record of",
    "upsert": "creates or changes a record of",
    "delete": "deletes a record of",
}


def explanation(api: Api, operations: tuple[Operation, ...] | None = None) -> Explained:
    """Return what there is to say of an API and of these operations, by default of all, as a JSON object."""
    contract, ready = api.contract, prepared(api)
    told = contract.provenance
    about: Explained = {"title": contract.title, "version": contract.version}
    if told:
        about["sources"] = [
            {"of": [], "says": one.says, "page": one.page, "title": one.title, "note": one.note}
            for one in told.told_at(f"{told.root}#")
            if one.note
        ]
    shown = contract.operations if operations is None else operations
    return about | {"operations": [_explained(ready, one) for one in shown]}


def _explained(ready: PreparedApi, operation: Operation) -> Explained:
    contract = ready.api.contract
    kind, says = _answerer(ready, operation)
    about: Explained = {
        "id": operation.id,
        "method": operation.method,
        "path": operation.path,
        "answered": kind,
        "says": says,
    }
    about |= {"sources": [*_sources(contract, operation)]} if contract.provenance else {}
    return about | (_bulk(ready, operation, operation.bulk) if operation.bulk is not None else {})


def _sources(contract: Contract, operation: Operation) -> Iterator[Mapping[str, Any]]:
    """Yield who says that an operation is there, and each of its axes; then its further facts."""
    told, own = contract.provenance, f"{contract.provenance.root}#{operation.pointer}"
    axes = _raw(contract, operation)["x-bulk"] if operation.bulk is not None else {}
    parts = {own: "operation"} | {f"{own}/x-bulk/{one}": one for one in axes if not one.startswith("x-")}
    grouped: dict[tuple[str, str, str, str], list[str]] = {}
    for place, name in parts.items():
        if (found := told.source_of(place)) is not None:
            grouped.setdefault((found.says, found.page, found.title, ""), []).append(name)
    whole = {*parts, own + "/x-bulk", own + "/x-record"}
    for one in (one for at in ("", "/x-bulk", "/x-record") for one in told.told_at(own + at)):
        if one.note or one.place not in whole:
            name = parts.get(one.place, one.place.removeprefix(own).removeprefix("/x-bulk").lstrip("/"))
            grouped.setdefault((one.says, one.page, one.title, one.note), []).extend([name] if name else [])
    for (says, page, title, note), names in grouped.items():
        yield {"of": names, "says": says, "page": page, "title": title, "note": note}


def _answerer(ready: PreparedApi, operation: Operation) -> tuple[str, str]:
    """Return who answers an operation, a word of `KINDS`, and the same in words."""
    name = operation.id
    own = ready.api.behaviours.get(name)
    if own is not None:
        return "own", f"the API's own code answers it, {_function_name(own)}"
    if name in ready.plans:
        return "bulk", "a bulk operation, as its x-bulk says"
    for role, plans in (("polls", ready.polls), ("cancels", ready.cancels)):
        if name in plans:
            return "job", f"{role} the jobs of {_named(plan.operation.id for plan in plans[name])}"
    if operation.reads is not None and ready.api.plain:
        return "record", "reads several records by their keys, as its x-reads says"
    return _record_answerer(ready, operation, operation.record) if operation.record else _other_answerer(ready, name)


def _other_answerer(ready: PreparedApi, name: str) -> tuple[str, str]:
    below = ready.actions.get(name)
    if below is not None and below.shows:
        return "record", f"shows a record of {below.act.resource.constant} as it is: nothing says what this does to it"
    return "document", "the document answers it: an example, else a value made from the schema"


def _record_answerer(ready: PreparedApi, operation: Operation, act: RecordAct) -> tuple[str, str]:
    source = "inferred from method and path" if act.inferred else "as its x-record says"
    resource = ready.api.contract.resources.get(act.resource.constant)
    if act.inferred and resource is not None and resource.inferred and not keeps_state(ready.api, operation):
        return "document", f"the document answers it: its response shows no record of {resource.name} with a key"
    where = act.resource.constant or f"the resource at {act.resource.source}"
    action = ACTIONS.get(act.action.constant, f"does what {act.action.source} says to a record of")
    return "record", f"{action} {where}, {source}"


def _function_name(function: object) -> str:
    name = getattr(function, "__qualname__", "") or type(function).__qualname__
    return f"{getattr(function, '__module__', '')}.{name}".strip(".")


def _named(names: Any) -> str:
    return listed(dict.fromkeys(names))


def _raw(contract: Contract, operation: Operation) -> Mapping[str, Any]:
    """Return an operation's object in the document."""
    root = next(uri for uri, one in contract.schemas.documents.items() if one is contract.document)
    *item, method = tokens_of(operation.pointer)
    return node_at(contract.schemas, f"{root}#{pointer_of(item)}").inside(method).value


def _bulk(ready: PreparedApi, operation: Operation, bulk: Bulk) -> Explained:
    reasons = {law.name: law.exempt_reason(operation) for law in LAWS}
    return {
        "axes": bulk_in_words(_raw(ready.api.contract, operation)["x-bulk"]),
        "inferred": [*_inferred(ready, operation, bulk)],
        "missing": [*_missing(ready, operation, bulk)],
        "notJudged": {name: reason for name, reason in reasons.items() if reason is not None},
    }


def _resource(ready: PreparedApi, operation: Operation, bulk: Bulk) -> str | None:
    """Return the name of the resource of the items, None where it is unknown or the item says."""
    if bulk.effect.resource is not None:
        return bulk.effect.resource.constant or None
    return fallback_resource(ready.api.contract, operation)


def _inferred(ready: PreparedApi, operation: Operation, bulk: Bulk) -> Iterator[str]:
    name = _resource(ready, operation, bulk)
    if name is None or bulk.effect.http:
        return
    contract = ready.api.contract
    if bulk.effect.resource is None:
        source = f"that of {_named(bulk.effect.like)}" if bulk.effect.like else "by the names in the path"
        yield f"The resource is {name}, {source}."
    if name in contract.resources and name not in contract.document.get("x-resources", {}):  # type: ignore[operator] # checked
        rules = contract.resources[name]
        who = "the server makes it" if rules.assigned else "the caller gives it"
        yield f"The key of {name} is '{rules.key}', and {who}."
        if rules.version is not None:
            yield f"The version of {name} is '{rules.version}'."


def _missing(ready: PreparedApi, operation: Operation, bulk: Bulk) -> Iterator[str]:
    contract = ready.api.contract
    name = _resource(ready, operation, bulk)
    if not bulk.effect.http:
        yield from _missing_resource(contract, bulk, name)
    outcomes = [one for one in (bulk.reply.outcomes, bulk.job.outcomes if bulk.job else None) if one is not None]
    if not outcomes:
        yield "No 'outcomes': what became of an item is not said."
    for one in outcomes:
        yield from _missing_in_outcomes(bulk, one)
    for word, status in bulk.reply.status.items():
        if operation.response(status) is None:
            yield f"No response {status} is declared, which is the status for '{word}'."
        elif not any(media.schema for media in operation.response(status).content):  # type: ignore[union-attr] # it is declared
            yield f"The response {status} has no schema: what it has is not validated."


def _missing_resource(contract: Contract, bulk: Bulk, name: str | None) -> Iterator[str]:
    if name is None and bulk.effect.resource is None:
        yield "No resource: say whose records the items change, by 'effect.like' or 'effect.resource'."
        return
    if not bulk.effect.like:
        yield "No 'effect.like': items cannot be compared with calls for single records."
    if name is None or name not in contract.resources:
        return
    if contract.resources[name].schema is None:
        yield f"No schema of {name}: any object is taken for a record."
    acts = [one.record for one in contract.operations if one.record and one.record.resource.constant == name]
    if not any(act.action.constant in {"list", "read"} for act in acts):
        yield f"No operation reads {name} back: what is stored cannot be judged."


def _missing_in_outcomes(bulk: Bulk, outcomes: Outcomes) -> Iterator[str]:
    matched = outcomes.key is not None or outcomes.in_order or outcomes.shape == "map"
    if not matched and bulk.key.by != "order":
        yield "No 'key' or 'inOrder' in outcomes: an entry does not say of which item it is."
    if outcomes.error is None and outcomes.covers != "split":
        yield "No 'error' in outcomes: why an item failed is not said."
