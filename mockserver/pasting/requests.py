"""An exchange as requests for an editor's HTTP client: `.http` files, separated by `###`."""

from collections.abc import Iterator

import orjson

from mockserver.pasting.trail import Setting, Step, Trail, clock_at


def as_http(trail: Trail) -> str:
    """Return requests; the last one is the exchange."""
    return "\n".join(_lines(trail)) + "\n"


def _lines(trail: Trail) -> Iterator[str]:
    yield f"# {trail.title}."
    yield f"# {trail.setting}."
    yield from (f"# {note}" for note in trail.notes)
    for setting in trail.settings:
        yield from _setting(trail, setting)
    at = trail.steps[0].at
    for step in trail.steps:
        if step.at != at:
            yield from _setting(trail, clock_at(step.at))
            at = step.at
        yield from _call(trail, step)


def _setting(trail: Trail, setting: Setting) -> Iterator[str]:
    method, what, value = setting
    yield from ("", f"### Set up: {what}")
    yield f"{method} {trail.base}/_sandbox/sandboxes/{trail.name}/{what} HTTP/1.1"
    yield "Content-Type: application/json"
    if trail.guarded:
        yield "Authorization: Bearer {{controlToken}}"
    yield from ("", orjson.dumps(value).decode())


def _call(trail: Trail, step: Step) -> Iterator[str]:
    yield from ("", f"### Exchange {step.entry.n}")
    yield f"{step.entry.method} {trail.base}{step.path} HTTP/1.1"
    yield from (f"{name}: {value}" for name, value in step.headers)
    if step.file:
        yield from ("", f"< ./{step.file}")
    elif step.body:
        yield from ("", step.body.decode("utf-8", "replace"))
