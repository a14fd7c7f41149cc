"""The prerequisites of an exchange (`prerequisites_of`): the sandbox's set-up, and earlier requests that may matter."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode

from mockserver.api.model import Api
from mockserver.journal.journal import JournalEntry
from mockserver.journal.stored_messages import HIDDEN
from mockserver.sandbox.sandboxes import SANDBOX_NAME, Sandbox

MAX_EARLIER_REQUESTS: Final = 100  # requests before the exchange
READ_METHODS: Final = frozenset(("GET", "HEAD", "OPTIONS"))
CONNECTION_HEADERS: Final = frozenset(
    (
        "accept-encoding",
        "connection",
        "content-encoding",  # a body is kept as it was inflated
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "sandbox",
        "te",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    )
)
Setting: TypeAlias = tuple[str, str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request to repeat.

    `path` is the request target; `file` names a body that the journal has not kept. `secrets` are names of header
    fields that are left out, since the journal hides their values.
    """

    entry: JournalEntry
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    file: str
    secrets: tuple[str, ...]

    @property
    def at(self) -> datetime:
        """The time of the request, by the sandbox's clock."""
        return self.entry.at


@dataclass(frozen=True, slots=True, kw_only=True)
class Prerequisites:
    """How to repeat an exchange in a fresh sandbox, `name`, of the server at `base`.

    `settings` are control requests that set the sandbox up: method, path, body. `guarded` is whether control requests
    need the token. `notes` are sentences about what cannot be repeated.
    """

    base: str
    origin: str
    name: str
    seed: int
    scenarios: tuple[Mapping[str, Any], ...]
    settings: tuple[Setting, ...]
    steps: tuple[Step, ...]
    notes: tuple[str, ...]
    guarded: bool

    @property
    def last(self) -> Step:
        """The request of the exchange."""
        return self.steps[-1]

    @property
    def title(self) -> str:
        """Return the exchange in one line."""
        entry = self.last.entry
        return f"Exchange {entry.n} of sandbox '{self.origin}': {entry.method} answered {int(entry.status)}"

    @property
    def setting(self) -> str:
        """Return the sandbox, seed and clock of the repetition in one line."""
        at = f"{self.last.at:%Y-%m-%dT%H:%M:%SZ}"
        return f"In a sandbox of its own, '{self.name}', with seed {self.seed} and the clock at {at}"


def prerequisites_of(
    sandbox: Sandbox, apis: Mapping[str, Api], entry: JournalEntry, base: str, *, guarded: bool
) -> Prerequisites:
    """Return the prerequisites of an exchange with a served API."""
    suffix = f".{entry.n}"
    name = f"{sandbox.name[: 64 - len(suffix)]}{suffix}"
    assert SANDBOX_NAME.fullmatch(name)  # noqa: S101 - a shortened name is a name
    before = list(_earlier_requests(sandbox, entry, apis))
    steps = tuple(_step(name, apis[one.api], one) for one in (*before[-MAX_EARLIER_REQUESTS:], entry))
    scenarios = tuple(one.document for one in sandbox.player.scenarios)
    return Prerequisites(
        base=base,
        origin=sandbox.name,
        name=name,
        seed=sandbox.seed,
        scenarios=scenarios,
        settings=tuple(_settings(sandbox, scenarios, steps[0].at)),
        steps=steps,
        notes=tuple(_notes(sandbox, steps, len(before))),
        guarded=guarded,
    )


def _earlier_requests(sandbox: Sandbox, last: JournalEntry, apis: Mapping[str, Api]) -> Iterator[JournalEntry]:
    """Yield the earlier requests that may matter.

    All of them where rules count requests; else the API's writes, and its first request, which created its state. A
    request whose secrets are hidden cannot be repeated.
    """
    entries = takewhile(lambda one: one.n < last.n, sandbox.journal.after(0, last.n))
    known = [one for one in entries if one.api in apis and HIDDEN.encode() not in one.request.body]
    if sandbox.player.scenarios:
        yield from known
        return
    own = [one for one in known if one.api == last.api]
    yield from (one for n, one in enumerate(own) if n == 0 or one.method not in READ_METHODS)


def _step(name: str, api: Api, entry: JournalEntry) -> Step:
    pairs = [line.partition(": ")[::2] for line in entry.request.headers.split("\n") if line]
    shown = tuple(
        (field, value) for field, value in pairs if HIDDEN not in value and field.lower() not in CONNECTION_HEADERS
    )
    query = urlencode([(key, value) for key, value in entry.query if value != HIDDEN])
    return Step(
        entry=entry,
        path=f"/@{name}{api.mount}{entry.path}{f'?{query}' if query else ''}",
        headers=shown,
        body=b"" if entry.request.digest else entry.request.body,
        file=f"exchange-{entry.n}.body" if entry.request.digest else "",
        secrets=tuple(field for field, value in pairs if HIDDEN in value),
    )


def _settings(sandbox: Sandbox, scenarios: tuple[Mapping[str, Any], ...], begin: datetime) -> Iterator[Setting]:
    yield "POST", "reset", {"seed": sandbox.seed}
    if sandbox.settings != sandbox.template.settings:
        yield "PUT", "settings", sandbox.settings
    if scenarios or sandbox.template.scenarios:
        yield "PUT", "scenarios", {"scenarios": list(scenarios)}
    yield clock_at(begin)


def clock_at(at: datetime) -> Setting:
    """Return the control request that freezes the clock at an instant."""
    return "PUT", "clock", {"mode": "frozen", "now": at.isoformat().replace("+00:00", "Z")}


def _notes(sandbox: Sandbox, steps: tuple[Step, ...], before: int) -> Iterator[str]:
    first = next(iter(sandbox.journal.after(0, 1)), None)
    if first is not None and first.n > 1:
        yield f"The journal has forgotten what came before exchange {first.n}; what that stored is missing here."
    if before > MAX_EARLIER_REQUESTS:
        kept = f"Only the last {MAX_EARLIER_REQUESTS} of {before} calls before it are repeated"
        yield f"{kept}; what the others stored is missing here."
    for step in steps:
        if step.file:
            body = f"{step.entry.request.size} bytes, SHA-256 {step.entry.request.digest}"
            yield f"Put the body of exchange {step.entry.n} ({body}) into {step.file}."
    if any(step.secrets for step in steps):
        yield "The Authorization that was sent is hidden; set TOKEN to send a bearer token."
    if HIDDEN.encode() in steps[-1].body:
        yield f"Secrets in the body are hidden; put them where {HIDDEN} stands."
    last = steps[-1].entry
    if got := last.delivery.words:
        fault = "" if last.scenario_trace is None else last.scenario_trace.wire_fault
        yield f"What the client got: {got}{f' ({fault})' if fault else ''}."
