"""Random histories of one sandbox, from a seed, and how they are played: `python tests/hostile/histories.py SEED`.

A history is a list of calls, each with method, target and body, to both APIs, the plain document and the control API
about that sandbox. As a script it plays a history in this process and prints the digest of all responses.
"""

import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from random import Random
from typing import NamedTuple

from campaign import APIS
from traffic import GENERO, JSON, ordinary

from contracts.messages import Headers
from mockserver.api.model import Api
from mockserver.apis.sources import find_sources
from mockserver.http.service import Options, Service

REAL = datetime(2026, 1, 1, tzinfo=UTC)
OPTIONS = {"mode": "frozen", "seed": 11, "settings": {"auth": "open"}}
SCENARIOS = b'{"scenarios":["fails-twice","one-item-fails"]}'


class Step(NamedTuple):
    """One call of a history."""

    method: str
    target: str
    media: str
    body: bytes


def history(seed: object, name: str, steps: int = 30) -> list[Step]:
    """Return the calls of a sandbox; the same seed gives the same calls, with another name in their targets."""
    random = Random(f"history/{seed}")
    return [_control(random, name) if random.random() < 0.4 else _call(random, name) for _ in range(steps)]


def loaded() -> list[Api]:
    """Return both APIs and the plain document."""
    return [source.load() for source in find_sources(APIS)]


def service() -> Service:
    """Return a service that no history has been played on."""
    return Service(loaded(), Options(**OPTIONS), REAL)


def play(on: Service, step: Step, real: datetime = REAL) -> bytes:
    """Return all of a response but its Date, as one text."""
    headers = Headers((("Content-Type", step.media), ("Host", "localhost")))
    response = on.handle(step.method, step.target, headers, step.body, real)
    return f"{response.status} {response.headers.pairs} ".encode() + response.body


def digest(responses: Sequence[bytes]) -> str:
    """Return what two equal sequences of responses have in common."""
    return sha256(b"\n".join(responses)).hexdigest()


def _call(random: Random, name: str) -> Step:
    head, _, body = ordinary(random, name).parts[0].partition(b"\r\n\r\n")
    first, *fields = head.decode().split("\r\n")
    media = next(field.partition(": ")[2] for field in fields if field.startswith("Content-Type"))
    method, target, _ = first.split()
    return Step(method, re.sub(r"/c\d+$", "/c1", target), media, body)


def _control(random: Random, name: str) -> Step:
    here = f"/_sandbox/sandboxes/{name}"
    method, what, body = random.choice(
        (
            ("POST", "clock/advance", b'{"by":"PT7M"}'),
            ("GET", "clock", b""),
            ("GET", "exchanges", b""),
            ("GET", "exchanges/3", b""),
            ("GET", "jobs", b""),
            ("GET", "entities/genero/customer", b""),
            ("GET", "settings", b""),
            ("GET", "verdict", b""),
            ("PUT", "scenarios", SCENARIOS),
            ("PUT", "scenarios", b'{"scenarios":[]}'),
            ("GET", "scenarios", b""),
            ("PATCH", "settings", b'{"conduct":"enforce"}'),
            ("POST", "reset", b'{"seed":3}'),
        )
    )
    if what == "reset" and random.random() < 0.5:
        return Step("POST", f"/@{name}{GENERO}/block/postJob", JSON, b'[{"blockId":"b1","name":"x"}]')
    return Step(method, f"{here}/{what}", JSON, body)


if __name__ == "__main__":
    one = service()
    sys.stdout.write(digest([play(one, step) for step in history(sys.argv[1], "a", 200)]))
