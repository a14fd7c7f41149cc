"""Laws on refused requests: boundary and duplicate. A refused request changes nothing.

Begin with `boundary` and `duplicate`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from contracts.bulk.lists import Pagination
from contracts.bulk.model import Bulk
from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.exchange.locations import find, put
from contracts.exchange.outcomes import page_total
from contracts.messages import ABSENT, Exchange
from generators.check.laws.metamorphic import valid_cases
from generators.check.lists import list_page, tells_total
from generators.check.records import Snapshot
from generators.check.trial_setup import ItemCase, Trial, TrialItem, prepare_trial
from generators.check.trials import (
    is_astray,
    perform,
    send,
    snapshots,
    snapshots_before,
    stored_records,
    trial_finding,
    trial_request,
)
from generators.client.polling import view_of
from generators.client.sites import SiteContext
from generators.errors import NotApplicableError
from generators.oracles.facts import LARGEST_PAGE
from generators.oracles.findings import Finding
from generators.oracles.request_oracle import refusal_fault
from generators.oracles.response_laws import TOO_MANY_REQUESTS
from generators.requests.calls import json_media
from generators.requests.envelope import SendOptions
from generators.requests.options import job_setting_of, units_of

MAX_TRIED_ITEMS: Final = 20_000  # largest maximum that is tested
MAX_TRIED_BYTES: Final = 1 << 20  # the same of a body
WIDE: Final = "é"  # one character of two bytes
ITEM_COUNT: Final = 3
FAR: Final = 1001  # items of a request whose last one repeats the first
NOBODY: Final = "bulkproofnone"  # a target that nobody has
TELLING_SLOTS: Final = (0, 1, 8, 9, 15, 16, 31, 32, 63, 64, 99, 100, 127, 128, 255, 256, 499, 511, 512, 999, 1000, 4095)
UNKNOWN_MODE: Final = "Neither"


def boundary(context: SiteContext) -> Iterator[Finding]:
    """Send the maximum number of items, one more, and none; and a body of the maximum number of bytes, and one more."""
    items = context.bulk.items
    if items.min > 0:
        yield from _judge_empty(context)
    if items.max_bytes is not None and items.max_bytes <= MAX_TRIED_BYTES and "tooBig" in context.bulk.guard.refuse:
        yield from _judge_bytes(context, items.max_bytes)
    if items.max is not None and items.max > MAX_TRIED_ITEMS:
        raise NotApplicableError(f"{items.max} items are more than are sent here")
    if items.max is not None:
        yield from _judge_maximum(context, items.max)


def may_be_busy(bulk: Bulk, status: int) -> bool:
    """Say whether a refusal may be that of a declared quota, and not one of the request."""
    breaches = {one.breach if isinstance(one.breach, int) else TOO_MANY_REQUESTS for one in bulk.guard.quota}
    return bool(bulk.guard.quota) and status in {*breaches, *bulk.guard.retry_codes}


def _judge_empty(context: SiteContext) -> Iterator[Finding]:
    trial = prepare_trial(context, [])
    if context.bulk.effect.payload in context.bulk.items.shared:
        trial.shared = prepare_trial(context, valid_cases(context, 1)).shared
    exchange = send(trial, SendOptions(unit=context.unit))
    yield from _judge_refusal("boundary", "empty", "a request without items", trial, exchange)


def _judge_bytes(context: SiteContext, most: int) -> Iterator[Finding]:
    """Send JSON with blanks behind it, which are bytes of the body; in one too long there are fewer characters."""
    if json_media(context.operation) is None:
        return
    for size in (most + 1, most):
        trial = prepare_trial(context, [_simplest_case(context)])
        trial.items[0] = _widened(trial, trial.items[0])
        request = trial_request(trial, SendOptions(unit=context.unit))
        if len(request.body) > most:
            return
        exchange = context.session.send(replace(request, body=request.body.ljust(size)))
        if size > most:
            yield from _judge_refusal("boundary", "tooBig", f"a body of {size} bytes", trial, exchange)
        elif exchange.response.status == context.bulk.guard.refuse["tooBig"] and _is_refused(trial, exchange):
            says = f"a body of {size} bytes is allowed, but refused ({exchange.response.status})"
            yield trial_finding("boundary", "most bytes are refused", says, exchange)


def _widened(trial: Trial, item: TrialItem) -> TrialItem:
    """Return an item with a character of two bytes in a free text, where it has room for one."""
    members, schemas = item.content.values, trial.maker.members
    name = next((one for one in trial.maker.free if one in members and schemas[one].is_valid(WIDE)), None)
    return item if name is None else trial.with_members(item, {**members, name: WIDE})


def _judge_maximum(context: SiteContext, most: int) -> Iterator[Finding]:
    case, unit = _simplest_case(context), context.unit
    trial = prepare_trial(context, [case] * (most + 1))
    sample = sorted({most // 2, most - 1, *(slot for slot in TELLING_SLOTS if slot < most)})
    initial = snapshots_before(trial, sample)
    over = send(trial, SendOptions(unit=unit))
    yield from _judge_refusal("boundary", "tooMany", f"a request of {most + 1} items", trial, over)
    yield from _judge_state("boundary", trial, initial, sample, over)
    done = perform(trial, SendOptions(unit=unit, order=range(most)))
    if done.refused and may_be_busy(context.bulk, done.status):
        raise NotApplicableError(f"a quota refuses {most} items now ({done.status})")
    if done.refused:
        says = f"{most} items are allowed, but the request is refused ({done.status})"
        yield trial_finding("boundary", "most are refused", says, done)
        return
    after = stored_records(done, slots=[slot for slot in sample if done.result(slot) == "done"])
    lost = [slot for slot, one in after.items() if is_astray(trial, case, one)]
    if lost:
        says = f"of {most} items that are reported as done, item {lost[0]} was not applied"
        yield trial_finding("boundary", "told as done and not carried out", says, done, after[lost[0]])
    if case.action != "delete":
        yield from _judge_largest_page(context)


def _judge_largest_page(context: SiteContext) -> Iterator[Finding]:
    """Ask for the largest page of a list that has become long: where it tells its total, it has that many records."""
    session, site = context.session, context.site
    page = site.page if "list" in site.operations else Pagination()
    if page.take is None or page.max is None or page.max > MAX_TRIED_ITEMS or not tells_total(session, site):
        return
    with suppress(NotApplicableError):
        exchange, bodies = list_page(session, site, take=page.max)
        total = page_total(page, exchange.response)
        if total is not None and len(bodies) < min(page.max, total):
            listing = site.operations["list"].id
            says = f"the largest page of {listing} has {page.max} records, and shows {len(bodies)} of {total}"
            found = trial_finding("boundary", LARGEST_PAGE, says, exchange)
            yield replace(found, operation=context.operation.id)


def _simplest_case(context: SiteContext) -> ItemCase:
    """Return a valid case of which thousands can be made: a creating one, if any."""
    kinds = valid_cases(context, 1) + valid_cases(context, 8)
    return next((one for one in kinds if not one.existing), kinds[0])


def _judge_refusal(law: str, word: str, what: str, trial: Trial, exchange: Exchange) -> Iterator[Finding]:
    """Yield when a request that must be refused was accepted, or refused with another status."""
    declared = trial.context.bulk.guard.refuse.get(word)
    status = exchange.response.status
    fault = refusal_fault(() if declared is None else (declared,), status, refused=_is_refused(trial, exchange))
    if fault == "accepted":
        yield trial_finding(law, f"{word} is accepted", f"{what} is not refused ({status})", exchange)
    elif fault == "otherwise":
        says = f"{what} is refused with {status}, but {declared} is declared"
        yield trial_finding(law, f"{word} refused with {status}", says, exchange)


def _is_refused(trial: Trial, exchange: Exchange) -> bool:
    if exchange.response.status in SUCCESS_STATUS:
        return False
    try:
        return view_of(trial.context.session, exchange).kind == "refused"
    except NotApplicableError:
        return True


def _judge_state(
    law: str, trial: Trial, initial: Mapping[int, Snapshot], slots: Sequence[int], exchange: Exchange
) -> Iterator[Finding]:
    """Yield what a refused request changed."""
    if exchange.response.status in SUCCESS_STATUS:
        return
    after = snapshots(trial, {}, slots=slots, probe=law == "duplicate")
    for slot in slots:
        case = trial.items[slot].case
        if initial[slot].differs(after[slot], trial.names):
            says = f"the request was refused, but item {slot} ({case}) changed the stored state"
            yield trial_finding(law, "a refused request leaves a trace", says, exchange, after[slot])


def duplicate(context: SiteContext) -> Iterator[Finding]:
    """Send a key or a target twice, a malformed item, and an unknown unit."""
    refuse = context.bulk.guard.refuse
    if "badMode" in refuse:
        yield from _bad_mode(context)
    for word, break_item in REFUSED_DEFECTS.items():
        if word in refuse:
            yield from _judge_defect(context, word, break_item)
    yield from _judge_far(context)
    yield from _judge_unknown_target(context)


def _judge_far(context: SiteContext) -> Iterator[Finding]:
    """Repeat the first key or target of a long request at its end."""
    items, case = context.bulk.items, _simplest_case(context)
    word = next((one for one in ("duplicateKey", "duplicateTarget") if one in context.bulk.guard.refuse), None)
    size = min(FAR, items.max or FAR)
    if word is None or case.existing or size <= ITEM_COUNT or items.max_bytes is not None:
        return
    trial = prepare_trial(context, [case] * size)
    trial.items[-1] = REFUSED_DEFECTS[word](trial, trial.items[0], trial.items[-1])
    exchange = send(trial, SendOptions(unit=context.unit))
    what = f"{_DEFECT_TEXTS[word]}, first and last of {size} items,"
    yield from _judge_refusal("duplicate", word, what, trial, exchange)


def _judge_unknown_target(context: SiteContext) -> Iterator[Finding]:
    """Send a request without items, and one with a malformed item, for a target that nobody has: both are refused."""
    trial = prepare_trial(context, valid_cases(context, 1)) if context.bulk.items.fan_out is not None else None
    for word, items in (("empty", []), ("malformedItem", [0])) if trial is not None else ():
        if trial is None or word not in context.bulk.guard.refuse or (word == "empty" and not context.bulk.items.min):
            continue
        trial.items[0] = _malformed(trial, trial.items[0], trial.items[0])
        exchange = send(trial, SendOptions(unit=context.unit, order=items, targets=(NOBODY,)))
        if exchange.response.status in SUCCESS_STATUS:
            says = f"a request ({word}) is not refused ({exchange.response.status}) when its target is unknown"
            yield trial_finding("duplicate", f"{word} accepted for an unknown target", says, exchange)


def _bad_mode(context: SiteContext) -> Iterator[Finding]:
    """Ask for an unknown unit."""
    source = context.bulk.unit.of.source
    if not source:
        return
    for wish in dict.fromkeys((None, job_setting_of(context.bulk))):
        trial = prepare_trial(context, valid_cases(context, ITEM_COUNT))
        initial = snapshots_before(trial)
        exchange = send(trial, SendOptions(more={source: UNKNOWN_MODE}, as_job=wish))
        yield from _judge_refusal("duplicate", "badMode", "a request with an unknown mode", trial, exchange)
        yield from _judge_state("duplicate", trial, initial, range(ITEM_COUNT), exchange)


def _judge_defect(context: SiteContext, word: str, break_item: Any) -> Iterator[Finding]:
    units, wish = units_of(context.bulk), job_setting_of(context.bulk)
    for unit, as_job in (*((unit, None) for unit in units), *([(units[0], wish)] if wish is not None else [])):
        trial = defective_trial(context, break_item)
        initial = snapshots_before(trial)
        exchange = send(trial, SendOptions(unit=unit, as_job=as_job))
        yield from _judge_refusal("duplicate", word, _DEFECT_TEXTS[word], trial, exchange)
        yield from _judge_state("duplicate", trial, initial, range(ITEM_COUNT - 1), exchange)


def defective_trial(context: SiteContext, break_item: Callable[[Trial, TrialItem, TrialItem], TrialItem]) -> Trial:
    """Return a trial of several items whose last one is broken, or repeats the first."""
    trial = prepare_trial(context, valid_cases(context, 1) * ITEM_COUNT)
    trial.items[-1] = break_item(trial, trial.items[0], trial.items[-1])
    return trial


def _same_key(trial: Trial, first: TrialItem, last: TrialItem) -> TrialItem:
    return _with(last, trial.context.bulk.key.at or "", first.key if first.content.key is None else first.content.key)


def _same_target(trial: Trial, first: TrialItem, last: TrialItem) -> TrialItem:
    bulk = trial.context.bulk
    at = bulk.effect.target[0] if bulk.effect.target else f"{bulk.effect.payload}/{trial.context.resource.key}"
    return _with(last, at, find(first.raw, at))


def _malformed(trial: Trial, first: TrialItem, last: TrialItem) -> TrialItem:
    del trial, first
    return replace(last, raw=7)


def _with(trial_item: TrialItem, at: str, value: object) -> TrialItem:
    if value is ABSENT:
        raise NotApplicableError("its items have no such key")
    return replace(trial_item, raw=put(trial_item.raw, at, value))


REFUSED_DEFECTS: Final = {"duplicateKey": _same_key, "duplicateTarget": _same_target, "malformedItem": _malformed}
_DEFECT_TEXTS: Final = {
    "duplicateKey": "a request with one key twice",
    "duplicateTarget": "a request with one target twice",
    "malformedItem": "a request with a malformed item",
}


def refuses_duplicates(bulk: Bulk) -> bool:
    """Return whether a declaration refuses anything that the law tests."""
    return any(word in bulk.guard.refuse for word in (*REFUSED_DEFECTS, "badMode"))
