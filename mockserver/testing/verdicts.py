"""The verdict on a test's client, as assertions."""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, TypeAlias, TypeVar

from contracts.names import did_you_mean
from mockserver.conduct.verdict import in_current_words
from mockserver.testing.exchanges import Exchanges

Status: TypeAlias = Literal["passed", "failed", "not-run"]
T = TypeVar("T")
STATUS_WORDS: Final[Mapping[Status, str]] = {"passed": "passed", "failed": "failed", "not-run": "was not run"}


class Ruling(NamedTuple):
    """What was found of one law; `evidence` are numbers of exchanges."""

    id: str
    api: str
    says: str
    status: Status
    evidence: tuple[int, ...]
    detail: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The laws of client conduct, and what each found in the journal."""

    laws: tuple[Ruling, ...]
    exchanges: Exchanges

    @property
    def passed(self) -> set[str]:
        """Return the ids of the laws that passed."""
        return self._with("passed")

    @property
    def failed(self) -> set[str]:
        """Return the ids of the laws that failed."""
        return self._with("failed")

    @property
    def not_run(self) -> set[str]:
        """Return the ids of the laws that no exchange in the journal applies to."""
        return self._with("not-run")

    def assert_passed(self, *laws: str, api: str = "") -> None:
        """Fail unless each of these laws has passed; a law that was not run has not.

        Without a name: fail when any law failed. `api` chooses one where several have a law of that name.
        """
        __tracebackhide__ = True
        for law in laws:
            self._assert(law, "passed", api)
        if not laws and self.failed:
            raise AssertionError(self._told([one for one in self.laws if one.status == "failed"]))

    def assert_failed(self, *laws: str, api: str = "") -> None:
        """Fail unless each of these laws has failed: for tests of tests."""
        __tracebackhide__ = True
        for law in laws:
            self._assert(law, "failed", api)

    @property
    def kept(self) -> set[str]:
        """Return `passed`. Deprecated: the name will go in 1.0."""
        return _renamed("kept", "passed", self.passed)

    @property
    def broken(self) -> set[str]:
        """Return `failed`. Deprecated: the name will go in 1.0."""
        return _renamed("broken", "failed", self.failed)

    @property
    def not_exercised(self) -> set[str]:
        """Return `not_run`. Deprecated: the name will go in 1.0."""
        return _renamed("not_exercised", "not_run", self.not_run)

    def assert_kept(self, *laws: str, api: str = "") -> None:
        """Do as `assert_passed`. Deprecated: the name will go in 1.0."""
        __tracebackhide__ = True
        _renamed("assert_kept", "assert_passed", self.assert_passed)(*laws, api=api)

    def assert_broken(self, *laws: str, api: str = "") -> None:
        """Do as `assert_failed`. Deprecated: the name will go in 1.0."""
        __tracebackhide__ = True
        _renamed("assert_broken", "assert_failed", self.assert_failed)(*laws, api=api)

    def _assert(self, law: str, wanted: Status, api: str) -> None:
        __tracebackhide__ = True
        found = self._found(law, api)
        words = {one.status for one in found}
        if wanted not in words or (wanted == "passed" and "failed" in words):
            raise AssertionError(self._told(found))

    def _found(self, law: str, api: str) -> list[Ruling]:
        __tracebackhide__ = True
        found = [one for one in self.laws if one.id == law and api in {"", one.api}]
        if not found:
            known = {one.id for one in self.laws}
            hint = did_you_mean(law, known) or f"There are {', '.join(sorted(known))}."
            raise AssertionError(f"There is no law '{law}' here. {hint}")
        return found

    def _with(self, status: Status) -> set[str]:
        return {one.id for one in self.laws if one.status == status}

    def _told(self, rulings: list[Ruling]) -> str:
        """Return what was found with the exchanges that show it, of APIs that were called if there are any."""
        called = {"any", *(one.api for one in self.exchanges)}
        shown = [one for one in rulings if one.api in called] or rulings
        return "\n\n".join(part for one in shown for part in self._parts(one))

    def _parts(self, one: Ruling) -> Iterator[str]:
        yield f"{one.api}: {one.id} {STATUS_WORDS[one.status]}: {one.detail}\n({one.says})"
        yield from (str(exchange) for exchange in self.exchanges if exchange.n in one.evidence)

    def __repr__(self) -> str:
        width = max((len(one.id) for one in self.laws), default=0)
        return "\n".join(f"{one.status:<14} {one.id:<{width}} {one.api}" for one in self.laws)


def _renamed(old: str, new: str, value: T) -> T:
    """Return the value, with a DeprecationWarning at the caller's caller."""
    warnings.warn(f"Verdict.{old} is now Verdict.{new}; the old name will go in 1.0.", DeprecationWarning, stacklevel=3)
    return value


def verdict_of(told: dict[str, Any], exchanges: Exchanges) -> Verdict:
    """Return the verdict that the control API sent as a value."""
    rulings = in_current_words(told)["laws"]
    laws = tuple(Ruling(**{**one, "evidence": tuple(one["evidence"])}) for one in rulings)
    return Verdict(laws, exchanges)
