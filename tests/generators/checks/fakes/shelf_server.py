"""A right implementation of `shelves.yaml` in memory that, told a law's name, breaks just that law."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
from contracts.document import load
from contracts.messages import ABSENT, Headers, Reply
from contracts.routing import Router
from shelf_bulk import Bulk
from shelf_store import ROOMS, SHELF, Store, bad, plain

CONTRACT = load(Path(__file__).parent.parent / "data" / "shelves.yaml")
START = datetime(2026, 1, 1, tzinfo=UTC)


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
        self.bulk.settle()
        data = orjson.loads(call.body) if call.body else None
        name = route.operation.id
        doing = getattr(self, name, None) or getattr(self.bulk, name)
        status, body, *headers = doing(call, route.variables, data)
        text = b"" if body is None else orjson.dumps(body)
        pairs = [*headers, *([("Content-Type", "application/json")] if text else [])]
        value = orjson.loads(text) if text else ABSENT
        return Reply(status=status, headers=Headers(pairs), body=text, data=value)

    def listBooks(self, call, variables, data):
        skip, take = int(call.parameter("skip", "0")), min(int(call.parameter("take", "50")), 50)
        return 200, list(self.store.books.values())[skip : skip + take]

    def createBook(self, call, variables, data):
        book, problem = self.store.add_book(data)
        return (201, book, ("Location", f"/shelves-api/books/{book['id']}")) if book else refused(400, problem)

    def readBook(self, call, variables, data):
        book = self.store.books.get(variables["id"])
        return (200, book) if book else refused(404, "no such book")

    def updateBook(self, call, variables, data):
        book, problem = self.store.change_book(variables["id"], version_of(call), data)
        return (200, book) if book else refused(404 if problem == "no such book" else 409, problem)

    def deleteBook(self, call, variables, data):
        book, problem = self.store.drop_book(variables["id"], version_of(call))
        return (204, None) if book else refused(404 if problem == "no such book" else 409, problem)

    def readShelf(self, call, variables, data):
        shelf = self.store.shelves[call.parameter("room", "north")].get(variables["code"])
        return (200, shelf) if shelf and not shelf.get("gone") else refused(404, "no such shelf")

    def putShelf(self, call, variables, data):
        room = call.parameter("room", "north")
        if bad(plain(data, SHELF), SHELF) or data.get("code") != variables["code"] or room not in ROOMS:
            return refused(400, "no shelf")
        shelf, problem = self.store.put_shelf(room, plain(data, SHELF))
        if problem:
            return refused(400, problem)
        return (200, shelf) if shelf else (204, None)


def version_of(call):
    given = call.headers.get("If-Match")
    return int(given) if given else None


def refused(status, problem):
    return status, {"problem": problem}
