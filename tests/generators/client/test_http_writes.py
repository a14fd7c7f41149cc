"""A request goes out in one piece: the server is woken once for it."""

import pytest

from generators.client import http


class Sent:
    """A socket that keeps what it is given, piece by piece."""

    def __init__(self):
        self.pieces = []

    def sendall(self, data):
        self.pieces.append(bytes(data))


@pytest.mark.parametrize("body", [None, b"", b"[1, 2]"])
def test_head_and_body_are_one_piece(body):
    """With a body or without one, a connection is written to once for a request, and again for the next."""
    connection = http._SingleWriteConnection("127.0.0.1", 1)  # noqa: SLF001 - what is sent piece by piece is seen nowhere else
    connection.sock = sent = Sent()
    connection.request("POST", "/a", body=body, headers={"X": "y"})
    (whole,) = sent.pieces
    assert whole.startswith(b"POST /a HTTP/1.1\r\n")
    assert whole.partition(b"\r\n\r\n")[2] == (body or b"")
    connection.sock = None
