"""The verdict page: laws that clients broke with the exchanges that show it, laws that held, laws that nobody tried."""

import pytest

pytestmark = pytest.mark.slow
BLOCKS = "/genero/api/v1/block"
BATCH = [{"blockId": "b1", "name": "<img src=x onerror=alert(1)>"}]


@pytest.fixture
def verdict(server, page):
    """Return the verdict's page, which is live."""
    page.goto(server.address("verdict"))
    page.get_by_text("live", exact=True).wait_for()
    return page


def poll_too_early(server):
    """Post a job, and poll it at once."""
    job = server.call("POST", f"{BLOCKS}/postJob", BATCH).data["correlationId"]
    server.call("GET", f"{BLOCKS}/jobStatus/{job}")


def test_a_verdict_on_nothing_says_so(verdict):
    """No law has been exercised; all of them can be read."""
    verdict.get_by_text("No law has been exercised yet.").wait_for()
    verdict.locator("summary").click()
    verdict.get_by_role("cell", name="poll-interval").wait_for()


def test_a_law_is_broken_before_one_s_eyes(server, verdict):
    """The page follows what clients do; a law that failed names its exchanges, which are a click away."""
    poll_too_early(server)
    failed = verdict.get_by_role("article", name="poll-interval")
    failed.wait_for()
    assert "Polls a job every 5 minutes" in failed.inner_text()
    assert "#2 polled 0 s after #1" in failed.inner_text()
    failed.get_by_text("jobStatus").wait_for()
    passed = verdict.get_by_role("group", name="Laws that passed")
    passed.get_by_role("cell", name="one-active-job").wait_for()
    assert not verdict.get_by_role("group", name="Laws that were not run").is_visible()
    failed.get_by_role("link", name="Exchange 2").click()
    verdict.get_by_role("heading", name="2 jobStatus").wait_for()


def test_a_verdict_is_asked_for_and_saved(server, verdict):
    """By its button it is judged anew; it is saved as what the command writes."""
    poll_too_early(server)
    verdict.get_by_role("article", name="poll-interval").wait_for()
    with verdict.expect_response(lambda answer: answer.url.endswith("/verdict")):
        verdict.get_by_role("button", name="Judge again").click()
    for label, beginning in (("HTML", "<!doctype html>"), ("JUnit", "<?xml"), ("SARIF", "{")):
        with verdict.expect_download() as saved:
            verdict.get_by_role("button", name=f"Save as {label}").click()
        assert saved.value.path().read_text("utf-8").lower().startswith(beginning)


def test_a_reset_is_judged(server, verdict):
    """What was held against a client goes with its exchanges."""
    poll_too_early(server)
    verdict.get_by_role("article", name="poll-interval").wait_for()
    server.control("POST", "reset", {})
    verdict.get_by_text("No law has been exercised yet.").wait_for()


def test_the_verdict_is_accessible(server, verdict, accessible):
    """Axe finds nothing in light and dark, and a phone does not scroll sideways."""
    poll_too_early(server)
    verdict.get_by_role("article", name="poll-interval").wait_for()
    verdict.locator("summary").click()
    assert accessible(verdict) == []
