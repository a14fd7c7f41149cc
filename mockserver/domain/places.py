"""Reading and writing at the locations that `x-bulk` names: JSON Pointers, headers, query and path."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias

from contracts.bulk import Choice
from contracts.messages import ABSENT
from contracts.pointers import look_up, step, tokens_of

if TYPE_CHECKING:
    from mockserver.turn import Turn

Reader: TypeAlias = Callable[[object], object]
_SOURCES = ("header", "query", "path")


def reader(pointer: str) -> Reader:
    """Compile a pointer into a function that reads it from a value, `ABSENT` when nothing stands there."""
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


def column(at: str, raws: Sequence[object]) -> list[object]:
    """Return what each item has at a pointer, `ABSENT` where it has nothing."""
    if not at:
        return list(raws)
    parent, slash, name = at.rpartition("/")
    if not slash or "~" in name or name.isdecimal():
        return list(map(reader(at), raws))
    held = column(parent, raws) if parent else raws
    try:
        return list(map(itemgetter(name), held))  # type: ignore[arg-type] # most values are objects that have it
    except (KeyError, TypeError):
        return [one.get(name, ABSENT) if type(one) is dict else ABSENT for one in held]


def is_outside(location: str) -> bool:
    """Tell whether a location is outside the body."""
    return location.partition(":")[0] in _SOURCES


def locate(turn: "Turn", location: str) -> object:
    """Return what the call has at `location`; values of headers and path are strings."""
    source, _, name = location.partition(":")
    if source == "header":
        return turn.call.headers.get(name) if name in turn.call.headers else ABSENT
    if source == "query":
        return turn.query.get(name, ABSENT)
    if source == "path":
        return turn.variables.get(name, ABSENT)
    return look_up(turn.data, location)


def wished(turn: "Turn", wish: str) -> bool:
    """Tell whether the call expresses a wish such as `header:Prefer=respond-async` or `query:async=true`."""
    if wish == "always":
        return True
    location, _, word = wish.partition("=")
    given = locate(turn, location)
    if location.startswith("header:"):
        every = ",".join(turn.call.headers.get_all(location.partition(":")[2]))
        return word.lower() in {part.partition(";")[0].strip().lower() for part in every.split(",")}
    return given is not ABSENT and text_of(given) == word


def text_of(value: object) -> str:
    """Return a value as it stands in a URL or in a map of words: `true`, not `True`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def chooser(choice: Choice) -> Callable[[object], str | None]:
    """Compile a choice into a function from what the caller gave to what it means; None for an unknown word."""
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
    """Translate what the caller gave into what the choice means; None for a word that it does not know."""
    return chooser(choice)(given)


def put_at(target: dict[str, Any], pointer: str, value: object) -> None:
    """Write `value` at `pointer`, making the objects on the way."""
    *path, last = tokens_of(pointer)
    for token in path:
        target = target.setdefault(token, {})
    target[last] = value


def merged(old: Mapping[str, object], new: Mapping[str, object]) -> dict[str, object]:
    """Return `old` with the members of `new`; a null removes (RFC 7396 at the top level)."""
    both = {**old, **new}
    return {name: value for name, value in both.items() if value is not None} if None in both.values() else both


def merged_all(old: Mapping[str, object], news: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """Return `merged` for each of `news`."""
    every = [{**old, **new} for new in news]
    return [merged({}, one) for one in every] if None in chain.from_iterable(map(dict.values, every)) else every
