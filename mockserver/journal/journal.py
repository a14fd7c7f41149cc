"""The journal: the newest exchanges of a sandbox, bounded in number and bytes. Main entry: `Journal.record`.

Secrets are hidden when an exchange is recorded: credentials, cookies, tokens and passwords.
"""

import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from contracts.messages import ABSENT, Headers, Response
from contracts.openapi.validation import Violation
from mockserver.api.model import RequestContext
from mockserver.bulk.outcome_rendering import message_of
from mockserver.domain.columns import outcome_keys, result_words
from mockserver.domain.values import Outcome
from mockserver.journal.exchange_summary import DeferredSummary, ExchangeSummary, summarise
from mockserver.stores.spooled_bodies import SpooledBody

if TYPE_CHECKING:
    from mockserver.scenarios.player import Decision, NearMiss


HIDDEN: Final = "***"
SCHEME_ONLY: Final = frozenset(("authorization", "proxy-authorization"))
SECRET_HEADERS: Final = frozenset(("api-key", "cookie", "set-cookie", "x-api-key", "x-auth-token"))
_SECRET: Final = SCHEME_ONLY | SECRET_HEADERS
SECRET_NAMES: Final = ("access_token", "client_secret", "id_token", "password", "refresh_token")
SECRET_SIGNS: Final = (b"_token", b"_secret")  # one of them, or "password", stands in a body that holds any of NAMES
_JSON: Final = re.compile(rb'("(?:' + "|".join(SECRET_NAMES).encode() + rb')"\s*:\s*)"(?:[^"\\]|\\.)*"?', re.DOTALL)
_FORM: Final = re.compile(rb"((?:^|[&?])(?:" + "|".join(SECRET_NAMES).encode() + rb")=)[^&\s]*")


def redact_headers(headers: Headers) -> str:
    """Return header fields, one a line, with secrets hidden; the scheme of `Authorization` is kept."""
    if _SECRET.isdisjoint(headers.names):
        return "\n".join(map(": ".join, headers.pairs))
    return "\n".join([f"{name}: {redact_header(name, value)}" for name, value in headers.pairs])


def redact_header(name: str, value: str) -> str:
    """Return a header field's value with its secret hidden."""
    lower = name.lower()
    if lower in SCHEME_ONLY:
        scheme, space, _ = value.partition(" ")
        return f"{scheme} {HIDDEN}" if space else HIDDEN
    return HIDDEN if lower in SECRET_HEADERS else value


def redact_body(body: bytes) -> bytes:
    """Return a body with the values of secret members and form fields hidden."""
    if b"password" not in body and (b"_" not in body or not any(sign in body for sign in SECRET_SIGNS)):
        return body
    hidden = HIDDEN.encode()
    return _FORM.sub(rb"\g<1>" + hidden, _JSON.sub(rb'\g<1>"' + hidden + b'"', body))


def redact_query(query: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return query parameters with the values of secret ones hidden."""
    return tuple((name, HIDDEN if name in SECRET_NAMES else value) for name, value in query)


def fingerprint(credentials: str) -> str:
    """Return a short name of the client with these credentials, from their SHA-256: `Bearer 1f2e3d4c5b6a`."""
    from hashlib import sha256  # noqa: PLC0415 - only an API without clients of its own needs it

    scheme, space, _ = credentials.partition(" ")
    return (
        f"{scheme}{space}{sha256(credentials.encode()).hexdigest()[:12]}"
        if space
        else sha256(credentials.encode()).hexdigest()[:12]
    )


class ItemCounts(NamedTuple):
    """The number of items that were done, failed, and were not run."""

    done: int = 0
    failed: int = 0
    not_run: int = 0


class ItemResult(NamedTuple):
    """The result of one item: `done`, `failed` or `not-run`, with its error text."""

    key: object
    result: str
    error: str


@dataclass(frozen=True, slots=True)
class ItemResults:
    """The results of a request's items, in their order. `undone` are those that are not `done`, by index."""

    keys: tuple[object, ...]
    undone: Mapping[int, ItemResult]

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[ItemResult]:
        undone = self.undone
        return (undone[n] if n in undone else ItemResult(key, "done", "") for n, key in enumerate(self.keys))

    @property
    def tally(self) -> ItemCounts:
        """Return the number of items by result."""
        failed = sum(1 for one in self.undone.values() if one.result == "failed")
        return ItemCounts(len(self.keys) - len(self.undone), failed, len(self.undone) - failed)


NO_RESULTS: Final = ItemResults((), {})


def results_of(outcomes: Sequence[Outcome]) -> ItemResults:
    """Return the results of items."""
    if not outcomes:
        return NO_RESULTS
    keys = outcome_keys(outcomes)
    if None in keys:
        keys = [outcome.item.index if key is None else key for outcome, key in zip(outcomes, keys, strict=True)]
    words = result_words(outcomes)
    if words.count("done") == len(words):
        return ItemResults(tuple(keys), {})
    bad = [n for n, word in enumerate(words) if word != "done"]
    return ItemResults(tuple(keys), {n: ItemResult(keys[n], words[n], message_of(outcomes[n])) for n in bad})


DEFAULT_MAX_EXCHANGES: Final = 10_000
DEFAULT_MAX_BYTES: Final = 64 * 1024 * 1024
MAX_WHOLE_BODY_BYTES: Final = 64 * 1024  # bytes; a larger body is kept as digest and head
BODY_HEAD_BYTES: Final = 1024  # bytes kept of a larger body
SPOOLED_BYTES_PER_BYTE: Final = 4  # in a file, so that no more exchanges are kept than with their facts
ENTRY_BYTES: Final = 800  # what an entry takes beside its texts, measured with tracemalloc
SCENARIO_TRACE_BYTES: Final = 400  # what a scenario did
RESULT_BYTES: Final = 72  # what an item's key takes, measured the same way
UNDONE_BYTES: Final = 240  # what is said of an item that was not done


class StoredMessage(NamedTuple):
    """The stored form of a message; `body` is the beginning of a large body, of which no more is shown.

    `sha256` is its digest, or `spooled` has its bytes, of which digest and facts are computed when they are asked for.
    """

    headers: str
    body: bytes
    size: int
    sha256: str = ""
    spooled: SpooledBody | None = None

    @property
    def digest(self) -> str:
        """Return "" for a body that is kept whole, else the SHA-256 of the body that was sent."""
        return self.sha256 if self.spooled is None else sha256(self.spooled.read()).hexdigest()

    @property
    def content(self) -> bytes:
        """Return the whole body where there is one to be read again, else what is kept of it."""
        return self.body if self.spooled is None else self.spooled.read()

    @property
    def memory(self) -> int:
        """Return the approximate size in memory, in bytes; of a body in a file a quarter, which bounds files."""
        filed = 0 if self.spooled is None else self.spooled.length // SPOOLED_BYTES_PER_BYTE
        return len(self.headers) + len(self.body) + filed


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
        """Tell whether the whole response was sent."""
        return self.wire_fault in {"", "dribble"}


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One recorded exchange; `n` counts from 1 and is not reused until a reset.

    `path` is relative to the API's mount. `violations` are the request's, and those of a response that was not sent.
    `recorded_facts` is the summary that the laws of client conduct need, or what it is computed from.
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

    @property
    def summary(self) -> ExchangeSummary | None:
        """Return the facts that the laws of client conduct need, None when they need no more than this entry."""
        return (
            self.recorded_facts.read(self) if isinstance(self.recorded_facts, DeferredSummary) else self.recorded_facts
        )

    @property
    def size(self) -> int:
        """Return the approximate size in memory, in bytes."""
        texts = self.request.memory + self.response.memory + len(self.path)
        texts += sum(len(name) + len(value) for name, value in self.query) if self.query else 0
        staged = 0 if self.scenario_trace is None else SCENARIO_TRACE_BYTES
        facts = 0 if self.recorded_facts is None else self.recorded_facts.size
        results = RESULT_BYTES * len(self.results) + UNDONE_BYTES * len(self.results.undone)
        return ENTRY_BYTES + texts + results + 400 * len(self.violations) + staged + facts


def _ignore(entry: JournalEntry) -> None:
    del entry


def notify_all(calls: Collection[Callable[[], object]]) -> None:
    """Call each listener; listeners may be added and removed meanwhile."""
    for request in tuple(calls):
        request()


class Journal:
    """The exchanges of one sandbox, oldest first.

    `tell` is called with each new entry, each of `listeners` without argument, `on_bytes` with the size of what was
    recorded.
    """

    __slots__ = ("_entries", "_listeners", "_on_bytes", "_tell", "bytes", "last", "max_bytes", "max_exchanges")

    def __init__(
        self,
        *,
        exchanges: int = DEFAULT_MAX_EXCHANGES,
        max_bytes: int = DEFAULT_MAX_BYTES,
        tell: Callable[[JournalEntry], None] = _ignore,
        listeners: Collection[Callable[[], object]] = (),
        on_bytes: Callable[[int], object] | None = None,
    ) -> None:
        self._entries: deque[JournalEntry] = deque()
        self._tell, self._listeners, self._on_bytes = tell, listeners, on_bytes
        self.max_exchanges, self.max_bytes = exchanges, max_bytes
        self.bytes = 0
        self.last = 0

    def __len__(self) -> int:
        return len(self._entries)

    def record(self, context: RequestContext, response: Response) -> None:
        """Record an exchange, and drop the oldest beyond the limits."""
        self.last += 1
        entry = _entry(self.last, context, response)
        size = entry.size
        self._entries.append(entry)
        self.bytes += size
        if self.bytes > self.max_bytes or len(self._entries) > self.max_exchanges:
            self.shed(self.max_bytes)
        if self._on_bytes is not None:
            self._on_bytes(size)
        self._tell(entry)
        if self._listeners:
            notify_all(self._listeners)

    def set_limits(self, *, exchanges: int, max_bytes: int) -> None:
        """Set the limits, and drop the oldest exchanges beyond them."""
        self.max_exchanges, self.max_bytes = exchanges, max_bytes
        self.shed(max_bytes)

    def clear(self) -> None:
        """Drop every exchange; numbering continues."""
        self._entries.clear()
        self.bytes = 0

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
            self.bytes -= entries.popleft().size
        return before - self.bytes


def _entry(n: int, context: RequestContext, response: Response) -> JournalEntry:
    request, results = context.request, results_of(context.outcomes)
    kept = _stored_request(context, response)
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
        violations=tuple(context.violations),
        request=kept,
        response=_stored_message(response.headers, response.body, _copied),
        scenario_trace=staged,
        recorded_facts=summarise(
            context,
            response,
            delivered=staged is None or staged.is_delivered,
            whole=kept.spooled is not None or kept.body is request.body,
        ),
    )


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


def _stored_request(context: RequestContext, response: Response) -> StoredMessage:
    """Return what is kept of a request; a large body that was taken and has no secrets can be read again."""
    request = context.request
    if len(request.body) <= MAX_WHOLE_BODY_BYTES or not _is_read_again(context, response):
        return _stored_message(request.headers, request.body, redact_body)
    head = request.body[:BODY_HEAD_BYTES]
    return StoredMessage(redact_headers(request.headers), head, len(request.body), spooled=context.spool_body())


def _is_read_again(context: RequestContext, response: Response) -> bool:
    bulk = None if context.operation is None else context.operation.bulk
    if bulk is None or context.data is ABSENT or response.status >= HTTPStatus.BAD_REQUEST:
        return False
    return redact_body(context.request.body) is context.request.body


def _stored_message(headers: Headers, body: bytes, keep: Callable[[bytes], bytes]) -> StoredMessage:
    """Return what is kept of a message; `keep` hides the secrets in its body."""
    size = len(body)
    if size <= MAX_WHOLE_BODY_BYTES:
        return StoredMessage(redact_headers(headers), keep(body), size, "")
    return StoredMessage(
        redact_headers(headers),
        redact_body(body[: 2 * BODY_HEAD_BYTES])[:BODY_HEAD_BYTES],
        size,
        sha256(body).hexdigest(),
    )


def _copied(body: bytes) -> bytes:
    """Return what is kept of a body that orjson made: a copy, as such a one holds 4 KiB however short it is."""
    return bytes(memoryview(redact_body(body)))
