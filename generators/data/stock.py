"""What made-up data may refer to: the first records that the same seed makes, and records that are pretended to be."""

from collections.abc import Iterable, Mapping
from itertools import islice
from random import Random
from typing import Final

from contracts.model import Contract
from generators.batches import Known
from generators.batches.design import Design
from generators.batches.making import making_of
from generators.data.subject import BLOCK

REFERRED: Final = 10  # records of another resource that are referred to: as many as are made when no number is given
STORED: Final = frozenset(("delete", "replace", "update"))


def before(contract: Contract, name: str, seen: tuple[str, ...] = ()) -> list[str]:
    """Return the resources that one refers to, by itself or through others, each behind those that it refers to.

    Resources whose keys the server makes are left out: what they will be called is not known.
    """
    found: list[str] = []
    resource = contract.resources.get(name)
    for other in resource.references.values() if resource is not None else ():
        named = contract.resources.get(other)
        if named is not None and not named.assigned and other not in seen and other != name:
            found += [one for one in (*before(contract, other, (*seen, name)), other) if one not in found]
    return found


def stock(known: Known, name: str, records: Iterable[tuple[object, Mapping[str, object] | None]]) -> None:
    """Note the first records of a resource as stored, so that others refer to them."""
    for key, values in islice(records, REFERRED):
        if isinstance(key, str | int):
            known.put(name, key, values=values or {})


def pretending(known: Known, design: Design, block: str) -> Known:
    """Return what is known together with made-up records, for items that change or delete one."""
    if not {word.meaning for word in design.actions} & STORED:
        return known
    more = Known(design.contract.resources)
    for name in design.contract.resources:
        stock(more, name, ((one.key, one.values) for one in known.live(name)))
    for name, maker in design.makers.items():
        making = making_of(Random(f"{name}/{block}"), known)
        for _ in range(BLOCK):
            more.put(name, maker.absent_key(making), version=1)
    return more
