"""The vendor's message texts, and which faults they speak of."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from mockserver.domain.values import Fault, Outcome
from mockserver.turn import Run

WORDS: Final[Mapping[str, str]] = {
    "block": "Block",
    "chain": "Chain",
    "wholesaler": "Wholesaler",
    "customer": "Customer",
    "customercontact": "CustomerContact",
}
NOT_FOUND: Final = "{entity} id {id} is not found in database."
TEXTS: Final[Mapping[str, str]] = {
    "reference": NOT_FOUND,
    "not-found": NOT_FOUND,
    "missing": "{entity} id {id} has no name.",
}
OTHERWISE: Final = "{entity} id {id} cannot be processed."  # a scenario that gives no text of its own


def entries(run: Run) -> Callable[[Outcome], Sequence[object]]:
    """Return what gives the one text of a failed item."""
    del run
    return lambda outcome: (text_of(outcome),)


def text_of(outcome: Outcome) -> str:
    """Return why an item failed: its own key's faults first, then its references in their order, joined by a space."""
    order = {member: place for place, member in enumerate(outcome.item.resource.references, 1)}
    faults = sorted(outcome.faults, key=lambda fault: order.get(_member(fault), 0))
    return " ".join(_text(outcome, fault) for fault in faults)


def _text(outcome: Outcome, fault: Fault) -> str:
    if "message" in fault.facts:
        return str(fault.facts["message"])
    refers = fault.kind == "reference"
    resource = str(fault.facts["resource"]) if refers else outcome.item.resource.name
    return TEXTS.get(fault.kind, OTHERWISE).format(
        entity=WORDS[resource], id=fault.value if refers else outcome.item.target
    )


def _member(fault: Fault) -> str:
    return fault.members[0] if fault.kind == "reference" else ""
