"""Making a scenario's values of a document that was found faultless."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from mockserver.scenario.effects import (
    Cut,
    Delay,
    Effects,
    ItemEffect,
    JobEffect,
    ReplyEffect,
    TenantEffect,
)
from mockserver.scenario.predicates import as_test, as_text, as_text_test
from mockserver.scenario.rules import Picks, Rule, Scenario, When
from mockserver.scenario.spans import span

Document = Mapping[str, Any]
WORDS: Final = ("api", "operation", "method", "tenant", "client")
ITEM_KINDS: Final = ("fail", "lose", "skip")
JOB: Final = frozenset(("duration", "never-ends", "progress", "errors", "gone-after"))
TENANTS: Final = frozenset(("unknown-tenants", "tenant-problems"))
SOURCES: Final = {"body": "given", "example": "example", "generate": "generate"}
REPLY: Final = frozenset(("status", "headers", *SOURCES))
CUTS: Final = ("timeout", "fault", "truncate", "dribble")


def build(document: Document) -> Scenario:
    """Return the scenario that a document says. Raises ValueError or KeyError for a document that has faults."""
    return Scenario(
        name=document["name"],
        summary=document.get("summary", ""),
        api=document.get("api", ""),
        rules=tuple(map(rule, document["rules"])),
        document=document,
    )


def rule(document: Document) -> Rule:
    """Return one rule."""
    return Rule(
        when=when(document.get("when", {})),
        picks=picks(document["items"]) if "items" in document else None,
        then=effects(document["then"]),
        times=document.get("times"),
    )


def when(document: Document) -> When:
    """Return the condition on calls."""
    counter = document.get("counter")
    return When(
        words={name: _listed(document[name]) for name in WORDS if name in document},
        path=document.get("path"),
        header={name: as_text_test(test) for name, test in document.get("header", {}).items()},
        query={name: as_text_test(test) for name, test in document.get("query", {}).items()},
        body=tuple((one["pointer"], as_test(one["test"])) for one in document.get("body", ())),
        nth=_listed(document.get("nth", ())),
        chance=document.get("chance"),
        counter=None if counter is None else (counter["name"], as_test(counter["is"])),
        all=tuple(map(when, document.get("all", ()))),
        any=tuple(map(when, document.get("any", ()))),
        never=when(document["not"]) if "not" in document else None,
    )


def picks(document: Document) -> Picks:
    """Return the condition on items."""
    return Picks(
        where=tuple((pointer_of_path(path), as_test(test)) for path, test in document.get("where", {}).items()),
        keys=frozenset(map(as_text, _listed(document["key"]))) if "key" in document else None,
        indexes=frozenset(_listed(document["index"])) if "index" in document else None,
        every=document.get("every", 1),
        ratio=document.get("ratio"),
        first=document.get("first"),
        said=document,
    )


def pointer_of_path(path: str) -> str:
    """Return the JSON Pointer of a path with dots; a pointer is taken as it is."""
    if path.startswith("/"):
        return path
    return "".join(f"/{token.replace('~', '~0').replace('/', '~1')}" for token in path.split("."))


def effects(document: Document) -> Effects:
    """Return what a rule does."""
    return Effects(
        item=_item(document),
        job=_job(document) if JOB & document.keys() else None,
        tenants=_tenants(document) if TENANTS & document.keys() else None,
        reply=_reply(document) if REPLY & document.keys() else None,
        delay=_delay(document) if "delay" in document else None,
        cut=_cut(document),
        at=document.get("at"),
        count=document.get("count"),
        bug=document.get("bug"),
    )


def _listed(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _item(document: Document) -> ItemEffect | None:
    kind: Any = next((one for one in ITEM_KINDS if one in document), None)
    if kind is None:
        return None
    said = document["fail"] if kind == "fail" else {}
    properties = tuple(said.get("properties", ()))
    return ItemEffect(kind=kind, message=said.get("message"), code=said.get("code"), properties=properties)


def _job(document: Document) -> JobEffect:
    lengths = {name: span(document[name]) for name in ("duration", "gone-after") if name in document}
    return JobEffect(
        duration=lengths.get("duration"),
        never_ends=document.get("never-ends", False),
        progress=document.get("progress"),
        errors=document.get("errors", {}),
        gone_after=lengths.get("gone-after"),
    )


def _tenants(document: Document) -> TenantEffect:
    unknown = frozenset(document.get("unknown-tenants", ()))
    return TenantEffect(unknown=unknown, problems=document.get("tenant-problems", {}))


def _reply(document: Document) -> ReplyEffect:
    source: Any = next((SOURCES[one] for one in SOURCES if one in document), "")
    return ReplyEffect(
        status=document.get("status"),
        source=source,
        example=document.get("example", ""),
        body=document.get("body"),
        headers=tuple((name, as_text(value)) for name, value in document.get("headers", {}).items()),
    )


def _delay(document: Document) -> Delay:
    said, on_clock = document["delay"], "on" in document
    if isinstance(said, str):
        return Delay(kind="fixed", a=span(said) / timedelta(milliseconds=1), on_clock=on_clock)
    if "uniform" in said:
        bounds = said["uniform"]
        return Delay(kind="uniform", a=bounds["lower_ms"], b=bounds["upper_ms"], on_clock=on_clock)
    shape = said["lognormal"]
    return Delay(kind="lognormal", a=shape["median_ms"], b=shape["sigma"], on_clock=on_clock)


def _cut(document: Document) -> Cut | None:
    kind = next((one for one in CUTS if one in document), None)
    if kind is None:
        return None
    if kind == "fault":
        return Cut(kind=document["fault"])
    if kind == "truncate":
        return Cut(kind=kind, share=document["truncate"])
    if kind == "dribble":
        over = timedelta(milliseconds=document["dribble"]["over_ms"])
        return Cut(kind=kind, chunks=document["dribble"]["chunks"], over=over)
    return Cut(kind=kind)
