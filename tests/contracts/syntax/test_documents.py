"""YAML is read by version 1.2's core schema into plain JSON values, and cannot hurt."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from contracts.syntax.documents import YamlError, parse_yaml, place_in

TEXTS = st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" \n"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=15,
)


class Quoting(yaml.SafeDumper):
    """Writes all text with quotes: by YAML 1.1, as PyYAML writes, `0E0` is text without them."""


Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


@given(VALUES)
def test_json_is_yaml(value):
    """Any JSON value written as JSON is read back by the YAML reader."""
    assert parse_yaml(json.dumps(value, ensure_ascii=False)) == value


@given(VALUES, st.booleans())
def test_what_yaml_writes_is_read(value, flow):
    """What a YAML writer writes of a value with text quoted is read back."""
    text = yaml.dump(value, Dumper=Quoting, default_flow_style=flow, allow_unicode=True, width=10**6)
    assert parse_yaml(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("1_000", "1_000"),
        ("0o17", 15),
        ("0x1F", 31),
        ("+12", 12),
        ("-.5", -0.5),
        ("1e3", 1000.0),
        ("~", None),
        ("", None),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ("!!int '1'", 1),
        ("True", True),
        ("-", [None]),
        ("200: a\nnull: b\ntrue: c", {"200": "a", "null": "b", "true": "c"}),
    ],
)
def test_scalars_mean_what_12_says(text, value):
    """Only 1.2's words and numbers are no text; names are text as written."""
    assert parse_yaml(text) == value
    assert type(parse_yaml(text)) is type(value)


def test_aliases_are_copies():
    """What an alias stands for can be changed without changing the anchored value."""
    value = parse_yaml("a: &a {x: [1]}\nb: *a\nc: {<<: *a, y: 2}\nd: {<<: [{x: 3}, *a], z: 1}")
    value["a"]["x"].append(2)
    assert value == {"a": {"x": [1, 2]}, "b": {"x": [1]}, "c": {"x": [1], "y": 2}, "d": {"x": 3, "z": 1}}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\na: 2", "line 2, column 1: the key 'a' occurs twice"),
        ("a: &x [*x]", "the alias '*x' names no anchor before it"),
        ("a: *b", "the alias '*b' names no anchor before it"),
        ("!!python/object:os.system x", "the tag 'tag:yaml.org,2002:python/object:os.system' does not fit"),
        ("!!int x", "does not fit"),
        ("a: .nan", "JSON has no number .nan"),
        ("-.inf", "JSON has no number -.inf"),
        ("1e999", "JSON has no number 1e999"),
        ("9" * 6000, "a number has too many digits"),
        ("a: 1\n---\nb: 2", "a second document begins"),
        ("? [a]\n: c", "a key is no text"),
        ("<<: 3", "'<<' takes a mapping"),
        ("0x" + "f" * 6000, "a number has too many digits"),
        ("a: \x00", "line 1, column 4: control characters are not allowed, such as U+0000"),
        ("a: \ud800", "line 1, column 4: control characters are not allowed, such as U+D800"),
        ("a: 1\nb: \x1b[0m", "line 2, column 4: control characters are not allowed, such as U+001B"),
        ("- " * 100_000 + "a", "nested more than 100 deep"),
        ("[" * 100_000, "nested more than 100 deep"),
    ],
)
def test_what_is_refused(text, says):
    """Each refusal says what is wrong."""
    with pytest.raises(YamlError) as caught:
        parse_yaml(text)
    assert says in str(caught.value)


def levels(template):
    """Return YAML of thirty values, each with ten aliases of the one before it."""
    aliases = ([f"*a{n - 1}"] * 10 for n in range(1, 30))
    rest = (f"a{n}: &a{n} {template % ', '.join(inner)}" for n, inner in enumerate(aliases, 1))
    return "\n".join(["a0: &a0 {x: 1, y: 2}", *rest])


def test_aliases_of_aliases_do_not_explode():
    """Ten aliases on each of thirty levels are refused where they would fill memory, merged where they would not."""
    with pytest.raises(YamlError, match="it is too large once its aliases are written out"):
        parse_yaml(levels("[%s]"))
    assert parse_yaml(levels("{<<: [%s]}"))["a29"] == {"x": 1, "y": 2}


@given(st.text(max_size=60) | st.text(st.sampled_from(list("[]{}:,-&*!|>'\"%@#?a1 \n")), max_size=40))
def test_no_text_brings_a_traceback(text):
    """Any text is a value or a YamlError."""
    try:
        value = parse_yaml(text)
    except YamlError:
        return
    assert json.loads(json.dumps(value)) == value


class ReadingAhead:
    """A parser that reads all brackets before its first event, and takes no more than `limit` of them."""

    limit = 150

    def __init__(self, text):
        self._inner, self._openings = yaml.SafeLoader(text), [at for at, sign in enumerate(text) if sign in "[{"]

    def get_event(self):
        if len(self._openings) > self.limit:
            at = self._openings[self.limit]
            mark = yaml.Mark("", at, 0, at, None, None)
            raise yaml.scanner.ScannerError("while increasing flow level", mark, "exceeded maximum nesting depth", mark)
        return self._inner.get_event()


@pytest.mark.parametrize("loader", [yaml.SafeLoader, yaml.CSafeLoader, ReadingAhead])
@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("[" * 100_000, 101),
        ("{a: " * 100_000, 401),
        ("[{a: " * 100_000, 251),
        ("k: [1, 2, " + "[" * 3000 + "]" * 3000 + "]", 109),
    ],
    ids=["arrays", "objects", "both", "beside others"],
)
def test_our_limit_speaks_before_that_of_any_parser(monkeypatch, loader, text, column):
    """Where a parser has a limit of its own for nesting, early or late, what is said is the same."""
    monkeypatch.setattr(yaml, "CSafeLoader", loader)
    with pytest.raises(YamlError) as caught:
        parse_yaml(text)
    assert str(caught.value) == f"line 1, column {column}: it is nested more than 100 deep."


def test_what_a_parser_refuses_elsewhere_keeps_its_words(monkeypatch):
    """A parser's complaint about text that is not nested too deep is told as it is."""
    monkeypatch.setattr(yaml, "CSafeLoader", ReadingAhead)
    with pytest.raises(YamlError, match="line 1, column 598: exceeded maximum nesting depth"):
        parse_yaml("[" + "[ ]," * 200 + "]")


@pytest.mark.parametrize(
    ("text", "pointer", "place"),
    [
        ("a: 1\nb:\n  - c: 2\n", "", (1, 1)),
        ("a: 1\nb:\n  - c: 2\n", "/b", (2, 1)),
        ("a: 1\nb:\n  - c: 2\n", "/b/0", (3, 5)),
        ("a: 1\nb:\n  - c: 2\n", "/b/0/c", (3, 5)),
        ("a: 1\nb:\n  - c: 2\n", "/b/0/d", (3, 5)),
        ("a: 1\nb:\n  - c: 2\n", "/b/7", (2, 1)),
        ("a: 1\nb:\n  - c: 2\n", "/a/x/y", (1, 1)),
        ("x/y: {~: 1}\n", "/x~1y/~0", (1, 7)),
        ("one: &it {a: 1}\ntwo: *it\n", "/two/a", (1, 11)),
        ("one: &it {a: 1}\ntwo:\n  <<: *it\n", "/two/a", (2, 1)),
        ('{"a":\n [true, {"b": 1}]}', "/a/1/b", (2, 10)),
        ("a: [", "/a", None),
        ("", "", None),
    ],
)
def test_what_a_pointer_names_has_a_line(text, pointer, place):
    """A member is found at its name, an item at its beginning, what is missing at what lacks it."""
    assert place_in(text, pointer) == place
