"""Snapshots: what is restored answers as the original does, and is written as it was."""

from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
from case_inside import REAL, api_of
from case_run import Answer, Pairs, new_sandbox, run_case
from case_text import Case, read_cases

from contracts.messages import Headers
from mockserver.http.service import Options, Service
from mockserver.sandbox.snapshot import restore, snapshot_of, snapshot_text

CASES_FOLDER = Path(__file__).parents[2] / "cases"
CASES = [case for file in sorted(CASES_FOLDER.glob("**/*.case")) for case in read_cases(file) if not case.needs_socket]
SHOWN = ("exchanges", "verdict", "jobs", "scenarios", "settings", "clock")


@dataclass
class Twins:
    """Two servers that get the same calls; the sandbox of one is written and restored before each of them."""

    original: Service
    restored: Service
    name: str

    def __call__(self, method: str, target: str, headers: Pairs, body: bytes) -> Answer:
        """Answer as both servers do. Raises AssertionError where they differ."""
        sandbox = self.original.sandboxes.use(self.name, REAL)
        text = snapshot_text(snapshot_of(sandbox, REAL, journal=True))
        other = self.restored.sandboxes.use(self.name, REAL)
        restore(other, orjson.loads(text), REAL)
        assert snapshot_text(snapshot_of(other, REAL, journal=True)) == text
        reply, again = (
            service.handle(method, target, Headers(headers), body, REAL) for service in (self.original, self.restored)
        )
        assert (again.status, again.headers.pairs, again.body) == (reply.status, reply.headers.pairs, reply.body)
        if method != "DELETE":
            self.compare()
        return Answer(status=reply.status, headers=reply.headers.pairs, body=reply.body)

    def compare(self) -> None:
        """Compare what the control API shows of both sandboxes."""
        for what in SHOWN:
            target = f"/_sandbox/sandboxes/{self.name}/{what}"
            one, other = (
                service.handle("GET", target, Headers(), b"", REAL) for service in (self.original, self.restored)
            )
            assert other.body == one.body


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_restored_sandbox_answers_as_the_original(case: Case):
    """At any point of any case: each reply, the journal, and the verdict are the same."""
    api, name = api_of(case), new_sandbox()
    twins = Twins(Service([api], Options(mode="frozen"), REAL), Service([api], Options(mode="frozen"), REAL), name)
    run_case(case, twins, api.mount, sandbox=name)
