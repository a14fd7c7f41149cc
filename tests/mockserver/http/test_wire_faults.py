"""What scenarios do on the wire, seen by a raw socket, with the store telling the truth about it."""

import asyncio
import json
import socket
import struct
import threading
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from itertools import count

import pytest
from children import HANGS, eventually

from mockserver.http import wire_faults as wire_of

TYPE = "application/vnd.onkey.entitycollection+json"
BATCH = "/onkey/api/tenants/contoso/sandbox/modules/risk/assetimportances/batch?mode=PerRecord"
TRADES = "/onkey/api/tenants/contoso/sandbox/modules/res/trades"
SEEDED = 4
FIVE = [{"userObjectId": f"r{n}", "properties": {"code": f"C{n}", "description": "D"}} for n in range(5)]
POINTS = {"before-commit": 0, "during-commit": 2, "after-commit": 5}
HEAD_END = b"\r\n\r\n"


@pytest.fixture
def onkey(serving):
    client = serving("onkey", mode="frozen")
    client.control("PATCH", "settings", {"limits": {"timeoutSeconds": 1}})
    return client


@pytest.fixture
def pauses(monkeypatch):
    """Return the pauses that replies have made by now, in seconds; none of them takes any time."""
    made = []

    async def note(seconds, *_):
        made.append(seconds)

    monkeypatch.setattr(wire_of, "_wait", note)
    return made


class Held:
    """Pauses that end when the test says so."""

    def __init__(self):
        self.pauses, self._ends = [], threading.Semaphore(0)

    async def pause(self, seconds, *_):
        self.pauses.append(seconds)
        await asyncio.to_thread(self._ends.acquire, timeout=HANGS)

    def release(self, number=1):
        """Let the next pauses end."""
        self._ends.release(number)


@pytest.fixture
def held(monkeypatch):
    found = Held()
    monkeypatch.setattr(wire_of, "_wait", found.pause)
    yield found
    found.release(100)


def until_head(line):
    """Return the head of an answer."""
    came = b""
    while HEAD_END not in came:
        came += line.recv(65536)
    return came


def play(client, then, **when):
    rules = [{"when": when or {"method": "POST"}, "then": then}]
    answer = client.control("PUT", "scenarios", {"scenarios": [{"name": "s", "rules": rules}]})
    assert answer.status == 200, answer.data


def request(client, target, body=None):
    data = b"" if body is None else json.dumps(body).encode()
    lines = [f"{'GET' if body is None else 'POST'} /@{client.sandbox}{target} HTTP/1.1", "Host: x"]
    lines += [f"Content-Type: {TYPE}", f"Content-Length: {len(data)}"] if data else []
    return "\r\n".join([*lines, "", ""]).encode() + data


@contextmanager
def asking(client, target, body=None):
    """Yield a socket on which a request was sent."""
    with closing(socket.create_connection(("127.0.0.1", client.running.port), timeout=HANGS)) as line:
        line.sendall(request(client, target, body))
        yield line


def delivered(line, *, whole=False):
    """Return how the connection ended, and what came; with `whole`, stop when the body is complete."""
    came = b""
    try:
        while piece := line.recv(65536):
            came += piece
            if whole and is_whole(came):
                return "whole", came
    except ConnectionResetError:
        return "reset", came
    return "closed", came


def is_whole(came):
    head, found, body = came.partition(HEAD_END)
    sizes = [int(field.split(b":")[1]) for field in head.split(b"\r\n") if field.lower().startswith(b"content-length:")]
    return bool(found and sizes) and len(body) >= sizes[0]


def stored(client):
    return client.control("GET", "entities/onkey/AssetImportance?dataset=contoso/sandbox").data["total"] - SEEDED


def wire(client, n=1):
    return client.control("GET", f"exchanges/{n}").data["wire"]


@pytest.mark.parametrize(("at", "applied"), POINTS.items())
@pytest.mark.parametrize(
    ("fault", "end"),
    [
        ("EMPTY_RESPONSE", "closed"),
        ("MALFORMED_RESPONSE_CHUNK", "closed"),
        ("RANDOM_DATA_THEN_CLOSE", "closed"),
        ("CONNECTION_RESET_BY_PEER", "reset"),
    ],
)
def test_a_fault_breaks_the_connection_at_its_point(onkey, fault, end, at, applied):
    """Each of the four looks on the wire as its name says; the store has what was applied by then, and no more."""
    play(onkey, {"fault": fault, "at": at})
    with asking(onkey, BATCH, FIVE) as line:
        ended, came = delivered(line)
    assert ended == end
    assert LOOKS[fault](came), came
    assert stored(onkey) == applied
    assert wire(onkey) == {"at": at, "arrived": False, "fault": fault}


def is_malformed(came):
    head, _, body = came.partition(HEAD_END)
    return head.startswith(b"HTTP/1.1 200 OK") and b"Transfer-Encoding: chunked" in head and not body[:1].isalnum()


LOOKS = {
    "EMPTY_RESPONSE": lambda came: came == b"",
    "MALFORMED_RESPONSE_CHUNK": is_malformed,
    "RANDOM_DATA_THEN_CLOSE": lambda came: len(came) > 0 and not came.startswith(b"HTTP/"),
    "CONNECTION_RESET_BY_PEER": lambda came: came == b"",
}


@pytest.mark.parametrize(("at", "applied"), POINTS.items())
def test_a_truncated_body_is_as_long_as_its_share(onkey, at, applied):
    """The head promises the whole, a quarter comes, the connection is closed."""
    play(onkey, {"truncate": 0.25, "at": at})
    with asking(onkey, BATCH, FIVE) as line:
        ended, came = delivered(line)
    head, _, body = came.partition(HEAD_END)
    length = int(next(field for field in head.split(b"\r\n") if field.startswith(b"Content-Length:")).split()[1])
    assert (ended, len(body)) == ("closed", length // 4)
    assert stored(onkey) == applied


@pytest.mark.parametrize(("at", "applied"), POINTS.items())
def test_a_time_out_says_nothing_until_the_limit_is_reached(onkey, pauses, at, applied):
    """The connection is closed without a byte after `limits.timeoutSeconds`."""
    play(onkey, {"timeout": True, "at": at})
    with asking(onkey, BATCH, FIVE) as line:
        assert delivered(line) == ("closed", b"")
    assert pauses == [1.0]
    assert stored(onkey) == applied


def test_a_time_out_ends_when_the_client_gives_up(onkey):
    """Nobody waits for a client that is gone."""
    onkey.control("PATCH", "settings", {"limits": {"timeoutSeconds": 3600}})
    play(onkey, {"timeout": True})
    with asking(onkey, BATCH, FIVE):
        waits(lambda: onkey.running.server.active_requests == 1)
    waits(lambda: onkey.running.server.active_requests == 0)


@pytest.mark.parametrize(("at", "meanwhile"), POINTS.items())
def test_a_delay_shows_what_is_applied_at_its_point(onkey, at, meanwhile):
    """On a frozen clock the call waits until somebody advances it; then all is applied and answered."""
    play(onkey, {"delay": "5m", "on": "clock", "at": at})
    with asking(onkey, BATCH, FIVE) as line:
        waits(lambda: len(sandbox_of(onkey).clock_listeners) == 1)
        assert stored(onkey) == meanwhile
        onkey.control("POST", "clock/advance", {"by": "PT4M59S"})
        line.settimeout(0.1)
        with pytest.raises(TimeoutError):
            line.recv(1)
        line.settimeout(10)
        onkey.control("POST", "clock/advance", {"by": "PT1S"})
        assert delivered(line, whole=True)[0] == "whole"
    assert stored(onkey) == 5
    assert onkey.control("GET", "exchanges/1").data["at"] == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize("end", [("POST", "reset", {}), ("DELETE",)])
def test_a_call_that_waits_is_closed_when_its_sandbox_is_reset_or_dropped(onkey, end):
    """It belonged to another time."""
    play(onkey, {"delay": "5m", "on": "clock", "at": "before-commit"})
    with asking(onkey, BATCH, FIVE) as line:
        waits(lambda: len(sandbox_of(onkey).clock_listeners) == 1)
        onkey.control(*end)
        assert delivered(line) == ("closed", b"")
    assert onkey.call("GET", TRADES).status == 200
    assert stored(onkey) == 0


def test_nobody_waits_for_a_client_that_has_gone_when_all_is_done(onkey):
    """A delayed answer that nobody wants any more is given up; what is left to be done still waits."""
    play(onkey, {"delay": "5m", "on": "clock"})
    with asking(onkey, BATCH, FIVE):
        waits(lambda: len(sandbox_of(onkey).clock_listeners) == 1)
    waits(lambda: not sandbox_of(onkey).clock_listeners)
    play(onkey, {"delay": "5m", "on": "clock", "at": "before-commit"})
    with asking(onkey, BATCH, [{**FIVE[0], "properties": {"code": "LATE", "description": "D"}}]):
        waits(lambda: len(sandbox_of(onkey).clock_listeners) == 1)
    onkey.control("POST", "clock/advance", {"by": "PT5M"})
    waits(lambda: stored(onkey) == 6)


def test_a_scaled_clock_passes_a_delay_by_itself(onkey):
    """An hour of a clock that runs eighty thousand times as fast."""
    onkey.control("PUT", "clock", {"mode": "scaled", "factor": 80000})
    play(onkey, {"delay": "1h", "on": "clock"})
    with asking(onkey, BATCH, FIVE) as line:
        assert delivered(line, whole=True)[0] == "whole"


@pytest.mark.parametrize("at", POINTS)
def test_a_client_that_gives_up_does_not_undo_a_delayed_commit(onkey, at):
    """A slow server does the work all the same."""
    play(onkey, {"delay": "200ms", "at": at})
    with asking(onkey, BATCH, FIVE):
        waits(lambda: onkey.running.server.active_requests == 1)
    waits(lambda: stored(onkey) == 5)


def test_a_dribbled_body_comes_in_pieces_and_is_whole(onkey, held):
    """Each piece comes after a pause and not before, nothing is missing, and the connection lives on."""
    play(onkey, {"dribble": {"chunks": 4, "over_ms": 400}})
    with asking(onkey, BATCH, FIVE) as line:
        came = until_head(line)
        for left in (3, 2, 1, 0):
            assert not is_whole(came)
            held.release()
            came += line.recv(65536)
            assert is_whole(came) is (left == 0)
        assert held.pauses == [0.1] * 4
        assert len(json.loads(came.partition(HEAD_END)[2])["messages"]) == 5
        line.sendall(request(onkey, TRADES))
        assert delivered(line, whole=True)[1].startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(("at", "first"), [("before-commit", 0), ("during-commit", 2)])
def test_a_dribbled_answer_tells_what_is_applied_when_it_has_been_sent(onkey, held, at, first):
    """The ids in the answer are those of the records that come to be."""
    play(onkey, {"dribble": {"chunks": 5, "over_ms": 1000}, "at": at})
    with asking(onkey, BATCH, FIVE) as line:
        came = line.recv(65536)
        assert stored(onkey) == first
        held.release(5)
        while not is_whole(came):
            came += line.recv(65536)
    waits(lambda: stored(onkey) == 5)
    ids = [one["objectId"] for one in json.loads(came.partition(HEAD_END)[2])["messages"]]
    kept = onkey.control("GET", "entities/onkey/AssetImportance?dataset=contoso/sandbox").data["entities"]
    assert set(ids) <= {str(one["key"]) for one in kept}


def test_delays_follow_their_distribution(onkey, pauses):
    """A uniform delay is never shorter than its lower bound, and the journal tells what was drawn."""
    play(onkey, {"delay": {"uniform": {"lower_ms": 60, "upper_ms": 80}}}, method="GET")
    for n in (1, 2, 3):
        assert onkey.call("GET", TRADES).status == 200
        assert 0.06 <= float(wire(onkey, n)["delay"][2:-1]) <= 0.08
        assert pauses == [float(wire(onkey, one)["delay"][2:-1]) for one in range(1, n + 1)]


@pytest.mark.slow
def test_a_thousand_stalled_replies_hold_no_other_call_up(onkey):
    """Other calls are answered as ever, and the stalled ones end with their clients."""
    onkey.control("PATCH", "settings", {"limits": {"timeoutSeconds": 3600}})
    play(onkey, {"timeout": True})
    with ExitStack() as lines:
        for _ in range(1000):
            lines.enter_context(asking(onkey, BATCH, FIVE[:1]))
        waits(lambda: onkey.running.server.active_requests >= 1000)
        assert onkey.send("GET", f"/@other{TRADES}").status == 200
        assert onkey.control("GET", "clock").status == 200
    waits(lambda: onkey.running.server.active_requests == 0)


def test_a_stalled_client_holds_no_other_call_up(onkey):
    """One that never reads its dribbled answer is no trouble for others, nor is its end."""
    play(onkey, {"dribble": {"chunks": 100, "over_ms": 60000}})
    with asking(onkey, BATCH, FIVE) as line:
        waits(lambda: onkey.running.server.active_requests == 1)
        assert onkey.control("GET", "clock").status == 200
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    waits(lambda: onkey.running.server.active_requests == 0)


FATES = {
    "EMPTY_RESPONSE": "closed",
    "MALFORMED_RESPONSE_CHUNK": "garbled",
    "RANDOM_DATA_THEN_CLOSE": "garbled",
    "CONNECTION_RESET_BY_PEER": "reset",
}


def delivery(client, n=1):
    """Return what the journal says that the client got."""
    return client.control("GET", f"exchanges/{n}").data["delivery"]


@pytest.mark.parametrize("at", POINTS)
@pytest.mark.parametrize(("fault", "fate"), FATES.items())
def test_the_journal_says_what_a_fault_made_of_the_answer(onkey, fault, fate, at):
    """The status is what was meant; beside it stands what came, wherever the commit was."""
    play(onkey, {"fault": fault, "at": at})
    with asking(onkey, BATCH, FIVE) as line:
        delivered(line)
    assert onkey.control("GET", "exchanges/1").data["status"] == 200
    assert delivery(onkey) == {"fate": fate, "bytes": 0}


def test_the_journal_says_how_much_was_sent(onkey):
    """Of an answer that was cut off, and of one that came whole."""
    play(onkey, {"truncate": 0.25})
    with asking(onkey, BATCH, FIVE) as line:
        body = delivered(line)[1].partition(HEAD_END)[2]
    assert delivery(onkey) == {"fate": "cut", "bytes": len(body)}
    answer = onkey.call("GET", TRADES)
    assert delivery(onkey, 2) == {"fate": "sent", "bytes": len(answer.body)}


def test_a_time_out_is_told_as_what_it_is(onkey, pauses):
    """The server closed the connection at last."""
    play(onkey, {"timeout": True})
    with asking(onkey, BATCH, FIVE) as line:
        delivered(line)
    assert delivery(onkey) == {"fate": "closed", "bytes": 0}
    assert pauses


@pytest.mark.parametrize("then", [{"timeout": True}, {"delay": "5m", "on": "clock"}, {"delay": "50m"}])
def test_a_client_that_gives_up_is_told(onkey, then):
    """Nothing came as long as the client waited, and nothing came in the end."""
    onkey.control("PATCH", "settings", {"limits": {"timeoutSeconds": 3600}})
    play(onkey, then)
    with asking(onkey, BATCH, FIVE):
        waits(lambda: onkey.running.server.active_requests == 1)
        assert delivery(onkey) == {"fate": "waiting", "bytes": 0}
    waits(lambda: delivery(onkey)["fate"] == "client-gone")


@pytest.mark.parametrize("at", POINTS)
def test_a_delayed_answer_is_told_once_it_was_sent(onkey, at):
    """It waits where it is recorded already, and has come after the delay."""
    play(onkey, {"delay": "5m", "on": "clock", "at": at})
    with asking(onkey, BATCH, FIVE) as line:
        waits(lambda: len(sandbox_of(onkey).clock_listeners) == 1)
        if at == "after-commit":
            assert delivery(onkey)["fate"] == "waiting"
        onkey.control("POST", "clock/advance", {"by": "PT5M"})
        delivered(line, whole=True)
    assert delivery(onkey)["fate"] == "sent"


@pytest.mark.parametrize("at", POINTS)
def test_a_dribble_that_nobody_reads_to_its_end_is_told(onkey, held, at):
    """The journal says how much came before the client had gone."""
    play(onkey, {"dribble": {"chunks": 4, "over_ms": 400}, "at": at})
    with asking(onkey, BATCH, FIVE) as line:
        until_head(line)
        held.release()
        first = line.recv(65536)
    waits(lambda: sandbox_of(onkey).journal.last or held.release())
    waits(lambda: held.release() or delivery(onkey)["fate"] == "client-gone")
    assert delivery(onkey)["bytes"] >= len(first)


def test_a_client_that_gave_up_on_a_large_batch_is_told(onkey):
    """No scenario is needed: who hangs up while the batch is carried out gets nothing.

    On a busy machine the answer may have been sent before the client came to hang up: then it tries again.
    """
    attempts = count(1)

    def gave_up():
        last = next(attempts)
        with asking(onkey, BATCH, many(1000 * last)):
            pass
        waits(lambda: sandbox_of(onkey).journal.last == last)
        waits(lambda: delivery(onkey, last)["fate"] != "waiting")
        return delivery(onkey, last) == {"fate": "client-gone"}

    waits(gave_up)
    assert stored(onkey) == 1000 * (next(attempts) - 1)


def many(first):
    """Return a thousand records with keys and codes from a number on."""
    numbers = range(first, first + 1000)
    return [{"userObjectId": f"r{n}", "properties": {"code": f"C{n}", "description": "D" * 90}} for n in numbers]


def sandbox_of(client):
    return client.running.service.sandboxes.use(client.sandbox, datetime.now(UTC))


def waits(until):
    """Wait until something is so."""
    assert eventually(until), "it did not come to pass"
