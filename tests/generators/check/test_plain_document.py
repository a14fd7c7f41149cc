"""A right server of a plain document, with rules that the document does not say, is accused of nothing."""

import re
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import orjson
import pytest

from contracts import load
from contracts.drafts.bulk_drafts import find_drafts
from contracts.exchange.locations import json_of
from contracts.messages import ABSENT, Headers, Response
from contracts.openapi.model import NoRoute
from contracts.openapi.routing import Router
from generators.check.run import FindingFound, run_checks
from mockserver.cli.init import overlay_lines

DOCUMENT = Path(__file__).parent / "data" / "stays.yaml"
PLAIN = load(DOCUMENT)


class Stays:
    """A Caller that knows rooms, whose numbers differ, and bookings, which end after they begin and are cancelled."""

    controlled = False

    def __init__(self):
        self.rooms, self.bookings, self.ids = {}, {}, count(1)
        self._router = Router(PLAIN)

    def now(self):
        return datetime.now(UTC)

    def send(self, call):
        route = self._router.match(call.method, call.path)
        if isinstance(route, NoRoute):
            return Response(
                status=404 if route.allow is None else 405, headers=Headers([("Allow", ", ".join(route.allow or ()))])
            )
        body = json_of(call.body)
        body_schema = route.operation.body and route.operation.body.content[0].schema.request
        of_path = next((int(one) for one in route.variables.values() if re.fullmatch(r"-?\d{1,18}", one)), None)
        is_batch = route.operation.id == "createRooms"
        if body_schema and not (
            isinstance(body, list) and 1 <= len(body) <= 50 if is_batch else body_schema.is_valid(body)
        ):
            return _answered(400, {"error": "invalid"})
        return _answered(*getattr(self, route.operation.id)(call, of_path, body))

    def _room(self, body, own=None):
        schema = PLAIN.schemas.schema(PLAIN.resources["rooms"].schema)
        if not schema.is_valid(body):
            return 400, {"error": "invalid"}
        if any(one["number"] == body["number"] and key != own for key, one in self.rooms.items()):
            return 409, {"error": f"{body['number']} is taken"}
        room = {name: one for name, one in body.items() if name in schema.members()}
        key = own or next(self.ids)
        self.rooms[key] = {"id": key, **room}
        return (200 if own else 201), self.rooms[key]

    def listRooms(self, call, *_):  # noqa: N802 - named as the operation
        number, size = (
            int(given) if re.fullmatch(r"\d{1,9}", given := call.parameter(name, "")) else other
            for name, other in (("page", 1), ("per_page", 20))
        )
        number, size = max(number, 1), min(max(size, 1), 100)
        rooms = list(self.rooms.values())
        return 200, {"items": rooms[(number - 1) * size : number * size], "total": len(rooms)}

    def createRoom(self, _call, _key, body):  # noqa: N802 - as above
        return self._room(body)

    def createRooms(self, _call, _key, body):  # noqa: N802 - as above
        told = [self._room(one) for one in body]
        entries = [
            {"index": n, "status": status, **({"id": one["id"]} if status == 201 else one)}
            for n, (status, one) in enumerate(told)
        ]
        return 200 if all(status == 201 for status, _ in told) else 207, entries

    def getRoom(self, _call, key, _body):  # noqa: N802 - as above
        return _found(self.rooms.get(key))

    def replaceRoom(self, _call, key, body):  # noqa: N802 - as above
        return self._room(body, key) if key in self.rooms else _found(None)

    def deleteRoom(self, _call, key, _body):  # noqa: N802 - as above
        if any(one["roomId"] == key for one in self.bookings.values()):
            return 409, {"error": "it has bookings"}
        return (204, None) if self.rooms.pop(key, None) else _found(None)

    def listBookings(self, call, *_):  # noqa: N802 - as above
        size = int(given) if re.fullmatch(r"\d{1,3}", given := call.parameter("limit", "")) else 25
        begin = int(given) if re.fullmatch(r"\d{1,9}", given := call.parameter("cursor", "")) else 0
        rows = list(self.bookings.values())
        more = str(begin + size) if len(rows) > begin + size else None
        return 200, {"data": rows[begin : begin + size], "next_cursor": more}

    def createBooking(self, _call, _key, body):  # noqa: N802 - as above
        if body["from"] >= body["to"]:
            return 400, {"error": "it ends before it begins"}
        if body["roomId"] not in self.rooms:
            return 422, {"error": "no such room"}
        key = next(self.ids)
        own = {name: body[name] for name in ("roomId", "from", "to", "note") if name in body}
        self.bookings[key] = {"id": key, **own, "status": "requested"}
        return 201, self.bookings[key]

    def getBooking(self, _call, key, _body):  # noqa: N802 - as above
        return _found(self.bookings.get(key))

    def cancelBooking(self, _call, key, _body, status="cancelled"):  # noqa: N802 - as above
        if key in self.bookings:
            self.bookings[key] = {**self.bookings[key], "status": status}
        return _found(self.bookings.get(key))

    def confirmBooking(self, call, key, body):  # noqa: N802 - as above
        if self.bookings.get(key, {}).get("status") == "cancelled":
            return 409, {"error": "it is cancelled"}
        return self.cancelBooking(call, key, body, "confirmed")


def _found(one):
    return (404, {"error": "unknown"}) if one is None else (200, one)


def _answered(status, body):
    text = b"" if body is None else orjson.dumps(body)
    headers = Headers([("Content-Type", "application/json")] if text else [])
    return Response(status=status, headers=headers, body=text, data=orjson.loads(text) if text else ABSENT)


def _drafted(folder):
    """Return the contract that `init` drafts."""
    (folder / "bulk.yaml").write_text("\n".join(overlay_lines(PLAIN, find_drafts(PLAIN), DOCUMENT.as_posix())))
    return load(folder / "bulk.yaml")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("is_drafted", [False, True], ids=["plain", "drafted"])
def test_rules_that_a_document_does_not_say_break_no_law(tmp_path, seed, is_drafted):
    """Numbers that must differ, dates in an order, deletions that keep their record and pages are the server's own."""
    contract = _drafted(tmp_path) if is_drafted else PLAIN
    events = run_checks(contract, Stays(), name_prefix=f"0000{seed}", seed=seed)
    assert [(one.finding.law, one.finding.says) for one in events if isinstance(one, FindingFound)] == []
