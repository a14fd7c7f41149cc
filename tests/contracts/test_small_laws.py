"""Pointers, durations, life cycles, media types, hints and the package's face."""

import json
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import contracts
import mockserver
from contracts.bulk.jobs import FINAL_STATES, JOB_TRANSITIONS, is_legal_transition
from contracts.messages import ABSENT
from contracts.openapi.model import is_json
from contracts.syntax.text import (
    DURATION_PATTERN,
    closest,
    did_you_mean,
    format_duration,
    look_up,
    parse_digits,
    parse_duration,
    pointer_of,
    short,
    step,
    tokens_of,
)

PATTERN = re.compile(r'"pattern": ("(?:[^"\\\\]|\\\\.)*\\\\d(?:[^"\\\\]|\\\\.)*")')


@given(st.lists(st.text()))
def test_pointers_carry_any_names(tokens):
    """Tokens written as a pointer are read back, whatever is in them."""
    assert tokens_of(pointer_of(tokens)) == tuple(tokens)


@given(st.lists(st.text() | st.integers(0, 3), max_size=5))
def test_a_pointer_finds_what_it_names(tokens):
    """A value built around a way is found by that way's pointer."""
    value = "found"
    for token in reversed(tokens):
        value = {token: value} if isinstance(token, str) else [0] * token + [value]
    assert look_up(value, pointer_of(tokens)) == "found"


@pytest.mark.parametrize("pointer", ["/a/x", "/b", "/a/-1", "/a/01x", "/a/9", "/a/1/c", "/a/²"])
def test_a_pointer_to_nothing_is_absent(pointer):
    """Where nothing stands there is no value, which is not null."""
    assert look_up({"a": [None, 1]}, pointer) is contracts.ABSENT


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=10**6)))
def test_durations_are_read_as_written(length):
    """A length written by ISO 8601 is read back exactly."""
    assert parse_duration(format_duration(length)) == length


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("PT5M", timedelta(minutes=5)),
        ("P7D", timedelta(days=7)),
        ("P1W2DT3H4M5.5S", timedelta(weeks=1, days=2, hours=3, minutes=4, seconds=5.5)),
        ("PT0.001S", timedelta(milliseconds=1)),
        ("PT0,5S", timedelta(milliseconds=500)),
        ("90s", timedelta(seconds=90)),
        ("300ms", timedelta(milliseconds=300)),
        ("1h30m", timedelta(minutes=90)),
        ("1.5h", timedelta(minutes=90)),
        ("1w2d3h4m5s6ms", timedelta(weeks=1, days=2, hours=3, minutes=4, seconds=5, milliseconds=6)),
        ("0s", timedelta(0)),
    ],
)
def test_durations_mean_what_they_say(text, length):
    """Weeks, days, hours, minutes and seconds add up."""
    assert parse_duration(text) == length


@pytest.mark.parametrize(
    "text",
    [
        *("", "P", "PT", "P1Y", "P1M", "5M", "PT5m", "P1DT", "-PT1S", "PT5M\n", "P9999999999D", "PT٣S", "9999999999d"),
        *(
            "5",
            "90 s",
            "30m1h",
            "5s5s",
            "1h30",
            "5S",
            "1e3s",
            "5 minutes",
            "٣s",
            "5s\n",
            "-5s",
            ".5s",
            "s",
            "9" * 400 + "s",
        ),
    ],
)
def test_what_is_no_duration(text):
    """Years, months, signs, empty parts and other text are refused."""
    with pytest.raises(ValueError, match=r"is not a duration\. |is too long\. |has years or months"):
        parse_duration(text)


SCHEMAS = [
    *(Path(contracts.__file__).parent.glob("x-*.schema.json")),
    Path(mockserver.__file__).parent / "scenarios" / "scenario.schema.json",
]


def test_every_schema_takes_the_same_durations():
    """What a document, a scenario and the command line take for a duration is one thing."""
    patterns = [found for path in SCHEMAS for found in PATTERN.findall(path.read_text())]
    durations = [json.loads(one) for one in patterns if "[.,]" in one or "P" in one]
    assert len(durations) == 4
    assert set(durations) == {DURATION_PATTERN}


def test_final_states_are_absorbing():
    """From a final class there is no move; every other class can end."""
    for state in JOB_TRANSITIONS:
        assert is_legal_transition(state, state)
        assert bool(JOB_TRANSITIONS[state]) == (state not in FINAL_STATES)


@given(st.lists(st.sampled_from([*JOB_TRANSITIONS]), min_size=3, max_size=3))
def test_moves_may_be_skipped(states):
    """Who polls seldom sees fewer moves: two legal moves after one another are one legal move."""
    first, second, third = states
    if is_legal_transition(first, second) and is_legal_transition(second, third):
        assert is_legal_transition(first, third)


def test_jobs_never_go_back():
    """No class can be reached again once it was left."""
    for before in JOB_TRANSITIONS:
        for after in JOB_TRANSITIONS[before]:
            assert not is_legal_transition(after, before)


@pytest.mark.parametrize(
    ("media", "yes"),
    [
        ("application/json", True),
        ("Application/vnd.x+JSON; charset=utf-8", True),
        ("text/json", True),
        ("application/x-ndjson", False),
        ("", False),
    ],
)
def test_what_is_json(media, yes):
    """JSON is named by its own type or by the suffix, with any parameters."""
    assert is_json(media) is yes


def test_hints_are_close_or_none():
    """A hint is a known name that is much alike, whatever the case, else nothing."""
    assert closest("BLOCKID", ["name", "blockId"]) == "blockId"
    assert did_you_mean("colour", ["name", "blockId"]) == ""


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_renderings_are_short(value):
    """A value in a sentence takes at most 80 characters, whatever it is."""
    assert 0 < len(short(value)) <= 80


def test_the_face_is_sorted_and_whole():
    """Every public name is there; the list is sorted."""
    assert contracts.__all__ == sorted(contracts.__all__)
    assert all(hasattr(contracts, name) for name in contracts.__all__)
    with pytest.raises(AttributeError):
        contracts.nothing  # noqa: B018 - the attribute is the test


def test_importing_is_light():
    """Importing the package brings neither jsonschema nor YAML nor a validator."""
    code = "import contracts, sys; print(sorted({'jsonschema', 'yaml', 'jsonschema_rs', 'difflib'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"


@pytest.mark.parametrize("given", ["contracts/data/rooms31.yaml", "contracts/data/pets30.yaml"])
def test_a_document_is_loaded_and_checked_without_jsonschema(given):
    """A user's document is checked by jsonschema-rs alone, and so is every scenario: jsonschema is slow to import."""
    path = Path(__file__).parent.parent / given
    code = (
        f"import contracts, sys; contracts.load({str(path)!r}); import mockserver.cli.serve; "
        "from mockserver.scenarios import loading; "
        "\ntry: loading.load({})\nexcept contracts.ScenarioError: print('jsonschema' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "False\n"


@pytest.mark.parametrize("digits", [20, 21, sys.get_int_max_str_digits() + 1])
def test_a_long_index_is_an_index_that_nothing_has(digits):
    """However many digits a pointer's token has, it names no element; Python's limit for digits is never met."""
    assert step([1], "9" * digits) is ABSENT
    assert step({"9" * digits: 1}, "9" * digits) == 1


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("007", 7), (str(2**64 - 1), 2**64 - 1), ("9" * 21, None)])
def test_whole_numbers_are_those_that_64_bits_hold_or_nearly(text, number):
    """Digits are a number up to the length of the largest of 64 bits; any other text is none."""
    assert parse_digits(text) == number
    assert parse_digits(f"-{text}") is parse_digits(f"{text}.0") is parse_digits("\u0663") is parse_digits("") is None
