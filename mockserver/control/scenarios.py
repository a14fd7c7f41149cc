"""Control requests about scenarios: the catalogue, the active ones, and how often each rule has matched."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from contracts.errors import Fault, MisuseError, ScenarioError
from contracts.messages import Response
from contracts.openapi.validation import Violation
from mockserver.api.model import RequestContext
from mockserver.control.routes import ControlContext, RefusedError
from mockserver.sandbox.sandboxes import Sandbox
from mockserver.scenarios.loading import load, schema, ways_to_select
from mockserver.scenarios.model import Scenario
from mockserver.scenarios.player import ScenarioPlayer
from mockserver.scenarios.validation import KnownNames, known_names, require_fitting

ANY_API = "any"  # the API of scenarios that apply to every one


def list_scenarios(control: ControlContext, context: RequestContext) -> Response:
    """List the scenarios that can be selected by name."""
    base = f"{context.request.scheme}://{context.request.headers.get('Host') or '127.0.0.1:8080'}"
    served = [one for one in control.catalogue if one.api in {"", *control.apis}]
    told = [
        {"name": one.name, "summary": one.summary, "api": one.api or ANY_API, "select": ways_to_select(one.name, base)}
        for one in served
    ]
    return Response.of(200, {"scenarios": told})


def get_scenario_schema(control: ControlContext, context: RequestContext) -> Response:
    """Return the JSON Schema of scenario documents."""
    del control, context
    return Response.of(200, schema(), media_type="application/schema+json")


def get_scenarios(control: ControlContext, context: RequestContext) -> Response:
    """Return the active scenarios of a sandbox."""
    return _scenarios_response(control.sandbox(context))


def put_scenarios(control: ControlContext, context: RequestContext) -> Response:
    """Replace the active scenarios."""
    return _activate(control, context, ScenarioPlayer.activate)


def add_scenarios(control: ControlContext, context: RequestContext) -> Response:
    """Add scenarios to the active ones."""
    return _activate(control, context, ScenarioPlayer.add)


def _activate(
    control: ControlContext, context: RequestContext, begin: Callable[[ScenarioPlayer, Sequence[Scenario]], None]
) -> Response:
    wanted: Any = context.data
    scenarios = scenarios_of(control, wanted["scenarios"])
    sandbox = control.sandbox(context)
    begin(sandbox.player, scenarios)
    return _scenarios_response(sandbox)


def scenarios_of(control: ControlContext, given: Sequence[Any]) -> tuple[Scenario, ...]:
    """Return the scenarios of a request, each a name or a document. Raises RefusedError."""
    faults: list[Fault] = []
    scenarios: dict[int, Scenario] = {}
    for n, one in enumerate(given):
        try:
            scenarios[n] = _scenario(control, one, f"/scenarios/{n}")
        except ScenarioError as error:
            faults += error.faults
    faults += _repeated(scenarios)
    if faults:
        raise _refused(faults)
    return tuple(scenarios.values())


def clear_scenarios(control: ControlContext, context: RequestContext) -> Response:
    """Deactivate all scenarios."""
    control.sandbox(context).player.activate(())
    return Response(status=204)


def served_names(control: ControlContext) -> KnownNames:
    """Return the names that rules of scenarios may refer to on this server."""
    return known_names({name: api.contract for name, api in control.apis.items()})


def _scenario(control: ControlContext, given: object, at: str) -> Scenario:
    """Return one scenario, a name or a document. Raises ScenarioError."""
    if isinstance(given, str):
        try:
            scenario = control.catalogue.get(given)
        except MisuseError as error:
            raise ScenarioError((Fault(file=at, pointer="", fact=error.fact, cure=error.cure),)) from None
    else:
        scenario = load(given, shown=at)
    return require_fitting(scenario, served_names(control), shown=at)


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


def _scenarios_response(sandbox: Sandbox) -> Response:
    return Response.of(200, {"scenarios": [_with_use_counts(sandbox, one) for one in sandbox.player.scenarios]})


def _with_use_counts(sandbox: Sandbox, scenario: Scenario) -> dict[str, Any]:
    """Return a scenario's document with the number of requests that each of its rules has decided."""
    document: Mapping[str, Any] = scenario.document
    used = sandbox.player.times_applied
    rules = [{**rule, "used": used.get((scenario.name, n), 0)} for n, rule in enumerate(document["rules"])]
    return {**document, "rules": rules}
