"""The part of the law `filter` on what a list is asked for in other words, and on the pages of a selection.

Begin with `written_otherwise`. Members may be written in several ways (`names`), and so may members of what a record
refers to (`joined`); a selection is compared by references, texts and times, and cut into pages.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeAlias

from contracts.bulk.lists import ListRules
from contracts.exchange.filters import Comparison, Filter, Joined, is_writable, write_filter
from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.exchange.outcomes import listed_records
from contracts.messages import ABSENT, Exchange
from contracts.schemas.equality import key_text
from contracts.syntax.text import as_list, short, tokens_of
from generators.check.laws.lists.selecting import LAW, REFUSED, columns_of
from generators.check.laws.metamorphic import run_each
from generators.check.lists import list_finding
from generators.check.records import create_keys, create_records, new_record_members, read_record
from generators.check.separate_places import leaves
from generators.client.session import Session
from generators.client.sites import SiteContext, experiment_site, experiment_sites, record_factory_of
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding
from generators.oracles.response_laws import check_response
from generators.requests.single import RecordSite, list_request, page_size, record_request, takes

ENDS: Final = "dacbfe"  # of the texts of records, in the order in which these are created
WINDOWS: Final = ((0, 2), (2, 3), (4, 5), (5, 1), (6, 3))  # how many records are passed over, and how many are shown
Asked: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A record that was created for the law, by its key; `joined` is a text of what its `link` refers to."""

    key: str
    text: str
    link: object
    joined: str | None
    stamps: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """Records with texts of their own, by which a filter tells them from all others."""

    context: SiteContext
    site: RecordSite
    text: str
    prefix: str
    link: str | None
    joined: str | None
    rows: Sequence[_Row]

    @property
    def rules(self) -> ListRules:
        return self.site.rules

    def own(self, *more: Filter) -> dict[str, object]:
        """Return the filter that selects the records, and more conditions beside it."""
        assert self.rules.filter is not None  # noqa: S101 - asked before
        mine = Comparison(self.text, "startswith", self.prefix)
        return {self.rules.filter.at: write_filter(self.rules.filter, Joined("and", (mine, *more)) if more else mine)}

    def ask(self, asked: Asked, *, skip: int = 0, take: int | None = None) -> tuple[Exchange, list[str] | None]:
        """Return the keys that a list shows, None where it shows none. Raises NotApplicableError."""
        if not takes(self.site, asked):
            raise NotApplicableError("the parameters of the list have no such values")
        size = page_size(self.site.page) if take is None else take
        exchange = self.context.session.send(list_request(self.site, skip=skip, take=size, asked=asked).request())
        bodies = listed_records(exchange.response.data)
        if exchange.response.status not in SUCCESS_STATUS or bodies is None:
            return exchange, None
        return exchange, [key_text(key) for body in bodies if (key := self.site.reader.key(body)) is not ABSENT]

    def judged(
        self, asked: Asked, wanted: Callable[[_Row], bool], what: str, kind: str, *, is_declared: bool = True
    ) -> Iterator[Finding]:
        """Yield when a list is refused, or shows others than the records that are wanted."""
        exchange, shown = self.ask(asked)
        if shown is None:
            if is_declared and exchange.response.status in REFUSED:
                says = f"{what} is refused ({exchange.response.status})"
                yield list_finding(self.context, LAW, f"{kind} is refused", says, (exchange,))
            return
        right = {one.key for one in self.rows if wanted(one)}
        wrong = sorted(({*shown} & {one.key for one in self.rows}) ^ right)
        if wrong and len(shown) < (page_size(self.site.page) or self.site.page.unasked or 0):
            says = f"{what} {'leaves out' if wrong[0] in right else 'selects'} the record {short(wrong[0])}"
            yield list_finding(self.context, LAW, f"{kind} selects others", says, (exchange,))


def written_otherwise(context: SiteContext) -> Iterator[Finding]:
    """Create records, and list them by what is written in other ways, and page by page."""
    session = context.session
    site = next((one for one in experiment_sites(session, context.operation) if _text_of(session, one)), None)
    if site is None:
        raise NotApplicableError("no filter by the beginning of a text is declared")
    trial = _created(context, site)
    exchange, shown = trial.ask(trial.own())
    if not {one.key for one in trial.rows} <= {*(shown or ())}:
        raise NotApplicableError(f"records are not found by their texts ({exchange.response.status})")
    parts = (
        _windows,
        _orders_of_texts,
        _references,
        _names,
        _times,
        _rising,
        _joined_selection,
        _like_reads,
        _unselected,
    )
    yield from run_each(parts, lambda part: part(trial))


def _text_of(session: Session, site: RecordSite) -> str | None:
    """Return the text by which records of a site are told from others, None without any."""
    text, language = columns_of(record_factory_of(session, site.resource)).text, site.rules.filter
    known = text is not None and language is not None and is_writable(language, Comparison(text, "startswith", ""))
    return text if known and site.rules.filter is not None and site.rules.filter.and_ is not None else None


def _created(context: SiteContext, site: RecordSite) -> _Trial:
    session, names = context.session, context.session.names()
    text, prefix, rng = _text_of(session, site) or "", names.text("").lower(), session.rng("otherwise")
    link, key, joined = _parent(session, site, prefix)
    made = [new_record_members(session, site, names, f"o{n}", rng) for n in range(len(ENDS))]
    texts = [f"{prefix}{end}" for end in ENDS]
    links = [key if n % 2 == 0 else None for n in range(len(ENDS))]
    extras = [{link: one} if link is not None and one is not None else {} for one in links]
    members = [
        {**{name: value for name, value in one.items() if name != link}, **extra, text: own}
        for one, extra, own in zip(made, extras, texts, strict=True)
    ]
    known = create_records(session, site, members, names)
    rows = [
        _Row(
            key=key_text(one.key),
            text=own,
            link=to,
            joined=f"{prefix}p" if to is not None else None,
            stamps=_stamps(session, site, one.key),
        )
        for one, own, to in zip(known, texts, links, strict=True)
    ]
    return _Trial(context=context, site=site, text=text, prefix=prefix, link=link, joined=joined, rows=rows)


def _parent(session: Session, site: RecordSite, prefix: str) -> tuple[str | None, object, str | None]:
    """Create a record that others may refer to: the reference, its key, and the name of its text."""
    for reference, name in site.resource.references.items():
        parent = experiment_site(session, name) if reference not in site.resource.required else None
        text = columns_of(record_factory_of(session, parent.resource)).text if parent is not None else None
        if parent is not None and text is not None and "create" in parent.operations:
            names = session.names()
            members = {**new_record_members(session, parent, names, "op", session.rng(LAW)), text: f"{prefix}p"}
            return reference, create_keys(session, parent, [members], names)[0], text
    return None, None, None


def _stamps(session: Session, site: RecordSite, key: object) -> Mapping[str, str]:
    """Return the times of a record that stand among its members, by name."""
    read, rules = read_record(session, site, key), site.resource
    shown = read.exchange.response.data if read.exchange is not None else None
    every = site.reader.members(shown)
    named = {tokens_of(at)[-1] for at in (rules.created, rules.modified) if at}
    return {name: one for name, one in every.items() if name in named and isinstance(one, str)}


def _windows(trial: _Trial) -> Iterator[Finding]:
    """Cut a selection into pages, in its own order and in that of texts: each is the part that it names."""
    page, sort = trial.site.page, trial.rules.sort
    if page.skip is None or page.take is None:
        raise NotApplicableError("its pages are not named by an offset")
    ordered = [one.key for one in sorted(trial.rows, key=lambda one: one.text)]
    orders: list[tuple[Asked, list[str]]] = []
    if trial.rules.ordered_by(trial.site.resource.key)[:1] == [(trial.site.resource.key, False)]:
        numeric = all(one.key.isdecimal() for one in trial.rows)
        orders.append((trial.own(), sorted((one.key for one in trial.rows), key=int)) if numeric else ({}, []))
    if sort is not None:
        orders.append(({**trial.own(), sort.at: trial.text}, ordered))
    if sort is not None and sort.descending is not None:
        orders.append(({**trial.own(), sort.at: sort.written(trial.text, falls=True)}, ordered[::-1]))
    for asked, keys in (one for one in orders if one[1]):
        for skip, take in WINDOWS:
            exchange, shown = trial.ask(asked, skip=skip, take=take)
            if shown is not None and shown != keys[skip : skip + take]:
                says = f"a page of {take} records behind {skip} of a selection is another part of it"
                yield list_finding(trial.context, LAW, "page of a selection", says, (exchange,))
                break


def _orders_of_texts(trial: _Trial) -> Iterator[Finding]:
    """Compare texts, which every collation orders alike, with one in their middle."""
    orders: dict[str, Callable[[str, str], bool]] = {
        "lt": str.__lt__,
        "le": str.__le__,
        "gt": str.__gt__,
        "ge": str.__ge__,
    }
    middle = f"{trial.prefix}c"
    for operator, compare in orders.items():
        yield from _compared(trial, Comparison(trial.text, operator, middle), lambda row: compare(row.text, middle))  # noqa: B023 - called at once


def _compared(trial: _Trial, one: Comparison, wanted: Callable[[_Row], bool]) -> Iterator[Finding]:
    """Select by one more condition, where the language can say it."""
    language = trial.rules.filter
    if language is not None and is_writable(language, one):
        what = f"the filter {short(write_filter(language, one))}"
        yield from trial.judged(trial.own(one), wanted, what, f"{one.operator} of a {_kind(trial, one)}")


def _kind(trial: _Trial, one: Comparison) -> str:
    return "text" if one.member == trial.text else "reference" if one.member == trial.link else "joined member"


def _references(trial: _Trial) -> Iterator[Finding]:
    """Compare a reference with a key and with null, and a member of what it refers to with its value."""
    if trial.link is None:
        raise NotApplicableError("its records refer to none that can be made")
    key = next(one.link for one in trial.rows if one.link is not None)
    yield from _compared(trial, Comparison(trial.link, "eq", key), lambda row: row.link is not None)
    yield from _compared(trial, Comparison(trial.link, "eq", None), lambda row: row.link is None)
    yield from _compared(trial, Comparison(trial.link, "ne", None), lambda row: row.link is not None)
    if trial.rules.joined is not None:
        name = trial.rules.joined.written_as(trial.link, trial.joined or "")
        for operator in ("eq", "startswith"):
            one = Comparison(name, operator, f"{trial.prefix}p")
            yield from _compared(trial, one, lambda row: row.joined is not None)


def _names(trial: _Trial) -> Iterator[Finding]:
    """Write a member in each way that is declared, in a filter, in an order and in a selection of members."""
    language, sort, select = trial.rules.filter, trial.rules.sort, trial.rules.select
    everyone: Callable[[_Row], bool] = lambda _: True  # noqa: E731 - two words
    for name in trial.rules.written_names(trial.site.resource.name, trial.text):
        asked = (
            {}
            if language is None
            else {language.at: write_filter(language, Comparison(name, "startswith", trial.prefix))}
        )
        yield from trial.judged(asked, everyone, f"a filter by {name}", "another name in a filter")
        if sort is not None:
            yield from trial.judged(
                {**trial.own(), sort.at: name}, everyone, f"an order by {name}", "another name in an order"
            )
        if select is not None:
            yield from _selected(trial, name, trial.text, lambda row: row.text)


def _times(trial: _Trial) -> Iterator[Finding]:
    """Compare times among the members of records with one of them; that they can be compared is not declared."""
    language = trial.rules.filter
    for name, middle in trial.rows[len(trial.rows) // 2].stamps.items():
        for operator, holds in (("eq", str.__eq__), ("lt", str.__lt__), ("ge", str.__ge__)):
            one = Comparison(name, operator, middle)
            if language is not None and is_writable(language, one):
                wanted = partial(_holds_for, name, holds, middle)
                what = f"the filter {short(write_filter(language, one))}"
                yield from trial.judged(trial.own(one), wanted, what, f"{operator} of a time", is_declared=False)


def _holds_for(name: str, holds: Callable[[str, str], bool], middle: str, row: _Row) -> bool:
    return holds(row.stamps.get(name, ""), middle)


def _rising(trial: _Trial) -> Iterator[Finding]:
    """Ask for an order that rises in the words that say so, alone and behind one that falls."""
    sort = trial.rules.sort
    if sort is None or sort.ascending is None:
        raise NotApplicableError("no word for an order that rises is declared")
    text = sort.ascending.replace("{member}", trial.text)
    exchange, shown = trial.ask({**trial.own(), sort.at: text})
    right = [one.key for one in sorted(trial.rows, key=lambda one: one.text)]
    if shown != right:
        is_refused = exchange.response.status in REFUSED
        says = f"the order {text} {'is refused' if is_refused else 'shows records in another one'}"
        shape = "order is refused" if is_refused else "order by 1"
        yield list_finding(trial.context, LAW, shape, says, (exchange,))


def _like_reads(trial: _Trial) -> Iterator[Finding]:
    """List records with each word of a parameter that single reads take too: as they are shown alone."""
    read = trial.site.operations.get("read")
    single = {one.name for one in read.parameters if one.where == "query"} if read is not None else set()
    words = [
        (one.name, word)
        for one in trial.context.operation.parameters
        for word in as_list(one.schema.raw.get("enum") if one.schema is not None and one.name in single else None)
        if isinstance(word, str) and word
    ]
    if not words or _difference(trial, ()) is not None:
        raise NotApplicableError("single reads take no words that it takes, or show records otherwise")
    for pair in words:
        found = _difference(trial, (pair,))
        if found is not None:
            says = f"with {'='.join(pair)} a record is shown otherwise in a list than when it is read: {found[0]}"
            yield list_finding(trial.context, LAW, "a record differs from its single read", says, found[1])


def _difference(trial: _Trial, pairs: Sequence[tuple[str, str]]) -> tuple[str, tuple[Exchange, ...]] | None:
    """Return where a list shows a record otherwise than single reads before it and behind, None where it does not."""
    asked = {**trial.own(), **{f"query:{name}": word for name, word in pairs}}
    first = trial.rows[0].key
    single = record_request(trial.site, "read", key=first).request()
    single = replace(single, query=(*single.query, *pairs))
    before = trial.context.session.probe(single)
    exchange, shown = trial.ask(asked)
    after = trial.context.session.probe(single)
    bodies = dict(zip(shown or (), listed_records(exchange.response.data) or (), strict=False))
    if first not in bodies or before.response.data != after.response.data:
        return None
    told, mine = (dict(leaves(one, "")) for one in (before.response.data, bodies[first]))
    at = next((at for at in sorted(told.keys() | mine.keys()) if told.get(at) != mine.get(at)), None)
    return None if at is None else (at, (before, exchange))


def _unselected(trial: _Trial) -> Iterator[Finding]:
    """List records without a choice of members: they show those that single reads show."""
    if trial.rules.select is None or "read" not in trial.site.operations:
        raise NotApplicableError("no choice of members is declared, or no record is read alone")
    read, key = trial.site.reader.members, trial.rows[0].key
    exchange, shown = trial.ask(trial.own())
    alone = trial.context.session.probe(record_request(trial.site, "read", key=key).request())
    bodies = dict(zip(shown or (), listed_records(exchange.response.data) or (), strict=False))
    told = read(alone.response.data) if alone.response.status in SUCCESS_STATUS and key in bodies else {}
    lost = [name for name in told if name not in read(bodies[key])]
    if lost:
        says = f"a list that nobody asks for some members alone leaves out '{lost[0]}', which a single read shows"
        yield list_finding(trial.context, LAW, "a member is left out unasked", says, (alone, exchange))


def _joined_selection(trial: _Trial) -> Iterator[Finding]:
    """Ask for a member of what records refer to: it is shown under its joined name."""
    joined = trial.rules.joined
    if joined is None or joined.shown is None or trial.link is None or trial.rules.select is None:
        raise NotApplicableError("no member of another record can be selected")
    names = (joined.written_as(trial.link, trial.joined or ""), joined.shown_as(trial.link, trial.joined or ""))
    yield from _selected(trial, *names, lambda row: row.joined)


def _selected(trial: _Trial, name: str, shown_as: str, wanted: Callable[[_Row], object]) -> Iterator[Finding]:
    """Ask for one member of the records, which is shown under a name."""
    exchange, shown = trial.ask({**trial.own(), trial.rules.select or "": name})
    yield from (
        list_finding(trial.context, LAW, one.shape, one.says, one.evidence)
        for one in check_response(trial.context.session.contract, exchange)
    )
    if shown is None:
        if exchange.response.status in REFUSED:
            says = f"a list of {name} alone is refused ({exchange.response.status})"
            yield list_finding(trial.context, LAW, "choice of members is refused", says, (exchange,))
        return
    rows = {one.key: one for one in trial.rows}
    for key, body in zip(shown, listed_records(exchange.response.data) or (), strict=False):
        told = trial.site.reader.members(body).get(shown_as, ABSENT)
        if key in rows and told != wanted(rows[key]):
            says = f"a list of {name} alone shows {shown_as} as {'nothing' if told is ABSENT else short(told)}"
            yield list_finding(trial.context, LAW, "a chosen member reads otherwise", says, (exchange,))
            return
