"""Each law on On Key's clients: one client that keeps it, one that breaks it, one that gives it no occasion."""

import pytest

VENDOR = "application/vnd.onkey."
COLLECTION, PATCHES, IMPORTS = (f"{VENDOR}entity{kind}collection+json" for kind in ("", "patch", "import"))
TRADES, IMPORTANCES = "/res/trades/batch", "/risk/assetimportances/batch"
STALE = 1543843155165002  # stands at version 3


def trade(name, code=None):
    return {"userObjectId": name, "properties": {"code": name if code is None else code}}


def create(client, *records, mode="PerRecord", media=COLLECTION, **headers):
    query = f"?mode={mode}" if mode else ""
    return client.call("POST", f"{TRADES}{query}", list(records), media, **headers)


def change(client, version, text, mode="PerRecord"):
    record = {"id": STALE, "version": version, "operations": [{"path": "description", "value": text}]}
    return client.call("PATCH", f"{IMPORTANCES}?mode={mode}", [record], PATCHES)


def load(client, query, group=None):
    record = {"entityType": "Trade", "action": "Insert", "userObjectId": "a", "properties": {"code": "A"}}
    grouped = {**record, "groupOrder": group} if group else record
    client.call("POST", f"/system/imports?mode=PerRecord{query}", [grouped], IMPORTS)


def nothing(client):
    client.call("GET", "/res/trades")


def different_ids(client):
    create(client, trade("a"), trade("b"))


def same_ids(client):
    create(client, trade("a"), trade("a", "B"))


def resends_the_failed(client):
    create(client, trade("a"), trade("b", ""))
    create(client, trade("b2", ""))


def resends_everything(client):
    create(client, trade("a"), trade("b", ""))
    create(client, trade("a2", "a"), trade("b2", ""))


def resends_nothing(client):
    create(client, trade("a"), trade("b", ""))


def fails_and_resends_a_task(client, *again):
    reply = create(client, trade("a"), trade("b", ""), Prefer="respond-async")
    client.wait(seconds=5)
    task = reply.headers.get("OnKey-Request-Id")
    client.call("GET", f"/system/backgroundtasks/{task}/steps")
    create(client, *again)


def reads_in_between(client):
    change(client, 1, "New")
    client.call("GET", f"/risk/assetimportances/{STALE}")
    change(client, 3, "New")


def lists_in_between(client):
    change(client, 1, "New")
    client.call("GET", f"/risk/assetimportances/batch/{STALE}")
    change(client, 3, "New")


def guesses_the_version(client):
    change(client, 1, "New")
    change(client, 2, "New")


def guesses_one_at_a_time(client):
    for version in (1, 2):
        body = {"version": version, "operations": []}
        client.call("PATCH", f"/risk/assetimportances/{STALE}", body, f"{VENDOR}entitypatch+json")


def meets_a_conflict(client):
    change(client, 1, "New")


def mends_the_whole(client):
    create(client, trade("a"), trade("b", ""), mode="AllOrNone")
    create(client, trade("a"), trade("b"), mode="AllOrNone")


def repeats_the_whole(client):
    create(client, trade("a"), trade("b", ""), mode="AllOrNone")
    create(client, trade("c", "a"), trade("d", ""), mode="")


def isolates_the_fault(client):
    create(client, trade("a"), trade("b", ""), mode="AllOrNone")
    create(client, trade("a"), trade("b", ""), mode="PerRecord")


def supplies_what_lacked(client):
    reference = {"converter": "ReferenceLookup", "code": "NEW"}
    child = {"userObjectId": "c", "properties": {"code": "C", "permissionTreeId": reference}}
    create(client, child, mode="AllOrNone")
    tree = {"userObjectId": "t", "properties": {"code": "NEW"}}
    assert client.call("POST", "/gc/permissiontrees/batch", [tree], COLLECTION).status == 200
    assert create(client, child, mode="AllOrNone").status == 200


def default_mode(client):
    create(client, trade("a"), mode="")


def plain_json(client):
    create(client, trade("a"), media="application/json")


def task(client):
    return create(client, trade("a"), Prefer="respond-async").headers.get("OnKey-Request-Id")


def polls_to_the_end(client):
    name = task(client)
    for _ in range(2):
        client.wait(seconds=1.5)
        client.call("GET", f"/system/backgroundtasks/{name}")


def polls_once(client):
    client.call("GET", f"/system/backgroundtasks/{task(client)}")


def cancels(client):
    client.call("DELETE", f"/system/backgroundtasks/{task(client)}")


def single_task(client):
    body = {"properties": {"code": "A"}}
    client.call("POST", "/res/trades", body, f"{VENDOR}entity+json", Prefer="respond-async")


def repeats_a_single_task(client):
    for _ in range(2):
        body = {"properties": {"description": "no code"}}
        reply = client.call("POST", "/res/trades", body, f"{VENDOR}entity+json", Prefer="respond-async")
        client.wait(seconds=5)
        client.call("GET", f"/system/backgroundtasks/{reply.headers.get('OnKey-Request-Id')}/steps")


CLIENTS = {
    "unique-user-ids": (different_ids, same_ids, nothing),
    "resent-only-failed": (resends_the_failed, resends_everything, resends_nothing),
    "re-read-after-conflict": (reads_in_between, guesses_the_version, meets_a_conflict),
    "no-unchanged-retry": (mends_the_whole, repeats_the_whole, different_ids),
    "stated-mode": (different_ids, default_mode, nothing),
    "right-content-type": (different_ids, plain_json, nothing),
    "polled-to-end": (polls_to_the_end, polls_once, different_ids),
    "ordered-stated": (
        lambda client: load(client, "&ordered=true", "1"),
        lambda client: load(client, "", "1"),
        lambda client: load(client, ""),
    ),
}
MORE = [
    ("resent-only-failed", "passed", lambda client: fails_and_resends_a_task(client, trade("c", ""))),
    ("resent-only-failed", "failed", lambda client: fails_and_resends_a_task(client, trade("c", ""), trade("d", "a"))),
    ("re-read-after-conflict", "passed", lists_in_between),
    ("re-read-after-conflict", "failed", guesses_one_at_a_time),
    ("re-read-after-conflict", "not-run", different_ids),
    ("no-unchanged-retry", "passed", isolates_the_fault),
    ("no-unchanged-retry", "passed", supplies_what_lacked),
    ("no-unchanged-retry", "not-run", repeats_a_single_task),
    ("polled-to-end", "passed", cancels),
    ("polled-to-end", "failed", task),
    ("polled-to-end", "failed", single_task),
    ("ordered-stated", "failed", lambda client: load(client, "&ordered=false", "1")),
]
WORDS = ("passed", "failed", "not-run")
EACH = [(law, word, client) for law, clients in CLIENTS.items() for word, client in zip(WORDS, clients, strict=True)]


@pytest.mark.parametrize(("law", "word", "acts"), [*EACH, *MORE])
def test_onkey_clients_are_judged(onkey, law, word, acts):
    """What a client did makes the law passed, failed or not run; a failed one names exchanges that there are."""
    acts(onkey)
    ruling = onkey.judged(law, "onkey")
    assert ruling["status"] == word, ruling
    assert (word == "not-run") == (not ruling["evidence"])


def test_onkey_has_the_laws_of_its_clients(onkey):
    """The laws and their order are those that are documented."""
    laws = [one["id"] for one in onkey.control("GET", "verdict")["laws"] if one["api"] == "onkey"]
    assert laws == list(CLIENTS)


def test_a_task_is_followed_by_its_address(onkey):
    """On Key's own header for the address of a task counts as the address that a 202 gave."""
    polls_once(onkey)
    assert onkey.judged("followed-location", "any")["status"] == "passed"


def test_a_conflict_that_a_scenario_made_up_counts(onkey):
    """What the client is told is what it is judged by, whether the version was stale or a scenario said so."""
    onkey.control("PUT", "scenarios", {"scenarios": ["onkey-version-conflict"]})
    change(onkey, 3, "New")
    change(onkey, 3, "New")
    assert onkey.judged("re-read-after-conflict", "onkey")["status"] == "failed"
