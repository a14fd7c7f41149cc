"""What a test's client sent and was answered, and how that is shown in an assertion's message."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, overload

import orjson

from contracts.texts import clipped
from mockserver.testing.doors import Door, ask

PAGE: Final = 1000  # exchanges that are fetched at a time
BODY: Final = 600  # characters of a body that are shown
MANY: Final = 20  # exchanges, and items of one, that are shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One call with its answer, as the journal has it; what is not in the journal's list is fetched when asked for.

    `done`, `failed` and `not_run` count the items, `violations` the faults in call and reply; `rules` names the
    scenarios that decided and, as `bug:NAME`, the planted bugs that made a difference.
    """

    n: int
    at: datetime
    api: str
    operation: str | None
    method: str
    path: str
    status: int
    tenant: str
    client: str
    done: int
    failed: int
    not_run: int
    violations: int
    rules: tuple[str, ...]
    _door: Door = field(repr=False, compare=False)
    _sandbox: str = field(repr=False, compare=False)

    @property
    def details(self) -> dict[str, Any]:
        """Return the whole exchange as `GET /_sandbox/sandboxes/{s}/exchanges/{n}` tells it."""
        found: dict[str, Any] = ask(self._door, "GET", f"/sandboxes/{self._sandbox}/exchanges/{self.n}")
        return found

    @property
    def call(self) -> Any:
        """Return the JSON value, or the text, of the call's body; None when there was none."""
        return self.details["call"].get("body")

    @property
    def reply(self) -> Any:
        """Return the JSON value, or the text, of the answer's body; None when there was none."""
        return self.details["reply"].get("body")

    @property
    def outcomes(self) -> dict[Any, str]:
        """Return what became of each item by its key: `done`, `failed` or `not-run`."""
        return {one["key"]: one["result"] for one in self.details["outcomes"]}

    @property
    def head(self) -> str:
        """Return the exchange in one line."""
        counts = {"done": self.done, "failed": self.failed, "not run": self.not_run}
        items = ", ".join(f"{number} {word}" for word, number in counts.items() if number)
        rules = f"  [{', '.join(self.rules)}]" if self.rules else ""
        return f"#{self.n} {self.method} {self.path} -> {self.status}{f'  ({items})' if items else ''}{rules}"

    def __str__(self) -> str:
        details = self.details
        lines = [self.head, *_message(">", details["call"]), *_message("<", details["reply"])]
        failed = [one for one in details["outcomes"] if one["result"] != "done"]
        lines += [f"  item {one['key']}: {one['result']}, {one['error']}" for one in failed[:MANY]]
        lines += [f"  violation: {_violation(one)}" for one in details["violations"][:MANY]]
        lines += [f"  near miss: {_near_miss(one)}" for one in details["nearMisses"]]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Exchanges(Sequence[Exchange]):
    """Exchanges in the order in which they were made."""

    every: tuple[Exchange, ...]

    def of(self, operation: str) -> "Exchanges":
        """Return those of one operationId."""
        return Exchanges(tuple(one for one in self.every if one.operation == operation))

    @property
    def last(self) -> Exchange:
        """Return the newest one. Raises IndexError when there is none."""
        return self.every[-1]

    @overload
    def __getitem__(self, place: int) -> Exchange: ...
    @overload
    def __getitem__(self, place: slice) -> "Exchanges": ...
    def __getitem__(self, place: int | slice) -> "Exchange | Exchanges":
        return Exchanges(self.every[place]) if isinstance(place, slice) else self.every[place]

    def __len__(self) -> int:
        return len(self.every)

    def __iter__(self) -> Iterator[Exchange]:
        return iter(self.every)

    def __repr__(self) -> str:
        return "\n".join(one.head for one in self.every) or "no exchanges"


def exchanges_of(door: Door, sandbox: str, *, api: str = "") -> Exchanges:
    """Return what a sandbox's journal has, of one API or of all."""
    found: list[Exchange] = []
    after = 0
    while True:
        page = ask(door, "GET", f"/sandboxes/{sandbox}/exchanges?after={after}&limit={PAGE}")
        found += (_exchange(door, sandbox, one) for one in page["exchanges"] if api in {"", one["api"]})
        if len(page["exchanges"]) < PAGE:
            return Exchanges(tuple(found))
        after = page["next"]


def _exchange(door: Door, sandbox: str, told: dict[str, Any]) -> Exchange:
    names = ("n", "api", "operation", "method", "path", "status", "tenant", "client", "violations")
    outcomes = told["outcomes"]
    return Exchange(
        **{name: told[name] for name in names},
        at=datetime.fromisoformat(told["at"]),
        done=outcomes["done"],
        failed=outcomes["failed"],
        not_run=outcomes["notRun"],
        rules=tuple(told["rules"]),
        _door=door,
        _sandbox=sandbox,
    )


def _message(mark: str, message: dict[str, Any]) -> Iterator[str]:
    if "body" in message:
        body = message["body"]
        yield f"  {mark} {clipped(body if isinstance(body, str) else orjson.dumps(body).decode(), BODY)}"
    elif "bodyDigest" in message:
        digest = message["bodyDigest"]
        yield f"  {mark} {clipped(digest['head'], BODY)} ({digest['bytes']} bytes)"


def _violation(one: dict[str, Any]) -> str:
    hint = f" {one['hint']}" if one.get("hint") else ""
    return f"{one['side']} {one['pointer']}: {one['rule']}: expected {one['expected']}, got {one['got']}.{hint}"


def _near_miss(one: dict[str, Any]) -> str:
    unmet = "; ".join(f"{part['field']}: wanted {part['wanted']}, got {part['got']}" for part in one["unmet"])
    return f"rule {one['rule']} of '{one['scenario']}' did not fit: {unmet}"
