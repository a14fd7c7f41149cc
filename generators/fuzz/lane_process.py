"""A process beside this one that plays half of the lanes of every shard, so that one campaign uses two cores.

Begin with `LaneProcess`. What a lane sends to a sandbox depends on the seed alone, wherever it is played. On a server
without sandboxes each process takes every second task.
"""

import gc
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any, Final, TypeAlias

from contracts.errors import BulkproofError
from generators.client.http import NoAnswerError
from generators.fuzz.shards import Beside, CampaignConfig, Emit, Shard
from generators.fuzz.worker import LANE_COUNT, run_shard

COLLECTED_OBJECTS: Final = 10_000  # new objects between two runs of the garbage collector
END_TIMEOUT: Final = 1.0  # seconds for its lanes, and for the process, to end by itself
HERE, THERE = tuple(range(0, LANE_COUNT, 2)), tuple(range(1, LANE_COUNT, 2))  # the lanes that each process plays
DIED: Final = "The second process of the campaign died; the first one goes on alone."
Message: TypeAlias = tuple[str, Any]
"""`shard` with one to play, `found` and `kept` with a fingerprint, `alone` (see `Beside`), `end` of a shard, `quit`."""


class LaneProcess:
    """Plays half of the lanes of a shard while this process plays the others; all their events are emitted here.

    The process takes a second to start: its lanes join the first shard late. When it dies, the others go on.
    """

    def __init__(self, job: CampaignConfig) -> None:
        context = get_context("spawn")  # a forked process would lack the threads that hold its locks
        self._job = job
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=play_lanes, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self._connection.send(job)
        self._lock = Lock()
        self._thread: Thread | None = None
        self._there = Beside()
        self._is_open = self._is_stopped = False
        self._untried: set[str] = set()
        self._failure: BaseException | None = None
        self.is_dead = False

    def run(self, shard: Shard, emit: Emit, is_over: Callable[[], bool]) -> None:
        """Run a shard as `run_shard` does, with its lanes in two processes."""
        self._begin(shard, emit)
        self._there.hear("shard")
        try:
            here, is_ended = replace(shard, lanes=HERE), lambda: self._failure is not None or is_over()
            run_shard(self._job, here, lambda event: self._tell(event, emit), is_ended, self._there)
        finally:
            self._end()
        if self._failure is not None:
            raise self._failure
        emit({"kind": "ended", "shard": shard.name})

    def _begin(self, shard: Shard, emit: Emit) -> None:
        before, self._is_open, self._untried = self._thread, True, {one.fingerprint for one in shard.untried}
        self._thread = Thread(target=self._forward, args=(shard, emit, before, monotonic()), daemon=True)
        self._thread.start()

    def _forward(self, shard: Shard, emit: Emit, before: Thread | None, begun: float) -> None:
        """Send a shard once the process is ready for it, and emit the events of its lanes until they end."""
        if before is not None:
            before.join()
        try:
            self._connection.recv()
            with self._lock:
                if not self._is_open:
                    return
                seconds = max(0.0, shard.seconds - (monotonic() - begun))
                self._connection.send(("shard", replace(shard, seconds=seconds, lanes=THERE, untried=())))
                for mark in self._untried:  # what waits from the begin, it waits here
                    self._connection.send(("found", mark))
            while (event := self._connection.recv())["kind"] != "ended":
                self._take(event, emit)
        except (EOFError, OSError):
            self.is_dead = True
            self._there.hear("shard")
            if self._is_open:
                emit({"kind": "message", "says": DIED})

    def _take(self, event: Mapping[str, Any], emit: Emit) -> None:
        if self._is_stopped:
            return
        kind, found = event["kind"], event.get("finding")
        mark = found.fingerprint if found is not None else ""
        is_told = kind == "found" and mark in self._there.found
        self._there.hear("kept" if kind == "handed" else kind, mark)
        if kind == "failed":
            self._failure = event["error"]
        elif kind == "handed" and found is not None:
            self._there.handed.append(found)
        elif kind != "alone" and not is_told:
            emit(event)

    def _tell(self, event: Mapping[str, Any], emit: Emit) -> None:
        """Emit an event of this process, and tell the other one of findings, and when this one goes on alone."""
        if event["kind"] in {"found", "kept", "alone"}:
            found = event.get("finding")
            mark = found.fingerprint if found is not None else ""
            with self._lock:
                self._untried.discard(mark)
            self._send((event["kind"], mark))
        if event["kind"] != "ended":
            emit(event)

    def _end(self) -> None:
        """End the lanes of the other process, which has the same time limit, and wait for it a little."""
        self._is_open = False
        self._send(("end", None))
        if self._thread is not None:
            self._thread.join(END_TIMEOUT)

    def _send(self, message: Message) -> None:
        with self._lock, suppress(OSError):  # the thread tells of a process that died
            self._connection.send(message)

    def stop(self) -> None:
        """End the process, which deletes its sandboxes."""
        self._is_open, self._is_stopped = False, True
        self._send(("quit", None))
        self._process.join(END_TIMEOUT)
        self._process.terminate()


class _Inbox:
    """What the other process has sent: shards, findings, and whether the present shard is over."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.shards: SimpleQueue[Shard | None] = SimpleQueue()
        self.beside = Beside()
        self.over = Event()

    def listen(self) -> None:
        """Take messages until the campaign or its process ends."""
        kind: str = ""
        value: Any = None
        while kind != "quit":
            try:
                kind, value = self._connection.recv()
            except (EOFError, OSError):
                kind = "quit"
            if kind in {"end", "quit"}:
                self.over.set()
                continue
            self.beside.hear(kind, "" if kind == "shard" else value)
            if kind == "shard":
                self.over.clear()
                self.shards.put(value)
        self.shards.put(None)


def play_lanes(connection: Connection) -> None:
    """Play lanes as they are sent, until there are no more; the whole of the other process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    job: CampaignConfig = connection.recv()
    gc.freeze()
    gc.set_threshold(COLLECTED_OBJECTS)
    inbox = _Inbox(connection)
    Thread(target=inbox.listen, daemon=True).start()
    with suppress(OSError):  # a campaign that was killed hears of nothing
        connection.send({"kind": "ready"})
        while (shard := inbox.shards.get()) is not None:
            try:
                run_shard(job, shard, connection.send, inbox.over.is_set, inbox.beside)
            except (BulkproofError, NoAnswerError) as error:
                connection.send({"kind": "failed", "error": error})
                connection.send({"kind": "ended"})
            connection.send({"kind": "ready"})
