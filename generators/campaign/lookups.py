"""Which records are meant by what looks them up: in the place of a key, and in references."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from generators.campaign.ledger import Ledger, Where
from generators.campaign.wants import Want
from generators.requests.lookups import looked_up

Means = tuple[Where, str, frozenset[str]]
"""A record that was looked up, and the members that it was looked up by."""


def resolved(ledger: Ledger, wants: Sequence[Want | None]) -> list[Want | None]:
    """Return the wants of one call with keys in the place of lookups, where it is sure which record is meant."""
    found = [None if want is None else _resolved(ledger, want) for want in wants]
    if all(one is None or not one[1] for one in found):
        return list(wants)
    anyone = {one[0].where for one in found if one is not None and isinstance(one[0].key, Mapping)}
    written = Counter(name for one in found if one is not None for name in _written(one[0]))
    return [
        one[0] if one is not None and not any(_may_change(one, anyone, written)) else want
        for want, one in zip(wants, found, strict=True)
    ]


def _written(want: Want) -> Iterator[tuple[Where, str, str]]:
    return ((want.where, str(want.key), name) for name in want.members or ())


def _may_change(
    found: tuple[Want, list[Means]], anyone: Collection[Where], written: Mapping[tuple[Where, str, str], int]
) -> Iterator[bool]:
    """Yield for each thing that was looked up whether another item of the call may change what it is found by."""
    own = set(_written(found[0]))
    for where, key, names in found[1]:
        yield where in anyone
        yield from (written[where, key, name] > ((where, key, name) in own) for name in names)


def _resolved(ledger: Ledger, want: Want) -> tuple[Want, list[Means]]:
    """Return a want with keys for lookups, and what was looked up."""
    means: list[Means] = []

    def key_of(where: Where, value: object) -> object:
        meant = _meant(ledger, where, value)
        if meant is None:
            return value
        means.append((where, str(meant[0]), meant[1]))
        return meant[0]

    key = key_of(want.where, want.key) if isinstance(want.key, Mapping) else want.key
    members = want.members
    if members is not None and any(isinstance(members.get(name), Mapping) for name in want.resource.references):
        referred = {name: Where(want.where.scope, kind) for name, kind in want.resource.references.items()}
        members = {
            name: key_of(referred[name], value) if name in referred and isinstance(value, Mapping) else value
            for name, value in members.items()
        }
    return (replace(want, key=key, members=members) if means else want), means


def _meant(ledger: Ledger, where: Where, value: object) -> tuple[str | int, frozenset[str]] | None:
    resource = ledger.resources.get(where.resource)
    members = looked_up(resource, value) if resource is not None else None
    if resource is None or not members:
        return None
    for names in resource.unique:
        if set(names) == set(members):
            holders = list(ledger.holders(where, names, members))
            sure = [one for one in holders if one.present and one.is_sure and not one.jobs]
            return (sure[0].key, frozenset(names)) if len(holders) == len(sure) == 1 else None
    return None
