"""A right implementation of `shelves.yaml` in memory that, told a law's name, breaks just that law."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import orjson
from shelf_bulk import Bulk
from shelf_store import ROOMS, SHELF, Store, bad, plain

from contracts.exchange.locations import json_of
from contracts.messages import ABSENT, Headers, Response
from contracts.openapi.loading import load
from contracts.openapi.model import NoRoute
from contracts.openapi.routing import Router

CONTRACT = load(Path(__file__).parent.parent / "data" / "shelves.yaml")
START = datetime(2026, 1, 1, tzinfo=UTC)


class Asked(NamedTuple):
    """A call with the path's variables and the body's JSON value."""

    request: object
    variables: dict
    data: object


class Shelves:
    """A Caller that answers by itself."""

    controlled = True

    def __init__(self, broken=""):
        self.store = Store(broken=broken)
        self.bulk = Bulk(self)
        self.at = START
        self._router = Router(CONTRACT)

    def now(self):
        return self.at

    def advance(self, by):
        self.at += by

    def send(self, call):
        route = self._router.match(call.method, call.path)
        if isinstance(route, NoRoute):
            return Response(status=405, headers=Headers([("Allow", ", ".join(route.allow or ()))]))
        self.bulk.settle()
        data = json_of(call.body)
        asked = Asked(call, route.variables, data)
        name = re.sub("([A-Z])", lambda found: f"_{found[0].lower()}", route.operation.id)
        doing = getattr(self, name, None) or getattr(self.bulk, name)
        bulk = route.operation.bulk
        wanted = list if bulk is not None and not bulk.items.at else dict
        is_broken = route.operation.body is not None and not isinstance(data, wanted)
        status, body, *headers = refused(400, "no JSON") if is_broken else doing(asked)
        text = b"" if body is None else orjson.dumps(body)
        pairs = [*headers, *([("Content-Type", "application/json")] if text else [])]
        value = orjson.loads(text) if text else ABSENT
        return Response(status=status, headers=Headers(pairs), body=text, data=value)

    def list_books(self, asked):
        skip, take = int(asked.request.parameter("skip", "0")), min(int(asked.request.parameter("take", "50")), 50)
        return 200, list(self.store.books.values())[skip : skip + take]

    def create_book(self, asked):
        book, problem = self.store.add_book(asked.data)
        return (201, book, ("Location", f"/shelves-api/books/{book['id']}")) if book else refused(400, problem)

    def read_book(self, asked):
        book = self.store.books.get(asked.variables["id"])
        return (200, book) if book else refused(404, "no such book")

    def update_book(self, asked):
        book, problem = self.store.change_book(asked.variables["id"], version_of(asked.request), asked.data)
        return (200, book) if book else refused(404 if problem == "no such book" else 409, problem)

    def delete_book(self, asked):
        book, problem = self.store.drop_book(asked.variables["id"], version_of(asked.request))
        return (204, None) if book else refused(404 if problem == "no such book" else 409, problem)

    def read_shelf(self, asked):
        shelf = self.store.shelves[asked.request.parameter("room", "north")].get(asked.variables["code"])
        return (200, shelf) if shelf and not shelf.get("gone") else refused(404, "no such shelf")

    def put_shelf(self, asked):
        room, fields = asked.request.parameter("room", "north"), plain(asked.data, SHELF)
        if bad(fields, SHELF) or fields.get("code") != asked.variables["code"] or room not in ROOMS:
            return refused(400, "no shelf")
        shelf, problem = self.store.put_shelf(room, fields)
        if problem:
            return refused(400, problem)
        return (200, shelf) if shelf else (204, None)


def version_of(call):
    given = call.headers.get("If-Match")
    return int(given) if given else None


def refused(status, problem):
    return status, {"problem": problem}
