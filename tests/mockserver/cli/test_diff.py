"""`bulkproof diff`: what it prints, and how it ends."""

import json
import shutil
import subprocess

import pytest
from click.testing import CliRunner

from contracts.errors import MisuseError
from contracts.openapi.loading import LoadOptions, bundled_path
from mockserver.apis.sources import find_sources
from mockserver.cli import main


@pytest.fixture
def newer(tmp_path):
    """Return a copy of Genero's contract in which a name may only be short, and a status has another word."""
    folder = tmp_path / "newer"
    shutil.copytree(bundled_path("genero").parent, folder)
    edit(folder / "schemas" / "item.json", lambda raw: raw.update(minProperties=2))
    edit(folder / "schemas" / "job-status.json", lambda raw: raw["properties"]["batchJobStatus"]["enum"].append("Lost"))
    document = folder / "openapi.yaml"
    document.write_text(document.read_text().replace("max: 5000}", "max: 4000}"))
    return str(document)


def edit(path, change):
    raw = json.loads(path.read_text())
    change(raw)
    path.write_text(json.dumps(raw))


def run(*words):
    done = CliRunner().invoke(main, ["diff", *words])
    return done.exit_code, done.stdout, done.stderr


def test_a_contract_and_itself_are_the_same():
    """A bundled contract compared with itself: nothing has changed, exit code 0."""
    assert run("onkey", "onkey") == (
        0,
        "On Key API, bulk requests 1.0.0 → On Key API, bulk requests 1.0.0\n\nNo changes.\n",
        "",
    )


def test_breaking_changes_are_told_with_witnesses_and_end_with_1(newer):
    """Each breaking change names its operation, place and rule, and shows a value."""
    code, text, _ = run("genero", newer)
    assert code == 1
    told = text.splitlines()
    at = told.index("error    POST /api/v1/{entity}/postJob x-bulk items.max")
    assert told[at + 1].strip() == "at most 4000 items, not 5000: larger requests are refused [x-bulk-items.max]"
    at = told.index("         at least 2 members now [request-minProperties-narrowed]")
    assert told[at + 1].strip() == "accepted before, rejected now: [{}]"
    at = told.index('         "Lost" fits too [response-enum-widened]')
    assert told[at + 1].strip().startswith("impossible before, possible now: {")
    assert text.endswith("\n3 errors.\n")


def test_json_has_the_witness_whole(newer):
    """The JSON document has every change, with its witness as it is."""
    code, text, _ = run("genero", newer, "--format", "json")
    told = json.loads(text)
    assert (code, told["counts"]) == (1, {"error": 3, "warning": 0, "info": 0})
    by_rule = {one["rule"]: one for one in told["changes"]}
    assert by_rule["request-minProperties-narrowed"]["witness"] == [{}]
    assert by_rule["request-minProperties-narrowed"]["schema"] == "schemas/item.json#"
    assert by_rule["response-enum-widened"]["witness"]["batchJobStatus"] == "Lost"
    assert "witness" not in by_rule["x-bulk-items.max"]


def test_markdown_has_a_section_for_each_severity(newer):
    """The Markdown document can be pasted into a review."""
    _, text, _ = run("genero", newer, "--format", "markdown")
    title, _, counts, _, section, _, first = text.splitlines()[:7]
    name = "Genero Public API, batch management 1.0"
    assert (title, counts, section) == (f"# {name} → {name}", "3 errors.", "## Breaks clients")
    assert first.startswith("- **`POST /api/v1/{entity}/postJob`, ")
    assert "  - accepted before, rejected now: `[{}]`\n" in text


def test_the_other_direction_breaks_less(newer):
    """What is narrower one way is wider the other: only the status that may come no more is left, and breaks nobody."""
    assert run(newer, "genero")[0] == 0


def test_fail_on_says_what_counts(newer):
    """With `--fail-on info` any change ends with 1."""
    assert run(newer, "genero", "--fail-on", "info")[0] == 1
    assert run("genero", "genero", "--fail-on", "info")[0] == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("genero", "nowhere.yaml"), "Error: nowhere.yaml: there is no such file. Check the name and the folder.\n"),
        (("genro", "genero"), "Error: there is no API 'genro'. Did you mean 'genero'?\n"),
        (
            ("genero", "genero", "--format", "xml"),
            "Error: Invalid value for '--format': 'xml' is not one of 'text', 'markdown', 'json'.\n",
        ),
        (("genero",), "Error: Give two versions, OLD and NEW, or files with --since.\n"),
    ],
)
def test_misuse_is_one_sentence(words, says):
    """A contract that cannot be read, or an option that does not fit: one sentence, exit code 2."""
    assert run(*words) == (2, "", says)


def test_an_overlay_changes_both_versions(tmp_path):
    """With an overlay that takes the difference away there is none; without a file it has nothing to change."""
    old, new, overlay = (tmp_path / name for name in ("old.yaml", "new.yaml", "o.yaml"))
    text = (
        "openapi: 3.1.0\ninfo: {title: T, version: '1'}\npaths:\n  /a: {get: {responses: {'200': {description: D}}}}\n"
    )
    old.write_text(f"{text}  /b: {{get: {{responses: {{'200': {{description: D}}}}}}}}\n")
    new.write_text(text)
    action = "{target: $.paths, update: {/b: {get: {responses: {'200': {description: D}}}}}}"
    overlay.write_text(f"overlay: 1.0.0\ninfo: {{title: T, version: '1'}}\nactions: [{action}]\n")
    assert run(str(old), str(new))[0] == 1
    assert run(str(old), str(new), "--overlay", str(overlay))[:2] == (0, "T 1 → T 1\n\nNo changes.\n")
    with pytest.raises(MisuseError, match="overlays and presets are for OpenAPI files"):
        find_sources(["genero"], LoadOptions(overlays=(overlay,)))


@pytest.fixture
def repository(tmp_path):
    """Return a folder whose Git repository has a document that refers to a file beside it."""
    (tmp_path / "shop.yaml").write_text(SHOP)
    (tmp_path / "order.yaml").write_text("{type: object, properties: {number: {type: string, maxLength: 9}}}")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", str(tmp_path)]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *words], check=True, capture_output=True)
    return tmp_path


SHOP = """
openapi: 3.1.0
info: {title: Shop, version: "1"}
paths:
  /orders:
    post:
      operationId: order
      requestBody: {content: {application/json: {schema: {$ref: order.yaml}}}}
      responses: {"204": {description: done}}
"""


def test_a_file_is_compared_with_itself_at_a_revision(repository):
    """What it refers to is that of the revision, too; a file that is new breaks nothing."""
    shop, new = str(repository / "shop.yaml"), repository / "new.yaml"
    assert run("--since", "HEAD", shop)[0] == 0
    (repository / "order.yaml").write_text("{type: object, properties: {number: {type: string, maxLength: 3}}}")
    new.write_text(SHOP)
    code, out, err = run("--since", "HEAD", shop, str(new))
    assert (code, "at most 3 characters, not 9" in out) == (1, True)
    assert "new.yaml is new: HEAD has no such file." in err


def test_a_revision_that_is_none_is_told(repository):
    """In Git's words, with what to do."""
    code, _, err = run("--since", "nowhere", str(repository / "shop.yaml"))
    assert code == 2
    assert err.startswith("Error: Git: fatal: ")
    assert err.endswith("Give --since a revision of the file's repository.\n")
