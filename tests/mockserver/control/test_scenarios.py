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


def test_validating_tells_the_same_faults_and_changes_nothing(genero):
    """What would be refused is told as a result, with lines; what would be accepted does not become active."""
    put(genero, "never-ends")
    wrong = [{"yaml": TEXT.replace("404", "4")}, "never-end"]
    told = genero.send("POST", "/_sandbox/scenarios/validate", {"scenarios": wrong})
    assert told.status == 200
    assert told.data["errors"] == put(genero, *wrong).data["errors"]
    assert [one.get("line") for one in told.data["errors"]] == [5, None]
    right = genero.send("POST", "/_sandbox/scenarios/validate", {"scenarios": [{"yaml": TEXT}, "slow-job"]})
    assert (right.status, right.data) == (200, {"errors": [], "total": 0})
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


TEXT = """\
# A comment that is kept.
name: mine
rules:
  - when: {operation: jobStatus}
    then: {status: 404}
    times: 3
"""


def test_a_scenario_given_as_text_is_kept_as_text(genero):
    """It becomes active, and is told as it was written; a document is written in YAML."""
    assert put(genero, {"yaml": TEXT}, {"name": "other", "rules": RULES}).status == 200
    told = genero.control("GET", "scenarios/mine").data
    assert told == {"name": "mine", "summary": "", "api": "any", "origin": "sandbox", "active": True, "yaml": TEXT}
    other = genero.control("GET", "scenarios/other").data["yaml"]
    assert put(genero, {"yaml": other}).data["scenarios"] == [
        {"name": "other", "rules": [{**RULES[0], "used": 0}]},
    ]
    bundled = genero.control("GET", "scenarios/never-ends").data
    assert (bundled["origin"], bundled["active"]) == ("bundled", False)
    assert "never-ends: true" in bundled["yaml"]
    missing = genero.control("GET", "scenarios/never-end")
    assert missing.status == 404
    assert "Did you mean 'never-ends'?" in missing.data["detail"]


@pytest.mark.parametrize(
    ("text", "places"),
    [
        (TEXT.replace("404", "4"), [("/rules/0/then/status", 5, 12)]),
        (TEXT.replace("status", "statsu"), [("/rules/0/then", 5, 12)]),
        (TEXT.replace("times", "time"), [("/rules/0", 6, 5)]),
        (TEXT.replace("jobStatus", "nothing"), [("/rules/0/when/operation", 4, 12)]),
        (TEXT.replace("name: mine\n", ""), [("", 2, 1)]),
        (TEXT.replace("mine", "[mine"), [("", 3, 6)]),
        ('{"name": "mine",\n "rules": [{"then": {"status": 4}}]}', [("/rules/0/then/status", 2, 22)]),
        ('{"name": "mine",\n "rules": }', [("/rules", 2, 2)]),
        ("", [("", None, None)]),
        ("[" * 10_000, [("", 1, 101)]),
    ],
)
def test_faults_in_a_text_have_their_lines(genero, text, places):
    """A member that is wrong is found at its name, one that is missing at what lacks it, a flaw of YAML where it is."""
    answer = put(genero, {"yaml": text})
    assert answer.status == 400
    found = [(one["pointer"], one.get("line"), one.get("column")) for one in answer.data["errors"]]
    assert found == [(f"/scenarios/0/yaml{pointer}", line, column) for pointer, line, column in places]


def test_active_scenarios_are_put_in_order_and_go_on(genero):
    """Those that are named keep their counts; those that are not are ended, and begin again when they come back."""
    one, two = {"name": "one", "rules": RULES}, {"name": "two", "rules": RULES}
    put(genero, one, two)
    genero.call("GET", STATUS)
    ordered = genero.control("PATCH", "scenarios", {"order": ["two", "one"]}).data["scenarios"]
    assert [(each["name"], each["rules"][0]["used"]) for each in ordered] == [("two", 0), ("one", 1)]
    refused = genero.control("PATCH", "scenarios", {"order": ["two", "three"]})
    assert refused.status == 400
    assert "/order/1: no scenario 'three' is active" in refused.data["detail"]
    assert genero.control("PATCH", "scenarios", {"order": ["two", "two"]}).status == 400
    left = genero.control("PATCH", "scenarios", {"order": ["two"]}).data["scenarios"]
    assert [each["name"] for each in left] == ["two"]
    again = genero.control("POST", "scenarios", {"scenarios": [one]}).data["scenarios"]
    assert [(each["name"], each["rules"][0]["used"]) for each in again] == [("two", 0), ("one", 0)]
