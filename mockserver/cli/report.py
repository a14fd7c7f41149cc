"""`bulkproof report open`: look at reports and findings in a browser; a server on this machine shows them."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mockserver.cli.shared.options import Command

if TYPE_CHECKING:
    from http.server import ThreadingHTTPServer

MAX_BYTES: Final = 64 * 1024 * 1024  # of all that is shown
FINDING_FILES: Final = ("finding.json", "test_finding.py", "replay.sh")  # what is shown of a finding's folder
PATHS: Final = click.Path(exists=True, readable=True, path_type=Path)


@click.group()
def report() -> None:
    """Look at reports."""


@report.command("open", cls=Command)
@click.argument("paths", metavar="FILE|FOLDER...", nargs=-1, required=True, type=PATHS)
@click.option("--print-url", is_flag=True, help="Print the URL alone, for scripts; opens no browser.")
@click.option("--no-browser", is_flag=True, help="Open no browser.")
def open_reports(*, paths: tuple[Path, ...], print_url: bool, no_browser: bool) -> None:
    """Show reports of check, fuzz and verdict in a browser, until Ctrl-C.

    A report is a file of JSON Lines (best), SARIF or JUnit; a folder is one of findings, as fuzz stores them. The
    server listens on this machine alone, on a free port, and its URL has a secret.

    bulkproof report open report.jsonl

    bulkproof report open .bulkproof/findings
    """
    import webbrowser

    server = report_server(read_files(paths))
    with server:
        url = url_of(server)
        click.echo(url if print_url else f"The reports are shown at {url}\nStop with Ctrl-C.")
        sys.stdout.flush()
        if not (no_browser or print_url):
            webbrowser.open(url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("", err=True)


def read_files(paths: tuple[Path, ...]) -> list[dict[str, str]]:
    """Return names and texts of files, in folders those of findings. Raises MisuseError: there is nothing to show."""
    from contracts.errors import MisuseError

    found: list[dict[str, str]] = []
    left = MAX_BYTES
    for path in paths:
        files = [*_findings_in(path)] if path.is_dir() else [path]
        if not files:
            cure = "Give the folder that fuzz was given as --corpus, or one in it."
            raise MisuseError(f"{path} has no findings: there is no {FINDING_FILES[0]} in it.", cure=cure)
        for file in files:
            try:
                content = file.read_bytes()
                left -= len(content)
                found.append({"name": str(file), "text": content.decode("utf-8-sig")})
            except UnicodeDecodeError:
                cure = "Give a report as JSON Lines, SARIF or JUnit, such as --jsonl writes."
                raise MisuseError(f"{file} is no text.", cure=cure) from None
            except OSError as error:
                raise MisuseError(f"cannot read {file}: {error.strerror}.") from None
            if left < 0:
                raise MisuseError(f"these are more than {MAX_BYTES >> 20} MiB.", cure="Give fewer files.")
    return found


def _findings_in(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob(FINDING_FILES[0])):
        yield from (one for name in FINDING_FILES if (one := file.with_name(name)).is_file())


def report_server(files: list[dict[str, str]]) -> "ThreadingHTTPServer":
    """Return a server that shows files, on a free port of this machine; its pages are below a path that is a secret."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from secrets import token_urlsafe

    import orjson

    from contracts.messages import Headers, Response
    from mockserver.dashboard.files import REPORT_INDEX, SECURITY_FIELDS, file_response

    secret = f"/{token_urlsafe(16)}/"
    told = orjson.dumps({"files": files})

    def answer(path: str, known: str) -> Response:
        name = path.removeprefix(secret) if path.startswith(secret) else None
        if name == "reports.json":
            fields = (("Content-Type", "application/json"), ("Cache-Control", "no-store"), *SECURITY_FIELDS)
            return Response(status=200, headers=Headers(fields), body=told)
        found = None if name is None else file_response(name.removeprefix("ui/") or REPORT_INDEX, known)
        return found or Response(status=404, headers=Headers(SECURITY_FIELDS))

    class Handler(BaseHTTPRequestHandler):
        """Answers GET."""

        def do_GET(self) -> None:
            """Send a file."""
            response = answer(self.path.partition("?")[0], self.headers.get("If-None-Match", ""))
            self.send_response(response.status)
            for name, value in (*response.headers, ("Content-Length", str(len(response.body)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(response.body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class ReportServer(ThreadingHTTPServer):
        """Has the secret of its URL."""

        daemon_threads = True
        path = secret

    return ReportServer(("127.0.0.1", 0), Handler)


def url_of(server: Any) -> str:
    """Return the URL of the page of a report server."""
    return f"http://127.0.0.1:{server.server_address[1]}{server.path}"
