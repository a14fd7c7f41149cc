"""`bulkproof diff`: breaking changes between two versions of a contract."""

import io
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zipfile import ZipFile

import click

from mockserver.cli.shared.options import load_apis, reading_of, reading_options
from mockserver.cli.shared.outputs import ReportingCommand, report_options, reporting

if TYPE_CHECKING:
    from contracts.diff.model import Change, Diff, Severity
    from generators.reports.model import Report, Status

EXIT_BREAKING: Final = 1
PAIR: Final = 2


@click.command(cls=ReportingCommand)
@click.argument("files", metavar="OLD NEW | FILE...", nargs=-1, required=True)
@reading_options
@click.option(
    "--since",
    metavar="REVISION",
    help="Compare each FILE with itself at this revision of its Git repository, such as HEAD or origin/main.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="Output format.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "info"]),
    default="error",
    show_default=True,
    help="Lowest severity that makes the exit code 1.",
)
@report_options
def diff(*, files: tuple[str, ...], since: str | None, form: str, fail_on: "Severity", **given: Any) -> int:
    """Find breaking changes between two versions of a contract.

    A request may only be relaxed, a response only tightened. OLD and NEW are OpenAPI files, or names of bundled or
    installed APIs. Exit code: 0 no breaking change, 1 breaking changes, 2 a contract cannot be read.

    bulkproof diff old.yaml new.yaml

    bulkproof diff --since origin/main openapi.yaml
    """
    from generators.contract_diff import render_diff
    from generators.reports.console import write_files

    if since is None and len(files) != PAIR:
        raise click.UsageError("Give two versions, OLD and NEW, or files with --since.")
    with reporting("Changes of a contract", given):
        pairs = iter([(files[0], files[1])]) if since is None else _since(since, files)
        found = [_compared(old, new, given) for old, new in pairs]
    for one in found:
        click.echo(render_diff(one, form), nl=False)
    write_files(_report(found, fail_on), given)
    return EXIT_BREAKING if any(one.at_least(fail_on) for one in found) else 0


def _compared(old: str, new: str, given: dict[str, Any]) -> "Diff":
    from contracts.diff.compare import compare
    from generators.contract_diff import find_witness

    before, after = load_apis((old, new), reading_of(given))
    return compare(before.contract, after.contract, find=find_witness)


def _since(revision: str, files: tuple[str, ...]) -> "Iterator[tuple[str, str]]":
    """Yield each file that was there at a revision, as it was, in a folder that lasts until the next one; and as it is.

    All of the revision is unpacked, since a document may refer to others. Raises MisuseError: no repository, or no such
    revision.
    """
    from tempfile import TemporaryDirectory

    for file in files:
        path = Path(file).resolve()
        top = Path(_git(path.parent, "rev-parse", "--show-toplevel").decode().strip())
        place = path.relative_to(top)
        if not _git(top, "ls-tree", "--name-only", revision, "--", place.as_posix()):
            click.echo(f"{file} is new: {revision} has no such file.", err=True)
            continue
        with TemporaryDirectory() as folder:
            with ZipFile(io.BytesIO(_git(top, "archive", "--format=zip", revision))) as packed:
                packed.extractall(folder)
            yield str(Path(folder) / place), file


def _git(folder: Path, *words: str) -> bytes:
    """Return what Git prints. Raises MisuseError: what it refuses, in its own words."""
    from contracts.errors import MisuseError

    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, check=False)  # noqa: S603, S607 - no shell, the user's own Git
    except OSError as error:
        raise MisuseError(f"git does not start: {error.strerror}.", cure="Install Git, or give OLD and NEW.") from None
    if done.returncode:
        told = done.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise MisuseError(f"Git: {told}.", cure="Give --since a revision of the file's repository.")
    return done.stdout


def _report(found: "Sequence[Diff]", fail_on: "Severity") -> "Report":
    """Return the changes as a report: those that make the exit code 1 have failed, others of weight are warnings."""
    from generators.reports.model import Report, Row
    from mockserver import VERSION

    failing = {id(change) for one in found for change in one.at_least(fail_on)}

    def status(change: "Change") -> "Status":
        return "failed" if id(change) in failing else "passed" if change.severity == "info" else "warning"

    rows = tuple(
        Row(id=one.rule, group=one.operation, says=f"{one.place}: {one.says}", status=status(one), detail=one.says)
        for each in found
        for one in each.changes
    )
    title = ", ".join(f"{' '.join(one.old)} → {' '.join(one.new)}" for one in found)
    return Report(title=title or "Changes of a contract", version=VERSION, rows=rows)
