"""A report with hostile names in a real browser: they are shown as text, and nothing of them is run or fetched."""

import re
import shutil
import subprocess
from contextlib import contextmanager
from html import unescape
from http.server import BaseHTTPRequestHandler

import pytest
from children import HANGS
from http_servers import served

from generators.reports.html import POLICY, html_page
from generators.reports.model import Report, Row

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
HOSTILE = [
    "<script>document.title = 'pwned'; fetch('{url}')</script>",
    "<img src=x onerror=\"document.title = 'pwned'; new Image().src = '{url}'\">",
    "</style></title></pre></code><script src='{url}'></script>",
    '"><svg onload="document.title = \'pwned\'">',
    "' onmouseover='document.title = `pwned`' x='",
    "<iframe src='{url}'></iframe><link rel=stylesheet href='{url}'><style>@import '{url}';</style>",
    "<meta http-equiv=refresh content='0; url={url}'><base href='{url}'><form action='{url}'>",
    "javascript:document.title='pwned'",
    "&lt;script&gt; &#60;script&#62; \0 \u202e \ud800 \r\n]]>--><!--",
]


def page(url):
    """Return a report that has each hostile text wherever a report has one."""
    texts = [one.replace("{url}", url) for one in HOSTILE]
    rows = [
        Row(id=one, group=one, says=one, status="failed", detail=one, evidence=(one, f"{one}\n{one}", 3))
        for one in texts
    ]
    facts = tuple((one, one) for one in texts)
    return html_page(Report(title="".join(texts), version=texts[0], rows=tuple(rows), facts=facts, failure=texts[1]))


def test_a_page_has_a_strict_policy_before_all_else():
    """Neither scripts nor requests nor forms are allowed, and no text begins an element."""
    text = page("http://127.0.0.1:1/").decode()
    head, _, rest = text.partition(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">')
    assert re.sub(r"\s", "", head) == '<!doctypehtml><htmllang="en"><metacharset="utf-8">'
    assert POLICY.startswith("default-src 'none'")
    assert not re.search(r"<(script|img|svg|iframe|form|base|object|a)\b", rest, re.IGNORECASE)
    assert rest.count("<meta") == 2
    assert rest.count("<style") == 1


@contextmanager
def watched(asked):
    """Serve nothing, and note what is asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

    with served(Handler) as url:
        yield f"{url}/evil"


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium (Debian's package `chromium`)")
def test_a_browser_shows_hostile_names_as_text(tmp_path):
    """The title is the report's own, nothing was asked for, and the texts are there to read."""
    asked = []
    with watched(asked) as url:
        (tmp_path / "report.html").write_bytes(page(url))
        quiet = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
        words = (
            CHROMIUM,
            *quiet,
            "--virtual-time-budget=5000",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--dump-dom",
        )
        done = subprocess.run(
            [*words, (tmp_path / "report.html").as_uri()], capture_output=True, text=True, check=True, timeout=HANGS
        )
    assert asked == []
    title = unescape(re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)[1])
    assert title.startswith("9 failed")
    shown = unescape(re.sub(r"<[^>]*>", "", done.stdout))
    assert HOSTILE[0].replace("{url}", url) in shown
