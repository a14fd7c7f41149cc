"""The reference model: a sandbox of one's own that does what the judged implementation is asked to do.

What only a server can choose, such as the ids of records and jobs, is learned from the answers.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, unquote

import orjson

from contracts.bulk import Resource
from contracts.lifecycle import FINAL
from contracts.messages import Call, Exchange, History, Reply
from contracts.model import Operation, Route
from generators.checks.differential import are_refusals
from generators.checks.findings import Prediction
from generators.checks.jobs import OK, handle_id
from generators.checks.views import Telling, views
from generators.locations import json_of, told
from mockserver.api import Api
from mockserver.clock import EPOCH
from mockserver.engine import handle
from mockserver.sandbox import Blank, Sandbox
from mockserver.served import served
from mockserver.settings import defaults
from mockserver.stores import Key, View
from mockserver.turn import Run, Turn

SEED: Final = 0x6D6F64656C  # no sandbox has it by chance: ids of ours are told from those of the implementation
FIRST: Final = 9_007_100_000_000_000  # ids of ours where ids are numbers; the last that doubles hold are a little above
STEP: Final = 10_000  # between ids of jobs, whose parts may have ids of their own
ELSEWHERE: Final = frozenset((401, 403, 408, 413, 429, 503))
WORD: Final = re.compile(r"[\w-]+")


def sandbox_model(name: str) -> "SandboxModel":
    """Return a model of a bundled API, an installed plug-in, or an OpenAPI file. Raises MisuseError, ContractError."""
    from mockserver.sources import find_sources  # noqa: PLC0415 - it imports every API

    if name not in _LOADED:
        _LOADED[name] = find_sources((name,))[0].load()
    return SandboxModel(_LOADED[name])


_LOADED: Final[dict[str, Api]] = {}


@dataclass(slots=True)
class SandboxModel:
    """Predicts what an implementation answers, as long as it can be sure of what is stored.

    It gives up for good once it was wrong, once a bulk call was answered with more or fewer outcomes than its own, or
    once a call came while a job was under way: nobody knows which was first.
    """

    api: Api
    sandbox: Sandbox = field(init=False)
    own: dict[str, object] = field(default_factory=dict)
    issued: set[str] = field(default_factory=set)
    stocked: set[str] = field(default_factory=set)
    gave_up: bool = False
    _now: datetime = EPOCH
    _n: int = 0
    _followed: list[tuple[Exchange, Exchange]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.api = _with_stock_noted(_with_own_ids(self.api, self.issued), self.stocked)
        blank = Blank(
            apis={self.api.name: self.api}, settings=defaults([self.api]), seed=SEED, mode="frozen", plays=False
        )
        self.sandbox = Sandbox("model", blank, EPOCH)

    def predict(self, exchange: Exchange) -> Prediction | None:
        """Return what should have been answered, None when nobody can say."""
        operation = self.api.contract.operation(exchange.operation or "")
        if self.gave_up or operation is None or exchange.reply.status in ELSEWHERE or not self._knows(operation):
            return None
        if self._is_unfinished() and not self._is_about_jobs(operation):
            self.gave_up = operation.method != "GET"
            return None
        self._catch_up(operation, exchange.call.path, exchange.reply)
        mine = self._done(exchange)
        is_alike = _are_alike(mine.reply.data, exchange.reply.data)
        if is_alike and (operation.record is None or operation.record.action.constant != "list"):
            self._learn(mine.reply, exchange.reply)  # a list shows what others have made, too
        predicted = self._predicted(operation, exchange, mine)
        if predicted.status in OK and exchange.reply.status not in OK and self._is_of_stock(exchange.call):
            self.gave_up = _action(operation) not in {"read", "update", "delete"}
            return None
        self.gave_up = _is_wrong(predicted, exchange) or (operation.bulk is not None and not is_alike)
        return predicted

    def _is_of_stock(self, call: Call) -> bool:
        """Say whether a call names a record that was there from the start: others may have deleted it before."""
        words = f"{call.path} {call.body.decode(errors='replace')}"
        return not self.stocked.isdisjoint(WORD.findall(words))

    def _knows(self, operation: Operation) -> bool:
        return operation.bulk is not None or operation.record is not None or self._is_about_jobs(operation)

    def _is_about_jobs(self, operation: Operation) -> bool:
        ready = served(self.api)
        results = {name for plan in ready.plans.values() if plan.bulk.job for name in plan.bulk.job.results}
        return operation.id in {*ready.polls, *ready.cancels, *results}

    def _is_unfinished(self) -> bool:
        world = self.sandbox.worlds.get(self.api.name)
        return world is not None and bool(world.jobs.unfinished)

    def _catch_up(self, operation: Operation, path: str, reply: Reply) -> None:
        """Let our job end when the implementation's has."""
        plans = served(self.api).polls.get(operation.id, ())
        declared = [plan.bulk.job for plan in plans if plan.bulk.job is not None]
        words = {str(told(reply, one.state_at)) for one in declared}
        ended = any(one.words.get(word) in FINAL - {"cancelled"} for one in declared for word in words)
        if ended or (operation.id in served(self.api).cancels and reply.status not in OK):
            route = served(self.api).router.match(operation.method, path)
            given = set(route.variables.values()) if isinstance(route, Route) else set()
            named = {str(ours) for other, ours in self.own.items() if other in given}
            jobs = self.sandbox.world(self.api, self._now).jobs.jobs
            dues = [jobs[name].due for name in named if name in jobs]
            self._now = max([self._now, *(due for due in dues if due is not None)])

    def _done(self, exchange: Exchange) -> Exchange:
        """Do in our sandbox what was asked."""
        self._n += 1
        call = self._ours(exchange.call)
        reply = handle(self.sandbox, self.api, call, self._now)
        self.sandbox.journal.clear()
        return replace(exchange, call=call, reply=replace(reply, data=json_of(reply.body)))

    def _ours(self, call: Call) -> Call:
        """Return a call with our ids in the place of the implementation's."""
        if not self.own:
            return call
        path = "/".join(quote(self._text(unquote(one)), safe="") for one in call.path.split("/"))
        query = tuple((name, self._text(value)) for name, value in call.query)
        try:
            body = orjson.dumps(self._value(orjson.loads(call.body))) if call.body else b""
        except orjson.JSONDecodeError:
            body = call.body
        return replace(call, path=path, query=query, body=body)

    def _text(self, text: str) -> str:
        if text in self.own:
            return str(self.own[text])
        return WORD.sub(lambda found: str(self.own.get(found[0], found[0])), text) if len(text) < 1000 else text  # noqa: PLR2004 - no address is longer

    def _value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._value(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._value(inner) for inner in value]
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value) in self.own:
            ours = self.own[str(value)]
            return str(ours) if isinstance(value, str) else ours
        return value

    def _id_in(self, address: str) -> str:
        """Return the id in an address, which may be a part of its last segment."""
        return handle_id(self.api.contract, served(self.api).router, address)

    def _learn(self, mine: Reply, theirs: Reply) -> None:
        """Learn which of the implementation's ids is which of ours: they stand at the same places."""
        for ours, other in _pairs(mine, theirs, self._id_in):
            if str(ours) in self.issued and isinstance(other, str | int):
                self.own[str(other)] = ours if not str(ours).isdecimal() else int(str(ours))

    def _predicted(self, operation: Operation, exchange: Exchange, mine: Exchange) -> Prediction:
        status, telling = mine.reply.status, None
        if operation.bulk is not None:
            self._followed = [(exchange, mine)]
            telling = self._telling()
        elif self._is_about_jobs(operation):
            self._followed.append((exchange, mine))
            telling = self._telling()
            same = {200, 409}
            return Prediction(status=None if status in same else status, **self._results(telling))
        if operation.record is not None and operation.record.action.constant == "read" and status in OK:
            return Prediction(status=status, record=self._record(operation, exchange, mine.reply))
        return Prediction(status=status, **self._results(telling))

    def _results(self, telling: Telling | None) -> dict[str, Any]:
        """Return what becomes of items; errors name records as the implementation names them."""
        if telling is None or any(one.result == "untold" for one in telling.outcomes):
            return {}
        theirs = {str(ours): other for other, ours in self.own.items()}
        errors = tuple(_renamed(one.error, theirs) for one in telling.outcomes)
        return {"results": tuple(one.result for one in telling.outcomes), "errors": errors}

    def _telling(self) -> Telling | None:
        """Return what our sandbox told of the items of the last bulk call, None when it has not or told of targets."""
        history = History(exchanges=tuple(replace(mine, n=n) for n, (_, mine) in enumerate(self._followed, 1)))
        view = next(views(history, self.api.contract, router=served(self.api).router), None)
        return view.tellings[0] if view is not None and len(view.tellings) == 1 else None

    def _record(self, operation: Operation, exchange: Exchange, mine: Reply) -> Mapping[str, object]:
        """Return the members of a record as it should read; references are named as the implementation names them."""
        theirs = {str(ours): other for other, ours in self.own.items()}
        resource = self._resource(operation, exchange)
        schema = resource.schema if resource is not None else None
        names = self.api.contract.schemas.schema(schema).members() if schema is not None else {}
        shown = dict(_flat(mine.data))
        wanted = [*names, resource.version if resource is not None else None]
        known = {name: shown[name] for name in wanted if name is not None and name in shown}
        return {name: _named(value, theirs) for name, value in known.items()}

    def _resource(self, operation: Operation, exchange: Exchange) -> Resource | None:
        route = served(self.api).router.match(exchange.call.method, exchange.call.path)
        act = operation.record
        if not isinstance(route, Route) or act is None:
            return None
        word = route.variables.get(act.resource.source.partition(":")[2], act.resource.constant)
        words = {name.lower(): meaning for name, meaning in act.resource.words.items()}
        return self.api.contract.resources.get(words.get(word.lower(), word))


def _with_own_ids(api: Api, issued: set[str]) -> Api:
    """Return the API with ids that no implementation has, each noted in `issued`."""
    hooks = api.hooks

    def new_keys(run: Run, resource: Resource) -> Callable[[], Key]:
        fresh = hooks.new_keys(run, resource)

        def key() -> Key:
            made = fresh()
            own = FIRST + run.world.ids.count("own") if isinstance(made, int) else made
            issued.add(str(own))
            return own

        return key

    def job_id(turn: Turn, items: int) -> str:
        made = hooks.job_id(turn, items)
        own = str(FIRST + turn.world.ids.count("own", STEP)) if made.isdecimal() else made
        issued.add(own)
        return own

    return replace(api, hooks=replace(hooks, new_keys=new_keys, job_id=job_id))


def _with_stock_noted(api: Api, stocked: set[str]) -> Api:
    """Return the API that notes in `stocked` the ids of the records that it begins with."""
    hooks = api.hooks

    def stock(run: Run, view: View) -> None:
        hooks.stock(run, view)
        store = run.world.store
        kinds = [one for one in store.collections() if one.scope == run.scope]
        stocked.update(str(record.key) for one in kinds for record in store.scan(one))

    return replace(api, hooks=replace(hooks, stock=stock))


def _action(operation: Operation) -> str | None:
    """Return what an operation always does, None when that is a choice."""
    if operation.bulk is not None:
        return operation.bulk.effect.action.constant
    return operation.record.action.constant if operation.record is not None else None


def _pairs(mine: Reply, theirs: Reply, id_in: Callable[[str], str]) -> Iterator[tuple[object, object]]:
    """Yield the values of two replies that stand at the same place; of addresses the last segments, and the ids."""
    for name, value in mine.headers:
        other = theirs.headers.get(name)
        yield value.rstrip("/").rpartition("/")[2], other.rstrip("/").rpartition("/")[2]
        yield id_in(value), id_in(other)
    yield from _aligned(mine.data, theirs.data)


def _aligned(one: object, other: object) -> Iterator[tuple[object, object]]:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in one.keys() & other.keys():
            yield from _aligned(one[name], other[name])
    elif isinstance(one, list) and isinstance(other, list):
        for first, second in zip(one, other, strict=False):
            yield from _aligned(first, second)
    elif isinstance(one, str | int):
        yield one, other


def _are_alike(one: object, other: object) -> bool:
    """Say whether lists at the same places are of the same length: only then do ids at the same places go together."""
    if isinstance(one, dict) and isinstance(other, dict):
        return all(_are_alike(one[name], other[name]) for name in one.keys() & other.keys())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_are_alike, one, other))
    return True


def _flat(data: object) -> Iterator[tuple[str, object]]:
    """Yield the members of a record: its own first, then those one level in."""
    own = data if isinstance(data, dict) else {}
    for value in own.values():
        if isinstance(value, dict):
            yield from value.items()
    yield from ((name, value) for name, value in own.items() if not isinstance(value, dict))


def _named(value: object, theirs: Mapping[str, str]) -> object:
    if isinstance(value, str | int) and not isinstance(value, bool) and str(value) in theirs:
        other = theirs[str(value)]
        return int(other) if isinstance(value, int) and other.isdecimal() else other
    return value


def _renamed(error: object, theirs: Mapping[str, str]) -> object:
    return WORD.sub(lambda found: theirs.get(found[0], found[0]), error) if isinstance(error, str) else error


def _is_wrong(predicted: Prediction, exchange: Exchange) -> bool:
    """Say whether something else was answered than predicted; what is refused for another reason changes nothing."""
    status = exchange.reply.status
    if predicted.status is None or (exchange.call.body and are_refusals(status, predicted.status)):
        return False
    return predicted.status != status
