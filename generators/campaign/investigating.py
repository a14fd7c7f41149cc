"""From something seen to a finding that is kept: done again, made small, confirmed three times, its signs taken."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Final

from contracts.messages import Exchange
from generators.caller import NoAnswerError
from generators.campaign.deltas import ddmin
from generators.campaign.kept import Kept
from generators.campaign.playing import Played, play
from generators.campaign.scripting import scripted
from generators.campaign.session import Seen, unanswered
from generators.campaign.shrinking import Shrinker
from generators.campaign.signs import Sign, common, shows, sign_of
from generators.campaign.slicing import slices
from generators.campaign.steps import Asking, Script, learned, tidied
from generators.campaign.watchers import Outfit
from generators.campaign.worlds import Target
from generators.checks.differential import CHECK as MODEL
from generators.checks.findings import Finding

CONFIRMATIONS: Final = 3
PURPOSE: Final = "again"
SHRINKING: Final = 6.0  # seconds spent on one finding at most
TRIES: Final = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A script done once: what was found, and what was played."""

    findings: tuple[Finding, ...]
    played: tuple[Played, ...]

    def find(self, fingerprint: str) -> Finding | None:
        """Return the finding of that fingerprint."""
        return next((one for one in self.findings if one.fingerprint == fingerprint), None)


@dataclass(slots=True, kw_only=True)
class Investigator:
    """Makes findings show again on a target. `is_over` says when there is no more time at all."""

    outfit: Outfit
    target: Target
    is_over: Callable[[], bool]
    tried: int = 0

    def keep(self, seen: Seen, *, seconds: float, seed: int, url: str) -> Kept:
        """Return a finding as it is first kept: with all that was done before it was seen."""
        finding = seen.finding
        script = scripted(seen.deeds, self.outfit.contract, seen.world)
        signs = tuple(self._first_signs(seen, script))
        return Kept(
            fingerprint=finding.fingerprint,
            law=finding.law,
            operation=finding.operation,
            shape=finding.shape,
            says=finding.says,
            contract=self.outfit.contract.name,
            script=script,
            signs=signs,
            judged=seen.judged,
            seconds=round(seconds, 3),
            seed=seed,
            url=url,
            group=seen.cause,
            traits=tuple(f"{name}={version}" for name, version in sorted(self.outfit.first_versions.items())),
        )

    def _first_signs(self, seen: Seen, script: Script) -> Iterator[Sign]:
        numbers = {one.n for one in seen.finding.evidence}
        names = script.names(seen.world.prefix, seen.world.base)
        for index, (deed, step) in enumerate(zip(seen.deeds, script.steps, strict=True)):
            if not isinstance(deed, Exchange) or not isinstance(step, Asking):
                continue
            told = {lesson.name: learned(lesson, deed.reply, names) for lesson in step.lessons}
            names |= {name: value for name, value in told.items() if value is not None}
            if deed.n in numbers:
                yield sign_of(index, deed.reply, names)

    def confirmed(self, kept: Kept) -> Kept:
        """Return a finding made small and tried three times."""
        until = monotonic() + SHRINKING
        if not self.shows(kept):
            return self._tried(kept, [self._again(kept) for _ in range(CONFIRMATIONS - 1)], missed=1)
        if kept.judged == "signs":
            return self._thrice(self._by_steps(kept, until))
        kept = self._sliced(kept)
        shrinker = Shrinker(
            contract=self.outfit.contract,
            shows=lambda script: self.shows(replace(kept, script=script)),
            is_over=lambda: self.is_over() or monotonic() > until or shrinker.tried > TRIES,
        )
        small = replace(kept, script=tidied(shrinker.shrink(kept.script)))
        self.tried += shrinker.tried
        return self._thrice(small)

    def _thrice(self, kept: Kept) -> Kept:
        return self._tried(kept, [self._again(kept) for _ in range(CONFIRMATIONS)])

    def _sliced(self, kept: Kept) -> Kept:
        """Return a finding with the steps alone that have to do with its evidence, where it still shows."""
        shown = [sign.step for sign in kept.signs]
        found = (replace(kept, script=one) for one in slices(kept.script, shown, self.outfit.contract))
        return next((one for one in found if self.shows(one)), kept)

    def _by_steps(self, kept: Kept, until: float) -> Kept:
        """Return a finding that is judged by its signs with the steps left out that it can do without."""
        shown = {sign.step for sign in kept.signs}
        others = [n for n in range(len(kept.script.steps)) if n not in shown]

        def with_(some: Sequence[int]) -> Kept:
            places = sorted({*some, *shown})
            signs = tuple(replace(sign, step=places.index(sign.step)) for sign in kept.signs)
            return replace(kept, script=_chosen(kept.script, places), signs=signs)

        def still(some: Sequence[int]) -> bool:
            in_time = not self.is_over() and monotonic() < until
            return in_time and self.shows(with_(some))

        small = with_(ddmin(others, still))
        return replace(small, script=tidied(small.script))

    def _tried(self, kept: Kept, runs: list[tuple[bool, list[Sign]]], *, missed: int = 0) -> Kept:
        good = [signs for holds, signs in runs if holds]
        agreed = [common(signs[0], signs[1:]) for signs in zip(*good, strict=False)] if good else []
        signs = tuple(one for one in agreed if one is not None) or kept.signs
        return replace(kept, signs=signs, confirmed=len(good), tries=len(runs) + missed)

    def _again(self, kept: Kept) -> tuple[bool, list[Sign]]:
        """Do a script once more: whether it shows the finding, and the signs of what is evidence."""
        shown = self.play(kept.script, modelled=kept.law == MODEL)
        finding = shown.find(kept.fingerprint) if kept.judged == "laws" else None
        if finding is None:
            return self._by_signs(kept, shown)
        numbers = {one.n for one in finding.evidence}
        return True, [
            sign_of(one.index, one.exchange.reply, one.names)
            for one in shown.played
            if one.exchange is not None and one.exchange.n in numbers
        ]

    def _by_signs(self, kept: Kept, shown: Shown) -> tuple[bool, list[Sign]]:
        if kept.judged == "laws" or not kept.signs:
            return False, []
        played = {one.index: one for one in shown.played if one.exchange is not None}
        pairs = [(sign, played.get(sign.step)) for sign in kept.signs]
        signs = [
            sign_of(sign.step, one.exchange.reply, one.names)
            for sign, one in pairs
            if one is not None and one.exchange is not None
        ]
        return len(signs) == len(pairs), signs

    def shows(self, kept: Kept) -> bool:
        """Do a finding's script in a new world, and say whether the finding shows."""
        return self.judge(kept, self.play(kept.script, modelled=kept.law == MODEL))

    def judge(self, kept: Kept, shown: Shown) -> bool:
        """Say whether what was played shows a finding: by the laws, or by its signs."""
        if kept.judged == "laws":
            return shown.find(kept.fingerprint) is not None
        played = {one.index: one for one in shown.played}
        return bool(kept.signs) and all(_shows(sign, played.get(sign.step)) for sign in kept.signs)

    def play(self, script: Script, *, modelled: bool) -> Shown:
        """Do a script in a new world, watched, beside the model or without it; a call without an answer ends it."""
        world = self.target.fresh(PURPOSE)
        watcher = self.outfit.watcher(world, modelled=modelled)
        found: dict[str, Finding] = {}
        played: list[Played] = []
        try:
            for one in play(script, world, self.outfit.contract):
                played.append(
                    replace(one, names=dict(one.names)) if isinstance(script.steps[one.index], Asking) else one
                )
                for finding in watcher.see(one.exchange) if one.exchange is not None else ():
                    found.setdefault(finding.fingerprint, finding)
        except NoAnswerError as error:
            step = script.steps[len(played)]
            name = step.operation if isinstance(step, Asking) else ""
            lost = unanswered(self.outfit.contract.operation(name), str(error))
            found.setdefault(lost.fingerprint, lost)
        return Shown(findings=tuple(found.values()), played=tuple(played))


def _chosen(script: Script, places: Sequence[int]) -> Script:
    return replace(script, steps=tuple(script.steps[n] for n in places))


def _shows(sign: Sign, played: Played | None) -> bool:
    return played is not None and played.exchange is not None and shows(sign, played.exchange.reply, played.names)
