"""A client that goes away, wherever it does, is no fault: no traceback, and no 500 in the journal."""

import json
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import count
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # a process for every point; `test_disconnect_moments` is the quick one

THINGS = Path(__file__).parent / "data" / "things.yaml"
RESET = struct.pack("ii", 1, 0)
POST = "POST /@{name}/things/boxes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
GET = "GET /@{name}/things/boxes/a HTTP/1.1\r\nHost: localhost\r\n\r\n"
BODY = json.dumps([{"id": f"b{n}", "name": "x" * 100} for n in range(100)])
LARGE = json.dumps([{"id": f"b{n}", "name": "x" * 100} for n in range(1000)])
WHOLE = f"{POST}Content-Length: {len(LARGE)}\r\n\r\n{LARGE}"
RULES = {
    "delay": {"delay": "30s"},
    "delay-before": {"delay": "2s", "at": "before-commit"},
    "clock": {"delay": "50s", "on": "clock"},
    "timeout": {"timeout": True},
    "dribble": {"dribble": {"chunks": 50, "over_ms": 3000}},
    "truncate": {"truncate": 0.5},
    "malformed": {"fault": "MALFORMED_RESPONSE_CHUNK"},
}
_numbers = count(1)


class Served:
    """A running process, and what it has written so far."""

    def __init__(self, directory):
        self.log = directory / "log"
        words = [sys.executable, "-m", "mockserver", "serve", str(THINGS), "--port", "0"]
        with self.log.open("wb") as file:
            self.process = subprocess.Popen(words, stdout=file, stderr=file)
        self.port = 0
        while not self.port:
            assert self.process.poll() is None, self.log.read_text()
            found = re.search(r"http://127\.0\.0\.1:(\d+)", self.log.read_text())
            self.port = int(found[1]) if found else 0
            time.sleep(0.05)

    def call(self, method, path, body=None):
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"Content-Type": "application/json"} if data else {})
        reply = connection.getresponse()
        assert reply.status in {200, 204}, reply.read()
        read = reply.read()
        connection.close()
        return json.loads(read) if read else None


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    one = Served(tmp_path_factory.mktemp("served"))
    yield one
    one.process.send_signal(signal.SIGTERM)
    one.process.wait(60)
    assert "Traceback" not in one.log.read_text()


POINTS = {
    "before anything": ("", ""),
    "within the request line": ("", "POST /@{name}/thi"),
    "after the request line": ("", "POST /@{name}/things/boxes HTTP/1.1\r\n"),
    "within a header": ("", f"{POST}Content-Le"),
    "after the headers": ("", f"{POST}Content-Length: 100\r\n\r\n"),
    "within a body of known length": ("", f"{POST}Content-Length: {len(BODY)}\r\n\r\n{BODY[:50]}"),
    "before the first chunk": ("", f"{POST}Transfer-Encoding: chunked\r\n\r\n"),
    "within the size of a chunk": ("", f"{POST}Transfer-Encoding: chunked\r\n\r\n1"),
    "within a chunk": ("", f"{POST}Transfer-Encoding: chunked\r\n\r\n1000\r\n{BODY[:50]}"),
    "between chunks": ("", f"{POST}Transfer-Encoding: chunked\r\n\r\n5\r\n{BODY[:5]}\r\n"),
    "before the last chunk": ("", f"{POST}Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n"),
    "within a compressed body": ("", f"{POST}Content-Encoding: gzip\r\nContent-Length: 100\r\n\r\nabc"),
    "while it is asked to go on": ("", f"{POST}Expect: 100-continue\r\nContent-Length: 100\r\n\r\n"),
    "within a body that is too large": ("", f"{POST}Content-Length: 999999999\r\n\r\n{BODY[:50]}"),
    "within a body that nobody reads": (
        "",
        "POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc",
    ),
    "after the whole request": ("", WHOLE),
    "after two requests": ("", f"{WHOLE}{WHOLE}"),
    "after one request and a half": ("", f"{WHOLE}{WHOLE[:-5]}"),
    **{f"during {name}": (name, WHOLE) for name in RULES},
    "during events": ("", "GET /_sandbox/sandboxes/{name}/events HTTP/1.1\r\nHost: localhost\r\n\r\n"),
}


def close(connection):
    connection.close()


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    connection.close()


def half_close(connection):
    """Send no more, and wait for what comes."""
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(0.1)
    try:
        while connection.recv(65536):
            pass
    except OSError:
        pass
    connection.close()


def one_after_the_other(served, request, leave):
    """Go when the server has taken the request up."""
    connection = socket.create_connection(("127.0.0.1", served.port), timeout=30)
    connection.sendall(request)
    time.sleep(0.1)
    leave(connection)


def at_once(served, request, leave):
    """Let the server learn of the request and of its end in one go."""
    with stopped(served):
        connection = socket.create_connection(("127.0.0.1", served.port), timeout=30)
        connection.sendall(request)
        leave(connection)


def at_once_after_another(served, request, leave):
    """Do the same on a connection that is in use."""
    connection = socket.create_connection(("127.0.0.1", served.port), timeout=30)
    connection.sendall(b"GET /_sandbox/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    connection.recv(65536)
    with stopped(served):
        connection.sendall(request)
        leave(connection)


@contextmanager
def stopped(served):
    served.process.send_signal(signal.SIGSTOP)
    yield
    served.process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("leave", [close, reset, half_close])
@pytest.mark.parametrize("point", POINTS)
def test_a_client_that_goes_is_no_fault(served, point, leave):
    """Wherever it goes and however: the log has a line more at most, the journal no 500, and others are served."""
    name = f"s{next(_numbers)}"
    rule, sent = POINTS[point]
    if rule:
        scenario = {
            "name": "bad",
            "summary": "bad",
            "rules": [{"when": {"operation": "createBoxes"}, "then": RULES[rule]}],
        }
        served.call("PUT", f"/_sandbox/sandboxes/{name}/scenarios", {"scenarios": [scenario]})
    before = len(served.log.read_text())
    request = sent.replace("{name}", name).encode()
    for ways in (one_after_the_other, at_once, at_once_after_another):
        ways(served, request, leave)
    time.sleep(0.1)
    if rule == "clock":
        served.call("POST", f"/_sandbox/sandboxes/{name}/clock/advance", {"by": "PT1M"})
    if "events" in point:
        served.call("GET", f"/@{name}/things/openapi.json")
        with socket.create_connection(("127.0.0.1", served.port), timeout=30) as another:
            another.sendall(GET.replace("{name}", name).encode())
            another.recv(10)
        time.sleep(0.1)
    entries = served.call("GET", f"/_sandbox/sandboxes/{name}/exchanges")["exchanges"]
    assert all(entry["status"] != 500 for entry in entries)
    written = served.log.read_text()[before:]
    assert "Traceback" not in written
    assert written.count("\n") <= 3, written
