"""The law `keys`: a key that a client chooses names its own record, whatever its characters, and no other one's.

Begin with `text_keys`. A plus sign in a path is a plus sign (RFC 3986, 3.3), written as it is or as `%2B`. Keys that
differ in case alone are tried where the contract says that case counts (`x-ignore-case: false` of the key's parameter).
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from contracts.exchange.job_traces import GONE_STATUS, SUCCESS_STATUS
from contracts.messages import ABSENT
from contracts.openapi.parameters import read_text
from contracts.syntax.text import short
from generators.check.laws.metamorphic import known_targets, run_each
from generators.check.trial_setup import Trial, TrialItem, available_cases, fits_request, prepare_trial
from generators.check.trials import TrialResult, perform, trial_finding
from generators.client.sites import SiteContext
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding
from generators.requests.envelope import SendOptions
from generators.requests.single import RecordSite, record_request

LAW: Final = "keys"
MEANT: Final = ("__proto__", "constructor", "toString", "null", "undefined", "true", "NaN", "0", "-1")
"""Keys that mean something in some language, of items that fail: nothing is stored under them."""
ENDS: Final = ("+1", " 1", "%2B1", "%201", "/1")  # of keys that some reader takes for one another
NEW: Final = frozenset(("create", "upsert"))


def text_keys(context: SiteContext) -> Iterator[Finding]:
    """Create records whose keys are told apart, and let items fail whose keys mean something in some language."""
    yield from run_each((_judge_apart, _judge_meant), lambda part: part(context))


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
    done = perform(trial, SendOptions(unit=context.unit, targets=known_targets(context)[:1]))
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
            says = f"a {site.resource.name} with the key {short(one.key)} is done, but is not found by it"
            yield trial_finding(LAW, "a record is not found by its key", says, done, exchange)
            return
        shown = site.reader.key(exchange.response.data) if exchange.response.status in SUCCESS_STATUS else ABSENT
        if shown != one.key and shown in [other.key for other in done.trial.items]:
            says = f"a read of the key {short(one.key)} shows the {site.resource.name} {short(shown)}"
            yield trial_finding(LAW, "a key reads another record", says, done, exchange)
            return
