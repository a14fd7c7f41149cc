"""Where experiments are made: sends calls, keeps what was exchanged, waits within a budget, hands out fresh names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from time import monotonic
from typing import Final

from contracts.messages import Call, Exchange, History, Reply
from contracts.model import Contract, Operation, Route
from contracts.routing import Router
from generators.caller import Caller, NoAnswerError
from generators.impossible import ImpossibleError
from generators.requests.names import FIRST_NUMBER, Names

PATIENCE: Final = 3  # how often a call is repeated that is told to come again later
LATER: Final = frozenset((429, 503))
DIGITS: Final = 9  # of a wait in seconds that is taken seriously
LONGEST: Final = timedelta(days=8)  # a wait that a target may ask for when its clock can be moved


@dataclass(slots=True)
class Budget:
    """Real seconds that checking may take; every wait for the target counts."""

    seconds: float = 50.0
    clock: Callable[[], float] = monotonic
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.clock()

    @property
    def left(self) -> float:
        """Real seconds that are left; not below 0."""
        return max(0.0, self.seconds - self.spent)

    @property
    def spent(self) -> float:
        """Real seconds since the budget was opened."""
        return self.clock() - self.started


class Bench:
    """One implementation under test.

    `exchanges` grow until `cut` takes them. `sent` counts answered calls, `asked` is the operation called last.
    """

    def __init__(
        self, contract: Contract, caller: Caller, *, seed: int, salt: str, budget: Budget, given: Mapping[str, str]
    ) -> None:
        self.contract, self.caller, self.budget = contract, caller, budget
        self.seed, self.salt, self.given = seed, salt, given
        self.router = Router(contract)
        self.exchanges: list[Exchange] = []
        self.memory: dict[object, object] = {}
        self.sent = 0
        self.asked = ""
        self._trials = 0

    def send(self, call: Call) -> Exchange:
        """Send a call; one that is told to come later is sent again after the wait that was asked for."""
        exchange = self._send(call)
        for _ in range(PATIENCE):
            wait = _asked_to_wait(exchange.reply)
            if wait is None or not self._can_wait(wait):
                break
            self.wait(wait)
            exchange = self._send(call)
        return exchange

    def _send(self, call: Call) -> Exchange:
        at, operation = self.caller.now(), self.route(call)
        name = operation.id if operation is not None else None
        self.asked = name or ""
        reply = self.caller.send(call)
        self.sent += 1
        exchange = Exchange(n=self.sent, at=at, api=self.contract.name, operation=name, call=call, reply=reply)
        self.exchanges.append(exchange)
        return exchange

    def route(self, call: Call) -> Operation | None:
        """Return the operation that a call means."""
        found = self.router.match(call.method, call.path)
        return found.operation if isinstance(found, Route) else None

    def wait(self, by: timedelta) -> None:
        """Let time pass for the target. Raises ImpossibleError when the budget does not allow it."""
        if not self._can_wait(by):
            raise ImpossibleError(f"waiting {by.total_seconds():g} s more would pass the time budget")
        try:
            self.caller.advance(by)
        except NoAnswerError as error:
            raise ImpossibleError(str(error)) from None

    def _can_wait(self, by: timedelta) -> bool:
        return by <= LONGEST if self.caller.controlled else by.total_seconds() < self.budget.left

    def names(self) -> Names:
        """Return the fresh names of a new trial."""
        self._trials += 1
        number = FIRST_NUMBER + int(self.salt, 36) * 10**8 + self._trials * 10**4
        return Names(prefix=f"B{self.salt}{self._trials}n", number=number)

    def rng(self, *parts: object) -> Random:
        """Return a random source that depends on the seed and on `parts` alone."""
        return Random("/".join(map(str, (self.seed, *parts))))

    def history(self, since: int = 0) -> History:
        """Return the exchanges kept, those after number `since`."""
        return History(exchanges=tuple(one for one in self.exchanges if one.n > since))

    def cut(self) -> History:
        """Return the exchanges kept, and begin anew."""
        history, self.exchanges = History(exchanges=tuple(self.exchanges)), []
        return history


def _asked_to_wait(reply: Reply) -> timedelta | None:
    seconds = reply.headers.get("Retry-After")
    asked = reply.status in LATER and seconds.isdecimal() and len(seconds) <= DIGITS
    return timedelta(seconds=int(seconds)) if asked else None
