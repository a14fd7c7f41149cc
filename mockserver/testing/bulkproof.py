"""A sandbox as a test sees it: its APIs by name, its clock, its scenarios, its journal, its verdict."""

from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from contracts.errors import MisuseError
from contracts.names import did_you_mean
from mockserver.testing.clocks import Clock
from mockserver.testing.doors import CONTROL, Door, ask
from mockserver.testing.exchanges import Exchanges, exchanges_of
from mockserver.testing.expecting import Expectation, condition
from mockserver.testing.stored import Shelves, Stored, unlike
from mockserver.testing.verdicts import Verdict, verdict_of


class Bulkproof:
    """One sandbox. Each API that is served is an attribute: `bulkproof.onkey`, `bulkproof.genero`.

    `url` is what stands before the path of every call to it.
    """

    def __init__(self, door: Door, sandbox: str, mounts: Mapping[str, str], shelves: Shelves) -> None:
        self.sandbox = sandbox
        self.url = f"{door.url}/@{sandbox}"
        self.clock = Clock(door, sandbox)
        self._door, self._mounts, self._shelves, self._numbers = door, mounts, shelves, count(1)

    def __getattr__(self, name: str) -> "Mock":
        """Return the API of that name."""
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self.api(name)
        except MisuseError as error:
            raise AttributeError(str(error)) from None

    def api(self, name: str) -> "Mock":
        """Return the API of that name, whatever signs are in it. Raises MisuseError: it is not served."""
        if name not in self._mounts:
            cure = did_you_mean(name, self._mounts) or f"Served: {', '.join(self._mounts)}."
            raise MisuseError(f"no API '{name}' is served, and a sandbox has no such attribute.", cure=cure)
        return Mock(self, self._door, self._shelves, name, self.url + self._mounts[name])

    def expect(self, operation: str | Sequence[str] | None = None, **when: Any) -> Expectation:
        """Say what is to happen to calls of an operation; see `Mock.expect`."""
        return Expectation(
            f"expectation-{next(self._numbers)}", condition({"operation": operation, **when}), self._begin
        )

    def scenario(self, *scenarios: str | Mapping[str, Any] | Path) -> None:
        """Begin scenarios beside those that are active: by name, as documents, or from files."""
        self._ask("POST", "scenarios", {"scenarios": [_document(one) for one in scenarios]})

    def bug(self, name: str) -> None:
        """Plant a bug in this sandbox, in every call that no other scenario decides."""
        self.scenario({"name": f"bug-{name}", "rules": [{"then": {"bug": name}}]})

    @property
    def exchanges(self) -> Exchanges:
        """Return what was called and answered, oldest first."""
        return exchanges_of(self._door, self.sandbox)

    @property
    def jobs(self) -> list[dict[str, Any]]:
        """Return every job with its plan, as the control API tells them."""
        found: list[dict[str, Any]] = self._ask("GET", "jobs")["jobs"]
        return found

    def verdict(self) -> Verdict:
        """Judge the client by what it did so far."""
        return verdict_of(self._ask("GET", "verdict"), self.exchanges)

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Return the settings, changed first: `settings(conduct="enforce", genero={"maxItems": 3})`."""
        found: dict[str, Any] = self._ask("PATCH", "settings", changes) if changes else self._ask("GET", "settings")
        return found

    def seed(self, seed: int) -> None:
        """Begin anew with another seed; scenarios and expectations begin anew as well, everything else is gone."""
        active = [_unplayed(one) for one in self._ask("GET", "scenarios")["scenarios"]]
        self._ask("POST", "reset", {"seed": seed})
        self._ask("PUT", "scenarios", {"scenarios": active})

    def reset(self) -> None:
        """Begin anew: state, journal, scenarios, settings and clock."""
        self._ask("POST", "reset")

    def drop(self) -> None:
        """Let the server forget the sandbox; it need not have been used."""
        self._door.send("DELETE", f"{CONTROL}/sandboxes/{self.sandbox}", b"")

    def _begin(self, document: Mapping[str, Any]) -> None:
        self._ask("POST", "scenarios", {"scenarios": [document]})

    def _ask(self, method: str, what: str, body: object = None) -> Any:
        return ask(self._door, method, f"/sandboxes/{self.sandbox}{f'/{what}' if what else ''}", body)

    def __repr__(self) -> str:
        return f"Bulkproof({self.url})"


class Mock:
    """One API in a sandbox; `url` is its base URL."""

    def __init__(self, bulkproof: Bulkproof, door: Door, shelves: Shelves, name: str, url: str) -> None:
        self.name, self.url = name, url
        self._bulkproof, self._door, self._shelves = bulkproof, door, shelves

    def expect(self, operation: str | Sequence[str] | None = None, **when: Any) -> Expectation:
        """Say what is to happen to calls of an operation, or of every one.

        `when` are the other words of a scenario's condition: method, path, tenant, client, header, query, body, nth,
        chance, counter.
        """
        return self._bulkproof.expect(operation, api=self.name, **when)

    def stored(self, kind: str, *, tenant: str | None = None, seeded: bool = False) -> Stored:
        """Return the records of a kind that are stored, those aside that every fresh sandbox has unless they changed.

        `tenant` names the tenant or data set, and may be left out where only one was used. `seeded` shows all.
        """
        entities = self._shelves.entities(self._bulkproof.sandbox, self.name, kind, tenant)
        return Stored(kind, entities if seeded else unlike(entities, self._shelves.seeds(self.name, kind)))

    def reconcile(
        self, kind: str, records: Sequence[Mapping[str, Any]], *, tenant: str | None = None
    ) -> dict[str, Any]:
        """Compare what the client believes to be stored with what is: `lost`, `phantom`, `different`, `same`."""
        where = {} if tenant is None else {"tenant": tenant}
        body = {"api": self.name, "kind": kind, "records": list(records), **where}
        found: dict[str, Any] = ask(self._door, "POST", f"/sandboxes/{self._bulkproof.sandbox}/reconcile", body)
        return found

    @property
    def exchanges(self) -> Exchanges:
        """Return what was called of this API and answered, oldest first."""
        return exchanges_of(self._door, self._bulkproof.sandbox, api=self.name)

    def __repr__(self) -> str:
        return f"Mock({self.url})"


def _document(given: str | Mapping[str, Any] | Path) -> object:
    if not isinstance(given, Path):
        return given
    from contracts.reading import parse_document, read_text  # noqa: PLC0415 - only files need it

    return parse_document(read_text(given, shown=str(given)), shown=str(given))


def _unplayed(told: Mapping[str, Any]) -> dict[str, Any]:
    rules = [{name: value for name, value in rule.items() if name != "used"} for rule in told["rules"]]
    return {**told, "rules": rules}
