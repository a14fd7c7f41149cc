"""The moves of an episode: post a batch, call a single record, read back, list, repeat, and those about jobs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from contracts.messages import ABSENT, Call, Exchange
from generators.batches import PROFILES, PlannedBatch, PlannedItem, Profile, draw_profile, draw_size
from generators.campaign.grounds import Ground, Grounds
from generators.campaign.job_moves import Jobs
from generators.campaign.ledger import Where
from generators.campaign.session import Session
from generators.campaign.styles import Style
from generators.campaign.tricky import tricked
from generators.checks.pictures import single
from generators.checks.records import written
from generators.checks.venues import Venue
from generators.checks.views import View
from generators.impossible import ImpossibleError

DONE_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "create": ("create", "upsert", "replace"),
    "upsert": ("upsert", "replace", "update", "create"),
    "update": ("update", "upsert", "replace"),
    "replace": ("replace", "upsert"),
    "delete": ("delete", "upsert"),
}
LISTED: Final = 200
PAGE: Final = 1000
KEPT: Final = 20  # requests that may be repeated
DOUBTED: Final = 4  # doubted records that are read after a request
NEAR: Final = 0.5  # the share of records read that are near a fault or at an end
TRICKY: Final = 0.25
WINDOWS: Final = 0.5  # the share of lists of which a window is looked at
LATE: Final = 0.3  # the share of cancellations that come when the job has ended
REFUSED: Final = range(400, 500)


@dataclass(slots=True)
class Player:
    """Makes moves in one session, all of them drawn from `rng`."""

    session: Session
    grounds: Grounds
    style: Style
    rng: Random
    jobs: Jobs = field(init=False)
    posted: list[Call] = field(default_factory=list)
    items: int = 0
    batches: int = 0

    def __post_init__(self) -> None:
        self.jobs = Jobs(self.session, self.rng)

    def move(self, kind: str) -> None:
        """Make one move; one that cannot be made here is left out."""
        try:
            MOVES[kind](self)
        except ImpossibleError:
            return
        finally:
            self.session.bench.cut()

    def compose(self, ground: Ground, size: int, profile: Profile) -> PlannedBatch:
        """Return a batch of the ground's operation, made from what is known to be stored."""
        known = self.session.watcher.ledger.known(ground.scope)
        known.targets = ground.targets
        seed, prefix = self.rng.getrandbits(48), self.session.world.prefix
        return ground.composer.compose(seed=seed, size=size, profile=profile, known=known, prefix=prefix)

    def post(self, *, size: int | None = None, profile: Profile | None = None, ground: Ground | None = None) -> None:
        """Post a batch, and read some of its records."""
        while len(self.jobs.under_way()) >= self.style.in_flight:
            self.finish()
        ground = ground or self.rng.choice(self.grounds.bulk)
        bulk = ground.operation.bulk
        assert bulk is not None  # noqa: S101 - a ground is of a bulk operation
        size = draw_size(bulk, self.rng, mean=self.style.mean) if size is None else size
        batch = self.compose(ground, size, profile or draw_profile(self.rng))
        kind = self.session.watcher.kinds.get(self.rng.choice(ground.resources))
        call = tricked(batch, bulk, kind, self.rng) if self.rng.random() < TRICKY else batch.call
        self.posted = [*self.posted[-KEPT:], call]
        self.items += len(batch.items)
        self.batches += 1
        exchange = self.session.bench.send(call)
        refused = exchange.reply.status in REFUSED
        self.look(self._after(batch.items, ground, refused=refused))
        if refused and self.rng.random() < self.style.reads * NEAR:
            self.search(batch, ground)

    def search(self, batch: PlannedBatch, ground: Ground) -> None:
        """List the kind of a request's first record when the server would have named it: it cannot be read by key."""
        first = next(iter(batch.items), None)
        where = None if first is None else Where(ground.scope, first.resource or "")
        if first is not None and first.target is None and where in self.grounds.venues:
            self.listing(where)

    def _after(self, items: Sequence[PlannedItem], ground: Ground, *, refused: bool) -> list[tuple[Where, object]]:
        """Choose the records of a request to look at: by chance, rather near its faults and its ends."""
        named = [(Where(ground.scope, item.resource or ""), item.target) for item in items if item.target is not None]
        if refused and named and self.rng.random() < NEAR:
            return [named[0], named[-1]]
        count = int(self.style.reads + self.rng.random()) if named else 0
        wrong = [n for n, item in enumerate(items) if item.intent != "good"]
        near = [n + by for n in wrong for by in (0, 1)] + [0, len(named) - 1]
        chosen = [self._one_of(near, len(named)) for _ in range(count)]
        return [named[n] for n in dict.fromkeys(chosen) if n < len(named)]

    def _one_of(self, near: Sequence[int], size: int) -> int:
        return self.rng.choice(near) if self.rng.random() < NEAR else self.rng.randrange(size)

    def look(self, wanted: Sequence[tuple[Where, object]]) -> None:
        """Read records back: those that are wanted, one told by the last answer, and some that are doubted."""
        doubted = list(self.session.watcher.ledger.doubtful)[:DOUBTED]
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
        resource = view.call.items[outcome.index].resource
        places: list[tuple[Where, object]] = [
            (where, str(outcome.id)) for where in self.grounds.venues if where.resource == resource
        ]
        return places[:1]

    def read(self, where: Where, key: object) -> None:
        """Read one record."""
        place = self.grounds.venues.get(where)
        self.session.watcher.ledger.doubtful.pop((where, str(key)), None)
        if place is not None and "read" in place.acts:
            self.session.bench.send(single(place, "read", key=key).call())

    def _take_turns(self) -> None:
        """Let jobs end before something else is written, where the style wants it."""
        while self.style.in_turn and self.jobs.under_way():
            self.finish()

    def single(self) -> None:
        """Do to one record what an item would have done to it."""
        self._take_turns()
        ground = self.rng.choice(self.grounds.bulk)
        item = self.compose(ground, 1, draw_profile(self.rng)).items[0]
        place = self.grounds.venues.get(Where(ground.scope, item.resource or ""))
        action = next((one for one in DONE_BY.get(item.action, ()) if place and one in place.acts), None)
        if place is not None and action is not None and item.intent != "malformed":
            self._write(place, action, item)

    def ghost(self) -> None:
        """Delete a record by the call for single records, then post what refers to it or changes it."""
        self._take_turns()
        where = self.rng.choice(list(self.grounds.venues)) if self.grounds.venues else None
        place = self.grounds.venues.get(where) if where is not None else None
        live = [] if where is None else self.session.watcher.ledger.known(where.scope).live(where.resource)
        if where is None or place is None or not live or "delete" not in place.acts:
            return
        record = self.rng.choice(live)
        version = ABSENT if record.version is None else record.version
        self.session.bench.send(written(place, "delete", {}, key=record.key, version=version).call())
        kin = self.grounds.kin.get(where.resource, frozenset())
        near = [one for one in self.grounds.bulk if one.scope == where.scope and not kin.isdisjoint(one.resources)]
        if near:
            self.post(profile=PROFILES["haunted"], ground=self.rng.choice(near))

    def _write(self, place: Venue, action: str, item: PlannedItem) -> None:
        key = ABSENT if item.target is None else item.target
        if key is ABSENT and action != "create":
            return
        entry = self.session.watcher.ledger.find(self._where(place), key)
        known = entry.version if entry is not None and entry.version is not None else ABSENT
        version = known if item.version is None else item.version
        self.session.bench.send(written(place, action, dict(item.values or {}), key=key, version=version).call())
        self.look([(self._where(place), key)] if key is not ABSENT else [])

    def _where(self, place: Venue) -> Where:
        return next(where for where, one in self.grounds.venues.items() if one is place)

    def listing(self, where: Where | None = None) -> None:
        """List the records of a kind, as many as a page takes; now and then a window of them in between."""
        if where is None and not self.grounds.venues:
            return
        place = self.grounds.venues[where or self.rng.choice(list(self.grounds.venues))]
        listed = self._list(place).reply.data
        if isinstance(listed, list) and len(listed) > 1 and self.rng.random() < WINDOWS:
            skip = self.rng.randrange(1, len(listed))
            self._list(place, skip=skip, take=self.rng.randint(1, len(listed) - skip))
            self._list(place)

    def _list(self, place: Venue, *, skip: int | None = None, take: int = PAGE) -> Exchange:
        made = single(place, "list")
        page = made.operation.record.page if made.operation.record is not None else None
        if page is not None and page.take is not None:
            made.put(page.take, min(page.max or LISTED, take))
        if page is not None and page.skip is not None and skip is not None:
            made.put(page.skip, skip)
        return self.session.bench.send(made.call())

    def repeat(self) -> None:
        """Send a request once more as it was."""
        if self.posted:
            self._take_turns()
            self.session.bench.send(self.rng.choice(self.posted))

    def _job(self) -> bool:
        """See to it that a job is under way; say whether one is."""
        if not self.jobs.under_way():
            able = [one for one in self.grounds.bulk if one.operation.bulk and one.operation.bulk.job is not None]
            if able:
                self.post(profile=PROFILES["deferred"], ground=self.rng.choice(able))
        return bool(self.jobs.under_way())

    def poll(self) -> None:
        """Ask for a job that is under way."""
        if self._job():
            self.jobs.poll()

    def early(self) -> None:
        """Read records that a job under way is to change, then ask for the job."""
        if self._job():
            watched = self.rng.choice(self.jobs.under_way())
            touched = self.jobs.touched(watched)
            for entry in self.rng.sample(touched, min(2, len(touched))):
                self.read(entry.where, entry.key)
            self.jobs.ask(watched)

    def finish(self) -> None:
        """Wait for the oldest job to end, and read some of its records."""
        for watched in self.jobs.under_way()[:1]:
            touched = self.jobs.touched(watched)
            self.jobs.finish(watched)
            count = int(self.style.reads * 2 + self.rng.random())
            self.look([(one.where, one.key) for one in self.rng.sample(touched, min(count, len(touched)))])

    def cancel(self) -> None:
        """Cancel a job that is under way, and see that nothing of it is done; or one that has ended, too late."""
        ended = self.jobs.ended()
        if ended and self.rng.random() < LATE:
            watched = self.rng.choice(ended)
            self.jobs.cancel_late(watched)
            self.look(self._touched(watched.view)[:2])
        elif self._job():
            watched = self.rng.choice(self.jobs.under_way())
            if watched.declared.cancel is not None:
                self.look([(one.where, one.key) for one in self.jobs.cancel(watched)[:2]])
                self.listing()

    def again(self) -> None:
        """Ask once more for a job that has ended."""
        self.jobs.again()

    def _touched(self, view: View) -> list[tuple[Where, object]]:
        """Return records that a call has written, as far as something is known of them, in any order."""
        told = [one for telling in view.tellings for one in telling.outcomes]
        named = [(view.call.items[one.index].resource, one.id) for one in told]
        named += [(item.resource, item.target) for item in view.call.items]
        ledger = self.session.watcher.ledger
        found: list[tuple[Where, object]] = [
            (where, key)
            for resource, key in named
            for where in self.grounds.venues
            if where.resource == resource and isinstance(key, str | int) and ledger.find(where, key) is not None
        ]
        self.rng.shuffle(found)
        return found


MOVES: Final[Mapping[str, Callable[[Player], None]]] = {
    "again": Player.again,
    "cancel": Player.cancel,
    "early": Player.early,
    "finish": Player.finish,
    "ghost": Player.ghost,
    "list": Player.listing,
    "poll": Player.poll,
    "post": Player.post,
    "repeat": Player.repeat,
    "single": Player.single,
}
