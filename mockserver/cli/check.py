"""`bulkproof check`: check an implementation against its contract, within a minute."""

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from mockserver.cli.options import Command, RenamedOption
from mockserver.cli.target import OUTPUT, salt, seconds, target

if TYPE_CHECKING:
    from contracts.model import Contract
    from generators.checking import Plan
    from generators.checks.events import Event, Finished
    from generators.checks.findings import Answer
    from generators.reports import Report

FOUND: Final = 1


class Result(NamedTuple):
    """What a run came to."""

    answers: "list[Answer]"
    finished: "Finished"


@click.command(cls=Command)
@click.argument("api", metavar="API|FILE")
@target
@click.option("--only", multiple=True, metavar="CHECK|OPERATION", help="Run only this check or operation; repeatable.")
@click.option("--skip", multiple=True, metavar="CHECK|OPERATION", help="Skip this check or operation; repeatable.")
@click.option("--read-only", is_flag=True, help="Send only GET and HEAD requests.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of all generated data.")
@click.option(
    "--name-prefix",
    "salt",
    cls=RenamedOption,
    was="--salt",
    metavar="TEXT",
    callback=salt,
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
@click.option("--baseline", type=OUTPUT, help="File of known findings: they are reported, but do not fail the run.")
@click.option("--baseline-update", is_flag=True, help="Write the findings to the baseline file.")
@click.option("--junit", type=OUTPUT, help="Write a JUnit XML report.")
@click.option("--jsonl", type=OUTPUT, help="Write a JSON Lines report.")
@click.option("--sarif", type=OUTPUT, help="Write a SARIF report.")
@click.option("--html", type=OUTPUT, help="Write an HTML report.")
@click.option("-v", "--verbose", is_flag=True, help="List passed checks too.")
def check(*, api: str, url: str, mount: str | None, auth: str, headers: dict[str, str], **given: Any) -> int:
    """Check an implementation against its contract.

    Sends the contract's examples, runs an experiment for every law of bulk operations, validates every response, and
    tests the cases that the schemas define. Exit code: 0 no findings, 1 findings, 2 the check could not run.

    bulkproof check genero --url http://127.0.0.1:8080

    bulkproof check openapi.yaml --url https://staging.example.com --auth "$TOKEN" --junit report.xml
    """
    from contracts.errors import MisuseError  # noqa: PLC0415 - `--help` needs none of these
    from generators.baseline import read_baseline, write_baseline  # noqa: PLC0415

    baseline, update = given["baseline"], given["baseline_update"]
    if update and baseline is None:
        raise MisuseError("--baseline-update needs a file.", cure="Name it with --baseline.")
    known = read_baseline(baseline) if baseline is not None and not update else frozenset()
    sent = {**headers, **({"Authorization": auth} if auth else {})}
    contract, plan = _planned(api, url, mount, sent, given)
    result = _run(contract, url, plan, given["control_token"])
    if update:
        write_baseline(baseline, result.finished.findings)
        known = frozenset(one.fingerprint for one in result.finished.findings)
    _tell(_report(contract, plan, result, known), given)
    return FOUND if any(one.fingerprint not in known for one in result.finished.findings) else 0


def _planned(
    api: str, url: str, mount: str | None, headers: dict[str, str], given: Mapping[str, Any]
) -> "tuple[Contract, Plan]":
    from dataclasses import replace  # noqa: PLC0415 - `--help` needs none of these

    from generators.checking import Plan  # noqa: PLC0415
    from generators.http import base_of  # noqa: PLC0415
    from mockserver.control.documents import bundled  # noqa: PLC0415
    from mockserver.sources import find_sources  # noqa: PLC0415

    contract = find_sources((api,))[0].load().contract
    if mount is not None:
        contract = replace(contract, mount=f"/{mount.strip('/')}" if mount.strip("/") else "")
    model = None
    if given["model"]:
        from mockserver.model import sandbox_model  # noqa: PLC0415 - only with that option

        model = sandbox_model(api)
    named = ("seed", "only", "skip", "read_only", "given", "salt", "timeout")
    plan = Plan(
        **{name: given[name] for name in named},
        seconds=given["max_time"],
        document=bundled(contract),
        base=base_of(contract, url),
        headers=headers,
        model=model,
    )
    return contract, plan


def _run(contract: "Contract", url: str, plan: "Plan", token: str) -> Result:
    from contextlib import closing  # noqa: PLC0415 - `--help` needs none of these

    from generators.checking import check as events_of  # noqa: PLC0415
    from generators.checks.events import Finished, LawAnswered  # noqa: PLC0415
    from generators.http import connect  # noqa: PLC0415

    caller = connect(contract, url, headers=plan.headers, control_token=token, timeout=plan.timeout)
    with closing(caller):
        events = [*_shown(events_of(contract, caller, plan))]
    answers = [event.answer for event in events if isinstance(event, LawAnswered)]
    return Result(answers, next(event for event in events if isinstance(event, Finished)))


def _shown(events: "Iterator[Event]") -> "Iterator[Event]":
    """Hand events on, and tell somebody at a terminal how far it is."""
    answered = found = 0
    told = sys.stderr.isatty()
    for event in events:
        kind = type(event).__name__
        answered, found = answered + (kind == "LawAnswered"), found + (kind == "FindingFound")
        if told:
            click.echo(f"\r\x1b[K{answered} results, {found} findings", err=True, nl=False)
        yield event
    if told:
        click.echo("\r\x1b[K", err=True, nl=False)


def _report(contract: "Contract", plan: "Plan", result: Result, known: frozenset[str]) -> "Report":
    from generators.reports.checked import checked  # noqa: PLC0415 - `--help` does not need it
    from mockserver.version import VERSION  # noqa: PLC0415

    end = result.finished
    facts = [
        ("server", plan.base),
        ("seed", str(plan.seed)),
        ("calls", str(end.calls)),
        ("items", str(end.items)),
        ("seconds", f"{end.seconds:.1f}"),
    ]
    title = f"{contract.title} {contract.version}"
    return checked(title, result.answers, version=VERSION, base=plan.base, facts=facts, known=known)


def _tell(report: "Report", given: Mapping[str, Any]) -> None:
    from shutil import get_terminal_size  # noqa: PLC0415 - `--help` needs none of these

    from generators.reports import html_page, json_lines, junit_xml, sarif_log, table  # noqa: PLC0415

    writers: dict[str, Callable[[Report], bytes]] = {
        "junit": junit_xml,
        "jsonl": json_lines,
        "sarif": sarif_log,
        "html": html_page,
    }
    for name, write in writers.items():
        if given[name] is not None:
            _write(given[name], write(report))
    width = get_terminal_size((100, 24)).columns
    text = table(report, width=width, colour=sys.stdout.isatty(), brief=not given["verbose"])
    click.echo(text, nl=False)


def _write(path: Path, text: bytes) -> None:
    from contracts.errors import MisuseError  # noqa: PLC0415 - only for a failure

    try:
        path.write_bytes(text)
    except OSError as error:
        raise MisuseError(f"cannot write {path}: {error.strerror}.", cure="Choose another file.") from None
