"""Jobs as plans on the clock: what state a job is in is a function of the instant asked about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Any, Final

from contracts.bulk import BulkJob
from contracts.messages import Call
from mockserver.domain.values import Outcome
from mockserver.stores.spill import Parcel

NO_CALL: Final = Call(method="POST", path="/")
UNDECLARED: Final = 10_000  # ended jobs that are remembered where no declaration says for how long


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An accepted piece of work: what was asked, when it begins and when it is due.

    `due` is None for a job that never ends. `call` is the call that made it without its body, which `parcel` keeps;
    both go when the job has ended. `variables` and `query` are what was read from it. `arrival` numbers the jobs of a
    world. `keep` is how long it is remembered once it has ended, None where nothing says so; `forgotten` is when that
    is over whatever it is at.
    """

    id: str
    operation: str
    scope: str
    client: str
    posted: datetime
    begins: datetime
    due: datetime | None
    items: int
    variables: Mapping[str, str]
    query: Mapping[str, object]
    parcel: Parcel | None
    unit: str
    arrival: int
    call: Call = NO_CALL
    cancelled: datetime | None = None
    keep: timedelta | None = None
    forgotten: datetime | None = None
    progress: str = "at-end"
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What running a job came to: how many items were done, and the entries that say so in the API's shape.

    `broken` tells that a fault of the sandbox's own kept the job from being carried out.
    """

    done: int
    failed: int
    not_run: int
    status: int
    entries: object
    outcomes: Sequence[Outcome] = ()
    broken: bool = False


def is_final(job: Job, now: datetime) -> bool:
    """Tell whether `job` has ended by `now`."""
    return job.cancelled is not None or (job.due is not None and job.due <= now)


def state(job: Job, result: Result | None, now: datetime) -> str:
    """Return the class of state (see `contracts.lifecycle`) that `job` is in at `now`."""
    if job.cancelled is not None:
        return "cancelled"
    if job.due is not None and job.due <= now:
        if result is not None and result.broken:
            return "failed"
        return "doneWithErrors" if result is not None and result.failed else "done"
    return "queued" if now < job.begins else "running"


def leaves(job: Job) -> datetime | None:
    """Return the instant from which a job that has ended is unknown, None when none is set."""
    end = job.cancelled or job.due
    if end is None:
        return None
    kept = () if job.keep is None else (end + job.keep,)
    gone = () if job.forgotten is None else (max(end, job.forgotten),)
    return min((*kept, *gone), default=None)


def plan(job: Job) -> tuple[tuple[datetime, str], ...]:
    """Return the instants at which the state changes, with the class that begins there."""
    moves = [(job.posted, "queued")] if job.posted < job.begins else []
    moves.append((job.begins, "running"))
    if job.cancelled is not None:
        return (*(move for move in moves if move[0] <= job.cancelled), (job.cancelled, "cancelled"))
    return (*moves, (job.due, "done")) if job.due is not None else tuple(moves)


def processed(job: Job, now: datetime) -> int:
    """Return how many items have been processed by `now`: by the job's way of progress, all of them at the end."""
    if job.due is not None and job.due <= now and job.cancelled is None:
        return job.items
    now = now if job.cancelled is None else min(now, job.cancelled)
    if job.progress == "at-end" or now <= job.begins:
        return 0
    until = job.due if job.due is not None else job.begins + timedelta(hours=1)
    share = min(0.999, (now - job.begins) / (until - job.begins))
    steps = 4 if job.progress == "stepped" else job.items
    return job.items * int(share * steps) // steps


def schedule(declared: BulkJob, items: int, posted: datetime) -> tuple[datetime, datetime]:
    """Return when a job of `items` items begins and when it is due, as its declaration says."""
    length = declared.takes.base + declared.takes.per_item * items
    return posted + length * declared.takes.queued, posted + length


@dataclass(slots=True)
class JobBook:
    """The jobs of a world: by id, those yet to run in the order in which they fall due, and those that have ended.

    An ended job stays until its time is over (`leaving`), or among the newest of those that have none (`lasting`).
    """

    jobs: dict[str, Job] = field(default_factory=dict)
    results: dict[str, Result] = field(default_factory=dict)
    agenda: list[tuple[datetime, int, int, str]] = field(default_factory=list)
    unfinished: dict[str, None] = field(default_factory=dict)
    leaving: list[tuple[datetime, int, str]] = field(default_factory=list)
    lasting: dict[str, None] = field(default_factory=dict)
    arrivals: int = 0

    def add(self, job: Job, precedence: int) -> None:
        """Take in a new job; `precedence` orders those due at the same instant."""
        self.jobs[job.id] = job
        self.unfinished[job.id] = None
        if job.due is not None:
            heappush(self.agenda, (job.due, precedence, job.arrival, job.id))

    def next_due(self) -> datetime | None:
        """Return the instant of the next job to run, or None."""
        while self.agenda and self.agenda[0][3] not in self.unfinished:
            heappop(self.agenda)
        return self.agenda[0][0] if self.agenda else None

    def pop_due(self, now: datetime) -> Job | None:
        """Take the next job that is due by `now` off the agenda, or return None."""
        due = self.next_due()
        if due is None or due > now:
            return None
        job = self.jobs[heappop(self.agenda)[3]]
        self.unfinished.pop(job.id, None)
        return job

    def change(self, job: Job) -> None:
        """Replace the job of that id; a cancelled one is no longer unfinished."""
        self.jobs[job.id] = job
        if job.cancelled is not None:
            self.end(job)

    def end(self, job: Job) -> None:
        """Take note that a job has run or is cancelled; what it was sent is not kept."""
        kept = self.jobs[job.id] = replace(job, parcel=None, call=NO_CALL)
        self.unfinished.pop(job.id, None)
        until = leaves(kept)
        if until is not None:
            heappush(self.leaving, (until, job.arrival, job.id))
        else:
            self.lasting[job.id] = None

    def forget(self, now: datetime) -> list[str]:
        """Drop the jobs whose time is over by `now`, and the oldest beyond `UNDECLARED`; return their ids."""
        over: list[str] = []
        while self.leaving and self.leaving[0][0] <= now:
            over.append(heappop(self.leaving)[2])
        while len(self.lasting) > UNDECLARED:
            over.append(next(iter(self.lasting)))
            del self.lasting[over[-1]]
        for name in over:
            self.jobs.pop(name, None)
            self.results.pop(name, None)
        return over
