"""The page of planted bugs is what the table says, and the examples of the testing page work."""

import json
import re
import unittest
from functools import partialmethod
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from writers import bugs

DOCS = Path(__file__).parents[3] / "docs"
BLOCKS = re.findall(r"```python\n(.*?)```", (DOCS / "testing.md").read_text(encoding="utf-8"), re.DOTALL)


def test_the_page_of_bugs_is_written_from_the_table():
    """Run `python docs/write.py` when this fails."""
    assert (DOCS / "bugs.md").read_text(encoding="utf-8") == bugs.page()


@pytest.mark.parametrize("text", BLOCKS, ids=lambda text: text.splitlines()[0][:50])
def test_the_examples_of_the_testing_page_work(text, bulkproof, tmp_path, monkeypatch):
    """Each block is a test, or a program; the client of the first is the reader's own, and so is a file."""
    monkeypatch.chdir(tmp_path)
    if "every_kind" in text:  # of expectation: none of them is met by a request
        kind = type(bulkproof.genero)
        monkeypatch.setattr(kind, "expect", partialmethod(kind.expect, allow_unused=True))
    if "seed.json" in text:
        (tmp_path / "tests").mkdir()
        (tmp_path / "tests" / "seed.json").write_text(json.dumps(seed(bulkproof)))
    names = {"my_client": Client(), "pytest": pytest, "unittest": unittest}
    exec(compile(text, "docs/testing.md", "exec"), names)  # noqa: S102 - it is our own page
    for name, found in list(names.items()):
        if name.startswith("test_"):
            found(bulkproof)


def seed(bulkproof):
    """Return a snapshot with the blocks b1 and b2."""
    bulkproof.clock.freeze()
    body = json.dumps([{"blockId": "b1", "name": "One"}, {"blockId": "b2", "name": "Two"}]).encode()
    headers = {"Content-Type": "application/json"}
    urlopen(Request(f"{bulkproof.genero.url}/api/v1/block/postJob", body, headers)).close()  # noqa: S310 - our own server
    bulkproof.clock.to_idle()
    document = bulkproof.snapshot()
    bulkproof.reset()
    return document


class Client:
    """A client that sends again what failed."""

    def sync(self, base_url):
        url = f"{base_url}/api/tenants/contoso/sandbox/modules/risk/assetimportances/batch?mode=PerRecord"
        todo = ["ABC", "DEF"]
        while todo:
            body = [{"userObjectId": code, "properties": {"code": code, "description": code}} for code in todo]
            headers = {"Content-Type": "application/vnd.onkey.entitycollection+json"}
            with urlopen(Request(url, json.dumps(body).encode(), headers)) as reply:  # noqa: S310 - our own server
                told = json.load(reply)["messages"]
            todo = [one["userObjectId"] for one in told if one["severity"] == "error"]
