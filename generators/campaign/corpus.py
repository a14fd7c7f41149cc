"""A campaign on disk: a folder for each finding, a file for each lease that was done; every file whole or not there."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from contracts.errors import MisuseError
from generators.campaign.forms import FINDING, PYTEST, SHELL, finding_file, forms_of
from generators.campaign.kept import Kept, from_json

FINDINGS: Final = "findings"
BODIES: Final = "body-*.json"
SHARDS: Final = "shards"
OLD_SHARDS: Final = "leases"  # the folder's name before; what is in it is still read
EXECUTABLE: Final = 0o755


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Everything that campaigns against one implementation have kept, under one folder."""

    folder: Path

    def keep(self, kept: Kept) -> Path:
        """Write a finding in its three forms and return its folder; the finding is on disk when this returns."""
        folder = self.folder_of(kept)
        folder.mkdir(parents=True, exist_ok=True)
        files = forms_of(kept)
        for name, content in files.items():
            write(folder / name, content, is_safe=name == FINDING)
        for stale in folder.glob(BODIES):
            if stale.name not in files:
                stale.unlink()
        (folder / SHELL).chmod(EXECUTABLE)
        return folder

    def keep_group(self, kept: Kept) -> Path:
        """Write anew what a finding's file says of its group; nothing else of it has changed."""
        folder = self.folder_of(kept)
        write(folder / FINDING, finding_file(kept), is_safe=False)
        return folder

    def folder_of(self, kept: Kept) -> Path:
        """Return where a finding is kept."""
        return self.folder / FINDINGS / f"{kept.law}-{kept.operation or 'any'}-{kept.fingerprint[:8]}"

    def findings(self, on_broken: Callable[[str], object]) -> list[Kept]:
        """Return the findings kept, those found first first; `on_broken` hears of files that are none."""
        found: list[Kept] = []
        for file in sorted((self.folder / FINDINGS).glob(f"*/{FINDING}")):
            try:
                found.append(read_finding(file))
            except MisuseError as error:
                on_broken(f"Skipped: {error}")
        return sorted(found, key=lambda kept: kept.seconds)

    def note_lease(self, name: str, told: Mapping[str, Any]) -> None:
        """Note that a lease was done, and what came of it."""
        folder = self.folder / SHARDS
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / f"{name}.json", orjson.dumps(told))

    def leases(self) -> dict[str, dict[str, Any]]:
        """Return what came of the leases done, by name; a file that cannot be read is as good as none."""
        files = [file for name in (OLD_SHARDS, SHARDS) for file in sorted((self.folder / name).glob("*.json"))]
        return {file.stem: told for file in files if (told := _object(file)) is not None}


def _object(file: Path) -> dict[str, Any] | None:
    """Return the JSON object in a file, None when there is none."""
    try:
        found = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return found if isinstance(found, dict) else None


def write(path: Path, content: bytes, *, is_safe: bool = True) -> None:
    """Put a file in its place at once: nobody sees half of it, and a killed process leaves the old one.

    With `is_safe` it is on disk when this returns, even if the machine goes down.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("wb") as file:
        file.write(content)
        if is_safe:
            file.flush()
            os.fsync(file.fileno())
    beside.replace(path)


def read_finding(path: Path) -> Kept:
    """Return the finding in a folder or a file. Raises MisuseError when there is none."""
    file = path / FINDING if path.is_dir() else path
    try:
        data = orjson.loads(file.read_bytes())
    except OSError as error:
        raise MisuseError(f"the finding cannot be read: {error.strerror}.", where=str(file)) from None
    except orjson.JSONDecodeError as error:
        raise MisuseError(f"this is not JSON: {error}.", where=str(file)) from None
    if not isinstance(data, dict):
        raise MisuseError("this is not a finding.", where=str(file), cure="Give the directory of a finding.")
    return from_json(data, where=str(file))


__all__ = ["FINDING", "PYTEST", "SHELL", "Corpus", "read_finding", "write"]
