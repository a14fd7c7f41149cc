"""Signs: a reply is like its own sign, and what replies have in common is like each of them."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from contracts.messages import ABSENT, Headers, Response
from contracts.openapi.loading import load_bundled
from generators.triage.response_signature import MAX_AMBIGUOUS_CHARS, common_signature, marks_of, matches, signature_of

words = st.sampled_from(["done", "failed", "b00000item-1", "id-4711", "2026-01-01T00:00:00Z", "x"])
leaves = st.none() | st.booleans() | st.integers(0, 10**9) | words
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4))
marks = st.just(()) | st.just(("{{prefix}}", "{{v1}}"))
names = st.dictionaries(st.sampled_from(["prefix", "v1", "v2"]), st.sampled_from(["b00000", "id-4711", "7"]))
headers = st.lists(st.sampled_from([("Location", "/a"), ("Date", "today"), ("ETag", '"1"')]), unique=True)
types = st.sampled_from(["application/json", "text/plain", "application/json; charset=utf-8"])


@st.composite
def replies(draw):
    data = draw(values | st.just(ABSENT))
    given_headers = Headers([*draw(headers), ("Content-Type", draw(types))])
    body = b"" if data is ABSENT else orjson.dumps(data)
    return Response(status=draw(st.sampled_from([200, 207, 400])), headers=given_headers, body=body, data=data)


@given(replies(), names, marks)
def test_a_reply_is_like_its_own_sign(reply, known, ours):
    """What is kept of a reply is found in it again."""
    assert matches(signature_of(0, reply, known, ours), reply, known)


@given(st.lists(st.text("ab1", min_size=1, max_size=6), max_size=40), st.text("ab1", max_size=60))
def test_variables_stand_in_place_of_their_values(told, text):
    """Of the values in a text the longest are replaced first; those of one length in the order of their variables."""
    known = {"V" * (n + 1): value for n, value in enumerate(told)}
    expected = text
    for name, value in sorted(known.items(), key=lambda pair: -len(pair[1])):
        expected = expected.replace(value, f"{{{{{name}}}}}") if len(value) > MAX_AMBIGUOUS_CHARS else expected
    assert signature_of(0, listing(text), known).values.get("/0", expected) == expected  # it may look like an id


def listing(*rows):
    return Response(status=200, headers=Headers(), body=b"", data=list(rows))


def test_records_of_others_in_a_list_make_no_difference():
    """Of a list the records with a name of ours count, wherever they stand and whoever stands between them."""
    known, ours = {"prefix": "b00000"}, ("{{prefix}}",)
    one, two = ({"id": n, "properties": {"code": f"b00000-{n}", "n": n}} for n in (1, 2))
    theirs = {"id": 9, "properties": {"code": "other", "n": 9}}
    signature = signature_of(0, listing(one, two), known, ours)
    assert signature.values["/@code={{prefix}}-2/properties/n"] == 2
    assert signature.sizes[""] == 2
    assert matches(signature, listing(theirs, two, theirs, one), known)
    assert not matches(signature, listing(theirs, two), known)
    assert not matches(signature, listing(one, two, {"code": "b00000-3"}), known)
    assert not matches(signature, listing(one, {**two, "properties": {"code": "b00000-2", "n": 3}}), known)


def test_records_that_only_their_keys_tell_stand_anywhere():
    """A server that draws the keys of its records lists them in another order each time."""
    ours = ("{{n1}}", "{{n2}}")
    known, later = ({"n1": f"{start}1", "n2": f"{start}2"} for start in (70000000000, 80000000000))
    signature = signature_of(
        0, listing({"id": 700000000001, "shown": {}}, {"id": 700000000002, "shown": {"a": 1}}), known, ours
    )
    assert signature.values["/@id={{n2}}/shown/a"] == 1
    assert matches(
        signature, listing({"id": 800000000002, "shown": {"a": 1}}, {"id": 800000000001, "shown": {}}), later
    )
    assert not matches(
        signature, listing({"id": 800000000001, "shown": {"a": 1}}, {"id": 800000000002, "shown": {}}), later
    )


def test_only_lists_are_read_so():
    """Outcomes have their places: who stands where is what many laws are about."""
    contract = load_bundled("onkey")
    assert [bool(marks_of(contract.operation(name), {"prefix": "b00000"})) for name in ("list", "batchCreate")] == [
        True,
        False,
    ]
    assert marks_of(None, {"prefix": "b00000"}) == ()


@given(st.lists(replies(), min_size=2, max_size=4), names)
def test_what_is_common_is_weaker_than_each(some, known):
    """Every reply that a common sign was made of is like it; there is none when their statuses or types differ."""
    first, *others = [signature_of(0, one, known) for one in some]
    agreed = common_signature(first, others)
    heads = {(one.status, one.media_type) for one in [first, *others]}
    assert (agreed is None) == (len(heads) > 1)
    assert agreed is None or all(matches(agreed, one, known) for one in some)


@given(replies(), st.sampled_from(["b11111", "bzzzzz"]))
def test_names_that_are_made_up_anew_make_no_difference(reply, other):
    """The same reply under another prefix is like the sign."""
    renamed = orjson.loads(reply.body.replace(b"b00000", other.encode())) if reply.body else ABSENT
    again = Response(status=reply.status, headers=reply.headers, body=b"", data=renamed)
    assert matches(signature_of(0, reply, {"prefix": "b00000"}), again, {"prefix": other})


@given(replies(), replies())
def test_another_status_is_not_alike(reply, other):
    """Whatever else is the same, a reply with another status is not like a sign."""
    assert matches(signature_of(0, reply, {}), other, {}) <= (reply.status == other.status)


def test_a_number_of_ours_is_told_by_its_blank():
    """An id that is a number is as little left out as one that is a text: which one it is may be what is wrong."""
    known = {"prefix": "b00000", "n1": "700000000000001", "n2": "700000000000002"}
    signature = signature_of(0, listing({"id": 700000000000001}, {"id": 8123456789}), known)
    assert signature.values == {"/0/id": "{{n1:number}}"}
    assert not matches(signature, listing({"id": 700000000000002}, {"id": 8123456789}), known)
    assert not matches(signature, listing({"id": "700000000000001"}, {"id": 8123456789}), known)
