"""Security schemes: what credentials a request carries, how they are asked for, and made-up ones that fit.

Begin with `is_authorised`; `challenge` is the value of `WWW-Authenticate`, `with_credentials` is for clients that have
none. Security Requirement Object and Security Scheme Object of the OpenAPI Specification 3.1; Basic is RFC 7617, Bearer
RFC 6750, Digest RFC 7616. Credentials are looked at for their form alone.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from contracts.messages import Request
from contracts.openapi.model import ClientIdentity, Contract, Operation

MADE_UP: Final = "bulkproof"
PLACEHOLDER: Final = "$BULKPROOF_AUTH_"
NOBODY: Final = f"{PLACEHOLDER}NONE"
"""The value of a header field that is not sent, although a client has one by default."""
BEARER_TYPES: Final = frozenset(("oauth2", "openIdConnect"))
DIGEST_FIELDS: Final = ("username", "realm", "nonce", "uri", "response")
SAMPLES: Final[Mapping[str, str]] = {
    "basic": f"Basic {b64encode(f'{MADE_UP}:{MADE_UP}'.encode()).decode()}",
    "digest": "Digest " + ", ".join(f'{name}="{MADE_UP}"' for name in DIGEST_FIELDS),
}
UNKNOWN: Final = f"{MADE_UP}-unknown"  # a token or key that no server knows
EMPTY_TOKEN: Final = "Bearer "  # noqa: S105 - it is none
WRONG_BY_SCHEME: Final[Mapping[str, str]] = {
    "bearer": f"Bearer {UNKNOWN}",
    "basic": f"Basic {b64encode(f'{MADE_UP}:unknown'.encode()).decode()}",
    "": UNKNOWN,
}
"""Credentials that nobody has, by authentication scheme; the last is a key."""
MIN_TOKEN: Final = 4  # characters of a token or key that is changed
WRONG_CREDENTIALS: Final = frozenset((EMPTY_TOKEN, *WRONG_BY_SCHEME.values()))
CHALLENGES: Final[Mapping[str, str]] = {
    "basic": 'Basic realm="*"',
    "digest": f'Digest realm="*", nonce="{MADE_UP}"',
}
Scheme = Mapping[str, object]


def is_authorised(contract: Contract, operation: Operation, request: Request) -> bool:
    """Say whether a request has credentials of the form that one of the operation's alternatives asks for.

    A scheme that the document does not define, and mutual TLS, cannot be looked at: they are taken as given.
    """
    schemes = contract.security_schemes
    return not operation.security or any(
        all(name not in schemes or _is_carried(schemes[name], request) for name in wanted)
        for wanted in operation.security
    )


def challenge(contract: Contract, operation: Operation) -> str:
    """Return what `WWW-Authenticate` says of an operation's schemes, each once (RFC 9110, section 11.6.1)."""
    names = dict.fromkeys(name for wanted in operation.security for name in wanted)
    found = dict.fromkeys(_challenge(contract.security_schemes.get(name, {})) for name in names)
    return ", ".join(one for one in found if one)


def with_credentials(contract: Contract, operation: Operation, request: Request) -> Request:
    """Return a request with made-up credentials of the operation's first alternative, where it has none that fit."""
    if is_authorised(contract, operation, request):
        return request
    for name in operation.security[0]:
        scheme = contract.security_schemes.get(name, {})
        if not _is_carried(scheme, request):
            request = _with_sample(scheme, request)
    return request


def made_up_headers(contract: Contract) -> dict[str, str]:
    """Return header fields with made-up credentials for all operations; keys in the query are left out."""
    found: dict[str, str] = {}
    for operation in contract.operations:
        request = with_credentials(contract, operation, Request(method=operation.method, path=operation.path))
        found = {**dict(request.headers), **found}
    return found


def without_credentials(contract: Contract, operation: Operation, request: Request) -> Request:
    """Return a request that is to carry no credentials, not even those that a client sends by default."""
    gone = {"Authorization"}
    for where, name in key_places(contract, operation):
        gone |= {name} if where == "header" else {"Cookie"} if where == "cookie" else set()
        if where == "query":
            request = replace(request, query=tuple(pair for pair in request.query if pair[0] != name))
    return replace(request, headers=request.headers.with_(*((name, NOBODY) for name in sorted(gone))))


def says_credentials(contract: Contract, operation: Operation, request: Request) -> bool:
    """Say whether a request has a header field for credentials, whatever is in it."""
    fields = {name for where, name in key_places(contract, operation) if where == "header"}
    return any(name in request.headers for name in ("Authorization", *fields))


def as_client(contract: Contract, operation: Operation, request: Request, auth: str) -> Request:
    """Return a request with the credentials of a client, where the operation's first scheme has them.

    `auth` is a key for an API key scheme, and the value of `Authorization` for all others.
    """
    names = [name for wanted in operation.security for name in wanted]
    scheme = contract.security_schemes.get(names[0], {}) if names else {}
    where, name = str(scheme.get("in")), str(scheme.get("name"))
    if scheme.get("type") != "apiKey":
        return replace(request, headers=request.headers.with_(("Authorization", auth)))
    if where == "query":
        return replace(request, query=(*(pair for pair in request.query if pair[0] != name), (name, auth)))
    pair = (name, auth) if where == "header" else ("Cookie", f"{name}={auth}")
    return replace(request, headers=request.headers.with_(pair))


def client_of(contract: Contract, operation: Operation, request: Request) -> ClientIdentity | None:
    """Return the test client whose credentials a request carries, None for none."""
    given = {request.headers.get("Authorization"), *request.headers.get_all("Cookie")}
    for where, name in key_places(contract, operation):
        given |= {request.headers.get(name)} if where == "header" else {request.parameter(name)}
    return next((one for one in contract.clients if one.auth and one.auth in given), None)


def similar_credentials(auth: str) -> dict[str, str]:
    """Return credentials that are almost those of a client and nobody's, each by what it is.

    They are those of tokens, keys, and Basic, whose password is another one. Those of other schemes are encoded, and
    several texts may mean the same.
    """
    word, _, token = auth.rpartition(" ")
    if PLACEHOLDER in auth or word.lower() not in {"", "bearer", "basic"}:
        return {}
    is_basic = word.lower() == "basic"
    if is_basic and not _is_user_and_password(token):
        return {}
    user, _, secret = b64decode(token).decode("latin-1").partition(":") if is_basic else ("", "", token)
    if len(secret) < MIN_TOKEN:
        return {}
    forms = {"in another case": secret.swapcase(), "cut by a character": secret[:-1], "and a character": f"{secret}7"}
    written = {
        what: b64encode(f"{user}:{one}".encode("latin-1")).decode() if is_basic else one for what, one in forms.items()
    }
    return {what: f"{word} {one}".strip() for what, one in written.items() if one != token}


def public_credentials(contract: Contract) -> frozenset[str]:
    """Return all credentials that may be shown: of the clients that the document names, and those similar to them."""
    own = [one.auth for one in contract.clients if one.auth]
    return frozenset((*own, *(similar for one in own for similar in similar_credentials(one).values())))


def authorization_field(text: str) -> str:
    """Return the `Authorization` field for `USER:PASSWORD` (Basic), a token (Bearer), or a scheme with credentials."""
    if not text or " " in text:
        return text
    return f"Basic {b64encode(text.encode()).decode()}" if ":" in text else f"Bearer {text}"


def placeholder_of(client: str) -> str:
    """Return what stands for the credentials of a test client wherever a request is shown or stored."""
    return f"{PLACEHOLDER}{client.upper().replace('-', '_')}"


def scheme_of(scheme: Scheme) -> str:
    """Return the authentication scheme of HTTP in lower case; "" where it is none."""
    if scheme.get("type") in BEARER_TYPES:
        return "bearer"
    return str(scheme.get("scheme", "")).lower() if scheme.get("type") == "http" else ""


def key_field(contract: Contract) -> str | None:
    """Return the header field that has the API's keys, None where it has other credentials or has them elsewhere."""
    schemes = [*contract.security_schemes.values()]
    fields = {str(one.get("name")) for one in schemes if (one.get("type"), one.get("in")) == ("apiKey", "header")}
    return fields.pop() if len(fields) == 1 == len(schemes) else None


def key_places(contract: Contract, operation: Operation) -> tuple[tuple[str, str], ...]:
    """Return where an operation's API keys stand: `in` and `name` of each."""
    schemes = [contract.security_schemes.get(name, {}) for wanted in operation.security for name in wanted]
    return tuple((str(one.get("in")), str(one.get("name"))) for one in schemes if one.get("type") == "apiKey")


def _is_carried(scheme: Scheme, request: Request) -> bool:
    if scheme.get("type") == "apiKey":
        return _has_key(str(scheme.get("in")), str(scheme.get("name")), request)
    wanted = scheme_of(scheme)
    if not wanted:
        return True
    word, _, credentials = request.headers.get("Authorization").strip().partition(" ")
    if word.lower() != wanted or not credentials.strip():
        return False
    if wanted == "digest":
        return all(re.search(rf"(?:^|[\s,]){name}=", credentials) for name in DIGEST_FIELDS)
    return wanted != "basic" or _is_user_and_password(credentials)


def _is_user_and_password(credentials: str) -> bool:
    try:
        return b":" in b64decode(credentials.strip(), validate=True)
    except (Base64Error, ValueError):
        return False


def _has_key(where: str, name: str, request: Request) -> bool:
    if where == "header":
        return bool(request.headers.get(name))
    if where == "query":
        return bool(request.parameter(name))
    given = (one.partition("=")[0].strip() for value in request.headers.get_all("Cookie") for one in value.split(";"))
    return name in given


def _challenge(scheme: Scheme) -> str:
    if scheme.get("type") == "apiKey":
        return f'ApiKey in="{scheme.get("in")}", name="{scheme.get("name")}"'
    wanted = scheme_of(scheme)
    return CHALLENGES.get(wanted, wanted.capitalize())


def _with_sample(scheme: Scheme, request: Request) -> Request:
    where, name = str(scheme.get("in")), str(scheme.get("name"))
    if scheme.get("type") != "apiKey":
        wanted = scheme_of(scheme)
        sample = SAMPLES.get(wanted, f"{wanted.capitalize()} {MADE_UP}")
        return replace(request, headers=request.headers.with_(("Authorization", sample)))
    if where == "query":
        return replace(request, query=(*request.query, (name, MADE_UP)))
    if where == "header":
        return replace(request, headers=request.headers.with_((name, MADE_UP)))
    cookies = "; ".join((*request.headers.get_all("Cookie"), f"{name}={MADE_UP}"))
    return replace(request, headers=request.headers.with_(("Cookie", cookies)))
