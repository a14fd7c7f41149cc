"""Calls over HTTP on a connection that is kept alive; in real time, or to a sandbox whose clock can be moved."""

import re
import selectors
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from time import sleep
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import orjson

from contracts.durations import iso
from contracts.errors import MisuseError
from contracts.messages import ABSENT, Call, Headers, Reply
from contracts.model import Contract
from generators.caller import NoAnswerError

__all__ = ["ControlledCaller", "HttpCaller", "connect"]

CONTROL: Final = "/_sandbox"
DEFAULT: Final = "default"
TIMEOUT: Final = 30.0
NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
Selector: Final = getattr(selectors, "PollSelector", selectors.DefaultSelector)  # one system call a look, where it is


class HttpCaller:
    """Sends calls to a server at a URL.

    The path of every call is put behind `base`. `headers` go with every call that does not set them itself.
    `timeout` is in seconds, for connecting and for each answer. Redirects are not followed. Not for several threads.
    """

    controlled = False

    def __init__(self, base: str, *, headers: Mapping[str, str] | None = None, timeout: float = TIMEOUT) -> None:
        parts = urlsplit(base)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise MisuseError(f"'{base}' is not the URL of a server.", cure="Write it as http://HOST:PORT.")
        self.base = base.rstrip("/")
        self._prefix = parts.path.rstrip("/")
        self._headers = _checked(headers or {})
        kind = _WholeHTTPS if parts.scheme == "https" else _Whole
        self._connection = kind(parts.hostname, _port(parts, base), timeout=timeout)

    def send(self, call: Call) -> Reply:
        """Send one call and return its answer. Raises NoAnswerError."""
        self._close_if_stale()
        target = self._prefix + call.path + (f"?{urlencode(call.query)}" if call.query else "")
        headers = {
            **{name: self._headers[name] for name in self._headers if name not in call.headers},
            **dict(call.headers),
        }
        try:
            self._connection.request(call.method, target, body=call.body or None, headers=headers)
            return _reply(self._connection.getresponse())
        except (HTTPException, OSError) as error:
            self._connection.close()
            reason = str(error) or type(error).__name__
            raise NoAnswerError(f"{call.method} {self.base}{call.path}: {reason}") from None

    def advance(self, by: timedelta) -> None:
        """Wait in real time."""
        sleep(by.total_seconds())

    def now(self) -> datetime:
        """Return the time of this machine."""
        return datetime.now(UTC)

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        self._connection.close()

    def _close_if_stale(self) -> None:
        """Close a kept connection that the server has closed, so that nothing need be sent twice."""
        kept: Any = self._connection.sock
        if kept is None:
            return
        with Selector() as waiting:
            waiting.register(kept, selectors.EVENT_READ)
            is_closed = bool(waiting.select(0))
        if is_closed:
            self._connection.close()


class _Whole(HTTPConnection):
    """Sends a request in one piece: the other side is woken once, not for the head and again for the body."""

    _pieces: list[bytes] | None = None

    def request(self, *given: Any, **more: Any) -> None:
        """Send a request."""
        pieces: list[bytes] = []
        self._pieces = pieces
        try:
            super().request(*given, **more)
        finally:
            self._pieces = None
        self.send(b"".join(pieces))

    def send(self, data: Any) -> None:
        """Send some of it, or keep it until it is whole."""
        if self._pieces is None:
            super().send(data)
        else:
            self._pieces.append(data)


class _WholeHTTPS(_Whole, HTTPSConnection):
    """The same over TLS."""


def _checked(headers: Mapping[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not NAME.fullmatch(name) or not VALUE.fullmatch(value):
            raise MisuseError(f"'{name}: {value}' is not a header.", cure="Write it as 'Name: value', on one line.")
    return dict(headers)


def _port(parts: Any, base: str) -> int | None:
    try:
        port: int | None = parts.port
    except ValueError:
        raise MisuseError(f"'{base}' has no valid port.", cure="Write it as http://HOST:PORT.") from None
    return port


def _reply(response: HTTPResponse) -> Reply:
    body = response.read()
    return Reply(status=response.status, headers=Headers(response.getheaders()), body=body, data=_data(body))


def _data(body: bytes) -> object:
    try:
        return orjson.loads(body) if body else ABSENT
    except orjson.JSONDecodeError:
        return ABSENT


class ControlledCaller:
    """Sends calls to a sandbox and moves its clock through its control API, so that waiting costs nothing."""

    controlled = True

    def __init__(self, calls: HttpCaller, control: HttpCaller, *, sandbox: str) -> None:
        self._calls, self._control, self.sandbox = calls, control, sandbox
        self._ahead = timedelta(0)

    @property
    def base(self) -> str:
        """The URL that paths are put behind."""
        return self._calls.base

    def send(self, call: Call) -> Reply:
        """Send one call and return its answer. Raises NoAnswerError."""
        return self._calls.send(call)

    def advance(self, by: timedelta) -> None:
        """Move the sandbox's clock. Raises NoAnswerError when it does not let itself be moved."""
        body = orjson.dumps({"by": iso(by)})
        path = f"{CONTROL}/sandboxes/{self.sandbox}/clock/advance"
        headers = Headers((("Content-Type", "application/json"),))
        reply = self._control.send(Call(method="POST", path=path, headers=headers, body=body))
        if reply.status != 200:  # noqa: PLR2004 - HTTP's own number
            raise NoAnswerError(f"the clock of sandbox {self.sandbox} could not be moved ({reply.status})")
        self._ahead += by

    def now(self) -> datetime:
        """Return the time of this machine and what the sandbox's clock was moved by."""
        return datetime.now(UTC) + self._ahead

    def close(self) -> None:
        """Close the connections."""
        self._calls.close()
        self._control.close()


def base_of(contract: Contract, url: str) -> str:
    """Return the URL that a contract's paths stand behind.

    `url` is the root of the server: the contract's mount is added, unless the URL ends with it already.
    """
    root = url.rstrip("/")
    return root if not contract.mount or root.endswith(contract.mount) else root + contract.mount


def connect(
    contract: Contract,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    control_token: str = "",
    timeout: float = TIMEOUT,
) -> ControlledCaller | HttpCaller:
    """Return a caller for a server: one that moves the clock when the server is a sandbox, else one in real time.

    The sandbox is the one that a `Sandbox` header or `/@NAME` in the URL names, else `default`. Raises MisuseError.
    """
    given = dict(headers or {})
    calls = HttpCaller(base_of(contract, url), headers=given, timeout=timeout)
    root, sandbox = _root(contract, url)
    token = {"Authorization": f"Bearer {control_token}"} if control_token else {}
    control = HttpCaller(root, headers=token, timeout=timeout)
    named = next((value for name, value in given.items() if name.lower() == "sandbox"), sandbox)
    if _is_sandbox(control):
        return ControlledCaller(calls, control, sandbox=named or DEFAULT)
    control.close()
    return calls


def _root(contract: Contract, url: str) -> tuple[str, str]:
    """Return the root of the server that a URL is of, and the sandbox that it names, "" for none."""
    root, at, name = url.rstrip("/").removesuffix(contract.mount).partition("/@")
    return root, name.partition("/")[0] if at else ""


def _is_sandbox(control: HttpCaller) -> bool:
    try:
        reply = control.send(Call(method="GET", path=f"{CONTROL}/health"))
    except NoAnswerError:
        return False
    return reply.status == 200 and isinstance(reply.data, dict) and reply.data.get("status") == "ok"  # noqa: PLR2004 - HTTP's own number
