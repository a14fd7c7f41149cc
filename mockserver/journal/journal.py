"""The journal: the newest exchanges of a sandbox, bounded in number and bytes. Main entry: `Journal.record`.

What is kept of each message is in `mockserver.journal.stored_messages`.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from contracts.messages import ABSENT, Response
from contracts.openapi.validation import Violation
from mockserver.api.model import RequestContext
from mockserver.journal.delivery import Delivery, planned_delivery
from mockserver.journal.exchange_summary import DeferredSummary, ExchangeSummary, summarise
from mockserver.journal.item_results import ItemCounts, ItemResults, Part, parts_of, results_of, tally_of
from mockserver.journal.stored_messages import (
    MAX_WHOLE_BODY_BYTES,
    StoredMessage,
    StoredWrites,
    redact_body,
    redact_query,
    redact_violation,
    stored_message,
    stored_writes,
)
from mockserver.stores.spooled_bodies import Spool

if TYPE_CHECKING:
    from mockserver.scenarios.player import Decision, NearMiss


DEFAULT_MAX_EXCHANGES: Final = 10_000
DEFAULT_MAX_BYTES: Final = 24 * 1024 * 1024
MAX_CHANGED: Final = 1000  # numbers of changed exchanges that are kept for who reads the journal live
ENTRY_BYTES: Final = 600  # what an entry takes beside its texts, measured with tracemalloc
SCENARIO_TRACE_BYTES: Final = 400  # what a scenario did
RESULT_BYTES: Final = 72  # what an item's key takes, measured the same way
VIOLATION_BYTES: Final = 500  # what a violation takes with its texts, measured the same way
UNDONE_BYTES: Final = 240  # what is said of an item that was not done
PART_BYTES: Final = 240  # what is said of a part of a request, such as a job


class ScenarioTrace(NamedTuple):
    """What a scenario did to an exchange, or which rule nearly matched.

    `rules` names the scenarios whose rules applied, and as `bug:NAME` the planted bugs that changed the response.
    `wire_fault` is the kind of wire fault, "" for none; `commit_point` is where it was, relative to the commit; `delay`
    is the delay of the response.
    """

    rules: tuple[str, ...]
    near_misses: "Sequence[NearMiss]"
    wire_fault: str
    commit_point: str
    delay: timedelta | None

    @property
    def is_delivered(self) -> bool:
        """Tell whether the scenario let the whole response be sent."""
        return self.wire_fault in {"", "dribble"}


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One recorded exchange; `n` counts from 1 and is not reused until a reset.

    `path` is relative to the API's mount. `violations` are the request's, and those of a response that was not sent.
    `recorded_facts` is the summary that the laws of client conduct need, or what it is computed from. `told_delivery`
    is what became of the response, None when all of it was sent. `writes` is what was written to the store.

    `results` are those of items that were run at once, `tally` counts them. `parts` are there for a bulk request whose
    items went elsewhere: to jobs, to several targets, or nowhere, as it was refused.
    """

    n: int
    at: datetime
    api: str
    operation: str | None
    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    status: int
    tenant: str
    client: str
    tally: ItemCounts
    results: ItemResults
    violations: Sequence[Violation]
    request: StoredMessage
    response: StoredMessage
    scenario_trace: ScenarioTrace | None = None
    recorded_facts: ExchangeSummary | DeferredSummary | None = None
    told_delivery: Delivery | None = None
    writes: StoredWrites | None = None
    parts: tuple[Part, ...] = ()

    @property
    def delivery(self) -> Delivery:
        """Return what became of the response."""
        return self.told_delivery or Delivery("sent", self.response.size)

    @property
    def whole_tally(self) -> ItemCounts:
        """Return the number of items by outcome, those of jobs and targets too."""
        return tally_of(self.tally, self.parts) if self.parts else self.tally

    @property
    def summary(self) -> ExchangeSummary | None:
        """Return the facts that the laws of client conduct need, None when they need no more than this entry."""
        return (
            self.recorded_facts.read(self) if isinstance(self.recorded_facts, DeferredSummary) else self.recorded_facts
        )

    @property
    def response_facts(self) -> ExchangeSummary | None:
        """Return the facts without those that a body would have to be read again for: jobs are among them."""
        return self.recorded_facts.known if isinstance(self.recorded_facts, DeferredSummary) else self.recorded_facts

    @property
    def size(self) -> int:
        """Return the approximate size in memory, in bytes."""
        texts = self.request.memory + self.response.memory + len(self.path)
        texts += 0 if self.writes is None else self.writes.memory
        texts += sum(len(name) + len(value) for name, value in self.query) if self.query else 0
        staged = 0 if self.scenario_trace is None else SCENARIO_TRACE_BYTES
        facts = 0 if self.recorded_facts is None else self.recorded_facts.size
        results = _size_of(self.results)
        results += sum(PART_BYTES + (0 if one.results is None else _size_of(one.results)) for one in self.parts)
        return ENTRY_BYTES + texts + results + VIOLATION_BYTES * len(self.violations) + staged + facts


def _size_of(results: ItemResults) -> int:
    return RESULT_BYTES * len(results) + UNDONE_BYTES * len(results.undone)


def _ignore(entry: JournalEntry) -> None:
    del entry


def notify_all(calls: Collection[Callable[[], object]]) -> None:
    """Call each listener; listeners may be added and removed meanwhile."""
    for request in tuple(calls):
        request()


class Journal:
    """The exchanges of one sandbox, oldest first.

    `tell` is called with each new entry, each of `listeners` without argument, `on_bytes` with the size of what was
    recorded. What is long is stored in `spool`. `changed` has the numbers of the last entries that were changed after
    they had been recorded, of `changes` in all; `clears` counts how often it was emptied.
    """

    __slots__ = (
        "_entries",
        "_listeners",
        "_on_bytes",
        "_spool",
        "_tell",
        "_waiting",
        "bytes",
        "changed",
        "changes",
        "clears",
        "last",
        "max_bytes",
        "max_exchanges",
    )

    def __init__(
        self,
        *,
        exchanges: int = DEFAULT_MAX_EXCHANGES,
        max_bytes: int = DEFAULT_MAX_BYTES,
        tell: Callable[[JournalEntry], None] = _ignore,
        listeners: Collection[Callable[[], object]] = (),
        on_bytes: Callable[[int], object] | None = None,
        spool: Spool | None = None,
    ) -> None:
        self._entries: deque[JournalEntry] = deque()
        self._tell, self._listeners, self._on_bytes = tell, listeners, on_bytes
        self._spool = Spool() if spool is None else spool
        self.max_exchanges, self.max_bytes = exchanges, max_bytes
        self.bytes = 0
        self.last = 0
        self.changes = self.clears = 0
        self._waiting: dict[tuple[str, str], int] = {}  # exchanges by API and id of a job that they made, unfinished
        self.changed: deque[int] = deque(maxlen=MAX_CHANGED)

    def __len__(self) -> int:
        return len(self._entries)

    def record(self, context: RequestContext, response: Response) -> None:
        """Record an exchange, and drop the oldest beyond the limits."""
        self.last += 1
        entry = _entry(self.last, context, response, self._spool)
        size = entry.size
        self._entries.append(entry)
        self.bytes += size
        if self.bytes > self.max_bytes or len(self._entries) > self.max_exchanges:
            self.shed(self.max_bytes)
        if self._on_bytes is not None:
            self._on_bytes(size)
        self._await_jobs(entry)
        for job in context.jobs:
            if job.cancelled is not None:
                self.end_job(entry.api, job.id, error="The job was cancelled.")
        self._tell(entry)
        if self._listeners:
            notify_all(self._listeners)

    def deliver(self, n: int, delivery: Delivery | None) -> None:
        """Say what became of the response of exchange `n`, None when all of it was sent; one dropped is passed over."""
        entry = self.get(n)
        if entry is None or entry.told_delivery == delivery:
            return
        self._change(replace(entry, told_delivery=delivery))

    def end_job(self, api: str, job: str, results: ItemResults | None = None, *, error: str = "") -> None:
        """Say what became of the items of a job: their results, or why none was run."""
        entry = self.get(self._waiting.pop((api, job), 0))
        if entry is None:
            return
        parts = tuple([one._replace(results=results, error=error) if one.job == job else one for one in entry.parts])
        changed = replace(entry, parts=parts)
        grown = changed.size - entry.size
        self.bytes += grown
        self._change(changed)
        if self._on_bytes is not None:
            self._on_bytes(grown)

    def _change(self, entry: JournalEntry) -> None:
        self._entries[entry.n - self._entries[0].n] = entry
        self.changed.append(entry.n)
        self.changes += 1
        notify_all(self._listeners)

    def _await_jobs(self, entry: JournalEntry) -> None:
        for part in entry.parts:
            if part.is_waiting:
                self._waiting[entry.api, part.job] = entry.n

    def set_limits(self, *, exchanges: int, max_bytes: int) -> None:
        """Set the limits, and drop the oldest exchanges beyond them."""
        self.max_exchanges, self.max_bytes = exchanges, max_bytes
        self.shed(max_bytes)

    def restore(self, entries: Iterable[JournalEntry], last: int) -> None:
        """Take these exchanges in the place of all others; the next number is the one after `last`."""
        self._entries, self.last = deque(entries), last
        self.bytes = sum(entry.size for entry in self._entries)
        for entry in self._entries:
            self._await_jobs(entry)
        self.shed(self.max_bytes)
        if self._on_bytes is not None:
            self._on_bytes(self.bytes)

    def clear(self) -> None:
        """Drop every exchange; numbering continues."""
        self._entries.clear()
        self._waiting.clear()
        self.bytes = 0
        self.clears += 1
        notify_all(self._listeners)

    def get(self, n: int) -> JournalEntry | None:
        """Return the exchange of that number, None when it never existed or was dropped."""
        place = n - self._entries[0].n if self._entries else -1
        return self._entries[place] if 0 <= place < len(self._entries) else None

    def after(self, n: int, limit: int) -> Iterator[JournalEntry]:
        """Yield at most `limit` exchanges with numbers above `n`, oldest first."""
        first = self._entries[0].n if self._entries else 0
        begin = max(0, n + 1 - first)
        return islice(self._entries, begin, begin + limit)

    def shed(self, max_bytes: int) -> int:
        """Drop the oldest exchanges beyond `max_bytes` and the limit of their number; return the bytes dropped."""
        entries, before = self._entries, self.bytes
        while entries and (self.bytes > max_bytes or len(entries) > self.max_exchanges):
            dropped = entries.popleft()
            self.bytes -= dropped.size
            for part in dropped.parts:
                self._waiting.pop((dropped.api, part.job), None)
        return before - self.bytes


class Receipt(NamedTuple):
    """Tells a journal what becomes of a response: that of its exchange `n`, 0 where none was recorded."""

    journal: Journal
    n: int

    @classmethod
    def since(cls, journal: Journal, last: int) -> "Receipt":
        """Return the receipt of what was recorded since the last exchange was number `last`."""
        return cls(journal, journal.last if journal.last != last else 0)

    @property
    def planned(self) -> Delivery | None:
        """Return what a scenario makes of the response, None when it is sent whole."""
        entry = self.journal.get(self.n)
        return None if entry is None else entry.told_delivery

    def tell(self, delivery: Delivery | None) -> None:
        """Say what became of the response, None when all of it was sent."""
        self.journal.deliver(self.n, delivery)


def _entry(n: int, context: RequestContext, response: Response, spool: Spool) -> JournalEntry:
    request, results = context.request, results_of(context.outcomes)
    again = _is_read_again(context, response)
    staged = None if context.decision is None and not context.bugs else _scenario_trace(context.decision, context.bugs)
    return JournalEntry(
        n=n,
        at=context.arrived_at or context.now,
        api=context.api.name,
        operation=None if context.operation is None else context.operation.id,
        method=request.method,
        path=request.path,
        query=redact_query(request.query) if request.query else (),
        status=response.status,
        tenant=context.scope,
        client=context.client,
        tally=results.tally,
        results=results,
        violations=tuple(map(redact_violation, context.violations)) if context.violations else (),
        request=stored_message(request.headers, request.body, spool, again=again, stored=context.spooled_body),
        response=stored_message(response.headers, response.body, spool),
        scenario_trace=staged,
        recorded_facts=summarise(context, response, delivered=staged is None or staged.is_delivered, whole=again),
        told_delivery=None if staged is None else _planned(context.decision, response),
        writes=stored_writes(context.writes, context.api_state.store, spool) if context.writes else None,
        parts=parts_of(context, response, results),
    )


def _planned(decision: "Decision | None", response: Response) -> Delivery | None:
    fault = None if decision is None else decision.effects.wire_fault
    return None if fault is None else planned_delivery(fault.kind, int(len(response.body) * fault.fraction))


def _scenario_trace(decision: "Decision | None", bugs: Sequence[str]) -> ScenarioTrace:
    planted = tuple(f"bug:{name}" for name in bugs)
    if decision is None:
        return ScenarioTrace(rules=planted, near_misses=(), wire_fault="", commit_point="", delay=None)
    effects = decision.effects
    return ScenarioTrace(
        rules=(*((decision.scenario,) if decision.scenario else ()), *planted),
        near_misses=decision.near_misses,
        wire_fault="" if effects.wire_fault is None else effects.wire_fault.kind,
        commit_point=(effects.commit_point or "after-commit") if effects.affects_wire else "",
        delay=decision.delay,
    )


def _is_read_again(context: RequestContext, response: Response) -> bool:
    """Tell whether the whole body is kept: it has no secrets, and is short, or of a bulk request that was taken."""
    body = context.request.body
    if len(body) > MAX_WHOLE_BODY_BYTES:
        bulk = None if context.operation is None else context.operation.bulk
        if bulk is None or context.data is ABSENT or response.status >= HTTPStatus.BAD_REQUEST:
            return False
    return redact_body(body) is body
