"""The control API: its contract, its routes, and the context that every handler gets. Begin with `control_api`.

The engine serves it like any other API, from `openapi.yaml`. Refusals are problem documents (RFC 9457).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, partial
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TypeAlias

from contracts.messages import Headers, Response
from contracts.openapi.loading import load
from contracts.openapi.model import Contract
from contracts.openapi.validation import Violation
from contracts.syntax.text import names_hint
from mockserver.api.model import PROBLEM_MEDIA_TYPE, Api, Refusal, RequestContext, problem
from mockserver.control.access import ControlAccess
from mockserver.control.metrics import Metrics
from mockserver.engine.default_hooks import DEFAULT_HOOKS
from mockserver.sandbox.sandboxes import Sandbox, Sandboxes, SandboxesFullError, is_name
from mockserver.scenarios.loading import Catalogue
from mockserver.stores.interface import NotStoredError

Place: TypeAlias = tuple[int, int]  # line and column in a text, from 1


class RefusedError(Exception):
    """A control request that is refused; `refusal` is its problem document.

    `places` has the place of violations in a text, by their pointers.
    """

    def __init__(
        self,
        detail: str,
        status: int = HTTPStatus.BAD_REQUEST,
        *,
        headers: Headers | None = None,
        violations: Sequence[Violation] = (),
        total: int = 0,
        places: "Mapping[str, Place] | None" = None,
    ) -> None:
        own = headers or Headers()
        self.refusal = Refusal(
            status=status, kind="invalid", detail=detail, headers=own, violations=violations, total=total
        )
        self.places = places or {}
        super().__init__(detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlContext:
    """The state of a server that handlers of control requests work on.

    `settle` runs everything in a sandbox that is due at an instant of its clock. `catalogue` holds the scenarios that
    can be selected by name. `impediments` says why the server is not ready, a sentence for each cause by its name.
    """

    apis: Mapping[str, Api]
    sandboxes: Sandboxes
    metrics: Metrics
    catalogue: Catalogue
    settle: Callable[[Sandbox, datetime], None]
    impediments: Mapping[str, str] = field(default_factory=dict)

    def sandbox(self, context: RequestContext) -> Sandbox:
        """Return the sandbox that the path names. Raises RefusedError.

        One that is missing is created, unless the call only looks: then it is as a fresh one would be.
        """
        name = context.variables["sandbox"]
        if only_looks(context) and self.sandboxes.get(name) is None and is_name(name):
            return Sandbox(name, self.sandboxes.template, context.now)
        return find_sandbox(self.sandboxes, name, context.now)

    def settled_sandbox(self, context: RequestContext) -> Sandbox:
        """Return the sandbox that the path names, after all that is due has run. Raises RefusedError."""
        sandbox = self.sandbox(context)
        self.settle(sandbox, sandbox.now(context.now))
        return sandbox

    def api(self, context: RequestContext) -> Api:
        """Return the API that the path names. Raises RefusedError."""
        return self.named(context.variables["api"])

    def named(self, name: str) -> Api:
        """Return the API of that name. Raises RefusedError (404)."""
        if name not in self.apis:
            hint = names_hint(name, self.apis, "Served")
            raise RefusedError(f"No API '{name[:80]}' is served. {hint}", HTTPStatus.NOT_FOUND)
        return self.apis[name]


def find_sandbox(sandboxes: Sandboxes, name: str, real: datetime) -> Sandbox:
    """Return a sandbox by name, created when missing.

    Raises RefusedError: invalid name (400), no free place (503), a store that cannot be written (503, 507).
    """
    if not is_name(name):
        detail = f"'{name[:80]}' is no name of a sandbox: 1 to 64 letters, digits, '.', '_' and '-'."
        raise RefusedError(detail)
    try:
        return sandboxes.use(name, real)
    except NotStoredError as error:
        raise RefusedError(error.detail, error.status) from None
    except SandboxesFullError as full:
        detail = (
            f"There are {sandboxes.most} sandboxes, each used in the last 10 minutes. Drop one, or try again later."
        )
        headers = Headers((("Retry-After", str(int(full.wait.total_seconds()) + 1)),))
        raise RefusedError(detail, HTTPStatus.SERVICE_UNAVAILABLE, headers=headers) from None


def instant(at: datetime) -> str:
    """Return an instant as RFC 3339 text in UTC: `2026-01-01T00:00:00Z`."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def clock_of(sandbox: Sandbox, real: datetime) -> dict[str, object]:
    """Return a sandbox's clock at the real time `real`, in the shape in which it is read."""
    factor = float(sandbox.clock.factor)
    return {
        "now": instant(sandbox.now(real)),
        "mode": sandbox.clock.mode,
        "factor": int(factor) if factor.is_integer() else factor,
    }


READING: Final = frozenset(("GET", "HEAD"))
CONTROL_NAME: Final = "_sandbox"
DOCUMENT: Final = Path(__file__).parent / "openapi.yaml"
CAPITAL: Final = re.compile("[A-Z]")
Handler: TypeAlias = Callable[[ControlContext, RequestContext], Response]


HANDLERS: Final[Mapping[str, tuple[str, ...]]] = {
    "contract": ("explainApi", "makeRequest"),
    "exchanges": ("clearExchanges", "getExchange", "listExchanges"),
    "sandboxes": (
        "advanceClock",
        "dropSandbox",
        "getClock",
        "getSettings",
        "getSettingsSchema",
        "listSandboxes",
        "patchSettings",
        "putSettings",
        "resetSandbox",
        "setClock",
    ),
    "scenarios": (
        "addScenarios",
        "clearScenarios",
        "getScenario",
        "getScenarioSchema",
        "getScenarios",
        "listScenarios",
        "orderScenarios",
        "putScenarios",
        "validateScenarios",
    ),
    "server": (
        "getApiDocument",
        "getControlDocument",
        "getDashboard",
        "getDashboardFile",
        "getDashboardModule",
        "getExchangeAs",
        "getHealth",
        "getMetrics",
        "getReady",
        "getVerdict",
        "listApis",
        "listBugs",
        "streamEvents",
    ),
    "state": (
        "getSnapshot",
        "getSnapshotSchema",
        "listCollections",
        "listEntities",
        "listJobs",
        "putSnapshot",
        "reconcile",
    ),
}
SETTLING_READS: Final = frozenset(("listCollections", "listEntities", "listJobs"))  # they run what is due


def control_api(control: ControlContext, access: ControlAccess) -> Api:
    """Return the control API over a server's state."""
    return Api(
        name=CONTROL_NAME,
        contract=_contract(),
        behaviours={name: partial(_behave, home, name, control) for home, names in HANDLERS.items() for name in names},
        hooks=replace(DEFAULT_HOOKS, authenticate=access),
        plain=False,
    )


@cache
def _contract() -> Contract:
    return load(DOCUMENT, name=CONTROL_NAME, check=False)


def handler_of(home: str, operation_id: str) -> Handler:
    """Return the handler of an operation; its module is imported on the first request."""
    name = CAPITAL.sub(lambda found: f"_{found[0].lower()}", operation_id)
    handler: Handler = getattr(import_module(f"mockserver.control.{home}"), name)
    return handler


def _behave(home: str, operation_id: str, control: ControlContext, context: RequestContext) -> Response:
    log = control.sandboxes.log
    try:
        if log is not None and _is_logged(operation_id, control, context):
            log.control(context.variables["sandbox"], context.request, context.now)
        return handler_of(home, operation_id)(control, context)
    except NotStoredError as error:
        return problem(Refusal(status=error.status, kind="fault", detail=error.detail))
    except RefusedError as refused:
        return refused_response(refused)


def refused_response(refused: RefusedError) -> Response:
    """Return the problem document of a refusal; its errors have the line and column of their pointers."""
    response, places = problem(refused.refusal), refused.places
    body: Any = response.data
    if not places:
        return response
    errors = [
        one | dict(zip(("line", "column"), places[one["pointer"]], strict=True)) if one["pointer"] in places else one
        for one in body["errors"]
    ]
    return Response.of(response.status, {**body, "errors": errors}, media_type=PROBLEM_MEDIA_TYPE)


def only_looks(context: RequestContext) -> bool:
    """Tell whether a request creates no sandbox: one that reads, with `Sandbox-Create: false`."""
    headers = context.request.headers
    return context.request.method in READING and headers.get("Sandbox-Create").strip().lower() == "false"


def _is_logged(operation_id: str, control: ControlContext, context: RequestContext) -> bool:
    """Tell whether a request changes a sandbox in a way that calls of its APIs would not; one that drops it is told."""
    name = context.variables.get("sandbox", "")
    if only_looks(context) and control.sandboxes.get(name) is None:
        return False
    changes = context.request.method not in READING or operation_id in SETTLING_READS
    return changes and is_name(name) and operation_id != "dropSandbox"
