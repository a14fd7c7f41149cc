"""Control calls about scenarios: which there are, which are active, and how far they have been played."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from contracts.errors import Fault, MisuseError, ScenarioError
from contracts.messages import Reply
from contracts.validation import Violation
from mockserver.control.desk import Desk, RefusedError
from mockserver.sandbox import Sandbox
from mockserver.scenario.catalogue import ways_to_select
from mockserver.scenario.fitting import Known, known_of, require_fitting
from mockserver.scenario.loading import load, schema
from mockserver.scenario.player import Player
from mockserver.scenario.rules import Scenario
from mockserver.turn import Turn

ANY = "any"  # what stands for no API in particular


def list_scenarios(desk: Desk, turn: Turn) -> Reply:
    """List what can be selected by name."""
    base = f"http://{turn.call.headers.get('Host') or '127.0.0.1:8080'}"
    served = [one for one in desk.catalogue if one.api in {"", *desk.apis}]
    told = [
        {"name": one.name, "summary": one.summary, "api": one.api or ANY, "select": ways_to_select(one.name, base)}
        for one in served
    ]
    return Reply.of(200, {"scenarios": told})


def get_scenario_schema(desk: Desk, turn: Turn) -> Reply:
    """Return the JSON Schema of scenario documents."""
    del desk, turn
    return Reply.of(200, schema(), media_type="application/schema+json")


def get_scenarios(desk: Desk, turn: Turn) -> Reply:
    """Read the active scenarios of a sandbox."""
    return _told(desk.sandbox(turn))


def put_scenarios(desk: Desk, turn: Turn) -> Reply:
    """Begin with other scenarios."""
    return _begun(desk, turn, Player.play)


def add_scenarios(desk: Desk, turn: Turn) -> Reply:
    """Add scenarios to the active ones."""
    return _begun(desk, turn, Player.add)


def _begun(desk: Desk, turn: Turn, begin: Callable[[Player, Sequence[Scenario]], None]) -> Reply:
    wanted: Any = turn.data
    scenarios = scenarios_of(desk, wanted["scenarios"])
    sandbox = desk.sandbox(turn)
    begin(sandbox.player, scenarios)
    return _told(sandbox)


def scenarios_of(desk: Desk, given: Sequence[Any]) -> tuple[Scenario, ...]:
    """Return the scenarios that a call names or writes out. Raises RefusedError."""
    faults: list[Fault] = []
    scenarios: dict[int, Scenario] = {}
    for n, one in enumerate(given):
        try:
            scenarios[n] = _scenario(desk, one, f"/scenarios/{n}")
        except ScenarioError as error:
            faults += error.faults
    faults += _repeated(scenarios)
    if faults:
        raise _refused(faults)
    return tuple(scenarios.values())


def clear_scenarios(desk: Desk, turn: Turn) -> Reply:
    """Go on without any scenario."""
    desk.sandbox(turn).player.play(())
    return Reply(status=204)


def known_to(desk: Desk) -> Known:
    """Return what the rules of scenarios may name here."""
    return known_of({name: api.contract for name, api in desk.apis.items()})


def _scenario(desk: Desk, given: object, at: str) -> Scenario:
    """Return the scenario that was named, or written out. Raises ScenarioError."""
    if isinstance(given, str):
        try:
            scenario = desk.catalogue.get(given)
        except MisuseError as error:
            raise ScenarioError((Fault(file=at, pointer="", fact=error.fact, cure=error.cure),)) from None
    else:
        scenario = load(given, shown=at)
    return require_fitting(scenario, known_to(desk), shown=at)


def _repeated(scenarios: Mapping[int, Scenario]) -> list[Fault]:
    first: dict[str, int] = {}
    again = [(n, one.name) for n, one in scenarios.items() if first.setdefault(one.name, n) != n]
    cure = "Name each scenario once."
    return [
        Fault(file=f"/scenarios/{n}", pointer="", fact=f"'{name}' was named before.", cure=cure) for n, name in again
    ]


def _refused(faults: list[Fault]) -> RefusedError:
    violations = [
        Violation(
            side="call",
            where="body",
            pointer=fault.file + fault.pointer,
            rule="scenario",
            expected=fault.cure,
            got="",
            detail=f"{fault.fact} {fault.cure}".strip(),
        )
        for fault in faults
    ]
    first = violations[0]
    more = f" There are {len(faults) - 1} more faults." if len(faults) > 1 else ""
    detail = f"{first.pointer}: {first.detail}{more}"
    return RefusedError(HTTPStatus.BAD_REQUEST, detail, violations=violations, total=len(faults))


def _told(sandbox: Sandbox) -> Reply:
    return Reply.of(200, {"scenarios": [_shown(sandbox, one) for one in sandbox.player.scenarios]})


def _shown(sandbox: Sandbox, scenario: Scenario) -> dict[str, Any]:
    """Return a scenario's document with how often each of its rules has decided."""
    document: Mapping[str, Any] = scenario.document
    used = sandbox.player.used
    rules = [{**rule, "used": used.get((scenario.name, n), 0)} for n, rule in enumerate(document["rules"])]
    return {**document, "rules": rules}
