"""What a campaign's judge must keep silent about, and what it must not."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import orjson
import pytest

from contracts import load
from contracts.messages import ABSENT, Exchange, Headers, Request, Response
from contracts.openapi.loading import load_bundled
from generators.client.environments import Environment
from generators.oracles.findings import Prediction
from generators.oracles.oracle import Oracle
from generators.oracles.state_model import RecordSet, StateModel

NOTES = load(Path(__file__).parent / "data" / "notes.yaml")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CONTRACT = load(Path(__file__).parent / "data" / "things.yaml")
TENANT = (("X-Tenant", "north"),)


class Judge:
    """A watcher of one world, told of one call after the other."""

    def __init__(self, contract=CONTRACT):
        self.oracle = Oracle(contract, Environment(client=SimpleNamespace(controlled=True), name_prefix="00000"))
        self.n = 0

    def told(self, method, path, body, status, answer, *, headers=TENANT, with_=(), query=()):
        """Return the shapes of what is found in one exchange, what HTTP says left out."""
        self.n += 1
        route = self.oracle.router.match(method, path)
        content = b"" if body is ABSENT else orjson.dumps(body)
        headers = Headers((("Content-Type", "application/json"), *headers))
        call = Request(method=method, path=path, query=query, headers=headers, body=content)
        reply = Response(status=status, headers=Headers(with_), body=orjson.dumps(answer), data=answer)
        name = route.operation.id
        exchange = Exchange(n=self.n, at=NOW, api=CONTRACT.name, operation=name, request=call, response=reply)
        return [one.shape for one in self.oracle.judge(exchange) if one.law != "response"]

    def put(self, *items, ok=True):
        """Put single things, each with the outcome `ok`."""
        bodies = [{"ref": f"r{n}", **item} for n, item in enumerate(items)]
        outcomes = [{"ref": body["ref"], "ok": ok} for body in bodies]
        return self.told("POST", "/things/put", bodies, 200 if ok else 207, outcomes)


@pytest.fixture
def judge():
    """Return a judge who has seen the thing `b00000-1` made."""
    made = Judge()
    assert made.put({"thing": {"id": "b00000-1", "name": "One"}}) == []
    return made


def test_a_name_that_looks_foreign_may_be_of_a_record_that_a_call_has_deleted(judge):
    """Only a record that no call has named can be missed as one that nobody deleted."""
    assert judge.put({"thing": {"id": "x", "name": "x"}}) == []
    shown = [{"id": "b00000-1", "name": "One", "version": 1}, {"id": "x", "name": "x", "version": 1}]
    native = {"id": "n", "name": "n", "version": 1}
    assert judge.told("GET", "/things", ABSENT, 200, [*shown, native]) == []
    assert judge.told("DELETE", "/things/x", ABSENT, 204, None) == []
    assert judge.told("GET", "/things", ABSENT, 200, [shown[0], native]) == []
    assert judge.told("GET", "/things", ABSENT, 200, [shown[0]]) == ["record that nobody deleted is gone"]


@pytest.mark.parametrize("ok", [True, False])
def test_what_is_stored_may_make_up_for_a_missing_member(judge, ok):
    """An upsert without a member that the schema requires may succeed where the record has it."""
    assert judge.put({"thing": {"id": "b00000-1"}}, ok=ok) == []


def test_a_member_that_does_not_fit_fails(judge):
    """A value that breaks the schema by itself must not be taken."""
    assert judge.put({"thing": {"id": "b00000-1", "name": 7}}) == [
        "upsert with a member that does not fit its schema is done"
    ]
    assert judge.put({"thing": {"id": "b00000-2"}}) == ["upsert without a member that it must have is done"]


@pytest.mark.parametrize("ok", [True, False])
def test_a_deleted_record_may_have_kept_its_version(judge, ok):
    """Whether a version is looked at when a deleted record comes back, nobody can say."""
    assert judge.put({"thing": {"id": "b00000-1", "gone": True}}) == []
    assert judge.put({"thing": {"id": "b00000-1", "name": "Back"}, "version": 1}, ok=ok) == []


def test_a_member_that_is_never_changed_may_come_back_as_it_was(judge):
    """What one write did not change, and a deletion kept, a revival need not change either."""
    read = {"id": "b00000-1", "name": "One", "version": 1}
    assert judge.told("GET", "/things/b00000-1", ABSENT, 200, read) == []
    assert judge.put({"thing": {"id": "b00000-1", "name": "Two"}}) == []
    assert judge.put({"thing": {"id": "b00000-1", "gone": True}}) == []
    assert judge.told("GET", "/things/b00000-1", ABSENT, 404, None) == []
    assert judge.put({"thing": {"id": "b00000-1", "name": "Three", "gone": False}}) == []
    assert judge.told("GET", "/things/b00000-1", ABSENT, 200, read) == []
    odd = {**read, "name": "Four"}
    assert judge.put({"thing": {"id": "b00000-1", "name": "Five"}}) == []
    assert "member reads otherwise at /name" in judge.told("GET", "/things/b00000-1", ABSENT, 200, odd)


@pytest.mark.parametrize("ok", [True, False])
def test_what_is_written_beside_a_tombstone_may_be_looked_at(judge, ok):
    """A deletion by a tombstone may fail for another member of the same item."""
    assert judge.put({"thing": {"id": "b00000-1", "gone": True, "name": 7}}, ok=ok) == []


@pytest.mark.parametrize("ok", [True, False])
def test_an_item_that_names_no_record_may_fail(judge, ok):
    """Whether a record that its caller has to name can do without a name, nobody can say."""
    assert judge.put({"thing": {"name": "Nobody"}}, ok=ok) == []


def test_a_good_deletion_must_not_fail(judge):
    """A tombstone alone has nothing wrong with it."""
    assert judge.put({"thing": {"id": "b00000-1", "gone": True}}, ok=False) == ["good delete fails"]


@pytest.mark.parametrize(("headers", "found"), [((), []), (TENANT, ["good request refused with 400"])])
def test_a_request_without_a_header_that_it_must_have_may_be_refused(judge, headers, found):
    """What is missing beside the items is a reason to refuse."""
    body = [{"ref": "a", "thing": {"id": "b00000-2", "name": "Two"}}]
    assert judge.told("POST", "/things/put", body, 400, None, headers=headers) == found


@pytest.mark.parametrize(("first", "found"), [("skipped", []), (None, ["good upsert fails"])])
def test_what_is_skipped_may_count_as_a_failure(judge, first, found):
    """Where the rest is not run after a failure, an item that waits in vain may be that failure."""
    things = [{"id": "b00000-2", "name": "Two"}, {"id": "b00000-3", "name": "Three"}]
    body = [{"ref": "a", "thing": things[0], "after": ["b"] if first else []}, {"ref": "b", "thing": things[1]}]
    outcomes = [{"ref": "a", "ok": not first, "why": first}, {"ref": "b", "ok": False, "why": "not run"}]
    assert judge.told("POST", "/things/careful", body, 207, outcomes) == found


BATCHES = load(Path(__file__).parents[2] / "cases" / "contract_only" / "messagebatches.yaml")
IN_PROGRESS = {"id": "b1", "processing_status": "in_progress", "request_counts": {"succeeded": 0, "errored": 0}}
ENDED = {**IN_PROGRESS, "processing_status": "ended"}


@pytest.mark.parametrize(("is_cancelled", "found"), [(True, []), (False, ["good create is not run"])])
def test_what_a_cancelled_job_has_not_run_may_be_listed(is_cancelled, found):
    """Only a job that was cancelled may leave a good item out."""
    judge, at = Judge(BATCHES), "/messages/batches"
    body = {"requests": [{"custom_id": "a", "params": {"model": "b00000-1", "max_tokens": 5}}]}
    assert judge.told("POST", at, body, 200, IN_PROGRESS) == []
    if is_cancelled:
        assert judge.told("POST", f"{at}/b1/cancel", ABSENT, 200, IN_PROGRESS) == []
    assert judge.told("GET", f"{at}/b1", ABSENT, 200, ENDED) == []
    lines = [{"custom_id": "a", "result": {"type": "canceled"}}]
    assert judge.told("GET", f"{at}/b1/results", ABSENT, 200, lines[0]) == found


def test_a_failed_whole_without_outcomes_is_no_refusal(judge):
    """Where no outcomes are declared, the status of a failed whole says all there is to say."""
    assert judge.told("POST", "/things/blind", [{"id": "b00000-2"}], 400, None) == []


def test_what_is_looked_up_is_referred_to_by_nobody_knows_whom():
    """Of a reference that names no key, any record of the kind may be meant; others are as free as before."""
    resources = load_bundled("onkey").resources
    name, member, named = next((r.name, *pair) for r in resources.values() for pair in r.references.items())
    state_model = StateModel(resources, Environment(client=SimpleNamespace(controlled=True), name_prefix="00000"))
    assert not state_model.may_be_referred_to(RecordSet("s", named), 7)
    state_model.add_references(RecordSet("s", name), {member: {"code": "b00000-1"}})
    assert state_model.may_be_referred_to(RecordSet("s", named), 7)
    assert not state_model.may_be_referred_to(RecordSet("other", named), 7)


ANY_PAGE = ("Access-Control-Allow-Origin", "https://my-app.example.com")


@pytest.mark.parametrize(
    "location", ["/notes/n-1", "/notes-api/notes/n-1", "https://notes.example.com/notes-api/notes/n-1"]
)
def test_the_key_of_a_new_record_is_told_by_the_address_of_its_reading(location):
    """Other headers with addresses, before it or after it, name no record."""
    judge = Judge(NOTES)
    headers = [ANY_PAGE, ("Location", location), ("X-Page", "/help/page-1")]
    assert judge.told("POST", "/notes", {"name": "b00000a"}, 201, None, with_=headers) == []
    assert judge.told("GET", "/notes", ABSENT, 200, [{"id": "n-1", "name": "b00000a"}], with_=[ANY_PAGE]) == []
    assert judge.told("GET", "/notes/n-1", ABSENT, 404, None, with_=[ANY_PAGE]) == ["stored record is gone"]


def test_a_header_names_no_record_that_was_deleted():
    """What a delete is answered with says nothing of another record."""
    judge = Judge(NOTES)
    made = [("Location", "/notes/n-1")]
    assert judge.told("POST", "/notes", {"name": "b00000a"}, 201, None, with_=made) == []
    headers = [ANY_PAGE, ("Location", "/notes/n-2")]
    assert judge.told("DELETE", "/notes/n-1", ABSENT, 204, None, with_=headers) == []
    assert judge.told("GET", "/notes", ABSENT, 200, []) == []
    assert judge.told("DELETE", "/notes/n-1", ABSENT, 404, None) == []


NOTE = {
    "name": "b00000a",
    "due": "2026-01-02T03:04:05Z",
    "lasts": "PT60M",
    "tag": "0F0E0D0C-0B0A-4908-8706-050403020100",
    "price": 1.0,
    "about": {"since": "2026-01-02T03:04:05.500Z"},
    "seen": ["2026-01-02T03:04:05Z"],
}
REWRITTEN = {
    "due": "2026-01-02T04:04:05+01:00",
    "lasts": "PT1H",
    "tag": "0f0e0d0c-0b0a-4908-8706-050403020100",
    "price": 1,
    "about": {"since": "2026-01-02T03:04:05.5+00:00"},
    "seen": ["2026-01-02T03:04:05.000Z"],
}
OTHER = {"due": "2026-01-02T03:04:06Z", "price": 1.5, "seen": []}


def test_a_value_that_is_written_otherwise_is_the_same_value():
    """A server may print what it stores in its own way, and the same way again."""
    judge = Judge(NOTES)
    assert judge.told("POST", "/notes", NOTE, 201, {"id": "n-1"}) == []
    for shown in ({**NOTE, **REWRITTEN, "id": "n-1"}, {**NOTE, "id": "n-1"}):
        assert judge.told("GET", "/notes/n-1", ABSENT, 200, shown) == []


@pytest.mark.parametrize("name", OTHER)
def test_another_value_is_not_what_was_written(name):
    """A member that reads as another value is told."""
    judge = Judge(NOTES)
    assert judge.told("POST", "/notes", NOTE, 201, {"id": "n-1"}) == []
    shown = {**NOTE, name: OTHER[name], "id": "n-1"}
    assert judge.told("GET", "/notes/n-1", ABSENT, 200, shown) == [f"member reads otherwise at /{name}"]


def test_what_is_judged_elsewhere_leaves_its_record_unknown(judge):
    """A malformed request that was accepted may have written anything of what it names."""
    body = [{"ref": "r0", "thing": {"id": "b00000-1", "name": "Two"}}]
    call = Request(method="POST", path="/things/put", headers=Headers(TENANT), body=orjson.dumps(body))
    reply = Response(status=200, headers=Headers(), body=b"[]", data=[])
    judge.oracle.forget(Exchange(n=9, at=NOW, api="things", operation="putThings", request=call, response=reply))
    read = {"id": "b00000-1", "name": "Three", "version": 7}
    assert judge.told("GET", "/things/b00000-1", ABSENT, 200, read) == []


@pytest.mark.parametrize("status", [200, 409])
def test_a_failed_request_may_be_done_again_under_its_idempotency_key(status):
    """Or get its first response again: nobody says which."""
    judge = Judge(load(Path(__file__).parent / "data" / "once.yaml"))
    key = (("Idempotency-Key", "k1"),)
    items = [{"ref": "r", "thing": {"id": "b00000-1", "name": 7}}]
    failed = [{"ref": "r", "ok": False}]
    assert judge.told("POST", "/things/put", items, 409, failed, headers=key) == []
    again = failed if status != 200 else [{"ref": "r", "ok": True}]
    assert judge.told("POST", "/things/put", items, status, again, headers=key) == []


ONKEY = "/api/tenants/contoso/sandbox/modules/res/trades"
NOWHERE = [{"path": "permissionTreeId", "value": 700000000000001}]


@pytest.mark.parametrize(
    ("status", "shapes"), [(400, []), (404, ["single upsert that refers to nothing is refused with 404"])]
)
def test_a_wrong_content_is_refused_with_the_declared_status(status, shapes):
    """It is none of the reasons for another one that nobody else can bring about."""
    judge = Judge(load_bundled("genero"))
    chain = {"chainId": "b00000-c", "name": "x", "blockId": "b00000-none"}
    assert judge.told("PUT", "/api/v1/chain/b00000-c", chain, status, {}) == shapes


@pytest.mark.parametrize(
    ("status", "shapes"),
    [(400, []), (404, []), (409, []), (412, []), (422, ["single update that refers to nothing is refused with 422"])],
)
def test_what_another_client_may_have_done_is_no_wrong_status(status, shapes):
    """It may have changed or deleted the record meanwhile."""
    judge = Judge(load_bundled("onkey"))
    new = {"properties": {"code": "b00000-t", "description": "x"}}
    made = {"messages": [{"objectId": "77", "severity": "information"}]}
    assert judge.told("POST", ONKEY, new, 201, made) == []
    assert judge.told("GET", f"{ONKEY}/77", ABSENT, 200, {"id": 77, "version": 1, **new}) == []
    assert judge.told("PATCH", f"{ONKEY}/77", {"version": 1, "operations": NOWHERE}, status, {}) == shapes


@pytest.mark.parametrize("status", [200, 400])
def test_of_two_keys_in_one_call_nobody_says_which_counts(status):
    """A body with another key than its path may be refused, or be taken for the record of either."""
    judge = Judge(load_bundled("genero"))
    for key in ("b00000-a", "b00000-b"):
        block = {"blockId": key, "name": "x", "deleted": False}
        assert judge.told("PUT", f"/api/v1/block/{key}", block, 201, block) == []
    other = {"blockId": "b00000-b", "name": "y"}
    assert judge.told("PUT", "/api/v1/block/b00000-a", other, status, {}) == []


GOOD, BAD, UNDONE = {"status": 200}, {"status": 422, "why": "NO"}, {"status": 424, "why": "UNDONE"}


def answer_of(keys, entries, failed):
    """Return a reply that tells entries of keys, and how many failed."""
    done = sum(one is GOOD for one in entries)
    results = [{"ref": key, **one} for key, one in zip(keys, entries, strict=True)]
    return {"results": results, "done": done, "failed": failed}


@pytest.mark.parametrize(("failed", "found"), [(1, []), (3, []), (2, ["failed is wrong"]), (0, ["failed is wrong"])])
def test_what_is_undone_counts_as_failed_or_not_where_no_counter_is_its_own(judge, failed, found):
    """Three entries with a status of a failure are three failures, or one and two that were undone."""
    items = [{"ref": f"r{n}", "thing": {"id": f"b00000-{n}", "name": 7 if n == 2 else "One"}} for n in range(3)]
    answer = answer_of(("r0", "r1", "r2"), (UNDONE, UNDONE, BAD), failed)
    assert judge.told("POST", "/things/marked", items, 422, answer, headers=(("X-Mode", "all"),)) == found


@pytest.mark.parametrize(
    ("sent", "told", "found"),
    [
        (("r0", 1, "r2"), ("r0", "", "r2"), []),
        (("r0", None, "r2"), ("r0", "", "r2"), []),
        (("", None, "r2"), ("", "", "r2"), []),
        ((1,), ("",), []),
        (("r0", "r1", "r2"), ("r0", "", "r2"), ["outcomes missing", "foreign key"]),
    ],
)
def test_an_item_without_a_key_that_may_be_told_is_not_told_by_its_key(judge, sent, told, found):
    """A key of a wrong type cannot be told by a reply with texts for keys: an empty text may stand in its place."""
    items = [{"ref": key, "thing": {"id": f"b00000-{n}", "name": 7}} for n, key in enumerate(sent)]
    answer = answer_of(told, [BAD] * len(told), len(told))
    assert judge.told("POST", "/things/marked", items, 207, answer) == found


BOXES = load(Path(__file__).parent / "data" / "boxes.yaml")
FAILS = ["single good create fails"]


@pytest.mark.parametrize(
    ("path", "status", "found"),
    [
        ("/boxes", 409, []),  # declared, and nothing says for what
        ("/boxes", 422, []),  # a rule of a resource of which nothing is declared
        ("/boxes", 400, FAILS),
        ("/crates", 409, FAILS),
        ("/crates", 422, FAILS),
    ],
)
def test_a_good_write_may_break_a_rule_that_nothing_says_where_its_status_is_declared(path, status, found):
    """409 may be of a uniqueness that no word declares; other refusals may be of what is only inferred."""
    judge = Judge(BOXES)
    assert judge.told("POST", path, {"name": "b00000-n"}, status, {}) == found


@pytest.mark.parametrize(
    ("path", "status", "found"),
    [("/boxes", 200, []), ("/crates", 204, ["record is there that must not be"])],
)
def test_a_deletion_that_shows_the_record_may_keep_it(path, status, found):
    """It is declared with the response of a reading: the record may be there in another state."""
    judge, box = Judge(BOXES), {"id": "7", "name": "b00000-n"}
    assert judge.told("POST", path, {"name": "b00000-n"}, 201, box) == []
    assert judge.told("DELETE", f"{path}/7", ABSENT, status, box) == []
    assert judge.told("GET", f"{path}/7", ABSENT, 200, box) == found


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ("", []),
        (', "404": {description: none}', ["single delete of a record that is not there is done"]),
        (', "409": {description: in use}', []),
    ],
)
def test_a_deletion_of_no_record_may_succeed_where_no_refusal_is_declared_for_it(tmp_path, more, found):
    """A response that is not declared would be a fault, too."""
    text, gone = (Path(__file__).parent / "data" / "boxes.yaml").read_text(), '"204": {description: gone}'
    (tmp_path / "boxes.yaml").write_text(text.replace(gone, gone + more))
    judge = Judge(load(tmp_path / "boxes.yaml"))
    assert judge.told("DELETE", "/crates/b00000-none", ABSENT, 204, None) == found


@pytest.mark.parametrize(
    ("origin", "found"),
    [("generated", []), ('example; warning="it does not fit"', []), ("stored", ["record is there that must not be"])],
)
def test_what_a_sandbox_makes_up_is_no_record(origin, found):
    """Of a plain document it answers so for any key."""
    judge, box = Judge(BOXES), {"id": "b00000-none", "name": "n"}
    told = judge.told("GET", "/crates/b00000-none", ABSENT, 200, box, with_=(("Bulkproof-Answer", origin),))
    assert told == found


@pytest.mark.parametrize(
    ("path", "found"),
    [("/boxes", []), ("/crates", ["single update with a member that does not fit its schema is done"])],
)
def test_what_the_schema_of_a_request_allows_may_be_taken_where_a_resource_is_only_inferred(path, found):
    """The schema of its records is that of another operation."""
    judge, box = Judge(BOXES), {"id": "7", "name": "b00000-n"}
    assert judge.told("POST", path, {"name": "b00000-n"}, 201, box) == []
    assert judge.told("PATCH", f"{path}/7", {"size": []}, 200, box) == found
    assert judge.told("GET", f"{path}/7", ABSENT, 200, {**box, "size": 1}) == []


@pytest.mark.parametrize("status", [200, 404])
def test_a_replacement_of_no_record_may_make_one_or_be_refused_where_a_resource_is_only_inferred(status):
    """Nothing says that it creates records."""
    judge = Judge(BOXES)
    assert judge.told("PUT", "/bins/b00000-none", {"name": "b00000-n"}, status, {}) == []


SHOWN = 'schema: {$ref: "#/components/schemas/Box"}'


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        (SHOWN, ["member is lost at /size"]),
        ("schema: {type: object, properties: {id: {type: string}, name: {type: string}}}", []),
        ("schema: {type: object, properties: {id: {type: string}, name: {type: string}, size: {type: string}}}", []),
        ("schema: {type: object}", ["member is lost at /size"]),
    ],
)
def test_a_member_that_a_reading_declares_otherwise_or_not_may_read_otherwise(tmp_path, shown, found):
    """Its schema is that of a request."""
    path, box = tmp_path / "boxes.yaml", {"id": "7", "name": "b00000-n"}
    head, tail = (Path(__file__).parent / "data" / "boxes.yaml").read_text().split("    get:", 1)
    path.write_text(f"{head}    get:{tail.replace(SHOWN, shown, 1)}")
    judge = Judge(load(path))
    assert judge.told("POST", "/boxes", {"name": "b00000-n", "size": 3}, 201, box) == []
    assert judge.told("GET", "/boxes/7", ABSENT, 200, box) == found


@pytest.mark.parametrize(("revives", "found"), [(True, []), (False, ["a member reads otherwise at /name"])])
def test_a_model_does_not_know_what_a_record_that_came_back_has(revives, found):
    """Which members a write to a deleted record sets, nothing says: each answer may be right."""
    judge = Judge()
    thing, other = {"id": "b00000-1", "name": "One"}, {"id": "b00000-1", "name": "Two", "version": 2}
    judge.oracle.model = SimpleNamespace(predict=lambda _: None)
    assert judge.put({"thing": thing}) == []
    if revives:
        assert judge.put({"thing": {**thing, "gone": True}}) == []
    assert judge.put({"thing": {**thing, "name": "Two"}}) == []
    judge.oracle.model = SimpleNamespace(predict=lambda _: Prediction(status=200, record={"name": "One"}))
    shapes = judge.told("GET", "/things/b00000-1", ABSENT, 200, other)
    assert [one for one in shapes if "reads otherwise" in one] == found
