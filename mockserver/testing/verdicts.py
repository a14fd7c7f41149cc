"""The verdict on a test's client, as assertions."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from contracts.names import did_you_mean
from mockserver.testing.exchanges import Exchanges

Status: TypeAlias = Literal["kept", "broken", "not-exercised"]


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
    def kept(self) -> set[str]:
        """Return the laws that were kept."""
        return self._with("kept")

    @property
    def broken(self) -> set[str]:
        """Return the laws that were broken."""
        return self._with("broken")

    @property
    def not_exercised(self) -> set[str]:
        """Return the laws that there was no occasion to break."""
        return self._with("not-exercised")

    def assert_kept(self, *laws: str, api: str = "") -> None:
        """Fail unless there was occasion to break each of these laws, and none was.

        Without a name: unless no law at all was broken. `api` is asked for where several have a law of that name.
        """
        __tracebackhide__ = True
        for law in laws:
            self._assert(law, "kept", api)
        if not laws and self.broken:
            raise AssertionError(self._told([one for one in self.laws if one.status == "broken"]))

    def assert_broken(self, *laws: str, api: str = "") -> None:
        """Fail unless each of these laws was broken: for tests of tests."""
        __tracebackhide__ = True
        for law in laws:
            self._assert(law, "broken", api)

    def _assert(self, law: str, wanted: Status, api: str) -> None:
        __tracebackhide__ = True
        found = self._found(law, api)
        words = {one.status for one in found}
        if wanted not in words or (wanted == "kept" and "broken" in words):
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
        yield f"{one.api}: {one.id} is {one.status.replace('-', ' ')}: {one.detail}\n({one.says})"
        yield from (str(exchange) for exchange in self.exchanges if exchange.n in one.evidence)

    def __repr__(self) -> str:
        width = max((len(one.id) for one in self.laws), default=0)
        return "\n".join(f"{one.status:<14} {one.id:<{width}} {one.api}" for one in self.laws)


def verdict_of(told: dict[str, Any], exchanges: Exchanges) -> Verdict:
    """Return what the control API told as a value."""
    laws = tuple(Ruling(**{**one, "evidence": tuple(one["evidence"])}) for one in told["laws"])
    return Verdict(laws, exchanges)
