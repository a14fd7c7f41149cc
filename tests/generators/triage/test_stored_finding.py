"""Findings as files: written and read again they are the same, and a script's blanks are filled or the step is left."""

import orjson
import pytest
from example_findings import asking, build_request, kept
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import MisuseError
from contracts.messages import ABSENT, Headers, Response
from generators.triage import standalone
from generators.triage.response_signature import ResponseSignature
from generators.triage.script import (
    Capture,
    PollCondition,
    RequestStep,
    Script,
    WaitStep,
    captured_value,
    step_json,
    tidy_script,
)
from generators.triage.standalone import fill
from generators.triage.stored_finding import from_json, to_json

texts = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(["{{prefix}}-1", "{{v1}}", "{{n1:number}}"])
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | texts
)
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))
words = st.sampled_from(["v1", "v2"])
tokens = texts | st.integers(0, 9) | st.dictionaries(texts, texts, min_size=1, max_size=1)
lessons = st.builds(Capture, name=words, header=st.just("Location"), is_address=st.booleans()) | st.builds(
    Capture, name=words, path=st.lists(tokens, max_size=3).map(tuple)
)
pairs = st.lists(st.tuples(texts, texts), max_size=2).map(tuple)
calls = {
    "operation": st.sampled_from(["", "batchCreate"]),
    "method": st.just("POST"),
    "path": st.lists(texts, max_size=3).map(tuple),
    "query": pairs,
    "headers": pairs,
    "captures": st.lists(lessons, max_size=2).map(tuple),
    "busy": st.none() | st.builds(PollCondition, at=lessons, words=st.lists(texts, max_size=2).map(tuple)),
}
steps = (
    st.builds(WaitStep, seconds=st.floats(0, 1e4))
    | st.builds(RequestStep, **calls, data=values)
    | st.builds(RequestStep, **calls, raw=st.binary(max_size=9))
)
signatures = st.builds(
    ResponseSignature,
    step=st.integers(0, 9),
    status=st.integers(100, 599),
    values=st.dictionaries(texts, leaves, max_size=3),
    sizes=st.dictionaries(texts, st.integers(0, 9), max_size=3),
    headers=st.none() | st.lists(texts, max_size=2).map(tuple),
    media_type=texts,
    marks=st.lists(texts, max_size=2).map(tuple),
)
findings = st.builds(
    kept,
    st.just("a"),
    steps=st.lists(steps, min_size=1, max_size=4),
    signatures=st.lists(signatures, max_size=2).map(tuple),
    judged=st.sampled_from(["laws", "signs"]),
    small=st.booleans(),
    beside=st.lists(st.tuples(texts, texts, texts), max_size=2).map(tuple),
    outline=st.lists(texts, max_size=2).map(tuple),
    traits=st.lists(texts, max_size=2).map(tuple),
    cause=texts,
    seconds=st.floats(0, 1e6),
)


@given(findings)
def test_a_finding_comes_back_from_its_file(finding):
    """Nothing is lost or added between a finding and the JSON that is kept of it."""
    assert from_json(orjson.loads(orjson.dumps(to_json(finding))), where="a test") == finding


@pytest.mark.parametrize("name", ["format", "steps", "signs", "law", "beside", "numbers"])
def test_what_lacks_a_member_is_no_finding(name):
    """A file with something missing, or with something else in its place, is refused and says where."""
    told = to_json(kept("a"))
    for broken in ({one: told[one] for one in told if one != name}, {**told, name: 7}):
        if broken.get(name) != 7 or name not in {"law", "numbers"}:
            with pytest.raises(MisuseError, match="finding"):
                from_json(broken, where="here.json")


@given(values)
def test_filling_leaves_what_has_no_blanks(value):
    """Blanks are filled wherever they stand, and everything else is as it was."""
    known = {"prefix": "b00000", "v1": "id-1", "n1": "700000000000000"}
    done = fill(value, known)
    assert "{{v1}}" not in repr(done)
    assert fill(done, {}) == done


def test_numbers_stay_numbers():
    """A blank for a number becomes one where the value is one, and a text where it is not."""
    assert fill("{{n1:number}}", {"n1": "12"}) == 12
    assert fill("{{n1:number}}", {"n1": "a-12"}) == "a-12"
    assert repr(fill("{{n1:fraction}}", {"n1": "12"})) == "12.0"
    assert fill("{{n1}}", {"n1": "12"}) == "12"


def test_a_call_with_a_blank_that_nobody_told_cannot_be_made():
    """A value that the server had to tell is not made up."""
    assert standalone.lacks(step_json(asking("{{v9}}")), {"prefix": "b00000"})


def test_a_lesson_picks_out_its_element():
    """A value is learned from the element that has the members named, wherever that stands; else from its place."""
    body = {"rows": [{"code": "x", "id": 1}, {"code": "b00000y", "id": 2}]}
    reply = Response(status=200, headers=Headers((("Location", "/rows/77/"),)), body=b"", data=body)
    names = {"prefix": "b00000"}
    assert captured_value(Capture(name="v1", path=("rows", {"code": "{{prefix}}y"}, "id")), reply, names) == "2"
    assert captured_value(Capture(name="v1", path=("rows", 0, "id")), reply, names) == "1"
    assert captured_value(Capture(name="v1", path=("rows", {"code": "z"}, "id")), reply, names) is None
    assert captured_value(Capture(name="v1", header="Location", is_address=True), reply, names) == "77"


def test_what_nothing_uses_is_tidied_away():
    """Lessons and numbers stay only where a step speaks of them, under plain names everywhere."""
    first = asking("{{n7}}", captures=(Capture(name="v1", header="A"), Capture(name="v20", header="B")))
    later = asking("{{v20:number}}", "{{prefix}}-{{v20}}", path=("rows", "{{v20}}"))
    script, names = tidy_script(Script(steps=(first, later), numbers={"n7": 1, "n2": 2}))
    assert names == {"v20": "id1", "n7": "n1"}
    assert script.numbers == {"n1": 1}
    assert [(one.name, one.header) for one in script.steps[0].captures] == [("id1", "B")]
    codes = [item["properties"]["code"] for step in script.steps for item in step.data]
    assert codes == ["{{n1}}", "{{id1:number}}", "{{prefix}}-{{id1}}"]
    assert script.steps[1].path == ("rows", "{{id1}}")


def test_a_body_that_is_no_json_is_kept_byte_for_byte():
    """Whatever was sent is sent again."""
    step = RequestStep(operation="", method="POST", path=(), data=ABSENT, raw=bytes(range(256)))
    again = from_json(orjson.loads(orjson.dumps(to_json(kept("a", steps=(step,))))), where="a test")
    assert build_request(again.script.steps[0], {}).body == bytes(range(256))
