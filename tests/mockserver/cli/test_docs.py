"""The pages of commands: what they show is what is printed, and every option is told."""

import re

import pytest
from click.testing import CliRunner
from console import DOCS, commands

from mockserver.cli import main
from mockserver.cli.shared.options import RenamedOption

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")
SHARED = {"--help", "--nthreads", "--nworkers"}  # of every command, and of `dask worker`
NUMBERS = re.compile(r"^(calls|items|seconds): .*$", re.MULTILINE)
WITNESS = re.compile(r"^( +)(accepted before, rejected now|impossible before, possible now): .*$", re.MULTILINE)


def options_of(name):
    """Return the long options of a command and of those in it, without former names."""
    command = main.get_command(None, name)
    every = [one for found in (command, *getattr(command, "commands", {}).values()) for one in found.params]
    former = {option.was for option in every if isinstance(option, RenamedOption)}
    return {one for option in every for one in option.opts if one.startswith("--")} - SHARED - former


@pytest.mark.parametrize(
    ("page", "command"),
    [("any-api", "explain"), ("any-api", "init"), ("checking", "check"), ("diff", "diff"), ("fuzzing", "fuzz")],
)
def test_a_page_tells_every_option_and_no_other(page, command):
    """Each option of the command stands on its page, and the page has none that does not exist."""
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    known = {one for name in main.list_commands(None) for one in options_of(name)} | SHARED
    told = set(OPTION.findall(text))
    assert options_of(command) <= told
    assert told <= known


def test_the_comparison_prints_what_the_page_shows(monkeypatch):
    """The two contracts of the example give the changes that are shown; only the witnesses' values are left open."""
    monkeypatch.chdir(DOCS.parent)
    ((words, shown),) = commands(DOCS / "diff.md", "bulkproof")
    done = CliRunner().invoke(main, words[1:])
    assert done.exit_code == 1
    assert WITNESS.sub(r"\1\2", done.stdout.strip("\n")) == WITNESS.sub(r"\1\2", shown)


@pytest.mark.slow
def test_checking_prints_what_the_page_shows(serving):
    """A healthy sandbox keeps all laws, as shown: no false alarm; only counts of calls and seconds are left open."""
    client = serving("genero", "onkey")
    url = f"{client.running.url}/@{client.sandbox}"
    words, shown = next(commands(DOCS / "checking.md", "bulkproof"))
    done = CliRunner().invoke(main, [word.replace("http://127.0.0.1:8080", url) for word in words[1:]])
    printed = done.stdout.strip("\n").replace(url, "http://127.0.0.1:8080")
    assert done.exit_code == 0
    assert NUMBERS.sub(r"\1", printed) == NUMBERS.sub(r"\1", shown)
