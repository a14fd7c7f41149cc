"""`bulkproof check`: check an implementation against its contract, within a minute."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import ceil
from shutil import get_terminal_size
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Self

import click

from mockserver.cli.shared.options import Duration, RenamedOption, reading_of, reading_options
from mockserver.cli.shared.outputs import ReportingCommand, baseline_of, report_options, reporting, tell
from mockserver.cli.shared.target import (
    ASSUMPTIONS,
    OUTPUT,
    api_of,
    assumptions_of,
    name_prefix,
    place_of,
    require_server,
    target,
)

if TYPE_CHECKING:
    from contextlib import ExitStack

    from contracts.openapi.model import Contract
    from generators.check.plan import CheckPlan, Event, Finished
    from generators.client.environments import SandboxClient, TargetOptions
    from generators.client.http import HttpClient
    from generators.oracles.facts import Assumptions
    from generators.oracles.findings import CheckResult, Finding
    from generators.reports.model import Report

EXIT_FINDINGS: Final = 1
LINE_INTERVAL: Final = 10.0  # seconds between two lines of progress in a file
REDRAW_INTERVAL: Final = 0.1  # seconds between two on a terminal


@dataclass(slots=True)
class CheckRun:
    """The results of a run so far; `finished` is None until it has ended."""

    answers: "list[CheckResult]" = field(default_factory=list)
    findings: "list[Finding]" = field(default_factory=list)
    finished: "Finished | None" = None

    @property
    def results(self) -> "list[CheckResult]":
        """The results of checks, those of findings whose check has not ended included."""
        from generators.oracles.findings import CheckResult

        told = {one.fingerprint for answer in self.answers for one in answer.findings}
        others = [one for one in self.findings if one.fingerprint not in told]
        pending = (CheckResult(law=one.law, operation=one.operation, word="failed", findings=(one,)) for one in others)
        return [*self.answers, *(pending if self.finished is None else ())]


@click.command(cls=ReportingCommand)
@click.argument("api", metavar="API|FILE")
@reading_options
@target
@click.option("--only", multiple=True, metavar="CHECK|OPERATION", help="Run only this check or operation; repeatable.")
@click.option("--skip", multiple=True, metavar="CHECK|OPERATION", help="Skip this check or operation; repeatable.")
@click.option("--read-only", is_flag=True, help="Send only GET and HEAD requests.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of all generated data.")
@click.option(
    "--name-prefix",
    "name_prefix",
    cls=RenamedOption,
    was="--salt",
    metavar="TEXT",
    callback=name_prefix,
    help="Prefix of every generated name: 5 characters of 0-9 and a-z. Default: a random one.",
)
@click.option(
    "--max-time",
    type=Duration(),
    default="60s",
    show_default=True,
    help="Time limit, such as 90s or 5m; checks that did not fit are reported as not run.",
)
@click.option("--model", is_flag=True, help="Also compare responses with those of the sandbox.")
@ASSUMPTIONS
@click.option("--baseline", type=OUTPUT, help="File of known findings: they are reported, but do not fail the run.")
@click.option("--baseline-update", is_flag=True, help="Write the findings to the baseline file.")
@report_options
@click.option("-v", "--verbose", is_flag=True, help="List passed checks too.")
def check(*, api: str, url: str, mount: str | None, **given: Any) -> int:
    """Check an implementation against its contract.

    Sends the contract's examples, runs an experiment for every law of bulk operations, validates every response, and
    tests the cases that the schemas define. Exit code: 0 no findings, or warnings alone, 1 findings, 2 the check could
    not run.

    bulkproof check genero --url http://127.0.0.1:8080

    bulkproof check openapi.yaml --url https://staging.example.com --auth "$TOKEN" --junit report.xml
    """
    from contextlib import ExitStack

    from contracts.drafts.bulk_drafts import undeclared_note
    from generators.client.environments import connect, control_note, is_sandbox
    from generators.triage.corpus import broad_baseline_note, write_baseline

    with reporting(api, given) as so_far:
        known = baseline_of(given)
        place = place_of(url, given)
        contract, plan = _planned(api, mount, place, given)
        click.echo(undeclared_note(contract, api), err=True, nl=False)
        require_server(url, given["timeout"])
        has_sandboxes, note = control_note(contract, place, needs_sandboxes=False)
        if note:
            click.echo(note, err=True)
        client = connect(contract, place)
        assumptions = assumptions_of(given, is_sandbox=is_sandbox(contract, place))
        run = CheckRun()
        so_far.report = lambda: _report(contract, plan, run, known, assumptions)
        with ExitStack() as stack:
            stack.callback(client.close)
            if has_sandboxes and not plan.read_only and not plan.rate:
                plan = replace(plan, beside=partial(_sandbox_beside, contract, place, stack))
            _play(contract, client, plan, run)
        if given["baseline_update"]:
            write_baseline(given["baseline"], run.findings)
            known = frozenset(one.fingerprint for one in run.findings)
        report = _report(contract, plan, run, known, assumptions)
    tell(report, given, brief=not given["verbose"])
    click.echo(broad_baseline_note(known, run.findings), err=True, nl=False)
    return EXIT_FINDINGS if report.counts.get("failed") else 0


def _sandbox_beside(contract: "Contract", place: "TargetOptions", stack: "ExitStack") -> "SandboxClient":
    """Return a client of a new sandbox that is like the one at an address; the stack deletes it."""
    from generators.client.environments import SandboxClient, new_name_prefix, open_target

    sandboxes = open_target(contract, place, f"check-{new_name_prefix()}")
    stack.callback(sandboxes.close)
    client = sandboxes.fresh().client
    assert isinstance(client, SandboxClient)  # noqa: S101 - a server with sandboxes gives no other
    return client


def _planned(
    api: str, mount: str | None, place: "TargetOptions", given: Mapping[str, Any]
) -> "tuple[Contract, CheckPlan]":
    from generators.check.plan import CheckPlan
    from generators.client.http import base_url_of
    from mockserver.control.server import bundled

    loaded = api_of(api, mount, place, reading_of(given))
    contract = loaded.contract
    model = None
    if given["model"]:
        from mockserver.apis.reference_model import SandboxModel

        model = SandboxModel(loaded)
    named = ("seed", "only", "skip", "read_only", "given", "name_prefix", "timeout", "rate")
    plan = CheckPlan(
        **{name: given[name] for name in named},
        seconds=given["max_time"],
        document=bundled(contract),
        base=base_url_of(contract, place.url),
        headers=place.headers,
        model=model,
        laws=loaded.checks,
    )
    return contract, plan


def _play(contract: "Contract", client: "SandboxClient | HttpClient", plan: "CheckPlan", run: CheckRun) -> None:
    """Run the check, collect its results, and show progress."""
    from generators.check.plan import FindingFound, Finished, LawAnswered
    from generators.check.run import check as events_of

    with CheckProgress() as progress:
        for event in events_of(contract, client, plan):
            if isinstance(event, LawAnswered):
                run.answers.append(event.answer)
            elif isinstance(event, FindingFound):
                run.findings.append(event.finding)
            elif isinstance(event, Finished):
                run.finished = event
            progress.show(event, run)


def _report(
    contract: "Contract", plan: "CheckPlan", run: CheckRun, known: frozenset[str], assumptions: "Assumptions"
) -> "Report":
    from generators.oracles.facts import FactFinder
    from generators.reports.from_runs import check_report
    from mockserver import VERSION

    end = run.finished
    facts = [("server", plan.base), ("seed", str(plan.seed))]
    if end is not None:
        facts += [("calls", str(end.calls)), ("items", str(end.items)), ("seconds", f"{end.seconds:.1f}")]
        facts += _time_wanted(run.answers, end.seconds)
    return check_report(
        f"{contract.title} {contract.version}",
        run.results,
        version=VERSION,
        base=plan.base,
        facts=facts,
        known=known,
        fact_finder=FactFinder(contract),
        assumptions=assumptions,
        given=tuple(plan.headers),
    )


def _time_wanted(answers: "Sequence[CheckResult]", seconds: float) -> list[tuple[str, str]]:
    """Return how many checks had no time, and how much would do if they take as long as the others; [] for none."""
    from contracts.syntax.text import counted
    from generators.check.run import BUDGET_USED_UP

    idle = sum(one.reason == BUDGET_USED_UP for one in answers)
    done = sum(one.word in {"passed", "failed"} for one in answers)
    minutes = ceil(seconds * (done + idle) / max(done, 1) / 60)
    return [("no time", f"for {counted(idle, 'check')}; --max-time {minutes}m would about do")] if idle else []


class CheckProgress:
    """Shows a check's progress on stderr: on a terminal in a line that is rewritten, else every ten seconds."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._began = self._shown = monotonic()
        self._doing = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_terminal:
            click.echo("\r\x1b[K", err=True, nl=False)

    def show(self, event: "Event", run: CheckRun) -> None:
        """Show the state of a run after an event."""
        from contracts.syntax.text import counted
        from generators.check.plan import StepBegun

        now = monotonic()
        if isinstance(event, StepBegun):
            self._doing = f", {counted(event.calls, 'request')}, now {event.doing}"
        every = REDRAW_INTERVAL if self._is_terminal else LINE_INTERVAL
        if now - self._shown < every:
            return
        self._shown = now
        counts = f"{counted(len(run.answers), 'result')}, {counted(len(run.findings), 'finding')}"
        line = f"{now - self._began:.0f} s, {counts}{self._doing}"
        if self._is_terminal:
            click.echo(f"\r\x1b[K{line[: get_terminal_size((100, 24)).columns - 1]}", err=True, nl=False)
        else:
            click.echo(line, err=True)
