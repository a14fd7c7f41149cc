"""Measure the cost of a sandbox in a test: the fixture's own work, beside the requests of the client under test.

    python benchmarks/bench_plugin.py

Prints milliseconds of CPU time, which a busy machine disturbs little, and their ratio to one of the client's requests.
Exits with 1 when a test's own cost is 2 ms or more.
"""

import json
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection
from statistics import median
from time import process_time
from urllib.parse import urlsplit

from mockserver.testing.bulkproof import Bulkproof, Server, served

ROUNDS = 200
LIMIT = 2.0  # milliseconds that a test may pay
BODY = json.dumps([{"blockId": f"b{n}", "name": f"Block {n}"} for n in range(100)]).encode()


def call(connection: HTTPConnection, bulkproof: Bulkproof) -> None:
    """Post a hundred blocks, as the client under test does."""
    path = urlsplit(bulkproof.genero.url).path + "/api/v1/block/postJob"
    connection.request("POST", path, BODY, {"Content-Type": "application/json"})
    reply = connection.getresponse()
    reply.read()
    assert reply.status == 200, reply.status


def timed(action: Callable[[], object]) -> float:
    """Return the median CPU time of an action in milliseconds, that of the server's thread with it."""
    times = []
    for _ in range(ROUNDS):
        begun = process_time()
        action()
        times.append((process_time() - begun) * 1000)
    return median(times)


def empty(server: Server) -> None:
    """A test that does not use its sandbox."""
    server.sandbox("bench").drop()


def plain(server: Server, connection: HTTPConnection) -> None:
    """A test whose client sends one request."""
    bulkproof = server.sandbox("bench")
    call(connection, bulkproof)
    bulkproof.drop()


def full(server: Server, connection: HTTPConnection) -> None:
    """A test with an expectation, one request, and a look at the stored records."""
    bulkproof = server.sandbox("bench")
    bulkproof.genero.expect("postJob").items(where={"blockId": "b7"}).fail(message="No.").times(1)
    call(connection, bulkproof)
    bulkproof.clock.advance(minutes=1)
    assert len(bulkproof.genero.stored("block")) == 99
    bulkproof.drop()


def main() -> int:
    """Measure and print."""
    with (
        served("genero") as server,
        closing(HTTPConnection("127.0.0.1", urlsplit(server.transport.url).port)) as connection,
    ):
        shared = server.sandbox("bench")
        once = timed(lambda: call(connection, shared))
        costs = {
            "no call": timed(lambda: empty(server)),
            "one call": timed(lambda: plain(server, connection)) - once,
            "expectation, clock, stored": timed(lambda: full(server, connection)) - once,
        }
    print(f"the client's own bulk call   {once:8.2f} ms  1.00")
    for name, cost in costs.items():
        print(f"{name:<28} {cost:8.2f} ms  {cost / once:.2f}")
    return int(max(costs.values()) >= LIMIT)


if __name__ == "__main__":
    raise SystemExit(main())
