"""What happened in a sandbox: the newest exchanges, bounded by count and by bytes, secrets hidden when written."""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from contracts.messages import Headers, Reply
from contracts.validation import Violation
from mockserver.conduct.gist import Gist, Unread, gist
from mockserver.redaction import body_bytes, headers_text, query_pairs
from mockserver.results import Results, Tally, results_of
from mockserver.turn import Turn

if TYPE_CHECKING:
    from mockserver.scenario.player import Decision, NearMiss

EXCHANGES: Final = 10_000
BYTES: Final = 64 * 1024 * 1024
WHOLE: Final = 64 * 1024  # bytes; a larger body is kept as digest and head
HEAD: Final = 1024  # bytes kept of a larger body
ENTRY_BYTES: Final = 800  # what an entry takes beside its texts, measured with tracemalloc
STAGED_BYTES: Final = 400  # what a scenario did
RESULT_BYTES: Final = 72  # what an item's key takes, measured the same way
UNDONE_BYTES: Final = 240  # what is said of an item that was not done


class Kept(NamedTuple):
    """What is kept of a message. `digest` is "" for a whole body, else its SHA-256: then only the head is here."""

    headers: str
    body: bytes
    size: int
    digest: str


class Staged(NamedTuple):
    """What a scenario did to an exchange, or which rule nearly did.

    `rules` names the scenarios whose rules decided, and as `bug:NAME` the planted bugs that made a difference. `cut`
    says what broke on the wire, "" when nothing did, and `at` where that was, seen from the commit; `delay` is what the
    answer waited.
    """

    rules: tuple[str, ...]
    near_misses: "Sequence[NearMiss]"
    cut: str
    at: str
    delay: timedelta | None

    @property
    def arrived(self) -> bool:
        """Tell whether the whole reply was sent."""
        return self.cut in {"", "dribble"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One exchange as the journal keeps it; `n` counts from 1 and is never used twice between two resets.

    `path` is relative to the API's mount. `violations` are the call's, and those of a reply that was not sent. `facts`
    is what the laws of conduct need beside the rest, or what it can be read with.
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
    tally: Tally
    results: Results
    violations: Sequence[Violation]
    call: Kept
    reply: Kept
    staged: Staged | None = None
    facts: Gist | Unread | None = None

    @property
    def gist(self) -> Gist | None:
        """Return what the laws of conduct need beside the rest, None when they need nothing."""
        return self.facts.read(self) if isinstance(self.facts, Unread) else self.facts

    @property
    def size(self) -> int:
        """Return about how many bytes the entry takes."""
        texts = sum(len(kept.headers) + len(kept.body) for kept in (self.call, self.reply))
        staged = 0 if self.staged is None else STAGED_BYTES
        facts = 0 if self.facts is None else self.facts.size
        results = RESULT_BYTES * len(self.results) + UNDONE_BYTES * len(self.results.undone)
        return ENTRY_BYTES + texts + results + 400 * len(self.violations) + staged + facts


def _nobody(entry: Entry) -> None:
    del entry


def call_all(calls: Collection[Callable[[], object]]) -> None:
    """Call each; who is called may come and go meanwhile."""
    for call in tuple(calls):
        call()


class Journal:
    """The exchanges of one sandbox, oldest first.

    `tell` hears of each when it is written; `listeners`, of which there may be none, that there is one.
    """

    __slots__ = ("_entries", "_listeners", "_tell", "bytes", "last", "max_bytes", "max_exchanges")

    def __init__(
        self,
        *,
        exchanges: int = EXCHANGES,
        max_bytes: int = BYTES,
        tell: Callable[[Entry], None] = _nobody,
        listeners: Collection[Callable[[], object]] = (),
    ) -> None:
        self._entries: deque[Entry] = deque()
        self._tell, self._listeners = tell, listeners
        self.max_exchanges, self.max_bytes = exchanges, max_bytes
        self.bytes = 0
        self.last = 0

    def __len__(self) -> int:
        return len(self._entries)

    def record(self, turn: Turn, reply: Reply) -> None:
        """Write an exchange down, and forget the oldest ones when there is no room."""
        self.last += 1
        entry = _entry(self.last, turn, reply)
        self._entries.append(entry)
        self.bytes += entry.size
        if self.bytes > self.max_bytes or len(self._entries) > self.max_exchanges:
            self._shed()
        self._tell(entry)
        if self._listeners:
            call_all(self._listeners)

    def limit(self, *, exchanges: int, max_bytes: int) -> None:
        """Set the bounds; what is beyond them is forgotten at once."""
        self.max_exchanges, self.max_bytes = exchanges, max_bytes
        self._shed()

    def clear(self) -> None:
        """Forget every exchange; numbers go on."""
        self._entries.clear()
        self.bytes = 0

    def get(self, n: int) -> Entry | None:
        """Return the exchange of that number, None when it was never made or is forgotten."""
        place = n - self._entries[0].n if self._entries else -1
        return self._entries[place] if 0 <= place < len(self._entries) else None

    def after(self, n: int, limit: int) -> Iterator[Entry]:
        """Yield at most `limit` exchanges with higher numbers than `n`, oldest first."""
        first = self._entries[0].n if self._entries else 0
        begin = max(0, n + 1 - first)
        return islice(self._entries, begin, begin + limit)

    def _shed(self) -> None:
        entries = self._entries
        while entries and (self.bytes > self.max_bytes or len(entries) > self.max_exchanges):
            self.bytes -= entries.popleft().size


def _entry(n: int, turn: Turn, reply: Reply) -> Entry:
    call, results = turn.call, results_of(turn.outcomes)
    kept = _kept(call.headers, call.body, body_bytes)
    staged = None if turn.decision is None and not turn.bugs else _staged(turn.decision, turn.bugs)
    return Entry(
        n=n,
        at=turn.arrived or turn.now,
        api=turn.api.name,
        operation=None if turn.operation is None else turn.operation.id,
        method=call.method,
        path=call.path,
        query=query_pairs(call.query) if call.query else (),
        status=reply.status,
        tenant=turn.scope,
        client=turn.client,
        tally=results.tally,
        results=results,
        violations=tuple(turn.violations),
        call=kept,
        reply=_kept(reply.headers, reply.body, _copied),
        staged=staged,
        facts=gist(turn, reply, heard=staged is None or staged.arrived, whole=kept.body is call.body),
    )


def _staged(decision: "Decision | None", bugs: Sequence[str]) -> Staged:
    planted = tuple(f"bug:{name}" for name in bugs)
    if decision is None:
        return Staged(rules=planted, near_misses=(), cut="", at="", delay=None)
    effects = decision.effects
    return Staged(
        rules=(*((decision.scenario,) if decision.scenario else ()), *planted),
        near_misses=decision.near_misses,
        cut="" if effects.cut is None else effects.cut.kind,
        at=(effects.at or "after-commit") if effects.on_wire else "",
        delay=decision.delay,
    )


def _kept(headers: Headers, body: bytes, keep: Callable[[bytes], bytes]) -> Kept:
    """Return what is kept of a message; `keep` hides the secrets in its body."""
    size = len(body)
    if size <= WHOLE:
        return Kept(headers_text(headers), keep(body), size, "")
    return Kept(headers_text(headers), body_bytes(body[: 2 * HEAD])[:HEAD], size, sha256(body).hexdigest())


def _copied(body: bytes) -> bytes:
    """Return what is kept of a body that orjson made: a copy, as such a one holds 4 KiB however short it is."""
    return bytes(memoryview(body_bytes(body)))
