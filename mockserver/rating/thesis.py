"""Plain schemathesis as the judge that the campaign is compared with: all its phases, all its checks, as they come."""

from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Final

from contracts.errors import MisuseError
from generators.campaign.leases import Job
from generators.thesis.running import MISSING, Line, is_installed, run_task
from generators.thesis.task import Task
from mockserver.rating.results import Healthy, Round, Sighting
from mockserver.rating.variants import Variants

PHASES: Final = ("examples", "coverage", "fuzzing", "stateful")


def require_installed() -> None:
    """Raise MisuseError when there is no schemathesis."""
    if not is_installed():
        raise MisuseError(f"{MISSING}.")


def healthy(job: Job, variants: Variants, seconds: float) -> Healthy:
    """Return what schemathesis makes of a sandbox without a bug. Raises MisuseError."""
    began, calls = monotonic(), 0
    alarms: dict[tuple[str, str], Sighting] = {}
    for line in _lines(_task(job, variants.plant(None), seconds)):
        calls += sum(line.get("statuses", {}).values())
        for one in _sightings(line, began):
            alarms.setdefault(_mark(one), one)
    return Healthy(seconds=monotonic() - began, calls=calls, alarms=tuple(alarms.values()))


def hunted(job: Job, variants: Variants, bug: str, seconds: float, *, known: Sequence[Sighting]) -> Round:
    """Return what schemathesis makes of a bug: the first report that it does not make of the healthy sandbox too."""
    began, marks = monotonic(), set(map(_mark, known))
    for line in _lines(_task(job, variants.plant(bug), seconds)):
        for one in _sightings(line, began):
            if _mark(one) not in marks and variants.has_fired():
                return Round(seconds=one.seconds, first=one)
    return Round(seconds=monotonic() - began, fired=variants.has_fired())


def _lines(task: Task) -> Iterator[Line]:
    """Do a task. Raises MisuseError when it fails before its time."""
    began = monotonic()
    for line in run_task(task):
        if line["kind"] == "trouble" and not line["operation"] and monotonic() - began < task.seconds:
            raise MisuseError(f"the comparison with schemathesis failed: {line['says']}.")
        yield line


def _task(job: Job, url: str, seconds: float) -> Task:
    return Task(
        document=job.document,
        base=f"{url}{job.contract.mount}",
        phases=PHASES,
        seed=job.seed,
        seconds=seconds,
        plain=True,
    )


def _sightings(line: Line, began: float) -> Iterator[Sighting]:
    if line["kind"] == "finding":
        status = (line["exchange"] or {}).get("status")
        law = f"{line['check']} {status}" if status else str(line["check"])
        yield Sighting(law=law, operation=line["operation"], says=line["title"], seconds=monotonic() - began)


def _mark(one: Sighting) -> tuple[str, str]:
    return one.law, one.operation
