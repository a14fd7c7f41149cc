"""The law `exact`: what is sent is taken as it is. Begin with `exact`.

Values that programs take for nothing, such as 0, false and the text `null`, capital letters, blanks and long texts are
taken and stored; keys that are nearly equal are different ones. Each item has several such values at once; when it
fails, each value is sent by itself. What is written again, and unique values of others, are in `again`. Members that
the operation may not set are not taken. Versions are exact too: `old_versions`, of the law `stale-version`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any, Final

import orjson

from contracts.exchange.bulk_request import names_target
from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.exchange.locations import put
from contracts.messages import ABSENT, Exchange
from contracts.schemas.equality import difference_at, equivalent, key_text
from contracts.schemas.keywords import is_annotation
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import pointer_of, short
from generators.check.laws.again import changed_to_taken, written_again
from generators.check.laws.errors.member_faults import barred_trials
from generators.check.laws.keys import has_exact_keys
from generators.check.laws.metamorphic import (
    batched,
    known_targets,
    max_independent_items,
    run_each,
    send_singly,
    single_operation,
)
from generators.check.records import CreatedRecord, Snapshot, change_version, read_record
from generators.check.trial_setup import (
    ItemCase,
    Trial,
    TrialItem,
    available_cases,
    fits_request,
    prepare_trial,
)
from generators.check.trials import TrialResult, perform, snapshots, stored_records, trial_finding
from generators.client.sites import SiteContext, experiment_sites, record_factory_of
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding, shape_at
from generators.requests.envelope import SendOptions
from generators.requests.items import own_key_member
from generators.requests.single import Members

LAW: Final = "exact"
WORDS: Final = ("0", "false", "null", " ", "", "-1", "0.0", "1e3", "NaN", "undefined", "[]", "'", "%00", "é", "e\u0301")
OTHERS: Final = (0, False, True, -0.5, 10**6, 1234.56789)  # for what is no text
LENGTHS: Final = (2000, 1000, 255, 200, 128, 100, 64, 50, 40, 36)  # of which the longest that is allowed is tried
PAIR: Final = 2
CHANGES: Final = 18  # of a record whose earlier versions are stated
MANY_CHANGES: Final = 130  # of one record: more than a byte counts, or a cache of small numbers holds
OLD_STEPS: Final = (0, 2, 8)  # from its first version to one with its beginning, its lowest bits, its last digit


def exact(context: SiteContext) -> Iterator[Finding]:
    """Send unusual values, nearly equal keys, what may not be set, what was sent before. Raises NotApplicableError."""
    own = (changed_to_taken, _judge_values, _judge_keys, _judge_barred, written_again)
    is_shared = context.bulk.effect.payload in context.bulk.items.shared
    yield from run_each((_judge_nulls, *(() if is_shared else own)), lambda part: part(context))


def _options(context: SiteContext, order: Sequence[int] | None = None) -> SendOptions:
    return SendOptions(unit=context.unit, order=order, targets=known_targets(context)[:1])


def _is_bad(done: TrialResult, slot: int = 0) -> bool:
    return done.refused or done.result(slot) == "failed"


# Values


def _judge_values(context: SiteContext) -> Iterator[Finding]:
    """Give unusual values to members of every resource, of those with the same schema to one."""
    seen: set[bytes] = set()
    plans: list[tuple[SiteContext, list[str]]] = []
    for site in experiment_sites(context.session, context.operation):
        own = replace(context, site=site)
        maker, writable = record_factory_of(context.session, site.resource), own.spec.writable.get(site.resource.name)
        free = [name for name in maker.free if name != own_key_member(own.bulk)]
        names = [name for name in free if writable is None or name in writable]
        kinds = {name: _kind(maker.members[name]) for name in names}
        plans.append((own, [name for name in names if kinds[name] not in seen]))
        seen |= set(kinds.values())
    yield from run_each([one for one in plans if one[1]], lambda one: _judge_members(*one))


def _judge_nulls(context: SiteContext) -> Iterator[Finding]:
    """Set every member to null that may be, of new records and of those that have values there, of each resource."""
    sites = [replace(context, site=site) for site in experiment_sites(context.session, context.operation)]
    cases = [(own, case) for own in sites for case in available_cases(own)[0] if case.action != "delete"]
    yield from run_each(cases, lambda one: _judge_cleared(*one))


def _judge_cleared(context: SiteContext, case: ItemCase) -> Iterator[Finding]:
    """Set members to null in bulk, and by the equivalent single-record operation, if no other operation did."""
    trial = prepare_trial(context, [replace(case, variant="cleared")] * 2)
    sent = {**trial.shared_members, **trial.items[0].content.values}
    row = {name: value for name, value in sent.items() if value is None}
    done = perform(trial, _options(context, order=[0]))
    if _is_bad(done) and trial.shared is ABSENT:
        yield from _judge_failed(context, case, [row])
    yield from _judge_stored(done, [row])
    name = ("nulls alone", context.resource.name, case.action)
    if context.session.cache.setdefault(name, context.operation.id) != context.operation.id:
        return
    if single_operation(context, case) is not None:
        exchange, key = send_singly(trial, trial.items[1])
        is_done = exchange.response.status in SUCCESS_STATUS
        found = snapshots(trial, {} if key is ABSENT else {1: key}, slots=[1]) if is_done else {}
        yield from _judge_reads(trial, found, {1: row}, exchange)


def _judge_barred(context: SiteContext) -> Iterator[Finding]:
    """Set each member that the operation may not set. Raises NotApplicableError where it may set all."""
    trials = list(barred_trials(context))
    if not trials:
        raise NotApplicableError("it may set all members of a record")
    for made in trials:
        done = perform(made.trial, _options(context))
        for slot in () if done.refused else done.slots("done"):
            case, fault = made.trial.items[slot].case, made.faults[slot][0]
            says = f"item {slot}, the {case} of a record that sets '{fault.member}', is done"
            yield trial_finding(LAW, "what may not be set is set", says, done)


def _kind(schema: Schema) -> bytes:
    return orjson.dumps({word: value for word, value in schema.raw.items() if not is_annotation(word)})


def _judge_members(context: SiteContext, names: Sequence[str]) -> Iterator[Finding]:
    """Create and change records with unusual values in these members."""
    right = [one for one in available_cases(context)[0] if one.action != "delete"]
    if not right:
        raise NotApplicableError("no item could be made that sets members")
    for case in right:
        rows = _rows(prepare_trial(context, [case]), names)
        for some in batched(rows, max_independent_items(context)):
            done = perform(_with_values(context, case, some), _options(context))
            yield from _judge_failed(context, case, [row for n, row in enumerate(some) if _is_bad(done, n)])
            yield from _judge_stored(done, some)


def _rows(trial: Trial, names: Sequence[str]) -> list[Members]:
    """Return the members of each item that have unusual values: each member has its own in turn."""
    maker, one = trial.maker, trial.items[0]
    context = trial.record_context("v")
    values = {name: _unusual(trial, maker.members[name], maker.any_value(name, context)) for name in names}
    most = max(map(len, values.values()), default=0)
    rows = [{name: some[n] for name, some in values.items() if n < len(some)} for n in range(most)]
    base = {**(one.known.members if one.known is not None else {}), **one.content.values}
    whole = [row for row in rows if trial.can_have(row) and maker.fits({**base, **row}, partial=one.case.existing)]
    return [row for row in whole if fits_request(trial, one.case, _with(trial, one, row).raw)]


def _unusual(trial: Trial, schema: Schema, sample: object) -> list[object]:
    """Return the unusual values that a member may have; long ones only where bytes are not limited."""
    items, found = trial.context.bulk.items, list[object]((*OTHERS, *WORDS))
    if isinstance(sample, str):
        sizes = LENGTHS if items.max_bytes is None and items.max_item_bytes is None else ()
        long = (sample.ljust(size, "y") for size in sizes)
        found = [sample.swapcase(), f" {sample} ", next(filter(schema.is_valid, long), sample), *found]
    return [value for value in found if schema.is_valid(value)]


def _with(trial: Trial, one: TrialItem, row: Members) -> TrialItem:
    return trial.with_members(one, {**one.content.values, **row})


def _with_values(context: SiteContext, case: ItemCase, rows: Sequence[Members]) -> Trial:
    """Return a trial of one item for each row, with its values."""
    trial = prepare_trial(context, [case] * len(rows))
    trial.items = [_with(trial, one, row) for one, row in zip(trial.items, rows, strict=True)]
    return trial


def _judge_failed(context: SiteContext, case: ItemCase, rows: Sequence[Members]) -> Iterator[Finding]:
    """Yield the first value of each member that fails by itself, where an item without it does not."""
    if not rows or _is_bad(perform(prepare_trial(context, [case]), _options(context))):
        return
    told: set[str] = set()
    for name, value in ((name, value) for row in rows for name, value in row.items()):
        done = None if name in told else perform(_with_values(context, case, [{name: value}]), _options(context))
        if done is not None and _is_bad(done):
            told.add(name)
            says = f"an item whose '{name}' is {short(value)}, which its schema allows, is not done"
            yield trial_finding(LAW, shape_at("a valid value fails", pointer_of((name,))), says, done)


def _judge_stored(done: TrialResult, rows: Sequence[Members]) -> Iterator[Finding]:
    """Yield the first value of each member that reads otherwise than it was sent in a request."""
    slots = [n for n in range(len(rows)) if not done.refused and done.result(n) == "done"]
    target = next(iter(done.options.targets), None)
    yield from _judge_reads(done.trial, stored_records(done, target=target, slots=slots), dict(enumerate(rows)), done)


def _judge_reads(
    trial: Trial, reads: Mapping[int, Snapshot], rows: Mapping[int, Members], sent: TrialResult | Exchange
) -> Iterator[Finding]:
    schemas, told = trial.maker.members, set[str]()
    for slot, after in reads.items():
        shown: Mapping[str, Any] = after.members or {}
        for name, value in rows[slot].items() if after.present and after.members is not None else ():
            if name not in told and not equivalent(schemas[name], shown.get(name), value):
                told.add(name)
                says = f"'{name}' was sent as {short(value)}, and reads {short(shown.get(name))}"
                pointer = f"{pointer_of((name,))}{difference_at(schemas[name], shown.get(name), value)}"
                yield trial_finding(LAW, shape_at("a value reads otherwise", pointer), says, sent, after)


# Keys


def _judge_keys(context: SiteContext) -> Iterator[Finding]:
    """Create records whose keys, or the keys of whose items, are nearly equal. Raises NotApplicableError."""
    case = next((one for one in available_cases(context)[0] if not one.existing), None)
    count = len(_near_keys(prepare_trial(context, [case]))) if case is not None else 0
    places = range(min(count, context.bulk.items.max or count))
    if case is None or len(places) < PAIR:
        raise NotApplicableError("its items make no records, or have no texts as keys that a client chooses")
    trial = _with_keys(context, case, places)
    done = perform(trial, _options(context))
    if done.refused or done.slots("failed"):
        yield from _judge_pairs(context, case, places)
        return
    free = trial.maker.free
    rows = [{name: value for name, value in one.content.values.items() if name in free} for one in trial.items]
    yield from _judge_stored(done, rows)


def _near_keys(trial: Trial) -> list[str]:
    """Return texts that are different keys and nearly equal: in case and blanks too where keys are exact."""
    schemas, text = _key_schemas(trial), trial.names.text("q")
    longest = next((size for size in LENGTHS if all(one.is_valid(text.ljust(size, "x")) for one in schemas)), 0)
    texts = [text, f"{text}0", text[:-1], *(f"{text.ljust(longest - 1, 'x')}{end}" for end in "ab" if longest)]
    if trial.context.bulk.key.by != "client" and has_exact_keys(trial.context.site):
        texts += [text.swapcase(), f"{text} ", f" {text}", f"{text}é", f"{text}e\u0301", f"{text}e", f"0{text}"]
    fitting = [one for one in texts if schemas and all(schema.is_valid(one) for schema in schemas)]
    return list({key_text(one): one for one in fitting}.values())


def _key_schemas(trial: Trial) -> Sequence[Schema]:
    """Return the schema that the clients' keys fit, none where they are made by the server, or normalised."""
    bulk, element, resource = trial.context.bulk, trial.context.spec.encoder.element, trial.context.resource
    if own_key_member(bulk) is not None or names_target(bulk) or resource.key in resource.normalize:
        return ()
    if bulk.key.by == "client":
        own = element.at(bulk.key.at) if element is not None and bulk.key.at else None
    else:
        own = None if resource.assigned else trial.maker.members.get(resource.key)
    return () if own is None else (own,)


def _with_keys(context: SiteContext, case: ItemCase, places: Sequence[int]) -> Trial:
    """Return a trial whose items have those of the keys that are nearly equal which stand at some places."""
    trial = prepare_trial(context, [case] * len(places))
    keys = _near_keys(trial)
    trial.items = [_with_key(trial, one, keys[n]) for one, n in zip(trial.items, places, strict=True)]
    return trial


def _with_key(trial: Trial, one: TrialItem, key: str) -> TrialItem:
    """Return an item with another key of its own."""
    context, bulk = trial.context, trial.context.bulk
    trial.names.register(key, f"q{one.slot}")
    if bulk.key.by == "client":
        return replace(one, content=replace(one.content, key=key), raw=put(one.raw, bulk.key.at or "", key))
    content = replace(one.content, target=key, members={**one.content.values, context.resource.key: key})
    return replace(one, content=content, raw=context.item(content, trial.rng(f"raw{one.slot}")))


def _judge_pairs(context: SiteContext, case: ItemCase, places: Sequence[int]) -> Iterator[Finding]:
    """Yield two items that are not done together, although each of their keys is taken alone."""
    alone = [n for n in places if not _is_bad(perform(_with_keys(context, case, [n]), _options(context)))]
    for pair in combinations(alone, PAIR):
        trial = _with_keys(context, case, pair)
        both = perform(trial, _options(context))
        if _is_bad(both) or both.slots("failed"):
            one, other = (short(item.content.key or item.content.target) for item in trial.items)
            says = f"items with the keys {one} and {other}, each of which is taken alone, are not done together"
            yield trial_finding(LAW, "keys that differ are taken for one", says, both)
            return


# Versions


def old_versions(context: SiteContext, action: str) -> Iterator[Finding]:
    """Change a record many times, where versions are counted: those that it had are stale, whatever their digits."""
    trial, version = prepare_trial(context, [ItemCase(action=action, existing=True)]), context.bulk.effect.version
    one, given, known = trial.items[0], trial.items[0].content.version, trial.items[0].known
    if known is None or not isinstance(given, int) or not context.resource.has_counter or not isinstance(one.raw, dict):
        return
    for n in range(CHANGES):
        change_version(context, replace(known, version=given + n), trial.names, f"o{n}")
    if read_record(context.session, context.site, known.key).known_version != given + CHANGES:
        return  # others changed it too
    for old in (given + step for step in OLD_STEPS):
        trial.items[0] = replace(one, raw=put(one.raw, version or "", old))
        done = perform(trial, SendOptions(unit=context.unit))
        if done.result(0) == "done":
            says = f"the version {old} of a record that is at {given + CHANGES} is accepted ({action})"
            yield trial_finding("stale-version", f"old {action} is done", says, done)
            return
    yield from _late_versions(trial, known, given)


def _late_versions(trial: Trial, known: CreatedRecord, first: int) -> Iterator[Finding]:
    """Go on changing a record, always with its current version, for one operation: its versions stay what they are."""
    context, session = trial.context, trial.context.session
    versioned = (one for one in session.contract.operations if one.bulk is not None and one.bulk.effect.version)
    for version in range(first + CHANGES, first + MANY_CHANGES) if next(versioned) == context.operation else ():
        try:
            change_version(context, replace(known, version=version), trial.names, f"o{version}")
        except NotApplicableError:
            refused, now = session.exchanges[-1], read_record(session, context.site, known.key)
            is_for_now = refused.response.status in SUCCESS_STATUS or refused.response.asks_to_wait
            if now.known_version == version and not is_for_now:
                says = f"the version {version} of a record is refused, although it is the current one"
                found = trial_finding("stale-version", "current version is refused", says, refused, now)
                yield replace(found, operation=context.operation.id)
            return
