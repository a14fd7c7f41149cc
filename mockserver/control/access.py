"""Who may call the control API: no other web page, no foreign host name, nobody without the token. See `ControlAccess`.

A page of another origin can send a browser's requests to a loopback address, and a host name that its owner points
there (DNS rebinding) makes that page and the server one origin. `Host`, `Origin` and a media type that no HTML form
can send tell such requests apart (Fetch standard, CORS protocol, https://fetch.spec.whatwg.org/#http-cors-protocol).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hmac import compare_digest
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from contracts.messages import FORM_MEDIA_TYPE, MULTIPART_MEDIA_TYPE, Headers, essence
from mockserver.api.model import Refusal, RequestContext

WILDCARDS: Final = frozenset(("", "0.0.0.0", "::"))  # noqa: S104 - addresses that nobody is called by
READING: Final = frozenset(("GET", "HEAD", "OPTIONS"))
PROBES: Final = frozenset(("getHealth", "getReady"))
"""What load balancers and containers ask, without a token."""
PUBLIC_OPERATIONS: Final = PROBES | {"getApiDocument", "getControlDocument"}
"""What says nothing about a sandbox: load balancers know no host names, and contracts are no secrets."""
PAGES: Final = frozenset(("getDashboard", "getDashboardFile", "getDashboardModule"))
"""The files of the dashboard, which hold no secret: a browser cannot send a token with the address of a page."""
FORM_TYPES: Final = frozenset(("", FORM_MEDIA_TYPE, MULTIPART_MEDIA_TYPE, "text/plain"))
"""The media types of requests that a browser sends to another origin without asking; "" is none."""


@dataclass(frozen=True, slots=True)
class ControlAccess:
    """The hook `authenticate` of the control API. `token` is the bearer token that it asks for, "" for none.

    `hosts` are host names, each with or without a port, that are allowed in `Host` and `Origin` beside loopback's.
    """

    token: str = ""
    hosts: frozenset[str] = frozenset()

    def __call__(self, context: RequestContext) -> Refusal | None:
        """Return why a request is refused, None when it is admitted."""
        headers, named = context.request.headers, "" if context.operation is None else context.operation.id
        if named in PROBES:
            return None
        if named in PAGES:
            return self._foreign(headers)
        if self.token and not compare_digest(headers.get("Authorization").encode(), f"Bearer {self.token}".encode()):
            detail = "Control calls need the token that the server was started with: 'Authorization: Bearer TOKEN'."
            challenge = Headers((("WWW-Authenticate", "Bearer"),))
            return Refusal(status=HTTPStatus.UNAUTHORIZED, kind="unauthenticated", detail=detail, headers=challenge)
        if named in PUBLIC_OPERATIONS:
            return None
        return self._foreign(headers) or _form(context.request.method, headers)

    def _foreign(self, headers: Headers) -> Refusal | None:
        """Return the refusal of a host name or an origin that is not the server's own."""
        host = headers.get("Host").lower()
        if host and not (is_loopback(_name(host)) or self._allows(host)):
            return _forbidden(
                f"The host name '{host[:80]}' is not one of this server's. Use 127.0.0.1 or localhost, or start "
                f"it with --allowed-host {_name(host)[:80]}."
            )
        for origin in headers.get_all("Origin"):
            place = _place(origin)
            if not place or (place != host and not self._allows(place)):
                return _forbidden(
                    f"A page of the origin '{origin[:80]}' may not call the control API. Start the server with "
                    f"--allowed-host {place or 'NAME'} if it shall."
                )
        return None

    def _allows(self, place: str) -> bool:
        return place in self.hosts or _name(place) in self.hosts


def allowed_hosts(host: str, names: Iterable[str] = ()) -> frozenset[str]:
    """Return the host names that are a server's own: that which it listens on, and those that are allowed beside."""
    return frozenset(one.lower() for one in (host, *names)) - WILDCARDS


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is the machine's own (RFC 6761, section 6.3)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _form(method: str, headers: Headers) -> Refusal | None:
    """Return the refusal of a request that changes something and that an HTML form could send."""
    if method in READING or essence(headers.get("Content-Type")) not in FORM_TYPES:
        return None
    detail = "Control calls that change something need 'Content-Type: application/json', also without a body."
    return Refusal(status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE, kind="media-type", detail=detail)


def _forbidden(detail: str) -> Refusal:
    return Refusal(status=HTTPStatus.FORBIDDEN, kind="forbidden", detail=detail)


def _name(place: str) -> str:
    """Return the host name of `host:port`, an IPv6 address without its brackets."""
    if place.startswith("["):
        return place[1:].partition("]")[0]
    return place.rpartition(":")[0] if place.count(":") == 1 else place


def _place(origin: str) -> str:
    """Return `host:port` of an origin, "" for an opaque one such as `null`."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
