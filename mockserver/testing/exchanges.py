"""Exchanges of a test's client (`Exchanges`), and the verdict on them (`Verdict`), for assertions."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, TypeAlias, TypeVar, overload

import orjson

from contracts.syntax.text import clipped, names_hint
from mockserver.journal.delivery import Delivery
from mockserver.testing.transports import Transport, ask
from mockserver.verdicts.verdict import with_current_names

__tracebackhide__ = True
PAGE_SIZE: Final = 1000  # exchanges that are fetched at a time
NOTHING_EXERCISED: Final = "No law was exercised: nothing is known of the client's conduct."
MAX_BODY_CHARS: Final = 600  # characters of a body that are shown
MAX_SHOWN: Final = 20  # exchanges, and items of one, that are shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request with its response, from the journal; members that the journal's list lacks are fetched on access.

    `done`, `failed` and `not_run` count the items, `violations` those of the contract in request and response; `rules`
    names the scenarios that decided and, as `bug:NAME`, the planted bugs that changed the response. `status` is that of
    the response as it was meant, `delivery` what the client got of it.
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
    delivery: Delivery
    _transport: Transport = field(repr=False, compare=False)
    _sandbox: str = field(repr=False, compare=False)

    @property
    def details(self) -> dict[str, Any]:
        """Return the exchange as `GET /_sandbox/sandboxes/{s}/exchanges/{n}` does."""
        found: dict[str, Any] = ask(self._transport, "GET", f"/sandboxes/{self._sandbox}/exchanges/{self.n}")
        return found

    @property
    def request(self) -> Any:
        """Return the request's body, JSON or text; None without one."""
        return self.details["call"].get("body")

    @property
    def response(self) -> Any:
        """Return the response's body, JSON or text; None without one."""
        return self.details["reply"].get("body")

    @property
    def call(self) -> Any:
        """Return what `request` returns: the former name."""
        return _renamed("Exchange.call", "Exchange.request", self.request)

    @property
    def reply(self) -> Any:
        """Return what `response` returns: the former name."""
        return _renamed("Exchange.reply", "Exchange.response", self.response)

    @property
    def outcomes(self) -> dict[Any, str]:
        """Return the result of each item by its key: `done`, `failed` or `not-run`."""
        return {one["key"]: one["result"] for one in self.details["outcomes"]}

    @property
    def head(self) -> str:
        """Return the exchange in one line."""
        counts = {"done": self.done, "failed": self.failed, "not run": self.not_run}
        items = ", ".join(f"{number} {word}" for word, number in counts.items() if number)
        rules = f"  [{', '.join(self.rules)}]" if self.rules else ""
        got = self.delivery.words
        answer = f"{got} (meant: {self.status})" if got else str(self.status)
        return f"#{self.n} {self.method} {self.path} -> {answer}{f'  ({items})' if items else ''}{rules}"

    def __str__(self) -> str:
        details = self.details
        came = "<" if self.delivery.is_whole else "< not received:"
        lines = [self.head, *_message(">", details["call"]), *_message(came, details["reply"])]
        lines += _failed_items(details["items"])
        lines += [f"  violation: {_violation(one)}" for one in details["violations"][:MAX_SHOWN]]
        lines += [f"  near miss: {_near_miss(one)}" for one in details["nearMisses"]]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Exchanges(Sequence[Exchange]):
    """Exchanges in the order of their requests."""

    every: tuple[Exchange, ...]

    def of(self, operation: str) -> "Exchanges":
        """Return the exchanges of one operationId."""
        return Exchanges(tuple(one for one in self.every if one.operation == operation))

    @property
    def last(self) -> Exchange:
        """Return the newest exchange. Raises IndexError when there is none."""
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


def exchanges_of(transport: Transport, sandbox: str, *, api: str = "") -> Exchanges:
    """Return the exchanges in a sandbox's journal, of one API or of all."""
    found: list[Exchange] = []
    after = 0
    while True:
        page = ask(transport, "GET", f"/sandboxes/{sandbox}/exchanges?after={after}&limit={PAGE_SIZE}")
        found += (_exchange(transport, sandbox, one) for one in page["exchanges"] if api in {"", one["api"]})
        if len(page["exchanges"]) < PAGE_SIZE:
            return Exchanges(tuple(found))
        after = page["next"]


def _exchange(transport: Transport, sandbox: str, body: dict[str, Any]) -> Exchange:
    names = ("n", "api", "operation", "method", "path", "status", "tenant", "client", "violations")
    outcomes = body["outcomes"]
    return Exchange(
        **{name: body[name] for name in names},
        at=datetime.fromisoformat(body["at"]),
        done=outcomes["done"],
        failed=outcomes["failed"],
        not_run=outcomes["notRun"],
        rules=tuple(body["rules"]),
        delivery=Delivery(body["delivery"]["fate"], body["delivery"].get("bytes")),
        _transport=transport,
        _sandbox=sandbox,
    )


def _message(mark: str, message: dict[str, Any]) -> Iterator[str]:
    if "body" in message:
        body = message["body"]
        yield f"  {mark} {clipped(body if isinstance(body, str) else orjson.dumps(body).decode(), MAX_BODY_CHARS)}"
    elif "bodyDigest" in message:
        digest = message["bodyDigest"]
        yield f"  {mark} {clipped(digest['head'], MAX_BODY_CHARS)} ({digest['bytes']} bytes)"


def _failed_items(items: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a line for each item that failed or was not run, one for all of them where none was, for one reason."""
    failed = [one for one in items if one["result"] in {"failed", "not-run"}]
    reasons = {(one["result"], one["error"]) for one in failed}
    if len(reasons) == 1 and len(failed) == len(items) and ("not-run", failed[0]["error"]) in reasons:
        yield f"  no item was run: {failed[0]['error']}"
        return
    yield from (f"  item {one['key']}: {one['result']}, {one['error']}" for one in failed[:MAX_SHOWN])


def _violation(one: dict[str, Any]) -> str:
    hint = f" {one['hint']}" if one.get("hint") else ""
    return f"{one['side']} {one['pointer']}: {one['rule']}: expected {one['expected']}, got {one['got']}.{hint}"


def _near_miss(one: dict[str, Any]) -> str:
    unmet = "; ".join(part["says"] for part in one["unmet"])
    return f"rule {one['rule']} of '{one['scenario']}' did not fit: {unmet}"


Status: TypeAlias = Literal["passed", "failed", "not-run"]
Value = TypeVar("Value")
STATUS_WORDS: Final[Mapping[Status, str]] = {"passed": "passed", "failed": "failed", "not-run": "was not run"}


class Ruling(NamedTuple):
    """The result of one law; `evidence` are numbers of exchanges."""

    id: str
    api: str
    says: str
    status: Status
    evidence: tuple[int, ...]
    detail: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The results of the laws of client conduct."""

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
        """Return the ids of the laws that no exchange exercised."""
        return self._with("not-run")

    def assert_passed(self, *laws: str, api: str = "") -> None:
        """Fail unless each of these laws has passed; one that was not run has not.

        Without a name: fail when any law failed, and warn when none was exercised. `api` selects one where several
        APIs have a law of that name.
        """
        for law in laws:
            self._assert(law, "passed", api)
        if not laws and self.failed:
            raise AssertionError(self._explanation([one for one in self.laws if one.status == "failed"]))
        if not laws and not self.passed:
            warnings.warn(f"{NOTHING_EXERCISED} Name the laws that must pass.", stacklevel=2)

    def assert_failed(self, *laws: str, api: str = "") -> None:
        """Fail unless each of these laws has failed."""
        for law in laws:
            self._assert(law, "failed", api)

    @property
    def kept(self) -> set[str]:
        """Return `passed`. Deprecated: the name will go in 1.0."""
        return _renamed("Verdict.kept", "Verdict.passed", self.passed)

    @property
    def broken(self) -> set[str]:
        """Return `failed`. Deprecated: the name will go in 1.0."""
        return _renamed("Verdict.broken", "Verdict.failed", self.failed)

    @property
    def not_exercised(self) -> set[str]:
        """Return `not_run`. Deprecated: the name will go in 1.0."""
        return _renamed("Verdict.not_exercised", "Verdict.not_run", self.not_run)

    def assert_kept(self, *laws: str, api: str = "") -> None:
        """Do as `assert_passed`. Deprecated: the name will go in 1.0."""
        _renamed("Verdict.assert_kept", "Verdict.assert_passed", self.assert_passed)(*laws, api=api)

    def assert_broken(self, *laws: str, api: str = "") -> None:
        """Do as `assert_failed`. Deprecated: the name will go in 1.0."""
        _renamed("Verdict.assert_broken", "Verdict.assert_failed", self.assert_failed)(*laws, api=api)

    def _assert(self, law: str, wanted: Status, api: str) -> None:
        found = self._found(law, api)
        words = {one.status for one in found}
        if wanted not in words or (wanted == "passed" and "failed" in words):
            raise AssertionError(self._explanation(found))

    def _found(self, law: str, api: str) -> list[Ruling]:
        found = [one for one in self.laws if one.id == law and api in {"", one.api}]
        if not found:
            known = {one.id for one in self.laws}
            hint = names_hint(law, sorted(known))
            raise AssertionError(f"There is no law '{law}' here. {hint}")
        return found

    def _with(self, status: Status) -> set[str]:
        return {one.id for one in self.laws if one.status == status}

    def _explanation(self, rulings: list[Ruling]) -> str:
        """Return results with the exchanges that show them; APIs without requests are left out if others had any."""
        called = {"any", *(one.api for one in self.exchanges)}
        shown = [one for one in rulings if one.api in called] or rulings
        return "\n\n".join(part for one in shown for part in self._parts(one))

    def _parts(self, one: Ruling) -> Iterator[str]:
        yield f"{one.api}: {one.id} {STATUS_WORDS[one.status]}: {one.detail}\n({one.says})"
        yield from (str(exchange) for exchange in self.exchanges if exchange.n in one.evidence)

    def __repr__(self) -> str:
        width = max((len(one.id) for one in self.laws), default=0)
        return "\n".join(f"{one.status:<14} {one.id:<{width}} {one.api}" for one in self.laws)


def _renamed(old: str, new: str, value: Value) -> Value:
    """Return the value, with a DeprecationWarning at the caller's caller."""
    warnings.warn(f"{old} is now {new}; the old name will go in 1.0.", DeprecationWarning, stacklevel=3)
    return value


def verdict_of(body: dict[str, Any], exchanges: Exchanges) -> Verdict:
    """Return the verdict from the body of the control API."""
    rulings = with_current_names(body)["laws"]
    laws = tuple(Ruling(**{**one, "evidence": tuple(one["evidence"])}) for one in rulings)
    return Verdict(laws, exchanges)
