"""Jobs and their state, which is a pure function of the job, its result and the time: see `job_state`.

A job is a plan on the sandbox's clock: the instants at which it begins and is due are set when it is accepted, and
nothing runs in the background. `JobRegistry` holds the jobs of one API and tells which are due.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Any, Final

from contracts.bulk.model import BulkJob
from contracts.messages import Request
from mockserver.domain.values import Outcome
from mockserver.stores.spooled_bodies import SpooledBody

NO_REQUEST: Final = Request(method="POST", path="/")
MAX_ENDED_JOBS: Final = 10_000  # ended jobs that are remembered where no declaration says for how long


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An accepted job: what was requested, when it begins, and when it is due. Instants are of the sandbox's clock.

    `due` is None for a job that never ends. `request` is the request that made it, without its body, which
    `spooled_body` holds; both are dropped when the job ends. `variables` and `query` are its parsed parameters. `items`
    is the number of items, `arrival` numbers the jobs of an API from 0. `retention` is how long the job can be polled
    after its end, None where nothing limits it; from `forget_at` on it is unknown in any state. `progress` is `at-end`,
    `stepped` (quarters) or `linear`.
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
    spooled_body: SpooledBody | None
    unit: str
    arrival: int
    request: Request = NO_REQUEST
    cancelled: datetime | None = None
    retention: timedelta | None = None
    forget_at: datetime | None = None
    progress: str = "at-end"
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """The result of a job that ran: numbers of items by result, and the entries rendered for its poll.

    `failed_entries` are the failures, `not_run_entries` what was not run, where those stand apart, `error` is why the
    job failed as a whole. `status` is the status code that a synchronous request would have had. `is_internal_fault`
    marks a job that an internal error kept from running.
    """

    done: int
    failed: int
    not_run: int
    status: int
    entries: object
    outcomes: Sequence[Outcome] = ()
    is_internal_fault: bool = False
    failed_entries: object = None
    not_run_entries: object = None
    error: str = ""

    def entries_of(self, result: str | None) -> object:
        """Return the entries of what is `done`, `failed` or `notRun`, where each stands apart; else all of them."""
        apart = {"failed": self.failed_entries, "notRun": self.not_run_entries}
        return apart.get(result or "", self.entries)


IS_OPEN: Final = "open"  # in a job's `extra`: it has been made, and waits to be set going


def is_final(job: Job, now: datetime) -> bool:
    """Tell whether the job has ended by `now`."""
    return job.cancelled is not None or (job.due is not None and job.due <= now)


def job_state(job: Job, result: JobResult | None, now: datetime) -> str:
    """Return the state of a job at `now`: queued, running, done, doneWithErrors, failed or cancelled.

    `contracts.bulk.model` names these classes of state; `mockserver.bulk.job_endpoints.state_word` translates them into
    an API's own words. `result` is None as long as the job has not run.
    """
    if job.cancelled is not None:
        return "cancelled"
    if job.extra.get(IS_OPEN):
        return "open"
    if job.due is not None and job.due <= now:
        if result is not None and (result.is_internal_fault or result.error):
            return "failed"
        return "doneWithErrors" if result is not None and result.failed else "done"
    return "queued" if now < job.begins else "running"


def retention_end(job: Job) -> datetime | None:
    """Return the instant from which an ended job is unknown, None when none is set."""
    end = job.cancelled or job.due
    if end is None:
        return None
    kept = () if job.retention is None else (end + job.retention,)
    gone = () if job.forget_at is None else (max(end, job.forget_at),)
    return min((*kept, *gone), default=None)


def state_changes(job: Job) -> tuple[tuple[datetime, str], ...]:
    """Return the instants at which the state changes, each with the class of state that begins there, in order."""
    moves = [(job.posted, "queued")] if job.posted < job.begins else []
    moves.append((job.begins, "running"))
    if job.cancelled is not None:
        return (*(move for move in moves if move[0] <= job.cancelled), (job.cancelled, "cancelled"))
    return (*moves, (job.due, "done")) if job.due is not None else tuple(moves)


def processed_items(job: Job, now: datetime) -> int:
    """Return the number of items processed by `now`, 0 to `job.items`, according to the job's `progress`.

    A job that never ends advances towards one hour after its beginning, and never reaches the last item.
    """
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
    """Return when a job of `items` items begins and is due, computed from the declared duration (`takes`)."""
    length = declared.takes.base + declared.takes.per_item * items
    return posted + length * declared.takes.queued, posted + length


@dataclass(slots=True)
class JobRegistry:
    """The jobs of one API by id, with the queue of unfinished jobs by due instant.

    `expiry_queue` holds the ended jobs that have a retention, `without_expiry` the others, of which the newest
    `MAX_ENDED_JOBS` are kept.
    """

    jobs: dict[str, Job] = field(default_factory=dict)
    results: dict[str, JobResult] = field(default_factory=dict)
    due_queue: list[tuple[datetime, int, int, str]] = field(default_factory=list)
    unfinished: dict[str, None] = field(default_factory=dict)
    expiry_queue: list[tuple[datetime, int, str]] = field(default_factory=list)
    without_expiry: dict[str, None] = field(default_factory=dict)
    arrivals: int = 0

    def add(self, job: Job, precedence: int) -> None:
        """Add a new job; `precedence` orders jobs due at the same instant, smaller first."""
        self.jobs[job.id] = job
        self.unfinished[job.id] = None
        if job.due is not None:
            heappush(self.due_queue, (job.due, precedence, job.arrival, job.id))

    def withdraw(self, job: Job) -> None:
        """Remove a new job; its entry in the queue is passed over."""
        self.jobs.pop(job.id, None)
        self.unfinished.pop(job.id, None)

    def start(self, job: Job, precedence: int) -> None:
        """Replace a job that was open by the same with a due instant."""
        self.jobs[job.id] = job
        if job.due is not None:
            heappush(self.due_queue, (job.due, precedence, job.arrival, job.id))

    def next_due(self) -> datetime | None:
        """Return the due instant of the next job to run, None when there is none."""
        while self.due_queue and self.due_queue[0][3] not in self.unfinished:
            heappop(self.due_queue)
        return self.due_queue[0][0] if self.due_queue else None

    def pop_due(self, now: datetime) -> Job | None:
        """Remove the next job due by `now` from the queue and return it, or return None."""
        due = self.next_due()
        if due is None or due > now:
            return None
        job = self.jobs[heappop(self.due_queue)[3]]
        self.unfinished.pop(job.id, None)
        return job

    def replace(self, job: Job) -> None:
        """Replace the job of that id; a cancelled job is ended."""
        self.jobs[job.id] = job
        if job.cancelled is not None:
            self.end(job)

    def restore(self, job: Job) -> None:
        """Take back the cancellation of a job."""
        self.jobs[job.id] = job
        self.unfinished[job.id] = None
        self.without_expiry.pop(job.id, None)
        self.expiry_queue = [one for one in self.expiry_queue if one[2] != job.id]

    def end(self, job: Job) -> None:
        """Mark a job as ended; its request and body are dropped."""
        kept = self.jobs[job.id] = replace(job, spooled_body=None, request=NO_REQUEST)
        self.unfinished.pop(job.id, None)
        until = retention_end(kept)
        if until is not None:
            heappush(self.expiry_queue, (until, job.arrival, job.id))
        else:
            self.without_expiry[job.id] = None

    def drop_expired(self, now: datetime) -> list[str]:
        """Drop the jobs whose retention is over by `now`, and the oldest beyond `MAX_ENDED_JOBS`.

        Return their ids.
        """
        over: list[str] = []
        while self.expiry_queue and self.expiry_queue[0][0] <= now:
            over.append(heappop(self.expiry_queue)[2])
        while len(self.without_expiry) > MAX_ENDED_JOBS:
            over.append(next(iter(self.without_expiry)))
            del self.without_expiry[over[-1]]
        for name in over:
            self.jobs.pop(name, None)
            self.results.pop(name, None)
        return over
