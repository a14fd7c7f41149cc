"""Sessions of a check that send requests side by side, so that one judges while the server answers the other.

Begin with `Lanes`.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle
from threading import Event
from typing import TypeAlias

from contracts.errors import MisuseError
from contracts.exchange.bulk_exchange import BulkExchange
from contracts.messages import ExchangeHistory
from contracts.openapi.model import Contract
from generators.check.plan import CheckPlan
from generators.client.access import AccessGuard
from generators.client.environments import new_name_prefix
from generators.client.http import Client, HttpClient, NoAnswerError
from generators.client.session import Budget, DeadlineExceededError, Session
from generators.errors import NotApplicableError
from generators.oracles import job_laws, response_laws
from generators.oracles.findings import Finding
from generators.requests.options import limits_jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of an action: why it could not be completed, "" when it was; its findings and its exchanges.

    `views` are the exchanges that were read as bulk exchanges, by number; `is_first` is what the first lane has done.
    """

    reason: str
    findings: Sequence[Finding]
    history: ExchangeHistory
    views: dict[int, BulkExchange]
    is_first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A session in which one action comes after the other."""

    session: Session
    is_first: bool

    def run(self, action: "Action") -> Tried:
        """Run an action and take what came of it. Raises MisuseError when the first request gets no response."""
        found: list[Finding] = []
        reason = self._attempt(action, found)
        found += map(job_laws.unended, self.session.take_unended())
        views, history = self.session.views, self.session.take_history()
        return Tried(reason=reason, findings=found, history=history, views=views, is_first=self.is_first)

    def _attempt(self, action: "Action", found: list[Finding]) -> str:
        try:
            found.extend(action(self.session) or ())  # what comes before an error is kept
        except NotApplicableError as error:
            return str(error)
        except NoAnswerError as error:
            if self.is_first and not self.session.sent:
                raise MisuseError(f"No response: {error}.", cure="Give the URL of a running server.") from None
            found.append(response_laws.unanswered(self.session.last_operation, error))
            return f"a request got no response: {error}"
        except DeadlineExceededError:
            return "the check was ended"
        return ""


Action: TypeAlias = Callable[[Session], Iterator[Finding] | None]
"""Something to be done in a session, which may find something."""


class Lanes:
    """One lane, or two where both may send in real time, as many requests as they can.

    The first one does what takes turns with nothing else.
    """

    def __init__(
        self,
        contract: Contract,
        client: Client,
        plan: CheckPlan,
        budget: Budget,
        guard: AccessGuard | None,
    ) -> None:
        self._end = Event()
        self._twins = [client.twin()] if isinstance(client, HttpClient) and not _takes_turns(contract, plan) else []
        self._all = [
            Lane(
                session=Session(
                    contract,
                    one,
                    seed=plan.seed,
                    name_prefix=plan.name_prefix or new_name_prefix(),
                    budget=budget,
                    given=plan.given,
                    guard=guard,
                    is_over=self._end.is_set,
                ),
                is_first=one is client,
            )
            for one in (client, *self._twins)
        ]

    @property
    def first(self) -> Lane:
        """The first lane."""
        return self._all[0]

    @property
    def sent(self) -> int:
        """How many responses there were."""
        return sum(one.session.sent for one in self._all)

    def close(self) -> None:
        """Close the connections of all lanes but the first, whose client is its owner's."""
        for one in self._twins:
            one.close()

    def run(self, actions: Sequence[Action], *, apart: bool) -> Iterator[Tried]:
        """Yield what came of each action, in their order: in the first lane, or `apart` in all of them.

        Each lane has every so manieth, so that what it sends depends on the seed alone. An error ends them all.
        """
        if len(self._all) == 1 or not apart:
            yield from (self.first.run(one) for one in actions)
            return
        with ExitStack() as ending:
            pools = [ending.enter_context(ThreadPoolExecutor(1)) for _ in self._all]
            turns = zip(cycle(zip(pools, self._all, strict=True)), actions, strict=False)
            running = deque(pool.submit(lane.run, action) for (pool, lane), action in turns)
            ending.callback(self._stop, running)
            while running:
                yield running.popleft().result()  # and no longer kept

    def _stop(self, running: Sequence[Future[Tried]]) -> None:
        """End what is still running, or waits for its turn."""
        if running:
            self._end.set()
        for one in running:
            one.cancel()


def _takes_turns(contract: Contract, plan: CheckPlan) -> bool:
    """Say whether requests are sent one after the other: at some rate, under given names, or one job at a time."""
    is_limited = any(map(limits_jobs, contract.operations))
    return bool(plan.rate) or plan.read_only or plan.name_prefix is not None or is_limited
