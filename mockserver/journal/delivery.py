"""What became of a response on the wire: `Delivery`."""

from typing import Final, NamedTuple


class Delivery(NamedTuple):
    """What became of a response on the wire: its fate, a name in `FATES`, and how many bytes of its body were sent.

    `sent` is None where it is not known.
    """

    fate: str
    sent: int | None = 0

    @property
    def is_whole(self) -> bool:
        """Tell whether the whole response was sent."""
        return self.fate == "sent"

    @property
    def words(self) -> str:
        """Return what the client got, in words; "" for the whole response."""
        part = f", after {self.sent} bytes of the body" if self.sent and not self.is_whole else ""
        return f"{FATES[self.fate]}{part}"


FATES: Final = {
    "sent": "",
    "waiting": "nothing yet",
    "cut": "cut off",
    "garbled": "garbled bytes",
    "reset": "no response, the connection was reset",
    "closed": "no response, the connection was closed",
    "client-gone": "the client had gone",
}
FATE_OF_FAULT: Final = {
    "timeout": "closed",
    "EMPTY_RESPONSE": "closed",
    "MALFORMED_RESPONSE_CHUNK": "garbled",
    "RANDOM_DATA_THEN_CLOSE": "garbled",
    "CONNECTION_RESET_BY_PEER": "reset",
    "truncate": "cut",
}
"""What becomes of a response by a scenario's wire fault."""


def planned_delivery(fault: str, sent: int) -> Delivery | None:
    """Return what a scenario's wire fault makes of a response of which it sends `sent` bytes; None for all of it."""
    return Delivery(FATE_OF_FAULT[fault], sent) if fault in FATE_OF_FAULT else None
