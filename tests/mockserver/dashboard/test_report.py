"""The page of reports in a browser: its own server's, and the dashboard's, with reports in all formats."""

from contextlib import contextmanager
from threading import Thread

import orjson
import pytest

from contracts.openapi.provenance import FactSource
from generators.oracles.facts import BrokenFact
from generators.reports.junit_sarif import junit_xml, sarif_log
from generators.reports.model import Report, Row, json_lines
from mockserver.cli.report import report_server, url_of

pytestmark = pytest.mark.slow

EXCHANGE = """#7 POST http://x/bulk with 2 items → 200 {}
curl -X POST http://x/bulk
HTTP 200
Content-Type: text/plain

<b>done</b>"""
FACT = BrokenFact(place="x-bulk/unit of bulk", source=FactSource(says="stated", page="https://vendor.example/page"))
REPORT = Report(
    title="Books <i>1</i>",
    version="0.1.0",
    rows=(
        Row(
            id="count: one too few",
            group="bulk",
            says="Each item has an outcome.",
            status="failed",
            detail="Item 2 has no outcome.",
            evidence=(EXCHANGE,),
            fingerprint="aaaaaaaa11",
            facts=(FACT,),
            calls=("POST http://x/bulk with 2 items → 200 {}",),
            command="curl -X POST http://x/bulk",
        ),
        Row(id="key: wrong", group="bulk", says="Keys fit.", status="failed", fingerprint="b", cause="aaaaaaaa11"),
        Row(id="order", group="bulk", says="In order.", status="not-run", detail="No time was left."),
        Row(id="count", group="other", says="Each item has an outcome.", status="passed"),
    ),
    facts=(("seed", "0"),),
    coverage={("count", "bulk", "allOk"): 1200, ("count", "bulk", "someFailed"): 3},
)
FINDING = {
    "format": "bulkproof-finding/1",
    "law": "atomic",
    "operation": "bulk",
    "shape": "stays",
    "says": "It stays.",
    "fingerprint": "cccccccc",
    "tries": 3,
    "confirmed": 3,
    "steps": [{"operation": "bulk", "method": "POST", "path": ["bulk"], "json": [{"id": 1}]}],
    "places": ["file:///x.yaml#/paths/~1bulk/post/x-bulk"],
}

DROP = """text => {
  const data = new DataTransfer();
  data.items.add(new File([text], "dropped.xml"));
  document.querySelector(".report").dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true}));
}"""


@contextmanager
def shown(*files):
    given = [{"name": name, "text": text} for name, text in files]
    with report_server(given) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            yield url_of(server)
        finally:
            server.shutdown()


def test_a_finding_is_told_in_full(page):
    """Findings are by cause; one has its law, the fact that it breaks and its source, the call and its response."""
    with shown(("check.jsonl", json_lines(REPORT).decode())) as url:
        page.goto(url)
        page.get_by_role("heading", name="Books <i>1</i>").wait_for()
        page.get_by_text("2 failed", exact=True).wait_for()
        page.get_by_role("tab", name="Findings (1)").wait_for()
        finding = page.locator(".report-finding").first
        finding.get_by_text("Item 2 has no outcome.").wait_for()
        finding.get_by_text("Each item has an outcome.").wait_for()
        assert finding.get_by_role("link").get_attribute("href") == "https://vendor.example/page"
        finding.get_by_text("#7 POST http://x/bulk").click()
        finding.get_by_text("<b>done</b>").wait_for()
        page.get_by_text("1 more finding of this cause").click()
        page.get_by_text("Keys fit.").last.wait_for(state="attached")


def test_coverage_is_a_table_with_words(page):
    """Each law and operation has a cell that says what came of it; counts are numbers, darker where larger."""
    with shown(("fuzz.jsonl", json_lines(REPORT).decode())) as url:
        page.goto(url)
        page.get_by_role("tab", name="Coverage").click()
        results = page.get_by_role("table", name="Results by law and operation")
        rows = [row.inner_text().split("\t") for row in results.locator("tbody tr").all()]
        assert [["".join(cell.split("\n")).strip() for cell in row] for row in rows] == [
            ["count", "failed", "passed"],
            ["key", "failed", "nothing·"],
            ["order", "not run", "nothing·"],
        ]
        times = page.get_by_role("table", name="How often each outcome was judged, by operation")
        assert times.get_by_role("columnheader").all_inner_texts() == ["all done", "some failed"]
        assert "heat-5" in times.get_by_text("1,200").get_attribute("class")
        assert "heat-1" in times.get_by_text("3", exact=True).get_attribute("class")
        page.get_by_role("tab", name="Laws").click()
        page.locator("summary", has_text="Why laws were not run").click()
        page.get_by_text("No time was left.").wait_for()


@pytest.mark.parametrize("write", [json_lines, sarif_log, junit_xml], ids=["jsonl", "sarif", "junit"])
def test_each_format_is_read(page, write):
    """The findings, their causes and the results by law are the same whatever format they come in."""
    with shown(("report", write(REPORT).decode())) as url:
        page.goto(url)
        page.get_by_role("tab", name="Findings (1)").wait_for()
        page.get_by_text("1 not run", exact=True).wait_for()
        page.get_by_text("Item 2 has no outcome.").first.wait_for()
        page.get_by_text("x-bulk/unit of bulk").first.wait_for()


def test_findings_of_a_campaign_have_their_scripts(page):
    """A folder of findings is one report; each has its steps, its test to copy, and what runs its script."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    files = [
        ("f/finding.json", orjson.dumps(FINDING).decode()),
        ("f/test_finding.py", "def test(): ..."),
        ("f/replay.sh", "#"),
    ]
    with shown(*files) as url:
        page.goto(url)
        page.get_by_text("It stays. Reproduced 3/3.").wait_for()
        page.get_by_text("/paths//bulk/post/x-bulk").wait_for()
        page.get_by_role("button", name="Copy as pytest").click()
        page.get_by_role("status").filter(has_text="Copied").wait_for(state="attached")
        assert page.evaluate("navigator.clipboard.readText()") == "def test(): ..."
        page.get_by_role("button", name="Copy the command").click()
        page.wait_for_function("async () => (await navigator.clipboard.readText()) === \"sh 'f/replay.sh'\"")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it is empty."),
        ("hello", "it is no report."),
        ("<!doctype html><p>", "it is a page of HTML"),
        ("<testsuites><", "it is no well-formed XML."),
        ("<feed/>", "its root is <feed>, and not <testsuites>."),
        ('{"openapi": "3.1.0"}', "it is JSON, but no report."),
        ('{"report": "A"}\n{"row": "x"}', "line 2 is no row: it lacks “row” or “status”."),
        ('{"report": "A"}\nnope', "line 2 is no JSON object."),
    ],
)
def test_what_is_no_report_is_told_in_a_sentence(page, text, says):
    """The page says what the file is not, and what it takes."""
    with shown(("what.txt", text)) as url:
        page.goto(url)
        page.get_by_role("alert").get_by_text(f"what.txt: {says}").wait_for()
    page.errors[:] = [one for one in page.errors if "inline style" not in one]  # Chromium's own page on bad XML


def test_the_dashboard_opens_files(server, page, tmp_path):
    """Files that are chosen, or dropped on the page, are read in the browser: the server hears nothing of them."""
    path = tmp_path / "check.jsonl"
    path.write_bytes(json_lines(REPORT))
    page.goto(server.address("report"))
    page.get_by_text("drop its file here").wait_for()
    asked = []

    def note(one):
        asked.append(one.url)

    page.on("request", note)
    page.get_by_label("Files of reports").set_input_files(path)
    page.get_by_text("Item 2 has no outcome.").wait_for()
    page.evaluate(DROP, junit_xml(REPORT).decode().replace("Item 2", "Item 3"))
    page.get_by_text("Item 3 has no outcome.").wait_for()
    page.remove_listener("request", note)
    assert asked == []


def test_the_page_is_accessible(page, accessible):
    """Axe finds nothing in light and dark on any tab, and a phone's page does not scroll sideways."""
    with shown(("fuzz.jsonl", json_lines(REPORT).decode()), ("no", "no")) as url:
        page.goto(url)
        for tab in ("Findings", "Laws", "Coverage"):
            page.get_by_role("tab", name=tab).click()
            assert accessible(page) == []
