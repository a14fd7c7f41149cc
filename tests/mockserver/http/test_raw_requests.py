"""The rim under raw sockets: whatever arrives, the answer is HTTP, the problem is told, and nothing is a 500."""

import gzip
import json
import logging
import random
import re
import socket
import struct
import time
import zlib
from pathlib import Path

import pytest
from children import HANGS

THINGS = Path(__file__).parent / "data" / "things.yaml"
HOST = b"Host: localhost\r\n"
POST = b"POST /things/boxes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
GET = b"GET /_sandbox/health HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def port(serving, caplog):
    yield serving(THINGS, mode="frozen", body_seconds=10 * HANGS).running.port
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]


def talk(port, *parts, wait=HANGS, answers=1):
    """Send the parts, pausing at numbers; return what comes until the other side closes, or is silent after answers."""
    bodies = not parts[0].startswith(b"HEAD ")
    with socket.create_connection(("127.0.0.1", port), timeout=wait) as connection:
        for part in parts:
            if isinstance(part, float):
                time.sleep(part)
            else:
                connection.sendall(part)
        received = b""
        try:
            while chunk := connection.recv(65536):
                received += chunk
                connection.settimeout(0.1 if whole(received, bodies=bodies) >= answers else wait)
        except TimeoutError:
            pass
        except ConnectionError:
            pass
        return received


def whole(received, *, bodies):
    """Return how many whole answers have come."""
    head, ended, body = received.partition(b"\r\n\r\n")
    if not ended or not head.startswith(b"HTTP/1.1 "):
        return 0
    if b" 100 " in head.split(b"\r\n")[0]:
        return whole(body, bodies=bodies)
    size = int(read(received)[1].get("content-length", 0)) if bodies else 0
    return 0 if len(body) < size else 1 + whole(body[size:], bodies=bodies)


def read(received):
    """Return status, headers and body of the first answer that is no 100."""
    head, _, body = received.partition(b"\r\n\r\n")
    if b" 100 " in head.split(b"\r\n")[0]:
        return read(body)
    first, *fields = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
    return int(first.split()[1]), headers, body[: int(headers.get("content-length", 0))]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"\x16\x03\x01\x00\xff\xff\r\n\r\n", 400),
        (b"FOO /things/boxes HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"get / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n" + HOST + b"\r\n", 400),
        (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"CONNECT host:80 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"OPTIONS /things/boxes HTTP/1.1\r\n" + HOST + b"\r\n", 204),
        (b"TRACE /things/boxes HTTP/1.1\r\n" + HOST + b"\r\n", 405),
        (b"GET http://host/_sandbox/health HTTP/1.1\r\n" + HOST + b"\r\n", 200),
        (b"GET http://[::1 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET /_sandbox/health HTTP/1.0\r\n\r\n", 200),
        (b"GET /things/boxes/%00 HTTP/1.1\r\n" + HOST + b"\r\n", 404),
        (b"GET /things/boxes/%zz HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET /things/boxes/a?x=%ff HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET /things/boxes/\xe4 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET /nowhere HTTP/1.1\r\n" + HOST + b"\r\n", 404),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 20_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n" * 500 + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X y: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\x01b\r\n\r\n", 400),
        (b"GET /things/boxes/a HTTP/1.1\r\n" + HOST + b"X: \xff\xfe\r\nAuthorization: \xff \xfe\r\n\r\n", 404),
        (POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n[]x", 400),
        (POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Content-Length: -2\r\n\r\n[]", 400),
        (POST + b"Content-Length: 99999999999999999999999\r\n\r\n[]", 400),
        (POST + b"Content-Length: 99999999999\r\n\r\n[]", 413),
        (POST + b"Transfer-Encoding: gzip\r\n\r\n2\r\n[]\r\n0\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n[]\r\n0\r\n\r\n", 400),
        (POST + b"Expect: magic\r\nContent-Length: 2\r\n\r\n[]", 417),
        (POST + b"Content-Encoding: br\r\nContent-Length: 2\r\n\r\n[]", 415),
        (POST + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n[]", 400),
        (POST.replace(b"json\r\n", b"json; charset=latin1\r\n") + b"Content-Length: 2\r\n\r\n[]", 415),
        (POST.replace(b"json", b'json; charset="UTF-8"') + b"Content-Length: 12\r\n\r\n" + b'[{"id":"a"}]', 200),
    ],
)  # fmt: skip
def test_each_request_has_its_answer(port, request_bytes, status):
    """What is wrong with a request is told in a problem document with the status that fits."""
    got, headers, body = read(talk(port, request_bytes))
    assert got == status
    if status >= 400:
        assert headers["content-type"] == "application/problem+json"
        assert json.loads(body)["detail"].endswith((".", "%25."))
    assert read(talk(port, GET))[0] == 200


@pytest.mark.parametrize("line", [b"GET /", b"GET /_sandbox/health", b"GET / HTTP/0.9", b"GET / HTTP/2.0"])
def test_another_version_of_http_is_told(port, line):
    """A line without a version is that of HTTP/0.9, which is not served; the answer has a version that is."""
    for before in (b"", GET):
        received = talk(port, before + line + b"\r\n" + HOST + b"\r\n", answers=9)
        *_, last = received.split(b"\r\n\r\n")
        assert b"HTTP/1.0 400 Bad Request\r\n" in received, received
        assert json.loads(last)["detail"] == (
            "The request is no valid HTTP: its version is not served; begin with a line such as GET / HTTP/1.1."
        )
        assert (b"HTTP/1.1 200" in received) is bool(before)


def test_head_has_no_body(port):
    """An answer to HEAD is its headers alone."""
    body = b'[{"id":"a"}]'
    assert read(talk(port, POST + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)))[0] == 200
    received = talk(port, b"HEAD /things/boxes/a HTTP/1.1\r\n" + HOST + b"\r\n")
    assert received.startswith(b"HTTP/1.1 200 ")
    assert received.endswith(b"\r\n\r\n")
    assert b"Content-Length: 10\r\n" in received


def test_chunks_make_a_body(port):
    """A body that comes in chunks, slowly but in time, is a body."""
    parts = [POST + b"Transfer-Encoding: chunked\r\n\r\n", b'6\r\n[{"id"\r\n', 0.1, b'6\r\n:"q"}]\r\n0\r\n', b"\r\n"]
    assert read(talk(port, *parts))[0] == 200


@pytest.mark.parametrize("late", [b"zz\r\n", b"2\r\n[]]]]]\r\n", b"-1\r\n"])
def test_a_chunk_that_breaks_off(port, late):
    """A transfer coding that goes wrong in the middle is told at once, not after the time is up."""
    status, headers, body = read(talk(port, POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n", 0.1, late))
    assert (status, headers["connection"]) == (400, "close")
    assert "transfer coding" in json.loads(body)["detail"]


def test_a_body_that_does_not_come(serving):
    """A body that is not there after its time is 408, and the connection ends."""
    hasty = serving(THINGS, mode="frozen", body_seconds=0.5).running.port
    status, headers, _ = read(talk(hasty, POST + b"Content-Length: 5\r\n\r\n["))
    assert (status, headers["connection"]) == (408, "close")


def test_continue_is_said_only_when_the_body_is_wanted(port):
    """A client that asks first is told to go on; one whose body is too large is not."""
    asking = POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    received = talk(port, asking % 12, 0.2, b'[{"id":"c"}]')
    assert received.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert talk(port, asking % 10**9).startswith(b"HTTP/1.1 413 ")


def test_chunks_beyond_the_limit(port):
    """The limit holds where no length was declared: the answer comes without all of it being kept."""
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        try:
            for _ in range(64):
                connection.sendall(chunk)
        except ConnectionError:
            pass
        try:
            received = connection.recv(65536)
        except ConnectionError:
            received = b""
    assert received == b"" or received.startswith(b"HTTP/1.1 413 ")
    assert read(talk(port, GET))[0] == 200


def raw_deflate(data):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def compressed(coding, body):
    return POST + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s" % (coding, len(body), body)


BOX = b'[{"id":"z"}]'


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        (b"gzip", gzip.compress(BOX, mtime=0)),
        (b"x-gzip", gzip.compress(BOX, mtime=0)),
        (b"GZIP", gzip.compress(BOX[:5], mtime=0) + gzip.compress(BOX[5:], mtime=0)),
        (b"deflate", zlib.compress(BOX)),
        (b"deflate", raw_deflate(BOX)),
        (b"identity", BOX),
        (b"deflate, gzip", gzip.compress(zlib.compress(BOX), mtime=0)),
    ],
)
def test_compressed_bodies_are_read(port, coding, body):
    """A body in gzip or deflate, in all their forms, comes to the same as the plain one."""
    assert read(talk(port, compressed(coding, body)))[0] == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (lambda: gzip.compress(b" " * 40_000_000, mtime=0), 413),
        (gzip.compress(BOX, mtime=0)[:-9], 400),
        (gzip.compress(BOX, mtime=0) + b"rest", 400),
        (b"\x1f\x8b", 400),
        (b"x", 400),
    ],
)
def test_compressed_bodies_that_are_none(port, body, status):
    """A bomb is too large however small it is packed; what is cut off or no gzip is malformed."""
    content = body() if callable(body) else body  # a bomb is made when it is needed
    assert read(talk(port, compressed(b"gzip", content)))[0] == status


def test_clients_that_vanish(port):
    """A client that resets or leaves in the middle of its request harms nobody."""
    for sent in (b"POST /thi", POST, POST + b"Content-Length: 20\r\n\r\n[", POST + b"Content-Length: 12\r\n\r\n" + BOX):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(sent)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    assert read(talk(port, GET))[0] == 200


def test_pipelined_requests_are_answered_in_order(port):
    """Requests sent ahead are answered one after the other on the same connection."""
    both = talk(port, GET + b"GET /nowhere HTTP/1.1\r\n" + HOST + b"\r\n", answers=2)
    assert both.index(b"200 OK") < both.index(b"404 Not Found")


DROP = (
    b"DELETE /_sandbox/sandboxes/b HTTP/1.1\r\nContent-Type: application/json\r\nConnection: close\r\n" + HOST + b"\r\n"
)
CLOSING = b"GET /nowhere HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n"


def sandboxed(request_bytes, name):
    """Return a request to a sandbox."""
    return request_bytes.replace(b" /", b" /@%s/" % name, 1)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /things/boxes/a HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /things/boxes/a HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n",
        b"GET /things/boxes/a HTTP/1.0\r\n\r\n",
        b"GET /things/boxes/a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        b"HEAD /things/boxes/a HTTP/1.1\r\n" + HOST + b"\r\n",
        b"DELETE /things/boxes/a HTTP/1.1\r\n" + HOST + b"\r\n",
        b"OPTIONS /things/boxes HTTP/1.1\r\n" + HOST + b"Origin: http://a.example\r\n\r\n",
        b"GET /things/boxes/a HTTP/1.1\r\n" + HOST + b"Origin: http://a.example\r\n\r\n",
        b"GET /things/boxes/a HTTP/1.1\r\n" + HOST + b"Prefer: status=500\r\n\r\n",
        b"GET /nowhere HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /things/boxes/%zz HTTP/1.1\r\n" + HOST + b"\r\n",
        POST + b"Content-Length: 12\r\n\r\n" + BOX,
        POST + b"Content-Length: 12\r\n\r\n" + BOX.replace(b"}", b","),
        POST + b"Content-Length: 12\r\nExpect: 100-continue\r\n\r\n" + BOX,
        POST + b"Transfer-Encoding: chunked\r\n\r\nc\r\n" + BOX + b"\r\n0\r\n\r\n",
        POST.replace(b"json\r\n", b"json; charset=latin1\r\n") + b"Content-Length: 12\r\n\r\n" + BOX,
        compressed(b"gzip", gzip.compress(BOX, mtime=0)),
        (POST + b"Content-Length: 12\r\n\r\n" + BOX) + b"GET /@b/things/boxes/z HTTP/1.1\r\n" + HOST + b"\r\n",
    ],
)
def test_what_arrives_whole_is_answered_as_what_arrives_in_parts(port, request_bytes):
    """A request is answered where its bytes are received, or by a task of its own: with the same bytes."""
    setting = sandboxed(POST + b"Content-Length: 12\r\n\r\n" + BOX.replace(b"z", b"a"), b"b")
    sent, answers = sandboxed(request_bytes, b"b"), set()
    last = b"" if b": close" in sent or sent.endswith(b"1.0\r\n\r\n") else CLOSING
    for cut in (len(sent), len(sent) // 2, len(sent) - 1):
        assert read(talk(port, DROP))[0] in {204, 404}
        answered = talk(port, setting, 0.02, sent[:cut], 0.02, sent[cut:], 0.02, last, answers=99)
        answers.add(re.sub(rb"Date: [^\r]*|HTTP/1.1 100 Continue\r\n\r\n", b"", answered))
    assert len(answers) == 1
    assert b"Internal error" not in answers.pop()


@pytest.mark.slow
def test_noise_gives_no_500(port):
    """Requests mangled at random get an answer below 500, or none; the server lives on."""
    chance = random.Random(20)
    seeds = [GET, POST + b"Content-Length: 12\r\n\r\n" + BOX, compressed(b"gzip", gzip.compress(BOX, mtime=0))]
    for _ in range(200):
        noisy = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 6)):
            place = chance.randrange(len(noisy))
            noisy[place : place + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
        received = talk(port, bytes(noisy) + b"\r\n\r\n", wait=0.05)
        assert b"Traceback" not in received
        assert received == b"" or int(received.split(b" ", 2)[1]) < 500, noisy
    assert read(talk(port, GET))[0] == 200


def test_the_date_is_the_sandboxs(port):
    """A frozen sandbox answers with the date at which it stands; the control API with today's."""
    assert (
        read(talk(port, b"GET /things/boxes/a HTTP/1.1\r\n" + HOST + b"\r\n"))[1]["date"]
        == "Thu, 01 Jan 2026 00:00:00 GMT"
    )
    headers = read(talk(port, GET))[1]
    assert headers["date"] != "Thu, 01 Jan 2026 00:00:00 GMT"
    assert headers["server"].startswith("bulkproof/")
