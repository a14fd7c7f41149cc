"""`bulkproof report open`: what it shows, to whom, and what it refuses."""

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from threading import Thread
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from children import HANGS, module
from click.testing import CliRunner

from mockserver.cli import main
from mockserver.cli.report import read_files, report_server, url_of


@contextmanager
def shown(*paths):
    with report_server(read_files(paths)) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            yield url_of(server)
        finally:
            server.shutdown()


def status_of(url):
    try:
        with urlopen(url) as answer:  # noqa: S310 - the server of this test
            return answer.status
    except HTTPError as error:
        return error.code


def test_files_are_served_to_those_alone_who_know_the_secret(tmp_path):
    """Page, scripts and reports are below the secret; anything else, and any other file, is 404."""
    (tmp_path / "one.jsonl").write_text('{"report": "One"}\n')
    with shown(tmp_path / "one.jsonl") as url:
        assert [status_of(url + path) for path in ("", "ui/report-app.js", "ui/pages/report.css")] == [200, 200, 200]
        with urlopen(url + "reports.json") as answer:  # noqa: S310 - the server of this test
            (told,) = json.load(answer)["files"]
            assert "'none'" in answer.headers["Content-Security-Policy"]
        assert told == {"name": str(tmp_path / "one.jsonl"), "text": '{"report": "One"}\n'}
        root = url.rsplit("/", 2)[0]
        assert [status_of(root + path) for path in ("/", "/reports.json", "/ui/app.js", "/guess/")] == [404] * 4
        assert status_of(url + "ui/../reports.json") == 404


def test_of_a_folder_the_findings_are_shown(tmp_path):
    """A folder of findings at any depth gives each finding and its scripts, and nothing else that lies there."""
    finding = tmp_path / "findings" / "count-bulk-1"
    finding.mkdir(parents=True)
    for name in ("finding.json", "test_finding.py", "replay.sh", "body-0.json"):
        (finding / name).write_text("{}")
    names = [one["name"].rpartition("/")[2] for one in read_files((tmp_path,))]
    assert names == ["finding.json", "test_finding.py", "replay.sh"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (None, None, "does not exist"),
        ("", None, "has no findings: there is no finding.json in it"),
        ("a.jsonl", b"\xff\xfe\x00", "is no text"),
    ],
)
def test_what_cannot_be_shown_is_refused(tmp_path, name, content, says):
    """A missing file, a folder without findings and a binary file are each a sentence, with exit code 2."""
    path = tmp_path / ("nothing" if name is None else name)
    if content is not None:
        path.write_bytes(content)
    done = CliRunner().invoke(main, ["report", "open", str(path), "--print-url"])
    assert (done.exit_code, says in done.output) == (2, True), done.output


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent in another way there")
def test_it_ends_by_ctrl_c(tmp_path):
    """The command prints the URL alone with --print-url, serves, and ends without a word about it."""
    (tmp_path / "one.jsonl").write_text('{"report": "One"}\n')
    words = ("report", "open", tmp_path / "one.jsonl", "--print-url")
    with module("mockserver", *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        url = running.stdout.readline().strip()
        assert status_of(url) == 200
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=HANGS) == 0
        assert running.stderr.read().strip() == ""
