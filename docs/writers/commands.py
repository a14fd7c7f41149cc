"""For the site a page for each command: usage, options, what it prints as help; all from the command line itself."""

import re
from collections.abc import Iterator

import click

from mockserver.cli import main

GUIDES = {  # command: page that explains it at length
    "check": "checking.md",
    "data": "data.md",
    "diff": "diff.md",
    "explain": "any-api.md#explain",
    "fuzz": "fuzzing.md",
    "init": "any-api.md#a-first-overlay",
    "lint": "any-api.md#documents-with-mistakes",
    "mutants": "bugs.md",
    "replay": "fuzzing.md",
    "serve": "sandbox.md",
    "snapshot": "sandbox.md#snapshots",
    "verdict": "verdicts.md",
}


def pages() -> dict[str, str]:
    """Return the page of each command by its path below `docs/`, and the list of them."""
    context = click.Context(main, info_name="bulkproof")
    names = main.list_commands(context)
    found = {name: _loaded(context, name) for name in names}
    rows = [f"| [`{name}`]({name}.md) | {one.get_short_help_str(120)} |" for name, one in found.items()]
    index = "# Commands\n\n| command | purpose |\n|---|---|\n" + "\n".join(rows) + "\n"
    texts = {f"commands/{name}.md": "\n\n".join(_page(context, name, one)) + "\n" for name, one in found.items()}
    return {"commands/index.md": index, **texts}


def _loaded(context: click.Context, name: str) -> click.Command:
    found = main.get_command(context, name)
    if found is None:
        raise LookupError(name)
    return found


def _page(parent: click.Context, name: str, command: click.Command) -> Iterator[str]:
    yield f"# bulkproof {name}"
    yield from _described(parent, name, command)
    if isinstance(command, click.Group):
        own = click.Context(command, info_name=name, parent=parent)
        for inner in command.list_commands(own):
            one = command.get_command(own, inner)
            if one is not None:
                yield f"## bulkproof {name} {inner}"
                yield from _described(own, inner, one)
    if name in GUIDES:
        yield f"More: [the guide](../{GUIDES[name]}). [All commands](index.md)"


def _described(parent: click.Context, name: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent)
    yield f"```text\n{command.get_usage(context).removeprefix('Usage: ')}\n```"
    yield _paragraphs(command.help or "")
    records = [one.get_help_record(context) for one in command.get_params(context)]
    rows = [f"| {_code(words)} | {_cell(says)} |" for words, says in filter(None, records) if says]
    yield "| option | meaning |\n|---|---|\n" + "\n".join(rows)


def _paragraphs(text: str) -> str:
    """Return a help text as Markdown: a paragraph that is a command becomes a block."""
    parts = [" ".join(part.replace("\b", "").split()) for part in text.partition("\f")[0].split("\n\n")]
    return "\n\n".join(
        f"```text\n{part}\n```" if part.startswith("bulkproof ") else _cell(part).replace("\\|", "|") for part in parts
    )


def _code(words: str) -> str:
    return f"`{words.replace('|', '&#124;')}`" if "|" not in words else f"<code>{_html(words)}</code>"


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "&#124;")


def _cell(text: str) -> str:
    """Escape what Markdown would read in a help text; words in backquotes stay code."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(one if one.startswith("`") else re.sub(r"([*_<|])", r"\\\1", one) for one in parts)
