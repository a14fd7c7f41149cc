"""Making a script small: fewer steps, then fewer items in each request, then fewer and shorter members in each item."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from contracts.bulk import Bulk
from contracts.messages import ABSENT
from contracts.model import Contract
from generators.campaign.deltas import ddmin, shortest_tail
from generators.campaign.steps import Asking, Step, Waiting
from generators.locations import look, put

PLAIN: Final = "x"
LONG: Final = 3
DEEPEST: Final = 8  # levels of a request's body that are looked into
MANY: Final = 100  # items from which on only whole pieces are taken away, and members are let be
PIECES: Final = 6  # tries that such a request is worth
KEPT_HEADERS: Final = frozenset(("content-type", "authorization"))

Part: TypeAlias = tuple[str | int, ...]
"""A place in a call: in its `query`, its `headers`, or its `data`."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A script on its way: its steps, each with the place that it had at first."""

    steps: tuple[Step, ...]
    places: tuple[int, ...]

    def chosen(self, some: Sequence[int]) -> "Draft":
        """Return the draft with the steps alone that had these places at first."""
        pairs = [pair for pair in zip(self.steps, self.places, strict=True) if pair[1] in set(some)]
        return Draft(tuple(step for step, _ in pairs), tuple(place for _, place in pairs))

    def changed(self, at: int, step: Step) -> "Draft":
        """Return the draft with another step at a place."""
        return Draft((*self.steps[:at], step, *self.steps[at + 1 :]), self.places)


@dataclass(slots=True)
class Shrinker:
    """Tries smaller drafts. `shows` does one and says whether it shows the same; `is_over` ends the search.

    Steps that had a `fixed` place at first stay as they are.
    """

    contract: Contract
    shows: Callable[[Draft], bool]
    is_over: Callable[[], bool]
    fixed: frozenset[int] = frozenset()
    tried: int = 0
    _known: dict[str, bool] = field(default_factory=dict)

    def shrink(self, steps: Sequence[Step]) -> Draft:
        """Return the smallest draft found that still shows it; all steps as they are are taken to."""
        draft = Draft(tuple(steps), tuple(range(len(steps))))
        before = None
        while before != (before := draft) and not self.is_over():
            draft = self._fewer(draft)
            for work in (self._items, self._members, self._texts):
                for at in reversed(range(len(draft.steps))):
                    is_let_be = draft.places[at] in self.fixed or self.is_over()
                    draft = draft if is_let_be else work(draft, at)
        return draft

    def _still(self, draft: Draft) -> bool:
        """Try a draft, each once; nothing shows it when there is no more time."""
        if self.is_over():
            return False
        name = repr(draft.steps)
        if name not in self._known:
            self.tried += 1
            self._known[name] = self.shows(draft)
        return self._known[name]

    def _fewer(self, draft: Draft) -> Draft:
        def with_(some: Sequence[int]) -> Draft:
            return draft.chosen([*some, *self.fixed])

        free = [place for place in draft.places if place not in self.fixed]
        tail = shortest_tail(free, lambda some: self._still(with_(some)))
        return with_(ddmin(tail, lambda some: self._still(with_(some)), least=0 if self.fixed else 1))

    def _items(self, draft: Draft, at: int) -> Draft:
        """Take away items of a bulk call."""
        step = draft.steps[at]
        place = None if isinstance(step, Waiting) else self._place(step)
        if isinstance(step, Waiting) or place is None:
            return draft
        found: Any = look(step.data, place)
        parts: list[Any] = list(found.items()) if isinstance(found, dict) else found
        until = self.tried + PIECES if len(parts) > MANY else None

        def with_(some: Sequence[Any]) -> Draft:
            items = dict(some) if isinstance(found, dict) else list(some)
            return draft.changed(at, replace(step, data=put(step.data, place, items)))

        def still(some: Sequence[Any]) -> bool:
            return (until is None or self.tried < until or len(some) < MANY) and self._still(with_(some))

        return with_(ddmin(parts, still, least=1))

    def _place(self, step: Asking) -> str | None:
        """Return where a call has more than one item, None when it has not."""
        operation = self.contract.operation(step.operation)
        bulk: Bulk | None = operation.bulk if operation is not None else None
        places = (bulk.items.at, *bulk.items.also_at) if bulk is not None and step.data is not ABSENT else ()
        return next((one for one in places if size_at(step.data, one) > 1), None)

    def _members(self, draft: Draft, at: int) -> Draft:
        """Take away parts of a call, outer ones first."""
        for depth in range(1, DEEPEST):
            step = draft.steps[at]
            parts = list(_parts(step, depth)) if isinstance(step, Asking) and not self._is_large(step) else []
            if parts:
                draft = self._without(draft, at, parts)
        return draft

    def _without(self, draft: Draft, at: int, parts: Sequence[Part]) -> Draft:
        step: Any = draft.steps[at]

        def with_(some: Sequence[Part]) -> Draft:
            return draft.changed(at, _pruned(step, frozenset(parts) - frozenset(some)))

        return with_(ddmin(parts, lambda some: self._still(with_(some))))

    def _texts(self, draft: Draft, at: int) -> Draft:
        """Shorten the texts of a call."""
        step = draft.steps[at]
        if not isinstance(step, Asking) or self._is_large(step):
            return draft
        data = step.data
        long = [path for path, value in _leaves(data, ()) if _is_long(value)]

        def with_(some: Sequence[Part]) -> Draft:
            return draft.changed(at, replace(step, data=_shortened(data, (), frozenset(long) - frozenset(some))))

        return with_(ddmin(long, lambda some: self._still(with_(some)))) if long else draft

    def _is_large(self, step: Asking) -> bool:
        place = self._place(step)
        return place is not None and size_at(step.data, place) > MANY


def size_at(data: object, place: str) -> int:
    """Return how many items there are at a place, 0 when there is no collection."""
    found = look(data, place)
    return len(found) if isinstance(found, dict | list) else 0


def _parts(step: Asking, depth: int) -> Iterator[Part]:
    """Yield the places of a call that are so deep in it: those of its body, and on the first level all others."""
    if depth == 1:
        yield from (("query", n) for n in range(len(step.query)))
        yield from (("headers", n) for n, (name, _) in enumerate(step.headers) if name.lower() not in KEPT_HEADERS)
    if step.data is not ABSENT:
        yield from (("data", *path) for path in _places(step.data, (), depth))


def _places(value: object, path: Part, depth: int) -> Iterator[Part]:
    for name, inner in _inside(value):
        if depth == 1:
            yield (*path, name)
        else:
            yield from _places(inner, (*path, name), depth - 1)


def _inside(value: object) -> Iterator[tuple[str | int, object]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from enumerate(value)


def _pruned(step: Asking, gone: frozenset[Part]) -> Asking:
    """Return a call without some of its places."""
    return replace(
        step,
        query=tuple(one for n, one in enumerate(step.query) if ("query", n) not in gone),
        headers=tuple(one for n, one in enumerate(step.headers) if ("headers", n) not in gone),
        data=step.data if step.data is ABSENT else _cut(step.data, ("data",), gone),
    )


def _cut(value: object, path: Part, gone: frozenset[Part]) -> object:
    if isinstance(value, dict):
        return {name: _cut(one, (*path, name), gone) for name, one in value.items() if (*path, name) not in gone}
    if isinstance(value, list):
        return [_cut(one, (*path, n), gone) for n, one in enumerate(value) if (*path, n) not in gone]
    return value


def _leaves(value: object, path: Part) -> Iterator[tuple[Part, object]]:
    if isinstance(value, dict | list):
        for name, inner in _inside(value):
            yield from _leaves(inner, (*path, name))
    else:
        yield path, value


def _is_long(value: object) -> bool:
    """Say whether a text could be shorter: it has no blanks, whose length is not its own."""
    return isinstance(value, str) and len(value) > LONG and "{{" not in value


def _shortened(value: object, path: Part, short: frozenset[Part]) -> object:
    if isinstance(value, dict):
        return {name: _shortened(one, (*path, name), short) for name, one in value.items()}
    if isinstance(value, list):
        return [_shortened(one, (*path, n), short) for n, one in enumerate(value)]
    return PLAIN if path in short else value
