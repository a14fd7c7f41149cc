"""Isolated sandboxes: each has its own state, clock, journal, seed and settings. Main entry: `Sandboxes.use`.

Settings are changed by JSON Merge Patch (RFC 7396).
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from weakref import ref

from contracts.syntax.json_text import MAX_BODY_DEPTH
from contracts.syntax.text import merge_patch
from mockserver.api.model import Api, ApiState
from mockserver.bulk.prepared_api import prepared
from mockserver.domain.clock_and_ids import ClockMode, IdSource, VirtualClock
from mockserver.domain.jobs import Job
from mockserver.domain.values import Outcome
from mockserver.journal.item_results import results_of
from mockserver.journal.journal import DEFAULT_MAX_BYTES, DEFAULT_MAX_EXCHANGES, Journal, JournalEntry, notify_all
from mockserver.scenarios.loading import Catalogue
from mockserver.stores.interface import SandboxLog
from mockserver.stores.memory import MemoryStore
from mockserver.stores.spooled_bodies import Spool

if TYPE_CHECKING:
    from mockserver.scenarios.model import Scenario
    from mockserver.scenarios.player import ScenarioPlayer


MEBIBYTE: Final = 1024 * 1024
MAX_SNAPSHOT_DEPTH: Final = MAX_BODY_DEPTH + 32  # bodies lie deep in a snapshot
DEFAULT_SETTINGS: Final[Mapping[str, Any]] = {
    "auth": "open",
    "conduct": "observe",
    "strict": False,
    "lenientJson": False,
    "validateRequests": "error",
    "errors": False,
    "dynamic": False,
    "limits": {
        "bodyBytes": 32 * MEBIBYTE,
        "depth": 64,
        "timeoutSeconds": 120,
        "journalExchanges": DEFAULT_MAX_EXCHANGES,
        "journalBytes": DEFAULT_MAX_BYTES,
    },
}


def _range(says: str, least: int, most: int, unit: str) -> dict[str, object]:
    description = f"{says}: {least} to {most} {unit}."
    return {"type": "integer", "minimum": least, "maximum": most, "description": description}


_SETTING_SCHEMAS: Final[Mapping[str, Any]] = {
    "auth": {"enum": ["open", "strict"], "description": "Whether requests need valid credentials."},
    "conduct": {
        "enum": ["observe", "enforce"],
        "description": "Whether breaches of the rules of client conduct are recorded or refused.",
    },
    "strict": {
        "type": "boolean",
        "description": "Whether the stricter reading applies where a vendor's documentation contradicts itself.",
    },
    "lenientJson": {"type": "boolean", "description": "Whether trailing commas in JSON are accepted."},
    "validateRequests": {
        "enum": ["error", "warn", "off"],
        "description": "Whether invalid requests of a plain document are refused, or answered, with a warning or not.",
    },
    "errors": {
        "type": "boolean",
        "description": "Whether an answer of a plain document that breaks its contract is a 500.",
    },
    "dynamic": {
        "type": "boolean",
        "description": "Whether answers of a plain document are generated even where it has examples.",
    },
    "limits": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "bodyBytes": _range("The largest body of a call, once inflated", 1, 1024 * MEBIBYTE, "bytes"),
            "depth": _range("How deep JSON may be nested", 1, MAX_BODY_DEPTH, "levels"),
            "timeoutSeconds": _range("How long a scenario may leave a call unanswered", 1, 3600, "seconds"),
            "journalExchanges": _range("How much the journal keeps", 1, 1_000_000, "exchanges"),
            "journalBytes": _range("How much the journal keeps", MEBIBYTE, 4096 * MEBIBYTE, "bytes"),
        },
    },
}


def default_settings(apis: Iterable[Api], given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the settings of a new sandbox: the defaults, those of each API under its name, and `given` over them.

    Where only plain documents are served, `auth` is strict by default: they ask for the security that they declare.
    """
    served = tuple(apis)
    auth = "strict" if served and all(api.plain for api in served) else "open"
    whole = {**DEFAULT_SETTINGS, "auth": auth, **{api.name: api.settings for api in served if api.settings}}
    merged: dict[str, Any] = merge_patch(whole, given or {})
    return merged


def settings_schema(apis: Iterable[Api]) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the settings when these APIs are served."""
    own = {api.name: dict(api.settings_schema) for api in apis if api.settings_schema}
    return {"type": "object", "additionalProperties": False, "properties": {**_SETTING_SCHEMAS, **own}}


def with_defaults(given: Mapping[str, Any], fresh: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with absent ones taken from `fresh`."""
    both = [name for name in given if isinstance(given[name], Mapping) and isinstance(fresh.get(name), Mapping)]
    return {**fresh, **given, **{name: with_defaults(given[name], fresh[name]) for name in both}}


DEFAULT_SANDBOX: Final = "default"
SANDBOX_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
MAX_SANDBOXES: Final = 1000
MAX_AWAKE: Final = 100  # sandboxes whose records are as they are used; those of all others are packed
MIN_IDLE: Final = timedelta(minutes=10)  # a sandbox used since then is never dropped to make room
JOURNALS_STEP_BYTES: Final = 4 * MEBIBYTE  # recorded between two looks at what all journals take
MIN_INSTANT: Final = datetime(1970, 1, 1, tzinfo=UTC)
MAX_INSTANT: Final = datetime(9000, 1, 1, tzinfo=UTC)  # before Python's calendar ends: jobs and tokens last


class SandboxesFullError(Exception):
    """The maximum of sandboxes exists, and each was used recently. `wait` is the time until a retry can succeed."""

    def __init__(self, wait: timedelta) -> None:
        self.wait = wait
        super().__init__(f"All sandboxes were used in the last {MIN_IDLE.seconds // 60} minutes.")


def is_name(text: str) -> bool:
    """Tell whether a text is a valid sandbox name: 1 to 64 letters, digits, `.`, `_` and `-`."""
    return SANDBOX_NAME.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxTemplate:
    """The defaults of a new sandbox, from the command line; `on_restore` is called with each snapshot that it is given.

    `apis` are the served APIs by name; they change when a contract is reloaded. `on_exchange` is called with every
    journal entry. `catalogue` has the scenarios by name, `scenarios` the names of the active ones; `allows_preferences`
    is false where a request cannot ask for a scenario. `spool` is shared: a file for each sandbox would be too many.
    """

    apis: Mapping[str, Api] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=lambda: default_settings(()))
    seed: int = 0
    mode: ClockMode = "system"
    factor: float = 1.0
    on_exchange: Callable[[JournalEntry], None] = field(default=lambda _: None)
    on_restore: "Callable[[Sandbox, object], object] | None" = None
    catalogue: Catalogue = field(default_factory=Catalogue)
    scenarios: tuple[str, ...] = ()
    allows_preferences: bool = True
    spool: Spool = field(default_factory=Spool)


@dataclass(slots=True, weakref_slot=True)
class Sandbox:
    """One isolated sandbox. `settings` is replaced, never changed in place; `used` is the real time of its last use.

    `on_bytes` is called with the size of each exchange that is recorded. `reset_count` counts resets. `clock_listeners`
    are called when the clock was set or advanced, `journal_listeners` when an exchange was recorded, when settings or
    scenarios were changed, at a reset, and when the sandbox is dropped.
    """

    name: str
    template: SandboxTemplate
    used: datetime
    on_bytes: Callable[[int], object] | None = None
    seed: int = 0
    clock: VirtualClock = field(init=False)
    settings: dict[str, Any] = field(init=False)
    journal: Journal = field(init=False)
    api_states: dict[str, ApiState] = field(init=False)
    _player: "ScenarioPlayer | None" = field(init=False, default=None)
    reset_count: int = 0
    clock_listeners: set[Callable[[], object]] = field(default_factory=set)
    journal_listeners: set[Callable[[], object]] = field(default_factory=set)
    is_dropped: bool = False

    def __post_init__(self) -> None:
        self.reset(self.used)

    def reset(self, real: datetime, *, seed: int | None = None) -> None:
        """Restore the initial state; `seed` is the new seed, by default the template's."""
        template = self.template
        self.seed = template.seed if seed is None else seed
        self.clock = VirtualClock.start(template.mode, real, factor=template.factor)
        self.api_states = {}
        self.journal = Journal(
            tell=template.on_exchange,
            listeners=self.journal_listeners,
            on_bytes=self.on_bytes,
            spool=template.spool,
        )
        self._player = None
        if template.scenarios:
            self.player.activate([template.catalogue.get(name) for name in template.scenarios])
        self.reset_count += 1
        self.apply_settings(template.settings)
        self.notify_clock_change()
        notify_all(self.journal_listeners)

    def close(self) -> None:
        """Mark the sandbox as dropped, and notify all listeners."""
        self.is_dropped = True
        notify_all(self.journal_listeners)
        self.notify_clock_change()

    def notify_clock_change(self) -> None:
        """Notify the listeners of the clock."""
        notify_all(self.clock_listeners)

    @property
    def player(self) -> "ScenarioPlayer":
        """Return the player of scenarios, created on first use."""
        if self._player is None:
            from mockserver.scenarios.player import ScenarioPlayer  # noqa: PLC0415 - most sandboxes play nothing

            self._player = ScenarioPlayer(seed=self.seed)
        return self._player

    @property
    def is_playing(self) -> bool:
        """Tell whether any scenario is active."""
        return self._player is not None and self._player.scenarios != ()

    @property
    def apis(self) -> Iterable[Api]:
        """Return the served APIs."""
        return self.template.apis.values()

    def now(self, real: datetime) -> datetime:
        """Return the sandbox's time at the real time `real`, at most the year 9000."""
        try:
            return min(self.clock.now(real), MAX_INSTANT)
        except OverflowError:
            return MAX_INSTANT

    def apply_settings(self, settings: dict[str, Any]) -> None:
        """Replace the settings of every API, and apply the journal's limits."""
        self.settings = settings
        for api_state in self.api_states.values():
            api_state.settings = settings
        limits = settings["limits"]
        self.journal.set_limits(exchanges=limits["journalExchanges"], max_bytes=limits["journalBytes"])
        notify_all(self.journal_listeners)

    @property
    def scenarios(self) -> "tuple[Scenario, ...]":
        """Return the active scenarios; another tuple each time that they are changed."""
        return () if self._player is None else self._player.scenarios

    def api_state(self, api: Api, now: datetime) -> ApiState:
        """Return the state of an API, created as of `now` on first use."""
        found = self.api_states.get(api.name)
        if found is None:
            store = MemoryStore(prepared(api).indexes)
            found = ApiState(
                store=store,
                ids=IdSource(seed=self.seed),
                settings=self.settings,
                spool=self.template.spool,
                created=now,
            )
            self.adopt({**self.api_states, api.name: found})
        return found

    def adopt(self, api_states: dict[str, ApiState]) -> None:
        """Take these as the states of the APIs, and note in the journal what their jobs do.

        They refer to the sandbox weakly: once it is dropped, its files are deleted with it, and not by a collection.
        """
        self.api_states = api_states
        for name, api_state in api_states.items():
            api_state.on_job_end = partial(_note_job, ref(self), name)

    def drop_expired(self, now: datetime) -> None:
        """Drop what has expired by `now` from every API: ended jobs, tokens, keys."""
        for api_state in self.api_states.values():
            api_state.drop_expired(now)

    def replace_contract(self, api: Api) -> None:
        """Serve a changed contract from now on: records are kept and indexed anew."""
        if (api_state := self.api_states.get(api.name)) is None:
            return
        old, new = api_state.store, MemoryStore(prepared(api).indexes)
        for collection in old.collections():
            new.put_all(collection, [*old.scan(collection)])
        new.pack()
        api_state.store = new


def _note_job(sandbox: "ref[Sandbox]", api: str, job: Job, outcomes: Sequence[Outcome]) -> None:
    if (found := sandbox()) is not None:
        found.journal.end_job(api, job.id, results_of(outcomes))


class Sandboxes:
    """The sandboxes of a server by name, created on first use; `log` is that of a durable server.

    `listeners` are called when one was created or dropped, `changes` counts how often. The cost of a request does not
    depend on their number.
    """

    def __init__(self, template: SandboxTemplate, *, most: int = MAX_SANDBOXES) -> None:
        self.template = template
        self.most = most
        self.log: SandboxLog | None = None
        self._by_name: OrderedDict[str, Sandbox] = OrderedDict()
        self._awake: OrderedDict[str, None] = OrderedDict()
        self.listeners: set[Callable[[], object]] = set()
        self.changes = self._unsettled_bytes = 0

    def __len__(self) -> int:
        return len(self._by_name)

    def get(self, name: str) -> Sandbox | None:
        """Return the sandbox of that name without using it, None when there is none."""
        return self._by_name.get(name)

    def __iter__(self) -> Iterator[Sandbox]:
        """Yield every sandbox, the one idle longest first."""
        return iter(tuple(self._by_name.values()))

    def that_recorded(self, entry: JournalEntry) -> Sandbox | None:
        """Return the sandbox whose journal has this exchange, None when it was dropped from there."""
        return next((one for one in reversed([*self]) if one.journal.get(entry.n) is entry), None)

    def use(self, name: str, real: datetime) -> Sandbox:
        """Return the sandbox of that name, created if need be, and mark it as used at `real`.

        Raises SandboxesFullError when there is no room for another, NotStoredError when it cannot be stored.
        """
        if (found := self._by_name.get(name)) is None:
            self._make_room(real)
            if self.log is not None:
                self.log.create(name, real)
            found = self._by_name[name] = Sandbox(name, self.template, real, self._count_bytes)
            self._notify()
        else:
            self._by_name.move_to_end(name)
            found.used = real
        self._awake[name] = None
        self._awake.move_to_end(name)
        if len(self._awake) > MAX_AWAKE:
            for state in self._by_name[self._awake.popitem(last=False)[0]].api_states.values():
                state.store.pack()
        return found

    def drop(self, name: str) -> bool:
        """Drop a sandbox; tell whether there was one of that name. Raises NotStoredError."""
        if self.log is not None and name in self._by_name:
            self.log.drop(name)
        dropped = self._by_name.pop(name, None)
        if dropped is not None:
            self._awake.pop(name, None)
            dropped.close()
            self._notify()
        return dropped is not None

    def _notify(self) -> None:
        self.changes += 1
        notify_all(self.listeners)

    def _count_bytes(self, recorded: int) -> None:
        self._unsettled_bytes += recorded
        if self._unsettled_bytes >= JOURNALS_STEP_BYTES:
            self._unsettled_bytes = 0
            self.bound_journals()

    def bound_journals(self) -> None:
        """Drop the oldest exchanges where all journals together take more bytes than the largest of them may.

        The sandbox idle longest loses them first, and none loses what lies within its equal share.
        """
        journals = [sandbox.journal for sandbox in self._by_name.values()]
        most = max((journal.max_bytes for journal in journals), default=0)
        excess = sum(journal.bytes for journal in journals) - most
        for journal in journals:
            if excess <= 0:
                return
            excess -= journal.shed(max(most // len(journals), journal.bytes - excess))

    def _make_room(self, real: datetime) -> None:
        while len(self._by_name) >= self.most:
            idle = next(iter(self._by_name.values()))
            wait = idle.used + MIN_IDLE - real
            if wait > timedelta(0):
                raise SandboxesFullError(wait)
            self.drop(idle.name)
