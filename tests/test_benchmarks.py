"""Benchmarks stand on what they measure."""

import runpy
import signal
import tempfile
from pathlib import Path

import pytest

from generators.fuzz.worker import FuzzWorker

FOLDER = Path(__file__).parents[1] / "benchmarks"


def test_the_cost_of_a_campaign_is_that_of_its_worker(monkeypatch):
    """What the benchmark replaces in a worker is there: else it would measure a campaign without an end."""
    monkeypatch.syspath_prepend(FOLDER)
    bounded = runpy.run_path(str(FOLDER / "campaign_cost.py"))["Bounded"]
    replaced = {name for name, one in vars(bounded).items() if callable(one)}
    assert replaced
    assert replaced <= set(dir(FuzzWorker))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_each_benchmark_can_be_imported(path, monkeypatch, tmp_path):
    """None asks for what the project no longer has, makes files or takes over signals: that is for its run."""
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = signal.getsignal(signal.SIGTERM)
    benchmark = runpy.run_path(str(path))
    assert benchmark
    assert (signal.getsignal(signal.SIGTERM), list(tmp_path.iterdir())) == (before, [])
