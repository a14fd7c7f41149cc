"""The laws on documents without any Python, as the sandbox serves them: no false alarm."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
import yaml
from in_process import InProcess

from contracts.exchange.bulk_exchange import bulk_exchanges
from contracts.exchange.bulk_request import names_target, read_bulk_request
from contracts.exchange.locations import json_of, parse_request
from contracts.exchange.references import strings_of
from contracts.messages import Exchange, ExchangeHistory, Headers, Request, Response
from contracts.openapi.loading import load
from generators.check.run import FindingFound, LawAnswered, run_checks
from generators.client.session import Budget
from generators.oracles.intended_effects import RecordTypes
from generators.oracles.request_oracle import refusal_findings
from generators.requests.batch import Composer
from generators.requests.known_records import KnownRecords
from generators.requests.profiles import PROFILES
from mockserver.apis.sources import find_sources
from mockserver.bulk import guards
from mockserver.bulk.dependent_items import Progress

FOLDER = Path(__file__).parents[2] / "cases" / "contract_only"
DOCUMENTS = sorted(FOLDER.glob("*.yaml"))
PRESETS = sorted((FOLDER.parent / "presets").glob("*.yaml"))


def findings(file, **options):
    """Return what the laws say against a document that the sandbox serves."""
    api = find_sources((str(file),))[0].load()
    events = run_checks(api.contract, InProcess(api), name_prefix="00001", budget=Budget(seconds=1000), **options)
    return [event.finding.says for event in events if isinstance(event, FindingFound)]


class Bodies(InProcess):
    """A sandbox that notes the bodies that it gets."""

    bodies = ()

    def send(self, call):
        self.bodies = (*self.bodies, json_of(call.body))
        return super().send(call)


class Unconditional(InProcess):
    """A sandbox that takes any entity tag for that of the record."""

    def send(self, call):
        is_named = "If-Match" in call.headers
        return super().send(replace(call, headers=call.headers.with_(("If-Match", "*"))) if is_named else call)


def test_a_write_for_a_false_entity_tag_is_refused():
    """One that no record has."""
    api = find_sources((str(Path(__file__).parent / "data" / "notes.yaml"),))[0].load()
    for client, wanted in ((InProcess(api), []), (Unconditional(api), ["delete", "update"])):
        events = run_checks(api.contract, client, name_prefix="00001", only=["writes"])
        shapes = sorted(event.finding.shape for event in events if isinstance(event, FindingFound))
        assert shapes == ["false If-Match of a record that is there is taken" for _ in wanted]


@pytest.mark.slow
@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: file.stem)
def test_a_served_document_keeps_every_law(file):
    """Zero findings."""
    assert findings(file) == []


def without_words(value):
    """Return a document without our members: as its author had it before."""
    if isinstance(value, list):
        return [without_words(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {name: without_words(one) for name, one in value.items() if not str(name).startswith("x-")}


@pytest.mark.slow
@pytest.mark.parametrize("file", [*DOCUMENTS, *PRESETS], ids=lambda file: file.stem)
def test_a_plain_document_keeps_every_law(tmp_path, file):
    """Zero findings, whatever it leaves open: records that nobody has created are made up."""
    (tmp_path / file.name).write_text(yaml.safe_dump(without_words(yaml.safe_load(file.read_text()))))
    assert findings(tmp_path / file.name) == []


def test_what_a_map_returns_is_sent_again_under_its_names():
    """Items that exceed the capacity of a request are returned by name; each ends as it was meant."""
    api = find_sources((str(Path(__file__).parent / "data" / "left.yaml"),))[0].load()
    events = run_checks(
        api.contract, InProcess(api), name_prefix="00001", budget=Budget(seconds=1000), only=["storeThings"]
    )
    answers = {event.answer.law: event.answer.word for event in events if isinstance(event, LawAnswered)}
    assert answers["unprocessed"] == "passed"
    assert "failed" not in answers.values()


def test_the_names_of_a_map_are_the_keys_of_its_records():
    """Each item of a map whose names are the records' keys has a fresh one, the same that it writes."""
    contract = load(FOLDER / "pages.yaml")
    operation = contract.operation("putByNumber")
    assert operation.bulk is not None
    assert names_target(operation.bulk)
    composer = Composer(contract, operation)
    first, second = (composer.compose(seed=n, size=6, profile=PROFILES["valid"]) for n in range(2))
    assert len(first.body) == len(second.body) == 6
    assert not first.body.keys() & second.body.keys()
    assert all(str(value["number"]) == name for name, value in first.body.items() if "number" in value)


@pytest.mark.parametrize("law", ["isolated", "split", "key"])
def test_items_that_have_no_key_are_no_finding(law):
    """A map by key, and records that the server names, of which a failure can have no key."""
    for operation in ("putByNumber", "importPages"):
        assert findings(FOLDER / "pages.yaml", only=[law, operation, "effect"]) == []


@pytest.mark.parametrize(
    ("document", "operation"),
    [
        (file, one)
        for file, one in (("orders", "batch"), ("orders", "composite"), ("orders", "batchMap"), ("people", "bulk"))
    ],
)
def test_items_that_are_http_requests_are_composed_and_read_back(document, operation):
    """Each composed item reads back as what it was planned to do, to the record that it was planned for."""
    contract = load(FOLDER / f"{document}.yaml")
    declared = contract.operation(operation)
    known = KnownRecords(contract.resources)
    for name in contract.resources:
        for key in range(1, 9):
            known.put(name, key)
    for seed in range(5):
        batch = Composer(contract, declared).compose(seed=seed, size=5, known=known)
        view = read_bulk_request(contract, parse_request(declared, batch.request, {}))
        assert view is not None
        assert [(one.action, one.resource) for one in view.items] == [(one.action, one.resource) for one in batch.items]
        written = [
            (one, planned) for one, planned in zip(view.items, batch.items, strict=True) if planned.action != "create"
        ]
        assert all(str(one.target) == str(planned.target) for one, planned in written)


TEXTS = [
    ("contacts", "importRows", "text/csv"),
    ("contacts", "importTypedRows", "text/csv"),
    ("contacts", "uploadRows", "multipart/form-data"),
    ("contacts", "uploadLines", "multipart/form-data"),
    ("contacts", "batch", "multipart/mixed"),
    ("documents", "bulk", "application/x-ndjson"),
    ("documents", "importLines", "application/x-ndjson"),
]


@pytest.mark.parametrize(("document", "operation", "media_type"), TEXTS)
def test_items_as_text_read_back_as_what_was_composed(document, operation, media_type):
    """Lines, pairs of lines, rows and parts: the text of a request has the items, and its type says what it is."""
    contract = load(FOLDER / f"{document}.yaml")
    declared = contract.operation(operation)
    for seed in range(6):
        batch = Composer(contract, declared).compose(seed=seed, size=4)
        assert batch.request.headers.get("Content-Type").partition(";")[0] == media_type
        view = read_bulk_request(contract, parse_request(declared, batch.request, {}))
        assert view is not None
        assert [one.action for one in view.items] == [one.action for one in batch.items]
        for one, planned in zip(view.items, batch.items, strict=True):
            if declared.bulk.items.shape == "rows":
                assert one.raw == planned.value
            elif planned.values and (planned.action, planned.intent) == ("create", "good"):
                assert planned.values.keys() <= one.payload.keys()


def test_a_cell_that_cannot_have_a_value_is_not_sent():
    """A list of texts with commas, an empty text and null would read back as something else."""
    contract = load(FOLDER / "contacts.yaml")
    spec = Composer(contract, contract.operation("importTypedRows")).design
    fine = {"email": "a@b", "age": 3, "member": True, "tags": ["x", "y"]}
    odd = {"email": "", "age": None, "tags": ["x,y"], "score": []}
    assert spec.sendable("contacts", fine) == fine
    assert spec.sendable("contacts", odd) == {}


def test_the_laws_are_tested_on_items_that_are_http_requests():
    """Isolation, references and equality with single requests."""
    only = ["isolated", "broken-reference", "singular", "effect", "bulk"]
    assert findings(FOLDER / "people.yaml", only=only) == []


@pytest.mark.parametrize(("document", "operation"), [("people", "bulk"), ("shop", "orderUntilBroken")])
def test_what_stands_behind_a_stop_is_not_run(document, operation, monkeypatch):
    """As many failures stop a request as it says itself, or as is declared; not one less, and not one more."""
    file = FOLDER / f"{document}.yaml"
    assert findings(file, only=["isolated", operation]) == []
    for limit, says in ((0, "is run behind"), (1, "is not run behind")):
        monkeypatch.setattr(guards, "stop_limit", lambda *_, limit=limit: limit)
        found = findings(file, only=["isolated", operation])
        assert [one for one in found if says in one] or (document, limit) == ("shop", 1), found


@pytest.mark.parametrize("document", ["orders", "people", "scim"])
def test_references_are_whole_values(document, monkeypatch):
    """A server that reads them nowhere else is right; one that takes another key for that of the record is not."""
    api = find_sources((str(FOLDER / f"{document}.yaml"),))[0].load()
    client = Bodies(api)
    events = run_checks(api.contract, client, name_prefix="00001", only=["broken-reference"])
    answers = {event.answer.law: event.answer.word for event in events if isinstance(event, LawAnswered)}
    assert answers["broken-reference"] == "passed"
    references = [text for body in client.bodies for text in strings_of(body) if re.search(r"\w:\w|[$]", text)]
    assert references
    assert all(re.fullmatch(r"bulkId:[\w-]+|[$][\w-]+|@[{][\w.-]+[}]|[$][.][\w.-]+", text) for text in references)
    if document == "orders":
        monkeypatch.setattr(Progress, "_result", lambda *_: 1)
        assert [says for says in findings(FOLDER / "orders.yaml", only=["broken-reference"]) if "refers to" in says]


@pytest.mark.parametrize(
    ("document", "operation", "path", "body", "status"),
    [
        ("airtable", "createRecords", "/v0/a/b", {"records": [{"fields": {}}]}, 422),
        (
            "hubspot",
            "createContacts",
            "/crm",
            {"inputs": [{"objectWriteTraceId": "7"}, {"objectWriteTraceId": "7"}]},
            422,
        ),
    ],
)
def test_a_refusal_for_another_reason_is_no_finding(document, operation, path, body, status):
    """A whole that fails by its items, and a schema that is violated beside a duplicate key, may be refused so."""
    contract = load(FOLDER / f"{document}.yaml")
    declared = contract.operation(operation)
    headers = Headers([("Content-Type", "application/json")])
    request = Request(method=declared.method, path=path, headers=headers, body=orjson.dumps(body))
    response = Response(status=status, headers=headers, body=b"{}", data={})
    at = datetime(2026, 1, 1, tzinfo=UTC)
    told = Exchange(n=1, at=at, api=document, operation=operation, request=request, response=response)
    (view,) = bulk_exchanges(ExchangeHistory(exchanges=(told,)), contract)
    assert list(refusal_findings(RecordTypes(contract), view)) == []


TASKS = Path(__file__).parents[2] / "mockserver" / "data" / "tasks.yaml"


def test_tasks_in_the_shape_of_google_s_apis_are_judged_and_right():
    """Versions inside what is written, keys that are items by themselves, many keys in a parameter, jobs elsewhere."""
    api = find_sources((str(TASKS),))[0].load()
    events = list(run_checks(api.contract, InProcess(api), name_prefix="00001", budget=Budget(seconds=1000)))
    assert [event.finding.says for event in events if isinstance(event, FindingFound)] == []
    words = {(one.answer.law, one.answer.operation): one.answer.word for one in events if isinstance(one, LawAnswered)}
    passed = (("singular", "batchDeleteTasks"), ("stale-version", "batchUpdateTasks"), ("reads", "batchGetTasks"))
    passed += (("isolation", "importTasks"), ("job-moves", "importTasks"), ("malformed", "createLabel"))
    assert {words[one] for one in passed} == {"passed"}
