"""`bulkproof lint`, and how other commands tell that a document was mended; documents at URLs."""

import json
from http.server import BaseHTTPRequestHandler

import pytest
from click.testing import CliRunner
from http_servers import served

from contracts import ContractError, load
from contracts.openapi.loading import LoadOptions
from contracts.syntax import remote
from mockserver.cli import main

SOUND = "openapi: 3.1.0\ninfo: {title: T, version: '1'}\npaths: {/a: {get: {responses: {200: {description: It.}}}}}\n"
FLAWED = SOUND.replace("{description: It.}", "{}")
REFUSED = SOUND.replace("responses:", "x-bulk: {}, responses:")


def run(*words):
    done = CliRunner().invoke(main, [*map(str, words)])
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def file(tmp_path):
    """Return a function that writes a document and returns its path."""

    def write(text):
        path = tmp_path / "toy.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(
    ("text", "words", "code", "lines"),
    [
        (SOUND, (), 0, ["No mistakes."]),
        (
            FLAWED,
            (),
            1,
            [
                "toy.yaml#/paths/~1a/get/responses/200: 'description' is missing. It is taken as \"\". Add it.",
                "1 mistake.",
            ],
        ),
        (
            FLAWED,
            ("--strict",),
            2,
            ["toy.yaml#/paths/~1a/get/responses/200: 'description' is missing. Add it.", "1 mistake."],
        ),
        (
            "a: [1",
            (),
            2,
            ["toy.yaml: line 2, column 1: did not find expected ',' or ']'. Mend the YAML.", "1 mistake."],
        ),
    ],
)
def test_each_mistake_is_a_line(file, text, words, code, lines):
    """The exit code tells sound, mended and refused documents apart."""
    assert run("lint", file(text), *words) == (code, "\n".join([*lines, ""]), "")


def test_a_wrong_declaration_is_refused_with_its_place(file):
    """What is not mended has no word about that."""
    code, out, _ = run("lint", file(REFUSED), "--format", "json")
    found = json.loads(out)
    assert code == 2
    assert {one["pointer"] for one in found} == {"/paths/~1a/get/x-bulk"}
    assert {one["mended"] for one in found} == {""}


def test_several_documents_are_looked_at_in_turn(tmp_path):
    """Each is named, and the exit code is the worst."""
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("openapi: 3.1.0\ninfo: {title: a, version: '1'}\npaths: {}\n")
    bad.write_text("openapi: 3.1.0\ninfo: {title: a}\npaths: {}\n")
    code, out, _ = run("lint", good, bad)
    assert (code, out.splitlines()[0]) == (1, f"{good}: No mistakes.")
    assert out.splitlines()[1].startswith(f"{bad}: ")
    told = json.loads(run("lint", good, bad, "--format", "json")[1])
    assert {file: len(found) for file, found in told.items()} == {str(good): 0, str(bad): 1}


def test_no_such_file_is_one_sentence(tmp_path):
    """A name that is no document's is misuse."""
    code, out, error = run("lint", tmp_path / "nobody.yaml")
    assert (code, out) == (2, "")
    assert "there is no such file" in error


def test_other_commands_count_the_mistakes(file):
    """Output stays clean; a line on stderr says how many mistakes were mended, and how to list them."""
    path = file(FLAWED)
    code, _, error = run("diff", path, path)
    assert code == 0
    assert error.splitlines() == [f"{path}: 1 mistake mended: bulkproof lint {path}"] * 2


TEXTS = {
    "/api/toy.yaml": SOUND.replace("description: It.", "$ref: parts/it.yaml#/It"),
    "/api/parts/it.yaml": "It: {description: It., headers: {X: {$ref: /api/x.json}}}",
    "/api/x.json": '{"schema": {"type": "integer"}}',
    "/docs": SOUND,
    "/bad": "\udcff",
}


class Documents(BaseHTTPRequestHandler):
    """Serves documents by path."""

    def do_GET(self):
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
            return
        text = TEXTS.get(self.path.partition("?")[0])
        self.send_response(404 if text is None else 200)
        self.end_headers()
        self.wfile.write((text or "").encode("utf-8", "surrogateescape"))


def test_a_document_at_a_url_is_read_with_all_that_it_refers_to(file):
    """References are relative to the URL; a file refers to URLs on wish alone."""
    with served(Documents) as base:
        assert run("lint", f"{base}/api/toy.yaml?x=1")[0] == 0
        contract = load(f"{base}/api/toy.yaml")
        assert (contract.name, contract.files) == ("toy", ())
        (header,) = contract.operations[0].response(200).headers
        assert header.schema.raw == {"type": "integer"}
        assert load(f"{base}/to//docs").title == "T"
        local = file(SOUND.replace("description: It.", f"$ref: '{base}/api/parts/it.yaml#/It'"))
        assert [one.cure for one in load(local).repairs if "cannot be followed" in one.fact] == [
            "Name a file that holds it with --ref-map, or allow it with --allow-remote."
        ]
        allowed = load(local, options=LoadOptions(allow_remote=True))
        assert allowed.operations[0].response(200).description == "It."


def test_other_hosts_are_not_asked_without_a_word(file):
    """Neither by a name, nor by a reference, nor by a redirect."""
    with pytest.raises(ContractError, match=r"at another host than this machine.*--allow-remote"):
        load("http://192.0.2.1/openapi.yaml")
    with served(Documents) as base, pytest.raises(ContractError, match="at another host than this machine"):
        load(f"{base}/to/http://192.0.2.1/openapi.yaml")
    (told,) = load(file(SOUND.replace("description: It.", "$ref: 'https://192.0.2.1/it.yaml'"))).repairs[:1]
    assert "--allow-remote" in told.cure


def test_what_cannot_be_fetched_is_one_fault(monkeypatch):
    """A status, a name that no server has, text that is not UTF-8, and too much of it."""
    monkeypatch.setattr(remote, "MAX_BYTES", 50)
    with served(Documents) as base:
        for path, fact in (("nobody", "the server answers 404"), ("bad", "is not UTF-8"), ("docs", "is larger than")):
            with pytest.raises(ContractError, match=fact) as caught:
                load(f"{base}/{path}")
            assert len(caught.value.faults) == 1
    with pytest.raises(ContractError, match="it cannot be read"):
        load("http://127.0.0.1:1/openapi.yaml", options=LoadOptions(allow_remote=True))


@pytest.mark.parametrize(
    ("url", "is_local"),
    [
        ("http://localhost/x", True),
        ("http://api.localhost:8080", True),
        ("http://127.8.9.1/x", True),
        ("http://[::1]:80/x", True),
        ("http://localhost.example/x", False),
        ("http://127.0.0.1.example/x", False),
        ("http://10.0.0.1/x", False),
        ("http://[::1", False),
    ],
)
def test_which_urls_are_of_this_machine(url, is_local):
    """Names and addresses of the loopback interface, and nothing that only looks alike."""
    assert remote.is_loopback(url) is is_local
