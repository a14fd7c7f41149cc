"""`bulkproof lint`: the mistakes of an OpenAPI document, and what is done about each when it is served."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from mockserver.cli.shared.options import TEXT_OR_JSON, Command, reading_of, reading_options

if TYPE_CHECKING:
    from contracts.errors import Fault

EXIT_FINDINGS: Final = 1
EXIT_REFUSED: Final = 2


@click.command(cls=Command)
@click.argument("files", metavar="FILE|URL...", nargs=-1, required=True)
@reading_options
@TEXT_OR_JSON
def lint(*, files: tuple[str, ...], form: str, **given: Any) -> int:
    """List the mistakes of OpenAPI documents, each with its place, what is done about it, and the cure.

    Exit code: 0 no mistakes; 1 mistakes, all of which are mended when the document is served; 2 it cannot be read, or
    has mistakes that nothing mends. With --strict nothing is mended: every mistake refuses the document.

    bulkproof lint openapi.yaml

    bulkproof lint openapi.yaml --format json
    """
    every = {file: _mistakes(file, given) for file in files}
    if form == "json":
        lists = {file: _as_values(found) for file, (found, _) in every.items()}
        click.echo(_as_json(lists if len(files) > 1 else lists[files[0]]))
    for file, (found, _) in every.items() if form == "text" else ():
        click.echo(f"{file}: {_as_text(found)}" if len(files) > 1 else _as_text(found))
    return max(EXIT_REFUSED if refused else EXIT_FINDINGS if found else 0 for found, refused in every.values())


def _mistakes(file: str, given: dict[str, Any]) -> "tuple[Sequence[Fault], bool]":
    """Return the mistakes of a document, and whether it is refused for them."""
    from contracts.errors import ContractError
    from mockserver.apis.sources import find_sources

    try:
        return find_sources((file,), reading_of(given))[0].load().contract.repairs, False
    except ContractError as error:
        return error.faults, True


def _as_text(faults: "Sequence[Fault]") -> str:
    count = f"{len(faults)} mistake{'' if len(faults) == 1 else 's'}" if faults else "No mistakes"
    return "\n".join([*map(str, faults), f"{count}."])


def _as_values(faults: "Sequence[Fault]") -> list[dict[str, Any]]:
    from dataclasses import asdict

    return [asdict(one) for one in faults]


def _as_json(value: object) -> str:
    import json

    return json.dumps(value, indent=2, ensure_ascii=False)
