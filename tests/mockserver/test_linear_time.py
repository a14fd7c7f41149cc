"""Whatever expression a document, an overlay, a scenario or a request gives: a near miss costs next to nothing.

Each of these would never end, or take hours, in an engine that goes back over a text.
"""

from types import SimpleNamespace

import pytest

from contracts.diff.structure import undeclared_member_schema
from contracts.exchange.references import references_of
from contracts.openapi.overlay import apply_overlay
from contracts.openapi.routing import split_path, splits
from contracts.schemas.schema_set import SchemaSet, compiled
from generators.data.plan import pattern_predicate
from mockserver.engine.conventions import unknown_server
from mockserver.scenarios.model import PREDICATE_BY_WORD, glob

TRAP = "^(a+)+$"
NEAR_MISS = "a" * 40 + "b"
LONG = "a" * 500_000
MEMBERS = SchemaSet({"a:": {"patternProperties": {TRAP: {}}, "additionalProperties": False}})


def overlay(query):
    """Return the faults of an overlay that removes what a JSONPath selects from a document with a near miss."""
    document = {"paths": {"/a": {"summary": NEAR_MISS}}}
    overlay = {"overlay": "1.1.0", "actions": [{"target": f"$.paths[?{query}]", "remove": True}]}
    return apply_overlay(document, overlay, shown="overlay.yaml")


def server(declared, given):
    """Return the refusal of a request that names a server."""
    request = SimpleNamespace(parameter=lambda _: given)
    contract = SimpleNamespace(document={"servers": [{"url": declared}]})
    return unknown_server(SimpleNamespace(request=request, api=SimpleNamespace(contract=contract)))


def references(declared, text):
    """Return what the references in a text are replaced by."""
    found = references_of(SimpleNamespace(order=SimpleNamespace(reference=declared)))
    return found.filled(text, lambda key, path: f"<{key}|{path}>")


ENTRIES = {
    "pattern": lambda: compiled({"pattern": TRAP}).is_valid(NEAR_MISS),
    "patternProperties": lambda: undeclared_member_schema(MEMBERS.schema("a:#"), NEAR_MISS).raw != {"not": {}},
    "values that are generated": lambda: pattern_predicate(TRAP)(NEAR_MISS),
    "a scenario's `matches`": lambda: PREDICATE_BY_WORD["matches"](TRAP)(NEAR_MISS),
    "a scenario's `schema`": lambda: PREDICATE_BY_WORD["schema"]({"pattern": TRAP})(NEAR_MISS),
    "a scenario's path": lambda: glob("**a" * 30)("a" * 5_000 + "b"),
    "an overlay's `search`": lambda: not overlay(f"search(@.summary, '{TRAP}')"),
    "an overlay's `match`": lambda: not overlay("match(@.summary, '(a+)+')"),
    "a server's URL": lambda: server("https://" + "{a}a" * 20, "https://" + "a" * 6_000 + "b") is None,
    "a path with variables": lambda: len(split_path("/" + "{v}a" * 20 + "c", "/" + "a" * 6_000)[0]) > 3,
    "the ways to read a segment": lambda: any(splits(("a",) * 20 + ("b",), "a" * 200)),
    "references between items": lambda: references("key.path", LONG) != LONG,
    "references with dots": lambda: references("{key};", "a." * len(LONG)) != "a." * len(LONG),
}


@pytest.mark.timeout(60)  # seconds: none takes one
@pytest.mark.parametrize("entry", ENTRIES)
def test_a_near_miss_costs_nothing(entry):
    """No text that does not match takes more than linear time."""
    assert ENTRIES[entry]() is False


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("search(@.summary, 'a+b')", []),
        ("match(@.summary, 'a+b')", []),
        ("match(@.summary, 'b')", ["it matches nothing."]),
        ("search(@.summary, '(a)\\\\1')", ["is no regular expression of RFC 9485"]),
        ("search(@.summary, '(?=a)')", ["is no regular expression of RFC 9485"]),
    ],
)
def test_an_overlay_says_which_expressions_it_cannot_take(query, told):
    """A JSONPath with look-around or back-references is refused in words, one that matches is carried out."""
    faults = [fault.fact for fault in overlay(query)]
    assert len(faults) == len(told)
    assert all(words in fact for words, fact in zip(told, faults, strict=True))


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("k1.a", "<k1|a>"),
        ("see k1.a.b, k2.c", "see <k1|a.b>, <k2|c>"),
        (".k1.a", ".<k1|a>"),
        ("-k1.a", "<-k1|a>"),
    ],
)
def test_references_without_signs_are_found_where_they_begin(text, result):
    """A name is read from its begin."""
    assert references("key.path", text) == result
