"""Kits for other languages: what docs/run.md, docs/javascript.md and docs/java-dotnet.md show is run."""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from children import run
from console import commands

ROOT = Path(__file__).parent.parent
FOLDERS = {"run.md": ".", "javascript.md": "examples/javascript", "java-dotnet.md": "examples/java"}
PROGRAMS = {"javascript.md": "node", "java-dotnet.md": "java"}
FENCE = re.compile(r"```(?:js|java)\n(.*?)```", re.DOTALL)
SHIM = "#!{python}\nimport sys\nsys.path.insert(0, {root!r})\nfrom mockserver.cli import main\nmain()\n"


@pytest.mark.slow
@pytest.mark.parametrize("page", FOLDERS)
def test_the_commands_of_a_page_work(page, tmp_path):
    """Each runs its tests in a sandbox, whose verdict is good; where the language is not installed it is left out."""
    program = PROGRAMS.get(page, sys.executable)
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    (tmp_path / "python").symlink_to(sys.executable)
    (tmp_path / "bulkproof").write_text(SHIM.format(python=sys.executable, root=str(ROOT)))
    (tmp_path / "bulkproof").chmod(0o755)
    ran = 0
    for words, shown in commands(ROOT / "docs" / page, "bulkproof"):
        if "npx" in words:
            continue  # npm fetches packages
        done = run(words, cwd=ROOT / FOLDERS[page], env={**os.environ, "PATH": path})
        assert done.returncode == (1 if page == "run.md" else 0), done.stdout + done.stderr
        assert re.search(re.escape(shown).replace(r"\.\.\.", ".*"), done.stdout), done.stdout
        ran += 1
    assert ran == 1


@pytest.mark.parametrize("page", PROGRAMS)
def test_pages_show_what_the_examples_have(page):
    """Each piece of code stands in a file of the example, so that what is shown is what is run."""
    files = "\n".join(file.read_text("utf-8") for file in sorted((ROOT / FOLDERS[page]).iterdir()) if file.is_file())
    pieces = FENCE.findall((ROOT / "docs" / page).read_text("utf-8"))
    assert len(pieces) > 1
    assert [piece for piece in pieces if piece.strip("\n") not in files] == []
