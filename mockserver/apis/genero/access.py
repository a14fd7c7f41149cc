"""Clients, tenants, bearer tokens (RFC 6750) with their quotas, and the settings of Genero. Begin with `admit`."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from contracts.messages import Headers, Response
from contracts.schemas.violations import Violation
from contracts.syntax.text import clipped, closest, listed
from mockserver.api.model import ApiState, Refusal, RequestContext
from mockserver.bulk.limits import quota_wait, retry_after
from mockserver.domain.jobs import Job
from mockserver.domain.values import FanOutTarget

MAX_BATCH_ITEMS: Final = 5000  # the vendor's NoOfItems: the longest batch

SWITCHES: Final[Mapping[str, bool]] = {
    "DoUpdateWholesaler": True,
    "DoUpdateCustomerCategory": True,
    "DoUpdateEmail": True,
    "DoUpdatePhone": True,
    "DoUpdatePrio": True,
    "DoUpdateChain": True,
    "DoUpdateBlock": True,
    "DoUpdateSalesDistrict": False,
    "DoCreateSalesDistrict": False,
}
FIELD_DEFAULTS: Final[Mapping[str, str]] = {
    "DefaultWholesalerId": "",
    "DefaultCustomerCategory": "",
    "DefaultPrio": "N",
    "DefaultChainId": "",
    "DefaultBlockId": "",
    "DefaultRegionId": "",
}
MAX_LENGTHS: Final[Mapping[str, int]] = {"DefaultCustomerCategory": 100, "DefaultPrio": 100}  # the others are keys, 50
MIN_LENGTHS: Final[Mapping[str, int]] = {"DefaultPrio": 1}  # a new customer always has one
NO_EFFECT: Final[Mapping[str, str]] = {
    "DoCreateSalesDistrict": "Kept for the client's sake: sales districts are no entities here.",
    "DefaultRegionId": "Kept for the client's sake: regions are no entities here.",
}

DEFAULTS: Final[Mapping[str, Any]] = {
    "maxItems": MAX_BATCH_ITEMS,
    "defaultTenant": "publicapitest",
    "tenants": {"publicapitest": {**SWITCHES, **FIELD_DEFAULTS}, "publicapitest2": {**SWITCHES, **FIELD_DEFAULTS}},
}


def _described(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {**schema, "description": NO_EFFECT[name]} if name in NO_EFFECT else dict(schema)


SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "maxItems": {
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_BATCH_ITEMS,
            "description": "How many items a batch may have.",
        },
        "defaultTenant": {"type": "string", "description": "The tenant of a call of `multi` that names none."},
        "tenants": {
            "type": "object",
            "description": "The tenants that exist, each with its import settings; an empty default fills nothing in.",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    **{name: _described(name, {"type": "boolean"}) for name in SWITCHES},
                    **{
                        name: _described(
                            name,
                            {
                                "type": "string",
                                "minLength": MIN_LENGTHS.get(name, 0),
                                "maxLength": MAX_LENGTHS.get(name, 50),
                            },
                        )
                        for name in FIELD_DEFAULTS
                    },
                },
            },
        },
    },
}


def section(api_state: ApiState) -> Mapping[str, Any]:
    """Return the `genero` section of the sandbox's settings."""
    found: Mapping[str, Any] = api_state.settings["genero"]
    return found


def tenants(api_state: ApiState) -> Mapping[str, Mapping[str, Any]]:
    """Return the tenants of this sandbox, each with its settings."""
    found: Mapping[str, Mapping[str, Any]] = section(api_state).get("tenants", {})
    return found


def default_tenant(api_state: ApiState) -> str:
    """Return the tenant of a multi-tenant client's request that names none."""
    return str(section(api_state).get("defaultTenant", DEFAULTS["defaultTenant"]))


def max_batch_items(api_state: ApiState) -> int:
    """Return the maximum number of items of a batch."""
    return int(section(api_state).get("maxItems", MAX_BATCH_ITEMS))


def max_items(context: RequestContext) -> int:
    """Return the maximum number of items of a batch in this sandbox."""
    return max_batch_items(context.api_state)


SINGLE: Final = "single"
MULTI: Final = "multi"
OWN_TENANT: Final[Mapping[str, str]] = {SINGLE: "publicapitest"}  # MULTI speaks for every tenant
CLIENTS: Final[Mapping[str, str]] = {SINGLE: "sandbox", MULTI: "sandbox"}  # with their secrets


def may_act_for(api_state: ApiState, client: str, tenant: str) -> bool:
    """Return whether `tenant` exists and `client` may act for it."""
    return tenant in tenants(api_state) and OWN_TENANT.get(client, tenant) == tenant


def unknown_tenant_text(tenant: str) -> str:
    """Return the message for a tenant that does not exist or is not the client's."""
    return f"Unable to find tenant by identifier: {tenant}."


def scope(context: RequestContext) -> str | Refusal:
    """Return the tenant of the request: the one that it names, else the client's own, or a Refusal."""
    named = context.query.get("generoTenantId")
    if named is None:
        return OWN_TENANT.get(context.client, default_tenant(context.api_state))
    if not may_act_for(context.api_state, context.client, str(named)):
        context.violations = _hinted(context, str(named), "query:generoTenantId", "")
        return Refusal(status=404, kind="not-found", detail=unknown_tenant_text(str(named)))
    return str(named)


def _hinted(context: RequestContext, tenant: str, where: str, pointer: str) -> tuple[Violation, ...]:
    """Return a refusal with the closest tenant as a hint for the journal; the vendor's message has no place for it."""
    hint = closest(tenant, tenants(context.api_state))
    if not hint or hint == tenant:
        return ()
    detail = f"{unknown_tenant_text(tenant)} Did you mean '{hint}'?"
    known = listed(tenants(context.api_state), "or")
    return (
        Violation(
            where=where,
            pointer=pointer,
            rule="enum",
            expected=clipped(known),
            got=tenant[:80],
            hint=hint,
            detail=detail,
        ),
    )


def may_poll(context: RequestContext, job: Job) -> bool:
    """Return whether a job may be polled: one of the request's tenant, else of any tenant of the client."""
    if "generoTenantId" in context.query:
        return job.scope == context.scope
    return may_act_for(context.api_state, context.client, job.scope)


def target(context: RequestContext, name: object) -> FanOutTarget:
    """Return a tenant of a multi-tenant batch, with its problems."""
    tenant = str(name)
    return FanOutTarget(
        tenant, () if may_act_for(context.api_state, context.client, tenant) else (unknown_tenant_text(tenant),)
    )


TOKEN_LIFETIME: Final = timedelta(days=30)
STATIC_TOKENS: Final = {"sandbox-multi": MULTI, "sandbox-single": SINGLE}
MULTI_TENANT: Final = "postMultiTenantJob"
CHALLENGE: Final = Headers((("WWW-Authenticate", 'Bearer realm="genero"'),))


def admit(context: RequestContext) -> Refusal | None:
    """Set the client of the request, or refuse it: invalid token, or none where `auth` is strict."""
    if context.operation is None or not context.operation.security:
        return None
    strict = context.api_state.settings["auth"] == "strict"
    sent = context.request.headers.get("Authorization")
    client = _client_of(context, sent) if sent or strict else MULTI
    if client is None:
        return _unauthenticated("A valid bearer token is needed; fetch one with POST /oauth/token.")
    context.client = client
    if strict and client != MULTI and context.operation.id == MULTI_TENANT:
        return Refusal(status=403, kind="forbidden", detail=f"The client '{client}' has no multi-tenant agency.")
    return None


MEMORY_TYPES: Final = {"tokens": dict[str, tuple[str, datetime]]}  # by token, its client and its end


def fetch_token(context: RequestContext) -> Response:
    """Return a new token for a client id and secret, or 429 over the quota."""
    form = context.data if isinstance(context.data, dict) else {}
    client = str(form.get("client_id", ""))
    if client not in CLIENTS or form.get("client_secret") != CLIENTS[client]:
        return context.refuse(_unauthenticated("Client id and secret do not fit."))
    wait = quota_wait(context)
    if wait is not None:
        return context.refuse(_too_many(wait))
    token = context.api_state.ids.hex("genero.token", 40)
    context.api_state.drop_expired(context.now)
    until = context.now + TOKEN_LIFETIME
    context.api_state.remember("tokens", token, (client, until), until)
    seconds = int(TOKEN_LIFETIME.total_seconds())
    return Response.of(200, {"access_token": token, "token_type": "Bearer", "expires_in": seconds})


def _client_of(context: RequestContext, authorization: str) -> str | None:
    scheme, _, token = authorization.strip().partition(" ")
    if scheme.lower() != "bearer":
        return None
    given = token.strip()
    tokens: dict[str, tuple[str, datetime]] = context.api_state.memory.get("tokens", {})
    client, until = tokens.get(given, (None, context.now))
    return STATIC_TOKENS.get(given) or (client if context.now < until else None)


def _unauthenticated(detail: str) -> Refusal:
    return Refusal(status=401, kind="unauthenticated", detail=detail, headers=CHALLENGE)


def _too_many(wait: timedelta) -> Refusal:
    detail = "A client may fetch 5 tokens a day and 150 a month."
    return Refusal(status=429, kind="quota", detail=detail, headers=retry_after(wait))
