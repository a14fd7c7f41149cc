"""Measure serving, as ratios side by side in one run: `python benchmarks/serving.py --posts 10000`.

Costs are CPU seconds of the server's process, which a busy machine disturbs little. Nothing here fails: it reports.
"""

import argparse
import http.client
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from contracts.openapi.loading import load_bundled

HERE = Path(__file__).parent
TICK = os.sysconf("SC_CLK_TCK")
ONKEY = "/onkey/api/tenants/contoso/sandbox/modules/risk/assetimportances/batch?mode=PerRecord"
COLLECTION = "application/vnd.onkey.entitycollection+json"
BYTECODE = TemporaryDirectory(prefix="bulkproof-bench-")  # both sides start from bytecode, as installed packages do
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
ENVIRONMENT["PYTHONPYCACHEPREFIX"] = BYTECODE.name
GENERO = "/genero/api/v1/customer/postJob"


class Server:
    """A server process with one connection to it."""

    def __init__(self, *command: str) -> None:
        began = time.perf_counter()
        self.process = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            if found:
                break
        self.port = int(found[1])
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port)
        self.ready = time.perf_counter() - began

    def call(
        self, method: str, path: str, body: object = None, media_type: str = "application/json", **headers: str
    ) -> bytes:
        sent = body if isinstance(body, bytes | None) else orjson.dumps(body)
        self.connection.request(method, path, sent, {"Content-Type": media_type, **headers})
        reply = self.connection.getresponse()
        return reply.read()

    def cpu(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def on_cpu(self) -> float:
        """Return the CPU seconds of every thread, to the nanosecond."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(one.read_text().split()[0]) for one in tasks) / 1e9

    def megabytes(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@contextmanager
def sandbox(*options: str) -> Iterator[Server]:
    server = Server("-m", "mockserver", "serve", "--port", "0", *options)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def bare() -> Iterator[Server]:
    server = Server(str(HERE / "bare_server.py"))
    try:
        yield server
    finally:
        server.stop()


def cost(server: Server, work: Callable[[], object], *, seconds: float = 2.0) -> float:
    """Return the server's CPU seconds per `work`, over about `seconds` of it."""
    work()
    began, before, times = time.perf_counter(), server.cpu(), 0
    while time.perf_counter() - began < seconds:
        work()
        times += 1
    return (server.cpu() - before) / times


def own_cost(work: Callable[[], object], times: int = 60) -> float:
    spent = []
    for _ in range(times):
        before = time.process_time()
        work()
        spent.append(time.process_time() - before)
    return statistics.median(spent)


GOOD = {"name": "A customer with a name", "phone": "+46 8 123 456", "deleted": False}
ONE_FAULT = {**GOOD, "name": 7}
THREE_FAULTS = {"name": 7, "phone": 7, "deleted": "no"}


def customers(count: int, members: dict[str, object] = GOOD) -> bytes:
    return orjson.dumps([{"customerId": f"c{n}", **members} for n in range(count)])


def importances(count: int, batch: int) -> bytes:
    return orjson.dumps(
        [
            {
                "userObjectId": f"r{n}",
                "properties": {"code": f"{batch}-{n}", "description": "an importance", "notes": "notes", "weight": 1},
            }
            for n in range(count)
        ]
    )


def row(figure: str, got: float, goal: str, *, unit: str = "x") -> None:
    print(f"{figure:<78}{got:>9.2f} {unit:<4} goal {goal}", flush=True)


def batches() -> None:
    """A valid 5000-item Genero batch: its post, and its job, against parsing and validating alone."""
    body = customers(5000)
    contract = load_bundled("genero")
    item = contract.schemas.schema(contract.resources["customer"].schema)
    fits = item.validator.is_valid
    alone = own_cost(lambda: all(map(fits, orjson.loads(body))))
    bad, worse = customers(5000, ONE_FAULT), customers(5000, THREE_FAULTS)
    with sandbox("--clock", "frozen") as server:
        post = cost(server, lambda: server.call("POST", GENERO, body))
        server.call("POST", "/_sandbox/sandboxes/default/reset", {})
        for _ in range(20):
            server.call("POST", GENERO, body)
        before = server.cpu()
        server.call("POST", "/_sandbox/sandboxes/default/clock/advance", {"by": "PT1H"})
        run = (server.cpu() - before) / 20
        refused = cost(server, lambda: server.call("POST", GENERO, bad))
        explained = cost(server, lambda: server.call("POST", GENERO, worse))
        size = max(len(server.call("POST", GENERO, one)) for one in (bad, worse))
    row("post of 5000 items / parse and validate alone", post / alone, "<= 4")
    row("run of its job / parse and validate alone", run / alone, "<= 10")
    row("5000 bad items refused / 5000 good ones posted", refused / post, "< 10")
    row("5000 items with three faults each refused / 5000 good ones posted", explained / post, "< 10")
    row("answer to 5000 bad items", size / 1024, "< 64", unit="KiB")


def creates() -> None:
    """100-item PerRecord creates against a handler that validates the same body and answers a constant."""
    count = 0

    def work(server: Server) -> Callable[[], object]:
        def one() -> None:
            nonlocal count
            count += 1
            server.call("POST", ONKEY, importances(100, count), COLLECTION)

        return one

    with sandbox("--clock", "frozen") as ours, bare() as theirs:
        rates = []
        for _ in range(3):
            ours.call("POST", "/_sandbox/sandboxes/default/reset", {})
            rates.append(cost(theirs, work(theirs), seconds=1) / cost(ours, work(ours), seconds=1))
    row("100-item On Key create: rate of a bare handler's (by CPU)", statistics.median(rates) * 100, ">= 40", unit="%")


def growth() -> None:
    """Costs that must grow linearly, and costs that must not grow."""
    with sandbox("--clock", "frozen", "--max-sandboxes", "2000") as server:

        def whole(size: int) -> float:
            server.call("POST", "/_sandbox/sandboxes/default/reset", {})
            body = customers(size)
            return cost(server, lambda: server.call("POST", GENERO, body), seconds=3)

        costs = {size: whole(size) for size in (10, 500, 5000)}
        near, far = (costs[500] - costs[10]) / 490, (costs[5000] - costs[500]) / 4500
        row("a further item, from 500 to 5000 against from 10 to 500", far / near, "<= 1.5")
        count = 0

        def create() -> None:
            nonlocal count
            count += 1
            server.call("POST", ONKEY, importances(100, count), COLLECTION)

        server.call("POST", "/_sandbox/sandboxes/default/reset", {})
        few = cost(server, create, seconds=1)
        for _ in range(100):
            count += 1
            server.call("POST", ONKEY, importances(1000, count), COLLECTION)
        row("the same create with 100,000 more entities stored", cost(server, create, seconds=1) / few, "about 1")
        for n in range(1000):
            server.call("GET", f"/@s{n}/genero/api/v1/block/none")
        row("the same create with 1000 sandboxes more", cost(server, create, seconds=1) / few, "about 1")
        for _ in range(9000):
            server.call("GET", "/genero/api/v1/block/none")
        row("the same create with 9000 exchanges in the journal", cost(server, create, seconds=1) / few, "about 1")


def starting() -> None:
    """From the command to the first response, against an empty aiohttp application with the same packages imported."""

    def first_answer(*command: str) -> tuple[float, float]:
        server = Server(*command)
        began = time.perf_counter()
        server.call("GET", "/_sandbox/health")
        took, spent = server.ready + time.perf_counter() - began, server.on_cpu()
        server.stop()
        return took, spent

    ours, empty = ("-m", "mockserver", "serve", "--port", "0"), (str(HERE / "bare_server.py"), "--empty")
    pairs = [(first_answer(*ours), first_answer(*empty)) for _ in range(9)]
    row("start to first answer / an empty application's", statistics.median(a[0] / b[0] for a, b in pairs), "<= 1.5")
    row("CPU time until then / an empty application's", statistics.median(a[1] / b[1] for a, b in pairs), "<= 1.5")


def memory(posts: int) -> None:
    """Resident memory, idle and after many large posts over 8 connections."""
    with sandbox() as server:
        server.call("GET", "/genero/api/v1/block/none")
        server.call("GET", "/onkey/api/tenants/contoso/sandbox/modules/res/trades")
        row("resident, idle with both APIs", server.megabytes(), "<= 60", unit="MB")
        body = customers(5000)

        def post(share: int) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", server.port)
            for _ in range(share):
                connection.request("POST", GENERO, body, {"Content-Type": "application/json"})
                connection.getresponse().read()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(post, [posts // 8] * 8))
        row(f"resident after {posts} posts of 5000 items", server.megabytes(), "<= 150", unit="MB")


PARTS = {"batches": batches, "creates": creates, "growth": growth, "starting": starting}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, "memory", []], help="which to run; all by default")
    parser.add_argument("--posts", type=int, default=10_000, help="posts of the memory part")
    options = parser.parse_args()
    with sandbox(), bare():
        pass  # they write their bytecode: it would cost the first to start time and memory
    for name in options.parts or PARTS:
        if name != "memory":
            PARTS[name]()
    if not options.parts or "memory" in options.parts:
        memory(options.posts)


if __name__ == "__main__":
    main()
