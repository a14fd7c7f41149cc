"""The dashboard's shell in a browser: navigation, the choice of a sandbox, its clock, the connection, the token."""

import pytest

pytestmark = pytest.mark.slow


def test_a_browser_at_the_root_sees_the_journal(server, page):
    """`GET /` leads to the dashboard, whose first page is the journal of the sandbox `default`."""
    page.goto(server.running.url)
    assert page.url.endswith("/_sandbox/ui")
    page.get_by_role("heading", name="Journal").wait_for()
    assert page.title() == "Journal · default · Bulkproof"
    assert page.get_by_role("link", name="Journal").get_attribute("aria-current") == "page"
    page.get_by_text("live", exact=True).wait_for()


def test_the_clock_is_that_of_the_sandbox(server, page):
    """The header shows the sandbox's time and pace, and follows whoever changes them."""
    page.goto(server.address("journal"))
    clock = page.locator(".clock")
    clock.get_by_text("frozen").wait_for()
    assert clock.locator("time").get_attribute("datetime") == "2026-01-01T00:00:00Z"
    server.control("POST", "clock/advance", {"by": "PT5M"})
    page.locator("time[datetime='2026-01-01T00:05:00Z']").wait_for()
    server.control("POST", "reset", {"clock": {"mode": "scaled", "factor": 60}})
    clock.get_by_text(" 60").wait_for()


def test_the_sandbox_is_chosen_by_the_header(server, page):
    """The switcher lists the sandboxes, and leads to the same page of another one."""
    for name in ("default", "other-one"):
        server.send("POST", f"/_sandbox/sandboxes/{name}/reset", {})
    page.goto(server.address("journal"))
    page.get_by_text("live", exact=True).wait_for()
    page.get_by_label("Sandbox").select_option("other-one")
    page.wait_for_url("**/ui#/@other-one/journal")
    page.get_by_label("Sandbox").select_option("default")
    page.wait_for_url("**/ui#/journal")


def test_a_dropped_sandbox_is_not_made_again_by_looking_at_it(server, page):
    """The page says that it was dropped, and makes it again only when asked to."""
    server.control("POST", "reset", {})
    page.goto(server.address("journal"))
    for text in ("live", "frozen"):  # the page has read all that it wants to know
        page.get_by_text(text, exact=True).wait_for()
    page.get_by_text("Nothing has been asked of this sandbox yet.").wait_for()
    server.control("DELETE")
    page.get_by_text("was dropped").wait_for()
    assert server.sandbox not in str(server.send("GET", "/_sandbox/sandboxes").data)
    page.get_by_role("button", name="Create it again").click()
    page.get_by_text("live", exact=True).wait_for()
    assert server.sandbox in str(server.send("GET", "/_sandbox/sandboxes").data)


def test_pages_follow_what_another_client_changes(server, page):
    """Scenarios, settings, an emptied journal, and sandboxes that come and go, without a reload."""
    page.goto(server.address("scenarios"))
    page.get_by_text("None: every call is answered").wait_for()
    server.control("PUT", "scenarios", {"scenarios": ["never-ends"]})
    page.get_by_role("button", name="Deactivate never-ends").wait_for()
    page.goto(server.address("sandboxes", "settings"))
    page.get_by_label("lenientJson").wait_for()
    server.control("PATCH", "settings", {"lenientJson": True})
    page.locator("input[type=checkbox]:checked").first.wait_for()
    server.call("GET", "/genero/api/v1/block")
    page.goto(server.address("journal"))
    page.get_by_text("1 exchange", exact=True).wait_for()
    server.control("DELETE", "exchanges")
    page.get_by_text("Nothing has been asked of this sandbox yet.").wait_for()
    server.send("POST", f"/_sandbox/sandboxes/{server.sandbox}-new/reset", {})
    page.get_by_label("Sandbox").locator(f"option[value='{server.sandbox}-new']").wait_for(state="attached")


def test_the_token_is_asked_for(serving, page):
    """A server with a token is asked with it: a wrong one is told, the right one is kept for the tab."""
    running = serving("genero", control_token="secret").running
    page.goto(f"{running.url}/_sandbox/ui")
    page.get_by_label("Token", exact=True).fill("guess")
    page.keyboard.press("Enter")
    page.get_by_text("does not take this token").wait_for()
    page.get_by_label("Token", exact=True).fill("secret")
    page.get_by_role("button", name="Use it").click()
    page.get_by_text("live", exact=True).wait_for()
    page.reload()
    page.get_by_text("live", exact=True).wait_for()
    page.errors[:] = [one for one in page.errors if "401" not in one]  # the browser's own word for a refused call


def test_a_page_that_does_not_exist_is_told(server, page):
    """An address that no page has leads back to the journal."""
    page.goto(server.address("nowhere"))
    page.get_by_role("link", name="Go to the journal").click()
    page.get_by_role("heading", name="Journal").wait_for()


def test_the_shell_is_accessible(server, page, accessible):
    """Axe finds nothing in light and dark, and a phone's page does not scroll sideways."""
    page.goto(server.address("journal"))
    page.get_by_text("live", exact=True).wait_for(state="attached")
    page.get_by_role("heading", name="Journal").wait_for()
    assert accessible(page) == []
