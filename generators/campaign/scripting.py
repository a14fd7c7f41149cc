"""Making a script of what was exchanged: names that must be fresh and values that the server chose become blanks."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from contracts.lifecycle import FINAL
from contracts.messages import ABSENT, Exchange
from contracts.model import Contract
from contracts.pointers import tokens_of
from contracts.templates import segments_of
from generators.campaign.recording import Deed
from generators.campaign.steps import (
    CAPITAL,
    CAPITALS,
    PREFIX,
    Asking,
    Busy,
    Lesson,
    Script,
    Step,
    Token,
    Waiting,
    learned,
)
from generators.campaign.worlds import WINDOW, World
from generators.locations import json_of
from generators.requests.names import FIRST_NUMBER

WORD: Final = re.compile(r"[\w.-]+")
DISTINCT: Final = 6  # characters from which on a value that stands anywhere is taken for the one told before
DIGITS: Final = 16
LONGEST: Final = 300  # characters of a text in which told values are looked for
TRUTHS: Final = {"false": "False", "true": "True"}  # as they are learned
FRESH: Final = range(FIRST_NUMBER, FIRST_NUMBER + 10**14)


def scripted(deeds: Sequence[Deed], contract: Contract, world: World, *, is_timed: bool = False) -> Script:
    """Return the script of what was done in a world; it has a step for each deed.

    Where it took real time, which is `is_timed`, what was asked of a job that had ended is asked until it has.
    """
    paths = {one.id: one.path for one in contract.operations}
    blanks = Blanks(prefix=world.prefix, base=world.base, ids=id_members(contract), paths=paths)
    steps = [Waiting(seconds=one) if isinstance(one, float) else blanks.asking(n, one) for n, one in enumerate(deeds)]
    if is_timed:
        steps = [_patient(deed, step, contract) for deed, step in zip(deeds, steps, strict=True)]
    taught = tuple(_taught(step, blanks.used.get(n, ())) for n, step in enumerate(steps))
    return Script(steps=taught, numbers=dict(blanks.numbers))


def _taught(step: Step, lessons: Sequence[Lesson]) -> Step:
    return replace(step, lessons=tuple(lessons)) if lessons and isinstance(step, Asking) else step


def _patient(deed: Deed, step: Step, contract: Contract) -> Step:
    """Return a poll that found its job at its end as one that is made until it does."""
    if isinstance(deed, float) or isinstance(step, Waiting):
        return step
    for one in contract.operations:
        job = one.bulk.job if one.bulk is not None else None
        if job is None or job.poll != deed.operation or "*" in job.state_at:
            continue
        header = job.state_at.partition(":")[2] if job.state_at.startswith("header:") else ""
        at = Lesson(name="state", header=header, path=() if header else tuple(tokens_of(job.state_at)))
        words = {told: kind for word, kind in job.words.items() for told in (word, TRUTHS.get(word, word))}
        if words.get(learned(at, deed.reply, {}) or "") in FINAL:
            return replace(step, busy=Busy(at=at, words=tuple(one for one in words if words[one] not in FINAL)))
    return step


def id_members(contract: Contract) -> frozenset[str]:
    """Return the names of members that hold ids: there even a short value is one that was told before."""
    names = {one.key for one in contract.resources.values()}
    names |= {member for one in contract.resources.values() for member in one.references}
    for one in contract.operations:
        if one.bulk is not None:
            told = one.bulk.reply.outcomes.id if one.bulk.reply.outcomes is not None else None
            handle = one.bulk.job.handle if one.bulk.job is not None else None
            places = [*one.bulk.effect.target, told, handle]
            names |= {tokens_of(place)[-1] for place in places if place and place.startswith("/")}
    return frozenset(names)


@dataclass(frozen=True, slots=True)
class Offer:
    """A value that a reply told: by which deed, where, and the name that it has got once it was used."""

    n: int
    lesson: Lesson


@dataclass(slots=True)
class Blanks:
    """What is known on the way: `said` are values that calls had first, `offers` are those that replies told.

    `paths` are the operations' templates by id.
    """

    prefix: str
    base: int
    ids: frozenset[str]
    paths: Mapping[str, str] = field(default_factory=dict)
    said: set[str] = field(default_factory=set)
    offers: dict[str, Offer] = field(default_factory=dict)
    used: dict[int, list[Lesson]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)

    def asking(self, n: int, exchange: Exchange) -> Asking:
        """Return an exchange's call with blanks, and take note of what its reply tells."""
        call, data = exchange.call, json_of(exchange.call.body)
        asking = Asking(
            operation=exchange.operation or "",
            method=call.method,
            path=tuple(map(self._segment, segments_of(self.paths.get(exchange.operation or "", ""), call.path))),
            query=tuple((name, self._text(value)) for name, value in call.query),
            headers=tuple((name, self._text(value)) for name, value in call.headers if name.lower() not in OWN),
            data=ABSENT if data is ABSENT else self._blanked(data, is_id=False),
            raw=call.body if data is ABSENT else b"",
        )
        self.hear(n, exchange, data)
        return asking

    def _segment(self, pieces: Sequence[str]) -> str:
        """Return a segment of a path with blanks; the values of its variables stand at odd places."""
        return "".join(self._text(one, is_id=n % 2 == 1) for n, one in enumerate(pieces))

    def _blanked(self, value: Any, *, is_id: bool) -> Any:
        if isinstance(value, str):
            return self._text(value, is_id=is_id)
        if isinstance(value, dict):
            return {self._text(name): self._blanked(one, is_id=name in self.ids) for name, one in value.items()}
        if isinstance(value, list):
            return [self._blanked(one, is_id=is_id) for one in value]
        return value if isinstance(value, bool) or not isinstance(value, int) else self._number(value, is_id=is_id)

    def _number(self, value: int, *, is_id: bool) -> object:
        name = self._name(str(value), is_id=is_id)
        return value if name is None else f"{{{{{name}:number}}}}"

    def _text(self, text: str, *, is_id: bool = False) -> str:
        if len(text) > LONGEST:
            return self._prefixed(text)
        name = self._name(text, is_id=is_id)
        return f"{{{{{name}}}}}" if name is not None else self._prefixed(WORD.sub(self._word, text))

    def _word(self, found: re.Match[str]) -> str:
        name = self._name(found[0], is_id=False)
        return found[0] if name is None else f"{{{{{name}}}}}"

    def _prefixed(self, text: str) -> str:
        found = text.replace(self.prefix, f"{{{{{PREFIX}}}}}")
        for blank, own in ((CAPITALS, self.prefix.upper()), (CAPITAL, self.prefix.capitalize())):
            found = found.replace(own, f"{{{{{blank}}}}}") if own != self.prefix else found
        return found

    def _name(self, text: str, *, is_id: bool) -> str | None:
        """Return the blank's name for a value that must not stand as it is, None for any other value."""
        if text in self.names:
            return self.names[text] if is_id or len(text) >= DISTINCT else None
        offer = self.offers.get(text) if is_id or len(text) >= DISTINCT else None
        if offer is not None:
            name = self.names[text] = offer.lesson.name
            self.used.setdefault(offer.n, []).append(offer.lesson)
            return name
        if self._is_fresh(text):
            name = self.names[text] = f"n{len(self.numbers) + 1}"
            self.numbers[name] = self._distance(int(text))
            return name
        self.said.add(text)
        return None

    def _distance(self, number: int) -> int:
        """Return the distance of a fresh number from the first one of its world; one from elsewhere gets a free one."""
        own = number - self.base
        return own if 0 <= own < WINDOW else WINDOW - 1 - len(self.numbers)

    def _is_fresh(self, text: str) -> bool:
        if not text.isdecimal() or not text.isascii() or len(text) > DIGITS:
            return False
        return int(text) in FRESH or int(text) in range(self.base, self.base + WINDOW)

    def hear(self, n: int, exchange: Exchange, sent: object) -> None:
        """Take note of what a reply tells that nobody had said before."""
        own = set(scalars(sent))
        for lesson, value, is_id in self._told(exchange, own):
            text = str(value)
            if text in self.said or text in self.offers or not (is_id or _is_made_up(text)):
                continue
            if not self._has_prefix(text) and len(text) <= LONGEST:
                self.offers[text] = Offer(n, lesson)

    def _has_prefix(self, text: str) -> bool:
        return any(own in text for own in (self.prefix, self.prefix.upper(), self.prefix.capitalize()))

    def _told(self, exchange: Exchange, own: set[object]) -> Iterator[tuple[Lesson, object, bool]]:
        for name, value in exchange.reply.headers:
            if name.lower() not in COMMON:
                yield self._lesson(header=name), value, False
                if "/" in value:
                    yield self._lesson(header=name, is_address=True), value.rstrip("/").rpartition("/")[2], True
        if exchange.reply.data is not ABSENT:
            for path, leaf in leaves(exchange.reply.data, (), own):
                yield self._lesson(path=self._blank_path(path)), leaf, bool(path) and path[-1] in self.ids

    def _lesson(self, **given: Any) -> Lesson:
        return Lesson(name=f"v{len(self.offers) + 1}", **given)

    def _blank_path(self, path: tuple[Token, ...]) -> tuple[Token, ...]:
        return tuple(self._blank_token(token) for token in path)

    def _blank_token(self, token: Token) -> Token:
        if isinstance(token, Mapping):
            return {name: self._blanked(value, is_id=name in self.ids) for name, value in token.items()}
        return token if isinstance(token, int) else self._prefixed(token)


def _is_made_up(text: str) -> bool:
    """Say whether a value is one that a server makes up, and no word of the contract's."""
    return len(text) >= DISTINCT and any(one.isdigit() for one in text)


OWN: Final = frozenset(
    ("accept-encoding", "authorization", "connection", "content-length", "host", "transfer-encoding", "user-agent")
)
COMMON: Final = frozenset(("connection", "content-length", "content-type", "date", "keep-alive", "server", "vary"))


def scalars(value: object) -> Iterator[object]:
    """Yield the texts and numbers in a JSON value."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from scalars(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from scalars(inner)
    elif isinstance(value, str | int) and not isinstance(value, bool):
        yield value


def leaves(value: object, path: tuple[Token, ...], own: set[object]) -> Iterator[tuple[tuple[Token, ...], object]]:
    """Yield texts and numbers with their paths; an element is singled out by what the call itself said of it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*path, name), own)
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield from leaves(inner, (*path, _pick(value, own, n)), own)
    elif isinstance(value, str | int) and not isinstance(value, bool):
        yield path, value


def _pick(elements: list[Any], own: set[object], n: int) -> Token:
    """Return what singles an element out among the others: a text that the call itself said, else its place."""
    element = elements[n]
    for name, value in element.items() if isinstance(element, dict) else ():
        if isinstance(value, str) and value in own and len(value) >= DISTINCT:
            alike = [one for one in elements if isinstance(one, dict) and one.get(name) == value]
            if len(alike) == 1:
                return {name: value}
    return n
