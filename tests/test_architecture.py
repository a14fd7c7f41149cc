"""The house's rules that a machine can hold: direction of imports, sorted exports, size of files."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("contracts", "generators", "mockserver")
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
HEAVY = {
    "contracts": ("jsonschema", "yaml", "aiohttp", "schemathesis", "faker", "distributed", "rich"),
    "generators": ("schemathesis", "faker", "distributed", "aiohttp", "rich"),
    "mockserver": ("schemathesis", "faker", "distributed", "redis", "aiohttp", "rich"),
    "mockserver.cli": ("aiohttp", "schemathesis", "faker", "distributed", "jsonschema"),
}


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_rooms_before_it(path):
    """Alphabetical order is the order of dependency: contracts, generators, mockserver."""
    room = path.relative_to(ROOT).parts[0]
    assert not imported(path) & set(ROOMS[ROOMS.index(room) + 1 :])


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_has_more_than_400_lines(path):
    """One idea a file; 400 lines are the ceiling."""
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.name == "__init__.py"], ids=lambda path: str(path.parent.relative_to(ROOT))
)
def test_exports_are_sorted(path):
    """What a package exports is listed and sorted: constants, classes, functions."""
    name = ".".join(path.parent.relative_to(ROOT).parts)
    exported = getattr(importlib.import_module(name), "__all__", [])
    assert list(exported) == sorted(exported, key=lambda name: (not name.isupper(), not name[0].isupper(), name))


@pytest.mark.parametrize("room", HEAVY)
def test_importing_a_room_stays_light(room):
    """A room's import brings in nothing heavy: commands and functions import what they need."""
    code = f"import sys, {room}; print(*[name for name in {HEAVY[room]!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(
    ("room", "other"), [("batches", "checks"), ("checks", "batches"), ("requests", "batches"), ("requests", "checks")]
)
def test_laws_and_campaigns_make_requests_without_each_other(room, other):
    """Both stand on `generators.requests`, which knows neither."""
    texts = [path.read_text() for path in (ROOT / "generators" / room).glob("*.py")]
    assert texts
    assert not [text for text in texts if f"generators.{other}" in text]
