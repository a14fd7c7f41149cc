"""A pattern is read as its author means it, by the validator and the generator alike, or not at all."""

import pytest

from contracts.schemas import patterns
from contracts.schemas.patterns import usable_pattern, use_patterns
from contracts.schemas.schema_set import SchemaSet, compiled
from generators.data.compile import compile_schema

ASTRAL = "\U0001f600"
OF_ECMA = [
    (r"^\p{L}+$", ["é", "aß"], ["1", ""]),
    (r"^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$", ["a b", ""], ["<"]),
    (r"^\p{Script=Greek}$", ["\u03b2"], ["a"]),
    (r"^\p{ASCII}$", ["a"], ["é"]),
    (r"^\P{C}*$", ["a"], ["\0"]),
    (r"^\d$", ["7"], ["\u0667"]),
    (r"^\w$", ["a"], ["é"]),
    (r"^\cA$", ["\x01"], ["A"]),
    (r"^\/a\/$", ["/a/"], ["a"]),
    (r"^a(?=b)", ["ab"], ["ac"]),
    (r"^(?!b)", ["a"], ["b"]),
    (r"(?<=a)b", ["ab"], ["cb"]),
    (r"^(?<one>a)$", ["a"], ["b"]),
    (r"^(?<one>[ab])(c)\k<one>$", ["aca", "bcb"], ["acb"]),
    (r"^\u0041\x42$", ["AB"], ["ab"]),
    (r"^\uD83D\uDE00$", [ASTRAL], ["a"]),
    (r"^[\uD83D\uDE00-\uD83D\uDE4F]$", [ASTRAL], ["a"]),
    (r"^[\uD800-\uDBFF][\uDC00-\uDFFF]$", [ASTRAL], ["a", ASTRAL * 2]),
    (r"^[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDBFF-\uDC00\uDFFF\t]*$", ["a", ASTRAL], ["\0"]),
    (r"^[\w-.]$", ["-", "a", "."], ["+"]),
    (r"^[\d-x]$", ["-", "x", "1"], ["w"]),
    (r"^[a--]$", [], []),
    (r"^[!--]$", ["!", "-"], ["a"]),
    (r"^[^]$", ["\n"], [""]),
    (r"^[\b]$", ["\b"], ["b"]),
    (r"^\0$", ["\0"], ["0"]),
    (r"^[\000-\037]$", ["\x1f"], ["0"]),
    (r"^x{$", ["x{"], ["x"]),
    (r"^{a}$", ["{a}"], ["a"]),
    (r"^{0-9]$", ["{0-9]"], ["0"]),
]
OF_NEIGHBOURS = [
    (r"\Aa\Z", ["a"], ["ba"]),
    (r"\Aa\z", ["a"], ["A", "Aaz"]),
    (r"^\p{XDigit}$", ["f"], ["g"]),
    (r"^[\p{XDigit}-]$", ["f", "-"], ["g"]),
    (r"^[\P{XDigit}]$", ["g", ASTRAL], ["f"]),
    (r"^[^\p{XDigit}]$", ["g"], ["f"]),
    (r"^\P{XDigit}$", ["g"], ["1"]),
    (r"^[\p{all}]$", ["a", "\n"], [""]),
    (r"^\p{LD}$", ["a", "1"], ["-"]),
    (r"^\p{javaUpperCase}$", ["A"], ["a"]),
    (r"^\Qa.b\E$", ["a.b"], ["axb"]),
    (r"^(?>a)b$", ["ab"], ["b"]),
    (r"^\h$", [" ", "\t"], ["\n"]),
    (r"^a\R$", ["a\n", "a\r\n"], ["a"]),
    (r"^a{,2}$", ["", "aa"], ["aaa"]),
    (r"^a{1-2}$", ["a", "aa"], ["", "aaa"]),
    ("/^ab$/", ["ab"], ["/ab/"]),
    ("/^ab$/i", ["AB"], ["/ab/"]),
    (r"^.{1,2097152}$", ["a"], [""]),
]


@pytest.mark.parametrize(("pattern", "fitting", "unfit"), [*OF_ECMA, *OF_NEIGHBOURS])
def test_a_pattern_is_read_as_it_is_meant(pattern, fitting, unfit):
    """The form in which a pattern is used matches what ECMA-262, or the dialect that it is taken from, says."""
    text = usable_pattern(pattern).text
    if text is None:
        assert not fitting
        return
    is_valid = compiled({"pattern": text}).is_valid
    assert [one for one in fitting if not is_valid(one)] == []
    assert [one for one in unfit if is_valid(one)] == []


@pytest.mark.parametrize("pattern", [pattern for pattern, fitting, _ in (*OF_ECMA, *OF_NEIGHBOURS) if fitting])
def test_generated_strings_match(pattern):
    """The generator makes strings of a pattern that the validator accepts."""
    schema = SchemaSet({"t:d": {"S": {"type": "string", "pattern": usable_pattern(pattern).text}}}).schema("t:d#/S")
    generator = compile_schema(schema)
    made = [generator.generate(n) for n in range(10)]
    assert [one for one in made if not schema.is_valid(one)] == []


@pytest.mark.parametrize(
    ("pattern", "remark"), [(one, "") for one, _, _ in OF_ECMA] + [(one, ".") for one, _, _ in OF_NEIGHBOURS]
)
def test_what_is_not_of_ecma_262_is_said(pattern, remark):
    """An author learns of what was read otherwise, and of nothing else."""
    assert usable_pattern(pattern).remark[-1:] == remark


@pytest.mark.parametrize(
    "pattern", ["(", "[a", "a**", r"[\p\{C\}]", "^[z-a]$", "(?<=a+", r"\p{Nothing}", r"a{2000000,}"]
)
def test_what_no_engine_takes_is_not_used(pattern):
    """There is no form of it, and nothing is raised."""
    assert usable_pattern(pattern).text is None


@pytest.mark.parametrize("pattern", ["", "a", "^[a-z]{3,5}$", r"^\d+(\.\d+)?$", r"^\p{Lu}", "^.{1,1000}$", "(?i)^ok$"])
def test_usual_patterns_stay_as_they_are(pattern):
    """Nothing is rewritten without need."""
    assert usable_pattern(pattern)[:2] == (pattern, "")


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("^.{1,2097152}", "^.{1,}"),
        ("^(?:ab{0,99999})$", "^(?:ab{0,})$"),
        ("^(?:.{1,2000}){1,2000}$", "^(?:.{1,}){1,}$"),
        ("^[a{9}]{0,70000}$", "^[a{9}]{0,}$"),
        ("a{1000000000}", None),
        ("(a{1000}){1000}", None),
        ("((a{300})+b){300}", None),
        (f"a{{{'9' * 5000}}}", None),
        (f"a{{1,{'9' * 5000}}}", "a{1,}"),
    ],
)
def test_what_is_too_large_is_never_compiled(pattern, text, monkeypatch):
    """Repetitions are multiplied before an engine is asked, which would take their memory; what is done is said."""
    asked = []
    monkeypatch.setattr(patterns, "_compiles", lambda one: asked.append(one) or True)
    usable_pattern.cache_clear()
    found = usable_pattern(pattern)
    usable_pattern.cache_clear()
    assert (found.text, asked) == (text, [text] if text else [])
    assert "not checked" in found.remark


@pytest.mark.parametrize(
    ("schema", "used"),
    [
        ({"pattern": "^.{1,2097152}$"}, {"pattern": "^.{1,}$", "minLength": 1, "maxLength": 2097152}),
        ({"pattern": "^.{1,2097152}$", "maxLength": 9}, {"pattern": "^.{1,}$", "minLength": 1, "maxLength": 9}),
        ({"pattern": "^.{70000,80000}$"}, {"minLength": 70000, "maxLength": 80000}),
        ({"pattern": "(a{1000}){1000}"}, {}),
        ({"patternProperties": {"(a{1000}){1000}": {}, "^a": {}}}, {"patternProperties": {"^a": {}}}),
    ],
)
def test_a_pattern_that_is_too_large_leaves_its_length(schema, used):
    """A pattern that says no more than a length is checked as one; any other is taken out, and that is said."""
    (_, found), *more = use_patterns(schema)
    assert (schema, more) == (used, [])
    assert found.remark
    assert "too large" in found.unlike
