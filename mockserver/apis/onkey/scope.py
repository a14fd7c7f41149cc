"""Who calls, and of which data set."""

from datetime import timedelta
from typing import Final, cast

from contracts.messages import Headers, Reply, essence
from contracts.model import Operation
from mockserver.apis.onkey.kinds import Kind, kinds_of
from mockserver.apis.onkey.refusals import unserved
from mockserver.replying import reply_with
from mockserver.turn import Refusal, Turn

STATIC: Final = "sandbox"  # the token that is always valid; also the client's id and its secret
ANONYMOUS: Final = "anonymous"
LIFETIME: Final = timedelta(hours=1)
CHALLENGE: Final = Headers((("WWW-Authenticate", "Bearer"),))
AS_PRINTED: Final = "x-as-printed"
NOWHERE: Final = ""


def admit(turn: Turn) -> Refusal | None:
    """Tell who calls; a call needs a valid token in strict auth, and must not rely on the page's slips when strict."""
    known = _is_valid(turn, turn.call.headers.get("Authorization"))
    turn.client = STATIC if known else ANONYMOUS
    settings, operation = turn.world.settings, turn.operation
    if operation is None:
        return None
    if settings["auth"] == "strict" and operation.security and not known:
        return Refusal(status=401, kind="unauthenticated", detail="A valid bearer token is needed.", headers=CHALLENGE)
    return _slip(turn, operation) if settings["strict"] else None


def _is_valid(turn: Turn, authorization: str) -> bool:
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        return False
    expires = turn.world.memory.get("tokens", {}).get(token)
    return token == STATIC or (expires is not None and turn.now < expires)


def _slip(turn: Turn, operation: Operation) -> Refusal | None:
    """Refuse what a strict sandbox does not take though the vendor's curl does it: a content type, or a method."""
    printed = str(operation.extras.get(AS_PRINTED, ""))
    if "/" in printed and essence(turn.call.headers.get("Content-Type")) == printed:
        known = (
            " or ".join(one.media_range for one in operation.body.content if one.media_range != printed)
            if operation.body
            else ""
        )
        return Refusal(status=415, kind="media-type", detail=f"The body must be {known}; got {printed}.")
    if printed == turn.call.method:
        others = [
            one.method for one in turn.api.contract.operations if one.path == operation.path and one is not operation
        ]
        allow = Headers((("Allow", ", ".join(others)),))
        return Refusal(status=405, kind="no-method", detail=f"{printed} is not allowed here.", headers=allow)
    return None


def scope(turn: Turn) -> str | Refusal:
    """Return the data set that the path names; refuse a resource that its module does not have."""
    variables = turn.variables
    if "client" not in variables:
        return NOWHERE
    if "module" in variables and kinds_of(turn.api).at(variables["module"], variables["resources"]) is None:
        return Refusal(status=404, kind="no-path", detail=unserved(turn))
    return f"{variables['client']}/{variables['connection']}".lower()


def kind_of(turn: Turn) -> Kind:
    """Return the kind of record that the path of a call names; the call's scope has been found."""
    found = kinds_of(turn.api).at(turn.variables["module"], turn.variables["resources"])
    assert found is not None  # noqa: S101 - `scope` refuses calls that name none
    return found


def fetch_token(turn: Turn) -> Reply:
    """Hand out a bearer token for the sandbox's credentials."""
    form = cast("dict[str, str]", turn.data)
    if (form["client_id"], form["client_secret"]) != (STATIC, STATIC):
        refusal = Refusal(
            status=401, kind="unauthenticated", detail="Wrong client_id or client_secret.", headers=CHALLENGE
        )
        return turn.api.hooks.refuse(turn, refusal)
    token = turn.world.ids.hex("token", 32)
    until = turn.now + LIFETIME
    turn.world.remember("tokens", token, until, until)
    seconds = int(LIFETIME.total_seconds())
    return reply_with(turn, 200, {"access_token": token, "token_type": "Bearer", "expires_in": seconds})
