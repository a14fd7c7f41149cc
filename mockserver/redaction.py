"""What must not be kept: credentials and tokens, taken out of everything that the journal writes down."""

import re
from collections.abc import Iterable
from typing import Final

from contracts.messages import Headers

HIDDEN: Final = "***"
SCHEME_ONLY: Final = frozenset(("authorization", "proxy-authorization"))
HEADERS: Final = frozenset(("api-key", "cookie", "set-cookie", "x-api-key", "x-auth-token"))
NAMES: Final = ("access_token", "client_secret", "id_token", "password", "refresh_token")
SIGNS: Final = (b"_token", b"_secret")  # one of them, or "password", stands in a body that holds any of NAMES
_JSON: Final = re.compile(rb'("(?:' + "|".join(NAMES).encode() + rb')"\s*:\s*)"(?:[^"\\]|\\.)*"?', re.DOTALL)
_FORM: Final = re.compile(rb"((?:^|[&?])(?:" + "|".join(NAMES).encode() + rb")=)[^&\s]*")


def headers_text(headers: Headers) -> str:
    """Return header fields one a line, secrets hidden; of `Authorization` the scheme stays."""
    return "\n".join([f"{name}: {header_value(name, value)}" for name, value in headers.pairs])


def header_value(name: str, value: str) -> str:
    """Return what may be kept of a header's value."""
    lower = name.lower()
    if lower in SCHEME_ONLY:
        scheme, space, _ = value.partition(" ")
        return f"{scheme} {HIDDEN}" if space else HIDDEN
    return HIDDEN if lower in HEADERS else value


def body_bytes(body: bytes) -> bytes:
    """Return a body with the values of secret members and form fields hidden."""
    if b"password" not in body and (b"_" not in body or not any(sign in body for sign in SIGNS)):
        return body
    hidden = HIDDEN.encode()
    return _FORM.sub(rb"\g<1>" + hidden, _JSON.sub(rb'\g<1>"' + hidden + b'"', body))


def query_pairs(query: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return query parameters with the values of secret ones hidden."""
    return tuple((name, HIDDEN if name in NAMES else value) for name, value in query)


def fingerprint(credentials: str) -> str:
    """Return a short name for whoever sends these credentials, which does not tell them: `Bearer 1f2e3d4c5b6a`."""
    from hashlib import sha256  # noqa: PLC0415 - only an API without clients of its own needs it

    scheme, space, _ = credentials.partition(" ")
    return (
        f"{scheme}{space}{sha256(credentials.encode()).hexdigest()[:12]}"
        if space
        else sha256(credentials.encode()).hexdigest()[:12]
    )
