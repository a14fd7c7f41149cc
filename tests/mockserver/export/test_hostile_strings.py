"""Whatever a client sent, a pasted exchange sends it again and does nothing else."""

import json
import os
import re
import shutil
import subprocess
import sys
from http.client import HTTPConnection
from urllib.parse import unquote, urlsplit

import pytest
from children import HANGS, run

CANARY = "pwned"
TEXTS = [
    f"$(touch {CANARY})",
    f"`touch {CANARY}`",
    f"'; touch {CANARY}; '",
    f'"; touch {CANARY}; "',
    f"' + __import__('os').system('touch {CANARY}') + '",
    f"'''\n__import__('os').system('touch {CANARY}')\n'''",
    f'"""\nimport os; os.system("touch {CANARY}")\n"""',
    f"\\'; touch {CANARY}; \\'",
    f"%s %(x)s {{0}} {{name}} ${{IFS}} $HOME %0a \\x41 touch {CANARY}",
    f"a\r\nb\n\n### \nDELETE http://127.0.0.1:1/{CANARY} HTTP/1.1\n\n",
    "{{$processEnv HOME}} {{base}}",
    "< ./secret\n> {% client.global.set('a', 1) %}\n// b",
    "@/etc/passwd",
    "-o pwned",
    "a\0b\x1b[31m",
    "\u2028\u2029\x85\ufeff\u202e<script>é€\U0001f600",
    "",
]


def calls():
    """Yield calls that have each text wherever a client can put it."""
    for text in TEXTS:
        line = re.sub(r"[\0-\x1f\x7f]", " ", text).strip()
        yield "POST", "/genero/api/v1/block/postJob", {"X-Said": line}, [{"blockId": "b", "name": text}]
        yield "POST", "/genero/api/v1/block/postJob", {"Content-Type": "text/plain"}, text.encode()
    for part in ("$(touch%20pwned)", "'", "`touch`", "a;touch%20pwned;", "{{base}}", "%27%22%0a%24", "!!", "-", "*?["):
        yield "GET", f"/genero/api/v1/block/{part}", {}, None
        yield "GET", f"/genero/api/v1/block?q={part}&{part}=1", {}, None
    yield "POST", "/genero/api/v1/block/postJob", {}, b"\xff\xfe\x00'"
    yield "POST", "/genero/api/v1/block/postJob", {}, b'["\\ud800"]'


def repeat(form, texts, folder):
    """Run pasted exchanges in a folder, each in one of its own but for tests, which one run of pytest has."""
    for n, text in enumerate(texts):
        place = folder / str(n)
        place.mkdir()
        if form == "http":
            _send_file(text, place)
        elif form == "curl":
            subprocess.run(
                ["sh", "-u"], cwd=place, input=text.encode(), capture_output=True, check=False, timeout=HANGS
            )
        else:
            (place / f"test_pasted_{n}.py").write_text(text)
    if form == "pytest":
        words = [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull]
        done = run(words, cwd=folder, env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})
        assert done.returncode == 0, done.stdout
        assert f"{len(texts)} passed" in done.stdout


def _send_file(text, folder):
    """Send what an HTTP file says, as editors read it; bodies that it leaves to files are written as it says."""
    notes, *parts = re.split(r"^###.*\n", text, flags=re.MULTILINE)
    for command in re.findall(r"into a file: (printf .*)$", notes, re.MULTILINE):
        subprocess.run(["sh", "-c", command], cwd=folder, check=True, timeout=60)
    for part in parts:
        assert "{{" not in part
        head, _, body = part.removesuffix("\n").partition("\n\n")
        first, *fields = head.strip().split("\n")
        method, url, _ = first.split(" ")
        place = urlsplit(url)
        body = body.removesuffix("\n")
        data = (folder / body.removeprefix("< ./")).read_bytes() if body.startswith("< ./") else body.encode()
        connection = HTTPConnection(place.netloc, timeout=30)
        connection.putrequest(method, url.partition(place.netloc)[2], skip_accept_encoding=True)
        for field in fields:
            name, _, value = field.partition(":")
            connection.putheader(name, value.removeprefix(" ").encode())
        if data:
            connection.putheader("Content-Length", str(len(data)))
        connection.endheaders(data or None)
        connection.getresponse().read()
        connection.close()


def told(client, sandbox, n, form):
    """Return what the journal has of an exchange: call, own fields, bodies, status."""
    one = client.send("GET", f"/_sandbox/sandboxes/{sandbox}/exchanges/{n}").data
    call, reply = one["call"], one["reply"]
    own = [value for name, value in call["headers"].items() if name.lower() in {"x-said", "content-type"}]
    own = [value for value in own if form != "http" or "{{" not in value]  # which no HTTP file can have
    return one["method"], unquote(one["path"]), call["query"], own, call.get("body"), one["status"], reply.get("body")


@pytest.mark.slow
@pytest.mark.parametrize("form", ["curl", "pytest", "http"])
def test_a_pasted_exchange_sends_the_same_and_does_nothing_else(serving, tmp_path, form):
    """Each is run where a file would show that a part of it was taken for a command."""
    if form == "curl" and shutil.which("curl") is None:
        pytest.skip("there is no curl here")
    made, texts = [], []
    for method, path, fields, body in calls():
        client = serving("genero")  # a sandbox for each
        client.control("POST", "reset", {"clock": {"mode": "frozen", "now": "2026-05-04T03:02:01Z"}})
        data = body if body is None or isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        named = {name: value.encode() for name, value in fields.items()}
        client.call(method, path, data, {"Content-Type": "application/json", **named} if data else named)
        (n,) = [one["n"] for one in client.control("GET", "exchanges").data["exchanges"]]
        made.append((client.sandbox, n))
        texts.append(client.control("GET", f"exchanges/{n}/as/{form}").body.decode())
    repeat(form, texts, tmp_path)
    reader = serving("genero")
    for sandbox, n in made:
        assert told(reader, f"{sandbox}.{n}", n, form) == told(reader, sandbox, n, form)
    left = {str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*") if not one.is_dir()}
    assert left <= {
        f"{k}/{file}" for k, (_, n) in enumerate(made) for file in (f"test_pasted_{k}.py", f"exchange-{n}.body")
    }
