"""The house's rules that a machine can hold: direction of imports, sorted exports, size of files, light imports."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROOMS = ("contracts", "generators", "mockserver")
TEXTS = {path.relative_to(ROOT): path.read_text() for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))}
HEAVY = {
    "contracts": ("jsonschema", "yaml", "aiohttp", "schemathesis", "faker", "distributed", "rich"),
    "generators": ("schemathesis", "faker", "distributed", "aiohttp", "rich"),
    "mockserver": ("schemathesis", "faker", "distributed", "redis", "aiohttp", "rich"),
    "mockserver.cli": ("aiohttp", "schemathesis", "faker", "distributed", "jsonschema"),
}


def imported(text: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def test_a_room_imports_only_rooms_before_it():
    """Alphabetical order is the order of dependency: contracts, generators, mockserver."""
    later = {room: set(ROOMS[number + 1 :]) for number, room in enumerate(ROOMS)}
    offenders = {str(path): sorted(imported(text) & later[path.parts[0]]) for path, text in TEXTS.items()}
    assert {path: rooms for path, rooms in offenders.items() if rooms} == {}


def test_no_file_has_more_than_400_lines():
    """One idea a file; 400 lines are the ceiling."""
    lines = {str(path): len(text.splitlines()) for path, text in TEXTS.items()}
    assert {path: count for path, count in lines.items() if count > 400} == {}


def test_exports_are_sorted():
    """What a package exports is listed and sorted: constants, classes, functions."""
    packages = [".".join(path.parent.parts) for path in TEXTS if path.name == "__init__.py"]
    exported = {name: list(getattr(importlib.import_module(name), "__all__", [])) for name in packages}
    ordered = {name: sorted(names, key=_place) for name, names in exported.items()}
    assert {name: names for name, names in exported.items() if names != ordered[name]} == {}


def _place(name: str) -> tuple[bool, bool, str]:
    return not name.isupper(), not name[0].isupper(), name


def test_importing_a_room_stays_light():
    """A room's import brings in nothing heavy: commands and functions import what they need."""
    assert {room: brought for room in HEAVY if (brought := _heavy_imports(room))} == {}


def _heavy_imports(room: str) -> list[str]:
    code = f"import sys, {room}; print(*[name for name in {HEAVY[room]!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout.split()


def test_laws_and_campaigns_make_requests_without_each_other():
    """Both stand on `generators.requests`, which knows neither."""
    apart = [("batches", "checks"), ("checks", "batches"), ("requests", "batches"), ("requests", "checks")]
    rooms = {
        room: {path: text for path, text in TEXTS.items() if path.parts[:2] == ("generators", room)}
        for room, _ in apart
    }
    assert all(rooms.values())
    assert [
        (str(path), other)
        for room, other in apart
        for path, text in rooms[room].items()
        if f"generators.{other}" in text
    ] == []
