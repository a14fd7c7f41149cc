"""Plain schemathesis as the baseline of the self-test: all its phases and checks, with their defaults.

See https://schemathesis.readthedocs.io/.
"""

from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Final

from contracts.errors import MisuseError
from generators.fuzz.shards import CampaignConfig
from generators.schemathesis_engine.process import MISSING_MESSAGE, Line, SchemathesisTask, is_installed, run_task
from mockserver.mutation_testing.fuzzer import Detection, HealthyRun, JudgeRun
from mockserver.mutation_testing.variants import Variants

PHASES: Final = ("examples", "coverage", "fuzzing", "stateful")


def require_installed() -> None:
    """Raise MisuseError when schemathesis is not installed."""
    if not is_installed():
        raise MisuseError(f"{MISSING_MESSAGE}.")


def run_without_bugs(job: CampaignConfig, variants: Variants, seconds: float) -> HealthyRun:
    """Run schemathesis against the sandbox without bugs. Raises MisuseError."""
    began, calls = monotonic(), 0
    alarms: dict[tuple[str, str], Detection] = {}
    for line in _lines(_task(job, variants.plant(None), seconds)):
        calls += sum(line.get("statuses", {}).values())
        for one in _detections(line, began):
            alarms.setdefault(_identity(one), one)
    return HealthyRun(seconds=monotonic() - began, calls=calls, alarms=tuple(alarms.values()))


def run_on_mutant(
    job: CampaignConfig, variants: Variants, bug: str, seconds: float, *, known: Sequence[Detection]
) -> JudgeRun:
    """Run schemathesis against a mutant until its first finding that is not in `known`, those without bugs."""
    began, marks = monotonic(), set(map(_identity, known))
    for line in _lines(_task(job, variants.plant(bug), seconds)):
        for one in _detections(line, began):
            if _identity(one) not in marks and variants.has_fired():
                return JudgeRun(seconds=one.seconds, first=one)
    return JudgeRun(seconds=monotonic() - began, fired=variants.has_fired())


def _lines(task: SchemathesisTask) -> Iterator[Line]:
    """Yield the lines of a run. Raises MisuseError when it fails before its time limit."""
    began = monotonic()
    for line in run_task(task):
        if line["kind"] == "trouble" and not line["operation"] and monotonic() - began < task.seconds:
            raise MisuseError(f"the comparison with schemathesis failed: {line['says']}.")
        yield line


def _task(job: CampaignConfig, url: str, seconds: float) -> SchemathesisTask:
    return SchemathesisTask(
        document=job.document,
        base=f"{url}{job.contract.mount}",
        phases=PHASES,
        seed=job.seed,
        seconds=seconds,
        plain=True,
    )


def _detections(line: Line, began: float) -> Iterator[Detection]:
    if line["kind"] == "finding":
        status = (line["exchange"] or {}).get("status")
        law = f"{line['check']} {status}" if status else str(line["check"])
        yield Detection(law=law, operation=line["operation"], says=line["title"], seconds=monotonic() - began)


def _identity(one: Detection) -> tuple[str, str]:
    return one.law, one.operation
