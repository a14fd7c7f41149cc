"""`x-bulk`, `x-record` and `x-resources` as they stand in a document (checked before) made values."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias, cast

from contracts.bulk import (
    Active,
    Bulk,
    BulkJob,
    BulkReply,
    Choice,
    Effect,
    FanOut,
    Guard,
    Idempotency,
    Items,
    Key,
    Order,
    Outcomes,
    Page,
    Quota,
    RecordAct,
    Resource,
    Takes,
    Test,
    Unit,
)
from contracts.durations import duration

Json: TypeAlias = Mapping[str, Any]
Word: TypeAlias = Literal["is", "not", "exists"]
RENAMED: Final = {
    "alsoAt": "also_at",
    "as": "shape",
    "dependsOn": "depends_on",
    "failedAt": "failed_at",
    "failedIf": "failed_if",
    "fanOut": "fan_out",
    "groupBy": "group_by",
    "ignoreCase": "ignore_case",
    "inOrder": "in_order",
    "markedAs": "marked_as",
    "maxBytes": "max_bytes",
    "maxItemBytes": "max_item_bytes",
    "onBroken": "on_broken",
    "onlyFor": "only_for",
    "perItem": "per_item",
    "rolledBack": "rolled_back",
    "stopAfter": "stop_after",
}


def bulk_of(data: Json) -> Bulk:
    """Return an `x-bulk` as a value."""
    return Bulk(
        items=Items(**_named(data["items"], also_at=tuple, shared=tuple, fan_out=lambda one: FanOut(**one))),
        effect=Effect(**_named(data["effect"], action=choice_of, resource=choice_of, target=tuple, like=_like)),
        key=Key(**_named(data["key"], only_for=tuple)),
        unit=Unit(**_named(data["unit"], of=choice_of)),
        reply=BulkReply(**_named(data["reply"], outcomes=_outcomes)),
        order=Order(**_named(data.get("order", {}))),
        job=_job(data["job"]) if "job" in data else None,
        guard=_guard(data.get("guard", {})),
    )


def record_act_of(data: Json, *, key: str | None) -> RecordAct:
    """Return an `x-record` as a value; `key` is where the record's key stands when the declaration does not say."""
    given = _named(data, action=choice_of, resource=choice_of, page=lambda page: Page(**page))
    return RecordAct(**{"key": key, **given})


def resource_of(name: str, data: Json, *, schema: str | None) -> Resource:
    """Return one entry of `x-resources` as a value; `schema` refers to the schema that stands in it."""
    extras = {word: value for word, value in data.items() if word.startswith("x-")}
    given = {word: value for word, value in data.items() if word not in extras and word != "schema"}
    pairs = {"unique": lambda sets: tuple(map(tuple, sets)), "required": tuple, "lookups": tuple}
    return Resource(name=name, schema=schema, extras=extras, **_named(given, **pairs))


def choice_of(data: str | Json) -> Choice:
    """Return a constant, or what picks a word, as a value."""
    if isinstance(data, str):
        return Choice(constant=data)
    default = data.get("default")
    return Choice(
        source=data["from"],
        words=data.get("map", {}),
        default=None if default is None else _word(default),
        ignore_case=data.get("ignoreCase", False),
    )


def _named(data: Json, **readers: Callable[[Any], Any]) -> dict[str, Any]:
    given = {RENAMED.get(word, word): value for word, value in data.items()}
    return {word: readers[word](value) if word in readers else value for word, value in given.items()}


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _like(value: str | list[str] | Mapping[str, str]) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(value.values() if isinstance(value, Mapping) else value)


def _outcomes(data: Json) -> Outcomes:
    return Outcomes(**_named(data, failed_if=_test))


def _test(data: Json) -> Test:
    word, value = next((word, value) for word, value in data.items() if word != "at")
    return Test(at=data["at"], word=cast("Word", word), value=value)


def _job(data: Json) -> BulkJob:
    given = dict(data)
    state = given.pop("state")
    lengths: dict[str, Callable[[Any], Any]] = dict.fromkeys(("every", "timeout", "keep"), duration)
    return BulkJob(
        state_at=state["at"],
        words=state["map"],
        **_named(
            given,
            when=_words,
            results=_words,
            outcomes=_outcomes,
            active=lambda one: Active(**one),
            takes=lambda one: Takes(**_named(one, base=duration, per_item=duration)),
            **lengths,
        ),
    )


def _words(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _guard(data: Json) -> Guard:
    retry = data.get("retry", {})
    return Guard(
        refuse=data.get("refuse", {}),
        idempotency=Idempotency(**_named(data["idempotency"], keep=duration)) if "idempotency" in data else None,
        unprocessed=retry.get("unprocessed"),
        retry_codes=tuple(retry.get("codes", ())),
        quota=tuple(Quota(**_named(one, per=duration)) for one in data.get("quota", ())),
    )
