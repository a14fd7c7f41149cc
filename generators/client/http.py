"""HTTP/1.1 requests on a persistent connection (RFC 9110, RFC 9112), to an implementation or a sandbox's control API.

Begin with `Client`, the interface of all that send to an implementation: `HttpClient` works in real time,
`environments.SandboxClient` moves a sandbox's clock with a `ControlApi`.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from secrets import token_hex
from threading import Lock, get_ident
from time import monotonic, sleep
from typing import Any, Final, Protocol
from urllib.parse import urlencode, urlsplit

import orjson

from contracts.errors import MisuseError
from contracts.exchange.item_text import MIXED, read_response_parts
from contracts.exchange.locations import json_of
from contracts.messages import ABSENT, Headers, Request, Response, essence
from contracts.openapi.model import Contract
from contracts.openapi.security import NOBODY, PLACEHOLDER, authorization_field
from contracts.schemas.equality import with_integers
from contracts.syntax.text import format_duration
from generators.client.connection import FIELD_NAME, Connection


class NoAnswerError(Exception):
    """No complete HTTP response was received; `str()` gives the reason."""


class Client(Protocol):
    """Sends requests to one implementation; request paths are relative to the contract's mount."""

    @property
    def controlled(self) -> bool:
        """Whether `advance` moves the implementation's clock, so that waiting takes no real time."""

    def send(self, request: Request) -> Response:
        """Send a request and return its response. Raises NoAnswerError."""

    def advance(self, by: timedelta) -> None:
        """Let this time pass for the implementation."""

    def now(self) -> datetime:
        """Return the implementation's current time as an aware datetime, as far as it is known."""


TIMEOUT: Final = 30.0
OK_STATUS: Final = 200
ZERO_FRACTION: Final = re.compile(rb"[.]0+(?=[\s,\]}]|$)")  # 1.0 is an integer of JSON Schema, and so is 1e0
EXPONENT: Final = re.compile(rb"[0-9][eE][-+]?[0-9]+(?=[\s,\]}]|$)")
DIGITS_AND_E: Final = bytes.maketrans(b"123456789+-E", b"00000000000e")
FIELD_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class RateLimit:
    """Spaces requests evenly: at most `rate` a second. Thread-safe. `rate_limit` returns the one of a server."""

    def __init__(self, rate: float) -> None:
        self._interval, self._next = 1 / rate, 0.0
        self._lock = Lock()

    def wait(self) -> None:
        """Sleep until the next request may be sent."""
        with self._lock:
            now = monotonic()
            due = max(now, self._next)
            self._next = due + self._interval
        if due > now:
            sleep(due - now)


@cache
def rate_limit(host: str, rate: float) -> RateLimit:
    """Return the rate limit that all clients of this process share for a host."""
    del host
    return RateLimit(rate)


class HttpClient:
    """Sends requests to a server at a URL.

    Request paths are appended to `base`. `headers` are default header fields. `timeout` is in seconds, for
    connecting and for each read. `rate` is the maximum of requests a second that all clients of the host in this
    process send together, 0 for no limit. `credentials` are the secrets of test clients by the placeholders that stand
    for them in requests, such as `$BULKPROOF_AUTH_ALICE`. Redirects are not followed. Not thread-safe.
    """

    controlled = False

    def __init__(
        self,
        base: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT,
        rate: float = 0,
        credentials: Mapping[str, str] | None = None,
    ) -> None:
        parts = urlsplit(base)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise MisuseError(f"'{base}' is not the URL of a server.", cure="Write it as http://HOST:PORT.")
        self.base, self._options = base.rstrip("/"), {"timeout": timeout, "rate": rate}
        self._prefix = parts.path.rstrip("/")
        self._headers = _validated(headers or {})
        self.default_fields = {name.lower(): value for name, value in self._headers.items()}
        self._credentials = credentials or {}
        self._connection = Connection(parts, base, timeout)
        self._limit = rate_limit(parts.netloc, rate) if rate else None

    def twin(self) -> "HttpClient":
        """Return a client of the same server, with a connection of its own."""
        return HttpClient(self.base, headers=self._headers, credentials=self._credentials, **self._options)

    def send(self, request: Request) -> Response:
        """Send a request and return its response. Raises NoAnswerError."""
        if self._limit is not None:
            self._limit.wait()
        self._connection.close_if_stale()
        query = [(name, self._secret(value)) for name, value in request.query]
        target = self._prefix + request.path + (f"?{urlencode(query)}" if query else "")
        headers = {
            **{name: self._headers[name] for name in self._headers if name not in request.headers},
            **{name: self._secret(value, name) for name, value in request.headers if value != NOBODY},
        }
        try:
            received = self._connection.exchange(request.method, target, headers, request.body)
            return response_of(received.status, Headers(received.fields), b"".join(received.chunks))
        except OSError as error:
            self._connection.close()
            reason = str(error) or type(error).__name__
            raise NoAnswerError(f"{request.method} {self.base}{request.path}: {reason}") from None

    def _secret(self, text: str, field: str = "") -> str:
        """Return a text with the secret that a placeholder stands for; `field` is the header field that it is in."""
        if PLACEHOLDER not in text:
            return text
        secret = self._credentials.get(text)
        if secret is not None:
            return authorization_field(secret) if field.lower() == "authorization" else secret
        name, _, placeholder = text.partition("=")  # of a cookie
        return f"{name}={self._credentials[placeholder]}" if placeholder in self._credentials else text

    def advance(self, by: timedelta) -> None:
        """Sleep in real time."""
        sleep(by.total_seconds())

    def now(self) -> datetime:
        """Return this machine's time."""
        return datetime.now(UTC)

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        self._connection.close()


def _validated(headers: Mapping[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not FIELD_NAME.fullmatch(name) or not FIELD_VALUE.fullmatch(value):
            raise MisuseError(f"'{name}: {value}' is not a header.", cure="Write it as 'Name: value', on one line.")
    return dict(headers)


def response_of(status: int, headers: Headers, body: bytes) -> Response:
    """Return a response with its content read: JSON, or the HTTP responses in the parts of a `multipart/mixed` body."""
    media = headers.get("Content-Type") or ""
    if essence(media) == MIXED and (parts := read_response_parts(media, body)) is not None:
        return Response(status=status, headers=headers, body=body, data=parts)
    data = json_of(body)
    return Response(
        status=status, headers=headers, body=body, data=with_integers(data) if _may_have_integers(body) else data
    )


def _may_have_integers(body: bytes) -> bool:
    """Say whether a JSON text may have integers that are written with a fraction or an exponent."""
    if ZERO_FRACTION.search(body) is not None:
        return True
    has_exponents = b"0e0" in body.translate(DIGITS_AND_E)  # found much faster than by an expression
    return has_exponents and EXPONENT.search(body) is not None


JSON_HEADERS: Final = Headers((("Content-Type", "application/json"),))
CONTROL_PATH: Final = "/_sandbox"
NOT_SERVED: Final = frozenset((404, 405, 501))
CONTROL_PARTS: Final[Mapping[str, tuple[str, str, object]]] = {
    "clock": ("POST", "clock/advance", {"by": "PT0S"}),
    "settings": ("GET", "settings", None),
    "scenarios": ("GET", "scenarios", None),
}


class ControlApi:
    """A client of the control API of a Bulkproof server; `answers` tells whether the server has one. Thread-safe.

    `lacks` are the parts that a server of other hands does not have, of `clock`, `settings`, `scenarios`, `sandboxes`.
    """

    def __init__(self, root: str, *, token: str = "", timeout: float = TIMEOUT) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.root = root
        self.lacks: tuple[str, ...] = ()
        self._connect = partial(HttpClient, root, headers=headers, timeout=timeout)
        self._clients: dict[int, HttpClient] = {}

    def answers(self) -> bool:
        """Return whether the server has a control API."""
        try:
            response = self._send("GET", "/health")
        except NoAnswerError:
            return False
        return response.status == OK_STATUS and isinstance(response.data, dict) and response.data.get("status") == "ok"

    def probe(self, sandbox: str) -> None:
        """Find out what the server `lacks`, without a change to the sandbox. Raises NoAnswerError."""
        found = {
            name: self._send(method, f"/sandboxes/{sandbox}/{path}", body).status
            for name, (method, path, body) in CONTROL_PARTS.items()
        }
        probe = f"probe-{token_hex(4)}"
        found["sandboxes"] = self._send("POST", f"/sandboxes/{probe}/reset", {}).status
        if found["sandboxes"] == OK_STATUS:
            self.drop(probe)
        self.lacks = tuple(name for name, status in found.items() if status in NOT_SERVED)

    @property
    def has_sandboxes(self) -> bool:
        """Whether each environment can be a sandbox whose clock is moved."""
        return not {"clock", "sandboxes"} & set(self.lacks)

    def mount_of(self, api: str) -> str | None:
        """Return the path prefix of a served API, "" at the root; None when no API of that name is served."""
        listed: Any = self._send("GET", "/apis").data
        served = listed.get("apis", ()) if isinstance(listed, dict) else ()
        return next((str(one["mount"]).rstrip("/") for one in served if one["name"] == api), None)

    def get(self, sandbox: str, what: str) -> dict[str, Any]:
        """Return a sandbox's scenarios or settings, {} where there are none. Raises MisuseError, NoAnswerError."""
        data: Any = ABSENT if what in self.lacks else self._send_to_sandbox("GET", sandbox, what).data
        return data if isinstance(data, dict) else {}

    def reset(self, sandbox: str, wanted: Mapping[str, Any]) -> None:
        """Reset a sandbox to this clock, these settings and scenarios. Raises MisuseError, NoAnswerError."""
        self._send_to_sandbox("POST", sandbox, "reset", wanted)

    def advance(self, sandbox: str, by: timedelta) -> None:
        """Advance a sandbox's clock. Raises NoAnswerError when that is refused."""
        response = self._send("POST", f"/sandboxes/{sandbox}/clock/advance", {"by": format_duration(by)})
        if response.status != OK_STATUS:
            raise NoAnswerError(f"the clock of sandbox {sandbox} could not be moved ({response.status})")

    def drop(self, sandbox: str) -> None:
        """Delete a sandbox; a server without response is ignored."""
        try:
            self._send("DELETE", f"/sandboxes/{sandbox}")
        except NoAnswerError:
            return

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()

    def _send_to_sandbox(self, method: str, sandbox: str, what: str, body: object = None) -> Response:
        path = f"/sandboxes/{sandbox}/{what}"
        response = self._send(method, path, body)
        if response.status != OK_STATUS:
            detail = response.data.get("detail", "") if isinstance(response.data, dict) else ""
            says = f"the sandbox refused {method} {CONTROL_PATH}{path} ({response.status}). {detail}"
            raise MisuseError(says, where=self.root)
        return response

    def _send(self, method: str, path: str, body: object = None) -> Response:
        content = b"" if body is None else orjson.dumps(body)
        if (thread := get_ident()) not in self._clients:
            self._clients[thread] = self._connect()
        request = Request(method=method, path=CONTROL_PATH + path, headers=JSON_HEADERS, body=content)
        return self._clients[thread].send(request)


def base_url_of(contract: Contract, url: str) -> str:
    """Return the URL that a contract's paths are appended to.

    `url` is the server's root: the contract's mount is appended, unless the URL ends with it.
    """
    root = url.rstrip("/")
    return root if not contract.mount or root.endswith(contract.mount) else root + contract.mount
