"""For the site a page for each command: usage, options, what it prints as help; all from the command line itself."""

import re
from collections.abc import Iterator

import click

from mockserver.cli import main

GUIDES = {  # command: page that explains it at length
    "check": "checking.md",
    "completion": "editors.md#completion-in-a-shell",
    "data": "data.md",
    "diff": "diff.md",
    "explain": "any-api.md#explain",
    "fuzz": "fuzzing.md",
    "init": "any-api.md#a-first-overlay",
    "lint": "any-api.md#documents-with-mistakes",
    "mutants": "bugs.md",
    "replay": "fuzzing.md",
    "report": "checking.md#in-a-browser",
    "run": "run.md",
    "schema": "editors.md",
    "serve": "sandbox.md",
    "snapshot": "sandbox.md#snapshots",
    "verdict": "verdicts.md",
    "wait": "sandbox.md",
}


NOTE = "<!-- Written by docs/write.py; change the commands' own help instead. -->\n\n"
HEAD = """# Commands

`bulkproof COMMAND --help` tells all about a command. Exit codes are the same for all: 0 done, or nothing found; 1
something was found or has failed; 2 it could not run, and says why in one sentence."""


def page() -> str:
    """Return `commands.md`, the list of commands."""
    rows = [f"| `bulkproof {name}` | {_short(one)} | {_guide(name)} |" for name, one in _commands().items()]
    return f"{NOTE}{HEAD}\n\n| command | purpose | guide |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def pages() -> dict[str, str]:
    """Return the page of each command by its path below `docs/`."""
    context = click.Context(main, info_name="bulkproof")
    return {f"commands/{name}.md": "\n\n".join(_page(context, name, one)) + "\n" for name, one in _commands().items()}


def _commands() -> dict[str, click.Command]:
    context = click.Context(main, info_name="bulkproof")
    return {name: _loaded(context, name) for name in main.list_commands(context)}


def _short(command: click.Command) -> str:
    return _cell(command.get_short_help_str(200).rstrip("."))


def _guide(name: str) -> str:
    page = GUIDES.get(name, "")
    return f"[{page.partition('#')[0].removesuffix('.md').replace('-', ' ')}]({page})" if page else ""


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
        yield f"More: [the guide](../{GUIDES[name]}). [All commands](../commands.md)"


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
