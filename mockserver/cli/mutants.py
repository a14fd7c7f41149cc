"""`bulkproof mutants`: run the user's tests once per planted bug, and report which bugs they detect."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

import click

from mockserver.cli.shared.options import (
    CLOCK_OPTION,
    CONDUCT_OPTION,
    SEED_OPTION,
    Duration,
    reading_of,
    reading_options,
)
from mockserver.cli.shared.outputs import ReportingCommand, report_options, reporting

if TYPE_CHECKING:
    from generators.reports.model import Report, Status
    from mockserver.api.model import Api
    from mockserver.bugs.catalogue import Bug
    from mockserver.mutation_testing.user_tests import MutantRun, MutationTest

NO_WITNESS: Final = "It shows neither in an answer nor in what is stored when the requests are sent again."
EXIT_SURVIVED: Final = 1
WIDTH: Final = 24
REPORT_STATUS: "Final[dict[str, Status]]" = {"killed": "passed", "survived": "failed", "not reached": "not-run"}
STATUS_TEXT: Final = {
    "killed": "The tests detected it",
    "survived": "The bug changed a response to the client, and no test failed",
    "not reached": "No request of the tests triggered the bug",
}


@click.command(cls=ReportingCommand)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
@click.option(
    "--api", "apis", multiple=True, metavar="API|FILE", help="API to serve; default: all bundled ones; repeatable."
)
@reading_options
@click.option("--only", multiple=True, metavar="BUG", help="Only bugs whose name matches; * is a wildcard; repeatable.")
@click.option(
    "--timeout",
    type=Duration(),
    help="Time limit of each run; default: ten times the run without a bug, plus ten seconds.",
)
@report_options
@CLOCK_OPTION
@SEED_OPTION
@CONDUCT_OPTION
@click.option(
    "--auth",
    type=click.Choice(["open", "strict"]),
    default="open",
    show_default=True,
    help="Whether requests need valid credentials.",
)
def mutants(command: tuple[str, ...], *, apis: tuple[str, ...], only: tuple[str, ...], **given: Any) -> int:
    """Run a test command once per planted bug, and report which bugs it detects.

    The command finds the sandbox's URL in BULKPROOF_URL, and that of each API in BULKPROOF_GENERO_URL,
    BULKPROOF_ONKEY_URL and so on; tests with the fixture `bulkproof` need neither. A bug that changed no response is
    "not reached".

    Exit code: 0 no bug survived, 1 a bug survived, 2 the tests could not run.
    """
    from generators.reports.console import write_files

    results: list[tuple[Bug, MutantRun]] = []
    with reporting("Planted bugs", given) as so_far:
        so_far.report = lambda: _report(results)
        loaded = _loaded(apis, given)
        bugs = _chosen(loaded, only)
        mutation_test = _mutation_test(command, loaded, given)
        healthy = mutation_test.healthy()
        requests = f"{healthy.calls} requests in {healthy.seconds:.1f} s"
        click.echo(f"Without a bug the tests pass: {requests}. {len(bugs)} bugs to run.")
        _tell_progress(0, bugs)
        for bug, run in mutation_test.mutation_test(bugs, healthy):
            results.append((bug, run))
            _tell_progress(None, bugs)
            click.echo(f"{run.word:<12} {bug.name:<{WIDTH}} {bug.law:<16} {run.seconds:5.1f} s  {run.end}")
            _tell_progress(len(results), bugs)
    _sum_up(results)
    write_files(_report(results), given)
    return EXIT_SURVIVED if any(run.word == "survived" for _, run in results) else 0


def _tell_progress(done: int | None, bugs: "Sequence[Bug]") -> None:
    """Show on stderr which bug is being run, in a line that is rewritten on a terminal; None wipes that line out."""
    is_terminal = sys.stderr.isatty()
    if is_terminal and done is None:
        click.echo("\r\x1b[K", nl=False, err=True)
    elif done is not None and done < len(bugs):
        click.echo(f"bug {done + 1} of {len(bugs)}: {bugs[done].name}", nl=not is_terminal, err=True)


def _loaded(names: tuple[str, ...], given: Mapping[str, Any]) -> "list[Api]":
    from mockserver.apis.sources import BUNDLED, find_sources

    return [source.load() for source in find_sources(names or BUNDLED, reading_of(given))]


def _chosen(apis: "Sequence[Api]", only: tuple[str, ...]) -> "list[Bug]":
    """Return the applicable bugs that the options select. Raises MisuseError: a name matches none."""
    from contracts.errors import MisuseError
    from contracts.syntax.text import names_hint
    from mockserver.bugs.catalogue import bugs_for

    bugs = list(bugs_for(api.contract for api in apis))
    names = [bug.name for bug in bugs]
    for pattern in only:
        if not any(fnmatchcase(name, pattern) for name in names):
            cure = names_hint(pattern.replace("*", ""), names)
            raise MisuseError(f"there is no applicable bug named '{pattern}'.", cure=cure)
    return [bug for bug in bugs if not only or any(fnmatchcase(bug.name, pattern) for pattern in only)]


def _mutation_test(command: tuple[str, ...], apis: "Sequence[Api]", given: dict[str, Any]) -> "MutationTest":
    from mockserver.http.service import Options
    from mockserver.mutation_testing.user_tests import MutationTest

    mode, factor = given["clock"]
    settings = {"auth": given["auth"], "conduct": given["conduct"]}
    options = Options(settings=settings, seed=given["seed"], mode=mode, factor=factor)
    return MutationTest(command=command, apis=apis, options=options, timeout=given["timeout"])


def _sum_up(results: "Sequence[tuple[Bug, MutantRun]]") -> None:
    from textwrap import indent

    from mockserver.mutation_testing.witness import helper_text

    words = [run.word for _, run in results]
    killed, survived = words.count("killed"), words.count("survived")
    reached = killed + survived
    share = f" Score: {100 * killed / reached:.0f} % of {reached} bugs reached." if reached else ""
    click.echo(f"{killed} killed, {survived} survived, {words.count('not reached')} not reached.{share}")
    for bug, run in results:
        if run.word == "survived":
            click.echo(f"\n{bug.name}: {bug.description}")
            for line in (NO_WITNESS,) if run.witness is None else run.witness.lines:
                click.echo(indent(line, "  "))
    helper = helper_text(run.witness for _, run in results if run.witness is not None)
    if helper:
        click.echo(f"\nThe tests use\n\n{indent(helper, '    ')}", nl=False)


def _report(results: "Sequence[tuple[Bug, MutantRun]]") -> "Report":
    from generators.reports.model import Report, Row
    from mockserver import VERSION

    rows = tuple(
        Row(
            id=bug.name,
            group=bug.law,
            says=bug.description,
            status=REPORT_STATUS[run.word],
            detail="\n".join(_details(run)),
        )
        for bug, run in results
    )
    return Report(title="Planted bugs", version=VERSION, rows=rows)


def _details(run: "MutantRun") -> "Iterator[str]":
    yield f"{STATUS_TEXT[run.word]} ({run.end})."
    if run.witness is not None:
        yield from run.witness.lines
