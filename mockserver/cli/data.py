"""`bulkproof data`: generate valid or invalid data for an API."""

from typing import TYPE_CHECKING, Any, TextIO

import click

from mockserver.cli.shared.options import Command, load_apis, reading_of, reading_options
from mockserver.cli.shared.target import pairs

if TYPE_CHECKING:
    from generators.data.plan import ValueProfile
    from generators.datasets.write import Form


def _share(context: click.Context, parameter: click.Parameter, value: str) -> float:
    """Parse a share from 0 to 1, written as `5%` or `0.05`."""
    try:
        share = float(value[:-1]) / 100 if value.endswith("%") else float(value)
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise click.BadParameter(f"'{value}' is not a share such as 5% or 0.05.", context, parameter)
    return share


@click.command(cls=Command)
@click.argument("api", metavar="API|FILE")
@click.argument("what", metavar="OPERATION|RESOURCE|SCHEMA")
@reading_options
@click.option("-n", "--number", type=click.IntRange(min=0), default=10, show_default=True, help="Number of values.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed; the same seed gives the same values.")
@click.option(
    "--invalid",
    callback=_share,
    default="0%",
    show_default=True,
    help="Share of values that violate one schema keyword.",
)
@click.option(
    "--profile",
    type=click.Choice(["realistic", "plain", "wide"]),
    default="realistic",
    show_default=True,
    help="Text that suits the name of its member, plain letters and digits, or all that the schema allows.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "ndjson", "csv"]),
    default="json",
    show_default=True,
    help="A request body, one value per line, or a table.",
)
@click.option(
    "--param",
    "given",
    multiple=True,
    callback=pairs,
    metavar="NAME=VALUE",
    help="Value of an operation's parameter; repeatable.",
)
@click.option("-o", "--output", type=click.File("w", encoding="utf-8"), default="-", help="Output file; - is stdout.")
@click.option(
    "--labels",
    type=click.File("w", encoding="utf-8"),
    help="File for a description of each invalid value, one per line.",
)
def data(
    *,
    api: str,
    what: str,
    number: int,
    seed: int,
    invalid: float,
    profile: "ValueProfile",
    form: "Form",
    given: dict[str, str],
    output: TextIO,
    labels: TextIO | None,
    **reading: Any,
) -> None:
    """Generate data for an API: a bulk request, request bodies, records, or values of a schema.

    bulkproof data genero postJob --param entity=customer -n 5000 > batch.json

    bulkproof data onkey AssetImportance --invalid 5% --format csv
    """
    from generators.datasets.write import data_source, write_data

    (loaded,) = load_apis((api,), reading_of(reading))
    source = data_source(loaded.contract, what, given, profile)
    write_data(source, output, n=number, seed=seed, invalid=invalid, form=form, labels=labels)
