"""Episodes: one world each, played from one seed, until their moves or the time are up."""

from random import Random
from typing import Final

from generators.batches import PROFILES
from generators.campaign.grounds import Ground, Grounds
from generators.campaign.ledger import Where
from generators.campaign.moves import Player
from generators.campaign.session import Session
from generators.campaign.styles import Style, draw
from generators.checks.findings import ImpossibleError

LARGEST: Final = 6000


def play_episode(session: Session, grounds: Grounds, style: Style, rng: Random) -> Player:
    """Play one episode and return what made its moves. Raises NoAnswerError."""
    player = Player(session, grounds, style, rng)
    for _ in range(style.moves):
        if not session.bench.budget.left:
            break
        player.move(draw(style.weights, rng))
    _round_off(player)
    return player


def _round_off(player: Player) -> None:
    """Wait for what is under way, and list once."""
    budget = player.session.bench.budget
    for _ in range(player.style.in_flight):
        if budget.left:
            player.move("finish")
    if budget.left:
        player.move("list")


def play_limits(session: Session, grounds: Grounds, style: Style, rng: Random) -> Player:
    """Play around the limits of each operation: nothing, one, the most, and one more."""
    player = Player(session, grounds, style, rng)
    seen: set[str] = set()
    for ground in grounds.bulk:
        bulk = ground.operation.bulk
        if bulk is None or ground.operation.id in seen:
            continue
        seen.add(ground.operation.id)
        most = bulk.items.max
        sizes = [0, 1, *([most + 1, most] if most is not None and most <= LARGEST else [])]
        for size in sizes:
            if not session.bench.budget.left:
                return player
            try:
                _post_and_look(player, ground, size)
            except ImpossibleError:
                continue
            finally:
                session.bench.cut()
    return player


def _post_and_look(player: Player, ground: Ground, size: int) -> None:
    """Post so many good items, and read the first and the last of them."""
    batch = player.compose(ground, size, PROFILES["valid"])
    player.session.bench.send(batch.call)
    player.batches, player.items = player.batches + 1, player.items + size
    player.finish()
    named = [(Where(ground.scope, one.resource or ""), one.target) for one in batch.items if one.target is not None]
    player.look([*named[:1], *named[-1:]])
    player.listing()
