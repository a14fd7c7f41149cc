"""One round of the single-record calls of every kind of record, so that each of them has answered once."""

from collections.abc import Iterator
from typing import Final

from contracts.messages import ABSENT
from generators.checks.bench import Bench
from generators.checks.conformance import CHECK
from generators.checks.findings import Finding
from generators.checks.payloads import marker_of
from generators.checks.pictures import bodies_of, find, full_page, read, single
from generators.checks.records import Known, fresh_members, make, written
from generators.checks.venues import Venue, venue
from generators.impossible import ImpossibleError
from generators.locations import told
from generators.requests.names import Names

CHANGES: Final = ("upsert", "replace", "update")


def round_of(bench: Bench, name: str) -> Iterator[Finding]:
    """Create, read, list, change and delete one record; then ask for it, and change it, where it is no more."""
    for place in venue(bench, name):
        try:
            yield from _round(bench, place)
        except ImpossibleError:
            continue


def _round(bench: Bench, place: Venue) -> Iterator[Finding]:
    names, rng = bench.names(), bench.rng("round", place.resource.name)
    members = fresh_members(bench, place, names, "r", rng)
    known = make(bench, place, [members], names)[0]
    yield from _listed(bench, place, known, names)
    for action in (one for one in (*CHANGES, "delete") if one in place.acts):
        _act(bench, place, action, known)
    for action in (one for one in ("read", *CHANGES[1:], "delete") if one in place.acts):
        _act(bench, place, action, known)


def _act(bench: Bench, place: Venue, action: str, known: Known) -> None:
    version = read(bench, place, known.key).version if place.resource.version is not None else known.version
    bench.send(written(place, action, known.members, key=known.key, version=version).call())


def _listed(bench: Bench, place: Venue, known: Known, names: Names) -> Iterator[Finding]:
    """Yield when a list lacks a record that can be read, or tells another total than it has records."""
    lister = place.acts.get("list")
    if lister is None or lister.record is None:
        return
    page = lister.record.page
    made, most = single(place, "list"), full_page(page)
    if page.take is not None and most is not None:
        made.put(page.take, most)
    shown = bench.send(made.call())
    bodies, said = bodies_of(shown.reply.data), told(shown.reply, page.total) if page.total is not None else ABSENT
    is_whole = bodies is not None and most is not None and len(bodies) < most
    if bodies is not None and is_whole and said is not ABSENT and str(said) != str(len(bodies)):
        says = f"The list has {len(bodies)} records but reports a total of {said}."
        yield Finding(law=CHECK, operation=lister.id, shape="list tells another total", says=says, evidence=(shown,))
    one, listed = read(bench, place, known.key), find(bench, place, [marker_of(known.members, names)])[0]
    if one.present and listed.present is False and one.exchange is not None and listed.exchange is not None:
        evidence = (one.exchange, listed.exchange)
        says = f"A {place.resource.name} can be read, but is on no page of the list."
        yield Finding(law=CHECK, operation=lister.id, shape="list lacks a record", says=says, evidence=evidence)
