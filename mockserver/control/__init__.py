"""The control API: an API like any other, served by the same engine from a contract of its own."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from hmac import compare_digest
from importlib import import_module
from pathlib import Path
from typing import Final, TypeAlias

from contracts.document import load
from contracts.messages import Headers, Reply
from mockserver.api import Api, Hooks
from mockserver.control.desk import Desk, RefusedError
from mockserver.problems import problem
from mockserver.turn import Refusal, Turn

NAME: Final = "_sandbox"
DOCUMENT: Final = Path(__file__).parent / "openapi.yaml"
CAPITAL: Final = re.compile("[A-Z]")
Doing: TypeAlias = Callable[[Desk, Turn], Reply]

__all__ = ["Desk", "control_api"]

HOMES: Final[Mapping[str, tuple[str, ...]]] = {
    "bugs": ("listBugs",),
    "clocks": ("advanceClock", "getClock", "setClock"),
    "documents": ("getApiDocument", "getControlDocument"),
    "events": ("streamEvents",),
    "exchanges": ("clearExchanges", "getExchange", "listExchanges"),
    "pastes": ("getExchangeAs",),
    "reconciling": ("reconcile",),
    "scenarios": (
        "addScenarios",
        "clearScenarios",
        "getScenarioSchema",
        "getScenarios",
        "listScenarios",
        "putScenarios",
    ),
    "server": ("getHealth", "getMetrics", "listApis"),
    "state": ("listEntities", "listJobs"),
    "verdicts": ("getVerdict",),
    "worlds": ("dropSandbox", "getSettings", "listSandboxes", "patchSettings", "putSettings", "resetSandbox"),
}


def control_api(desk: Desk, *, token: str = "") -> Api:
    """Return the control API over what `desk` knows; with a `token` every call must bear it."""
    return Api(
        name=NAME,
        contract=load(DOCUMENT, name=NAME, check=False),
        behaviours={name: partial(_behave, home, name, desk) for home, names in HOMES.items() for name in names},
        hooks=Hooks(admit=partial(_admit, f"Bearer {token}")) if token else Hooks(),
    )


def doing_of(home: str, operation_id: str) -> Doing:
    """Return what serves a control call; its module is imported when it is first called, as most never are."""
    name = CAPITAL.sub(lambda found: f"_{found[0].lower()}", operation_id)
    doing: Doing = getattr(import_module(f"mockserver.control.{home}"), name)
    return doing


def _behave(home: str, operation_id: str, desk: Desk, turn: Turn) -> Reply:
    try:
        return doing_of(home, operation_id)(desk, turn)
    except RefusedError as refused:
        return problem(refused.refusal)


def _admit(wanted: str, turn: Turn) -> Refusal | None:
    given = turn.call.headers.get("Authorization")
    if compare_digest(given.encode(), wanted.encode()):
        return None
    headers = Headers((("WWW-Authenticate", "Bearer"),))
    detail = "Control calls need the token that the server was started with: 'Authorization: Bearer TOKEN'."
    return Refusal(status=401, kind="unauthenticated", detail=detail, headers=headers)
