"""Expectations: a bad day in a line, written down as a scenario and begun at once, beside those that are active."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, Literal, Self, TypeAlias

from contracts.durations import iso

Point: TypeAlias = Literal["before-commit", "during-commit", "after-commit"]
Fault: TypeAlias = Literal[
    "EMPTY_RESPONSE", "MALFORMED_RESPONSE_CHUNK", "RANDOM_DATA_THEN_CLOSE", "CONNECTION_RESET_BY_PEER"
]
Length: TypeAlias = str | timedelta
ALL: Final = {"every": 1}


class Expectation:
    """One rule in the making. It holds from the first effect on; whatever is said later changes it, from its beginning.

    Lengths of time are timedeltas, or texts such as `300ms`, `2s`, `PT5M`.
    """

    def __init__(self, name: str, when: Mapping[str, Any], begin: Callable[[Mapping[str, Any]], object]) -> None:
        self.name = name
        self._rule: dict[str, Any] = {"when": dict(when), "then": {}} if when else {"then": {}}
        self._begin = begin

    @property
    def document(self) -> dict[str, Any]:
        """Return the scenario that it amounts to."""
        return {"name": self.name, "rules": [self._rule]}

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
        """Mean only these items: by members with their values or tests, by key, place, share or number."""
        said = {"where": where, "key": key, "index": index, "every": every, "ratio": ratio, "first": first}
        return self._with(items=_given(said))

    def times(self, number: int) -> Self:
        """Hold for so many calls, then let everything be as ever."""
        return self._with(times=number)

    def fail(self, code: str | None = None, message: str | None = None, *, properties: Sequence[str] = ()) -> Self:
        """Let the items fail, all of them unless `items` says which."""
        said = _given({"code": code, "message": message, "properties": list(properties) or None})
        return self._of_items(fail=said)

    def lose(self) -> Self:
        """Answer the items as done, and do not apply them."""
        return self._of_items(lose=True)

    def skip(self) -> Self:
        """Apply the items, and do not mention them."""
        return self._of_items(skip=True)

    def job(
        self,
        *,
        duration: Length | None = None,
        never_ends: bool = False,
        progress: Literal["at-end", "linear", "stepped"] | None = None,
        errors: Mapping[str, str] | None = None,
        gone_after: Length | None = None,
    ) -> Self:
        """Change the job that the call makes: its length, its progress, the errors of items by key, its end."""
        lengths = {"duration": duration, "gone-after": gone_after}
        said = {"never-ends": never_ends or None, "progress": progress, "errors": errors}
        return self._then(**_given({**said, **{name: _length(value) for name, value in lengths.items()}}))

    def tenants(self, *, unknown: Sequence[str] = (), problems: Mapping[str, str] | None = None) -> Self:
        """Let tenants be unknown, or have a problem; `*` is every one."""
        return self._then(**_given({"unknown-tenants": list(unknown) or None, "tenant-problems": problems}))

    def reply(
        self,
        status: int | None = None,
        body: Any = None,
        *,
        headers: Mapping[str, str | int] | None = None,
        example: str | None = None,
        generate: bool = False,
        at: Point | None = None,
    ) -> Self:
        """Answer this in the place of carrying the call out; `at="after-commit"` carries it out all the same."""
        said = {"status": status, "body": body, "headers": headers, "example": example, "generate": generate or None}
        return self._then(**_given({**said, "at": at}))

    def delay(self, length: Length | Mapping[str, Any], *, on_clock: bool = False, at: Point | None = None) -> Self:
        """Let the call take longer; `on_clock` in the sandbox's time."""
        return self._then(**_given({"delay": _length(length), "on": "clock" if on_clock else None, "at": at}))

    def timeout(self, *, at: Point | None = None) -> Self:
        """Do not answer until the client gives up."""
        return self._then(**_given({"timeout": True, "at": at}))

    def fault(self, fault: Fault, *, at: Point | None = None) -> Self:
        """Break the connection, in one of WireMock's ways."""
        return self._then(**_given({"fault": fault, "at": at}))

    def truncate(self, share: float, *, at: Point | None = None) -> Self:
        """Send a share of the answer, then close the connection."""
        return self._then(**_given({"truncate": share, "at": at}))

    def dribble(self, chunks: int, over: timedelta) -> Self:
        """Send the answer in pieces, spread over a time."""
        return self._then(dribble={"chunks": chunks, "over_ms": round(over / timedelta(milliseconds=1))})

    def count(self, name: str) -> Self:
        """Add one to a named counter."""
        return self._then(count=name)

    def bug(self, name: str) -> Self:
        """Let the sandbox have a planted bug in this call."""
        return self._then(bug=name)

    def _of_items(self, **effect: Any) -> Self:
        self._rule.setdefault("items", ALL)
        return self._then(**effect)

    def _then(self, **effect: Any) -> Self:
        return self._with(then={**self._rule["then"], **effect})

    def _with(self, **words: Any) -> Self:
        self._rule = {**self._rule, **words}
        if self._rule["then"]:
            self._begin(self.document)
        return self

    def __repr__(self) -> str:
        return f"Expectation({self._rule})"


def condition(words: Mapping[str, Any]) -> dict[str, Any]:
    """Return a condition on calls: the words that are given."""
    return _given(words)


def _given(words: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in words.items() if value is not None}


def _length(length: Any) -> Any:
    return iso(length) if isinstance(length, timedelta) else length
