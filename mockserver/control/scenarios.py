"""Control requests about scenarios: the catalogue, the active ones, and how often each rule has matched."""

import re
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from contracts.errors import Fault, MisuseError, ScenarioError
from contracts.messages import Response
from contracts.openapi.validation import Violation
from contracts.syntax.documents import UnreadableError, place_in
from contracts.syntax.text import escape, names_hint
from mockserver.api.model import RequestContext
from mockserver.control.routes import ControlContext, Place, RefusedError, refused_response
from mockserver.journal.journal import notify_all
from mockserver.sandbox.sandboxes import Sandbox
from mockserver.scenarios.loading import load, load_text, schema, ways_to_select
from mockserver.scenarios.model import Scenario
from mockserver.scenarios.player import ScenarioPlayer
from mockserver.scenarios.validation import KnownNames, known_names, require_fitting

UNKNOWN_MEMBER: Final = re.compile(r"'(.+?)' is not known here")
TEXT_MEMBER = "yaml"  # of a scenario that is given as text
ANY_API = "any"  # the API of scenarios that apply to every one


def list_scenarios(control: ControlContext, context: RequestContext) -> Response:
    """List the scenarios that can be selected by name."""
    base = f"{context.request.scheme}://{context.request.headers.get('Host') or '127.0.0.1:8080'}"
    served = [one for one in control.catalogue if one.api in {"", *control.apis}]
    told = [{**_line(control, one), "select": ways_to_select(one.name, base)} for one in served]
    return Response.of(200, {"scenarios": told})


def get_scenario(control: ControlContext, context: RequestContext) -> Response:
    """Return one scenario as text: the active one of that name, else the one that can be selected by it."""
    name = context.variables["name"]
    sandbox = control.sandbox(context)
    active = {one.name: one for one in sandbox.player.scenarios} if sandbox.is_playing else {}
    try:
        scenario = active[name] if name in active else control.catalogue.get(name)
    except MisuseError as error:
        raise RefusedError(f"{error.fact} {error.cure}".strip(), HTTPStatus.NOT_FOUND) from None
    told = {**_line(control, scenario), "active": name in active, "yaml": scenario.source or _written(scenario)}
    return Response.of(200, told)


def _line(control: ControlContext, scenario: Scenario) -> dict[str, str]:
    """Return what every list says of a scenario; its origin is `sandbox` where no file has it as it is."""
    origin = "sandbox"
    if scenario.name in control.catalogue.names() and control.catalogue.get(scenario.name) == scenario:
        origin = "file" if scenario.name in control.catalogue.loaded else "bundled"
    return {
        "name": scenario.name,
        "summary": scenario.summary,
        "api": scenario.api or ANY_API,
        "origin": origin,
    }


def _written(scenario: Scenario) -> str:
    """Return a scenario that was given as a document in YAML."""
    import yaml  # noqa: PLC0415 - only who wants to read a scenario needs it

    text: str = yaml.safe_dump(scenario.document, sort_keys=False, allow_unicode=True, width=110)
    return text


def get_scenario_schema(control: ControlContext, context: RequestContext) -> Response:
    """Return the JSON Schema of scenario documents."""
    del control, context
    return Response.of(200, schema(), media_type="application/schema+json")


def validate_scenarios(control: ControlContext, context: RequestContext) -> Response:
    """Tell the faults of scenarios, as activating them would, and change nothing."""
    wanted: Any = context.data
    try:
        scenarios_of(control, wanted["scenarios"])
    except RefusedError as refused:
        told: Any = refused_response(refused).data
        return Response.of(200, {name: told[name] for name in ("errors", "total")})
    return Response.of(200, {"errors": [], "total": 0})


def get_scenarios(control: ControlContext, context: RequestContext) -> Response:
    """Return the active scenarios of a sandbox."""
    return _scenarios_response(control.sandbox(context))


def put_scenarios(control: ControlContext, context: RequestContext) -> Response:
    """Replace the active scenarios."""
    return _activate(control, context, ScenarioPlayer.activate)


def add_scenarios(control: ControlContext, context: RequestContext) -> Response:
    """Add scenarios to the active ones."""
    return _activate(control, context, ScenarioPlayer.add)


def order_scenarios(control: ControlContext, context: RequestContext) -> Response:
    """Keep the active scenarios that the body names, in its order, each where it is; end the others."""
    wanted: Any = context.data
    sandbox = control.sandbox(context)
    active = [one.name for one in sandbox.player.scenarios]
    for n, name in enumerate(wanted["order"]):
        if name not in active:
            detail = f"/order/{n}: no scenario '{name[:80]}' is active. {names_hint(name, active, 'Active')}".strip()
            raise RefusedError(detail)
    sandbox.player.arrange(wanted["order"])
    notify_all(sandbox.journal_listeners)
    return _scenarios_response(sandbox)


def _activate(
    control: ControlContext, context: RequestContext, begin: Callable[[ScenarioPlayer, Sequence[Scenario]], None]
) -> Response:
    wanted: Any = context.data
    scenarios = scenarios_of(control, wanted["scenarios"])
    sandbox = control.sandbox(context)
    begin(sandbox.player, scenarios)
    notify_all(sandbox.journal_listeners)
    return _scenarios_response(sandbox)


def scenarios_of(control: ControlContext, given: Sequence[Any]) -> tuple[Scenario, ...]:
    """Return the scenarios of a request, each a name or a document. Raises RefusedError."""
    faults: list[Fault] = []
    places: dict[str, Place] = {}
    scenarios: dict[int, Scenario] = {}
    for n, one in enumerate(given):
        text = _text_of(one)
        at = f"/scenarios/{n}" if text is None else f"/scenarios/{n}/{TEXT_MEMBER}"
        try:
            scenarios[n] = _scenario(control, one if text is None else text, at, is_text=text is not None)
        except ScenarioError as error:
            faults += error.faults
            places |= _places(text, error)
    faults += _repeated(scenarios)
    if faults:
        raise _refused(faults, places)
    return tuple(scenarios.values())


def _text_of(given: object) -> str | None:
    """Return the text of a scenario that is given as text, None for a name or a document."""
    if isinstance(given, Mapping) and given.keys() == {TEXT_MEMBER} and isinstance(given[TEXT_MEMBER], str):
        return str(given[TEXT_MEMBER])
    return None


def _places(text: str | None, error: ScenarioError) -> dict[str, Place]:
    """Return line and column of each fault in a text, by its pointer."""
    if text is None:
        return {}
    unread = error.__cause__
    if isinstance(unread, UnreadableError):
        return {} if unread.place is None else {unread.fault.file: unread.place}
    found = {fault.file + fault.pointer: place_in(text, _member(fault)) for fault in error.faults}
    return {pointer: place for pointer, place in found.items() if place is not None}


def _member(fault: Fault) -> str:
    """Return the pointer of what a fault is about: of an unknown member that, not the object that has it."""
    found = UNKNOWN_MEMBER.match(fault.fact)
    return fault.pointer if found is None else f"{fault.pointer}/{escape(found[1])}"


def clear_scenarios(control: ControlContext, context: RequestContext) -> Response:
    """Deactivate all scenarios."""
    sandbox = control.sandbox(context)
    sandbox.player.activate(())
    notify_all(sandbox.journal_listeners)
    return Response(status=204)


def served_names(control: ControlContext) -> KnownNames:
    """Return the names that rules of scenarios may refer to on this server."""
    return known_names({name: api.contract for name, api in control.apis.items()})


def _scenario(control: ControlContext, given: object, at: str, *, is_text: bool) -> Scenario:
    """Return one scenario, a name, a document or a text. Raises ScenarioError."""
    if is_text:
        scenario = load_text(str(given), shown=at)
    elif isinstance(given, str):
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


def _refused(faults: list[Fault], places: Mapping[str, Place]) -> RefusedError:
    violations = [
        Violation(
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
    return RefusedError(detail, violations=violations, total=len(faults), places=places)


def _scenarios_response(sandbox: Sandbox) -> Response:
    return Response.of(200, {"scenarios": [_with_use_counts(sandbox, one) for one in sandbox.player.scenarios]})


def _with_use_counts(sandbox: Sandbox, scenario: Scenario) -> dict[str, Any]:
    """Return a scenario's document with the number of requests that each of its rules has decided."""
    document: Mapping[str, Any] = scenario.document
    used = sandbox.player.times_applied
    rules = [{**rule, "used": used.get((scenario.name, n), 0)} for n, rule in enumerate(document["rules"])]
    return {**document, "rules": rules}
