"""Control calls about sandboxes and their settings."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from contracts.messages import Reply
from contracts.schemas import Schema, SchemaSet
from contracts.validation import Violation, check_value
from mockserver import settings
from mockserver.control.clocks import fresh_clock
from mockserver.control.desk import Desk, RefusedError, instant
from mockserver.sandbox import Sandbox
from mockserver.turn import Turn

if TYPE_CHECKING:
    from mockserver.scenario.rules import Scenario


def list_sandboxes(desk: Desk, turn: Turn) -> Reply:
    """List the sandboxes."""
    del turn
    return Reply.of(200, {"sandboxes": [_shown(one) for one in desk.sandboxes]})


def drop_sandbox(desk: Desk, turn: Turn) -> Reply:
    """Forget a sandbox."""
    name = turn.variables["sandbox"]
    if not desk.sandboxes.drop(name):
        raise RefusedError(HTTPStatus.NOT_FOUND, f"There is no sandbox '{name[:80]}'.", kind="not-found")
    return Reply(status=204)


def reset_sandbox(desk: Desk, turn: Turn) -> Reply:
    """Make a sandbox as new, but for what the body says of it; what is wrong with that leaves it as it was."""
    wanted: Any = turn.data or {}
    sandbox = desk.sandbox(turn)
    clock = fresh_clock(sandbox, wanted.get("clock", {}), turn.now)
    whole = _fitting(desk, sandbox, wanted.get("settings", {}))
    played = _scenarios(desk, wanted["scenarios"]) if "scenarios" in wanted else None
    sandbox.reset(turn.now, seed=wanted.get("seed"))
    sandbox.clock = clock
    sandbox.set_up(whole)
    if played is not None and (played or sandbox.is_playing):
        sandbox.player.play(played)
    sandbox.moved()
    return Reply.of(200, {"name": sandbox.name, "seed": sandbox.seed})


def _scenarios(desk: Desk, given: Sequence[Any]) -> "Sequence[Scenario]":
    if not given:
        return ()
    from mockserver.control.scenarios import scenarios_of  # noqa: PLC0415 - most sandboxes play nothing

    return scenarios_of(desk, given)


def get_settings(desk: Desk, turn: Turn) -> Reply:
    """Read the settings."""
    return Reply.of(200, desk.sandbox(turn).settings)


def put_settings(desk: Desk, turn: Turn) -> Reply:
    """Replace the settings."""
    return _changed(desk, desk.sandbox(turn), turn.data)


def patch_settings(desk: Desk, turn: Turn) -> Reply:
    """Change some settings."""
    sandbox = desk.sandbox(turn)
    return _changed(desk, sandbox, settings.merge(sandbox.settings, turn.data))


def _changed(desk: Desk, sandbox: Sandbox, wanted: Any) -> Reply:
    whole = _fitting(desk, sandbox, wanted)
    sandbox.set_up(whole)
    return Reply.of(200, whole)


def _fitting(desk: Desk, sandbox: Sandbox, wanted: Any) -> dict[str, Any]:
    """Return settings with those of a fresh sandbox where they say nothing. Raises RefusedError."""
    if not wanted:
        return sandbox.blank.settings
    whole = settings.filled(wanted, sandbox.blank.settings)
    schema = SchemaSet({"settings:": settings.schema(desk.apis.values())}).schema("settings:#")
    report = check_value(schema, whole)
    if report:
        detail = " ".join(_said(schema, one) for one in report.violations[:3])
        raise RefusedError(HTTPStatus.BAD_REQUEST, detail, violations=report.violations, total=report.total)
    return whole


def _said(schema: Schema, violation: Violation) -> str:
    """Return what is wrong with a setting, with what the setting is about."""
    about = schema.at(violation.pointer)
    meaning = "" if about is None else str(about.raw.get("description", ""))
    return f"{violation.pointer}: {violation.detail} {meaning}".rstrip()


def _shown(sandbox: Sandbox) -> dict[str, object]:
    return {
        "name": sandbox.name,
        "seed": sandbox.seed,
        "used": instant(sandbox.used),
        "exchanges": len(sandbox.journal),
    }
