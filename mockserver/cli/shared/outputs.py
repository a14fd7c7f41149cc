"""What commands write to files: reports of those that judge, however the run ends, and other output.

Begin with `report_options`, `ReportingCommand`, `reporting` and `write_output`.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mockserver.cli.shared.options import Command, Decorated, with_options
from mockserver.cli.shared.target import OUTPUT

if TYPE_CHECKING:
    from generators.reports.model import Report

REPORT_FORMATS: Final = {"junit": "a JUnit XML", "jsonl": "a JSON Lines", "sarif": "a SARIF", "html": "an HTML"}


def report_options(command: Decorated) -> Decorated:
    """Add an option for each format of a report to a command."""
    made = [
        click.option(f"--{name}", type=OUTPUT, help=f"Write {words} report.") for name, words in REPORT_FORMATS.items()
    ]
    return with_options(command, made)


OUTPUT_FILE: Final = click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file instead of stdout."
)


def baseline_of(given: Mapping[str, Any]) -> frozenset[str]:
    """Return the fingerprints of known findings; none where the baseline is to be written. Raises MisuseError."""
    from contracts.errors import MisuseError
    from generators.triage.corpus import read_baseline

    baseline, update = given["baseline"], given["baseline_update"]
    if update and baseline is None:
        raise MisuseError("--baseline-update needs a file.", cure="Name it with --baseline.")
    return read_baseline(baseline) if baseline is not None and not update else frozenset()


@dataclass(slots=True)
class RunSoFar:
    """What a run has found so far: `report` makes a report of it, None before there is anything to tell."""

    report: "Callable[[], Report] | None" = None


@contextmanager
def reporting(title: str, given: Mapping[str, Any]) -> "Iterator[RunSoFar]":
    """Write the report files with the reason when the run inside fails, whatever was found until then, and go on.

    `title` stands in a report of nothing.
    """
    so_far = RunSoFar()
    try:
        yield so_far
    except (Exception, KeyboardInterrupt) as error:
        if any(given[name] is not None for name in REPORT_FORMATS):
            _write_failure(title, given, so_far, _reason(error))
        raise


class ReportingCommand(Command):
    """A command with `report_options`: where its command line is wrong, the reports that it asks for say so."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Parse the arguments; what follows `--` is not the command's own."""
        words = args[: args.index("--")] if "--" in args else [*args]
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            _refuse_arguments(info_name or "", words, error)
            raise


def _refuse_arguments(name: str, words: Sequence[str], error: click.UsageError) -> None:
    given: dict[str, Path | None] = dict.fromkeys(REPORT_FORMATS)
    known = {f"--{one}": one for one in REPORT_FORMATS}
    for word, after in zip_longest(words, words[1:], fillvalue=""):
        option, _, value = word.partition("=")
        if option in known and (value or (after and not after.startswith("-"))):
            given[known[option]] = Path(value or after)
    if any(given.values()):
        _write_failure(f"bulkproof {name}", given, RunSoFar(), error.format_message())


def _reason(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "The run was interrupted."
    if isinstance(error, click.ClickException):
        return error.format_message()
    return str(error) or type(error).__name__


def _write_failure(title: str, given: Mapping[str, Any], so_far: RunSoFar, reason: str) -> None:
    from contracts.errors import MisuseError
    from generators.reports.console import write_files
    from generators.reports.model import Report
    from mockserver import VERSION

    found = so_far.report() if so_far.report is not None else Report(title=title, version=VERSION, rows=())
    with suppress(MisuseError):  # the error that ended the run is the one to be told
        write_files(replace(found, failure=reason), given)


def tell(report: "Report", given: Mapping[str, Any], *, brief: bool) -> None:
    """Write the report files, and print the report as a table."""
    from shutil import get_terminal_size

    from generators.reports.console import table, write_files

    write_files(report, given)
    width = get_terminal_size((100, 24)).columns
    click.echo(table(report, width=width, colour=sys.stdout.isatty(), brief=brief), nl=False)


def write_output(text: bytes, output: Path | None) -> None:
    """Write text to a file, to stdout where there is none. Raises MisuseError: the file cannot be written."""
    from contracts.errors import MisuseError

    if output is None:
        click.echo(text.decode(), nl=not text.endswith(b"\n"))
        return
    try:
        output.write_bytes(text)
    except OSError as error:
        cure = "Choose another file with --output."
        raise MisuseError(f"cannot write {output}: {error.strerror}.", cure=cure) from None
