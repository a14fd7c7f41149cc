"""The control API: an API like any other, served by the same engine from a contract of its own."""

from collections.abc import Callable, Mapping
from functools import partial
from hmac import compare_digest
from pathlib import Path
from typing import Final, TypeAlias

from contracts.document import load
from contracts.messages import Headers, Reply
from mockserver.api import Api, Hooks
from mockserver.control import (
    bugs,
    clocks,
    documents,
    events,
    exchanges,
    pastes,
    reconciling,
    scenarios,
    server,
    state,
    verdicts,
    worlds,
)
from mockserver.control.desk import Desk, RefusedError
from mockserver.problems import problem
from mockserver.turn import Refusal, Turn

NAME: Final = "_sandbox"
DOCUMENT: Final = Path(__file__).parent / "openapi.yaml"
Doing: TypeAlias = Callable[[Desk, Turn], Reply]

__all__ = ["Desk", "control_api"]

BEHAVIOURS: Final[Mapping[str, Doing]] = {
    "addScenarios": scenarios.add_scenarios,
    "advanceClock": clocks.advance_clock,
    "clearExchanges": exchanges.clear_exchanges,
    "clearScenarios": scenarios.clear_scenarios,
    "dropSandbox": worlds.drop_sandbox,
    "getApiDocument": documents.get_api_document,
    "getClock": clocks.get_clock,
    "getControlDocument": documents.get_control_document,
    "getExchange": exchanges.get_exchange,
    "getExchangeAs": pastes.get_exchange_as,
    "getHealth": server.get_health,
    "getScenarioSchema": scenarios.get_scenario_schema,
    "getScenarios": scenarios.get_scenarios,
    "getMetrics": server.get_metrics,
    "getSettings": worlds.get_settings,
    "getVerdict": verdicts.get_verdict,
    "listApis": server.list_apis,
    "listBugs": bugs.list_bugs,
    "listEntities": state.list_entities,
    "listExchanges": exchanges.list_exchanges,
    "listJobs": state.list_jobs,
    "listSandboxes": worlds.list_sandboxes,
    "listScenarios": scenarios.list_scenarios,
    "patchSettings": worlds.patch_settings,
    "putScenarios": scenarios.put_scenarios,
    "putSettings": worlds.put_settings,
    "reconcile": reconciling.reconcile,
    "resetSandbox": worlds.reset_sandbox,
    "setClock": clocks.set_clock,
    "streamEvents": events.stream_events,
}


def control_api(desk: Desk, *, token: str = "") -> Api:
    """Return the control API over what `desk` knows; with a `token` every call must bear it."""
    return Api(
        name=NAME,
        contract=load(DOCUMENT, name=NAME, check=False),
        behaviours={name: partial(_behave, doing, desk) for name, doing in BEHAVIOURS.items()},
        hooks=Hooks(admit=partial(_admit, f"Bearer {token}")) if token else Hooks(),
    )


def _behave(doing: Doing, desk: Desk, turn: Turn) -> Reply:
    try:
        return doing(desk, turn)
    except RefusedError as refused:
        return problem(refused.refusal)


def _admit(wanted: str, turn: Turn) -> Refusal | None:
    given = turn.call.headers.get("Authorization")
    if compare_digest(given.encode(), wanted.encode()):
        return None
    headers = Headers((("WWW-Authenticate", "Bearer"),))
    detail = "Control calls need the token that the server was started with: 'Authorization: Bearer TOKEN'."
    return Refusal(status=401, kind="unauthenticated", detail=detail, headers=headers)
