"""What tests of the dashboard share: a server with both bundled APIs, a browser, a page of it, and axe-core.

`page` fails its test when the browser reports an error or a breach of the Content Security Policy.
"""

import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
AXE_OPTIONS = {
    "resultTypes": ["violations"],
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]},
}
COLOUR_RULES = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
SCHEMES = {"light": AXE_OPTIONS, "dark": {**AXE_OPTIONS, "runOnly": COLOUR_RULES}}  # what differs are colours


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Return a headless Chromium; skip where there is none.

    Playwright's event loop runs as long as it is there, and tests of other modules have loops of their own.
    """
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - other tests need no browser

    if CHROMIUM is None:
        pytest.skip("there is no chromium (Debian's package `chromium`)")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


@pytest.fixture
def server(serving: Callable[..., Any]) -> Any:
    """Return a client of a server with both bundled APIs, with a sandbox of its own on a frozen clock.

    `server.call` and `server.control` make traffic, `server.address(page, ...)` is the address of a page.
    """
    client = serving("genero", "onkey", mode="frozen")
    client.address = lambda *segments: "/".join(
        [f"{client.running.url}/_sandbox/ui#", f"@{client.sandbox}", *map(str, segments)]
    )
    return client


@pytest.fixture
def page(browser: "Browser") -> Iterator["Page"]:
    """Return a fresh page of a desktop's size; errors in its console fail the test, `page.errors` has them."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    found = context.new_page()
    found.set_default_timeout(10_000)
    found.errors = []
    found.on("pageerror", lambda error: found.errors.append(str(error)))
    found.on("console", lambda one: found.errors.append(one.text) if one.type == "error" else None)
    yield found
    context.close()
    assert found.errors == []


@pytest.fixture
def accessible() -> Callable[["Page"], list[str]]:
    """Return a function that runs axe-core on a page in light and dark, and returns what it finds."""
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 - other tests need no browser

    def findings(page: "Page") -> list[str]:
        found = []
        for scheme, options in SCHEMES.items():
            page.emulate_media(color_scheme=scheme)
            for one in Axe().run(page, options=options).response["violations"]:
                targets = "; ".join(str(node["target"]) for node in one["nodes"][:3])
                found.append(f"{scheme}: {one['id']}: {one['help']}: {targets}")
        page.emulate_media(color_scheme="light")
        return found

    return findings
