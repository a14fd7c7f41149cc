"""A caller that keeps what it did: every exchange and every wait, in order."""

from datetime import datetime, timedelta
from typing import TypeAlias

from contracts.messages import Call, Exchange, Reply
from contracts.model import Contract, Route
from contracts.routing import Router
from generators.caller import Caller

Deed: TypeAlias = Exchange | float
"""Something that was done: an exchange, or a wait of so many seconds."""


class Recorder:
    """Passes calls on to `caller` and keeps what came of them in `deeds`."""

    def __init__(self, caller: Caller, contract: Contract, router: Router) -> None:
        self._caller, self._contract, self._router = caller, contract, router
        self.deeds: list[Deed] = []
        self.sent = 0

    @property
    def controlled(self) -> bool:
        """Whether waiting costs no real time."""
        return self._caller.controlled

    def send(self, call: Call) -> Reply:
        """Send one call and return its answer. Raises NoAnswerError."""
        return self.exchange(call).reply

    def exchange(self, call: Call) -> Exchange:
        """Send one call and return the exchange. Raises NoAnswerError."""
        at = self._caller.now()
        reply = self._caller.send(call)
        route = self._router.match(call.method, call.path)
        operation = route.operation.id if isinstance(route, Route) else None
        self.sent += 1
        made = Exchange(n=self.sent, at=at, api=self._contract.name, operation=operation, call=call, reply=reply)
        self.deeds.append(made)
        return made

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        self._caller.advance(by)
        self.deeds.append(by.total_seconds())

    def now(self) -> datetime:
        """Return what time it is for the implementation."""
        return self._caller.now()
