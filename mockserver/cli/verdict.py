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
    _write(_rendered(form, verdict_body, url, to_terminal=output is None), output)
    return EXIT_FAILED if verdict_body["failed"] else 0


def _fetched(url: str, sandbox: str, token: str) -> dict[str, Any]:
    """Return the body of the verdict from the server, in current words. Raises MisuseError."""
    from urllib.parse import quote

    from mockserver.testing.transports import ask, require_sandbox, server_at
    from mockserver.verdicts.verdict import with_current_names

    server = server_at(url, token)
    require_sandbox(server, sandbox)
    return with_current_names(ask(server, "GET", f"/sandboxes/{quote(sandbox, safe='')}/verdict"))


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


def _write(text: bytes, output: Path | None) -> None:
    from contracts.errors import MisuseError

    if output is None:
        click.echo(text.decode(), nl=not text.endswith(b"\n"))
        return
    try:
        output.write_bytes(text)
    except OSError as error:
        raise MisuseError(
            f"cannot write {output}: {error.strerror}.", cure="Choose another file with --output."
        ) from None
