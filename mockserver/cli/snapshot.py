"""`bulkproof snapshot`: write the whole state of a sandbox of a running server to a file, and put it back."""

from pathlib import Path

import click

from mockserver.cli.shared.options import Command, server_options
from mockserver.cli.shared.outputs import OUTPUT_FILE, write_output


@click.group()
def snapshot() -> None:
    """Write the state of a sandbox to a file, and put it back.

    A snapshot is one JSON document: records, jobs, clock, scenarios, settings, ids and tokens. Its form is in the
    documentation of the sandbox. Exit code: 0 done, 2 refused.
    """


@snapshot.command(name="export", cls=Command)
@click.argument("name", default="default")
@server_options
@OUTPUT_FILE
@click.option("--journal", is_flag=True, help="Include the recorded exchanges, for later verdicts.")
@click.option(
    "--without-secrets", is_flag=True, help="Leave out tokens, and hide credentials in the requests of jobs that wait."
)
def export_snapshot(
    *, name: str, url: str, control_token: str, output: Path | None, journal: bool, without_secrets: bool
) -> None:
    """Write the state of the sandbox NAME, by default that of `default`; its tokens are part of it."""
    from mockserver.sandbox.snapshot import snapshot_text, without_tokens
    from mockserver.testing.transports import ask, require_sandbox, server_at

    server = server_at(url, control_token)
    require_sandbox(server, name)
    query = "?journal=true" if journal else ""
    document = ask(server, "GET", f"{_path(name)}{query}")
    write_output(snapshot_text(without_tokens(document) if without_secrets else document), output)


@snapshot.command(name="import", cls=Command)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@server_options
@click.option("--sandbox", help="Name of the sandbox; by default the one that was exported.")
def import_snapshot(*, file: Path, url: str, control_token: str, sandbox: str | None) -> None:
    """Replace the state of a sandbox by that of a snapshot; the sandbox is made when there is none."""
    from mockserver.sandbox.snapshot import read_snapshot
    from mockserver.testing.transports import ask, server_at

    document = read_snapshot(file)
    name = str(document.get("sandbox", "default")) if sandbox is None else sandbox
    told = ask(server_at(url, control_token), "PUT", _path(name), document)
    click.echo(f"{url.rstrip('/')}/@{told['name']} has the state of {file}.")


def _path(name: str) -> str:
    from urllib.parse import quote

    return f"/sandboxes/{quote(name, safe='')}/snapshot"
