"""Discover fuzz targets: every bulk operation at every site and for every tenant. Begin with `discover_targets`."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from contracts.errors import MisuseError
from contracts.exchange.bulk_request import target_parameters
from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.exchange.locations import parse_request
from contracts.openapi.model import Contract, NoRoute, Operation
from contracts.openapi.routing import Router
from generators.client.session import Session
from generators.client.sites import known_sites
from generators.errors import NotApplicableError
from generators.oracles.intended_effects import scope_of
from generators.oracles.state_model import RecordSet
from generators.requests.batch import CREATING_ACTIONS, Composer
from generators.requests.calls import draft
from generators.requests.envelope import unsupported_reason
from generators.requests.options import named_targets
from generators.requests.single import RecordSite

QUOTED_WORD: Final = re.compile(r"`([\w.-]+)`")
MIN_COMMON_LETTERS: Final = 4  # leading letters that a word shares with a target
MAX_PROBED_TARGETS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class FuzzTarget:
    """One bulk operation at one site. `scope` is the data set of its items, `targets` are those of a fan-out."""

    operation: Operation
    composer: Composer
    scope: str
    resources: tuple[str, ...]
    targets: tuple[str, ...] = ()

    @property
    def creates(self) -> bool:
        """Whether its items may create records."""
        return not CREATING_ACTIONS.isdisjoint(one.meaning for one in self.composer.design.actions)


@dataclass(frozen=True, slots=True, kw_only=True)
class FuzzTargets:
    """All targets, and the sites at which single records are read and written.

    `related` maps each resource to those that it refers to, those that refer to it, and itself; `lineage` to what
    should be there before a record of it, and last itself.
    """

    bulk: tuple[FuzzTarget, ...]
    sites: Mapping[RecordSet, RecordSite]
    related: Mapping[str, frozenset[str]]
    lineage: Mapping[str, tuple[str, ...]]

    @property
    def resources(self) -> frozenset[str]:
        """The resources."""
        return frozenset(where.resource for where in self.sites)

    def narrow(self, rng: Random, cells: Callable[[str], int]) -> "FuzzTargets":
        """Return the targets of one data set, restricted to one resource with its related ones.

        `cells` returns how much of an operation is covered: one with less is drawn more often.
        """
        first = rng.choices(self.bulk, [1 / (1 + cells(one.operation.id)) for one in self.bulk])[0]
        kinds = self.related.get(rng.choice(first.resources), frozenset())
        bulk = tuple(one for one in self.bulk if one.scope == first.scope and not kinds.isdisjoint(one.resources))
        sites = {where: site for where, site in self.sites.items() if where.resource in kinds}
        return replace(self, bulk=bulk, sites=sites) if bulk and sites else self

    def creator(self, where: RecordSet) -> FuzzTarget | None:
        """Return a target that creates records of a resource in a data set, one that does nothing else if possible."""
        makers = [
            one for one in self.bulk if one.scope == where.scope and one.creates and where.resource in one.resources
        ]
        return min(makers, key=lambda one: (len(one.resources), len(one.composer.design.actions)), default=None)

    @property
    def operations(self) -> tuple[str, ...]:
        """The ids of the bulk operations."""
        return tuple(dict.fromkeys(one.operation.id for one in self.bulk))


def discover_targets(session: Session) -> FuzzTargets:
    """Return all targets; sends list requests where the contract names several sites."""
    contract = session.contract
    found: list[FuzzTarget] = []
    places: dict[RecordSet, RecordSite] = {}
    tenants = known_targets(session)
    for operation in contract.operations:
        if operation.bulk is not None and unsupported_reason(operation, groups=False) is None:
            for site in known_sites(session, operation):
                found += _targets(contract, operation, site, tenants)
                places |= _places(contract, site, tenants)
    related, lineage = _related_types(contract), {name: _lineage(contract, name) for name in contract.resources}
    return FuzzTargets(bulk=tuple(found), sites=places, related=related, lineage=lineage)


def _related_types(contract: Contract) -> Mapping[str, frozenset[str]]:
    pairs = {(name, other) for name, one in contract.resources.items() for other in one.references.values()}
    near = pairs | {(other, name) for name, other in pairs}
    return {name: frozenset({name, *(other for one, other in near if one == name)}) for name in contract.resources}


def _lineage(contract: Contract, name: str, *, needed: bool = False) -> tuple[str, ...]:
    """Return the resources that a record of one may refer to, themselves after theirs, and last the resource itself.

    What itself needs a record of the resource comes later; `needed` leaves out what is not required.
    """
    found: dict[str, None] = {}

    def visit(name: str) -> None:
        own = contract.resources[name]
        found.setdefault(name)
        for member, other in own.references.items():
            is_required = member in own.required
            if other not in found and (is_required or not (needed or name in _lineage(contract, other, needed=True))):
                visit(other)
        found.pop(name)
        found[name] = None

    visit(name)
    return tuple(found)


def known_targets(session: Session) -> tuple[str, ...]:
    """Return the fan-out targets that exist: of those that the contract names, the ones with a list."""
    contract = session.contract
    first, others = _named_targets(contract)
    listers = [one for one in contract.operations if one.record is not None and one.record.action.constant == "list"]
    asked = [
        (one, name)
        for one in listers[:1]
        for name in (*first, *others)[:MAX_PROBED_TARGETS]
        if _tenant_values(contract, one, name)
    ]
    if not asked:
        return first
    return tuple(name for one, name in asked if _is_listed(session, one, name)) or first


def _is_listed(session: Session, lister: Operation, name: str) -> bool:
    try:
        exchange = session.send(draft(lister, _tenant_values(session.contract, lister, name)).request())
    except NotApplicableError:
        return False
    return exchange.response.status in SUCCESS_STATUS


def _named_targets(contract: Contract) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the first targets of examples, and further ones in examples and descriptions."""
    named = named_targets(contract, contract.operations)
    texts = " ".join(str(one.get("description", "")) for one in _described_nodes(contract.document))
    alike = [
        word
        for word in QUOTED_WORD.findall(texts)
        if any(word.startswith(name[:MIN_COMMON_LETTERS]) for name in named.first)
    ]
    others = dict.fromkeys((*alike, *named.others))
    return named.first, tuple(name for name in others if name not in named.first)


def _described_nodes(node: object) -> Iterator[Mapping[str, object]]:
    if isinstance(node, Mapping):
        if isinstance(node.get("description"), str):
            yield node
        for inner in node.values():
            yield from _described_nodes(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _described_nodes(inner)


def _targets(
    contract: Contract, operation: Operation, site: RecordSite, tenants: Sequence[str]
) -> Iterator[FuzzTarget]:
    bulk = operation.bulk
    assert bulk is not None  # noqa: S101 - asked before
    for tenant in ("", *tenants) if bulk.items.fan_out is None else tenants:
        named = _tenant_values(contract, operation, tenant)
        if tenant and not named and bulk.items.fan_out is None:
            continue
        try:
            composer = Composer(contract, operation, given={**site.values, **named}, values="fuzz")
        except MisuseError:
            return
        resources = tuple(word.meaning for word in composer.design.resources)
        scope = scope_at(contract, operation, {**site.values, **named}, tenant)
        targets = tuple(tenants) if bulk.items.fan_out is not None else ()
        yield FuzzTarget(operation=operation, composer=composer, scope=scope, resources=resources, targets=targets)
        if not composer.design.has_one_resource:
            return


def _tenant_values(contract: Contract, operation: Operation, tenant: str) -> dict[str, str]:
    overs = _target_locations(contract) if tenant else []
    return {name: value for over in overs for name, value in target_parameters(operation, over, tenant).items()}


def _target_locations(contract: Contract) -> list[str]:
    """Return the locations at which fan-outs list their targets."""
    declared = (one.bulk.items.fan_out for one in contract.operations if one.bulk is not None)
    return [one.over for one in declared if one is not None]


def _places(contract: Contract, site: RecordSite, tenants: Sequence[str]) -> dict[RecordSet, RecordSite]:
    found: dict[RecordSet, RecordSite] = {}
    act = next(iter(site.operations.values()), None)
    for tenant in ("", *tenants) if act is not None else ():
        place = site.at_target(_target_locations(contract), tenant) if tenant else site
        if act is not None and place is not None:
            found[RecordSet(scope_at(contract, act, place.values, tenant), site.resource.name)] = place
    return found


def scope_at(contract: Contract, operation: Operation, values: Mapping[str, str], tenant: str) -> str:
    """Return the data set that a request with these parameters addresses."""
    request = draft(operation, values).request()
    route = Router(contract).match(request.method, request.path, request)
    variables = {} if isinstance(route, NoRoute) else route.variables
    return scope_of(contract, parse_request(operation, request, variables), tenant)
