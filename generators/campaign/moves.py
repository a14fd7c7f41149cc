"""The moves of an episode: post a batch, call a single record, read back, ask for jobs, cancel, repeat, list."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Final

from contracts.messages import ABSENT, Call
from generators.batches import PlannedItem, Profile, draw_profile, draw_size
from generators.campaign.grounds import Ground, Grounds
from generators.campaign.jobwatch import Watched
from generators.campaign.ledger import Entry, Where
from generators.campaign.session import Session
from generators.campaign.styles import Style
from generators.checks.findings import ImpossibleError
from generators.checks.following import ask
from generators.checks.jobs import Trace
from generators.checks.pictures import single
from generators.checks.records import written
from generators.checks.venues import Venue

DONE_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "create": ("create", "upsert", "replace"),
    "upsert": ("upsert", "replace", "update", "create"),
    "update": ("update", "upsert", "replace"),
    "replace": ("replace", "upsert"),
    "delete": ("delete",),
}
WHOLE_DAY: Final = timedelta(days=1)
STEP: Final = timedelta(seconds=1)
SLICE: Final = timedelta(seconds=0.15)
LISTED: Final = 200


@dataclass(slots=True)
class Player:
    """Makes moves in one session, all of them drawn from `rng`."""

    session: Session
    grounds: Grounds
    style: Style
    rng: Random
    posted: list[Call] = field(default_factory=list)
    items: int = 0
    batches: int = 0

    def move(self, kind: str) -> None:
        """Make one move; one that cannot be made here is left out."""
        try:
            MOVES[kind](self)
        except ImpossibleError:
            return
        finally:
            self.session.bench.cut()

    def post(self, *, size: int | None = None, profile: Profile | None = None, ground: Ground | None = None) -> None:
        """Post a batch, follow what becomes of it, and read some of it back."""
        if len(self._under_way()) >= self.style.in_flight:
            self.finish()
        ground = ground or self.rng.choice(self.grounds.bulk)
        profile = profile or draw_profile(self.rng)
        bulk = ground.operation.bulk
        assert bulk is not None  # noqa: S101 - a ground is of a bulk operation
        size = draw_size(bulk, self.rng, mean=self.style.mean) if size is None else size
        known = self.session.watcher.ledger.known(ground.scope)
        known.targets = ground.targets
        prefix = self.session.world.prefix
        batch = ground.composer.compose(
            seed=self.rng.getrandbits(48), size=size, profile=profile, known=known, prefix=prefix
        )
        self.posted = [*self.posted[-20:], batch.call]
        self.items += len(batch.items)
        self.batches += 1
        self.send(batch.call)
        self.look(self._after(batch.items, ground))

    def send(self, call: Call) -> None:
        """Send a call."""
        self.session.bench.send(call)

    def _after(self, items: Sequence[PlannedItem], ground: Ground) -> list[tuple[Where, object]]:
        """Choose the records of a request to look at: by chance, rather near its faults and its ends."""
        named = [(Where(ground.scope, item.resource or ""), item.target) for item in items if item.target is not None]
        count = int(self.style.reads + self.rng.random())
        if not named or not count:
            return []
        wrong = [n for n, item in enumerate(items) if item.intent != "good"]
        near = [n + by for n in wrong for by in (0, 1)] + [0, len(named) - 1]
        chosen = [
            self.rng.choice(near) if self.rng.random() < 0.5 else self.rng.randrange(len(named)) for _ in range(count)
        ]  # noqa: PLR2004 - half of them
        return [named[n] for n in dict.fromkeys(chosen) if n < len(named)]

    def look(self, wanted: Sequence[tuple[Where, object]]) -> None:
        """Read records back: those that are wanted, those told by the last answer, and some that are doubted."""
        ledger = self.session.watcher.ledger
        doubted = list(ledger.doubtful)[:4]
        for where, key in dict.fromkeys([*wanted, *self._told(), *doubted]):
            self.read(where, key)

    def _told(self) -> list[tuple[Where, object]]:
        """Return one of the records whose keys the last answer told."""
        view = self.session.watcher.last_view
        told = [one for telling in (view.tellings if view is not None else ()) for one in telling.outcomes]
        named = [one for one in told if isinstance(one.id, str | int)]
        if view is None or not named or self.rng.random() > self.style.reads:
            return []
        outcome = self.rng.choice(named)
        item = view.call.items[outcome.index]
        wheres = [where for where in self.grounds.venues if where.resource == item.resource]
        return [(wheres[0], str(outcome.id))] if wheres else []

    def read(self, where: Where, key: object) -> None:
        """Read one record."""
        place = self.grounds.venues.get(where)
        ledger = self.session.watcher.ledger
        ledger.doubtful.pop((where, str(key)), None)
        if place is not None and "read" in place.acts:
            self.send(single(place, "read", key=key).call())

    def single(self) -> None:
        """Do to one record what an item would have done to it."""
        ground = self.rng.choice(self.grounds.bulk)
        known = self.session.watcher.ledger.known(ground.scope)
        prefix = self.session.world.prefix
        profile = draw_profile(self.rng)
        batch = ground.composer.compose(
            seed=self.rng.getrandbits(48), size=1, profile=profile, known=known, prefix=prefix
        )
        item = batch.items[0]
        place = self.grounds.venues.get(Where(ground.scope, item.resource or ""))
        action = next((one for one in DONE_BY.get(item.action, ()) if place and one in place.acts), None)
        if (
            place is None
            or action is None
            or item.intent == "malformed"
            or (item.target is None and action != "create")
        ):
            return
        self._write(place, action, item)

    def _write(self, place: Venue, action: str, item: PlannedItem) -> None:
        key = ABSENT if item.target is None else item.target
        version: object = ABSENT if item.version is None else item.version
        entry = self.session.watcher.ledger.find(self._where(place), key)
        if version is ABSENT and entry is not None and entry.version is not None:
            version = entry.version
        self.send(written(place, action, dict(item.values or {}), key=key, version=version).call())

    def _where(self, place: Venue) -> Where:
        return next(where for where, one in self.grounds.venues.items() if one is place)

    def listing(self) -> None:
        """List the records of a kind, as many as a page takes."""
        where = self.rng.choice(list(self.grounds.venues))
        place = self.grounds.venues[where]
        if "list" not in place.acts:
            return
        made = single(place, "list")
        page = made.operation.record.page if made.operation.record is not None else None
        if page is not None and page.take is not None:
            made.put(page.take, min(page.max or LISTED, 1000))
        self.send(made.call())

    def repeat(self) -> None:
        """Send a request once more as it was."""
        if self.posted:
            self.send(self.rng.choice(self.posted))

    def _under_way(self) -> list[Watched]:
        return self.session.watcher.jobs.under_way()

    def poll(self) -> None:
        """Ask for a job that is under way, after a little while."""
        under_way = self._under_way()
        if under_way:
            self.session.bench.wait(STEP if self.session.caller.controlled else SLICE)
            self._ask(self.rng.choice(under_way))

    def _ask(self, watched: Watched, name: str | None = None) -> None:
        for trace in watched.view.traces:
            ask(self.session.bench, watched.view, name or watched.declared.poll, trace)

    def early(self) -> None:
        """Read a record that a job under way is to change, then ask for the job."""
        under_way = self._under_way()
        if not under_way:
            self.post()
            under_way = self._under_way()
        if under_way:
            watched = self.rng.choice(under_way)
            ledger = self.session.watcher.ledger
            some = [one for where in ledger.places() for one in ledger.entries(where) if watched.n in one.jobs]
            for entry in self.rng.sample(some, min(2, len(some))):
                self.read(entry.where, entry.key)
            self._ask(watched)

    def finish(self) -> None:
        """Wait for the oldest job to end, ask for its results, and read some of its records."""
        under_way = self._under_way()
        if not under_way:
            return
        watched = under_way[0]
        before = self._touched(watched)
        self._wait_for(watched)
        for name in watched.declared.results:
            if name != "here":
                self._ask(watched, name)
        watched.is_over = True
        count = int(self.style.reads * 2 + self.rng.random())
        self.look([(one.where, one.key) for one in self.rng.sample(before, min(count, len(before)))])

    def _touched(self, watched: Watched) -> list[Entry]:
        ledger = self.session.watcher.ledger
        return [one for where in ledger.places() for one in ledger.entries(where) if watched.n in one.jobs]

    def _wait_for(self, watched: Watched) -> None:
        bench, takes = self.session.bench, watched.declared.takes
        controlled = self.session.caller.controlled
        delay = takes.base + takes.per_item * len(watched.view.call.items) + STEP if controlled else SLICE
        while any(trace.end is None for trace in watched.view.traces):
            bench.wait(delay)
            delay = min(delay * 2, WHOLE_DAY) if controlled else SLICE
            for trace in watched.view.traces:
                if trace.end is None:
                    self._ask_one(watched, trace)
            if delay == WHOLE_DAY:
                return

    def _ask_one(self, watched: Watched, trace: Trace) -> None:
        ask(self.session.bench, watched.view, watched.declared.poll, trace)

    def cancel(self) -> None:
        """Cancel a job that is under way, and see later what became of it."""
        for watched in self._under_way():
            if watched.declared.cancel is not None:
                self._ask(watched, watched.declared.cancel)
                self._ask(watched)
                self._wait_for(watched)
                touched = self._touched(watched)
                self.session.bench.wait(STEP * 10 if self.session.caller.controlled else SLICE)
                self._ask(watched)
                watched.is_over = True
                self.look([(one.where, one.key) for one in touched[:2]])
                return

    def again(self) -> None:
        """Ask once more for a job that has ended."""
        ended = [one for one in self.session.watcher.jobs.all if one.is_over]
        if ended:
            watched = self.rng.choice(ended)
            self._ask(watched)
            for name in watched.declared.results:
                if name != "here":
                    self._ask(watched, name)


MOVES: Final[Mapping[str, Callable[[Player], None]]] = {
    "again": Player.again,
    "cancel": Player.cancel,
    "early": Player.early,
    "finish": Player.finish,
    "list": Player.listing,
    "poll": Player.poll,
    "post": Player.post,
    "repeat": Player.repeat,
    "single": Player.single,
}
