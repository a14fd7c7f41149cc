"""Making a script small: fewer steps, then fewer items in each request, then fewer and shorter members in each item."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from contracts.bulk import Bulk
from contracts.messages import ABSENT
from contracts.model import Contract
from generators.campaign.deltas import ddmin, shortest_tail
from generators.campaign.steps import Asking, Script, Step, Waiting
from generators.checks.locations import look, put

MOST_MEMBERS: Final = 60  # places in one request's items that are looked at one by one
PLAIN: Final = "x"
LONG: Final = 3
KEPT_HEADERS: Final = frozenset(("content-type", "authorization"))

Shows = Callable[[Script], bool]


@dataclass(slots=True)
class Shrinker:
    """Tries smaller scripts. `shows` does a script and says whether it shows the same; `is_over` ends the search."""

    contract: Contract
    shows: Shows
    is_over: Callable[[], bool]
    tried: int = 0

    def shrink(self, script: Script) -> Script:
        """Return the smallest script found that still shows it; `script` itself is taken to."""
        before = -1
        while before != (before := _weight(script)) and not self.is_over():
            script = self._steps(script)
            for at in reversed(range(len(script.steps))):
                script = self._step(script, at)
        return script

    def _still(self, script: Script) -> bool:
        if self.is_over():
            return False
        self.tried += 1
        return self.shows(script)

    def _steps(self, script: Script) -> Script:
        def shows(steps: Sequence[Step]) -> bool:
            return self._still(replace(script, steps=tuple(steps)))

        return replace(script, steps=tuple(ddmin(shortest_tail(script.steps, shows), shows, least=1)))

    def _step(self, script: Script, at: int) -> Script:
        step = script.steps[at]
        if isinstance(step, Waiting):
            return script
        operation = self.contract.operation(step.operation)
        if operation is not None and operation.bulk is not None:
            script = self._items(script, at, operation.bulk)
        return self._first_that_shows(script, at)

    def _items(self, script: Script, at: int, bulk: Bulk) -> Script:
        step = script.steps[at]
        assert isinstance(step, Asking)  # noqa: S101 - asked before
        place = next((one for one in (bulk.items.at, *bulk.items.also_at) if _is_many(look(step.data, one))), None)
        if place is None:
            return script
        found: Any = look(step.data, place)
        parts: list[Any] = list(found.items()) if isinstance(found, dict) else found

        def with_(some: Sequence[Any]) -> Script:
            items = dict(some) if isinstance(found, dict) else list(some)
            return _changed(script, at, replace(step, data=put(step.data, place, items)))

        return with_(ddmin(parts, lambda some: self._still(with_(some)), least=min(len(parts), 1)))

    def _first_that_shows(self, script: Script, at: int) -> Script:
        """Take away or shorten what can be, one place after the other."""
        tried: set[object] = set()
        while True:
            step = script.steps[at]
            assert isinstance(step, Asking)  # noqa: S101 - asked before
            options = [one for one in _simpler(step) if one[0] not in tried][:1]
            if not options or self.is_over() or len(tried) > MOST_MEMBERS:
                return script
            (name, candidate), *_ = options
            tried.add(name)
            smaller = _changed(script, at, candidate)
            script = smaller if self._still(smaller) else script


def _changed(script: Script, at: int, step: Step) -> Script:
    return replace(script, steps=(*script.steps[:at], step, *script.steps[at + 1 :]))


def _is_many(value: object) -> bool:
    return isinstance(value, dict | list) and len(value) > 1


def _weight(script: Script) -> int:
    return sum(1 + len(repr(step)) for step in script.steps)


def _simpler(step: Asking) -> Iterator[tuple[object, Asking]]:
    """Yield simpler forms of a call, each with a name that it keeps while other places change."""
    for name, _ in step.query:
        yield ("query", name), replace(step, query=tuple(one for one in step.query if one[0] != name))
    for name, _ in step.headers:
        if name.lower() not in KEPT_HEADERS:
            yield ("header", name), replace(step, headers=tuple(one for one in step.headers if one[0] != name))
    if step.data is not ABSENT:
        for place in _places(step.data, ()):
            yield ("cut", place), replace(step, data=_without(step.data, place))
        for place, value in _texts(step.data, ()):
            yield ("short", place), replace(step, data=_with(step.data, place, value))


def _places(value: object, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """Yield the places of members, outer ones first."""
    if isinstance(value, dict):
        yield from ((*path, name) for name in value)
        for name, inner in value.items():
            yield from _places(inner, (*path, name))
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield from _places(inner, (*path, n))


def _texts(value: object, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the places of long texts without blanks, each with a short text for it."""
    if isinstance(value, str) and len(value) > LONG and "{{" not in value:
        yield path, PLAIN
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _texts(inner, (*path, name))
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield from _texts(inner, (*path, n))


def _without(value: Any, path: tuple[str | int, ...]) -> Any:
    if len(path) == 1:
        return {name: inner for name, inner in value.items() if name != path[0]}
    return _with(value, path[:1], _without(value[path[0]], path[1:]))


def _with(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = _with(value[path[0]], path[1:], new)
    return copy
