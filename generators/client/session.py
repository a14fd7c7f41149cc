"""Send requests to one implementation in order: record, wait within a budget, pass every exchange to an observer.

`check`, `fuzz` and the replay of findings all send through a `Session`; below it there is only the `Client`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import count
from random import Random
from time import monotonic
from typing import Final, NamedTuple, Protocol, TypeAlias

from contracts.exchange.bulk_exchange import BulkExchange
from contracts.messages import Exchange, ExchangeHistory, Request, Response
from contracts.openapi.model import ClientIdentity, Contract, Operation, Route
from contracts.openapi.routing import Router
from contracts.openapi.security import as_client, key_places
from generators.client.access import AccessGuard
from generators.client.environments import SandboxClient
from generators.client.http import Client, HttpClient, NoAnswerError
from generators.errors import NotApplicableError
from generators.requests.known_records import FIRST_NUMBER, Names

UNAVAILABLE: Final = 503
RETRIES: Final = 8  # repetitions of a request that is answered with Retry-After
DATE_RESOLUTION: Final = timedelta(seconds=1)
RETRY_AFTER_DIGITS: Final = 9  # longest Retry-After that is honoured, in digits of seconds
READING_ACTIONS: Final = frozenset(("list", "read"))
MAX_WAIT: Final = timedelta(days=8)  # longest Retry-After that is honoured where the clock is controlled
WAIT_SLICE: Final = timedelta(seconds=0.1)  # of a real wait, between two checks of the deadline

TraceEvent: TypeAlias = Exchange | float
"""Something that was done: an exchange, or a wait of so many seconds."""


class DeadlineExceededError(Exception):
    """The time limit was reached before the next request or wait."""


@dataclass(slots=True)
class Budget:
    """The real seconds that a run may take, waits included."""

    seconds: float = 50.0
    clock: Callable[[], float] = monotonic
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.clock()

    @property
    def left(self) -> float:
        """The remaining real seconds; not below 0."""
        return max(0.0, self.seconds - self.spent)

    @property
    def spent(self) -> float:
        """The real seconds since the budget was created."""
        return self.clock() - self.started


class UnendedJob(NamedTuple):
    """A job that had not ended after so much time: the request that made it, and the last poll."""

    post: Exchange
    poll: Exchange
    waited: timedelta


class Observer(Protocol):
    """Receives the result of every request of a session."""

    def observe(self, exchange: Exchange) -> None:
        """Receive an exchange, right after its response."""

    def observe_probe(self, exchange: Exchange) -> None:
        """Receive an exchange that its sender judges alone; it may have written something."""

    def observe_failure(self, operation: str, error: NoAnswerError) -> None:
        """Receive that a request got no response; `operation` is "" for a request of no operation."""

    def observe_unended(self, job: "UnendedJob") -> None:
        """Receive that a job has not ended long after others have."""


def settling_times(contract: Contract) -> Mapping[str, timedelta]:
    """Return for each operationId that reads records how long after a write it may still show the state before."""
    acts = [(one.id, one.record) for one in contract.operations if one.record is not None]
    reads = [(name, act) for name, act in acts if act.action.constant in READING_ACTIONS]
    every = [one.consistency for one in contract.resources.values() if one.consistency is not None]
    longest = max(every, default=None)
    own = {name: contract.resources.get(act.resource.constant) for name, act in reads}
    found = {name: longest if one is None else one.consistency for name, one in own.items()}
    found |= {one.id: longest for one in contract.operations if one.reads is not None}
    return {name: within for name, within in found.items() if within is not None}


def _client_of(contract: Contract, client: Client) -> ClientIdentity | None:
    """Return the test client whose credentials a client sends by default, None where they are nobody's."""
    http = client.http if isinstance(client, SandboxClient) else client
    sent = set(http.default_fields.values()) if isinstance(http, HttpClient) else ()
    return next((one for one in contract.clients if one.auth in sent), None)


class Session:
    """Everything that is sent to one implementation, in order.

    `exchanges` grow until `take_history` removes them, and so do `views`: those that were read as bulk exchanges, by
    number. `trace` holds all exchanges with the waits between, when it is a list. `sent` counts responses,
    `last_operation` is the operationId requested last, "" after a wait. Reads wait where the contract declares a
    `consistency`. Once `is_over` returns True no request is sent and no wait begins. `given` maps parameter names to
    values; `name_prefix`, of 0-9 and a-z, begins every generated name. `identity` is the client that it acts as, None
    for whoever the client's own credentials name: `own_client`, where that is a test client. `paces` are how long jobs
    took, shared by sessions; `unended` are those for whose end nobody waits any longer.
    """

    def __init__(
        self,
        contract: Contract,
        client: Client,
        *,
        seed: int = 0,
        name_prefix: str = "00000",
        budget: Budget | None = None,
        given: Mapping[str, str] | None = None,
        router: Router | None = None,
        is_over: Callable[[], bool] = lambda: False,
        guard: AccessGuard | None = None,
        observer: Observer | None = None,
        trace: list[TraceEvent] | None = None,
        paces: dict[object, timedelta] | None = None,
    ) -> None:
        self.contract, self.client, self.budget = contract, client, budget or Budget()
        self.seed, self.name_prefix, self.own_client = seed, name_prefix, _client_of(contract, client)
        own = self.own_client.scopes if self.own_client is not None else {}
        self.given = {**{name: allowed[0] for name, allowed in own.items() if allowed}, **(given or {})}
        self.router = router or Router(contract)
        self.trace = trace
        self.exchanges: list[Exchange] = []
        self.views: dict[int, BulkExchange] = {}
        self.cache: dict[object, object] = {}
        self.paces = {} if paces is None else paces
        self.unended: list[UnendedJob] = []
        self.sent = 0
        self.last_operation = ""
        self.identity: ClientIdentity | None = None
        self._is_over, self._guard, self._observer = is_over, guard, observer
        self._trials, self._serial = 0, count()
        self._settling = settling_times(contract)
        self._changed_at: datetime | None = None

    @property
    def controlled(self) -> bool:
        """Whether waiting takes no real time."""
        return self.client.controlled

    def send(self, request: Request) -> Exchange:
        """Send a request; repeat one that is answered 429 or 503 after its Retry-After, at most `RETRIES` times.

        Raises NotApplicableError when there is no time for that, or when it is refused for now again and again: such a
        refusal says nothing of the request.
        """
        return self._obeying(self.exchange, request)

    def _obeying(self, send_once: Callable[[Request], Exchange], request: Request) -> Exchange:
        exchange = send_once(request)
        for _ in range(RETRIES):
            wait = retry_after(exchange.response, self.client.now())
            if wait is None:
                return exchange
            self.wait(wait)
            self._forget(exchange)
            exchange = send_once(request)
        if retry_after(exchange.response, self.client.now()) is not None:
            self._report_unavailable(exchange)
            raise NotApplicableError(f"the server asks to come again later ({exchange.response.status})")
        return exchange

    def _report_unavailable(self, exchange: Exchange) -> None:
        """Report a server that has refused with 503 whenever it had asked to come again: it does not serve."""
        if exchange.response.status == UNAVAILABLE and self._observer is not None and self.identity is None:
            says = f"it was answered {UNAVAILABLE} {RETRIES + 1} times, each time after the wait that was asked for"
            self._observer.observe_failure(exchange.operation or "", NoAnswerError(says))

    def _forget(self, refused: Exchange) -> None:
        """Remove a request that is sent again from the trace, with the wait for it: any client obeys Retry-After."""
        if self.trace is not None and refused in self.trace[-2:]:
            del self.trace[self.trace.index(refused, -2) :]

    def exchange(self, request: Request, *, is_observed: bool = True) -> Exchange:
        """Send a request once. Raises NoAnswerError, DeadlineExceededError, and MisuseError of the guard."""
        is_observed = is_observed and self.identity is None  # what other clients see is theirs
        operation = self.operation_of(request)
        self.last_operation = operation.id if operation is not None else ""
        try:
            exchange = self._exchange(request, operation)
        except NoAnswerError as error:
            if self._observer is not None and is_observed:
                self._observer.observe_failure(self.last_operation, error)
            raise
        if self._guard is not None:
            self._guard.note(self.last_operation, {exchange.response.status: 1})
        if self._observer is not None and is_observed:
            self._observer.observe(exchange)
        return exchange

    def probe(self, request: Request) -> Exchange:
        """Send a request that is judged by its sender alone: it is not recorded, and no law looks at it.

        Raises NoAnswerError, DeadlineExceededError.
        """
        return self._obeying(self._probe_once, request)

    def _probe_once(self, request: Request) -> Exchange:
        operation = self.operation_of(request)
        self.last_operation = operation.id if operation is not None else ""
        made = self._exchange(request, operation)
        self.exchanges.remove(made)
        if self._observer is not None:
            self._observer.observe_probe(made)
        return made

    def _settle(self, operation: Operation | None) -> None:
        """Wait before a read until it must show everything that was written."""
        within = self._settling.get(operation.id) if operation is not None else None
        if within is not None and self._changed_at is not None:
            left = self._changed_at + within - self.client.now()
            if left > timedelta(0):
                self.advance(left)
                self.last_operation = operation.id if operation is not None else ""
                if self.trace is not None:
                    self.trace.pop()  # a replay waits by itself

    def _exchange(self, request: Request, operation: Operation | None) -> Exchange:
        self._settle(operation)
        at, name = self.client.now(), operation.id if operation is not None else None
        request = self._as_sent(request, operation)
        self._require_time()
        try:
            response = self.client.send(request)
        except NoAnswerError:
            self._require_time()  # what the deadline cut off says nothing of the server
            raise
        self.sent += 1
        if self._settling and (operation is None or operation.id not in self._settling):
            self._changed_at = self.client.now()
        made = Exchange(n=self.sent, at=at, api=self.contract.name, operation=name, request=request, response=response)
        self.exchanges.append(made)
        if self.trace is not None:
            self.trace.append(made)
        return made

    def _as_sent(self, request: Request, operation: Operation | None) -> Request:
        """Return a request with the credentials of the client that the session acts as, or with made-up ones."""
        if request.headers.get("Authorization"):
            return request
        if self.identity is not None and operation is not None:
            return as_client(self.contract, operation, request, self.identity.auth)
        admitted = self.client.admitted if isinstance(self.client, SandboxClient) else None
        return request if admitted is None else admitted(request)

    @property
    def asks_for_credentials(self) -> bool:
        """Whether credentials are asked for where the contract says so: a sandbox may be set not to."""
        return not (isinstance(self.client, SandboxClient) and self.client.is_open)

    def has_valid_credentials(self, operation: Operation) -> bool:
        """Return whether some credentials are known to be valid, so that others may be judged to be wrong."""
        if any(one.auth and one.refused is None for one in self.contract.clients):
            return True
        places = {name.lower() for _, name in key_places(self.contract, operation)} | {"authorization"}
        return isinstance(self.client, HttpClient) and not places.isdisjoint(self.client.default_fields)

    def places_of(self, scope: str) -> Sequence[str]:
        """Return the values of a scope (`x-scopes`) that the client's own credentials may use."""
        known = self.contract.scopes.get(scope, ())
        return known if self.own_client is None else self.own_client.scopes.get(scope, known)

    def operation_of(self, request: Request) -> Operation | None:
        """Return the operation that a request matches, None when there is none."""
        found = self.router.match(request.method, request.path, request)
        return found.operation if isinstance(found, Route) else None

    def wait(self, by: timedelta) -> None:
        """Let time pass for the server. Raises NotApplicableError when the budget does not allow it."""
        if not self._can_wait(by):
            raise NotApplicableError(f"waiting {by.total_seconds():g} s more would pass the time budget")
        try:
            self.advance(by)
        except NoAnswerError as error:
            raise NotApplicableError(str(error)) from None

    def give_up(self, post: Exchange, waited: timedelta) -> None:
        """Tell that the job of a request, polled last, has not ended long after others have."""
        self.unended.append(UnendedJob(post, self.exchanges[-1], waited))
        if self._observer is not None:
            self._observer.observe_unended(self.unended[-1])

    def take_unended(self) -> list[UnendedJob]:
        """Return the jobs for whose end nobody waits any longer, and remove them."""
        jobs, self.unended = self.unended, []
        return jobs

    def _can_wait(self, by: timedelta) -> bool:
        return by <= MAX_WAIT if self.controlled else by.total_seconds() < self.budget.left

    def advance(self, by: timedelta) -> None:
        """Let time pass, whatever the budget. Raises NoAnswerError, DeadlineExceededError."""
        self.last_operation, left = "", by
        while left:
            self._require_time()
            part = left if self.controlled else min(left, WAIT_SLICE)
            self.client.advance(part)
            left -= part
        if self.trace is not None:
            self.trace.append(by.total_seconds())

    def _require_time(self) -> None:
        if self._is_over():
            raise DeadlineExceededError

    def names(self) -> Names:
        """Return the fresh names of a new trial."""
        self._trials += 1
        number = FIRST_NUMBER + int(self.name_prefix, 36) * 10**8 + self._trials * 10**4
        run = f"B{self.name_prefix}"
        return Names(prefix=f"{run}{self._trials}n", number=number, run=run, serial=self._serial)

    def rng(self, *parts: object) -> Random:
        """Return a random source that depends on the seed and on `parts` alone."""
        return Random("/".join(map(str, (self.seed, *parts))))

    def history(self, since: int = 0) -> ExchangeHistory:
        """Return the recorded exchanges with numbers above `since`."""
        return ExchangeHistory(exchanges=tuple(one for one in self.exchanges if one.n > since))

    def take_history(self) -> ExchangeHistory:
        """Return the recorded exchanges and remove them."""
        history, self.exchanges, self.views = ExchangeHistory(exchanges=tuple(self.exchanges)), [], {}
        return history


def let_pass(session: Session, by: timedelta) -> None:
    """Wait, in parts where it is long. Raises NotApplicableError."""
    while by > timedelta(0):
        part = min(by, MAX_WAIT)
        session.wait(part)
        by -= part


def retry_after(response: Response, now: datetime) -> timedelta | None:
    """Return the wait that a refusal asks for, None for other responses.

    Retry-After has seconds or a date (RFC 9110, section 10.2.3), which is that of the server's clock.
    """
    asked = response.headers.get("Retry-After").strip()
    if not response.asks_to_wait:
        return None
    if asked.isdecimal():
        return timedelta(seconds=int(asked)) if len(asked) <= RETRY_AFTER_DIGITS else None
    until = _http_date(asked)
    if until is None:
        return None
    return max(timedelta(0), until - (_http_date(response.headers.get("Date")) or now)) + DATE_RESOLUTION


def _http_date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC) if text else None
    except ValueError:
        return None
