"""`bulkproof fuzz` and `bulkproof replay`: a planted bug is found, kept in three forms, and shows again."""

import pytest
from click.testing import CliRunner

from mockserver.cli.fuzz import fuzz
from mockserver.cli.replay import replay
from mockserver.testing import running

FORMS = {"finding.json", "replay.sh", "test_finding.py"}


def run(command, *words):
    return CliRunner().invoke(command, words, standalone_mode=False)


@pytest.fixture
def sandbox():
    """Return a sandbox of its own, its clock standing still, and the URL of its server with that sandbox's prefix."""
    with running("genero", mode="frozen") as bulkproof:
        yield bulkproof, bulkproof.genero.url.removesuffix("/genero")


def test_a_planted_bug_is_found_kept_and_shows_again(sandbox, tmp_path):
    """The exit code says that something was found; each finding stands in three forms and is replayed."""
    bulkproof, url = sandbox
    bulkproof.bug("processed-over")
    done = run(fuzz, "genero", "--url", url, "--max-time", "8s", "--no-schemathesis", "--corpus", str(tmp_path))
    assert done.return_value == 1, done.output
    found = sorted((tmp_path / "findings").iterdir())
    assert found
    assert all({path.name for path in one.iterdir()} >= FORMS for one in found)
    assert run(replay, str(found[0]), "--url", url).return_value == 1


def test_a_healthy_sandbox_gives_no_alarm(sandbox, tmp_path):
    """Nothing is found, and nothing is kept."""
    _, url = sandbox
    done = run(fuzz, "genero", "--url", url, "--max-time", "5s", "--no-schemathesis", "--corpus", str(tmp_path))
    assert done.return_value == 0, done.output
    assert not list(tmp_path.glob("findings/*"))


def test_a_server_that_is_not_there_is_told_in_a_sentence(tmp_path):
    """Nothing answers: that is misuse, and no finding."""
    done = run(fuzz, "genero", "--url", "http://127.0.0.1:1", "--corpus", str(tmp_path))
    assert "nothing answers at http://127.0.0.1:1" in str(done.exception)
    assert not list(tmp_path.glob("findings/*"))
