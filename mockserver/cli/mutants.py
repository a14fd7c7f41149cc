"""`bulkproof mutants`: which planted bugs the user's own tests notice."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mockserver.cli.serve import clock

if TYPE_CHECKING:
    from generators.reports import Report, Status
    from mockserver.api import Api
    from mockserver.bugs.hunting import Hunt, Run
    from mockserver.scenario.bugs import Bug

SURVIVORS: Final = 1
WIDTH: Final = 24
STATUS: "Final[dict[str, Status]]" = {"killed": "passed", "survived": "failed", "not reached": "not-run"}
SAYS: Final = {
    "killed": "The tests noticed it",
    "survived": "The bug made a difference to what the tests' client was answered, and no test failed",
    "not reached": "Nothing that the tests did made the bug fire",
}


@click.command()
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
@click.option(
    "--api", "apis", multiple=True, metavar="API|FILE", help="What is served, by default all bundled ones; repeatable."
)
@click.option("--only", multiple=True, metavar="BUG", help="Only these bugs, by name or with * in it; repeatable.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="For each run; by default ten times as long as the healthy one and ten seconds more.",
)
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write the result as JUnit XML too.")
@click.option(
    "--clock",
    callback=clock,
    default="system",
    metavar="frozen|system|xFACTOR",
    show_default=True,
    help="How the sandboxes' time goes.",
)
@click.option("--seed", type=click.IntRange(0, 2**53 - 1), default=0, show_default=True, help="Of ids and chance.")
@click.option("--conduct", type=click.Choice(["observe", "enforce"]), default="observe", show_default=True)
@click.option("--auth", type=click.Choice(["open", "strict"]), default="open", show_default=True)
def mutants(command: tuple[str, ...], *, apis: tuple[str, ...], only: tuple[str, ...], **given: Any) -> int:
    """Run a test command once per planted bug, and tell which bugs it notices.

    The command finds the sandbox in BULKPROOF_URL, and each API in BULKPROOF_GENERO_URL, BULKPROOF_ONKEY_URL and so
    on; tests with the fixture `bulkproof` need neither. A bug that made no difference to any answer is not reached.

    The exit code is 0 when no bug survived, 1 when one did, 2 when nothing could be judged.
    """
    loaded = _loaded(apis)
    bugs = _chosen(loaded, only)
    hunt = _hunt(command, loaded, given)
    healthy = hunt.healthy()
    click.echo(
        f"The healthy sandbox passes: {healthy.calls} calls in {healthy.seconds:.1f} s. {len(bugs)} bugs follow."
    )
    results = []
    for bug, run in hunt.hunt(bugs, healthy):
        results.append((bug, run))
        click.echo(f"{run.word:<12} {bug.name:<{WIDTH}} {bug.law:<16} {run.seconds:5.1f} s  {run.end}")
    _sum_up(results)
    if given["junit"] is not None:
        _write(given["junit"], results)
    return SURVIVORS if any(run.word == "survived" for _, run in results) else 0


def _loaded(names: tuple[str, ...]) -> "list[Api]":
    from mockserver.sources import BUNDLED, find_sources  # noqa: PLC0415 - `--help` must not wait for it

    return [source.load() for source in find_sources(names or BUNDLED)]


def _chosen(apis: "Sequence[Api]", only: tuple[str, ...]) -> "list[Bug]":
    """Return the bugs that the APIs can have and the user wants. Raises MisuseError: there is none of that name."""
    from contracts.errors import MisuseError  # noqa: PLC0415
    from contracts.names import did_you_mean  # noqa: PLC0415
    from mockserver.scenario.bugs import fitting  # noqa: PLC0415

    bugs = list(fitting(api.contract for api in apis))
    names = [bug.name for bug in bugs]
    for pattern in only:
        if not any(fnmatchcase(name, pattern) for name in names):
            cure = did_you_mean(pattern, names) or f"There are {', '.join(names)}."
            raise MisuseError(f"no bug that works here is called '{pattern}'.", cure=cure)
    return [bug for bug in bugs if not only or any(fnmatchcase(bug.name, pattern) for pattern in only)]


def _hunt(command: tuple[str, ...], apis: "Sequence[Api]", given: dict[str, Any]) -> "Hunt":
    from mockserver.bugs.hunting import Hunt  # noqa: PLC0415
    from mockserver.web.service import Options  # noqa: PLC0415

    mode, factor = given["clock"]
    settings = {"auth": given["auth"], "conduct": given["conduct"]}
    options = Options(settings=settings, seed=given["seed"], mode=mode, factor=factor)
    return Hunt(command=command, apis=apis, options=options, timeout=given["timeout"])


def _sum_up(results: "Sequence[tuple[Bug, Run]]") -> None:
    words = [run.word for _, run in results]
    killed, survived = words.count("killed"), words.count("survived")
    reached = killed + survived
    share = f" Score: {100 * killed / reached:.0f} % of the {reached} that were reached." if reached else ""
    click.echo(f"{killed} killed, {survived} survived, {words.count('not reached')} not reached.{share}")
    for bug, run in results:
        if run.word == "survived":
            click.echo(f"  {bug.name}: {bug.says}")


def _write(path: Path, results: "Sequence[tuple[Bug, Run]]") -> None:
    from generators.reports import junit_xml  # noqa: PLC0415

    path.write_bytes(junit_xml(_report(results)))


def _report(results: "Sequence[tuple[Bug, Run]]") -> "Report":
    from generators.reports import Report, Row  # noqa: PLC0415
    from mockserver.version import VERSION  # noqa: PLC0415

    rows = tuple(
        Row(id=bug.name, group=bug.law, says=bug.says, status=STATUS[run.word], detail=f"{SAYS[run.word]} ({run.end}).")
        for bug, run in results
    )
    return Report(title="Planted bugs", version=VERSION, rows=rows)
