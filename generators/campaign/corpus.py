"""A campaign on disk: a folder for each finding, a file for each lease that was done; every file whole or not there."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from contracts.errors import MisuseError
from generators.campaign.forms import FINDING, PYTEST, SHELL, forms_of
from generators.campaign.kept import Kept, from_json

FINDINGS: Final = "findings"
BODIES: Final = "body-*.json"
LEASES: Final = "leases"
CAMPAIGN: Final = "campaign.json"
EXECUTABLE: Final = 0o755


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Everything that campaigns against one implementation have kept, under one folder."""

    folder: Path

    def keep(self, kept: Kept) -> Path:
        """Write a finding in its three forms and return its folder; it is on disk when this returns."""
        folder = self.folder_of(kept)
        folder.mkdir(parents=True, exist_ok=True)
        files = forms_of(kept)
        for name, content in files.items():
            write(folder / name, content)
        for stale in folder.glob(BODIES):
            if stale.name not in files:
                stale.unlink()
        (folder / SHELL).chmod(EXECUTABLE)
        return folder

    def folder_of(self, kept: Kept) -> Path:
        """Return where a finding is kept."""
        return self.folder / FINDINGS / f"{kept.law}-{kept.operation or 'any'}-{kept.fingerprint[:8]}"

    def findings(self) -> list[Kept]:
        """Return the findings kept, those found first first. Raises MisuseError for a file that is no finding."""
        files = sorted((self.folder / FINDINGS).glob(f"*/{FINDING}"))
        return sorted(map(read_finding, files), key=lambda kept: kept.seconds)

    def note_lease(self, name: str, told: Mapping[str, Any]) -> None:
        """Note that a lease was done, and what came of it."""
        folder = self.folder / LEASES
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / f"{name}.json", orjson.dumps(told))

    def leases(self) -> dict[str, dict[str, Any]]:
        """Return what came of the leases done, by name."""
        files = sorted((self.folder / LEASES).glob("*.json"))
        return {file.stem: orjson.loads(file.read_bytes()) for file in files}

    def note(self, told: Mapping[str, Any]) -> None:
        """Note what the campaign is about."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write(self.folder / CAMPAIGN, orjson.dumps(told, option=orjson.OPT_INDENT_2))

    def about(self) -> dict[str, Any]:
        """Return what the campaign is about, nothing when none was here before."""
        file = self.folder / CAMPAIGN
        found: dict[str, Any] = orjson.loads(file.read_bytes()) if file.exists() else {}
        return found


def write(path: Path, content: bytes) -> None:
    """Put a file in its place at once: nobody sees half of it, and a crash leaves the old one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def read_finding(path: Path) -> Kept:
    """Return the finding in a folder or a file. Raises MisuseError when there is none."""
    file = path / FINDING if path.is_dir() else path
    try:
        data = orjson.loads(file.read_bytes())
    except OSError as error:
        raise MisuseError(f"no finding can be read: {error.strerror}.", where=str(file)) from None
    except orjson.JSONDecodeError as error:
        raise MisuseError(f"this is no JSON: {error}.", where=str(file)) from None
    if not isinstance(data, dict):
        raise MisuseError("this is no finding.", where=str(file), cure="Name a finding's folder.")
    return from_json(data, where=str(file))


__all__ = ["FINDING", "PYTEST", "SHELL", "Corpus", "read_finding", "write"]
