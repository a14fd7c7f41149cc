"""Findings on disk: a corpus with a folder for each finding, its reproducers in it, and baselines of fingerprints.

Begin with `Corpus`. The files of a finding are `finding.json`, `replay.sh` and `test_finding.py`, which both run
`replay.py`, and the bodies of its requests.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from pprint import pformat
from shlex import quote as shell
from typing import Any, Final
from urllib.parse import quote

import orjson

from contracts.errors import MisuseError
from contracts.messages import ABSENT
from contracts.syntax.text import clipped
from generators.oracles.findings import Finding, is_accepted
from generators.triage import standalone
from generators.triage.script import RequestStep, Step, WaitStep
from generators.triage.standalone import BLANK
from generators.triage.stored_finding import StoredFinding, from_json, to_json

FINDING_FILE: Final = "finding.json"
SHELL_FILE: Final = "replay.sh"
PYTEST_FILE: Final = "test_finding.py"
REPLAY_FILE: Final = "replay.py"  # run by the shell script and the test
TEMPLATE_FOLDER: Final = Path(__file__).parent / "templates"
TEMPLATE_PART: Final = re.compile("@([A-Z_]+)@")
MAX_COMMENT_CHARS: Final = 110  # of a text in a comment
MAX_COMMAND_CHARS: Final = 300  # of a curl command in a comment
LINE_WIDTH: Final = 116
MAX_INLINE_CHARS: Final = 30_000  # of steps inside the test; more are read from the finding's file


def reproducer_files(kept: StoredFinding) -> dict[str, bytes]:
    """Return the files of a finding by name."""
    files = {FINDING_FILE: finding_file(kept)}
    found = orjson.loads(files[FINDING_FILE])
    for n, step in enumerate(kept.script.steps):
        if isinstance(step, RequestStep) and (step.data is not ABSENT or step.raw):
            files[_body_name(n)] = step.raw if step.data is ABSENT else orjson.dumps(step.data)
    files[REPLAY_FILE] = Path(standalone.__file__).read_bytes()
    told = {"TITLE": _comment_text(f"{kept.law} on {kept.operation}: {kept.shape}"), "SAYS": _comment_text(kept.says)}
    files[SHELL_FILE] = _fill_template("replay.sh.txt", {**told, **_shell_parts(kept)}).encode()
    files[PYTEST_FILE] = _fill_template("test_finding.py.txt", {**told, **_python_parts(kept, found)}).encode()
    return files


def finding_file(kept: StoredFinding) -> bytes:
    """Return the JSON file of a finding."""
    return orjson.dumps(to_json(kept), option=orjson.OPT_INDENT_2)


def _fill_template(template: str, parts: dict[str, str]) -> str:
    """Return a template with its parts; a part's own text is not expanded again."""
    text = (TEMPLATE_FOLDER / template).read_text("utf-8")
    return TEMPLATE_PART.sub(lambda found: parts[found[1]], text)


def _comment_text(text: str) -> str:
    """Return a text that is valid in a comment and in a docstring."""
    return clipped("".join(one if one.isprintable() and one not in '"\\' else "'" for one in text), MAX_COMMENT_CHARS)


def _body_name(n: int) -> str:
    return f"body-{n}.json"


def _python_parts(kept: StoredFinding, found: dict[str, Any]) -> dict[str, str]:
    needed = {name: found[name] for name in ("url", "mount", "numbers", "steps", "signs")}
    finding = pformat(needed, width=LINE_WIDTH, sort_dicts=False)
    if len(finding) > MAX_INLINE_CHARS:
        finding = f'json.loads(Path(__file__).with_name("{FINDING_FILE}").read_text("utf-8"))'
    return {"FINDING": finding, "TOLD": repr(kept.says)}


def _shell_parts(kept: StoredFinding) -> dict[str, str]:
    lines = [f"#   {n}: {_command(n, step)}" for n, step in enumerate(kept.script.steps)]
    return {"URL": kept.url, "STEPS": "\n".join(lines)}


def _command(n: int, step: Step) -> str:
    """Return a step as a curl command."""
    if isinstance(step, WaitStep):
        return f"wait {step.seconds:g} s"
    parts = ["curl", *(f"-H {shell(f'{name}: {value}')}" for name, value in step.headers)]
    parts += [f"--data-binary @{_body_name(n)}"] if step.data is not ABSENT or step.raw else []
    text = " ".join([*parts, "-X", step.method, f'"$URL/{step_target(step)}"'])
    return clipped("".join(one if one.isprintable() else " " for one in text), MAX_COMMAND_CHARS)


def step_target(step: RequestStep) -> str:
    """Return the path and query of a step as in a URL, percent-encoded but for its variables."""
    path = "/".join(map(_encoded, step.path))
    query = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in step.query)
    return f"{path}?{query}" if query else path


def _encoded(text: str) -> str:
    """Return a text percent-encoded (RFC 3986), its variables left unchanged."""
    parts, last = [], 0
    for found in BLANK.finditer(text):
        parts += [quote(text[last : found.start()], safe=""), found[0]]
        last = found.end()
    return "".join([*parts, quote(text[last:], safe="")])


FINDINGS_FOLDER: Final = "findings"
BODY_PATTERN: Final = "body-*.json"
SHARDS_FOLDER: Final = "shards"
OLD_SHARDS_FOLDER: Final = "leases"  # the former name, still read
EXECUTABLE_MODE: Final = 0o755


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """The findings of all campaigns against one implementation, in one folder."""

    folder: Path

    def store(self, kept: StoredFinding) -> Path:
        """Write a finding's files and return its folder; `finding.json` is synced to disk on return."""
        folder = self.folder_of(kept)
        folder.mkdir(parents=True, exist_ok=True)
        files = reproducer_files(kept)
        for name, content in files.items():
            write_atomically(folder / name, content, is_synced=name == FINDING_FILE)
        for stale in folder.glob(BODY_PATTERN):
            if stale.name not in files:
                stale.unlink()
        (folder / SHELL_FILE).chmod(EXECUTABLE_MODE)
        return folder

    def store_notes(self, kept: StoredFinding) -> Path:
        """Write a finding's file alone: its group or its replays have changed, its reproducers have not."""
        folder = self.folder_of(kept)
        write_atomically(folder / FINDING_FILE, finding_file(kept), is_synced=False)
        return folder

    def folder_of(self, kept: StoredFinding) -> Path:
        """Return the folder of a finding."""
        return self.folder / FINDINGS_FOLDER / f"{kept.law}-{kept.operation or 'any'}-{kept.fingerprint[:8]}"

    def findings(self, on_broken: Callable[[str], object]) -> list[StoredFinding]:
        """Return the stored findings in the order of discovery; `on_broken` receives messages about invalid files."""
        found: list[StoredFinding] = []
        for file in sorted((self.folder / FINDINGS_FOLDER).glob(f"*/{FINDING_FILE}")):
            try:
                found.append(read_finding(file))
            except MisuseError as error:
                on_broken(f"Skipped: {error}")
        return sorted(found, key=lambda kept: kept.seconds)

    def store_shard(self, name: str, told: Mapping[str, Any]) -> None:
        """Store the result of a finished shard."""
        folder = self.folder / SHARDS_FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / f"{name}.json", orjson.dumps(told))

    def shards(self) -> dict[str, dict[str, Any]]:
        """Return the results of finished shards by name; unreadable files are ignored."""
        files = [
            file for name in (OLD_SHARDS_FOLDER, SHARDS_FOLDER) for file in sorted((self.folder / name).glob("*.json"))
        ]
        return {file.stem: told for file in files if (told := _json_object(file)) is not None}


def _json_object(file: Path) -> dict[str, Any] | None:
    """Return the JSON object in a file, None when there is none."""
    try:
        found = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return found if isinstance(found, dict) else None


def write_atomically(path: Path, content: bytes, *, is_synced: bool = True) -> None:
    """Replace a file atomically: readers see the old content or the new one, never a part.

    With `is_synced` the content is on disk on return (fsync).
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("wb") as file:
        file.write(content)
        if is_synced:
            file.flush()
            os.fsync(file.fileno())
    beside.replace(path)


def read_finding(path: Path) -> StoredFinding:
    """Return the finding in a folder or a file. Raises MisuseError when there is none."""
    file = path / FINDING_FILE if path.is_dir() else path
    try:
        data = orjson.loads(file.read_bytes())
    except OSError as error:
        raise MisuseError(f"the finding cannot be read: {error.strerror}.", where=str(file)) from None
    except orjson.JSONDecodeError as error:
        raise MisuseError(f"this is not JSON: {error}.", where=str(file)) from None
    if not isinstance(data, dict):
        raise MisuseError("this is not a finding.", where=str(file), cure="Give the directory of a finding.")
    return from_json(data, where=str(file))


JSON_OPTIONS: Final = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
BASELINE_HINT: Final = "Write one with --baseline-update."


def read_baseline(path: Path) -> frozenset[str]:
    """Return the fingerprints of a baseline. Raises MisuseError."""
    try:
        data: Any = orjson.loads(path.read_bytes())
        return frozenset(data["findings"])
    except OSError as error:
        raise MisuseError(f"it cannot be read: {error.strerror}.", where=str(path), cure=BASELINE_HINT) from None
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise MisuseError("it is no baseline of findings.", where=str(path), cure=BASELINE_HINT) from None


def write_baseline(path: Path, findings: Iterable[Finding]) -> None:
    """Write a baseline of these findings, equal bytes for equal findings. Raises MisuseError."""
    told = {
        one.fingerprint: {"law": one.law, "operation": one.operation, "shape": one.shape, "says": one.says}
        for one in findings
    }
    try:
        path.write_bytes(orjson.dumps({"findings": told}, option=JSON_OPTIONS))
    except OSError as error:
        raise MisuseError(f"it cannot be written: {error.strerror}.", where=str(path), cure="Name a file.") from None


def broad_baseline_note(known: frozenset[str], findings: Iterable[Finding]) -> str:
    """Return a line about findings that an entry of no member accepts, as older baselines have them; "" for none."""
    broad = [
        one
        for one in findings
        if one.fingerprint not in known and is_accepted(known, one.law, one.operation, one.shape)
    ]
    few = "; ".join(f"{one.law} on {one.operation}: {one.shape}" for one in broad[:3])
    return (
        f"Accepted by entries of an older baseline, which name no member or code and accept every one: {few}"
        f"{f' and {len(broad) - 3} more' if len(broad) > 3 else ''}. --baseline-update writes one entry for each.\n"  # noqa: PLR2004 - three are named
        if broad
        else ""
    )
