"""Clients, data sets, bearer tokens (RFC 6750), the initial records of a data set, and ids of new records."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple, cast

from contracts.bulk.model import Resource
from contracts.messages import Headers, Response, essence
from contracts.openapi.model import Operation
from mockserver.api.model import ApiState, ItemRun, Refusal, RequestContext, json_response
from mockserver.apis.onkey.messages import unserved
from mockserver.apis.onkey.resource_types import ObjectType, object_types_of
from mockserver.stores.interface import Collection, Record, View

SANDBOX_CREDENTIAL: Final = "sandbox"  # the token that is always valid; also the client's id and its secret
ANONYMOUS: Final = "anonymous"
TOKEN_LIFETIME: Final = timedelta(hours=1)
CHALLENGE: Final = Headers((("WWW-Authenticate", "Bearer"),))
AS_PRINTED: Final = "x-as-printed"
NO_SCOPE: Final = ""


def admit(context: RequestContext) -> Refusal | None:
    """Set the client of the request, or refuse it: no valid token, or a slip that strict mode does not tolerate."""
    known = _is_valid(context, context.request.headers.get("Authorization"))
    context.client = SANDBOX_CREDENTIAL if known else ANONYMOUS
    settings, operation = context.api_state.settings, context.operation
    if operation is None:
        return None
    if settings["auth"] == "strict" and operation.security and not known:
        return Refusal(status=401, kind="unauthenticated", detail="A valid bearer token is needed.", headers=CHALLENGE)
    return _slip(context, operation) if settings["strict"] else None


def _is_valid(context: RequestContext, authorization: str) -> bool:
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        return False
    expires = context.api_state.memory.get("tokens", {}).get(token)
    return token == SANDBOX_CREDENTIAL or (expires is not None and context.now < expires)


def _slip(context: RequestContext, operation: Operation) -> Refusal | None:
    """Refuse in strict mode what the vendor's curl examples do against the contract: a content type, or a method."""
    printed = str(operation.extras.get(AS_PRINTED, ""))
    if "/" in printed and essence(context.request.headers.get("Content-Type")) == printed:
        known = (
            " or ".join(one.media_range for one in operation.body.content if one.media_range != printed)
            if operation.body
            else ""
        )
        return Refusal(status=415, kind="media-type", detail=f"The body must be {known}; got {printed}.")
    if printed == context.request.method:
        others = [
            one.method for one in context.api.contract.operations if one.path == operation.path and one is not operation
        ]
        allow = Headers((("Allow", ", ".join(others)),))
        return Refusal(status=405, kind="no-method", detail=f"{printed} is not allowed here.", headers=allow)
    return None


def scope(context: RequestContext) -> str | Refusal:
    """Return the data set that the path names, or a Refusal: the module does not have the resource."""
    variables = context.variables
    if "client" not in variables:
        return NO_SCOPE
    if "module" in variables and object_types_of(context.api).at(variables["module"], variables["resources"]) is None:
        return Refusal(status=404, kind="no-path", detail=unserved(context))
    return f"{variables['client']}/{variables['connection']}".lower()


def kind_of(context: RequestContext) -> ObjectType:
    """Return the object type that the path names; `scope` must have been called."""
    found = object_types_of(context.api).at(context.variables["module"], context.variables["resources"])
    assert found is not None  # noqa: S101 - `scope` refuses requests that name none
    return found


MEMORY_TYPES: Final = {"tokens": dict[str, datetime]}  # the end of each token


def fetch_token(context: RequestContext) -> Response:
    """Return a bearer token for the sandbox's credentials."""
    form = cast("dict[str, str]", context.data)
    if (form["client_id"], form["client_secret"]) != (SANDBOX_CREDENTIAL, SANDBOX_CREDENTIAL):
        refusal = Refusal(
            status=401, kind="unauthenticated", detail="Wrong client_id or client_secret.", headers=CHALLENGE
        )
        return context.refuse(refusal)
    token = context.api_state.ids.hex("token", 32)
    until = context.now + TOKEN_LIFETIME
    context.api_state.remember("tokens", token, until, until)
    seconds = int(TOKEN_LIFETIME.total_seconds())
    return json_response(context, 200, {"access_token": token, "token_type": "Bearer", "expires_in": seconds})


FIRST_ID: Final = 2_000_000_000_000_000  # ids have 16 digits and stay below 2^53; the vendor's own begin with 1
SEED_COUNT: Final = 1_000_000_000  # so many seeds
IDS_PER_SEED: Final = 1_000_000  # begin so far apart


class Seed(NamedTuple):
    """A record that every fresh data set has."""

    resource: str
    id: int
    version: int
    code: str
    description: str


SEEDS: Final = (
    Seed("PermissionTree", 5000001001, 1, "A20", "Area 20"),
    Seed("Resource", 5000001002, 1, "SHBE", "Staff member"),
    Seed("Trade", 5000001003, 1, "HAND", "Handyman"),
    Seed("AssetImportance", 1543843155165003, 1, "AI1", "Importance 1"),
    Seed("AssetImportance", 1543843155164002, 1, "AI2", "Importance 2"),
    Seed("AssetImportance", 1543843155165002, 3, "AI3", "Importance 3"),
    Seed("AssetImportance", 1543844764239005, 1, "AI4", "Importance 4"),
)


def stock(run: ItemRun, view: View) -> None:
    """Put the initial records into a fresh data set; all data sets share their bodies."""
    born, bodies = run.api_state.created, run.api.memo.setdefault("seeds", {})
    for seed in SEEDS:
        body = bodies.get(seed.id)
        if body is None:
            defaults = run.api.contract.resources[seed.resource].defaults
            body = bodies[seed.id] = {**defaults, "code": seed.code, "description": seed.description}
        record = Record(seed.id, seed.version, deleted=False, body=body, created=born, modified=born)
        view.put(Collection(run.scope, seed.resource), record)


def new_keys(run: ItemRun, resource: Resource) -> Callable[[int], Sequence[int]]:
    """Return the function that gives the next ids of the sandbox."""
    del resource

    def fresh(size: int) -> Sequence[int]:
        first = _next(run.api_state, size)
        return range(first, first + size)

    return fresh


def job_id(context: RequestContext, items: int) -> str:
    """Return the id of a new task; the ids of its steps follow it."""
    return str(_next(context.api_state, 1 + items))


def _next(api_state: ApiState, step: int) -> int:
    return _first(api_state.ids.seed) + api_state.ids.count("record", step)


@lru_cache(maxsize=1000)
def _first(seed: int) -> int:
    digest = blake2b(str(seed).encode(), digest_size=8).digest()
    return FIRST_ID + int.from_bytes(digest) % SEED_COUNT * IDS_PER_SEED + 1
