"""The results of a job are read as they are declared: at their place, page after page, of jobs that failed too."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import starmap
from pathlib import Path

import orjson
import pytest
import yaml

from contracts.exchange.job_traces import JobPoll, JobTrace
from contracts.messages import Exchange, ExchangeHistory, Headers, Request, Response
from contracts.openapi.loading import load
from generators.check.laws.catalogue import LAWS
from generators.client.polling import follow, view_of
from generators.client.session import Session
from generators.oracles.job_laws import job_progress

CATALOG = Path(__file__).parents[2] / "cases" / "contract_only" / "catalog.yaml"
MOST = 2
NOW = datetime(2026, 1, 1, tzinfo=UTC)
JSON = Headers([("Content-Type", "application/json")])
PAGES = [
    {"name": "offset", "in": "query", "schema": {"type": "integer", "minimum": 0}},
    {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": MOST, "default": 1}},
]


def contract_of(folder, unit="item"):
    """Return a contract whose jobs have one operation for failures, a paged one."""
    document = yaml.safe_load(CATALOG.read_text(encoding="utf-8"))
    document["paths"]["/jobs/{job}/failed"]["get"]["parameters"] = PAGES
    bulk = document["paths"]["/jobs"]["post"]["x-bulk"]
    bulk["unit"] = {"of": unit, "rolledBack": "nothing"} if unit == "whole" else {"of": unit}
    bulk["job"]["results"] = {"failed": "readFailed"}
    bulk["job"]["state"]["map"] |= {"broken": "failed"}
    bulk["job"]["outcomes"] = {"at": "/failures", "covers": "failed", "key": "/ref", "error": "/why"}
    path = folder / "catalog.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return load(path)


class Catalog:
    """A server whose jobs have ended at once, with these failures."""

    controlled = True

    def __init__(self, state, failed):
        self.state, self.failed, self.asked = state, failed, []

    def now(self):
        return NOW

    def advance(self, by):
        del by

    def send(self, call):
        body = {"job": "7", "state": self.state}
        if call.path.endswith("/failed"):
            self.asked.append(dict(call.query))
            skip, size = int(call.parameter("offset", "0")), int(call.parameter("limit", "1"))
            body = {"failures": [{"ref": ref, "why": "bad"} for ref in self.failed[skip : skip + size]]}
        text = orjson.dumps(body)
        status = 202 if call.method == "POST" else 200
        return Response(status=status, headers=JSON, body=text, data=orjson.loads(text))


def results(contract, server):
    """Return what a job of five items tells of each; no law has anything against it."""
    session = Session(contract, server, name_prefix="00001")
    items = [{"ref": ref, "good": {"name": ref}} for ref in "abcde"]
    headers = Headers([("Content-Type", "application/json")])
    view = follow(
        session, session.send(Request(method="POST", path="/jobs", headers=headers, body=orjson.dumps(items)))
    )
    history = ExchangeHistory(exchanges=tuple(session.exchanges))
    assert [one.shape for law in LAWS for one in law.judge(history, contract)] == []
    return [one.result for report in view.reports for one in report.outcomes]


@pytest.mark.parametrize(
    ("failed", "asked"),
    [("", [0]), ("d", [0]), ("bd", [0, 2]), ("bde", [0, 2])],
)
def test_failures_are_read_page_after_page_and_all_other_items_are_done(tmp_path, failed, asked):
    """The pages are as large as the document allows; the last one is not full."""
    server = Catalog("troubled" if failed else "ended", failed)
    assert results(contract_of(tmp_path), server) == ["failed" if ref in failed else "done" for ref in "abcde"]
    assert server.asked == [{"limit": "2"} | ({"offset": str(skip)} if skip else {}) for skip in asked]


@pytest.mark.parametrize(
    ("unit", "failed", "told"),
    [
        ("whole", "bd", ["not-run", "failed", "not-run", "failed", "not-run"]),
        ("whole", "", []),
        ("item", "bd", []),
    ],
)
def test_a_job_that_failed_tells_of_its_items_where_they_fall_together(tmp_path, unit, failed, told):
    """It names those that failed; of others that failed, nothing is known."""
    assert results(contract_of(tmp_path, unit), Catalog("broken", failed)) == told


def test_a_job_that_counts_on_after_its_end_is_found(tmp_path):
    """What ended, ended: also where it was cancelled, and need not have processed all."""
    contract = contract_of(tmp_path)
    posting = contract.operation("postJob").bulk
    words = {"stopped": "cancelled", "busy": "running"}
    declared = replace(posting.job, words=words, progress={"processed": "/processed"})

    def shapes(*told):
        trace = JobTrace(handle="7", target=None, declared=declared, polls=tuple(starmap(poll, enumerate(told, 2))))
        session = Session(contract, Catalog("stopped", ""), name_prefix="00001")
        sent = session.send(Request(method="POST", path="/jobs", headers=JSON, body=b'[{"ref": "a", "good": {}}]'))
        return [one.shape for one in job_progress(replace(view_of(session, sent), traces=(trace,)))]

    def poll(n, told):
        state, processed = told
        response = Response(status=200, headers=JSON, body=b"", data={"state": state, "processed": processed})
        exchange = Exchange(
            n=n, at=NOW, api="", operation="readJob", request=Request(method="GET", path="/jobs/7"), response=response
        )
        return JobPoll(exchange=exchange, word=state, state=words[state], progress={"processed": processed})

    assert shapes(("busy", 1), ("stopped", 2), ("stopped", 2)) == []
    assert shapes(("busy", 1), ("stopped", 2), ("stopped", 3)) == ["processed after its end"]
