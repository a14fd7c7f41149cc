"""The law on selections: `filter`. A list shows the records that a filter selects, in the order that is asked for.

Begin with `selecting`. Only records that were created for it are judged, so that others may write meanwhile; what the
declaration leaves open, such as where null stands in an order, is not judged.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from contracts.bulk.lists import ListRules
from contracts.bulk.normalisation import stored_forms
from contracts.exchange.filters import EQUALITY, Comparison, Filter, Joined, certain, holds, is_writable, write_filter
from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.exchange.outcomes import listed_records, page_total
from contracts.messages import ABSENT, Exchange
from contracts.schemas.equality import key_text
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import short, text_of
from generators.check.lists import is_after, list_finding, tells_total
from generators.check.records import create_parents, create_records, read_record
from generators.client.session import Session
from generators.client.sites import SiteContext, experiment_sites, record_context_of, record_factory_of
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding
from generators.requests.record_factory import RecordFactory
from generators.requests.single import Members, RecordSite, list_request, page_size, takes

LAW: Final = "filter"
TEXTS: Final = ("k1", "K1", "k1x", "it''s", "it's", 'a+"b%41"', "e", "é", "x and y", "(z) or w", "漢", "k2")
WILDCARDS: Final = ("_1", "%1", "*1", ".1")  # that stand for themselves: no text begins with one
END: Final = TEXTS[8]  # what a text ends with; no text begins with it, nor is it
NUMBERS: Final = (9, 10, 100, -1, 2, 9, 20, 3, 1000, 0, 11, 19)
FRACTIONS: Final = (9, 10, 100, -1.5, 2, 9, 20, 3, 1000, 0, 11, 10.25)
NATURAL: Final = (9, 10, 100, 4, 2, 9, 20, 3, 1000, 1, 11, 19)
SMALL: Final = (9, 10, 31, 4, 2, 9, 20, 3, 30, 1, 11, 19)
NUMBER_SETS: Final = (FRACTIONS, NUMBERS, NATURAL, SMALL)  # the most telling that a member may have
COMPARED: Final = (("eq", 3), ("lt", 3), ("ge", 11))  # operators, and places of numbers
GROUPS: Final = ("g1", "g2", "g3")
PLAIN: Final = re.compile(r"[a-z0-9]+")  # texts that every collation orders alike, behind the same beginning
REFUSED: Final = frozenset((400, 422))
MAX_SENT: Final = 90  # requests with a filter


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRow:
    """A record as a single read shows it: its key, and its members with the key among them."""

    key: str
    members: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterMembers:
    """Members that filters are tried on: a text, one with few values, a number, a boolean, a text that may be null."""

    text: str | None
    group: str | None
    number: str | None
    truth: str | None
    empty: str | None
    numbers: Sequence[float] = NUMBERS

    @property
    def count(self) -> int:
        """How many kinds of members there are."""
        return sum(one is not None for one in (self.text, self.group, self.number, self.truth, self.empty))


def selecting(context: SiteContext) -> Iterator[Finding]:
    """Create records with telling values, and list them by filters, parameters and orders."""
    session, sites = context.session, experiment_sites(context.session, context.operation)
    site = max(sites, key=lambda one: columns_of(record_factory_of(session, one.resource)).count)
    columns = columns_of(record_factory_of(session, site.resource))
    rules = site.rules
    prefix, rows = _created(session, site, columns)
    trial = _Selections(context, site, rules, rows)
    own = _own_filter(rules, columns, prefix)
    yield from trial.judge_filters(_filters(rules, columns, prefix), own if trial.is_long() else None)
    yield from trial.judge_parameters()
    if rules.sort is not None:
        yield from trial.judge_orders(_orders(rules, columns), own)


def columns_of(factory: RecordFactory) -> FilterMembers:
    """Return the members of a resource that filters are tried on, each of another kind as far as there are some.

    Normalised ones come last: lists are judged by what is read. Texts by which records are found stay as they are.
    """
    free = [name for name in (*factory.free, *_normalised(factory)) if "format" not in factory.members[name].raw]

    def first(sample: object, *taken: str | None) -> str | None:
        fitting = (name for name in free if name not in taken and factory.members[name].is_valid(sample))
        return next(fitting, None)

    options = ((name, some) for some in NUMBER_SETS for name in free if _has_all(factory.members[name], some))
    number, numbers = next(options, (None, NUMBERS))
    truth = first(True, number)  # noqa: FBT003 - a sample
    nullable = [name for name in free if name not in (number, truth) and factory.members[name].is_valid(None)]
    text = next((name for name in free if name not in (number, truth) and _keeps(factory, name)), None)
    empty = next((name for name in nullable if name != text and _takes(factory.members[name])), None)
    group = first(GROUPS[0], number, truth, text, empty)
    return FilterMembers(text=text, group=group, number=number, truth=truth, empty=empty, numbers=numbers)


def _normalised(factory: RecordFactory) -> list[str]:
    """Return the members that would be free if they were not normalised."""
    if (resource := factory.resource) is None:
        return []
    bound = {resource.key, resource.version, resource.tombstone, *resource.references, *factory.unique}
    return [name for name in factory.members if name in resource.normalize and name not in bound]


def _keeps(factory: RecordFactory, name: str) -> bool:
    """Say whether a member takes all texts, and stores them as they are."""
    rules = factory.resource.normalize if factory.resource is not None else {}
    return _takes(factory.members[name]) and all({*stored_forms(rules, name, text)} == {text} for text in TEXTS)


def _takes(schema: Schema) -> bool:
    return _has_all(schema, [f"b00000000{text}" for text in TEXTS])


def _has_all(schema: Schema, values: Sequence[object]) -> bool:
    return all(map(schema.is_valid, values))


def _created(session: Session, site: RecordSite, columns: FilterMembers) -> tuple[str, list[ReadRow]]:
    """Create records, and return the beginning of their texts, and the records as they are read."""
    names, factory = session.names(), record_factory_of(session, site.resource)
    parents, prefix = create_parents(session, site, names, "f"), names.text("").lower()
    members: list[Members] = []
    for n, text in enumerate(TEXTS):
        one = factory.fresh_record(record_context_of(names, session.rng(LAW, n)), f"f{n}", parents)
        own: Members = {
            columns.text or "": f"{prefix}{text}",
            columns.number or "": columns.numbers[n],
            columns.truth or "": n % 2 == 0,
            columns.group or "": GROUPS[n % len(GROUPS)],
            columns.empty or "": None if n % 3 == 0 else f"{prefix}e{n % 2}",
        }
        own.pop("", None)
        members.append({**one, **own})
    known = create_records(session, site, members, names)
    reads = [read_record(session, site, one.key) for one in known]
    return prefix, [
        ReadRow(key=key_text(one.key), members={**(one.members or {}), site.resource.key: one.key})
        for one in reads
        if one.present
    ]


# Filters


def _filters(rules: ListRules, columns: FilterMembers, prefix: str) -> Iterator[Filter]:
    """Yield the filters that a language can say, each comparison first."""
    if rules.filter is None:
        return
    single: list[Filter] = list(_comparisons(columns, prefix))
    joined: list[Filter] = list(_joined(columns, prefix))
    own = _own_filter(rules, columns, prefix)
    others: list[Filter] = [Joined("and", (own, one)) for one in single[::3]] if own is not None else []
    every = [*single, *joined, *others]
    yield from [one for one in every if is_writable(rules.filter, one)][:MAX_SENT]


def _own_filter(rules: ListRules, columns: FilterMembers, prefix: str) -> Filter | None:
    """Return a filter that selects the records that were created for it, None where there is none."""
    one = Comparison(columns.text or "", "startswith", prefix)
    return one if columns.text is not None and rules.filter is not None and is_writable(rules.filter, one) else None


def _comparisons(columns: FilterMembers, prefix: str) -> Iterator[Comparison]:
    if columns.text is not None:
        for text in (*TEXTS, "k", "E"):
            yield Comparison(columns.text, "eq", f"{prefix}{text}")
        yield Comparison(columns.text, "ne", f"{prefix}k1")
        for text in ("k", "K", "it'", "é", *WILDCARDS):
            yield Comparison(columns.text, "startswith", f"{prefix}{text}")
        yield from (Comparison(columns.text, operator, END) for operator in ("startswith", "eq"))
    if columns.number is not None:
        for operator in ("eq", "ne", "lt", "le", "gt", "ge"):
            yield from (Comparison(columns.number, operator, number) for number in (9, 10))
        yield from (Comparison(columns.number, operator, columns.numbers[at]) for operator, at in COMPARED)
    if columns.truth is not None:
        yield from (Comparison(columns.truth, operator, value) for operator in EQUALITY for value in (True, False))
    if columns.empty is not None:
        yield from (Comparison(columns.empty, operator, None) for operator in ("eq", "ne"))
        yield from (Comparison(columns.empty, operator, f"{prefix}e1") for operator in EQUALITY)


def _joined(columns: FilterMembers, prefix: str) -> Iterator[Joined]:
    """Yield filters that tell which joint binds more closely, and whether each part counts."""
    parts = [
        Comparison(columns.text or "", "startswith", f"{prefix}k") if columns.text else None,
        Comparison(columns.number or "", "ge", 10) if columns.number else None,
        Comparison(columns.truth or "", "eq", value=True) if columns.truth else None,
        Comparison(columns.group or "", "eq", GROUPS[0]) if columns.group else None,
        Comparison(columns.text or "", "eq", f"{prefix}x and y") if columns.text else None,
    ]
    some: list[Filter] = [one for one in parts if one is not None]
    for one, other in pairwise(some):
        yield Joined("and", (one, other))
        yield Joined("or", (one, other))
        yield Joined("and", (one, Joined("not", (other,))))
        yield Joined("and", (Joined("not", (one,)), other))
    for one, other, third in zip(some, some[1:], some[2:], strict=False):
        yield Joined("and", (one, other, third))
        yield Joined("or", (one, Joined("and", (other, third))))
        yield Joined("or", (Joined("and", (one, other)), third))
        yield Joined("and", (one, Joined("or", (other, third))))
        yield Joined("not", (Joined("or", (one, other)),))
        yield Joined("or", (Joined("not", (one,)), third))


# Orders


def _orders(rules: ListRules, columns: FilterMembers) -> Iterator[tuple[tuple[str, bool], ...]]:
    """Yield orders: by a number, rising and falling, and by a text with few values before it, and a truth value."""
    falls = rules.sort is not None and rules.sort.descending is not None
    if columns.number is not None:
        yield ((columns.number, False),)
        if falls:
            yield ((columns.number, True),)
    group = columns.group or columns.truth or columns.empty
    if group is not None:
        yield ((group, False),)
    if group is not None and columns.number is not None:
        yield ((group, False), (columns.number, False))
        if falls:
            yield from (((group, falling), (columns.number, not falling)) for falling in (False, True))
    second = columns.group or columns.empty
    if second is not None and columns.truth is not None and columns.number is not None:
        yield ((columns.truth, False), (second, False), (columns.number, False))


class _Selections:
    """Sends requests for selections, and judges what they show of the records that were created."""

    def __init__(self, context: SiteContext, site: RecordSite, rules: ListRules, rows: Sequence[ReadRow]) -> None:
        self._context, self._site, self._rules, self._rows = context, site, rules, rows

    def is_long(self) -> bool:
        """Say whether a page of the list has no room for the records that were created."""
        _, shown = self._send({})
        return not {row.key for row in self._rows}.issubset(shown or ())

    def judge_filters(self, filters: Iterator[Filter], own: Filter | None) -> Iterator[Finding]:
        """Yield filters that are refused, and records that they select wrongly, among its `own` in a long list."""
        language = self._rules.filter
        for one in filters if language is not None else ():
            assert language is not None  # noqa: S101 - asked before
            among = one if own is None else _among(own, one)
            text = write_filter(language, sent := among if is_writable(language, among) else one)
            kind = one.operator if isinstance(one, Comparison) else _shape(one)
            judge = certain if language.null is None else holds
            wanted = {row.key: judge(sent, row.members) for row in self._rows}
            yield from self._judge({language.at: text}, wanted, f"the filter {short(text)}", kind)

    def judge_parameters(self) -> Iterator[Finding]:
        """Yield records that parameters select wrongly."""
        for member, at in self._rules.where.items():
            values = {text_of(row.members[member]): row.members[member] for row in self._rows if _is_plain(row, member)}
            for text, value in list(values.items())[:4]:
                wanted = {row.key: row.members.get(member) == value for row in self._rows}
                yield from self._judge({at: text}, wanted, f"'{at}' {short(text)}", f"parameter of {member}")

    def _judge(
        self, asked: Mapping[str, object], wanted: Mapping[str, bool | None], what: str, kind: str
    ) -> Iterator[Finding]:
        """Yield what a selection shows wrongly, when it does so twice; then whether a page is cut from all of it."""
        for last in (False, True) if takes(self._site, asked) else ():
            exchange, shown = self._send(asked)
            if shown is None:
                if exchange.response.status in REFUSED and last:
                    says = f"{what}, which the language allows, is refused ({exchange.response.status})"
                    yield list_finding(self._context, LAW, f"{kind} is refused", says, (exchange,))
                if exchange.response.status in REFUSED:
                    continue
                raise NotApplicableError(f"the list was answered {exchange.response.status}")
            wrong = self._wrong(shown, wanted)
            if not wrong:
                yield from self._judge_page(asked, wanted, what)
                return
            if last:
                yield list_finding(self._context, LAW, f"{kind} selects others", f"{what} {wrong}", (exchange,))

    def _send(self, asked: Mapping[str, object], take: int | None = None) -> tuple[Exchange, list[str] | None]:
        size = page_size(self._site.page) if take is None else take
        exchange = self._context.session.send(list_request(self._site, take=size, asked=asked).request())
        bodies = listed_records(exchange.response.data)
        if exchange.response.status not in SUCCESS_STATUS or bodies is None:
            return exchange, None
        return exchange, [key_text(key) for body in bodies if (key := self._site.reader.key(body)) is not ABSENT]

    def _wrong(self, shown: Sequence[str], wanted: Mapping[str, bool | None]) -> str:
        """Return what is wrong with the records shown, "" for nothing."""
        size = page_size(self._site.page) or self._site.page.unasked
        for key, is_wanted in wanted.items():
            if is_wanted is False and key in shown:
                return f"selects the {self._site.resource.name} {short(key)}, for which it does not hold"
            if is_wanted and key not in shown and size is not None and len(shown) < size:
                return f"leaves out the {self._site.resource.name} {short(key)}, for which it holds"
        return ""

    def _judge_page(
        self, asked: Mapping[str, object], wanted: Mapping[str, bool | None], what: str
    ) -> Iterator[Finding]:
        """Yield a page that has not as many records as a selection has for it, or tells a smaller total."""
        count = sum(one is True for one in wanted.values())
        if self._site.page.take is None or count < 2:  # noqa: PLR2004 - a page that is one of several
            return
        exchange, shown = self._send(asked, take=count - 1)
        total = (
            page_total(self._site.page, exchange.response) if tells_total(self._context.session, self._site) else None
        )
        wrong = {
            "page": f"shows {len(shown)}" if shown is not None and len(shown) != count - 1 else "",
            "total": f"tells a total of {total}" if shown is not None and total is not None and total < count else "",
        }
        for shape, told in wrong.items():
            says = f"{what} selects {count} records at least, but a page of {count - 1} of them {told}"
            if told:
                yield list_finding(self._context, LAW, f"{shape} of a selection", says, (exchange,))

    def judge_orders(self, orders: Iterator[tuple[tuple[str, bool], ...]], own: Filter | None) -> Iterator[Finding]:
        """Yield orders that are refused, and neighbours that stand the other way round."""
        sort, language = self._rules.sort, self._rules.filter
        for steps in orders:
            assert sort is not None  # noqa: S101 - asked before
            text = ",".join(sort.written(member, falls=falls) for member, falls in steps)
            asked: dict[str, object] = {sort.at: text}
            if own is not None and language is not None:
                asked[language.at] = write_filter(language, own)
            needed = self._site.resource.required[:1] if self._rules.select is not None else ()
            beside = [{self._rules.select or "": name} for name in needed if name not in dict(steps)]
            for more in ({}, *beside) if takes(self._site, asked) else ():
                yield from self._judge_order(steps, text, {**asked, **more}, is_own=own is not None)

    def _judge_order(
        self, steps: tuple[tuple[str, bool], ...], text: str, asked: Mapping[str, object], *, is_own: bool
    ) -> Iterator[Finding]:
        """Yield an order that is refused, a record that it leaves out, or neighbours that stand the other way round."""
        exchange, shown = self._send(asked)
        if shown is None and exchange.response.status in REFUSED:
            says = f"the order {short(text)}, which is declared, is refused ({exchange.response.status})"
            yield list_finding(self._context, LAW, "order is refused", says, (exchange,))
        rows = {row.key: row for row in self._rows}
        lost = left_out(self._site, list(rows), shown) if shown and is_own else None
        if lost is not None:
            says = f"the order {short(text)} leaves out the {self._site.resource.name} {short(lost)}"
            yield list_finding(self._context, LAW, "order leaves a record out", says, (exchange,))
        own_rows = [rows[key] for key in shown or () if key in rows]
        for one, other in pairwise(own_rows):
            if _comparable(one, other, steps) and is_after(one.members, other.members, steps):
                says = f"in the order {short(text)} {short(one.key)} stands before {short(other.key)}"
                shape = f"order by {len(steps)}{' falling' if steps[-1][1] else ''}"
                yield list_finding(self._context, LAW, shape, says, (exchange,))
                return


def left_out(site: RecordSite, keys: Sequence[str], shown: Sequence[str]) -> str | None:
    """Return the first of some records that a page does not show which has room for them all, None for none."""
    size = page_size(site.page) or site.page.unasked
    has_room = size is not None and len(shown) < size
    return next((key for key in keys if key not in shown), None) if has_room else None


def _among(own: Filter, one: Filter) -> Filter:
    """Return a filter of the records that another one selects too."""
    return Joined("and", (own, *(one.parts if isinstance(one, Joined) and one.word == "and" else (one,))))


def _shape(one: Joined) -> str:
    """Return the joints of a filter, the outer first."""
    inner = [part for part in one.parts if isinstance(part, Joined)]
    return " of ".join((one.word, *(_shape(part) for part in inner[:1])))


def _is_plain(row: ReadRow, member: str) -> bool:
    value: Any = row.members.get(member)
    return isinstance(value, int) or (isinstance(value, str) and value != "")


def _comparable(one: ReadRow, other: ReadRow, steps: Sequence[tuple[str, bool]]) -> bool:
    """Return whether every collation orders two records alike."""
    pairs = [(one.members.get(member), other.members.get(member)) for member, _ in steps]
    return all(a == b or not isinstance(a, str) or (PLAIN.fullmatch(a) and PLAIN.fullmatch(str(b))) for a, b in pairs)
