"""The three forms of a finding: a JSON sequence, a script of curl calls with body files, and a test for pytest."""

from collections.abc import Iterator
from pathlib import Path
from shlex import quote as shell
from typing import Any, Final
from urllib.parse import quote

import orjson

from contracts.messages import ABSENT
from contracts.texts import clipped
from generators.campaign.kept import Kept, to_json
from generators.campaign.steps import BLANK, Asking, Step, Waiting

FINDING: Final = "finding.json"
SHELL: Final = "replay.sh"
PYTEST: Final = "test_finding.py"
TEMPLATES: Final = Path(__file__).parent / "templates"


def forms_of(kept: Kept) -> dict[str, bytes]:
    """Return the files of a finding by name."""
    found = to_json(kept)
    files = {FINDING: orjson.dumps(found, option=orjson.OPT_INDENT_2)}
    for n, step in enumerate(kept.script.steps):
        if isinstance(step, Asking) and (step.data is not ABSENT or step.raw):
            files[_body_name(n)] = step.raw if step.data is ABSENT else orjson.dumps(step.data)
    told = {"TITLE": _title(kept)}
    files[SHELL] = _made("replay.sh.txt", {**told, **_shell_parts(kept, found)}).encode()
    files[PYTEST] = _made("test_finding.py.txt", told).encode()
    return files


def _made(template: str, parts: dict[str, str]) -> str:
    text = (TEMPLATES / template).read_text("utf-8")
    for name, part in parts.items():
        text = text.replace(f"@{name}@", part)
    return text


def _title(kept: Kept) -> str:
    says = "".join(one if one.isprintable() and one not in '"\\' else "'" for one in kept.says)
    return clipped(f"{kept.law} on {kept.operation}: {says}", 110)


def _body_name(n: int) -> str:
    return f"body-{n}.json"


def _shell_parts(kept: Kept, found: dict[str, Any]) -> dict[str, str]:
    lines = [line for n, step in enumerate(kept.script.steps) for line in _commands(n, step, found["steps"][n])]
    signs = [f"shows {sign['step']} {shell(orjson.dumps(sign).decode())}" for sign in found["signs"]]
    numbers = [f'n=$((BASE + {offset})); name {name} "$n" "$n"' for name, offset in sorted(kept.script.numbers.items())]
    base = ["BASE=$(python3 -c 'import sys; print(7 * 10**14 + int(sys.argv[1], 36) * 10**8)' \"$SALT\")"]
    return {
        "URL": kept.url,
        "JUDGE": (TEMPLATES / "judge.py.txt").read_text("utf-8").rstrip(),
        "NUMBERS": "\n".join(base + numbers if numbers else []),
        "STEPS": "\n".join(lines),
        "SIGNS": " &&\n  ".join(signs or ["false"]),
    }


def _commands(n: int, step: Step, told: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that do one step."""
    if isinstance(step, Waiting):
        yield f"pass {step.seconds:g}"
        return
    options = [f'-H "$(printf %s {shell(f"{name}: {value}")} | fill)"' for name, value in step.headers]
    if step.data is not ABSENT or step.raw:
        yield f'fill <{_body_name(n)} >"$W/{n}.sent"'
        typed = any(name.lower() == "content-type" for name, _ in step.headers)
        options += [f'--data-binary @"$W/{n}.sent"', *([] if typed else ["-H 'Content-Type:'"])]
    yield " ".join([f"ask {n} {step.method} {shell(_target(step))}", *options])
    for lesson in told.get("learn", ()):
        yield f"learn {n} {lesson['name']} {shell(orjson.dumps(lesson).decode())}"


def _target(step: Asking) -> str:
    path = "/".join(map(_encoded, step.path))
    query = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in step.query)
    return f"{path}?{query}" if query else path


def _encoded(text: str) -> str:
    """Return a text as it stands in an address, its blanks left alone."""
    parts, last = [], 0
    for found in BLANK.finditer(text):
        parts += [quote(text[last : found.start()], safe=""), found[0]]
        last = found.end()
    return "".join([*parts, quote(text[last:], safe="")])
