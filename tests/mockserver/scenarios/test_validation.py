"""Holding scenarios to the served contracts: names that exist, points that can be reached."""

import pytest

from contracts.openapi.loading import load_bundled
from mockserver.scenarios.loading import load
from mockserver.scenarios.validation import KnownNames, contract_faults

KNOWN = KnownNames(contracts={name: load_bundled(name) for name in ("genero", "onkey")})
CUT = {"fault": "EMPTY_RESPONSE", "at": "during-commit"}


def faults_of(rule, **members):
    found = contract_faults(load({"name": "x", "rules": [{"then": {}, **rule}], **members}), KNOWN)
    return [(one.pointer, one.cure) for one in found]


@pytest.mark.parametrize(
    ("rule", "pointer", "cure"),
    [
        ({"when": {"api": "onky"}}, "/rules/0/when/api", "Did you mean 'onkey'?"),
        ({"when": {"operation": "batchCreat"}}, "/rules/0/when/operation", "Did you mean 'batchCreate'?"),
        ({"when": {"api": "genero", "operation": "batchCreate"}}, "/rules/0/when/operation", ""),
        (
            {"when": {"not": {"any": [{"operation": "postJbo"}]}}},
            "/rules/0/when/not/any/0/operation",
            "Did you mean 'postJob'?",
        ),
        (
            {"when": {"operation": "jobStatus"}, "then": {"example": "vendorComplete"}},
            "/rules/0/then/example",
            "Did you mean 'vendorCompleted'?",
        ),
        ({"items": {"every": 2}, "then": {"leave": True}}, "/rules/0/then/leave", "guard.retry.unprocessed"),
        (
            {"when": {"operation": "batchCreate"}, "items": {"every": 2}, "then": {"leave": True}},
            "/rules/0/then/leave",
            "guard.retry.unprocessed",
        ),
        ({"then": {"bug": "outcome-los"}}, "/rules/0/then/bug", "Did you mean 'outcome-lost'?"),
    ],
)
def test_a_name_that_does_not_exist_is_refused_with_the_closest_one(rule, pointer, cure):
    """Slips in names of APIs, operations, examples and bugs are told."""
    found = faults_of(rule)
    assert [at for at, _ in found] == [pointer]
    assert cure in found[0][1]


def test_the_api_of_the_whole_scenario_must_be_served():
    """The name at the top is a name like the others."""
    assert faults_of({}, api="generoo") == [("/api", "Did you mean 'genero'?")]


@pytest.mark.parametrize(
    "query",
    [
        {"mode": "AllOrNone"},
        {"mode": "allornone"},
        {"mode": {"in": ["AllOrNone", "nonsense"]}},
        {"mode": {"exists": False}},
        {"mode": {"matches": "^[Aa]ll"}},
    ],
)
def test_a_point_inside_a_whole_unit_does_not_exist(query):
    """Where `when` lets only the mode through in which everything falls together, nothing can be half applied."""
    assert [at for at, _ in faults_of({"when": {"operation": "batchCreate", "query": query}, "then": CUT})] == [
        "/rules/0/then/at"
    ]
    inner = {"when": {"operation": "batchCreate", "all": [{"query": query}]}, "then": CUT}
    assert [at for at, _ in faults_of(inner)] == ["/rules/0/then/at"]


@pytest.mark.parametrize(
    "when", [{}, {"operation": "batchCreate"}, {"query": {"mode": "PerRecord"}}, {"query": {"mode": {"exists": True}}}]
)
def test_a_point_that_some_call_reaches_is_accepted(when):
    """What may be reached is decided call by call."""
    assert faults_of({"when": when, "then": CUT}) == []
