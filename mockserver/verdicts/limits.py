"""Laws of client conduct on limits and version conflicts: active jobs, quotas, sizes, reads after a 409 or 412."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Final, NamedTuple

from contracts.bulk.jobs import ActiveJobs
from contracts.bulk.model import Quota
from contracts.syntax.text import counted
from mockserver.journal.facts import unpack
from mockserver.verdicts.conduct_law import LawResult, duration_text, failed, not_run, passed
from mockserver.verdicts.history import REFUSED_STATUSES, ClientHistory, ObservedExchange, ObservedJob

TOO_LARGE: Final = HTTPStatus.REQUEST_ENTITY_TOO_LARGE  # such a request has no operation in the journal


def active_jobs(history: ClientHistory) -> LawResult:
    """Judge whether at most the declared number of jobs is unfinished at a time; a fan-out counts as one."""
    posts = [(observed, active) for observed in history.posts if (active := _active_limit(observed)) is not None]
    running: dict[str, list[ObservedExchange]] = {}
    breaches: list[tuple[list[ObservedExchange], ObservedExchange, ActiveJobs]] = []
    for observed, active in posts:
        mine = running.setdefault(observed.client if active.per == "client" else "", [])
        others = _running_posts(history, mine, observed, active.max)
        if len(others) >= active.max:
            breaches.append((others, observed, active))
        if _jobs_made(observed):
            mine.append(observed)
    made = [observed for observed, _ in posts if _jobs_made(observed)]
    if breaches:
        others, observed, active = breaches[0]
        return failed(
            f"#{observed.n} posted a job while that of #{others[-1].n} was unfinished; wait for its end, "
            f"{counted(active.max, 'job')} at a time.",
            (one for others, observed, _ in breaches for one in (*others, observed)),
        )
    if not made:
        return not_run("No job was made.")
    lost = sum(1 for observed in made if observed.summary.lost_jobs)
    untold = f", {lost} of which the client was not told of," if lost else ","
    return passed(f"{counted(len(made), 'job')}{untold} never more at a time than allowed.", made)


def _jobs_made(observed: ObservedExchange) -> bool:
    return bool(observed.summary.created_jobs or observed.summary.lost_jobs)


def _active_limit(observed: ObservedExchange) -> ActiveJobs | None:
    """Return the limit that applies to a post, None when it was refused for another reason."""
    job = None if observed.bulk is None else observed.bulk.job
    if job is None or job.active is None:
        return None
    return job.active if _jobs_made(observed) or observed.status in {HTTPStatus.CONFLICT, job.active.breach} else None


def _running_posts(
    history: ClientHistory, posts: list[ObservedExchange], now: ObservedExchange, most: int
) -> list[ObservedExchange]:
    """Return the newest posts whose jobs are unfinished, at most `most`; ended ones are removed from `posts`."""
    found: list[ObservedExchange] = []
    for place in range(len(posts) - 1, -1, -1):
        if len(found) == most:
            break
        if _is_running(history.by_post.get(posts[place].n, ()), posts[place], now):
            found.insert(0, posts[place])
        else:
            del posts[place]
    return found


def _is_running(jobs: Iterable[ObservedJob], post: ObservedExchange, now: ObservedExchange) -> bool:
    return any(
        (job.due is None or job.due > now.at)
        and job.ended_before > now.n
        and (job.declared.timeout is None or now.at - post.at < job.declared.timeout)
        for job in jobs
    )


def quota(history: ClientHistory) -> LawResult:
    """Judge whether what a quota counts happens no more often than it allows."""
    held = [
        (observed, one) for observed in history.posts for one in _quotas(observed) if QUOTA_COUNTS[one.what](observed)
    ]
    if not held:
        return not_run("Nothing was posted that a quota counts.")
    past: dict[tuple[str, str, timedelta], list[ObservedExchange]] = {}
    breaches: list[tuple[Quota, list[ObservedExchange], ObservedExchange]] = []
    for observed, one in held:
        before = past.setdefault((observed.entry.client, one.what, one.per), [])
        recent = [other for other in before[-one.max :] if timedelta(0) <= observed.at - other.at < one.per]
        if len(recent) >= one.max:
            breaches.append((one, recent, observed))
        if observed.succeeded:
            before.append(observed)
    if breaches:
        one, recent, observed = breaches[0]
        return failed(
            f"#{observed.n} came {duration_text(observed.at - recent[-1].at)} after #{recent[-1].n}; "
            f"{QUOTA_TEXT[one.what]} may be posted "
            f"{_times_text(one.max)} in {duration_text(one.per)}.",
            (other for _, recent, observed in breaches for other in (*recent, observed)),
        )
    return passed(
        f"{counted(len(held), 'post')} that a quota counts, none too many.", (observed for observed, _ in held)
    )


def _quotas(observed: ObservedExchange) -> Iterator[Quota]:
    if observed.bulk is not None and (observed.succeeded or observed.status in REFUSED_STATUSES):
        yield from (one for one in observed.bulk.guard.quota if one.what in QUOTA_COUNTS)


def _is_full(observed: ObservedExchange) -> bool:
    items = observed.items
    return items is not None and items.max_items is not None and items.size >= items.max_items


QUOTA_COUNTS: Final[Mapping[str, Callable[[ObservedExchange], bool]]] = {
    "max-size-batch": _is_full,
    "requests": lambda _: True,
}
QUOTA_TEXT: Final = {"max-size-batch": "a batch of maximum size", "requests": "a batch"}


def _times_text(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def kept_sizes(history: ClientHistory) -> LawResult:
    """Judge whether no request has more items, or a larger body, than is declared."""
    calls = [observed for observed in history.observations if observed.bulk is not None or observed.status == TOO_LARGE]
    large = [(observed, excess) for observed in calls for excess in _excess_texts(observed)]
    if large:
        observed, excess = large[0]
        return failed(f"#{observed.n} {excess}; split what is larger.", (observed for observed, _ in large))
    if not calls:
        return not_run("No bulk call was made.")
    return passed(f"{counted(len(calls), 'bulk request')}, none larger than declared.", calls)


def _excess_texts(observed: ObservedExchange) -> Iterable[str]:
    items, bulk = observed.items, observed.bulk
    most = None if bulk is None else bulk.items.max_bytes
    if items is not None and items.max_items is not None and items.size > items.max_items:
        yield f"had {items.size} items where {items.max_items} are allowed"
    elif observed.status == TOO_LARGE:
        yield "was larger than is accepted"
    elif most is not None and observed.entry.request.size > most:
        yield f"had {observed.entry.request.size} bytes where {most} are allowed"


class Retry(NamedTuple):
    """A record written again after its version conflict, and whether it was read in between."""

    conflict: ObservedExchange
    target: str
    later: ObservedExchange
    read: bool


class OpenConflicts:
    """The version conflicts of one client in one scope that no write has followed yet."""

    __slots__ = ("_by_key", "_by_target", "_read")

    def __init__(self) -> None:
        self._by_target: dict[str, ObservedExchange] = {}
        self._by_key: dict[str, set[str]] = {}
        self._read: set[str] = set()

    def add(self, observed: ObservedExchange) -> Iterator[Retry]:
        """Add the next exchange; yield the writes in it that follow a conflict."""
        for key in observed.shown_records & self._by_key.keys():
            self._read |= self._by_key[key]
        for target in observed.named_records & self._by_target.keys():
            yield Retry(self._by_target.pop(target), target, observed, target in self._read)
        for target in unpack(observed.summary.stale_targets):
            self._by_target[target] = observed
            self._by_key.setdefault(target.partition("/")[2], set()).add(target)
            self._read.discard(target)


def re_read_after_conflict(history: ClientHistory) -> LawResult:
    """Judge whether a record is read after a version conflict, before it is written again."""
    sides: dict[tuple[str, str], OpenConflicts] = {}
    met = [observed for observed in history.observations if observed.summary.stale_targets]
    relevant = (
        observed
        for observed in history.observations
        if observed.summary.stale_targets or observed.summary.targets or observed.summary.read_keys
    )
    retries = [
        retry
        for observed in relevant
        for retry in sides.setdefault((observed.client, observed.entry.tenant), OpenConflicts()).add(observed)
    ]
    blind = [one for one in retries if not one.read]
    if blind:
        first = blind[0]
        return failed(
            f"#{first.later.n} tried again to change {first.target.replace('/', ' ', 1)}, whose version had been stale "
            f"in #{first.conflict.n}, without reading it; read the record first.",
            (observed for one in blind for observed in (one.conflict, one.later)),
        )
    if retries:
        return passed(
            "Records were read after a version conflict, before they were changed again.",
            (observed for one in retries for observed in (one.conflict, one.later)),
        )
    if met:
        return not_run("No record was written again after its version conflict.")
    return not_run("No version conflict was met.")
