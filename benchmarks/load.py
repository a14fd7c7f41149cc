"""Server processes and a light load on them: a number of requests over some connections, and what they cost.

A cost is the CPU time of the server's whole process tree, which a busy machine disturbs little; the load generator is
another process, so that it is not part of it.
"""

import atexit
import os
import re
import selectors
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import orjson

HERE = Path(__file__).parent
JSON = "application/json"
PATIENCE = 60.0  # seconds until a server must have said where it listens


@cache
def work_folder() -> Path:
    """Make a folder, which is removed at the end of this process, also at SIGTERM, when servers are ended too."""
    folder = TemporaryDirectory(prefix="bulkproof-bench-")
    atexit.register(folder.cleanup)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    return Path(folder.name)


def environment() -> dict[str, str]:
    """Return the variables that all processes get: they start from bytecode, as installed packages do."""
    own = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**own, "PYTHONPYCACHEPREFIX": str(work_folder()), "PYTHONPATH": str(HERE.parent)}


class Server:
    """A process that listens on a port of the loopback address: one that it prints, unless the port is given."""

    def __init__(self, *command: str, port: int = 0, cwd: Path | None = None) -> None:
        self.began, self.spent = time.perf_counter(), {}
        out = subprocess.DEVNULL if port else subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdout=out, stderr=out if port else None, text=True, env=environment(), cwd=cwd
        )
        self.port = port or self._printed()
        self._wait()
        self.connection = HTTPConnection("127.0.0.1", self.port)
        self.ready = time.perf_counter() - self.began

    def _printed(self) -> int:
        for line in self.process.stdout or ():
            found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            if found:
                return int(found[1])
        raise SystemExit(f"{' '.join(map(str, self.process.args))[:200]} ended before it listened.")

    def _wait(self) -> None:
        while self.process.poll() is None and time.perf_counter() - self.began < PATIENCE:
            try:
                return socket.create_connection(("127.0.0.1", self.port)).close()
            except OSError:
                time.sleep(0.01)
        self.process.kill()
        raise SystemExit(f"{' '.join(map(str, self.process.args))[:200]} did not listen on port {self.port}.")

    def call(self, method: str, path: str, body: object = None, media_type: str = JSON, **headers: str) -> bytes:
        sent = body if isinstance(body, bytes | None) else orjson.dumps(body)
        fields = {"Content-Type": media_type, **headers}
        try:
            self.connection.request(method, path, sent, fields)
            reply = self.connection.getresponse()
        except ConnectionError:  # it had been idle for so long that the server closed it
            self.connection.close()
            self.connection.request(method, path, sent, fields)
            reply = self.connection.getresponse()
        return reply.read()

    def tree(self) -> list[Path]:
        """Return the folders in /proc of the process and what it started."""
        found, rest = [], [self.process.pid]
        while rest:
            folder = Path(f"/proc/{rest.pop()}")
            found.append(folder)
            for task in folder.glob("task/*/children"):
                rest.extend(map(int, task.read_text().split()))
        return found

    def cpu(self) -> float:
        """Return the CPU seconds of every thread of the process tree; of one that ended, what it was seen with."""
        tasks = [task for one in self.tree() for task in one.glob("task/*/schedstat")]
        self.spent |= {task: int(task.read_text().split()[0]) for task in tasks}
        return sum(self.spent.values()) / 1e9

    def cpu_since_start(self) -> float:
        """Return the CPU seconds of the process tree since its start, those of threads that ended too, to 10 ms."""
        fields = [(one / "stat").read_text().rpartition(")")[2].split() for one in self.tree()]
        return sum(int(one[11]) + int(one[12]) for one in fields) / os.sysconf("SC_CLK_TCK")

    def megabytes(self) -> float:
        """Return the resident memory of the process tree."""
        texts = [(one / "status").read_text() for one in self.tree()]
        return sum(int(found[1]) for one in texts if (found := re.search(r"VmRSS:\s+(\d+)", one))) / 1024

    def stop(self) -> None:
        self.connection.close()
        self.process.terminate()
        self.process.wait(20)


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """Stop the server at the end."""
    try:
        yield server
    finally:
        server.stop()


class Sandbox(Server):
    """`bulkproof serve`."""

    def __init__(self, *options: str) -> None:
        super().__init__(sys.executable, "-m", "mockserver", "serve", "--port", "0", *options)

    def reset(self) -> None:
        """Empty the default sandbox."""
        self.call("POST", "/_sandbox/sandboxes/default/reset", {})


def bare(*options: str) -> Server:
    """Start the bare aiohttp server."""
    return Server(sys.executable, str(HERE / "bare_server.py"), *options)


def request(path: str, body: bytes = b"", media_type: str = JSON, method: str = "POST") -> bytes:
    """Return a whole request as bytes."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n"
    if body:
        head += f"Content-Type: {media_type}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}\r\n".encode() + body


class Connection:
    """A kept connection: one request at a time, whose response is read to its end, and may be a refusal or not."""

    def __init__(self, port: int, *, refusable: bool = False) -> None:
        self.refusable = refusable
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.began, self.got = 0.0, b""

    def send(self, sent: bytes) -> None:
        self.began, self.got = time.perf_counter(), b""
        self.socket.sendall(sent)

    def read(self) -> bool:
        """Read what is there; return whether the response is complete. One that refuses ends the benchmark."""
        more = self.socket.recv(1 << 20)
        self.got += more
        head, found, body = self.got.partition(b"\r\n\r\n")
        if not more or (found and not self.refusable and head[9:10] != b"2"):
            raise SystemExit(f"The server refused: {self.got[:400].decode(errors='replace')}")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        return bool(found) and (len(body) >= int(length[1]) if length else body.endswith(b"0\r\n\r\n"))

    def close(self) -> None:
        self.socket.close()


def load(
    port: int, requests: Sequence[bytes], count: int, connections: int = 8, *, refusable: bool = False
) -> list[float]:
    """Send `count` requests, the given ones in turn; return the seconds that each took."""
    took, sent, done = [], 0, 0
    with selectors.DefaultSelector() as selector:
        for _ in range(min(connections, count)):
            one = Connection(port, refusable=refusable)
            selector.register(one.socket, selectors.EVENT_READ, one)
            one.send(requests[sent % len(requests)])
            sent += 1
        while done < count:
            for key, _ in selector.select():
                if not key.data.read():
                    continue
                took.append(time.perf_counter() - key.data.began)
                done += 1
                if sent < count:
                    key.data.send(requests[sent % len(requests)])
                    sent += 1
        for key in list(selector.get_map().values()):
            key.data.close()
    return took


def interleaved(
    works: dict[str, tuple[Server, int, Callable[[], object]]], rounds: int, *, reset: bool = True
) -> dict[str, list[float]]:
    """Return for each name the CPU milliseconds of one request in each round: all in random order, one after the other.

    A work sends as many requests as its number says. Sandboxes are emptied before, unless they are to stay full.
    """
    costs: dict[str, list[float]] = {name: [] for name in works}
    order = list(works)
    for turn in range(rounds):
        Random(turn).shuffle(order)
        for name in order:
            server, count, work = works[name]
            if reset and isinstance(server, Sandbox):
                server.reset()
            before = server.cpu()
            work()
            costs[name].append((server.cpu() - before) * 1000 / count)
    return costs


def ratio(costs: dict[str, list[float]], over: str, under: str) -> float:
    """Return the median over the rounds of one's cost over another's in the same round."""
    return statistics.median(one / other for one, other in zip(costs[over], costs[under], strict=True))


def row(figure: str, got: float, goal: str, *, unit: str = "x") -> None:
    print(f"{figure:<78}{got:>9.2f} {unit:<4} goal {goal}", flush=True)
