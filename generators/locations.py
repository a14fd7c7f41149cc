"""Reading and writing at the locations that `x-bulk` names, in calls and in replies."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from contracts.bulk import Choice, Location, Test
from contracts.messages import ABSENT, Call, Reply
from contracts.model import Operation
from contracts.pointers import look_up, step, tokens_of

OUTSIDE: Final = frozenset(("header", "path", "query"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A call as its operation reads it: the path's variables decoded, `data` the body's JSON value or ABSENT."""

    operation: Operation
    call: Call
    variables: Mapping[str, str]
    data: object


def sent_of(operation: Operation, call: Call, variables: Mapping[str, str]) -> Sent:
    """Return a call as `operation` reads it."""
    return Sent(operation=operation, call=call, variables=variables, data=json_of(call.body))


def json_of(body: bytes) -> object:
    """Return the JSON value of a body, ABSENT when it is none."""
    try:
        return orjson.loads(body) if body else ABSENT
    except orjson.JSONDecodeError:
        return ABSENT


def is_outside(location: Location) -> bool:
    """Say whether a location is outside the body."""
    return location.partition(":")[0] in OUTSIDE


def locate(sent: Sent, location: Location) -> object:
    """Return what a call has at `location`; values from outside the body are texts."""
    source, _, name = location.partition(":")
    if source == "header":
        return sent.call.headers.get(name) if name in sent.call.headers else ABSENT
    if source == "query":
        return next((value for key, value in sent.call.query if key == name), ABSENT)
    if source == "path":
        return sent.variables.get(name, ABSENT)
    return look(sent.data, location)


def told(reply: Reply, location: Location) -> object:
    """Return what a reply has at `location`: a header's text, or a value of its body."""
    source, _, name = location.partition(":")
    if source == "header":
        return reply.headers.get(name) if name in reply.headers else ABSENT
    return look(reply.data, location)


def look(value: object, pointer: Location) -> object:
    """Return the first value at a pointer in which `*` stands for every member or element; ABSENT for none."""
    return next(look_all(value, pointer), ABSENT) if "*" in pointer else look_up(value, pointer)


def look_all(value: object, pointer: Location) -> Iterator[object]:
    """Yield every value at a pointer in which `*` stands for every member or element."""
    found: Iterator[object] = iter((value,))
    for token in tokens_of(pointer):
        found = _inside(found, token)
    return found


def _inside(values: Iterator[object], token: str) -> Iterator[object]:
    for value in values:
        if token == "*":  # noqa: S105 - a pointer's token
            yield from value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        elif (inner := step(value, token)) is not ABSENT:
            yield inner


def wished(sent: Sent, wish: str) -> bool:
    """Say whether a call expresses a wish such as `header:Prefer=respond-async` or `query:async=true`."""
    location, _, word = wish.partition("=")
    if wish == "always":
        return True
    if location.startswith("header:"):
        values = ",".join(sent.call.headers.get_all(location.partition(":")[2])).split(",")
        return word.lower() in {one.partition(";")[0].strip().lower() for one in values}
    given = locate(sent, location)
    return given is not ABSENT and text_of(given) == word


def text_of(value: object) -> str:
    """Return a value as it stands in a URL or a map of words: `true`, not `True`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def choose(choice: Choice, given: object) -> str | None:
    """Translate what the caller gave into what the choice means; None for a word that it does not know."""
    if not choice.source:
        return choice.constant
    word = choice.default if given is ABSENT or given is None else text_of(given)
    if word is None or not choice.words:
        return word
    if choice.ignore_case:
        return {key.lower(): value for key, value in choice.words.items()}.get(word.lower())
    return choice.words.get(word)


def holds(test: Test, entry: object) -> bool:
    """Say whether a predicate is true of an outcome's entry; what it looks at may be missing."""
    found = look(entry, test.at)
    if test.word == "exists":
        return (found is not ABSENT and found is not None) is bool(test.value)
    return _fits(found, test.value) is (test.word == "is")


def _fits(found: object, wanted: object) -> bool:
    text = str(wanted).lower()
    if len(text) == 3 and text.endswith("xx"):  # noqa: PLR2004 - a class of statuses such as 2xx
        return str(found)[:1] == text[:1] and len(str(found)) == len(text)
    return found == wanted or (found is not ABSENT and text_of(found) == text_of(wanted))


def put(data: Any, pointer: Location, value: object) -> Any:
    """Return `data` with `value` at `pointer`, objects made on the way; the empty pointer replaces it."""
    tokens = tokens_of(pointer)
    if not tokens:
        return value
    root: dict[str, Any] = dict(data) if isinstance(data, Mapping) else {}
    inner = root
    for token in tokens[:-1]:
        found = inner.get(token)
        inner[token] = dict(found) if isinstance(found, Mapping) else {}
        inner = inner[token]
    inner[tokens[-1]] = value
    return root
