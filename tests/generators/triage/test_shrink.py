"""Shrinking and slicing: fewer steps, items and members, and what matters is still there."""

from dataclasses import replace
from json import dumps
from pathlib import Path

import pytest
from example_findings import asking
from hypothesis import given
from hypothesis import strategies as st

from contracts.openapi.loading import load, load_bundled
from generators.triage.script import Capture, RequestStep, Script, WaitStep
from generators.triage.shrink import Draft, Shrinker, related, slices

CONTRACT = load_bundled("onkey")
FORM = b"""--b\r
Content-Disposition: form-data; name="file"\r
\r
{"email":"abc1"}
{"email":"abc2"}
{"email":"abc3"}
\r
--b--\r
"""
codes = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=6, unique=True)
steps = st.lists(codes.map(lambda some: asking(*some)) | st.just(WaitStep(seconds=1.0)), min_size=1, max_size=12)


def shrinker(shows, **given):
    return Shrinker(**{"contract": CONTRACT, "shows": shows, "is_over": lambda: False, **given})


def has(draft, code):
    """Say whether a call has an item with a code."""
    calls = [one for one in draft.steps if isinstance(one, RequestStep)]
    return any(item.get("properties", {}).get("code") == code for one in calls for item in one.data)


@given(steps)
def test_the_one_item_that_matters_is_left_alone(some):
    """Of any sequence that shows it, one step with one item with one member is left."""
    script = (*some, asking("x", "y", "z"))
    small = shrinker(lambda draft: has(draft, "y")).shrink(script)
    assert [one.data for one in small.steps] == [[{"properties": {"code": "y"}}]]


@given(steps, st.sampled_from("abcdef"), st.sampled_from("abcdef"))
def test_the_result_shows_it_in_order(some, first, second):
    """What is left shows it, and its steps stand in the order in which they stood."""
    script = (asking(first), *some, asking(second))

    def shows(draft):
        calls = [n for n, one in enumerate(draft.steps) if has(Draft((one,), (0,)), first)]
        later = [n for n, one in enumerate(draft.steps) if has(Draft((one,), (0,)), second)]
        return bool(calls and later) and min(calls) < max(later)

    small = shrinker(shows).shrink(script)
    assert shows(small)
    assert list(small.places) == sorted(small.places)
    assert len(small.steps) == 2


@given(steps)
def test_fixed_steps_stay_as_they_are(some):
    """The steps whose replies are signs are neither left out nor changed."""
    last = len(some)
    small = shrinker(lambda _: True, fixed=frozenset((last,))).shrink((*some, asking("p", "q")))
    assert small.places == (last,)
    assert small.steps == (asking("p", "q"),)


@given(steps, st.integers(0, 30))
def test_nothing_unproven_is_left_when_the_time_is_up(some, tries):
    """Whenever it ends, what it has come to was shown by a try, or is what it was given."""
    script, shown = (*some, asking("x")), set()

    def shows(draft):
        if has(draft, "x"):
            shown.add(repr(draft.steps))
        return has(draft, "x")

    search = shrinker(shows)
    search.is_over = lambda: search.tried >= tries
    small = search.shrink(script)
    assert small.steps == script or repr(small.steps) in shown
    assert search.tried <= tries


def test_query_headers_and_texts_get_short():
    """What can be left out of a call beside its body is left out; its type stays, and long texts get short."""
    headers = (("Content-Type", "application/json"), ("X-Trace", "1"))
    call = asking("some long code", query=(("mode", "AllOrNone"), ("async", "true")), headers=headers)
    small = shrinker(lambda draft: ("mode", "AllOrNone") in draft.steps[0].query)
    (step,) = small.shrink((call,)).steps
    assert step.query == (("mode", "AllOrNone"),)
    assert step.headers == headers[:1]
    texts = shrinker(lambda draft: '"code"' in dumps(draft.steps[0].data)).shrink((asking("a long code"),))
    assert texts.steps[0].data == [{"properties": {"code": "x"}}]


def test_a_request_of_thousands_of_items_takes_few_tries():
    """Where the number of items is what matters it is found out soon that nothing can be taken away."""
    call = asking(*(f"c{n}" for n in range(5001)))
    search = shrinker(lambda draft: len(draft.steps[0].data) == 5001)
    assert search.shrink((call,)).steps == (call,)
    assert search.tried < 40


@given(st.lists(st.sampled_from(["{{prefix}}1", "{{prefix}}2", "{{v1}}"]), min_size=1, max_size=8), st.data())
def test_slices_keep_the_evidence_and_what_shares_its_names(names, data):
    """The last slice has all evidence, each one its last step; none has a step that shares no name with any."""
    script = Script(steps=tuple(asking(one) for one in names))
    shown = sorted(data.draw(st.sets(st.integers(0, len(names) - 1), min_size=1)))
    wanted = {names[n] for n in shown}
    some = [[step.data[0]["properties"]["code"] for step in one.steps] for one in slices(script, shown, CONTRACT)]
    last = names[shown[-1]]
    near, far = ([name for name in names if name in own] for own in ({last}, wanted))
    assert some == [[last], [last], near, [names[n] for n in shown], near, far, far]
    assert related(script, shown, CONTRACT) == [n for n, name in enumerate(names) if name in wanted]


def test_a_thin_slice_has_the_items_alone_that_share_a_name():
    """Of a request beside the evidence the items about other records are left out."""
    evidence = asking("{{prefix}}1")
    script = Script(steps=(asking("{{prefix}}1", "{{prefix}}2", "{{prefix}}3"), asking("{{prefix}}9"), evidence))
    alone, referred, near, _, thin, _, whole = slices(script, [2], CONTRACT)
    assert alone.steps == referred.steps == (evidence,)
    assert near.steps == thin.steps == (replace(evidence), evidence)
    assert whole.steps == (script.steps[0], evidence)


def test_what_an_id_was_told_by_is_kept_and_waits_are_joined():
    """A step that uses an id needs the one whose response told it, and so on; waits in a row are one wait."""
    told = tuple(Capture(name=f"id{n}", path=(n,)) for n in (1, 2))
    first, second = asking("a", captures=told[:1]), asking("{{id1}}", captures=told[1:])
    wait, other = WaitStep(seconds=1.0), asking("b")
    script = Script(steps=(wait, wait, first, wait, other, wait, second, other, wait, asking("{{id2}}"), wait))
    two = WaitStep(seconds=2.0)
    _, referred, *_ = slices(script, [9], CONTRACT)
    assert referred.steps == (two, first, two, second, wait, asking("{{id2}}"))


@pytest.mark.parametrize(
    ("operation", "media_type", "text"),
    [
        ("importRows", "text/csv", b"email\r\nabc1\r\nabc2\r\nabc3\r\n"),
        ("uploadLines", "multipart/form-data; boundary=b", FORM),
    ],
)
def test_items_that_are_text_are_dropped_too(operation, media_type, text):
    """Of several rows, or lines in a part of a form, the one that matters is left."""
    contract = load(Path(__file__).parents[2] / "cases" / "contract_only" / "contacts.yaml")
    headers = (("Content-Type", media_type),)
    step = RequestStep(operation=operation, method="POST", path=("x",), headers=headers, raw=text)
    small = shrinker(lambda draft: any(b"abc2" in one.raw for one in draft.steps), contract=contract).shrink((step,))
    assert b"abc2" in small.steps[0].raw
    assert b"abc1" not in small.steps[0].raw
    assert b"abc3" not in small.steps[0].raw


@pytest.mark.parametrize(("seconds", "needed", "left"), [(3600.0, 1.0, 1.0), (3600.5, 90.2, 91.0), (0.5, 0.2, 0.5)])
def test_a_wait_gets_as_short_as_it_can_be(seconds, needed, left):
    """A wait that is needed is one of whole seconds."""
    script = (WaitStep(seconds=seconds), asking("x"))
    small = shrinker(lambda draft: any(isinstance(one, WaitStep) and one.seconds >= needed for one in draft.steps))
    assert [one.seconds for one in small.shrink(script).steps if isinstance(one, WaitStep)] == [left]


def test_values_with_variables_stay():
    """A name that is generated anew is not made plain, and neither is the value that matters."""
    step = asking("{{prefix}}12", query=(("take", "100"), ("skip", "7")))
    step.data[0]["properties"] |= {"size": 512, "kind": "a long kind"}

    def shows(draft):
        items = [item.get("properties", {}) for one in draft.steps for item in one.data]
        taken = [int(value) for one in draft.steps for name, value in one.query if name == "take"]
        return (
            any(one.get("size", 0) >= 30 and one.get("code") == "{{prefix}}12" for one in items)
            and max(taken, default=0) >= 20
        )

    small = shrinker(shows)
    (made,) = small.shrink((step,)).steps
    assert made.data == [{"properties": {"code": "{{prefix}}12", "size": 30}}]
    assert made.query == (("take", "20"),)
