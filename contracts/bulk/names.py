"""Words in paths and names that tell of bulk requests. Begin with `collection_path` and `tells_of_bulk`."""

import re
from typing import Final

WORDS: Final = r"(?:bulk|batch|import|upload|multi|mass|many|multiple)"
VERBS: Final = r"(?:create|update|upsert|delete|replace|add|remove|set|write|insert|import|get|read|archive)"
BULK_SEGMENT: Final = re.compile(
    rf"(?:/\$?_?{WORDS}s?(?:[-_/]?{VERBS})?|/{VERBS}[-_]?{WORDS}|:{WORDS}[-_]?{VERBS}?)/?$", re.IGNORECASE
)
"""The end of a path that says bulk: `/users/bulk`, `/users/batch/create`, `/users:batchCreate`."""

BULK_NAME: Final = re.compile(
    rf"(?:^|[^a-z]|(?<=[a-z])(?=[A-Z])){WORDS}(?![a-z])|(?:^|[^a-zA-Z]){WORDS}(?=[A-Z_-]|s?\b)|(?:Bulk|Batch|Many|Multiple)(?![a-z])"
)


def collection_path(path: str) -> str:
    """Return a path without the word at its end that says bulk: `/users/bulk` gives `/users`, others themselves."""
    return BULK_SEGMENT.sub("", path) or path


def tells_of_bulk(name: str) -> bool:
    """Say whether a path, an operationId or a tag has a word that tells of many records at once."""
    return BULK_NAME.search(name) is not None
