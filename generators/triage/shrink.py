"""Shrink a finding's script: slicing, delta debugging of its steps, their items and members, then simpler values.

Delta debugging: Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", IEEE TSE 28(2), 2002; the
algorithms are in `generators.data.shrink`. Begin with `Shrinker`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import ceil
from typing import Any, Final

from contracts.bulk.model import Bulk
from contracts.exchange.locations import find, parse_request, put
from contracts.exchange.raw_items import raw_items
from contracts.messages import ABSENT, Headers, Request
from contracts.openapi.model import Contract
from generators.data.shrink import (
    FILLER,
    Path,
    ddmin,
    least,
    paths_at_depth,
    scalar_leaves,
    shortest_suffix,
    shrink_value,
    simplest_scalar,
    with_leaves,
)
from generators.requests.calls import item_media
from generators.requests.serialisation import encode_items
from generators.triage.script import BUILT_IN_VARIABLES, RequestStep, Script, Step, WaitStep, texts_of

MANY_ITEMS: Final = 100  # from so many on only whole chunks of items are removed, and no members
MAX_LARGE_TRIES: Final = 6  # replays for shrinking a request with that many items
KEPT_HEADERS: Final = frozenset(("content-type", "authorization"))


@dataclass(frozen=True, slots=True)
class Draft:
    """A candidate script: its steps, each with its index in the original script."""

    steps: tuple[Step, ...]
    places: tuple[int, ...]

    @staticmethod
    def of(steps: Sequence[Step]) -> "Draft":
        """Return the draft with all steps."""
        return Draft(tuple(steps), tuple(range(len(steps))))

    def chosen(self, some: Sequence[int]) -> "Draft":
        """Return the draft with only the steps of these original indices."""
        pairs = [pair for pair in zip(self.steps, self.places, strict=True) if pair[1] in set(some)]
        return Draft(tuple(step for step, _ in pairs), tuple(place for _, place in pairs))

    def changed(self, at: int, step: Step) -> "Draft":
        """Return the draft with the step at an index replaced."""
        return Draft((*self.steps[:at], step, *self.steps[at + 1 :]), self.places)


@dataclass(slots=True)
class Shrinker:
    """Searches for a smaller script. `shows` replays a draft and tells whether the finding is reproduced.

    `is_over` ends the search. Steps with an original index in `fixed` are not changed.
    """

    contract: Contract
    shows: Callable[[Draft], bool]
    is_over: Callable[[], bool]
    fixed: frozenset[int] = frozenset()
    tried: int = 0
    _known: dict[str, bool] = field(default_factory=dict)

    def shrink(self, steps: Sequence[Step]) -> Draft:
        """Return the smallest draft found that reproduces the finding; the full script is assumed to do so."""
        draft = Draft.of(steps)
        before = None
        while before != (before := draft) and not self.is_over():
            draft = self._drop_steps(draft)
            for work in (
                self._drop_items,
                self._drop_members,
                self._shorten_wait,
                self._simplify_all,
                self._simplify_each,
            ):
                for at in reversed(range(len(draft.steps))):
                    is_let_be = draft.places[at] in self.fixed or self.is_over()
                    draft = draft if is_let_be else work(draft, at)
        return draft

    def _reproduces(self, draft: Draft) -> bool:
        """Return whether a draft reproduces the finding, each tested once; False when the time is up."""
        if self.is_over():
            return False
        name = repr(draft.steps)
        if name not in self._known:
            self.tried += 1
            self._known[name] = self.shows(draft)
        return self._known[name]

    def _drop_steps(self, draft: Draft) -> Draft:
        def with_(some: Sequence[int]) -> Draft:
            return draft.chosen([*some, *self.fixed])

        free = [place for place in draft.places if place not in self.fixed]
        tail = shortest_suffix(free, lambda some: self._reproduces(with_(some)))
        return with_(ddmin(tail, lambda some: self._reproduces(with_(some)), least=0 if self.fixed else 1))

    def _drop_items(self, draft: Draft, at: int) -> Draft:
        """Remove items of a bulk request."""
        step = draft.steps[at]
        if isinstance(step, RequestStep) and step.data is ABSENT and step.raw:
            return self._drop_text_items(draft, at, step)
        place = None if isinstance(step, WaitStep) else self._items_location(step)
        if isinstance(step, WaitStep) or place is None:
            return draft
        found: Any = find(step.data, place)
        parts: list[Any] = list(found.items()) if isinstance(found, dict) else found
        until = self.tried + MAX_LARGE_TRIES if len(parts) > MANY_ITEMS else None

        def with_(some: Sequence[Any]) -> Draft:
            items = dict(some) if isinstance(found, dict) else list(some)
            return draft.changed(at, replace(step, data=put(step.data, place, items)))

        def reproduces(some: Sequence[Any]) -> bool:
            return (until is None or self.tried < until or len(some) < MANY_ITEMS) and self._reproduces(with_(some))

        return with_(ddmin(parts, reproduces, least=1))

    def _drop_text_items(self, draft: Draft, at: int, step: RequestStep) -> Draft:
        """Remove items of a bulk request that has them as text: lines, rows, parts."""
        operation = self.contract.operation(step.operation)
        media = None if operation is None else item_media(operation)
        if operation is None or operation.bulk is None or media is None:
            return draft
        bulk, place = operation.bulk, operation.bulk.items.at
        request = Request(method=step.method, path="/", headers=Headers(step.headers), body=step.raw)
        sent = parse_request(operation, request, {})
        items = list(raw_items(bulk, sent))

        def with_(some: Sequence[Any]) -> Draft:
            encoded = encode_items(bulk, media, put(sent.data, place, list(some)))
            others = tuple(one for one in step.headers if one[0].lower() != "content-type")
            headers = (*others, ("Content-Type", encoded.media_type))
            return draft.changed(at, replace(step, headers=headers, raw=encoded.content))

        if len(items) < 2 or not self._reproduces(with_(items)):  # noqa: PLR2004 - one item is none too many
            return draft
        return with_(ddmin(items, lambda some: self._reproduces(with_(some)), least=1))

    def _items_location(self, step: RequestStep) -> str | None:
        """Return the location of a request's items when it has more than one, else None."""
        operation = self.contract.operation(step.operation)
        bulk: Bulk | None = operation.bulk if operation is not None else None
        places = bulk.items.places if bulk is not None and step.data is not ABSENT else ()
        return next((one for one in places if size_at(step.data, one) > 1), None)

    def _drop_members(self, draft: Draft, at: int) -> Draft:
        """Remove parts of a request's query, header and body, outer ones first."""
        step = draft.steps[at]
        if not isinstance(step, RequestStep) or self._is_large(step):
            return draft

        def with_(request: Any) -> Draft:
            query, headers = tuple(request["query"]), tuple(request["headers"])
            return draft.changed(at, replace(step, query=query, headers=headers, data=request["data"]))

        request = {"query": list(step.query), "headers": list(step.headers), "data": step.data}
        parts = partial(_parts, self._page_size(step))
        return with_(shrink_value(request, lambda one: self._reproduces(with_(one)), parts))

    def _page_size(self, step: RequestStep) -> str:
        """Return the query parameter for the size of a page: a list that grows needs it."""
        operation = self.contract.operation(step.operation)
        at = operation.record.page.take if operation is not None and operation.record is not None else None
        return at.partition(":")[2] if at is not None and at.startswith("query:") else ""

    def _shorten_wait(self, draft: Draft, at: int) -> Draft:
        """Shorten a wait to whole seconds."""
        step = draft.steps[at]
        if not isinstance(step, WaitStep) or step.seconds <= 1:
            return draft

        def with_(seconds: int) -> Draft:
            return draft.changed(at, WaitStep(seconds=float(seconds)))

        longest = ceil(step.seconds)
        if longest != step.seconds and not self._reproduces(with_(longest)):
            return draft
        return with_(least(0, longest, lambda seconds: self._reproduces(with_(seconds))))

    def _simplify_all(self, draft: Draft, at: int) -> Draft:
        """Put one plain value in the place of as many texts as possible, and of as many numbers."""
        for kind, plain in ((str, FILLER), (int | float, 1)):
            own = [path for path, value in self._scalars(draft, at) if isinstance(value, kind) and path[0] == DATA]
            plainer = partial(_with_plain, draft, at, own, plain)
            draft = plainer(ddmin(own, partial(self._shows_with, plainer))) if own else draft
        return draft

    def _simplify_each(self, draft: Draft, at: int) -> Draft:
        """Make each number and text of a request as simple as it can be."""
        for path, value in self._scalars(draft, at):
            with_value = partial(_with_values, draft, at, frozenset((path,)))
            draft = with_value(simplest_scalar(value, partial(self._shows_with, with_value)))
        return draft

    def _shows_with(self, changed: Callable[[Any], Draft], new: Any) -> bool:
        return self._reproduces(changed(new))

    def _scalars(self, draft: Draft, at: int) -> list[tuple[Path, object]]:
        """Return the scalars in a request's body and query that can be simpler, with their paths."""
        step = draft.steps[at]
        if not isinstance(step, RequestStep) or self._is_large(step):
            return []
        kept = self._page_size(step)
        query = [((QUERY, n, 1), value) for n, (name, value) in enumerate(step.query) if name != kept]
        found = [*scalar_leaves(step.data, (DATA,)), *query] if step.data is not ABSENT else query
        return [(path, value) for path, value in found if not _is_plain(value)]

    def _is_large(self, step: RequestStep) -> bool:
        place = self._items_location(step)
        return place is not None and size_at(step.data, place) > MANY_ITEMS


def size_at(data: object, place: str) -> int:
    """Return the number of items at a location, 0 when there is no array or object."""
    found = find(data, place)
    return len(found) if isinstance(found, dict | list) else 0


def _parts(kept: str, request: Any, depth: int) -> Iterator[Path]:
    """Yield the paths of a request's parts at a depth: of its body, and at depth 1 also of its query and header.

    A `kept` parameter of the query is none.
    """
    if depth == 1:
        yield from (("query", n) for n, (name, _) in enumerate(request["query"]) if name != kept)
        yield from (
            ("headers", n) for n, (name, _) in enumerate(request["headers"]) if name.lower() not in KEPT_HEADERS
        )
    yield from paths_at_depth(request["data"], depth, ("data",))


DATA: Final = "data"
QUERY: Final = "query"


def _is_plain(value: object) -> bool:
    """Return whether a value is as simple as it gets, or has a variable."""
    return value in (None, FILLER, 0, 1) or (isinstance(value, str) and "{{" in value)


def _with_plain(draft: Draft, at: int, places: Sequence[Path], plain: object, own: Sequence[Path]) -> Draft:
    """Return a draft with a plain value at these places but some, which keep their own."""
    return _with_values(draft, at, frozenset(places) - frozenset(own), plain)


def _with_values(draft: Draft, at: int, places: frozenset[Path], new: object) -> Draft:
    """Return a draft with a value at these places of one of its requests."""
    step = draft.steps[at]
    assert isinstance(step, RequestStep)  # noqa: S101 - a wait has no values
    request: Any = with_leaves({QUERY: [list(one) for one in step.query], DATA: step.data}, places, new)
    query = tuple((name, str(value)) for name, value in request[QUERY])
    return draft.changed(at, replace(step, query=query, data=request[DATA]))


MAX_SLICE_ROUNDS: Final = 4  # steps of indirection between variables that are followed
BUILT_IN_TOKENS: Final = frozenset(f"{{{{{name}}}}}" for name in BUILT_IN_VARIABLES)


def slices(script: Script, shown: Sequence[int], contract: Contract) -> Iterator[Script]:
    """Yield smaller scripts: the last evidence alone, with what it refers to, and with what is related to it.

    Then all evidence, first with what it refers to, then with the items, at last with the steps, related to it.
    """
    last, steps, evidence = frozenset(shown[-1:]), script.steps, frozenset(shown)
    yield replace(script, steps=tuple(step for n, step in enumerate(steps) if n in last))
    for kept in (
        _referred(script, last),
        _slice(script, last, contract, thin=True, rounds=2),
        _referred(script, evidence),
        _slice(script, last, contract, thin=True),
        _slice(script, evidence, contract, thin=True),
        _slice(script, evidence, contract, thin=False),
    ):
        yield replace(script, steps=_with_joined_waits(kept.values()))


def _referred(script: Script, shown: frozenset[int]) -> dict[int, Step]:
    """Return the evidence, the requests whose responses tell the ids in it, and all waits."""
    kept = set(shown)
    while True:
        used = {name for n in kept for name in _variables(script.steps[n])}
        more = {
            n
            for n, step in enumerate(script.steps)
            if isinstance(step, RequestStep) and any(f"{{{{{one.name}}}}}" in used for one in step.captures)
        }
        if more <= kept:
            break
        kept |= more
    return {n: step for n, step in enumerate(script.steps) if n in kept or isinstance(step, WaitStep)}


def _with_joined_waits(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Return steps with one wait for each run of waits, none at the end."""
    joined: list[Step] = []
    for step in steps:
        if joined and isinstance(step, WaitStep) and isinstance(before := joined[-1], WaitStep):
            joined[-1] = WaitStep(seconds=before.seconds + step.seconds)
        else:
            joined.append(step)
    return tuple(joined[:-1] if joined and isinstance(joined[-1], WaitStep) else joined)


def without_waits(script: Script, shown: Sequence[int], contract: Contract) -> list[int]:
    """Return the indices of all steps but waits and polls of running jobs; the others wait by themselves."""
    polls = {one.bulk.job.poll for one in contract.operations if one.bulk is not None and one.bulk.job is not None}
    return [n for n, step in enumerate(script.steps) if n in shown or not _is_idle(step, polls)]


def _is_idle(step: Step, polls: Collection[str]) -> bool:
    return not isinstance(step, RequestStep) or (step.operation in polls and step.busy is None)


def related(script: Script, shown: Sequence[int], contract: Contract) -> list[int]:
    """Return the indices of the steps that share a variable with the evidence, directly or indirectly."""
    return list(_slice(script, frozenset(shown), contract, thin=False))


def _slice(
    script: Script, shown: frozenset[int], contract: Contract, *, thin: bool, rounds: int = MAX_SLICE_ROUNDS
) -> dict[int, Step]:
    names = {name for n in shown if n < len(script.steps) for name in _variables(script.steps[n])}
    kept: dict[int, Step] = {}
    for _ in range(rounds):
        kept = {}
        for n, step in enumerate(script.steps):
            part = step if n in shown or not isinstance(step, RequestStep) else _part(step, names, contract, thin=thin)
            if part is not None:
                kept[n] = part
        wider = names | {name for step in kept.values() for name in _variables(step)}
        if wider == names:
            break
        names = wider
    return kept


def _part(step: RequestStep, names: set[str], contract: Contract, *, thin: bool) -> Step | None:
    """Return the part of a step that shares a variable, None when it shares none."""
    operation = contract.operation(step.operation)
    bulk = operation.bulk if operation is not None else None
    if bulk is not None and thin and step.data is not ABSENT:
        place = next((at for at in bulk.items.places if isinstance(find(step.data, at), list)), None)
        items: Any = find(step.data, place) if place is not None else []
        own = [item for item in items if not names.isdisjoint(_variable_texts(item))]
        if place is not None and own:
            return replace(step, data=put(step.data, place, own))
    told = {f"{{{{{capture.name}}}}}" for capture in step.captures}
    return step if not names.isdisjoint(_variables(step) | told) else None


def _variables(step: Step) -> set[str]:
    """Return the variables that a step uses or captures."""
    if not isinstance(step, RequestStep):
        return set()
    told = {f"{{{{{capture.name}}}}}" for capture in step.captures}
    return {*_variable_texts(step.path), *_variable_texts(step.data), *told}


def _variable_texts(value: object) -> set[str]:
    found = {text.replace(":number", "").replace(":fraction", "") for text in texts_of(value) if "{{" in text}
    return found - BUILT_IN_TOKENS
