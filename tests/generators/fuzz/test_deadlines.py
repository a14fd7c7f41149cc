"""Time: nothing is begun when it is over, no wait outlasts it, and nobody who hangs is waited for."""

import socket
import threading
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from children import HANGS

from contracts.messages import Headers, Request, Response
from contracts.openapi.loading import load_bundled
from generators.client.environments import TargetOptions
from generators.client.http import NoAnswerError
from generators.client.session import WAIT_SLICE, DeadlineExceededError, Session
from generators.fuzz import executors
from generators.fuzz.shards import CampaignConfig, Shard
from generators.fuzz.worker import run_shard

CALL = Request(method="GET", path="/")


class Caller:
    """Answers, or does not, and notes how long it is told to wait."""

    def __init__(self, *, controlled=False, on_send=lambda: None):
        self.controlled, self.on_send, self.waited = controlled, on_send, []

    def send(self, call):
        del call
        self.on_send()
        return Response(status=200, headers=Headers(), body=b"")

    def advance(self, by):
        self.waited.append(by)

    def now(self):
        return datetime.now(UTC)


def limited(client, is_over):
    return Session(load_bundled("genero"), client, is_over=is_over)


def test_nothing_is_sent_when_it_is_over():
    """A call is made until then, and no call after that."""
    sent = []
    session = limited(Caller(on_send=lambda: sent.append(1)), lambda: bool(sent))
    assert session.send(CALL).response.status == 200
    with pytest.raises(DeadlineExceededError):
        session.send(CALL)
    assert len(sent) == 1


def test_a_wait_ends_with_the_time():
    """A real wait is given up when it is over; one that costs nothing is made at once."""
    real = Caller()
    with pytest.raises(DeadlineExceededError):
        limited(real, lambda: sum(real.waited, timedelta(0)) > timedelta(seconds=0.3)).advance(timedelta(seconds=60))
    assert timedelta(seconds=0.3) < sum(real.waited, timedelta(0)) <= timedelta(seconds=0.3) + WAIT_SLICE
    free = Caller(controlled=True)
    limited(free, lambda: False).advance(timedelta(days=1))
    assert free.waited == [timedelta(days=1)]


def test_a_call_that_time_cut_off_says_nothing_of_the_server():
    """No answer is a finding only while there was time for one."""
    over = []

    def hang_up():
        over.append(1)
        raise NoAnswerError("gone")

    with pytest.raises(DeadlineExceededError):
        limited(Caller(on_send=hang_up), lambda: bool(over)).send(CALL)


@pytest.fixture
def silent():
    """Return the URL of a server that says 404 for a while, and then takes calls without ever answering."""
    server = socket.create_server(("127.0.0.1", 0))
    held, left = [], [30]

    def serve(connection):
        while connection.recv(65536):
            left[0] -= 1
            if left[0] < 0:
                return
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    def accept():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            held.append(connection)
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}"
    server.close()
    for one in held:
        one.close()


@pytest.mark.slow
def test_a_shard_does_not_wait_for_an_answer_that_does_not_come(silent):
    """A server that stops answering without hanging up holds nothing up beyond the time."""
    job, events = (
        CampaignConfig(contract=load_bundled("onkey"), place=TargetOptions(url=silent, timeout=10 * HANGS)),
        [],
    )
    run_shard(job, Shard(number=0, part="bulk", seconds=1.5), events.append)
    assert events[-1]["kind"] == "ended"


@pytest.mark.slow
def test_schemathesis_is_not_waited_for(monkeypatch):
    """What runs beside the fuzzer is left to its end when the time is up."""
    go, ended = threading.Event(), threading.Event()
    monkeypatch.setattr(executors, "run_shard", lambda *_: go.wait() and ended.set())
    job = CampaignConfig(contract=load_bundled("onkey"), place=TargetOptions(url="http://127.0.0.1:1"))
    asked = count()
    shard = Shard(number=0, part="schemas", seconds=30.0)
    executors.LocalExecutor(job).run([shard], lambda _: None, lambda: next(asked) > 3)
    assert not ended.is_set()
    go.set()
    assert ended.wait(HANGS)
