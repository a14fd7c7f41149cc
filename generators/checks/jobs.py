"""The jobs in a history: which calls made them, and what each poll of them told."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from contracts.bulk import BulkJob
from contracts.lifecycle import FINAL
from contracts.messages import Exchange
from contracts.model import Contract, NoRoute, Operation
from contracts.routing import Router
from generators.checks.locations import told

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
        self._asked: dict[tuple[str, str], list[Exchange]] = {}
        last = {one.id: _last_variable(one) for one in contract.operations}
        for exchange in exchanges:
            name = last.get(exchange.operation or "")
            route = router.match(exchange.call.method, exchange.call.path) if name else None
            if name and route is not None and not isinstance(route, NoRoute) and exchange.operation is not None:
                self._asked.setdefault((exchange.operation, route.variables[name]), []).append(exchange)

    def trace(self, declared: BulkJob, value: object, target: str | None, *, since: int) -> Trace:
        """Return what was seen of the job whose handle is `value`; only exchanges after number `since` count."""
        polled = self._of(declared.poll, value, since)
        results = [one for name in declared.results for one in self._of(name, value, since)]
        return Trace(
            handle=str(value),
            target=target,
            declared=declared,
            polls=tuple(_poll(declared, one) for one in polled if one.reply.status in OK),
            gone=tuple(one for one in polled if one.reply.status in GONE),
            results=tuple(one for one in results if one.reply.status in OK),
        )

    def _of(self, name: str, value: object, since: int) -> Sequence[Exchange]:
        operation = self._contract.operation(name)
        if operation is None:
            return ()
        found = self._asked.get((name, handle_id(self._contract, self._router, value)), ())
        return [one for one in found if one.n > since]


def handle_id(contract: Contract, router: Router, value: object) -> str:
    """Return the id in a job's handle: the last variable of an address, else the handle itself."""
    text = str(value)
    if "/" not in text:
        return text
    path = "/" + urlsplit(text).path.lstrip("/")
    for one in (path, path.removeprefix(contract.mount), path[max(path.find(f"{contract.mount}/"), 0) :]):
        route = router.match("GET", one.removeprefix(contract.mount) if contract.mount else one)
        if not isinstance(route, NoRoute):
            name = _last_variable(route.operation)
            return route.variables[name] if name else text
    return unquote(path.rpartition("/")[2])


def _last_variable(operation: Operation) -> str | None:
    names = [part[1:-1] for part in operation.path.split("/") if part.startswith("{") and part.endswith("}")]
    return names[-1] if names else None


def _poll(declared: BulkJob, exchange: Exchange) -> Poll:
    word = told(exchange.reply, declared.state_at)
    numbers = {name: told(exchange.reply, at) for name, at in declared.progress.items()}
    return Poll(
        exchange=exchange,
        word=word,
        state=declared.words.get(str(word).lower() if isinstance(word, bool) else str(word)),
        progress={name: value for name, value in numbers.items() if isinstance(value, int)},
    )
