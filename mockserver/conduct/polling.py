"""Laws about jobs: when to ask for their state, when to stop, and when to give them up."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Final

from contracts.lifecycle import FINAL
from mockserver.conduct.history import Deed, History, Watch
from mockserver.conduct.law import Ruling, broken, kept, not_exercised
from mockserver.conduct.sharing import Shared
from mockserver.conduct.wording import counted, span

TOLERANCE: Final = 0.1  # of the interval: how much sooner a poll may come
LATE: Final = 1 / 3  # of the time-out: how much longer than that a client may go on asking


def poll_interval(history: History) -> Ruling:
    """Judge whether polls of one job, and the first after its post, keep the declared interval."""
    gaps = [(job.declared.every, *gap) for job in history.jobs if job.declared.every for gap in _gaps(job)]
    if not gaps:
        return not_exercised("No job was polled.")
    early = [(every, before, poll) for every, before, poll in gaps if _is_early(every, before, poll)]
    if not early:
        return kept(f"{counted(len(gaps), 'poll')}, none too soon.", (poll for _, _, poll in gaps))
    every, before, poll = early[0]
    return broken(
        f"#{poll.n} polled {span(poll.at - before.at)} after #{before.n}; wait {span(every)} after the post and after "
        f"each poll ({len(early)} of {counted(len(gaps), 'poll')} came too soon).",
        (deed for _, *pair in early for deed in pair),
    )


def _gaps(job: Watch) -> Iterator[tuple[Deed, Deed]]:
    """Yield what is to be apart; how long to wait after a reply that says so itself is another law's matter."""
    polls = [poll for poll in job.polls if poll.n <= job.ended_before]
    pairs = pairwise([*([job.post] if job.post is not None else []), *polls])
    return (pair for pair in pairs if not pair[0].header("Retry-After"))


def _is_early(every: timedelta, before: Deed, poll: Deed) -> bool:
    return timedelta(0) <= poll.at - before.at < every * (1 - TOLERANCE)


def stopped_polling(history: History) -> Ruling:
    """Judge whether a job is not asked for again once a final state was told."""
    ended = [(job, job.end) for job in history.jobs if job.end is not None]
    after = [(end, poll) for job, end in ended for poll in job.polls if poll.n > end.n]
    if not ended:
        return not_exercised("No job was seen to end.")
    if not after:
        return kept(f"{counted(len(ended), 'job')} seen to end and left alone.", (end for _, end in ended))
    end, poll = after[0]
    return broken(
        f"#{poll.n} polled a job again whose end #{end.n} had reported; stop polling once a status is final.",
        (deed for pair in after for deed in pair),
    )


def polled_to_end(history: History) -> Ruling:
    """Judge whether each job is asked for until a final state is told."""
    jobs = [(job, job.post) for job in history.jobs if job.post is not None]
    left = [(job, post) for job, post in jobs if job.end is None]
    if not jobs:
        return not_exercised("No job was made.")
    if not left:
        return kept(f"{counted(len(jobs), 'job')}, each polled to its end.", (post for _, post in jobs))
    job, post = left[0]
    last = f"last asked for in #{job.asked[-1].n}" if job.asked else "never asked for"
    return broken(
        f"The job of #{post.n} was not seen to end ({last}); poll until its status is final.",
        (deed for job, post in left for deed in (post, *job.asked[-1:])),
    )


def gave_up_early(history: History) -> Ruling:
    """Judge whether the items of a job that is not known to have ended wait for its time-out."""
    again = list(_again(history))
    early = [one for one in again if _limit(one[0]) > one[2].at - one[1].at]
    if early:
        job, post, later = early[0]
        return broken(
            f"#{later.n} posted items of #{post.n} again after {span(later.at - post.at)}, while their job was not "
            f"known to have ended; wait for its end, or at least {span(_limit(job))}.",
            (deed for _, *pair in early for deed in pair),
        )
    if again:
        return kept("Items of an unfinished job were posted again only after its time-out.", (one[2] for one in again))
    waited = [poll for job, _ in _patient(history) for poll in job.polls if _is_unfinished(poll)]
    if waited:
        return kept("Unfinished jobs were waited for.", waited)
    return not_exercised("No job was seen unfinished, and none was posted again.")


def gave_up_late(history: History) -> Ruling:
    """Judge whether a job that has not ended in time is given up: no polls a third of its time-out later."""
    late, waited = [], []
    for job, post in _patient(history):
        overdue = [one for one in job.polls if _is_unfinished(one) and one.at - post.at >= _limit(job)]
        waited += overdue
        bound = _limit(job) * (1 + LATE)
        asked = [one for one in job.polls if one.n <= job.ended_before and one.at - post.at > bound]
        late += [(job, post, one) for one in asked if any(before.n <= one.n for before in overdue)]
    if late:
        job, post, poll = late[0]
        return broken(
            f"#{poll.n} still polled the job of #{post.n} after {span(poll.at - post.at)}; take a job as timed out "
            f"after {span(_limit(job))} and post its items again.",
            (deed for _, *pair in late for deed in pair),
        )
    if waited:
        return kept("Jobs that did not end in time were given up.", waited)
    return not_exercised("No job was seen unfinished after its time-out.")


def _patient(history: History) -> Iterator[tuple[Watch, Deed]]:
    """Yield the jobs that have a time-out and whose post is known."""
    for job in history.jobs:
        if job.declared.timeout is not None and job.post is not None:
            yield job, job.post


def _limit(job: Watch) -> timedelta:
    return job.declared.timeout or timedelta.max


def _again(history: History) -> Iterator[tuple[Watch, Deed, Deed]]:
    """Yield the jobs not known to have ended whose items were posted again, with their post and the first such call."""
    shared = Shared(history)
    for job, post in _patient(history):
        later = next(iter(shared.after(post, {job.target} if job.target else post.targets, post.n)), None)
        if later is not None and later.n < job.ended_before:
            yield job, post, later


def _is_unfinished(poll: Deed) -> bool:
    return poll.gist.state != "" and poll.gist.state not in FINAL
