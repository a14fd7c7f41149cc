"""How long the dashboard takes in a browser, with 10,000 exchanges in the journal: `python benchmarks/dashboard.py`.

It needs the extra `test` and a chromium; all is on this machine, the server in a thread beside the browser.
"""

import json
import shutil
import time
from http.client import HTTPConnection
from statistics import median

from playwright.sync_api import Page, sync_playwright

from mockserver.apis.sources import find_sources
from mockserver.http.lifecycle import in_thread

EXCHANGES = 10_000
ROUNDS = 20
FULL = f"{EXCHANGES:,} exchanges"
BATCH = "/onkey/api/tenants/contoso/sandbox/modules/risk/assetimportances/batch?mode=PerRecord"
TYPE = {"Content-Type": "application/vnd.onkey.entitycollection+json"}
OPENED = """async () => {
  const begun = performance.now();
  location.hash = "#/journal";
  while (!document.querySelector("tbody tr.opens")) await new Promise(requestAnimationFrame);
  return performance.now() - begun;
}"""
WATCHED = """() => {
  window.shown = {};
  const look = () => { window.shown[document.querySelector("tbody tr.opens td.n")?.textContent] ??= Date.now(); };
  const all = {subtree: true, childList: true, characterData: true};
  new MutationObserver(look).observe(document.querySelector("main"), all);
}"""
FILTERED = """async () => {
  const field = document.querySelector("input[type=search]");
  const begun = performance.now();
  field.value = "C77";
  field.dispatchEvent(new Event("input", {bubbles: true}));
  await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  return performance.now() - begun;
}"""


def main() -> None:
    """Print a table of milliseconds."""
    apis = [source.load() for source in find_sources(("genero", "onkey"))]
    with in_thread(apis) as running, sync_playwright() as playwright:
        connection = HTTPConnection("127.0.0.1", running.port)
        for n in range(EXCHANGES):
            send(connection, n)
        executable = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"{running.url}/_sandbox/ui")
        page.get_by_text(FULL, exact=True).wait_for()
        tell("the journal's page is opened", opened(page))
        page.evaluate(WATCHED)
        tell("a new exchange is on top, from its request on", [live(page, connection, n) for n in range(ROUNDS)])
        tell("a filter is typed", [page.evaluate(FILTERED)])
        browser.close()


def send(connection: HTTPConnection, n: int) -> None:
    """Send a batch of two for each tenth exchange, else a read."""
    if n % 10:
        connection.request("GET", f"/genero/api/v1/block/b{n}")
    else:
        records = [
            {"userObjectId": f"{n}", "properties": {"code": f"C{n}", "description": text}} for text in ("D", None)
        ]
        connection.request("POST", BATCH, json.dumps(records), TYPE)
    connection.getresponse().read()


def opened(page: Page) -> list[float]:
    """Return how long it takes from another page to the rows, for each time."""
    found = []
    for _ in range(ROUNDS):
        page.evaluate("location.hash = '#/nowhere'")
        page.get_by_text("Go to the journal").wait_for()
        found.append(page.evaluate(OPENED))
        page.get_by_text(FULL, exact=True).wait_for()
    return found


def live(page: Page, connection: HTTPConnection, n: int) -> float:
    """Return how long it takes from sending a request to seeing its row."""
    begun = time.time() * 1000
    send(connection, n)
    page.wait_for_timeout(100)
    return max(page.evaluate("window.shown").values()) - begun


def tell(what: str, times: list[float]) -> None:
    """Print the median and the longest of times in milliseconds."""
    print(f"{what:<48} {median(times):6.0f} ms, at most {max(times):.0f} ms")


if __name__ == "__main__":
    main()
