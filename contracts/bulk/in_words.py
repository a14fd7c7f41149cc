"""An `x-bulk` declaration in words, axis by axis. Begin with `bulk_in_words`.

Each sentence comes from a member of the declaration; a member without words of its own is told as it is written.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

import orjson

from contracts.syntax.text import counted, listed, text_of

Axis: TypeAlias = Mapping[str, Any]
Words: TypeAlias = Callable[[Any, Axis], str | None]

AXES: Final = ("items", "effect", "key", "unit", "order", "reply", "job", "guard")
ABSENT_AXES: Final = {
    "order": ("Items may run in any order.",),
    "job": ("At once: the response has the outcomes.",),
    "guard": ("Nothing is declared.",),
}
SHAPES: Final = {
    "array": "an array",
    "map": "a map from names to items",
    "lines": "lines of JSON",
    "line-pairs": "pairs of JSON lines, of what is wanted and its payload",
    "rows": "rows of CSV",
    "parts": "parts of a multipart body",
}
ACTIONS: Final = {
    "create": "creates a record",
    "update": "changes members of a record",
    "replace": "replaces a record",
    "upsert": "creates or changes a record",
    "delete": "deletes a record",
    "read": "reads a record",
}
UNITS: Final = {"item": "each item by itself", "whole": "all items together", "group": "the items of a group together"}
COVERS: Final = {
    "all": "one entry for each item",
    "failed": "entries of failed items only",
    "split": "successes and failures apart",
    "unless-failed": "one entry for each item, or failures alone when the request failed",
}
CLASSES: Final = {
    "accepted": "accepted as a job",
    "allOk": "every item succeeded",
    "someFailed": "some failed",
    "allFailed": "all failed",
    "wholeFailed": "the request failed as one",
}
REFUSALS: Final = {
    "empty": "no item",
    "tooMany": "too many items",
    "tooBig": "too many bytes",
    "duplicateKey": "two items of one key",
    "duplicateTarget": "two items for one record",
    "malformedItem": "an item that does not fit its schema",
    "badMode": "an unknown mode",
}
REPLAYS: Final = {"same-reply": "the same reply", "current-state": "the current state"}
MATCHING: Final = {
    "client": "the caller's own name for the item",
    "target": "the key of the record",
    "index": "the item's index in the request",
    "order": "the place in the list of outcomes",
}


def bulk_in_words(declared: Axis) -> dict[str, tuple[str, ...]]:
    """Return the sentences of each axis of an `x-bulk` object."""
    return {axis: (*_axis(axis, declared[axis]),) if axis in declared else ABSENT_AXES.get(axis, ()) for axis in AXES}


def _axis(name: str, declared: Axis) -> Iterator[str]:
    table = MEMBERS[name]
    for member in (*table, *(one for one in declared if one not in table)):
        if member not in declared and member not in ALWAYS:
            continue
        words = table.get(member, _as_written(member))(declared.get(member), declared)
        if words:
            yield f"{words[0].upper()}{words[1:]}."


def _as_written(member: str) -> Words:
    return lambda value, _: f"{member} is {value if isinstance(value, str) else orjson.dumps(value).decode()}"


def place(at: str) -> str:
    """Return a location in words."""
    where, mark, name = at.partition(":")
    if not at.startswith("/") and mark:
        kinds = {"header": "the header", "query": "the query parameter", "path": "the path's", "csv": "the column"}
        return f"{kinds.get(where, f'the {where}')} {name}"
    return at or "the whole"


def choice(value: Any, words: Mapping[str, str]) -> str:
    """Return a constant, or a word of the request with what it means."""
    if not isinstance(value, Mapping):
        return words.get(str(value), str(value))
    means = [f"{one!r} means {words.get(two, two)}" for one, two in value.get("map", {}).items()]
    text = f"as {place(value['from'])} says"
    text += f" ({', '.join(means)})" if means else ""
    text += " in any case of letters" if value.get("ignoreCase") else ""
    default = value.get("default")
    return text if default is None else f"{text}, {text_of(default)!r} without it"


def _collection(at: str, items: Axis) -> str:
    shape = SHAPES[items.get("as", "array")]
    return f"{shape}, the whole body" if at == "" else f"{shape} at {place(at)}"


def _count(_: object, items: Axis) -> str:
    least, most = items.get("min", 0), items.get("max")
    if most is not None:
        return f"{least} to {most} items" if least else f"at most {most} items"
    return f"at least {least} items" if least else "any number of items"


def _fan_out(value: Axis, _: Axis) -> str:
    return (
        f"the request is carried out once for each target at {place(value['over'])}; "
        f"results are at {place(value['succeeded'])}, problems at {place(value['failed'])}"
    )


def _action(value: Any, _: Axis) -> str:
    return f"an item {choice(value, ACTIONS)}" if isinstance(value, str) else f"an item acts {choice(value, {})}"


def _like(value: Any, _: Axis) -> str:
    names = [value] if isinstance(value, str) else [*(value.values() if isinstance(value, Mapping) else value)]
    return f"its result is that of {listed(names, 'or')}"


def _payload(value: Any, _: Axis) -> str:
    if isinstance(value, Mapping):
        return "its content is at " + listed(f"{place(at)} to {action}" for action, at in value.items())
    return "the item is the content" if value == "" else f"its content is at {place(value)}"


def _http(value: Axis, _: Axis) -> str:
    return "an item is an HTTP request: " + listed(f"its {name} at {place(at)}" for name, at in value.items())


def _key(value: str, key: Axis) -> str:
    at = key.get("at")
    where = "" if at is None else ", the name in the map" if at == "" else f", at {place(at)}"
    return f"by {MATCHING[value]}{where}"


def _rolled_back(value: str, unit: Axis) -> str:
    told = {"nothing": "nothing is said", "skipped": "it is said that they were not run"}
    marked = f"it is said {unit['markedAs']}" if "markedAs" in unit else "it is said that they were rolled back"
    return f"when a unit fails, of its valid items {told.get(value, marked)}"


def _stop(value: Any, _: Axis) -> str:
    if isinstance(value, int):
        return f"after {value} failures the rest is not run" if value else "no failure stops the rest"
    if "=" in value:
        return f"the first failure stops the rest, without {place(value)}"
    return f"the rest is not run after as many failures as {place(value)} says"


def _run(value: str, order: Axis) -> str:
    if value == "grouped":
        when = f", when {place(order['when'])} says so" if "when" in order else ""
        return f"by groups at {place(order.get('groupBy', ''))}, smaller ones first{when}"
    return "items run as listed" if value == "listed" else "items may run in any order"


def _reference(value: str, order: Axis) -> str:
    later = "earlier or later" if order.get("forward") else "earlier"
    return f"an item refers to {later} ones by {value}"


def _status(value: Mapping[str, int], _: Axis) -> str:
    by_code: dict[int, list[str]] = {}
    for word, code in value.items():
        by_code.setdefault(code, []).append(CLASSES[word])
    return listed(f"{code} when {listed(words, 'or')}" for code, words in by_code.items())


def _test(test: Axis) -> str:
    at = place(test["at"])
    if "exists" in test:
        return f"{at} is {'there' if test['exists'] else 'missing'}"
    value = test["is"] if "is" in test else test["not"]
    return f"{at} is {'' if 'is' in test else 'not '}{'null' if value is None else text_of(value)}"


def _outcomes(value: Axis, _: Axis) -> str:
    known = {"at", "as", "covers", "failedAt", "failedIf", "inOrder", "many", "every"}
    at = "the whole response" if value.get("at", "") == "" else f"at {place(value['at'])}"
    text = f"{COVERS[value.get('covers', 'all')]}, in {SHAPES[value.get('as', 'array')]}, {at}"
    text += f", failures at {place(value['failedAt'])}" if "failedAt" in value else ""
    text += ", in the order of the items" if value.get("inOrder") else ""
    text += ", several for an item where need be" if value.get("many") else ""
    text += ", with every fault of an item" if value.get("every") else ""
    text += f", joined by {value['every']!r}" if isinstance(value.get("every"), str) else ""
    text += f"; an entry is a failure where {_test(value['failedIf'])}" if "failedIf" in value else ""
    inside = [f"{name} {_detail(name, one)}" for name, one in value.items() if name not in known]
    return f"{text}; in an entry {listed(inside)}" if inside else text


def _detail(name: str, value: Any) -> str:
    """Return a location in words, what is told by kind of fault, and all else as written."""
    if name not in {"codes", "names"}:
        return f"at {place(value)}" if isinstance(value, str) else orjson.dumps(value).decode()
    told = (f"{kind}: {', '.join(map(str, one)) if isinstance(one, list) else one}" for kind, one in value.items())
    return f"by fault ({'; '.join(told)})"


def _set(value: Axis, _: Axis) -> str:
    told = (one if isinstance(one, str) else orjson.dumps(one).decode() for one in value.values())
    return "further members: " + listed(f"{at} is {one}" for at, one in zip(value, told, strict=True))


def _counts(value: Mapping[str, str], _: Axis) -> str:
    return "counted are " + listed(f"{name} at {place(at)}" for name, at in value.items())


def _when(value: Any, _: Axis) -> str:
    names = [value] if isinstance(value, str) else value
    if "always" in names:
        return "every request becomes a job"
    return f"a request becomes a job with {listed(map(place, names), 'or')}"


def _state(value: Axis, _: Axis) -> str:
    words = ", ".join(f"{word!r} is {state}" for word, state in value["map"].items())
    more = {name: one for name, one in value.items() if name not in {"at", "map"}}
    return f"its state is at {place(value['at'])}: {words}" + (f"; {orjson.dumps(more).decode()}" if more else "")


POINTED: Final = {"again": "first repetition", "object": "object around it"}


def _faults(value: Axis, _: Axis) -> str:
    parts = [f"{name} at {place(at)}" for name, at in value.items() if name not in {"at", "every", "points"}]
    parts += [f"pointers of what is {name} at the {POINTED[at]}" for name, at in value.get("points", {}).items()]
    which = "every fault" if value.get("every") else "faults"
    which += ", equal ones at the first place," if value.get("every") == "first" else ""
    return f"a refusal lists {which} at {place(value['at'])}" + (f", with {listed(parts)}" if parts else "")


def _active(value: Axis, _: Axis) -> str:
    per = f" for each {value['per']}" if "per" in value else ""
    breach = value.get("breach", "conduct")
    told = "one more is not refused, but is misuse" if breach == "conduct" else f"one more is refused with {breach}"
    is_one = value["max"] == 1
    return f"at most {counted(value['max'], 'job')} {'is' if is_one else 'are'} unfinished{per}; {told}"


def _takes(value: Axis, _: Axis) -> str:
    return "a simulated job takes " + listed(f"{one} ({name})" for name, one in value.items())


def _refuse(value: Mapping[str, Any], _: Axis) -> str:
    return "refused are " + listed(f"{REFUSALS[word]} with {code}" for word, code in value.items())


def _idempotency(value: Axis, _: Axis) -> str:
    scope = "an item" if value.get("scope") == "item" else "a request"
    own = value["key"]
    text = f"{scope} is carried out once for each value of {'its key' if own == '' else place(own)}"
    text += f", remembered for {value['keep']}" if "keep" in value else ""
    text += f"; a repetition gets {REPLAYS[value.get('replay', 'same-reply')]}"
    text += f", other content {value['mismatch']}" if "mismatch" in value else ""
    return text + (f", one that comes too early {value['concurrent']}" if "concurrent" in value else "")


def _retry(value: Axis, _: Axis) -> str:
    parts = (
        [f"what was not processed is at {place(value['unprocessed'])}, to be sent again"]
        if "unprocessed" in value
        else []
    )
    parts += [f"{listed(map(str, value['codes']), 'or')} may be tried again"] if "codes" in value else []
    return "; ".join(parts)


def _quota(value: list[Axis], _: Axis) -> str:
    return "; ".join(
        f"at most {one['max']} of {one['what']} in {'a request' if one['per'] == 'PT0S' else one['per']}, "
        f"else {one.get('breach', 'conduct')}"
        for one in value
    )


def _at(text: str) -> Words:
    return lambda value, _: text.format(place(value) if isinstance(value, str) else value)


def _all(text: str, joint: str = "and") -> Words:
    return lambda value, _: text.format(listed(map(place, value), joint))


def _named(at: str) -> str:
    return f"{place(at[:-1])}, which may be left out" if at.endswith("?") else place(at)


def _nothing(value: object, axis: Axis) -> None:
    """Say nothing: another member of the axis has the words."""
    del value, axis


ALWAYS: Final = frozenset(("_count",))
MEMBERS: Final[Mapping[str, Mapping[str, Words]]] = {
    "items": {
        "at": _collection,
        "as": _nothing,
        "alsoAt": _all("or else at {}", "or"),
        "_count": _count,
        "min": _nothing,
        "max": _nothing,
        "maxBytes": _at("at most {} bytes in all"),
        "maxItemBytes": _at("at most {} bytes an item"),
        "shared": _all("what is at {} is for every item"),
        "groups": _at("the elements are groups, whose items are at {}"),
        "ignoreCase": _at("the case of the names in an item does not count"),
        "fanOut": _fan_out,
    },
    "effect": {
        "action": _action,
        "resource": lambda value, _: f"the resource is {choice(value, {})}",
        "like": _like,
        "target": _all("the record is named at {}"),
        "payload": _payload,
        "version": _at("the version that the caller has seen is at {}"),
        "tombstone": lambda value, _: (
            "it is a deletion where " + listed(f"{at} is {orjson.dumps(one).decode()}" for at, one in value.items())
        ),
        "http": _http,
    },
    "key": {
        "by": _key,
        "at": _nothing,
        "optional": lambda value, _: "an item need not have one" if value else "every item must have one",
        "onlyFor": _all("only items that {} have one"),
    },
    "unit": {
        "of": lambda value, _: choice(value, UNITS),
        "group": _at("the group's name is at {}"),
        "rolledBack": _rolled_back,
        "markedAs": lambda value, unit: None if "rolledBack" in unit else f"rolled back items are marked {value}",
        "stopAfter": _stop,
    },
    "order": {
        "run": _run,
        "when": lambda value, order: None if order.get("run") == "grouped" else f"when {place(value)}",
        "groupBy": lambda value, order: None if order.get("run") == "grouped" else f"groups are at {place(value)}",
        "dependsOn": _at("an item waits for those named at {}"),
        "reference": _reference,
        "forward": lambda value, order: (
            None if "reference" in order else f"later items {'can' if value else 'cannot'} be named"
        ),
        "onBroken": _at("an item whose dependency failed is reported with {}"),
    },
    "reply": {"status": _status, "outcomes": _outcomes, "counts": _counts, "set": _set},
    "job": {
        "when": _when,
        "handle": _at("its handle is at {}"),
        "handleAs": _at("the handle has the form {}"),
        "id": _at("the poll has its id at {}"),
        "poll": _at("it is polled by {}"),
        "start": _at("it is started by {}"),
        "cancel": _at("it is cancelled by {}"),
        "cancelUntil": _at("it can be cancelled until its {}"),
        "state": _state,
        "progress": lambda value, _: (
            "its progress is told: " + listed(f"{name} at {place(at)}" for name, at in value.items())
        ),
        "results": lambda value, _: (
            "the poll has the outcomes" if value == "here" else f"the outcomes are those of {listed(value)}"
        ),
        "outcomes": _outcomes,
        "every": _at("it is to be polled every {}"),
        "timeout": _at("it ends after {} at the latest"),
        "keep": _at("it is kept for {}"),
        "active": _active,
        "error": _at("why the whole job failed is at {}"),
        "set": _set,
        "takes": _takes,
        "within": lambda value, _: f"with another value of {listed(map(_named, value), 'or')} it is not known",
        "lookUp": _at("what items refer to is looked up at their {}"),
        "times": lambda value, _: "times are told: " + listed(f"{name} at {place(at)}" for name, at in value.items()),
        "failedIf": lambda value, _: f"with failures {_test(value)} at its end",
    },
    "guard": {
        "refuse": _refuse,
        "faults": _faults,
        "idempotency": _idempotency,
        "retry": _retry,
        "quota": _quota,
    },
}
