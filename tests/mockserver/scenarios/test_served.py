"""Scenarios on a served API that is given by its contract alone: what they do to items, jobs, targets and replies."""

from pathlib import Path

import pytest

BOOKS = Path(__file__).parents[2] / "cases" / "contract_only" / "books.yaml"
PAIR = [{"isbn": "1", "title": "One"}, {"isbn": "2", "title": "Two"}]
FOUR = [{"isbn": str(n), "title": "T"} for n in range(1, 5)]


@pytest.fixture
def client(serving):
    return serving(BOOKS, mode="frozen")


def play(client, *rules, **members):
    answer = client.control("PUT", "scenarios", {"scenarios": [{"name": "s", "rules": list(rules), **members}]})
    assert answer.status == 200, answer.data


def stored(client):
    """Return the ISBNs that are stored, in their order."""
    return sorted(book["isbn"] for book in client.call("GET", "/books-api/books").data)


def journal(client, n):
    return client.control("GET", f"exchanges/{n}").data


def test_picked_items_fail_with_the_message_and_leave_no_trace(client):
    """The others are done; the status is that of partial success."""
    play(client, {"items": {"where": {"isbn": "2"}}, "then": {"fail": {"message": "No ${item.title}.", "code": "X"}}})
    answer = client.call("POST", "/books-api/books/bulk-each", PAIR)
    assert (answer.status, [one["status"] for one in answer.data["results"]]) == (207, [201, 400])
    assert answer.data["results"][1]["error"] == "No Two."
    assert stored(client) == ["1"]


def test_a_failing_item_undoes_a_whole_unit(client):
    """In a unit that falls together nothing is applied."""
    play(client, {"items": {"first": 1}, "then": {"fail": {}}})
    assert client.call("POST", "/books-api/books/bulk-whole", PAIR).status == 400
    assert stored(client) == []


def test_a_record_that_is_written_alone_is_an_item_too(client):
    """The single-record call gets the verdict that the batch gives."""
    play(client, {"items": {"where": {"isbn": "2"}}, "then": {"fail": {"message": "No"}}})
    assert client.call("POST", "/books-api/books", PAIR[1]).data["detail"] == "No."
    assert client.call("POST", "/books-api/books", PAIR[0]).status == 201


def test_lost_items_are_told_as_done_and_skipped_ones_are_done_and_not_told(client):
    """The answer and the store tell different things, as asked."""
    lose, skip = ({"items": {"index": 0}, "then": {word: True}} for word in ("lose", "skip"))
    play(client, {**lose, "times": 1}, skip)
    lost = client.call("POST", "/books-api/books/bulk-each", PAIR).data["results"]
    assert [one["status"] for one in lost] == [201, 201]
    assert stored(client) == ["2"]
    skipped = client.call("POST", "/books-api/books/bulk-each", FOUR[2:]).data["results"]
    assert [one["index"] for one in skipped] == [1]
    assert stored(client) == ["2", "3", "4"]


def test_effects_on_items_wait_for_the_job_that_carries_them(client):
    """What was decided at the post happens when the job runs."""
    play(client, {"items": {"every": 2}, "then": {"fail": {"message": "No."}, "duration": "1h", "progress": "linear"}})
    job = client.call("POST", "/books-api/books/jobs", FOUR).data["job"]
    client.control("DELETE", "scenarios")
    client.control("POST", "clock/advance", {"by": "PT45M"})
    assert client.call("GET", f"/books-api/books/jobs/{job}").data["processed"] == 2
    assert stored(client) == []
    client.control("POST", "clock/advance", {"by": "PT15M"})
    ended = client.call("GET", f"/books-api/books/jobs/{job}").data
    assert (ended["state"], ended["failed"], len(ended["errors"])) == ("troubled", 2, 2)
    assert stored(client) == ["1", "3"]


def test_a_job_waits_for_the_same_share_of_another_length(client):
    """Half of its time a job of this API waits, however long it takes."""
    play(client, {"then": {"duration": "10m"}})
    job = client.call("POST", "/books-api/books/jobs", PAIR).data["job"]
    client.control("POST", "clock/advance", {"by": "PT4M59S"})
    assert client.call("GET", f"/books-api/books/jobs/{job}").data["state"] == "waiting"
    client.control("POST", "clock/advance", {"by": "PT1S"})
    assert client.call("GET", f"/books-api/books/jobs/{job}").data["state"] == "working"


def test_targets_of_a_fan_out_can_be_unknown_or_have_problems(client):
    """The others get what they would have got."""
    play(client, {"then": {"unknown-tenants": ["north"], "tenant-problems": {"south": "Closed."}}})
    answer = client.call("POST", "/books-api/libraries/books", {"libraries": ["north", "south", "west"], "books": PAIR})
    assert set(answer.data["done"]) == {"west"}
    assert answer.data["problems"] == {"north": ["There is no north."], "south": ["Closed."]}


def test_a_given_body_speaks_of_the_submitted_items(client):
    """Outcomes are built from what was sent, and a body may break the contract because it was asked for."""
    body = {"said": "no", "results": [{"status": 409, "isbn": "${item.isbn}"}], "by": {"${item.isbn}": "${item.title}"}}
    then = {"status": 207, "body": body, "headers": {"X-Day": "bad"}}
    play(client, {"when": {"operation": "createEach"}, "then": then})
    answer = client.call("POST", "/books-api/books/bulk-each", PAIR)
    assert (answer.status, answer.headers["x-day"]) == (207, "bad")
    assert answer.data["results"] == [{"status": 409, "isbn": "1"}, {"status": 409, "isbn": "2"}]
    assert answer.data["by"] == {"1": "One", "2": "Two"}
    assert stored(client) == []
    assert {one["side"] for one in journal(client, 1)["violations"]} == {"reply"}


def test_headers_alone_stand_beside_the_calls_own_answer(client):
    """The call is carried out, and its answer has them."""
    play(client, {"then": {"headers": {"Retry-After": 7}}})
    answer = client.call("POST", "/books-api/books/bulk-each", PAIR)
    assert (answer.status, answer.headers["retry-after"], stored(client)) == (200, "7", ["1", "2"])


def test_a_status_after_the_commit_hides_what_was_done(client):
    """Before the commit, the default of an answer, nothing is done."""
    when = {"operation": "createEach"}
    play(
        client,
        {"when": when, "then": {"status": 502, "at": "after-commit"}, "times": 1},
        {"when": when, "then": {"status": 502}},
    )
    assert client.call("POST", "/books-api/books/bulk-each", PAIR).status == 502
    assert stored(client) == ["1", "2"]
    assert client.call("POST", "/books-api/books/bulk-each", FOUR[2:]).status == 502
    assert stored(client) == ["1", "2"]


def test_made_up_answers_fit_the_contract(client):
    """A generated body has no violations; the same sandbox makes up the same."""
    play(client, {"then": {"generate": True}, "when": {"method": "GET"}})
    first = client.call("GET", "/books-api/books/x")
    assert first.status == 200
    assert journal(client, 1)["violations"] == []
    client.control("POST", "reset", {})
    play(client, {"then": {"generate": True}, "when": {"method": "GET"}})
    assert client.call("GET", "/books-api/books/x").data == first.data


def test_a_call_that_is_refused_anyhow_does_not_use_rules_up_that_speak_of_its_items(client):
    """Items, jobs and tenants of a call that is not carried out are none; an answer in its place may still come."""
    play(client, {"items": {"every": 1}, "then": {"fail": {}}, "times": 1}, {"then": {"status": 503}, "times": 1})
    assert client.call("POST", "/books-api/books/bulk-each", []).status == 503
    assert client.call("POST", "/books-api/books/bulk-each", []).status == 400
    assert client.call("POST", "/books-api/books/bulk-each", PAIR).status == 207


def test_during_the_commit_whole_groups_run_in_their_order(client):
    """The half that is applied is the half that runs first."""
    play(client, {"when": {"method": "POST"}, "then": {"fault": "EMPTY_RESPONSE", "at": "during-commit"}})
    items = [{"do": "add", "ref": f"r{n}", "step": str(9 - n), "book": one} for n, one in enumerate(FOUR)]
    with pytest.raises(ConnectionError):
        client.call("POST", "/books-api/books/bulk-grouped?ordered=true", items)
    client.close()
    assert stored(client) == ["3", "4"]
    assert [one["result"] for one in journal(client, 1)["outcomes"]] == ["not-run", "not-run", "done", "done"]


def test_near_misses_tell_no_secrets(client):
    """What did not fit is shown without credentials."""
    play(client, {"when": {"header": {"Authorization": "Bearer other", "X-Api-Key": "k"}}, "then": {}})
    client.call("GET", "/books-api/books", headers={"Authorization": "Bearer s3cret", "X-Api-Key": "s3cret"})
    (miss,) = journal(client, 1)["nearMisses"]
    assert [one["got"] for one in miss["unmet"]] == ["Bearer ***", "***"]
    assert "s3cret" not in str(journal(client, 1))


def test_reset_plays_from_the_beginning_with_the_servers_own_scenarios(client):
    """Counts, counters and scenarios are those of a fresh sandbox."""
    play(client, {"then": {"status": 503}})
    assert client.call("GET", "/books-api/books").status == 503
    client.control("POST", "reset", {})
    assert client.control("GET", "scenarios").data == {"scenarios": []}
    assert client.call("GET", "/books-api/books").status == 200


def test_a_planted_bug_can_be_part_of_a_scenario(client):
    """A rule plants it for the calls that it decides."""
    play(client, {"when": {"operation": "createWhole"}, "then": {"bug": "rollback-missing"}})
    client.call("POST", "/books-api/books/bulk-whole", [PAIR[0], {"isbn": "2"}])
    assert stored(client) == ["1"]
