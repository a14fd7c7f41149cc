"""Laws about what is sent again after items failed."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final, NamedTuple, TypeAlias

from mockserver.conduct.gist import OK
from mockserver.conduct.history import Deed, History
from mockserver.conduct.law import Ruling, broken, kept, not_exercised
from mockserver.conduct.packing import unpack
from mockserver.conduct.sharing import Shared
from mockserver.conduct.wording import counted

RETRY: Final = timedelta(days=1)  # what is posted later than this is the next load, not a retry
READS: Final = frozenset(("GET", "HEAD"))
Place: TypeAlias = tuple[str, str, str, str]  # client, tenant, resource, key


class Failure(NamedTuple):
    """Items that were told to have failed: by which exchange, and the marks and keys of those done and not done.

    `aims` are the tenants or data sets that it speaks of.
    """

    sent: Deed
    told: Deed
    aims: frozenset[str]
    done: frozenset[int]
    undone: frozenset[int]
    keys: frozenset[str]

    @property
    def evidence(self) -> tuple[Deed, ...]:
        """The call, and the exchange that told of its failure."""
        return (self.sent, self.told)

    @property
    def places(self) -> Iterator[Place]:
        """Where an item with the key of one that failed would be found."""
        resource = "" if self.sent.items is None else self.sent.items.resource
        return ((self.sent.client, target, resource, key) for target in self.aims for key in self.keys)


def resent_only_failed(history: History) -> Ruling:
    """Judge whether only those items are sent again that failed, where others were done."""
    partial = [one for one in _failures(history) if one.done and _is_partial(one.sent)]
    again = list(_resent(history, partial)) if partial else []
    wrong = [(one, later, number) for one, later, number in again if number]
    if wrong:
        one, later, number = wrong[0]
        return broken(
            f"#{later.n} sent {counted(number, 'item')} of #{one.sent.n} again that had been done; send only "
            f"what failed.",
            (deed for one, later, _ in wrong for deed in (*one.evidence, later)),
        )
    if again:
        return kept(
            "Only items that had failed were sent again.", (deed for one, late, _ in again for deed in (one.told, late))
        )
    if partial:
        return not_exercised(f"#{partial[0].told.n} reported items that failed, and none was sent again.")
    return not_exercised("No call had items that failed beside others that did not.")


def _is_partial(deed: Deed) -> bool:
    return deed.items is not None and deed.items.unit != "whole"


def _resent(history: History, failures: list[Failure]) -> Iterator[tuple[Failure, Deed, int]]:
    """Yield failures with the first post that has some of their items, and how many of those had been done."""
    shared, by_key = Shared(history), _by_key(history, failures)
    for one in failures:
        same_key = (late for place in one.places for late in by_key.get(place, ()) if late.n > one.told.n)
        found = [*shared.after(one.sent, one.aims, one.told.n)[:1], *same_key]
        later = min(found, key=lambda deed: deed.n, default=None)
        if later is not None and timedelta(0) <= later.at - one.told.at < RETRY:
            yield one, later, len(one.done.intersection(later.marks))


def _by_key(history: History, failures: list[Failure]) -> Mapping[Place, list[Deed]]:
    """Return the posts that have items with the keys of those that failed."""
    found: dict[Place, list[Deed]] = {place: [] for one in failures for place in one.places}
    for deed in history.posts if found else ():
        resource = "" if deed.items is None else deed.items.resource
        for target in deed.targets if deed.is_understood else ():
            for key in deed.keys:
                met = found.get((deed.client, target, resource, key))
                if met is not None:
                    met.append(deed)
    return found


def no_unchanged_retry(history: History) -> Ruling:
    """Judge whether what failed as a whole is not sent again unchanged; other writes in between excuse it."""
    failures = [one for one in _failures(history) if not _is_partial(one.sent)]
    if not failures:
        return not_exercised("No call failed as a whole.")
    again = list(_unchanged(history, failures))
    if not again:
        return kept(
            "What failed as a whole was not sent again unchanged.", (deed for one in failures for deed in one.evidence)
        )
    one, later = again[0]
    return broken(
        f"#{later.n} sent again what had failed as a whole in #{one.sent.n}, unchanged; fix the items that "
        f"failed first.",
        (deed for one, later in again for deed in (*one.evidence, later)),
    )


def _unchanged(history: History, failures: list[Failure]) -> Iterator[tuple[Failure, Deed]]:
    """Yield failures with the call that was the same over again, unless something was written before it came."""
    writes: dict[tuple[str, str], list[Deed]] = {}
    same: dict[tuple[object, ...], list[Deed]] = {}
    for deed in history.deeds:
        if deed.items is not None and not _is_partial(deed):
            same.setdefault(_likeness(deed), []).append(deed)
        if deed.entry.method not in READS and deed.status in OK and deed.entry.tally.done:
            writes.setdefault(_side(deed), []).append(deed)
    for one in failures:
        later = _next(same[_likeness(one.sent)], one.told)
        written = _next(writes.get(_side(one.sent), []), one.told)
        if later is not None and (written is None or later.n <= written.n):
            yield one, later


def _likeness(deed: Deed) -> tuple[object, ...]:
    return (*_side(deed), deed.entry.path, tuple(sorted(deed.marks)))


def _side(deed: Deed) -> tuple[str, str]:
    return deed.client, deed.entry.tenant


def _next(deeds: list[Deed], after: Deed) -> Deed | None:
    place = bisect_right(deeds, after.n, key=lambda deed: deed.n)
    return deeds[place] if place < len(deeds) else None


def _failures(history: History) -> Iterator[Failure]:
    """Yield the bulk calls some of whose items were told to have failed, at once or by their job."""
    for deed in history.posts:
        results = deed.entry.results
        if deed.heard and deed.entry.tally.failed and len(results) == len(deed.marks):
            yield _split(deed, deed, deed.targets, {n for n, one in enumerate(results) if one.result != "done"})
    for job in history.jobs:
        if job.post is not None and job.told is not None:
            named = set(unpack(job.told.gist.undone))
            keys = job.post.keys or list(map(str, range(len(job.post.marks))))
            aims = frozenset((job.target,)) if job.target else job.post.targets
            yield _split(job.post, job.told, aims, {n for n, key in enumerate(keys) if key in named})


def _split(sent: Deed, told: Deed, aims: frozenset[str], places: set[int]) -> Failure:
    undone = frozenset(mark for n, mark in enumerate(sent.marks) if n in places)
    return Failure(
        sent=sent,
        told=told,
        aims=aims,
        done=frozenset(sent.marks) - undone if _is_partial(sent) else frozenset(),
        undone=undone,
        keys=frozenset(key for n, key in enumerate(sent.keys) if n in places),
    )
