"""One world being played in: what is sent is watched, and what is found is kept with all that led to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.messages import Call, Exchange, Reply
from contracts.model import Operation
from generators.caller import NoAnswerError
from generators.campaign.kept import Judged
from generators.campaign.recording import Deed, Recorder
from generators.campaign.watchers import Outfit
from generators.campaign.watching import Watcher
from generators.campaign.worlds import World
from generators.checks.bench import Bench, Budget
from generators.checks.conformance import CHECK
from generators.checks.findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A finding and all that was done in its world until then.

    `cause` is the fingerprint of what was found in that world before: it may have the same root cause.
    """

    finding: Finding
    deeds: tuple[Deed, ...]
    world: World
    judged: Judged = "laws"
    cause: str = ""


class Session:
    """Plays in one world through `bench`. `on_finding` hears of everything that is found, again and again."""

    def __init__(
        self,
        outfit: Outfit,
        world: World,
        *,
        seed: int,
        budget: Budget,
        given: Mapping[str, str],
        on_finding: Callable[[Seen], None],
        on_exchange: Callable[[Exchange, Watcher], None] | None = None,
        modelled: bool = True,
    ) -> None:
        self.world, self._on_finding, self._on_exchange = world, on_finding, on_exchange
        self.watcher = outfit.watcher(world, modelled=modelled)
        self._recorder = Recorder(world.caller, outfit.contract, outfit.router)
        self.bench = Bench(outfit.contract, _Watched(self), seed=seed, salt=world.salt, budget=budget, given=given)
        self.bench.router = outfit.router
        self.calls = 0
        self._first = ""

    @property
    def caller(self) -> Recorder:
        """What sends calls and keeps them."""
        return self._recorder

    def send(self, call: Call) -> Exchange:
        """Send a call; what is wrong with its answer is told to whoever listens."""
        try:
            exchange = self._recorder.exchange(call)
        except NoAnswerError as error:
            self.tell(unanswered(self.bench.route(call), str(error)))
            raise
        self.calls += 1
        found = self.watcher.see(exchange)
        if self._on_exchange is not None:
            self._on_exchange(exchange, self.watcher)
        for finding in found:
            self.tell(finding)
        return exchange

    def tell(self, finding: Finding, *, judged: Judged = "laws") -> None:
        """Tell of a finding with all that was done so far."""
        cause = self._first if self._first != finding.fingerprint else ""
        self._first = self._first or finding.fingerprint
        self._on_finding(
            Seen(finding=finding, deeds=tuple(self._recorder.deeds), world=self.world, judged=judged, cause=cause)
        )


def unanswered(operation: Operation | None, says: str) -> Finding:
    """Return the finding that a call was not answered with a whole HTTP response."""
    name = operation.id if operation is not None else ""
    return Finding(law=CHECK, operation=name, shape="no answer", says=f"A request got no response: {says}.")


class _Watched:
    """The caller that a session's bench sends through."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def controlled(self) -> bool:
        """Whether waiting costs no real time."""
        return self._session.caller.controlled

    def send(self, call: Call) -> Reply:
        """Send one call and return its answer. Raises NoAnswerError."""
        return self._session.send(call).reply

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        self._session.caller.advance(by)

    def now(self) -> datetime:
        """Return what time it is for the implementation."""
        return self._session.caller.now()
