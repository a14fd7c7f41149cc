"""Filters and pages of lists whose document says no more than the names of their parameters: `asked_list`.

A query parameter that has the name of a member of a record selects the records with that value. Parameters with usual
names (`offset`, `limit`, `page`, `cursor` and their like) ask for a part of the list, and members of the response with
usual names (`total`, `has_more`, `next_cursor`, `next` and their like), and a declared `Link` header (RFC 8288), tell
of the others. What no parameter or member is declared for is not done. `serve_several` reads records by their keys.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from contracts.bulk.lists import SERVED_SIZE
from contracts.bulk.model import Location, RecordAct
from contracts.exchange.locations import locate, put_at
from contracts.messages import ABSENT, Headers, Response
from contracts.openapi.model import ManyReads, Operation, Parameter, is_json
from contracts.openapi.parameters import coerce, types_of
from contracts.openapi.representations import COUNTS, ENVELOPES, MORE_FLAGS, fold, page_roles
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import as_list, parse_digits, pointer_of, tokens_of
from mockserver.api.model import ItemRun, Refusal, RequestContext, json_response
from mockserver.bulk.record_service import RecordRules
from mockserver.bulk.set_members import completed
from mockserver.engine.conventions import invalid_status
from mockserver.engine.lists import ListWindow, cursor_text, equals, position_of
from mockserver.stores.interface import Collection, Record

MEMBERS: Final[Mapping[str, str]] = {
    **dict.fromkeys(COUNTS, "total"),
    **dict.fromkeys(MORE_FLAGS, "more"),
    **dict.fromkeys(("limit", "pagesize", "perpage", "size"), "size"),
    **dict.fromkeys(("offset", "skip"), "begin"),
    **dict.fromkeys(("currentpage", "page", "pagenumber"), "page"),
    **dict.fromkeys(("lastpage", "pagecount", "pages", "totalpages"), "pages"),
    **dict.fromkeys(("continuationtoken", "endcursor", "nextcursor", "nextmarker", "nextpagetoken"), "token"),
    **dict.fromkeys(("after", "nextpagecursor", "nexttoken"), "token"),
    **dict.fromkeys(("href", "nexthref", "nextlink", "nextpagelink", "nextpageurl", "nexturl", "odatanextlink"), "url"),
    "next": "next",
    "nextpage": "following",
    **dict.fromkeys(("prev", "previous", "prevlink", "prevurl", "previouslink", "previousurl"), "back"),
}  # of responses, by their folded names: the facts of `AskedList.facts`
WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "back": ("back",),
    "following": ("following",),
    "next": ("url", "token", "following"),
    "token": ("token",),
    "url": ("url",),
}  # the facts that may be missing
MAX_DEPTH: Final = 2  # of envelopes


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedList:
    """The part of a list that a request asks for: its `records`, and facts about it by the words of `MEMBERS`."""

    records: Sequence[Record]
    facts: Mapping[str, object]

    def members(self, body: Schema, at: str) -> Iterator[tuple[str, object]]:
        """Yield pointers and values of what a response says of the page; `at` is where it has the list."""
        tokens = tokens_of(at)
        for depth in range(len(tokens)):
            holder = body.at(pointer_of(tokens[:depth]))
            yield from _told(holder, tokens[:depth], self.facts, tokens[depth], MAX_DEPTH) if holder else ()

    def link(self) -> str:
        """Return the value of a `Link` header, "" where there is neither a next page nor one before."""
        urls = (("next", self.facts["url"]), ("prev", self.facts["back"]))
        return ", ".join(f'<{url}>; rel="{name}"' for name, url in urls if url)


def _told(
    holder: Schema, above: tuple[str, ...], facts: Mapping[str, object], but: str, depth: int
) -> Iterator[tuple[str, object]]:
    required = {name for form in holder.forms() for name in as_list(form.raw.get("required"))}
    for name, schema in holder.members().items():
        place, word = (*above, name), fold(name)
        if name == but or (word == "next" and schema.members() and not facts["more"]):
            continue
        if word in ENVELOPES and depth and schema.members():
            yield from _told(schema, place, facts, "", depth - 1)
        elif word in MEMBERS and types_of(schema):
            options = _values(facts, MEMBERS[word], is_required=name in required)
            value = next((one for one in options if schema.is_valid(one)), ABSENT)
            if value is not ABSENT:
                yield pointer_of(place), value


def _values(facts: Mapping[str, object], word: str, *, is_required: bool) -> Iterator[object]:
    """Yield what a member may say, the likeliest first: null, or an empty text, where there is nothing to say."""
    found = [facts[one] for one in WORDS.get(word, (word,)) if facts[one] is not None]
    if found or word not in WORDS:
        yield from found
    else:
        yield from (None, "") if is_required else (None,)


def asked_list(
    context: RequestContext,
    operation: Operation,
    record: Schema | None,
    records: Sequence[Record],
    shown: Callable[[Record], Mapping[str, object]],
) -> AskedList:
    """Return the part of `records` that a request asks for; `record` is the schema of what `shown` returns of one."""
    query = [one for one in operation.parameters if one.where == "query"]
    roles, members = page_roles(query), {} if record is None else record.members()
    for one in query:
        name, wanted = one.name.removesuffix("[]"), context.query.get(one.name, ABSENT)
        if name in members and one not in roles.values() and wanted not in (ABSENT, None):
            records = _selected(records, members[name], wanted, lambda record, name=name: shown(record).get(name))  # type: ignore[misc] # the name is bound now
    return _window(context, roles, records)


def _selected(
    records: Sequence[Record], member: Schema, wanted: object, has: Callable[[Record], object]
) -> Sequence[Record]:
    """Return the records whose member has one of the wanted values; all of them where none could have it."""
    own = member.items() if "array" in types_of(member) else member
    given = [coerce(one, own) if isinstance(one, str) else one for one in _listed(wanted)]
    possible = [one for one in given if not isinstance(one, dict | list) and (own is None or own.is_valid(one))]
    if not possible:
        return records
    return [one for one in records if any(equals(value, want) for value in _listed(has(one)) for want in possible)]


def _listed(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else (value,)


def _window(context: RequestContext, roles: Mapping[str, Parameter], records: Sequence[Record]) -> AskedList:
    total, size = len(records), _size(context, roles, len(records))
    first = _first_page(roles.get("page"))
    page = _number(context, roles.get("page"), first)
    begin = max(_number(context, roles.get("skip"), max(page - first, 0) * size), 0)
    begin = _after(context, roles, [str(one.key) for one in records], begin)
    some, names = records[begin : begin + size], {role: one.name for role, one in roles.items()}
    page = page if "page" in roles else first + (begin // size if size else 0)
    return part_of_list(context, names, some, total=total, begin=begin, size=size, first=first, page=page)


def list_body(context: RequestContext) -> Schema | None:
    """Return the schema of a list's response, None where it has none."""
    response = context.routed.response(200)
    media = None if response is None else next((one for one in response.content if is_json(one.media_range)), None)
    return None if media is None or media.schema is None else media.schema.response


def told_by_names(
    context: RequestContext, act: RecordAct, window: ListWindow
) -> tuple[dict[Location, object], Sequence[tuple[str, str]]]:
    """Return members and header fields with usual names that tell of a declared page, such as `next`."""
    body = list_body(context)
    if not context.api.plain or not act.page.is_paged or body is None:
        return {}, ()
    places = {"cursor": act.page.cursor, "page": act.page.number, "skip": act.page.skip}
    names = {role: at.partition(":")[2] for role, at in places.items() if at is not None and at.startswith("query:")}
    total, begin, size = window.total, window.begin, window.size
    page = 1 + (begin // size if size else 0)
    part = part_of_list(context, names, window.records, total=total, begin=begin, size=size, page=page)
    return dict(part.members(body, act.reply)), list_headers(context.routed, 200, part, None).pairs


def part_of_list(
    context: RequestContext,
    names: Mapping[str, str],
    records: Sequence[Record],
    *,
    total: int,
    begin: int,
    size: int,
    page: int,
    first: int = 1,
) -> AskedList:
    """Return a part of a list with the facts about it; `names` are those of the parameters by role."""
    end = min(begin + size, total)
    more = size > 0 and end < total
    token = str(records[-1].key) if "after" in names and records else cursor_text(end)
    steps: Mapping[str, tuple[object, object]] = {
        "after": (token, None),
        "cursor": (token, None),
        "page": (page + 1, page - 1 if page > first else None),
        "skip": (end, max(begin - size, 0) if begin else None),
    }
    role = next((one for one in steps if one in names), None)
    ahead, behind = steps[role] if role is not None else (None, None)
    name = names[role] if role is not None else ""
    return AskedList(
        records=records,
        facts={
            "total": total,
            "more": more,
            "size": size,
            "begin": begin,
            "page": page,
            "pages": -(-total // size) if size else 0,
            "token": token if more and role in {"after", "cursor"} else None,
            "url": _url(context, name, ahead) if more and ahead is not None else None,
            "following": page + 1 if more and role == "page" else None,
            "back": _url(context, name, behind) if behind is not None else None,
        },
    )


def _size(context: RequestContext, roles: Mapping[str, Parameter], total: int) -> int:
    """Return the size of a page: as asked for, the declared default, else everything that offsets alone can reach."""
    take = roles.get("take")
    default = take.schema.raw.get("default") if take is not None and take.schema is not None else None
    if type(default) is not int or default < 1:
        default = SERVED_SIZE if roles.keys() & {"after", "cursor", "page"} else max(total, 1)
    return max(_number(context, take, default), 0)


def _first_page(parameter: Parameter | None) -> int:
    """Return the number of the first page: 1, or 0 where the schema says so."""
    raw = parameter.schema.raw if parameter is not None and parameter.schema is not None else {}
    return 0 if 0 in {raw.get("minimum", 1), raw.get("default", 1)} else 1


def _number(context: RequestContext, parameter: Parameter | None, default: int) -> int:
    given = ABSENT if parameter is None else context.query.get(parameter.name, ABSENT)
    found = parse_digits(given) if isinstance(given, str) else given
    return found if type(found) is int else default


def _after(context: RequestContext, roles: Mapping[str, Parameter], keys: Sequence[str], begin: int) -> int:
    """Return where the records begin that come after a cursor; after the last one where the cursor is not known."""
    for role in ("after", "cursor"):
        given = context.query.get(roles[role].name, ABSENT) if role in roles else ABSENT
        if given in (ABSENT, None, ""):
            continue
        if role == "after":
            return keys.index(str(given)) + 1 if str(given) in keys else len(keys)
        found = position_of(str(given))
        return len(keys) if found is None else min(found, len(keys))
    return min(begin, len(keys))


def _url(context: RequestContext, name: str, value: object) -> str:
    """Return the URL of the request with another value of one parameter."""
    pairs = [(one, text) for one, text in context.request.query if one != name]
    host = context.request.headers.get("Host")
    base = f"{context.request.scheme}://{host}" if host else ""
    path = context.request.prefix + context.api.mount.rstrip("/") + context.request.path
    return f"{base}{path}?{urlencode([*pairs, (name, str(value))])}"


def list_headers(operation: Operation, status: int, asked: AskedList, total: Location | None) -> Headers:
    """Return the `Link` header of a page where the document declares one, and that of the total if it is at one."""
    declared = operation.response(status)
    names = [one.name for one in declared.headers if one.name.lower() == "link"] if declared is not None else []
    fields = [(name, link) for name in names if (link := asked.link())]
    where, _, name = (total or "").partition(":")
    return Headers((*fields, *([(name, str(asked.facts["total"]))] if where == "header" else [])))


def totals(body: Schema | None, at: Location) -> Iterator[Location]:
    """Yield where a response has the number of all that it lists at a location: members beside it, by usual names."""
    above = tokens_of(at)[:-1]
    holder = None if body is None else body.at(pointer_of(above))
    for name, schema in () if holder is None else holder.members().items():
        if fold(name) in COUNTS and "integer" in types_of(schema):
            yield pointer_of((*above, name))


def serve_several(context: RequestContext, run: ItemRun, rules: RecordRules, declared: ManyReads) -> Response:
    """Respond with the records of several keys (`x-reads`), in their order; keys that no record has are left out."""
    given = locate(context, declared.keys)
    words = given if isinstance(given, list) else str(given).split(declared.separator)
    keys = list(map(rules.keys.kind.typed, words))
    astray = next((one for one in keys if not rules.keys.kind.fits(one)), None)
    if astray is not None and context.api.contract.has_strict_parameters:
        detail = f"'{str(astray)[:80]}' cannot be the {rules.resource.key} of a record of {rules.resource.name}."
        return context.refuse(Refusal(status=invalid_status(context.routed), kind="invalid", detail=detail))
    some = keys if declared.repeats else dict.fromkeys(keys)
    collection = Collection(context.scope, rules.resource.name)
    found = context.api_state.store.get_all(collection, [one for one in some if isinstance(one, str | int)])
    records = [one for one in found if one is not None and not one.deleted]
    body: Any = [context.api.hooks.render(run, rules.resource, one) for one in records]
    if declared.at:
        body, listed = {}, body
        put_at(body, declared.at, listed)
    return json_response(context, 200, completed(context, 200, body, context.now, f"reads/{context.routed.id}"))
