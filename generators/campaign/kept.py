"""A finding as it is kept: what was found, how it is made to show, and how sure that is."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, TypeAlias

from contracts.errors import MisuseError
from contracts.messages import ABSENT
from generators.campaign.signs import Sign
from generators.campaign.steps import Asking, Busy, Lesson, Script, Step, Waiting

FORMAT: Final = "bulkproof-finding/1"
ALONE: Final = frozenset(
    ("count", "counts", "coverage", "job-moves", "job-progress", "key", "outcome-order", "response", "status-class")
)
"""Laws and checks that are broken by what one call was answered: that it does not come again takes nothing away."""
Judged: TypeAlias = Literal["laws", "signs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One finding. `judged` says how a replay is judged: by the laws and checks, or by its signs alone.

    `confirmed` is how often it showed when its script was done again, of `tries`; `seconds` is when in the campaign it
    was found, `url` where the API was, with `mount` at its end. `group` names the finding with the same root cause that
    was found first, `cause` what had been found before in the same world. `small` says that its script was made as
    small as it gets; `beside` is what that script shows besides, by law, operation and shape, and `outline` what kind
    of calls it makes. `traits` is what had been learned about the implementation and is needed to judge.
    """

    fingerprint: str
    law: str
    operation: str
    shape: str
    says: str
    contract: str
    script: Script
    signs: tuple[Sign, ...] = ()
    judged: Judged = "laws"
    confirmed: int = 0
    tries: int = 0
    seconds: float = 0.0
    seed: int = 0
    url: str = ""
    mount: str = ""
    group: str = ""
    cause: str = ""
    small: bool = False
    beside: tuple[tuple[str, str, str], ...] = ()
    outline: tuple[str, ...] = ()
    traits: tuple[str, ...] = ()

    @property
    def is_flaky(self) -> bool:
        """Whether it did not show each time that it was tried."""
        return self.confirmed < self.tries

    @property
    def is_doubtful(self) -> bool:
        """Whether it never showed again, and was no more than what other calls have led to believe."""
        return self.tries > 0 and not self.confirmed and self.law not in ALONE


def to_json(kept: Kept) -> dict[str, Any]:
    """Return a finding as its file has it."""
    own = {name: getattr(kept, name) for name in OWN}
    return {
        "format": FORMAT,
        **own,
        "flaky": kept.is_flaky,
        "beside": [list(one) for one in kept.beside],
        "outline": list(kept.outline),
        "traits": list(kept.traits),
        "numbers": dict(kept.script.numbers),
        "steps": [_step_json(step) for step in kept.script.steps],
        "signs": [_lean(asdict(sign)) for sign in kept.signs],
    }


OWN: Final = (
    "fingerprint",
    "law",
    "operation",
    "shape",
    "says",
    "contract",
    "judged",
    "confirmed",
    "tries",
    "seconds",
    "seed",
    "url",
    "mount",
    "group",
    "cause",
    "small",
)


def _lean(value: dict[str, Any]) -> dict[str, Any]:
    return {name: inner for name, inner in value.items() if inner or name in {"step", "headers"}}


def _step_json(step: Step) -> dict[str, Any]:
    if isinstance(step, Waiting):
        return {"wait": step.seconds}
    made: dict[str, Any] = {"operation": step.operation, "method": step.method, "path": list(step.path)}
    made |= {"query": [list(one) for one in step.query]} if step.query else {}
    made |= {"headers": [list(one) for one in step.headers]} if step.headers else {}
    made |= {"json": step.data} if step.data is not ABSENT else {}
    made |= {"text": step.raw.decode("latin-1")} if step.raw else {}
    made |= {"busy": {**_lesson_json(step.busy.at), "words": list(step.busy.words)}} if step.busy is not None else {}
    return made | ({"learn": [_lesson_json(one) for one in step.lessons]} if step.lessons else {})


def _lesson_json(lesson: Lesson) -> dict[str, Any]:
    made: dict[str, Any] = {"name": lesson.name}
    made |= {"header": lesson.header} if lesson.header else {"path": list(lesson.path)}
    return made | ({"is_address": True} if lesson.is_address else {})


def from_json(data: Mapping[str, Any], *, where: str) -> Kept:
    """Return the finding of a file. Raises MisuseError when it is none."""
    if data.get("format") != FORMAT:
        raise MisuseError(
            f"this is not a finding of format {FORMAT}.", where=where, cure="Give the directory of a finding."
        )
    try:
        script = Script(steps=tuple(map(_step, data["steps"])), numbers=data["numbers"])
        signs = tuple(_sign(one) for one in data["signs"])
        own = {name: data[name] for name in OWN}
        beside = tuple((law, operation, shape) for law, operation, shape in data["beside"])
        outline, traits = tuple(data["outline"]), tuple(data["traits"])
        return Kept(**own, script=script, signs=signs, beside=beside, outline=outline, traits=traits)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MisuseError(f"the finding has a missing or wrong member: {error}.", where=where) from None


def _step(data: Mapping[str, Any]) -> Step:
    if "wait" in data:
        return Waiting(seconds=data["wait"])
    return Asking(
        operation=data["operation"],
        method=data["method"],
        path=tuple(data["path"]),
        query=tuple((name, value) for name, value in data.get("query", ())),
        headers=tuple((name, value) for name, value in data.get("headers", ())),
        data=data.get("json", ABSENT),
        raw=data.get("text", "").encode("latin-1"),
        lessons=tuple(map(_lesson, data.get("learn", ()))),
        busy=_busy(data["busy"]) if "busy" in data else None,
    )


def _lesson(data: Mapping[str, Any]) -> Lesson:
    return Lesson(**{**data, "path": tuple(data.get("path", ()))})


def _busy(data: Mapping[str, Any]) -> Busy:
    at = {name: value for name, value in data.items() if name != "words"}
    return Busy(at=_lesson(at), words=tuple(data["words"]))


def _sign(data: Mapping[str, Any]) -> Sign:
    headers = data.get("headers", ())
    marks = tuple(data.get("marks", ()))
    return Sign(**{**data, "headers": None if headers is None else tuple(headers), "marks": marks})
