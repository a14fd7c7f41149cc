"""The end of a connection at every step of the event loop: nothing is logged but debugging."""

import asyncio
import gc
import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mockserver.apis.sources import find_sources
from mockserver.http.server import HttpServer
from mockserver.http.service import Options, Service

THINGS = Path(__file__).parent / "data" / "things.yaml"
REAL = datetime(2026, 1, 1, tzinfo=UTC)
POST = b"POST /things/boxes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
GET = b"GET /_sandbox/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
REQUESTS = {
    "body cut": POST + b'Content-Length: 100\r\n\r\n[{"id":',
    "no body yet": POST + b"Content-Length: 100\r\n\r\n",
    "chunk cut": POST + b"Transfer-Encoding: chunked\r\n\r\n50\r\n[",
    "asked to go on": POST + b"Expect: 100-continue\r\nContent-Length: 100\r\n\r\n",
    "whole": GET,
    "whole, and a body cut": GET + POST + b"Content-Length: 100\r\n\r\n[",
    "body cut, and refused": b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n[",
    "events": b"GET /_sandbox/sandboxes/default/events HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\r\n\r\n",
}


class Wire(asyncio.Transport):
    """A transport that goes nowhere."""

    def __init__(self):
        super().__init__()
        self.closed = False

    def write(self, data):
        del data

    def is_closing(self):
        return self.closed

    def close(self):
        self.closed = True

    abort = close

    def pause_reading(self):
        pass

    def resume_reading(self):
        pass


async def _cut(service, request, steps, end):
    faults = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    server = HttpServer(service)
    protocol, wire = server(), Wire()
    protocol.connection_made(wire)
    await asyncio.sleep(0)
    protocol.data_received(request)
    for _ in range(steps):
        await asyncio.sleep(0)
    wire.closed = True
    protocol.connection_lost(end)
    for _ in range(30):
        await asyncio.sleep(0)
    assert server.active_requests == 0
    await server.finish(1.0)
    del protocol
    gc.collect(1)
    return faults


@pytest.fixture(scope="module")
def apis():
    return [source.load() for source in find_sources((str(THINGS),))]


@pytest.mark.slow
@pytest.mark.parametrize("end", [None, ConnectionResetError("Connection reset by peer")], ids=["closed", "reset"])
@pytest.mark.parametrize("steps", range(8))
@pytest.mark.parametrize("request_bytes", REQUESTS.values(), ids=REQUESTS)
def test_a_connection_may_end_at_any_step(apis, request_bytes, steps, end, caplog):
    """Whether the request has been taken up, is being read, or answered."""
    service = Service(apis, Options(mode="frozen"), REAL)
    assert asyncio.run(_cut(service, request_bytes, steps, end)) == []
    assert [one.getMessage() for one in caplog.records if one.levelno > logging.DEBUG] == []
    assert all(entry.status < 500 for sandbox in service.sandboxes for entry in sandbox.journal.after(0, 100))
