"""What the control API's behaviours work on: the sandboxes and APIs of a server, and its counters."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from contracts.messages import Headers
from contracts.names import did_you_mean
from contracts.validation import Violation
from mockserver.api import Api
from mockserver.metrics import Metrics
from mockserver.sandbox import Sandbox, Sandboxes, SandboxesFullError, is_name
from mockserver.scenario.catalogue import Catalogue
from mockserver.turn import Refusal, Turn


class RefusedError(Exception):
    """A control call that cannot be served; `refusal` says why."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        kind: str = "invalid",
        headers: Headers | None = None,
        violations: Sequence[Violation] = (),
        total: int = 0,
    ) -> None:
        own = headers or Headers()
        self.refusal = Refusal(status=status, kind=kind, detail=detail, headers=own, violations=violations, total=total)
        super().__init__(detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A server as the control API sees it. `settle` makes true in a sandbox what is due at an instant of its clock.

    `catalogue` are the scenarios that can be named.
    """

    apis: Mapping[str, Api]
    sandboxes: Sandboxes
    metrics: Metrics
    catalogue: Catalogue
    settle: Callable[[Sandbox, datetime], None]

    def sandbox(self, turn: Turn) -> Sandbox:
        """Return the sandbox that the path names, made if need be. Raises RefusedError."""
        return find_sandbox(self.sandboxes, turn.variables["sandbox"], turn.now)

    def api(self, turn: Turn) -> Api:
        """Return the API that the path names. Raises RefusedError."""
        return self.named(turn.variables["api"])

    def named(self, name: str) -> Api:
        """Return the API of that name. Raises RefusedError."""
        if name not in self.apis:
            hint = did_you_mean(name, self.apis) or f"Served: {', '.join(self.apis)}."
            raise RefusedError(HTTPStatus.NOT_FOUND, f"No API '{name[:80]}' is served. {hint}", kind="not-found")
        return self.apis[name]


def find_sandbox(sandboxes: Sandboxes, name: str, real: datetime) -> Sandbox:
    """Return the sandbox of that name as used now. Raises RefusedError: a bad name, or no room for another."""
    if not is_name(name):
        detail = f"'{name[:80]}' is no name of a sandbox: 1 to 64 letters, digits, '.', '_' and '-'."
        raise RefusedError(HTTPStatus.BAD_REQUEST, detail)
    try:
        return sandboxes.use(name, real)
    except SandboxesFullError as full:
        detail = (
            f"There are {sandboxes.most} sandboxes, each used in the last 10 minutes. Drop one, or try again later."
        )
        headers = Headers((("Retry-After", str(int(full.wait.total_seconds()) + 1)),))
        raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=headers) from None


def instant(at: datetime) -> str:
    """Return an instant as RFC 3339 text in UTC: `2026-01-01T00:00:00Z`."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
