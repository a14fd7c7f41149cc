"""Measure fuzzing, as ratios side by side in one run: `python benchmarks/bench_fuzz.py --seconds 15`.

Everything is counted at the server (`counted_server.py`), in the same way for every client. Nothing here fails.
"""

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory

import orjson
from load import HERE, Server, environment, row

FUZZER = ("-m", "mockserver", "fuzz")
SCHEMATHESIS = ("-m", "schemathesis.cli", "run")
SECONDS = {"seconds": "second", "own": "second of its own CPU"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The requests of one client, from the first to the last. `own` and `server` are CPU seconds."""

    seconds: float
    counts: dict[str, int]
    own: float
    server: float

    @property
    def spent(self) -> float:
        """The CPU seconds of client and server."""
        return self.own + self.server

    def rate(self, name: str, *, by: str = "seconds") -> float:
        """Return the number of a kind per second, by the clock or by CPU."""
        return self.counts.get(name, 0) / getattr(self, by)


@contextmanager
def counted(api: str) -> Iterator[Server]:
    server = Server(sys.executable, str(HERE / "counted_server.py"), api)
    try:
        yield server
    finally:
        server.stop()


def measured(server: Server, command: tuple[str, ...]) -> Run:
    """Run a client to its end and return its counts."""
    with TemporaryDirectory(prefix="bulkproof-bench-") as folder:
        server.call("GET", "/_counts")
        before, spent = server.cpu(), os.times()
        run(command, folder)
    told, now = orjson.loads(server.call("GET", "/_counts")), os.times()
    seconds = told.pop("seconds") or 1e-9
    own = now.children_user + now.children_system - spent.children_user - spent.children_system
    return Run(seconds=seconds, counts=told, own=own, server=server.cpu() - before)


def run(command: tuple[str, ...], folder: str) -> None:
    quiet = subprocess.DEVNULL
    subprocess.run([sys.executable, *command], cwd=folder, env=environment(), stdout=quiet, stderr=quiet, check=False)


def fuzzer(api: str, server: Server, seconds: float, *more: str) -> tuple[str, ...]:
    url = f"http://127.0.0.1:{server.port}"
    return (*FUZZER, api, "--url", url, "--max-time", f"{seconds:g}s", "--no-schemathesis", *more)


def schemathesis(api: str, server: Server, seconds: float) -> tuple[str, ...]:
    url = f"http://127.0.0.1:{server.port}/{api}"
    time = ("--max-time", f"{seconds:g}", "--continue-on-failure", "--seed", "1", "--generation-database", "none")
    return (*SCHEMATHESIS, f"{url}/openapi.json", "--url", url, *time)


def told(name: str, run: Run) -> None:
    """Print the counts of a run."""
    size = run.counts.get("items", 0) / max(1, run.counts.get("batches", 0))
    figures = {
        "calls/s": run.rate("calls"),
        "batches/s": run.rate("batches"),
        "mean size": size,
        "items/s": run.rate("items"),
        "valid items/s": run.rate("valid"),
        "different": run.rate("different"),
        "of a core": run.own / run.seconds,
        "of the server's": run.server / run.seconds,
    }
    print(f"  {name:<28}" + "  ".join(f"{number:.4g} {what}" for what, number in figures.items()), flush=True)


def median(runs: list[Run], name: str, *, by: str = "seconds") -> float:
    return statistics.median(one.rate(name, by=by) for one in runs)


def alone(api: str, seconds: float, rounds: int) -> None:
    """Compare the bulk fuzzer as it comes with plain schemathesis: the same server, the same time."""
    ours, theirs = [], []
    with counted(api) as server:
        for _ in range(rounds):
            ours.append(measured(server, fuzzer(api, server, seconds)))
            told(f"{api}: bulk fuzzer", ours[-1])
            theirs.append(measured(server, schemathesis(api, server, seconds)))
            told(f"{api}: schemathesis", theirs[-1])
    for name, by in (("valid", "seconds"), ("valid", "own"), ("different", "seconds"), ("different", "own")):
        many = median(ours, name, by=by) / max(median(theirs, name, by=by), 1e-9)
        what = "valid items" if name == "valid" else "valid items without copies"
        row(f"{api}: {what} in a {SECONDS[by]} / plain schemathesis's", many, ">= 20")
    size = statistics.median(one.counts["items"] / one.counts["batches"] for one in ours)
    for by, says in SECONDS.items():
        row(f"{api}: batches of mean size {size:.1f} in a {says}", median(ours, "batches", by=by), ">= 250", unit="")


def workers(api: str, seconds: float, rounds: int) -> None:
    """Compare two Dask workers with one. Where cores are scarce, CPU seconds per request say more."""
    runs: dict[int, list[Run]] = {1: [], 2: []}
    with counted(api) as server:
        for _ in range(rounds):
            for number, found in runs.items():
                command = fuzzer(api, server, seconds, "--workers", str(number))
                found.append(measured(server, command))
                told(f"{api}: {number} worker{'s' * (number > 1)}", found[-1])
    row(f"{api}: calls/s of two local workers / of one", median(runs[2], "calls") / median(runs[1], "calls"), ">= 1.6")
    many = median(runs[2], "calls", by="spent") / median(runs[1], "calls", by="spent")
    row(f"{api}: calls a CPU second, the server's included, of two / of one", many, ">= 0.8")


PARTS: dict[str, Callable[[str, float, int], None]] = {"alone": alone, "workers": workers}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="which to run; all by default")
    parser.add_argument("--api", action="append", help="bundled APIs; both by default")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each campaign")
    parser.add_argument("--rounds", type=int, default=3, help="of which the median is taken")
    options = parser.parse_args()
    for name in options.parts or PARTS:
        for api in options.api or ("genero", "onkey"):
            PARTS[name](api, options.seconds, options.rounds)


if __name__ == "__main__":
    main()
