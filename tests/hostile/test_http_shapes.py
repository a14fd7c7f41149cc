"""Whatever the shape of what arrives, it has an answer or a close in time, and others are served meanwhile."""

import gzip
import resource
import socket
import time
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import pytest
from campaign import served
from children import HANGS, eventually
from traffic import AMBIGUOUS, HIDDEN, kept_message, message, statuses

from mockserver.http import connections, server

POST = "POST /@a/genero/api/v1/customer/postJob HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
HEALTH = kept_message("GET", "/_sandbox/health")
LAST = message("GET", "/_sandbox/health")
CHUNKED = f"{POST}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
packed = partial(gzip.compress, mtime=0)
SECONDS = 0.5  # for a head, and for a body


@pytest.fixture(autouse=True)
def _short_lingering(monkeypatch):
    monkeypatch.setattr(server, "LINGER_SECONDS", 0.2)


@pytest.fixture
def running(serving):
    return serving("genero", body_seconds=SECONDS).running


@pytest.fixture
def port(running):
    return running.port


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=HANGS)


def talk(port, sent):
    """Return the statuses of what comes until the server closes."""
    with connect(port) as connection:
        with suppress(ConnectionError):
            connection.sendall(sent)
        return statuses(rest(connection))


def rest(connection):
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except ConnectionError:
        pass
    return received


@pytest.mark.parametrize("fields", AMBIGUOUS)
@pytest.mark.parametrize("line_end", ["\r\n", "\n"])
def test_a_body_of_two_lengths_hides_no_request(port, fields, line_end):
    """Where two readers could disagree on where a request ends, it is refused and the connection closed."""
    head = f"{POST}{fields}\r\n".replace("\r\n", line_end)
    assert talk(port, f"{head}0\r\n\r\nG".encode() + HIDDEN) == [400]


@pytest.mark.parametrize(
    ("chunks", "status"),
    [
        ("2;a=b\r\n{}\r\n0\r\n\r\n", 400),
        (f"2;{'x' * 50_000}\r\n{{}}\r\n0\r\n\r\n", 400),
        ('2;a="\r\n"\r\n{}\r\n0\r\n\r\n', 400),
        ("2 \r\n{}\r\n0\r\n\r\n", 400),
        ("2\n{}\n0\n\n", 400),
        ("2\r\n{}0\r\n\r\n", 400),
        ("0x2\r\n{}\r\n0\r\n\r\n", 400),
        ("2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n", 400),
        (f"2\r\n{{}}\r\n0\r\n{'X: y' * 9}\r\n" * 200, 400),
        ("fffffffffffffffff\r\n{}", 400),
        pytest.param("ffffffffffffffff\r\n{}", 408, marks=pytest.mark.slow),
        pytest.param("7fffffffffffffff\r\n{}\r\n0\r\n\r\n", 408, marks=pytest.mark.slow),
        pytest.param("2;" + "x" * 50_000, 408, marks=pytest.mark.slow),
        ("", 408),
    ],
)
def test_chunks_of_every_shape_are_answered(port, chunks, status):
    """A size that is none is refused, a chunk that never comes is given up, after lingering; `{}` is no list."""
    assert talk(port, f"{CHUNKED}{chunks}".encode()) == [status]


@pytest.mark.parametrize(
    ("codings", "body", "status"),
    [
        ("gzip", lambda: packed(bytes(64 << 20)), 413),
        ("gzip, gzip", lambda: packed(packed(bytes(64 << 20))), 413),
        ("gzip, gzip, gzip", packed(packed(packed(b"[]"))), 400),
        (", ".join(["gzip"] * 400), packed(b"[]"), 400),
        ("gzip", b"\x1f\x8b\x08\x00" * 1000, 400),
        ("gzip", packed(b"") * 5000, 400),
        ("deflate", b"x" * 1000, 400),
        ("br", b"x", 415),
    ],
)
def test_what_inflates_without_end_is_refused(port, codings, body, status):
    """A bomb is too large at the limit, in however many layers; the rest is malformed."""
    content = body() if callable(body) else body  # a bomb is made when it is needed
    sent = message("POST", "/@a/genero/api/v1/customer/postJob", content, fields=f"Content-Encoding: {codings}\r\n")
    assert talk(port, sent) == [status]


@pytest.mark.parametrize("upgrade", ["h2c", "websocket", "TLS/1.0"])
def test_an_upgrade_is_not_taken_up(port, upgrade):
    """Such as clients offer with their first request: it is answered, and so is the next (RFC 9110, 7.8)."""
    fields = f"Upgrade: {upgrade}\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQ\r\n"
    with connect(port) as connection:
        connection.sendall(kept_message("GET", "/_sandbox/health", fields=fields))
        assert statuses(connection.recv(65536)) == [200]
        connection.sendall(LAST)
        assert statuses(rest(connection)) == [200]


@pytest.mark.parametrize("count", [2, 100, 2000])
def test_every_pipelined_request_is_answered(port, count):
    """However many are sent ahead, in one go."""
    assert talk(port, HEALTH * (count - 1) + LAST) == [200] * count


def test_a_head_that_does_not_come_ends_the_connection(port):
    """Also of the first request, and of one whose bytes come one by one; a connection that was used may rest."""
    with ExitStack() as stack:
        waiting = {}
        for begun in (b"", b"\r\n" * 20, b"GET / HT", HEALTH[:-2], HEALTH + HEALTH[:-2]):
            for more in (b"X", b""):
                slow = waiting[begun, more] = stack.enter_context(connect(port))
                slow.sendall(begun)
                if begun.startswith(HEALTH):
                    assert slow.recv(65536).startswith(b"HTTP/1.1 200 ")
                    slow.sendall(b"X")

        def open_still():
            return [key for key, slow in waiting.items() if not is_closed(slow, key[1])]

        assert eventually(lambda: not open_still(), 60), open_still()
        assert talk(port, LAST) == [200]


@pytest.mark.slow
def test_a_head_that_begins_with_its_connection_and_does_not_come(running):
    """The server learns of the connection and of its first bytes in one go."""
    running.server._loop.call_soon_threadsafe(time.sleep, 0.1)  # noqa: SLF001 - the loop is to be late, for once
    with connect(running.port) as slow:
        slow.sendall(HEALTH[:-1])
        assert eventually(partial(is_closed, slow, b""), 60)


def is_closed(connection, more):
    """Send more of a head, and tell whether the server has closed."""
    connection.settimeout(0.05)
    try:
        connection.sendall(more)
        return connection.recv(65536) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


@pytest.mark.slow
def test_a_used_connection_may_rest(port):
    """Nothing was begun on it: it is there for the next request."""
    with connect(port) as resting:
        resting.sendall(HEALTH)
        assert resting.recv(65536).startswith(b"HTTP/1.1 200 ")
        time.sleep(3 * SECONDS)
        resting.sendall(LAST)
        assert statuses(rest(resting)) == [200]


def test_a_body_that_trickles_is_given_up(port):
    """A byte now and then is no progress."""
    with connect(port) as slow:
        slow.sendall(f"{POST}Content-Length: 1000\r\n\r\n".encode())
        slow.settimeout(0.05)
        received = []

        def answered():
            try:
                slow.sendall(b" ")
                received.append(slow.recv(65536))
            except TimeoutError:
                return False
            return True

        assert eventually(answered)
        assert statuses(received[0]) == [408]


@pytest.mark.slow
def test_a_client_that_reads_nothing_is_left(port, monkeypatch):
    """Its responses are not kept for ever, and what it sends ahead is not read."""
    monkeypatch.setattr(connections, "UNREAD_SECONDS", 0.5)
    asked = kept_message("GET", "/_sandbox/openapi.json") * 100
    with connect(port) as deaf:
        deaf.settimeout(0.2)
        try:
            for _ in range(10_000):
                deaf.sendall(asked)
            raise AssertionError("all of it was read")
        except TimeoutError:
            pass
        assert talk(port, LAST) == [200]
        assert eventually(partial(is_reset, deaf), 60)


def is_reset(connection):
    try:
        connection.sendall(b"X" * 65536)
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return False


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="limits and open files are looked at as Linux has them")
def test_more_connections_than_files_may_be_open():
    """With `ulimit -n 256` and 600 clients that do nothing, others are served, and the log stays empty."""

    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))

    with served(before=limit) as server, ExitStack() as stack:
        before, cpu = server.log(), server.cpu_seconds()
        for n in range(600):
            idle = stack.enter_context(connect(server.port))
            if n % 3:
                idle.sendall(HEALTH if n % 3 == 1 else POST.encode())
            if n % 50 == 0:
                assert talk(server.port, LAST) == [200]
                assert server.open_files() < 256
        time.sleep(1)
        assert talk(server.port, LAST) == [200]
        assert server.log() == before
        assert server.cpu_seconds() - cpu < 5
