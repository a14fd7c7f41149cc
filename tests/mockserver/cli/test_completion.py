"""`bulkproof completion`: a shell that has read the script completes commands, options and values."""

import os
import shutil
import sys

import pytest
from children import run
from click.testing import CliRunner

from mockserver.cli import COMMANDS, main

BASH = """
{script}
COMP_WORDS=({words}) COMP_CWORD={place}
_bulkproof_completion bulkproof
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def script(shell):
    done = CliRunner().invoke(main, ["completion", shell])
    assert done.exit_code == 0
    return done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_is_told_how_to_ask(shell):
    """Also where that shell is not installed."""
    assert f"_BULKPROOF_COMPLETE={shell}_complete" in script(shell)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_reads_its_script(shell, tmp_path):
    """Its syntax is that of the shell."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    file = tmp_path / "script"
    file.write_text(script(shell))
    told = run([program, "-n", str(file)])
    assert (told.returncode, told.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("bulkproof ''", set(COMMANDS)),
        ("bulkproof sch", {"schema"}),
        ("bulkproof verdict --for", {"--format"}),
        ("bulkproof verdict --format s", {"sarif"}),
    ],
)
def test_bash_completes(words, wanted, tmp_path):
    """The function that the script gives to Bash, as Bash calls it."""
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    program = tmp_path / "bulkproof"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mockserver "$@"\n')
    program.chmod(0o755)
    text = BASH.format(script=script("bash"), words=words, place=len(words.split()) - 1)
    told = run(["bash", "-c", text], env=os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"})
    assert set(told.stdout.split()) == wanted, told.stderr
