"""What a finding says in curl, as a script and as a test sends hostile strings as they were, and does nothing else."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from shlex import quote

import pytest
from children import run
from example_findings import asking, kept
from http_servers import served

from generators.reports.calls import curl
from generators.triage.corpus import PYTEST_FILE, SHELL_FILE, Corpus

CANARY = "pwned"
TEXTS = [
    f"$(touch {CANARY})",
    f"`touch {CANARY}`",
    f"'; touch {CANARY}; '",
    f'"; touch {CANARY}; "',
    f"'''\n__import__('os').system('touch {CANARY}')\n'''",
    f'"""\nimport os; os.system("touch {CANARY}")\n"""',
    f"\\\ntouch {CANARY}\n#",
    "%s %(x)s {0} ${IFS} $HOME {{name",
    "@/etc/passwd",
    "-o pwned",
    "\u2028\x85é€\U0001f600",
]


@contextmanager
def heard():
    """Serve an answer to all, and yield the URL and the bodies and fields that came."""
    came = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            came.append((body, self.headers.get("X-Said", "").encode("latin-1")))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with served(Handler) as url:
        yield url, came


def codes(came):
    """Return the code of the first item of each request."""
    return [json.loads(body)[0]["properties"]["code"] for body, _ in came]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_a_command_sends_what_was_sent(tmp_path):
    """The shell takes nothing of a body or a field for its own."""
    with heard() as (url, came):
        for text in TEXTS:
            line = "".join(one if one.isprintable() else "_" for one in text)
            body = json.dumps({"name": text}, ensure_ascii=False).encode()
            command = curl("POST", quote(f"{url}/a"), (("X-Said", line), ("Content-Type", "a/b")), body)
            done = subprocess.run(["sh", "-uc", command], cwd=tmp_path, capture_output=True, check=False, timeout=60)
            assert done.returncode == 0, done.stderr
            assert came.pop() == (body, line.encode())
            raw = curl("POST", quote(f"{url}/a"), (), text.encode())
            subprocess.run(["sh", "-uc", raw], cwd=tmp_path, capture_output=True, check=True, timeout=60)
            assert came.pop() == (text.encode(), b"")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_stored_finding_runs_nothing_but_its_requests(tmp_path):
    """Its script and its test send the step; whatever the texts of the finding say, no file is made."""
    tests = []
    with heard() as (url, came):
        for n, text in enumerate(TEXTS):
            given = {"says": text, "shape": text, "law": text, "operation": text, "url": url, "mount": ""}
            evil = "".join(one if " " <= one <= "~" else "_" for one in text)
            step = asking(text, headers=(("X-Said", "v"), ("X-Evil", evil)))
            folder = Corpus(folder=tmp_path / f"corpus{n}").store(kept("a", steps=(step,), **given))
            done = run(["sh", folder / SHELL_FILE, url], cwd=tmp_path)
            assert done.returncode in {0, 1, 2}, done.stderr
            assert codes(came) == [text] * len(came)
            assert came
            came.clear()
            tests.append(folder / PYTEST_FILE)
        words = ("pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--import-mode=importlib")
        environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        done = run([sys.executable, "-B", "-m", *words, *tests], cwd=tmp_path, env=environment)
        assert "SyntaxError" not in done.stdout
        assert done.returncode in {0, 1}, done.stdout
        assert list(dict.fromkeys(codes(came))) == TEXTS
    assert not list(tmp_path.rglob(CANARY))
