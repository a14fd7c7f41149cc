"""Keys that stand beside what a closed schema allows, and items in wrappers: judged, and no right server is accused."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import orjson
import pytest
from in_process import InProcess

from contracts.messages import ABSENT, Exchange, Headers, Request, Response
from generators.check.run import FindingFound, LawAnswered, run_checks
from generators.client.environments import Environment
from generators.client.session import Budget
from generators.oracles.oracle import Oracle
from generators.requests.batch import Composer
from generators.requests.profiles import PROFILES
from mockserver.apis.sources import find_sources

INDEX = find_sources((str(Path(__file__).parent / "data" / "index.yaml"),))[0].load()
LIMIT = INDEX.contract.operation("writeDevices").bulk.items.max_bytes
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def events():
    """Return what a check of the sandbox of the document tells."""
    budget = Budget(seconds=1000)
    return list(run_checks(INDEX.contract, InProcess(INDEX), name_prefix="00001", budget=budget))


def test_the_sandbox_of_the_document_is_accused_of_nothing(events):
    """Its keys stand in paths and in actions, and nowhere else."""
    assert [event.finding.says for event in events if isinstance(event, FindingFound)] == []


def test_items_in_wrappers_are_judged(events):
    """The laws that need no outcomes are tried on them."""
    told = {one.answer.law: one.answer.word for one in events if _is_about(one, "writeDevices")}
    assert {law for law, word in told.items() if word == "passed"} >= {"boundary", "duplicate", "effect", "unprocessed"}


class Counting(InProcess):
    """A sandbox with one fault: it counts characters where bytes are meant, or gives no deletion back."""

    fault = ""

    def send(self, call):
        if self.fault == "characters" and len(call.body.decode()) <= LIMIT < len(call.body):
            call = replace(call, body=call.body.rstrip())
        reply = super().send(call)
        if self.fault == "lost" and reply.status == 200 and call.path == "/devices/batch-write":
            left = [one for one in reply.data["unprocessed"] if "put" in one]
            return replace(reply, body=orjson.dumps({"unprocessed": left}), data={"unprocessed": left})
        return reply


@pytest.mark.parametrize(
    ("fault", "law", "shapes"),
    [
        ("", "boundary", []),
        ("", "unprocessed", []),
        ("characters", "boundary", ["tooBig is accepted"]),
        ("lost", "unprocessed", ["lost on the way"]),
    ],
)
def test_limits_count_bytes_and_deletions_are_given_back(fault, law, shapes):
    """What is padded with blanks has the declared number of bytes, and one more with fewer characters."""
    caller = Counting(INDEX)
    caller.fault = fault
    events = run_checks(INDEX.contract, caller, name_prefix="00001", budget=Budget(seconds=1000), only=(law,))
    assert [event.finding.shape for event in events if isinstance(event, FindingFound)] == shapes


def _is_about(event, operation):
    return isinstance(event, LawAnswered) and event.answer.operation == operation


@pytest.mark.parametrize("profile", ["valid", "mixed"])
def test_an_item_has_one_word_with_all_that_it_says(profile):
    """What is put has its content, what is deleted its key."""
    composer = Composer(INDEX.contract, INDEX.contract.operation("writeDevices"))
    for seed in range(20):
        for item in composer.compose(seed=seed, size=5, profile=PROFILES[profile]).body["writes"]:
            ((word, inner),) = item.items()
            assert set(inner) == ({"item"} if word == "put" else {"serial"})


class Judge:
    """A watcher of one world, told of single calls."""

    def __init__(self):
        self.oracle = Oracle(INDEX.contract, Environment(client=SimpleNamespace(controlled=True), name_prefix="00000"))
        self.n = 0

    def told(self, method, path, status, answer, body=ABSENT, **query):
        """Return the shapes of what is found in one exchange, what HTTP says left out."""
        self.n += 1
        headers = Headers((("Content-Type", "application/json"),))
        asked = tuple((name, str(value)) for name, value in query.items())
        content = b"" if body is ABSENT else orjson.dumps(body)
        call = Request(method=method, path=path, query=asked, headers=headers, body=content)
        reply = Response(status=status, headers=Headers(()), body=orjson.dumps(answer), data=answer)
        name = self.oracle.router.match(method, path).operation.id
        exchange = Exchange(n=self.n, at=NOW, api="index", operation=name, request=call, response=reply)
        return [one.shape for one in self.oracle.judge(exchange) if one.law != "response"]

    def put(self, key, version):
        """Return what is found where a document is put and read, which is then at a version."""
        source = {"title": "One"}
        shown = {"_id": key, "_version": version, "found": True, "_source": source}
        written = {"_id": key, "_version": version, "result": "written"}
        found = self.told("PUT", f"/docs/{key}", 201, written, source)
        return [*found, *self.told("GET", f"/docs/{key}", 200, shown)]


def test_the_version_of_a_record_that_is_made_again_may_go_on():
    """No document says that it begins anew; other new records begin where the first did."""
    judge = Judge()
    assert judge.put("b00000-1", 1) == []
    assert judge.told("DELETE", "/docs/b00000-1", 204, None) == []
    assert judge.put("b00000-1", 3) == []
    assert judge.put("b00000-2", 3) == ["version moved otherwise"]


@pytest.mark.parametrize("status", [201, 400, 409])
def test_a_version_of_nothing_may_be_refused_or_not(status):
    """It is compared as If-Match is, or there is nothing to compare; 0 is not even one of the parameter's values."""
    judge = Judge()
    written = {"_id": "b00000-1", "_version": 1, "result": "written"}
    answer = written if status == 201 else {"error": "no"}
    assert judge.told("PUT", "/docs/b00000-1", status, answer, {"title": "One"}, if_version=0) == []
