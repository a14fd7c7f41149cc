"""A campaign against one server process: `python tests/hostile/campaign.py --seed 1 --requests 1000000`.

The traffic is that of `traffic`. `run` starts a server, plays it and returns what was found; the script prints a line
for each share of the budget, and ends with 1 when anything was found: an answer 5xx that no scenario asked for, a
traceback in the log, an answer that took more than five seconds, open files or memory that grow.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from traffic import Tally, send

ROOT = Path(__file__).parents[2]
APIS = ("genero", "onkey", str(ROOT / "examples" / "any-api" / "tickets.yaml"))
SETTLED = 200_000  # requests after which memory is compared: journals are full, and every sandbox was reset twice
GROWTH = 1.05
START_SECONDS = 60.0
SETTLING_SECONDS = 6.0  # a server gives memory back every five seconds


class ServedProcess:
    """A running `bulkproof serve`, its log, and what the system says of it (Linux)."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process, self._log = process, log
        self.port = self._printed_port()

    def log(self) -> str:
        """Return what has been written so far."""
        return self._log.read_text(errors="replace")

    def megabytes(self) -> float:
        """Return the resident memory in MB."""
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text())
        return int(found[1]) / 1000 if found else 0.0

    def open_files(self) -> int:
        """Return the number of file descriptors."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def cpu_seconds(self) -> float:
        """Return the CPU time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _printed_port(self) -> int:
        end = time.monotonic() + START_SECONDS
        while not (found := re.search(r"http://127\.0\.0\.1:(\d+)", self.log())):
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"The server does not listen: {self.log()}")
            time.sleep(0.05)
        return int(found[1])


@contextmanager
def served(*words: str, before: Callable[[], None] | None = None) -> Iterator[ServedProcess]:
    """Yield a server of both APIs and a plain document; `before` is called in the new process."""
    command = [sys.executable, "-m", "mockserver", "serve", *APIS, "--auth", "open", "--port", "0", *words]
    with TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, cwd=ROOT, preexec_fn=before)  # noqa: PLW1509 - limits of the child
        try:
            yield ServedProcess(process, log)
        finally:
            process.terminate()
            try:
                process.wait(40)
            finally:
                process.kill()
                process.wait()


@dataclass(slots=True)
class Findings:
    """What a campaign has seen; `memory` has resident MB and `files` open files after each share."""

    tally: Tally = field(default_factory=Tally)
    memory: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    log: str = ""

    def faults(self, settled: int) -> list[str]:
        """Return what is wrong as texts; memory and files are compared with those after share number `settled`."""
        found = [*self.tally.faults, *self.tally.hangs]
        found += ["a traceback in the log"] if "Traceback" in self.log else []
        if len(self.memory) > settled:
            if self.memory[-1] > GROWTH * self.memory[settled]:
                found.append(f"memory grew from {self.memory[settled]:.0f} to {self.memory[-1]:.0f} MB")
            if self.files[-1] > self.files[settled] + 2:
                found.append(f"open files grew from {self.files[settled]} to {self.files[-1]}")
        return found


def run(*, seed: int, requests: int, share: int, sandboxes: int, say: Callable[[str], object]) -> Findings:
    """Send `requests` calls in shares; `say` gets a line after each."""
    findings = Findings()
    with served() as server:
        for number, first in enumerate(range(0, requests, share)):
            calls = min(share, requests - first)
            seen = send(server.port, calls=calls, sandboxes=sandboxes, seed=f"{seed}/{number}")
            findings.tally.add(seen)
            for one in [*seen.faults, *seen.hangs][:10]:
                say(one)
            time.sleep(SETTLING_SECONDS if requests > share else 0.2)
            findings.memory.append(server.megabytes())
            findings.files.append(server.open_files())
            findings.log = server.log()
            tally = findings.tally
            say(
                f"{tally.calls} calls: {findings.memory[-1]:.0f} MB, {findings.files[-1]} files, "
                f"{server.cpu_seconds():.0f} s CPU, {len(tally.faults)} faults, {len(tally.hangs)} hangs, "
                f"{findings.log.count('Traceback')} tracebacks"
            )
        assert server.process.poll() is None, findings.log[-2000:]
    return findings


def main() -> int:
    """Run a campaign from the command line; the exit code is 1 when it found anything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--share", type=int, default=20_000, help="requests between two looks at the server")
    parser.add_argument("--sandboxes", type=int, default=990)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the server is ended too
    findings = run(
        seed=given.seed,
        requests=given.requests,
        share=given.share,
        sandboxes=given.sandboxes,
        say=_say,
    )
    faults = findings.faults(max(0, SETTLED // given.share - 1))
    for line in (str(dict(sorted(findings.tally.statuses.items()))), *faults[:50], f"{len(faults)} found."):
        _say(line)
    if "Traceback" in findings.log:
        _say(findings.log[-3000:])
    return 1 if faults else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
