"""The three forms of a finding: a JSON sequence, a script of curl calls with body files, and a test for pytest."""

import re
from collections.abc import Iterator
from pathlib import Path
from pprint import pformat
from shlex import quote as shell
from typing import Any, Final
from urllib.parse import quote

import orjson

from contracts.messages import ABSENT
from contracts.texts import clipped
from generators.campaign.kept import Kept, to_json
from generators.campaign.steps import BLANK, DELAYS, Asking, Step, Waiting

FINDING: Final = "finding.json"
SHELL: Final = "replay.sh"
PYTEST: Final = "test_finding.py"
TEMPLATES: Final = Path(__file__).parent / "templates"
PART: Final = re.compile("@([A-Z_]+)@")
LONGEST: Final = 110  # characters of what is told in a comment
WIDTH: Final = 116
MUCH: Final = 30_000  # characters of steps from which on a test reads them from the finding's file


def forms_of(kept: Kept) -> dict[str, bytes]:
    """Return the files of a finding by name."""
    files = {FINDING: finding_file(kept)}
    found = orjson.loads(files[FINDING])
    for n, step in enumerate(kept.script.steps):
        if isinstance(step, Asking) and (step.data is not ABSENT or step.raw):
            files[_body_name(n)] = step.raw if step.data is ABSENT else orjson.dumps(step.data)
    told = {"TITLE": _plain(f"{kept.law} on {kept.operation}: {kept.shape}"), "SAYS": _plain(kept.says)}
    files[SHELL] = _made("replay.sh.txt", {**told, **_shell_parts(kept, found)}).encode()
    files[PYTEST] = _made("test_finding.py.txt", {**told, **_python_parts(kept, found)}).encode()
    return files


def finding_file(kept: Kept) -> bytes:
    """Return the JSON form of a finding."""
    return orjson.dumps(to_json(kept), option=orjson.OPT_INDENT_2)


def _made(template: str, parts: dict[str, str]) -> str:
    """Return a template with its parts; what looks like a part in a part stays as it is."""
    text = (TEMPLATES / template).read_text("utf-8")
    return PART.sub(lambda found: parts[found[1]], text)


def _plain(text: str) -> str:
    """Return a text that can stand in a comment and in a docstring."""
    return clipped("".join(one if one.isprintable() and one not in '"\\' else "'" for one in text), LONGEST)


def _body_name(n: int) -> str:
    return f"body-{n}.json"


def _python_parts(kept: Kept, found: dict[str, Any]) -> dict[str, str]:
    steps = pformat(found["steps"], width=WIDTH, sort_dicts=False)
    if len(steps) > MUCH:
        steps = f'json.loads(Path(__file__).with_name("{FINDING}").read_text("utf-8"))["steps"]'
    return {
        "IMPORTS": "from pathlib import Path\n" if "Path(" in steps[:40] else "",
        "DELAYS": ", ".join(map(str, DELAYS)),
        "FOUND_AT": repr(kept.url),
        "MOUNT": repr(kept.mount),
        "STEPS": steps,
        "NUMBERS": pformat(found["numbers"], width=WIDTH),
        "SIGNS": pformat(found["signs"], width=WIDTH, sort_dicts=False),
        "TOLD": repr(kept.says),
    }


def _shell_parts(kept: Kept, found: dict[str, Any]) -> dict[str, str]:
    numbers = [f"number {name} {offset}" for name, offset in sorted(kept.script.numbers.items())]
    steps = [line for n, step in enumerate(kept.script.steps) for line in _commands(n, step, found["steps"][n])]
    signs = [f"shows {sign['step']} {shell(orjson.dumps(sign).decode())}" for sign in found["signs"]]
    return {
        "DELAYS": " ".join(map(str, DELAYS)),
        "URL": kept.url,
        "MOUNT": kept.mount,
        "JUDGE": (TEMPLATES / "judge.py.txt").read_text("utf-8").rstrip(),
        "STEPS": "\n".join(f"  {line}" for line in [*numbers, *steps] or [":"]),
        "SIGNS": " &&\n    ".join(signs or ["false"]),
    }


def _commands(n: int, step: Step, told: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that do one step."""
    if isinstance(step, Waiting):
        yield f"pass {step.seconds:f}"
        return
    body = _body_name(n) if step.data is not ABSENT or step.raw else "''"
    typed = body == "''" or any(name.lower() == "content-type" for name, _ in step.headers)
    headers = [shell(f"{name}: {value}") for name, value in step.headers] + ([] if typed else ["Content-Type:"])
    yield f"# {n}: {step.operation or 'a call'}"
    asked = " ".join([f"ask {n} {step.method} {shell(_target(step))} {body}", *headers])
    yield f"settle {n} {shell(orjson.dumps(told['busy']).decode())} {asked}" if "busy" in told else asked
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
