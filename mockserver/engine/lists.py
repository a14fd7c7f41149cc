"""Lists as an `x-record` declares them: the records that are wanted, in the order wanted, page by page.

Begin with `list_window`.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contracts.bulk.lists import SERVED_SIZE, ListRules, Pagination, Sorting
from contracts.bulk.model import Location, RecordAct, Resource
from contracts.exchange.filters import FilterError, holds, read_filter
from contracts.exchange.locations import locate
from contracts.messages import ABSENT, Response
from contracts.syntax.text import parse_digits
from mockserver.api.model import Refusal, RequestContext
from mockserver.stores.interface import Collection, Record, key_order


@dataclass(frozen=True, slots=True, kw_only=True)
class ListWindow:
    """One page of a list: its `records`, the `total` of all that were wanted, and the `next` page's cursor, if any.

    It begins at `begin` and has `size` records at most.
    """

    records: Sequence[Record]
    total: int
    begin: int
    size: int
    next: str | None = None


class ListQueryError(Exception):
    """A request for a list that is not understood."""


def list_window(context: RequestContext, act: RecordAct, resource: Resource) -> ListWindow | Response:
    """Return the page that a request asks for, or the refusal of one that is not understood."""
    every = records_of(context, resource)
    try:
        wanted = _ordered(context, act.rules, resource, _selected(context, act.rules, resource, every))
        begin, size = _window(context, act.page, len(wanted))
    except (ListQueryError, FilterError) as error:
        return context.refuse(Refusal(status=400, kind="invalid", detail=f"{error}."))
    more = 0 < size < len(wanted) - begin
    return ListWindow(
        records=wanted[begin : begin + size],
        total=len(wanted),
        begin=begin,
        size=size,
        next=cursor_text(begin + size) if more else None,
    )


def records_of(context: RequestContext, resource: Resource) -> Sequence[Record]:
    """Return the records of the request's scope that are not deleted, ordered by key."""
    found = context.api_state.store.scan(Collection(context.scope, resource.name))
    return sorted((one for one in found if not one.deleted), key=key_order)


def _members(resource: Resource, record: Record) -> Mapping[str, object]:
    return {**record.body, resource.key: record.key}


def _names(context: RequestContext, resource: Resource) -> Sequence[str]:
    """Return the members that a query may name; empty where they are unknown."""
    if resource.schema is None:
        return ()
    return tuple(dict.fromkeys((resource.key, *context.api.contract.schemas.schema(resource.schema).members())))


def _given(context: RequestContext, at: Location | None) -> str | None:
    value = ABSENT if at is None else locate(context, at)
    return None if value is ABSENT else str(value)


def _selected(
    context: RequestContext, rules: ListRules, resource: Resource, records: Sequence[Record]
) -> Sequence[Record]:
    """Return the records that parameters and a filter select."""
    for member, at in rules.where.items():
        wanted = locate(context, at)
        if wanted is not ABSENT:
            records = [one for one in records if equals(_members(resource, one).get(member), wanted)]
    if rules.filter is None or (text := _given(context, rules.filter.at)) is None:
        return records
    condition = read_filter(rules.filter, text, _names(context, resource))
    return [one for one in records if holds(condition, _members(resource, one))]


def equals(value: object, wanted: object) -> bool:
    """Tell whether a member has the value of a parameter."""
    if value is None or isinstance(value, bool):
        return str(value).lower() == str(wanted).lower() and value is not None
    return value == wanted or str(value) == wanted


def _ordered(
    context: RequestContext, rules: ListRules, resource: Resource, records: Sequence[Record]
) -> Sequence[Record]:
    """Return records in the declared order, then in the one that the request asks for."""
    steps = rules.ordered_by(resource.key)
    text = _given(context, rules.sort.at) if rules.sort is not None else None
    if rules.sort is not None and text:
        steps = [*_asked_order(rules.sort, text, _names(context, resource)), *steps]
    found = list(records)
    for member, falls in reversed(steps):
        found.sort(key=lambda one, name=member: _sort_key(_members(resource, one).get(name)), reverse=falls)  # type: ignore[misc] # the name is bound now
    return found


def _asked_order(sort: Sorting, text: str, known: Sequence[str]) -> list[tuple[str, bool]]:
    """Return the members of an order, each with whether it falls."""
    found: list[tuple[str, bool]] = []
    for part in (one.strip() for one in text.split(",")):
        before, _, after = (sort.descending or "{member}").partition("{member}")
        falls = sort.descending is not None and part.startswith(before) and part.endswith(after)
        name = part[len(before) : len(part) - len(after)] if falls else part
        if known and name not in known:
            raise ListQueryError(f"The order is not understood: expected one of {', '.join(known)}; got '{part[:40]}'")
        found.append((name, falls))
    return found


def _sort_key(value: object) -> tuple[int, object]:
    """Return what a value is sorted by: null, then numbers and booleans, then texts, then the rest as it is written."""
    if value is None:
        return 0, 0
    if isinstance(value, int | float):
        return 1, value
    return (2, value) if isinstance(value, str) else (3, str(value))


def _window(context: RequestContext, page: Pagination, total: int) -> tuple[int, int]:
    """Return where a page begins, and its size at most."""
    default = total if not page.is_paged else SERVED_SIZE if page.default is None else page.default
    size = number_at(context, page.take, default)
    if page.cursor is not None and (text := _given(context, page.cursor)):
        return _position(text), size
    number = number_at(context, page.number, 1)
    return number_at(context, page.skip, max(number - 1, 0) * size), size


def number_at(context: RequestContext, at: Location | None, default: int) -> int:
    """Return the integer at a location of a request, `default` when there is none."""
    given = ABSENT if at is None else locate(context, at)
    return given if isinstance(given, int) else default


def cursor_text(position: int) -> str:
    """Return the cursor of the page that begins at a position."""
    return urlsafe_b64encode(f"after:{position}".encode()).decode().rstrip("=")


def position_of(cursor: str) -> int | None:
    """Return the position that a cursor stands for, None for what is no cursor of this server."""
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError:
        return None
    return parse_digits(text.removeprefix("after:")) if text.startswith("after:") else None


def _position(cursor: str) -> int:
    """Return the position that a cursor stands for. Raises ListQueryError."""
    found = position_of(cursor)
    if found is None:
        raise ListQueryError(f"'{cursor[:40]}' is no cursor that a page of this list has given")
    return found
