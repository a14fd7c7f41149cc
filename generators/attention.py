"""A caller that notices when it knocks at the wrong door: every answer is the same refusal."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from contracts.errors import MisuseError
from contracts.messages import Call, Reply
from contracts.model import Contract, Operation, Route
from contracts.routing import Router
from generators.caller import Caller

TRIAL: Final = 25  # answers of one and the same kind before it is believed
SUCCESS: Final = range(200, 300)
LEAST: Final = 5  # the same when there are no more calls
NOT_FOUND: Final = 404
REFUSALS: Final = {
    404: ("the API was not found there", "Give the server's root URL with --url, or the API's base path with --mount."),
    401: ("credentials are required", "Give them with --auth or --header."),
    403: ("these credentials are not sufficient", "Give others with --auth or --header."),
}


class Attentive:
    """Sends calls through another caller, and raises MisuseError when all that comes back is one refusal.

    `operations` are those that are called: where all of them ask for one record, it may be that none is there. Those
    that need no credentials, where others do, hand them out: they are not counted.
    """

    def __init__(self, caller: Caller, base: str, contract: Contract, operations: Sequence[Operation]) -> None:
        self._caller, self._base, self._router = caller, base, Router(contract)
        self._seen: Counter[int] = Counter()
        guarded = {one.id for one in operations if one.security}
        self._counted = guarded or {one.id for one in operations}
        self._may_be_missing = all(one.path.endswith("}") for one in operations if one.id in self._counted)

    @property
    def controlled(self) -> bool:
        """Whether `advance` moves the implementation's clock."""
        return self._caller.controlled

    def send(self, call: Call) -> Reply:
        """Send one call and return its answer. Raises NoAnswerError and MisuseError."""
        reply = self._caller.send(call)
        route = self._router.match(call.method, call.path)
        self.note(route.operation.id if isinstance(route, Route) else "", {reply.status: 1})
        return reply

    def note(self, operation: str, answers: Mapping[int, int]) -> None:
        """Count the answers of an operation, by status. Raises MisuseError."""
        if operation in self._counted:
            before = self._seen.total()
            self._seen.update(answers)
            if before < TRIAL <= self._seen.total():
                self.require_an_open_door()

    def require_an_open_door(self) -> None:
        """Raise MisuseError when nothing was let in so far: no success, and mostly, or only, one refusal."""
        total = self._seen.total()
        if total < LEAST or any(status in SUCCESS for status in self._seen):
            return
        status, number = self._seen.most_common(1)[0]
        if status == NOT_FOUND and (number < total or self._may_be_missing):
            return
        if status in REFUSALS:
            fact, cure = REFUSALS[status]
            says = (
                f"{'all' if number == total else f'{number} of'} {total} requests were answered with {status}: {fact}."
            )
            raise MisuseError(says, where=self._base, cure=cure)

    def advance(self, by: timedelta) -> None:
        """Let so much time pass for the implementation."""
        self._caller.advance(by)

    def now(self) -> datetime:
        """Return the instant that it is for the implementation."""
        return self._caller.now()
