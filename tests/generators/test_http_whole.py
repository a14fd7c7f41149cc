"""Requests go out in one piece, and responses are read to their end, whatever way that is told."""

from threading import Thread

import pytest

from contracts.messages import Call, Headers
from generators.caller import NoAnswerError
from generators.http import HttpCaller

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
WHOLE = [
    ("GET", OK + b"Content-Length: 3\r\n\r\nabc", b"abc", True),
    ("GET", OK + b"content-length: 3\r\nConnection: Close\r\n\r\nabc", b"abc", False),
    ("GET", OK + b"\r\nabc", b"abc", False),
    ("GET", b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc", False),
    ("GET", b"HTTP/1.0 200\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc", b"abc", True),
    ("GET", OK + b"Content-Length: 3\r\n\r\nabcd", b"abc", False),
    ("HEAD", OK + b"Content-Length: 3\r\n\r\n", b"", True),
    ("POST", b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
    ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b"", True),
    ("POST", b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\na", b"a", True),
    ("GET", b"HTTP/1.1 200 OK\nContent-Length: 1\n\na", b"a", True),
    ("GET", CHUNKED + b"2\r\nab\r\n0a;x=y\r\n0123456789\r\n0\r\n\r\n", b"ab0123456789", True),
    ("GET", CHUNKED + b"1\r\na\r\n0\r\nTrailer: x\r\n\r\n", b"a", True),
]
BROKEN = [
    b"",
    b"HTTP/1.1 200",
    b"nonsense\r\n\r\n",
    b"HTTP/2 200 OK\r\n\r\n",
    OK + b"no header\r\n\r\n",
    OK + b"Content-Length: 4\r\n\r\nabc",
    OK + b"Content-Length: 4\r\n",
    CHUNKED,
    CHUNKED + b"3\r\nab",
    CHUNKED + b"1\r\nabc\r\n0\r\n\r\n",
    CHUNKED + b"-1\r\n\r\n",
    CHUNKED + b"1\r\na\r\n",
    CHUNKED + b"1\r\na\r\n0\r\n",
]


class Wire:
    """A server that answers every request with the same bytes, piece by piece; `got` are the pieces that it read."""

    def __init__(self, answer, *, closes, step=1 << 16):
        from socket import create_server  # noqa: PLC0415 - beside its only use

        self._answer, self._closes, self._step = answer, closes, step
        self._server = create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self.got, self.opened = [], 0
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                peer, _ = self._server.accept()
            except OSError:
                return
            self.opened += 1
            with peer:
                while piece := peer.recv(1 << 16):
                    self.got.append(piece)
                    for start in range(0, len(self._answer), self._step):
                        peer.sendall(self._answer[start : start + self._step])
                    if self._closes:
                        break

    def close(self):
        """Stop listening."""
        from socket import SHUT_RDWR  # noqa: PLC0415 - the same

        self._server.shutdown(SHUT_RDWR)
        self._server.close()
        self._thread.join(5)


@pytest.fixture
def wire():
    made = []

    def make(answer, **more):
        made.append(Wire(answer, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("step", [1, 1 << 16])
@pytest.mark.parametrize("case", WHOLE)
def test_a_response_ends_where_it_says(wire, case, step):
    """By length, by chunks, by the end of the connection or by its status; the connection is kept when it can be."""
    method, answer, body, keeps = case
    server = wire(answer, closes=not keeps, step=step)
    caller = HttpCaller(server.url, timeout=5)
    replies = [caller.send(Call(method=method, path="/a")) for _ in range(2)]
    caller.close()
    assert [one.body for one in replies] == [body, body]
    assert server.opened == (1 if keeps else 2)


@pytest.mark.parametrize("answer", BROKEN)
def test_what_is_cut_short_is_no_answer(wire, answer):
    """A response that is not whole, or is none, is told as that in one sentence."""
    server = wire(answer, closes=True)
    caller = HttpCaller(server.url, timeout=5)
    with pytest.raises(NoAnswerError, match=r"GET http://127.0.0.1:\d+/a: \S"):
        caller.send(Call(method="GET", path="/a"))
    caller.close()


@pytest.mark.parametrize("body", [b"", b"[1, 2]"])
def test_head_and_body_are_one_piece(wire, body):
    """The server is woken once for a request, and once for the next; it is told the length, the host and the fields."""
    server = wire(OK + b"Content-Length: 0\r\n\r\n", closes=False)
    caller = HttpCaller(server.url)
    for _ in range(2):
        caller.send(Call(method="POST", path="/a", headers=Headers((("X", "y"),)), body=body))
    caller.close()
    assert len(server.got) == 2
    head, _, sent = server.got[0].partition(b"\r\n\r\n")
    assert (head.split(b"\r\n")[0], sent) == (b"POST /a HTTP/1.1", body)
    host = server.url.removeprefix("http://").encode()
    assert {b"Host: " + host, b"X: y", b"Content-Length: %d" % len(body)} <= set(head.split(b"\r\n"))


def test_headers_keep_their_order_and_go_on_over_lines(wire):
    """Fields are told as they came, the blanks around them gone, and a folded one as one line."""
    server = wire(OK + b"A:  1 \r\nB: x\r\n\t y\r\na: 2\r\nContent-Length: 0\r\n\r\n", closes=False)
    caller = HttpCaller(server.url)
    reply = caller.send(Call(method="GET", path="/"))
    caller.close()
    assert reply.headers.pairs[:3] == (("A", "1"), ("B", "x y"), ("a", "2"))


@pytest.mark.parametrize("call", [{"path": "/a b"}, {"path": "/é"}, {"headers": Headers((("X", "a\r\nY: b"),))}])
def test_what_would_be_another_request_is_not_sent(wire, call):
    """A blank in the target or a line break in a header would make a second request of one."""
    server = wire(OK + b"Content-Length: 0\r\n\r\n", closes=False)
    with pytest.raises(NoAnswerError, match="a blank or a line break"):
        HttpCaller(server.url).send(Call(**{"method": "GET", "path": "/", **call}))
    assert server.got == []
