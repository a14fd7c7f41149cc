"""Answering the same request once: a key under which a call is remembered, as `guard.idempotency` declares."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from contracts.bulk import Idempotency
from contracts.messages import ABSENT, Reply
from mockserver.behaviours.bulk import bulk
from mockserver.domain.places import locate
from mockserver.served import served
from mockserver.turn import Refusal, Turn

KEEP = timedelta(days=1)  # what most vendors keep a key for, where the declaration does not say


@dataclass(frozen=True, slots=True)
class Remembered:
    """What was answered under a key: when, to which content, and the jobs that came of it."""

    at: datetime
    content: bytes
    reply: Reply
    jobs: tuple[str, ...]


def bulk_once(turn: Turn) -> Reply:
    """Serve a bulk call; one whose key was seen gets the same reply, or is refused when its content differs."""
    assert turn.operation is not None  # noqa: S101 - the engine calls this for a routed call only
    declared = served(turn.api).plans[turn.operation.id].bulk.guard.idempotency
    given = ABSENT if declared is None else locate(turn, declared.key)
    if declared is None or given is ABSENT or declared.scope != "request":
        return bulk(turn)
    place = (turn.operation.id, turn.scope, turn.client, str(given))
    memory: dict[tuple[str, ...], Remembered] = turn.world.memory.setdefault("idempotency", {})
    keep = declared.keep or KEEP
    before = memory.get(place)
    content = sha256(turn.call.body).digest()
    if before is not None and turn.now < before.at + keep:
        return _again(turn, declared, before, content)
    reply = bulk(turn)
    kept = Remembered(turn.now, content, reply, tuple(job.id for job in turn.jobs))
    turn.world.remember("idempotency", place, kept, turn.now + keep)
    return reply


def _again(turn: Turn, declared: Idempotency, before: Remembered, content: bytes) -> Reply:
    if content != before.content and declared.mismatch is not None:
        return _refused(turn, declared.mismatch, "The key was used with other content.")
    unfinished = any(name in turn.world.jobs.unfinished for name in before.jobs)
    if unfinished and declared.concurrent is not None:
        return _refused(turn, declared.concurrent, "The request with this key is still running.")
    return before.reply


def _refused(turn: Turn, status: int | str, detail: str) -> Reply:
    code = status if isinstance(status, int) else 409
    said = detail if isinstance(status, int) else f"{status}: {detail}"
    return turn.api.hooks.refuse(turn, Refusal(status=code, kind="conflict", detail=said))
