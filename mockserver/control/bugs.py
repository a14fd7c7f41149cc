"""The control call about planted bugs: what each is, and what it needs."""

from contracts.messages import Reply
from mockserver.control.desk import Desk
from mockserver.scenario.bugs import BUGS, fitting
from mockserver.turn import Turn


def list_bugs(desk: Desk, turn: Turn) -> Reply:
    """List the planted bugs: all there are, or with `?api=` those that this API can have."""
    name = turn.query.get("api")
    bugs = BUGS if name is None else fitting([desk.named(str(name)).contract])
    told = [{"name": bug.name, "law": bug.law, "needs": list(bug.needs), "says": bug.says} for bug in bugs]
    return Reply.of(200, {"bugs": told})
