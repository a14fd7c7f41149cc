"""Records are looked for where new ones stood so far; what is said of them is what the whole list says."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.bulk.lists import FilterLanguage, ListRules, Pagination
from contracts.exchange.filters import holds, read_filter
from generators.check import lists
from generators.requests.known_records import Marker


class Site:
    """A list of keys, in pages that begin where they are asked to."""

    page = Pagination(skip="query:skip", take="query:take", max=1000)
    reader = SimpleNamespace(key=lambda body: body)
    rules = ListRules()


SITE = Site()


@pytest.fixture(scope="module", autouse=True)
def _paging():
    """Have lists in this process stand for those of a server."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lists, "_pages", _pages)
        yield


def _pages(session, site, begin):
    """Yield the pages of a list of keys, and note where it is read from."""
    del site
    session.begins.append(begin)
    for at in range(begin, max(len(session.keys), begin + 1), 40):
        some = session.keys[at : at + 40]
        yield f"page at {at}", some, len(some) < 40 or at + 40 >= len(session.keys)


def served(count=0):
    return SimpleNamespace(keys=[f"old{n}" for n in range(count)], cache={}, begins=[])


def find(session, wanted, expected):
    rows, last = lists.find_rows(session, SITE, set(wanted), set(expected), lambda body: iter((body,)))
    return {mark: copies for mark, (_, _, copies) in rows.items()}, last is not None


CHANGES = st.one_of(
    st.tuples(st.just("new"), st.integers(1, 30)),
    st.tuples(st.just("new at the front"), st.integers(1, 3)),
    st.tuples(st.just("deleted"), st.integers(0, 200)),
    st.tuples(st.just("deleted from the end"), st.integers(1, 90)),
    st.tuples(st.just("turned round"), st.just(0)),
    st.tuples(st.just("twice"), st.integers(1, 3)),
)


@given(st.integers(0, 150), st.lists(CHANGES, max_size=12))
def test_what_is_expected_is_found_wherever_it_stands(count, changes):
    """A record that a server has told of is there or not as the whole list says, whatever became of the list."""
    session = served(count)
    for n, (change, number) in enumerate(changes):
        new = [f"new{n}-{one}" for one in range(number if change.startswith("new") else 1)]
        match change:
            case "new at the front":
                session.keys[:0] = new
            case "deleted":
                del session.keys[number : number + 1]
            case "deleted from the end":
                del session.keys[-number:]
            case "turned round":
                session.keys.reverse()
            case _:
                session.keys += new * (number if change == "twice" else 1)
        found, is_whole = find(session, [*new, f"never{n}"], new)
        assert found == {key: session.keys.count(key) for key in new if key in session.keys}
        assert is_whole


def test_what_is_not_expected_is_looked_for_where_new_records_stand():
    """Once new records have stood at the end, what should not be there is read from there on; it is found if it is."""
    session = served(500)
    session.keys.append("first")
    assert find(session, ["first"], ["first"]) == ({"first": 1}, True)
    assert find(session, ["none"], []) == ({}, True)
    session.keys += ["left behind", "left behind"]
    assert find(session, ["left behind"], []) == ({"left behind": 2}, True)
    assert session.begins[0] == 0
    assert min(session.begins[1:]) > 480


def test_where_new_records_stand_anywhere_lists_are_read_whole():
    """A list that shows new records first says nothing of others by its end."""
    session = served(500)
    session.keys.insert(0, "first")
    find(session, ["first"], ["first"])
    session.keys.insert(0, "left behind")
    assert find(session, ["left behind"], []) == ({"left behind": 1}, True)
    assert set(session.begins) == {0}


LANGUAGE = FilterLanguage(at="query:filter", operators={"eq": "eq"}, or_="or", quote="'", escape="double")
WAYS = ("selects", "selects everything", "selects nothing", "refuses")


class Filtered:
    """A session with a server of a list that takes filters in one of the `WAYS`."""

    controlled = True

    def __init__(self, way, keys):
        self.way, self.keys, self.cache, self.begins, self.sent = way, keys, {}, [], []

    def send(self, asked):
        self.sent.append(asked["query:filter"])
        selected = [key for key in self.keys if holds(read_filter(LANGUAGE, self.sent[-1]), {"name": key})]
        shown = {"selects": selected, "selects everything": self.keys[:1000]}.get(self.way, [])
        return SimpleNamespace(response=SimpleNamespace(status=400 if self.way == "refuses" else 200, data=shown))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("language", "each"), [(LANGUAGE, 1), (replace(LANGUAGE, or_=None), 3), (None, 0)])
def test_filters_find_what_the_whole_list_shows(way, language, each, monkeypatch):
    """Where a filter does not work, the whole list is read, and filters are not tried again."""
    monkeypatch.setattr(lists, "list_request", lambda *_, asked, **__: SimpleNamespace(request=lambda: asked))
    session, site = Filtered(way, [*(f"old{n}" for n in range(1200)), "it's", "two", "two"]), Site()
    site.rules = ListRules(filter=language)
    sought = [Marker("name", name) for name in ("it's", "two", "never")]
    for _ in range(3):
        rows, last = lists.find_selected(session, site, sought, {"it's", "two"}, lambda body: iter((body,)))
        assert {mark: copies for mark, (_, _, copies) in rows.items()} == {"it's": 1, "two": 2}
        assert last is not None
    works = way == "selects" and language is not None
    assert bool(session.begins) is not works
    assert len(session.sent) == (3 * each if works else each if way == "selects nothing" else min(each, 1))


@pytest.mark.parametrize(
    ("totals", "is_told"),
    [
        ([6] * 9, True),
        ([6, 6, 5, 6, 6, 6, 6], False),  # right in between: others change the list meanwhile
        ([6, 7, 8, 9, 10, 11, 12, 13, 14], False),  # another one each time
        ([6, 7, 6, 6, 6], True),
    ],
)
def test_a_fault_of_a_list_is_told_when_three_readings_show_it(totals, is_told, monkeypatch):
    """A record that others delete and create again comes between two readings, and a total differs now and then."""
    told, context = iter(totals), SimpleNamespace(session=None, site=None, operation=SimpleNamespace(id="list"))

    def probe(_):
        total = next(told, 5)
        return iter(() if total == 5 else (("another total", f"the list has 5 records but reports {total}", ()),))

    whole = lists.WholeList(keys=("a",), bodies={}, pages=())
    monkeypatch.setattr(lists, "whole_list", lambda *_: whole)
    found = [one.shape for one in lists.judge_whole(context, "listing", [probe])]
    assert found == ["another total"] * is_told
