"""Pictures of the dashboard, `pictures/*.png`: a server with a client's morning in it, as a browser shows it.

They need the extra `test`, for Playwright, and Chromium. They show this version; no test compares them.
"""

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mockserver.apis.sources import BUNDLED, find_sources
from mockserver.http.lifecycle import in_thread
from mockserver.http.service import Options

if TYPE_CHECKING:
    from playwright.sync_api import Page

FOLDER = Path(__file__).parents[1] / "pictures"
SANDBOX, CLIENTS = "nightly", ("billing", "smoke-test")
START = "2026-03-02T08:00:00Z"
WIDTH, HEIGHT, SETTLED = 1280, 780, 800  # pixels, and milliseconds until what is drawn late is there
JSON = "application/json"
RECORDS = "application/vnd.onkey.entitycollection+json"
IMPORTANCES = "onkey/api/tenants/contoso/sandbox/modules/risk/assetimportances"


BOTTOM = "Math.max(...[...document.querySelectorAll('main *')].map((one) => one.getBoundingClientRect().bottom))"


@dataclass(frozen=True)
class Client:
    """A client of a sandbox, and who moves its clock."""

    url: str
    sandbox: str = SANDBOX

    def call(self, method: str, path: str, body: object = None, kind: str = JSON) -> Any:
        """Return the answer of an API; what it refuses, and a connection that breaks, is part of the morning."""
        with suppress(urllib.error.HTTPError, ConnectionError, urllib.error.URLError):
            return self._sent(method, f"{self.url}/@{self.sandbox}/{path}", body, kind)
        return None

    def control(self, method: str, path: str, body: object = None) -> Any:
        """Return the answer of the control API."""
        return self._sent(method, f"{self.url}/_sandbox/sandboxes/{self.sandbox}/{path}", body, JSON)

    def advance(self, length: str) -> None:
        """Move the clock."""
        self.control("POST", "clock/advance", {"by": length})

    def _sent(self, method: str, url: str, body: object, kind: str) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": kind}, method=method)  # noqa: S310 - our own server
        with urllib.request.urlopen(request) as reply:  # noqa: S310 - the same
            text = reply.read()
        return json.loads(text) if text else None


def write() -> None:
    """Write all pictures."""
    FOLDER.mkdir(exist_ok=True)
    apis = [source.load() for source in find_sources(BUNDLED)]
    with in_thread(apis, Options(mode="frozen", seed=7)) as running, _browser() as page:
        for name in CLIENTS:
            Client(running.url, name).control("POST", "reset", {"clock": {"mode": "frozen", "now": START}})
        morning(Client(running.url))
        for name, path, shown, *clicked in PICTURES:
            page.goto(f"{running.url}/_sandbox/ui#/{path}")
            page.reload()
            main = page.locator("main")
            main.get_by_text(shown).locator("visible=true").first.wait_for()
            for text in clicked:
                main.get_by_text(text, exact=True).first.click()
                page.wait_for_timeout(SETTLED)
            page.wait_for_timeout(SETTLED)
            clip = {"x": 0, "y": 0, "width": WIDTH, "height": min(HEIGHT, page.evaluate(BOTTOM) + 16)}
            page.screenshot(path=FOLDER / f"{name}.png", clip=clip)


def morning(client: Client) -> None:
    """Make traffic: batches that are done in part, jobs polled well and too early, a reset, a resent batch."""
    client.control("POST", "reset", {"clock": {"mode": "frozen", "now": START}})
    blocks = [{"blockId": f"block-{n}", "name": f"Spring campaign {n}"} for n in range(1, 7)]
    tenants = {"generoTenantIds": ["publicapitest", "publicapitestWRONG"], "data": blocks[:2]}
    client.call("POST", "genero/api/v1/block/multitenant/postJob", tenants)
    client.advance("5m")
    client.call("GET", "genero/api/v1/block")
    client.control("PUT", "scenarios", {"scenarios": ["job-with-errors"]})
    job = client.call("POST", "genero/api/v1/block/postJob", blocks)["correlationId"]
    for length in ("1m", "4m"):
        client.advance(length)
        client.call("GET", f"genero/api/v1/block/jobStatus/{job}")
    client.control("DELETE", "scenarios")
    again = client.call("POST", "genero/api/v1/block/postJob", blocks)["correlationId"]
    client.advance("5m")
    client.call("GET", f"genero/api/v1/block/jobStatus/{again}")
    importances = [
        {"userObjectId": f"row {n}", "properties": {"code": code, "description": text}}
        for n, (code, text) in enumerate([("LOW", "Low"), ("MID", "Middle"), ("HIGH", None), ("TOP", "Top")], 1)
    ]
    client.call("POST", f"{IMPORTANCES}/batch?mode=PerRecord", importances, RECORDS)
    client.call("POST", f"{IMPORTANCES}/batch?mode=AllOrNone", importances, RECORDS)
    client.advance("30s")
    client.control("PUT", "scenarios", {"scenarios": ["connection-reset-once"]})
    mended = [{**importances[2], "properties": {"code": "HIGH", "description": "High"}}]
    client.call("POST", f"{IMPORTANCES}/batch?mode=PerRecord", mended, RECORDS)
    client.control("PUT", "scenarios", {"scenarios": ["one-item-fails"]})
    more = [
        {**one, "properties": {"code": f"PLANT-{n}", "description": f"Plant {n}"}} for n, one in enumerate(importances)
    ]
    client.call("POST", f"{IMPORTANCES}/batch?mode=PerRecord", more, RECORDS)
    slow = {"when": {"operation": "postJob"}, "then": {"duration": "14m", "progress": "linear"}}
    client.control("PUT", "scenarios", {"scenarios": [{"name": "slow-job", "rules": [slow]}]})
    new = [{"blockId": f"block-{n}", "name": f"Summer campaign {n}"} for n in range(7, 11)]
    job = client.call("POST", "genero/api/v1/block/postJob", new)["correlationId"]
    for length in ("5m", "2m", "3m", "5m"):
        client.advance(length)
        client.call("GET", f"genero/api/v1/block/jobStatus/{job}")
    client.control("PUT", "scenarios", {"scenarios": ["first-job-never-ends", "flaky-connection"]})
    blocks = [{"blockId": "block-11", "name": "Autumn campaign"}]
    client.call("POST", "genero/api/v1/block/postJob", blocks)
    client.advance("4m")


@contextmanager
def _browser() -> "Iterator[Page]":
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - the other pages need no browser

    with sync_playwright() as playwright:
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        size = {"width": WIDTH, "height": HEIGHT}
        looks = {"device_scale_factor": 2, "color_scheme": "light", "reduced_motion": "reduce", "locale": "en-GB"}
        yield browser.new_context(viewport=size, **looks).new_page()
        browser.close()


PICTURES = (  # file, address, a text that is there when the page is, and what is clicked then
    ("journal", f"@{SANDBOX}/journal", "postMultiTenantJob"),
    ("exchange", f"@{SANDBOX}/journal/11", "batchCreate"),
    ("jobs", f"@{SANDBOX}/jobs", "poll too soon"),
    ("verdict", f"@{SANDBOX}/verdict", "resent-only-failed"),
    ("scenarios", f"@{SANDBOX}/scenarios", "all-items-fail"),
    ("state", f"@{SANDBOX}/state", "block-1"),
    ("contract", f"@{CLIENTS[0]}/contract/onkey/batchCreate", "What a batch means", "Try it", "Send"),
)
