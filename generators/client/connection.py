"""One persistent connection of HTTP/1.1 (RFC 9112), whose responses httptools parses. Begin with `Connection`."""

import re
import selectors
import socket
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import SplitResult

from contracts.errors import MisuseError

FINAL_STATUS: Final = 200  # the lowest status of a response that is no interim one
FIELD_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
TARGET: Final = re.compile(r"[!-~]+")
PORTS: Final = {"http": 80, "https": 443}
WITH_BODY: Final = frozenset(("PATCH", "POST", "PUT"))  # methods whose requests tell the length of an empty body
RECEIVED_BYTES: Final = 2**18  # that are received at a time
Selector: Final = getattr(
    selectors, "PollSelector", selectors.DefaultSelector
)  # poll(2) where the system has it: no limit on descriptors


class Received:
    """One response, as the parser reports its parts; an interim response (1xx) is dropped."""

    def __init__(self, method: str) -> None:
        from httptools import HttpResponseParser  # noqa: PLC0415 - only what sends requests needs it

        self._method, self.parser = method, HttpResponseParser(self)
        self.status, self.fields, self.chunks = 0, list[tuple[str, str]](), list[bytes]()
        self.is_complete = self.is_kept = self._has_head = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field; those after the body are left out."""
        if not self._has_head:
            self.fields.append((name.decode("latin-1"), value.decode("latin-1").strip(" \t")))

    def on_headers_complete(self) -> None:
        """Take the status; a response to HEAD ends here, whatever its header says of a body."""
        self.status, self._has_head = self.parser.get_status_code(), True
        self.is_complete = self._method == "HEAD" and self.status >= FINAL_STATUS

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self.chunks.append(body)

    def on_message_complete(self) -> None:
        """Take the end of a response."""
        self.is_complete, self.is_kept = self.status >= FINAL_STATUS, self.parser.should_keep_alive()
        if not self.is_complete:
            self.fields, self._has_head = [], False

    def end(self) -> None:
        """Take the end of the connection, which ends a body of no declared length (RFC 9112, 6.3)."""
        named = {name.lower() for name, _ in self.fields}
        if not self._has_head or {"content-length", "transfer-encoding"} & named:
            had = "within a response" if self._has_head else "without a response"
            raise ConnectionError(f"the server closed the connection {had}")
        self.is_complete = True


class Connection:
    """A persistent connection to a server: each request is written with one system call, so that it is woken once."""

    def __init__(self, parts: SplitResult, base: str, timeout: float) -> None:
        port, usual = _port(parts, base), PORTS[parts.scheme]
        self._address, self._timeout = (parts.hostname or "", port or usual), timeout
        name = f"[{parts.hostname}]" if ":" in self._address[0] else self._address[0].encode("idna").decode()
        self._host = name if port in {None, usual} else f"{name}:{port}"
        self._context = _tls_context() if parts.scheme == "https" else None
        self.sock: Any = None
        self._selector: selectors.BaseSelector | None = None

    def exchange(self, method: str, target: str, fields: Mapping[str, str], body: bytes) -> Received:
        """Send a request and return its response. Raises OSError and MisuseError."""
        message = self._head(method, target, fields, body) + body
        if self.sock is None:
            self._open()
        self.sock.sendall(message)
        received = Received(method)
        try:
            while not received.is_complete:
                self._receive(received)
        finally:
            if not received.is_kept:
                self.close()
        return received

    def _receive(self, received: Received) -> None:
        from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade  # noqa: PLC0415 - see `Received`

        data = self.sock.recv(RECEIVED_BYTES)
        if not data:
            received.end()
            return
        try:
            received.parser.feed_data(data)
        except HttpParserCallbackError as error:
            raise error.__context__ or error from None  # such as Ctrl-C, which comes at any time
        except (HttpParserError, HttpParserUpgrade) as error:
            if not received.is_complete:
                raise ConnectionError(f"the response is not HTTP/1.1: {error}") from None
            received.is_kept = False

    def _head(self, method: str, target: str, fields: Mapping[str, str], body: bytes) -> bytes:
        """Return the request line and the header section (RFC 9112, 3 and 5)."""
        names = {name.lower() for name in fields}
        own = {} if "host" in names else {"Host": self._host}
        if "accept-encoding" not in names:
            own["Accept-Encoding"] = "identity"
        if (body or method in WITH_BODY) and not {"content-length", "transfer-encoding"} & names:
            own["Content-Length"] = str(len(body))
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in {**own, **fields}.items())]
        head = "\r\n".join(lines)
        is_sound = FIELD_NAME.fullmatch(method) and TARGET.fullmatch(target) and head.count("\n") == len(lines) - 1
        if not is_sound or head.count("\r") != len(lines) - 1 or not (head.isascii() or _is_latin(head)):
            raise MisuseError(f"HTTP cannot carry this request: {head!r}.")
        return f"{head}\r\n\r\n".encode("latin-1")

    def _open(self) -> None:
        self.sock = socket.create_connection(self._address, self._timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is not None:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self._address[0])
        self._selector = Selector()
        self._selector.register(self.sock, selectors.EVENT_READ)

    def close_if_stale(self) -> None:
        """Close the connection if the server has closed it, so that no request is sent twice."""
        if self._selector is not None and self._selector.select(0):
            self.close()

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        if self._selector is not None:
            self._selector.close()
        if self.sock is not None:
            self.sock.close()
        self.sock = self._selector = None


def _tls_context() -> Any:
    from ssl import create_default_context  # noqa: PLC0415 - only TLS needs it

    return create_default_context()


def _is_latin(text: str) -> bool:
    return max(text) <= "\xff"


def _port(parts: Any, base: str) -> int | None:
    try:
        port: int | None = parts.port
    except ValueError:
        raise MisuseError(f"'{base}' has no valid port.", cure="Write it as http://HOST:PORT.") from None
    return port
