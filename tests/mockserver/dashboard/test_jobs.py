"""The page of jobs in a browser: lanes on the sandbox's clock, polls and early ones, the buttons of the clock."""

import pytest

pytestmark = pytest.mark.slow


def post_job(server, count=2):
    """Post a job of blocks, and return its id."""
    items = [{"blockId": f"b{n}", "name": "One"} for n in range(count)]
    return server.call("POST", "/genero/api/v1/block/postJob", items).data["correlationId"]


def poll(server, job):
    """Ask for the state of a job."""
    return server.call("GET", f"/genero/api/v1/block/jobStatus/{job}")


def advance(server, by):
    """Advance the sandbox's clock."""
    server.control("POST", "clock/advance", {"by": by})


@pytest.fixture
def lanes(server, page):
    """Return the page with three jobs: one done and polled too soon, one with errors, one that never ends."""
    rules = [
        {"when": {"operation": "postJob", "nth": [1]}, "then": {"duration": "8m"}},
        {"when": {"operation": "postJob", "nth": [2]}, "items": {"index": [1]}, "then": {"fail": {"message": "No."}}},
        {"when": {"operation": "postJob", "nth": [3]}, "then": {"never-ends": True}},
    ]
    server.control("PUT", "scenarios", {"scenarios": [{"name": "jobs", "rules": rules}]})
    first = post_job(server)
    advance(server, "PT5M")
    poll(server, first)
    advance(server, "PT1M")
    poll(server, first)
    post_job(server)
    advance(server, "PT4M")
    post_job(server)
    page.goto(server.address("jobs"))
    page.get_by_role("listitem").first.wait_for()
    return page


def test_each_job_has_a_lane(lanes):
    """The newest comes first; a lane has its state, its exchange, its due mark, and its polls, the hasty one apart."""
    rows = lanes.get_by_role("listitem")
    assert rows.count() == 3
    assert [rows.nth(n).locator(".badge").inner_text() for n in range(3)] == ["running", "done with errors", "done"]
    assert [rows.nth(n).locator("a").last.inner_text() for n in range(3)] == ["#5", "#4", "#1"]
    assert "never ends, 0 polls" in rows.nth(0).inner_text()
    assert "2 polls, 1 too soon" in rows.nth(2).inner_text()
    drawn = rows.nth(2).locator("svg")
    assert [drawn.locator(f"path.{name}").get_attribute("d").count("M") for name in ("due", "poll", "early")] == [
        1,
        1,
        1,
    ]
    assert rows.nth(0).locator("path.due").count() == 0
    assert rows.nth(2).locator("a").last.get_attribute("href").endswith("/journal/1")


def test_a_lane_opens_with_its_polls(lanes):
    """A job's link opens it: each poll has its exchange, and why it came too soon."""
    lanes.get_by_role("link", name="postJob").last.click()
    box = lanes.get_by_role("dialog")
    box.get_by_text("1 min after #2; wait 5 min.").wait_for()
    assert box.get_by_role("link", name="#3").get_attribute("href").endswith("/journal/3")
    lanes.keyboard.press("Escape")
    box.wait_for(state="detached")
    assert lanes.url.endswith("/jobs")


def test_the_same_is_told_as_a_table(lanes):
    """Who does not see the lanes has a table with every instant."""
    lanes.get_by_role("tab", name="Table").click()
    rows = lanes.get_by_role("table", name="Jobs, the newest first").get_by_role("row")
    assert rows.count() == 4
    assert "never ends" in rows.nth(1).inner_text()
    assert lanes.get_by_role("cell", name="2026-01-01 00:00:00").count() == 1


def test_jobs_are_filtered_by_state(lanes):
    """A filter leaves the jobs of one state, and says when there is none."""
    lanes.get_by_label("State").select_option(label="unfinished")
    lanes.get_by_text("1 job", exact=True).wait_for()
    lanes.get_by_label("State").select_option(label="cancelled")
    lanes.get_by_text("No job fits").wait_for()


def test_the_clock_has_buttons(server, page):
    """Each button calls the clock; lanes and the header follow, and what passed is told."""
    page.goto(server.address("jobs"))
    page.get_by_text("No job has been made yet.").wait_for()
    post_job(server)
    page.locator(".jobs-lanes .badge", has_text="running").wait_for()
    page.get_by_role("button", name="Next event").click()
    page.get_by_text("genero postJob: Completed").wait_for()
    page.locator(".jobs-lanes .badge", has_text="done").wait_for()
    now = page.locator(".clock time")
    page.get_by_role("button", name="+5 min").click()
    page.locator(".clock time[datetime='2026-01-01T00:05:02Z']").wait_for()
    page.get_by_label("Advance by").fill("P1D")
    page.get_by_role("button", name="Advance", exact=True).click()
    page.locator(".clock time[datetime='2026-01-02T00:05:02Z']").wait_for()
    page.get_by_label("Advance by").fill("soon")
    page.get_by_role("button", name="Advance", exact=True).click()
    page.get_by_role("alert").get_by_text("soon").wait_for()
    page.get_by_label("Instant (UTC)").fill("2026-06-01T12:00:00")
    page.get_by_role("button", name="Set time").click()
    page.locator(".clock time[datetime='2026-06-01T12:00:00Z']").wait_for()
    post_job(server)
    page.get_by_label("Speed").fill("3600")
    page.get_by_role("button", name="Set speed").click()
    page.locator(".pace.scaled").wait_for()
    page.locator(".jobs-lanes .badge", has_text="done").wait_for()  # it ends by itself
    page.get_by_role("button", name="Freeze").click()
    page.locator(".pace.frozen").wait_for()
    assert now.count() == 1
    page.errors[:] = [one for one in page.errors if "400" not in one]  # the browser's own word for a refused call


def test_hundreds_of_jobs_stay_smooth(server, page):
    """Five hundred jobs are drawn, and follow the clock, without a pause that is felt."""
    for _ in range(500):
        post_job(server, 1)
    page.goto(server.address("jobs"))
    page.get_by_role("button", name="Show all 500 jobs").click()
    page.locator(".jobs-lanes li").nth(499).wait_for()
    page.evaluate(
        "() => { window.longest = 0; new PerformanceObserver((all) => { for (const one of all.getEntries())"
        " window.longest = Math.max(window.longest, one.duration); }).observe({entryTypes: ['longtask']}); }"
    )
    page.get_by_role("button", name="Run until idle").click()
    page.locator(".jobs-lanes .badge.good").nth(499).wait_for()
    assert page.evaluate("window.longest") < 2000  # some 100 ms on a quiet machine


def test_the_page_is_accessible(lanes, accessible):
    """Axe finds nothing in light and dark, and a phone's page does not scroll sideways."""
    assert accessible(lanes) == []
    lanes.get_by_role("tab", name="Table").click()
    assert accessible(lanes) == []
