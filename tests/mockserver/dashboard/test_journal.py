"""The journal page as a person uses it: rows as they happen, filters, one exchange in full, what is made of it."""

import json
import socket

import pytest
import yaml

pytestmark = pytest.mark.slow
ASSETS = "/onkey/api/tenants/contoso/sandbox/modules/risk/assetimportances"
COLLECTION = {"Content-Type": "application/vnd.onkey.entitycollection+json"}
GOOD = {"userObjectId": "record1", "properties": {"code": "ABC", "description": "One"}}
BAD = {"userObjectId": "record2", "properties": {"code": "DEF", "description": None}}
HOSTILE = "<script>alert(1)</script>\"'\u202e<img src=x onerror=alert(2)>" + "x" * 3000


def post(server, *records, mode="PerRecord"):
    return server.call("POST", f"{ASSETS}/batch?mode={mode}", records, COLLECTION)


def lose(server):
    """Send a batch whose answer a scenario resets."""
    rule = {"when": {"operation": "batchCreate"}, "then": {"fault": "CONNECTION_RESET_BY_PEER"}, "times": 1}
    server.control("PUT", "scenarios", {"scenarios": [{"name": "reset-once", "rules": [rule]}]})
    with pytest.raises(OSError, match=r"reset|closed"):
        post(server, GOOD)
    server.close()


def rows(page):
    """Return the texts of the journal's rows, the newest first."""
    return [" ".join(one.split()) for one in page.locator("tbody tr.opens").all_inner_texts()]


@pytest.fixture
def journal(server, page):
    """Return the journal's page, which is live."""
    page.goto(server.address("journal"))
    page.get_by_text("live", exact=True).wait_for()
    return page


def test_exchanges_are_shown_as_they_happen(server, journal):
    """An empty journal says so; then each exchange is a row, the newest first, with its outcomes."""
    journal.get_by_text("Nothing has been asked of this sandbox yet.").wait_for()
    journal.get_by_text(f"{server.running.url}/@{server.sandbox}/genero", exact=True).wait_for()
    post(server, GOOD, BAD)
    journal.get_by_role("link", name="batchCreate").wait_for()
    server.call("GET", "/genero/api/v1/block")
    journal.get_by_text("2 exchanges").wait_for()
    newest, oldest = rows(journal)
    assert newest.startswith("2 00:00:00")
    assert "200 1 done 1 failed" in oldest
    assert journal.locator(".bar i.done, .bar i.failed").count() == 2


def test_items_of_a_job_are_shown_as_soon_as_it_ran(server, journal):
    """The row of a fan-out has its bar at once, and outcomes when the job has run; the exchange has them by item."""
    blocks = [{"blockId": "a", "name": "One"}, {"blockId": "b"}]
    fan_out = {"generoTenantIds": ["publicapitest", "nobody"], "data": blocks}
    server.call("POST", "/genero/api/v1/block/multitenant/postJob", fan_out)
    journal.get_by_role("link", name="postMultiTenantJob").click()
    items = journal.get_by_role("region", name="Items")
    items.get_by_text("waiting for their job, due").wait_for()
    server.control("PUT", "clock", {"mode": "scaled", "factor": 3600})
    items.locator(".numbers .failed").wait_for()
    told = [" ".join(one.split()) for one in items.locator("tbody tr").all_inner_texts()]
    assert told[0].startswith("0 publicapitest a done")
    assert told[1].startswith("1 publicapitest b failed ")
    assert told[1].endswith(" name is required")
    assert told[3].startswith("1 nobody b not run Unable to find tenant")
    journal.get_by_role("link", name="Journal").last.click()
    journal.get_by_role("link", name="postMultiTenantJob").wait_for()
    assert "1 done 1 failed 2 not run" in rows(journal)[0]


def test_what_the_client_got_is_told(server, journal):
    """A reset is no 200, nor is an answer that waits, which is told once it has come."""
    lose(server)
    journal.locator("tbody").get_by_text("reset", exact=True).wait_for()
    assert journal.locator("tbody s").inner_text() == "200"
    slow = {"when": {"method": "GET"}, "then": {"delay": "5m", "on": "clock"}}
    server.control("PUT", "scenarios", {"scenarios": [{"name": "slow", "rules": [slow]}]})
    with socket.create_connection(("127.0.0.1", server.running.port), timeout=30) as line:
        line.sendall(f"GET /@{server.sandbox}/genero/api/v1/block HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        journal.get_by_text("waiting", exact=True).wait_for()
        server.control("POST", "clock/advance", {"by": "PT5M"})
        journal.get_by_text("waiting", exact=True).wait_for(state="detached")


def test_rows_are_filtered(server, journal):
    """By operation, status, outcome, what went wrong, and any text; what does not fit can be shown again."""
    post(server, GOOD, BAD)
    post(server, BAD, mode="AllOrNone")
    server.call("GET", "/genero/api/v1/block/nothing")
    lose(server)
    journal.get_by_text("4 exchanges").wait_for()
    for label, choice, numbers in (
        ("Operation", "batchCreate", "421"),
        ("Status", "4xx", "32"),
        ("Outcome", "With failed items", "421"),
        ("Fault", "Not received whole", "4"),
        ("Fault", "By a scenario", "4"),
        ("Fault", "With violations", "2"),
    ):
        journal.get_by_label(label, exact=True).select_option(label=choice)
        assert "".join(one[0] for one in rows(journal)) == numbers, choice
        journal.get_by_role("button", name="Show all").click()
    journal.get_by_label("Text", exact=True).fill("block/NOTHING")
    assert [one[0] for one in rows(journal)] == ["3"]
    journal.get_by_label("Text", exact=True).fill("nowhere")
    journal.get_by_text("No exchange fits.").wait_for()
    journal.get_by_role("button", name="Show all").last.click()
    assert len(rows(journal)) == 4


def test_an_exchange_opens_by_keyboard(server, journal):
    """Arrows go from row to row, Enter opens one, its heading gets the focus; the way back leads to the rows."""
    post(server, GOOD, BAD)
    server.call("GET", "/genero/api/v1/block")
    journal.get_by_text("2 exchanges").wait_for()
    journal.locator("tbody a").first.focus()
    journal.keyboard.press("ArrowDown")
    journal.keyboard.press("Enter")
    journal.get_by_role("heading", name="1 batchCreate").wait_for()
    assert journal.evaluate("document.activeElement.id") == "exchange-title"
    journal.get_by_role("link", name="The exchange after").click()
    journal.get_by_role("heading", name="2 listBlocks").or_(journal.locator("h1", has_text="2 ")).first.wait_for()
    journal.get_by_role("main").get_by_role("link", name="Journal").click()
    assert len(rows(journal)) == 2


def test_an_exchange_is_shown_whole(server, journal):
    """Request and response, each item with its outcome and error, violations, and what was written."""
    post(server, GOOD, BAD)
    journal.locator("tbody tr.opens").click()
    items = journal.get_by_role("region", name="Items")
    items.get_by_role("row", name="0 record1 done").wait_for()
    items.get_by_role("row", name="1 record2 failed").wait_for()
    items.get_by_role("button", name="Only those not done").click()
    assert items.get_by_role("row").count() == 2
    assert '"record2"' in journal.get_by_role("region", name="Request body").inner_text()
    assert "Core_LengthValidator" in journal.get_by_role("region", name="Response body").inner_text()
    changes = journal.get_by_role("region", name="State changes")
    assert "AssetImportance" in changes.inner_text()
    assert '+ after: /code: "ABC"' in " ".join(changes.inner_text().split())


def test_a_change_of_a_record_is_shown_as_a_diff(server, journal):
    """The member as it was and as it is, and no other; a deleted record was there before."""
    made = post(server, GOOD).data["messages"][0]["objectId"]
    change = {"version": 1, "operations": [{"op": "replace", "path": "description", "value": "Two"}]}
    item = f"{ASSETS}/{made}"
    server.call("PATCH", item, change, {"Content-Type": "application/vnd.onkey.entitypatch+json"})
    server.call("DELETE", item, {"version": 2}, {"Content-Type": "application/vnd.onkey.entitydelete+json"})
    journal.get_by_text("3 exchanges").wait_for()
    journal.goto(server.address("journal", 2))
    lines = journal.get_by_role("region", name="State changes").locator(".line")
    lines.first.wait_for()
    assert [" ".join(one.split()) for one in lines.all_inner_texts()] == [
        '- before: /description: "One"',
        '+ after: /description: "Two"',
    ]
    journal.goto(server.address("journal", 3))
    journal.get_by_text("deleted, was version 2").wait_for()


def test_what_did_not_fit_is_told_in_words(server, journal):
    """A rule that nearly applied says why not; a lost answer says what the client got instead."""
    lose(server)
    rule = {"when": {"operation": "batchCreate", "body": [{"pointer": "/0/userObjectId", "test": "other"}]}, "then": {}}
    server.control("PUT", "scenarios", {"scenarios": [{"name": "nearly", "rules": [rule]}]})
    post(server, BAD)
    journal.get_by_text("2 exchanges").wait_for()
    journal.goto(server.address("journal", 2))
    assert "Rule 1 of nearly nearly applied" in journal.get_by_role("region", name="Near misses").inner_text()
    journal.goto(server.address("journal", 1))
    journal.get_by_text("The client got no answer: the connection was reset. This is what was meant.").wait_for()


def test_an_exchange_is_copied(server, journal):
    """As curl, pytest, HTTP file and HAR: what is in the clipboard is what the control API exports."""
    journal.context.grant_permissions(["clipboard-read", "clipboard-write"])
    post(server, GOOD)
    journal.locator("tbody tr.opens").click()
    for form in ("curl", "pytest", "HTTP", "HAR"):
        journal.get_by_role("button", name=f"Copy as {form}").click()
        journal.get_by_role("button", name=f"Copy as {form}").get_by_text("Copied").wait_for()
        copied = journal.evaluate("navigator.clipboard.readText()")
        exported = server.control("GET", f"exchanges/1/as/{form.lower()}").body.decode()
        assert copied == exported or json.loads(copied) == json.loads(exported)


def test_a_scenario_is_made_of_an_exchange(server, journal):
    """It is shown, and can be saved as a file, which is a valid scenario."""
    post(server, GOOD, BAD)
    journal.locator("tbody tr.opens").click()
    journal.get_by_role("button", name="Make a scenario of this").click()
    with journal.expect_download() as saved:
        journal.get_by_role("button", name="Download").click()
    assert saved.value.suggested_filename == "as-exchange-1.yaml"
    scenario = yaml.safe_load(saved.value.path().read_text("utf-8"))
    assert server.control("PUT", "scenarios", {"scenarios": [scenario]}).status == 200
    journal.keyboard.press("Escape")
    journal.get_by_role("dialog").wait_for(state="detached")


def test_a_scenario_made_of_an_exchange_opens_in_the_editor(server, journal):
    """There it can be changed, and activated: the same request is answered as it was."""
    meant = post(server, GOOD, BAD)
    journal.locator("tbody tr.opens").click()
    journal.get_by_role("button", name="Make a scenario of this").click()
    journal.get_by_role("link", name="Open it in the editor").click()
    journal.get_by_role("heading", name="New scenario").wait_for()
    journal.get_by_role("button", name="Activate", exact=True).click()
    journal.get_by_role("heading", name="Scenarios", exact=True).wait_for()
    assert post(server, GOOD, BAD).body == meant.body
    assert server.control("GET", "exchanges/2").data["rules"] == ["as-exchange-1"]


def test_of_a_large_batch_those_that_failed_are_shown(server, journal):
    """The few that were not done are not lost among the many; all can be shown."""
    post(
        server,
        BAD,
        *({**GOOD, "userObjectId": f"r{n}", "properties": {"code": f"C{n}", "description": "D"}} for n in range(99)),
    )
    journal.locator("tbody tr.opens").click()
    items = journal.get_by_role("region", name="Items")
    items.get_by_role("row", name="0 record2 failed").wait_for()
    assert items.get_by_role("row").count() == 2
    items.get_by_role("button", name="Only those not done").click()
    assert items.get_by_role("row").count() == 21
    items.get_by_role("button", name="Show more of 100 items").click()
    assert items.get_by_role("row").count() == 101


def test_hostile_texts_are_texts(server, journal):
    """Markup, quotes, letters from right to left and endless words are shown as they are, and widen nothing."""
    server.call("GET", "/genero/api/v1/block/%3Cscript%3Ealert(1)%3C%2Fscript%3E")
    server.call(
        "POST",
        f"{ASSETS}/batch?mode=PerRecord",
        [{"userObjectId": HOSTILE, "properties": {"code": HOSTILE[:30], HOSTILE: HOSTILE}}],
        {**COLLECTION, "X-Name": "<b>bold</b>"},
    )
    journal.get_by_text("2 exchanges").wait_for()
    journal.on("dialog", lambda dialog: journal.errors.append(dialog.message))
    for place in ((), (1,), (2,)):
        journal.goto(server.address("journal", *place))
        journal.get_by_role("heading", level=1).wait_for()
        assert journal.locator("script:not([src]), img, b").count() == 0
        assert journal.evaluate("document.documentElement.scrollWidth") <= 1280
    assert "<script>alert(1)</script>" in journal.get_by_role("region", name="Request body").inner_text()


def test_a_journal_that_is_emptied_or_reset_is_empty(server, journal):
    """By its button, and by whoever resets the sandbox."""
    post(server, GOOD)
    journal.get_by_text("1 exchange").wait_for()
    journal.get_by_role("button", name="Clear").click()
    journal.get_by_role("button", name="Clear the journal").click()
    journal.get_by_text("Nothing has been asked").wait_for()
    post(server, GOOD)
    journal.locator("tbody tr.opens").wait_for()
    server.control("POST", "reset", {})
    journal.get_by_text("Nothing has been asked").wait_for()


def test_a_filter_is_part_of_the_address(server, journal):
    """Who gets the address sees the same rows."""
    post(server, GOOD, BAD)
    server.call("GET", "/genero/api/v1/block")
    journal.get_by_text("2 exchanges").wait_for()
    journal.get_by_label("Outcome", exact=True).select_option(label="With failed items")
    journal.reload()
    journal.get_by_text("1 of 2 exchanges").wait_for()
    assert [one[0] for one in rows(journal)] == ["1"]


def test_a_lost_connection_is_told_and_made_up_for(server, journal):
    """When it is back, the journal is what it is now, whatever happened meanwhile."""
    for _ in range(3):
        server.call("GET", "/genero/api/v1/block")
    journal.get_by_text("3 exchanges").wait_for()
    http = server.running.server

    def cut():
        for one in list(http.connections):
            if one.transport is not None:
                one.transport.abort()

    server.running.listening.get_loop().call_soon_threadsafe(cut)
    journal.get_by_text("not connected", exact=True).wait_for()
    server.close()
    server.control("POST", "reset", {})
    server.call("GET", "/genero/api/v1/block/after")
    journal.get_by_text("live", exact=True).wait_for()
    journal.get_by_text("1 exchange", exact=True).wait_for()
    assert "block/after" in rows(journal)[0]
    journal.errors[:] = [one for one in journal.errors if "net::ERR" not in one]  # the browser's own word for the cut


def test_the_journal_is_accessible(server, journal, accessible):
    """Rows, filters, an exchange and its dialog: axe finds nothing, and a phone does not scroll sideways."""
    post(server, GOOD, BAD)
    post(server, BAD, mode="AllOrNone")
    lose(server)
    journal.get_by_text("3 exchanges").wait_for()
    for n in ("", 2, 3):
        journal.goto(server.address("journal", n).rstrip("/"))
        journal.get_by_role("heading", level=1).wait_for()
        assert accessible(journal) == [], n
    journal.get_by_role("button", name="Make a scenario of this").click()
    journal.get_by_role("region", name="Scenario").wait_for()
    assert accessible(journal) == []


def test_ten_thousand_exchanges_are_no_burden(server, page):
    """All of them are there, a few rows are drawn at a time, and what is new is on top."""
    for n in range(10_000):
        server.call("GET", f"/genero/api/v1/block/b{n}")
    page.goto(server.address("journal"))
    page.get_by_text("10,000 exchanges", exact=True).wait_for()
    assert len(rows(page)) < 120
    assert rows(page)[0].startswith("10000")
    page.keyboard.press("End")
    page.get_by_text("/genero/api/v1/block/b0", exact=False).first.wait_for()
    page.get_by_label("Text", exact=True).fill("block/b77")
    page.get_by_text("111 of 10,000 exchanges").wait_for()
    page.get_by_role("button", name="Show all").click()
    page.keyboard.press("Home")
    server.call("GET", "/genero/api/v1/block/newest")
    page.get_by_text("block/newest").wait_for()
    assert len(rows(page)) < 120
