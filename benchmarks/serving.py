"""Measure the sandbox beside its peers, as ratios in one run: `python benchmarks/serving.py post-100 --rounds 3`.

Costs are CPU time of a server's whole process tree. Requests come over 8 connections unless a row says otherwise, in
rounds in which all servers have their turn. The peers are installed from the npm registry, in `--peers FOLDER`, or in
a folder that is removed. Nothing here fails: it reports, with the goal beside each figure.
"""

import argparse
import multiprocessing
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
from load import HERE, Sandbox, Server, bare, environment, interleaved, load, ratio, request, row, running, work_folder
from peers import BLOCKS, DOCUMENT, PLAIN, Installed, blocks, free_port

from contracts.openapi.loading import load_bundled

sys.path.append(str(HERE.parent / "tests" / "hostile"))
from traffic import send

ONKEY = "/onkey/api/tenants/contoso/sandbox/modules/risk/assetimportances/batch?mode=PerRecord"
COLLECTION = "application/vnd.onkey.entitycollection+json"
GENERO = "/genero/api/v1/customer/postJob"
COUNTS = {10: 3000, 100: 1500, 500: 400, 5000: 60}  # requests in a round, by the number of items
FIXTURE = "from mockserver.testing.bulkproof import served\nwith served('genero'): pass"
WARM = 2  # rounds that are not counted
Work = tuple[Server, int, Callable[[], object]]


class Options(argparse.Namespace):
    """The command line."""

    rounds: int
    installed: Installed | None
    posts: int
    requests: int


def advance(server: Server) -> None:
    server.call("POST", "/_sandbox/sandboxes/default/clock/advance", {"by": "PT1H"})


def rounds(title: str, works: dict[str, Work], options: Options, *, reset: bool = True) -> dict[str, list[float]]:
    """Return what a request costs in each round, and print it."""
    costs = {name: one[WARM:] for name, one in interleaved(works, options.rounds + WARM, reset=reset).items()}
    for name, one in costs.items():
        resident = works[name][0].megabytes()
        print(
            f"  {title}: {name:<26}{statistics.median(one):>9.3f} ms CPU ({min(one):.3f} to {max(one):.3f})"
            f"{resident:>7.0f} MB resident after load",
            flush=True,
        )
    return costs


def peers(stack: ExitStack, options: Options, sent: bytes, number: int) -> dict[str, Work]:
    """Start the peers; return the work of each."""

    def work(server: Server) -> Work:
        return server, number, lambda: load(server.port, [sent], number)

    named = options.installed.named() if options.installed else {}
    return {name: work(stack.enter_context(running(start()))) for name, start in named.items()}


def against(title: str, costs: dict[str, list[float]], ours: str, goals: dict[str, str]) -> None:
    """Print the ratios of costs: more than 1 means that ours is cheaper."""
    for name, goal in goals.items():
        if name in costs:
            row(f"{title}: cost of {name} / {ours}", ratio(costs, name, ours), goal)


def posted(size: int, accepted: float, done: float, goals: dict[str, str]) -> Callable[[Options], None]:
    """A Genero batch that is accepted, and one that is run too; the peers validate it and answer with a constant."""

    def part(options: Options) -> None:
        number, title = COUNTS[size], f"{size} items"
        requests = [request(BLOCKS, orjson.dumps(blocks(size, f"b{n}-"))) for n in range(min(number, 40))]
        with ExitStack() as stack:
            waiting = stack.enter_context(running(Sandbox("--clock", "frozen")))
            runs = stack.enter_context(running(Sandbox("--clock", "frozen")))
            simple = stack.enter_context(running(bare()))
            works = {
                "accepted": (waiting, number, lambda: load(waiting.port, requests, number)),
                "accepted and run": (runs, number, lambda: (load(runs.port, requests, number), advance(runs))),
                "bare aiohttp": (simple, number, lambda: load(simple.port, requests, number)),
                **peers(stack, options, requests[0], number),
            }
            costs = rounds(title, works, options)
        row(f"{title}: accepted", statistics.median(costs["accepted"]), f"<= {accepted}", unit="ms")
        row(f"{title}: accepted and run", statistics.median(costs["accepted and run"]), f"<= {done}", unit="ms")
        against(title, costs, "accepted", {**goals, "bare aiohttp": "-"})

    return part


def importances(size: int, batch: object) -> bytes:
    members = {"description": "an importance", "notes": "notes", "weight": 1}
    return orjson.dumps(
        [{"userObjectId": f"r{n}", "properties": {"code": f"{batch}-{n}", **members}} for n in range(size)]
    )


def creates() -> Iterator[bytes]:
    """Yield requests that each create 100 other entities."""
    return (request(ONKEY, importances(100, n), COLLECTION) for n in count())


def taken(source: Iterator[bytes], number: int) -> list[bytes]:
    return [next(source) for _ in range(number)]


def created(options: Options) -> None:
    """A `PerRecord` create of On Key, against a handler that validates the same body and answers with a constant."""
    number, fresh = 400, creates()
    with running(Sandbox("--clock", "frozen")) as ours, running(bare()) as simple:

        def create() -> None:
            load(ours.port, made.pop(), number)

        made = [taken(fresh, number) for _ in range(options.rounds + WARM)]
        same = made[0]
        costs = rounds(
            "100 creates",
            {
                "On Key": (ours, number, create),
                "bare aiohttp": (simple, number, lambda: load(simple.port, same, number)),
            },
            options,
        )
    row(
        "100-item On Key create: rate of a bare handler's",
        ratio(costs, "bare aiohttp", "On Key") * 100,
        ">= 40",
        unit="%",
    )


def plain(options: Options) -> None:
    """A post of 100 items to a plain document, validated and answered with its example."""
    number, title = COUNTS[100], "plain document"
    sent = request(PLAIN, orjson.dumps({"items": blocks(100)}))
    document = work_folder() / "blocks.json"
    document.write_bytes(orjson.dumps(DOCUMENT))
    with ExitStack() as stack:
        ours = stack.enter_context(running(Sandbox(str(document))))
        works = {"ours": (ours, number, lambda: load(ours.port, [sent], number))}
        costs = rounds(title, {**works, **peers(stack, options, sent, number)}, options)
    against(title, costs, "ours", {"fastify + ajv": ">= 1", "Prism": ">= 3", "WireMock tuned": ">= 1"})


GOOD = {"name": "A customer with a name", "phone": "+46 8 123 456", "deleted": False}
ONE_FAULT = {**GOOD, "name": 7}
THREE_FAULTS = {"name": 7, "phone": 7, "deleted": "no"}


def customers(size: int, members: dict[str, object] = GOOD) -> bytes:
    return orjson.dumps([{"customerId": f"c{n}", **members} for n in range(size)])


def refused(options: Options) -> None:
    """5000 bad items refused, against 5000 good ones posted, and against parsing and validating alone."""
    body = customers(5000)
    contract = load_bundled("genero")
    fits = contract.schemas.schema(contract.resources["customer"].schema).validator.is_valid
    spent = []
    for _ in range(40):
        before = time.process_time()
        assert all(map(fits, orjson.loads(body)))
        spent.append((time.process_time() - before) * 1000)
    bad = {"one fault": customers(5000, ONE_FAULT), "three faults": customers(5000, THREE_FAULTS)}
    with running(Sandbox("--clock", "frozen")) as server:

        def send(one: bytes) -> Work:
            return server, 20, lambda: [server.call("POST", GENERO, one) for _ in range(20)]

        costs = rounds("5000 customers", {name: send(one) for name, one in {"good": body, **bad}.items()}, options)
        size = max(len(server.call("POST", GENERO, one)) for one in bad.values())
    row(
        "post of 5000 items / parse and validate alone",
        statistics.median(costs["good"]) / statistics.median(spent),
        "<= 4",
    )
    for name in bad:
        row(f"5000 items with {name} each, refused / 5000 good ones posted", ratio(costs, name, "good"), "< 10")
    row("answer to 5000 bad items", size / 1024, "< 64", unit="KiB")


def linear(options: Options) -> None:
    """The cost of a further item, in small and in large batches."""
    sizes = (10, 500, 5000)
    with running(Sandbox("--clock", "frozen")) as server:

        def work(size: int) -> Work:
            sent = request(BLOCKS, orjson.dumps(blocks(size)))
            return server, COUNTS[size], lambda: load(server.port, [sent], COUNTS[size])

        found = rounds("linear", {str(size): work(size) for size in sizes}, options)
    few, some, many = (statistics.median(found[str(size)]) for size in sizes)
    row(
        "a further item, from 500 to 5000 against from 10 to 500", (many - some) / 4500 / ((some - few) / 490), "<= 1.2"
    )


def growth(options: Options) -> None:
    """Costs that must not grow with what is stored."""
    fresh = creates()
    with (
        running(Sandbox("--clock", "frozen", "--max-sandboxes", "20000")) as server,
        running(Sandbox("--clock", "frozen")) as few,
    ):

        def create(one: Server) -> Work:
            return one, 50, lambda: load(one.port, taken(fresh, 50), 50)

        def compared(what: str) -> None:
            costs = rounds(what, {"few": create(few), "many": create(server)}, options, reset=False)
            few.reset()
            row(f"the same create with {what}", ratio(costs, "many", "few"), "about 1")

        more = (request(ONKEY, importances(1000, f"more{n}"), COLLECTION) for n in range(1000))
        for one in more:
            load(server.port, [one], 1)
        compared("1,000,000 entities more stored")
        load(
            server.port,
            [request(f"/@s{n}/genero/api/v1/block/none", method="GET") for n in range(10_000)],
            10_000,
            refusable=True,
        )
        compared("10,000 sandboxes more")
        load(server.port, [request("/genero/api/v1/block/none", method="GET")], 9000, refusable=True)
        compared("9000 exchanges in the journal more")


def durable(options: Options) -> None:
    """What it costs to store each request before it is carried out, against the same server in memory."""
    requests = {
        "a GET": (request("/genero/api/v1/block/none", method="GET"), 4000),
        "100 items": (request(BLOCKS, orjson.dumps(blocks(100))), COUNTS[100]),
        "5000 items": (request(BLOCKS, orjson.dumps(blocks(5000))), COUNTS[5000]),
    }
    with TemporaryDirectory() as folder, ExitStack() as stack:
        kinds = {"memory": ()} | {
            sync: ("--store", f"{folder}/{sync}.db", "--sync", sync) for sync in ("normal", "full")
        }
        servers = {
            name: stack.enter_context(running(Sandbox("--clock", "frozen", *words))) for name, words in kinds.items()
        }
        for title, (sent, number) in requests.items():

            def work(server: Server, sent: bytes = sent, number: int = number) -> Work:
                return server, number, lambda: load(server.port, [sent], number, refusable=True)

            costs = rounds(title, {name: work(server) for name, server in servers.items()}, options)
            for name, goal in (("normal", "<= 1.6" if title == "5000 items" else "-"), ("full", "-")):
                row(f"{title}: cost with --sync {name} / in memory", ratio(costs, name, "memory"), goal)


def starting(options: Options) -> None:
    """From the command to the first answer, against an empty aiohttp application with the same packages imported."""

    def first_answer(start: Callable[[], Server]) -> tuple[float, float]:
        with running(start()) as server:
            server.call("GET", "/_sandbox/health")
            return time.perf_counter() - server.began, server.cpu_since_start()

    starts = {"serve": Sandbox, "empty aiohttp": lambda: bare("--empty")}
    starts |= options.installed.named() if options.installed else {}
    found = {name: [first_answer(start) for _ in range(options.rounds)] for name, start in starts.items()}
    found["bulkproof --help"] = [command("-m", "mockserver", "--help") for _ in range(options.rounds)]
    found["the pytest fixture, once"] = [command("-c", FIXTURE) for _ in range(options.rounds)]
    found["python -c pass"] = [command("-c", "pass") for _ in range(options.rounds)]
    goals = {"serve": "<= 250", "bulkproof --help": "<= 120", "the pytest fixture, once": "<= 150"}
    for name, one in found.items():
        took, spent = ([values[n] * 1000 for values in one] for n in (0, 1))
        print(f"  {name:<30}{min(took):>8.0f} to {max(took):.0f} ms by the clock")
        row(f"{name}: CPU to the first answer or the end", statistics.median(spent), goals.get(name, "-"), unit="ms")
    subprocess.run([sys.executable, str(HERE / "bench_plugin.py")], env=environment(), check=False)


def command(*words: str) -> tuple[float, float]:
    """Run Python with these words; return the seconds by the clock and by CPU."""
    began, before = time.perf_counter(), children()
    subprocess.run([sys.executable, *words], env=environment(), check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began, children() - before


def children() -> float:
    """Return the CPU seconds of processes that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def memory(options: Options) -> None:
    """Resident memory: idle, after many large posts, and beside many connections."""
    sent = [request(GENERO, customers(5000))]
    with running(Sandbox()) as server:
        server.call("GET", "/genero/api/v1/block")
        server.call("GET", "/onkey/api/tenants/contoso/sandbox/modules/res/trades")
        idle = server.megabytes()
        row("resident, idle with both APIs", idle, "<= 50", unit="MB")
        load(server.port, sent, 640, 64)
        row("64 connections with posts of 5000 items: more than idle", server.megabytes() - idle, "<= 110", unit="MB")
        load(server.port, sent, options.posts)
        row(f"resident after {options.posts} posts of 5000 items", server.megabytes(), "<= 150", unit="MB")


def hostile(options: Options) -> None:
    """Resident memory after requests that are refused, or that are as large as may be, in a thousand sandboxes."""
    wrong = [{**one, "blockId": f"{one['blockId']}-{'x' * 200}"} for one in blocks(300)]
    kinds = {
        "broken JSON": (b'{"items": [' + b"[" * 5000, BLOCKS),
        "bad items": (orjson.dumps(wrong), BLOCKS),
        "no such path": (b"{}", "/genero/" + "p" * 4000),
    }
    with running(Sandbox()) as server:
        for turn in range(options.rounds):
            for name, (body, path) in kinds.items():
                sent = [request(f"/@s{n}{path}?turn={turn}", body) for n in range(1000)]
                load(server.port, sent, 1000, refusable=True)
                print(f"  hostile: {server.megabytes():>6.0f} MB after {name}", flush=True)
        send(server.port, calls=options.rounds * 1000)
        print(f"  hostile: {server.megabytes():>6.0f} MB after {options.rounds * 1000} of all kinds", flush=True)
        row(f"resident after {options.rounds * 4000} hostile requests", server.megabytes(), "<= 150", unit="MB")


def flat(options: Options) -> None:
    """Resident memory after many small requests that leave nothing, against that after the first 20,000.

    A job that was taken stays for the thirty days that the contract declares.
    """
    sent = [request(GENERO, customers(2 + n, ONE_FAULT)) for n in range(50)]
    sent += [request("/genero/api/v1/block/b1-0", method="GET") for _ in range(50)]
    with running(Sandbox()) as server:
        load(server.port, sent, 20_000, refusable=True)
        before = server.megabytes()
        load(server.port, sent, options.requests, refusable=True)
        grown = (server.megabytes() / before - 1) * 100
    row(f"resident after {options.requests} requests more than 20,000: growth", grown, "<= 5", unit="%")


def checking(options: Options) -> None:
    """`bulkproof check` of a sandbox, by the clock and by CPU."""
    for api in ("genero", "onkey"):
        with running(Sandbox()) as server:
            words = ("-m", "mockserver", "check", api, "--url", f"http://127.0.0.1:{server.port}")
            found = [command(*words) for _ in range(min(options.rounds, 3))]
            served = server.cpu() / len(found)
        row(f"check {api}, by the clock", statistics.median(took for took, _ in found), "<= 5", unit="s")
        row(f"check {api}, by its CPU", statistics.median(spent for _, spent in found), "-", unit="s")
        row(f"check {api}, by the server's CPU", served, "-", unit="s")


def bystander(options: Options) -> None:
    """GETs over 8 connections while another posts 5000 items back to back; by the clock, beside a bare handler."""
    sent = [request(BLOCKS, orjson.dumps(blocks(5000)))]
    path = "/genero/api/v1/block/none"
    with running(Sandbox("--clock", "frozen")) as ours, running(bare()) as simple:
        p99: dict[str, list[float]] = {"ours": [], "bare aiohttp": []}
        for _ in range(options.rounds):
            for name, server in {"ours": ours, "bare aiohttp": simple}.items():
                busy = multiprocessing.Process(target=load, args=(server.port, sent, 100_000, 1), daemon=True)
                busy.start()
                time.sleep(0.3)
                took = load(server.port, [request(path, method="GET")], 4000, refusable=True)
                busy.terminate()
                busy.join()
                p99[name].append(statistics.quantiles(took, n=100)[98] * 1000)
    for name, found in p99.items():
        print(f"  {name:<30}{min(found):>8.1f} to {max(found):.1f} ms at the 99th percentile")
    row("a bystander's GET beside batches of 5000 items, p99", statistics.median(p99["ours"]), "<= 5", unit="ms")


def scaled(options: Options) -> None:
    """Two servers behind nginx, with 64 sandboxes, against one: their work by CPU, and the rate by the clock."""
    program, number = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin"), 1500
    if program is None:
        print("The row scaled needs nginx: install Debian's package nginx-light.")
        return
    sent = [request(f"/@s{n}{BLOCKS}", orjson.dumps(blocks(100))) for n in range(64)]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bulkproof-nginx-")))
        one, *two = (stack.enter_context(running(Sandbox("--clock", "frozen"))) for _ in range(3))
        ports = {"8080": free_port(), "8081": two[0].port, "8082": two[1].port}
        text = (HERE.parent / "examples/scaled/nginx.conf").read_text()
        (folder / "nginx.conf").write_text(re.sub(r"\b808[012]\b", lambda found: str(ports[found[0]]), text))
        (folder / "temp").mkdir()
        nginx = stack.enter_context(
            running(Server(program, "-p", ".", "-c", "nginx.conf", port=ports["8080"], cwd=folder))
        )

        def spent(port: int, servers: list[Server]) -> tuple[float, ...]:
            """Return the CPU milliseconds of a request in each server, and its milliseconds by the clock."""
            began, before = time.perf_counter(), [each.cpu() for each in servers]
            load(port, sent, number)
            took = [each.cpu() - was for each, was in zip(servers, before, strict=True)]
            return tuple(value * 1000 / number for value in (*took, time.perf_counter() - began))

        pairs = [(spent(one.port, [one]), spent(nginx.port, [nginx, *two])) for _ in range(options.rounds + WARM)][
            WARM:
        ]
    for name, index in {"nginx": 0, "the first server": 1, "the second server": 2}.items():
        print(f"  two behind nginx: {name:<20}{statistics.median(b[index] for _, b in pairs):>8.3f} ms CPU a request")
    by_clock = statistics.median(a[-1] / b[-1] for a, b in pairs)
    row(f"rate of two servers / of one, by the clock, {os.cpu_count()} cores for all", by_clock, ">= 1.7")
    row("CPU of one server / of the busier of two", statistics.median(a[0] / max(b[1:3]) for a, b in pairs), ">= 1.7")


ROWS: dict[str, Callable[[Options], None]] = {
    "post-100": posted(100, 0.15, 0.5, {"Prism": ">= 1", "WireMock tuned": ">= 1", "fastify + ajv": ">= 0.5"}),
    "post-5000": posted(5000, 3.5, 12, {"Prism": ">= 1", "WireMock tuned": ">= 1", "fastify + ajv": ">= 1"}),
    "create-100": created,
    "plain-100": plain,
    "refused": refused,
    "linear": linear,
    "growth": growth,
    "durable": durable,
    "start": starting,
    "memory": memory,
    "hostile": hostile,
    "flat": flat,
    "check": checking,
    "bystander": bystander,
    "scaled": scaled,
}
ALONE = {
    "create-100",
    "refused",
    "linear",
    "growth",
    "durable",
    "memory",
    "hostile",
    "flat",
    "check",
    "bystander",
    "scaled",
}  # without peers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], help="which to print; all by default")
    parser.add_argument("--rounds", type=int, default=5, help="of which the median is taken")
    parser.add_argument("--peers", type=Path, metavar="FOLDER", help="where the peers are installed, and kept")
    parser.add_argument("--without-peers", action="store_true", help="leave the peers out")
    parser.add_argument("--posts", type=int, default=2000, help="posts of the row memory")
    parser.add_argument("--requests", type=int, default=100_000, help="requests of the row flat")
    given = parser.parse_args()
    rows = given.rows or [*ROWS]
    with running(Sandbox()), running(bare()):
        pass  # they write their bytecode: it would cost the first to start time and memory
    installed = None if given.without_peers or ALONE.issuperset(rows) else Installed(given.peers)
    options = Options(rounds=given.rounds, installed=installed, posts=given.posts, requests=given.requests)
    try:
        if installed:
            print(installed.versions(), flush=True)
        for name in rows:
            ROWS[name](options)
    finally:
        if installed:
            installed.remove()


if __name__ == "__main__":
    main()
