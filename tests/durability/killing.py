"""Kill a durable server at random instants under load, and compare what it acknowledged with what it has.

    python tests/durability/killing.py --kills 1000 --seed 1 --sync normal

Eight clients write: requests with an idempotency key, which are sent again until they are answered; requests that are
applied whole or not at all; jobs; and the clock. Nothing that was answered may be lost or have become something else,
nothing may be half there, nothing twice. It prints a line of figures and ends with 1 when something was wrong.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent
CLIENTS = 8
LIVES_OF_A_SANDBOX = 20  # after which it is compared whole and dropped
STEP = "PT1S"


@dataclass
class Life:
    """Where the server is that runs now; `number` counts its lives."""

    port: int = 0
    number: int = 0


@dataclass
class Believed:
    """What the clients of one sandbox were told.

    `keyed` has the ids of books by ISBN, `whole` the batches with whether each was answered, `jobs` the ids of jobs;
    `advanced` counts the steps of the clock that were answered, `attempts` those that were sent.
    """

    keyed: dict = field(default_factory=dict)
    whole: list = field(default_factory=list)
    jobs: list = field(default_factory=list)
    advanced: int = 0
    attempts: int = 0


class Harness:
    """One run: the server's lives, its clients, and what was found wrong."""

    def __init__(self, server, seed):
        self.server, self.random, self.life = server, random.Random(seed), Life()
        self.believed, self.sandbox = Believed(), "s0"
        self.counts, self.wrong = Counter(), []
        self.serving, self.stopping = threading.Event(), False
        self.numbers = iter(range(10**9))

    def begin(self):
        """Start a life of the server."""
        self.server.stdin.write("\n")
        self.server.stdin.flush()
        port, process = map(int, self.server.stdout.readline().split())
        self.life = Life(port, self.life.number + 1)
        return process

    def call(self, method, path, body=None, headers=None):
        """Return status and value; raises OSError or HTTPException when there is no whole response."""
        connection = HTTPConnection("127.0.0.1", self.life.port, timeout=60)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
            response = connection.getresponse()
            content = response.read()
            return response.status, json.loads(content or b"null")
        finally:
            connection.close()

    def client(self, number):
        """Write until the sandbox is compared; what is not answered is sent again where it has a key."""
        write = (self.keyed, self.keyed, self.whole, self.whole, self.whole, self.job, self.job, self.clock)[number]
        while not self.stopping:
            try:
                write(f"{number}-{next(self.numbers)}")
            except (OSError, HTTPException):
                self.counts["unanswered"] += 1
                self.serving.wait(60)

    def keyed(self, name):
        isbns = [f"{name}-{n}" for n in range(3)]
        while not self.stopping:
            try:
                status, value = self.call(
                    "POST", f"/@{self.sandbox}/books-api/books/bulk-once", books(isbns), {"Idempotency-Key": name}
                )
            except (OSError, HTTPException):
                self.counts["sent again"] += 1
                self.serving.wait(60)
                continue
            self.expect(status == 200, f"{name}: {status} {value}")
            self.believed.keyed |= {isbn: one["id"] for isbn, one in zip(isbns, value["results"], strict=True)}
            return

    def whole(self, name):
        isbns = [f"{name}-{n}" for n in range(4)]
        batch = [isbns, None]
        self.believed.whole.append(batch)
        status, value = self.call("POST", f"/@{self.sandbox}/books-api/books/bulk-whole", books(isbns))
        self.expect(status == 200, f"{name}: {status} {value}")
        batch[1] = [one["id"] for one in value["results"]]

    def job(self, name):
        blocks = [{"blockId": name, "name": name}]
        status, value = self.call("POST", f"/@{self.sandbox}/genero/api/v1/block/postJob", blocks)
        self.expect(status == 200, f"{name}: {status} {value}")
        self.believed.jobs.append(value["correlationId"])

    def clock(self, name):
        del name
        self.believed.attempts += 1
        status, value = self.call("POST", f"/_sandbox/sandboxes/{self.sandbox}/clock/advance", {"by": STEP})
        self.expect(status == 200, f"clock: {status} {value}")
        self.believed.advanced += 1

    def expect(self, holds, what):
        self.counts["answered"] += 1
        if not holds:
            self.wrong.append(what)

    def compare(self):
        """Compare what the clients believe with what is there."""
        believed, sandbox = self.believed, self.sandbox
        _, listed = self.call("GET", f"/@{sandbox}/books-api/books")
        stored = {}
        for book in listed:
            stored.setdefault(book["isbn"], []).append(book["id"])
        self.wrong += [f"twice: {isbn}" for isbn, ids in stored.items() if len(ids) > 1]
        self.wrong += [f"lost or other: {isbn}" for isbn, one in believed.keyed.items() if stored.get(isbn) != [one]]
        for isbns, answered in believed.whole:
            there = [stored.get(isbn, [None])[0] for isbn in isbns]
            if answered is not None and there != answered:
                self.wrong.append(f"lost or other: {isbns}")
            if 0 < sum(one is not None for one in there) < len(isbns):
                self.wrong.append(f"half: {isbns}")
        _, told = self.call("GET", f"/_sandbox/sandboxes/{sandbox}/jobs")
        known = {job["id"] for job in told["jobs"]}
        self.wrong += [f"lost: job {job}" for job in believed.jobs if job not in known]
        _, clock = self.call("GET", f"/_sandbox/sandboxes/{sandbox}/clock")
        _, minutes, seconds = clock["now"].partition("T")[2].rstrip("Z").partition(".")[0].split(":")
        passed = 60 * int(minutes) + int(seconds)
        if not believed.advanced <= passed <= believed.attempts:
            self.wrong.append(f"clock: {believed.advanced} to {believed.attempts} steps, and {passed} have passed")
        self.counts["books"] += len(listed)
        self.counts["jobs"] += len(known)

    def run(self, kills):
        """Kill the server that many times."""
        process = self.begin()
        while self.life.number <= kills:
            self.stopping, self.believed = False, Believed()
            self.serving.set()
            clients = [threading.Thread(target=self.client, args=(number,)) for number in range(CLIENTS)]
            for client in clients:
                client.start()
            for _ in range(min(LIVES_OF_A_SANDBOX, kills + 1 - self.life.number)):
                time.sleep(self.random.uniform(0.01, 0.3))
                self.serving.clear()
                os.kill(process, signal.SIGKILL)
                process = self.begin()
                self.serving.set()
            self.stopping = True
            for client in clients:
                client.join()
            self.compare()
            self.call("DELETE", f"/_sandbox/sandboxes/{self.sandbox}")
            self.sandbox = f"s{self.life.number}"
        os.kill(process, signal.SIGKILL)


def books(isbns):
    return [{"isbn": isbn, "title": "T"} for isbn in isbns]


@contextmanager
def served(path, sync):
    """Yield a process that forks servers."""
    command = [sys.executable, str(HERE / "killed_server.py"), str(path), sync]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        yield server
        server.stdin.close()


def kill_often(kills, *, seed, sync):
    """Return what was counted and what was found wrong."""
    with TemporaryDirectory() as folder, served(Path(folder) / "sandbox.db", sync) as server:
        harness = Harness(server, seed)
        harness.run(kills)
        return harness.counts, harness.wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sync", choices=["full", "normal"], default="normal")
    given = parser.parse_args()
    began = time.monotonic()
    counts, wrong = kill_often(given.kills, seed=given.seed, sync=given.sync)
    head = f"{given.kills} kills in {time.monotonic() - began:.0f} s: {dict(counts)}, {len(wrong)} wrong"
    sys.stdout.write("\n".join([head, *wrong[:20], ""]))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
