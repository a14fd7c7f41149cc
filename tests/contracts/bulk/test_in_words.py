"""`x-bulk` in words: every place, name and number of a declaration stands in its words."""

import re
from pathlib import Path

import pytest
import yaml

from contracts.bulk.in_words import AXES, bulk_in_words
from contracts.openapi.document_checks import published_schema

APIS = yaml.load((Path(__file__).parents[1] / "data" / "apis.yaml").read_text(), yaml.CSafeLoader)
WORDED = {  # members whose values are words of the vocabulary, and are told in words of their own
    *("as", "by", "covers", "run", "rolledBack", "scope", "replay", "action", "of", "map", "default", "ignoreCase"),
    *("inOrder", "many", "optional", "forward", "results", "when", "exists", "min", "stopAfter", "breach", "refuse"),
}


def values(declared, name=""):
    """Yield the text of each value that must be told."""
    if isinstance(declared, dict):
        for member, one in declared.items():
            if member not in WORDED:
                yield from values(one, member)
    elif isinstance(declared, list):
        for one in declared:
            yield from values(one, name)
    elif declared not in ("", None):
        yield re.sub(
            r"^(header|query|path|csv|part):",
            "",
            str(declared).lower() if isinstance(declared, bool) else str(declared),
        )


@pytest.mark.parametrize("name", APIS)
def test_every_value_of_a_real_declaration_is_told(name):
    declared = APIS[name]["x-bulk"]
    words = bulk_in_words(declared)
    assert [*words] == [*AXES]
    for axis, members in declared.items():
        told = " ".join(words[axis])
        assert [one for one in values(members) if one not in told] == []


def test_every_sentence_is_one():
    for one in APIS.values():
        for sentences in bulk_in_words(one["x-bulk"]).values():
            assert all(re.fullmatch(r"[^a-z].*[^.]\.", sentence) for sentence in sentences)


def test_a_member_without_words_of_its_own_is_told_as_it_is_written():
    """What the vocabulary gains later is never passed over."""
    words = bulk_in_words({"items": {"at": "", "news": {"a": 1}}, "guard": {"other": "/x"}})
    assert words["items"][-1] == 'News is {"a":1}.'
    assert words["guard"] == ("Other is /x.",)


def test_each_axis_of_the_vocabulary_has_its_words():
    assert {*published_schema("x-bulk")["properties"]} - {"preset", "x-source"} == {*AXES}
    assert bulk_in_words({})["job"] == ("At once: the response has the outcomes.",)


@pytest.mark.parametrize(
    ("axis", "members", "expected"),
    [
        ("items", {"at": "/a", "as": "map", "max": 3}, ("A map from names to items at /a.", "At most 3 items.")),
        ("items", {"at": "", "as": "lines"}, ("Lines of JSON, the whole body.", "Any number of items.")),
        ("effect", {"action": "delete", "like": "drop"}, ("An item deletes a record.", "Its result is that of drop.")),
        (
            "effect",
            {"action": {"from": "/do", "map": {"PUT": "replace"}, "default": "PUT"}},
            ("An item acts as /do says ('PUT' means replace), 'PUT' without it.",),
        ),
        ("key", {"by": "client", "at": ""}, ("By the caller's own name for the item, the name in the map.",)),
        ("key", {"by": "order"}, ("By the place in the list of outcomes.",)),
        ("unit", {"of": "item", "stopAfter": 0}, ("Each item by itself.", "No failure stops the rest.")),
        (
            "unit",
            {"of": {"from": "query:all", "map": {"true": "whole"}, "default": False}, "rolledBack": "skipped"},
            (
                "As the query parameter all says ('true' means all items together), 'false' without it.",
                "When a unit fails, of its valid items it is said that they were not run.",
            ),
        ),
        ("order", {"run": "grouped", "groupBy": "/g"}, ("By groups at /g, smaller ones first.",)),
        (
            "reply",
            {"status": {"allOk": 200, "someFailed": 207, "allFailed": 207}},
            ("200 when every item succeeded and 207 when some failed or all failed.",),
        ),
        (
            "job",
            {"when": "header:Prefer=respond-async"},
            ("A request becomes a job with the header Prefer=respond-async.",),
        ),
        (
            "job",
            {"active": {"max": 1, "per": "client", "breach": 409}, "within": ["path:tenant"]},
            (
                "At most 1 job is unfinished for each client; one more is refused with 409.",
                "With another value of the path's tenant it is not known.",
            ),
        ),
        ("job", {"failedIf": {"at": "/why", "not": None}}, ("With failures /why is not null at its end.",)),
        ("guard", {"refuse": {"empty": 400}}, ("Refused are no item with 400.",)),
    ],
)
def test_the_words_of_members(axis, members, expected):
    assert bulk_in_words({axis: members})[axis] == expected
