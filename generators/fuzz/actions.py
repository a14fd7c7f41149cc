"""The actions of a sequence: post a batch, write a single record, read, list, repeat, poll and cancel jobs.

Begin with `SequenceRunner`. The sequences are those of stateful property-based testing, as in Hypothesis'
`RuleBasedStateMachine`, with all records of the state model as bundles.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from random import Random
from typing import Final

from contracts.bulk.model import Bulk
from contracts.exchange.bulk_exchange import BulkExchange
from contracts.messages import Exchange, Request
from contracts.schemas.equality import key_text
from generators.errors import NotApplicableError
from generators.fuzz.job_actions import JobActions
from generators.fuzz.schedule import SequenceProfile, with_edge_cases
from generators.fuzz.shards import TaskRun
from generators.fuzz.targets import FuzzTarget, FuzzTargets
from generators.oracles.state_model import RecordSet
from generators.requests.batch import PlannedBatch, PlannedItem, compose_within_limit
from generators.requests.profiles import PROFILES, Profile, draw_profile, draw_size
from generators.requests.single import MAX_PAGE_SIZE, RecordSite, list_request, record_request, write_request

EQUIVALENT_ACTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "create": ("create", "upsert", "replace"),
    "upsert": ("upsert", "replace", "update", "create"),
    "update": ("update", "upsert", "replace"),
    "replace": ("replace", "upsert"),
    "delete": ("delete", "upsert"),
}
DEFAULT_PAGE_SIZE: Final = 200
MAX_REPEATABLE_REQUESTS: Final = 20  # latest requests that may be repeated
MAX_UNKNOWN_READS: Final = 4  # records in an unknown state that are read after a request
NEAR_FAULT_SHARE: Final = 0.5  # share of reads of records near a defect or at an end
EDGE_CASE_SHARE: Final = 0.25
PARTIAL_LIST_SHARE: Final = 0.5  # share of lists that are followed by a part of them
SINGLE_SHARE: Final = 0.4  # share of single requests among those after a deletion
LISTED_SHARE: Final = 0.1  # share of new records, made by single requests, after which a long list is read
SMALL_LIST: Final = 50  # of so many known records, which is read after each
LATE_CANCEL_SHARE: Final = 0.3  # share of cancellations after the job's end
REFUSAL_STATUSES: Final = range(400, 500)
STOCKED_SHARE: Final = 0.8  # share of sequences in which records are created before what changes them or refers to them
STOCK_SIZE: Final = 3
FITTING_SHARE: Final = 0.8  # share of requests with no more items than there are records for them


@dataclass(slots=True)
class SequenceRunner:
    """Performs the actions of one task, all of them drawn from `rng`."""

    run: TaskRun
    targets: FuzzTargets
    style: SequenceProfile
    rng: Random
    jobs: JobActions = field(init=False)
    posted: list[Request] = field(default_factory=list)
    items: int = 0
    batches: int = 0
    stocked: set[RecordSet] = field(default_factory=set)
    stocks: bool = field(init=False)

    def __post_init__(self) -> None:
        self.jobs = JobActions(self.run, self.rng)
        self.stocks = self.rng.random() < STOCKED_SHARE

    def perform(self, kind: str) -> None:
        """Perform one action; nothing happens when it is not possible here."""
        try:
            ACTIONS[kind](self)
        except NotApplicableError:
            return
        finally:
            self.run.session.take_history()

    def compose(self, target: FuzzTarget, size: int, profile: Profile) -> PlannedBatch:
        """Return a batch of the target's operation, composed from the known records."""
        known = self.run.oracle.state_model.known(target.scope)
        known.targets = target.targets
        seed, prefix = self.rng.getrandbits(48), self.run.environment.prefix
        return compose_within_limit(target.composer, seed=seed, size=size, profile=profile, known=known, prefix=prefix)

    def _stock(self, target: FuzzTarget) -> None:
        """Create a few records of what a target writes, and before of what these may refer to, if none are known."""
        lineage = dict.fromkeys(chain.from_iterable(self.targets.lineage.get(one, ()) for one in target.resources))
        for where in [RecordSet(target.scope, one) for one in lineage] if self.stocks else ():
            maker = None if where in self.stocked else self.targets.creator(where)
            self.stocked.add(where)
            if maker is not None and not self.run.oracle.state_model.known(where.scope).live(where.resource):
                self.run.session.send(self.compose(maker, STOCK_SIZE, PROFILES["valid"]).request)
                self._finish_all()

    def _finish_all(self) -> None:
        while self.jobs.running():
            self.finish()

    def post(
        self,
        *,
        size: int | None = None,
        profile: Profile | None = None,
        target: FuzzTarget | None = None,
        reads: bool = True,
    ) -> None:
        """Post a batch, and read some of its records, if it `reads`."""
        while len(self.jobs.running()) >= self.style.in_flight:
            self.finish()
        target = target or self.rng.choice(self.targets.bulk)
        self._stock(target)
        bulk = target.operation.bulk
        assert bulk is not None  # noqa: S101 - a target is of a bulk operation
        size = self._draw_size(target, bulk) if size is None else size
        batch = self.compose(target, size, profile or draw_profile(self.rng))
        kind = self.run.oracle.record_types.get(self.rng.choice(target.resources))
        request = with_edge_cases(batch, bulk, kind, self.rng) if self.rng.random() < EDGE_CASE_SHARE else batch.request
        self.posted = [*self.posted[-MAX_REPEATABLE_REQUESTS:], request]
        self.items += len(batch.items)
        self.batches += 1
        exchange = self.run.session.send(request)
        if not reads:
            return
        refused = exchange.response.status in REFUSAL_STATUSES
        self.read_back(self._records_to_read(batch.items, target, refused=refused))
        if refused and self.rng.random() < self.style.reads * NEAR_FAULT_SHARE:
            self.list_created(batch, target)

    def _draw_size(self, target: FuzzTarget, bulk: Bulk) -> int:
        """Draw an item count; mostly of no more items than there are records, where each needs one."""
        size, known = draw_size(bulk, self.rng, mean=self.style.mean), self.run.oracle.state_model.known(target.scope)
        if target.creates or self.rng.random() > FITTING_SHARE:
            return size
        return max(1, bulk.items.min, min(size, sum(len(known.live(one)) for one in target.resources)))

    def list_created(self, batch: PlannedBatch, target: FuzzTarget) -> None:
        """List the records of a request's first resource, when the server assigns its keys."""
        first = next(iter(batch.items), None)
        where = None if first is None else RecordSet(target.scope, first.resource or "")
        if first is not None and first.target is None and where in self.targets.sites:
            self.listing(where)

    def _records_to_read(
        self, items: Sequence[PlannedItem], target: FuzzTarget, *, refused: bool
    ) -> list[tuple[RecordSet, object]]:
        """Choose records of a request to read: at random, preferring those near defects and at the ends."""
        named = [
            (RecordSet(target.scope, item.resource or ""), item.target) for item in items if item.target is not None
        ]
        if refused and named and self.rng.random() < NEAR_FAULT_SHARE:
            return [named[0], named[-1]]
        count = int(self.style.reads + self.rng.random()) if named else 0
        wrong = [n for n, item in enumerate(items) if item.intent != "good"]
        near = [n + by for n in wrong for by in (0, 1)] + [0, len(named) - 1]
        chosen = [self._choose_index(near, len(named)) for _ in range(count)]
        return [named[n] for n in dict.fromkeys(chosen) if n < len(named)]

    def _choose_index(self, near: Sequence[int], size: int) -> int:
        return self.rng.choice(near) if self.rng.random() < NEAR_FAULT_SHARE else self.rng.randrange(size)

    def read_back(self, wanted: Sequence[tuple[RecordSet, object]]) -> None:
        """Read records: the wanted ones, one reported by the last response, and some in an unknown state."""
        doubted = list(self.run.oracle.state_model.unknown)[:MAX_UNKNOWN_READS]
        for where, key in dict.fromkeys([*wanted, *self._reported_record(), *doubted]):
            self.read(where, key)

    def _reported_record(self) -> list[tuple[RecordSet, object]]:
        """Return one record whose key the last response reported; empty for none."""
        view = self.run.oracle.last_view
        told = [one for report in (view.reports if view is not None else ()) for one in report.outcomes]
        named = [one for one in told if isinstance(one.id, str | int)]
        if view is None or not named or self.rng.random() > self.style.reads:
            return []
        outcome = self.rng.choice(named)
        resource = view.request.items[outcome.index].resource
        places: list[tuple[RecordSet, object]] = [
            (where, key_text(outcome.id)) for where in self.targets.sites if where.resource == resource
        ]
        return places[:1]

    def read(self, where: RecordSet, key: object) -> None:
        """Read one record."""
        place = self.targets.sites.get(where)
        self.run.oracle.state_model.unknown.pop((where, key_text(key)), None)
        if place is not None and "read" in place.operations:
            self.run.session.send(record_request(place, "read", key=key).request())

    def _finish_running(self) -> None:
        """Wait for running jobs before the next write, where the profile asks for it."""
        if self.style.in_turn:
            self._finish_all()

    def single(self, target: FuzzTarget | None = None, profile: Profile | None = None) -> None:
        """Apply to one record, by a single-record request, what an item would have applied."""
        self._finish_running()
        target = target or self.rng.choice(self.targets.bulk)
        self._stock(target)
        item = self.compose(target, 1, profile or draw_profile(self.rng)).items[0]
        place = self.targets.sites.get(RecordSet(target.scope, item.resource or ""))
        action = next(
            (one for one in EQUIVALENT_ACTIONS.get(item.action, ()) if place and one in place.operations), None
        )
        if place is not None and action is not None and item.intent != "malformed":
            self._write(place, action, item)

    def delete_then_reference(self) -> None:
        """Delete a record by a single-record request, then write records that refer to it or are it."""
        self._finish_running()
        known = self.run.oracle.state_model.known
        able = {where: place for where, place in self.targets.sites.items() if "delete" in place.operations}
        stored = [where for where in able if known(where.scope).live(where.resource)]
        if not stored:
            return
        where = self.rng.choice(stored)
        place, record = able[where], self.rng.choice(known(where.scope).live(where.resource))
        self.run.session.send(write_request(place, "delete", {}, key=record.key, version=record.version).request())
        related = self.targets.related.get(where.resource, frozenset())
        near = [one for one in self.targets.bulk if one.scope == where.scope and not related.isdisjoint(one.resources)]
        if near:
            write = self.single if self.rng.random() < SINGLE_SHARE else self.post
            write(profile=PROFILES["haunted"], target=self.rng.choice(near))

    def _write(self, place: RecordSite, action: str, item: PlannedItem) -> None:
        key = item.target
        if key is None and action != "create":
            return
        where = self._where(place)
        entry = self.run.oracle.state_model.find(where, key)
        known = entry.version if entry is not None and entry.version is not None else None
        version = known if item.version is None else item.version
        self.run.session.send(write_request(place, action, dict(item.values or {}), key=key, version=version).request())
        self.read_back([(where, key)] if key is not None else [])
        is_small = len(self.run.oracle.state_model.known(where.scope).live(where.resource)) < SMALL_LIST
        if (entry is None or entry.present is not True) and (is_small or self.rng.random() < LISTED_SHARE):
            self.listing(where)

    def _where(self, place: RecordSite) -> RecordSet:
        return next(where for where, one in self.targets.sites.items() if one is place)

    def listing(self, where: RecordSet | None = None) -> None:
        """List the records of a resource, as many as a page holds; sometimes also a part of them, and all again."""
        if where is None and not self.targets.sites:
            return
        place = self.targets.sites[where or self.rng.choice(list(self.targets.sites))]
        listed = self._list(place).response.data
        if isinstance(listed, list) and len(listed) > 1 and self.rng.random() < PARTIAL_LIST_SHARE:
            skip = self.rng.randrange(1, len(listed))
            self._list(place, skip=skip, take=self.rng.randint(1, len(listed) - skip))
            self._list(place)

    def _list(self, place: RecordSite, *, skip: int = 0, take: int = MAX_PAGE_SIZE) -> Exchange:
        return self.run.session.send(
            list_request(place, skip=skip, take=min(place.page.max or DEFAULT_PAGE_SIZE, take)).request()
        )

    def repeat(self) -> None:
        """Send an earlier request again, unchanged."""
        if self.posted:
            self._finish_running()
            self.run.session.send(self.rng.choice(self.posted))

    def _ensure_job(self, *, reads: bool = True) -> bool:
        """Start a job unless one is running, and read some of its records if it `reads`; return whether one is."""
        if not self.jobs.running():
            able = [one for one in self.targets.bulk if one.operation.bulk and one.operation.bulk.job is not None]
            if able:
                self.post(profile=PROFILES["deferred"], target=self.rng.choice(able), reads=reads)
        return bool(self.jobs.running())

    def poll(self) -> None:
        """Poll a running job."""
        if self._ensure_job():
            self.jobs.poll()

    def read_early(self) -> None:
        """Read records that a running job is to change, then poll the job."""
        if self._ensure_job():
            tracked = self.rng.choice(self.jobs.running())
            affected_records = self.jobs.affected_records(tracked)
            for entry in self.rng.sample(affected_records, min(2, len(affected_records))):
                self.read(entry.where, entry.key)
            self.jobs.ask(tracked)

    def finish(self) -> None:
        """Wait for the oldest job to end, and read some of its records."""
        for tracked in self.jobs.running()[:1]:
            affected_records = self.jobs.affected_records(tracked)
            self.jobs.finish(tracked)
            count = int(self.style.reads * 2 + self.rng.random())
            self.read_back(
                [(one.where, one.key) for one in self.rng.sample(affected_records, min(count, len(affected_records)))]
            )

    def cancel(self) -> None:
        """Cancel a running job and read its records, which must not change; or cancel one that has ended."""
        ended_jobs = self.jobs.ended_jobs()
        if ended_jobs and self.rng.random() < LATE_CANCEL_SHARE:
            tracked = self.rng.choice(ended_jobs)
            self.jobs.cancel_late(tracked)
            self.read_back(self._written_records(tracked.view)[:2])
            return
        self._finish_all()  # what runs may have ended, for all that is known
        if self._ensure_job(reads=False):
            tracked = self.rng.choice(self.jobs.running())
            if tracked.declared.cancel is not None:
                self.read_back([(one.where, one.key) for one in self.jobs.cancel(tracked)[:2]])
                written = {item.resource for item in tracked.view.request.items}
                places = [where for where in self.targets.sites if where.resource in written]
                self.listing(self.rng.choice(places) if places else None)

    def poll_ended(self) -> None:
        """Poll a job that has ended."""
        self.jobs.poll_ended()

    def _written_records(self, view: BulkExchange) -> list[tuple[RecordSet, object]]:
        """Return records that a request has written and the state model knows, in random order."""
        told = [one for report in view.reports for one in report.outcomes]
        named = [(view.request.items[one.index].resource, one.id) for one in told]
        named += [(item.resource, item.target) for item in view.request.items]
        state_model = self.run.oracle.state_model
        found: list[tuple[RecordSet, object]] = [
            (where, key)
            for resource, key in named
            for where in self.targets.sites
            if where.resource == resource and isinstance(key, str | int) and state_model.find(where, key) is not None
        ]
        self.rng.shuffle(found)
        return found


ACTIONS: Final[Mapping[str, Callable[[SequenceRunner], None]]] = {
    "again": SequenceRunner.poll_ended,
    "cancel": SequenceRunner.cancel,
    "early": SequenceRunner.read_early,
    "finish": SequenceRunner.finish,
    "ghost": SequenceRunner.delete_then_reference,
    "list": SequenceRunner.listing,
    "poll": SequenceRunner.poll,
    "post": SequenceRunner.post,
    "repeat": SequenceRunner.repeat,
    "single": SequenceRunner.single,
}
