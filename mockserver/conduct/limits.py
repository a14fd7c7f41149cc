"""Laws about how much: jobs at a time, large batches in a week, items in a call."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Final

from contracts.bulk import Active, Quota
from mockserver.conduct.history import REFUSED, Deed, History, Watch
from mockserver.conduct.law import Ruling, broken, kept, not_exercised
from mockserver.conduct.wording import counted, span

TOO_LARGE: Final = HTTPStatus.REQUEST_ENTITY_TOO_LARGE  # such a call was not read, not even for its operation


def active_jobs(history: History) -> Ruling:
    """Judge whether at most the declared number of jobs is unfinished at a time; a fan-out counts as one."""
    posts = [(deed, active) for deed in history.posts if (active := _active(deed)) is not None]
    running: dict[str, list[Deed]] = {}
    breaches: list[tuple[list[Deed], Deed, Active]] = []
    for deed, active in posts:
        mine = running.setdefault(deed.client if active.per == "client" else "", [])
        others = _running(history, mine, deed, active.max)
        if len(others) >= active.max:
            breaches.append((others, deed, active))
        if deed.gist.made:
            mine.append(deed)
    made = [deed for deed, _ in posts if deed.gist.made]
    if breaches:
        others, deed, active = breaches[0]
        return broken(
            f"#{deed.n} posted a job while that of #{others[-1].n} was unfinished; wait for its end, "
            f"{counted(active.max, 'job')} at a time.",
            (one for others, deed, _ in breaches for one in (*others, deed)),
        )
    if not made:
        return not_exercised("No job was made.")
    return kept(f"{counted(len(made), 'job')}, never more at a time than allowed.", made)


def _active(deed: Deed) -> Active | None:
    """Return the limit that a post is held to; one that was turned away for another reason is held to none."""
    job = None if deed.bulk is None else deed.bulk.job
    if job is None or job.active is None:
        return None
    return job.active if deed.gist.made or deed.status in {HTTPStatus.CONFLICT, job.active.breach} else None


def _running(history: History, posts: list[Deed], now: Deed, most: int) -> list[Deed]:
    """Return the newest posts whose jobs are unfinished, at most so many; those that have ended are taken out."""
    found: list[Deed] = []
    for place in range(len(posts) - 1, -1, -1):
        if len(found) == most:
            break
        if _is_running(history.by_post.get(posts[place].n, ()), posts[place], now):
            found.insert(0, posts[place])
        else:
            del posts[place]
    return found


def _is_running(jobs: Iterable[Watch], post: Deed, now: Deed) -> bool:
    return any(
        (job.due is None or job.due > now.at)
        and job.ended_before > now.n
        and (job.declared.timeout is None or now.at - post.at < job.declared.timeout)
        for job in jobs
    )


def quota(history: History) -> Ruling:
    """Judge whether what a quota counts happens no more often than it allows."""
    held = [(deed, one) for deed in history.posts for one in _quotas(deed) if COUNTS[one.what](deed)]
    if not held:
        return not_exercised("Nothing was posted that a quota counts.")
    past: dict[tuple[str, str, timedelta], list[Deed]] = {}
    breaches: list[tuple[Quota, list[Deed], Deed]] = []
    for deed, one in held:
        before = past.setdefault((deed.entry.client, one.what, one.per), [])
        recent = [other for other in before[-one.max :] if timedelta(0) <= deed.at - other.at < one.per]
        if len(recent) >= one.max:
            breaches.append((one, recent, deed))
        if deed.taken:
            before.append(deed)
    if breaches:
        one, recent, deed = breaches[0]
        return broken(
            f"#{deed.n} came {span(deed.at - recent[-1].at)} after #{recent[-1].n}; {WORDS[one.what]} may be posted "
            f"{_times(one.max)} in {span(one.per)}.",
            (other for _, recent, deed in breaches for other in (*recent, deed)),
        )
    return kept(f"{counted(len(held), 'post')} that a quota counts, none too many.", (deed for deed, _ in held))


def _quotas(deed: Deed) -> Iterator[Quota]:
    if deed.bulk is not None and (deed.taken or deed.status in REFUSED):
        yield from (one for one in deed.bulk.guard.quota if one.what in COUNTS)


def _is_full(deed: Deed) -> bool:
    items = deed.items
    return items is not None and items.most is not None and items.size >= items.most


COUNTS: Final[Mapping[str, Callable[[Deed], bool]]] = {"max-size-batch": _is_full, "requests": lambda _: True}
WORDS: Final = {"max-size-batch": "a batch of maximum size", "requests": "a batch"}


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def kept_sizes(history: History) -> Ruling:
    """Judge whether no call has more items, or a larger body, than is declared."""
    calls = [deed for deed in history.deeds if deed.bulk is not None or deed.status == TOO_LARGE]
    large = [(deed, said) for deed in calls for said in _excess(deed)]
    if large:
        deed, said = large[0]
        return broken(f"#{deed.n} {said}; split what is larger.", (deed for deed, _ in large))
    if not calls:
        return not_exercised("No bulk call was made.")
    return kept(f"{counted(len(calls), 'bulk call')}, none larger than declared.", calls)


def _excess(deed: Deed) -> Iterable[str]:
    items, bulk = deed.items, deed.bulk
    most = None if bulk is None else bulk.items.max_bytes
    if items is not None and items.most is not None and items.size > items.most:
        yield f"had {items.size} items where {items.most} are allowed"
    elif deed.status == TOO_LARGE:
        yield "was larger than is accepted"
    elif most is not None and deed.entry.call.size > most:
        yield f"had {deed.entry.call.size} bytes where {most} are allowed"
