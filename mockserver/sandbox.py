"""Isolated worlds: a sandbox owns state, clock, journal, seed and settings, and nothing leaks from one to another."""

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from mockserver.api import Api
from mockserver.clock import Clock, Mode
from mockserver.ids import Ids
from mockserver.journal import Entry, Journal, call_all
from mockserver.scenario.catalogue import Catalogue
from mockserver.served import served
from mockserver.settings import defaults
from mockserver.stores.memory import MemoryStore
from mockserver.world import World

if TYPE_CHECKING:
    from mockserver.scenario.player import Player

DEFAULT: Final = "default"
NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
MAX_SANDBOXES: Final = 1000
KEPT_FOR: Final = timedelta(minutes=10)  # a sandbox used since then is never dropped to make room
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)  # a thousand years before Python's calendar ends: jobs and tokens last


class SandboxesFullError(Exception):
    """There are as many sandboxes as there may be, and each was used a moment ago. `wait` is when to try again."""

    def __init__(self, wait: timedelta) -> None:
        self.wait = wait
        super().__init__(f"All sandboxes were used in the last {KEPT_FOR.seconds // 60} minutes.")


def is_name(text: str) -> bool:
    """Tell whether a sandbox may have that name: 1 to 64 letters, digits, `.`, `_` and `-`."""
    return NAME.fullmatch(text) is not None


def _nobody(entry: Entry) -> None:
    del entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Blank:
    """What a freshly made sandbox is like: the command line's defaults.

    `apis` are those served, by name, and change when a contract is loaded anew. `tell` hears of every exchange.
    `catalogue` are the scenarios that can be named, `scenarios` the names of those that are active; `plays` is false
    where a call cannot ask for one.
    """

    apis: Mapping[str, Api] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=lambda: defaults(()))
    seed: int = 0
    mode: Mode = "system"
    factor: float = 1.0
    tell: Callable[[Entry], None] = _nobody
    catalogue: Catalogue = field(default_factory=Catalogue)
    scenarios: tuple[str, ...] = ()
    plays: bool = True


@dataclass(slots=True)
class Sandbox:
    """One isolated world. `settings` is replaced, never changed in place; `used` is real time.

    `era` counts resets. Whoever waits for the clock stands in `waiting` and is called when it was moved; whoever
    follows the journal stands in `listening` and is called when something was written, at a reset, and at the end.
    """

    name: str
    blank: Blank
    used: datetime
    seed: int = 0
    clock: Clock = field(init=False)
    settings: dict[str, Any] = field(init=False)
    journal: Journal = field(init=False)
    worlds: dict[str, World] = field(init=False)
    _player: "Player | None" = field(init=False, default=None)
    era: int = 0
    waiting: set[Callable[[], object]] = field(default_factory=set)
    listening: set[Callable[[], object]] = field(default_factory=set)
    gone: bool = False

    def __post_init__(self) -> None:
        self.reset(self.used)

    def reset(self, real: datetime, *, seed: int | None = None) -> None:
        """Restore everything as when the sandbox was made; `seed` is the new one, by default the command line's."""
        blank = self.blank
        self.seed = blank.seed if seed is None else seed
        self.clock = Clock.start(blank.mode, real, factor=blank.factor)
        self.worlds = {}
        self.journal = Journal(tell=blank.tell, listeners=self.listening)
        self._player = None
        if blank.scenarios:
            self.player.play([blank.catalogue.get(name) for name in blank.scenarios])
        self.era += 1
        self.set_up(blank.settings)
        self.moved()
        call_all(self.listening)

    def end(self) -> None:
        """Tell those who follow the journal, or wait for the clock, that nothing more will come."""
        self.gone = True
        call_all(self.listening)
        self.moved()

    def moved(self) -> None:
        """Tell those who wait for the clock that it is another one now."""
        call_all(self.waiting)

    @property
    def player(self) -> "Player":
        """Return what plays the scenarios; it is made when there is first something to be played."""
        if self._player is None:
            from mockserver.scenario.player import Player  # noqa: PLC0415 - most sandboxes play nothing

            self._player = Player(seed=self.seed)
        return self._player

    @property
    def is_playing(self) -> bool:
        """Tell whether any scenario is active."""
        return self._player is not None and self._player.scenarios != ()

    @property
    def apis(self) -> Iterable[Api]:
        """Return the APIs that are served."""
        return self.blank.apis.values()

    def now(self, real: datetime) -> datetime:
        """Return the sandbox's time when it is `real` outside; it stops at the year 9000."""
        try:
            return min(self.clock.now(real), LATEST)
        except OverflowError:
            return LATEST

    def set_up(self, settings: dict[str, Any]) -> None:
        """Take on whole settings: every world sees them, and the journal keeps to its new bounds."""
        self.settings = settings
        for world in self.worlds.values():
            world.settings = settings
        limits = settings["limits"]
        self.journal.limit(exchanges=limits["journalExchanges"], max_bytes=limits["journalBytes"])

    def world(self, api: Api, now: datetime) -> World:
        """Return what `api` knows here, made as of `now` when it is first asked for."""
        found = self.worlds.get(api.name)
        if found is None:
            store = MemoryStore(served(api).indexes)
            found = World(store=store, ids=Ids(seed=self.seed), settings=self.settings, born=now)
            self.worlds[api.name] = found
        return found

    def forget(self, now: datetime) -> None:
        """Drop from every world what is over by `now`: ended jobs, tokens, keys."""
        for world in self.worlds.values():
            world.forget(now)

    def adopt(self, api: Api) -> None:
        """Serve a changed contract from now on: records stay, and are found by what is unique in it."""
        world = self.worlds.get(api.name)
        if world is None:
            return
        old, new = world.store, MemoryStore(served(api).indexes)
        for collection in old.collections():
            for record in old.scan(collection):
                new.put(collection, record)
        world.store = new


class Sandboxes:
    """The sandboxes of a server by name, made on first use. What a call costs does not depend on their number."""

    def __init__(self, blank: Blank, *, most: int = MAX_SANDBOXES) -> None:
        self.blank = blank
        self.most = most
        self._by_name: OrderedDict[str, Sandbox] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[Sandbox]:
        """Yield every sandbox, the one idle longest first."""
        return iter(tuple(self._by_name.values()))

    def use(self, name: str, real: datetime) -> Sandbox:
        """Return the sandbox of that name, made if need be, as used at `real`.

        Raises SandboxesFullError when there is no room for another.
        """
        found = self._by_name.get(name)
        if found is None:
            self._make_room(real)
            found = self._by_name[name] = Sandbox(name, self.blank, real)
        else:
            self._by_name.move_to_end(name)
            found.used = real
        return found

    def drop(self, name: str) -> bool:
        """Forget a sandbox; tell whether there was one of that name."""
        dropped = self._by_name.pop(name, None)
        if dropped is not None:
            dropped.end()
        return dropped is not None

    def _make_room(self, real: datetime) -> None:
        while len(self._by_name) >= self.most:
            idle = next(iter(self._by_name.values()))
            wait = idle.used + KEPT_FOR - real
            if wait > timedelta(0):
                raise SandboxesFullError(wait)
            self.drop(idle.name)
