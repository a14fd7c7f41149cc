"""Convert validated `x-bulk`, `x-record` and `x-resources` objects of an OpenAPI document into values.

Begin with `read_bulk`, `read_quotas`, `read_record_act` and `read_resource`. Their JSON Schemas are the
`x-*.schema.json` files of `contracts`; input that does not fit them raises KeyError or TypeError.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, Literal, TypeAlias, cast

from contracts.bulk.jobs import ActiveJobs, JobDuration
from contracts.bulk.lists import FilterLanguage, JoinedNames, ListRules, Pagination, Sorting
from contracts.bulk.model import (
    Bulk,
    BulkEffect,
    BulkGuard,
    BulkItems,
    BulkJob,
    BulkKey,
    BulkOrder,
    BulkReply,
    BulkUnit,
    Choice,
    FanOut,
    Idempotency,
    Outcomes,
    OutcomeTest,
    Quota,
    RecordAct,
    Resource,
)
from contracts.syntax.text import as_mapping, parse_duration, pointer_of, text_of

Json: TypeAlias = Mapping[str, Any]
TestWord: TypeAlias = Literal["is", "not", "exists"]
ALL_ROWS: Final = "csv:rows"  # the rows of a body that is CSV
LIST_WORDS: Final = (
    "order",
    "sort",
    "where",
    "filter",
    "select",
    "joined",
    "names",
)  # members of x-record on what a list shows
NAME: Final = "/~name"  # the name of an item in a map
FILTER_JOINTS: Final = ("and", "or", "not")
PAYLOAD_LINE: Final = "/~payload"  # the member of an item of line pairs that has its second line
ATTRIBUTE_NAMES: Final = {
    "alsoAt": "also_at",
    "as": "shape",
    "cancelUntil": "cancel_until",
    "dependsOn": "depends_on",
    "failedAt": "failed_at",
    "failedIf": "failed_if",
    "failedKey": "failed_key",
    "keyAs": "key_as",
    "fanOut": "fan_out",
    "groupBy": "group_by",
    "handleAs": "handle_as",
    "ignoreCase": "ignore_case",
    "inOrder": "in_order",
    "lookUp": "look_up",
    "sameKey": "same_key",
    "markedAs": "marked_as",
    "maxBytes": "max_bytes",
    "maxItemBytes": "max_item_bytes",
    "faultOrder": "fault_order",
    "memberAs": "member_as",
    "onBroken": "on_broken",
    "onlyFor": "only_for",
    "perItem": "per_item",
    "rolledBack": "rolled_back",
    "set": "set_members",
    "setDone": "set_done",
    "setFailed": "set_failed",
    "setNotRun": "set_not_run",
    "stopAfter": "stop_after",
    "versioning": "has_counter",
}


def read_bulk(data: Json) -> Bulk:
    """Return the value of an `x-bulk` object.

    Columns of rows (`csv:name`) and parts of a form (`part:name`) become pointers to members of these names.
    """
    data = _by_name(_as_pointers(data))
    http = data["effect"].get("http", {})
    return Bulk(
        items=BulkItems(**_arguments(data["items"], also_at=tuple, shared=tuple, fan_out=lambda one: FanOut(**one))),
        effect=_read_effect(data["effect"], beside=data["items"].get("as") == "line-pairs"),
        key=BulkKey(**_arguments(data["key"], only_for=tuple)),
        unit=BulkUnit(**_arguments(data["unit"], of=read_choice)),
        reply=BulkReply(**_arguments(data["reply"], outcomes=partial(_read_outcomes, http=http))),
        order=BulkOrder(**_arguments(data.get("order", {}))),
        job=_read_job(data["job"], http=http) if "job" in data else None,
        guard=_read_guard(data.get("guard", {})),
    )


def _by_name(data: Any) -> Any:
    """Return a declaration in which the names of a map are the targets, said as `key: {by: target, at: ""}` says it."""
    items, effect, key = data["items"], data["effect"], data["key"]
    is_name = list(effect.get("target", ())) == [NAME] and key["by"] == "target" and key.get("at", NAME) in {"", NAME}
    if items.get("as") != "map" or items.get("groups") is not None or not is_name:
        return data
    others = {name: value for name, value in effect.items() if name != "target"}
    return {**data, "effect": others, "key": {**key, "at": ""}}


def _as_pointers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_pointers(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_as_pointers(one) for one in value]
    if not isinstance(value, str) or not value.startswith(("csv:", "part:")):
        return value
    return "" if value == ALL_ROWS else pointer_of((value.partition(":")[2],))


def _read_effect(data: Json, *, beside: bool) -> BulkEffect:
    """Return the effect; `beside`: an item's payload is the line after it, `~payload` of the item."""
    given = data.get("payload", "")
    special = as_mapping(given)
    root = PAYLOAD_LINE if beside else ""
    others = {name: value for name, value in data.items() if name != "payload"}
    return BulkEffect(
        payload=root if special else f"{root}{given}",
        payload_of={action: f"{root}{at}" for action, at in special.items()},
        **_arguments(others, action=read_choice, resource=read_choice, target=tuple, like=_read_like),
    )


def read_record_act(data: Json, *, key: str | None) -> RecordAct:
    """Return the value of an `x-record` object; `key` is the key's location when the object names none."""
    rules = {word: data[word] for word in LIST_WORDS if word in data}
    others = {word: value for word, value in data.items() if word not in rules and not word.startswith("x-")}
    given = _arguments(others, action=read_choice, resource=read_choice, page=lambda page: Pagination(**page))
    return RecordAct(**{"key": key, **given}, rules=_read_list_rules(rules))


def _read_list_rules(data: Json) -> ListRules:
    language = {f"{word}_" if word in FILTER_JOINTS else word: value for word, value in data.get("filter", {}).items()}
    return ListRules(
        order=tuple(data.get("order", ())),
        sort=Sorting(**data["sort"]) if "sort" in data else None,
        where=data.get("where", {}),
        filter=FilterLanguage(**language) if language else None,
        select=data.get("select"),
        joined=JoinedNames(**data["joined"]) if "joined" in data else None,
        names=tuple(data.get("names", ())),
    )


def read_resource(name: str, data: Json, *, schema: str | None) -> Resource:
    """Return the value of one entry of `x-resources`; `schema` refers (`uri#pointer`) to its payload schema."""
    extras = {word: value for word, value in data.items() if word.startswith("x-") and word != "x-source"}
    given = {word: value for word, value in data.items() if not word.startswith("x-") and word != "schema"}
    pairs: dict[str, Callable[[Any], Any]] = {
        "consistency": lambda one: parse_duration(one["within"]),
        "has_counter": "opaque".__ne__,
        "unique": lambda sets: tuple(map(tuple, sets)),
        "required": tuple,
        "lookups": tuple,
    }
    writes = data.get("versioning") == "writes"
    return Resource(name=name, schema=schema, extras=extras, counts_writes=writes, **_arguments(given, **pairs))


def read_choice(data: str | Json) -> Choice:
    """Return the value of a constant, or of an object that maps words of the request (`from`, `map`, `default`)."""
    if isinstance(data, str):
        return Choice(constant=data)
    default = data.get("default")
    return Choice(
        source=data["from"],
        words=data.get("map", {}),
        default=None if default is None else text_of(default),
        ignore_case=data.get("ignoreCase", False),
    )


def _arguments(data: Json, **readers: Callable[[Any], Any]) -> dict[str, Any]:
    given = {ATTRIBUTE_NAMES.get(word, word): value for word, value in data.items()}
    return {word: readers[word](value) if word in readers else value for word, value in given.items()}


def _read_like(value: str | list[str] | Mapping[str, str]) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(value.values() if isinstance(value, Mapping) else value)


def _read_outcomes(data: Json, *, http: Mapping[str, str]) -> Outcomes:
    """Return where outcomes are; a response is in its entry as the request is in its item, unless `http` says where."""
    mirrored = {name: http[name] for name in ("headers", "body") if name in http}
    error = data.get("error")
    is_apart = error is not None and not error.startswith(f"{mirrored.get('body', error)}/")
    return Outcomes(
        **{
            "http": {} if is_apart else mirrored,
            **_arguments(data, failed_if=_read_test, fault_order=tuple, names=_tuples),
        }
    )


def _tuples(data: Mapping[str, list[str]]) -> Mapping[str, tuple[str, ...]]:
    return {kind: tuple(facts) for kind, facts in data.items()}


def _read_test(data: Json) -> OutcomeTest:
    word, value = next((word, value) for word, value in data.items() if word != "at")
    return OutcomeTest(at=data["at"], word=cast("TestWord", word), value=value)


def _read_job(data: Json, *, http: Mapping[str, str]) -> BulkJob:
    given = dict(data)
    state, id_at = given.pop("state"), given.pop("id", None)
    results = given.get("results", ())
    split = {name: word for word, name in results.items()} if isinstance(results, Mapping) else {}
    steps = dict(given.pop("steps", {}))
    step_test = steps.pop("failedIf", None)
    lengths: dict[str, Callable[[Any], Any]] = dict.fromkeys(("every", "timeout", "keep"), parse_duration)
    return BulkJob(
        state_at=state["at"],
        words=state["map"],
        set_in_state=state.get("set", {}),
        id_at=id_at,
        results_of=split,
        steps=steps,
        step_failed_if=None if step_test is None else _read_test(step_test),
        **_arguments(
            given,
            when=_words,
            within=tuple,
            failed_if=_read_test,
            results=lambda one: tuple(split) or _words(one),
            outcomes=partial(_read_outcomes, http=http),
            active=lambda one: ActiveJobs(**one),
            takes=lambda one: JobDuration(**_arguments(one, base=parse_duration, per_item=parse_duration)),
            **lengths,
        ),
    )


def _words(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def read_quotas(data: Iterable[Json]) -> tuple[Quota, ...]:
    """Return the quotas of an operation's `x-quota`, which count requests and refuse with 429 by default (RFC 6585)."""
    return _read_quotas({"what": "requests", "breach": 429, **one} for one in data)


def _read_quotas(data: Iterable[Json]) -> tuple[Quota, ...]:
    return tuple(Quota(**_arguments(one, per=parse_duration)) for one in data)


def _read_guard(data: Json) -> BulkGuard:
    retry, faults = data.get("retry", {}), data.get("faults", {})
    return BulkGuard(
        refuse=data.get("refuse", {}),
        idempotency=Idempotency(**_arguments(data["idempotency"], keep=parse_duration))
        if "idempotency" in data
        else None,
        unprocessed=retry.get("unprocessed"),
        retry_codes=tuple(retry.get("codes", ())),
        quota=_read_quotas(data.get("quota", ())),
        faults={name: at for name, at in faults.items() if name not in {"every", "points"}},
        fault_points=faults.get("points", {}),
        every_fault=faults.get("every", False),
    )


def unreturnable(bulk: Bulk) -> str:
    """Return why the sandbox cannot return items of an operation as not processed; "" when it can."""
    items, order, outcomes = bulk.items, bulk.order, bulk.reply.outcomes
    told = outcomes is None or outcomes.covers == "failed" or outcomes.shape == "map" or outcomes.gaps
    reasons = {
        "it does not say where they are returned (guard.retry.unprocessed)": bulk.guard.unprocessed is None,
        "its items are neither an array nor a map in its body": (
            items.shape not in {"array", "map"} or items.groups is not None or bool(items.shared)
        ),
        "its requests become jobs": bulk.job is not None,
        "its items are sent to several targets": items.fan_out is not None,
        "its items are HTTP requests": bool(bulk.effect.http),
        "its items depend on one another": order.depends_on is not None or order.reference is not None,
        "its outcomes are told by their places alone": not told and (outcomes is None or outcomes.key is None),
        "its reply is the list of outcomes": outcomes is not None and outcomes.at == "",
    }
    return next((reason for reason, holds in reasons.items() if holds), "")
