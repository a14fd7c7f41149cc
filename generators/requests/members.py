"""Members of records drawn by their resource's schema."""

from collections.abc import Collection, Mapping
from random import Random
from typing import Any, Final

from contracts.schemas import Schema
from generators.values import EDGES, generator_of

DRAWS: Final = 20


def draw_member(
    members: Mapping[str, Schema], name: str, rng: Random, *, needed: bool = False, edges: float = EDGES
) -> Any:
    """Return a value for one of the members that a schema declares; one that is needed is not null if that can be."""
    schema = members.get(name)
    if schema is None:
        return f"{name}-{rng.getrandbits(32):x}"
    generator = generator_of(schema, name, edges)
    value, left = generator.draw(rng), DRAWS if needed else 0
    while value is None and left:
        value, left = generator.draw(rng), left - 1
    return value


def draw_members(
    schema: Schema | None,
    members: Mapping[str, Schema],
    required: Collection[str],
    rng: Random,
    *,
    edges: float = EDGES,
) -> dict[str, Any]:
    """Return members as the schema has them, those that are required among them. Raises UnsatisfiableError."""
    drawn = generator_of(schema, "", edges).draw(rng) if schema is not None else {}
    values = drawn if isinstance(drawn, dict) else {}
    for name in required:
        if values.get(name) is None:
            values[name] = draw_member(members, name, rng, needed=True, edges=edges)
    return values
