"""The law `filter`, whole: selections of records and of members, and orders by members of what a record refers to.

Begin with `selections`. A list may be ordered by such a member where its `sort` says how it is written (`joined`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from contracts.bulk.lists import ListRules, Sorting, joined_name
from contracts.exchange.filters import Comparison, is_writable, write_filter
from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.exchange.outcomes import listed_records
from contracts.messages import Exchange
from contracts.schemas.equality import key_text
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import short
from generators.check.laws.lists.selecting import LAW, REFUSED, columns_of, left_out, selecting
from generators.check.laws.lists.written_otherwise import written_otherwise
from generators.check.laws.metamorphic import run_each
from generators.check.lists import is_after, list_finding
from generators.check.records import CreatedRecord, create_keys, create_records, new_record_members
from generators.client.session import Session
from generators.client.sites import SiteContext, experiment_site, experiment_sites, record_factory_of
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding
from generators.requests.single import RecordSite, list_request, page_size, takes, write_request

PARENTS: Final = ("b", "c", "a", "f", "e", "d")  # ends of texts, in the order in which their records are created
SOME: Final = 10  # records of which some members are asked for
OTHER_TEXT: Final = "bulkproof"  # that no record has
LONELY: Final = "z"  # end of the text of a record that refers to none
ROWS: Final = tuple((at, end) for end in "yx" for at in range(len(PARENTS)))  # of each: its parent, the end of its text


@dataclass(frozen=True, slots=True, kw_only=True)
class _Join:
    """A list that can be ordered by the `member` of what its records refer to with `reference`; `own` is theirs."""

    site: RecordSite
    reference: str
    parent: RecordSite
    member: str
    own: str

    def name(self, sort: Sorting) -> str:
        """Return how an order writes the joined member."""
        return joined_name(sort.joined or "", self.reference, self.member)


def selections(context: SiteContext) -> Iterator[Finding]:
    """List records by filters, parameters and orders: by their own members, and by those of what they refer to."""
    yield from run_each((selecting, _joined_orders, _some_members, written_otherwise), lambda part: part(context))


def _joined_orders(context: SiteContext) -> Iterator[Finding]:
    """Create records that refer to others, and one that refers to none, and list them in the order of these."""
    session = context.session
    join = next((one for site in experiment_sites(session, context.operation) for one in _joins(session, site)), None)
    if join is None:
        raise NotApplicableError("no order by a member of another record is declared")
    sort, prefix = join.site.rules.sort, session.names().text("").lower()
    assert sort is not None  # noqa: S101 - asked before
    parents, rows = _created(session, join, prefix)
    for steps in _orders(sort, join):
        yield from _judged(context, join, prefix, rows, steps)
    if "update" in join.parent.operations:
        renamed = _renamed(session, join, prefix, parents)
        rows = {key: {**one, "": renamed.get(one[""], one[""])} for key, one in rows.items()}
        yield from _judged(context, join, prefix, rows, (("", False),))


def _joins(session: Session, site: RecordSite) -> Iterator[_Join]:
    """Yield the joins of a list whose records have a text of their own by which they are told from others."""
    rules, own = site.rules, columns_of(record_factory_of(session, site.resource)).text
    known = rules.sort is not None and rules.sort.joined and rules.filter is not None and own is not None
    if not known or not is_writable(rules.filter, Comparison(own or "", "startswith", "")):  # type: ignore[arg-type] # asked
        return
    for reference, name in site.resource.references.items():
        parent = experiment_site(session, name) if name != site.resource.name else None
        member = columns_of(record_factory_of(session, parent.resource)).text if parent is not None else None
        if parent is not None and member is not None and "create" in parent.operations:
            yield _Join(site=site, reference=reference, parent=parent, member=member, own=own or "")


def _renamed(session: Session, join: _Join, prefix: str, parents: Sequence[CreatedRecord]) -> Mapping[object, object]:
    """Give the first of the records that others refer to a value behind those of all; return it by the former one."""
    one, value = parents[0], f"{prefix}z"
    made = write_request(join.parent, "update", {join.member: value}, key=one.key, version=one.version)
    is_done = session.send(made.request()).response.status in SUCCESS_STATUS
    return {one.members[join.member]: value} if is_done else {}


def _created(
    session: Session, join: _Join, prefix: str
) -> tuple[Sequence[CreatedRecord], Mapping[str, Mapping[str, object]]]:
    """Create the records, and return those that others refer to, and by key what the others are ordered by, or None."""
    names, rng = session.names(), session.rng("joined")
    above = [new_record_members(session, join.parent, names, f"p{n}", rng) for n in range(len(PARENTS))]
    texts = [f"{prefix}{end}" for end in PARENTS]
    parents = create_records(
        session, join.parent, [{**one, join.member: text} for one, text in zip(above, texts, strict=True)], names
    )
    own = [{join.own: f"{prefix}{end}", join.reference: parents[at].key} for at, end in ROWS]
    values: list[Mapping[str, object]] = [{join.own: f"{prefix}{end}", "": texts[at]} for at, end in ROWS]
    if join.reference not in join.site.resource.required:
        own, values = [*own, {join.own: f"{prefix}{LONELY}"}], [*values, {join.own: f"{prefix}{LONELY}", "": None}]
    below = [new_record_members(session, join.site, names, f"j{n}", rng) for n in range(len(own))]
    members = [{name: value for name, value in one.items() if name != join.reference} for one in below]
    known = create_records(session, join.site, [{**one, **more} for one, more in zip(members, own, strict=True)], names)
    return parents, {key_text(one.key): value for one, value in zip(known, values, strict=True)}


def _orders(sort: Sorting, join: _Join) -> Iterator[Sequence[tuple[str, bool]]]:
    """Yield orders: by the joined member, and by it with the own one behind and before; "" is the joined one."""
    yield (("", False),)
    yield (("", False), (join.own, False))
    if sort.descending is not None:
        yield (("", True), (join.own, False))
        yield ((join.own, True), ("", True))


def _judged(
    context: SiteContext,
    join: _Join,
    prefix: str,
    rows: Mapping[str, Mapping[str, object]],
    steps: Sequence[tuple[str, bool]],
) -> Iterator[Finding]:
    """Ask for an order, and yield that it is refused, or that two neighbours stand the other way round."""
    sort, language = join.site.rules.sort, join.site.rules.filter
    assert sort is not None  # noqa: S101 - asked before
    assert language is not None  # noqa: S101 - asked before
    text = ",".join(sort.written(name or join.name(sort), falls=falls) for name, falls in steps)
    asked = {sort.at: text, language.at: write_filter(language, Comparison(join.own, "startswith", prefix))}
    if not takes(join.site, asked):
        return
    request = list_request(join.site, take=page_size(join.site.page), asked=asked).request()
    exchange: Exchange = context.session.send(request)
    bodies = listed_records(exchange.response.data)
    if exchange.response.status in REFUSED:
        says = f"the order {short(text)}, which is declared, is refused ({exchange.response.status})"
        yield list_finding(context, LAW, "joined order is refused", says, (exchange,))
    shown = (
        [key_text(join.site.reader.key(body)) for body in bodies or ()]
        if exchange.response.status in SUCCESS_STATUS
        else []
    )
    lost = left_out(join.site, list(rows), shown)
    if shown and lost is not None:
        says = f"the order {short(text)} leaves out the {join.site.resource.name} {short(lost)}"
        yield list_finding(context, LAW, "joined order leaves a record out", says, (exchange,))
    for one, other in pairwise(key for key in shown if rows.get(key, {}).get("") is not None):
        if is_after(rows[one], rows[other], steps):
            says = f"in the order {short(text)} {short(one)} stands before {short(other)}"
            yield list_finding(context, LAW, f"joined order by {len(steps)}", says, (exchange,))
            return


def _some_members(context: SiteContext) -> Iterator[Finding]:
    """Ask for one member of each record, for two, in an order, and of a selection: these are shown, and no others."""
    session, names = context.session, context.session.names()
    sites = [one for one in experiment_sites(session, context.operation) if one.rules.select and one.resource.required]
    if not sites:
        raise NotApplicableError("no choice of members is declared")
    site = max(sites, key=lambda one: len(one.resource.required))
    wanted = site.resource.required
    create_keys(session, site, [new_record_members(session, site, names, "s", session.rng("members"))], names)
    beside = {site.resource.key, site.resource.version}
    schema = record_factory_of(session, site.resource).members.get(wanted[0])
    ways = [(wanted[:1], more) for more in _asked_beside(site.rules, wanted[0], schema)]
    for some, more in (*ways, (wanted[:2], {})):
        asked = {site.rules.select or "": ",".join(some), **more}
        exchange = session.probe(list_request(site, take=SOME, asked=asked).request())  # no whole records
        bodies = listed_records(exchange.response.data) if exchange.response.status in SUCCESS_STATUS else None
        what = f"a list of {' and '.join(some)} alone{''.join(f', with {at}' for at in more)}"
        if exchange.response.status in REFUSED:
            yield list_finding(context, LAW, "choice of members is refused", f"{what} is refused", (exchange,))
        for shown in (site.reader.members(body).keys() for body in bodies or ()):
            others, less = sorted(shown - beside - {*some}), [name for name in some if name not in shown]
            if others or less:
                says = f"{what} shows '{others[0]}'" if others else f"{what} does not show '{less[0]}'"
                yield list_finding(context, LAW, "choice of members is ignored", says, (exchange,))
                return


def _asked_beside(rules: ListRules, member: str, schema: Schema | None) -> Iterator[dict[str, object]]:
    """Yield what may be asked for beside a choice of members: nothing, an order, a selection."""
    yield {}
    if rules.sort is not None:
        yield {rules.sort.at: rules.sort.written(member, falls=False)}
    one = Comparison(member, "ne", OTHER_TEXT)
    is_text = schema is not None and schema.is_valid(OTHER_TEXT)
    if is_text and rules.filter is not None and is_writable(rules.filter, one):
        yield {rules.filter.at: write_filter(rules.filter, one)}
