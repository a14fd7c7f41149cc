"""Build a `Scenario` from a valid document (`build_scenario`), and fill in its `${item.x}` references (`fill_in`)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, TypeAlias

from contracts.messages import ABSENT
from contracts.syntax.text import look_up
from mockserver.domain.values import ItemEffect
from mockserver.scenarios.model import (
    Delay,
    Effects,
    ItemSelection,
    JobEffect,
    RequestCondition,
    ResponseEffect,
    Rule,
    Scenario,
    TenantEffect,
    WireFault,
    as_test,
    as_text,
    as_text_test,
    scenario_duration,
)

Document = Mapping[str, Any]
REQUEST_WORDS: Final = ("api", "operation", "method", "tenant", "client")
ITEM_KINDS: Final = ("fail", "leave", "lose", "skip")
JOB_WORDS: Final = frozenset(("duration", "never-ends", "progress", "errors", "gone-after"))
TENANT_WORDS: Final = frozenset(("unknown-tenants", "tenant-problems"))
BODY_SOURCES: Final = {"body": "given", "example": "example", "generate": "generate"}
RESPONSE_WORDS: Final = frozenset(("status", "headers", *BODY_SOURCES))
WIRE_FAULTS: Final = ("timeout", "fault", "truncate", "dribble")


def build_scenario(document: Document) -> Scenario:
    """Return the scenario of a document. Raises ValueError or KeyError for an invalid one."""
    return Scenario(
        name=document["name"],
        summary=document.get("summary", ""),
        api=document.get("api", ""),
        rules=tuple(map(build_rule, document["rules"])),
        document=document,
    )


def build_rule(document: Document) -> Rule:
    """Return one rule."""
    return Rule(
        when=build_condition(document.get("when", {})),
        picks=build_selection(document["items"]) if "items" in document else None,
        then=build_effects(document["then"]),
        times=document.get("times"),
    )


def build_condition(document: Document) -> RequestCondition:
    """Return the condition on requests."""
    counter = document.get("counter")
    return RequestCondition(
        words={name: _listed(document[name]) for name in REQUEST_WORDS if name in document},
        path=document.get("path"),
        header={name: as_text_test(test) for name, test in document.get("header", {}).items()},
        query={name: as_text_test(test) for name, test in document.get("query", {}).items()},
        body=tuple((one["pointer"], as_test(one["test"])) for one in document.get("body", ())),
        nth=_listed(document.get("nth", ())),
        chance=document.get("chance"),
        counter=None if counter is None else (counter["name"], as_test(counter["is"])),
        all=tuple(map(build_condition, document.get("all", ()))),
        any=tuple(map(build_condition, document.get("any", ()))),
        negated=build_condition(document["not"]) if "not" in document else None,
    )


def build_selection(document: Document) -> ItemSelection:
    """Return the selection of items."""
    return ItemSelection(
        where=tuple((pointer_of_path(path), as_test(test)) for path, test in document.get("where", {}).items()),
        keys=frozenset(map(as_text, _listed(document["key"]))) if "key" in document else None,
        indexes=frozenset(_listed(document["index"])) if "index" in document else None,
        every=int(document.get("every", 1)),
        ratio=document.get("ratio"),
        first=_whole(document.get("first")),
        document=document,
    )


def pointer_of_path(path: str) -> str:
    """Return the JSON Pointer of a path with dots; a pointer is returned as it is."""
    if path.startswith("/"):
        return path
    return "".join(f"/{token.replace('~', '~0').replace('/', '~1')}" for token in path.split("."))


def build_effects(document: Document) -> Effects:
    """Return the effects of a rule."""
    return Effects(
        item=_item(document),
        job=_job(document) if JOB_WORDS & document.keys() else None,
        tenants=_tenants(document) if TENANT_WORDS & document.keys() else None,
        response=_response(document) if RESPONSE_WORDS & document.keys() else None,
        delay=_delay(document) if "delay" in document else None,
        wire_fault=_cut(document),
        commit_point=document.get("at"),
        count=document.get("count"),
        bug=document.get("bug"),
    )


def _whole(number: float | None) -> int | None:
    """Return a whole number, which may be written as 2.0 (JSON Schema 2020-12, 6.1.1)."""
    return None if number is None else int(number)


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
    lengths = {name: scenario_duration(document[name]) for name in ("duration", "gone-after") if name in document}
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


def _response(document: Document) -> ResponseEffect:
    source: Any = next((BODY_SOURCES[one] for one in BODY_SOURCES if one in document), "")
    return ResponseEffect(
        status=_whole(document.get("status")),
        source=source,
        example=document.get("example", ""),
        body=document.get("body"),
        headers=tuple((name, as_text(value)) for name, value in document.get("headers", {}).items()),
    )


def _delay(document: Document) -> Delay:
    said, on_clock = document["delay"], "on" in document
    if isinstance(said, str):
        return Delay(kind="fixed", a=scenario_duration(said) / timedelta(milliseconds=1), on_clock=on_clock)
    if "uniform" in said:
        bounds = said["uniform"]
        return Delay(kind="uniform", a=bounds["lower_ms"], b=bounds["upper_ms"], on_clock=on_clock)
    shape = said["lognormal"]
    return Delay(kind="lognormal", a=shape["median_ms"], b=shape["sigma"], on_clock=on_clock)


def _cut(document: Document) -> WireFault | None:
    kind = next((one for one in WIRE_FAULTS if one in document), None)
    if kind is None:
        return None
    if kind == "fault":
        return WireFault(kind=document["fault"])
    if kind == "truncate":
        return WireFault(kind=kind, fraction=document["truncate"])
    if kind == "dribble":
        over = timedelta(milliseconds=document["dribble"]["over_ms"])
        return WireFault(kind=kind, chunks=int(document["dribble"]["chunks"]), duration=over)
    return WireFault(kind=kind)


Tokens: TypeAlias = tuple[str | int, ...]
REFERENCE: Final = re.compile(r"(?P<escape>\$\$\{)|\$\{(?P<inside>[^{}]*)\}?")
ITEM_PATH: Final = re.compile(r"item(?:\.(?P<path>.+))?", re.DOTALL)


def fill_in(value: Any, items: Sequence[object]) -> Any:
    """Return `value` with its references replaced by values of the raw `items`.

    An element of a list, or a member of an object, that has references is repeated for each item, unless an enclosing
    one is already; any other reference means the first item. Without items, such elements and members are left out, and
    elsewhere a reference is null, or empty inside a longer text.
    """
    return _filled(value, items, items[0] if items else ABSENT, spread=True)


def fill_text(text: str, item: object) -> str:
    """Return a text with its references replaced by values of one raw item."""
    return _text(text, item)


def bad_references(value: Any, at: Tokens = ()) -> Iterator[tuple[Tokens, str]]:
    """Yield every malformed reference with its location."""
    if isinstance(value, str):
        yield from ((at, found[0]) for found in REFERENCE.finditer(value) if not _is_good(found))
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from bad_references(name, (*at, name))
            yield from bad_references(one, (*at, name))
    elif isinstance(value, list):
        for n, one in enumerate(value):
            yield from bad_references(one, (*at, n))


def _is_good(found: re.Match[str]) -> bool:
    inside = found["inside"]
    return bool(found["escape"]) or (found[0].endswith("}") and ITEM_PATH.fullmatch(inside) is not None)


def _refers(value: Any) -> bool:
    if isinstance(value, str):
        return any(not found["escape"] for found in REFERENCE.finditer(value))
    if isinstance(value, dict):
        return any(_refers(name) or _refers(one) for name, one in value.items())
    return isinstance(value, list) and any(map(_refers, value))


def _filled(value: Any, items: Sequence[object], item: object, *, spread: bool) -> Any:
    if isinstance(value, str):
        return _value(value, item)
    if isinstance(value, dict):
        return dict(_members(value, items, item, spread=spread))
    if isinstance(value, list):
        return list(_elements(value, items, item, spread=spread))
    return value


def _elements(value: list[Any], items: Sequence[object], item: object, *, spread: bool) -> Iterator[Any]:
    for one in value:
        if spread and _refers(one):
            yield from (_filled(one, (), each, spread=False) for each in items)
        else:
            yield _filled(one, items, item, spread=spread)


def _members(
    value: dict[str, Any], items: Sequence[object], item: object, *, spread: bool
) -> Iterator[tuple[str, Any]]:
    for name, one in value.items():
        if spread and _refers(name):
            yield from ((_text(name, each), _filled(one, (), each, spread=False)) for each in items)
        else:
            yield _text(name, item), _filled(one, items, item, spread=spread)


def _value(text: str, item: object) -> Any:
    whole = REFERENCE.fullmatch(text)
    if whole is None or whole["escape"]:
        return _text(text, item)
    found = _look(whole, item)
    return None if found is ABSENT else found


def _text(text: str, item: object) -> str:
    if "${" not in text:
        return text

    def replacement(found: re.Match[str]) -> str:
        value = ABSENT if found["escape"] else _look(found, item)
        return "${" if found["escape"] else "" if value is ABSENT or value is None else as_text(value)

    return REFERENCE.sub(replacement, text)


def _look(found: re.Match[str], item: object) -> object:
    inside = ITEM_PATH.fullmatch(found["inside"])
    path = None if inside is None else inside["path"]
    return item if path is None else look_up(item, pointer_of_path(path))
