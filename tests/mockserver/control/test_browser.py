"""A page in a real browser: one of another origin can neither read a sandbox nor change it, one of its own can."""

import json
import re
import shutil
import subprocess
from contextlib import contextmanager
from html import unescape
from http.server import BaseHTTPRequestHandler

import pytest
from children import HANGS
from http_servers import served

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium (Debian's package `chromium`)"),
]
PAGE = """<!doctype html><title>A page of somebody</title><pre id="told">waiting</pre><script>
const calls = %s
async function ask([address, options]) {
  try {
    const answer = await fetch(address, options)
    return [answer.type, answer.status, (await answer.text()).slice(0, 80)]
  } catch (error) { return ["refused", 0, ""] }
}
(async () => {
  const told = []
  for (const one of calls) told.push(await ask(one))
  document.getElementById("told").textContent = JSON.stringify(told)
})()
</script>"""


@contextmanager
def page(calls):
    """Serve a page that makes calls with `fetch`; yield its port."""
    content = (PAGE % json.dumps(calls).replace("<", "\\u003c")).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(content)

    with served(Handler) as url:
        yield url.rpartition(":")[2]


def opened(address, folder):
    """Open a page in the browser, and return what it shows once its calls are answered."""
    quiet = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
    names = "--host-resolver-rules=MAP *.example 127.0.0.1"
    words = (CHROMIUM, *quiet, "--virtual-time-budget=20000", names, f"--user-data-dir={folder}", "--dump-dom", address)
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=HANGS).stdout


def told(address, folder):
    """Open a page in the browser, and return what its calls were answered."""
    return json.loads(unescape(re.search(r'<pre id="told">(.*?)</pre>', opened(address, folder), re.DOTALL)[1]))


CHANGES = [
    {"method": "POST", "mode": "no-cors"},
    {"method": "POST", "mode": "no-cors", "headers": {"Content-Type": "text/plain"}, "body": '{"seed": 7}'},
    {"method": "POST", "headers": {"Content-Type": "application/json"}, "body": '{"seed": 7}'},
    {"method": "POST", "headers": {"Content-Type": "application/json"}, "body": "{}", "credentials": "include"},
]


@pytest.mark.parametrize("name", ["127.0.0.1", "evil.example"], ids=["another port", "rebound"])
def test_a_page_of_another_origin_can_neither_read_nor_change(name, serving, tmp_path):
    """Neither by calls to loopback, nor by calls to a name of its own that leads there (DNS rebinding)."""
    client = serving("genero")
    assert client.call("GET", "/genero/api/v1/block").status == 200
    base = f"http://{name}:{client.running.port}/_sandbox/sandboxes/{client.sandbox}"
    reads = [(f"{base}/exchanges", {}), (f"{base}/exchanges", {"mode": "no-cors"}), (f"{base}/settings", {})]
    calls = [*reads, *((f"{base}/reset", one) for one in CHANGES), (base, {"method": "DELETE"})]
    with page(calls) as port:
        answers = told(f"http://{name}:{port}/", tmp_path)
    assert {text for _, _, text in answers} == {""}, answers
    assert {kind for kind, _, _ in answers} <= {"opaque", "refused"}, answers
    assert len(client.control("GET", "exchanges").data["exchanges"]) == 1


def test_a_page_of_a_rebound_name_is_no_page_of_the_server(serving, tmp_path):
    """A page that a foreign name serves from the very port of the sandbox reads nothing either: the name is refused."""
    client = serving("genero")
    address = f"http://evil.example:{client.running.port}/_sandbox/sandboxes/{client.sandbox}/exchanges"
    shown = opened(address, tmp_path)
    assert "is not one of this server" in shown
    own = opened(address.replace("evil.example", "127.0.0.1"), tmp_path)
    assert "exchanges" in own
