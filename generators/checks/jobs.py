"""The jobs in a history: which calls made them, and what each poll of them told."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from contracts import templates
from contracts.bulk import BulkJob
from contracts.lifecycle import FINAL
from contracts.messages import ABSENT, Exchange
from contracts.model import Contract, Operation, Route
from contracts.routing import Router
from generators.locations import Sent, told

OK: Final = range(200, 300)
GONE: Final = frozenset((404, 410))


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """What one poll told. `state` is a class of `contracts.lifecycle`, None for a word that is not declared."""

    exchange: Exchange
    word: object
    state: str | None
    progress: Mapping[str, int]

    @property
    def is_final(self) -> bool:
        """Whether the job has ended."""
        return self.state in FINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A job as it was seen: its handle, the polls that were answered, and those that said there is no such job.

    A call that cancels it counts as a poll when its answer tells the state.

    `target` is that of a fan-out. `results` are answered calls of the operations that tell its results, in order.
    """

    handle: str
    target: str | None
    declared: BulkJob
    polls: tuple[Poll, ...] = ()
    gone: tuple[Exchange, ...] = ()
    results: tuple[Exchange, ...] = ()

    @property
    def end(self) -> Poll | None:
        """The first poll that found the job at its end."""
        return next((one for one in self.polls if one.is_final), None)


class Tracks:
    """The calls of a history by the job that they ask for."""

    def __init__(self, contract: Contract, exchanges: Iterable[Exchange], router: Router) -> None:
        self._contract, self._router = contract, router
        self._asked: dict[tuple[str, str], list[tuple[Exchange, Mapping[str, str]]]] = {}
        for exchange in exchanges:
            operation = contract.operation(exchange.operation or "")
            name = last_variable(operation) if operation is not None else None
            route = router.match(exchange.call.method, exchange.call.path) if name else None
            if name and isinstance(route, Route):
                asked = self._asked.setdefault((route.operation.id, route.variables[name]), [])
                asked.append((exchange, route.variables))

    def trace(self, declared: BulkJob, value: object, target: str | None, made_by: Exchange, sent: Sent) -> Trace:
        """Return what was seen of the job whose handle is `value`, after the exchange that made it."""
        polled = self._of(declared.poll, value, made_by, sent)
        results = [one for name in declared.results for one in self._of(name, value, made_by, sent)]
        cancels = self._of(declared.cancel, value, made_by, sent) if declared.cancel is not None else ()
        stating = [one for one in cancels if told(one.reply, declared.state_at) is not ABSENT]
        asked = sorted((*polled, *stating), key=lambda one: one.n)
        return Trace(
            handle=str(value),
            target=target,
            declared=declared,
            polls=tuple(_poll(declared, one) for one in asked if one.reply.status in OK),
            gone=tuple(one for one in polled if one.reply.status in GONE and _asks_alike(one, made_by, target)),
            results=tuple(one for one in results if one.reply.status in OK),
        )

    def _of(self, name: str, value: object, made_by: Exchange, sent: Sent) -> Sequence[Exchange]:
        """Return the calls about a job under the path that it was made under."""
        found = self._asked.get((name, handle_id(self._contract, self._router, value)), ())
        return [one for one, given in found if one.n > made_by.n and self._agree(given, sent.variables)]

    def _agree(self, given: Mapping[str, str], other: Mapping[str, str]) -> bool:
        folded = str.casefold if self._contract.ignore_case else str
        shared = list(given.keys() & other.keys())
        return all(folded(given[name]) == folded(other[name]) for name in shared if name != list(given)[-1])


def _asks_alike(one: Exchange, made_by: Exchange, target: str | None) -> bool:
    """Say whether a poll asks for nothing that the call which made the job did not say, its target aside."""
    given = set(made_by.call.query)
    asked = all(pair in given or pair[1] == target for pair in one.call.query)
    return asked and one.call.headers.get("Authorization") == made_by.call.headers.get("Authorization")


def handle_id(contract: Contract, router: Router, value: object) -> str:
    """Return the id in a job's handle: the last variable of an address, else the handle itself."""
    text = str(value)
    if "/" not in text:
        return text
    path = urlsplit(text).path
    route = route_of(contract, router, path)
    name = last_variable(route.operation) if route is not None else None
    return route.variables[name] if route is not None and name else unquote(path.rpartition("/")[2])


def route_of(contract: Contract, router: Router, address: str) -> Route | None:
    """Return what is asked at an address that an answer gave: absolute, or relative to the server or to the API."""
    path = "/" + urlsplit(address).path.lstrip("/")
    found = path.find(f"{contract.mount}/") if contract.mount else -1
    inner = path[found + len(contract.mount) :] if found >= 0 else path
    routes = (router.match("GET", one) for one in (inner, path))
    return next((route for route in routes if isinstance(route, Route)), None)


def last_variable(operation: Operation) -> str | None:
    """Return the last variable of an operation's path, None when it has none."""
    return templates.last_variable(operation.path)


def _poll(declared: BulkJob, exchange: Exchange) -> Poll:
    word = told(exchange.reply, declared.state_at)
    numbers = {name: told(exchange.reply, at) for name, at in declared.progress.items()}
    return Poll(
        exchange=exchange,
        word=word,
        state=declared.words.get(str(word).lower() if isinstance(word, bool) else str(word)),
        progress={name: value for name, value in numbers.items() if isinstance(value, int)},
    )
