"""The journal as the laws of conduct read it: deeds in order, the jobs that clients were told of, repeated calls."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from typing import Final

from contracts.bulk import Bulk, BulkJob
from contracts.lifecycle import FINAL
from contracts.model import Contract, Operation
from mockserver.conduct.gist import NOTHING, OK, Gist
from mockserver.conduct.packing import marks_in, unpack
from mockserver.conduct.sent import Items
from mockserver.conduct.told import Made
from mockserver.journal import Entry, Kept

REFUSED: Final = frozenset((HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS))
POLLED: Final = frozenset((*OK, HTTPStatus.TOO_MANY_REQUESTS))  # a poll was looked at, or refused for its haste


@dataclass(frozen=True, kw_only=True, eq=False)
class Deed:
    """One exchange as the laws of conduct see it: the journal's entry, and the operation that was called, if any."""

    entry: Entry
    operation: Operation | None = None

    @property
    def n(self) -> int:
        """The exchange's number."""
        return self.entry.n

    @property
    def at(self) -> datetime:
        """When the call arrived, by the sandbox's clock."""
        return self.entry.at

    @property
    def status(self) -> int:
        """The status of the reply."""
        return self.entry.status

    @cached_property
    def gist(self) -> Gist:
        """The facts that were taken down."""
        return self.entry.gist or NOTHING

    @property
    def bulk(self) -> Bulk | None:
        """What the operation declares, None when it is no bulk operation."""
        return None if self.operation is None else self.operation.bulk

    @property
    def items(self) -> Items | None:
        """What a bulk call sent."""
        return self.gist.items

    @property
    def heard(self) -> bool:
        """Whether the whole reply was sent."""
        return self.entry.staged is None or self.entry.staged.arrived

    @property
    def taken(self) -> bool:
        """Whether the call was answered with success."""
        return self.heard and self.status in OK

    @property
    def keys(self) -> list[str]:
        """The items' keys, none where items have no keys of their own; unpacked each time, as they may be many."""
        return [] if self.items is None else unpack(self.items.keys)

    @property
    def marks(self) -> Sequence[int]:
        """A mark of each item's content, unpacked each time."""
        return () if self.items is None else marks_in(self.items.marks)

    @property
    def client(self) -> str:
        """Who called."""
        return self.entry.client

    @property
    def is_understood(self) -> bool:
        """Whether the call was carried out, or refused for other reasons than a mistake in it."""
        return self.status in OK or self.status in REFUSED or bool(self.entry.results)

    @cached_property
    def named(self) -> frozenset[str]:
        """The records with versions that the call speaks of, as `Resource/key`."""
        return frozenset(unpack(self.gist.targets))

    @cached_property
    def shown(self) -> frozenset[str]:
        """The keys of the records with versions that the reply showed."""
        return frozenset(unpack(self.gist.shown))

    @cached_property
    def targets(self) -> frozenset[str]:
        """The tenants or data sets that the call spoke to."""
        told = frozenset(made.target for made in self.gist.made if made.target)
        return told or frozenset((self.entry.tenant,))

    @cached_property
    def request(self) -> tuple[object, ...]:
        """What makes two calls the same: who, where, and with which content."""
        entry = self.entry
        body = entry.call.digest or (entry.call.body if self.items is None else self.items.marks)
        return (entry.api, entry.client, entry.method, entry.path, entry.query, body)

    def header(self, name: str) -> str:
        """Return a header of the reply, "" when it has none of that name."""
        return header_of(self.entry.reply, name)


def header_of(message: Kept, name: str) -> str:
    """Return the first header of that name in a recorded message, "" when there is none."""
    wanted = f"{name.lower()}:"
    found = (line for line in message.headers.split("\n") if line.lower().startswith(wanted))
    return next(found, "").partition(":")[2].strip()


@dataclass(frozen=True, kw_only=True, eq=False)
class Watch:
    """A job as its client saw it.

    `post` is the call that made it, None when the journal has forgotten that. `asked` are the calls about it in order.
    """

    id: str
    target: str
    declared: BulkJob
    post: Deed | None
    due: datetime | None = None
    asked: tuple[Deed, ...] = ()

    @cached_property
    def polls(self) -> tuple[Deed, ...]:
        """The calls that asked for its state."""
        return tuple(deed for deed in self.asked if _is_poll(deed, self.declared) and deed.status in POLLED)

    @cached_property
    def end(self) -> Deed | None:
        """The first call that was told a final state."""
        return next((deed for deed in self.asked if deed.gist.state in FINAL), None)

    @cached_property
    def told(self) -> Deed | None:
        """The first call that was told which items were not done."""
        return next((deed for deed in self.asked if deed.gist.undone), None)

    @property
    def ended_before(self) -> float:
        """The number of the exchange that told its end, infinity when none has."""
        return float("inf") if self.end is None else self.end.n


def _is_poll(deed: Deed, declared: BulkJob) -> bool:
    return deed.operation is not None and deed.operation.id == declared.poll


@dataclass(frozen=True, kw_only=True, eq=False)
class History:
    """Deeds in the order of their numbers, and the jobs that clients were told of or asked about."""

    deeds: tuple[Deed, ...]
    jobs: tuple[Watch, ...]

    @cached_property
    def by_id(self) -> Mapping[str, Watch]:
        """The jobs by their ids."""
        return {job.id: job for job in self.jobs}

    @cached_property
    def by_post(self) -> Mapping[int, tuple[Watch, ...]]:
        """The jobs by the number of the call that made them."""
        found: dict[int, list[Watch]] = {}
        for job in self.jobs:
            if job.post is not None:
                found.setdefault(job.post.n, []).append(job)
        return {n: tuple(jobs) for n, jobs in found.items()}

    @cached_property
    def posts(self) -> tuple[Deed, ...]:
        """The bulk calls whose items are known."""
        return tuple(deed for deed in self.deeds if deed.items is not None)

    @cached_property
    def repeats(self) -> tuple[tuple[Deed, ...], ...]:
        """The calls that were made more than once, each with its repetitions."""
        found: dict[tuple[object, ...], list[Deed]] = {}
        for deed in self.deeds:
            found.setdefault(deed.request, []).append(deed)
        return tuple(tuple(same) for same in found.values() if len(same) > 1)


def history_of(contract: Contract, entries: Iterable[Entry]) -> History:
    """Return the exchanges with one API as its clients' history."""
    operations = {one.id: one for one in contract.operations}
    deeds = tuple(Deed(entry=one, operation=operations.get(one.operation or "")) for one in entries)
    return History(deeds=deeds, jobs=_jobs(contract, deeds))


def together(histories: Iterable[History]) -> History:
    """Return several histories as one."""
    every = tuple(histories)
    deeds = sorted((deed for one in every for deed in one.deeds), key=lambda deed: deed.n)
    return History(deeds=tuple(deeds), jobs=tuple(job for one in every for job in one.jobs))


def _jobs(contract: Contract, deeds: Sequence[Deed]) -> tuple[Watch, ...]:
    declared = _declared(contract)
    made = {one.id: (one, deed) for deed in deeds for one in deed.gist.made}
    asked: dict[str, list[Deed]] = {name: [] for name in made}
    for deed in deeds:
        if deed.gist.asked:
            asked.setdefault(deed.gist.asked, []).append(deed)
    watches = (_watch(name, made.get(name), calls, declared) for name, calls in asked.items())
    return tuple(one for one in watches if one is not None)


def _watch(
    name: str, known: tuple[Made, Deed] | None, calls: Sequence[Deed], declared: Mapping[str, BulkJob]
) -> Watch | None:
    """Return a job; one made by a call that is no bulk call is like those of the API's bulk calls."""
    if known is None:
        of = None if calls[0].operation is None else declared.get(calls[0].operation.id)
        return None if of is None else Watch(id=name, target="", declared=of, post=None, asked=tuple(calls))
    made, post = known
    own = next(iter(declared.values()), None) if post.bulk is None else post.bulk.job
    if own is None:
        return None
    return Watch(id=name, target=made.target, declared=own, post=post, due=made.due, asked=tuple(calls))


def _declared(contract: Contract) -> dict[str, BulkJob]:
    """Return for each operation that speaks of jobs what is declared of them."""
    found: dict[str, BulkJob] = {}
    for one in contract.operations:
        job = None if one.bulk is None else one.bulk.job
        for name in () if job is None else (job.poll, job.cancel, *job.results):
            if name is not None and job is not None:
                found.setdefault(name, job)
    return found
