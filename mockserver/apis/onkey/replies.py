"""The last word on replies: headers that answers have, and the warning that an import's order was ignored."""

from dataclasses import replace
from typing import Any, Final

from contracts.messages import Reply
from mockserver.apis.onkey.entities import base_of
from mockserver.apis.onkey.messages import message
from mockserver.apis.onkey.refusals import notification
from mockserver.behaviours.bulk import bulk
from mockserver.turn import Turn

IGNORED: Final = message(
    "Sandbox_GroupOrderIgnored",
    "groupOrder was ignored and the records ran in the order of the request. Put ordered=true in the query to use it",
    "warning",
)


def imported(turn: Turn) -> Reply:
    """Serve an import; where groups are named and `ordered` is absent, warn that they were ignored."""
    reply = bulk(turn)
    if reply.status != 200 or "ordered" in turn.query:  # noqa: PLR2004 - HTTP's own number
        return reply
    body: Any = reply.data
    records: Any = turn.data
    if all(record.get("groupOrder") is None for record in records):
        return reply
    return notification(200, [*body["messages"], IGNORED], reply.headers)


def finish(turn: Turn, reply: Reply) -> Reply:
    """Add the trace that every answer has, and the id and address of a task that was made."""
    ids = turn.world.ids
    headers = [("OnKey-Trace-Context", f"{ids.hex('trace', 32)}_{ids.hex('span', 16)}")]
    if reply.status == 202 and turn.jobs:  # noqa: PLR2004 - HTTP's own number
        task = turn.jobs[0].id
        location = f"{base_of(turn)}/modules/system/backgroundtasks/{task}"
        headers += [("OnKey-Request-Id", task), ("OnKey-Request-Location", location)]
    return replace(reply, headers=reply.headers.with_(*headers))
