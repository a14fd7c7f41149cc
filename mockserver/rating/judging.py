"""The campaign as a judge whose time to the first finding is taken."""

from dataclasses import replace
from pathlib import Path

from generators.campaign.kept import Kept
from generators.campaign.leases import Job
from generators.campaign.running import Campaign
from generators.campaign.state import State
from generators.scale.executors import InProcess
from mockserver.rating.results import Healthy, Round, Sighting
from mockserver.rating.variants import Variants


class Quiet:
    """Hears how a campaign goes and tells nobody."""

    def began(self, state: State) -> None:
        """Hear that the campaign begins."""

    def found(self, kept: Kept, folder: Path | None) -> None:
        """Hear of a finding."""

    def confirmed(self, kept: Kept, folder: Path | None) -> None:
        """Hear what became of a finding."""

    def progressed(self, state: State) -> None:
        """Hear how far it is."""

    def told(self, says: str) -> None:
        """Hear something else."""


def hunted(job: Job, variants: Variants, bug: str, seconds: float) -> Round:
    """Return what the campaign makes of a bug. Raises KeyboardInterrupt, NoAnswerError, MisuseError."""
    state = _run(job, variants.plant(bug), seconds, stops_at_first=True)
    first = min(_sightings(state), key=lambda one: one.seconds, default=None)
    if first is None:
        return Round(seconds=state.seconds, fired=variants.has_fired())
    return Round(seconds=first.seconds, first=first, fired=variants.has_fired())


def healthy(job: Job, variants: Variants, seconds: float) -> Healthy:
    """Return what the campaign makes of a sandbox without a bug. Raises as `hunted` does."""
    state = _run(job, variants.plant(None), seconds, stops_at_first=False)
    return Healthy(seconds=state.seconds, calls=state.calls, alarms=tuple(_sightings(state)))


def _run(job: Job, url: str, seconds: float, *, stops_at_first: bool) -> State:
    mine = replace(job, place=replace(job.place, url=url), shrinks=False)
    campaign = Campaign(
        job=mine,
        executor=InProcess(mine),
        listener=Quiet(),
        seconds=seconds,
        schemas=False,
        stops_at_first=stops_at_first,
    )
    state = campaign.run()
    if campaign.interrupted:
        raise KeyboardInterrupt
    return state


def _sightings(state: State) -> list[Sighting]:
    return [
        Sighting(law=one.law, operation=one.operation, says=one.says, seconds=one.seconds)
        for one in state.findings.values()
    ]
