"""The jobs of a history: their handles, and what each poll reported. Begin with `JobTraces`.

Jobs are asynchronous requests: 202 with a status monitor (RFC 9110, 15.3.3), preferred with `Prefer: respond-async`
(RFC 7240).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import unquote, urlsplit

from contracts.bulk.jobs import FINAL_STATES
from contracts.bulk.model import Bulk, BulkJob
from contracts.exchange.locations import ParsedRequest, read_response
from contracts.messages import ABSENT, Exchange, Response
from contracts.openapi import routing
from contracts.openapi.model import Contract, Operation, Route
from contracts.openapi.routing import Router
from contracts.syntax.text import is_text_or_number, text_of

SUCCESS_STATUS: Final = range(200, 300)
GONE_STATUS: Final = frozenset((404, 410))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPoll:
    """One poll. `word` is the state in the API's words, `state` what it means (`JOB_TRANSITIONS`), None if unknown.

    `progress` has the declared counters that are integers.
    """

    exchange: Exchange
    word: object
    state: str | None
    progress: Mapping[str, int]

    @property
    def is_final(self) -> bool:
        """Return whether the job has ended."""
        return self.state in FINAL_STATES

    @property
    def is_idle(self) -> bool:
        """Return whether the job reports that it has processed nothing yet.

        Until it reports progress, it must not change records.
        """
        return not self.is_final and self.progress.get("processed") == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTrace:
    """The exchanges about one job, in order.

    `polls` were successful, `gone` had the status 404 or 410, `results` are successful requests of the operations with
    its results. A cancel request whose response has the state counts as a poll. `target` is that of a fan-out.
    `cancels` are requests to cancel the job that were accepted.
    """

    handle: str
    target: str | None
    declared: BulkJob
    polls: tuple[JobPoll, ...] = ()
    gone: tuple[Exchange, ...] = ()
    results: tuple[Exchange, ...] = ()
    cancels: tuple[Exchange, ...] = ()
    contract: Contract | None = field(default=None, repr=False, compare=False)

    @property
    def is_cancelled(self) -> bool:
        """Whether a request to cancel the job was accepted."""
        return bool(self.cancels)

    @property
    def end(self) -> JobPoll | None:
        """Return the first poll with a final state, None when there is none."""
        return next((one for one in self.polls if one.is_final), None)


class JobTraces:
    """The exchanges of a history, indexed by the job that they are about."""

    def __init__(self, contract: Contract, exchanges: Iterable[Exchange], router: Router) -> None:
        self._contract, self._router = contract, router
        self._exchanges: dict[tuple[str, str], list[tuple[Exchange, Mapping[str, str]]]] = {}
        for exchange in exchanges:
            operation = contract.operation(exchange.operation or "")
            name = last_variable(operation) if operation is not None else None
            route = router.match(exchange.request.method, exchange.request.path, exchange.request) if name else None
            if name and isinstance(route, Route):
                related = self._exchanges.setdefault((route.operation.id, route.variables[name]), [])
                related.append((exchange, route.variables))
            elif operation is not None and (asked := exchange.request.parameter(job_query(operation) or "")):
                self._exchanges.setdefault((operation.id, asked), []).append((exchange, {}))

    def trace(
        self, declared: BulkJob, value: object, target: str | None, made_by: Exchange, sent: ParsedRequest
    ) -> JobTrace:
        """Return the trace of the job with this handle, from exchanges after the one that made it."""
        polled = self._of(declared.poll, value, made_by, sent)
        results = [one for name in declared.results for one in self._of(name, value, made_by, sent)]
        cancels = self._of(declared.cancel, value, made_by, sent) if declared.cancel is not None else ()
        stating = [one for one in cancels if read_response(one.response, declared.state_at) is not ABSENT]
        related = sorted((*polled, *stating), key=lambda one: one.n)
        polls = [_read_poll(declared, one) for one in related if one.response.status in SUCCESS_STATUS]
        accepted = tuple(one for one in cancels if _is_cancellation(declared, one.response))
        return JobTrace(
            handle=str(value),
            target=target,
            declared=declared,
            polls=tuple(_with_cancellation(declared, polls, accepted)),
            gone=tuple(
                one
                for one in polled
                if one.response.status in GONE_STATUS and self._is_by_the_same(one, made_by, target)
            ),
            results=tuple(one for one in results if one.response.status in SUCCESS_STATUS),
            cancels=accepted,
            contract=self._contract,
        )

    def _of(self, name: str, value: object, made_by: Exchange, sent: ParsedRequest) -> Sequence[Exchange]:
        """Return the exchanges about a job with the same path variables as the request that made it."""
        found = self._exchanges.get((name, handle_id(self._contract, self._router, value)), ())
        return [one for one, given in found if one.n > made_by.n and self._agree(given, sent.variables)]

    def _is_by_the_same(self, one: Exchange, made_by: Exchange, target: str | None) -> bool:
        """Say whether a poll has the credentials, and no other query parameters than the request that made the job."""
        given, schemes = set(made_by.request.query), self._contract.security_schemes.values()
        related = all(pair in given or pair[1] == target for pair in one.request.query)
        fields = ["Authorization", *(str(scheme["name"]) for scheme in schemes if scheme.get("in") == "header")]
        return related and all(one.request.headers.get(at) == made_by.request.headers.get(at) for at in fields)

    def _agree(self, given: Mapping[str, str], other: Mapping[str, str]) -> bool:
        folded = str.casefold if self._contract.ignore_case else str
        shared = list(given.keys() & other.keys())
        return all(folded(given[name]) == folded(other[name]) for name in shared if name != list(given)[-1])


def handle_id(contract: Contract, router: Router, value: object) -> str:
    """Return the id in a job's handle: the last path variable of a URL, else the handle itself."""
    text = str(value)
    if "/" not in text:
        return text
    path = urlsplit(text).path
    route = route_of(contract, router, path)
    name = last_variable(route.operation) if route is not None else None
    return route.variables[name] if route is not None and name else unquote(path.rpartition("/")[2])


def route_of(contract: Contract, router: Router, address: str) -> Route | None:
    """Return the GET operation at a URL from a response: absolute, or relative to the server or the API."""
    path = "/" + urlsplit(address).path.lstrip("/")
    found = path.find(f"{contract.mount}/") if contract.mount else -1
    inner = path[found + len(contract.mount) :] if found >= 0 else path
    routes = (router.match("GET", one) for one in (inner, path))
    return next((route for route in routes if isinstance(route, Route)), None)


def last_variable(operation: Operation) -> str | None:
    """Return the last variable of an operation's path template, None when it has none."""
    return routing.last_variable(operation.path)


def job_query(operation: Operation) -> str | None:
    """Return the query parameter that names a job where no path variable does: a required one, or one named id."""
    if last_variable(operation) is not None:
        return None
    queries = [one for one in operation.parameters if one.where == "query"]
    named = [one.name for one in queries if one.name.lower().endswith("id")]
    return next((one.name for one in queries if one.required), next(iter(named), None))


def response_handles(bulk: Bulk, response: Response) -> Mapping[str | None, object]:
    """Return the job handles in the response to a bulk request, by target; the key is None without a fan-out."""
    if bulk.job is None:
        return {}
    fan_out = bulk.items.fan_out
    found = read_response(response, bulk.job.handle if fan_out is None else fan_out.succeeded)
    handles: Mapping[str | None, object] = {None: found}
    if fan_out is not None:
        handles = found if isinstance(found, dict) else {}
    return {target: one for target, one in handles.items() if is_text_or_number(one)}


def response_state(declared: BulkJob, response: Response) -> str | None:
    """Return the job state in a response, one of `JOB_TRANSITIONS`; None when its word is absent or undeclared."""
    return declared.words.get(text_of(read_response(response, declared.state_at)))


def _is_cancellation(declared: BulkJob, response: Response) -> bool:
    """Say whether a response accepts that its job is cancelled; one operation may start jobs and cancel them."""
    is_sure = declared.cancel != declared.start or response_state(declared, response) == "cancelled"
    return is_sure and response.status in SUCCESS_STATUS


def _with_cancellation(declared: BulkJob, polls: Sequence[JobPoll], cancels: Sequence[Exchange]) -> Sequence[JobPoll]:
    """Return polls in which a job that was cancelled before its end is so, where no word tells that from done."""
    end = next((one.exchange.n for one in polls if one.is_final), None)
    stopped = [one.n for one in cancels if end is not None and one.n <= end]
    if not stopped or "cancelled" in declared.words.values():
        return polls
    return [replace(one, state="cancelled") if one.is_final else one for one in polls]


def _read_poll(declared: BulkJob, exchange: Exchange) -> JobPoll:
    numbers = {name: read_response(exchange.response, at) for name, at in declared.progress.items()}
    return JobPoll(
        exchange=exchange,
        word=read_response(exchange.response, declared.state_at),
        state=response_state(declared, exchange.response),
        progress={name: value for name, value in numbers.items() if isinstance(value, int)},
    )
