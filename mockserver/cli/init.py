"""`bulkproof init`: find likely bulk operations of a document, and write a first overlay that declares them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mockserver.cli.shared.options import Command, reading_of, reading_options
from mockserver.cli.shared.target import OUTPUT

if TYPE_CHECKING:
    from contracts.drafts.bulk_drafts import BulkDraft
    from contracts.openapi.model import Contract

WIDTH: Final = 110  # of comments


@click.command(cls=Command)
@click.argument("document", metavar="FILE", type=click.Path(path_type=Path))
@reading_options
@click.option("-o", "--output", type=OUTPUT, help="File to write; it must not exist. Default: stdout.")
def init(*, document: Path, output: Path | None, **reading: Any) -> None:
    """Find likely bulk operations of a document, and write a first overlay that declares them, to be edited.

    Comments say why an operation was taken for one, and what to check.

    bulkproof init openapi.yaml -o bulk.overlay.yaml
    """
    from contracts.drafts.bulk_drafts import find_drafts
    from contracts.errors import MisuseError
    from mockserver.apis.sources import find_sources

    if output is not None and output.exists():
        raise MisuseError("it exists already.", where=str(output), cure="Name a new file, or remove it.")
    if not document.is_file():
        raise MisuseError("there is no such file.", where=str(document), cure="Name an OpenAPI document.")
    source = find_sources((str(document),), reading_of(reading))[0]
    contract = source.load().contract
    drafts = find_drafts(contract)
    if not drafts:
        cure = "Write x-bulk by hand: see docs/x-bulk.md."
        raise MisuseError("no likely bulk operation was found.", where=str(document), cure=cure)
    text = "\n".join(overlay_lines(contract, drafts, _extended(document, output))) + "\n"
    if output is None:
        click.echo(text, nl=False)
        return
    output.write_text(text, encoding="utf-8")
    number = f"{len(drafts)} operation{'s' * (len(drafts) > 1)}"
    click.echo(f"{output} declares {number}. See what they mean: bulkproof explain {output}")


def _extended(document: Path, output: Path | None) -> str:
    """Return the path of the document as the overlay names it, relative to the overlay's folder."""
    from os.path import relpath

    return Path(relpath(document, output.parent)).as_posix() if output is not None else document.as_posix()


def overlay_lines(contract: "Contract", drafts: "tuple[BulkDraft, ...]", document: str) -> Iterator[str]:
    """Yield the lines of an overlay that declares the drafts; `document` is what it extends."""
    from urllib.parse import quote

    yield "# A first declaration of bulk operations, drafted from names and schemas. Check each."
    yield "# What the members mean: docs/x-bulk.md. What they come to: bulkproof explain FILE."
    yield "overlay: 1.0.0"
    yield f"info: {_flow({'title': f'bulk operations of {contract.title}', 'version': '1.0.0'})}"
    yield f"extends: {_flow(quote(document))}"
    yield "actions:"
    resources = {one.resource: _relative(contract, one.schema) for one in drafts if one.resource is not None}
    if resources:
        yield "  # Records that no other operation of the document acts on; name the member that is their key."
        yield "  - target: $"
        yield "    update:"
        yield "      x-resources:"
        for name, schema in resources.items():
            yield f"        {_flow(name)}: {_flow({'key': 'id', 'assigned': True, **schema})}"
    for one in drafts:
        yield from _action(one)


def _action(draft: "BulkDraft") -> Iterator[str]:
    from contracts.syntax.text import listed

    operation = draft.operation
    yield ""
    yield from _comment(f"{operation.method} {operation.path} ({operation.id}): {listed(draft.reasons)}.")
    for check in draft.checks:
        yield from _comment(f"Check {check}.")
    path = operation.path.replace("\\", "\\\\").replace("'", "\\'")
    target = f"$.paths['{path}'].{operation.method.lower()}"
    yield f"  - target: {_flow(target)}"
    yield "    update:"
    yield "      x-bulk:"
    for axis, members in draft.bulk.items():
        yield f"        {axis}: {_flow(members)}"


def _comment(text: str) -> Iterator[str]:
    from textwrap import wrap

    yield from (f"  # {line}" for line in wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False))


def _relative(contract: "Contract", ref: str | None) -> dict[str, Any]:
    """Return the schema of a resource as a reference in the root document, nothing where it is in another file."""
    if ref is None:
        return {}
    uri, _, pointer = ref.partition("#")
    is_root = contract.schemas.documents.get(uri) is contract.document
    return {"schema": {"$ref": f"#{pointer}"}} if is_root else {}


def _flow(value: object) -> str:
    """Return a JSON value as YAML in one line."""
    import yaml

    text = yaml.safe_dump(value, default_flow_style=True, width=100_000, sort_keys=False, allow_unicode=True)
    return text.removesuffix("...\n").strip()
