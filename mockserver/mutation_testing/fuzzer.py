"""The fuzzer under test: run it on one mutant (`run_on_mutant`), select the mutants that count, report the results."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any, Final, Literal, TypeAlias

from contracts.openapi.model import Contract
from generators.fuzz.coordinator import Campaign
from generators.fuzz.executors import LocalExecutor
from generators.fuzz.progress import CampaignState
from generators.fuzz.shards import CampaignConfig
from generators.triage.stored_finding import StoredFinding
from mockserver.bugs.catalogue import BUGS, Bug
from mockserver.bugs.requirements import bulk_sites
from mockserver.mutation_testing.variants import Variants

JudgeStatus: TypeAlias = Literal["found", "missed", "not reached", "false alarm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """A finding of a judge (the fuzzer or schemathesis), `seconds` after its start.

    `law` is a law, or a check of schemathesis with the status code.
    """

    law: str
    operation: str
    says: str
    seconds: float

    @property
    def short(self) -> str:
        """The broken law, and the operation."""
        return f"{self.law} on {self.operation}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeRun:
    """One run of a judge against one mutant. `fired` is whether the bug changed any response."""

    seconds: float
    first: Detection | None = None
    fired: bool = True

    @property
    def word(self) -> JudgeStatus:
        """The result in words; a finding although the bug changed no response is a false alarm."""
        if self.first is None:
            return "missed" if self.fired else "not reached"
        return "found" if self.fired else "false alarm"


@dataclass(frozen=True, slots=True, kw_only=True)
class BugResult:
    """One bug with the run of the fuzzer, and that of schemathesis when it was requested."""

    bug: Bug
    ours: JudgeRun
    plain: JudgeRun | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthyRun:
    """A run of a judge against the sandbox without bugs: every finding is a false alarm."""

    seconds: float
    calls: int
    alarms: tuple[Detection, ...]


@dataclass(slots=True, kw_only=True)
class SelfTestResult:
    """The results for one API, filled run by run.

    `seconds` is the limit for each bug, `uncounted_bugs` are bugs that do not count, by the reason.
    """

    api: str
    seconds: float
    seed: int
    planned: tuple[Bug, ...]
    left_out: Mapping[str, tuple[Bug, ...]] = field(default_factory=dict)
    healthy: HealthyRun | None = None
    plain: HealthyRun | None = None
    rows: list[BugResult] = field(default_factory=list)

    @property
    def alarms(self) -> tuple[Detection, ...]:
        """The fuzzer's false alarms."""
        healthy = () if self.healthy is None else self.healthy.alarms
        return (*healthy, *(row.ours.first for row in self.rows if row.ours.word == "false alarm" and row.ours.first))

    @property
    def is_perfect(self) -> bool:
        """Whether every bug was tested and found, without a false alarm."""
        found = [row for row in self.rows if row.ours.word == "found"]
        return self.healthy is not None and not self.alarms and len(found) == len(self.planned)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The totals of one judge. `median` and `longest` are seconds to the finding, None when nothing was found."""

    found: int
    of: int
    median: float | None
    longest: float | None
    left: tuple[tuple[str, JudgeStatus], ...]

    @property
    def share(self) -> float:
        """The share of bugs that were found, in per cent."""
        return 100 * self.found / self.of if self.of else 0.0


def totals(rounds: Sequence[tuple[Bug, JudgeRun]]) -> Totals:
    """Return the totals of a judge's runs."""
    times = [one.first.seconds for _, one in rounds if one.word == "found" and one.first is not None]
    return Totals(
        found=len(times),
        of=len(rounds),
        median=median(times) if times else None,
        longest=max(times, default=None),
        left=tuple((bug.name, one.word) for bug, one in rounds if one.word != "found"),
    )


def fuzzer_totals(rating: SelfTestResult) -> Totals:
    """Return the totals of the fuzzer."""
    return totals([(row.bug, row.ours) for row in rating.rows])


def schemathesis_totals(rating: SelfTestResult) -> Totals | None:
    """Return the totals of schemathesis, None when it did not run."""
    rounds = [(row.bug, row.plain) for row in rating.rows if row.plain is not None]
    return totals(rounds) if rounds else None


FORMAT: Final = "bulkproof-self-test/1"
WIDTH: Final = 22
BASELINE_NAME: Final = "schemathesis"


def row_line(row: BugResult) -> str:
    """Return the results for one bug as a line."""
    line = f"{row.bug.name:<{WIDTH}} {_run_text(row.ours)}"
    return line if row.plain is None else f"{line:<{WIDTH + 54}} {BASELINE_NAME}: {_run_text(row.plain)}"


def _run_text(one: JudgeRun) -> str:
    return f"{one.word:<11} {one.seconds:6.2f} s  {one.first.short if one.first is not None else ''}".rstrip()


def healthy_lines(rating: SelfTestResult) -> Iterator[str]:
    """Yield the results of the sandbox without bugs, and its false alarms."""
    for name, one in (("campaign", rating.healthy), (BASELINE_NAME, rating.plain)):
        if one is not None:
            yield f"{rating.api}, healthy, {name}: {_alarms_text(one)} in {one.seconds:.0f} s and {one.calls} calls."
    for alarm in rating.healthy.alarms if rating.healthy is not None else ():
        yield f"  false alarm after {alarm.seconds:.2f} s: {alarm.short}: {alarm.says}"


def _alarms_text(one: HealthyRun) -> str:
    return _count(len(one.alarms), "false alarm")


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def summary(rating: SelfTestResult) -> Iterator[str]:
    """Yield the lines of the summary."""
    yield f"{rating.api}, campaign: {_totals_text(fuzzer_totals(rating))}; {_count(len(rating.alarms), 'false alarm')}."
    beside = schemathesis_totals(rating)
    if beside is not None and rating.plain is not None:
        yield f"{rating.api}, {BASELINE_NAME}: {_totals_text(beside)}; {_alarms_text(rating.plain)}."
    for row in rating.rows:
        if row.ours.word != "found":
            yield f"  {row.ours.word}: {row.bug.name} ({row.bug.law}): {row.bug.description}"
    left = len(rating.planned) - len(rating.rows)
    if left:
        yield f"  {_count(left, 'bug')} of {len(rating.planned)} not tried."
    for why, bugs in rating.left_out.items():
        yield f"  not counted, since {why}: {', '.join(bug.name for bug in bugs)}."


def _totals_text(one: Totals) -> str:
    told = f"found {one.found} of {one.of} ({one.share:.0f} %)"
    return told if one.median is None else f"{told}, median {one.median:.2f} s, longest {one.longest:.2f} s"


def markdown(rating: SelfTestResult) -> str:
    """Return a Markdown section with the results and a table of all bugs."""
    beside = rating.plain is not None
    columns: Sequence[tuple[str, Callable[[BugResult], str]]] = (
        *FUZZER_COLUMNS,
        *(SCHEMATHESIS_COLUMNS if beside else ()),
    )
    head = [name for name, _ in columns]
    rows = [[cell(row) for _, cell in columns] for row in rating.rows]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))
    title = f"## {rating.api}: {rating.seconds:g} s a bug, seed {rating.seed}"
    facts = "\n".join(f"- {line.strip()}" for line in (*healthy_lines(rating), *summary(rating)))
    return f"{title}\n\n{facts}\n\n{table}\n"


def _seconds_text(one: JudgeRun | None) -> str:
    return f"{one.first.seconds:.2f}" if one is not None and one.word == "found" and one.first is not None else ""


def _finding_text(one: JudgeRun | None) -> str:
    return f"{one.first.law} on `{one.first.operation}`" if one is not None and one.first is not None else ""


FUZZER_COLUMNS: Final[Sequence[tuple[str, Callable[[BugResult], str]]]] = (
    ("bug", lambda row: f"`{row.bug.name}`"),
    ("breaks", lambda row: row.bug.law),
    ("campaign", lambda row: row.ours.word),
    ("seconds", lambda row: _seconds_text(row.ours)),
    ("by", lambda row: _finding_text(row.ours)),
)
SCHEMATHESIS_COLUMNS: Final[Sequence[tuple[str, Callable[[BugResult], str]]]] = (
    (BASELINE_NAME, lambda row: row.plain.word if row.plain is not None else ""),
    ("seconds", lambda row: _seconds_text(row.plain)),
    ("by", lambda row: _finding_text(row.plain)),
)


def as_json(ratings: Sequence[SelfTestResult], version: str) -> dict[str, Any]:
    """Return all results as JSON; times are in seconds, shares in per cent."""
    return {"format": FORMAT, "version": version, "apis": [_api(one) for one in ratings]}


def _api(rating: SelfTestResult) -> dict[str, Any]:
    return {
        "api": rating.api,
        "secondsPerBug": rating.seconds,
        "seed": rating.seed,
        "complete": rating.healthy is not None and len(rating.rows) == len(rating.planned),
        "campaign": _judge(fuzzer_totals(rating), rating.healthy),
        "schemathesis": _judge(schemathesis_totals(rating), rating.plain),
        "bugs": [_row(row) for row in rating.rows],
        "notCounted": {why: [bug.name for bug in bugs] for why, bugs in rating.left_out.items()},
    }


def _judge(one: Totals | None, healthy: HealthyRun | None) -> dict[str, Any] | None:
    if one is None or healthy is None:
        return None
    own = {"found": one.found, "of": one.of, "share": one.share, "median": one.median, "longest": one.longest}
    return {**own, "healthy": asdict(healthy)}


def _row(row: BugResult) -> dict[str, Any]:
    rounds = {"campaign": row.ours, "schemathesis": row.plain}
    told = {name: {"word": one.word, **asdict(one)} for name, one in rounds.items() if one is not None}
    return {"bug": row.bug.name, "law": row.bug.law, **told}


UNDECLARED: Final = "this contract does not declare what the bug needs"
ACTIVE_LIMIT_BUG: Final = "active-limit-ignored"
ALLOWED: Final = (
    "this contract makes its limit on active jobs a rule for clients, so that a server may do what the bug does"
)


def counted_bugs(contract: Contract) -> tuple[Bug, ...]:
    """Return the bugs that this contract allows to plant and that violate it."""
    return tuple(bug for bug in BUGS if _exclusion_reason(bug, contract) is None)


def uncounted_bugs(contract: Contract) -> Mapping[str, tuple[Bug, ...]]:
    """Return the other bugs, by the reason why they do not count."""
    reasons = {bug: _exclusion_reason(bug, contract) for bug in BUGS}
    return {
        why: tuple(bug for bug, reason in reasons.items() if reason == why)
        for why in dict.fromkeys(reasons.values())
        if why is not None
    }


def _exclusion_reason(bug: Bug, contract: Contract) -> str | None:
    if not bug.fits(contract):
        return UNDECLARED
    return ALLOWED if bug.name == ACTIVE_LIMIT_BUG and _is_conduct(contract) else None


def _is_conduct(contract: Contract) -> bool:
    """Return whether no limit on active jobs is declared with a status code of refusal."""
    jobs = (place.bulk.job for place in bulk_sites(contract))
    return not any(job is not None and job.active and isinstance(job.active.breach, int) for job in jobs)


class SilentListener:
    """A campaign listener that prints nothing."""

    def began(self, state: CampaignState) -> None:
        """Ignore the start of the campaign."""

    def found(self, kept: StoredFinding, folder: Path | None) -> None:
        """Ignore a finding."""

    def confirmed(self, kept: StoredFinding, folder: Path | None) -> None:
        """Ignore the replay of a finding."""

    def progressed(self, state: CampaignState) -> None:
        """Ignore the progress."""

    def message(self, says: str) -> None:
        """Ignore a message."""


def run_on_mutant(job: CampaignConfig, variants: Variants, bug: str, seconds: float) -> JudgeRun:
    """Run the fuzzer against a mutant until its first finding. Raises KeyboardInterrupt, NoAnswerError, MisuseError."""
    state = _run(job, variants.plant(bug), seconds, stops_at_first=True)
    first = min(_detections(state), key=lambda one: one.seconds, default=None)
    if first is None:
        return JudgeRun(seconds=state.seconds, fired=variants.has_fired())
    return JudgeRun(seconds=first.seconds, first=first, fired=variants.has_fired())


def run_without_bugs(job: CampaignConfig, variants: Variants, seconds: float) -> HealthyRun:
    """Run the fuzzer against the sandbox without bugs. Raises as `run_on_mutant` does."""
    state = _run(job, variants.plant(None), seconds, stops_at_first=False)
    return HealthyRun(seconds=state.seconds, calls=state.calls, alarms=tuple(_detections(state)))


def _run(job: CampaignConfig, url: str, seconds: float, *, stops_at_first: bool) -> CampaignState:
    mine = replace(job, place=replace(job.place, url=url), shrinks=False, stops_at_first=stops_at_first)
    campaign = Campaign(
        job=mine,
        executor=LocalExecutor(mine),
        listener=SilentListener(),
        seconds=seconds,
        schemas=False,
    )
    state = campaign.run()
    if campaign.interrupted:
        raise KeyboardInterrupt
    return state


def _detections(state: CampaignState) -> list[Detection]:
    return [
        Detection(law=one.law, operation=one.operation, says=one.says, seconds=one.seconds)
        for one in state.findings.values()
    ]
