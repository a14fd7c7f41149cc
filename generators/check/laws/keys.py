"""The laws `keys` and `identity`: a key names its own record, whatever its characters or digits, and no other one's.

Begin with `text_keys`, for keys that clients choose, and `identity`, for those that are numbers. A plus sign in a path
is a plus sign (RFC 3986, 3.3), written as it is or as `%2B`. Keys that differ in case alone are tried where the
contract says that case counts (`x-ignore-case: false` of the key's parameter).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final

from contracts.exchange.bulk_request import names_target
from contracts.exchange.job_traces import GONE_STATUS, SUCCESS_STATUS
from contracts.exchange.locations import find, is_outside, put
from contracts.messages import ABSENT
from contracts.openapi.model import Operation
from contracts.openapi.parameters import read_text
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import parse_digits, short
from generators.check.laws.metamorphic import known_targets, run_each, send_singly, single_operation
from generators.check.records import CreatedRecord, create_records, new_record_members, read_record
from generators.check.trial_setup import (
    ItemCase,
    Trial,
    TrialItem,
    available_cases,
    fits_request,
    possible_cases,
    prepare_trial,
)
from generators.check.trials import TrialResult, perform, snapshots_before, stored_records, trial_finding
from generators.client.sites import SiteContext
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding
from generators.requests.calls import body_schema
from generators.requests.envelope import SendOptions
from generators.requests.single import RecordSite, record_request

LAW: Final = "keys"
MEANT: Final = ("__proto__", "constructor", "toString", "null", "undefined", "true", "NaN", "0", "-1")
"""Keys that mean something in some language, of items that fail: nothing is stored under them."""
ENDS: Final = ("+1", " 1", "%2B1", "%201", "/1")  # of keys that some reader takes for one another
NEXT_KEYS: Final = 10**6  # that a server may give to the records of others meanwhile
NEAR_STEPS: Final = (1, -1, 2**21, -(2**21), 2**31, 2**32, 2**53)  # to keys that number types may take for one
NUMBER_ENDS: Final = (2**31 - 1, 2**31, 2**32, 2**53, 2**53 + 1, 2**63 - 1)
NEW: Final = frozenset(("create", "upsert"))


def text_keys(context: SiteContext) -> Iterator[Finding]:
    """Create records whose keys are told apart, and let items fail whose keys mean something in some language."""
    yield from run_each((_judge_apart, _judge_meant), lambda part: part(context))


def _options(context: SiteContext) -> SendOptions:
    return SendOptions(unit=context.unit, targets=known_targets(context)[:1])


def _judge_apart(context: SiteContext) -> Iterator[Finding]:
    """Create records whose keys differ in characters that some reader changes, and read each of them."""
    resource, site = context.resource, context.site
    case = next((one for one in available_cases(context)[0] if one.action in NEW and not one.existing), None)
    is_kept = not resource.assigned and resource.key not in resource.normalize
    if not is_kept or case is None or "read" not in site.operations:
        raise NotApplicableError("it creates no records whose keys a client chooses and reads them by")
    trial = prepare_trial(context, [case] * min(len(ENDS) + 2, context.bulk.items.max or len(ENDS)))
    base = str(trial.items[0].key)
    keys = [*(f"{base}{end}" for end in ENDS), *((base, base.swapcase()) if has_exact_keys(site) else ())]
    trial.items = [_with_key(trial, *pair) for pair in zip(trial.items, keys, strict=False)]
    targets = known_targets(context)[:1]
    done = perform(trial, SendOptions(unit=context.unit, targets=targets))
    if done.refused:
        yield from _refused(done)
        return
    fan_out = context.bulk.items.fan_out
    at = site.at_target([fan_out.over], targets[0]) if fan_out is not None and targets else site
    if at is not None:
        for slot in done.slots("done"):
            yield from _judged(done, trial.items[slot], at)


def _judge_meant(context: SiteContext) -> Iterator[Finding]:
    """Refer to what there is not, in new records with such keys: each is told as failed."""
    case = next((one for one in available_cases(context)[1] if one.defect == "dangling" and not one.existing), None)
    if case is None or context.resource.assigned or context.bulk.key.by == "client" or context.unit != "item":
        raise NotApplicableError("no items that name their records could be made that fail")
    trial = prepare_trial(context, [case] * min(len(MEANT), context.bulk.items.max or 1))
    trial.items = [_with_key(trial, *pair) for pair in zip(trial.items, MEANT, strict=False)]
    done = perform(trial, _options(context))
    for slot in () if done.refused else done.slots("done"):
        says = f"an item with the key {short(trial.items[slot].key)} refers to what there is not, and is told as done"
        yield trial_finding(LAW, "a failure is not told of a key", says, done)
        return


def has_exact_keys(site: RecordSite) -> bool:
    """Say whether keys that differ in case alone are said to be two."""
    act = site.operations.get("read")
    place = act.record.key if act is not None and act.record is not None else None
    parameters = act.parameters if act is not None else ()
    return any(one.ignore_case is False for one in parameters if f"{one.where}:{one.name}" == place)


def _with_key(trial: Trial, one: TrialItem, key: str) -> TrialItem:
    """Return an item with another key. Raises NotApplicableError when the contract does not take it."""
    context, name = trial.context, trial.context.resource.key
    if name not in one.content.values or not isinstance(one.key, str):
        raise NotApplicableError("its items name their records by no text among their members")
    members: dict[str, Any] = {**one.content.values, name: key}
    content = replace(one.content, members=members, target=key)
    raw = context.item(content, trial.rng(f"raw{one.slot}"))
    act = context.site.operations["read"]
    place = act.record.key if act.record is not None else None
    named = [one.schema for one in act.parameters if f"{one.where}:{one.name}" == place]
    is_readable = all(schema is None or schema.is_valid(read_text(key, schema)) for schema in named)
    if not is_readable or not fits_request(trial, one.case, raw):
        raise NotApplicableError(f"the contract takes no key such as {short(key)}")
    return replace(one, content=content, raw=raw)


def _refused(done: TrialResult) -> Iterator[Finding]:
    """Yield that a request is refused for keys that are taken one by one."""
    trial = done.trial
    options = [replace(done.options, order=[one.slot]) for one in trial.items]
    if all(perform(trial, one).slots("done") for one in options):
        says = f"a request with keys that differ is refused ({done.status}), and its items are done one by one"
        yield trial_finding(LAW, "different keys are refused together", says, done)


def _judged(done: TrialResult, one: TrialItem, site: RecordSite) -> Iterator[Finding]:
    """Read a record by its key, written in each way, and yield when it is not found, or is another one."""
    session = done.trial.context.session
    request = record_request(site, "read", key=one.key).request()
    for way in dict.fromkeys((request.path, request.path.replace("%2B", "+"))):
        exchange = session.send(replace(request, path=way))
        if exchange.response.status in GONE_STATUS:
            says = f"a record of {site.resource.name} with the key {short(one.key)} is done, but is not found by it"
            yield trial_finding(LAW, "a record is not found by its key", says, done, exchange)
            return
        shown = site.reader.key(exchange.response.data) if exchange.response.status in SUCCESS_STATUS else ABSENT
        if shown != one.key and shown in [other.key for other in done.trial.items]:
            says = f"a read of the key {short(one.key)} shows the {site.resource.name} {short(shown)}"
            yield trial_finding(LAW, "a key reads another record", says, done, exchange)
            return


# Keys that are numbers


def identity(context: SiteContext) -> Iterator[Finding]:
    """Name numbers near a record's key, and at the ends of number types: no read and no item may find the record."""
    session, site, names = context.session, context.site, context.session.names()
    members = new_record_members(session, site, names, "i", session.rng("identity"))
    known = create_records(session, site, [members], names)[0]
    own = parse_digits(str(known.key))
    if own is None or "read" not in site.operations:
        raise NotApplicableError("its records have no numbers as keys that are read by them")
    absent: list[int] = []
    for key in (*(own + step for step in NEAR_STEPS), *NUMBER_ENDS):
        made = record_request(site, "read", key=key)
        if key == own or not _is_allowed(made.operation, str(key)):
            continue
        exchange = session.send(made.request())
        shown = site.reader.key(exchange.response.data) if exchange.response.status in SUCCESS_STATUS else ABSENT
        if str(shown) == str(known.key):
            says = f"the key {key} reads the {site.resource.name} {known.key}"
            found = trial_finding("identity", "another key reads a record", says, exchange)
            yield replace(found, operation=context.operation.id)
        elif exchange.response.status in GONE_STATUS and (session.controlled or abs(key - own) > NEXT_KEYS):
            absent.append(key)  # where others write too, theirs may be the next keys
    yield from _judge_near_items(context, known, absent)
    yield from _judge_assigned(context, [key for key in absent if abs(key - own) > NEXT_KEYS])
    kinds = [one for one in possible_cases(context.bulk) if one.existing and not one.defect]
    with suppress(NotApplicableError):
        yield from run_each(kinds, partial(_judge_texts, context))


def _judge_texts(context: SiteContext, case: ItemCase) -> Iterator[Finding]:
    """Write keys and versions as texts, or as fractions, where texts of numbers are allowed: the same is done."""
    effect, element = context.bulk.effect, context.spec.encoder.element
    raw = prepare_trial(context, [case]).items[0].raw
    for at in filter(None, (*effect.target, effect.version)):
        if takes_texts(element, at, find(raw, at)):
            yield from _judge_written(context, case, at, str)
            yield from _judge_written(context, case, at, float)
    yield from _judge_text_alone(context, case)


def _judge_written(context: SiteContext, case: ItemCase, at: str, write: Callable[[Any], object]) -> Iterator[Finding]:
    """Write a number otherwise, as it may be written: what the number does is done."""
    trial = prepare_trial(context, [case])
    before, one = snapshots_before(trial)[0], trial.items[0]
    own = find(one.raw, at)
    trial.items[0] = replace(one, raw=put(one.raw, at, write(own)))
    if write(own) != own and not isinstance(write(own), str):
        return  # it has more digits
    done = perform(trial, _options(context))
    after = stored_records(done)[0]
    unchanged = before.present and not after.differs(before, trial.names)
    if unchanged and perform(prepare_trial(context, [case]), _options(context)).result(0) == "done":
        says = f"an item ({case}) with {short(write(own))} at {at}, as it may be, does not what the number does"
        kind = "text" if write is str else "fraction"
        yield trial_finding("identity", f"a number as {kind} is taken otherwise", says, done, after)


def _judge_text_alone(context: SiteContext, case: ItemCase) -> Iterator[Finding]:
    """Write the version of a single change as a text: it is done where the same change with a number is."""
    act = single_operation(context, case)
    at, schema = (act.record.version, body_schema(act)) if act is not None and act.record is not None else (None, None)
    trial = prepare_trial(context, [case])
    one, version = trial.items[0], trial.items[0].content.version
    if act is None or at is None or is_outside(at) or not takes_texts(schema, at, version):
        return
    exchange = send_singly(trial, replace(one, content=replace(one.content, version=str(version))))[0]
    plain = prepare_trial(context, [case])
    if exchange.response.status not in SUCCESS_STATUS:
        right = send_singly(plain, plain.items[0])[0]
        if right.response.status in SUCCESS_STATUS:
            says = f"the version {version} of a single {case.action} is refused as a text, which it may be"
            yield trial_finding("identity", "a version as text is refused alone", says, exchange, right)


def takes_texts(schema: Schema | None, at: str, value: object) -> bool:
    """Say whether a number may be written as its text at a place where no other text is allowed."""
    own = schema.at(at) if schema is not None else None
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return own is not None and is_number and own.is_valid(value) and own.is_valid(str(value)) and not own.is_valid("x")


def _is_allowed(operation: Operation, key: str) -> bool:
    """Return whether a key fits the parameter that names the record."""
    place = operation.record.key if operation.record is not None else None
    schemas = [one.schema for one in operation.parameters if f"{one.where}:{one.name}" == place]
    return all(schema is None or schema.is_valid(read_text(key, schema)) for schema in schemas)


def _judge_near_items(context: SiteContext, known: CreatedRecord, absent: Sequence[int]) -> Iterator[Finding]:
    """Yield items that name absent keys near that of a record, and are done or change the record."""
    right, unit = available_cases(context)[0], context.unit
    case = next((one for one in right if one.existing and one.action in {"update", "delete"}), None)
    if case is None or not absent or not (context.bulk.effect.target or names_target(context.bulk)):
        return
    trial = prepare_trial(context, [case] * len(absent))
    for n, (one, key) in enumerate(zip(trial.items, absent, strict=True)):
        content = replace(one.content, target=key, version=one.content.version and known.version)
        trial.items[n] = replace(one, raw=context.item(content, trial.rng(n)))
    session, site = context.session, context.site  # the records of the trial may have got keys that were absent before
    before = read_record(session, site, known.key)
    slots = [slot for slot, key in enumerate(absent) if read_record(session, site, key).present is False]
    for some in [slots] if unit == "item" and slots else [[slot] for slot in slots]:
        done = perform(trial, SendOptions(unit=unit, order=some))
        after = read_record(session, site, known.key)
        told = [slot for slot in some if not done.refused and done.result(slot) == "done"]
        wrong = next((slot for slot in told if read_record(session, site, absent[slot]).present is False), None)
        if before.comparable(trial.names) != after.comparable(trial.names):
            says = f"items that name keys near {known.key}, such as {absent[some[0]]}, changed its record"
            yield trial_finding("identity", f"{case.action} of another key changes a record", says, done, after)
            return
        if wrong is not None:
            says = f"an item that names {absent[wrong]}, which is the key of no record, is done"
            yield trial_finding("identity", f"{case.action} of an absent key is done", says, done)
            return


def _judge_assigned(context: SiteContext, absent: Sequence[int]) -> Iterator[Finding]:
    """Yield when an item that names an absent key creates a record with it, although the server assigns the keys."""
    case, bulk = ItemCase(action="upsert"), context.bulk
    if not (absent and context.resource.assigned and bulk.effect.target and case in available_cases(context)[0]):
        return
    trial, key = prepare_trial(context, [case]), absent[0]
    item = context.item(replace(trial.items[0].content, target=key), trial.rng("assigned"))
    if not fits_request(trial, case, item):
        return
    trial.items[0] = replace(trial.items[0], raw=item)
    done = perform(trial, _options(context))
    if done.result(0) == "done" and read_record(context.session, context.site, key).present:
        says = f"an item that names {key}, which is the key of no record, creates one with it; the server assigns keys"
        yield trial_finding("identity", "a client chooses an assigned key", says, done)
