"""Laws about what is sent again after items failed."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final, NamedTuple

from mockserver.conduct.gist import OK
from mockserver.conduct.history import Deed, History
from mockserver.conduct.law import Ruling, broken, kept, not_exercised
from mockserver.conduct.packing import unpack
from mockserver.conduct.wording import counted

RETRY: Final = timedelta(days=1)  # what is posted later than this is the next load, not a retry
READS: Final = frozenset(("GET", "HEAD"))


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


def resent_only_failed(history: History) -> Ruling:
    """Judge whether only those items are sent again that failed, where others were done."""
    partial = [one for one in _failures(history) if one.done and _is_partial(one.sent)]
    again = [(one, later) for one in partial if (later := _next(history, one)) is not None]
    wrong = [(one, later) for one, later in again if one.done & later.content]
    if wrong:
        one, later = wrong[0]
        number = len(one.done & later.content)
        return broken(
            f"#{later.n} sent {counted(number, 'item')} of #{one.sent.n} again that had been done; send only "
            f"what failed.",
            (deed for one, later in wrong for deed in (*one.evidence, later)),
        )
    if again:
        return kept(
            "Only items that had failed were sent again.", (deed for one, late in again for deed in (one.told, late))
        )
    if partial:
        return not_exercised(f"#{partial[0].told.n} told of items that failed, and none was sent again.")
    return not_exercised("No call had items that failed beside others that did not.")


def _is_partial(deed: Deed) -> bool:
    return deed.items is not None and deed.items.unit != "whole"


def _next(history: History, failure: Failure) -> Deed | None:
    """Return the first post after a failure that has one of its failed items."""
    sent, told = failure.sent, failure.told
    for later in history.posts:
        if later.n <= told.n or later.entry.client != sent.entry.client or not later.targets & failure.aims:
            continue
        if timedelta(0) <= later.at - told.at < RETRY and _shares(failure, later):
            return later
    return None


def _shares(failure: Failure, later: Deed) -> bool:
    """Tell whether a later post has items of a failed one, by their content or by the keys of those that failed."""
    if later.content & (failure.done | failure.undone):
        return True
    same = (
        later.items is not None
        and failure.sent.items is not None
        and later.items.resource == failure.sent.items.resource
    )
    return same and not failure.keys.isdisjoint(later.keys)


def no_unchanged_retry(history: History) -> Ruling:
    """Judge whether what failed as a whole is not sent again unchanged; other writes in between excuse it."""
    failures = [one for one in _failures(history) if not _is_partial(one.sent)]
    if not failures:
        return not_exercised("No call failed as a whole.")
    again = [(one, later) for one in failures if (later := _unchanged(history, one)) is not None]
    if not again:
        return kept(
            "What failed as a whole was not sent again unchanged.", (deed for one in failures for deed in one.evidence)
        )
    one, later = again[0]
    return broken(
        f"#{later.n} sent again what had failed as a whole in #{one.sent.n}, unchanged; mend the items that "
        f"failed first.",
        (deed for one, later in again for deed in (*one.evidence, later)),
    )


def _unchanged(history: History, failure: Failure) -> Deed | None:
    """Return the first call that is a failed one over again, None when something was written before it came."""
    sent, told = failure.sent, failure.told
    wanted = sorted(sent.marks)
    for later in history.deeds:
        if later.n <= told.n or not _same_side(sent, later):
            continue
        if not _is_partial(later) and later.entry.path == sent.entry.path and sorted(later.marks) == wanted:
            return later
        if later.entry.method not in READS and later.status in OK and later.entry.tally.done:
            return None
    return None


def _same_side(one: Deed, other: Deed) -> bool:
    return (one.entry.client, one.entry.tenant) == (other.entry.client, other.entry.tenant)


def re_read_after_conflict(history: History) -> Ruling:
    """Judge whether a record is read after a version conflict, before it is written again."""
    retried = [
        (conflict, later, read) for conflict in _conflicts(history) for later, read in _retries(history, *conflict)
    ]
    blind = [(conflict, later) for conflict, later, read in retried if not read]
    if blind:
        (deed, target), later = blind[0]
        return broken(
            f"#{later.n} tried again to change {target.replace('/', ' ', 1)}, whose version had been stale in "
            f"#{deed.n}, without reading it; read the record first.",
            (one for (deed, _), later in blind for one in (deed, later)),
        )
    if retried:
        return kept(
            "Records were read after a version conflict, before they were changed again.",
            (one for (deed, _), later, _ in retried for one in (deed, later)),
        )
    if next(_conflicts(history), None) is not None:
        return not_exercised("No record was written again after its version conflict.")
    return not_exercised("No version conflict was met.")


def _conflicts(history: History) -> Iterator[tuple[Deed, str]]:
    for deed in history.deeds:
        yield from ((deed, target) for target in unpack(deed.gist.stale))


def _retries(history: History, conflict: Deed, target: str) -> Iterator[tuple[Deed, bool]]:
    """Yield the first write of a record after its conflict, if any, and whether the record was read in between."""
    key = target.partition("/")[2]
    read = False
    for later in history.deeds:
        if later.n <= conflict.n or not _same_side(conflict, later):
            continue
        read = read or key in later.shown
        if target in later.named:
            yield later, read
            return


def _failures(history: History) -> Iterator[Failure]:
    """Yield the bulk calls some of whose items were told to have failed, at once or by their job."""
    for deed in history.posts:
        results = deed.entry.results
        if deed.heard and deed.entry.tally.failed and len(results) == len(deed.marks):
            yield _split(
                deed, deed, deed.targets, frozenset(n for n, one in enumerate(results) if one.result != "done")
            )
    for job in history.jobs:
        if job.post is not None and job.post.marks and job.told is not None:
            named = frozenset(unpack(job.told.gist.undone))
            keys = job.post.keys or tuple(map(str, range(len(job.post.marks))))
            aims = frozenset((job.target,)) if job.target else job.post.targets
            yield _split(job.post, job.told, aims, frozenset(n for n, key in enumerate(keys) if key in named))


def _split(sent: Deed, told: Deed, aims: frozenset[str], places: frozenset[int]) -> Failure:
    undone = frozenset(mark for n, mark in enumerate(sent.marks) if n in places)
    whole = sent.items is not None and sent.items.unit == "whole"
    return Failure(
        sent=sent,
        told=told,
        aims=aims,
        done=frozenset() if whole else frozenset(sent.marks) - undone,
        undone=undone,
        keys=frozenset(key for n, key in enumerate(sent.keys) if n in places),
    )
