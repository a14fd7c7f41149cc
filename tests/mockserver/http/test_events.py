"""The journal live: events in order, taken up again where they were left, and never in anybody's way."""

import asyncio
import json
import socket
from datetime import UTC, datetime
from functools import partial

import pytest
from children import HANGS, eventually

from contracts.messages import Headers
from mockserver.apis.sources import find_sources
from mockserver.http.lifecycle import in_thread, new_loop, start
from mockserver.http.service import Options, Service

BLOCKS = "/genero/api/v1/block"


class Stream:
    """Reads server-sent events from a raw connection."""

    def __init__(self, port, sandbox, after="", last=None, *, only_looks=False):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=HANGS)
        header = "" if last is None else f"Last-Event-ID: {last}\r\n"
        header += "Sandbox-Create: false\r\n" if only_looks else ""
        target = f"/_sandbox/sandboxes/{sandbox}/events{f'?after={after}' if after != '' else ''}"
        self.socket.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n".encode())
        self.file = self.socket.makefile("rb")
        self.head = b"".join(iter(self.file.readline, b"\r\n")).decode()

    def chunk(self):
        """Return the next chunk's data, b"" for the last one."""
        size = int(self.file.readline(), 16)
        data = self.file.read(size)
        self.file.readline()
        return data

    def events(self, number, *, server_wide=False):
        """Return the next events as (id, name, data), without those of the sandboxes of others by default."""
        found = []
        while len(found) < number:
            for part in self.chunk().decode().split("\n\n"):
                fields = dict(line.split(": ", 1) for line in part.splitlines() if ": " in line and line[0] != ":")
                if "event" in fields and (server_wide or fields["event"] != "sandboxes"):
                    found.append((fields.get("id"), fields["event"], json.loads(fields["data"])))
        return found

    def close(self):
        self.file.close()
        self.socket.close()


@pytest.fixture
def client(serving):
    return serving("genero", mode="frozen")


@pytest.fixture
def listen(client):
    streams = []

    def start_listening(**options):
        streams.append(Stream(client.running.port, client.sandbox, **options))
        return streams[-1]

    yield start_listening
    for one in streams:
        one.close()


def test_each_exchange_is_told_as_it_is_written(client, listen):
    """Whoever listens hears of every exchange from then on, with what the list shows of it, numbered."""
    client.call("GET", BLOCKS)
    stream = listen()
    assert "HTTP/1.1 200" in stream.head
    assert "Content-Type: text/event-stream" in stream.head
    assert stream.chunk() == b"retry: 1000\n\n"
    client.call("GET", f"{BLOCKS}/x")
    client.call("GET", BLOCKS)
    told = stream.events(2)
    listed = client.control("GET", "exchanges?after=1").data["exchanges"]
    assert told == [("2", "exchange", listed[0]), ("3", "exchange", listed[1])]


@pytest.mark.parametrize("options", [{"last": 2}, {"after": 2}, {"last": 2, "after": 0}])
def test_a_stream_is_taken_up_where_it_was_left(client, listen, options):
    """After `Last-Event-ID`, or `after`, come the exchanges with higher numbers, and then what is new."""
    for _ in range(4):
        client.call("GET", BLOCKS)
    stream = listen(**options)
    assert [number for number, _, _ in stream.events(2)] == ["3", "4"]
    client.call("GET", BLOCKS)
    assert [number for number, _, _ in stream.events(1)] == ["5"]


def test_a_reset_is_told_and_numbers_begin_anew(client, listen):
    """A listener hears of the reset; one who comes back after it with an old number misses nothing."""
    client.call("GET", BLOCKS)
    client.call("GET", BLOCKS)
    stream = listen()
    stream.chunk()
    client.control("POST", "reset", {"seed": 7})
    assert stream.events(1) == [(None, "reset", {"seed": 7})]
    client.call("GET", BLOCKS)
    assert stream.events(1)[0][0] == "1"
    assert listen(last=2).events(1)[0][0] == "1"


def test_what_was_forgotten_is_passed_over(client, listen):
    """A listener who comes late hears of what the journal still has."""
    client.control("PATCH", "settings", {"limits": {"journalExchanges": 2}})
    for _ in range(5):
        client.call("GET", BLOCKS)
    assert [number for number, _, _ in listen(after=0).events(2)] == ["4", "5"]


def test_a_dropped_sandbox_ends_its_stream(client, listen):
    """The stream ends properly when there is nothing more to tell."""
    client.control("POST", "reset", {})
    stream = listen()
    stream.chunk()
    client.control("DELETE")
    assert stream.events(1) == [(None, "dropped", {})]
    assert stream.chunk() == b""


def test_a_changed_clock_is_told(client, listen):
    """A listener hears of a clock that was set or advanced; a reset, which restores it too, is told alone."""
    stream = listen()
    stream.chunk()
    client.control("PUT", "clock", {"mode": "frozen", "now": "2026-05-01T00:00:00Z"})
    assert stream.events(1) == [(None, "clock", {"now": "2026-05-01T00:00:00Z", "mode": "frozen", "factor": 1})]
    client.control("POST", "clock/advance", {"by": "PT5M"})
    assert stream.events(1)[0][2]["now"] == "2026-05-01T00:05:00Z"
    client.control("POST", "reset", {"clock": {"mode": "scaled", "factor": 60}})
    client.call("GET", BLOCKS)
    assert [name for _, name, _ in stream.events(2)] == ["reset", "exchange"]


BUSY = {"name": "busy", "rules": [{"then": {"status": 503}}]}
CHANGES = {
    "settings": ("PATCH", "settings", {"strict": True}, "settings", lambda data: data["strict"] is True),
    "scenarios": ("PUT", "scenarios", {"scenarios": [BUSY]}, "scenarios", lambda data: data == {"active": ["busy"]}),
    "a scenario": ("POST", "scenarios", {"scenarios": [BUSY]}, "scenarios", lambda data: data == {"active": ["busy"]}),
    "a journal": ("DELETE", "exchanges", None, "journal", lambda data: data == {"exchanges": 0}),
    "a snapshot": ("PUT", "snapshot", ..., "reset", lambda data: data == {"seed": 0}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_another_client_changes_is_told(client, listen, name):
    """Settings, scenarios, an emptied journal, a snapshot: each is an event with what is the case now."""
    method, what, body, event, fits = CHANGES[name]
    client.control("POST", "reset", {})
    stream = listen()
    stream.chunk()
    kept = client.control("GET", "snapshot").data if body is ... else body
    assert client.control(method, what, kept).status < 300
    ((_, told, data),) = stream.events(1)
    assert (told, fits(data)) == (event, True)


def test_scenarios_that_end_are_told(client, listen):
    """By an order that leaves some out, and by deactivating all of them."""
    client.control("PUT", "scenarios", {"scenarios": [BUSY, {**BUSY, "name": "busier"}]})
    stream = listen()
    stream.chunk()
    client.control("PATCH", "scenarios", {"order": ["busier"]})
    assert stream.events(1)[0][2] == {"active": ["busier"]}
    client.control("DELETE", "scenarios")
    assert stream.events(1)[0][2] == {"active": []}


def test_sandboxes_that_come_and_go_are_told(client, listen):
    """To whoever listens to any sandbox; the events of one that does not exist begin once it is made."""
    stream = listen(only_looks=True)
    stream.chunk()
    assert client.sandbox not in str(client.send("GET", "/_sandbox/sandboxes").data)
    client.call("GET", BLOCKS)
    seen = [name for _, name, _ in stream.events(2, server_wide=True)]
    assert {"sandboxes", "exchange"} <= {*seen}
    client.send("POST", f"/_sandbox/sandboxes/{client.sandbox}-2/reset", {})
    assert stream.events(1, server_wide=True)[0][1] == "sandboxes"


def test_what_became_of_items_of_a_job_is_told_later(client, listen):
    """When the job has run; where more jobs ran than are told one by one, the journal is to be read again."""
    client.call("POST", f"{BLOCKS}/postJob", [{"blockId": "a", "name": "One"}])
    stream = listen()
    stream.chunk()
    client.control("POST", "clock/advance", {"to": "idle"})
    told = {name: data for _, name, data in stream.events(2)}
    assert told["update"]["items"] == {"done": 1, "failed": 0, "notRun": 0, "waiting": 0}


def test_what_became_of_an_answer_is_told_later(client, listen):
    """An exchange is told as it is recorded, and again once its answer was sent."""
    rule = {"when": {"method": "GET"}, "then": {"delay": "5m", "on": "clock"}}
    client.control("PUT", "scenarios", {"scenarios": [{"name": "slow", "rules": [rule]}]})
    stream = listen()
    stream.chunk()
    with socket.create_connection(("127.0.0.1", client.running.port), timeout=HANGS) as line:
        line.sendall(f"GET /@{client.sandbox}{BLOCKS} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        told = stream.events(1)
        client.control("POST", "clock/advance", {"by": "PT5M"})
        assert line.recv(12) == b"HTTP/1.1 200"
    told += [one for one in stream.events(2) if one[1] != "clock"]
    assert [(name, one["n"], one["delivery"]["fate"]) for _, name, one in told] == [
        ("exchange", 1, "waiting"),
        ("update", 1, "sent"),
    ]


def test_a_bad_number_is_refused(client):
    """What is no number of an exchange is said to be none."""
    reply = client.control("GET", "events", headers={"Last-Event-ID": "many"})
    assert reply.status == 400
    assert "Last-Event-ID" in reply.data["detail"]


def test_listeners_who_do_not_read_hold_nobody_up(client, listen):
    """Calls are answered as ever while listeners take nothing in, and one who goes away is forgotten."""
    idle = [listen(after=0) for _ in range(20)]
    assert all(client.call("GET", BLOCKS).status == 200 for _ in range(200))
    sandbox = client.running.service.sandboxes.use(client.sandbox, datetime.now(UTC))
    assert len(sandbox.journal_listeners) == 20
    for one in idle:
        one.close()
    assert eventually(lambda: not sandbox.journal_listeners)


async def _patiently(finish, _):
    """Give what is being answered more time to end than the test has."""
    await finish(10 * HANGS)


def test_streams_end_when_the_server_does(monkeypatch):
    """Stopping does not wait for listeners, and their streams end properly."""
    apis = [source.load() for source in find_sources(["genero"])]
    with in_thread(apis) as running:
        stream = Stream(running.port, "default")
        stream.chunk()
        monkeypatch.setattr(running.server, "finish", partial(_patiently, running.server.finish))
    assert stream.chunk() == b""
    stream.close()


def test_a_reader_who_fell_behind_does_not_keep_the_server_from_ending():
    """A stream that cannot be written to is cut off soon after the end was asked for."""
    apis = [source.load() for source in find_sources(["genero"])]

    async def run():
        service = Service(apis, Options(), datetime.now(UTC))
        running = await start(service)
        stream = await asyncio.to_thread(Stream, running.port, "default", 0)
        sandbox = service.sandboxes.use("default", datetime.now(UTC))
        sandbox.journal.set_limits(exchanges=100_000, max_bytes=2**30)
        for _ in range(2_000):
            service.handle("GET", f"{BLOCKS}/{'x' * 10_000}", Headers(), b"", datetime.now(UTC))
        await asyncio.sleep(0.3)
        await running.stop(10 * HANGS)
        stream.close()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(run())
