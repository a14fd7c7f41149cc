"""Control calls about sandboxes and their settings."""

from http import HTTPStatus
from typing import Any

from contracts.messages import Reply
from contracts.schemas import Schema, SchemaSet
from contracts.validation import Violation, check_value
from mockserver import settings
from mockserver.control.desk import Desk, RefusedError, instant
from mockserver.problems import problem
from mockserver.sandbox import Sandbox
from mockserver.turn import Refusal, Turn


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
    """Make a sandbox as new."""
    wanted: Any = turn.data or {}
    sandbox = desk.sandbox(turn)
    sandbox.reset(turn.now, seed=wanted.get("seed"))
    return Reply.of(200, {"name": sandbox.name, "seed": sandbox.seed})


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
    whole = settings.filled(wanted, sandbox.blank.settings)
    schema = SchemaSet({"settings:": settings.schema(desk.apis.values())}).schema("settings:#")
    report = check_value(schema, whole)
    if report:
        detail = " ".join(_said(schema, one) for one in report.violations[:3])
        return problem(
            Refusal(status=400, kind="invalid", detail=detail, violations=report.violations, total=report.total)
        )
    sandbox.set_up(whole)
    return Reply.of(200, whole)


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
