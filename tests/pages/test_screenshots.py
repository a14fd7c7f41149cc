"""What the pictures of the dashboard show: the morning of a client, and the page that has them."""

import re

from console import DOCS
from writers import screenshots

from mockserver.apis.sources import BUNDLED, find_sources
from mockserver.http.lifecycle import in_thread
from mockserver.http.service import Options


def test_the_morning_has_all_that_the_pictures_show():
    """Partial success, a reset, jobs in several states, laws that were broken; in the exchanges that are opened."""
    apis = [source.load() for source in find_sources(BUNDLED)]
    with in_thread(apis, Options(mode="frozen", seed=7)) as running:
        client = screenshots.Client(running.url)
        screenshots.morning(client)
        found = client.control("GET", "exchanges")["exchanges"]
        jobs = client.control("GET", "jobs")["jobs"]
        failed = client.control("GET", "verdict")["failed"]
    in_part = {"done": 3, "failed": 1, "notRun": 0}
    assert [one["n"] for one in found if one["outcomes"] == in_part] == [8, 11]
    assert [one["n"] for one in found if one["delivery"]["fate"] == "reset"] == [10]
    assert len(jobs) > 4
    assert failed > 3


def test_each_picture_is_on_the_page():
    """What is made is shown, and what is shown is made."""
    shown = set(re.findall(r"\(pictures/([\w-]+)\.png\)", (DOCS / "dashboard.md").read_text("utf-8")))
    assert shown == {name for name, *_ in screenshots.PICTURES}
    assert {one.stem for one in (DOCS / "pictures").glob("*.png")} == shown
