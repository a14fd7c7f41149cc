"""What became of the elements of arrays."""

from contracts.diff.edits import Said, breach
from contracts.diff.spots import Found, Spot, child
from contracts.schemas import Schema


def compare_elements(spot: Spot) -> Found:
    """Yield differences in the elements of arrays, and the schemas of elements to look into."""
    for n in range(max(_prefix(spot.old), _prefix(spot.new))):
        yield spot.inner(_element(spot.old, n), _element(spot.new, n), "prefixItems", str(n), token=str(n))
    yield spot.inner(child(spot.old, "items"), child(spot.new, "items"), "items", token="*")  # noqa: S106 - a pointer's token
    yield from _contains(spot)


def _prefix(schema: Schema) -> int:
    return len(schema.parts("prefixItems"))


def _element(schema: Schema, n: int) -> Schema:
    return child(schema, "prefixItems", str(n)) if n < _prefix(schema) else child(schema, "items")


def _contains(spot: Spot) -> Found:
    old, new = spot.raws
    if "contains" in old and "contains" in new:
        yield spot.inner(child(spot.old, "contains"), child(spot.new, "contains"), "contains", token="*")  # noqa: S106 - a pointer's token
    elif "contains" in new:
        says = "some element must be of a kind now"
        yield spot.edit(Said("contains", "narrowed", says, in_new=breach(new, "contains")))
    elif "contains" in old:
        says = "no element need be of a kind any more"
        yield spot.edit(Said("contains", "widened", says, in_old=breach(old, "contains")))
