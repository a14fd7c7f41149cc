"""The dashboard's files as they are served: what a browser may do with them, and who gets them."""

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from zipfile import ZipFile

import pytest

from contracts.messages import Headers
from mockserver.apis.sources import find_sources
from mockserver.dashboard.files import CONTENT_SECURITY_POLICY, STATIC
from mockserver.http.service import Destination, Options, Service

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"}
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
FILES = sorted(path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file())
ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
THINGS = """
openapi: 3.1.0
info: {title: Things, version: '1'}
paths: {%s: {get: {operationId: home, responses: {'200': {description: It.}}}}}
"""


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_served_as_what_it_is(serving, name):
    """A file has its media type and the policy; a browser that has it gets it no second time."""
    client = serving("genero")
    answer = client.send("GET", f"/_sandbox/ui/{name}")
    assert (answer.status, answer.body) == (200, (STATIC / name).read_bytes())
    assert answer.headers["content-type"] == TYPES[f".{name.rpartition('.')[2]}"]
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-cache"
    again = client.send("GET", f"/_sandbox/ui/{name}", headers={"If-None-Match": f'"x", W/{answer.headers["etag"]}'})
    assert (again.status, again.body) == (304, b"")


def test_the_policy_allows_nothing_inline_and_no_other_host():
    """No `unsafe` word, no host, no scheme but `data:` for pictures."""
    policy = dict(part.strip().split(" ", 1) for part in CONTENT_SECURITY_POLICY.split(";"))
    assert policy.pop("img-src") == "'self' data:"
    assert set(policy.values()) == {"'none'", "'self'"}
    page = (STATIC / "index.html").read_text("utf-8")
    assert not re.search(r"style=|\son\w+=|<style|<script(?![^>]*src=)|https?:", page)


@pytest.mark.parametrize(
    "name", ["x.js", "pages/x.js", "../files.py", "%2e%2e/files.py", "..%2ffiles.py", "vendor/..", ""]
)
def test_nothing_else_is_served(serving, name):
    """A name that is no file's is not found, whatever it looks like."""
    assert serving("genero").send("GET", f"/_sandbox/ui/{name}").status == 404


def test_files_of_pages_are_listed_where_pages_are():
    """Each module of a page is in the list of pages, and each listed page has its module."""
    listed = re.findall(r'import\("\./pages/([\w-]+)\.js"\)', (STATIC / "app.js").read_text("utf-8"))
    assert set(listed) <= {path.stem for path in (STATIC / "pages").glob("*.js")}
    assert len(listed) == len(set(listed))


def test_modules_are_short():
    """No module of the dashboard is longer than 400 lines; that of others counts not."""
    long = {name: len((STATIC / name).read_text("utf-8").splitlines()) for name in FILES if "vendor/" not in name}
    assert {name: count for name, count in long.items() if count > 400} == {}


@pytest.mark.parametrize(
    ("target", "accept", "status"),
    [
        ("/", BROWSER["Accept"], 302),
        ("/", "text/html", 302),
        ("/", "*/*", 404),
        ("/", "application/json", 404),
        ("/", "application/json, text/html;q=0.9", 404),
        ("/", "text/html;q=0, */*", 404),
        ("/", "", 404),
        ("/_sandbox/ui/", BROWSER["Accept"], 302),
        ("/?x=1", BROWSER["Accept"], 404),
        ("/x", BROWSER["Accept"], 404),
    ],
)
def test_a_browser_is_led_to_the_dashboard(serving, target, accept, status):
    """What prefers HTML to JSON is a browser; any other client gets what it got before."""
    answer = serving("genero").send("GET", target, headers={"Accept": accept})
    assert answer.status == status
    assert answer.headers.get("location") == ("/_sandbox/ui" if status == 302 else None)


def test_only_reading_is_led_on(serving):
    """A call that writes is answered as ever, whoever makes it."""
    assert serving("genero").send("POST", "/", b"{}", BROWSER).status == 404


@pytest.mark.parametrize(("path", "has_home"), [("/", True), ("/things", False)])
def test_an_api_at_the_root_keeps_its_own_home(tmp_path, path, has_home):
    """Where an API has an operation at `/`, a browser is not led away from it."""
    place = tmp_path / "things.yaml"
    place.write_text(THINGS % path, "utf-8")
    service = Service([find_sources([str(place)])[0].load()], Options(), NOW)
    assert isinstance(service.find("/", Headers(tuple(BROWSER.items())), NOW), Destination) == has_home


@pytest.mark.parametrize("target", ["/_sandbox/ui", "/_sandbox/ui/app.js", "/_sandbox/ui/pages/journal.js"])
def test_the_files_have_the_access_rules_of_the_control_api(serving, target):
    """A foreign host name is refused; the token is not asked for, since a browser cannot send it with an address."""
    client = serving("genero", control_token="secret")
    assert client.send("GET", target).status == 200
    assert client.send("GET", target, headers={"Host": "evil.example"}).status == 403
    assert client.send("GET", "/_sandbox/sandboxes").status == 401


@pytest.mark.slow
def test_the_wheel_has_every_file(tmp_path):
    """What is installed serves what a checkout does."""
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path], check=True, cwd=ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as packed:
        assert {f"mockserver/dashboard/static/{name}" for name in FILES} <= set(packed.namelist())
