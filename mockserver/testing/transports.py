"""Requests to the control API: in this process (`LocalTransport`), or over HTTP (`RemoteTransport`); `ClockControl`."""

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

import orjson

from contracts.errors import MisuseError
from contracts.messages import Headers, Response
from contracts.syntax.text import format_duration, names_hint
from mockserver.sandbox.sandboxes import DEFAULT_SANDBOX, is_name

if TYPE_CHECKING:
    from mockserver.http.lifecycle import Running


__tracebackhide__ = True
CONTROL_PATH: Final = "/_sandbox"
TIMEOUT_SECONDS: Final = 30.0
CURE_OF_401: Final = "Give it with --control-token, or in the variable BULKPROOF_CONTROL_TOKEN."
JSON_FIELDS: Final = {"Content-Type": "application/json"}  # asked for also where there is no body


class Transport(Protocol):
    """Sends requests to a server's control API. `url` is the server's base URL."""

    @property
    def url(self) -> str:
        """Return the base URL."""

    def send(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Return the status code and the JSON value of the response."""


def ask(transport: Transport, method: str, path: str, body: object = None) -> Any:
    """Return the body of the control API's response. Raises MisuseError with the response's detail: it refuses."""
    status, data = transport.send(method, CONTROL_PATH + path, b"" if body is None else orjson.dumps(body))
    if status >= HTTPStatus.BAD_REQUEST:
        detail = str(data.get("detail", data)) if isinstance(data, dict) else str(data)
        raise MisuseError(detail, cure=CURE_OF_401 if status == HTTPStatus.UNAUTHORIZED else "")
    return data


def require_sandbox(transport: Transport, name: str) -> None:
    """Raise MisuseError when a server has no sandbox of that name, as asking for its state would make it."""
    try:
        names = [str(one["name"]) for one in ask(transport, "GET", "/sandboxes")["sandboxes"]]
    except (KeyError, TypeError):
        cure = "Give the URL of a Bulkproof server."
        raise MisuseError(f"the server at {transport.url} is not Bulkproof's.", cure=cure) from None
    if is_name(name) and name not in {*names, DEFAULT_SANDBOX}:
        cure = names_hint(name, sorted({*names, DEFAULT_SANDBOX}), "Sandboxes there")
        raise MisuseError(f"{transport.url} has no sandbox '{name}'.", cure=cure)


@dataclass(frozen=True, slots=True)
class LocalTransport:
    """Calls a server in a thread of this process; each request is handled in that thread, between two others."""

    running: "Running"

    @property
    def url(self) -> str:
        """Return the base URL."""
        return self.running.url

    def send(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Return the status code and the JSON value of the response."""
        headers = Headers(tuple(JSON_FIELDS.items()))
        service = self.running.service
        response = self._there(lambda: service.handle(method, path, headers, body, datetime.now(UTC)))
        return response.status, orjson.loads(response.body) if response.body else None

    def _there(self, handler: Callable[[], Response]) -> Response:
        future: Future[Response] = Future()

        def run() -> None:
            try:
                future.set_result(handler())
            except BaseException as error:  # noqa: BLE001 - it is raised in the waiting thread
                future.set_exception(error)

        self.running.listening.get_loop().call_soon_threadsafe(run)
        return future.result(TIMEOUT_SECONDS)


@dataclass(frozen=True, slots=True)
class RemoteTransport:
    """Sends requests to a server in another process, such as the one that `bulkproof mutants` starts.

    `cure` is what to do when it does not respond.
    """

    url: str
    token: str = ""
    cure: str = "Check BULKPROOF_URL."

    def send(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Return the status code and the JSON value of the response. Raises MisuseError: no response."""
        headers = JSON_FIELDS | ({"Authorization": f"Bearer {self.token}"} if self.token else {})
        try:
            return self._sent(method, path, body, headers)
        except (OSError, HTTPException) as error:
            raise MisuseError(f"no server responds at {self.url} ({error}).", cure=self.cure) from None
        except ValueError:
            raise MisuseError(f"the server at {self.url} is not Bulkproof's.", cure=self.cure) from None

    def _sent(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
        parts = urlsplit(self.url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        with closing(kind(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)) as connection:
            connection.request(method, parts.path.rstrip("/") + path, body or None, headers)
            response = connection.getresponse()
            data = response.read()
        return response.status, orjson.loads(data) if data else None


def server_at(url: str, token: str) -> RemoteTransport:
    """Return the server that a command speaks to. Raises MisuseError: its URL is none."""
    if not url.startswith(("http://", "https://")):
        raise MisuseError(f"'{url}' is not the URL of a server.", cure="It must start with http:// or https://.")
    root, at, sandbox = url.partition("/@")
    if at:
        name = sandbox.partition("/")[0]
        raise MisuseError(f"'{url}' is the URL of a sandbox.", cure=f"Give the server's, {root}, and the name {name}.")
    cure = "Start one with `bulkproof serve`, or give its URL with --url."
    return RemoteTransport(url.rstrip("/"), token, cure)


@dataclass(frozen=True, slots=True)
class ClockControl:
    """The clock of one sandbox. It runs with real time until it is frozen."""

    _transport: Transport
    _sandbox: str

    @property
    def now(self) -> datetime:
        """Return the sandbox's time."""
        return datetime.fromisoformat(self._ask("GET")["now"])

    def set(self, at: datetime) -> None:
        """Set the clock to an instant; its mode is unchanged."""
        self._ask("PUT", body={"now": _instant(at)})

    def advance(self, by: timedelta | str | None = None, **length: float) -> list[str]:
        """Advance the clock by a timedelta, a text such as `1h30m`, or parts such as `minutes=5`; return the events."""
        span = timedelta(**length) if by is None else by
        return self._moved({"by": span if isinstance(span, str) else format_duration(span)})

    def to_next_event(self) -> list[str]:
        """Advance the clock until a job begins or ends."""
        return self._moved({"to": "next-event"})

    def to_idle(self) -> list[str]:
        """Advance the clock until no job is unfinished, except those that never end."""
        return self._moved({"to": "idle"})

    def freeze(self, at: datetime | None = None) -> None:
        """Freeze the clock, now or at an instant."""
        self._ask("PUT", body={"mode": "frozen", **({} if at is None else {"now": _instant(at)})})

    def run(self, *, factor: float = 1.0) -> None:
        """Run the clock with real time, or `factor` times as fast."""
        self._ask("PUT", body={"mode": "system"} if factor == 1.0 else {"mode": "scaled", "factor": factor})

    def _moved(self, how: dict[str, str]) -> list[str]:
        return [event["says"] for event in self._ask("POST", "/advance", how)["events"]]

    def _ask(self, method: str, more: str = "", body: object = None) -> Any:
        return ask(self._transport, method, f"/sandboxes/{self._sandbox}/clock{more}", body)


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()
