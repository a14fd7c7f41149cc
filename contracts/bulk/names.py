"""Words in paths and names that tell of bulk requests. Begin with `collection_path` and `tells_of_bulk`."""

import re
from typing import Final

WORDS: Final = r"(?:bulk|batch|import|multi|mass|many|multiple)"
VERBS: Final = r"(?:create|update|upsert|delete|replace|add|remove|set|write|insert|import|get|read|archive)"
BULK_SEGMENT: Final = re.compile(
    rf"(?:/\$?_?{WORDS}s?(?:[-_/]?{VERBS})?|/{VERBS}[-_]?{WORDS}|:{WORDS}[-_]?{VERBS}?)/?$", re.IGNORECASE
)
"""The end of a path that says bulk: `/users/bulk`, `/users/batch/create`, `/users:batchCreate`."""

BULK_NAME: Final = re.compile(
    rf"(?<![a-zA-Z])(?<!to[_-]){WORDS}s?(?![a-z])"  # bulk_send, and no to_many
    "|(?<=[a-z])(?<!To)(?<!One)(?:Bulk|Batch|Many|Multiple)(?![a-z])"  # createMany, and no OneToMany
    "|(?<![a-z])(?:Bulk|Batch)(?![a-z])"  # BatchCreateUsers
)
READING_VERBS: Final = "get|list|check|search|query|find|lookup|validate|describe|read|export"
READING: Final = re.compile(rf"^(?:batch|bulk|multi)?[-_]?(?:{READING_VERBS})(?![a-z])", re.IGNORECASE)


def collection_path(path: str) -> str:
    """Return a path without the word at its end that says bulk: `/users/bulk` gives `/users`, others themselves."""
    return BULK_SEGMENT.sub("", path) or path


def tells_of_reading(name: str) -> bool:
    """Say whether the last word of a path or an operationId begins with a verb that changes nothing."""
    last = re.split(r"[/:.]", name)[-1]
    return READING.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "-", last)) is not None


def tells_of_bulk(name: str) -> bool:
    """Say whether a path, an operationId or a tag has a word that tells of many records at once."""
    return BULK_NAME.search(name) is not None
