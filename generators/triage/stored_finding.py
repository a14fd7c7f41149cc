"""A finding as it is stored, and which findings have one root cause. Begin with `StoredFinding` and `root_causes`."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from contracts.errors import MisuseError
from contracts.messages import ABSENT
from contracts.syntax.text import tokens_of
from generators.client.environments import Environment
from generators.client.session import TraceEvent
from generators.oracles.findings import Finding, general_shape, member_at
from generators.triage.response_signature import ResponseSignature
from generators.triage.script import Capture, PollCondition, RequestStep, Script, Step, WaitStep, step_json

MAX_MISSES: Final = 3  # campaigns in a row that do not reproduce a finding before it is retired
FORMAT: Final = "bulkproof-finding/1"
SELF_CONTAINED_LAWS: Final = frozenset(
    ("count", "counts", "coverage", "job-moves", "job-progress", "key", "outcome-order", "response", "status-class")
)
"""Laws and checks that are broken by what one call was answered: that it does not come again takes nothing away."""
Judged: TypeAlias = Literal["laws", "signs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A finding, and the trace of its environment until then.

    `cause` is the fingerprint of the first finding in the same environment, "" for none; the root cause may be the
    same. `experiment` is the name and the operation of the experiment that it was made in, nothing for a sequence.
    """

    finding: Finding
    trace: tuple[TraceEvent, ...]
    environment: Environment
    judged: Judged = "laws"
    cause: str = ""
    experiment: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFinding:
    """A finding with its script. `judged` tells how a replay is judged: by the laws, or by its signatures (`signs`).

    `confirmed` of `tries` replays reproduced it; `seconds` is its time in the campaign, `url` the API's URL with
    `mount` at its end. `group` is the fingerprint of the first finding with the same root cause, "" for itself;
    `cause` the first finding in the same environment. `small` tells that its script was fully shrunk; `beside` are
    the other findings of that script by law, operation and shape, `outline` the kinds of its requests. `traits` are
    the observed first versions that its judgement needs. `places` are what it breaks in the contract (`uri#pointer`);
    `assumed` tells that one of them is an assumption. `first_seen` is the day when it was found first. `replayed` is
    the time of its last replay by a later campaign (RFC 3339, "" for none), `misses` the number of such replays in a
    row that did not reproduce it. `experiment` is the name and the operation of the experiment that it was made in;
    `again` tells whether that showed it again, in another environment, where not each replay did.
    """

    fingerprint: str
    law: str
    operation: str
    shape: str
    says: str
    contract: str
    script: Script
    signatures: tuple[ResponseSignature, ...] = ()
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
    places: tuple[str, ...] = ()
    assumed: bool = False
    first_seen: str = ""
    replayed: str = ""
    misses: int = 0
    experiment: tuple[str, ...] = ()
    again: bool = False

    @property
    def is_retired(self) -> bool:
        """Whether so many campaigns did not reproduce it that no further one tries."""
        return self.misses >= MAX_MISSES

    @property
    def is_confirmed(self) -> bool:
        """Whether every replay reproduced it, or its experiment showed it again."""
        return 0 < self.confirmed == self.tries or self.again

    @property
    def is_flaky(self) -> bool:
        """Whether some replays did not reproduce it."""
        return self.confirmed < self.tries

    @property
    def is_doubtful(self) -> bool:
        """Whether nothing showed it again, and several exchanges are needed to show it."""
        return self.tries > 0 and not (self.confirmed or self.again) and self.law not in SELF_CONTAINED_LAWS


ENCODED_FIELDS: Final = frozenset(
    ("script", "signatures", "beside", "outline", "traits", "places", "experiment")
)  # that are written in another form
LATER_FIELDS: Final = ("replayed", "misses", "assumed", "first_seen", "again")  # that older files do not have
PLAIN_FIELDS: Final = tuple(one.name for one in fields(StoredFinding) if one.name not in ENCODED_FIELDS)


def to_json(kept: StoredFinding) -> dict[str, Any]:
    """Return the JSON form of a finding."""
    own = {name: getattr(kept, name) for name in PLAIN_FIELDS}
    return {
        "format": FORMAT,
        **own,
        "flaky": kept.is_flaky,
        "beside": [list(one) for one in kept.beside],
        "outline": list(kept.outline),
        "traits": list(kept.traits),
        "places": list(kept.places),
        "experiment": list(kept.experiment),
        "numbers": dict(kept.script.numbers),
        "steps": [step_json(step) for step in kept.script.steps],
        "signs": [_without_empty(asdict(signature)) for signature in kept.signatures],
    }


def _without_empty(value: dict[str, Any]) -> dict[str, Any]:
    return {name: inner for name, inner in value.items() if inner or name in {"step", "headers"}}


def from_json(data: Mapping[str, Any], *, where: str) -> StoredFinding:
    """Return the finding of a JSON form. Raises MisuseError when it is invalid."""
    if data.get("format") != FORMAT:
        raise MisuseError(
            f"this is not a finding of format {FORMAT}.", where=where, cure="Give the directory of a finding."
        )
    try:
        script = Script(steps=tuple(map(_step, data["steps"])), numbers=data["numbers"])
        signatures = tuple(_signature(one) for one in data["signs"])
        own = {name: data[name] for name in PLAIN_FIELDS if name in data or name not in LATER_FIELDS}
        beside = tuple((law, operation, shape) for law, operation, shape in data["beside"])
        outline, traits = tuple(data["outline"]), tuple(data["traits"])
        parts: dict[str, Any] = {"script": script, "signatures": signatures, "beside": beside, "outline": outline}
        parts |= {"traits": traits, **{name: tuple(data.get(name, ())) for name in ("places", "experiment")}}
        return StoredFinding(**own, **parts)  # old findings have none of the last four
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MisuseError(f"the finding has a missing or wrong member: {error}.", where=where) from None


def _step(data: Mapping[str, Any]) -> Step:
    if "wait" in data:
        return WaitStep(seconds=data["wait"])
    return RequestStep(
        operation=data["operation"],
        method=data["method"],
        path=tuple(data["path"]),
        query=tuple((name, value) for name, value in data.get("query", ())),
        headers=tuple((name, value) for name, value in data.get("headers", ())),
        data=data.get("json", ABSENT),
        raw=data.get("text", "").encode("latin-1"),
        captures=tuple(map(_capture, data.get("learn", ()))),
        busy=_busy(data["busy"]) if "busy" in data else None,
        settle=data.get("settle", 0.0),
        once=data.get("once", False),
    )


def _capture(data: Mapping[str, Any]) -> Capture:
    return Capture(**{**data, "path": tuple(data.get("path", ()))})


def _busy(data: Mapping[str, Any]) -> PollCondition:
    at = {name: value for name, value in data.items() if name != "words"}
    return PollCondition(at=_capture(at), words=tuple(data["words"]))


def _signature(data: Mapping[str, Any]) -> ResponseSignature:
    headers = data.get("headers", ())
    marks = tuple(data.get("marks", ()))
    return ResponseSignature(**{**data, "headers": None if headers is None else tuple(headers), "marks": marks})


ACTION_WORD: Final = re.compile(r"\b(creates?|deletes?|effects?|replaces?|updates?|upserts?)\b")
STATUS_PREFIX: Final = re.compile(r"^\d{3} ")
BROAD_LAWS: Final = frozenset(("coverage", "effect", "model", "read-back"))
"""Checks that many a bug breaks: that two findings break one of them in one way says little."""
VAGUE_SHAPES: Final = ("good ", "no answer", "status ")
MANY_MEMBERS: Final = 4  # of one operation that read wrongly in one way: more likely one bug than as many
FORMAL_LAWS: Final = frozenset(("coverage", "response"))
"""Checks of what a reply looks like: whatever else is found in a world where one is broken hardly follows from it."""


class ViolationKind(NamedTuple):
    """How a law is violated, independent of operation and action."""

    law: str
    shape: str

    @property
    def is_telling(self) -> bool:
        """Whether the kind by itself identifies a fault."""
        return self.law not in BROAD_LAWS and not self.shape.startswith(VAGUE_SHAPES)


@lru_cache(maxsize=4096)
def violation_kind_of(law: str, shape: str) -> ViolationKind:
    """Return the kind of a violation."""
    general = general_shape(shape)
    return ViolationKind(law, f"{ACTION_WORD.sub('*', STATUS_PREFIX.sub('', general))}{shape.removeprefix(general)}")


def root_causes(findings: Sequence[StoredFinding]) -> dict[str, str]:
    """Map each fingerprint to that of the first finding with the same root cause, "" for the first one itself."""
    first: dict[str, str] = {one.fingerprint: one.fingerprint for one in findings}
    for n, one in enumerate(findings):
        for other in findings[:n]:
            if first[other.fingerprint] != first[one.fingerprint] and share_root_cause(other, one):
                _join(first, first[other.fingerprint], first[one.fingerprint])
    for alike in _alike_but_for_member(findings):
        for one in alike:
            if first[one.fingerprint] != first[alike[0].fingerprint]:
                _join(first, first[alike[0].fingerprint], first[one.fingerprint])
    return {name: own if own != name else "" for name, own in first.items()}


def _alike_but_for_member(findings: Sequence[StoredFinding]) -> Iterator[list[StoredFinding]]:
    """Yield the findings on so many members, otherwise the same, that they have one cause rather than many."""
    groups: dict[tuple[str, str, str], list[StoredFinding]] = {}
    for one in findings:
        if member_at(one.shape):
            groups.setdefault((one.law, one.operation, general_shape(one.shape)), []).append(one)
    yield from (some for some in groups.values() if len(some) >= MANY_MEMBERS)


def concern_other_members(shape: str, other: str) -> bool:
    """Return whether two shapes are about members that have nothing to do with each other."""
    one, another = (set(tokens_of(member_at(text))) - {"*"} for text in (shape, other))
    return bool(one) and bool(another) and one.isdisjoint(another)


def _join(first: dict[str, str], one: str, other: str) -> None:
    """Merge two groups under the one that was found first."""
    places = list(first)
    kept, gone = sorted((one, other), key=places.index)
    for name, own in first.items():
        if own == gone:
            first[name] = kept


def share_root_cause(one: StoredFinding, other: StoredFinding) -> bool:
    """Return whether two findings have the same root cause, as far as it is known."""
    return _seen_together(one, other) or _seen_together(other, one) or _are_similar(one, other)


def _seen_together(one: StoredFinding, other: StoredFinding) -> bool:
    """Return whether a finding that is not shrunk yet was observed after another one in its environment."""
    return not other.small and other.cause == one.fingerprint and one.law not in FORMAL_LAWS


def _are_similar(one: StoredFinding, other: StoredFinding) -> bool:
    """Return whether two findings are of one kind, or shown by one script, or alike in both."""
    own, others = violation_kind_of(one.law, one.shape), violation_kind_of(other.law, other.shape)
    if own == others and (own.is_telling or not (one.small and other.small)):
        return True
    if _shows_also(one, other) or _shows_also(other, one):
        return True
    return (
        bool(one.outline)
        and one.outline == other.outline
        and not _violation_kinds(one).isdisjoint(_violation_kinds(other))
    )


def _shows_also(one: StoredFinding, other: StoredFinding) -> bool:
    """Return whether the script of one finding shows the other one too."""
    return (other.law, other.operation, other.shape) in one.beside


def _violation_kinds(kept: StoredFinding) -> set[ViolationKind]:
    return {violation_kind_of(kept.law, kept.shape), *(violation_kind_of(law, shape) for law, _, shape in kept.beside)}


def is_explained(kept: StoredFinding, others: Iterable[StoredFinding]) -> bool:
    """Return whether a shrunk finding has the same root cause, by more than having been observed before."""
    return any(one.small and one.fingerprint != kept.fingerprint and _are_similar(one, kept) for one in others)
