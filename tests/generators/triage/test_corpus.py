"""The corpus: whole files or none, read again in the order in which things were found."""

import os
import threading

import orjson
import pytest
from example_findings import asking, kept

from contracts.errors import MisuseError
from generators.triage.corpus import (
    FINDING_FILE,
    PYTEST_FILE,
    REPLAY_FILE,
    SHELL_FILE,
    Corpus,
    read_finding,
    write_atomically,
)


def unread(says):
    raise AssertionError(says)


def test_findings_come_back_first_found_first(tmp_path):
    """What was kept is read again, in the order in which it was found."""
    corpus = Corpus(folder=tmp_path)
    some = [kept("c", seconds=1.0), kept("a", seconds=2.0), kept("b", seconds=3.0)]
    for one in reversed(some):
        corpus.store(one)
    assert corpus.findings(unread) == some
    assert corpus.shards() == {}


def test_a_folder_has_the_forms_and_no_stale_bodies(tmp_path):
    """The smaller form of a finding replaces the larger one, and leaves nothing of it behind."""
    corpus = Corpus(folder=tmp_path)
    corpus.store(kept("a", steps=(asking("x"), asking("y"))))
    folder = corpus.store(kept("a", steps=(asking("x"),)))
    assert {one.name for one in folder.iterdir()} == {FINDING_FILE, PYTEST_FILE, REPLAY_FILE, SHELL_FILE, "body-0.json"}
    assert os.access(folder / SHELL_FILE, os.X_OK)


def test_what_is_no_finding_is_told_and_left_out(tmp_path):
    """A file that was spoiled costs nothing but itself; what a killed process has left is not looked at."""
    corpus = Corpus(folder=tmp_path)
    good = corpus.store(kept("a"))
    spoiled = {
        "b": b"",
        "c": b"{",
        "d": b"[]",
        "e": b'{"format": "other/1"}',
        "f": b'{"format": "bulkproof-finding/1"}',
    }
    for name, content in spoiled.items():
        (corpus.store(kept(name)) / FINDING_FILE).write_bytes(content)
    (good / f".{FINDING_FILE}.123").write_bytes(b"half")
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "bulk-000001.json").write_bytes(b"{")
    told = []
    assert [one.fingerprint for one in corpus.findings(told.append)] == ["a" * 16]
    assert len(told) == len(spoiled)
    assert all(FINDING_FILE in one for one in told)
    assert corpus.shards() == {}


def test_an_older_corpus_is_read(tmp_path):
    """What was noted under the folder's former name counts with what is noted now."""
    (tmp_path / "leases").mkdir()
    (tmp_path / "leases" / "bulk-000001.json").write_bytes(b'{"findings": 2}')
    corpus = Corpus(folder=tmp_path)
    corpus.store_shard("bulk-000002", {"findings": 3})
    assert corpus.shards() == {"bulk-000001": {"findings": 2}, "bulk-000002": {"findings": 3}}


def test_a_reader_never_sees_half_a_file(tmp_path):
    """While a file is written again and again, everybody who reads it reads one of its contents as a whole."""
    file, done = tmp_path / "file.json", threading.Event()
    contents = [orjson.dumps([letter] * 20_000) for letter in "ab"]
    write_atomically(file, contents[0])

    def rewrite():
        for n in range(200):
            write_atomically(file, contents[n % 2], is_synced=False)
        done.set()

    writer = threading.Thread(target=rewrite)
    writer.start()
    while not done.is_set():
        assert file.read_bytes() in contents
    writer.join()
    assert [one.name for one in tmp_path.iterdir()] == ["file.json"]


def test_the_group_is_written_without_the_rest(tmp_path):
    """When only the group of a finding has changed, its file says so."""
    corpus = Corpus(folder=tmp_path)
    corpus.store(kept("a"))
    corpus.store_notes(kept("a", group="b" * 16))
    assert [one.group for one in corpus.findings(unread)] == ["b" * 16]


def test_a_place_without_a_finding_is_told_in_a_sentence(tmp_path):
    """Nothing there, and something else there, are misuse."""
    with pytest.raises(MisuseError, match="the finding cannot be read"):
        read_finding(tmp_path / "nowhere")
    (tmp_path / "other.json").write_bytes(b"{")
    with pytest.raises(MisuseError, match="not JSON"):
        read_finding(tmp_path / "other.json")
