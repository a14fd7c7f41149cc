"""Strict JSON: everything that json takes and only that, each refusal with its exact place."""

import json
import random
import re

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.syntax import json_text
from contracts.syntax.json_text import JsonFault, read_json

SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    [":", '":', '"a":', "[{", "}]", "\\u003a", "\\", "9" * 30]
)
VALUES = st.recursive(
    SCALARS | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=20,
)
LAYOUTS = st.sampled_from(
    [
        {},
        {"separators": (",", ":")},
        {"separators": (",", ":"), "ensure_ascii": False},
        {"indent": 1},
        {"ensure_ascii": False},
        {"separators": (" , ", " : ")},
    ]
)


def fault(body, **options):
    """Return the fault of a body as kind, line and column."""
    found = read_json(body if isinstance(body, bytes) else body.encode(), **options)
    assert isinstance(found, JsonFault), found
    assert found.detail.endswith(".")
    return found.kind, found.line, found.column


@given(VALUES, LAYOUTS)
def test_every_value_is_read_whatever_its_layout(value, layout):
    """What json writes of a value is read back as that value."""
    assert read_json(json.dumps(value, **layout).encode()) == value


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", ("empty", 1, 1)),
        (b"\n ", ("empty", 1, 1)),
        (b"\xef\xbb\xbf{}", ("bom", 1, 1)),
        (b'{"a":\n "\xc3\xa9\xff"}', ("encoding", 2, 4)),
        (b'["\xed\xa0\x80"]', ("encoding", 1, 3)),
        ("[1,\n 2,]", ("syntax", 2, 3)),
        ("[1 2]", ("syntax", 1, 4)),
        ('{"é": tru}', ("syntax", 1, 7)),
        ("[01]", ("syntax", 1, 2)),
        ("[NaN]", ("syntax", 1, 2)),
        ("[-Infinity]", ("syntax", 1, 3)),
        ('["a\tb"]', ("syntax", 1, 4)),
        ("[1] x", ("syntax", 1, 5)),
        ('{"a"', ("syntax", 1, 5)),
        ("[1e400]", ("number", 1, 2)),
        ("[18446744073709551616]", ("number", 1, 2)),
        ('{"a": [1.5, "99999999999999999999",\n-9223372036854775809]}', ("number", 2, 1)),
        (r'["\ud800"]', ("surrogate", 1, 3)),
        (r'["\udc00"]', ("surrogate", 1, 3)),
        ('{"a": 1, "a": 1}', ("duplicate", 1, 10)),
        ('[{"b": {}},\n {"a": {"a": 1},\n  "a"  : 2}]', ("duplicate", 3, 3)),
        (r'{"a": 1, "\u0061": 2, "c": "\u003a"}', ("duplicate", 1, 10)),
        ('{"x": "\\":", "k" : 1, "k": "a:b"}', ("duplicate", 1, 23)),
    ],
)
def test_what_is_refused_and_where(body, expected):
    """Each kind of fault names the first place that is wrong, counted from 1 in characters."""
    assert fault(body) == expected


def test_a_repeated_key_is_named():
    """The detail of a repeated key names it."""
    found = read_json(b'{"data": [{"blockId": "1", "blockId": "2"}]}')
    assert isinstance(found, JsonFault)
    assert found.detail == 'The key "blockId" occurs twice in one object.'


@given(st.integers(1, 70), st.sampled_from(["[", '{"a":']), st.integers(1, 70))
def test_depth_is_counted_exactly(depth, opening, most):
    """A value is refused exactly when more arrays and objects are nested than allowed."""
    body = opening * depth + "1" + ("]" if opening == "[" else "}") * depth
    found = read_json(body.encode(), max_depth=most)
    if depth <= most:
        assert not isinstance(found, JsonFault)
    else:
        assert fault(body, max_depth=most) == ("depth", 1, most * len(opening) + 1)


@pytest.mark.parametrize("count", [200, 300, 1000, 1024, 1025, 5000, 200_000])
def test_no_depth_brings_the_reader_down(count):
    """Even absurd nesting is one clear fault."""
    assert fault("[" * count + "]" * count)[0] == "depth"
    assert fault('{"a":' * count + "1" + "}" * count)[0] == "depth"
    assert fault("[" * count)[0] in {"depth", "syntax"}


def test_brackets_in_texts_hide_no_depth():
    """Closing brackets inside strings do not make a deep value look flat."""
    body = '["]","}",' * 80 + "1" + "]" * 80
    assert fault(body) == ("depth", 1, 64 * len('["]","}",') + 1)


@pytest.mark.parametrize("limit", [-(2**63), 2**64 - 1, 10**18, -(10**18), 0])
def test_integers_of_64_bits_are_exact(limit):
    """Integers that fit 64 bits are read exactly, also beside floats."""
    assert read_json(f"[{limit}, 1.5]".encode()) == [limit, 1.5]


@given(VALUES, LAYOUTS, st.integers(0, 2**32))
def test_trailing_commas_are_taken_when_asked_for(value, layout, seed):
    """Lenient reading takes a comma before any closing bracket, and gives the same value."""
    text = json.dumps(value, **layout)
    mended = "".join(_with_commas(text, random.Random(seed)))
    assert read_json(mended.encode(), lenient=True) == value


def _with_commas(text, source):
    """Put a comma before closing brackets of what is not empty, strings left alone."""
    last = ""
    for token in re.findall(r'"(?:[^"\\]|\\.)*"|\s+|.', text):
        if token in "]}" and last not in "[{" and source.random() < 0.5:
            yield ", "
        yield token
        last = last if token.isspace() else token


@pytest.mark.parametrize("body", ["[,]", "{,}", "[1,,]", "[1,]x", '{"a":,}', "[1,", ",", '["a" "b",]'])
def test_lenient_takes_nothing_else(body):
    """A comma that follows no element, or any other fault, is refused in lenient reading too."""
    assert fault(body, lenient=True)[0] == "syntax"


@given(st.binary(max_size=200))
def test_no_bytes_raise(body):
    """Whatever the bytes, there is a value or a fault."""
    read_json(body)
    read_json(body, lenient=True)


@given(VALUES, LAYOUTS, st.data())
def test_a_damaged_text_is_judged_as_json_judges_it(value, layout, data):
    """After a change of one character the reader takes a text exactly when a strict json does, with the same value."""
    text = json.dumps(value, **layout)
    at = data.draw(st.integers(0, len(text)))
    new = data.draw(st.sampled_from([*'[]{},:"\\ae19.-+ \n\t', "", '"a":1,']))
    damaged = text[:at] + new + text[at + data.draw(st.integers(0, 1)) :]
    found = read_json(damaged.encode("utf-8"))
    try:
        expected = strict(damaged)
    except ValueError:
        assert isinstance(found, JsonFault)
    else:
        assert found == expected


@given(VALUES, LAYOUTS, st.data(), st.integers(1, 12))
def test_the_quick_check_hides_nothing(value, layout, data, most):
    """A body that is compact JSON is judged as by the checks that look at every key, number and level."""
    body = json.dumps([value], **layout).encode()
    at = data.draw(st.integers(0, len(body)))
    new = data.draw(
        st.sampled_from([b"", b"[", b'"a":1,', b'{"a":1,"a":1},', b"9" * 25, b"1e2,", b"-0,", b'"\\u0041",'])
    )
    damaged = body[:at] + new + body[at + data.draw(st.integers(0, 1)) :]
    quick = read_json(damaged, max_depth=most), read_json(body, max_depth=most)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_text, "_written", lambda *_: b"")
        assert (read_json(damaged, max_depth=most), read_json(body, max_depth=most)) == quick


@pytest.mark.parametrize("levels", [1, 2, 60, 64, 65, 100, 253, 254, 255, 300])
@pytest.mark.parametrize("member", ["[%s]", '{"a":%s}', '[1,{"a":%s,"b":2},"]"]'])
def test_depth_is_told_whatever_the_writer_writes(levels, member):
    """Compact bodies up to, at and beyond what orjson writes are refused exactly when they are too deep."""
    body, depth = "1", 0
    while depth < levels:
        body, depth = member % body, depth + 1 + (member.count("{") and member.count("["))
    for most in (depth - 1, depth, depth + 1):
        found = read_json(body.encode(), max_depth=most)
        assert (isinstance(found, JsonFault) and found.kind) == ("depth" if most < depth else False)


def strict(text):
    """Read by json, refusing what the contract refuses."""
    value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no, parse_int=_integer, parse_float=_finite)
    json.dumps(value, ensure_ascii=False).encode()  # refuses lone surrogates
    return value


def _unique(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(pairs)
    return found


def _no(text):
    raise ValueError(text)


def _integer(text):
    if not -(2**63) <= int(text) < 2**64:
        raise ValueError(text)
    return int(text)


def _finite(text):
    if float(text) in {float("inf"), float("-inf")}:
        raise ValueError(text)
    return float(text)


REFUSED = {
    b"": ("empty", 1, 1),
    b"\xef\xbb\xbf{}": ("bom", 1, 1),
    b'["\xff"]': ("encoding", 1, 3),
    b"[" * 200: ("depth", 1, 65),
    b"[" * 5000: ("depth", 1, 65),
    b'{"a": [' * 200: ("depth", 1, 225),
    b"{" * 200: ("syntax", 1, 2),
    b'["]", ' * 10 + b"x": ("syntax", 1, 61),
    b'["a", ]': ("syntax", 1, 5),
    b'{"a": 1, }': ("syntax", 1, 8),
    b'{"a": 1]': ("syntax", 1, 8),
    b'{"a"; 1}': ("syntax", 1, 5),
    b'{"a":': ("syntax", 1, 6),
    b"[1.]": ("syntax", 1, 4),
    b"[-]": ("syntax", 1, 3),
    b"[1e+]": ("syntax", 1, 5),
    b"[1] 2": ("syntax", 1, 5),
    b'["\\x"]': ("syntax", 1, 3),
    b'["a\\ud800"]': ("surrogate", 1, 4),
    b'["\\ud83d\\ude00\\ude00"]': ("surrogate", 1, 15),
    b'["\\ud83d\\ud83d\\ude00"]': ("surrogate", 1, 3),
    b"[1, -1e999]": ("number", 1, 5),
}


@pytest.mark.parametrize("says", ["memory allocation failed", "depth limit exceeded", "number is infinity", ""])
@pytest.mark.parametrize(("body", "expected"), REFUSED.items(), ids=range(len(REFUSED)))
def test_the_parser_has_no_say_in_what_is_said(monkeypatch, body, expected, says):
    """Kind, place and words of a fault are ours: whatever a version of orjson says, and wherever, they are the same."""
    before = read_json(body)

    def refuse(_):
        raise orjson.JSONDecodeError(says, "", 0)

    monkeypatch.setattr(orjson, "loads", refuse)
    assert fault(body) == expected
    assert read_json(body) == before


@given(VALUES, LAYOUTS, st.data())
def test_a_text_cut_short_is_faulty_at_its_end(value, layout, data):
    """What could still become JSON is at fault where it ends, and nowhere before."""
    text = json.dumps([value], **layout)
    cut = text[: data.draw(st.integers(1, len(text) - 1))]
    if not re.search(r"\\u\w*$|[ \n]$", cut):
        assert fault(cut)[0] == "syntax"
        lines = cut.split("\n")
        assert fault(cut)[1:] == (len(lines), len(lines[-1]) + 1)
