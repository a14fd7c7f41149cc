"""Reading records: one, several by id, or a list that OKQL filters, orders, cuts and selects from."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from heapq import nsmallest
from operator import attrgetter, eq, ge, gt, le, lt, ne
from typing import Any, Final, TypeAlias

from contracts.messages import Reply
from mockserver.apis.onkey.dataset import data_set
from mockserver.apis.onkey.entities import entity, linked, selection
from mockserver.apis.onkey.kinds import Kind, Kinds, Steps, key_of
from mockserver.apis.onkey.okql import EQUALITY, Condition, Mistake, read_filter, read_order, read_select
from mockserver.apis.onkey.refusals import invalid, not_found
from mockserver.apis.onkey.scope import kind_of
from mockserver.replying import reply_with
from mockserver.stores import Record
from mockserver.turn import Turn

Query: TypeAlias = Mapping[str, Sequence[Any]]
Value: TypeAlias = Callable[[Record, Steps], Any]
BAD_ID: Final = "The id must be a number from 0 to 9223372036854775807."
DEFAULT_TOP: Final = 50
PARTS: Final[Mapping[str, Callable[[Kinds, Kind, str], Sequence[Any] | Mistake]]] = {
    "$filter": read_filter,
    "$orderby": read_order,
    "$select": read_select,
}
COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "eq": eq,
    "ne": ne,
    "gt": gt,
    "ge": ge,
    "lt": lt,
    "le": le,
    "startswith": str.startswith,
}


def read(turn: Turn) -> Reply:
    """Answer one record, or 404."""
    kind, key = kind_of(turn), key_of(turn.variables["id"])
    if key is None:
        return invalid(turn, "id", BAD_ID)
    record = data_set(turn).get(kind, key)
    if record is None:
        return not_found(kind.name, key)
    return reply_with(turn, 200, linked(turn, kind, [entity(kind, record)])[0])


def batch_get(turn: Turn) -> Reply:
    """Answer the records of a list of ids: unknown ones are left out, repeated ones repeated."""
    kind, data = kind_of(turn), data_set(turn)
    keys = [key_of(one.strip()) for one in turn.variables["ids"].split(",")]
    known = [key for key in keys if key is not None]
    if len(known) < len(keys):
        return invalid(turn, "ids", f"{BAD_ID} Several are separated by commas.")
    found = [record for key in known if (record := data.get(kind, key)) is not None]
    return reply_with(turn, 200, linked(turn, kind, [entity(kind, record) for record in found]))


def list_records(turn: Turn) -> Reply:
    """Answer the window of records that the query asks for."""
    kind, data = kind_of(turn), data_set(turn)
    query = _query(turn, data.kinds, kind)
    if isinstance(query, Reply):
        return query
    value = partial(data.value, kind)
    window, selected = _window(turn, data.scan(kind), query, value), query["$select"]
    if not selected:
        return reply_with(turn, 200, linked(turn, kind, [entity(kind, record) for record in window]))
    shown = [selection(kind, one, {steps: value(one, steps) for steps in selected}) for one in window]
    return reply_with(turn, 200, linked(turn, kind, shown))


def _query(turn: Turn, kinds: Kinds, kind: Kind) -> Query | Reply:
    """Return the parts of the query, or the refusal of one that cannot be read."""
    parts: dict[str, Sequence[Any]] = {}
    for name, read_part in PARTS.items():
        given = turn.query.get(name)
        part = read_part(kinds, kind, given) if isinstance(given, str) else ()
        if isinstance(part, Mistake):
            end = "" if part.detail.endswith("?") else "."
            detail = f"{name}, column {part.column}: {part.detail.rstrip('.')}{end}"
            return invalid(turn, name, detail, got=part.got, hint=part.hint)
        parts[name] = part
    return parts


def _window(turn: Turn, records: Iterable[Record], query: Query, value: Value) -> Sequence[Record]:
    """Return the records that are asked for: filtered, ordered (ties by id), cut."""
    begin = _number(turn, "$skip", 0)
    end = begin + _number(turn, "$top", DEFAULT_TOP)
    if query["$filter"]:
        records = [one for one in records if all(_holds(value(one, test.steps), test) for test in query["$filter"])]
    if not query["$orderby"]:
        return nsmallest(end, records, key=attrgetter("key"))[begin:]
    found = sorted(records, key=attrgetter("key"))
    for steps, descending in reversed(query["$orderby"]):
        found.sort(key=partial(_rank, value, steps), reverse=descending)
    return found[begin:end]


def _rank(value: Value, steps: Steps, record: Record) -> tuple[Any, ...]:
    """Return where a record stands in an order: null before anything else."""
    found = value(record, steps)
    return (False,) if found is None else (True, found)


def _holds(stored: Any, test: Condition) -> bool:
    if stored is None or test.value is None:
        return test.operator in EQUALITY and COMPARE[test.operator](stored, test.value)
    return COMPARE[test.operator](stored, test.value)


def _number(turn: Turn, name: str, default: int) -> int:
    given = turn.query.get(name)
    return given if isinstance(given, int) else default
