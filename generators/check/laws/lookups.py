"""The law on names of records by other members than the key: `lookup`. Begin with `lookup`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from contracts.bulk.lists import placeholders_of
from contracts.bulk.model import Resource
from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.schemas.equality import key_text
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import short
from generators.check.laws.errors.fault_order import KnownFault
from generators.check.laws.errors.faults import misreported, told_fault
from generators.check.laws.keys import has_exact_keys
from generators.check.laws.looked_up import LAW, LookupCase, filled, is_joined, joined_cases, lookup_cases
from generators.check.laws.metamorphic import known_targets, run_each
from generators.check.laws.ordering import looked_up_in_turn
from generators.check.records import (
    CreatedRecord,
    create_keys,
    create_records,
    new_record_members,
    read_record,
)
from generators.check.trial_setup import ItemCase, Trial, TrialItem, available_cases, prepare_trial
from generators.check.trials import TrialResult, perform, stored_records, trial_finding
from generators.client.sites import SiteContext, experiment_site, experiment_sites, record_factory_of
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding
from generators.requests.calls import fill_lookup
from generators.requests.envelope import SendOptions
from generators.requests.options import actions_of
from generators.requests.single import RecordSite, write_request

CREATING: Final = ("create", "upsert")


def lookup(context: SiteContext) -> Iterator[Finding]:
    """Refer to records by lookups that fit one record, none and several, also one of the same request; then by key."""
    parts = (_judge_references, _judge_joined, _judge_keys, _judge_targets, _judge_failures)
    more = (_judge_same_request, _judge_creations, _judge_new)
    yield from run_each((*parts, *more), lambda part: part(context))


def lookup_reference(context: SiteContext) -> tuple[str, Resource]:
    """Return a member that can refer by lookup, with the resource that it names. Raises NotApplicableError."""
    if context.bulk.effect.payload in context.bulk.items.shared:
        raise NotApplicableError("its items have no payload of their own")
    factory = record_factory_of(context.session, context.resource)
    for member, name in context.resource.references.items():
        named = context.session.contract.resources[name]
        sample = next((filled(one, "x") for one in named.lookups if not is_joined(one)), None)
        if member in factory.members and sample is not None and factory.members[member].is_valid(sample):
            return member, named
    raise NotApplicableError(f"a record of {context.resource.name} refers to nothing by lookup")


def _judge_references(context: SiteContext) -> Iterator[Finding]:
    """Let items refer by lookup."""
    member, named = lookup_reference(context)
    schema = record_factory_of(context.session, context.resource).members[member]
    yield from _judge_cases(
        context, member, [one for one in lookup_cases(context, named) if schema.is_valid(one.value)]
    )


def _judge_joined(context: SiteContext) -> Iterator[Finding]:
    """Name records by members of what they refer to, in items of each kind that refer to them, or change them."""
    if context.bulk.effect.payload in context.bulk.items.shared:
        raise NotApplicableError("its items have no payload of their own")
    resources = context.session.contract.resources
    by_joined = {name for name, one in resources.items() if any(map(is_joined, one.lookups))}
    for site in experiment_sites(context.session, context.operation) if by_joined else ():
        own = replace(context, site=site)
        member = next((one for one, name in site.resource.references.items() if name in by_joined), None)
        if member is not None:
            yield from _judge_cases(own, member, [*joined_cases(own, resources[site.resource.references[member]])])
        if site.resource.name in by_joined and _names_by_lookup(own):
            yield from _judge_target_cases(own, [*joined_cases(own, site.resource)])


def _judge_keys(context: SiteContext) -> Iterator[Finding]:
    """Let items refer by key, by texts that are nearly one, by the keys of other resources, and of a deleted record."""
    member, site = next(_by_key(context), (None, None))
    at = _at_target(context, site) if site is not None else None
    if member is None or at is None or context.bulk.effect.payload in context.bulk.items.shared:
        raise NotApplicableError(f"a record of {context.resource.name} refers to nothing by a key that clients choose")
    schema = record_factory_of(context.session, context.resource).members[member]
    known = _named_record(context, at, schema)
    yield from _judge_cases(context, member, [*_near_keys(at, known.key, schema), *_foreign_keys(context)])
    for case in _longest_key(context, at, schema):
        yield from _judge_cases(context, member, [case])
    if "delete" in at.operations:
        made = write_request(at, "delete", {}, key=known.key, version=known.version)
        if context.session.send(made.request()).response.status in SUCCESS_STATUS:
            case = LookupCase(what="the key of a record that was found before it was deleted", value=known.key)
            yield from _judge_cases(context, member, [case])
            back = create_records(context.session, at, [known.members], context.session.names())[0]
            case = LookupCase(what="the key of a record that was brought back", value=back.key, key=back.key)
            yield from _judge_cases(context, member, [case])


def _at_target(context: SiteContext, site: RecordSite) -> RecordSite | None:
    fan_out = context.bulk.items.fan_out
    return site if fan_out is None else site.at_target([fan_out.over], next(iter(known_targets(context)), ""))


def _by_key(context: SiteContext) -> Iterator[tuple[str, RecordSite]]:
    """Yield the members that refer by a key that clients choose, with the sites of what they refer to."""
    schemas = record_factory_of(context.session, context.resource).members
    for member, name in context.resource.references.items():
        site = None if context.session.contract.resources[name].assigned else experiment_site(context.session, name)
        if site is not None and member in schemas:
            yield member, site


def _named_record(context: SiteContext, site: RecordSite, schema: Schema) -> CreatedRecord:
    """Create a record with an accent in its key, where that is possible."""
    session, names = context.session, context.session.names()
    members = new_record_members(session, site, names, "q", session.rng(LAW, "key"))
    own = members.get(site.resource.key)
    if not isinstance(own, str) or site.resource.key in site.resource.normalize:
        raise NotApplicableError(f"the keys of a record of {site.resource.name} are no texts that are kept as they are")
    key = f"{own}\u00e9" if has_exact_keys(site) and schema.is_valid(f"{own}\u00e9") else own
    return create_records(session, site, [{**members, site.resource.key: key}], names)[0]


def _longest_key(context: SiteContext, site: RecordSite, schema: Schema) -> Iterator[LookupCase]:
    """Yield the key of a record that is as long as it may be."""
    session, names, member = context.session, context.session.names(), site.resource.key
    new, longest = (
        new_record_members(session, site, names, "k", session.rng(LAW, "longest")),
        schema.raw.get("maxLength"),
    )
    key = str(new.get(member)).ljust(longest, "k") if isinstance(longest, int) else ""
    own = record_factory_of(session, site.resource).members.get(member)
    if key and schema.is_valid(key) and own is not None and own.is_valid(key):
        record = create_records(session, site, [{**new, member: key}], names)[0]
        yield LookupCase(what="a key of the greatest length", value=key, key=record.key)


def _near_keys(site: RecordSite, known: object, schema: Schema) -> Iterator[LookupCase]:
    """Yield the key of a record, and texts that are nearly it, and name nothing."""
    key = str(known)
    own = key.removesuffix("\u00e9")
    near = {"the beginning of a key": key[:-1], "a key with a character behind": f"{key}0"}
    if has_exact_keys(site):
        near |= {
            "a key in another case": key.swapcase(),
            "a key with a blank behind": f"{key} ",
            "a key with a blank before": f" {key}",
            "a key without its accent": f"{own}e",
            "a key with its accent apart": f"{own}e\u0301",
        }
    yield LookupCase(what="the key of a record", value=key, key=key)
    texts = {what: text for what, text in near.items() if key_text(text) != key_text(key) and schema.is_valid(text)}
    yield from (LookupCase(what=what, value=text) for what, text in texts.items())


def _foreign_keys(context: SiteContext) -> Iterator[LookupCase]:
    """Yield for each member that refers by key the keys of records that are of another resource than it names."""
    named, schemas = dict(_by_key(context)), record_factory_of(context.session, context.resource).members
    sites = {site.resource.name: _at_target(context, site) for site in (*named.values(), context.site)}
    with suppress(NotApplicableError):
        for other in sites.values():
            members = [one for one, site in named.items() if other and site.resource.name != other.resource.name]
            if other is None or other.resource.assigned or not members:
                continue
            names, rng = context.session.names(), context.session.rng(LAW, "foreign")
            new = new_record_members(context.session, other, names, "o", rng)
            key = create_keys(context.session, other, [new], names)[0]
            right = {name: key for name, site in named.items() if site.resource.name == other.resource.name}
            for one in (name for name in members if schemas[name].is_valid(key)):
                what = f"the key of a record of {other.resource.name} where one of {named[one].resource.name} is meant"
                yield LookupCase(what=what, value=key, member=one)
                if right:
                    yield LookupCase(what=f"{what}, and one that is right,", value=key, member=one, beside=right)


def _judge_cases(context: SiteContext, member: str, cases: Sequence[LookupCase]) -> Iterator[Finding]:
    """Let items have these values of a member that refers to a record."""
    action = next((one for one in (*CREATING, "update") if one in actions_of(context.bulk)), None)
    if action is None:
        raise NotApplicableError("its items set no references")
    trial = prepare_trial(context, [ItemCase(action=action, existing=action == "update")] * len(cases))
    for n, (one, case) in enumerate(zip(trial.items, cases, strict=True)):
        trial.items[n] = trial.with_members(
            one, {**one.content.values, **case.beside, case.member or member: case.value}
        )
    for done, slots in _sent(trial):
        yield from _judge_outcomes(done, cases, slots)
        yield from _judge_texts(done, cases, member)
        right = [n for n in slots if cases[n].key is not None and done.result(n) == "done"]
        after = stored_records(done, target=next(iter(done.options.targets), None), slots=right)
        for n, read in after.items():
            got = (read.members or {}).get(member)
            if read.present and key_text(got) != key_text(cases[n].key):
                says = f"{cases[n].what} names {short(cases[n].key)}, but '{member}' is {short(got)}"
                yield trial_finding(LAW, f"{cases[n].what} names another record", says, done, read)


def _judge_texts(done: TrialResult, cases: Sequence[LookupCase], member: str) -> Iterator[Finding]:
    """Yield a failure of a lookup that fits several records whose text names another number of them."""
    order = done.options.order or range(len(cases))
    for report in done.view.reports:
        for entry in report.entries if "ambiguous" in report.declared.names else ():
            case = cases[order[entry.items[0]]] if entry.failed and entry.items else None
            if case is not None and case.matches is not None:
                fault = KnownFault(kind="ambiguous", member=member, facts={"matches": case.matches})
                told = told_fault(report.declared, entry.raw, entry.error)
                for shape, says in misreported(done.trial, report.declared, [fault], [told]):
                    yield trial_finding(LAW, shape, f"of {case.what}, {says}", done, *report.evidence)


def _judge_targets(context: SiteContext) -> Iterator[Finding]:
    """Let items that change records name them by lookup; an upsert of what several fit fails."""
    if not _names_by_lookup(context):
        raise NotApplicableError("its items name no records by lookup")
    yield from _judge_target_cases(context, list(lookup_cases(context, context.resource)))


def _names_by_lookup(context: SiteContext) -> bool:
    """Say whether items that change records can name them by lookup."""
    if not context.resource.lookups or not context.bulk.effect.target or "update" not in actions_of(context.bulk):
        return False
    trial = prepare_trial(context, [ItemCase(action="update", existing=True)])
    return context.spec.encoder.fits(_with_target(trial, 0, filled(context.resource.lookups[0], "x")).raw)


def _judge_target_cases(context: SiteContext, every: Sequence[LookupCase]) -> Iterator[Finding]:
    for action in (one for one in ("update", "upsert") if one in actions_of(context.bulk)):
        cases = [one for one in every if action == "update" or one.matches is not None]
        trial = prepare_trial(context, [ItemCase(action=action, existing=action == "update")] * len(cases))
        trial.items = [_with_target(trial, n, case.value) for n, case in enumerate(cases)]
        fits = all(context.spec.encoder.fits(one.raw) for one in trial.items)
        for done, slots in _sent(trial) if cases and fits else ():
            yield from _judge_outcomes(done, cases, slots)


def _judge_failures(context: SiteContext) -> Iterator[Finding]:
    """Let items fail that name their records by key and by lookup: where the former tells the id, the latter does."""
    unique = record_factory_of(context.session, context.resource).unique
    lookup = next((one for one in context.resource.lookups if {*placeholders_of(one)} <= unique), None)
    cases = [one for one in available_cases(context)[1] if one.existing and one.needs_record]
    if lookup is None or not context.bulk.effect.target or not cases or context.unit != "item":
        raise NotApplicableError("no item fails by itself that names its record by lookup")
    trial = prepare_trial(context, [case for case in cases for _ in range(2)])
    for n, one in enumerate(trial.items):
        name = fill_lookup(lookup, one.known.members) if n % 2 and one.known is not None else one.key
        raw = context.item(replace(one.content, target=name), trial.rng(f"raw{n}"))
        trial.items[n] = replace(one, raw=raw)
    if not all(context.spec.encoder.fits(one.raw) for one in trial.items):
        raise NotApplicableError("its items name records by their keys alone")
    done = perform(trial, SendOptions(unit="item", targets=known_targets(context)[:1]))
    told = {n: str(one.id) == str(trial.items[n].key) for n, one in done.outcomes.items() if one.result == "failed"}
    lost = next((n for n in range(1, len(trial.items), 2) if told.get(n - 1) and told.get(n) is False), None)
    if lost is not None:
        case = trial.items[lost].case
        says = (
            f"a failure ({case}) does not tell the id of a record that is named by lookup; of one named by key it does"
        )
        yield trial_finding(LAW, "a failure by lookup does not tell the id", says, done)


def _judge_same_request(context: SiteContext) -> Iterator[Finding]:
    """Let an item refer by lookup to what an item before it creates, fails to create, or deletes."""
    yield from looked_up_in_turn(context, *lookup_reference(context))


def _judge_creations(context: SiteContext) -> Iterator[Finding]:
    """Let items that create records name one that exists, by key and by lookup: it stays as it was."""
    session, site, bulk = context.session, context.site, context.bulk
    if "create" not in actions_of(bulk) or not bulk.effect.target or not context.resource.assigned:
        raise NotApplicableError("its items that create records name none")
    names = session.names()
    known = create_records(session, site, [new_record_members(session, site, names, "n", session.rng(LAW))], names)[0]
    before = read_record(session, site, known.key)
    by_lookup = [found for one in context.resource.sure_lookups if (found := fill_lookup(one, known.members))]
    values = [known.key, *by_lookup]
    trial = prepare_trial(context, [ItemCase(action="create")] * len(values))
    trial.items = [_with_target(trial, n, value) for n, value in enumerate(values)]
    for done, slots in _sent(trial):
        after = read_record(session, site, known.key)
        if before.differs(after, names):
            says = f"an item that creates a record, and names {short(values[slots[-1]])}, changes that one"
            yield trial_finding(LAW, "a creation changes a record", says, done, before, after)
            return


def _judge_new(context: SiteContext) -> Iterator[Finding]:
    """Let items create records by lookups that fit none, with other values of their own: they have their own ones."""
    lookups, bulk = context.resource.sure_lookups, context.bulk
    if not lookups or "upsert" not in actions_of(bulk) or not bulk.effect.target or not context.resource.assigned:
        raise NotApplicableError("its items create no records by lookups that fit none")
    trial = prepare_trial(context, [ItemCase(action="upsert")] * len(lookups))
    others = [_other_texts(one) for one in trial.items]
    values = {n: fill_lookup(one, others[n]) for n, one in enumerate(lookups)}
    filled_in = [n for n, value in values.items() if value is not None]
    trial.items = [replace(_with_target(trial, n, values[n]), slot=slot) for slot, n in enumerate(filled_in)]
    if not all(context.spec.encoder.fits(one.raw) for one in trial.items):
        raise NotApplicableError("its items name records by their keys alone")
    for done, slots in _sent(trial):
        for n, read in stored_records(done, slots=[n for n in slots if done.result(n) == "done"]).items():
            stored = read.members or {} if read.present else {}
            other = others[filled_in[n]]
            name = next((name for name, text in other.items() if stored.get(name) == text), None)
            if name is not None:
                says = f"an item creates a record by a lookup that fits none, and '{name}' is that of the lookup"
                yield trial_finding(LAW, "a new record has the value of its lookup", says, done, read)
                return


def _other_texts(one: TrialItem) -> Mapping[str, object]:
    return {name: f"{value}n" for name, value in one.content.values.items() if isinstance(value, str)}


def _with_target(trial: Trial, n: int, value: object) -> TrialItem:
    """Return an item that names its record by lookup, without a version."""
    one = trial.items[n]
    raw = trial.context.item(replace(one.content, target=value, version=None), trial.rng(f"raw{n}"))
    return replace(one, raw=raw)


def _sent(trial: Trial) -> Iterator[tuple[TrialResult, Sequence[int]]]:
    """Send items that fail by themselves in one request, others one by one; yield results with their slots.

    What is refused together is sent one by one, too.
    """
    unit, every, targets = trial.context.unit, range(len(trial.items)), known_targets(trial.context)[:1]
    done = perform(trial, SendOptions(unit=unit, targets=targets)) if unit == "item" else None
    if done is not None and not (done.refused and len(every) > 1):
        yield done, every
        return
    for slot in every:
        yield perform(trial, SendOptions(unit=unit, order=[slot], targets=targets)), [slot]


def _judge_outcomes(done: TrialResult, cases: Sequence[LookupCase], slots: Sequence[int]) -> Iterator[Finding]:
    results: Mapping[int, str] = {n: "failed" if done.refused else done.result(n) for n in slots}
    for n, result in results.items():
        if cases[n].key is None and result == "done":
            yield trial_finding(
                LAW, f"{cases[n].what} is done", f"{cases[n].what} names no single record, and is done", done
            )
        elif cases[n].key is not None and result == "failed":
            yield trial_finding(LAW, f"{cases[n].what} fails", f"{cases[n].what} fails", done)
