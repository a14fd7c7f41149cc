"""Group single violations, so that a body with thousands of them is reported in a few lines.

Begin with `Violation` (one group) and `Findings` (the collector).
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from contracts.schemas.schema_set import Schema
from contracts.schemas.wording import Check
from contracts.syntax.text import clipped, closest, pointer_of, short

Path: TypeAlias = "tuple[Path, str | int] | None"  # the way to a value: the way to its parent and the last token
MAX_GROUPS: Final = 100
VALUE_KEYWORDS: Final = frozenset(("const", "enum", "pattern"))  # keywords that a value breaks, and no name


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """How a request or a response violates its contract, and where it does so first; a request's body by default.

    `where` is `body`, `status`, `content-type`, or `query:NAME`, `path:NAME`, `header:NAME`, `cookie:NAME`. `pointer`
    is a JSON Pointer into that value; a missing member points at the object that lacks it. `rule` is the JSON Schema
    keyword. `got` is at most 80 characters. `hint` is the closest known name. `items` counts the items with the same
    violation, `field` is the last token of the pointer that is no index.
    """

    side: Literal["call", "reply"] = "call"
    where: str = "body"
    pointer: str
    rule: str
    expected: str
    got: str
    hint: str = ""
    detail: str
    items: int = 1
    field: str = ""


class _Group:
    """Violations of one kind in one field: the first one's path, value and item, and the number of items.

    `similar_name` is the member that may be meant where one is missing.
    """

    __slots__ = ("check", "field", "got", "is_item", "items", "last", "path", "similar_name")

    def __init__(self, check: Check, field: str, path: Path, got: str, item: Path) -> None:
        self.check, self.field, self.path, self.got = check, field, path, got
        self.is_item = item is not None and path is item
        self.last = item
        self.items = 1
        self.similar_name = ""


class Findings:
    """Collects violations: `total` of them, in `bad_items` items, grouped by field, rule and message.

    `items_at` are the pointers of the collections whose members count as items. Only the first `most` groups are kept.
    """

    __slots__ = ("_groups", "_item", "_items_at", "_most", "bad_items", "total")

    def __init__(self, *, items_at: Collection[str] = (), most: int = MAX_GROUPS) -> None:
        self._groups: dict[tuple[Check, str], _Group] = {}
        self._item: Path = None
        self._items_at = items_at
        self._most = most
        self.total = 0
        self.bad_items = 0

    def add(self, check: Check, path: Path, value: object) -> None:
        """Add one violation of `check` by the value at `path`."""
        self.total += 1
        field = self._field(path)
        group = self._groups.get((check, field))
        if group is not None:
            if self._item is None or group.last is not self._item:
                group.items += 1
                group.last = self._item
        elif len(self._groups) < self._most:
            got = "nothing" if check.is_missing else short(value)
            group = self._groups[check, field] = _Group(check, field, path, got, self._item)
            if check.is_missing and check.known and isinstance(value, dict):
                group.similar_name = closest(check.known[0], [str(name) for name in value if name not in check.known])

    def _field(self, path: Path) -> str:
        """Return the last token of a path that is neither an index nor an item's own name, "" without one."""
        while path is not None:
            above, token = path
            if isinstance(token, str) and path is not self._item:
                return token
            path = above
        return ""

    def is_item_collection(self, path: Path) -> bool:
        """Say whether the members of the value at `path` count as items."""
        return self._item is None and bool(self._items_at) and pointer_of(tokens_of_path(path)) in self._items_at

    def enter(self, item: Path) -> None:
        """Count what is added from now on to the invalid item at a path; None ends it."""
        self._item = item
        self.bad_items += item is not None

    def violations(self, *, side: Literal["call", "reply"], where: str) -> tuple[Violation, ...]:
        """Return the groups, in the order in which they were found."""
        return tuple(_violation(group, side, where) for group in self._groups.values())


Explain: TypeAlias = Callable[[Any, Path, Findings], None]  # adds the violations of an invalid value
ExplainerOf: TypeAlias = Callable[[Schema], Explain]


def tokens_of_path(path: Path) -> list[str | int]:
    """Return the tokens of a path, from the root."""
    tokens = []
    while path is not None:
        path, token = path
        tokens.append(token)
    return tokens[::-1]


def _violation(group: _Group, side: Literal["call", "reply"], where: str) -> Violation:
    check, tokens = group.check, tokens_of_path(group.path)
    hint = _hint(group)
    tail = f" Did you mean '{hint}'?" if hint else ""
    if group.similar_name:
        tail = f" It has '{clipped(group.similar_name)}'. Did you mean '{hint}'?"
    return Violation(
        side=side,
        where=where,
        pointer=pointer_of(tokens),
        rule=check.rule,
        expected=check.expected,
        got=group.got,
        hint=hint,
        detail=f"{_subject(group, tokens, where)} {check.predicate}.{tail}",
        items=group.items,
        field=group.field,
    )


def _hint(group: _Group) -> str:
    check = group.check
    if check.is_missing:
        return check.known[0] if group.similar_name else ""
    name = group.got.strip('"') if check.rule in VALUE_KEYWORDS else group.field
    return closest(name, check.known) if check.known else ""


def _subject(group: _Group, tokens: list[str | int], where: str) -> str:
    if not tokens:
        return "The body" if where == "body" else f"'{where.partition(':')[2]}'"
    if group.is_item:
        return "An item"
    if isinstance(tokens[-1], str):
        return f"'{clipped(tokens[-1])}'"
    return f"An element of '{clipped(group.field)}'" if group.field else "An element"
