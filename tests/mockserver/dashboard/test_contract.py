"""The contract page in a browser: operations, schemas, sources, and a batch that is tried."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

RECURSIVE = """
openapi: 3.1.0
info: {title: Trees, version: "1"}
paths:
  /trees:
    post:
      operationId: plant
      summary: <b>Plant</b> a tree
      requestBody:
        content:
          application/json:
            schema: {$ref: '#/components/schemas/Tree'}
            example: {name: oak}
      responses: {"201": {description: It grows.}}
components:
  schemas:
    Tree:
      type: object
      required: [name]
      properties:
        name: {type: string, minLength: 1, maxLength: 1, description: What it is called.}
        id: {type: integer, readOnly: true}
        children: {type: array, items: {$ref: '#/components/schemas/Tree'}}
"""


def test_a_first_partial_success_is_one_click_away(server, page):
    """The button sends a batch at once: what was wrong with which item, its outcome, and its exchange are shown."""
    page.goto(server.address("contract", "onkey"))
    page.get_by_role("link", name="Send a batch of 10 with 2 bad items").click()
    response = page.get_by_role("region", name="Response", exact=True)
    response.get_by_text("8 done, 2 failed").wait_for()
    rows = response.get_by_role("table", name="Outcomes by item").locator("tbody tr")
    assert rows.count() == 10
    bad = rows.filter(has_text="has a member that breaks")
    assert [bad.nth(n).get_by_text("failed").count() for n in range(bad.count())] == [1, 1]
    assert page.url.endswith("/contract/onkey/batchCreate/try")  # a reload sends nothing
    response.get_by_role("link", name="Exchange 1 in the journal").click()
    page.wait_for_url("**/journal/1")
    assert len(server.control("GET", "exchanges").data["exchanges"]) == 1


def test_a_batch_that_becomes_a_job_is_followed_to_its_end(server, page):
    """The job is named; one button moves the clock to its end, polls it, and shows the outcomes."""
    page.goto(server.address("journal"))
    page.get_by_role("link", name="Send a batch of 10 with 2 bad items").click()
    page.get_by_text("It became the job").wait_for()
    page.get_by_role("button", name="Advance the clock to its end, and poll it").click()
    page.get_by_text("8 done, 2 failed").nth(1).wait_for()
    exchanges = server.control("GET", "exchanges").data["exchanges"]
    assert [one["operation"] for one in exchanges] == ["postJob", "jobStatus"]


def test_what_is_sent_can_be_changed(server, page):
    """The form makes another batch; path, header fields and body can be edited, and are sent as they stand."""
    page.goto(server.address("contract", "onkey", "batchCreate", "try"))
    page.get_by_label("Items", exact=True).fill("3")
    page.get_by_label("Bad items").fill("1")
    page.get_by_label("What is wrong with them").select_option("duplicate")
    page.get_by_text("The whole request is refused for one such item.").wait_for()
    page.get_by_text("repeats the key of another item").last.wait_for()
    page.get_by_role("button", name="Send").click()
    page.locator(".contract-answer .status", has_text="400").wait_for()
    page.get_by_label("Body", exact=True).fill("[]")
    page.get_by_label("Header fields", exact=True).fill("no field")
    page.get_by_role("button", name="Send").click()
    page.get_by_text("is no header field").wait_for()
    page.get_by_label("Header fields", exact=True).fill("Content-Type: application/vnd.onkey.entitycollection+json")
    page.get_by_role("button", name="Send").click()
    page.get_by_role("region", name="Response", exact=True).wait_for()
    exchange = server.control("GET", "exchanges/2").data
    assert (exchange["status"], exchange["call"]["body"]) == (400, [])
    page.errors[:] = [one for one in page.errors if "400" not in one]  # the browser's own word for a refused call


def test_what_cannot_be_made_is_told(server, page):
    """Where there are no records to change the page says so, in the words of the control API."""
    page.goto(server.address("contract", "onkey", "batchUpdate", "try"))
    page.get_by_text("Create some first.").wait_for()
    page.errors[:] = [one for one in page.errors if "409" not in one]


def test_a_request_is_copied_as_curl(server, page):
    """The command that is copied makes the same call, quotes and all."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(server.address("contract", "onkey", "batchCreate", "try"))
    page.get_by_label("Body", exact=True).fill('[{"it\'s": 1}]')
    page.get_by_role("button", name="Copy as curl").click()
    page.get_by_role("status").filter(has_text="Copied").wait_for(state="attached")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f"curl -sS -i -X POST '{server.running.url}/@{server.sandbox}/onkey/api/")
    assert copied.endswith("""--data-binary '[{"it'\\''s": 1}]'""")


def test_operations_are_found_by_what_they_are_called(server, page):
    """The list is by tag; a search keeps what has the text in its name, path or summary."""
    page.goto(server.address("contract", "genero"))
    operations = page.get_by_role("navigation", name="Operations").get_by_role("link")
    operations.first.wait_for()
    assert operations.count() == 8
    page.get_by_label("Search operations").fill("multitenant")
    page.wait_for_function("document.querySelectorAll('.contract-list a').length === 1")
    page.get_by_label("Search operations").fill("<nothing>")
    page.get_by_text("No operation has “<nothing>”").wait_for()
    page.get_by_label("API").select_option("onkey")
    page.get_by_role("heading", name="On Key API, bulk requests").wait_for()


def test_a_fact_names_who_says_so(server, page):
    """The axes are told in words; each has a badge: a link to the vendor's page, or that it is an assumption."""
    page.goto(server.address("contract", "onkey", "batchCreate"))
    axis = page.locator(".contract-axes > div").filter(has_text="What an item wants")
    axis.get_by_text("An item creates a record.").wait_for()
    link = axis.get_by_role("link", name="stated: bulk")
    assert link.get_attribute("href").startswith("https://core-za.onkey.app/")
    assert link.get_attribute("rel") == "noreferrer"
    order = page.locator(".contract-axes > div").filter(has_text="In which order")
    assert order.get_by_text("assumption").count() == 1
    assert page.get_by_role("table", name="Errors of an item").get_by_text("Core_LengthValidator").count() == 1
    assert page.get_by_text("At most 1000 items in a request.").count() == 1


def test_schemas_open_on_demand(serving, page, tmp_path: Path):
    """A schema is a tree with limits in words; one that has itself inside is drawn as far as it is opened."""
    path = tmp_path / "trees.yaml"
    path.write_text(RECURSIVE)
    client = serving(str(path))
    page.goto(f"{client.running.url}/_sandbox/ui#/contract/trees/plant")
    page.get_by_text("<b>Plant</b> a tree").first.wait_for()
    tree = page.get_by_role("list", name="Request body as application/json")
    member = tree.locator("li", has=page.locator("> div > code", has_text=re.compile("^name$"))).last
    assert "required" in member.inner_text()
    assert "exactly 1 character\n" in member.inner_text() + "\n"
    assert "read only" in tree.inner_text()
    for depth in range(1, 4):
        assert tree.locator("code", has_text=re.compile("^children$")).count() == depth
        if depth > 1:  # the first two levels are open
            tree.get_by_role("button", name="Open children").last.click()
        tree.get_by_role("button", name="Open Tree").last.click()
    page.goto(f"{client.running.url}/_sandbox/ui#/contract/trees")
    page.locator("summary", has_text="Schemas").click()
    page.get_by_role("list", name="Schemas").get_by_role("button", name="Open Tree").click()
    page.get_by_role("list", name="Schemas").get_by_text("What it is called.").wait_for()
    page.goto(f"{client.running.url}/_sandbox/ui#/contract/trees/plant")
    page.get_by_text("Example: example").click()
    page.get_by_role("region", name="Example example").get_by_text("oak").wait_for()


@pytest.mark.parametrize("segments", [("onkey",), ("onkey", "batchCreate"), ("onkey", "batchCreate", "try", "send")])
def test_the_page_is_accessible(server, page, accessible, segments):
    """Axe finds nothing in light and dark, and a phone's page does not scroll sideways."""
    page.goto(server.address("contract", *segments))
    ready = {1: ".contract-first", 2: ".contract-axes", 4: ".contract-answer"}[len(segments)]
    page.locator(ready).first.wait_for()
    assert accessible(page) == []
