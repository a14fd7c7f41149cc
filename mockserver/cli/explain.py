"""`bulkproof explain`: who answers each operation, and what a bulk operation means, axis by axis, in words."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from mockserver.cli.shared.options import TEXT_OR_JSON, Command, reading_of, reading_options

if TYPE_CHECKING:
    from contracts.openapi.model import Contract, Operation

    Explained = Mapping[str, Any]

KINDS: Final = {
    "own": "by the API's own code",
    "bulk": "as bulk operations",
    "job": "about jobs",
    "record": "from stored records",
    "document": "from the document",
}
WIDTH: Final = 10  # of the names of axes, and of what stands below them


@click.command(cls=Command)
@click.argument("api", metavar="API|FILE")
@reading_options
@click.option("--operation", "wanted", multiple=True, metavar="OPERATION", help="Only this operation; repeatable.")
@TEXT_OR_JSON
def explain(*, api: str, wanted: tuple[str, ...], form: str, **reading: Any) -> None:
    """Explain an API: who answers each operation, and what each bulk operation means.

    For a bulk operation each axis of x-bulk is told in words, with what was inferred, what is missing, and which laws
    cannot be judged.

    bulkproof explain openapi.yaml --overlay bulk.overlay.yaml
    """
    from contracts.drafts.bulk_drafts import undeclared_note
    from mockserver.apis.explanation import explanation
    from mockserver.apis.sources import find_sources

    loaded = find_sources((api,), reading_of(reading))[0].load()
    about = explanation(loaded, _selected(loaded.contract, wanted))
    if form == "json":
        import orjson

        click.echo(orjson.dumps(about, option=orjson.OPT_INDENT_2).decode())
    else:
        click.echo("\n".join(_text(loaded.contract, about["operations"])))
        click.echo(undeclared_note(loaded.contract, api), nl=False)


def _selected(contract: "Contract", wanted: tuple[str, ...]) -> "tuple[Operation, ...]":
    from contracts.errors import MisuseError
    from contracts.syntax.text import names_hint

    known = [one.id for one in contract.operations]
    for name in wanted:
        if name not in known:
            cure = names_hint(name, known)
            raise MisuseError(f"there is no operation '{name}'.", cure=cure)
    return tuple(one for one in contract.operations if not wanted or one.id in wanted)


def _text(contract: "Contract", found: "list[Explained]") -> Iterator[str]:
    from collections import Counter

    counted = Counter(one["answered"] for one in found)
    told = ", ".join(f"{counted[kind]} {words}" for kind, words in KINDS.items() if counted[kind])
    yield f"{contract.title} {contract.version}: {len(found)} operations; answered are {told}."
    yield from (f"  page {title}: {url}" for title, url in contract.provenance.pages.items())
    for one in found:
        yield ""
        yield f"{one['method']} {one['path']}  {one['id']}"
        yield f"  {one['says']}"
        yield from _row("source", map(_source_text, one.get("sources", ())))
        if "axes" in one:
            yield from _bulk_text(one)


def _source_text(one: Mapping[str, Any]) -> str:
    named = f"{', '.join(one['of'])}: " if one["of"] else ""
    page = one["title"] or one["page"]
    source = f"{one['says']} at {page}" if page else one["says"]
    return named + (f"{one['note']} ({source})" if one["note"] else source)


def _bulk_text(one: "Explained") -> Iterator[str]:
    for axis, sentences in one["axes"].items():
        yield from _row(axis, sentences)
    yield from _row("inferred", one["inferred"])
    yield from _row("missing", one["missing"])
    yield from _row("not judged", [f"{law}: {reason}" for law, reason in one["notJudged"].items()])


def _row(name: str, lines: Any) -> Iterator[str]:
    for n, line in enumerate(lines):
        yield f"  {name if n == 0 else '':<{WIDTH}} {line}"
