"""The verdict by the control API and by the command line: the same in every form."""

import json
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from mockserver.cli import main
from mockserver.testing.exchanges import verdict_of
from mockserver.testing.transports import RemoteTransport
from mockserver.verdicts.verdict import with_current_names

FORMS = ("table", "json", "jsonl", "junit", "sarif", "html")


@pytest.fixture
def client(serving):
    return serving("genero", "onkey", mode="frozen")


def breaks_a_law(client):
    for _ in range(2):
        client.call("POST", "/genero/api/v1/block/postJob", [{"blockId": "a", "name": "A"}])


def behaves(client):
    client.call("GET", "/genero/api/v1/block")


def posts(client):
    client.call("POST", "/genero/api/v1/block/postJob", [{"blockId": "a", "name": "A"}])


def command(*words):
    done = CliRunner().invoke(main, ["verdict", *map(str, words)], standalone_mode=True)
    return done.exit_code, done.output


def judge(client, *words):
    client.running.service.sandboxes.use(client.sandbox, datetime.now(UTC))  # it is there, whatever it was used for
    return command("--url", client.running.url, "--sandbox", client.sandbox, *words)


def test_counts_agree_with_the_laws(client):
    """How many laws passed, failed and were not run is what the list says."""
    breaks_a_law(client)
    told = client.control("GET", "verdict").data
    words = [one["status"] for one in told["laws"]]
    counts = [words.count(word) for word in ("passed", "failed", "not-run")]
    assert [told["passed"], told["failed"], told["notRun"]] == counts
    assert (told["sandbox"], told["failed"] > 0) == (client.sandbox, True)


def test_a_verdict_of_an_older_server_is_read(client):
    """Its keys and statuses had other names; in current ones it is the same verdict, and a current one is unchanged."""
    breaks_a_law(client)
    told = client.control("GET", "verdict").data
    statuses = {"passed": "kept", "failed": "broken", "not-run": "not-exercised"}
    old = {
        "sandbox": told["sandbox"],
        "laws": [{**one, "status": statuses[one["status"]]} for one in told["laws"]],
        "kept": told["passed"],
        "broken": told["failed"],
        "notExercised": told["notRun"],
    }
    assert with_current_names(old) | {"exchanges": told["exchanges"]} == told == with_current_names(told)
    assert verdict_of(old, ()).laws == verdict_of(told, ()).laws


def test_asking_changes_nothing(client):
    """A verdict is a function of the journal: asked twice it is the same, and asking is no exchange."""
    breaks_a_law(client)
    first = client.control("GET", "verdict").data
    assert client.control("GET", "verdict").data == first
    client.control("DELETE", "exchanges")
    assert client.control("GET", "verdict").data["failed"] == 0


@pytest.mark.parametrize(
    ("form", "media"),
    [
        ("json", "application/json"),
        ("junit", "application/xml"),
        ("sarif", "application/sarif+json"),
        ("html", "text/html; charset=utf-8"),
    ],
)
def test_each_form_has_its_media_type(client, form, media):
    """The format that is asked for is the one that comes."""
    reply = client.control("GET", f"verdict?format={form}")
    assert (reply.status, reply.headers["content-type"]) == (200, media)


def test_forms_tell_the_same(client):
    """What failed in JSON failed in JUnit and SARIF."""
    breaks_a_law(client)
    laws = client.control("GET", "verdict").data["laws"]
    broken = {(one["api"], one["id"]) for one in laws if one["status"] == "failed"}
    root = ET.fromstring(client.control("GET", "verdict?format=junit").body)  # noqa: S314 - our own
    failed = {
        (one.get("classname"), one.get("name")) for one in root.iter("testcase") if one.find("failure") is not None
    }
    results = client.control("GET", "verdict?format=sarif").data["runs"][0]["results"]
    assert failed == broken
    assert {tuple(one["ruleId"].split("/")) for one in results if one["kind"] == "fail"} == broken


def test_an_unknown_form_is_refused(client):
    """The answer names the forms that there are."""
    reply = client.control("GET", "verdict?format=word")
    assert reply.status == 400
    assert "junit" in reply.body.decode()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("acts", "code"), [(behaves, 0), (breaks_a_law, 1)])
def test_the_exit_code_says_whether_a_law_was_broken(client, form, acts, code):
    """0 when none was broken, 1 when one was, whatever the format."""
    acts(client)
    assert judge(client, "--format", form)[0] == code


@pytest.mark.parametrize(
    ("acts", "words", "code"),
    [
        (None, ["--require"], 1),
        (None, [], 0),
        (behaves, ["--require"], 1),
        (posts, ["--require"], 0),
        (posts, ["--require", "kept-sizes"], 0),
        (posts, ["--require", "stopped-polling"], 1),
        (posts, ["--require", "kept-sizes", "--require", "stopped-polling"], 1),
    ],
)
@pytest.mark.parametrize("form", ["table", "junit"])
def test_what_is_required_must_have_been_exercised(client, form, acts, words, code):
    """A verdict about nothing says so, and fails where that is asked for; a report says the same as the exit code."""
    if acts is not None:
        acts(client)
    got, text = judge(client, "--format", form, *words)
    assert got == code, text
    assert ("No law was exercised" in text) == (acts is not posts)
    assert ("<failure" in text) == (form == "junit" and code == 1)


def test_the_table_names_every_law_on_a_screen(client):
    """Each law has a line, in no more lines than a screen has."""
    breaks_a_law(client)
    _, text = judge(client)
    laws = client.control("GET", "verdict").data["laws"]
    assert all(one["id"] in text for one in laws)
    assert len(text.splitlines()) <= 40


def test_a_file_is_written_instead(client, tmp_path):
    """With --output the terminal stays empty."""
    breaks_a_law(client)
    code, text = judge(client, "--format", "sarif", "-o", tmp_path / "v.sarif")
    assert (code, text) == (1, "")
    assert json.loads((tmp_path / "v.sarif").read_bytes())["version"] == "2.1.0"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--url", "http://127.0.0.1:1"], "no server responds at http://127.0.0.1:1"),
        (["--url", "localhost:8080"], "It must start with http://"),
        (["--url", "http://h:1/@mine/genero"], "Give the server's, http://h:1, and the name mine."),
        (["--format", "word"], "word"),
        (["--output", "/no/such/folder/x"], "cannot write /no/such/folder/x"),
        (["--sandbox", "a b"], "is no name of a sandbox"),
        (["--sandbox", "nobody-made-it"], "has no sandbox 'nobody-made-it'"),
        (["--require", "stoped-polling"], "Did you mean 'stopped-polling'?"),
    ],
)
def test_misuse_is_told_in_one_sentence(client, words, says):
    """Exit code 2, and one line that says what to do."""
    code, text = judge(client, *words)
    assert (code, says in text, text.count("\n")) == (2, True, 1), text


def test_the_control_token_is_needed_where_the_server_has_one(serving):
    """Without it: exit code 2 and how to give it; with it: the verdict."""
    client = serving("genero", control_token="s3cret")
    code, text = judge(client)
    assert (code, "--control-token" in text) == (2, True)
    assert judge(client, "--control-token", "s3cret")[0] == 0


def test_what_is_no_sandbox_is_told(serving):
    """A server that knows no verdicts is named as none of ours."""
    client = serving("genero")
    code, text = command("--url", f"{client.running.url}/genero/api/v1/block?x=")
    assert (code, text.count("\n")) == (2, 1), text


@pytest.mark.parametrize("body", [{}, {"laws": 1}, []])
def test_a_verdict_that_cannot_be_read_is_told(monkeypatch, body):
    """A server with other words than any version had: one sentence, exit code 2."""
    answers = {"/_sandbox/sandboxes": {"sandboxes": []}}
    monkeypatch.setattr(RemoteTransport, "send", lambda *words: (200, answers.get(words[2], body)))
    code, text = command()
    assert (code, text.count("\n"), "cannot be read" in text) == (2, 1, True), text
