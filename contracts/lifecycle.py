"""The classes that every API's job states fall into, and the legal moves between them."""

from collections.abc import Mapping
from typing import Final

FINAL: Final = frozenset(("cancelled", "done", "doneWithErrors", "expired", "failed"))
LEGAL: Final[Mapping[str, frozenset[str]]] = {
    "open": FINAL | {"queued", "running"},
    "queued": FINAL | {"running"},
    "running": FINAL,
    **dict.fromkeys(sorted(FINAL), frozenset()),
}
CLASSES: Final = tuple(LEGAL)


def may_move(before: str, after: str) -> bool:
    """Say whether a job seen in one class may be seen in another later; staying is always allowed."""
    return before == after or after in LEGAL[before]
