"""The records of the fake: books with versions, and shelves in rooms; and what applying one item to them does."""

import pickle
from dataclasses import dataclass, field

BOOK = {
    "isbn": (str, 1, 30),
    "title": (str, 1, 60),
    "pages": (int, 1, None),
    "note": (str, 0, 200),
    "shelf": (str, 1, 30),
}
SHELF = {"code": (str, 1, 30), "label": (str, 1, 60), "colour": (str, 1, 20), "gone": (bool, None, None)}
ROOMS = ("north", "south")


@dataclass
class Store:
    """Everything that is stored; `broken` names the law that the fake breaks, "" for none."""

    broken: str = ""
    books: dict = field(default_factory=dict)
    shelves: dict = field(default_factory=lambda: {room: {} for room in ROOMS})
    made: int = 0
    failed: set = field(default_factory=set)

    def copy(self):
        return pickle.loads(pickle.dumps((self.books, self.shelves)))  # noqa: S301 - our own, much sooner than deepcopy

    def restore(self, kept):
        self.books, self.shelves = kept

    def add_book(self, fields, *, bulk=False):
        problem = bad(fields, BOOK, skip={"title"} if bulk and self.broken == "singular" else ())
        missing = [name for name in ("isbn", "title") if fields.get(name) is None]
        if missing or problem:
            return None, problem or f"{missing[0]} is missing"
        if any(book["isbn"] == fields["isbn"] for book in self.books.values()) or fields["isbn"] in self.failed:
            return None, "isbn is taken"
        if not self.stands(fields):
            self.failed |= {fields["isbn"]} if self.broken == "reuse" else set()
            return None, "no such shelf" if self.broken != "errors" else "isbn is taken"
        self.made += 1
        kept = {name: value for name, value in fields.items() if value or self.broken != "exact"}
        book = self.books[f"b{self.made}"] = {"id": f"b{self.made}", "version": 1, **kept}
        return book, None

    def change_book(self, key, version, fields):
        book = self.books.get(key)
        if book is None:
            return None, "no such book"
        if version is not None and version != book["version"] and self.broken != "stale-version":
            return None, "version conflict"
        problem = bad(fields, BOOK)
        if problem or not self.stands(fields):
            return None, problem or "no such shelf"
        if any(other["isbn"] == fields.get("isbn") and other is not book for other in self.books.values()):
            return None, "isbn is taken"
        kept = {} if self.broken == "effect" else book
        self.books[key] = {**pick(book), **kept, **fields, "version": book["version"] + 1}
        return self.books[key], None

    def drop_book(self, key, version):
        book = self.books.get(key)
        if book is None:
            return None, "no such book"
        if version is not None and version != book["version"]:
            return None, "version conflict"
        return self.books.pop(key), None

    def put_shelf(self, room, fields):
        if self.broken == "keys" and isinstance(fields.get("code"), str):
            fields = {**fields, "code": fields["code"].replace("+", " ")}
        code, old = fields.get("code"), self.shelves[room].get(fields.get("code"))
        problem = bad(fields, SHELF)
        if problem:
            return None, problem
        if fields.get("gone") is True:
            if old is None or old.get("gone"):
                return None, f"no shelf {code}"
            self.shelves[room][code] = {**old, "gone": True}
            return {}, None
        if old is None and not fields.get("label"):
            return None, f"shelf {code} has no label"
        self.shelves[room][code] = {**(old or {}), **fields, "gone": False}
        return self.shelves[room][code], None

    def stands(self, fields):
        shelf = fields.get("shelf")
        return shelf is None or not self.shelves["north"].get(shelf, {"gone": True}).get("gone")


def pick(book):
    """Return the members that no book is without."""
    return {name: book[name] for name in ("id", "isbn", "title")}


def bad(fields, known, skip=()):
    """Return what is wrong with members, None when nothing is."""
    for name, value in fields.items():
        if name not in known:
            return f"{name} is unknown"
        kind, least, most = known[name]
        if name in skip or (value is None and name == "note"):
            continue
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            return f"{name} is no {kind.__name__}"
        size = len(value) if isinstance(value, str) else value
        if least is not None and (size < least or (most is not None and size > most)):
            return f"{name} has a wrong size"
    return None


def plain(fields, known):
    """Return the members that are known, for records whose other members are ignored."""
    return {name: value for name, value in fields.items() if name in known}
