"""Where a campaign can play: every bulk operation on every kind of record and for every tenant, and how records are read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from contracts.errors import MisuseError
from contracts.model import Contract, NoRoute, Operation
from generators.batches import Composer
from generators.campaign.ledger import Where
from generators.campaign.wants import scope_of
from generators.checks.bench import Bench
from generators.checks.calls import draft
from generators.checks.findings import ImpossibleError
from generators.checks.following import named_like
from generators.checks.locations import look, sent_of
from generators.checks.venues import Venue, venues
from generators.checks.wrapping import unspoken


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """One bulk operation at one place. `scope` is the data set that its items speak of; `targets` those of a fan-out."""

    operation: Operation
    composer: Composer
    scope: str
    resources: tuple[str, ...]
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """All of them, and the places at which single records are read and written."""

    bulk: tuple[Ground, ...]
    venues: Mapping[Where, Venue]

    @property
    def operations(self) -> tuple[str, ...]:
        """The bulk operations that can be played on."""
        return tuple(dict.fromkeys(one.operation.id for one in self.bulk))


def survey(bench: Bench) -> Grounds:
    """Find out where can be played; asks the implementation for lists where a contract names several places."""
    contract = bench.contract
    found: list[Ground] = []
    places: dict[Where, Venue] = {}
    tenants = targets_of(contract)
    for operation in contract.operations:
        if operation.bulk is not None and unspoken(operation) is None:
            for venue in _venues(bench, operation):
                found += _grounds(contract, operation, venue, tenants)
                places |= _places(contract, venue, tenants)
    return Grounds(bulk=tuple(found), venues=places)


def _venues(bench: Bench, operation: Operation) -> Sequence[Venue]:
    try:
        return venues(bench, operation)
    except ImpossibleError:
        return ()


def targets_of(contract: Contract) -> tuple[str, ...]:
    """Return the targets that fan-outs' examples name first: the later ones may be there to show what is wrong."""
    named: dict[str, None] = {}
    for one in contract.operations:
        fan_out = one.bulk.items.fan_out if one.bulk is not None else None
        for media in one.body.content if fan_out is not None and one.body is not None else ():
            for example in media.examples.values():
                over = look(example, fan_out.over) if fan_out is not None else None
                named |= dict.fromkeys(map(str, over[:1])) if isinstance(over, list) else {}
    return tuple(named)


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
    from contracts.routing import Router  # noqa: PLC0415 - a survey is made once

    call = draft(operation, values).call()
    route = Router(contract).match(call.method, call.path)
    variables = {} if isinstance(route, NoRoute) else route.variables
    return scope_of(contract, sent_of(operation, call, variables), tenant)
