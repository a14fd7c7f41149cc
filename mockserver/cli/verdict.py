"""`bulkproof verdict`: check the conduct of the clients of a running sandbox."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mockserver.cli.options import Command, server_options

if TYPE_CHECKING:
    from generators.reports.model import Report

FORMATS = ("table", "json", "jsonl", "junit", "sarif", "html")
EXIT_FAILED = 1


@click.command(cls=Command)
@server_options
@click.option("--sandbox", default="default", show_default=True, help="Name of the sandbox.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True, help="Output format.")
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file instead of stdout."
)
def verdict(*, url: str, sandbox: str, form: str, output: Path | None, control_token: str) -> int:
    """Check the clients of a running sandbox against the laws of client conduct.

    Exit code: 0 no law failed, 1 a law failed, 2 the sandbox cannot be reached.
    """
    verdict_body = _fetched(url.rstrip("/"), sandbox, control_token)
    from mockserver.cli.outputs import write_output

    write_output(_rendered(form, verdict_body, url, to_terminal=output is None), output)
    return EXIT_FAILED if verdict_body["failed"] else 0


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
    from shutil import get_terminal_size

    from generators.reports.console import WRITERS, table
    from mockserver.verdicts.verdict import report_of

    def as_table(report: "Report") -> bytes:
        colour = to_terminal and sys.stdout.isatty()
        return table(report, width=get_terminal_size((100, 24)).columns, colour=colour).encode()

    if form == "json":
        return json.dumps(verdict_body, indent=2, ensure_ascii=False).encode() + b"\n"
    writers: Mapping[str, Callable[[Report], bytes]] = {**WRITERS, "table": as_table}
    return writers[form](report_of(verdict_body, [("server", url)] if form != "table" else []))
