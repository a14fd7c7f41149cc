"""Episodes: one world each, played from one seed, until their moves or the time are up."""

from collections.abc import Callable
from random import Random
from typing import Final

from generators.batches import PROFILES
from generators.campaign.agenda import Insist, Limits
from generators.campaign.grounds import Ground, Grounds
from generators.campaign.ledger import Where
from generators.campaign.moves import Player
from generators.campaign.session import Session
from generators.campaign.styles import DEEP, Style, draw
from generators.impossible import ImpossibleError
from generators.requests.calls import draft

INSISTING: Final = 12
TOO_MANY: Final = 429
LARGEST: Final = 10_000  # items of a request that is worth its time


def play_episode(
    session: Session, grounds: Grounds, style: Style, rng: Random, is_over: Callable[[], bool] = lambda: False
) -> Player:
    """Play one episode and return what made its moves. Raises NoAnswerError."""
    player = Player(session, grounds.narrowed(rng) if rng.random() < style.narrow else grounds, style, rng)
    for _ in range(style.moves):
        if is_over():
            return player
        player.move(draw(style.weights, rng))
    for _ in range(style.in_flight):
        player.move("finish")
    for _ in grounds.resources if not is_over() else ():
        player.move("list")
    return player


def play_limits(session: Session, grounds: Grounds, entry: Limits, rng: Random) -> Player:
    """Post around the limits of an operation: nothing and one item, or one too many and the most."""
    player = Player(session, grounds, DEEP, rng)
    bulk = entry.ground.operation.bulk
    most = bulk.items.max if bulk is not None else None
    large = (most + 1, most) if most is not None and most <= LARGEST else ()
    for size in (0, 1) if entry.size == "small" else large:
        try:
            _post_and_look(player, entry.ground, size)
        except ImpossibleError:
            continue
        finally:
            session.bench.cut()
    return player


def insist(session: Session, entry: Insist) -> None:
    """Call an operation with the first example of its body until it refuses. Not where others would suffer from it."""
    if not session.caller.controlled:
        return
    made = draft(entry.operation, {})
    content = entry.operation.body.content if entry.operation.body is not None else ()
    examples = [example for media in content for example in media.examples.values()]
    made.data = examples[0] if examples else made.data
    for _ in range(INSISTING):
        if session.caller.send(made.call()).status >= TOO_MANY:
            break
    session.send(made.call())


def _post_and_look(player: Player, ground: Ground, size: int) -> None:
    """Post so many good items, and read the first and the last of them."""
    batch = player.compose(ground, size, PROFILES["valid"])
    player.session.bench.send(batch.call)
    player.batches, player.items = player.batches + 1, player.items + size
    player.finish()
    named = [(Where(ground.scope, one.resource or ""), one.target) for one in batch.items if one.target is not None]
    player.look([*named[:1], *named[-1:]])
    player.search(batch, ground)
