"""Control calls about scenarios: what there is, what is active, and faults with their places."""

import shlex

import pytest

RULES = [{"when": {"operation": "jobStatus"}, "then": {"status": 404}, "times": 3}]
STATUS = "/genero/api/v1/block/jobStatus/e08434ee-a17f-445e-b9b5-e25fc354d840"


@pytest.fixture
def genero(serving):
    return serving("genero", mode="frozen")


def put(client, *scenarios):
    return client.control("PUT", "scenarios", {"scenarios": list(scenarios)})


def test_the_list_has_what_can_be_selected_and_how(genero):
    """Scenarios for APIs that are not served are left out; the lines name this server."""
    listed = genero.send("GET", "/_sandbox/scenarios").data["scenarios"]
    assert {one["api"] for one in listed} == {"any", "genero"}
    ends = next(one for one in listed if one["name"] == "never-ends")
    assert ends["select"]["header"] == "Prefer: scenario=never-ends"
    assert ends["summary"]
    words = shlex.split(ends["select"]["control"])
    assert words[:3] == ["curl", "-X", "PUT"]
    assert words[3] == f"http://127.0.0.1:{genero.running.port}/_sandbox/sandboxes/default/scenarios"


def test_the_schema_is_served(genero):
    """It is a JSON Schema that a document can be held to."""
    schema = genero.send("GET", "/_sandbox/scenario.schema.json").data
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["required"] == ["name", "rules"]


def test_named_and_written_scenarios_become_active_in_their_order(genero):
    """What is told is what was given, with how often each rule decided."""
    answer = put(genero, {"name": "mine", "rules": RULES}, "never-ends")
    assert answer.status == 200
    assert [one["name"] for one in answer.data["scenarios"]] == ["mine", "never-ends"]
    genero.call("GET", STATUS)
    mine = genero.control("GET", "scenarios").data["scenarios"][0]
    assert mine == {"name": "mine", "rules": [{**RULES[0], "used": 1}]}


def test_putting_again_begins_again_and_deleting_ends(genero):
    """Counts belong to a performance."""
    put(genero, {"name": "mine", "rules": RULES})
    genero.call("GET", STATUS)
    assert put(genero, {"name": "mine", "rules": RULES}).data["scenarios"][0]["rules"][0]["used"] == 0
    assert genero.control("DELETE", "scenarios").status == 204
    assert genero.control("GET", "scenarios").data == {"scenarios": []}


def test_every_fault_is_told_with_its_place_and_nothing_changes(genero):
    """Names, words and values of several scenarios at once; the active ones stay."""
    put(genero, "never-ends")
    bad = {"name": "x", "rules": [{"then": {"dely": 1}}]}
    answer = put(genero, "never-end", bad, "onkey-length", "slow-job", "slow-job")
    assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json")
    assert [one["pointer"] for one in answer.data["errors"]] == [
        "/scenarios/0",
        "/scenarios/1/rules/0/then",
        "/scenarios/2/api",
        "/scenarios/4",
    ]
    assert "Did you mean 'never-ends'?" in answer.data["errors"][0]["detail"]
    assert answer.data["total"] == 4
    assert [one["name"] for one in genero.control("GET", "scenarios").data["scenarios"]] == ["never-ends"]


@pytest.mark.parametrize("body", [None, {}, [], {"scenarios": 3}, {"scenarios": [3]}, {"scenarios": [], "x": 1}])
def test_what_is_no_choice_of_scenarios_is_refused(genero, body):
    """The control API keeps to its own contract."""
    assert genero.control("PUT", "scenarios", body).status in {400, 415}


def test_sandboxes_do_not_share_scenarios(serving):
    """What is active in one is not in another."""
    one, other = serving("genero", mode="frozen"), serving("genero", mode="frozen")
    put(one, {"name": "mine", "rules": [{"then": {"status": 503}}]})
    assert (one.call("GET", STATUS).status, other.call("GET", STATUS).status) == (503, 404)
