"""What a call asks for by itself: `Prefer` and its form in the query, on the bundled Genero."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.messages import Headers, Request
from mockserver.api.model import Refusal
from mockserver.engine.conventions import has_preferences
from mockserver.engine.scenario_selection import NO_PREFERENCES, Preferences, read_preferences

STATUS = "/genero/api/v1/block/jobStatus/e08434ee-a17f-445e-b9b5-e25fc354d840"


def asked(*values, query=()):
    headers = Headers([("Prefer", value) for value in values])
    return read_preferences(Request(method="GET", path="/", query=query, headers=headers))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["code=404"], Preferences(code=404)),
        (["code=404, example=foo"], Preferences(code=404, example="foo")),
        (['example="two words"; dynamic=true', "seed=7"], Preferences(example="two words", dynamic=True, seed=7)),
        (["respond-async, wait=10, scenario=never-ends"], Preferences(scenario="never-ends")),
        (["Code=404", "code=500"], Preferences(code=404)),
        (["respond-async"], NO_PREFERENCES),
        (["return=minimal; foo=bar", ""], NO_PREFERENCES),
    ],
)
def test_preferences_are_read_from_headers_among_others(values, expected):
    """Names in any case, the first of a name counts, what is not ours is left alone."""
    assert asked(*values) == expected


def test_the_query_form_counts_when_the_header_says_nothing():
    """Prism's other way, with two underscores."""
    query = (("__code", "404"), ("__example", "x"), ("code", "500"))
    assert asked(query=query) == Preferences(code=404, example="x")
    assert asked("respond-async", query=query) == Preferences(code=404, example="x")
    assert asked("code=200", query=query) == Preferences(code=200)


@pytest.mark.parametrize("value", ["code=abc", "code=99", "code=600", "dynamic=yes", "seed=x", "scenario=", "example="])
def test_a_preference_that_cannot_be_understood_is_refused(value):
    """A slip is told, not passed over."""
    refusal = asked(value)
    assert isinstance(refusal, Refusal)
    assert value.partition("=")[0] in refusal.detail


@given(st.text(alphabet=st.characters(codec="latin-1", exclude_categories=["Cc"])))
def test_any_header_is_understood_or_refused(value):
    """Whatever stands in the header, there is an answer."""
    assert isinstance(asked(value), Preferences | Refusal)


def test_calls_without_preferences_are_told_at_once():
    """Neither header nor query: nothing to read."""
    assert not has_preferences(Request(method="GET", path="/", query=(("code", "1"),)))
    assert has_preferences(Request(method="GET", path="/", query=(("__code", "1"),)))


@pytest.fixture
def genero(serving):
    return serving("genero", mode="frozen")


def test_examples_and_statuses_come_from_the_contract(genero):
    """A named example, the first of a status, and a made-up body where there is none."""
    named = genero.call("GET", STATUS, headers={"Prefer": "example=vendorCompletedWithErrors"})
    assert named.data["jobItemErrors"] == {"1": "Block id 3 is not found in database."}
    assert named.headers["preference-applied"] == "example=vendorCompletedWithErrors"
    late = genero.call("GET", STATUS, headers={"Prefer": "code=429"})
    assert (late.status, late.headers["retry-after"], late.headers["preference-applied"]) == (429, "1", "code=429")
    made = genero.call("GET", f"{STATUS}?__code=200&__dynamic=true&__seed=7")
    again = genero.call("GET", STATUS, headers={"Prefer": "dynamic=true, seed=7"})
    assert made.data == again.data
    assert set(made.data) >= {"correlationId", "batchJobStatus"}
    assert genero.control("GET", "exchanges").data["exchanges"][2]["violations"] == 0


def test_a_status_that_the_contract_does_not_have_is_said_in_the_apis_own_way(genero):
    """Errors can always be asked for; a success that is not declared cannot."""
    teapot = genero.call("GET", STATUS, headers={"Prefer": "code=418"})
    assert (teapot.status, teapot.headers["content-type"]) == (418, "application/problem+json")
    odd = genero.call("GET", STATUS, headers={"Prefer": "code=599"})
    assert (odd.status, odd.data["title"]) == (599, "Status 599")


def test_an_example_that_there_is_not_is_refused_with_the_closest(genero):
    """Nothing was applied then."""
    answer = genero.call("GET", STATUS, headers={"Prefer": "example=vendorComplete"})
    assert answer.status == 400
    assert "Did you mean 'vendorCompleted'?" in answer.data["detail"]
    assert "preference-applied" not in answer.headers


def test_preferences_wait_until_the_call_fits_its_contract(genero):
    """As with Prism, what is wrong with the call comes first."""
    answer = genero.call("POST", "/genero/api/v1/block/postJob", [], {"Prefer": "code=200"})
    assert answer.status == 400
    assert answer.data["errors"][0]["rule"] == "minItems"


def test_a_scenario_for_one_call_leaves_the_next_alone(genero):
    """Its rule decides, and `Preference-Applied` says so; a rule that does not fit is not applied."""
    batch = [{"blockId": "a", "name": "A"}]
    post = ("POST", "/genero/api/v1/block/postJob", batch)
    assert genero.call(*post, {"Prefer": "scenario=genero-second-active-job"}).status == 409
    assert genero.call(*post).status == 200
    unfit = genero.call(*post, {"Prefer": "scenario=genero-job-unknown"})
    assert (unfit.status, "preference-applied" in unfit.headers) == (200, False)
    unknown = genero.call(*post, {"Prefer": "scenario=never-end"})
    assert unknown.status == 400
    assert "Did you mean 'never-ends'?" in unknown.data["detail"]


def test_the_control_api_has_no_preferences(genero):
    """Its calls do what they say."""
    assert genero.send("GET", "/_sandbox/health", headers={"Prefer": "code=404"}).status == 200
