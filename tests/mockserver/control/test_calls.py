"""The control API: isolated worlds, their clocks, settings, jobs, records and journals, over HTTP."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

THINGS = Path(__file__).parents[1] / "http" / "data" / "things.yaml"
EPOCH = "2026-01-01T00:00:00Z"


@pytest.fixture
def things(serving):
    return serving(THINGS, mode="frozen")


def is_problem(answer, status):
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.data["status"] == status
    return answer.data["detail"]


def test_health_and_served_apis(things):
    """The server says that it is ready, and what it serves."""
    health = things.send("GET", "/_sandbox/health")
    assert (health.status, set(health.data), health.data["status"]) == (200, {"status", "version"}, "ok")
    (api,) = things.send("GET", "/_sandbox/apis").data["apis"]
    assert (api["name"], api["mount"], api["openapi"]) == ("things", "/things", "/things/openapi.json")


@pytest.mark.parametrize(
    "path", ["/_sandbox/openapi.json", "/things/openapi.json", "/_sandbox/apis/things/openapi.json"]
)
def test_served_documents_stand_alone(things, path):
    """Every reference of a served contract leads to something in the same document."""
    document = things.send("GET", path).data

    def resolve(value):
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                at = document
                assert value["$ref"].startswith("#/")
                for token in value["$ref"][2:].split("/"):
                    at = at[token.replace("~1", "/").replace("~0", "~")]
            for one in value.values():
                resolve(one)
        elif isinstance(value, list):
            for one in value:
                resolve(one)

    resolve(document)
    assert document["openapi"].startswith("3.1")


def test_a_recursive_schema_survives_the_move_into_one_document(things):
    """A schema in another file that refers to itself is the same schema in the served document."""
    document = things.send("GET", "/things/openapi.json").data
    schema = {**document["components"]["schemas"]["box"], "components": document["components"]}
    validator = Draft202012Validator(schema)
    assert validator.is_valid({"id": "a", "inside": [{"id": "b", "inside": []}]})
    assert not validator.is_valid({"id": "a", "inside": [{"id": "b", "inside": [{}]}]})


def test_sandboxes_do_not_see_each_other(serving):
    """State, clock, settings and journal of one sandbox leave the others alone."""
    one, other = serving(THINGS, mode="frozen"), serving(THINGS, mode="frozen")
    one.call("PUT", "/things/boxes/a", {"id": "a"})
    one.control("POST", "clock/advance", {"by": "P1D"})
    one.control("PATCH", "settings", {"conduct": "enforce"})
    assert other.call("GET", "/things/boxes/a").status == 404
    assert other.control("GET", "clock").data["now"] == EPOCH
    assert other.control("GET", "settings").data["conduct"] == "observe"
    assert len(other.control("GET", "exchanges").data["exchanges"]) == 1


def test_the_same_calls_give_the_same_bytes(serving):
    """On a frozen clock two fresh sandboxes answer the same calls alike to the byte, ids and dates included."""

    def history(client):
        answers = [client.call("POST", "/things/boxes/jobs", [{"id": str(n)}]) for n in range(3)]
        return [
            (one.status, one.headers["date"], one.headers["location"].removeprefix(f"/@{client.sandbox}"))
            for one in answers
        ]

    first, second = (history(serving(THINGS, mode="frozen")) for _ in range(2))
    assert first == second
    reseeded = serving(THINGS, mode="frozen")
    reseeded.control("POST", "reset", {"seed": 7})
    assert history(reseeded) != first


def test_reset_and_drop(things):
    """Reset makes a sandbox as new and tells its seed; dropping forgets it, and a second time there is none."""
    things.call("PUT", "/things/boxes/a", {"id": "a"})
    assert things.control("POST", "reset", {"seed": 7}).data == {"name": things.sandbox, "seed": 7}
    assert things.call("GET", "/things/boxes/a").status == 404
    assert things.control("POST", "reset").data == {"name": things.sandbox, "seed": 0}
    assert things.control("DELETE").status == 204
    assert things.sandbox in is_problem(things.control("DELETE"), 404)
    names = [one["name"] for one in things.send("GET", "/_sandbox/sandboxes").data["sandboxes"]]
    assert things.sandbox not in names


def test_a_reset_sets_clock_settings_and_scenarios_at_once(things):
    """What a body of a reset says is as if each had been set after it; what it does not say is as when it was made."""
    things.call("PUT", "/things/boxes/a", {"id": "a"})
    now, scenario = "2027-03-01T00:00:00Z", "never-ends"
    wanted = {"clock": {"now": now}, "settings": {"conduct": "enforce"}, "scenarios": [scenario]}
    assert things.control("POST", "reset", wanted).data == {"name": things.sandbox, "seed": 0}
    clock = things.control("GET", "clock").data
    assert (clock["now"], clock["mode"]) == (now, "frozen")
    told = things.control("GET", "settings").data
    assert [one["name"] for one in things.control("GET", "scenarios").data["scenarios"]] == [scenario]
    assert things.control("POST", "reset").status == 200
    assert things.control("GET", "clock").data["now"] == EPOCH
    assert things.control("GET", "settings").data == {**told, "conduct": "observe"}
    assert things.control("GET", "scenarios").data["scenarios"] == []
    assert things.call("GET", "/things/boxes/a").status == 404


@pytest.mark.parametrize(
    "wanted",
    [
        {"clock": {"now": "1960-01-01T00:00:00Z"}},
        {"clock": {"now": "9999-01-01T00:00:00Z"}},
        {"clock": {}},
        {"settings": {"auth": "maybe"}},
        {"scenarios": ["no-such-day"]},
        {"seed": 7, "clock": {"now": "2027-03-01T00:00:00Z"}, "scenarios": [{}]},
    ],
)
def test_a_refused_reset_changes_nothing(things, wanted):
    """When part of a reset's body is wrong the sandbox stays as it was."""
    things.call("PUT", "/things/boxes/a", {"id": "a"})
    is_problem(things.control("POST", "reset", wanted), 400)
    assert things.call("GET", "/things/boxes/a").status == 200
    assert things.control("GET", "clock").data["now"] == EPOCH


def test_a_control_call_makes_a_sandbox(things):
    """Asking about a sandbox that does not exist makes it, as any first use does."""
    assert things.control("GET", "clock").status == 200
    names = [one["name"] for one in things.send("GET", "/_sandbox/sandboxes").data["sandboxes"]]
    assert things.sandbox in names


@pytest.mark.parametrize("name", ["a%20b", "x" * 65, "%C3%A4", "a%2Fb"])
def test_bad_names_are_refused(things, name):
    """A name that no sandbox may have is 400, in the control API as in front of a served one."""
    assert "no name" in is_problem(things.send("GET", f"/_sandbox/sandboxes/{name}/clock"), 400)
    assert "no name" in is_problem(things.send("GET", f"/@{name}/things/boxes/a"), 400)
    if name.isascii() and "%" not in name:
        assert "no name" in is_problem(things.send("GET", "/things/boxes/a", headers={"Sandbox": name}), 400)


def test_prefix_and_header_pick_the_same_sandbox(things):
    """The header picks a sandbox as the prefix does; naming two different ones is 400."""
    things.call("PUT", "/things/boxes/a", {"id": "a"})
    assert things.send("GET", "/things/boxes/a", headers={"Sandbox": things.sandbox}).status == 200
    assert things.call("GET", "/things/boxes/a", headers={"Sandbox": things.sandbox}).status == 200
    assert things.send("GET", "/things/boxes/a").status == 404
    assert "different" in is_problem(things.call("GET", "/things/boxes/a", headers={"Sandbox": "other"}), 400)


def test_a_frozen_clock_stands_and_is_moved(things):
    """Nothing moves by itself; advancing moves by exactly what was asked."""
    assert things.control("GET", "clock").data == {
        "now": EPOCH, "mode": "frozen", "factor": 1, "events": [], "unfinished": [],
    }  # fmt: skip
    assert (
        things.control("POST", "clock/advance", {"by": "P1W2DT3H4M5.5S"}).data["now"] == "2026-01-10T03:04:05.500000Z"
    )
    assert things.control("GET", "clock").data["now"] == "2026-01-10T03:04:05.500000Z"


@pytest.mark.parametrize(
    ("by", "length"),
    [
        ("PT5M", timedelta(minutes=5)),
        ("P1.5D", timedelta(days=1.5)),
        ("PT0,5H", timedelta(minutes=30)),
        ("P2W", timedelta(weeks=2)),
        ("PT0S", timedelta(0)),
    ],
)
def test_durations(things, by, length):
    """ISO 8601 durations of fixed length are understood, decimals too."""
    now = things.control("POST", "clock/advance", {"by": by}).data["now"]
    assert datetime.fromisoformat(now) - datetime.fromisoformat(EPOCH) == length


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"by": "P1Y"}, "years or months"),
        ({"by": "P3M"}, "years or months"),
        ({"by": "-PT5M"}, "backwards"),
        ({"by": "5 minutes"}, "PT5M"),
        ({"by": "PT"}, "PT5M"),
        ({"by": ""}, "PT5M"),
        ({"by": "PT99999999999999999999H"}, ""),
        ({"by": "P3650000D"}, "9000"),
        ({"by": 5}, "by"),
        ({"to": "idel"}, "idle"),
        ({}, ""),
        ({"by": "PT5M", "to": "idle"}, ""),
        ({"until": "idle"}, "until"),
    ],
)
def test_what_no_clock_can_do(things, body, says):
    """A move that makes no sense is 400 with its reason, and the clock stays where it is."""
    assert says in is_problem(things.control("POST", "clock/advance", body), 400)
    assert things.control("GET", "clock").data["now"] == EPOCH


def test_the_clock_is_set(things):
    """Time, mode and factor are set singly or together; the rest stays."""
    set_to = things.control("PUT", "clock", {"now": "2030-05-06T08:00:00+02:00"}).data
    assert (set_to["now"], set_to["mode"]) == ("2030-05-06T06:00:00Z", "frozen")
    scaled = things.control("PUT", "clock", {"mode": "scaled", "factor": 86400}).data
    assert (scaled["mode"], scaled["factor"]) == ("scaled", 86400)
    assert things.control("GET", "clock").data["now"] > "2030-05-06T06:00:00Z"


@pytest.mark.parametrize(
    "body",
    [{}, {"mode": "forzen"}, {"now": "yesterday"}, {"now": "9999-12-31T23:59:59Z"},
     {"now": "0001-01-01T00:00:00+10:00"},
     {"factor": 0}, {"factor": -1}, {"factor": 1e9}, {"now": 5}, {"moed": "frozen"}, []],
)  # fmt: skip
def test_what_no_clock_can_be(things, body):
    """A setting that no clock can have is refused, and nothing changes."""
    is_problem(things.control("PUT", "clock", body), 400)
    assert things.control("GET", "clock").data["now"] == EPOCH


def post_job(client, *ids):
    location = client.call("POST", "/things/boxes/jobs", [{"id": one} for one in ids]).headers["location"]
    assert location.startswith(f"/@{client.sandbox}/things/")
    return location


def test_jobs_move_with_the_clock(things):
    """A job's state is a matter of the instant: it begins and ends where its plan says, in the API's words."""
    location = post_job(things, "a", "b")
    job_id = location.rpartition("/")[2]
    (job,) = things.control("GET", "jobs").data["jobs"]
    begins, due = "2026-01-01T00:00:05.001000Z", "2026-01-01T00:00:10.002000Z"
    assert job == {
        "id": job_id,
        "api": "things",
        "operation": "sendBoxes",
        "tenant": "default",
        "client": "anonymous",
        "state": "WAITING",
        "posted": EPOCH,
        "due": due,
        "plan": [{"at": EPOCH, "state": "WAITING"}, {"at": begins, "state": "AT_WORK"}, {"at": due, "state": "FINE"}],
        "items": 2,
    }
    first = things.control("POST", "clock/advance", {"to": "next-event"}).data
    assert (first["now"], [(one["at"], one["kind"], one["id"]) for one in first["events"]]) == (
        begins,
        [(begins, "job", job_id)],
    )
    assert things.send("GET", location).data["state"] == "AT_WORK"
    assert things.control("GET", "entities/things/boxes?tenant=default").data["total"] == 0
    last = things.control("POST", "clock/advance", {"to": "idle"}).data
    assert (last["now"], [one["says"] for one in last["events"]]) == (due, ["things sendBoxes: FINE"])
    assert things.send("GET", location).data["state"] == "FINE"
    assert things.control("GET", "jobs").data["jobs"][0]["state"] == "FINE"


def test_jobs_tell_their_polls(things):
    """With `polls` a job has its stage, its exchange and its polls; without, it is what it was."""
    location = post_job(things, "a", "b")
    things.send("GET", location)
    things.control("POST", "clock/advance", {"by": "PT1H"})
    things.send("GET", location)
    (plain,) = things.control("GET", "jobs").data["jobs"]
    (job,) = things.control("GET", "jobs?polls=true").data["jobs"]
    assert plain == {name: value for name, value in job.items() if name in plain}
    assert {name: value for name, value in job.items() if name not in plain} == {
        "stage": "done",
        "begins": "2026-01-01T00:00:05.001000Z",
        "ended": "2026-01-01T00:00:10.002000Z",
        "outcomes": {"done": 2, "failed": 0, "notRun": 0},
        "exchange": 1,
        "polls": [
            {"n": 2, "at": EPOCH, "tooSoon": ""},
            {"n": 3, "at": "2026-01-01T01:00:00Z", "tooSoon": ""},
        ],
    }
    things.control("DELETE", "exchanges")
    (job,) = things.control("GET", "jobs?polls=true").data["jobs"]
    assert (job["exchange"], job["polls"]) == (None, [])


def test_collections_are_listed_and_records_are_found_in_parts(things):
    """What is stored is told with its numbers; records are searched by key, and read part by part."""
    assert things.control("GET", "entities").data == {"collections": []}
    for key in ("b1", "a2", "B3"):
        things.call("PUT", f"/things/boxes/{key}", {"id": key})
    (boxes,) = things.control("GET", "entities").data["collections"]
    assert {name: boxes[name] for name in ("api", "kind", "key", "records", "deleted")} == {
        "api": "things",
        "kind": "boxes",
        "key": "id",
        "records": 3,
        "deleted": 0,
    }

    def found(query):
        data = things.control("GET", f"entities/things/boxes?tenant={boxes['tenant']}{query}").data
        return [one["key"] for one in data["entities"]], data["total"]

    everything = found("")
    assert (sorted(everything[0]), everything[1]) == (["B3", "a2", "b1"], 3)
    assert found("&offset=1&limit=1") == (everything[0][1:2], 3)
    assert found("&offset=9") == ([], 3)
    assert (sorted(found("&key=b")[0]), found("&key=b")[1]) == (["B3", "b1"], 2)
    assert things.control("GET", "entities/things/boxes?limit=0").status == 400


def test_a_job_is_final_at_the_very_instant(things):
    """One microsecond before its time a job is not over; at its time it is."""
    location = post_job(things, "a")
    things.control("POST", "clock/advance", {"by": "PT10.000999S"})
    assert things.send("GET", location).data["state"] == "AT_WORK"
    things.control("POST", "clock/advance", {"by": "PT0.000001S"})
    assert things.send("GET", location).data["state"] == "FINE"


@pytest.mark.parametrize("back", ["2025-12-31T00:00:00Z", "2026-01-01T00:00:01Z"])
def test_a_job_whose_end_lies_ahead_again_tells_no_results(serving, back):
    """A clock may be set back: a poll is answered as before the job ended, and as after it once it has."""
    genero, onkey = serving("genero", mode="frozen"), serving("onkey", mode="frozen")
    id_ = genero.call("POST", "/genero/api/v1/block/postJob", [{"blockId": "a"}]).data["correlationId"]
    system = "/onkey/api/tenants/contoso/sandbox/modules/system"
    trade = [{"entityType": "Trade", "action": "Insert", "userObjectId": "1", "properties": {}}]
    media = {"Content-Type": "application/vnd.onkey.entityimportcollection+json"}
    made = onkey.call("POST", f"{system}/imports?mode=PerRecord&async=true", trade, media)
    task = f"{system}/backgroundtasks/{made.headers['onkey-request-id']}"
    told = {}
    for client, paths in ((genero, (f"/genero/api/v1/block/jobStatus/{id_}",)), (onkey, (task, f"{task}/steps"))):
        before = [client.call("GET", path).data for path in paths]
        client.control("POST", "clock/advance", {"by": "PT10M"})
        told[client] = [client.call("GET", path).data for path in paths]
        assert told[client] != before
        client.control("PUT", "clock", {"now": back})
        again = [client.call("GET", path) for path in paths]
        assert {one.status for one in again} == {200}
        assert again[-1].data == before[-1]
        client.control("POST", "clock/advance", {"by": "P2D"})
        after = [client.call("GET", path) for path in paths]
        assert [one.data for one in after if one.status == 200] in ([], told[client])


def test_passed_events_come_in_order(things):
    """Events of several jobs are told in the order in which they happened."""
    post_job(things, "a")
    things.control("POST", "clock/advance", {"by": "PT2S"})
    post_job(things, "b")
    events = things.control("POST", "clock/advance", {"by": "P1D"}).data["events"]
    assert len(events) == 4
    assert [one["at"] for one in events] == sorted(one["at"] for one in events)
    assert things.control("POST", "clock/advance", {"to": "next-event"}).data["events"] == []


def test_entities_are_the_ground_truth(things):
    """What is stored is told with key and version, ordered by key; the data set may be left out when there is one."""
    assert "Which data set" in is_problem(things.control("GET", "entities/things/boxes"), 400)
    for one in ("b", "a"):
        things.call("PUT", f"/things/boxes/{one}", {"id": one, "name": one.upper()})
    stored = things.control("GET", "entities/things/boxes").data
    assert stored["total"] == 2
    assert [(one["key"], one["deleted"], one["body"]) for one in stored["entities"]] == [
        ("a", False, {"id": "a", "name": "A"}),
        ("b", False, {"id": "b", "name": "B"}),
    ]
    assert things.control("GET", "entities/things/boxes?dataset=nowhere").data == {"entities": [], "total": 0}
    assert "boxes" in is_problem(things.control("GET", "entities/things/boxxes"), 404)
    assert "things" in is_problem(things.control("GET", "entities/thing/boxes"), 404)


def test_the_journal_tells_what_happened(things):
    """Exchanges are listed oldest first with their outcomes counted; one is told whole, its secrets hidden."""
    things.call("POST", "/things/boxes?x=1", [{"id": "a"}, {"id": "a"}], {"Authorization": "Bearer very-secret"})
    things.call("POST", "/things/boxes", [{"id": "b", "nmae": 1}])
    listed = things.control("GET", "exchanges").data
    first, second = listed["exchanges"]
    assert (first["n"], first["operation"], first["path"], first["status"]) == (1, "createBoxes", "/things/boxes", 200)
    assert first["outcomes"] == {"done": 1, "failed": 1, "notRun": 0}
    assert (second["violations"], second["status"], listed["next"]) == (1, 400, 2)
    whole = things.control("GET", "exchanges/1").data
    assert [(one["key"], one["result"]) for one in whole["outcomes"]] == [("a", "done"), ("a", "failed")]
    assert whole["outcomes"][1]["error"]
    assert whole["call"]["headers"]["Authorization"] == "Bearer ***"
    assert whole["call"]["body"] == [{"id": "a"}, {"id": "a"}]
    assert whole["call"]["query"] == [["x", "1"]]
    assert b"very-secret" not in things.control("GET", "exchanges/1").body
    (violation,) = things.control("GET", "exchanges/2").data["violations"]
    assert (violation["side"], violation["pointer"], violation["hint"]) == ("call", "/0/nmae", "name")


def test_keys_that_are_no_texts_are_shown(serving):
    """An item may have anything for its key: it is shown as JSON text, and where there is none its index is."""
    genero = serving("genero", mode="frozen")
    keys = [[], {"a": 1}, True, None, 1.5, "own"]
    assert genero.call("POST", "/genero/api/v1/block/postJob", [{"blockId": key} for key in keys]).status == 400
    shown = genero.control("GET", "exchanges/1")
    assert shown.status == 200, shown.body
    assert [one["key"] for one in shown.data["items"]] == ["[]", '{"a":1}', "true", 3, 1.5, "own"]


def test_the_journal_is_paged_and_cleared(things):
    """`after` and `limit` cut pages; clearing empties the journal and numbers go on."""
    for _ in range(5):
        things.call("GET", "/things/boxes/a")
    page = things.control("GET", "exchanges?after=1&limit=2").data
    assert ([one["n"] for one in page["exchanges"]], page["next"]) == ([2, 3], 3)
    assert things.control("GET", "exchanges?after=5").data == {"exchanges": [], "next": 5}
    is_problem(things.control("GET", "exchanges?limit=0"), 400)
    assert things.control("DELETE", "exchanges").status == 204
    assert "forgotten" in is_problem(things.control("GET", "exchanges/3"), 404)
    things.call("GET", "/things/boxes/a")
    assert [one["n"] for one in things.control("GET", "exchanges").data["exchanges"]] == [6]
    assert "not been made" in is_problem(things.control("GET", "exchanges/7"), 404)


def test_large_bodies_are_kept_as_digests(things):
    """A body over 64 KiB stands in the journal as its SHA-256, its size and its beginning."""
    things.call("POST", "/things/boxes/jobs", [{"id": str(n), "name": "x" * 50} for n in range(2000)])
    kept = things.control("GET", "exchanges/1").data["call"]
    assert "body" not in kept
    assert (len(kept["bodyDigest"]["sha256"]), kept["bodyDigest"]["head"][:12]) == (64, '[{"id": "0",')
    assert kept["bodyDigest"]["bytes"] > 64 * 1024


def test_settings_are_read_patched_and_replaced(things):
    """PATCH changes what it names, null restores, PUT restores what it does not name."""
    fresh = things.control("GET", "settings").data
    assert set(fresh) == {
        *("auth", "conduct", "strict", "lenientJson", "validateRequests", "errors", "dynamic", "limits")
    }
    patched = things.control("PATCH", "settings", {"strict": True, "limits": {"depth": 5}})
    assert patched.data == {**fresh, "strict": True, "limits": {**fresh["limits"], "depth": 5}}
    assert things.control("PATCH", "settings", {"limits": {"depth": None}}).data["limits"] == fresh["limits"]
    merge_patch = {"Content-Type": "application/merge-patch+json"}
    assert things.control("PATCH", "settings", {"auth": "open"}, merge_patch).data["auth"] == "open"
    assert things.control("PUT", "settings", {"conduct": "enforce"}).data == {**fresh, "conduct": "enforce"}
    things.control("POST", "reset")
    assert things.control("GET", "settings").data == fresh


@pytest.mark.parametrize(
    ("patch", "says"),
    [
        ({"auht": "strict"}, "Did you mean 'auth'?"),
        ({"limits": {"detph": 1}}, "Did you mean 'depth'?"),
        ({"auth": "srtict"}, "Did you mean 'strict'?"),
        ({"limits": {"depth": 0}}, "1 to 200 levels"),
        ({"limits": {"bodyBytes": "32MB"}}, "bytes"),
        ({"limits": 5}, "limits"),
        ({"genero": {}}, "genero"),
        ([], ""),
    ],
)
def test_wrong_settings_are_refused_whole(things, patch, says):
    """A setting that is unknown or out of range is 400 with a hint or its range, and nothing changes."""
    fresh = things.control("GET", "settings").data
    assert says in is_problem(things.control("PATCH", "settings", {"strict": True, **patch} if patch else patch), 400)
    assert things.control("GET", "settings").data == fresh


def test_the_schema_of_settings_has_this_servers_defaults(serving):
    """Each setting has a default: what a fresh sandbox has."""
    client = serving("genero")
    answer = client.send("GET", "/_sandbox/settings.schema.json")
    assert answer.headers["content-type"].startswith("application/schema+json")
    assert _defaults(answer.data) == client.control("GET", "settings").data


def _defaults(schema):
    own = schema.get("properties")
    return schema["default"] if own is None else {name: _defaults(one) for name, one in own.items()}


def test_the_list_of_sandboxes_tells_what_each_holds(things):
    """Clock, records, jobs and exchanges are told as they are; nothing is run for it."""
    post_job(things, "a", "b")
    things.call("PUT", "/things/boxes/c", {"id": "c"})
    (mine,) = [
        one for one in things.send("GET", "/_sandbox/sandboxes").data["sandboxes"] if one["name"] == things.sandbox
    ]
    assert mine["clock"] == {"now": EPOCH, "mode": "frozen", "factor": 1}
    assert {name: mine[name] for name in ("records", "jobs", "unfinished", "exchanges")} == {
        "records": 1,
        "jobs": 1,
        "unfinished": 1,
        "exchanges": 2,
    }


def test_settings_take_effect(things):
    """A limit that was set holds for the next call of that sandbox, and for no other."""
    things.control("PATCH", "settings", {"limits": {"bodyBytes": 20, "journalExchanges": 2}})
    assert things.call("PUT", "/things/boxes/a", {"id": "a", "name": "x" * 20}).status == 413
    assert things.send("PUT", "/things/boxes/large", {"id": "large", "name": "x" * 20}).status == 201
    for _ in range(4):
        things.call("GET", "/things/boxes/a")
    assert len(things.control("GET", "exchanges").data["exchanges"]) == 2


def test_ready_says_why_it_is_not(serving):
    """Each cause is told with 503 for as long as it lasts; the server is alive all the while."""
    client = serving(THINGS)
    impediments = client.running.service.impediments
    ready = client.send("GET", "/_sandbox/ready")
    assert (ready.status, ready.data["status"]) == (200, "ready")
    impediments |= {"one": "The first cause.", "other": "The other cause."}
    assert is_problem(client.send("GET", "/_sandbox/ready"), 503) == "The first cause. The other cause."
    assert client.send("GET", "/_sandbox/health").status == 200
    impediments.clear()
    assert client.send("GET", "/_sandbox/ready").status == 200


def test_metrics_count_calls_and_items(things):
    """What is served is counted by API, operation and status, and items by outcome, in Prometheus' format."""
    things.call("POST", "/things/boxes", [{"id": "a"}, {"id": "a"}])
    answer = things.send("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.body.decode().splitlines()
    samples = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert int(samples['bulkproof_requests_total{api="things",operation="createBoxes",status="200"}']) >= 1
    assert int(samples['bulkproof_items_total{api="things",outcome="failed"}']) >= 1
    buckets = [
        int(value)
        for name, value in samples.items()
        if name.startswith('bulkproof_request_seconds_bucket{api="things"')
    ]
    assert buckets == sorted(buckets)
    assert buckets[-1] == int(samples['bulkproof_request_seconds_count{api="things"}'])
    assert float(samples["process_resident_memory_bytes"]) > 10**7
    assert int(samples["bulkproof_sandboxes"]) >= 1


def test_a_token_guards_every_control_call(serving):
    """With a control token nothing of the control API answers without it but the probes; the served APIs do."""
    client = serving(THINGS, control_token="hush")
    for path in ("/metrics", "/_sandbox/sandboxes", "/things/openapi.json"):
        denied = client.send("GET", path)
        assert is_problem(denied, 401)
        assert denied.headers["www-authenticate"] == "Bearer"
        assert client.send("GET", path, headers={"Authorization": "Bearer wrong"}).status == 401
        assert client.send("GET", path, headers={"Authorization": "Bearer hush"}).status == 200
    assert [client.send("GET", f"/_sandbox/{probe}").status for probe in ("health", "ready")] == [200, 200]
    assert client.send("GET", "/things/boxes/a").status == 404


def test_full_means_503(serving):
    """When every sandbox was used a moment ago another one is refused, with the time to wait."""
    client = serving(THINGS, max_sandboxes=1)
    assert client.send("GET", "/things/boxes/a").status == 404
    refused = client.send("GET", "/@another/things/boxes/a")
    assert "Drop one" in is_problem(refused, 503)
    assert 0 < int(refused.headers["retry-after"]) <= 600
    client.send("DELETE", "/_sandbox/sandboxes/default")
    assert client.send("GET", "/@another/things/boxes/a").status == 404


def test_calls_that_do_not_fit_the_control_contract(things):
    """Unknown paths, methods, members and media types are problems in the control API as in any other."""
    is_problem(things.send("GET", "/_sandbox/healht"), 404)
    wrong = things.send("POST", "/_sandbox/health")
    assert (is_problem(wrong, 405) != "", wrong.headers["allow"]) == (True, "GET")
    is_problem(things.control("POST", "reset", {"sede": 7}), 400)
    is_problem(things.control("POST", "reset", b"{", {"Content-Type": "application/json"}), 400)
    is_problem(things.control("PUT", "clock", b"now", {"Content-Type": "text/plain"}), 415)
    is_problem(things.control("PUT", "clock", b"", {"Content-Type": "application/json"}), 400)


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("before=9007199254740991&limit=2", [4, 5]),
        ("before=4&limit=2", [2, 3]),
        ("before=2&limit=2", [1]),
        ("before=1", []),
        ("before=5&after=2", [3, 4]),
        ("before=5&after=2&limit=1", [4]),
        ("before=2&after=4", []),
    ],
)
def test_the_journal_is_read_backwards(serving, query, numbers):
    """`before` gives the last exchanges below a number, in their order."""
    client = serving("genero")
    for _ in range(5):
        client.call("GET", "/genero/api/v1/block")
    assert [one["n"] for one in client.control("GET", f"exchanges?{query}").data["exchanges"]] == numbers


RECORD = "/onkey/api/tenants/contoso/sandbox/modules/risk/assetimportances"


def test_the_journal_shows_what_a_call_wrote(serving):
    """Each record as it was stored before and after; a refused or rolled back call wrote nothing."""
    client = serving("onkey", mode="frozen")
    collection = {"Content-Type": "application/vnd.onkey.entitycollection+json"}
    two = [{"userObjectId": code, "properties": {"code": code, "description": "One"}} for code in ("A", "B")]
    made = client.call("POST", f"{RECORD}/batch?mode=PerRecord", two, collection).data["messages"]
    wrote = client.control("GET", "exchanges/1").data
    assert wrote["written"] == 2
    assert [(one["kind"], one["scope"], str(one["key"])) for one in wrote["writes"]] == [
        ("AssetImportance", "contoso/sandbox", one["objectId"]) for one in made
    ]
    assert [one["before"] for one in wrote["writes"]] == [None, None]
    assert [one["after"]["version"] for one in wrote["writes"]] == [1, 1]
    client.call("POST", f"{RECORD}/batch?mode=AllOrNone", [*two, {"userObjectId": "x", "properties": {}}], collection)
    gone = {"Content-Type": "application/vnd.onkey.entitydelete+json"}
    client.call("DELETE", f"{RECORD}/{made[0]['objectId']}", {"version": 1}, gone)
    client.call("GET", RECORD)
    found = [client.control("GET", f"exchanges/{n}").data for n in (2, 3, 4)]
    assert [one["written"] for one in found] == [0, 1, 0]
    assert found[1]["writes"][0]["before"]["version"] == 1
    assert found[1]["writes"][0]["after"] is None


def test_of_many_writes_the_first_are_shown(serving):
    """Five records are shown, all are counted."""
    client = serving("onkey")
    many = [{"userObjectId": f"r{n}", "properties": {"code": f"C{n}", "description": "D"}} for n in range(50)]
    collection = {"Content-Type": "application/vnd.onkey.entitycollection+json"}
    client.call("POST", f"{RECORD}/batch?mode=PerRecord", many, collection)
    wrote = client.control("GET", "exchanges/1").data
    assert (wrote["written"], len(wrote["writes"])) == (50, 5)
