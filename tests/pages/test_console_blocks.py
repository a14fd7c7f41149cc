"""Each console block of each page is pasted into a shell, or its comment, which readers do not see, says why it is not.

A page is pasted as a whole: its blocks follow one another at once, as they do when a reader copies all of them.
`<!-- not run: WHY -->` above a block leaves it out, and so does `<!-- run by FILE -->` when another test has it.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass

import pytest
from console import DOCS, split_command

ROOT = DOCS.parent
BLOCK = re.compile(r"(?:<!-- (not run:|run by) ([^\n]*) -->\n)?```console\n(.*?)```", re.DOTALL)
PAGES = sorted(
    one.relative_to(ROOT).as_posix()
    for one in [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]
    if "```console" in one.read_text("utf-8")
)
PASTED = [
    "README.md",
    "docs/any-api.md",
    "docs/apis/genero.md",
    "docs/apis/onkey.md",
    "docs/editors.md",
    "docs/sandbox.md",
    "docs/tutorial.md",
]
FASTER = (("--clock x600", "--clock x3000"), ("MINUTE=0.1", "MINUTE=0.02"))  # as slow for a program that waits
MARK, LIMIT = "\x1e", 300  # what is printed after each command; the only limit in seconds, which ends what hangs
SHIM = """#!{python}
import sys
from mockserver.cli import main
there = {{"url": "http://127.0.0.1:{port}"}}
snapshot = {{"export": there, "import": there}}
main(default_map={{"serve": {{"port": {port}}}, "verdict": there, "wait": there, "snapshot": snapshot}})
"""


@dataclass
class Step:
    """A command with the lines that are shown below it."""

    command: str
    shown: list[str]


def blocks(page):
    """Return the marks and the texts of the console blocks of a page."""
    return [(found[1] or "", found[2] or "", found[3]) for found in BLOCK.finditer((ROOT / page).read_text("utf-8"))]


def steps(page):
    """Return the commands of the blocks of a page that are run."""
    every = [text for mark, _, text in blocks(page) if not mark]
    return [Step(*split_command(one)) for text in every for one in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]]


@pytest.mark.slow
@pytest.mark.parametrize("page", PASTED)
def test_a_page_works_when_it_is_pasted_at_once(page, tmp_path):
    """Nothing fails but what is shown to fail, each shown line is printed, and no server is left behind."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = str(one.getsockname()[1])
    ended = pasted(steps(page), tmp_path, port)
    assert [command for command, status, _ in ended if status > 1] == []
    for step, (_, _, printed) in zip(steps(page), ended, strict=True):
        if step.command.startswith("bulkproof verdict"):
            continue  # of a clock that runs: tests/test_tutorial.py has what is shown, on one that stands still
        text = " ".join(printed.replace(port, "8080").split())
        assert [one for one in step.shown if not pattern(one).search(text)] == [], (step.command, printed)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(port)))


def pattern(shown):
    """Return what a shown line is: numbers are any, `...` is any text."""
    text = re.escape(re.sub(r"\d+", "0", " ".join(shown.split())))
    return re.compile(text.replace(r"\.\.\.", ".*").replace("0", r"\d+"))


def pasted(every, folder, port):
    """Return each command of a script with its exit status and what was printed; the default port is another."""
    programs = folder / "programs"
    programs.mkdir()
    (programs / "bulkproof").write_text(SHIM.format(python=sys.executable, port=port))
    (programs / "bulkproof").chmod(0o755)
    (programs / "python").symlink_to(sys.executable)
    shutil.copytree(ROOT / "examples", folder / "examples")
    for file in (ROOT / "examples").glob("*.py"):
        shutil.copy(file, folder)
    lines = [f"{one.command}\nprintf '\\n{MARK}%d\\n' $?" for one in every]
    script = "\n".join([*lines, "wait", ""]).replace("8080", port)
    for shown, quicker in FASTER:
        script = script.replace(shown, quicker)
    path = os.pathsep.join([str(programs), os.environ["PATH"]])
    shell = subprocess.Popen(
        ["bash"],
        cwd=folder,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "GENERO_URL": f"http://127.0.0.1:{port}/genero"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        printed, _ = shell.communicate(script, timeout=LIMIT)
    finally:
        if shell.poll() is None:
            os.killpg(shell.pid, 9)
            shell.wait()
    parts = re.split(rf"\n{MARK}(\d+)\n", printed)
    return [(one.command, int(status), text) for one, text, status in zip(every, parts[::2], parts[1::2], strict=False)]


def test_every_block_is_run_or_says_why_not():
    """A page with blocks is pasted, or each of its blocks has a comment; the comments are these."""
    unrun = {page: [why for mark, why, _ in blocks(page) if mark == "not run:"] for page in PAGES}
    assert {page: reasons for page, reasons in unrun.items() if reasons} == NOT_RUN
    unmarked = {page for page in PAGES if any(not mark for mark, _, _ in blocks(page))}
    assert sorted(unmarked) == PASTED


def test_blocks_that_other_tests_run_are_in_them():
    """The file that a comment names reads the page."""
    for page in PAGES:
        for mark, file, _ in blocks(page):
            assert mark != "run by" or page.rpartition("/")[2] in (ROOT / file).read_text("utf-8"), (page, file)


def test_blocks_that_start_a_server_wait_for_it():
    """Whoever pastes them does not meet a server that is not there yet."""
    for page in PASTED:
        every = [one.command for one in steps(page)]
        for n, command in enumerate(every):
            if command.startswith("bulkproof serve"):
                assert command.endswith("&"), (page, command)
                assert every[n + 1].startswith("bulkproof wait"), (page, command)
                assert any(one.startswith("kill %1") for one in every[n:]), (page, command)


LONG, OWN, TESTS = "benchmarks take long", "the document is the reader's", "it is what runs the tests"
NOT_RUN = {
    "CONTRIBUTING.md": [TESTS, TESTS],
    "README.md": ["it makes what the tests run in", TESTS],
    "docs/editors.md": ["it writes to the reader's home"],
    "docs/any-api.md": [OWN, OWN, OWN, OWN],
    "docs/javascript.md": ["npm fetches packages"],
    "docs/checking.md": [
        "the server is the reader's",
        "it takes long; tests/mockserver/cli/test_check.py has baselines",
    ],
    "docs/fuzzing.md": [
        *["a campaign takes long"] * 3,
        "it needs several machines",
        "a campaign takes long",
    ],
    "docs/operations.md": ["it needs Docker"],
    "docs/performance.md": [LONG, LONG],
    "docs/verdicts.md": ["it needs a client; the tutorial has one"],
}
