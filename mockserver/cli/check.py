"""`bulkproof check`: check an implementation against its contract, within a minute."""

import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from mockserver.cli.options import Command, RenamedOption, reading_of, reading_options
from mockserver.cli.target import ASSUMPTIONS, OUTPUT, api_of, assumptions_of, name_prefix, place_of, seconds, target

if TYPE_CHECKING:
    from contracts.openapi.model import Contract
    from generators.check.run import CheckPlan, Event, Finished
    from generators.client.environments import TargetOptions
    from generators.oracles.facts import Assumptions
    from generators.oracles.findings import CheckResult
    from generators.reports.model import Report

EXIT_FINDINGS: Final = 1


class CheckRun(NamedTuple):
    """The results of a run."""

    answers: "list[CheckResult]"
    finished: "Finished"
    is_sandbox: bool


@click.command(cls=Command)
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
    help="Prefix of every generated name: 5 characters of 0-9 and a-z. Default: from the time of day.",
)
@click.option(
    "--max-time",
    callback=seconds,
    default="60s",
    show_default=True,
    help="Time limit, such as 90s or 5m; checks that did not fit are reported as not run.",
)
@click.option("--model", is_flag=True, help="Also compare responses with those of the sandbox.")
@ASSUMPTIONS
@click.option("--baseline", type=OUTPUT, help="File of known findings: they are reported, but do not fail the run.")
@click.option("--baseline-update", is_flag=True, help="Write the findings to the baseline file.")
@click.option("--junit", type=OUTPUT, help="Write a JUnit XML report.")
@click.option("--jsonl", type=OUTPUT, help="Write a JSON Lines report.")
@click.option("--sarif", type=OUTPUT, help="Write a SARIF report.")
@click.option("--html", type=OUTPUT, help="Write an HTML report.")
@click.option("-v", "--verbose", is_flag=True, help="List passed checks too.")
def check(*, api: str, url: str, mount: str | None, **given: Any) -> int:
    """Check an implementation against its contract.

    Sends the contract's examples, runs an experiment for every law of bulk operations, validates every response, and
    tests the cases that the schemas define. Exit code: 0 no findings, or warnings alone, 1 findings, 2 the check could
    not run.

    bulkproof check genero --url http://127.0.0.1:8080

    bulkproof check openapi.yaml --url https://staging.example.com --auth "$TOKEN" --junit report.xml
    """
    from contracts.errors import MisuseError
    from generators.triage.corpus import broad_baseline_note, read_baseline, write_baseline

    baseline, update = given["baseline"], given["baseline_update"]
    if update and baseline is None:
        raise MisuseError("--baseline-update needs a file.", cure="Name it with --baseline.")
    known = read_baseline(baseline) if baseline is not None and not update else frozenset()
    contract, plan = _planned(api, mount, place_of(url, given), given)
    result = _run(contract, url, plan, given["control_token"])
    if update:
        write_baseline(baseline, result.finished.findings)
        known = frozenset(one.fingerprint for one in result.finished.findings)
    report = _report(contract, plan, result, known, assumptions_of(given, is_sandbox=result.is_sandbox))
    _tell(report, given)
    click.echo(broad_baseline_note(known, result.finished.findings), err=True, nl=False)
    return EXIT_FINDINGS if report.counts.get("failed") else 0


def _planned(
    api: str, mount: str | None, place: "TargetOptions", given: Mapping[str, Any]
) -> "tuple[Contract, CheckPlan]":
    from generators.check.run import CheckPlan
    from generators.client.http import base_url_of
    from mockserver.control.server import bundled

    reading = reading_of(given)
    loaded = api_of(api, mount, place, reading)
    contract = loaded.contract
    model = None
    if given["model"]:
        from mockserver.apis.reference_model import sandbox_model

        model = sandbox_model(api, reading)
    named = ("seed", "only", "skip", "read_only", "given", "name_prefix", "timeout")
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


def _run(contract: "Contract", url: str, plan: "CheckPlan", token: str) -> CheckRun:
    from contextlib import closing

    from generators.check.run import Finished, LawAnswered
    from generators.check.run import check as events_of
    from generators.client.environments import TargetOptions, connect, control_note

    place = TargetOptions(url=url, headers=plan.headers, control_token=token, timeout=plan.timeout)
    if note := control_note(contract, place, needs_sandboxes=False)[1]:
        click.echo(note, err=True)
    client = connect(contract, url, headers=plan.headers, control_token=token, timeout=plan.timeout)
    with closing(client):
        events = [*_shown(events_of(contract, client, plan))]
    answers = [event.answer for event in events if isinstance(event, LawAnswered)]
    return CheckRun(answers, next(event for event in events if isinstance(event, Finished)), client.controlled)


def _shown(events: "Iterator[Event]") -> "Iterator[Event]":
    """Pass events on, and show progress on a terminal."""
    answered = found = 0
    is_terminal = sys.stderr.isatty()
    for event in events:
        kind = type(event).__name__
        answered, found = answered + (kind == "LawAnswered"), found + (kind == "FindingFound")
        if is_terminal:
            click.echo(f"\r\x1b[K{answered} results, {found} findings", err=True, nl=False)
        yield event
    if is_terminal:
        click.echo("\r\x1b[K", err=True, nl=False)


def _report(
    contract: "Contract", plan: "CheckPlan", result: CheckRun, known: frozenset[str], assumptions: "Assumptions"
) -> "Report":
    from generators.oracles.facts import FactFinder
    from generators.reports.from_runs import check_report
    from mockserver import VERSION

    end = result.finished
    facts = [
        ("server", plan.base),
        ("seed", str(plan.seed)),
        ("calls", str(end.calls)),
        ("items", str(end.items)),
        ("seconds", f"{end.seconds:.1f}"),
    ]
    title = f"{contract.title} {contract.version}"
    return check_report(
        title,
        result.answers,
        version=VERSION,
        base=plan.base,
        facts=facts,
        known=known,
        fact_finder=FactFinder(contract),
        assumptions=assumptions,
    )


def _tell(report: "Report", given: Mapping[str, Any]) -> None:
    from shutil import get_terminal_size

    from generators.reports.console import table, write_files

    write_files(report, given)
    width = get_terminal_size((100, 24)).columns
    text = table(report, width=width, colour=sys.stdout.isatty(), brief=not given["verbose"])
    click.echo(text, nl=False)
