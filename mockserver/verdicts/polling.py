"""Laws of client conduct on polling: intervals, final states, time-outs, Retry-After (RFC 9110, 10.2.3), backoff."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from itertools import pairwise
from typing import Final, NamedTuple

from contracts.bulk.jobs import FINAL_STATES
from contracts.syntax.text import counted
from mockserver.verdicts.conduct_law import LawResult, duration_text, failed, not_run, passed
from mockserver.verdicts.history import ClientHistory, ObservedExchange, ObservedJob, repeated
from mockserver.verdicts.resending import PostIndex

INTERVAL_TOLERANCE: Final = 0.1  # of the interval: how much sooner a poll may come
TIMEOUT_TOLERANCE: Final = 1 / 3  # of the time-out: how much longer than that a client may go on asking


def poll_interval(history: ClientHistory) -> LawResult:
    """Judge whether polls of a job, and the first one after its post, keep the declared interval."""
    gaps = [(job.declared.every, *gap) for job in history.jobs if job.declared.every for gap in _gaps(job)]
    if not gaps:
        return not_run("No job was polled.")
    early = [(every, before, poll) for every, before, poll in gaps if _is_early(every, before, poll)]
    if not early:
        return passed(f"{counted(len(gaps), 'poll')}, none too soon.", (poll for _, _, poll in gaps))
    every, before, poll = early[0]
    return failed(
        f"#{poll.n} polled {duration_text(poll.at - before.at)} after #{before.n}; wait "
        f"{duration_text(every)} after the post and after "
        f"each poll ({len(early)} of {counted(len(gaps), 'poll')} came too soon).",
        (observed for _, *pair in early for observed in pair),
    )


def _gaps(job: ObservedJob) -> Iterator[tuple[ObservedExchange, ObservedExchange]]:
    """Yield pairs of consecutive exchanges; after a response with Retry-After another law applies."""
    polls = [poll for poll in job.polls if poll.n <= job.ended_before]
    pairs = pairwise([*([job.post] if job.post is not None else []), *polls])
    return (pair for pair in pairs if not pair[0].retry_after)


def _is_early(every: timedelta, before: ObservedExchange, poll: ObservedExchange) -> bool:
    return timedelta(0) <= poll.at - before.at < every * (1 - INTERVAL_TOLERANCE)


def early_polls(job: ObservedJob) -> dict[int, str]:
    """Return why polls of a job came too soon by the laws of this module, by their numbers.

    The laws are those of the declared interval and of Retry-After.
    """
    every = job.declared.every
    hasty = [pair for pair in _gaps(job) if every is not None and _is_early(every, *pair)]
    found = {
        poll.n: f"{duration_text(poll.at - before.at)} after #{before.n}; wait {duration_text(every)}."
        for before, poll in hasty
        if every is not None
    }
    advised = any(one.retry_after for one in (*(() if job.post is None else (job.post,)), *job.requests))
    for one in [*_repeats_after(repeated(job.requests)), *_polls_after((job,))] if advised else ():
        if one.next_request.at < one.until:
            waited, wait = one.next_request.at - one.response.at, one.until - one.response.at
            found[one.next_request.n] = (
                f"{duration_text(waited)} after #{one.response.n}, whose Retry-After asked for {duration_text(wait)}."
            )
    polled = {poll.n for poll in job.polls}
    return {n: why for n, why in found.items() if n in polled}


def stopped_polling(history: ClientHistory) -> LawResult:
    """Judge whether a job is not polled again after a final state was reported."""
    ended = [(job, job.end) for job in history.jobs if job.end is not None]
    after = [(end, poll) for job, end in ended for poll in job.polls if poll.n > end.n]
    if not ended:
        return not_run("No job was seen to end.")
    if not after:
        return passed(f"{counted(len(ended), 'job')} seen to end and left alone.", (end for _, end in ended))
    end, poll = after[0]
    return failed(
        f"#{poll.n} polled a job again whose end #{end.n} had reported; stop polling once a status is final.",
        (observed for pair in after for observed in pair),
    )


def polled_to_end(history: ClientHistory) -> LawResult:
    """Judge whether each job is polled until a final state is reported."""
    jobs = [(job, job.post) for job in history.jobs if job.post is not None]
    left = [(job, post) for job, post in jobs if job.end is None]
    if not jobs:
        return not_run("No job was made.")
    if not left:
        more = f"; {counted(len(history.lost_jobs), 'other job')} ran of which no response told"
        lost = more if history.lost_jobs else ""
        return passed(f"{counted(len(jobs), 'job')}, each polled to its end{lost}.", (post for _, post in jobs))
    job, post = left[0]
    last = f"last asked for in #{job.requests[-1].n}" if job.requests else "never asked for"
    return failed(
        f"The job of #{post.n} was not seen to end ({last}); poll until its status is final.",
        (observed for job, post in left for observed in (post, *job.requests[-1:])),
    )


def gave_up_early(history: ClientHistory) -> LawResult:
    """Judge whether the items of an unfinished job are not posted again before its time-out."""
    again = list(_reposted(history))
    early = [one for one in again if _timeout(one[0]) > one[2].at - one[1].at]
    if early:
        job, post, later = early[0]
        return failed(
            f"#{later.n} posted items of #{post.n} again after {duration_text(later.at - post.at)}, while "
            "their job was not "
            f"known to have ended; wait for its end, or at least {duration_text(_timeout(job))}.",
            (observed for _, *pair in early for observed in pair),
        )
    if again:
        return passed(
            "Items of an unfinished job were posted again only after its time-out.", (one[2] for one in again)
        )
    waited = [poll for job, _ in _jobs_with_timeout(history) for poll in job.polls if _is_unfinished(poll)]
    if waited:
        return passed("Unfinished jobs were waited for.", waited)
    return not_run("No job was seen unfinished, and none was posted again.")


def gave_up_late(history: ClientHistory) -> LawResult:
    """Judge whether an unfinished job is not polled later than its time-out plus a third."""
    late, waited = [], []
    for job, post in _jobs_with_timeout(history):
        overdue = [one for one in job.polls if _is_unfinished(one) and one.at - post.at >= _timeout(job)]
        waited += overdue
        bound = _timeout(job) * (1 + TIMEOUT_TOLERANCE)
        asked = [one for one in job.polls if one.n <= job.ended_before and one.at - post.at > bound]
        late += [(job, post, one) for one in asked if any(before.n <= one.n for before in overdue)]
    if late:
        job, post, poll = late[0]
        return failed(
            f"#{poll.n} still polled the job of #{post.n} after {duration_text(poll.at - post.at)}; take a "
            "job as timed out "
            f"after {duration_text(_timeout(job))} and post its items again.",
            (observed for _, *pair in late for observed in pair),
        )
    if waited:
        return passed("Jobs that did not end in time were given up.", waited)
    return not_run("No job was seen unfinished after its time-out.")


def _jobs_with_timeout(history: ClientHistory) -> Iterator[tuple[ObservedJob, ObservedExchange]]:
    """Yield the jobs with a time-out and a known post."""
    for job in history.jobs:
        if job.declared.timeout is not None and job.post is not None:
            yield job, job.post


def _timeout(job: ObservedJob) -> timedelta:
    return job.declared.timeout or timedelta.max


def _reposted(history: ClientHistory) -> Iterator[tuple[ObservedJob, ObservedExchange, ObservedExchange]]:
    """Yield unfinished jobs whose items were posted again, with their post and the first such request."""
    shared = PostIndex(history)
    for job, post in _jobs_with_timeout(history):
        later = next(iter(shared.after(post, {job.target} if job.target else post.targets, post.n)), None)
        if later is not None and later.n < job.ended_before:
            yield job, post, later


def _is_unfinished(poll: ObservedExchange) -> bool:
    return poll.summary.job_state != "" and poll.summary.job_state not in FINAL_STATES


TRANSIENT_STATUSES: Final = frozenset(
    (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
)  # failures that may pass, with 5xx
MIN_PAUSE: Final = timedelta(milliseconds=100)  # a shorter wait is none
LONG_PAUSE: Final = timedelta(minutes=1)  # waits from here on need not grow
MIN_GROWTH: Final = 1.1  # how much longer a wait must be to count as grown
DATE_RESOLUTION: Final = timedelta(seconds=1)  # what a date is rounded to


class RetryAfter(NamedTuple):
    """A response with Retry-After, and the first request that repeats or polls after it."""

    response: ObservedExchange
    until: datetime
    next_request: ObservedExchange


def honoured_retry_after(history: ClientHistory) -> LawResult:
    """Judge whether a request, or a poll after a 202, is not sent before `Retry-After` allows it."""
    advised = [observed for observed in history.observations if observed.delivered and observed.retry_after]
    again = [*_repeats_after(history.repeats), *_polls_after(history.jobs)]
    early = [one for one in again if one.next_request.at < one.until]
    if early:
        first = early[0]
        wait, waited = first.until - first.response.at, first.next_request.at - first.response.at
        return failed(
            f"#{first.next_request.n} came {duration_text(waited)} after #{first.response.n}, which asked for "
            f"{duration_text(wait)}; wait as "
            f"long as Retry-After says.",
            (observed for one in early for observed in (one.response, one.next_request)),
        )
    if again:
        return passed(
            f"{counted(len(again), 'time')} with Retry-After, each waited for.", (one.next_request for one in again)
        )
    if advised:
        return not_run(f"#{advised[0].n} had Retry-After, and the request was not repeated.")
    return not_run("No reply had Retry-After.")


def _repeats_after(repeats: Iterable[Sequence[ObservedExchange]]) -> Iterator[RetryAfter]:
    for same in repeats:
        for before, after in pairwise(same):
            until = _earliest_retry(before)
            if until is not None and after.at >= before.at:
                yield RetryAfter(before, until, after)


def _polls_after(jobs: Iterable[ObservedJob]) -> Iterator[RetryAfter]:
    for job in jobs:
        until = None if job.post is None else _earliest_retry(job.post)
        if job.post is not None and until is not None and job.requests:
            yield RetryAfter(job.post, until, job.requests[0])


def _earliest_retry(observed: ObservedExchange) -> datetime | None:
    """Return the instant before which a response asks for no further request, None when it does not."""
    text = observed.retry_after if observed.delivered else ""
    try:
        if text.isdecimal() and text.isascii():
            return observed.at + timedelta(seconds=int(text))
        return parsedate_to_datetime(text).astimezone(UTC) - DATE_RESOLUTION if text else None
    except (ValueError, OverflowError):
        return None


def backed_off(history: ClientHistory) -> LawResult:
    """Judge whether a failed request is retried after a pause, and with growing pauses."""
    tries = [chain for same in history.repeats for chain in _retry_chains(same)]
    if not tries:
        return not_run("No failed call was tried again.")
    hasty = [(chain, fault) for chain in tries if (fault := _hasty_retry(chain))]
    if not hasty:
        return passed(
            f"{counted(len(tries), 'failed request')} tried again after a pause.", (chain[-1] for chain in tries)
        )
    chain, fault = hasty[0]
    return failed(
        f"#{chain[0].n} failed and was tried again {fault}; wait before each try, and longer each time.",
        (observed for chain, _ in hasty for observed in chain),
    )


def _retry_chains(same: Sequence[ObservedExchange]) -> Iterator[tuple[ObservedExchange, ...]]:
    """Yield the retries of a request: a failure, then its retries up to the first success."""
    chain: list[ObservedExchange] = []
    for observed in same:
        chain.append(observed)
        if not _has_failed(observed):
            if len(chain) > 1:
                yield tuple(chain)
            chain = []
    if len(chain) > 1:
        yield tuple(chain)


def _has_failed(observed: ObservedExchange) -> bool:
    return (
        not observed.delivered
        or observed.status in TRANSIENT_STATUSES
        or observed.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    )


def _hasty_retry(chain: Sequence[ObservedExchange]) -> str:
    """Return how a request was retried too fast, "" when it was not.

    Pauses after Retry-After are judged by another law.
    """
    pairs = [pair for pair in pairwise(chain) if _earliest_retry(pair[0]) is None and pair[1].at >= pair[0].at]
    waits = [after.at - before.at for before, after in pairs]
    if any(wait < MIN_PAUSE for wait in waits):
        return f"after {duration_text(min(waits))}"
    first, *later = waits or [LONG_PAUSE]
    if not later or first >= LONG_PAUSE:
        return ""
    pace = f"{counted(len(waits), 'time')} at a pace of {duration_text(first)} that did not slow down"
    steady = all(first / MIN_GROWTH <= wait <= first * MIN_GROWTH for wait in later)
    return pace if steady or (len(later) > 1 and max(later) <= first * MIN_GROWTH) else ""
