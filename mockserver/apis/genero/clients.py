"""Who calls and for whom: the built-in clients, their agency, and the tenant that a call speaks of."""

from collections.abc import Mapping
from typing import Final

from contracts.findings import Violation
from contracts.names import closest
from contracts.texts import clipped, listed
from mockserver.apis.genero.settings import default_tenant, tenants
from mockserver.domain.jobs import Job
from mockserver.domain.values import Target
from mockserver.turn import Refusal, Turn
from mockserver.world import World

SINGLE: Final = "single"
MULTI: Final = "multi"
OWN_TENANT: Final[Mapping[str, str]] = {SINGLE: "publicapitest"}  # MULTI speaks for every tenant
CLIENTS: Final[Mapping[str, str]] = {SINGLE: "sandbox", MULTI: "sandbox"}  # with their secrets


def has_agency(world: World, client: str, tenant: str) -> bool:
    """Tell whether `tenant` exists and `client` may speak for it."""
    return tenant in tenants(world) and OWN_TENANT.get(client, tenant) == tenant


def unknown(tenant: str) -> str:
    """Return the text for a tenant that does not exist or is not the client's."""
    return f"Unable to find tenant by identifier: {tenant}."


def scope(turn: Turn) -> str | Refusal:
    """Return the tenant of the call: the one that it names, else the client's own."""
    named = turn.query.get("generoTenantId")
    if named is None:
        return OWN_TENANT.get(turn.client, default_tenant(turn.world))
    if not has_agency(turn.world, turn.client, str(named)):
        turn.violations = _hinted(turn, str(named), "query:generoTenantId", "")
        return Refusal(status=404, kind="not-found", detail=unknown(str(named)))
    return str(named)


def _hinted(turn: Turn, tenant: str, where: str, pointer: str) -> tuple[Violation, ...]:
    """Return, for the journal, which tenant may be meant: the vendor's text leaves no room for it."""
    hint = closest(tenant, tenants(turn.world))
    if not hint or hint == tenant:
        return ()
    detail = f"{unknown(tenant)} Did you mean '{hint}'?"
    known = listed(tenants(turn.world), "or")
    return (
        Violation(
            side="call",
            where=where,
            pointer=pointer,
            rule="enum",
            expected=clipped(known),
            got=tenant[:80],
            hint=hint,
            detail=detail,
        ),
    )


def sees(turn: Turn, job: Job) -> bool:
    """Tell whether a job may be asked for: one of the tenant that the call names, else any in the client's agency."""
    if "generoTenantId" in turn.query:
        return job.scope == turn.scope
    return has_agency(turn.world, turn.client, job.scope)


def target(turn: Turn, name: object) -> Target:
    """Return a tenant of a multi-tenant batch, with the problem when there is one."""
    tenant = str(name)
    return Target(tenant, () if has_agency(turn.world, turn.client, tenant) else (unknown(tenant),))
