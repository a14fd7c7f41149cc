"""Media types: which entry of a `content` map fits a content type."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Protocol, TypeVar

from contracts.messages import essence


class HasRange(Protocol):
    """An entry of a `content` map."""

    @property
    def media_range(self) -> str:
        """A media type or range in lower case, without parameters."""


Entry = TypeVar("Entry", bound=HasRange)


def best_media(content: Iterable[Entry], content_type: str) -> Entry | None:
    """Return the most specific entry that fits: `a/x+json`, then `a/*+json`, then `a/*`, then `*/*`."""
    by_range = {entry.media_range: entry for entry in content}
    return next((by_range[one] for one in _ranges(content_type) if one in by_range), None)


def is_json(content_type: str) -> bool:
    """Say whether a media type is JSON's: `application/json`, or one that ends in `+json`."""
    name = essence(content_type)
    return name.endswith(("/json", "+json"))


@lru_cache(maxsize=1000)
def _ranges(content_type: str) -> tuple[str, ...]:
    wanted = essence(content_type)
    main, _, sub = wanted.partition("/")
    _, plus, suffix = sub.rpartition("+")
    return (wanted, *((f"{main}/*+{suffix}",) if plus else ()), f"{main}/*", "*/*")
