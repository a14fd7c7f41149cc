"""A caller that notices when it knocks at the wrong door: every answer is the same refusal."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from contracts.errors import MisuseError
from contracts.messages import Call, Reply
from contracts.model import Operation
from generators.caller import Caller

TRIAL: Final = 25  # answers of one and the same kind before it is believed
LEAST: Final = 5  # the same when there are no more calls
NOT_FOUND: Final = 404
REFUSALS: Final = {
    404: ("nothing of this API is there", "Give the root of the server with --url, or where the API is with --mount."),
    401: ("credentials are asked", "Give them with --auth or --header."),
    403: ("these credentials do not suffice", "Give others with --auth or --header."),
}


class Attentive:
    """Sends calls through another caller, and raises MisuseError when all that comes back is one refusal.

    `operations` are those that are called: when all of them ask for one record, nothing is made of it that none is there.
    """

    def __init__(self, caller: Caller, base: str, operations: Iterable[Operation]) -> None:
        self._caller, self._base = caller, base
        self._seen: Counter[int] = Counter()
        self._may_be_missing = all(one.path.endswith("}") for one in operations)

    @property
    def controlled(self) -> bool:
        """Whether `advance` moves the implementation's clock."""
        return self._caller.controlled

    def send(self, call: Call) -> Reply:
        """Send one call and return its answer. Raises NoAnswerError and MisuseError."""
        reply = self._caller.send(call)
        self._seen[reply.status] += 1
        if self._seen.total() == TRIAL:
            self.require_an_open_door()
        return reply

    def note(self, answers: Mapping[int, int]) -> None:
        """Count answers that came another way, by status."""
        self._seen.update(answers)

    def require_an_open_door(self) -> None:
        """Raise MisuseError when every answer so far was the same refusal."""
        status, number = self._seen.most_common(1)[0] if self._seen else (0, 0)
        if number < max(LEAST, self._seen.total()) or status not in REFUSALS:
            return
        if status == NOT_FOUND and self._may_be_missing:
            return
        fact, cure = REFUSALS[status]
        raise MisuseError(f"all {number} calls were answered {status}: {fact}.", where=self._base, cure=cure)

    def advance(self, by: timedelta) -> None:
        """Let so much time pass for the implementation."""
        self._caller.advance(by)

    def now(self) -> datetime:
        """Return the instant that it is for the implementation."""
        return self._caller.now()
