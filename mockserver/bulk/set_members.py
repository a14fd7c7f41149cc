"""Evaluate the `set` members of `x-bulk`: constants and expressions such as `$now`, `$item#/name`, `$request.path.id`.

Begin with `put_members`. Expressions are written as the runtime expressions of OpenAPI 3.1 are; `x-bulk.schema.json`
has the list. What an expression does not find is left out.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from contracts.bulk.model import SetMembers
from contracts.exchange.locations import find, json_of, put_at
from contracts.messages import ABSENT
from contracts.openapi.model import is_json
from contracts.syntax.text import text_of
from generators.data.completion import fitted, time_text
from mockserver.domain.jobs import Job

if TYPE_CHECKING:
    from mockserver.api.model import RequestContext

Facts: TypeAlias = Mapping[str, Callable[[str], object]]
EXPRESSION: Final = re.compile(r"\$(\w+)(.*)", re.DOTALL)
EMBEDDED: Final = re.compile(r"\{(\$[^{}]+)\}")


def put_members(body: dict[str, Any], members: SetMembers, facts: Facts) -> None:
    """Set the members in place: locations with their values, those that an expression does not find left out."""
    for place, value in members.items():
        found = evaluate(value, facts)
        if found is not ABSENT:
            put_at(body, place, found)


def evaluate(value: object, facts: Facts) -> object:
    """Return the value of a constant or an expression, ABSENT where it finds nothing."""
    if isinstance(value, dict):
        if set(value) >= {"from", "map"}:
            given = evaluate(value["from"], facts)
            return value["map"].get(text_of(given), value.get("default", given))
        inner = {name: evaluate(one, facts) for name, one in value.items()}
        return {name: one for name, one in inner.items() if one is not ABSENT}
    if isinstance(value, list):
        return [one for one in (evaluate(part, facts) for part in value) if one is not ABSENT]
    if not isinstance(value, str):
        return value
    found = EXPRESSION.fullmatch(value)
    if found is not None:
        fact = facts.get(found[1])
        return ABSENT if fact is None else fact(found[2])
    return EMBEDDED.sub(lambda part: text_of(evaluate(part[1], facts)), value)


def time_facts(now: datetime) -> Facts:
    """Return the facts about the time: `$now`, `$now.date`, `$now.epoch`, `$now.epoch-millis`."""
    return {"now": lambda rest: time_text(now, rest.lstrip(".") or "date-time")}


def request_facts(context: "RequestContext") -> Facts:
    """Return the facts about the request: `$request.body#/a`, `$request.header.A`, `.path.a`, `.query.a`."""

    def read(rest: str) -> object:
        where, _, name = rest[1:].partition("#" if rest.startswith(".body") else ".")
        if where == "body":
            data = json_of(context.request.body) if context.data is ABSENT else context.data
            return find(data, name)
        if where == "header":
            return context.request.headers.get(name) if name in context.request.headers else ABSENT
        return (context.variables if where == "path" else context.query).get(name, ABSENT)

    return {"request": read, **time_facts(context.now)}


def job_facts(job: Job, state: str, now: datetime) -> Facts:
    """Return the facts about a job: `$job.id`, `.state`, and the times `.posted`, `.begun` and `.ended`."""
    end = job.cancelled or job.due
    times = {
        "posted": job.posted,
        "begun": job.begins if job.begins <= min(now, job.cancelled or now) else None,
        "ended": end if end is not None and end <= now else None,
    }

    def read(rest: str) -> object:
        name, _, kind = rest[1:].partition(".")
        if name in times:
            at = times[name]
            return None if at is None else time_text(at, kind or "date-time")
        return job.id if name == "id" else state

    def parameter(rest: str) -> object:
        where, _, name = rest[1:].partition(".")
        kept = job.extra.get(REQUEST_VALUES, {})
        return (job.variables if where == "path" else job.query).get(name, kept.get(f"$request{rest}", ABSENT))

    return {"job": read, "request": parameter, **time_facts(now)}


REQUEST_VALUES: Final = "request"  # in a job's `extra`: what its `set` members take from the request's body and headers


def request_values(declared: object, facts: Facts) -> dict[str, object]:
    """Return the values of all expressions about the request's body and header in `set` members, by expression."""
    if isinstance(declared, Mapping | list | tuple):
        inner = declared.values() if isinstance(declared, Mapping) else declared
        return {name: one for value in inner for name, one in request_values(value, facts).items()}
    texts = [declared, *EMBEDDED.findall(declared)] if isinstance(declared, str) else []
    asked = [one for one in texts if one.startswith(("$request.body", "$request.header"))]
    return {one: value for one in asked if (value := evaluate(one, facts)) is not ABSENT}


def completed(context: "RequestContext", status: int, body: object, now: datetime, seed: str) -> object:
    """Return a reply of a plain document with what its response schema demands beside what was declared.

    Times that it fills in are `now`; the same `seed` gets the same values.
    """
    response = None if context.operation is None or not context.api.plain else context.operation.response(status)
    media = None if response is None else response.media("application/json") or next(iter(response.content), None)
    if media is None or media.schema is None or not is_json(media.media_range.replace("*/*", "application/json")):
        return body
    return fitted(media.schema, body, f"{context.api_state.ids.seed}/{seed}", now)
