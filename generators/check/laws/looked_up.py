"""The records that the law `lookup` looks up, and lookups that name one of them, none or several.

Begin with `lookup_cases`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, TypeAlias

from contracts.bulk.lists import placeholder_of, placeholders_of
from contracts.bulk.model import Resource
from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.schemas.schema_set import Schema
from generators.check.records import CreatedRecord, create_keys, create_parents, create_records, new_record_members
from generators.client.session import Session
from generators.client.sites import SiteContext, experiment_site, record_context_of, record_factory_of
from generators.errors import NotApplicableError
from generators.requests.calls import fill_lookup
from generators.requests.known_records import Names
from generators.requests.single import Members, RecordSite, write_request

LAW: Final = "lookup"
MATCHES: Final = {" that fits two records": 2, " that fits three records": 3}
MAX_NUMBER: Final = 10**9  # of what a record is looked up by where larger ones are invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupCase:
    """A lookup, what it is in words, and the key of the record that it names; None for no record, or `matches`.

    `member` is what has it, where that is not the member of all lookups that are sent with it; `beside` are other
    members of the item.
    """

    what: str
    value: object
    key: object = None
    matches: int | None = None
    member: str | None = None
    beside: Mapping[str, object] = field(default_factory=dict)


def filled(template: Any, text: str) -> object:
    """Return a lookup with one text in all its blanks."""
    return fill_lookup(template, dict.fromkeys(placeholders_of(template), text))


def lookup_cases(context: SiteContext, resource: Resource) -> Iterator[LookupCase]:
    """Create records of a resource, change and delete some, and yield lookups of them."""
    session = context.session
    site = experiment_site(session, resource.name)
    if site is None:
        raise NotApplicableError(f"a record of {resource.name} to look up cannot be made")
    names, factory = session.names(), record_factory_of(session, resource)
    parents = create_parents(session, site, names, "q")
    rng = session.rng(LAW, resource.name)
    members = [factory.fresh_record(record_context_of(names, rng), f"{slot}q", parents) for slot in "abcde"]
    unique = {group[0] for group in resource.unique if len(group) == 1 and isinstance(members[0].get(group[0]), str)}
    for template in resource.lookups:
        blanks = placeholders_of(template)
        keys, others = [one for one in blanks if one in unique], [one for one in blanks if one not in unique]
        if len(keys) == 1 and not others:
            known = create_records(session, site, members, names)
            yield from _unique_cases(context, site, known, template, keys[0])
        elif len(others) == 1 and others[0] in factory.free:
            yield from _shared_cases(context, site, template, (*keys, *others))


def is_joined(template: Any) -> bool:
    """Say whether a lookup has members of records that are referred to (`{bookId/isbn}`), and no others."""
    blanks = placeholders_of(template)
    return bool(blanks) and all("/" in one for one in blanks)


def joined_cases(context: SiteContext, resource: Resource) -> Iterator[LookupCase]:
    """Create records that refer to some of the same, and yield lookups by members of what they refer to."""
    session, site = context.session, experiment_site(context.session, resource.name)
    for template in filter(is_joined, resource.lookups):
        if site is None:
            return
        joined = dict(one.split("/") for one in placeholders_of(template) if "/" in one)
        names = session.names()
        firsts, seconds = (
            {one: _referred(session, resource.references[one], names, f"{slot}{one}") for one in joined}
            for slot in "fs"
        )
        rows = [firsts, *({**firsts, one: seconds[one]} for one in joined)]
        for row in rows:
            key = _referring(session, site, names, row)
            yield LookupCase(what="a lookup by what records refer to", value=_joined(template, joined, row), key=key)
        if len(joined) > 1:
            what = "a lookup by what no record refers to together"
            yield LookupCase(what=what, value=_joined(template, joined, seconds))


def _joined(template: Any, joined: Mapping[str, str], row: Mapping[str, CreatedRecord]) -> object:
    return fill_lookup(template, {f"{one}/{name}": row[one].members.get(name) for one, name in joined.items()})


def _referred(session: Session, name: str, names: Names, slot: str) -> CreatedRecord:
    site = experiment_site(session, name)
    if site is None:
        raise NotApplicableError(f"a {name} to refer to cannot be made")
    members = new_record_members(session, site, names, slot, session.rng(LAW, slot))
    return create_records(session, site, [members], names)[0]


def _referring(session: Session, site: RecordSite, names: Names, row: Mapping[str, CreatedRecord]) -> object:
    """Create a record that refers to others, and return its key."""
    wanted = [one for one in site.resource.references if one in site.resource.required and one not in row]
    slot = "".join(str(one.key) for one in row.values())
    references = {**create_parents(session, site, names, slot, wanted), **{name: one.key for name, one in row.items()}}
    factory = record_factory_of(session, site.resource)
    members = factory.fresh_record(record_context_of(names, session.rng(LAW, slot)), slot, references)
    return create_keys(session, site, [members], names)[0]


def _unique_cases(
    context: SiteContext, site: RecordSite, known: Sequence[CreatedRecord], template: Any, member: str
) -> Iterator[LookupCase]:
    """Yield lookups by a unique member: as it is written, otherwise, and of what was renamed and deleted."""
    text = str(known[0].members[member])

    def case(what: str, value: str, key: object = None) -> LookupCase:
        return LookupCase(what=what, value=fill_lookup(template, {member: value}), key=key)

    yield case("the lookup of a record", text, known[0].key)
    if text.swapcase() != text:
        yield case("a lookup in another case", text.swapcase())
    yield case("a lookup by the beginning of a value", text[:-1])
    yield case("a lookup with a blank behind", f"{text} ")
    yield case("a lookup that fits nothing", f"{text}9")
    changed = _renamed(context, site, known[1], member)
    if changed is not None:
        yield case("a lookup of the former value", str(known[1].members[member]))
        yield case("a lookup of a changed value", changed, known[1].key)
    if "delete" in site.operations:
        made = write_request(site, "delete", {}, key=known[2].key, version=known[2].version)
        if context.session.send(made.request()).response.status in SUCCESS_STATUS:
            yield case("a lookup of a deleted record", str(known[2].members[member]))


def _renamed(context: SiteContext, site: RecordSite, known: CreatedRecord, member: str) -> str | None:
    """Give a record another unique value, and return it; None when that is not possible."""
    action = site.changing_action
    text = f"{known.members[member]}r"
    if action is None:
        return None
    members: Members = {member: text} if action == "update" else {**known.members, member: text}
    made = write_request(site, action, members, key=known.key, version=known.version)
    return text if context.session.send(made.request()).response.status in SUCCESS_STATUS else None


def _shared_cases(context: SiteContext, site: RecordSite, template: Any, blanks: Sequence[str]) -> Iterator[LookupCase]:
    """Yield lookups by a member that several records may share, the last of `blanks`, alone or with a unique one."""
    session, names, shared = context.session, context.session.names(), blanks[-1]
    factory, rng = record_factory_of(session, site.resource), session.rng(LAW, *blanks)
    parents = create_parents(session, site, names, "t")
    values = _values_of(factory.members[shared], names)
    records = [factory.fresh_record(record_context_of(names, rng), f"{slot}t", parents) for slot in "abcdef"]
    shares = [value for size, value in enumerate(values, 1) for _ in range(size)][: 6 if len(blanks) == 1 else 3]
    members = [{**one, shared: value} for one, value in zip(records, shares, strict=False)]
    known = create_records(session, site, members, names) if len(members) > 1 else ()
    cases = _alone_cases if len(blanks) == 1 else _joined_cases
    for what, key, wanted in cases(known, values, blanks) if known else ():
        matches = next((size for word, size in MATCHES.items() if what.endswith(word)), None)
        yield LookupCase(what=what, value=fill_lookup(template, wanted), key=key, matches=matches)
    if len(blanks) > 1 and known and factory.members[shared].is_valid(None):
        yield from _null_cases(
            known[0], create_records(session, site, [{**records[-1], shared: None}], names)[0], template, blanks
        )


def _null_cases(
    known: CreatedRecord, cleared: CreatedRecord, template: Any, blanks: Sequence[str]
) -> Iterator[LookupCase]:
    """Yield lookups with null for the last of two members: of a record that has a value there, and of one without."""
    what = f"a lookup by null for '{blanks[-1]}'"
    for says, one, key in (("of a record with a value", known, None), ("", cleared, cleared.key)):
        members = {name: one.members.get(name) or "" for name in blanks}
        value = _with_null(template, fill_lookup(template, members), blanks[-1])
        yield LookupCase(what=f"{what} {says}".strip(), value=value, key=key)


def _with_null(template: Any, value: Any, member: str) -> Any:
    """Return a lookup with null in the blank of a member."""
    if isinstance(template, dict):
        return {name: _with_null(inner, value[name], member) for name, inner in template.items()}
    return None if placeholder_of(template) == member else value


def _values_of(schema: Schema, names: Names) -> Sequence[object]:
    """Return three values that no record has, or both booleans; none where no such values are valid."""
    firsts = (names.number, Random(names.prefix).randrange(MAX_NUMBER))
    texts: list[object] = [names.text(slot) for slot in ("one", "two", "three")]
    numbers: list[list[object]] = [[first, first + 1, first + 2] for first in firsts]
    for values in (texts, *numbers):
        if all(map(schema.is_valid, values)):
            return values
    return [one for one in (True, False) if schema.is_valid(one)]


Wanted: TypeAlias = tuple[str, object, Mapping[str, object]]


def _alone_cases(known: Sequence[CreatedRecord], values: Sequence[object], blanks: Sequence[str]) -> Iterator[Wanted]:
    """Yield lookups by a member alone: of one record, as its text, and of two."""
    shared = blanks[-1]
    if not isinstance(values[0], bool):
        yield f"the lookup of a record by '{shared}'", known[0].key, {shared: values[0]}
        yield from _as_text(shared, values[0], {})
    for word, size in list(MATCHES.items())[: len(values) - 1]:
        yield f"a lookup by '{shared}'{word}", None, {shared: values[size - 1]}


def _joined_cases(known: Sequence[CreatedRecord], values: Sequence[object], blanks: Sequence[str]) -> Iterator[Wanted]:
    """Yield lookups by two members: of one record, and such as fit records by one of the two."""
    unique, shared = blanks
    text = str(known[0].members[unique])
    both = f"'{unique}' and '{shared}'"
    yield f"the lookup of a record by {both}", known[0].key, {unique: text, shared: values[0]}
    yield f"a lookup by {both} of two records", None, {unique: text, shared: values[1]}
    yield f"a lookup by {both} that fits by '{unique}' alone", None, {unique: text, shared: values[-1]}
    yield f"a lookup by {both} that fits by '{shared}' alone", None, {unique: f"{text}9", shared: values[0]}
    yield from _as_text(shared, values[0], {unique: text})


def _as_text(shared: str, value: object, others: Mapping[str, object]) -> Iterator[Wanted]:
    if not isinstance(value, str):
        yield f"a lookup by the text of '{shared}'", None, {**others, shared: json.dumps(value)}
