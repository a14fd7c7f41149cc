"""`bulkproof verdict`: check the conduct of the clients of a running sandbox."""

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mockserver.cli.shared.options import server_options
from mockserver.cli.shared.outputs import OUTPUT_FILE, ReportingCommand, report_options, reporting, write_output

if TYPE_CHECKING:
    from generators.reports.model import Report

FORMATS: Final = ("table", "json", "jsonl", "junit", "sarif", "html")
ANY_LAW: Final = "any"
EXIT_FAILED: Final = 1
REQUIRED_LAWS: Final = click.option(
    "--require",
    "required",
    multiple=True,
    is_flag=False,
    flag_value=ANY_LAW,
    metavar="[LAW]",
    help="Fail unless this law has passed; without a name, unless any law was exercised. Repeatable.",
)


@click.command(cls=ReportingCommand)
@server_options
@click.option("--sandbox", default="default", show_default=True, help="Name of the sandbox.")
@REQUIRED_LAWS
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True, help="Output format.")
@OUTPUT_FILE
@report_options
def verdict(
    *,
    url: str,
    sandbox: str,
    required: tuple[str, ...],
    form: str,
    output: Path | None,
    control_token: str,
    **files: Path | None,
) -> int:
    """Check the clients of a running sandbox against the laws of client conduct.

    Exit code: 0 no law failed, 1 a law failed or what --require asks for was not exercised, 2 there is no such
    sandbox, server or law.
    """
    from generators.reports.console import write_files

    with reporting(f"Conduct of the clients of sandbox {sandbox}", files):
        verdict_body = judged(_fetched(url.rstrip("/"), sandbox, control_token), required)
    write_output(_rendered(form, verdict_body, url, to_terminal=output is None), output)
    from mockserver.verdicts.verdict import report_of

    write_files(report_of(verdict_body), files)
    tell_unexercised(verdict_body)
    return EXIT_FAILED if verdict_body["failed"] else 0


def judged(verdict_body: Mapping[str, Any], required: Iterable[str]) -> dict[str, Any]:
    """Return a verdict in which required laws that were not run have failed. Raises MisuseError: no such law."""
    from contracts.errors import MisuseError
    from contracts.syntax.text import names_hint

    wanted, laws = set(required), [dict(one) for one in verdict_body["laws"]]
    known = {one["id"] for one in laws}
    for name in sorted(wanted - known - {ANY_LAW}):
        raise MisuseError(f"there is no law '{name}' here.", cure=names_hint(name, sorted(known)))
    for one in laws:
        if one["id"] in wanted and one["status"] == "not-run" and not _is_run_elsewhere(one, laws):
            one |= {"status": "failed", "detail": f"It is required, and was not exercised. {one['detail']}"}
    if ANY_LAW in wanted and all(one["status"] == "not-run" for one in laws):
        says, detail = "At least one law is exercised.", unexercised_text(verdict_body)
        laws.append(
            {"id": "exercised", "api": ANY_LAW, "says": says, "status": "failed", "evidence": [], "detail": detail}
        )
    words = [one["status"] for one in laws]
    counts = {"passed": words.count("passed"), "failed": words.count("failed"), "notRun": words.count("not-run")}
    return {**verdict_body, "laws": laws, **counts}


def _is_run_elsewhere(law: Mapping[str, Any], laws: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether the clients of another API exercised the law."""
    return any(one["id"] == law["id"] and one["status"] != "not-run" for one in laws)


def unexercised_text(verdict_body: Mapping[str, Any]) -> str:
    """Return the sentence about a verdict in which no law was exercised."""
    sandbox, number = verdict_body["sandbox"], verdict_body.get("exchanges")
    if number == 0:
        return f"No law was exercised: no client has sent a request to sandbox '{sandbox}'."
    where = f"{sandbox} sandboxes" if isinstance(sandbox, int) else f"sandbox '{sandbox}'"
    return f"No law was exercised: none is about the requests in {where}."


def tell_unexercised(verdict_body: Mapping[str, Any]) -> None:
    """Say on stderr that a verdict says nothing, where no law was exercised."""
    if not verdict_body["passed"] and not verdict_body["failed"]:
        click.echo(unexercised_text(verdict_body), err=True)


def _fetched(url: str, sandbox: str, token: str) -> dict[str, Any]:
    """Return the body of the verdict from the server, in current words. Raises MisuseError."""
    from urllib.parse import quote

    from contracts.errors import MisuseError
    from mockserver.testing.transports import ask, require_sandbox, server_at
    from mockserver.verdicts.verdict import with_current_names

    server = server_at(url, token)
    require_sandbox(server, sandbox)
    try:
        return with_current_names(ask(server, "GET", f"/sandboxes/{quote(sandbox, safe='')}/verdict"))
    except (KeyError, TypeError, AttributeError):
        cure = "Use the version of Bulkproof that serves there."
        raise MisuseError(f"the verdict of {server.url} cannot be read.", cure=cure) from None


def _rendered(form: str, verdict_body: Mapping[str, Any], url: str, *, to_terminal: bool) -> bytes:
    import json

    from generators.reports.console import WRITERS
    from mockserver.verdicts.verdict import report_of

    if form == "json":
        return json.dumps(verdict_body, indent=2, ensure_ascii=False).encode() + b"\n"
    writers: Mapping[str, Callable[[Report], bytes]] = {
        **WRITERS,
        "table": lambda report: as_table(report, colour=to_terminal and sys.stdout.isatty()).encode(),
    }
    return writers[form](report_of(verdict_body, [("server", url)] if form != "table" else []))


def as_table(report: "Report", *, colour: bool, brief: bool = False) -> str:
    """Return a report as a table as wide as the terminal."""
    from shutil import get_terminal_size

    from generators.reports.console import table

    return table(report, width=get_terminal_size((100, 24)).columns, colour=colour, brief=brief)
