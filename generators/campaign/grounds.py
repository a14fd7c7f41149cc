"""Where a campaign can play: every bulk operation on every kind of record and for every tenant."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from contracts.errors import MisuseError
from contracts.model import Contract, NoRoute, Operation
from contracts.routing import Router
from generators.batches import Composer
from generators.campaign.ledger import Where
from generators.campaign.wants import scope_of
from generators.checks.bench import Bench
from generators.checks.following import named_like
from generators.checks.jobs import OK
from generators.checks.venues import Venue, venues
from generators.checks.wrapping import unspoken
from generators.impossible import ImpossibleError
from generators.locations import look, sent_of
from generators.requests.calls import draft

QUOTED: Final = re.compile(r"`([\w.-]+)`")
ALIKE: Final = 4  # letters at the beginning that a word shares with a target
PROBED: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """One bulk operation at one place. `scope` is the data set that its items speak of, `targets` a fan-out's."""

    operation: Operation
    composer: Composer
    scope: str
    resources: tuple[str, ...]
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """All of them, and the places at which single records are read and written.

    `kin` are the kinds of record that one refers to, those that refer to it, and itself.
    """

    bulk: tuple[Ground, ...]
    venues: Mapping[Where, Venue]
    kin: Mapping[str, frozenset[str]]

    @property
    def resources(self) -> frozenset[str]:
        """The kinds of record."""
        return frozenset(where.resource for where in self.venues)

    def narrowed(self, rng: Random) -> "Grounds":
        """Return the grounds of one data set on which a kind of record and its relatives are played with."""
        first = rng.choice(self.bulk)
        kinds = self.kin.get(rng.choice(first.resources), frozenset())
        bulk = tuple(one for one in self.bulk if one.scope == first.scope and not kinds.isdisjoint(one.resources))
        venues = {where: venue for where, venue in self.venues.items() if where.resource in kinds}
        return Grounds(bulk=bulk, venues=venues, kin=self.kin) if bulk and venues else self

    @property
    def operations(self) -> tuple[str, ...]:
        """The bulk operations that can be played on."""
        return tuple(dict.fromkeys(one.operation.id for one in self.bulk))


def survey(bench: Bench) -> Grounds:
    """Find out where can be played; asks the implementation for lists where a contract names several places."""
    contract = bench.contract
    found: list[Ground] = []
    places: dict[Where, Venue] = {}
    tenants = known_targets(bench)
    for operation in contract.operations:
        if operation.bulk is not None and unspoken(operation) is None:
            for venue in _venues(bench, operation):
                found += _grounds(contract, operation, venue, tenants)
                places |= _places(contract, venue, tenants)
    return Grounds(bulk=tuple(found), venues=places, kin=_kin(contract))


def _kin(contract: Contract) -> Mapping[str, frozenset[str]]:
    pairs = {(name, other) for name, one in contract.resources.items() for other in one.references.values()}
    near = pairs | {(other, name) for name, other in pairs}
    return {name: frozenset({name, *(other for one, other in near if one == name)}) for name in contract.resources}


def _venues(bench: Bench, operation: Operation) -> Sequence[Venue]:
    try:
        return venues(bench, operation)
    except ImpossibleError:
        return ()


def known_targets(bench: Bench) -> tuple[str, ...]:
    """Return the targets of fan-outs that exist: of those that a contract names, the ones that have a list."""
    contract = bench.contract
    first, others = _named_targets(contract)
    listers = [one for one in contract.operations if one.record is not None and one.record.action.constant == "list"]
    asked = [
        (one, name) for one in listers[:1] for name in (*first, *others)[:PROBED] if _tenant_values(contract, one, name)
    ]
    if not asked:
        return first
    replies = {
        name: bench.send(draft(one, _tenant_values(contract, one, name)).call()).reply.status for one, name in asked
    }
    return tuple(name for name, status in replies.items() if status in OK) or first


def _named_targets(contract: Contract) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the targets that examples name first, and further ones that examples and descriptions name."""
    first: dict[str, None] = {}
    others: dict[str, None] = {}
    for one in contract.operations:
        fan_out = one.bulk.items.fan_out if one.bulk is not None else None
        for media in one.body.content if fan_out is not None and one.body is not None else ():
            for example in media.examples.values():
                over = look(example, fan_out.over) if fan_out is not None else None
                names = [str(name) for name in over] if isinstance(over, list) else []
                first |= dict.fromkeys(names[:1])
                others |= dict.fromkeys(names[1:])
    texts = " ".join(str(one.get("description", "")) for one in _described(contract.document))
    alike = [word for word in QUOTED.findall(texts) if any(word.startswith(name[:ALIKE]) for name in first)]
    return tuple(first), tuple(name for name in dict.fromkeys((*alike, *others)) if name not in first)


def _described(node: object) -> Iterator[Mapping[str, object]]:
    if isinstance(node, Mapping):
        if isinstance(node.get("description"), str):
            yield node
        for inner in node.values():
            yield from _described(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _described(inner)


def _grounds(contract: Contract, operation: Operation, venue: Venue, tenants: Sequence[str]) -> Iterator[Ground]:
    bulk = operation.bulk
    assert bulk is not None  # noqa: S101 - asked before
    for tenant in ("", *tenants) if bulk.items.fan_out is None else tenants:
        named = _tenant_values(contract, operation, tenant)
        if tenant and not named and bulk.items.fan_out is None:
            continue
        try:
            composer = Composer(contract, operation, given={**venue.values, **named})
        except MisuseError:
            return
        resources = tuple(word.meaning for word in composer.design.resources)
        scope = scope_at(contract, operation, {**venue.values, **named}, tenant)
        targets = tuple(tenants) if bulk.items.fan_out is not None else ()
        yield Ground(operation=operation, composer=composer, scope=scope, resources=resources, targets=targets)
        if not composer.design.fixed:
            return


def _tenant_values(contract: Contract, operation: Operation, tenant: str) -> dict[str, str]:
    if not tenant:
        return {}
    overs = [one.bulk.items.fan_out for one in contract.operations if one.bulk is not None]
    return {
        name: value
        for fan_out in overs
        if fan_out is not None
        for name, value in named_like(operation, fan_out.over, tenant).items()
    }


def _places(contract: Contract, venue: Venue, tenants: Sequence[str]) -> dict[Where, Venue]:
    found: dict[Where, Venue] = {}
    act = next(iter(venue.acts.values()), None)
    for tenant in ("", *tenants) if act is not None else ():
        named = {
            name: value for one in venue.acts.values() for name, value in _tenant_values(contract, one, tenant).items()
        }
        if act is not None and (not tenant or named):
            values = {**venue.values, **named}
            found[Where(scope_at(contract, act, values, tenant), venue.resource.name)] = replace(venue, values=values)
    return found


def scope_at(contract: Contract, operation: Operation, values: Mapping[str, str], tenant: str) -> str:
    """Return the data set that a call with these parameters speaks of."""
    call = draft(operation, values).call()
    route = Router(contract).match(call.method, call.path)
    variables = {} if isinstance(route, NoRoute) else route.variables
    return scope_of(contract, sent_of(operation, call, variables), tenant)
