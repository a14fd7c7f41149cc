"""What the journal tells of the items of a bulk request: of those run at once, by jobs, for several targets, or not."""

from pathlib import Path

import pytest

BOOKS = str(Path(__file__).parents[2] / "cases" / "contract_only" / "books.yaml")
BLOCKS = [{"blockId": "a", "name": "One", "deleted": False}, {"blockId": "b", "deleted": False}]
TENANTS = {"generoTenantIds": ["publicapitest", "nobody"], "data": BLOCKS}
POST = "/genero/api/v1/block/postJob"
FAN_OUT = "/genero/api/v1/block/multitenant/postJob"
TITLES = [{"isbn": "1", "title": "One"}, {"isbn": "2"}]


def counts(client, n=1):
    """Return the numbers of items of an exchange: done, failed, not run, waiting."""
    (line,) = client.control("GET", f"exchanges?after={n - 1}&limit=1").data["exchanges"]
    return tuple(line["items"][name] for name in ("done", "failed", "notRun", "waiting"))


def items(client, n=1):
    """Return target, key and result of each item of an exchange."""
    told = client.control("GET", f"exchanges/{n}").data["items"]
    return [(one.get("target", ""), one["key"], one["result"]) for one in told]


def test_items_of_a_job_are_told_as_soon_as_it_ran(serving):
    """They wait, with the instant at which they will not any more; then each has its outcome, and its error."""
    genero = serving("genero", mode="frozen")
    genero.call("POST", POST, BLOCKS)
    assert counts(genero) == (0, 0, 0, 2)
    assert items(genero) == [("", "a", "waiting"), ("", "b", "waiting")]
    (line,) = genero.control("GET", "exchanges").data["exchanges"]
    (job,) = genero.control("GET", "jobs").data["jobs"]
    assert line["due"] == job["due"]
    genero.control("POST", "clock/advance", {"to": "idle"})
    assert counts(genero) == (1, 1, 0, 0)
    assert items(genero) == [("", "a", "done"), ("", "b", "failed")]
    whole = genero.control("GET", "exchanges/1").data["items"]
    assert [(bool(one["error"]), one["job"]) for one in whole] == [(False, job["id"]), (True, job["id"])]
    assert "due" not in genero.control("GET", "exchanges").data["exchanges"][0]


def test_items_of_a_fan_out_are_told_by_target(serving):
    """Those of a known tenant wait for its job, those of an unknown one were not run."""
    genero = serving("genero", mode="frozen")
    assert genero.call("POST", FAN_OUT, TENANTS).status == 207
    assert counts(genero) == (0, 0, 2, 2)
    genero.control("POST", "clock/advance", {"to": "idle"})
    assert counts(genero) == (1, 1, 2, 0)
    assert items(genero) == [
        ("publicapitest", "a", "done"),
        ("publicapitest", "b", "failed"),
        ("nobody", "a", "not-run"),
        ("nobody", "b", "not-run"),
    ]
    assert "nobody" in genero.control("GET", "exchanges/1").data["items"][3]["error"]


def test_a_fan_out_that_is_run_at_once_is_told_by_target(serving):
    """Each target has its own outcomes, at once."""
    books = serving(BOOKS, mode="frozen")
    books.call("POST", "/books-api/libraries/books", {"libraries": ["here", "there"], "books": TITLES})
    assert counts(books) == (2, 2, 0, 0)
    results = [(target, result) for target, _, result in items(books)]
    assert results == [("here", "done"), ("here", "failed"), ("there", "done"), ("there", "failed")]


def test_a_request_that_was_refused_ran_none_of_its_items(serving):
    """Its items are told as not run, with why; a body that cannot be read has none."""
    genero = serving("genero", mode="frozen")
    assert genero.call("POST", POST, [{"blockId": 1}]).status == 400
    assert (counts(genero), items(genero)) == ((0, 0, 1, 0), [("", 1, "not-run")])
    assert "refused with 400" in genero.control("GET", "exchanges/1").data["items"][0]["error"]
    genero.call("GET", "/genero/api/v1/block")
    assert counts(genero, 2) == (0, 0, 0, 0)


def test_items_of_a_job_that_is_cancelled_were_not_run(serving):
    """From then on nobody waits for them."""
    books = serving(BOOKS, mode="frozen")
    assert books.call("POST", "/books-api/books/jobs", TITLES).status == 202
    assert counts(books) == (0, 0, 0, 2)
    (job,) = books.control("GET", "jobs").data["jobs"]
    assert books.call("DELETE", f"/books-api/books/jobs/{job['id']}").status == 200
    assert counts(books) == (0, 0, 2, 0)
    assert "cancelled" in books.control("GET", "exchanges/1").data["items"][0]["error"]


@pytest.mark.parametrize("advance_first", [True, False])
def test_a_snapshot_keeps_what_became_of_items(serving, advance_first):
    """Those of jobs that ran, and those that wait: they go on waiting where the snapshot is put."""
    genero = serving("genero", mode="frozen")
    genero.call("POST", FAN_OUT, TENANTS)
    if advance_first:
        genero.control("POST", "clock/advance", {"to": "idle"})
    kept = genero.control("GET", "snapshot?journal=true").data
    genero.control("POST", "reset")
    assert genero.control("PUT", "snapshot", kept).status == 200
    genero.control("POST", "clock/advance", {"to": "idle"})
    assert counts(genero) == (1, 1, 2, 0)
