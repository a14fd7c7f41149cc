"""The facts taken down of an exchange: small, exact, and enough for bodies that are not kept."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.exchange.locations import reader
from contracts.syntax.text import counted
from mockserver.journal.facts import MAX_ITEMS_STORED, column, marks_in, marks_of, pack, unpack
from mockserver.verdicts.conduct_law import duration_text, names_text

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)


def chains(number, **members):
    return [{"chainId": str(n), "name": f"Chain {n} with a name of some length", **members} for n in range(number)]


@given(st.lists(st.text(st.characters())))
def test_packed_texts_come_back(words):
    """Any texts are packed and unpacked; a lone surrogate comes back as its escape."""
    back = unpack(pack(words))
    assert back == [word.encode("utf-8", "backslashreplace").decode() for word in words]


@given(JSON, JSON, st.binary())
def test_marks_are_the_same_exactly_when_the_content_is(one, other, salt):
    """The order of members does not matter, everything else does."""
    turned = dict(reversed(one.items())) if isinstance(one, dict) else one
    first, second, third = marks_in(marks_of([one, turned, other], salt))
    assert first == second
    assert (first == third) == (json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True))


@given(st.lists(JSON, max_size=4), st.sampled_from(["/a", "/a/b", "", "/~0", "/0"]))
def test_a_column_is_what_each_item_has(raws, at):
    """Reading a member of all items at once gives what reading it of each does."""
    assert column(at, raws) == [reader(at)(raw) for raw in raws]


def test_laws_hold_for_batches_whose_bodies_are_not_kept(genero):
    """5000 chains, one of which fails: sending all again is broken though no body was kept."""
    items = chains(5000)
    items[7]["blockId"] = "no"
    job = genero.call("POST", "/chain/postJob", items).data["correlationId"]
    genero.wait(minutes=5)
    assert len(genero.call("GET", f"/chain/jobStatus/{job}").data["jobItemErrors"]) == 1
    genero.call("POST", "/chain/postJob", items)
    entry = genero.entry(1)
    assert entry.request.digest
    assert entry.summary.size < 5000 * 20
    assert entry.size > entry.summary.size
    ruling = genero.judged("resent-only-failed", "genero")
    assert (ruling["status"], ruling["evidence"]) == ("failed", [1, 2, 3])
    assert "4999 items" in ruling["detail"]


def test_of_an_oversized_list_only_the_number_is_taken_down(genero):
    """A list far beyond what is allowed is counted, and nothing of it is kept."""
    genero.call("POST", "/chain/postJob", chains(MAX_ITEMS_STORED + 1))
    items = genero.entry(1).summary.items
    assert (items.size, items.max_items, items.keys, items.marks) == (MAX_ITEMS_STORED + 1, 5000, b"", b"")
    assert genero.judged("kept-sizes", "any")["status"] == "failed"


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[1, null, []]", b'[{"chainId": "\\ud800"}]', b"[", b'[{"chainId": 1e400}]']
)
def test_any_body_can_be_taken_down(genero, body):
    """Whatever is sent, recording it raises nothing and the verdict can be asked for."""
    reply = genero.call("POST", "/chain/postJob", body)
    assert reply.status == 400
    assert genero.judged("kept-sizes", "any")["status"] == "passed"


def test_reads_of_records_without_versions_are_not_taken_down(genero):
    """What no law looks at costs nothing."""
    genero.call("GET", "/chain")
    assert genero.entry(1).summary is None


def test_what_was_deleted_and_referred_to_is_known(genero):
    """References are kept by resource, deletions by key."""
    genero.call("POST", "/chain/postJob", [*chains(2, blockId="B"), {"chainId": "x", "deleted": True}])
    items = genero.entry(1).summary.items
    refers = {name: unpack(keys.encode()) for name, keys in json.loads(items.referenced_keys).items()}
    assert (refers, unpack(items.deleted_keys), items.resource) == ({"block": ["B"]}, ["x"], "chain")


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(seconds=0), "0 s"),
        (timedelta(milliseconds=250), "0.25 s"),
        (timedelta(seconds=12.4), "12 s"),
        (timedelta(minutes=4, seconds=30), "4 min 30 s"),
        (timedelta(minutes=5), "5 min"),
        (timedelta(days=1), "1 day"),
        (timedelta(days=7, hours=2, minutes=5), "7 days 2 h"),
        (timedelta(hours=1, seconds=5), "1 h"),
    ],
)
def test_lengths_of_time_are_said_shortly(length, text):
    """At most two units, the largest first."""
    assert duration_text(length) == text


def test_numbers_and_names_are_said_in_words():
    """Singular and plural, and a list that does not run on."""
    assert [counted(n, noun) for n, noun in ((1, "batch"), (2, "batch"), (0, "poll"))] == [
        "1 batch",
        "2 batches",
        "0 polls",
    ]
    assert names_text(["a", "b"]) == "'a', 'b'"
    assert names_text(list("abcde")) == "'a', 'b', 'c' and 2 more"
