"""`bulkproof diff`: breaking changes between two versions of a contract."""

from typing import TYPE_CHECKING, Any

import click

from mockserver.cli.options import Command, reading_of, reading_options, tell_repairs

if TYPE_CHECKING:
    from contracts.diff.model import Severity

EXIT_BREAKING = 1


@click.command(cls=Command)
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@reading_options
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
def diff(*, old: str, new: str, form: str, fail_on: "Severity", **given: Any) -> int:
    """Find breaking changes between two versions of a contract.

    A request may only be relaxed, a response only tightened. OLD and NEW are OpenAPI files, or names of bundled or
    installed APIs. Exit code: 0 no breaking change, 1 breaking changes, 2 a contract cannot be read.
    """
    from contracts.diff.compare import compare
    from generators.compare import find_witness, render_diff
    from mockserver.apis.sources import find_sources

    before, after = (source.load().contract for source in find_sources((old, new), reading_of(given)))
    for contract, name in ((before, old), (after, new)):
        tell_repairs(contract.repairs, name)
    found = compare(before, after, find=find_witness)
    click.echo(render_diff(found, form), nl=False)
    return EXIT_BREAKING if found.at_least(fail_on) else 0
