"""Laws of client conduct on requests: keys, mode, order, Content-Type, target, and the Location to follow."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote, urlsplit

import orjson

from contracts.openapi.model import Operation
from contracts.syntax.text import counted
from mockserver.journal.facts import unpack
from mockserver.verdicts.conduct_law import LawResult, failed, names_text, not_run, passed
from mockserver.verdicts.history import ClientHistory, ObservedExchange, ObservedJob, header_of

URL_FIELDS: Final = ("Location", "Operation-Location", "Content-Location")
WRITE_METHODS: Final = frozenset(("POST", "PUT"))


def unique_keys(history: ClientHistory) -> LawResult:
    """Judge whether the client's keys of the items of one request are distinct."""
    calls = [
        observed
        for observed in history.posts
        if observed.bulk is not None and observed.bulk.key.by == "client" and observed.items
    ]
    wrong = [observed for observed in calls if observed.items is not None and observed.items.has_duplicate_keys]
    if wrong:
        member = _key_name(wrong[0])
        return failed(f"#{wrong[0].n} has the same {member} twice; give each item of a call its own.", wrong)
    return (
        passed(f"{counted(len(calls), 'call')}, no key twice.", calls)
        if calls
        else not_run("No call had keys of its own.")
    )


def _key_name(observed: ObservedExchange) -> str:
    at = observed.bulk.key.at if observed.bulk is not None else None
    return (at or "key").rpartition("/")[2]


def stated_mode(history: ClientHistory) -> LawResult:
    """Judge whether each request whose unit the client may choose states it."""
    calls = [observed for observed in history.posts if observed.bulk is not None and observed.bulk.unit.of.source]
    silent = [observed for observed in calls if observed.items is not None and not observed.items.states_unit]
    if silent:
        source = silent[0].bulk.unit.of.source if silent[0].bulk is not None else ""
        where, _, name = source.rpartition(":")
        place = f" in the {where}" if where else ""
        return failed(f"#{silent[0].n} left it to the default; state {name}{place} in each call.", silent)
    return passed(f"Stated in {counted(len(calls), 'call')}.", calls) if calls else not_run("No bulk call was made.")


def ordered_stated(history: ClientHistory) -> LawResult:
    """Judge whether each request whose items name groups asks for their order."""
    calls = [observed for observed in history.posts if observed.items is not None and observed.items.groups]
    loose = [observed for observed in calls if observed.items is not None and not observed.items.ordered]
    if loose:
        order = loose[0].bulk.order if loose[0].bulk is not None else None
        group = ((order.group_by or "") if order is not None else "").rpartition("/")[2]
        name = ((order.when or "") if order is not None else "").rpartition(":")[2].partition("=")[0]
        return failed(f"#{loose[0].n} has {group} and did not send {name}=true, so it was ignored; send it.", loose)
    return passed(f"Sent with {counted(len(calls), 'call')}.", calls) if calls else not_run("No item named a group.")


def right_content_type(history: ClientHistory) -> LawResult:
    """Judge whether each body has a content type that its operation accepts."""
    calls = [
        (observed, observed.operation)
        for observed in history.observations
        if observed.operation is not None and _has_body(observed, observed.operation)
    ]
    wrong = [(observed, of) for observed, of in calls if _is_wrong(observed, of)]
    if wrong:
        observed, of = wrong[0]
        known = " or ".join(one.media_range for one in of.body.content) if of.body is not None else ""
        got = header_of(observed.entry.request, "Content-Type")[:80] or "nothing"
        return failed(f"#{observed.n} sent {of.id} as {got}; send {known}.", (observed for observed, _ in wrong))
    if calls:
        return passed(f"{counted(len(calls), 'call')}, each of a declared type.", (observed for observed, _ in calls))
    return not_run("No call had a body.")


def _has_body(observed: ObservedExchange, operation: Operation) -> bool:
    return operation.body is not None and (
        observed.entry.request.size > 0 or observed.status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    )


def _is_wrong(observed: ObservedExchange, operation: Operation) -> bool:
    sent = header_of(observed.entry.request, "Content-Type")
    fits = operation.body is not None and operation.body.media(sent) is not None
    return not fits or observed.status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE


def right_target(history: ClientHistory) -> LawResult:
    """Judge whether the job of each target of a fan-out is polled by its own id."""
    job_ids = _job_ids_by_target(history)
    asked = [observed for job in history.jobs if job.target for observed in job.requests]
    wrong = [
        (observed, target)
        for observed in history.observations
        if (target := _mismatched_target(history, job_ids, observed))
    ]
    if wrong:
        observed, target = wrong[0]
        detail = f"#{observed.n} asked about '{target}' with an id that is not its job's; use the id returned for it."
        return failed(detail, (one for one, _ in wrong))
    left = [job for job in history.jobs if job.target and not job.requests and _siblings_ended(history, job)]
    if left:
        posts = [job.post for job in left if job.post is not None]
        return failed(f"The job of '{left[0].target}' was never polled; poll each target's job by its own id.", posts)
    if asked:
        return passed("Each target's job was polled by its own id.", asked)
    return not_run("No job of several targets was polled.")


def _job_ids_by_target(history: ClientHistory) -> dict[str, set[str]]:
    """Return the ids of the jobs of each target of a fan-out."""
    found: dict[str, set[str]] = {}
    for job in history.jobs:
        if job.target:
            found.setdefault(job.target, set()).add(job.id)
    return found


def _mismatched_target(history: ClientHistory, job_ids: Mapping[str, set[str]], observed: ObservedExchange) -> str:
    """Return the target that a request names with the job id of another target, "" when they fit."""
    named_here = (
        [value for _, value in observed.entry.query if value in job_ids] if observed.summary.job_id and job_ids else []
    )
    if not named_here or any(observed.summary.job_id in job_ids[target] for target in named_here):
        return ""
    own = history.by_id.get(observed.summary.job_id)
    return "" if own is not None and not own.target and own.post is not None else named_here[0]


def _siblings_ended(history: ClientHistory, job: ObservedJob) -> bool:
    return job.post is not None and any(one.end is not None for one in history.by_post[job.post.n])


def referred_first(history: ClientHistory) -> LawResult:
    """Judge whether records are posted before others that refer to them."""
    refers = {observed.n: _references(observed) for observed in history.posts if observed.succeeded}
    first = _first_writes(history, {pair for pairs in refers.values() for pair in pairs})
    met = [
        (observed, pair[1], brought)
        for observed in history.posts
        for pair in refers.get(observed.n, ())
        for target in observed.targets
        if (brought := first.get((target, *pair))) is not None and brought is not observed
    ]
    wrong = [(observed, key, brought) for observed, key, brought in met if brought.n > observed.n]
    if wrong:
        observed, _, brought = wrong[0]
        keys = list(dict.fromkeys(key for one, key, late in wrong if one is observed and late is brought))
        return failed(
            f"#{observed.n} refers to {names_text(keys)}, which only #{brought.n} brought; post what others "
            "refer to first.",
            (one for observed, _, brought in wrong for one in (observed, brought)),
        )
    if met:
        evidence = (one for observed, _, brought in met for one in (observed, brought))
        return passed("What others refer to was posted first.", evidence)
    return not_run("Nothing was posted that refers to something else that was posted.")


def _references(observed: ObservedExchange) -> list[tuple[str, str]]:
    """Return resource and key of the records that the items of a post refer to."""
    packed: dict[str, str] = (
        orjson.loads(observed.items.referenced_keys)
        if observed.items is not None and observed.items.referenced_keys
        else {}
    )
    return [(resource, key) for resource, keys in packed.items() for key in unpack(keys.encode())]


def _first_writes(history: ClientHistory, wanted: set[tuple[str, str]]) -> dict[tuple[str, str, str], ObservedExchange]:
    """Return the first request that wrote each of the wanted records, by target, resource and key."""
    first: dict[tuple[str, str, str], ObservedExchange] = {}
    for observed in history.observations if wanted else ():
        for pair in _written(observed):
            for target in observed.targets if pair in wanted else ():
                first.setdefault((target, *pair), observed)
    return first


def _written(observed: ObservedExchange) -> Iterator[tuple[str, str]]:
    """Yield resource and key of the records that a request creates or changes."""
    if not observed.succeeded or observed.entry.method not in WRITE_METHODS:
        return
    items = observed.items
    if items is None:
        yield from ((one.partition("/")[0], one.partition("/")[2]) for one in observed.named_records)
        return
    gone = set(unpack(items.deleted_keys))
    yield from ((items.resource, key) for key in observed.keys if key not in gone)


def followed_location(history: ClientHistory) -> LawResult:
    """Judge whether the URL that a 202 response gives is requested."""
    given = [(observed, address) for observed in history.observations if (address := _job_url(observed))]
    last = (
        {(observed.entry.api, unquote(observed.entry.path)): observed.n for observed in history.observations}
        if given
        else {}
    )
    left = [observed for observed, address in given if not _is_requested(history, last, observed, address)]
    if left:
        return failed(f"#{left[0].n} was accepted and its Location was never requested; follow it.", left)
    if given:
        return passed("Each Location was requested.", (observed for observed, _ in given))
    return not_run("No 202 had a Location.")


def _job_url(observed: ObservedExchange) -> str:
    if not observed.delivered or observed.status != HTTPStatus.ACCEPTED:
        return ""
    handle = observed.bulk.job.handle if observed.bulk is not None and observed.bulk.job is not None else ""
    own = (handle.partition(":")[2],) if handle.startswith("header:") else ()
    return next((found for name in (*own, *URL_FIELDS) if (found := observed.header(name))), "")


def _is_requested(
    history: ClientHistory, last: Mapping[tuple[str, str], int], observed: ObservedExchange, address: str
) -> bool:
    """Return whether a URL was requested: by the job's id, or by its path, with any prefix before the API's part."""
    jobs = (history.by_id.get(made.id) for made in observed.summary.created_jobs)
    if any(job is not None and job.requests for job in jobs):
        return True
    parts = unquote(urlsplit(address).path).strip("/").split("/")
    paths = (f"/{'/'.join(parts[n:])}" for n in range(len(parts)))
    return any(last.get((observed.entry.api, path), 0) > observed.n for path in paths)
