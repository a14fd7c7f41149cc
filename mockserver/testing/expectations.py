"""Expectations (`Expectation`): one rule of a scenario, written as a chain of methods and active at once."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, Literal, Self, TypeAlias

from contracts.errors import MisuseError
from contracts.syntax.text import format_duration, parse_duration

__tracebackhide__ = True

CommitPoint: TypeAlias = Literal["before-commit", "during-commit", "after-commit"]
WireFault: TypeAlias = Literal[
    "EMPTY_RESPONSE", "MALFORMED_RESPONSE_CHUNK", "RANDOM_DATA_THEN_CLOSE", "CONNECTION_RESET_BY_PEER"
]
Duration: TypeAlias = str | timedelta
ALL_ITEMS: Final = {"every": 1}


class Expectation:
    """One rule, active from its first effect on; each further method replaces it, and its counts start again.

    Durations are timedeltas, or texts such as `90s`, `1h30m`, `300ms`, `PT5M`.
    """

    def __init__(
        self,
        name: str,
        when: Mapping[str, Any],
        begin: Callable[[Mapping[str, Any]], object],
        *,
        allow_unused: bool = False,
    ) -> None:
        self.name, self.allow_unused, self.is_active = name, allow_unused, False
        self._rule: dict[str, Any] = {"when": dict(when), "then": {}} if when else {"then": {}}
        self._begin = begin

    @property
    def document(self) -> dict[str, Any]:
        """Return the scenario document."""
        return {"name": self.name, "rules": [self._rule]}

    @property
    def has_effect(self) -> bool:
        """Tell whether it does anything; it is active unless the server has refused it."""
        return bool(self._rule["then"])

    def items(
        self,
        *,
        where: Mapping[str, Any] | None = None,
        key: str | int | Sequence[str | int] | None = None,
        index: int | Sequence[int] | None = None,
        every: int | None = None,
        ratio: float | None = None,
        first: int | None = None,
    ) -> Self:
        """Select items: by members with values or conditions, by key, index, share or number; all without any."""
        members = {"where": where, "key": key, "index": index, "every": every, "ratio": ratio, "first": first}
        return self._with(items=_given(members) or ALL_ITEMS)

    def times(self, number: int) -> Self:
        """Apply to the first `number` requests only."""
        return self._with(times=number)

    def fail(self, code: str | None = None, message: str | None = None, *, properties: Sequence[str] = ()) -> Self:
        """Fail the items that `items` has selected."""
        members = _given({"code": code, "message": message, "properties": list(properties) or None})
        return self._of_items(fail=members)

    def lose(self) -> Self:
        """Report the selected items as done, and do not apply them."""
        return self._of_items(lose=True)

    def skip(self) -> Self:
        """Apply the selected items, and leave them out of the response."""
        return self._of_items(skip=True)

    def job(
        self,
        *,
        duration: Duration | None = None,
        never_ends: bool = False,
        progress: Literal["at-end", "linear", "stepped"] | None = None,
        errors: Mapping[str, str] | None = None,
        gone_after: Duration | None = None,
    ) -> Self:
        """Change the job that the request creates: duration, progress, errors of items by key, lifetime."""
        lengths = {"duration": duration, "gone-after": gone_after}
        members = {"never-ends": never_ends or None, "progress": progress, "errors": errors}
        return self._then(**_given({**members, **{name: _duration_text(value) for name, value in lengths.items()}}))

    def tenants(self, *, unknown: Sequence[str] = (), problems: Mapping[str, str] | None = None) -> Self:
        """Make tenants unknown, or give them a problem; `*` stands for every one."""
        return self._then(**_given({"unknown-tenants": list(unknown) or None, "tenant-problems": problems}))

    def reply(
        self,
        status: int | None = None,
        body: Any = None,
        *,
        headers: Mapping[str, str | int] | None = None,
        example: str | None = None,
        generate: bool = False,
        at: CommitPoint | None = None,
    ) -> Self:
        """Return this response instead of handling the request; with `at="after-commit"` handle it, too."""
        members = {"status": status, "body": body, "headers": headers, "example": example, "generate": generate or None}
        return self._then(**_given({**members, "at": at}))

    def delay(
        self, length: Duration | Mapping[str, Any], *, on_clock: bool = False, at: CommitPoint | None = None
    ) -> Self:
        """Delay the response, in real time, or with `on_clock` in the sandbox's time."""
        return self._then(**_given({"delay": _duration_text(length), "on": "clock" if on_clock else None, "at": at}))

    def timeout(self, *, at: CommitPoint | None = None) -> Self:
        """Send no response until the client disconnects."""
        return self._then(**_given({"timeout": True, "at": at}))

    def fault(self, fault: WireFault, *, at: CommitPoint | None = None) -> Self:
        """Break the connection with one of WireMock's faults."""
        return self._then(**_given({"fault": fault, "at": at}))

    def truncate(self, share: float, *, at: CommitPoint | None = None) -> Self:
        """Send a share (0 to 1) of the body, then close the connection."""
        return self._then(**_given({"truncate": share, "at": at}))

    def dribble(self, chunks: int, over: Duration) -> Self:
        """Send the body in chunks, spread over a time."""
        try:
            length = parse_duration(over) if isinstance(over, str) else over
        except ValueError as error:
            raise MisuseError(str(error)) from None
        return self._then(dribble={"chunks": chunks, "over_ms": round(length / timedelta(milliseconds=1))})

    def count(self, name: str) -> Self:
        """Increment a named counter."""
        return self._then(count=name)

    def bug(self, name: str) -> Self:
        """Apply a planted bug to this request."""
        return self._then(bug=name)

    def _of_items(self, **effect: Any) -> Self:
        if "items" not in self._rule:
            (word,) = effect
            cure = f"Write items(first=3).{word}(...), or items().{word}(...) for all of them."
            raise MisuseError(f"{word}() is about items, and none are selected.", cure=cure)
        return self._then(**effect)

    def _then(self, **effect: Any) -> Self:
        return self._with(then={**self._rule["then"], **effect})

    def _with(self, **words: Any) -> Self:
        self._rule = {**self._rule, **words}
        if self._rule["then"]:
            self.is_active = False
            self._begin(self.document)
            self.is_active = True
        return self

    def __repr__(self) -> str:
        return f"Expectation({self._rule})"


def condition(words: Mapping[str, Any]) -> dict[str, Any]:
    """Return a condition on requests without the members that are None."""
    return _given(words)


def _given(words: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in words.items() if value is not None}


def _duration_text(length: Any) -> Any:
    return format_duration(length) if isinstance(length, timedelta) else length
