"""The laws on lists: each fault of a list, planted between the sandbox and its client, is found; none without."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from in_process import InProcess

from contracts.messages import Headers, Request
from generators.check.laws.lists.selecting import columns_of
from generators.check.run import FindingFound, run_checks
from generators.client.session import Budget
from generators.requests.record_factory import RecordFactory
from mockserver.apis.sources import find_sources

HEADERS = Headers([("Content-Type", "application/json")])
FILE = Path(__file__).parents[2] / "cases" / "contract_only" / "library.yaml"
API = find_sources((str(FILE),))[0].load()


class Faulty(InProcess):
    """A sandbox whose answers to calls of one path are changed: `fault` gets what sends a call, and the call."""

    def __init__(self, path, fault):
        super().__init__(API)
        self.path, self.fault, self.seen = path, fault, {}

    def send(self, call):
        if call.method != "GET" or call.path != self.path:
            return super().send(call)
        return self.fault(self, super().send, call)


class Paths(InProcess):
    """A sandbox that notes the paths which it is asked for."""

    paths = frozenset()

    def send(self, call):
        self.paths = self.paths | {call.path}
        return super().send(call)


class Queries(InProcess):
    """A sandbox that notes what lists of books are asked for."""

    queries = frozenset()

    def send(self, call):
        self.queries = self.queries | {*(call.query if call.path == "/books" else ())}
        return super().send(call)


def asked(call, **values):
    """Give a call with other values of its query."""
    query = {**dict(call.query), **{name: str(value) for name, value in values.items()}}
    return replace(call, query=tuple(query.items()))


def shown(reply, change):
    """Give an answer whose body is changed."""
    body = change(reply.data)
    return replace(reply, data=body, body=json.dumps(body).encode())


def number(call, name):
    """Give a number of a call's query, 0 for none."""
    return int(dict(call.query).get(name, 0))


def total_of_page(_, send, call):
    return shown(send(call), lambda body: {**body, "count": len(body["books"])})


def default_of_ten(_, send, call):
    return send(call if number(call, "limit") else asked(call, limit=10))


def begins_early(_, send, call):
    return send(asked(call, offset=number(call, "offset") - 1) if number(call, "offset") else call)


def begins_at_multiples(_, send, call):
    size = number(call, "limit") or 20
    return send(asked(call, offset=number(call, "offset") // size * size))


def falls(_, send, call):
    return send(asked(call, sort="-isbn"))


def none_is_all(_, send, call):
    return send(asked(call, limit=50) if dict(call.query).get("limit") == "0" else call)


def remembers_titles(self, send, call):
    def change(body):
        return {**body, "books": [self.seen.setdefault(one["isbn"], one) for one in body["books"]]}

    return shown(send(call), change)


def keeps_deleted(self, send, call):
    def change(body):
        rows = {one["isbn"]: one for one in body["books"]}
        self.seen |= rows
        return {"books": [self.seen[key] for key in sorted(self.seen)], "count": len(self.seen)}

    return shown(send(call), change) if not number(call, "limit") % 50 else send(call)


def second_page_again(_, send, call):
    return send(asked(call, page=2) if number(call, "page") > 2 else call)


def page_from_zero(_, send, call):
    return send(asked(call, page=number(call, "page") + 1) if number(call, "page") else call)


def cursor_lost(_, send, call):
    def change(body):
        return {"readers": body["readers"][:4], **{name: one for name, one in body.items() if name == "next"}}

    return shown(send(call), change)


def rises(_, send, call):
    return shown(send(call), lambda body: {**body, "readers": body["readers"][::-1]})


FAULTS = [
    ("/books", total_of_page, "total"),
    ("/books", default_of_ten, "default page"),
    ("/books", begins_early, "two pages"),
    ("/books", begins_at_multiples, "page shows other records"),
    ("/books", falls, "not in the declared order"),
    ("/books", none_is_all, "page of no records"),
    ("/books", remembers_titles, "listed otherwise than read"),
    ("/books", keeps_deleted, "deleted record is listed"),
    ("/loans", second_page_again, "record stands twice"),
    ("/loans", page_from_zero, ""),
    ("/readers", cursor_lost, "created record is not listed"),
    ("/readers", rises, "not in the declared order"),
]


def findings(client, *only, prefix="00001"):
    """Run laws and give what they find."""
    events = run_checks(client.api.contract, client, name_prefix=prefix, budget=Budget(seconds=1000), only=only)
    return [event.finding for event in events if isinstance(event, FindingFound)]


def rewritten(change, name="q"):
    """Make a fault that changes what a query says."""

    def fault(_, send, call):
        text = dict(call.query).get(name)
        return send(call if text is None else asked(call, **{name: change(text)}))

    return fault


def window_before_filter(_, send, call):
    size, text = number(call, "limit") or 20, dict(call.query).get("q")
    reply = send(asked(call, limit=50))
    if text is None:
        return send(call)
    every = [one["isbn"] for one in send(asked(call, limit=size, q="isbn != none")).data["books"]]
    return shown(reply, lambda body: {**body, "books": [one for one in body["books"] if one["isbn"] in every]})


def total_of_page(_, send, call):
    return shown(send(call), lambda body: {**body, "count": len(body["books"])} if dict(call.query).get("q") else body)


SELECTIONS = {
    "the first condition alone": (rewritten(lambda text: text.partition(" and ")[0].lstrip("(")), "and selects others"),
    "any condition": (rewritten(lambda text: text.replace(" and ", " or ")), "and selects others"),
    "every condition": (rewritten(lambda text: text.replace(" or ", " and ")), "or"),
    "parentheses ignored": (rewritten(lambda text: text.replace("(", "").replace(")", "")), "and"),
    "not ignored": (rewritten(lambda text: text.replace("not ", "")), "not"),
    "at least is more": (rewritten(lambda text: text.replace(">=", ">")), "ge selects others"),
    "small letters": (rewritten(lambda text: text.replace("K1", "k1")), "eq selects others"),
    "ASCII": (rewritten(lambda text: text.replace("é", "e")), "selects others"),
    "quotes": (rewritten(lambda text: text.replace('\\"', "")), "selects others"),
    "nothing is null": (rewritten(lambda text: text.replace("none", '""')), "eq"),
    "beginnings": (
        rewritten(lambda text: text.replace("==", "begins") if "begins" not in text else text),
        "eq selects",
    ),
    "rising": (rewritten(lambda text: text.replace("-", ""), "sort"), "falling"),
    "one member": (rewritten(lambda text: text.partition(",")[0], "sort"), "order by 2"),
    "no parameter": (rewritten(lambda _: "", "genre"), "parameter of genre"),
    "window before filter": (window_before_filter, "page of a selection"),
    "total of the page": (total_of_page, "total of a selection"),
}


@pytest.mark.parametrize("name", SELECTIONS)
def test_a_fault_of_a_selection_is_found(name):
    """A filter, an order or a parameter that is read otherwise is a finding, by its shape."""
    fault, shape = SELECTIONS[name]
    found = findings(Faulty("/books", fault), "filter")
    assert [one for one in found if shape in one.shape], [one.shape for one in found]


@pytest.mark.parametrize("name", ["genero", "onkey"])
def test_the_bundled_apis_serve_what_their_contracts_say_of_lists(name):
    """On Key has a query language of its own in Python; its declaration is the same."""
    assert findings(InProcess(find_sources((name,))[0].load()), "listing", "filter") == []


@pytest.mark.parametrize(("path", "fault", "shape"), FAULTS, ids=lambda one: getattr(one, "__name__", None))
def test_a_fault_of_a_list_is_found(path, fault, shape):
    """It is a finding of the law on lists, by its shape."""
    found = findings(Faulty(path, fault), "listing")
    assert [one for one in found if shape in one.shape], [one.shape for one in found]


def test_two_runs_at_one_server_give_their_records_keys_of_their_own():
    """Keys that are numbers too: what one run creates, another one creates at its side."""
    client, runs = Paths(API), []
    for prefix in ("00001", "0000a"):
        client.paths = frozenset()
        assert findings(client, "listing", prefix=prefix) == []
        runs.append({path for path in client.paths if path.rpartition("/")[2].isdecimal()})
    assert all(runs)
    assert not runs[0] & runs[1]


def test_a_right_list_gives_no_finding():
    """By offset, by number and by cursor."""
    assert findings(InProcess(API), "listing", "filter") == []


def test_lists_that_others_change_meanwhile_give_no_finding():
    """A record that comes and goes between two pages is nobody's fault."""

    def busy(self, send, call):
        n = self.seen["n"] = self.seen.get("n", 0) + 1
        book = json.dumps({"isbn": f"M{n % 3}"}).encode()
        path = f"/books/M{n % 3}"
        send(replace(call, method="DELETE", path=path, query=()))
        path = f"/books/M{(n + 1) % 3}"
        send(replace(call, method="PUT", path=path, query=(), headers=HEADERS, body=book))
        return send(call)

    assert findings(Faulty("/books", busy), "listing", "filter") == []


def test_what_the_schemas_of_parameters_exclude_is_not_asked(tmp_path):
    """An order outside its words is none, and what is selected by is written as JSON: `true`."""
    text = FILE.read_text(encoding="utf-8")
    orders = "[price, -price, title, -title, isbn, -isbn]"
    for old, new in (
        ("{name: sort, in: query, schema: {type: string}}", f"{{name: sort, in: query, schema: {{enum: {orders}}}}}"),
        ("- {name: q,", "- {name: lent, in: query, schema: {type: boolean}}\n        - {name: q,"),
        ('where: {genre: "query:genre"}', 'where: {genre: "query:genre", lent: "query:lent"}'),
    ):
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "library.yaml").write_text(text, encoding="utf-8")
    client = Queries(find_sources((str(tmp_path / "library.yaml"),))[0].load())
    assert findings(client, "filter") == []
    assert {value for name, value in client.queries if name == "sort"} <= {*orders.strip("[]").split(", ")}
    assert {value for name, value in client.queries if name == "lent"} == {"true", "false"}


def not_binds_last(text):
    """Write a filter as one reads it for whom `not` binds more loosely than `and`."""
    before, word, after = text.partition("not ")
    return f"{before}{word}({after})" if word and " and " in after and "(" not in text else text


@pytest.mark.parametrize("count", [0, 60])
def test_what_binds_more_closely_is_found_in_long_lists_too(count):
    """Where a page has no room for the records of the law, filters select among those alone."""
    server = Faulty("/books", rewritten(not_binds_last))
    for n in range(count):
        book = json.dumps({"isbn": f"A{n:03}"}).encode()
        server.send(Request(method="PUT", path=f"/books/A{n:03}", headers=HEADERS, body=book))
    assert "and of not selects others" in {one.shape for one in findings(server, "filter")}


@pytest.mark.parametrize(("rule", "text"), [("trim", "title"), ("uppercase", None)])
def test_filters_are_tried_on_what_is_normalised_too(rule, text):
    """Records are told by a text that is stored as it is sent; other members are judged as they are read."""
    books = API.contract.resources["books"]
    normalised = replace(
        books, normalize={**dict.fromkeys(("title", "genre", "note"), (rule,)), "price": ({"round": 3},)}
    )
    found = columns_of(RecordFactory(API.contract, normalised, fallback=None, target_schema=None))
    assert (found.number, found.text, found.empty) == ("price", text, "note")
