"""Control requests about sandboxes: list, reset, drop, settings, and clocks."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from contracts.messages import Response
from contracts.openapi.validation import Violation, validate_value
from contracts.schemas.schema_set import Schema, SchemaSet
from contracts.syntax.text import merge_patch, parse_duration
from mockserver.api.model import RequestContext
from mockserver.control.routes import ControlContext, RefusedError, clock_of, instant
from mockserver.control.state import tables_of
from mockserver.domain.clock_and_ids import VirtualClock
from mockserver.sandbox import sandboxes
from mockserver.sandbox.clock_control import (
    ClockEvent,
    ClockRangeError,
    advance,
    advance_to_next_event,
    advance_until_idle,
    never_ending,
    replace_clock,
    require_in_range,
)
from mockserver.sandbox.sandboxes import Sandbox

if TYPE_CHECKING:
    from mockserver.scenarios.model import Scenario


_ADVANCES: Final = {"next-event": advance_to_next_event, "idle": advance_until_idle}


def get_clock(control: ControlContext, context: RequestContext) -> Response:
    """Return the sandbox's time, the clock's mode and factor."""
    return _clock_response(control.sandbox(context), context.now, ())


def set_clock(control: ControlContext, context: RequestContext) -> Response:
    """Set the members that the body names: time, mode, factor."""
    sandbox = control.sandbox(context)
    try:
        events = replace_clock(sandbox, _set(sandbox.clock, context.data, context.now), context.now, control.settle)
    except (ClockRangeError, OverflowError):
        raise _out_of_time() from None
    return _clock_response(sandbox, context.now, events)


def fresh_clock(sandbox: Sandbox, wanted: Any, real: datetime) -> VirtualClock:
    """Return the clock of a sandbox after a reset, with the given members set. Raises RefusedError."""
    try:
        clock = _set(VirtualClock.start(sandbox.template.mode, real, factor=sandbox.template.factor), wanted, real)
        require_in_range(clock, real)
    except (ClockRangeError, OverflowError):
        raise _out_of_time() from None
    return clock


def _set(clock: VirtualClock, wanted: Any, real: datetime) -> VirtualClock:
    now = _instant(wanted["now"]) if "now" in wanted else None
    return clock.set(real, mode=wanted.get("mode"), now=now, factor=wanted.get("factor"))


def advance_clock(control: ControlContext, context: RequestContext) -> Response:
    """Advance the clock by a duration, or until the next event or until no job is unfinished."""
    wanted: Any = context.data
    by = _duration(wanted["by"]) if "by" in wanted else None
    sandbox = control.sandbox(context)
    try:
        if by is None:
            events = _ADVANCES[wanted["to"]](sandbox, context.now, control.settle)
        else:
            events = advance(sandbox, by, context.now, control.settle)
    except ClockRangeError:
        raise _out_of_time() from None
    return _clock_response(sandbox, context.now, events)


def _clock_response(sandbox: Sandbox, real: datetime, events: Sequence[ClockEvent]) -> Response:
    clock = clock_of(sandbox, real) | {
        "events": [
            {"at": instant(event.at), "kind": event.kind, "id": event.id, "says": event.text} for event in events
        ],
        "unfinished": never_ending(sandbox),
    }
    return Response.of(200, clock)


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise RefusedError(f"now: '{text[:80]}' is no instant such as 2026-01-01T00:00:00Z.") from None


def _duration(text: str) -> timedelta:
    if text.startswith("-"):
        detail = "by: time does not run backwards here; set the clock with PUT to turn it back."
        raise RefusedError(detail)
    try:
        return parse_duration(text)
    except ValueError as error:
        raise RefusedError(f"by: {error}") from None


def _out_of_time() -> RefusedError:
    return RefusedError(str(ClockRangeError()))


def list_sandboxes(control: ControlContext, context: RequestContext) -> Response:
    """List the sandboxes."""
    return Response.of(200, {"sandboxes": [_summary(one, context.now) for one in control.sandboxes]})


def drop_sandbox(control: ControlContext, context: RequestContext) -> Response:
    """Delete a sandbox. Raises RefusedError (404)."""
    name = context.variables["sandbox"]
    if not control.sandboxes.drop(name):
        raise RefusedError(f"There is no sandbox '{name[:80]}'.", HTTPStatus.NOT_FOUND)
    return Response(status=204)


def reset_sandbox(control: ControlContext, context: RequestContext) -> Response:
    """Reset a sandbox with the seed, clock, settings and scenarios of the body.

    The body is validated first: when it is refused, the sandbox is unchanged.
    """
    wanted: Any = context.data or {}
    sandbox = control.sandbox(context)
    clock = fresh_clock(sandbox, wanted.get("clock", {}), context.now)
    whole = _validated(control, sandbox, wanted.get("settings", {}))
    played = _scenarios(control, wanted["scenarios"]) if "scenarios" in wanted else None
    sandbox.reset(context.now, seed=wanted.get("seed"))
    sandbox.clock = clock
    sandbox.apply_settings(whole)
    if played is not None and (played or sandbox.is_playing):
        sandbox.player.activate(played)
    sandbox.notify_clock_change()
    return Response.of(200, {"name": sandbox.name, "seed": sandbox.seed})


def _scenarios(control: ControlContext, given: Sequence[Any]) -> "Sequence[Scenario]":
    if not given:
        return ()
    from mockserver.control.scenarios import scenarios_of  # noqa: PLC0415 - most sandboxes play nothing

    return scenarios_of(control, given)


def get_settings(control: ControlContext, context: RequestContext) -> Response:
    """Return the settings."""
    return Response.of(200, control.sandbox(context).settings)


def put_settings(control: ControlContext, context: RequestContext) -> Response:
    """Replace the settings; members left out get their defaults."""
    return _replace_settings(control, control.sandbox(context), context.data)


def patch_settings(control: ControlContext, context: RequestContext) -> Response:
    """Change some settings (JSON Merge Patch, RFC 7396)."""
    sandbox = control.sandbox(context)
    return _replace_settings(control, sandbox, merge_patch(sandbox.settings, context.data))


def _replace_settings(control: ControlContext, sandbox: Sandbox, wanted: Any) -> Response:
    whole = _validated(control, sandbox, wanted)
    sandbox.apply_settings(whole)
    return Response.of(200, whole)


def _validated(control: ControlContext, sandbox: Sandbox, wanted: Any) -> dict[str, Any]:
    """Return settings completed with the template's. Raises RefusedError: they violate the settings' schema."""
    if not wanted:
        return sandbox.template.settings
    whole = sandboxes.with_defaults(wanted, sandbox.template.settings)
    schema = SchemaSet({"settings:": sandboxes.settings_schema(control.apis.values())}).schema("settings:#")
    report = validate_value(schema, whole)
    if report:
        detail = " ".join(_explained(schema, one) for one in report.violations[:3])
        raise RefusedError(detail, violations=report.violations, total=report.total)
    return whole


def _explained(schema: Schema, violation: Violation) -> str:
    """Return the violation of a setting, with the setting's description."""
    about = schema.at(violation.pointer)
    meaning = "" if about is None else str(about.raw.get("description", ""))
    return f"{violation.pointer}: {violation.detail} {meaning}".rstrip()


def get_settings_schema(control: ControlContext, context: RequestContext) -> Response:
    """Return the JSON Schema of settings, each with what a fresh sandbox has as its default."""
    del context
    whole = _defaulted(sandboxes.settings_schema(control.apis.values()), control.sandboxes.template.settings)
    return Response.of(200, whole, media_type="application/schema+json")


def _defaulted(schema: Mapping[str, Any], fresh: Any) -> dict[str, Any]:
    """Return a schema with a default at each value that is no object with members of its own."""
    own = schema.get("properties")
    if own is None:
        return {**schema, "default": fresh}
    members = {name: _defaulted(one, fresh[name]) if name in fresh else one for name, one in own.items()}
    return {**schema, "properties": members}


def _summary(sandbox: Sandbox, real: datetime) -> dict[str, object]:
    """Return a sandbox as the list shows it; nothing is run for it that is due."""
    states = sandbox.api_states.values()
    return {
        "name": sandbox.name,
        "seed": sandbox.seed,
        "used": instant(sandbox.used),
        "clock": clock_of(sandbox, real),
        "records": sum(table.size for state in states for table in tables_of(state).values()),
        "jobs": sum(len(state.jobs.jobs) for state in states),
        "unfinished": sum(len(state.jobs.unfinished) for state in states),
        "exchanges": len(sandbox.journal),
    }
