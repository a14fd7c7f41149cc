"""Laws about how calls are put: what they state, under which names, in which order, to which address."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote, urlsplit

import orjson

from contracts.model import Operation
from mockserver.conduct.history import Deed, History, Watch, header_of
from mockserver.conduct.law import Ruling, broken, kept, not_exercised
from mockserver.conduct.packing import unpack
from mockserver.conduct.wording import counted, named

ADDRESSES: Final = ("Location", "Operation-Location", "Content-Location")
WRITES: Final = frozenset(("POST", "PUT"))


def unique_keys(history: History) -> Ruling:
    """Judge whether the keys that a client chooses for the items of one call are different."""
    calls = [deed for deed in history.posts if deed.bulk is not None and deed.bulk.key.by == "client" and deed.items]
    wrong = [deed for deed in calls if deed.items is not None and deed.items.repeats]
    if wrong:
        member = _key_name(wrong[0])
        return broken(f"#{wrong[0].n} has the same {member} twice; give each item of a call its own.", wrong)
    return (
        kept(f"{counted(len(calls), 'call')}, no key twice.", calls)
        if calls
        else not_exercised("No call had keys of its own.")
    )


def _key_name(deed: Deed) -> str:
    at = deed.bulk.key.at if deed.bulk is not None else None
    return (at or "key").rpartition("/")[2]


def stated_mode(history: History) -> Ruling:
    """Judge whether each call whose unit the caller may choose says which."""
    calls = [deed for deed in history.posts if deed.bulk is not None and deed.bulk.unit.of.source]
    silent = [deed for deed in calls if deed.items is not None and not deed.items.states_unit]
    if silent:
        source = silent[0].bulk.unit.of.source if silent[0].bulk is not None else ""
        where, _, name = source.rpartition(":")
        place = f" in the {where}" if where else ""
        return broken(f"#{silent[0].n} left it to the default; state {name}{place} in each call.", silent)
    return (
        kept(f"Stated in {counted(len(calls), 'call')}.", calls) if calls else not_exercised("No bulk call was made.")
    )


def ordered_stated(history: History) -> Ruling:
    """Judge whether each call whose items name groups asks for their order to be kept."""
    calls = [deed for deed in history.posts if deed.items is not None and deed.items.groups]
    loose = [deed for deed in calls if deed.items is not None and not deed.items.ordered]
    if loose:
        order = loose[0].bulk.order if loose[0].bulk is not None else None
        group = ((order.group_by or "") if order is not None else "").rpartition("/")[2]
        name = ((order.when or "") if order is not None else "").rpartition(":")[2].partition("=")[0]
        return broken(f"#{loose[0].n} has {group} and did not send {name}=true, so it was ignored; send it.", loose)
    return (
        kept(f"Sent with {counted(len(calls), 'call')}.", calls) if calls else not_exercised("No item named a group.")
    )


def right_content_type(history: History) -> Ruling:
    """Judge whether the body of each call is of a content type that its operation takes."""
    calls = [
        (deed, deed.operation)
        for deed in history.deeds
        if deed.operation is not None and _has_body(deed, deed.operation)
    ]
    wrong = [(deed, of) for deed, of in calls if _is_wrong(deed, of)]
    if wrong:
        deed, of = wrong[0]
        known = " or ".join(one.media_range for one in of.body.content) if of.body is not None else ""
        got = header_of(deed.entry.call, "Content-Type")[:80] or "nothing"
        return broken(f"#{deed.n} sent {of.id} as {got}; send {known}.", (deed for deed, _ in wrong))
    if calls:
        return kept(f"{counted(len(calls), 'call')}, each of a declared type.", (deed for deed, _ in calls))
    return not_exercised("No call had a body.")


def _has_body(deed: Deed, operation: Operation) -> bool:
    return operation.body is not None and (deed.entry.call.size > 0 or deed.status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE)


def _is_wrong(deed: Deed, operation: Operation) -> bool:
    sent = header_of(deed.entry.call, "Content-Type")
    fits = operation.body is not None and operation.body.media(sent) is not None
    return not fits or deed.status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE


def right_target(history: History) -> Ruling:
    """Judge whether the job of each target of a fan-out is asked for by its own id."""
    told = _told_targets(history)
    asked = [deed for job in history.jobs if job.target for deed in job.asked]
    wrong = [(deed, target) for deed in history.deeds if (target := _other_target(history, told, deed))]
    if wrong:
        deed, target = wrong[0]
        detail = f"#{deed.n} asked about '{target}' with an id that is not its job's; use the id returned for it."
        return broken(detail, (one for one, _ in wrong))
    left = [job for job in history.jobs if job.target and not job.asked and _siblings_ended(history, job)]
    if left:
        posts = [job.post for job in left if job.post is not None]
        return broken(f"The job of '{left[0].target}' was never polled; poll each target's job by its own id.", posts)
    if asked:
        return kept("Each target's job was polled by its own id.", asked)
    return not_exercised("No job of several targets was polled.")


def _told_targets(history: History) -> dict[str, set[str]]:
    """Return the ids of the jobs that were told for each target of a fan-out."""
    found: dict[str, set[str]] = {}
    for job in history.jobs:
        if job.target:
            found.setdefault(job.target, set()).add(job.id)
    return found


def _other_target(history: History, told: Mapping[str, set[str]], deed: Deed) -> str:
    """Return the target that a call names while it asks by an id that is not that target's, "" when it does not."""
    named_here = [value for _, value in deed.entry.query if value in told] if deed.gist.asked and told else []
    if not named_here or any(deed.gist.asked in told[target] for target in named_here):
        return ""
    own = history.by_id.get(deed.gist.asked)
    return "" if own is not None and not own.target and own.post is not None else named_here[0]


def _siblings_ended(history: History, job: Watch) -> bool:
    return job.post is not None and any(one.end is not None for one in history.by_post[job.post.n])


def referred_first(history: History) -> Ruling:
    """Judge whether records that others refer to are posted before them."""
    refers = {deed.n: _refers(deed) for deed in history.posts if deed.taken}
    first = _first_brought(history, {pair for pairs in refers.values() for pair in pairs})
    met = [
        (deed, pair[1], brought)
        for deed in history.posts
        for pair in refers.get(deed.n, ())
        for target in deed.targets
        if (brought := first.get((target, *pair))) is not None and brought is not deed
    ]
    wrong = [(deed, key, brought) for deed, key, brought in met if brought.n > deed.n]
    if wrong:
        deed, _, brought = wrong[0]
        keys = list(dict.fromkeys(key for one, key, late in wrong if one is deed and late is brought))
        return broken(
            f"#{deed.n} refers to {named(keys)}, which only #{brought.n} brought; post what others refer to first.",
            (one for deed, _, brought in wrong for one in (deed, brought)),
        )
    if met:
        evidence = (one for deed, _, brought in met for one in (deed, brought))
        return kept("What others refer to was posted first.", evidence)
    return not_exercised("Nothing was posted that refers to something else that was posted.")


def _refers(deed: Deed) -> list[tuple[str, str]]:
    """Return resource and key of what the items of a post refer to."""
    packed: dict[str, str] = orjson.loads(deed.items.refers) if deed.items is not None and deed.items.refers else {}
    return [(resource, key) for resource, keys in packed.items() for key in unpack(keys.encode())]


def _first_brought(history: History, wanted: set[tuple[str, str]]) -> dict[tuple[str, str, str], Deed]:
    """Return the first call that created or changed each of the wanted records, by target, resource and key."""
    first: dict[tuple[str, str, str], Deed] = {}
    for deed in history.deeds if wanted else ():
        for pair in _brought(deed):
            for target in deed.targets if pair in wanted else ():
                first.setdefault((target, *pair), deed)
    return first


def _brought(deed: Deed) -> Iterator[tuple[str, str]]:
    """Yield resource and key of what a call creates or changes."""
    if not deed.taken or deed.entry.method not in WRITES:
        return
    items = deed.items
    if items is None:
        yield from ((one.partition("/")[0], one.partition("/")[2]) for one in deed.named)
        return
    gone = set(unpack(items.gone))
    yield from ((items.resource, key) for key in deed.keys if key not in gone)


def followed_location(history: History) -> Ruling:
    """Judge whether the address that a 202 gave is asked."""
    given = [(deed, address) for deed in history.deeds if (address := _address(deed))]
    last = {(deed.entry.api, unquote(deed.entry.path)): deed.n for deed in history.deeds} if given else {}
    left = [deed for deed, address in given if not _is_asked(history, last, deed, address)]
    if left:
        return broken(f"#{left[0].n} was accepted and its Location was never requested; follow it.", left)
    if given:
        return kept("Each Location was requested.", (deed for deed, _ in given))
    return not_exercised("No 202 had a Location.")


def _address(deed: Deed) -> str:
    if not deed.heard or deed.status != HTTPStatus.ACCEPTED:
        return ""
    handle = deed.bulk.job.handle if deed.bulk is not None and deed.bulk.job is not None else ""
    own = (handle.partition(":")[2],) if handle.startswith("header:") else ()
    return next((found for name in (*own, *ADDRESSES) if (found := deed.header(name))), "")


def _is_asked(history: History, last: Mapping[tuple[str, str], int], deed: Deed, address: str) -> bool:
    """Tell whether an address was asked: by the job's id, or by its path, whatever stands before the API's own part."""
    jobs = (history.by_id.get(made.id) for made in deed.gist.made)
    if any(job is not None and job.asked for job in jobs):
        return True
    parts = unquote(urlsplit(address).path).strip("/").split("/")
    paths = (f"/{'/'.join(parts[n:])}" for n in range(len(parts)))
    return any(last.get((deed.entry.api, path), 0) > deed.n for path in paths)
