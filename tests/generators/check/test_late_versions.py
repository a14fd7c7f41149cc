"""A record is changed many times: a change that is refused for now, with no time left to wait, accuses nobody."""

from types import SimpleNamespace

import pytest

from contracts.messages import Headers, Response
from generators.check.laws import exact
from generators.check.records import CreatedRecord
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding

BUSY = Headers((("Retry-After", "1"),))


@pytest.mark.parametrize(("status", "headers", "accused"), [(429, BUSY, 0), (503, BUSY, 0), (400, Headers(), 1)])
def test_a_refusal_for_now_is_none_of_a_version(monkeypatch, status, headers, accused):
    """The current version is refused only where nothing says to come again."""
    operation = SimpleNamespace(id="change", bulk=SimpleNamespace(effect=SimpleNamespace(version="/version")))
    refused = SimpleNamespace(response=Response(status=status, headers=headers))
    session = SimpleNamespace(contract=SimpleNamespace(operations=[operation]), exchanges=[refused])
    trial = SimpleNamespace(context=SimpleNamespace(session=session, operation=operation, site=None), names=None)

    def change(*_):
        raise NotApplicableError("it is not changed")

    monkeypatch.setattr(exact, "change_version", change)
    monkeypatch.setattr(exact, "read_record", lambda *_: SimpleNamespace(known_version=1 + exact.CHANGES))
    finding = Finding(law="stale-version", operation="", shape="refused", says="It is refused.")
    monkeypatch.setattr(exact, "trial_finding", lambda *_: finding)
    known = CreatedRecord(key=1, version=1, members={})
    assert len(list(exact._late_versions(trial, known, 1))) == accused  # noqa: SLF001 - the whole law takes 130 calls
