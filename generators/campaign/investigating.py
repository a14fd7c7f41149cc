"""From something seen to a finding that is kept: done again, made small, confirmed three times, its signs taken."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from math import inf
from time import monotonic
from typing import Any, Final, TypeAlias

from contracts.messages import Exchange
from generators.campaign.grouping import FORMAL, way_of
from generators.campaign.kept import Kept
from generators.campaign.redoing import Redoer, Shown
from generators.campaign.scripting import scripted
from generators.campaign.session import Seen
from generators.campaign.shrinking import Draft, Shrinker
from generators.campaign.signs import Sign, common, marks_of, named_anew, sign_of
from generators.campaign.slicing import hurried, related, slices
from generators.campaign.steps import Asking, Script, Step, learned, tidied
from generators.campaign.teaching import ids_told
from generators.campaign.watchers import Outfit
from generators.campaign.worlds import Target
from generators.checks.conformance import CHECK as RESPONSE
from generators.checks.differential import CHECK as MODEL
from generators.checks.findings import Finding
from generators.http import base_of
from generators.locations import look, put

CONFIRMATIONS: Final = 3
SHRINKING: Final = 10.0  # seconds spent on one finding at most
TRIES: Final = 400
SPARE: Final = 1.3  # how much longer a try may take than the one before
MOMENT: Final = 0.2  # seconds of what is left that are not planned with
Run: TypeAlias = tuple[str | None, list[Sign]]
"""What a finding says when its script is done once more, None when it does not show; and the signs of its evidence."""
ROUNDS: Final = 6  # smaller scripts that are looked at for what else they show


@dataclass(frozen=True, slots=True)
class Ready:
    """A finding that showed again. `shows` says whether a smaller form does, None when nobody can say that."""

    kept: Kept
    shows: Callable[[Kept], bool] | None
    fixed: frozenset[int] = frozenset()


@dataclass(slots=True, kw_only=True)
class Investigator:
    """Makes findings show again on a target. `is_over` says when there is no more time at all, `left` how much is."""

    outfit: Outfit
    target: Target
    is_over: Callable[[], bool] = lambda: False
    left: Callable[[], float] = lambda: inf
    tried: int = 0
    redoer: Redoer = field(init=False)
    _took: float = 0.0

    def __post_init__(self) -> None:
        self.redoer = Redoer(outfit=self.outfit, target=self.target, is_over=self.is_over)

    def keep(self, seen: Seen, *, seconds: float, seed: int, url: str) -> Kept:
        """Return a finding as it is first kept: with all that was done before it was seen."""
        finding = seen.finding
        script = scripted(seen.deeds, self.outfit.contract, seen.world, is_timed=not self.target.controlled)
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
            url=base_of(self.outfit.contract, url),
            mount=self.outfit.contract.mount,
            cause=seen.cause,
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
                operation = self.outfit.contract.operation(deed.operation or "")
                yield sign_of(index, deed.reply, names, marks_of(operation, names))

    def shows(self, kept: Kept) -> bool:
        """Do a finding's script in a new world, and say whether the finding shows."""
        return self._play(kept, until=kept.fingerprint if kept.judged == "laws" else "").shows(kept)

    def _play(self, kept: Kept, *, modelled: bool | None = None, until: str = "") -> Shown:
        """Do a finding's script, and note how long that takes."""
        before = monotonic()
        shown = self.redoer.play(kept, modelled=modelled, until=until)
        self._took = monotonic() - before
        return shown

    def confirmed(self, kept: Kept) -> Kept:
        """Return a finding made small and tried three times, with what else its script shows.

        What there was no time for is left out; a finding that could not be tried at all is returned as it is.
        """
        ready = self._by_signs(kept) if kept.judged == "signs" else self._by_laws(kept)
        if ready is None:
            return self._tried(kept, [(None, []), *self._runs(kept, CONFIRMATIONS - 1)]) or kept
        small = self._taught(self._shrunk(ready))
        tried = self._tried(small, self._runs(small, CONFIRMATIONS))
        if tried is not None and not tried.confirmed and ready.shows is not None:
            large = _tidy(ready.kept)
            tried = self._tried(large, self._runs(large, CONFIRMATIONS)) or tried
        return kept if tried is None else self._surrounded(tried)

    def _taught(self, kept: Kept) -> Kept:
        """Return a finding whose script learns every id that its evidence shows and an earlier reply tells."""
        if not self._has_time():
            return kept
        shown = self._play(kept)
        finding = shown.find(kept.fingerprint)
        signs = kept.signs if kept.judged == "signs" else shown.signs_of(finding) if finding is not None else ()
        lessons = ids_told(shown.played, {sign.step for sign in signs}, self.outfit.contract)
        steps = [
            replace(step, lessons=(*step.lessons, *lessons.get(n, ()))) if isinstance(step, Asking) else step
            for n, step in enumerate(kept.script.steps)
        ]
        return _with_steps(kept, steps)

    def _runs(self, kept: Kept, most: int) -> list[Run]:
        """Do a script some more times; what the time has cut off does not count."""
        runs: list[Run] = []
        while len(runs) < most:
            run = self._again(kept)
            if run[0] is None and self.is_over():
                break
            runs.append(run)
        return runs

    def _has_time(self) -> bool:
        """Say whether there is time for more than the tries at the end."""
        return self.left() > MOMENT + (CONFIRMATIONS + 1) * SPARE * self._took

    def _by_laws(self, kept: Kept) -> Ready | None:
        """Do a script once: return it without what has nothing to do with the finding, None when that does not show."""
        quick = None if self.target.controlled else self._hurried(kept)
        if quick is not None:
            return quick
        shown = self._play(kept, until=kept.fingerprint)
        if shown.find(kept.fingerprint) is None:
            return None
        kept = _with_steps(kept, kept.script.steps[: shown.done])
        evidence = [sign.step for sign in kept.signs]
        found = (replace(kept, script=one) for one in slices(kept.script, evidence, self.outfit.contract))
        return Ready(next((one for one in found if self._has_time() and self.shows(one)), kept), shows=self.shows)

    def _hurried(self, kept: Kept) -> Ready | None:
        """Do a script without its waits, what has nothing to do with the finding left out at once."""
        evidence = [sign.step for sign in kept.signs]
        draft = Draft(kept.script.steps, tuple(range(len(kept.script.steps))))
        draft = draft.chosen(hurried(kept.script, evidence, self.outfit.contract))
        quick = replace(kept.script, steps=draft.steps)
        shown = [draft.places.index(step) for step in evidence if step in draft.places]
        for script in (*slices(quick, shown, self.outfit.contract), quick):
            small = replace(kept, script=script)
            seen = self._play(small, until=kept.fingerprint)
            if seen.find(kept.fingerprint) is not None:
                return Ready(_with_steps(small, script.steps[: seen.done]), shows=self.shows)
        return None

    def _by_signs(self, kept: Kept) -> Ready | None:
        """Do a script once, and say by what else than its signs it can be told that the finding shows.

        Signs alone do not tell what of the script they hang on: where no law is seen to be broken along with them,
        steps are left out only when they have nothing to do with the evidence.
        """
        shown = self._play(kept, modelled=True)
        seen = [one for sign in kept.signs if (one := shown.sign(sign.step)) is not None]
        pairs = zip(kept.signs, seen, strict=False) if len(seen) == len(kept.signs) else ()
        signs = [one for one in (common(old, [new]) for old, new in pairs) if one is not None]
        if not signs or len(signs) < len(kept.signs):
            return None
        kept, fixed = replace(kept, signs=tuple(signs)), frozenset(sign.step for sign in signs)
        along = [one for one in shown.findings if {sign.step for sign in shown.signs_of(one)} & fixed]
        along = sorted((one for one in along if one.law != RESPONSE), key=lambda one: one.law == MODEL)
        if not along:
            return Ready(self._about_evidence(kept, fixed), shows=None)
        return Ready(kept, shows=lambda one: self._shows_both(one, along[0]), fixed=fixed)

    def _about_evidence(self, kept: Kept, shown: frozenset[int]) -> Kept:
        """Return a finding with the steps alone that have to do with its evidence, where it still shows."""
        draft = Draft(kept.script.steps, tuple(range(len(kept.script.steps))))
        small = _drafted(kept, draft.chosen(related(kept.script, sorted(shown), self.outfit.contract)))
        return small if self.shows(small) else kept

    def _shows_both(self, kept: Kept, other: Finding) -> bool:
        shown = self._play(kept, modelled=other.law == MODEL)
        return shown.shows(kept) and shown.find(other.fingerprint) is not None

    def _shrunk(self, ready: Ready) -> Kept:
        """Return the smallest form of a finding that is found in time; the steps that its signs are of stay."""
        kept, shows, until = ready.kept, ready.shows, monotonic() + SHRINKING
        if shows is None:
            return replace(_tidy(kept), small=True)
        shrinker = Shrinker(
            contract=self.outfit.contract,
            shows=lambda draft: shows(_drafted(kept, draft)),
            is_over=lambda: self.is_over() or not self._has_time() or monotonic() > until or shrinker.tried > TRIES,
            fixed=ready.fixed,
        )
        small = _drafted(kept, shrinker.shrink(kept.script.steps))
        self.tried += shrinker.tried
        return replace(_tidy(small), small=not shrinker.is_over())

    def _tried(self, kept: Kept, runs: Sequence[Run]) -> Kept | None:
        """Return a finding with what came of trying it; None when that was too little to say that it does not show."""
        said = [says for says, _ in runs if says is not None]
        good = [signs for says, signs in runs if says is not None]
        agreed = [common(signs[0], signs[1:]) for signs in zip(*good, strict=False)] if good else []
        if not good and len(runs) < CONFIRMATIONS:
            return None
        signs = tuple(one for one in agreed if one is not None) or kept.signs
        says = said[-1] if said else kept.says
        return replace(kept, says=says, signs=signs, confirmed=len(good), tries=len(runs))

    def _again(self, kept: Kept) -> Run:
        """Do a script once more."""
        shown = self.redoer.play(kept)
        if kept.judged == "signs":
            places = [sign.step for sign in kept.signs]
            signs = [one for place in places if (one := shown.sign(place)) is not None]
            return kept.says if shown.shows(kept) else None, signs
        finding = shown.find(kept.fingerprint)
        return (None, []) if finding is None else (finding.says, shown.signs_of(finding))

    def _surrounded(self, kept: Kept) -> Kept:
        """Return a finding with what else its script shows that has to do with it."""
        if not kept.small or not kept.confirmed or self.is_over():
            return kept
        shown = self.redoer.play(kept, modelled=True)
        others = [one for one in shown.findings if one.fingerprint != kept.fingerprint]
        related = self._on_evidence(kept, shown, others) if kept.judged == "signs" else self._hanging(kept, others)
        beside = sorted((one.law, one.operation, one.shape) for one in related)
        return kept if self.is_over() else replace(kept, beside=tuple(beside), outline=shown.outline)

    def _hanging(self, kept: Kept, others: Sequence[Finding]) -> Iterable[Finding]:
        """Return the findings that hang on what a finding hangs on.

        What is still shown when a part is taken away without which the finding does not show has another cause.
        """
        left = {one.fingerprint: one for one in others}
        for script in islice(_parts(kept, self.outfit), ROUNDS) if left else ():
            for one in self.redoer.play(replace(kept, script=script), modelled=True).findings:
                left.pop(one.fingerprint, None)
        return left.values()

    def _on_evidence(self, kept: Kept, shown: Shown, others: Sequence[Finding]) -> Iterable[Finding]:
        """Return the findings that are shown by the replies that show a finding, as far as they say what is wrong."""
        steps = {sign.step for sign in kept.signs}
        telling = [one for one in others if way_of(one.law, one.shape).is_telling and one.law not in FORMAL]
        return [one for one in telling if {sign.step for sign in shown.signs_of(one)} <= steps]


def _parts(kept: Kept, outfit: Outfit) -> Iterator[Script]:
    """Yield a script without one of its steps, or of its items, each: not without the last step, which only looks."""
    steps = kept.script.steps
    for at, step in enumerate(steps):
        if at < len(steps) - 1:
            yield replace(kept.script, steps=(*steps[:at], *steps[at + 1 :]))
        for smaller in _fewer_items(step, outfit) if isinstance(step, Asking) else ():
            yield replace(kept.script, steps=(*steps[:at], smaller, *steps[at + 1 :]))


def _fewer_items(step: Asking, outfit: Outfit) -> Iterator[Asking]:
    operation = outfit.contract.operation(step.operation)
    bulk = operation.bulk if operation is not None else None
    for place in (bulk.items.at, *bulk.items.also_at) if bulk is not None else ():
        items: Any = look(step.data, place)
        for n in range(len(items)) if isinstance(items, list) and 1 < len(items) <= ROUNDS else ():
            yield replace(step, data=put(step.data, place, [*items[:n], *items[n + 1 :]]))


def _with_steps(kept: Kept, steps: Sequence[Step]) -> Kept:
    return replace(kept, script=replace(kept.script, steps=tuple(steps)))


def _tidy(kept: Kept) -> Kept:
    """Return a finding with plain names in the blanks that are left."""
    script, names = tidied(kept.script)
    return replace(kept, script=script, signs=tuple(named_anew(one, names) for one in kept.signs))


def _drafted(kept: Kept, draft: Draft) -> Kept:
    """Return a finding with the steps of a draft, its signs where their steps are now."""
    moved = {place: n for n, place in enumerate(draft.places)}
    signs = kept.signs
    if kept.judged == "signs":
        signs = tuple(replace(sign, step=moved[sign.step]) for sign in kept.signs)
    return replace(_with_steps(kept, draft.steps), signs=signs)
