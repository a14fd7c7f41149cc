"""`bulkproof data`: data that an API must accept, or must refuse."""

from typing import TYPE_CHECKING, TextIO

import click

from mockserver.cli.target import pairs

if TYPE_CHECKING:
    from generators.data import Form


def _share(context: click.Context, parameter: click.Parameter, value: str) -> float:
    """Return a share from 0 to 1, written as `5%` or `0.05`."""
    try:
        share = float(value[:-1]) / 100 if value.endswith("%") else float(value)
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise click.BadParameter(f"'{value}' is no share, such as 5% or 0.05.", context, parameter)
    return share


@click.command()
@click.argument("api", metavar="API|FILE")
@click.argument("what", metavar="OPERATION|RESOURCE|SCHEMA")
@click.option("-n", "--number", type=click.IntRange(min=0), default=10, show_default=True, help="How many values.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same values.")
@click.option(
    "--invalid", callback=_share, default="0%", show_default=True, help="The share of values with one keyword broken."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "ndjson", "csv"]),
    default="json",
    show_default=True,
    help="A body to post, a value on each line, or a table.",
)
@click.option(
    "--param", "given", multiple=True, callback=pairs, metavar="NAME=VALUE", help="A parameter of the operation."
)
@click.option("-o", "--output", type=click.File("w", encoding="utf-8"), default="-", help="Where to write the values.")
@click.option("--labels", type=click.File("w", encoding="utf-8"), help="Where to write what is wrong with which value.")
def data(
    *,
    api: str,
    what: str,
    number: int,
    seed: int,
    invalid: float,
    form: "Form",
    given: dict[str, str],
    output: TextIO,
    labels: TextIO | None,
) -> None:
    """Make data for an API: items of a bulk operation, bodies of another, records, or values of a schema.

    bulkproof data genero postJob --param entity=customer -n 5000 > batch.json

    bulkproof data onkey AssetImportance --invalid 5% --format csv
    """
    from generators.data import write_data  # noqa: PLC0415 - heavy, and only this command needs it
    from mockserver.sources import find_sources  # noqa: PLC0415 - the same

    contract = find_sources((api,))[0].load().contract
    write_data(contract, what, output, n=number, seed=seed, invalid=invalid, form=form, given=given, labels=labels)
