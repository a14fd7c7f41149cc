"""Playing: the first rule that fits and is not used up decides, and the same calls play the same."""

from datetime import timedelta
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.scenarios.building import build_selection as build_picks
from mockserver.scenarios.loading import load
from mockserver.scenarios.matching import RequestFacts, RequestPurpose, select_items
from mockserver.scenarios.player import ScenarioPlayer


class Thing(NamedTuple):
    index: int
    key: object
    raw: object


def things(*codes):
    return tuple(Thing(n, code, {"code": code, "n": n}) for n, code in enumerate(codes))


def facts(operation="post", *, codes=(), unit="item", job=False, tenants=(), api="toy"):
    work = RequestPurpose(unit=unit if codes else "", makes_job=job, tenants=tenants)
    items = things(*codes)
    return RequestFacts(
        api=api, operation=operation, method="POST", path="/x", purpose=lambda: work, items=lambda: items
    )


def scenario(*rules, name="s", **members):
    return load({"name": name, "rules": list(rules), **members})


def playing(*scenarios, seed=0):
    player = ScenarioPlayer(seed=seed)
    player.activate(scenarios)
    return player


def test_the_first_rule_that_fits_decides_until_it_is_used_up():
    """`times` hands over to the next rule, and then to none."""
    player = playing(scenario({"then": {"status": 503}, "times": 2}, {"then": {"status": 429}, "times": 1}))
    decided = [player.decide(facts()) for _ in range(4)]
    assert [one.effects.response and one.effects.response.status for one in decided] == [503, 503, 429, None]
    assert [one.scenario for one in decided] == ["s", "s", "s", ""]
    assert [tuple(one) for one in decided[3].near_misses[0].unmet] == [("times", 2, 2)]


def test_nth_counts_the_calls_that_fit_the_rest_whoever_decides():
    """A row of rules, one for each number, is a script."""
    rules = [{"when": {"operation": "post", "nth": n}, "then": {"status": 500 + n}} for n in (1, 2, 3)]
    player = playing(scenario(*rules))
    script = ["post", "get", "post", "post", "post"]
    decided = [player.decide(facts(one)).effects.response for one in script]
    assert [one and one.status for one in decided] == [501, None, 502, 503, None]


def test_counters_are_named_and_shared_by_all_rules():
    """One rule counts, another waits for the number."""
    player = playing(
        scenario(
            {"when": {"operation": "get", "counter": {"name": "posts", "is": 2}}, "then": {"status": 404}},
            {"when": {"operation": "post"}, "then": {"count": "posts"}},
        )
    )
    decided = [player.decide(facts(one)).effects.response for one in ("get", "post", "get", "post", "get")]
    assert [one and one.status for one in decided] == [None, None, None, None, 404]


def test_scenarios_of_one_call_come_before_the_active_ones():
    """What a call asks for is tried first; counts are kept by name."""
    active, asked = scenario({"then": {"status": 500}}), scenario({"then": {"status": 404}, "times": 1}, name="asked")
    player = playing(active)
    decided = [player.decide(facts(), first=(asked,)).scenario for _ in range(2)]
    assert decided == ["asked", "s"]


def test_a_scenario_for_one_api_leaves_the_others_alone():
    """`api` at the top holds for every rule."""
    player = playing(scenario({"then": {"status": 500}}, api="toy"))
    assert player.decide(facts(api="toy")).scenario == "s"
    assert [tuple(one) for one in player.decide(facts(api="x")).near_misses[0].unmet] == [("api", "toy", "x")]


def test_a_rule_whose_items_are_not_in_the_call_does_not_fit():
    """The near miss says what the items have instead, and nothing is used up."""
    rule = {"items": {"where": {"code": "DEF"}}, "then": {"fail": {}}, "times": 1}
    player = playing(scenario(rule))
    missed = player.decide(facts(codes=["ABC", "XYZ"])).near_misses[0].unmet
    assert [tuple(one) for one in missed] == [("items.where/code", "DEF", ["ABC", "XYZ"])]
    assert [one.key for one in player.decide(facts(codes=["ABC", "DEF"])).chosen] == ["DEF"]


@pytest.mark.parametrize(
    ("then", "call", "unmet"),
    [
        ({"never-ends": True}, facts(codes=["a"]), ("then", "a call that makes a job", None)),
        ({"unknown-tenants": ["t"]}, facts(codes=["a"], tenants=("u",)), ("then", ["t"], ["u"])),
        (
            {"fault": "EMPTY_RESPONSE", "at": "during-commit"},
            facts(codes=["a"], unit="whole"),
            ("at", "during-commit", "the unit whole"),
        ),
        (
            {"fault": "EMPTY_RESPONSE", "at": "during-commit"},
            facts(codes=["a"], job=True),
            ("at", "during-commit", "a job"),
        ),
        ({"timeout": True, "at": "during-commit"}, facts(), ("at", "during-commit", "a call without items")),
    ],
)
def test_effects_that_a_call_has_no_room_for_do_not_fit_it(then, call, unmet):
    """Effects on jobs, tenants and the middle of a commit need a call that has them."""
    missed = playing(scenario({"then": then})).decide(call).near_misses[0]
    assert [tuple(one) for one in missed.unmet] == [unmet]


def test_the_nearest_rule_is_the_one_with_the_fewest_unmet_conditions():
    """When nothing fits, one rule is shown: the one that nearly did."""
    player = playing(
        scenario({"when": {"operation": "x", "method": "GET"}, "then": {}}, {"when": {"operation": "x"}, "then": {}})
    )
    near = player.decide(facts()).near_misses
    assert [(one.scenario, one.rule, len(one.unmet)) for one in near] == [("s", 1, 1)]


@pytest.mark.parametrize(
    ("document", "indexes"),
    [
        ({"index": 1}, [1]),
        ({"index": [0, 9]}, [0]),
        ({"every": 1}, [0, 1, 2, 3, 4]),
        ({"every": 2}, [1, 3]),
        ({"first": 2}, [0, 1]),
        ({"key": ["c", "e"]}, [2, 4]),
        ({"where": {"code": {"in": ["b", "c", "d"]}}, "every": 2}, [2]),
        ({"where": {"n": {"schema": {"minimum": 3}}}, "first": 1}, [3]),
        ({"ratio": 1}, [0, 1, 2, 3, 4]),
    ],
)
def test_items_are_picked_as_they_are_described(document, indexes):
    """Conditions first, then every, ratio and first of what is left."""
    picked = select_items(build_picks(document), things("a", "b", "c", "d", "e"), Random(0))
    assert [one.index for one in picked] == indexes


@given(st.integers(1, 60), st.floats(0.01, 1), st.integers())
def test_a_ratio_picks_its_share_and_at_least_one(size, ratio, seed):
    """The number picked is the share, rounded; the order is the request's."""
    picked = [one.index for one in select_items(build_picks({"ratio": ratio}), things(*range(size)), Random(seed))]
    assert picked == sorted(set(picked))
    assert abs(len(picked) - max(1, ratio * size)) <= 0.5


def test_delays_are_drawn_within_their_bounds():
    """Uniform delays stay between their bounds, log-normal ones spread around their median."""
    for delay, low, high in (
        ("300ms", 300, 300),
        ({"uniform": {"lower_ms": 10, "upper_ms": 20}}, 10, 20),
        ({"lognormal": {"median_ms": 100, "sigma": 0}}, 100, 100),
        ({"lognormal": {"median_ms": 86400000, "sigma": 5}}, 0, 86400000),
    ):
        player = playing(scenario({"then": {"delay": delay}}))
        drawn = [player.decide(facts()).delay for _ in range(50)]
        assert all(timedelta(milliseconds=low) <= one <= timedelta(milliseconds=high) for one in drawn)
    medians = playing(scenario({"then": {"delay": {"lognormal": {"median_ms": 200, "sigma": 0.4}}}}))
    lengths = sorted(medians.decide(facts()).delay for _ in range(401))
    assert timedelta(milliseconds=150) < lengths[200] < timedelta(milliseconds=250)


operations = st.sampled_from(["post", "get", "put"])
simple_rules = st.fixed_dictionaries(
    {
        "then": st.builds(
            lambda n: {"count": f"c{n}", "delay": {"uniform": {"lower_ms": 0, "upper_ms": 9}}}, st.integers(0, 2)
        )
    },
    optional={
        "when": st.fixed_dictionaries(
            {},
            optional={
                "operation": operations,
                "nth": st.integers(1, 3),
                "chance": st.sampled_from([0, 0.5, 1]),
                "counter": st.builds(lambda n, i: {"name": f"c{n}", "is": i}, st.integers(0, 2), st.integers(0, 2)),
            },
        ),
        "times": st.integers(1, 3),
        "items": st.sampled_from([{"ratio": 0.5}, {"first": 1}, {"where": {"code": "b"}}]),
    },
)
calls = st.lists(st.tuples(operations, st.sampled_from([(), ("a",), ("a", "b", "c")])), max_size=12)


def run(rules, script, seed):
    player = playing(scenario(*rules), seed=seed)
    return [player.decide(facts(operation, codes=codes)) for operation, codes in script], player


@given(st.lists(simple_rules, min_size=1, max_size=5), calls, st.integers(0, 3))
def test_the_same_calls_with_the_same_seed_are_decided_alike(rules, script, seed):
    """Nothing but calls and seed goes into a decision; playing from the beginning repeats everything."""
    first, player = run(rules, script, seed)
    assert run(rules, script, seed)[0] == first
    player.activate(player.scenarios)
    assert [player.decide(facts(operation, codes=codes)) for operation, codes in script] == first


@given(st.lists(simple_rules, min_size=1, max_size=5), calls, st.integers(0, 3))
def test_exactly_the_first_fitting_rule_decides(rules, script, seed):
    """Rules behind the one that decided might as well not be there, and a rule decides at most `times` times."""
    decided, player = run(rules, script, seed)
    for n, call in enumerate(script):
        last = decided[n].rule if decided[n].scenario else len(rules) - 1
        cut, _ = run(rules[: last + 1], script[: n + 1], seed)
        before = [one.rule for one in decided[:n] if one.scenario]
        if all(one <= last for one in before):
            assert (cut[n].scenario, cut[n].rule) == (decided[n].scenario, decided[n].rule), call
    for (_, n), used in player.times_applied.items():
        assert used <= rules[n].get("times", used)
    assert sum(player.times_applied.values()) == sum(1 for one in decided if one.scenario)


def test_a_changed_scenario_begins_anew_and_leaves_the_others_as_they_are():
    """Swapping one version for another forgets only that scenario's counts."""
    one, other = (
        scenario({"then": {"status": 500}, "times": 1}),
        scenario({"then": {"status": 404}, "times": 1}, name="o"),
    )
    player = playing(one, other)
    assert [player.decide(facts()).scenario for _ in range(3)] == ["s", "o", ""]
    player.replace(scenario({"then": {"status": 501}, "times": 1}))
    assert player.decide(facts()).effects.response.status == 501
    assert player.decide(facts()).scenario == ""
