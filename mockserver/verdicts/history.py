"""The journal as the laws of client conduct read it (`history_of`): exchanges in order, jobs, repeated requests.

What a response reports of a job is read by `contracts.exchange.job_traces` at the time of recording; this module
combines the packed facts, since the bodies are not kept.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from typing import Final

from contracts.bulk.jobs import FINAL_STATES
from contracts.bulk.model import Bulk, BulkJob
from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.openapi.model import Contract, Operation
from mockserver.journal.exchange_summary import EMPTY_SUMMARY, ExchangeSummary
from mockserver.journal.facts import CreatedJob, SentItems, marks_in, unpack
from mockserver.journal.journal import JournalEntry
from mockserver.journal.stored_messages import StoredMessage

REFUSED_STATUSES: Final = frozenset((HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS))
POLL_STATUSES: Final = frozenset(
    (*SUCCESS_STATUS, HTTPStatus.TOO_MANY_REQUESTS)
)  # a poll was looked at, or refused for its haste


@dataclass(frozen=True, kw_only=True, eq=False)
class ObservedExchange:
    """One exchange as the laws see it: the journal's entry, and the requested operation, if any."""

    entry: JournalEntry
    operation: Operation | None = None

    @property
    def n(self) -> int:
        """The exchange's number."""
        return self.entry.n

    @property
    def at(self) -> datetime:
        """The time of the request, by the sandbox's clock."""
        return self.entry.at

    @property
    def status(self) -> int:
        """The status code of the response."""
        return self.entry.status

    @cached_property
    def summary(self) -> ExchangeSummary:
        """The facts that were recorded."""
        return self.entry.summary or EMPTY_SUMMARY

    @property
    def response_facts(self) -> ExchangeSummary:
        """The facts that were recorded of the response, such as jobs; no body is read again for them."""
        return self.entry.response_facts or EMPTY_SUMMARY

    @property
    def bulk(self) -> Bulk | None:
        """The bulk declaration of the operation, None when it is no bulk operation."""
        return None if self.operation is None else self.operation.bulk

    @property
    def items(self) -> SentItems | None:
        """The items of a bulk request, None for any other request."""
        return self.summary.items

    @property
    def delivered(self) -> bool:
        """Whether the whole response was sent."""
        return self.entry.delivery.is_whole

    @property
    def succeeded(self) -> bool:
        """Whether the response was successful and sent."""
        return self.delivered and self.status in SUCCESS_STATUS

    @property
    def keys(self) -> list[str]:
        """The items' keys, empty where items have no keys; unpacked at each access."""
        return [] if self.items is None else unpack(self.items.keys)

    @property
    def marks(self) -> Sequence[int]:
        """A hash of each item's content, unpacked at each access."""
        return () if self.items is None else marks_in(self.items.marks)

    @property
    def client(self) -> str:
        """The client, by its credentials."""
        return self.entry.client

    @property
    def is_processed(self) -> bool:
        """Whether the request was carried out, or refused for other reasons than an error in it."""
        return self.status in SUCCESS_STATUS or self.status in REFUSED_STATUSES or bool(self.entry.results)

    @cached_property
    def named_records(self) -> frozenset[str]:
        """The records with versions that the request names, as `Resource/key`."""
        return frozenset(unpack(self.summary.targets))

    @cached_property
    def shown_records(self) -> frozenset[str]:
        """The keys of the records with versions that the response shows."""
        return frozenset(unpack(self.summary.read_keys))

    @cached_property
    def targets(self) -> frozenset[str]:
        """The tenants or data sets that the request addresses."""
        targets = frozenset(made.target for made in self.summary.created_jobs if made.target)
        return targets or frozenset((self.entry.tenant,))

    @cached_property
    def identity(self) -> tuple[object, ...]:
        """What equal requests have in common: client, method, target and content."""
        entry = self.entry
        body = entry.request.digest or (entry.request.body if self.items is None else self.items.marks)
        return (entry.api, entry.client, entry.method, entry.path, entry.query, body)

    @cached_property
    def retry_after(self) -> str:
        """The header field Retry-After of the response, "" when it is missing."""
        return self.header("Retry-After") if "retry-after" in self.entry.response.headers.lower() else ""

    def header(self, name: str) -> str:
        """Return a header field of the response, "" when it is missing."""
        return header_of(self.entry.response, name)


def header_of(message: StoredMessage, name: str) -> str:
    """Return the first header field of that name in a recorded message, "" when it is missing."""
    wanted = f"{name.lower()}:"
    found = (line for line in message.headers.split("\n") if line.lower().startswith(wanted))
    return next(found, "").partition(":")[2].strip()


@dataclass(frozen=True, kw_only=True, eq=False)
class ObservedJob:
    """A job as its client observed it.

    `post` is the request that created it, None when the journal has evicted it. `requests` are those about the job,
    in order.
    """

    id: str
    target: str
    declared: BulkJob
    post: ObservedExchange | None
    due: datetime | None = None
    requests: tuple[ObservedExchange, ...] = ()

    @cached_property
    def polls(self) -> tuple[ObservedExchange, ...]:
        """The requests for its state."""
        return tuple(
            observed
            for observed in self.requests
            if _is_poll(observed, self.declared) and observed.status in POLL_STATUSES
        )

    @cached_property
    def end(self) -> ObservedExchange | None:
        """The first request whose response reported a final state."""
        return next((observed for observed in self.requests if observed.summary.job_state in FINAL_STATES), None)

    @cached_property
    def failure_report(self) -> ObservedExchange | None:
        """The first request whose response reported which items were not done."""
        return next((observed for observed in self.requests if observed.summary.failed_keys), None)

    @property
    def ended_before(self) -> float:
        """The number of the exchange that reported its end, infinity when none has."""
        return float("inf") if self.end is None else self.end.n


def _is_poll(observed: ObservedExchange, declared: BulkJob) -> bool:
    return observed.operation is not None and observed.operation.id == declared.poll


@dataclass(frozen=True, kw_only=True, eq=False)
class ClientHistory:
    """Exchanges in the order of their numbers, and the jobs that clients created or polled.

    `lost_jobs` were created by requests whose response did not arrive; no client knows their ids.
    """

    observations: tuple[ObservedExchange, ...]
    jobs: tuple[ObservedJob, ...]
    lost_jobs: tuple[ObservedJob, ...] = ()

    @cached_property
    def by_id(self) -> Mapping[str, ObservedJob]:
        """The jobs by their ids."""
        return {job.id: job for job in self.jobs}

    @cached_property
    def by_post(self) -> Mapping[int, tuple[ObservedJob, ...]]:
        """The jobs, lost ones too, by the number of the request that created them."""
        found: dict[int, list[ObservedJob]] = {}
        for job in (*self.jobs, *self.lost_jobs):
            if job.post is not None:
                found.setdefault(job.post.n, []).append(job)
        return {n: tuple(jobs) for n, jobs in found.items()}

    @cached_property
    def posts(self) -> tuple[ObservedExchange, ...]:
        """The bulk requests whose items were recorded."""
        return tuple(observed for observed in self.observations if observed.items is not None)

    @cached_property
    def repeats(self) -> tuple[tuple[ObservedExchange, ...], ...]:
        """The requests that were made more than once, each with its repetitions."""
        return repeated(self.observations)


def repeated(observations: Iterable[ObservedExchange]) -> tuple[tuple[ObservedExchange, ...], ...]:
    """Return the requests that were made more than once, each with its repetitions."""
    found: dict[tuple[object, ...], list[ObservedExchange]] = {}
    for observed in observations:
        found.setdefault(observed.identity, []).append(observed)
    return tuple(tuple(same) for same in found.values() if len(same) > 1)


def history_of(contract: Contract, entries: Iterable[JournalEntry]) -> ClientHistory:
    """Return the history of the clients of one API."""
    operations = {one.id: one for one in contract.operations}
    observations = tuple(ObservedExchange(entry=one, operation=operations.get(one.operation or "")) for one in entries)
    jobs = _jobs(contract, observations)
    lost = _lost_jobs(observations, {job.id for job in jobs})
    return ClientHistory(observations=observations, jobs=jobs, lost_jobs=tuple(lost))


def merged_history(histories: Iterable[ClientHistory]) -> ClientHistory:
    """Return several histories as one."""
    every = tuple(histories)
    observations = sorted((observed for one in every for observed in one.observations), key=lambda observed: observed.n)
    return ClientHistory(
        observations=tuple(observations),
        jobs=tuple(job for one in every for job in one.jobs),
        lost_jobs=tuple(job for one in every for job in one.lost_jobs),
    )


def _jobs(contract: Contract, observations: Sequence[ObservedExchange]) -> tuple[ObservedJob, ...]:
    declared = _declared(contract)
    made = {one.id: (one, observed) for observed in observations for one in observed.response_facts.created_jobs}
    asked: dict[str, list[ObservedExchange]] = {name: [] for name in made}
    for observed in observations:
        if observed.response_facts.job_id:
            asked.setdefault(observed.response_facts.job_id, []).append(observed)
    watches = (_observed_job(name, made.get(name), calls, declared) for name, calls in asked.items())
    return tuple(one for one in watches if one is not None)


def _lost_jobs(observations: Sequence[ObservedExchange], known: Collection[str]) -> Iterator[ObservedJob]:
    """Yield the jobs of lost responses that no client has learned of in another way."""
    for observed in observations:
        declared = None if observed.bulk is None else observed.bulk.job
        for made in observed.response_facts.lost_jobs if declared is not None else ():
            if made.id not in known and declared is not None:
                yield ObservedJob(id=made.id, target=made.target, declared=declared, post=observed, due=made.due)


def _observed_job(
    name: str,
    known: tuple[CreatedJob, ObservedExchange] | None,
    calls: Sequence[ObservedExchange],
    declared: Mapping[str, BulkJob],
) -> ObservedJob | None:
    """Return an observed job; one created by a request that is not bulk gets the declaration of another job."""
    if known is None:
        of = None if calls[0].operation is None else declared.get(calls[0].operation.id)
        return None if of is None else ObservedJob(id=name, target="", declared=of, post=None, requests=tuple(calls))
    made, post = known
    own = next(iter(declared.values()), None) if post.bulk is None else post.bulk.job
    if own is None:
        return None
    return ObservedJob(id=name, target=made.target, declared=own, post=post, due=made.due, requests=tuple(calls))


def _declared(contract: Contract) -> dict[str, BulkJob]:
    """Return the declared job of each operation that reads or cancels jobs."""
    found: dict[str, BulkJob] = {}
    for one in contract.operations:
        job = None if one.bulk is None else one.bulk.job
        found |= {name: job for name in job.operations if name not in found} if job is not None else {}
    return found
