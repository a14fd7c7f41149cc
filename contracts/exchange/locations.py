"""Read and write values at `x-bulk` locations in requests and responses.

A location is a JSON Pointer (RFC 6901) into a body, in which `*` stands for every member or element, or `header:Name`,
`query:name`, `path:name`. `locate` reads a request, `read_response` a response, `find` a body. For many items, compile
the location with `reader` or `chooser`, or read all of them with `column`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from operator import itemgetter
from typing import Any, Final, Protocol, TypeAlias

import orjson

from contracts.bulk.model import Choice, Location, OutcomeTest
from contracts.exchange.item_text import is_text, read_item_text, row_schema, typed_rows
from contracts.messages import ABSENT, Request, Response
from contracts.openapi.model import Operation
from contracts.schemas.schema_set import Schema
from contracts.syntax.json_text import JsonFault
from contracts.syntax.text import look_up, step, text_of, tokens_of

Reader: TypeAlias = Callable[[object], object]
OUTSIDE_BODY: Final = frozenset(("header", "path", "query"))


class RequestValues(Protocol):
    """A request whose path, query and body have been parsed."""

    @property
    def request(self) -> Request:
        """Return the request as received."""

    @property
    def variables(self) -> Mapping[str, str]:
        """Return the path variables, percent-decoded."""

    @property
    def query(self) -> Mapping[str, object]:
        """Return the query parameters by name: strings, or parsed values."""

    @property
    def data(self) -> object:
        """Return the JSON value of the body, ABSENT when it is empty or not JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedRequest:
    """A request of an operation: decoded path variables, and `data`, the JSON value of the body or ABSENT."""

    operation: Operation
    request: Request
    variables: Mapping[str, str]
    data: object

    @property
    def query(self) -> Mapping[str, str]:
        """Return the query parameters by name, the first value of each."""
        return dict(reversed(self.request.query))


def parse_request(operation: Operation, request: Request, variables: Mapping[str, str]) -> ParsedRequest:
    """Return a request of `operation` with its body parsed."""
    return ParsedRequest(operation=operation, request=request, variables=variables, data=_data_of(operation, request))


def in_declared_names(operation: Operation | None, request: Request, data: object) -> object:
    """Return a body whose items have their members' names as their schema has them, where case does not count.

    Of two spellings of one name the exact one counts, else the first.
    """
    bulk = None if operation is None else operation.bulk
    if operation is None or operation.body is None or bulk is None or not bulk.items.ignore_case:
        return data
    media = operation.body.media(request.headers.get("Content-Type"))
    body = None if media is None else media.schema
    for at in bulk.items.places if body is not None else ():
        items = find(data, at)
        if body is not None and isinstance(items, list | dict):
            return put(data, at, _renamed(items, body.within.once((_names, body.ref, at), partial(_names, body, at))))
    return data


def _names(body: Schema, at: Location) -> Mapping[str, str]:
    """Return the names of members that items at a place of a body have, by their lower case."""
    items = body.at(at)
    item = None if items is None else items.items() or items.member("*")
    return {} if item is None else {name.lower(): name for name in item.members()}


def _renamed(items: Any, names: Mapping[str, str]) -> Any:
    """Return items with the names of their members as declared."""
    declared = frozenset(names.values())
    if isinstance(items, dict):
        return {name: _in_case(one, names, declared) for name, one in items.items()}
    return [_in_case(one, names, declared) for one in items]


def _in_case(item: Any, names: Mapping[str, str], declared: frozenset[str]) -> Any:
    if not isinstance(item, dict) or item.keys() <= declared:
        return item
    named: dict[str, object] = {}
    for name, value in item.items():
        own = names.get(name.lower(), name)
        named[name if own in item or own in named else own] = value
    return named


def _data_of(operation: Operation, request: Request) -> object:
    """Return the value of a body: JSON, or the collection of items that a bulk operation has as text."""
    bulk = operation.bulk
    if bulk is None or not is_text(bulk):
        return in_declared_names(operation, request, json_of(request.body))
    read = read_item_text(bulk, request.headers.get("Content-Type"), request.body) if request.body else ABSENT
    if isinstance(read, JsonFault):
        return ABSENT
    is_rows = bulk.items.shape == "rows"
    return typed_rows(read, row_schema(operation, request.headers.get("Content-Type"))) if is_rows else read


def json_of(body: bytes) -> object:
    """Return the JSON value of a body, ABSENT when it is empty or not JSON."""
    try:
        return orjson.loads(body) if body else ABSENT
    except orjson.JSONDecodeError:
        return ABSENT


def is_outside(location: Location) -> bool:
    """Say whether a location is outside the body."""
    return location.partition(":")[0] in OUTSIDE_BODY


_IN_BODY: Final = frozenset(("", "/"))  # how JSON Pointers begin: most locations are quickly known to be one


def locate(values: RequestValues, location: Location) -> object:
    """Return the value at a location of a request, ABSENT when there is none.

    Values of header fields and path variables are strings.
    """
    if location[:1] in _IN_BODY:
        return find(values.data, location)
    source, _, name = location.partition(":")
    if source == "header":
        return values.request.headers.get(name) if name in values.request.headers else ABSENT
    if source == "query":
        return values.query.get(name, ABSENT)
    if source == "path":
        return values.variables.get(name, ABSENT)
    return find(values.data, location)


def read_response(response: Response, location: Location) -> object:
    """Return the value at a location of a response, ABSENT when there is none; header fields are strings."""
    source, _, name = location.partition(":")
    if source == "header":
        return response.headers.get(name) if name in response.headers else ABSENT
    return find(response.data, location)


def find(value: object, pointer: Location) -> object:
    """Return the first value at a pointer that may contain `*`, ABSENT when there is none."""
    return next(find_all(value, pointer), ABSENT) if "*" in pointer else look_up(value, pointer)


def find_all(value: object, pointer: Location) -> Iterator[object]:
    """Yield every value at a pointer that may contain `*`."""
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


def reader(pointer: Location) -> Reader:
    """Compile `find` for one pointer: a function from a value to what it has there, ABSENT when nothing."""
    if "*" in pointer:
        return lambda value: find(value, pointer)
    tokens = tokens_of(pointer)
    if not tokens:
        return lambda value: value
    if len(tokens) > 1:
        return _walker(tokens)
    (name,) = tokens

    def member(value: object) -> object:
        try:
            return value[name]  # type: ignore[index] # most values are objects that have it
        except (KeyError, TypeError):
            return look_up(value, pointer)

    return member


def _walker(tokens: tuple[str, ...]) -> Reader:
    def walk(value: object) -> object:
        for token in tokens:
            value = value.get(token, ABSENT) if type(value) is dict else step(value, token)
            if value is ABSENT:
                break
        return value

    return walk


def column(at: Location, raws: Sequence[object]) -> list[object]:
    """Return the value at a pointer of each item, ABSENT where there is none."""
    if not at:
        return list(raws)
    parent, slash, name = at.rpartition("/")
    if not slash or "~" in name or "*" in at or name.isdecimal():
        return list(map(reader(at), raws))
    parents = column(parent, raws) if parent else raws
    try:
        return list(map(itemgetter(name), parents))  # type: ignore[arg-type] # most values are objects that have it
    except (KeyError, TypeError):
        return [one.get(name, ABSENT) if type(one) is dict else ABSENT for one in parents]


def expresses_preference(values: RequestValues, preference: str) -> bool:
    """Say whether a request meets a condition: `always`, `header:Prefer=respond-async` or `query:async=true`."""
    if preference == "always":
        return True
    location, _, word = preference.partition("=")
    if location.startswith("header:"):
        every = ",".join(values.request.headers.get_all(location.partition(":")[2]))
        return word.lower() in {part.partition(";")[0].strip().lower() for part in every.split(",")}
    given = locate(values, location)
    return given is not ABSENT and text_of(given) == word


def condition_holds(values: RequestValues, condition: str | None) -> bool:
    """Say whether a request meets a condition, or has true at a location; None is always met."""
    if condition is None:
        return True
    if "=" in condition:
        return expresses_preference(values, condition)
    given = locate(values, condition)
    return given is True or given == "true"


def chooser(choice: Choice) -> Callable[[object], str | None]:
    """Compile a choice: a function from the value in a request to its meaning, None for an undeclared word."""
    if not choice.source:
        return lambda given: choice.constant  # noqa: ARG005 - a constant has no use for it
    fold = choice.ignore_case
    words = {(key.lower() if fold else key): value for key, value in choice.words.items()}

    def chosen(given: object) -> str | None:
        word = choice.default if given is ABSENT or given is None else text_of(given)
        if word is None or not words:
            return word
        return words.get(word.lower() if fold else word)

    return chosen


def choose(choice: Choice, given: object) -> str | None:
    """Return the meaning of a value in a request, None for an undeclared word."""
    return chooser(choice)(given)


def is_fixed(choice: Choice | None) -> bool:
    """Say whether a choice is the same for all items of a request: a constant, or a location outside the items."""
    return choice is None or not choice.source or is_outside(choice.source)


def chosen_by(values: RequestValues, choice: Choice) -> str | None:
    """Return the meaning of a choice for a whole request, None for an undeclared word."""
    return choose(choice, locate(values, choice.source) if choice.source else ABSENT)


def holds(test: OutcomeTest, entry: object) -> bool:
    """Say whether a test is true of an outcome entry; a missing value exists not, and equals null alone."""
    found = find(entry, test.at)
    if test.word == "exists":
        return (found is not ABSENT and found is not None) is bool(test.value)
    return _fits(found, test.value) is (test.word == "is")


def _fits(found: object, expected: object) -> bool:
    if expected is None:
        return found is None or found is ABSENT
    text = str(expected).lower()
    if len(text) == 3 and text.endswith("xx"):  # noqa: PLR2004 - a class of statuses such as 2xx
        return str(found)[:1] == text[:1] and len(str(found)) == len(text)
    return found == expected or (found is not ABSENT and text_of(found) == text_of(expected))


def put(data: Any, pointer: Location, value: object) -> Any:
    """Return a copy of `data` with `value` at `pointer`; missing objects are made, the empty pointer replaces all."""
    return _with(data, tokens_of(pointer), value)


def _with(data: object, tokens: Sequence[str], value: object) -> object:
    if not tokens:
        return value
    name, *rest = tokens
    members: dict[str, object] = dict(data) if isinstance(data, Mapping) else {}
    return {**members, name: _with(members.get(name), rest, value)}


def put_at(target: dict[str, Any], pointer: Location, value: object) -> None:
    """Set `value` at `pointer` in `target` in place; missing objects are made, and an array where the token is 0."""
    *path, last = tokens_of(pointer)
    inner: Any = target
    for token, after in pairwise((*path, last)):
        inner = _step_into(inner, token, [] if after == "0" else {})
    if isinstance(inner, list):
        inner[int(last) :] = [value]
    else:
        inner[last] = value


def _step_into(inner: Any, token: str, fresh: object) -> Any:
    if isinstance(inner, dict):
        return inner.setdefault(token, fresh)
    if int(token) == len(inner):
        inner.append(fresh)
    return inner[int(token)]
