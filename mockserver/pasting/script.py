"""An exchange as a shell script of `curl` calls; the last one prints the reply."""

import shlex
from base64 import b64encode
from collections.abc import Iterator
from typing import Final

import orjson

from mockserver.pasting.trail import Setting, Step, Trail, clock_at

LONGEST: Final = 100_000  # characters of one argument; Linux takes 128 KiB
QUIET: Final = ("-o", "/dev/null")
GUARD: Final = '-H "Authorization: Bearer $BULKPROOF_CONTROL_TOKEN"'
BEARER: Final = '${TOKEN:+-H "Authorization: Bearer $TOKEN"}'


def as_curl(trail: Trail) -> str:
    """Return a script for a POSIX shell."""
    return "\n".join(_lines(trail)) + "\n"


def _lines(trail: Trail) -> Iterator[str]:
    yield f"# {trail.title}."
    yield f"# {trail.setting}."
    yield from (f"# {note}" for note in trail.notes)
    yield from (_setting(trail, one) for one in trail.settings)
    at = trail.steps[0].at
    for step in trail.steps:
        if step.at != at:
            yield _setting(trail, clock_at(step.at))
            at = step.at
        yield _call(trail, step, *(() if step is trail.last else QUIET))


def _setting(trail: Trail, setting: Setting) -> str:
    method, what, value = setting
    url = f"{trail.base}/_sandbox/sandboxes/{trail.name}/{what}"
    words = ["curl", "-sSf", *QUIET, "-X", method, url, "-H", "Content-Type: application/json"]
    guard = f" {GUARD}" if trail.guarded else ""
    return f"{shlex.join(words)}{guard} --data-raw {shlex.quote(orjson.dumps(value).decode())}"


def _call(trail: Trail, step: Step, *options: str) -> str:
    method = step.entry.method
    words = [
        "curl",
        "-sSg",
        *options,
        *(("--head",) if method == "HEAD" else ("-X", method)),
        f"{trail.base}{step.path}",
    ]
    if "/." in step.path:
        words.append("--path-as-is")
    for name, value in step.headers:
        words += ["-H", f"{name}: {value}" if value else f"{name};"]
    if (step.body or step.file) and all(name.lower() != "content-type" for name, _ in step.headers):
        words += ["-H", "Content-Type:"]
    token = f" {BEARER}" if any(name.lower() == "authorization" for name in step.secrets) else ""
    before, data = _data(step)
    return f"{before}{shlex.join(words)}{token}{data}"


def _data(step: Step) -> tuple[str, str]:
    """Return what stands before a command and what ends it, to send the body."""
    if step.file:
        return "", f" --data-binary @{step.file}"
    if not step.body:
        return "", ""
    text = step.body.decode("utf-8", "replace")
    quoted = shlex.quote(text)
    if text.encode() == step.body and "\0" not in text and len(quoted) <= LONGEST:
        return "", f" --data-raw {quoted}"
    return f"printf %s {b64encode(step.body).decode()} | base64 -d | ", " --data-binary @-"
