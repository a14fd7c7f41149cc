"""Turn an observation into a stored finding: replay it, shrink it, and confirm it by three replays.

Begin with `Triager`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from math import inf
from time import monotonic
from typing import Any, Final, TypeAlias

from contracts.exchange.locations import find, put
from contracts.messages import Exchange
from contracts.syntax.text import tokens_of
from generators.client.environments import Target
from generators.client.http import base_url_of
from generators.oracles.findings import Finding, general_shape, member_at
from generators.oracles.oracle import OracleFactory
from generators.oracles.reference_model import CHECK as MODEL
from generators.oracles.response_laws import CHECK as RESPONSE
from generators.triage.parametrise import id_captures, parametrise
from generators.triage.replay import Replayer, Reproduction
from generators.triage.response_signature import (
    ResponseSignature,
    common_signature,
    marks_of,
    rename_signature,
    signature_of,
)
from generators.triage.script import RequestStep, Script, Step, captured_value, tidy_script
from generators.triage.shrink import Draft, Shrinker, related, slices, without_waits
from generators.triage.stored_finding import (
    FORMAL_LAWS,
    Observation,
    StoredFinding,
    concern_other_members,
    violation_kind_of,
)

CONFIRMATIONS: Final = 3
MAX_SHRINK_SECONDS: Final = 10.0  # for one finding
MAX_SHRINK_TRIES: Final = 1500
DURATION_MARGIN: Final = 1.3  # factor by which a replay may take longer than the last one
RESERVED_SECONDS: Final = 0.2  # of the remaining time that are not planned
ReplayOutcome: TypeAlias = tuple[str | None, list[ResponseSignature]]
"""What a finding says when its script is done once more, None when it does not show; and the signs of its evidence."""
MAX_REDUCED_SCRIPTS: Final = 6  # reduced scripts that are replayed for side findings


@dataclass(frozen=True, slots=True)
class Reproduced:
    """A finding that was reproduced. `shows` tests a smaller form, None when that cannot be tested reliably."""

    kept: StoredFinding
    shows: Callable[[StoredFinding], bool] | None
    fixed: frozenset[int] = frozenset()


@dataclass(slots=True, kw_only=True)
class Triager:
    """Replays and shrinks findings on a target. `is_over` ends everything, `left` returns the remaining seconds.

    `shrink_seconds` limits the time for shrinking one finding.
    """

    oracle_factory: OracleFactory
    target: Target
    is_over: Callable[[], bool] = lambda: False
    left: Callable[[], float] = lambda: inf
    shrink_seconds: float = MAX_SHRINK_SECONDS
    tried: int = 0
    replayer: Replayer = field(init=False)
    _last_duration: float = 0.0

    def __post_init__(self) -> None:
        self.replayer = Replayer(oracle_factory=self.oracle_factory, target=self.target, is_over=self.is_over)

    def store(self, seen: Observation, *, seconds: float, seed: int, url: str) -> StoredFinding:
        """Return an observation as a finding with all requests that were sent before it."""
        finding = seen.finding
        script = parametrise(
            seen.trace, self.oracle_factory.contract, seen.environment, is_timed=not self.target.controlled
        )
        signatures = tuple(self._initial_signatures(seen, script))
        places = self.oracle_factory.fact_finder.places(finding)
        return StoredFinding(
            fingerprint=finding.fingerprint,
            law=finding.law,
            operation=finding.operation,
            shape=finding.shape,
            says=finding.says,
            contract=self.oracle_factory.contract.name,
            script=script,
            signatures=signatures,
            judged=seen.judged,
            seconds=round(seconds, 3),
            seed=seed,
            url=base_url_of(self.oracle_factory.contract, url),
            mount=self.oracle_factory.contract.mount,
            cause=seen.cause,
            experiment=seen.experiment,
            traits=self._traits(),
            places=places,
            assumed=any(one.assumed for one in self.oracle_factory.fact_finder.facts(places)),
        )

    def _traits(self) -> tuple[str, ...]:
        """Return what the oracle has learned of the implementation: the first version of each resource's records."""
        return tuple(f"{name}={version}" for name, version in sorted(self.oracle_factory.first_versions.items()))

    def _initial_signatures(self, seen: Observation, script: Script) -> Iterator[ResponseSignature]:
        numbers = {one.n for one in seen.finding.evidence}
        names = script.names(seen.environment.prefix, seen.environment.base)
        for index, (event, step) in enumerate(zip(seen.trace, script.steps, strict=True)):
            if not isinstance(event, Exchange) or not isinstance(step, RequestStep):
                continue
            told = {capture.name: captured_value(capture, event.response, names) for capture in step.captures}
            names |= {name: value for name, value in told.items() if value is not None}
            if event.n in numbers:
                operation = self.oracle_factory.contract.operation(event.operation or "")
                yield signature_of(index, event.response, names, marks_of(operation, names))

    def shows(self, kept: StoredFinding) -> bool:
        """Replay a finding's script in a new environment, and return whether it is reproduced."""
        return self._replay(kept, until=kept.fingerprint if kept.judged == "laws" else "").shows(kept)

    def shown_again(self, kept: StoredFinding) -> StoredFinding | None:
        """Replay a stored finding, and return it as it shows now, None when it does not.

        A finding that an older version stored without its member is returned with it, under its new fingerprint.
        """
        shown = self._replay(kept, until=kept.fingerprint if kept.judged == "laws" else "")
        if shown.shows(kept):
            return kept
        law = (kept.law, kept.operation, kept.shape)
        general = (one for one in shown.findings if (one.law, one.operation, general_shape(one.shape)) == law)
        now = next(general, None)
        return None if now is None else replace(kept, fingerprint=now.fingerprint, shape=now.shape, says=now.says)

    def _replay(self, kept: StoredFinding, *, uses_model: bool | None = None, until: str = "") -> Reproduction:
        """Replay a finding's script and measure its duration."""
        before = monotonic()
        shown = self.replayer.replay(kept, uses_model=uses_model, until=until)
        self._last_duration = monotonic() - before
        return shown

    def confirm(self, kept: StoredFinding) -> StoredFinding:
        """Return a finding shrunk and replayed three times, with the other findings of its script.

        Steps without time are skipped; a finding that could not be replayed at all is returned unchanged.
        """
        ready = self._reproduce_by_signature(kept) if kept.judged == "signs" else self._reproduce_by_laws(kept)
        if ready is None:
            return self._with_attempts(kept, [(None, []), *self._replays(kept, CONFIRMATIONS - 1)]) or kept
        small = self._with_captures(self._shrink(ready))
        tried = self._with_attempts(small, self._replays(small, CONFIRMATIONS))
        if tried is not None and not tried.confirmed and ready.shows is not None:
            large = _tidied(ready.kept)
            tried = self._with_attempts(large, self._replays(large, CONFIRMATIONS)) or tried
        return kept if tried is None else replace(self._with_side_findings(tried), traits=self._traits())

    def _with_captures(self, kept: StoredFinding) -> StoredFinding:
        """Return a finding whose script captures every id in its evidence that an earlier response had."""
        if not self._has_time():
            return kept
        shown = self._replay(kept)
        finding = shown.find(kept.fingerprint)
        signatures = (
            kept.signatures if kept.judged == "signs" else shown.signatures_of(finding) if finding is not None else ()
        )
        captures = id_captures(
            shown.results, {signature.step for signature in signatures}, self.oracle_factory.contract
        )
        steps = [
            replace(step, captures=(*step.captures, *captures.get(n, ()))) if isinstance(step, RequestStep) else step
            for n, step in enumerate(kept.script.steps)
        ]
        return _with_steps(kept, steps)

    def _replays(self, kept: StoredFinding, most: int) -> list[ReplayOutcome]:
        """Replay a script `most` times; replays that the time limit cut off do not count."""
        runs: list[ReplayOutcome] = []
        while len(runs) < most:
            run = self._replay_once(kept)
            if run[0] is None and self.is_over():
                break
            runs.append(run)
        return runs

    def _has_time(self) -> bool:
        """Return whether there is time for more than the final replays."""
        return self.left() > RESERVED_SECONDS + (CONFIRMATIONS + 1) * DURATION_MARGIN * self._last_duration

    def _reproduce_by_laws(self, kept: StoredFinding) -> Reproduced | None:
        """Replay the smallest script that may do, and larger ones until it is reproduced; None when none does."""
        for script in self._scripts(kept):
            seen = self._replay(small := replace(kept, script=script), until=kept.fingerprint)
            if seen.find(kept.fingerprint) is not None:
                return Reproduced(_with_steps(small, script.steps[: seen.done]), shows=self.shows)
        return None

    def _scripts(self, kept: StoredFinding) -> Iterator[Script]:
        """Yield the last request alone, what shares variables with the evidence, and the whole script.

        Where waits take real time, all but the last script are without them. When time is short only the last is left.
        """
        contract, script = self.oracle_factory.contract, kept.script
        evidence = [one.step for one in kept.signatures if not one.is_context] or [len(script.steps) - 1]
        if not self.target.controlled:
            draft = Draft.of(script.steps).chosen(without_waits(script, evidence, contract))
            script = replace(script, steps=draft.steps)
            evidence = [draft.places.index(step) for step in evidence if step in draft.places]
        tried = {repr(kept.script.steps), repr(())}
        for one in (*slices(script, evidence, contract), script):
            if self._has_time() and repr(one.steps) not in tried:
                tried.add(repr(one.steps))
                yield one
        yield kept.script

    def _reproduce_by_signature(self, kept: StoredFinding) -> Reproduced | None:
        """Replay a script once, and find a law violation that accompanies its signatures.

        Signatures alone do not tell which steps they depend on: without such a violation only steps unrelated
        to the evidence are removed.
        """
        shown = self._replay(kept, uses_model=True)
        seen = [one for signature in kept.signatures if (one := shown.signature(signature.step)) is not None]
        pairs = zip(kept.signatures, seen, strict=False) if len(seen) == len(kept.signatures) else ()
        signatures = [one for one in (common_signature(old, [new]) for old, new in pairs) if one is not None]
        if not signatures or len(signatures) < len(kept.signatures) or not _tells_the_same(kept, signatures):
            return None
        kept, fixed = replace(kept, signatures=tuple(signatures)), frozenset(signature.step for signature in signatures)
        along = [one for one in shown.findings if {signature.step for signature in shown.signatures_of(one)} & fixed]
        along = sorted((one for one in along if one.law != RESPONSE), key=lambda one: one.law == MODEL)
        if not along:
            return Reproduced(self._keep_related(kept, fixed), shows=None)
        return Reproduced(kept, shows=lambda one: self._shows_both(one, along[0]), fixed=fixed)

    def _keep_related(self, kept: StoredFinding, shown: frozenset[int]) -> StoredFinding:
        """Return a finding with only the steps related to its evidence, if it is still reproduced."""
        draft = Draft.of(kept.script.steps)
        small = _with_draft(kept, draft.chosen(related(kept.script, sorted(shown), self.oracle_factory.contract)))
        return small if self.shows(small) else kept

    def _shows_both(self, kept: StoredFinding, other: Finding) -> bool:
        shown = self._replay(kept, uses_model=other.law == MODEL)
        return shown.shows(kept) and shown.find(other.fingerprint) is not None

    def _shrink(self, ready: Reproduced) -> StoredFinding:
        """Return the smallest form of a finding found in time; steps with signatures are kept."""
        kept, shows, until = ready.kept, ready.shows, monotonic() + self.shrink_seconds
        if shows is None:
            return replace(_tidied(kept), small=True)
        shrinker = Shrinker(
            contract=self.oracle_factory.contract,
            shows=lambda draft: shows(_with_draft(kept, draft)),
            is_over=lambda: (
                self.is_over() or not self._has_time() or monotonic() > until or shrinker.tried > MAX_SHRINK_TRIES
            ),
            fixed=ready.fixed,
        )
        small = _with_draft(kept, shrinker.shrink(kept.script.steps))
        self.tried += shrinker.tried
        return replace(_tidied(small), small=not shrinker.is_over())

    def _with_attempts(self, kept: StoredFinding, runs: Sequence[ReplayOutcome]) -> StoredFinding | None:
        """Return a finding with the result of its replays; None when they were too few to tell."""
        said = [says for says, _ in runs if says is not None]
        good = [signatures for says, signatures in runs if says is not None]
        agreed = (
            [common_signature(signatures[0], signatures[1:]) for signatures in zip(*good, strict=False)] if good else []
        )
        if not good and len(runs) < CONFIRMATIONS:
            return None
        signatures = tuple(one for one in agreed if one is not None) or kept.signatures
        says = said[-1] if said else kept.says
        return replace(kept, says=says, signatures=signatures, confirmed=len(good), tries=len(runs))

    def _replay_once(self, kept: StoredFinding) -> ReplayOutcome:
        """Replay a script once more."""
        shown = self.replayer.replay(kept)
        if kept.judged == "signs":
            places = [signature.step for signature in kept.signatures]
            signatures = [one for place in places if (one := shown.signature(place)) is not None]
            return kept.says if shown.shows(kept) else None, signatures
        finding = shown.find(kept.fingerprint)
        return (None, []) if finding is None else (finding.says, shown.all_signatures(finding))

    def _with_side_findings(self, kept: StoredFinding) -> StoredFinding:
        """Return a finding with the other findings of its script that are related to it."""
        if not kept.small or not kept.confirmed or self.is_over():
            return kept
        shown = self.replayer.replay(kept, uses_model=True)
        others = [
            one
            for one in shown.findings
            if one.fingerprint != kept.fingerprint and not concern_other_members(one.shape, kept.shape)
        ]
        found = (
            self._findings_on_evidence(kept, shown, others)
            if kept.judged == "signs"
            else self._dependent_findings(kept, others)
        )
        beside = sorted((one.law, one.operation, one.shape) for one in found)
        return kept if self.is_over() else replace(kept, beside=tuple(beside), outline=shown.outline)

    def _dependent_findings(self, kept: StoredFinding, others: Sequence[Finding]) -> Iterable[Finding]:
        """Return the findings that depend on what a finding depends on.

        One that remains when a necessary part is removed has another root cause.
        """
        left = {one.fingerprint: one for one in others}
        for script in islice(_reduced_scripts(kept, self.oracle_factory), MAX_REDUCED_SCRIPTS) if left else ():
            for one in self.replayer.replay(replace(kept, script=script), uses_model=True).findings:
                left.pop(one.fingerprint, None)
        return left.values()

    def _findings_on_evidence(
        self, kept: StoredFinding, shown: Reproduction, others: Sequence[Finding]
    ) -> Iterable[Finding]:
        """Return the specific findings that are shown by the same responses as a finding."""
        steps = {signature.step for signature in kept.signatures}
        report = [
            one for one in others if violation_kind_of(one.law, one.shape).is_telling and one.law not in FORMAL_LAWS
        ]
        return [one for one in report if {signature.step for signature in shown.signatures_of(one)} <= steps]


def _reduced_scripts(kept: StoredFinding, oracle_factory: OracleFactory) -> Iterator[Script]:
    """Yield a script without one of its steps but the last, or without one of its items."""
    steps = kept.script.steps
    for at, step in enumerate(steps):
        if at < len(steps) - 1:
            yield replace(kept.script, steps=(*steps[:at], *steps[at + 1 :]))
        for smaller in _fewer_items(step, oracle_factory) if isinstance(step, RequestStep) else ():
            yield replace(kept.script, steps=(*steps[:at], smaller, *steps[at + 1 :]))


def _fewer_items(step: RequestStep, oracle_factory: OracleFactory) -> Iterator[RequestStep]:
    operation = oracle_factory.contract.operation(step.operation)
    bulk = operation.bulk if operation is not None else None
    for place in bulk.items.places if bulk is not None else ():
        items: Any = find(step.data, place)
        for n in range(len(items)) if isinstance(items, list) and 1 < len(items) <= MAX_REDUCED_SCRIPTS else ():
            yield replace(step, data=put(step.data, place, [*items[:n], *items[n + 1 :]]))


def _tells_the_same(kept: StoredFinding, common: Sequence[ResponseSignature]) -> bool:
    """Return whether what a finding is about is in what its first evidence and a replay have in common.

    That is the member that its shape names, and how many of our records a list has. Without it the rest of the
    evidence, which a right response shows too, would count as the finding.
    """
    member = tokens_of(member_at(kept.shape))
    for seen, left in zip(kept.signatures, common, strict=True):
        told = {at for at in seen.values if member and tokens_of(at)[-len(member) :] == member}
        if not told <= left.values.keys() or (seen.marks and seen.sizes != left.sizes):
            return False
    return True


def _with_steps(kept: StoredFinding, steps: Sequence[Step]) -> StoredFinding:
    return replace(kept, script=replace(kept.script, steps=tuple(steps)))


def _tidied(kept: StoredFinding) -> StoredFinding:
    """Return a finding with short names for the variables that are left."""
    script, names = tidy_script(kept.script)
    return replace(kept, script=script, signatures=tuple(rename_signature(one, names) for one in kept.signatures))


def _with_draft(kept: StoredFinding, draft: Draft) -> StoredFinding:
    """Return a finding with a draft's steps, its signatures moved to their new indices."""
    moved = {place: n for n, place in enumerate(draft.places)}
    signatures = kept.signatures
    if kept.judged == "signs":
        signatures = tuple(replace(signature, step=moved[signature.step]) for signature in kept.signatures)
    return replace(_with_steps(kept, draft.steps), signatures=signatures)
