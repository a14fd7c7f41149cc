"""Laws of client conduct on what is sent again after a failure: only failed items, and not unchanged."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from heapq import nsmallest
from http import HTTPStatus
from typing import Final, NamedTuple, TypeAlias

from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.exchange.locations import choose
from contracts.messages import ABSENT
from contracts.syntax.text import counted
from mockserver.journal.facts import unpack
from mockserver.verdicts.conduct_law import LawResult, failed, not_run, passed
from mockserver.verdicts.history import ClientHistory, ObservedExchange, header_of

SKETCH_SIZE: Final = 64  # hashes that represent a large post: the smallest, equal for similar posts
Sender: TypeAlias = tuple[str, str]  # a client, and a tenant or data set


class PostIndex:
    """An index of a history's posts by the hashes of their items.

    A post of more than `SKETCH_SIZE` items is found by its smallest hashes (bottom-k sketch, Cohen and Kaplan 2007), a
    smaller one by each of its items.
    """

    def __init__(self, history: ClientHistory) -> None:
        self._observations = {observed.n: observed for observed in history.posts if observed.is_processed}
        self._by_mark: dict[Sender, dict[int, list[int]]] = {}
        for observed in self._observations.values():
            marks = set(_sketch(observed.marks))
            for target in observed.targets:
                places = self._by_mark.setdefault((observed.client, target), {})
                for mark in marks:
                    places.setdefault(mark, []).append(observed.n)

    def after(self, request: ObservedExchange, targets: Iterable[str], n: int) -> list[ObservedExchange]:
        """Return posts after number `n` to one of the targets that share items with `request`: for each the first."""
        found: set[int] = set()
        for target in targets:
            places = self._by_mark.get((request.client, target), {})
            for mark in request.marks:
                later = places.get(mark)
                if later is not None and later[-1] > n:
                    found.add(later[bisect_right(later, n)])
        return [self._observations[number] for number in sorted(found)]


def _sketch(marks: Sequence[int]) -> Sequence[int]:
    return marks if len(marks) <= SKETCH_SIZE else nsmallest(SKETCH_SIZE, marks)


RETRY_WINDOW: Final = timedelta(days=1)  # what is posted later than this is the next load, not a retry
READ_METHODS: Final = frozenset(("GET", "HEAD"))
ItemLocation: TypeAlias = tuple[str, str, str, str]  # client, tenant, resource, key


class Failure(NamedTuple):
    """Items that were reported as failed: the report, and hashes and keys of items done and not done.

    `targets` are the tenants or data sets of the items.
    """

    request: ObservedExchange
    report: ObservedExchange
    targets: frozenset[str]
    done: frozenset[int]
    undone: frozenset[int]
    keys: frozenset[str]

    @property
    def evidence(self) -> tuple[ObservedExchange, ...]:
        """The request, and the exchange that reported its failure."""
        return (self.request, self.report)

    @property
    def locations(self) -> Iterator[ItemLocation]:
        """The locations of items with the keys of failed ones."""
        resource = "" if self.request.items is None else self.request.items.resource
        return ((self.request.client, target, resource, key) for target in self.targets for key in self.keys)


def resent_only_failed(history: ClientHistory) -> LawResult:
    """Judge whether only failed items are sent again, where others were done."""
    partial = [one for one in _failures(history) if one.done and _is_partial(one.request)]
    again = list(_resent(history, partial)) if partial else []
    wrong = [(one, later, number) for one, later, number in again if number]
    if wrong:
        one, later, number = wrong[0]
        return failed(
            f"#{later.n} sent {counted(number, 'item')} of #{one.request.n} again that had been done; send only "
            f"what failed.",
            (observed for one, later, _ in wrong for observed in (*one.evidence, later)),
        )
    if again:
        return passed(
            "Only items that had failed were sent again.",
            (observed for one, late, _ in again for observed in (one.report, late)),
        )
    if partial:
        return not_run(f"#{partial[0].report.n} reported items that failed, and none was sent again.")
    return not_run("No call had items that failed beside others that did not.")


def _is_partial(observed: ObservedExchange) -> bool:
    return observed.items is not None and observed.items.unit != "whole"


def _resent(history: ClientHistory, failures: list[Failure]) -> Iterator[tuple[Failure, ObservedExchange, int]]:
    """Yield failures with the first post of some of their items, and the number of those that had been done."""
    shared, by_key = PostIndex(history), _by_key(history, failures)
    for one in failures:
        same_key = (_next_after(by_key.get(place, []), one.report) for place in one.locations)
        found = [*shared.after(one.request, one.targets, one.report.n)[:1], *(late for late in same_key if late)]
        later = min(found, key=lambda observed: observed.n, default=None)
        if later is not None and timedelta(0) <= later.at - one.report.at < RETRY_WINDOW:
            yield one, later, len(one.done.intersection(later.marks))


def _by_key(history: ClientHistory, failures: list[Failure]) -> Mapping[ItemLocation, list[ObservedExchange]]:
    """Return the posts that have items with the keys of failed ones."""
    found: dict[ItemLocation, list[ObservedExchange]] = {place: [] for one in failures for place in one.locations}
    for observed in history.posts if found else ():
        resource = "" if observed.items is None else observed.items.resource
        for target in observed.targets if observed.is_processed else ():
            for key in observed.keys:
                met = found.get((observed.client, target, resource, key))
                if met is not None:
                    met.append(observed)
    return found


def no_unchanged_retry(history: ClientHistory) -> LawResult:
    """Judge whether a failed whole is not sent again unchanged; other writes in between excuse it."""
    failures = [one for one in _failures(history) if one.request.items is not None and not _is_partial(one.request)]
    if not failures:
        return not_run("No call failed as a whole.")
    again = list(_unchanged(history, failures))
    if not again:
        return passed(
            "What failed as a whole was not sent again unchanged.",
            (observed for one in failures for observed in one.evidence),
        )
    one, later = again[0]
    return failed(
        f"#{later.n} sent again what had failed as a whole in #{one.request.n}, unchanged; fix the items that "
        f"failed first.",
        (observed for one, later in again for observed in (*one.evidence, later)),
    )


def _unchanged(history: ClientHistory, failures: list[Failure]) -> Iterator[tuple[Failure, ObservedExchange]]:
    """Yield failures with the next equal request, unless a write came before it."""
    writes: dict[tuple[str, str], list[ObservedExchange]] = {}
    same: dict[tuple[object, ...], list[ObservedExchange]] = {}
    for observed in history.observations:
        if observed.items is not None and not _is_partial(observed):
            same.setdefault(_equality_key(observed), []).append(observed)
        if (
            observed.entry.method not in READ_METHODS
            and observed.status in SUCCESS_STATUS
            and observed.entry.tally.done
        ):
            writes.setdefault(_sender(observed), []).append(observed)
    for one in failures:
        later = _next_after(same[_equality_key(one.request)], one.report)
        written = _next_after(writes.get(_sender(one.request), []), one.report)
        if later is not None and (written is None or later.n <= written.n):
            yield one, later


def _equality_key(observed: ObservedExchange) -> tuple[object, ...]:
    return (*_sender(observed), observed.entry.path, tuple(sorted(observed.marks)))


def _sender(observed: ObservedExchange) -> tuple[str, str]:
    return observed.client, observed.entry.tenant


def _next_after(observations: list[ObservedExchange], after: ObservedExchange) -> ObservedExchange | None:
    place = bisect_right(observations, after.n, key=lambda observed: observed.n)
    return observations[place] if place < len(observations) else None


def _failures(history: ClientHistory) -> Iterator[Failure]:
    """Yield the bulk requests with items that were reported as failed, at once or by their job."""
    for observed in history.posts:
        results = observed.entry.results
        if observed.delivered and observed.entry.tally.failed and len(results) == len(observed.marks):
            yield _failure(
                observed, observed, observed.targets, {n for n, one in enumerate(results) if one.result != "done"}
            )
    for job in history.jobs:
        if job.post is not None and job.failure_report is not None:
            named = set(unpack(job.failure_report.summary.failed_keys))
            keys = job.post.keys or list(map(str, range(len(job.post.marks))))
            targets = frozenset((job.target,)) if job.target else job.post.targets
            yield _failure(job.post, job.failure_report, targets, {n for n, key in enumerate(keys) if key in named})


def _failure(request: ObservedExchange, report: ObservedExchange, targets: frozenset[str], places: set[int]) -> Failure:
    undone = frozenset(mark for n, mark in enumerate(request.marks) if n in places)
    return Failure(
        request=request,
        report=report,
        targets=targets,
        done=frozenset(request.marks) - undone if _is_partial(request) else frozenset(),
        undone=undone,
        keys=frozenset(key for n, key in enumerate(request.keys) if n in places),
    )


REPEATABLE_ACTIONS: Final = frozenset(("delete", "read", "replace", "update", "upsert"))  # twice is as once
IDEMPOTENCY_FIELD: Final = "header:Idempotency-Key"  # IETF draft httpapi-idempotency-key-header
ABSENT_STATUSES: Final = frozenset((HTTPStatus.NOT_FOUND, HTTPStatus.GONE))  # they answer a look, too


class Repost(NamedTuple):
    """A POST that got no response, the next one with some of its content, and the look at its effect in between."""

    lost: ObservedExchange
    later: ObservedExchange
    look: ObservedExchange | None

    @property
    def is_blind(self) -> bool:
        """Whether the client neither looked nor sent an idempotency key."""
        return self.look is None and not _have_same_key(self.lost, self.later)


def no_blind_repost(history: ClientHistory) -> LawResult:
    """Judge whether a POST that got no response is not sent again before its effect was looked for.

    RFC 9110, 9.2.2: a client should not retry a request that is not idempotent, unless it knows that the first one was
    not applied. An idempotency key makes any POST repeatable.
    """
    lost = [observed for observed in history.observations if _may_be_done_twice(observed)]
    again = list(_reposts(history, lost)) if lost else []
    blind = [one for one in again if one.is_blind]
    if blind:
        first = blind[0]
        return failed(
            f"#{first.later.n} posted again what #{first.lost.n} had posted and got no response to, without a look at "
            "whether it had been done; read back what is stored first, or send an idempotency key.",
            (observed for one in blind for observed in (one.lost, one.later)),
        )
    if again:
        return passed(
            "What got no response was posted again only after a look, or with its idempotency key.",
            (observed for one in again for observed in (one.lost, one.look or one.later, one.later)),
        )
    if lost:
        return not_run(f"#{lost[0].n} got no response, and what it had posted was not posted again.")
    return not_run("No POST that must not be done twice was left without a response.")


def _may_be_done_twice(observed: ObservedExchange) -> bool:
    """Return whether a request is a POST without response of which it is known that two do more than one."""
    operation = observed.operation
    if observed.delivered or operation is None or operation.method != "POST":
        return False
    if operation.bulk is None:
        return operation.record is not None and operation.record.action.constant == "create"
    action = operation.bulk.effect.action
    return operation.bulk.job is not None or (not action.source and action.constant not in REPEATABLE_ACTIONS)


def _reposts(history: ClientHistory, lost: Sequence[ObservedExchange]) -> Iterator[Repost]:
    shared, same = PostIndex(history), {one.n: group for group in history.repeats for one in group}
    looks: dict[tuple[str, str], list[ObservedExchange]] = {}
    for observed in history.observations:
        if _is_look(observed):
            looks.setdefault((observed.entry.api, observed.client), []).append(observed)
    for one in lost:
        found = same.get(one.n, ()) if one.items is None else shared.after(one, one.targets, one.n)
        later = next((other for other in found if other.n > one.n and other.entry.api == one.entry.api), None)
        if later is not None and timedelta(0) <= later.at - one.at < RETRY_WINDOW:
            mine = looks.get((one.entry.api, one.client), [])
            first, end = (bisect_right(mine, n, key=lambda observed: observed.n) for n in (one.n, later.n))
            between = (mine[place] for place in range(first, end))
            yield Repost(one, later, next((look for look in between if _may_show(look, one)), None))


def _is_look(observed: ObservedExchange) -> bool:
    """Return whether a request reads, and its response told something."""
    reads = observed.entry.method in READ_METHODS and observed.operation is not None
    return reads and observed.delivered and (observed.status in SUCCESS_STATUS or observed.status in ABSENT_STATUSES)


def _may_show(look: ObservedExchange, post: ObservedExchange) -> bool:
    """Return whether a read may tell what came of a post: of its job, or of a resource that is not another one."""
    operation, job = look.operation, None if post.bulk is None else post.bulk.job
    if operation is not None and job is not None and operation.id in job.operations:
        return True
    read, written = _resource(look), _resource(post)
    return read is None or written is None or read == written


def _resource(observed: ObservedExchange) -> str | None:
    """Return the resource that a request is about, None where that is unknown, or differs from item to item."""
    if observed.items is not None:
        return observed.items.resource or None
    record = None if observed.operation is None else observed.operation.record
    if observed.operation is None or record is None:
        return None
    where, _, name = record.resource.source.partition(":")
    if not where:
        return record.resource.constant or None
    parts = zip(observed.operation.path.split("/"), observed.entry.path.split("/"), strict=False)
    return choose(record.resource, dict(parts).get(f"{{{name}}}", ABSENT)) if where == "path" else None


def _have_same_key(one: ObservedExchange, other: ObservedExchange) -> bool:
    """Return whether both requests have the same idempotency key; equal content has equal keys in it."""
    declared = None if one.bulk is None else one.bulk.guard.idempotency
    where, _, name = (IDEMPOTENCY_FIELD if declared is None else declared.key).partition(":")
    if where != "header":
        return True
    given = header_of(one.entry.request, name)
    return bool(given) and given == header_of(other.entry.request, name)
