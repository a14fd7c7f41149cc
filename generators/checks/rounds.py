"""One round of the single-record calls of every kind of record, so that each of them has answered once."""

from typing import Final

from generators.checks.bench import Bench
from generators.checks.findings import ImpossibleError
from generators.checks.pictures import read, single
from generators.checks.records import Known, fresh_members, make, written
from generators.checks.venues import Venue, venue
from generators.values import UnsatisfiableError

CHANGES: Final = ("upsert", "replace", "update")


def round_of(bench: Bench, name: str) -> None:
    """Create, read, list, change and delete one record; then ask for it, and change it, where it is no more."""
    for place in venue(bench, name):
        try:
            _round(bench, place)
        except (ImpossibleError, UnsatisfiableError):
            continue


def _round(bench: Bench, place: Venue) -> None:
    names, rng = bench.names(), bench.rng("round", place.resource.name)
    members = fresh_members(bench, place, names, "r", rng)
    known = make(bench, place, [members], names)[0]
    if "list" in place.acts:
        bench.send(single(place, "list").call())
    for action in (one for one in (*CHANGES, "delete") if one in place.acts):
        _act(bench, place, action, known)
    for action in (one for one in ("read", *CHANGES[1:], "delete") if one in place.acts):
        _act(bench, place, action, known)


def _act(bench: Bench, place: Venue, action: str, known: Known) -> None:
    version = read(bench, place, known.key).version if place.resource.version is not None else known.version
    bench.send(written(place, action, known.members, key=known.key, version=version).call())
