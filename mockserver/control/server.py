"""Control calls about the server as a whole: health, the served APIs, counters."""

from contracts.messages import Headers, Reply
from mockserver.control.desk import Desk
from mockserver.metrics import MEDIA_TYPE, exposition
from mockserver.turn import Turn
from mockserver.version import VERSION


def get_health(desk: Desk, turn: Turn) -> Reply:
    """Report that the server is ready."""
    del desk, turn
    return Reply.of(200, {"status": "ok", "version": VERSION})


def list_apis(desk: Desk, turn: Turn) -> Reply:
    """List the served APIs."""
    del turn
    apis = [
        {
            "name": api.name,
            "title": api.contract.title,
            "version": api.contract.version,
            "mount": api.mount,
            "openapi": f"{api.mount}/openapi.json",
            "kinds": sorted(api.contract.resources),
        }
        for api in desk.apis.values()
    ]
    return Reply.of(200, {"apis": apis})


def get_metrics(desk: Desk, turn: Turn) -> Reply:
    """Return the counters."""
    del turn
    text = exposition(desk.metrics, desk.sandboxes)
    return Reply(status=200, headers=Headers((("Content-Type", MEDIA_TYPE),)), body=text.encode())
