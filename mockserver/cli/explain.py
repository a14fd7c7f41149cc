"""`bulkproof explain`: who answers each operation, and what a bulk operation means, axis by axis, in words."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from mockserver.cli.options import Command, reading_of, reading_options

if TYPE_CHECKING:
    from contracts.bulk.model import Bulk, Outcomes
    from contracts.openapi.model import Contract, Operation
    from mockserver.api.model import Api
    from mockserver.bulk.prepared_api import PreparedApi

    Explained = Mapping[str, Any]

ACTIONS: Final = {
    "list": "lists records of",
    "read": "reads a record of",
    "create": "creates a record of",
    "update": "changes members of a record of",
    "replace": "replaces a record of",
    "upsert": "creates or changes a record of",
    "delete": "deletes a record of",
}
KINDS: Final = {
    "own": "by the API's own code",
    "bulk": "as bulk operations",
    "job": "about jobs",
    "record": "from stored records",
    "document": "from the document",
}
WIDTH: Final = 10  # of the names of axes, and of what stands below them


@click.command(cls=Command)
@click.argument("api", metavar="API|FILE")
@reading_options
@click.option("--operation", "wanted", multiple=True, metavar="OPERATION", help="Only this operation; repeatable.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Output format.",
)
def explain(*, api: str, wanted: tuple[str, ...], form: str, **reading: Any) -> None:
    """Explain an API: who answers each operation, and what each bulk operation means.

    For a bulk operation each axis of x-bulk is told in words, with what was inferred, what is missing, and which laws
    cannot be judged.

    bulkproof explain openapi.yaml --overlay bulk.overlay.yaml
    """
    from mockserver.apis.sources import find_sources

    loaded = find_sources((api,), reading_of(reading))[0].load()
    found = [*explained(loaded, _selected(loaded.contract, wanted))]
    if form == "json":
        import orjson

        about = {"title": loaded.contract.title, "version": loaded.contract.version, "operations": found}
        click.echo(orjson.dumps(about, option=orjson.OPT_INDENT_2).decode())
    else:
        click.echo("\n".join(_text(loaded.contract, found)))


def _selected(contract: "Contract", wanted: tuple[str, ...]) -> "tuple[Operation, ...]":
    from contracts.errors import MisuseError
    from contracts.syntax.text import names_hint

    known = [one.id for one in contract.operations]
    for name in wanted:
        if name not in known:
            cure = names_hint(name, known)
            raise MisuseError(f"there is no operation '{name}'.", cure=cure)
    return tuple(one for one in contract.operations if not wanted or one.id in wanted)


def explained(api: "Api", operations: "tuple[Operation, ...]") -> "Iterator[Explained]":
    """Yield what there is to say of each operation: a JSON object."""
    from mockserver.bulk.prepared_api import prepared

    ready = prepared(api)
    for one in operations:
        kind, says = _answerer(ready, one)
        about: dict[str, Any] = {"id": one.id, "method": one.method, "path": one.path, "answered": kind, "says": says}
        about |= {"sources": [*_sources(api.contract, one)]} if api.contract.provenance else {}
        yield {**about, **_bulk(ready, one, one.bulk)} if one.bulk is not None and kind == "bulk" else about


def _sources(contract: "Contract", operation: "Operation") -> Iterator[Mapping[str, Any]]:
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


def _answerer(ready: "PreparedApi", operation: "Operation") -> tuple[str, str]:
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
    if operation.record is None:
        return "document", "the document answers it: an example, else a value made from the schema"
    act = operation.record
    source = "inferred from method and path" if act.inferred else "as its x-record says"
    resource = ready.api.contract.resources.get(act.resource.constant)
    if act.inferred and resource is not None and resource.inferred:
        from mockserver.engine.inferred_resources import keeps_state

        if not keeps_state(ready.api, operation):
            return "document", f"the document answers it: its response shows no record of {resource.name} with a key"
    where = act.resource.constant or f"the resource at {act.resource.source}"
    action = ACTIONS.get(act.action.constant, f"does what {act.action.source} says to a record of")
    return "record", f"{action} {where}, {source}"


def _function_name(function: object) -> str:
    name = getattr(function, "__qualname__", "") or type(function).__qualname__
    return f"{getattr(function, '__module__', '')}.{name}".strip(".")


def _named(names: Any) -> str:
    from contracts.syntax.text import listed

    return listed(dict.fromkeys(names))


def _raw(contract: "Contract", operation: "Operation") -> Mapping[str, Any]:
    """Return an operation's object in the document."""
    from contracts.openapi.operations import node_at
    from contracts.syntax.text import pointer_of, tokens_of

    root = next(uri for uri, one in contract.schemas.documents.items() if one is contract.document)
    *item, method = tokens_of(operation.pointer)
    return node_at(contract.schemas, f"{root}#{pointer_of(item)}").inside(method).value


def _bulk(ready: "PreparedApi", operation: "Operation", bulk: "Bulk") -> "Explained":
    from contracts.bulk.in_words import bulk_in_words
    from generators.check.laws.catalogue import LAWS

    reasons = {law.name: law.exempt_reason(operation) for law in LAWS}
    return {
        "axes": bulk_in_words(_raw(ready.api.contract, operation)["x-bulk"]),
        "inferred": [*_inferred(ready, operation, bulk)],
        "missing": [*_missing(ready, operation, bulk)],
        "notJudged": {name: reason for name, reason in reasons.items() if reason is not None},
    }


def _resource(ready: "PreparedApi", operation: "Operation", bulk: "Bulk") -> str | None:
    """Return the name of the resource of the items, None where it is unknown or the item says."""
    from contracts.openapi.inference import fallback_resource

    if bulk.effect.resource is not None:
        return bulk.effect.resource.constant or None
    return fallback_resource(ready.api.contract, operation)


def _inferred(ready: "PreparedApi", operation: "Operation", bulk: "Bulk") -> Iterator[str]:
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


def _missing(ready: "PreparedApi", operation: "Operation", bulk: "Bulk") -> Iterator[str]:
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


def _missing_resource(contract: "Contract", bulk: "Bulk", name: str | None) -> Iterator[str]:
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


def _missing_in_outcomes(bulk: "Bulk", outcomes: "Outcomes") -> Iterator[str]:
    matched = outcomes.key is not None or outcomes.in_order or outcomes.shape == "map"
    if not matched and bulk.key.by != "order":
        yield "No 'key' or 'inOrder' in outcomes: an entry does not say of which item it is."
    if outcomes.error is None and outcomes.covers != "split":
        yield "No 'error' in outcomes: why an item failed is not said."


def _text(contract: "Contract", found: "list[Explained]") -> Iterator[str]:
    from collections import Counter

    counted = Counter(one["answered"] for one in found)
    told = ", ".join(f"{counted[kind]} {words}" for kind, words in KINDS.items() if counted[kind])
    yield f"{contract.title} {contract.version}: {len(found)} operations; answered are {told}."
    yield from (f"  page {title}: {url}" for title, url in contract.provenance.pages.items())
    for one in found:
        yield ""
        yield f"{one['method']} {one['path']}  {one['id']}"
        yield f"  {one['says']}"
        yield from _row("source", map(_source_text, one.get("sources", ())))
        if "axes" in one:
            yield from _bulk_text(one)


def _source_text(one: Mapping[str, Any]) -> str:
    named = f"{', '.join(one['of'])}: " if one["of"] else ""
    page = one["title"] or one["page"]
    source = f"{one['says']} at {page}" if page else one["says"]
    return named + (f"{one['note']} ({source})" if one["note"] else source)


def _bulk_text(one: "Explained") -> Iterator[str]:
    for axis, sentences in one["axes"].items():
        yield from _row(axis, sentences)
    yield from _row("inferred", one["inferred"])
    yield from _row("missing", one["missing"])
    yield from _row("not judged", [f"{law}: {reason}" for law, reason in one["notJudged"].items()])


def _row(name: str, lines: Any) -> Iterator[str]:
    for n, line in enumerate(lines):
        yield f"  {name if n == 0 else '':<{WIDTH}} {line}"
