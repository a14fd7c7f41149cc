"""Texts that are easily stored otherwise than they were sent: with blanks around them, capitals, signs, very long."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import Any, Final

import orjson

from contracts.bulk import Bulk
from contracts.messages import Call
from generators.batches import PlannedBatch
from generators.campaign.kinds import Kind
from generators.locations import look, put

TRICKS: Final[tuple[Callable[[str], str], ...]] = (
    lambda text: f" {text}",
    lambda text: f"{text} ",
    lambda text: f" {text}  ",
    lambda text: text.swapcase(),
    lambda text: text.title(),
    lambda text: f"{text} Äß漢🙂",
    lambda text: f"{text}\t'\"\\<&>;--",
    lambda text: f"0{text}",
    lambda text: text.ljust(50, "y"),
    lambda text: text.ljust(100, "z"),
)


def tricked(batch: PlannedBatch, bulk: Bulk, kind: Kind | None, rng: Random) -> Call:
    """Return the call of a batch with the text of one member made tricky, where one can be that still fits."""
    place = next((at for at in (bulk.items.at, *bulk.items.also_at) if isinstance(look(batch.body, at), list)), None)
    items: Any = look(batch.body, place) if place is not None else None
    if kind is None or not items or bulk.effect.payload in bulk.items.shared:
        return batch.call
    n = rng.randrange(len(items))
    changed = _changed(items[n], bulk.effect.payload, kind, rng)
    if changed is None or place is None:
        return batch.call
    return replace(batch.call, body=orjson.dumps(put(batch.body, place, [*items[:n], changed, *items[n + 1 :]])))


def _changed(item: object, at: str, kind: Kind, rng: Random) -> Any:
    payload = look(item, at)
    texts = [(name, text) for name, text in _texts(payload) if name in kind.members and _is_free(kind, name)]
    if not texts:
        return None
    name, text = rng.choice(texts)
    fitting = [value for value in (trick(text) for trick in TRICKS) if value != text and kind.checks[name](value)]
    return put(item, at, _with(payload, name, rng.choice(fitting))) if fitting else None


def _is_free(kind: Kind, name: str) -> bool:
    return name not in kind.resource.references and name != kind.resource.key


def _texts(payload: object) -> Iterator[tuple[str, str]]:
    """Yield the members of a payload that are texts: its own, or those that its changes set."""
    if isinstance(payload, dict):
        yield from ((name, value) for name, value in payload.items() if isinstance(value, str))
    for one in payload if isinstance(payload, list) else ():
        if isinstance(one, dict) and isinstance(one.get("value"), str) and isinstance(one.get("path"), str):
            yield one["path"].removeprefix("/"), one["value"]


def _with(payload: Any, name: str, value: str) -> object:
    if isinstance(payload, dict):
        return {**payload, name: value}
    return [{**one, "value": value} if str(one.get("path")).removeprefix("/") == name else one for one in payload]
