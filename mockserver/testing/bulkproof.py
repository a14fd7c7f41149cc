"""A sandbox as a test uses it (`Bulkproof`), and the servers behind it (`served`, `connected`, `running`)."""

import gc
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

from contracts.errors import MisuseError
from contracts.syntax.text import names_hint
from mockserver.testing.exchanges import Exchanges, Verdict, exchanges_of, verdict_of
from mockserver.testing.expectations import Expectation, condition
from mockserver.testing.stored_records import StoredRecordReader, StoredRecords, unlike
from mockserver.testing.transports import CONTROL_PATH, ClockControl, LocalTransport, RemoteTransport, Transport, ask

__tracebackhide__ = True
MAX_SHOWN: Final = 20  # exchanges that are searched for a near miss
EXPECTATION: Final = "expectation-"  # and its number: the name of the scenario that it is
EXPECTATION_NAME: Final = re.compile(EXPECTATION + r"[0-9]{1,9}", re.ASCII)


class Bulkproof:
    """One sandbox. Each served API is an attribute: `bulkproof.onkey`, `bulkproof.genero`.

    `url` is the base URL of the sandbox; that of an API is `bulkproof.onkey.url`.
    """

    def __init__(
        self, transport: Transport, sandbox: str, mounts: Mapping[str, str], reader: StoredRecordReader
    ) -> None:
        self.sandbox = sandbox
        self.url = f"{transport.url}/@{sandbox}"
        self.clock = ClockControl(transport, sandbox)
        self._transport, self._mounts, self._reader, self._numbers = transport, mounts, reader, count(1)
        self._expectations: list[Expectation] = []
        self._fired: set[str] = set()

    def __getattr__(self, name: str) -> "Mock":
        """Return the API of that name. Raises AttributeError: it is not served."""
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self.api(name)
        except MisuseError as error:
            raise AttributeError(str(error)) from None

    def api(self, name: str) -> "Mock":
        """Return the API of that name, which need not be an identifier. Raises MisuseError: it is not served."""
        if name not in self._mounts:
            cure = names_hint(name, self._mounts, "Served")
            raise MisuseError(f"no API '{name}' is served, and a sandbox has no such attribute.", cure=cure)
        return Mock(self, self._transport, self._reader, name, self.url + self._mounts[name])

    def expect(
        self, operation: str | Sequence[str] | None = None, *, allow_unused: bool = False, **when: Any
    ) -> Expectation:
        """Return an expectation on requests of an operation of any API; see `Mock.expect`."""
        name, words = f"{EXPECTATION}{next(self._numbers)}", condition({"operation": operation, **when})
        self._expectations.append(Expectation(name, words, self._begin, allow_unused=allow_unused))
        return self._expectations[-1]

    def assert_expectations_fired(self) -> None:
        """Fail unless each expectation has an effect and has fired; those with `allow_unused` need not have fired.

        The fixture does so after each test that has passed.
        """
        if not self._expectations:
            return
        self._note_fired()
        idle = [f"{one!r} has no effect." for one in self._expectations if not one.has_effect]
        unused = [
            f"{one!r} never fired.{self._nearest(one.name)}"
            for one in self._expectations
            if one.is_active and not one.allow_unused and one.name not in self._fired
        ]
        cures = [
            *(["Give it an effect, such as fail, reply or delay."] if idle else []),
            *(["Drop what is not needed, or write expect(..., allow_unused=True)."] if unused else []),
        ]
        if idle or unused:
            raise AssertionError("\n".join([*idle, *unused, *cures]))

    def _note_fired(self) -> None:
        """Remember which expectations have fired: a reset forgets the counts and the exchanges."""
        if self._expectations:
            self._fired |= {one["name"] for one in self._active() if any(rule["used"] for rule in one["rules"])}
            self._fired |= {rule for one in self.exchanges for rule in one.rules}

    def _nearest(self, name: str) -> str:
        """Return how the last request that nearly fitted an expectation did not fit, "" where none did."""
        for exchange in reversed(self.exchanges[-MAX_SHOWN:]):
            for miss in exchange.details["nearMisses"]:
                if miss["scenario"] == name:
                    return f" Request #{exchange.n} did not fit: {'; '.join(one['says'] for one in miss['unmet'])}."
        return ""

    def _active(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask("GET", "scenarios")["scenarios"]
        return found

    def scenario(self, *scenarios: str | Mapping[str, Any] | Path) -> None:
        """Activate scenarios in addition to the active ones: by name, as documents, or from files."""
        self._ask("POST", "scenarios", {"scenarios": [_document(one) for one in scenarios]})

    def bug(self, name: str) -> None:
        """Plant a bug in this sandbox, for every request that no other scenario decides."""
        self.scenario({"name": f"bug-{name}", "rules": [{"then": {"bug": name}}]})

    @property
    def exchanges(self) -> Exchanges:
        """Return the requests and responses, oldest first."""
        return exchanges_of(self._transport, self.sandbox)

    @property
    def jobs(self) -> list[dict[str, Any]]:
        """Return every job with its planned times, as the control API reports them."""
        found: list[dict[str, Any]] = self._ask("GET", "jobs")["jobs"]
        return found

    def verdict(self) -> Verdict:
        """Judge the client by its requests so far."""
        return verdict_of(self._ask("GET", "verdict"), self.exchanges)

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Change settings, if any are given, and return them: `settings(conduct="enforce", genero={"maxItems": 3})`."""
        found: dict[str, Any] = self._ask("PATCH", "settings", changes) if changes else self._ask("GET", "settings")
        return found

    def seed(self, seed: int) -> None:
        """Reset the sandbox with another seed; the active scenarios and expectations start again."""
        self._note_fired()
        active = [_without_use_counts(one) for one in self._active()]
        self._ask("POST", "reset", {"seed": seed})
        self._ask("PUT", "scenarios", {"scenarios": active})

    def load(self, snapshot: str | Path | Mapping[str, Any]) -> None:
        """Give the sandbox the state of a snapshot, a file or a document; what it was before is gone."""
        from mockserver.sandbox.snapshot import read_snapshot  # noqa: PLC0415 - only files need it

        self._note_fired()
        document = snapshot if isinstance(snapshot, Mapping) else read_snapshot(Path(snapshot))
        self._ask("PUT", "snapshot", document)
        names = [one["name"] for one in self._active()]
        taken = [int(name[len(EXPECTATION) :]) for name in names if EXPECTATION_NAME.fullmatch(name)]
        self._numbers = count(max(taken, default=0) + 1)

    def snapshot(self, *, journal: bool = False) -> dict[str, Any]:
        """Return the state of the sandbox as a document, for `load`; with its exchanges if `journal` says so."""
        found: dict[str, Any] = self._ask("GET", f"snapshot?journal={str(journal).lower()}")
        return found

    def reset(self) -> None:
        """Reset state, journal, scenarios, settings and clock."""
        self._note_fired()
        self._ask("POST", "reset")

    def drop(self) -> None:
        """Delete the sandbox, if it exists."""
        self._transport.send("DELETE", f"{CONTROL_PATH}/sandboxes/{self.sandbox}", b"")

    def _begin(self, document: Mapping[str, Any]) -> None:
        self._ask("POST", "scenarios", {"scenarios": [document]})

    def _ask(self, method: str, what: str, body: object = None) -> Any:
        return ask(self._transport, method, f"/sandboxes/{self.sandbox}{f'/{what}' if what else ''}", body)

    def __repr__(self) -> str:
        return f"Bulkproof({self.url})"


class Mock:
    """One API in a sandbox; `url` is its base URL."""

    def __init__(
        self, bulkproof: Bulkproof, transport: Transport, reader: StoredRecordReader, name: str, url: str
    ) -> None:
        self.name, self.url = name, url
        self._bulkproof, self._transport, self._reader = bulkproof, transport, reader

    def expect(
        self, operation: str | Sequence[str] | None = None, *, allow_unused: bool = False, **when: Any
    ) -> Expectation:
        """Return an expectation on requests of one operation or several, None for every one.

        `when` are the other conditions of a scenario's rule: method, path, tenant, client, header, query, body, nth,
        chance, counter. It must fire before the test ends, unless `allow_unused` says otherwise.
        """
        return self._bulkproof.expect(operation, api=self.name, allow_unused=allow_unused, **when)

    def stored(self, kind: str, *, tenant: str | None = None, seeded: bool = False) -> StoredRecords:
        """Return the stored records of a kind, without unchanged records that every fresh sandbox has.

        `tenant` names the tenant or data set; it may be None where only one was used. `seeded` includes the unchanged
        ones.
        """
        entities = self._reader.entities(self._bulkproof.sandbox, self.name, kind, tenant)
        return StoredRecords(kind, entities if seeded else unlike(entities, self._reader.seeds(self.name, kind)))

    def reconcile(
        self, kind: str, records: Sequence[Mapping[str, Any]], *, tenant: str | None = None
    ) -> dict[str, Any]:
        """Compare the client's records with the stored ones; return `lost`, `phantom`, `different`, `same`."""
        where = {} if tenant is None else {"tenant": tenant}
        body = {"api": self.name, "kind": kind, "records": list(records), **where}
        found: dict[str, Any] = ask(self._transport, "POST", f"/sandboxes/{self._bulkproof.sandbox}/reconcile", body)
        return found

    @property
    def exchanges(self) -> Exchanges:
        """Return the requests to this API and their responses, oldest first."""
        return exchanges_of(self._transport, self._bulkproof.sandbox, api=self.name)

    def __repr__(self) -> str:
        return f"Mock({self.url})"


def _document(given: str | Mapping[str, Any] | Path) -> object:
    if not isinstance(given, Path):
        return given
    from contracts.syntax.documents import parse_document, read_text  # noqa: PLC0415 - only files need it

    return parse_document(read_text(given, shown=str(given)), shown=str(given))


def _without_use_counts(listed: Mapping[str, Any]) -> dict[str, Any]:
    rules = [{name: value for name, value in rule.items() if name != "used"} for rule in listed["rules"]]
    return {**listed, "rules": rules}


INVALID_NAME_CHARS: Final = re.compile(r"[^A-Za-z0-9._-]+")
MAX_NAME_CHARS: Final = 40  # characters of a test's name in its sandbox's
_numbers: Final = count(1)


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, and the mount of each API."""

    transport: Transport
    mounts: dict[str, str]
    reader: StoredRecordReader

    def sandbox(self, name: str = "") -> Bulkproof:
        """Return a fresh sandbox with a unique name that begins with `name`."""
        fit = INVALID_NAME_CHARS.sub("-", name).strip("-")[:MAX_NAME_CHARS]
        return Bulkproof(self.transport, f"{fit or 'test'}-{os.getpid()}-{next(_numbers)}", self.mounts, self.reader)


@contextmanager
def served(*apis: str, **options: Any) -> Iterator[Server]:
    """Serve APIs on a free port from a thread of this process; without names, all bundled ones.

    An API is a bundled one, an installed plug-in, or an OpenAPI file. `options` are those of
    `mockserver.http.service.Options`.
    """
    collects = gc.isenabled()
    gc.disable()  # until all is loaded: nothing of it is garbage
    try:
        from mockserver.apis.sources import BUNDLED, find_sources  # noqa: PLC0415 - loading takes a while
        from mockserver.http.lifecycle import in_thread  # noqa: PLC0415 - as above
        from mockserver.http.service import Options  # noqa: PLC0415 - as above

        loaded = [source.load() for source in find_sources(apis or BUNDLED)]
    finally:
        if collects:
            gc.enable()
    with in_thread(loaded, Options(**options)) as running:
        yield _server(LocalTransport(running))


def connected(url: str, *, token: str = "") -> Server:
    """Return a running server by its base URL. Raises MisuseError: no response."""
    return _server(RemoteTransport(url.rstrip("/"), token))


def _server(transport: Transport) -> Server:
    return Server(
        transport,
        {one["name"]: one["mount"].rstrip("/") for one in ask(transport, "GET", "/apis")["apis"]},
        StoredRecordReader(transport),
    )


@contextmanager
def running(*apis: str, **options: Any) -> Iterator[Bulkproof]:
    """Serve APIs as `served` does, and yield a sandbox; at the end its expectations must have fired."""
    with served(*apis, **options) as server:
        bulkproof = server.sandbox()
        yield bulkproof
        bulkproof.assert_expectations_fired()
