"""Replay a finding's script in a new environment, judge every exchange, and decide whether the finding is reproduced.

Begin with `Replayer`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from contracts.messages import Exchange
from contracts.openapi.model import Contract
from generators.client.environments import Target
from generators.client.http import NoAnswerError
from generators.client.session import READING_ACTIONS, DeadlineExceededError, Session
from generators.oracles.findings import Finding
from generators.oracles.oracle import Oracle, OracleFactory
from generators.oracles.reference_model import CHECK as MODEL
from generators.oracles.response_laws import unanswered
from generators.triage.response_signature import ResponseSignature, marks_of, matches, signature_of
from generators.triage.script import ReplayResult, replay_script
from generators.triage.stored_finding import StoredFinding

ENVIRONMENT_PURPOSE: Final = "again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """The result of one replay: findings, step results, and an `outline` of the kinds of its requests.

    `done` is the number of steps that were run.
    """

    findings: tuple[Finding, ...]
    results: tuple[ReplayResult, ...]
    outline: tuple[str, ...]
    done: int
    contract: Contract

    def find(self, fingerprint: str) -> Finding | None:
        """Return the finding with a fingerprint, None when there is none."""
        return next((one for one in self.findings if one.fingerprint == fingerprint), None)

    def signature(self, step: int) -> ResponseSignature | None:
        """Return the signature of a step's response, None when it has none."""
        found = next((one for one in reversed(self.results) if one.index == step), None)
        if found is None or found.exchange is None:
            return None
        operation = self.contract.operation(found.exchange.operation or "")
        return signature_of(step, found.exchange.response, found.names, marks_of(operation, found.names))

    def signatures_of(self, finding: Finding) -> list[ResponseSignature]:
        """Return the signatures of the responses in a finding's evidence."""
        numbers = {one.n for one in finding.evidence}
        seen = [one.index for one in self.results if one.exchange is not None and one.exchange.n in numbers]
        places = list(dict.fromkeys(seen))
        return [signature for place in places if (signature := self.signature(place)) is not None]

    def all_signatures(self, finding: Finding) -> list[ResponseSignature]:
        """Return the signatures of a finding's evidence, and what counts of the others, on which it may depend."""
        shown = {one.step: one for one in self.signatures_of(finding)}
        others = {one.index for one in self.results if one.exchange is not None} - shown.keys()
        found = [one for step in sorted(others) if (one := self.signature(step)) is not None]
        context = [replace(one, values={}, headers=None, is_context=True) for one in found]
        return sorted((*shown.values(), *context), key=lambda one: one.step)

    def shows(self, kept: StoredFinding) -> bool:
        """Return whether a finding is reproduced: by laws, or by its signatures."""
        if kept.judged == "laws":
            return self.find(kept.fingerprint) is not None
        results = {one.index: one for one in self.results}
        return bool(kept.signatures) and all(
            _matches(signature, results.get(signature.step)) for signature in kept.signatures
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayer:
    """Replays scripts in new environments of a target, until `is_over` returns True."""

    oracle_factory: OracleFactory
    target: Target
    is_over: Callable[[], bool]

    def replay(self, kept: StoredFinding, *, uses_model: bool | None = None, until: str = "") -> Reproduction:
        """Replay a finding's script, with the reference model if it found it or `uses_model`; stop at `until`.

        A request without response, or the time limit, ends the replay.
        """
        environment = self.target.fresh(ENVIRONMENT_PURPOSE)
        contract, router = self.oracle_factory.contract, self.oracle_factory.router
        session = Session(
            contract, environment.client, name_prefix=environment.name_prefix, router=router, is_over=self.is_over
        )
        names = kept.script.names(environment.prefix, environment.base)
        oracle = self.oracle_factory.create(
            environment, uses_model=kept.law == MODEL if uses_model is None else uses_model
        )
        found: dict[str, Finding] = {}
        results: list[ReplayResult] = []
        outline: list[str] = []
        unanswered_steps = 0
        try:
            for one in replay_script(kept.script, names, session):
                results.append(replace(one, names=dict(one.names)))
                if one.exchange is not None:
                    found = {finding.fingerprint: finding for finding in oracle.judge(one.exchange)} | found
                    outline += self._kind(one.exchange, oracle)
                if until in found:
                    break
        except NoAnswerError as error:
            lost = unanswered(session.last_operation, error)
            found.setdefault(lost.fingerprint, lost)
            unanswered_steps = 1
        except DeadlineExceededError:
            pass  # what was found by then counts
        return Reproduction(
            findings=tuple(found.values()),
            results=tuple(results),
            outline=tuple(kind for kind, _ in groupby(outline)),
            done=(results[-1].index + 1 if results else 0) + unanswered_steps,
            contract=self.oracle_factory.contract,
        )

    def _kind(self, exchange: Exchange, oracle: Oracle) -> Iterator[str]:
        """Yield the kind of a request, independent of its operation: bulk with its results, write, look or other."""
        operation, view = self.oracle_factory.contract.operation(exchange.operation or ""), oracle.last_view
        if view is not None and view.exchange is exchange:
            results = {one.result for report in view.reports for one in report.outcomes}
            size = "many" if len(view.request.items) > 1 else "one"
            yield f"{view.kind} {view.request.unit} of {size}: {', '.join(sorted(results))}"
        elif operation is not None and operation.record is not None:
            yield "look" if operation.record.action.constant in READING_ACTIONS else "write"
        else:
            yield "other"


def _matches(signature: ResponseSignature, results: ReplayResult | None) -> bool:
    return (
        results is not None
        and results.exchange is not None
        and matches(signature, results.exchange.response, results.names)
    )
