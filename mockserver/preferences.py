"""What a call itself asks for: `Prefer: scenario=NAME` and Prism's `code`, `example`, `dynamic`, `seed`."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from contracts.messages import Call
from mockserver.turn import Refusal

NAMES: Final = ("scenario", "code", "example", "dynamic", "seed")
MARK: Final = "__"  # before a name in the query: Prism's other way
PART: Final = re.compile(r'\s*([A-Za-z0-9_-]+)\s*(?:=\s*(?:"([^"]*)"|([^,;"]*)))?[^,;]*(?:[,;]|$)')
LEAST: Final = 200
MOST: Final = 599


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """What a call prefers; "" and None where it says nothing."""

    scenario: str = ""
    code: int | None = None
    example: str = ""
    dynamic: bool = False
    seed: int | None = None

    @property
    def replaces(self) -> bool:
        """Tell whether the call asks for an answer that is not its own."""
        return self.code is not None or self.example != "" or self.dynamic

    @property
    def applied(self) -> tuple[str, ...]:
        """Return how the answer that was asked for is told in `Preference-Applied`."""
        said = {"code": self.code, "example": self.example or None, "dynamic": "true" if self.dynamic else None}
        return tuple(f"{name}={value}" for name, value in {**said, "seed": self.seed}.items() if value is not None)


NONE: Final = Preferences()


def may_prefer(call: Call) -> bool:
    """Tell whether a call may have preferences; most have not."""
    return "Prefer" in call.headers or (call.query != () and any(name.startswith(MARK) for name, _ in call.query))


def preferences(call: Call) -> Preferences | Refusal:
    """Return what a call prefers, or why that cannot be understood; a header that says something hides the query."""
    given = _of_header(call.headers.get_all("Prefer")) or _of_query(call.query)
    if not given:
        return NONE
    for name, (pattern, wanted) in FORMS.items():
        if name in given and not re.fullmatch(pattern, given[name]):
            return Refusal(status=400, kind="invalid", detail=f"{name} must be {wanted}; got '{given[name][:80]}'.")
    return Preferences(
        scenario=given.get("scenario", ""),
        code=int(given["code"]) if "code" in given else None,
        example=given.get("example", ""),
        dynamic=given.get("dynamic") == "true",
        seed=int(given["seed"]) if "seed" in given else None,
    )


def _of_header(values: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for value in values:
        for name, quoted, plain in PART.findall(value):
            if name.lower() in NAMES:
                found.setdefault(name.lower(), quoted or plain.strip())
    return found


def _of_query(query: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in query:
        if name.removeprefix(MARK) in NAMES and name.startswith(MARK):
            found.setdefault(name.removeprefix(MARK), value)
    return found


FORMS: Final[Mapping[str, tuple[str, str]]] = {
    "scenario": (r".+", "the name of a scenario"),
    "code": (r"[2-5][0-9]{2}", f"a status from {LEAST} to {MOST}"),
    "example": (r".+", "the name of an example"),
    "dynamic": (r"true|false", "true or false"),
    "seed": (r"-?[0-9]{1,18}", "a whole number"),
}
