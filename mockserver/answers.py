"""Answers in the place of a call's own: given, taken from the contract's examples, or made up to fit its schema."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from contracts.media import is_json
from contracts.messages import ABSENT, Headers, Reply
from contracts.model import MediaType, Operation, Response
from contracts.names import did_you_mean
from contracts.schemas import Schema
from contracts.texts import listed
from mockserver.problems import MEDIA_TYPE, phrase
from mockserver.scenario.effects import ReplyEffect
from mockserver.scenario.filling import fill
from mockserver.turn import Refusal, Turn

if TYPE_CHECKING:
    from collections.abc import Sequence

BODILESS: Final = frozenset((204, 304))
FAILURE: Final = 400
OWED: Final = {401: (("WWW-Authenticate", "Bearer"),), 429: (("Retry-After", "1"),)}  # what HTTP has such answers say
USUAL: Final[Mapping[str, str]] = {"retry-after": "1", "www-authenticate": "Bearer"}  # where a contract demands them


class Example(NamedTuple):
    """An example of an answer, with the status and the media type that it stands under."""

    status: int
    media: MediaType
    name: str
    value: object


def answer(turn: Turn, effect: ReplyEffect) -> Reply:
    """Return what a scenario, or the call itself, wants to be answered."""
    made = MAKERS[effect.source](turn, effect)
    if isinstance(made, Refusal):
        return _turned_down(turn, made)
    if made.status in BODILESS:
        return Reply(status=made.status)
    return _with_usual_headers(turn, made)


def _turned_down(turn: Turn, refusal: Refusal) -> Reply:
    """Refuse what was asked for, or with a status of failure refuse the call as was asked for."""
    if refusal.kind != "scenario" and turn.decision is not None:
        turn.decision = replace(turn.decision, applied=())
    return turn.api.hooks.refuse(turn, refusal)


def _given(turn: Turn, effect: ReplyEffect) -> Reply:
    status = effect.status or _success(turn.operation)
    decision = turn.decision
    chosen: Sequence[object] = () if decision is None else [one.raw for one in decision.chosen]
    body = fill(effect.body, chosen or _raws(turn))
    if isinstance(body, str) and not is_json(_media_name(turn, status)):
        return Reply(status=status, headers=Headers((("Content-Type", _media_name(turn, status)),)), body=body.encode())
    return Reply.of(status, body, media_type=_media_name(turn, status))


def _raws(turn: Turn) -> "Sequence[object]":
    """Return the items of the call as they were sent; the whole body is the only one of a call that has none."""
    from mockserver.served import served  # noqa: PLC0415 - only answers that speak of items need them

    plan = None if turn.operation is None else served(turn.api).plans.get(turn.operation.id)
    if plan is not None:
        return [raw for _, raw in plan.dismantler.collection(turn)]
    return () if turn.data is ABSENT else (turn.data,)


def _example(turn: Turn, effect: ReplyEffect) -> Reply | Refusal:
    every = list(_examples(turn.operation))
    found = [one for one in every if one.name == effect.example and effect.status in {None, one.status}]
    if found:
        return _shown(turn, found[0], found[0].status if effect.status is None else effect.status)
    names = dict.fromkeys(one.name for one in every if effect.status in {None, one.status})
    hint = did_you_mean(effect.example, names) or (f"There are {listed(names)}." if names else "There are none.")
    return Refusal(status=FAILURE, kind="invalid", detail=f"There is no example '{effect.example[:80]}' here. {hint}")


def _generated(turn: Turn, effect: ReplyEffect) -> Reply | Refusal:
    status = effect.status or _success(turn.operation)
    media = _media(turn.operation, status)
    if media is None or media.schema is None or status in BODILESS:
        return _bare(turn, status)
    return Reply.of(status, _made_up(turn, media.schema), media_type=_concrete(media))


def _as_the_api_would(turn: Turn, effect: ReplyEffect) -> Reply | Refusal:
    """Return the first example that there is for the status, else what the API says with such a status."""
    status = effect.status or _success(turn.operation)
    shown = next((one for one in _examples(turn.operation) if one.status == status), None)
    if shown is not None:
        return _shown(turn, shown, status)
    if status < FAILURE:
        return _generated(turn, effect)
    return _refused(turn, status)


def _refused(turn: Turn, status: int) -> Refusal:
    name = "" if turn.decision is None else turn.decision.scenario
    return Refusal(
        headers=Headers(OWED.get(status, ())),
        status=status,
        kind="scenario",
        detail=f"{phrase(status)}{f', by the scenario {name}' if name else ''}.",
    )


def _bare(turn: Turn, status: int) -> Reply | Refusal:
    known = {} if turn.operation is None else turn.operation.responses
    if status < FAILURE and known and (turn.operation is None or turn.operation.response(status) is None):
        detail = f"The contract has no answer {status} here; it has {listed(known)}."
        return Refusal(status=FAILURE, kind="invalid", detail=detail)
    return _refused(turn, status) if status >= FAILURE else Reply(status=status)


def _shown(turn: Turn, example: Example, status: int) -> Reply:
    del turn
    value, media_type = example.value, _concrete(example.media)
    if isinstance(value, str) and not is_json(media_type):
        return Reply(status=status, headers=Headers((("Content-Type", media_type),)), body=value.encode())
    return Reply.of(status, value, media_type=media_type)


def _examples(operation: Operation | None) -> Iterator[Example]:
    """Yield every example of an operation's answers; those of a class of statuses stand under its first."""
    for response in () if operation is None else operation.responses.values():
        status = _number(response)
        for media in response.content if status is not None else ():
            yield from (Example(status or 0, media, name, value) for name, value in media.examples.items())


def _number(response: Response) -> int | None:
    first = response.status[:1]
    if response.status.isdigit():
        return int(response.status)
    return int(first) * 100 if first.isdigit() else None


def _success(operation: Operation | None) -> int:
    """Return the first status of success that is declared, 200 when there is none."""
    every = [] if operation is None else [_number(one) for one in operation.responses.values()]
    return min((one for one in every if one is not None and one // 100 == 2), default=200)  # noqa: PLR2004 - HTTP's class


def _media(operation: Operation | None, status: int) -> MediaType | None:
    response = None if operation is None else operation.response(status)
    return response.content[0] if response is not None and response.content else None


def _concrete(media: MediaType) -> str:
    return "application/json" if "*" in media.media_range else media.media_range


def _media_name(turn: Turn, status: int) -> str:
    media = _media(turn.operation, status)
    if media is not None:
        return _concrete(media)
    return MEDIA_TYPE if status >= FAILURE else "application/json"


def _with_usual_headers(turn: Turn, reply: Reply) -> Reply:
    """Return the reply with the headers that the contract demands of its status."""
    response = None if turn.operation is None else turn.operation.response(reply.status)
    lacking = [one for one in (response.headers if response is not None else ()) if one.required]
    pairs = [
        (one.name, USUAL.get(one.name.lower()) or _header(turn, one.schema))
        for one in lacking
        if one.name not in reply.headers and one.name.lower() != "content-type"
    ]
    return Reply(status=reply.status, headers=reply.headers.with_(*pairs), body=reply.body, data=reply.data)


def _header(turn: Turn, schema: Schema | None) -> str:
    value = "" if schema is None else _made_up(turn, schema)
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _made_up(turn: Turn, schema: Schema) -> Any:
    """Return a value that fits a schema: by the seed that the call names, else by the sandbox's."""
    from generators.values import compile_schema  # noqa: PLC0415 - made-up answers are rare

    named = None if turn.decision is None else turn.decision.seed
    seed = turn.world.ids.random("made-up").getrandbits(32) if named is None else named
    return compile_schema(schema, edges=0.0, realistic=False).generate(seed)


MAKERS: Final = {"": _as_the_api_would, "given": _given, "example": _example, "generate": _generated}
