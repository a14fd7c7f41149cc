"""The page of scenarios in a browser: those that are active, all that there are, and one of them as text."""

import pytest

pytestmark = pytest.mark.slow

ONCE = {
    "name": "once",
    "summary": "The first list is refused.",
    "rules": [{"when": {"method": "GET"}, "then": {"status": 503}, "times": 1}],
}
WRITTEN = """\
# what goes wrong
name: written
rules:
  - when: {operation: postJob}
    then: {status: 503}
"""


def active(server):
    """Return the names of the active scenarios in their order."""
    return [one["name"] for one in server.control("GET", "scenarios").data["scenarios"]]


@pytest.fixture
def scenarios(server, page):
    """Return the page of a sandbox with two active scenarios."""
    server.control("PUT", "scenarios", {"scenarios": [ONCE, "never-ends"]})
    page.goto(server.address("scenarios"))
    page.get_by_role("button", name="Deactivate once").wait_for()
    return page


def test_active_scenarios_tell_how_often_they_fired(server, scenarios):
    """Counts follow the calls; a rule that has fired as often as it may is used up."""
    first = scenarios.locator(".scenarios-active > li").first
    first.get_by_text("fired 0 of 1 time").wait_for()
    server.call("GET", "/genero/api/v1/block")
    first.get_by_text("fired 1 of 1 time").wait_for()
    first.get_by_text("used up").wait_for()


def test_active_scenarios_are_put_in_order_without_losing_their_counts(server, scenarios):
    """By buttons and by dragging; what fired stays told."""
    server.call("GET", "/genero/api/v1/block")
    scenarios.get_by_role("button", name="Move once down").click()
    scenarios.get_by_text("once is number 2 of 2.").wait_for(state="attached")
    scenarios.get_by_text("used up").wait_for()
    assert active(server) == ["never-ends", "once"]
    rows = scenarios.locator(".scenarios-active > li")
    rows.last.drag_to(rows.first)
    scenarios.get_by_text("once is number 1 of 2.").wait_for(state="attached")
    assert active(server) == ["once", "never-ends"]
    scenarios.get_by_role("button", name="Deactivate once").click()
    scenarios.get_by_text("once is not active any more.").wait_for(state="attached")
    assert active(server) == ["never-ends"]


def test_all_scenarios_are_searched_and_activated(server, scenarios):
    """A search of words in names and summaries, an API, and a button."""
    scenarios.get_by_label("Search").fill("429 rate")
    scenarios.get_by_label("API").select_option("any")
    table = scenarios.get_by_role("table", name="All scenarios")
    table.get_by_role("row").nth(2).wait_for(state="detached")
    assert table.get_by_role("link").all_inner_texts() == ["rate-limit"]
    scenarios.get_by_role("button", name="Activate rate-limit", exact=True).click()
    scenarios.get_by_role("button", name="Deactivate rate-limit").wait_for()
    assert active(server) == ["once", "never-ends", "rate-limit"]
    scenarios.get_by_label("Search").fill("nothing like it")
    scenarios.get_by_text("No scenario fits this search.").wait_for()


def test_faults_stand_beside_their_lines(server, scenarios):
    """What is refused is told at its line, and changes nothing; mended, it is active, and kept as it was written."""
    scenarios.get_by_role("link", name="New scenario").click()
    text = scenarios.get_by_label("Scenario in YAML")
    text.fill(WRITTEN.replace("503", "5").replace("postJob", "postJobs"))
    scenarios.get_by_role("button", name="Line 5").click()  # while it is typed
    assert scenarios.get_by_text("nothing was changed").count() == 0
    scenarios.get_by_role("button", name="Activate").click()
    scenarios.get_by_role("alert").get_by_text("1 fault; nothing was changed.").wait_for()
    scenarios.get_by_role("button", name="Line 5").click()
    assert scenarios.evaluate("getSelection().toString()") == "    then: {status: 5}"
    assert scenarios.locator(".scenarios-numbers .bad").all_inner_texts() == ["5"]
    assert text.get_attribute("aria-invalid") == "true"
    text.fill(WRITTEN.replace("postJob", "postJobs"))
    scenarios.get_by_role("button", name="Activate").click()
    scenarios.get_by_role("button", name="Line 4").wait_for()
    assert active(server) == ["once", "never-ends"]
    text.fill(WRITTEN)
    scenarios.get_by_role("button", name="Activate").click()
    scenarios.get_by_role("button", name="Deactivate written").click()
    scenarios.get_by_text("draft in this browser").wait_for()
    assert active(server) == ["once", "never-ends"]
    scenarios.get_by_role("button", name="Activate written", exact=True).click()
    scenarios.get_by_role("button", name="Deactivate written").wait_for()
    assert server.control("GET", "scenarios/written").data["yaml"] == WRITTEN
    scenarios.errors[:] = [one for one in scenarios.errors if "400" not in one]  # the browser's word for a refused call


def test_what_is_written_is_not_lost(server, scenarios):
    """It is kept as a draft, also when it was never active, or another client made it; until it is forgotten."""
    scenarios.get_by_role("link", name="New scenario").click()
    scenarios.get_by_label("Scenario in YAML").fill(WRITTEN)
    scenarios.get_by_role("button", name="Keep as a draft").click()
    row = scenarios.get_by_role("row").filter(has_text="written")
    row.get_by_text("draft in this browser").wait_for()
    scenarios.get_by_role("button", name="Activate written", exact=True).click()
    scenarios.get_by_role("button", name="Deactivate written").wait_for()
    for name in ("once", "written"):
        scenarios.get_by_role("button", name=f"Deactivate {name}", exact=True).click()
        scenarios.get_by_role("button", name=f"Activate {name}", exact=True).wait_for()
    assert active(server) == ["never-ends"]
    scenarios.get_by_role("button", name="Activate once", exact=True).click()
    scenarios.get_by_role("button", name="Deactivate once").wait_for()
    assert active(server) == ["never-ends", "once"]
    scenarios.get_by_role("button", name="Forget written").click()
    scenarios.get_by_role("button", name="Activate written", exact=True).wait_for(state="detached")


def test_a_bundled_scenario_is_read_and_changed_for_this_sandbox(server, scenarios):
    """Its text is that of its file; what is changed counts in this sandbox."""
    scenarios.get_by_role("link", name="rate-limit").click()
    text = scenarios.get_by_label("Scenario in YAML")
    assert "name: rate-limit" in text.input_value()
    text.fill(text.input_value().replace("429", "503"))
    scenarios.get_by_role("button", name="Activate").click()
    scenarios.get_by_role("button", name="Deactivate rate-limit").wait_for()
    assert server.call("GET", "/genero/api/v1/block").status == 503
    assert server.control("GET", "scenarios/rate-limit").data["origin"] == "sandbox"


def test_an_exchange_becomes_a_scenario(server, page):
    """The journal's "make a scenario of this" opens in the editor."""
    server.call("GET", "/genero/api/v1/block")
    page.goto(server.address("scenarios", "new?exchange=1"))
    page.get_by_label("Scenario in YAML").wait_for()
    assert "name: as-exchange-1" in page.get_by_label("Scenario in YAML").input_value()
    page.get_by_role("button", name="Activate").click()
    page.get_by_role("button", name="Deactivate as-exchange-1").wait_for()


def test_the_pages_are_accessible(scenarios, accessible):
    """Axe finds nothing in light and dark, also with faults; a phone's page does not scroll sideways."""
    assert accessible(scenarios) == []
    scenarios.get_by_role("link", name="New scenario").click()
    scenarios.get_by_label("Scenario in YAML").fill(WRITTEN.replace("503", "5"))
    scenarios.get_by_role("button", name="Activate").click()
    scenarios.get_by_role("button", name="Line 5").wait_for()
    assert accessible(scenarios) == []
    scenarios.errors[:] = [one for one in scenarios.errors if "400" not in one]
