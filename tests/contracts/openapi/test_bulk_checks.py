"""What `x-bulk` says is served, or refused with its place: never taken and ignored."""

import copy
from types import SimpleNamespace

import pytest

from contracts.bulk.declarations import read_bulk
from contracts.bulk.model import Choice, RecordAct
from contracts.openapi.bulk_checks import CHECKS, unserved
from contracts.openapi.model import Body, MediaType, Operation

JSON = ("application/json",)
SOUND = {
    "items": {"at": "/items"},
    "effect": {"action": "create"},
    "key": {"by": "client", "at": "/ref"},
    "unit": {"of": "item"},
    "reply": {"status": {"allOk": 200}, "outcomes": {"at": "/results", "error": "/error"}},
}
BY_INDEX = {"by": "index", "at": None}
LEFT = {
    "retry": {"unprocessed": "/left"},
    "quota": [{"what": "items", "max": 9, "per": "PT0S", "breach": "unprocessed"}],
}
KEYED = {"outcomes": {"at": "/results", "key": "/ref", "error": "/error"}}
JOB = {"when": "always", "handle": "/id", "poll": "read", "state": {"at": "/state", "map": {"done": "done"}}}
REFUSED = {
    "no body": ({}, (), "/items"),
    "items in XML": ({}, ("application/xml",), "/items/as"),
    "lines in two places": ({"items": {"as": "lines", "alsoAt": ["/x"]}}, JSON, "/items/alsoAt"),
    "groups of rows": ({"items": {"as": "rows", "groups": "/x"}}, JSON, "/items/groups"),
    "parts that are no requests": ({"items": {"at": "", "as": "parts"}}, ("multipart/mixed",), "/items/as"),
    "the word of a pair": ({"effect": {"action": {"from": "/~action", "map": {}}}}, JSON, "/effect/action/from"),
    "an action": ({"effect": {"action": "call"}}, JSON, "/effect/action"),
    "a word's action": (
        {"effect": {"action": {"from": "/op", "map": {"check": "check"}}}},
        JSON,
        "/effect/action/map",
    ),
    "a reading that is no request": ({"effect": {"action": "read"}}, JSON, "/effect/action"),
    "an action's payload": ({"effect": {"payload": {"remove": "/x"}}}, JSON, "/effect/payload"),
    "a request without a URL": ({"effect": {"http": {"method": "/m"}}}, JSON, "/effect/http"),
    "a request's record": (
        {"effect": {"http": {"method": "/m", "url": "/u"}, "target": ["/x"]}},
        JSON,
        "/effect/target",
    ),
    "a request's payload": (
        {"effect": {"http": {"method": "/m", "url": "/u", "body": "/b"}, "payload": "/x"}},
        JSON,
        "/effect/payload",
    ),
    "a request's kind": (
        {"effect": {"http": {"method": "/m", "url": "/u"}, "resource": "things"}},
        JSON,
        "/effect/resource",
    ),
    "a request's tombstone": (
        {"effect": {"http": {"method": "/m", "url": "/u"}, "tombstone": {"/x": True}}},
        JSON,
        "/effect/tombstone",
    ),
    "a key that is the place": ({"key": {"by": "index"}}, JSON, "/key/at"),
    "a unit": ({"unit": {"of": "all"}}, JSON, "/unit/of"),
    "a word's unit": ({"unit": {"of": {"from": "/mode", "map": {"a": "each"}}}}, JSON, "/unit/of/map"),
    "groups without a name": ({"unit": {"of": "group"}}, JSON, "/unit/of"),
    "two names of groups": (
        {"unit": {"of": "group", "group": "/a"}, "order": {"run": "grouped", "groupBy": "/b"}},
        JSON,
        "/unit/group",
    ),
    "a mark without marking": ({"unit": {"markedAs": "X"}}, JSON, "/unit/markedAs"),
    "an order of no groups": ({"order": {"run": "grouped"}}, JSON, "/order/run"),
    "a wish for no groups": ({"order": {"when": "query:x"}}, JSON, "/order/when"),
    "a broken nothing": ({"order": {"onBroken": 424}}, JSON, "/order/onBroken"),
    "forward to nothing": ({"order": {"forward": True}}, JSON, "/order/forward"),
    "outcomes as rows": ({"reply": {"outcomes": {"at": "", "as": "rows", "error": "/e"}}}, JSON, "/reply/outcomes/as"),
    "a job's outcomes as lines": (
        {"job": {**JOB, "outcomes": {"at": "", "as": "lines", "error": "/e"}}},
        JSON,
        "/job/outcomes/as",
    ),
    "a job that is started": ({"job": {**JOB, "start": "startJob"}}, JSON, "/job/start"),
    "a quota of nothing": (
        {"guard": {"quota": [{"what": "moons", "max": 1, "per": "PT1M"}]}},
        JSON,
        "/guard/quota/0/what",
    ),
    "items left and returned nowhere": ({"guard": {**LEFT, "retry": None}}, JSON, "/guard/quota/0/breach"),
    "requests left": (
        {"reply": KEYED, "guard": {**LEFT, "quota": [{**LEFT["quota"][0], "what": "requests"}]}},
        JSON,
        "/guard/quota/0/breach",
    ),
    "lines left": ({"reply": KEYED, "items": {"as": "lines"}, "guard": LEFT}, JSON, "/guard/quota/0/breach"),
    "items of a job left": ({"reply": KEYED, "job": JOB, "guard": LEFT}, JSON, "/guard/quota/0/breach"),
    "items left that others await": (
        {"reply": KEYED, "order": {"dependsOn": "/after"}, "guard": LEFT},
        JSON,
        "/guard/quota/0/breach",
    ),
    "items left among outcomes in their places": ({"key": BY_INDEX, "guard": LEFT}, JSON, "/guard/quota/0/breach"),
    "an item at the same time": (
        {"guard": {"idempotency": {"key": "/k", "scope": "item", "concurrent": 409}}},
        JSON,
        "/guard/idempotency/concurrent",
    ),
}


def mistakes(change, media):
    """Return what is said of a declaration with a change, on an operation whose body has these media types."""
    declared = copy.deepcopy(SOUND)
    for axis, members in change.items():
        merged = {**declared.get(axis, {}), **members}
        declared[axis] = {member: one for member, one in merged.items() if one is not None}
    content = tuple(MediaType(media_range=one, schema=None) for one in media)
    body = Body(required=True, content=content) if content else None
    operation = Operation(id="bulk", method="POST", path="/bulk", pointer="/paths/~1bulk/post", body=body)
    return [found for check in CHECKS for found in check(operation, read_bulk(declared))]


@pytest.mark.parametrize(
    ("action", "says"),
    [
        (Choice(source="/archived", words={"true": "delete"}, default="update"), "an operation does one thing"),
        (Choice(constant="destroy"), "'destroy' is no action"),
        (Choice(constant="upsert"), None),
    ],
)
def test_a_call_does_one_thing_to_a_record(action, says):
    """What would be chosen by a word of the request is refused, and not taken for nothing."""
    act = RecordAct(action=action, resource=Choice(constant="things"))
    contract = SimpleNamespace(operations=[SimpleNamespace(record=act, bulk=None, pointer="/paths/x")])
    found = list(unserved(contract))
    assert [at for at, *_ in found] == (["/paths/x/x-record/action"] if says else [])
    assert all(says in fact for _, fact, _ in found)


def test_a_sound_declaration_is_served():
    """Nothing is said of what is served."""
    assert mistakes({}, JSON) == []
    assert mistakes({"reply": KEYED, "guard": LEFT}, JSON) == []


SILENT = {"reply": {"outcomes": None, "status": {"allOk": 200}}}
TELLING = {
    "another status": {"reply": {"status": {"allOk": 200, "someFailed": 207}}},
    "the status of a whole": {"reply": {"status": {"allOk": 200, "wholeFailed": 422}}},
    "a counter": {"reply": {"counts": {"failed": "/failed"}}},
    "a text": {"reply": {"error": "/error"}},
    "a refusal": {"guard": {"refuse": {"malformedItem": 400}}},
    "the outcomes of a job": {"job": {**JOB, "outcomes": {"at": "/results", "error": "/error"}}},
    "the state of a job": {"job": {**JOB, "state": {"at": "/state", "map": {"bad": "failed"}}}},
    "the text of a job": {"job": {**JOB, "error": "/error"}},
    "a counter of a job": {"job": {**JOB, "progress": {"failed": "/failed"}}},
    "the operations of a job": {"job": {**JOB, "results": {"done": "readDone", "failed": "readFailed"}}},
}
WHOLE = {"unit": {"of": "whole"}}
BARE = {"at": "/results", "key": "/ref", "record": "/record"}
ALIKE = {
    "no member of failures": ({}, {}),
    "a status and no test": ({"status": "/status", "message": "/text"}, {}),
    "the same list twice": ({"failedAt": "/results", "error": "/error"}, {}),
    "a counter beside": ({}, {"reply": {"counts": {"failed": "/failed"}}}),
    "a status of items that fail alone": ({}, {"reply": {"status": {"allOk": 200, "someFailed": 207}}}),
    "a whole that tells nothing": ({}, WHOLE),
}
UNLIKE = {
    "a test": ({"failedIf": {"at": "/status", "not": "2xx"}}, {}),
    "an error": ({"error": "/error"}, {}),
    "a list of failures": ({"failedAt": "/failed"}, {}),
    "failures alone": ({"covers": "failed"}, {}),
    "gaps": ({"gaps": True}, {}),
    "a refusal": ({}, {"guard": {"refuse": {"malformedItem": 400}}}),
    "the status of a whole": ({}, {**WHOLE, "reply": {"status": {"allOk": 200, "wholeFailed": 422}}}),
    "the text of a whole": ({}, {**WHOLE, "reply": {"error": "/error"}}),
}


def outcomes_of(entry, change, where):
    """Return what is said of outcomes with these members, in the reply or in a job."""
    outcomes = {**BARE, **entry}
    if where == "/job/outcomes":
        change = {
            **change,
            "reply": {**change.get("reply", {}), "outcomes": None},
            "job": {**JOB, "outcomes": outcomes},
        }
    else:
        change = {**change, "reply": {**change.get("reply", {}), "outcomes": outcomes}}
    return mistakes(change, JSON)


@pytest.mark.parametrize("where", ["/reply/outcomes", "/job/outcomes"])
@pytest.mark.parametrize("name", ALIKE)
def test_outcomes_that_show_no_failure_are_refused(name, where):
    """Their reader would take each failed item for one that succeeded; the cure names what to declare."""
    ((at, fact, cure),) = outcomes_of(*ALIKE[name], where)
    assert at == where
    assert "looks like" in fact
    assert "failedIf" in cure


@pytest.mark.parametrize("where", ["/reply/outcomes", "/job/outcomes"])
@pytest.mark.parametrize("name", UNLIKE)
def test_outcomes_that_show_a_failure_or_speak_of_successes_alone_are_served(name, where):
    """One of these is enough."""
    assert outcomes_of(*UNLIKE[name], where) == []


def test_the_end_of_a_job_tells_the_failure_of_a_whole():
    """Its outcomes then speak of successes alone."""
    ended = {**JOB, "outcomes": BARE, "state": {"at": "/state", "map": {"bad": "failed"}}}
    assert mistakes({**WHOLE, "reply": {"outcomes": None}, "job": ended}, JSON) == []


@pytest.mark.parametrize("status", [{"allOk": 200}, {"allOk": 200, "someFailed": 200}, {"accepted": 202}])
def test_an_operation_that_can_tell_a_failure_nowhere_is_refused(status):
    """Otherwise it would answer as if all were done although an item failed; the cure names the places."""
    ((at, fact, cure),) = mistakes({"reply": {"outcomes": None, "status": status}}, JSON)
    assert at == "/reply"
    assert "fail" in fact
    assert "reply.outcomes" in cure


@pytest.mark.parametrize("name", TELLING)
def test_one_place_that_tells_failures_is_enough(name):
    """Each of these lets a client see that something failed."""
    change = {axis: {**SILENT.get(axis, {}), **members} for axis, members in {**SILENT, **TELLING[name]}.items()}
    assert mistakes(change, JSON) == []


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_served_is_refused_with_its_place(name):
    """Each fault has one pointer, a fact, and a cure that says what to do."""
    change, media, pointer = REFUSED[name]
    found = mistakes(change, media)
    assert [at for at, _, _ in found] == [pointer]
    assert all(fact.endswith(".") and cure.endswith((".", "?")) for _, fact, cure in found)
