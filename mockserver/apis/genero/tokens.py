"""Bearer tokens: fetching them within the quotas, and admitting calls that carry one."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from contracts.messages import Headers, Reply
from mockserver.apis.genero.clients import CLIENTS, MULTI, SINGLE
from mockserver.turn import Refusal, Turn

LIFE: Final = timedelta(days=30)
QUOTAS: Final = ((timedelta(hours=24), 5), (timedelta(days=30), 150))
STATIC: Final = {"sandbox-multi": MULTI, "sandbox-single": SINGLE}
MULTI_TENANT: Final = "postMultiTenantJob"
CHALLENGE: Final = Headers((("WWW-Authenticate", 'Bearer realm="genero"'),))


def admit(turn: Turn) -> Refusal | None:
    """Set the client of the call, or refuse: a token that is sent must be valid, and in strict mode one is needed."""
    if turn.operation is None or not turn.operation.security:
        return None
    strict = turn.world.settings["auth"] == "strict"
    sent = turn.call.headers.get("Authorization")
    client = _client_of(turn, sent) if sent or strict else MULTI
    if client is None:
        return _unauthenticated("A valid bearer token is needed; fetch one with POST /oauth/token.")
    turn.client = client
    if strict and client != MULTI and turn.operation.id == MULTI_TENANT:
        return Refusal(status=403, kind="forbidden", detail=f"The client '{client}' has no multi-tenant agency.")
    return None


def fetch(turn: Turn) -> Reply:
    """Answer with a new token for a client that gives its id and secret."""
    form = turn.data if isinstance(turn.data, dict) else {}
    client = str(form.get("client_id", ""))
    if client not in CLIENTS or form.get("client_secret") != CLIENTS[client]:
        return turn.api.hooks.refuse(turn, _unauthenticated("Client id and secret do not fit."))
    fetched = _recent(turn, client)
    wait = max(_waits(fetched, turn.now))
    if wait:
        return turn.api.hooks.refuse(turn, _too_many(wait))
    token = turn.world.ids.hex("genero.token", 40)
    fetched.append(turn.now)
    turn.world.forget(turn.now)
    until = turn.now + LIFE
    turn.world.remember("tokens", token, (client, until), until)
    seconds = int(LIFE.total_seconds())
    return Reply.of(200, {"access_token": token, "token_type": "Bearer", "expires_in": seconds})


def _client_of(turn: Turn, authorization: str) -> str | None:
    scheme, _, token = authorization.strip().partition(" ")
    if scheme.lower() != "bearer":
        return None
    given = token.strip()
    tokens: dict[str, tuple[str, datetime]] = turn.world.memory.get("tokens", {})
    client, until = tokens.get(given, (None, turn.now))
    return STATIC.get(given) or (client if turn.now < until else None)


def _recent(turn: Turn, client: str) -> list[datetime]:
    """Return when the client fetched tokens in the longest window, the oldest first."""
    fetches: dict[str, list[datetime]] = turn.world.memory.setdefault("fetches", {})
    longest = max(window for window, _ in QUOTAS)
    fetches[client] = [at for at in fetches.get(client, ()) if turn.now - longest < at <= turn.now]
    return fetches[client]


def _waits(fetched: list[datetime], now: datetime) -> Iterable[int]:
    """Yield for each quota how many seconds remain until another fetch is within it, 0 for at once."""
    for window, most in QUOTAS:
        inside = [at for at in fetched if at > now - window]
        yield ceil((inside[-most] + window - now).total_seconds()) if len(inside) >= most else 0


def _unauthenticated(detail: str) -> Refusal:
    return Refusal(status=401, kind="unauthenticated", detail=detail, headers=CHALLENGE)


def _too_many(seconds: int) -> Refusal:
    detail = "A client may fetch 5 tokens a day and 150 a month."
    return Refusal(status=429, kind="quota", detail=detail, headers=Headers((("Retry-After", str(seconds)),)))
