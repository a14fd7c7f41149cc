"""Asking the control API: of a server in this process, in its own thread, or of one somewhere else, over HTTP."""

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

import orjson

from contracts.errors import MisuseError
from contracts.messages import Headers, Reply

if TYPE_CHECKING:
    from mockserver.web.running import Running

CONTROL: Final = "/_sandbox"
SECONDS: Final = 30.0


class Door(Protocol):
    """Where a server's control API is asked. `url` is the server's base URL."""

    @property
    def url(self) -> str:
        """Return the base URL."""

    def send(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Return the status and the JSON value of an answer."""


def ask(door: Door, method: str, path: str, body: object = None) -> Any:
    """Return what the control API answers. Raises MisuseError: it refuses; the error says what it says."""
    status, data = door.send(method, CONTROL + path, b"" if body is None else orjson.dumps(body))
    if status >= HTTPStatus.BAD_REQUEST:
        raise MisuseError(str(data.get("detail", data)) if isinstance(data, dict) else str(data))
    return data


@dataclass(frozen=True, slots=True)
class LocalDoor:
    """The door of a server in a thread of this process. What is asked is done in that thread, between two calls."""

    running: "Running"

    @property
    def url(self) -> str:
        """Return the base URL."""
        return self.running.url

    def send(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Return the status and the JSON value of an answer."""
        headers = Headers((("Content-Type", "application/json"),)) if body else Headers()
        service = self.running.service
        reply = self._there(lambda: service.handle(method, path, headers, body, datetime.now(UTC)))
        return reply.status, orjson.loads(reply.body) if reply.body else None

    def _there(self, doing: Callable[[], Reply]) -> Reply:
        future: Future[Reply] = Future()

        def run() -> None:
            try:
                future.set_result(doing())
            except BaseException as error:  # noqa: BLE001 - it is raised where the answer is waited for
                future.set_exception(error)

        self.running.listening.get_loop().call_soon_threadsafe(run)
        return future.result(SECONDS)


@dataclass(frozen=True, slots=True)
class RemoteDoor:
    """The door of a server that runs on its own, such as the one that `bulkproof mutants` starts."""

    url: str
    token: str = ""

    def send(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Return the status and the JSON value of an answer. Raises MisuseError: nobody answers."""
        headers = {"Content-Type": "application/json"} if body else {}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            return self._sent(method, path, body, headers)
        except (OSError, HTTPException) as error:
            raise MisuseError(
                f"no Bulkproof server responds at {self.url}: {error}.", cure="Check BULKPROOF_URL."
            ) from None

    def _sent(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
        parts = urlsplit(self.url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        with closing(kind(parts.hostname or "", parts.port, timeout=SECONDS)) as connection:
            connection.request(method, parts.path.rstrip("/") + path, body or None, headers)
            reply = connection.getresponse()
            data = reply.read()
        return reply.status, orjson.loads(data) if data else None
