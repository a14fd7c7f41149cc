"""What tests of the dashboard share: a server with both bundled APIs, a browser, a page of it, and axe-core.

`page` fails its test when the browser reports an error or a breach of the Content Security Policy.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import pytest
from sampling import ALL

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Page

HERE = Path(__file__).parent
DESKTOP = {"width": 1280, "height": 800}
PHONE = 360  # its width
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
AXE_OPTIONS = {
    "resultTypes": ["violations"],
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]},
}
FIRST_ROWS = {"exclude": [] if ALL else [["tr:nth-child(n + 13)"]]}  # contrast is costly, and further rows are alike
COLOUR_RULES = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
OVER: list[str] = []  # names of sandboxes
SCHEMES = {"light": AXE_OPTIONS, "dark": {**AXE_OPTIONS, "runOnly": COLOUR_RULES}}  # what differs are colours


@dataclass
class Tab:
    """A browser with one page that all tests of this folder use, one after the other: each start costs a second."""

    stack: ExitStack = field(default_factory=ExitStack)
    page: "Page | None" = None

    def open(self) -> "Page":
        """Return the page, of a headless Chromium that is started the first time; skip where there is none."""
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - other tests need no browser

        if CHROMIUM is None:
            pytest.skip("there is no chromium (Debian's package `chromium`)")
        if self.page is None:
            playwright = self.stack.enter_context(sync_playwright())
            arguments = ["--no-sandbox", "--disable-gpu", "--in-process-gpu"]
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
            self.stack.callback(browser.close)
            page = browser.new_context(viewport=DESKTOP, reduced_motion="reduce").new_page()
            page.set_default_timeout(10_000)
            page.errors = []
            page.on("pageerror", lambda error: page.errors.append(str(error)))
            page.on("console", lambda one: page.errors.append(one.text) if _is_error(one) else None)
            self.page = page
        return self.page

    def clear(self, *, is_served: bool) -> None:
        """Forget what a test has left: its page, its viewport, what is stored, and what was permitted.

        Another page of a server that goes on costs less than one of nobody, for which Chromium starts a process.
        """
        self.page.evaluate("sessionStorage.clear(); localStorage.clear()")
        self.page.goto(urljoin(self.page.url, "/_sandbox/health") if is_served else "about:blank")
        self.page.context.clear_permissions()
        self.page.context.clear_cookies()
        self.page.set_viewport_size(DESKTOP)
        self.page.emulate_media(color_scheme="light")

    def close(self) -> None:
        """End the browser."""
        self.page = None
        self.stack.close()


def _is_error(message: "ConsoleMessage") -> bool:
    """Tell whether a message is an error of a page under test; that between two tests has no icon."""
    return message.type == "error" and not message.location["url"].endswith("/favicon.ico")


TAB = Tab()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Iterator[None]:
    """End the browser after the last test here: its event loop runs until then, and other tests have their own."""
    yield
    if nextitem is None or not nextitem.path.is_relative_to(HERE):
        TAB.close()


@pytest.fixture
def server(serving: Callable[..., Any]) -> Any:
    """Return a client of a server with both bundled APIs, with a sandbox of its own on a frozen clock.

    `server.call` and `server.control` make traffic, `server.address(page, ...)` is the address of a page. Sandboxes of
    tests that are over, which no page shows any more, are dropped: lists of them stay short.
    """
    client = serving("genero", "onkey", mode="frozen")
    while OVER:
        client.send("DELETE", f"/_sandbox/sandboxes/{OVER.pop()}")
    OVER.append(client.sandbox)
    client.address = lambda *segments: "/".join(
        [f"{client.running.url}/_sandbox/ui#", f"@{client.sandbox}", *map(str, segments)]
    )
    return client


@pytest.fixture
def page(request: pytest.FixtureRequest) -> Iterator["Page"]:
    """Return an empty page of a desktop's size; errors in its console fail the test, `page.errors` has them."""
    found = TAB.open()
    found.errors.clear()
    yield found
    errors = list(found.errors)
    TAB.clear(is_served="serving" in request.fixturenames)
    assert errors == []


@pytest.fixture
def accessible() -> Callable[["Page"], list[str]]:
    """Return a function that looks at a page as wide as a desktop's and a phone's, and returns what is wrong.

    That is what axe-core finds in light and dark, and that the page scrolls sideways.
    """
    from axe_playwright_python.base import AXE_SCRIPT  # noqa: PLC0415 - other tests need no browser

    def findings(page: "Page") -> list[str]:
        if page.evaluate("typeof axe") == "undefined":
            page.evaluate(AXE_SCRIPT)
        found = [one for width in (DESKTOP["width"], PHONE) for one in findings_at(page, width)]
        page.set_viewport_size(DESKTOP)
        return found

    def findings_at(page: "Page", width: int) -> list[str]:
        page.set_viewport_size({**DESKTOP, "width": width})
        page.evaluate("scrollTo(0, 0)")  # else the header covers parts of what was scrolled, and those are too small
        found = []
        for scheme, options in SCHEMES.items():
            page.emulate_media(color_scheme=scheme)
            for one in page.evaluate(f"axe.run({json.dumps(FIRST_ROWS)}, {json.dumps(options)})")["violations"]:
                targets = "; ".join(str(node["target"]) for node in one["nodes"][:3])
                found.append(f"{width} {scheme}: {one['id']}: {one['help']}: {targets}")
        page.emulate_media(color_scheme="light")
        is_wider = page.evaluate("document.documentElement.scrollWidth") > width
        return [*found, f"{width}: it scrolls sideways"] if is_wider else found

    return findings
