"""How requests and responses are written and read: in one piece, and as HTTP/1.1 has them."""

import socket
from threading import Thread

import pytest

from contracts.errors import MisuseError
from contracts.messages import Headers, Request
from generators.client.connection import Received
from generators.client.http import HttpClient, NoAnswerError


def answered(*answers, request, timeout=30.0):
    """Return what the client reads and what the server got; it answers once, in these pieces, and closes."""
    got = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            peer, _ = server.accept()
            with peer:
                got.append(peer.recv(2**16))
                for one in answers:
                    peer.sendall(one.encode("latin-1"))

        thread = Thread(target=serve, daemon=True)
        thread.start()
        client = HttpClient(f"http://127.0.0.1:{server.getsockname()[1]}", timeout=timeout)
        try:
            return client.send(request), got[0]
        finally:
            client.close()
            thread.join()


def ask(method="GET", body=b"", **fields):
    return Request(method=method, path="/a", headers=Headers(tuple(fields.items())), body=body)


@pytest.mark.parametrize(
    ("request_", "lines", "body"),
    [
        (ask(), ["GET /a HTTP/1.1", "Host: H", "Accept-Encoding: identity"], b""),
        (ask("POST"), ["POST /a HTTP/1.1", "Host: H", "Accept-Encoding: identity", "Content-Length: 0"], b""),
        (
            ask("PUT", b"[1]", X="y"),
            ["PUT /a HTTP/1.1", "Host: H", "Accept-Encoding: identity", "Content-Length: 3", "X: y"],
            b"[1]",
        ),
        (
            ask("DELETE", **{"Host": "b", "accept-encoding": "br"}),
            ["DELETE /a HTTP/1.1", "Host: b", "accept-encoding: br"],
            b"",
        ),
    ],
)
def test_a_request_is_one_piece_with_its_length(request_, lines, body):
    """A server is woken once for it; what the request says itself is not said again."""
    _, got = answered("HTTP/1.1 204 No Content\r\n\r\n", request=request_)
    head, _, rest = got.partition(b"\r\n\r\n")
    told = head.decode().split("\r\n")
    assert ["Host: H" if one.startswith("Host: 127.0.0.1:") else one for one in told] == lines
    assert rest == body


READ = [
    ("a length", ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"], 200, b"ab"),
    ("pieces", ["HTTP/1.1 2", "00 OK\r\nContent-", "Length: 2\r\n\r\na", "b"], 200, b"ab"),
    (
        "chunks and trailers",
        ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1;x=y\r\nb\r\n0\r\nX: z\r\n\r\n"],
        200,
        b"ab",
    ),
    ("the end of the connection", ["HTTP/1.0 200 OK\r\n\r\na", "b"], 200, b"ab"),
    (
        "an interim response",
        ["HTTP/1.1 103 Early Hints\r\nX: z\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"],
        404,
        b"",
    ),
    ("no body by its status", ["HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"], 304, b""),
    ("no reason", ["HTTP/1.1 418\r\nContent-Length: 0\r\n\r\n"], 418, b""),
]


@pytest.mark.parametrize(("answers", "status", "body"), [row[1:] for row in READ], ids=[row[0] for row in READ])
def test_a_response_is_read_to_its_end(answers, status, body):
    """Its body ends as RFC 9112, section 6.3, says; interim responses and trailers are left out."""
    reply, _ = answered(*answers, request=ask())
    assert (reply.status, reply.body) == (status, body)
    assert not reply.headers.get("X")


def test_a_response_to_head_has_no_body():
    """Whatever its header says."""
    reply, _ = answered("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", request=ask("HEAD"))
    assert (reply.status, reply.body, reply.headers.get("Content-Length")) == (200, b"", "9")


def test_fields_are_latin_texts_without_blanks_around():
    """As RFC 9110, section 5.5, says."""
    reply, _ = answered("HTTP/1.1 204 No Content\r\nA:  \xe4 b \t\r\nA:\r\n\r\n", request=ask())
    assert reply.headers.get_all("a") == ("\xe4 b", "")


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([], "closed the connection without a response"),
        (["HTTP/1.1 200 OK\r\nContent-"], "closed the connection without a response"),
        (["HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"], "closed the connection within a response"),
        (["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na"], "closed the connection within a response"),
        (["SMTP ready\r\n"], "is not HTTP/1.1: Expected HTTP/"),
        (["HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"], "is not HTTP/1.1"),
    ],
)
def test_what_is_no_whole_response_is_no_answer(answers, reason):
    """The reason is told."""
    with pytest.raises(NoAnswerError, match=reason):
        answered(*answers, request=ask())


def test_a_server_that_is_silent_is_no_answer():
    """After the time that is allowed for each read."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = HttpClient(f"http://127.0.0.1:{server.getsockname()[1]}", timeout=0.05)
        with pytest.raises(NoAnswerError, match="timed out"):
            client.send(ask())
        client.close()


@pytest.mark.parametrize(
    "request_",
    [
        ask("GET /b"),
        Request(method="GET", path="/a b", headers=Headers(), body=b""),
        Request(method="GET", path="/\xe4", headers=Headers(), body=b""),
        ask(X="a\r\nY: b"),
        ask(X="a\rb"),
        ask(X="\u20ac"),
    ],
)
def test_what_http_cannot_carry_is_misuse(request_):
    """Nothing is smuggled into another field, or another request."""
    with pytest.raises(MisuseError, match="HTTP cannot carry"):
        HttpClient("http://127.0.0.1:9").send(request_)


@pytest.mark.parametrize("part", ["on_header", "on_headers_complete", "on_body", "on_message_complete"])
def test_ctrl_c_while_a_response_is_read_ends_the_program(part, monkeypatch):
    """The parser, which calls for each part, keeps it from nobody, and it is no fault of the response."""

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Received, part, interrupted)
    with pytest.raises(KeyboardInterrupt):
        answered("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", request=ask())
