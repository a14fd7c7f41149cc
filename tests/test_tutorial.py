"""The clients of docs/tutorial.md on their bad days: what the page says of them is true."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DAYS = {"job-with-errors", "first-job-never-ends", "connection-reset-once"}


@pytest.fixture
def client(bulkproof, monkeypatch):
    """Return what loads one of the examples, its URL the sandbox's and its minutes the sandbox's clock's."""
    bulkproof.clock.freeze()

    def load(name):
        place = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
        module = importlib.util.module_from_spec(place)
        place.loader.exec_module(module)
        monkeypatch.setattr(module, "URL", bulkproof.genero.url)
        monkeypatch.setattr("time.sleep", lambda seconds: bulkproof.clock.advance(minutes=seconds / module.MINUTE))
        return module

    return load


def test_an_ordinary_day_of_the_first_client(bulkproof, client, capsys):
    """It works, and polls too often."""
    client("blocks_client").main()
    assert capsys.readouterr().out == "Completed 3 items\n"
    assert bulkproof.verdict().failed == {"poll-interval"}


def test_the_first_client_sends_all_of_it_again(bulkproof, client):
    """One item failed, and three were sent again."""
    bulkproof.scenario("job-with-errors")
    client("blocks_client").main()
    bulkproof.verdict().assert_failed("resent-only-failed")


def test_the_first_client_waits_for_a_lost_job(bulkproof, client):
    """It gives up after an hour, and posts nothing."""
    bulkproof.scenario("first-job-never-ends")
    with pytest.raises(TimeoutError):
        client("blocks_client").main()
    bulkproof.verdict().assert_failed("gave-up-late")


def test_the_first_client_does_not_know_what_it_has_stored(bulkproof, client):
    """The connection broke after the commit."""
    bulkproof.scenario("connection-reset-once")
    with pytest.raises(ConnectionError):
        client("blocks_client").main()
    bulkproof.clock.to_idle()
    assert bulkproof.genero.stored("block").keys == {"b1", "b2", "b3"}


@pytest.mark.parametrize("day", sorted(DAYS))
def test_the_better_client_breaks_no_law(bulkproof, client, day):
    """Whatever the day, every law that was run has passed, and every block is stored that can be."""
    bulkproof.scenario(day)
    client("better_blocks_client").main()
    bulkproof.verdict().assert_passed()
    wanted = {"b2", "b3"} if day == "job-with-errors" else {"b1", "b2", "b3"}
    assert bulkproof.genero.stored("block").keys == wanted


def test_a_lost_job_is_posted_again(bulkproof, client):
    """The page's own test."""
    bulkproof.scenario("first-job-never-ends")
    client("better_blocks_client").main()
    assert bulkproof.genero.stored("block").keys == {"b1", "b2", "b3"}
    bulkproof.verdict().assert_passed("gave-up-early", "gave-up-late", "poll-interval")


def test_the_page_names_scenarios_that_are_played_here():
    """No day of the page goes untested."""
    page = (ROOT / "docs" / "tutorial.md").read_text()
    assert set(re.findall(r'"scenarios": \["([a-z-]+)"\]', page)) == DAYS
