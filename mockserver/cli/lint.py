"""`bulkproof lint`: the mistakes of an OpenAPI document, and what is done about each when it is served."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from mockserver.cli.options import Command, reading_of, reading_options

if TYPE_CHECKING:
    from contracts.errors import Fault

EXIT_FINDINGS: Final = 1
EXIT_REFUSED: Final = 2


@click.command(cls=Command)
@click.argument("file", metavar="FILE|URL")
@reading_options
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Output format."
)
def lint(*, file: str, form: str, **given: Any) -> int:
    """List the mistakes of an OpenAPI document, each with its place, what is done about it, and the cure.

    Exit code: 0 no mistakes; 1 mistakes, all of which are mended when the document is served; 2 it cannot be read, or
    has mistakes that nothing mends. With --strict nothing is mended: every mistake refuses the document.

    bulkproof lint openapi.yaml

    bulkproof lint openapi.yaml --format json
    """
    from contracts.errors import ContractError
    from mockserver.apis.sources import find_sources

    refused = False
    try:
        found: Sequence[Fault] = find_sources((file,), reading_of(given))[0].load().contract.repairs
    except ContractError as error:
        found, refused = error.faults, True
    click.echo(_as_json(found) if form == "json" else _as_text(found))
    return EXIT_REFUSED if refused else EXIT_FINDINGS if found else 0


def _as_text(faults: "Sequence[Fault]") -> str:
    count = f"{len(faults)} mistake{'' if len(faults) == 1 else 's'}" if faults else "No mistakes"
    return "\n".join([*map(str, faults), f"{count}."])


def _as_json(faults: "Sequence[Fault]") -> str:
    import json
    from dataclasses import asdict

    return json.dumps([asdict(one) for one in faults], indent=2, ensure_ascii=False)
