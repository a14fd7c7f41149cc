"""Doing the script of a finding again in a new world, watched, and judging whether the finding shows."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from contracts.messages import Exchange
from contracts.model import Contract
from generators.caller import NoAnswerError
from generators.campaign.kept import Kept
from generators.campaign.playing import Played, play
from generators.campaign.session import unanswered
from generators.campaign.signs import Sign, marks_of, shows, sign_of
from generators.campaign.steps import Asking
from generators.campaign.timely import OverError, Timely
from generators.campaign.watchers import Outfit
from generators.campaign.watching import Watcher
from generators.campaign.worlds import Target
from generators.checks.differential import CHECK as MODEL
from generators.checks.findings import Finding

PURPOSE: Final = "again"
LOOKS: Final = ("list", "read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A script done once: what was found, what was played, and in an outline what kind of calls these were.

    `done` is how many steps were done until what was looked for showed, or all of them.
    """

    findings: tuple[Finding, ...]
    played: tuple[Played, ...]
    outline: tuple[str, ...]
    done: int
    contract: Contract

    def find(self, fingerprint: str) -> Finding | None:
        """Return the finding of that fingerprint."""
        return next((one for one in self.findings if one.fingerprint == fingerprint), None)

    def sign(self, step: int) -> Sign | None:
        """Return what the reply of a step was like, None when it has none."""
        found = next((one for one in reversed(self.played) if one.index == step), None)
        if found is None or found.exchange is None:
            return None
        operation = self.contract.operation(found.exchange.operation or "")
        return sign_of(step, found.exchange.reply, found.names, marks_of(operation, found.names))

    def signs_of(self, finding: Finding) -> list[Sign]:
        """Return what the replies that are a finding's evidence were like."""
        numbers = {one.n for one in finding.evidence}
        seen = [one.index for one in self.played if one.exchange is not None and one.exchange.n in numbers]
        places = list(dict.fromkeys(seen))
        return [sign for place in places if (sign := self.sign(place)) is not None]

    def shows(self, kept: Kept) -> bool:
        """Say whether a finding shows: by the laws, or by its signs."""
        if kept.judged == "laws":
            return self.find(kept.fingerprint) is not None
        played = {one.index: one for one in self.played}
        return bool(kept.signs) and all(_shows(sign, played.get(sign.step)) for sign in kept.signs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redoer:
    """Does scripts in new worlds of a target. `is_over` says when one is to be left in the middle."""

    outfit: Outfit
    target: Target
    is_over: Callable[[], bool]

    def play(self, kept: Kept, *, modelled: bool | None = None, until: str = "") -> Shown:
        """Do a finding's script, beside the model when that found it or `modelled`; stop once `until` is found.

        A call without an answer ends it, and so does the time.
        """
        world = self.target.fresh(PURPOSE)
        world = replace(world, caller=Timely(world.caller, self.is_over))
        watcher = self.outfit.watcher(world, modelled=kept.law == MODEL if modelled is None else modelled)
        found: dict[str, Finding] = {}
        played: list[Played] = []
        outline: list[str] = []
        try:
            for one in play(kept.script, world, self.outfit.contract):
                played.append(replace(one, names=dict(one.names)))
                if one.exchange is not None:
                    found = {finding.fingerprint: finding for finding in watcher.see(one.exchange)} | found
                    outline += self._kind(one.exchange, watcher)
                if until in found:
                    break
        except NoAnswerError as error:
            lost = self._unanswered(kept, _done(played), str(error))
            found.setdefault(lost.fingerprint, lost)
            done = _done(played) + 1
        except OverError:
            done = _done(played)
        else:
            done = _done(played)
        return Shown(
            findings=tuple(found.values()),
            played=tuple(played),
            outline=_folded(outline),
            done=done,
            contract=self.outfit.contract,
        )

    def _unanswered(self, kept: Kept, n: int, says: str) -> Finding:
        step = kept.script.steps[min(n, len(kept.script.steps) - 1)]
        name = step.operation if isinstance(step, Asking) else ""
        return unanswered(self.outfit.contract.operation(name), says)

    def _kind(self, exchange: Exchange, watcher: Watcher) -> Iterator[str]:
        """Yield what kind of call an exchange is, whichever operation it is of: what is bulk, written, or looked at."""
        operation, view = self.outfit.contract.operation(exchange.operation or ""), watcher.last_view
        if view is not None and view.exchange is exchange:
            results = {one.result for telling in view.tellings for one in telling.outcomes}
            size = "many" if len(view.call.items) > 1 else "one"
            yield f"{view.kind} {view.call.unit} of {size}: {', '.join(sorted(results))}"
        elif operation is not None and operation.record is not None:
            yield "look" if operation.record.action.constant in LOOKS else "write"
        else:
            yield "other"


def _done(played: Sequence[Played]) -> int:
    """Return how many steps were done."""
    return played[-1].index + 1 if played else 0


def _folded(names: Iterable[str]) -> tuple[str, ...]:
    """Return names without those that stand twice in a row."""
    found: list[str] = []
    for name in names:
        if found[-1:] != [name]:
            found.append(name)
    return tuple(found)


def _shows(sign: Sign, played: Played | None) -> bool:
    return played is not None and played.exchange is not None and shows(sign, played.exchange.reply, played.names)
