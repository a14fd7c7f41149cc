"""Replies in the media type that the contract declares for their status."""

from contracts.messages import ABSENT, Headers, Reply
from mockserver.turn import Turn


def reply_with(turn: Turn, status: int, data: object, headers: Headers | None = None) -> Reply:
    """Return a JSON reply of the declared media type; one for a status that declares no content has no body."""
    operation = turn.operation
    response = None if operation is None else operation.response(status)
    if response is None or data is ABSENT:
        return Reply.of(status, data, headers=headers)
    if not response.content:
        return Reply(status=status, headers=headers or Headers())
    declared = response.content[0].media_range
    return Reply.of(status, data, media_type="application/json" if "*" in declared else declared, headers=headers)
