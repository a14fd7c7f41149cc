"""A connection that speaks HTTP/1.1 and is kept alive: requests go out in one piece, responses are read whole."""

import re
import selectors
import socket
import ssl
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from contracts.messages import Headers

PORTS: Final = {False: 80, True: 443}
PIECE: Final = 1 << 18
LONGEST: Final = 1 << 18  # bytes of a response's head, and of a line between chunks
BODIED: Final = frozenset(("PATCH", "POST", "PUT"))
BODILESS: Final = frozenset((204, 304))
END: Final = re.compile(rb"\r?\n\r?\n")
LINE: Final = re.compile(r"\r?\n")
STATUS: Final = re.compile(r"HTTP/1\.(\d) (\d\d\d)(?: .*)?")
TARGET: Final = re.compile(r"[\x21-\x7e]+")
Selector: Final = getattr(selectors, "PollSelector", selectors.DefaultSelector)  # one system call a look, where it is


class WireError(Exception):
    """What came back is no whole response, or what was to be sent is no request."""


class Answer(NamedTuple):
    """A response as it came: its body without transfer coding."""

    status: int
    headers: Headers
    body: bytes


class Connection:
    """Asks one server. It is opened when it is needed; not for several threads. `timeout` is in seconds."""

    def __init__(self, host: str, port: int | None, *, is_tls: bool, timeout: float) -> None:
        self._to, self._timeout = (host, port or PORTS[is_tls]), timeout
        name = f"[{host}]" if ":" in host else host if host.isascii() else host.encode("idna").decode()
        self._host = name if port in {None, PORTS[is_tls]} else f"{name}:{port}"
        self._tls = _secure() if is_tls else None
        self._sock: Any = None
        self._waiting: Any = None

    def ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a request and return its response. Raises WireError, OSError."""
        head = self._head(method, target, headers, len(body))
        try:
            self._open()
            self._sock.sendall(head + body)
            answer, keeps = _Response(self._sock, method).read()
        except BaseException:
            self.close()
            raise
        if not keeps:
            self.close()
        return answer

    def close(self) -> None:
        """Close it; the next request opens it again."""
        if self._sock is not None:
            self._waiting.close()
            self._sock.close()
            self._sock = self._waiting = None

    def _open(self) -> None:
        """Open it if it is not open, or if the server has closed it, so that nothing need be sent twice."""
        if self._sock is not None and self._waiting.select(0):
            self.close()
        if self._sock is None:
            plain = socket.create_connection(self._to, self._timeout)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sock = plain if self._tls is None else self._tls.wrap_socket(plain, server_hostname=self._to[0])
            self._waiting = Selector()
            self._waiting.register(self._sock, selectors.EVENT_READ)

    def _head(self, method: str, target: str, headers: Mapping[str, str], size: int) -> bytes:
        given = {name.lower() for name in headers}
        own = {"Host": self._host, "Accept-Encoding": "identity"}
        if size or method in BODIED:
            own["Content-Length"] = str(size)
        rows = [f"{name}: {value}" for name, value in own.items() if name.lower() not in given]
        lines = [f"{method} {target} HTTP/1.1", *rows, *(f"{name}: {value}" for name, value in headers.items())]
        text = "\r\n".join(lines)
        if not TARGET.fullmatch(target) or text.count("\n") + text.count("\r") != 2 * (len(lines) - 1):
            raise WireError("a blank or a line break stands where none may be in a request")
        try:
            return f"{text}\r\n\r\n".encode("latin-1")
        except UnicodeEncodeError:
            raise WireError("a header has characters that cannot be sent") from None


def _secure() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


class _Response:
    """Reads one response from a socket."""

    def __init__(self, sock: Any, method: str) -> None:
        self._sock, self._method = sock, method
        self._data = bytearray()

    def read(self) -> tuple[Answer, bool]:
        """Return the response, and whether the connection can be kept."""
        minor, status, headers = self._head()
        while status < 200 and status != 101:  # noqa: PLR2004 - HTTP's own numbers
            minor, status, headers = self._head()
        wish = headers.get("Connection").lower()
        keeps = "close" not in wish if minor else "keep-alive" in wish
        size = headers.get("Content-Length")
        if self._method == "HEAD" or status in BODILESS:
            body = b""
        elif "chunked" in headers.get("Transfer-Encoding").lower():
            body = self._chunks()
        elif size.isdecimal():
            body = self._exactly(int(size))
        else:
            body, keeps = self._rest(), False
        return Answer(status, headers, body), keeps and not self._data

    def _head(self) -> tuple[int, int, Headers]:
        end = END.search(self._data)
        while end is None:
            self._more("in the middle of its head" if self._data else "without an answer")
            end = END.search(self._data)
            if end is None and len(self._data) > LONGEST:
                raise WireError("the head of the answer has no end")
        first, *lines = LINE.split(self._data[: end.start()].decode("latin-1"))
        del self._data[: end.end()]
        found = STATUS.fullmatch(first)
        if found is None:
            raise WireError(f"the answer begins with {first[:80]!r}, which is no status line")
        return int(found[1]), int(found[2]), Headers(_fields(lines))

    def _chunks(self) -> bytes:
        body = bytearray()
        while size := self._size():
            body += self._exactly(size)
            if self._line():
                raise WireError("a chunk of the answer is longer than it says")
        while self._line():
            pass
        return bytes(body)

    def _size(self) -> int:
        text = self._line().partition(b";")[0].strip()
        try:
            return int(text, 16) if text.isalnum() else int("")
        except ValueError:
            raise WireError(f"{text[:80]!r} is no size of a chunk") from None

    def _line(self) -> bytes:
        while (end := self._data.find(b"\n")) < 0:
            self._more("in the middle of its answer")
            if len(self._data) > LONGEST:
                raise WireError("a line of the answer has no end")
        line = bytes(self._data[:end]).removesuffix(b"\r")
        del self._data[: end + 1]
        return line

    def _exactly(self, size: int) -> bytes:
        while len(self._data) < size:
            self._more(f"after {len(self._data)} of {size} bytes")
        taken = bytes(self._data[:size])
        del self._data[:size]
        return taken

    def _rest(self) -> bytes:
        while piece := self._sock.recv(PIECE):
            self._data += piece
        taken = bytes(self._data)
        self._data.clear()
        return taken

    def _more(self, where: str) -> None:
        piece = self._sock.recv(PIECE)
        if not piece:
            raise WireError(f"the server closed the connection {where}")
        self._data += piece


def _fields(lines: list[str]) -> list[tuple[str, str]]:
    """Return the fields of a head; a line that begins with a blank goes on with the one before."""
    fields: list[tuple[str, str]] = []
    for line in lines:
        name, colon, value = line.partition(":")
        if line[:1] in {" ", "\t"} and fields:
            fields[-1] = (fields[-1][0], f"{fields[-1][1]} {line.strip()}")
        elif colon and name.strip():
            fields.append((name, value.strip(" \t")))
        else:
            raise WireError(f"{line[:80]!r} is no header of an answer")
    return fields
