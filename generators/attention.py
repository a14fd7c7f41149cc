"""A caller that notices when it knocks at the wrong door: every answer is the same refusal."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Final

from contracts.errors import MisuseError
from contracts.messages import Call, Reply
from generators.caller import Caller

TRIAL: Final = 25  # answers of one and the same kind before it is believed
REFUSALS: Final = {
    404: ("nothing of this API is there", "Give the root of the server with --url, or where the API is with --mount."),
    401: ("credentials are asked", "Give them with --auth or --header."),
    403: ("these credentials do not suffice", "Give others with --auth or --header."),
}


class Attentive:
    """Sends calls through another caller, and raises MisuseError when all that comes back is one refusal."""

    def __init__(self, caller: Caller, base: str) -> None:
        self._caller, self._base = caller, base
        self._seen: Counter[int] = Counter()

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

    def require_an_open_door(self) -> None:
        """Raise MisuseError when every answer so far was the same refusal."""
        if len(self._seen) == 1:
            ((status, number),) = self._seen.items()
            if status in REFUSALS:
                fact, cure = REFUSALS[status]
                times = "the only call was" if number == 1 else f"all {number} calls were"
                raise MisuseError(f"{times} answered {status}: {fact}.", where=self._base, cure=cure)

    def advance(self, by: timedelta) -> None:
        """Let so much time pass for the implementation."""
        self._caller.advance(by)

    def now(self) -> datetime:
        """Return the instant that it is for the implementation."""
        return self._caller.now()
