"""Findings of earlier campaigns: they get a share of the time, take turns, and retire when they are gone."""

import pytest
from events_server import CONTRACT, serving
from example_findings import kept

from contracts.openapi.model import Contract
from generators.client.environments import TargetOptions
from generators.fuzz.coordinator import REPLAY_SHARE, Campaign
from generators.fuzz.progress import PlainProgress
from generators.fuzz.shards import CampaignConfig
from generators.triage.corpus import Corpus
from generators.triage.script import RequestStep, WaitStep
from generators.triage.stored_finding import MAX_MISSES

READ = RequestStep(operation="readEvent", method="GET", path=("events", "999999"))


class Nothing:
    """Runs no shard."""

    def run(self, *_):
        """Run nothing."""

    def stop(self):
        """Let go of nothing."""


def stale(name, *, wait=0.0):
    """Return a finding that a right server does not show, after so many seconds."""
    steps = (WaitStep(seconds=wait), READ) if wait else (READ,)
    return kept(
        name, law="read-back", shape="member is lost", steps=steps, contract=CONTRACT.name, operation="readEvent"
    )


def campaign(url, folder, *, seconds):
    """Run a campaign that only replays what is stored; return its state and what it says."""
    said: list[str] = []
    assert isinstance(CONTRACT, Contract)
    job = CampaignConfig(contract=CONTRACT, place=TargetOptions(url=url))
    listener = PlainProgress(said.append)
    made = Campaign(
        job=job, executor=Nothing(), listener=listener, seconds=seconds, corpus=Corpus(folder=folder), schemas=False
    )
    return made.run(), said


def stored(folder):
    return {one.fingerprint[:2]: one for one in Corpus(folder=folder).findings(pytest.fail)}


@pytest.mark.slow
def test_replays_take_a_fifth_of_the_time_and_turns(tmp_path):
    """What there was no time for comes first in the next campaign; that some had to wait is told."""
    names = [f"{n:02x}" for n in range(40)]
    for name in names:
        Corpus(folder=tmp_path).store(stale(name, wait=0.2))
    done: set[str] = set()
    with serving() as (url, _):
        for _ in range(2):
            state, said = campaign(url, tmp_path, seconds=5.0)
            assert 0 < state.replays <= 5.0 * REPLAY_SHARE / 0.2
            assert any(f"{state.replays} of 40 stored findings were replayed in 20% of the time" in one for one in said)
            now = {name for name, one in stored(tmp_path).items() if one.replayed}
            assert len(now - done) == state.replays
            done = now


def test_what_is_gone_retires_and_stays_on_disk(tmp_path):
    """After so many campaigns in a row no further one tries it; what shows again starts anew."""
    Corpus(folder=tmp_path).store(stale("aa"))
    Corpus(folder=tmp_path).store(stale("bb", wait=0.01))
    with serving() as (url, _):
        for n in range(1, MAX_MISSES + 1):
            state, said = campaign(url, tmp_path, seconds=60.0)
            assert state.replays == 2
            assert {one.misses for one in stored(tmp_path).values()} == {n}
            assert any("aaaaaaaa is no longer reproduced: read-back on readEvent." in one for one in said)
        assert any(
            one.startswith(f"Retired after {MAX_MISSES} campaigns") and "aaaaaaaa, bbbbbbbb" in one for one in said
        )
        state, said = campaign(url, tmp_path, seconds=60.0)
        assert (state.replays, said) == (0, [])
    assert set(stored(tmp_path)) == {"aa", "bb"}
