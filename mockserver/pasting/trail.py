"""What led to an exchange: how the sandbox was set up, and the calls before it that may have mattered."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode

from mockserver.api import Api
from mockserver.journal import Entry
from mockserver.redaction import HIDDEN
from mockserver.sandbox import NAME, Sandbox

MOST: Final = 100  # calls before the exchange
READS: Final = frozenset(("GET", "HEAD", "OPTIONS"))
OWN_HEADERS: Final = frozenset(
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
    """One call to make. `path` is what follows the server's address; `file` names a body that the journal has not kept.

    `secrets` are headers whose values are hidden, so that they are left out.
    """

    entry: Entry
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    file: str
    secrets: tuple[str, ...]

    @property
    def at(self) -> datetime:
        """The instant of the sandbox's clock at which the call is made."""
        return self.entry.at


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """How to make an exchange again in a fresh sandbox, `name`, of the server at `base`.

    `settings` are control calls that set the sandbox up: method, what, body. `guarded` says that control calls need the
    token. `notes` are sentences about what could not be repeated.
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
        """The call that it is all about."""
        return self.steps[-1]

    @property
    def title(self) -> str:
        """Return what was recorded, in one line."""
        entry = self.last.entry
        return f"Exchange {entry.n} of sandbox '{self.origin}': {entry.method} answered {int(entry.status)}"

    @property
    def setting(self) -> str:
        """Return where it is made again, in one line."""
        at = f"{self.last.at:%Y-%m-%dT%H:%M:%SZ}"
        return f"In a sandbox of its own, '{self.name}', with seed {self.seed} and the clock at {at}"


def trail_of(sandbox: Sandbox, apis: Mapping[str, Api], entry: Entry, base: str, *, guarded: bool) -> Trail:
    """Return what led to an exchange; its API is served."""
    suffix = f".{entry.n}"
    name = f"{sandbox.name[: 64 - len(suffix)]}{suffix}"
    assert NAME.fullmatch(name)  # noqa: S101 - a shortened name is a name
    before = list(_before(sandbox, entry, apis))
    steps = tuple(_step(name, apis[one.api], one) for one in (*before[-MOST:], entry))
    scenarios = tuple(one.document for one in sandbox.player.scenarios)
    return Trail(
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


def _before(sandbox: Sandbox, last: Entry, apis: Mapping[str, Api]) -> Iterator[Entry]:
    """Yield the calls before that may have mattered.

    Those are all where rules count calls, else the API's that wrote something and its first, which began its world.
    A call whose secrets are hidden cannot be made again.
    """
    entries = takewhile(lambda one: one.n < last.n, sandbox.journal.after(0, last.n))
    known = [one for one in entries if one.api in apis and HIDDEN.encode() not in one.call.body]
    if sandbox.player.scenarios:
        yield from known
        return
    own = [one for one in known if one.api == last.api]
    yield from (one for n, one in enumerate(own) if n == 0 or one.method not in READS)


def _step(name: str, api: Api, entry: Entry) -> Step:
    pairs = [line.partition(": ")[::2] for line in entry.call.headers.split("\n") if line]
    shown = tuple((field, value) for field, value in pairs if HIDDEN not in value and field.lower() not in OWN_HEADERS)
    query = urlencode([(key, value) for key, value in entry.query if value != HIDDEN])
    return Step(
        entry=entry,
        path=f"/@{name}{api.mount}{entry.path}{f'?{query}' if query else ''}",
        headers=shown,
        body=b"" if entry.call.digest else entry.call.body,
        file=f"exchange-{entry.n}.body" if entry.call.digest else "",
        secrets=tuple(field for field, value in pairs if HIDDEN in value),
    )


def _settings(sandbox: Sandbox, scenarios: tuple[Mapping[str, Any], ...], begin: datetime) -> Iterator[Setting]:
    yield "POST", "reset", {"seed": sandbox.seed}
    if sandbox.settings != sandbox.blank.settings:
        yield "PUT", "settings", sandbox.settings
    if scenarios or sandbox.blank.scenarios:
        yield "PUT", "scenarios", {"scenarios": list(scenarios)}
    yield clock_at(begin)


def clock_at(at: datetime) -> Setting:
    """Return the control call that stops the clock at an instant."""
    return "PUT", "clock", {"mode": "frozen", "now": at.isoformat().replace("+00:00", "Z")}


def _notes(sandbox: Sandbox, steps: tuple[Step, ...], before: int) -> Iterator[str]:
    first = next(iter(sandbox.journal.after(0, 1)), None)
    if first is not None and first.n > 1:
        yield f"The journal has forgotten what came before exchange {first.n}; what that stored is missing here."
    if before > MOST:
        yield f"Only the last {MOST} of {before} calls before it are repeated; what the others stored is missing here."
    for step in steps:
        if step.file:
            body = f"{step.entry.call.size} bytes, SHA-256 {step.entry.call.digest}"
            yield f"Put the body of exchange {step.entry.n} ({body}) into {step.file}."
    if any(step.secrets for step in steps):
        yield "The Authorization that was sent is hidden; set TOKEN to send a bearer token."
    if HIDDEN.encode() in steps[-1].body:
        yield f"Secrets in the body are hidden; put them where {HIDDEN} stands."
    staged = steps[-1].entry.staged
    if staged is not None and not staged.arrived:
        yield f"Its reply was cut off on the wire ({staged.cut})."
