"""Which fact of a contract each kind of finding breaks, and whether the vendor says it or the contract assumes it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.messages import Exchange, Headers, Request, Response
from contracts.openapi.loading import load, load_bundled
from generators.check.laws.catalogue import ALL_LAWS
from generators.oracles.facts import LAW_PLACES, FactFinder, fact_sentences
from generators.oracles.findings import Finding

BOOKS = Path(__file__).parents[2] / "cases" / "contract_only" / "books.yaml"
FINDERS = {name: FactFinder(load_bundled(name)) for name in ("genero", "onkey")}
JSON = Headers((("Content-Type", "application/json"),))


def exchange(operation, path="/api/v1/block/postJob", body=b"{}", status=200, method="POST"):
    return Exchange(
        n=1,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        api="genero",
        operation=operation,
        request=Request(method=method, path=path),
        response=Response(status=status, headers=JSON, body=body),
    )


def facts_of(api, law, operation, shape, *evidence):
    finding = Finding(law=law, operation=operation, shape=shape, says="So.", evidence=evidence)
    finder = FINDERS[api]
    return finder.facts(finder.places(finding))


POLL = exchange("jobStatus", "/api/v1/block/jobStatus/x", method="GET")
REFERENCE_TEXT = "x-bulk/job/outcomes/names/reference of postJob"
LENGTH_CODE = "x-bulk/reply/outcomes/codes/length of batchCreate"
TYPE_CODE = "x-bulk/reply/outcomes/codes/type of batchCreate"
LAW_CASES = [
    ("genero", "count", "postJob", "outcomes missing", (POLL,), "x-bulk/job/outcomes of postJob", False),
    ("genero", "isolated", "postJob", "refused for its bad items", (), "x-bulk/unit of postJob", True),
    ("genero", "permuted", "postJob", "state differs", (), "x-bulk/order of postJob", True),
    ("genero", "singular", "postJob", "state differs", (), "x-bulk/effect/like of postJob", True),
    ("genero", "job-progress", "postJob", "posted changes", (POLL,), "x-bulk/job/progress/posted of postJob", False),
    ("genero", "job-progress", "postJob", "processed falls", (), "x-bulk/job/progress/processed of postJob", True),
    ("genero", "duplicate", "postJob", "duplicateTarget accepted", (), "x-bulk/guard/refuse of postJob", False),
    (
        "genero",
        "duplicate",
        "postJob",
        "duplicateTarget refused with 422",
        (),
        "x-bulk/guard/refuse/duplicateTarget of postJob",
        True,
    ),
    ("genero", "status-class", "postJob", "accepted answered 202", (), "x-bulk/reply/status/accepted of postJob", True),
    (
        "genero",
        "status-class",
        "postMultiTenantJob",
        "someFailed answered 200",
        (),
        "x-bulk/reply/status/someFailed of postMultiTenantJob",
        False,
    ),
    ("genero", "uniform", "postJob", "x", (), "x-bulk/items/max of postJob", False),
    ("genero", "malformed", "postJob", "x", (), "x-bulk/guard/refuse of postJob", False),
    ("genero", "malformed", "putEntity", "x", (), "responses of putEntity", True),
    ("onkey", "count", "batchCreate", "outcomes missing", (), "x-bulk/reply/outcomes of batchCreate", False),
    ("onkey", "atomic", "batchCreate", "create stays", (), "x-bulk/unit of batchCreate", False),
    ("onkey", "stale-version", "batchUpdate", "x", (), "x-bulk/effect/version of batchUpdate", True),
    ("onkey", "grouped", "import", "x", (), "x-bulk/order of import", False),
    ("onkey", "a law of its own", "import", "x", (), "x-bulk of import", True),
    ("onkey", "a law of its own", "read", "x", (), "x-record of read", False),
    ("genero", "listing", "listEntities", "a page overlaps another", (), "x-record of listEntities", True),
    ("genero", "errors", "postJob", "text of reference without value", (POLL,), REFERENCE_TEXT, False),
    ("genero", "errors", "postJob", "a bad item is not told", (POLL,), "x-bulk/job/outcomes/every of postJob", True),
    ("onkey", "errors", "batchCreate", "length has another code", (), LENGTH_CODE, False),
    ("onkey", "errors", "batchCreate", "alone: type has another code with code A for B", (), TYPE_CODE, True),
]


@pytest.mark.parametrize("case", LAW_CASES, ids=[f"{one[0]} {one[1]} {one[3]}" for one in LAW_CASES])
def test_a_law_rests_on_what_is_declared(case):
    """The first fact of a law is an axis of x-bulk, with the source that the contract names for it."""
    api, law, operation, shape, evidence, place, assumed = case
    found = facts_of(api, law, operation, shape, *evidence)
    assert (found[0].place, any(one.assumed for one in found)) == (place, assumed)


def test_places_are_those_of_laws():
    """Each law with places of its own is in the catalogue; another one rests on x-bulk as a whole."""
    assert {law.name for law in ALL_LAWS} >= {*LAW_PLACES}


def test_a_limit_is_a_fact_of_its_own():
    """Too many items accepted break the rule that they are refused, and the limit, each with its own page."""
    found = facts_of("genero", "boundary", "postJob", "tooMany is accepted")
    assert [(one.place, one.source.title) for one in found] == [
        ("x-bulk/guard/refuse of postJob", "batch"),
        ("x-bulk/items/max of postJob", "api"),
    ]


STATUS = b'{"correlationId": "x", "batchJobStatus": "Done", "noOfItemsPosted": 1, "noOfItemsProcessed": 1, "more": 1}'
RESPONSE_CASES = [
    ("200 body /batchJobStatus enum", "schemas/job-status.json#/properties/batchJobStatus/enum", False),
    ("200 body  required", "schemas/job-status.json#/required", False),
    ("200 body /more additionalProperties", "schemas/job-status.json#/additionalProperties", True),
    ("200 body /correlationId pattern", "schemas/correlation-id.json#/pattern", True),
    ("200 body  json", "schemas/job-status.json#", False),
    ("418 status  status", "responses/default of jobStatus", True),
    ("401 header:WWW-Authenticate  required", "components/headers/WWW-Authenticate/schema", True),
]


@pytest.mark.parametrize(("shape", "place", "assumed"), RESPONSE_CASES)
def test_a_response_breaks_a_keyword_of_its_schema(shape, place, assumed):
    """What a response breaks is told to the keyword, in the file that has it."""
    (found,) = facts_of("genero", "response", "jobStatus", shape, exchange("jobStatus", body=STATUS))
    assert (found.place, found.assumed) == (place, assumed)


@pytest.mark.parametrize("law", ["malformed", "credentials"])
def test_a_refusal_in_another_form_breaks_its_own_response(law):
    """Whoever asked for it: that the vendor states the operation's other responses does not make it the vendor's."""
    (found,) = facts_of("genero", law, "postJob", "415 content-type contentType")
    assert (found.place, found.assumed) == ("responses/415 of postJob", True)


@pytest.mark.parametrize("shape", ["status 500", "status 503", "no answer"])
def test_a_server_error_breaks_http(shape):
    """A fault of the server is no matter of the contract, and never an assumption."""
    (found,) = facts_of("genero", "response", "postJob", shape)
    assert (found.place, found.is_of_http, found.assumed) == ("a rule of HTTP", True, False)


@pytest.mark.parametrize(
    ("law", "shape", "kind", "places", "assumed"),
    [
        ("read-back", "stored record is gone", "block", ["x-bulk/effect of postJob", "x-resources/block"], False),
        ("read-back", "stored record is gone", "chain", ["x-bulk/effect of postJob", "x-resources/chain"], True),
        ("verdict", "upsert that refers to nothing is done", "chain", ["x-resources/chain/references"], True),
        ("verdict", "good upsert fails", "block", ["schemas/block.json#/required"], True),
        ("effect", "upsert stores something else at /name", "block", ["schemas/block.json#/properties/name"], False),
        ("effect", "upsert stores something else at /email", "customer", [], True),
        ("model", "another status", "block", ["what the reference model does"], True),
        (
            "verdict",
            "empty accepted",
            "block",
            ["x-bulk/guard/refuse of postJob", "x-bulk/items/min of postJob"],
            False,
        ),
    ],
)
def test_the_stored_state_rests_on_its_resource(law, shape, kind, places, assumed):
    """Effects rest on the rules of the resource that the path names; an item that must succeed on all its limits."""
    found = facts_of("genero", law, "postJob", shape, exchange("postJob", f"/api/v1/{kind}/postJob"))
    assert {*places} <= {one.place for one in found}
    assert any(one.assumed for one in found) is assumed


def test_without_sources_the_document_itself_says_it():
    """A contract that names no source states what it declares."""
    finder = FactFinder(load(BOOKS))
    bulk = next(one for one in finder.contract.operations if one.bulk is not None)
    finding = Finding(law="count", operation=bulk.id, shape="outcomes missing", says="So.")
    (found,) = finder.facts(finder.places(finding))
    assert (found.source, found.assumed, str(found)) == (
        None,
        False,
        f"Breaks x-bulk/reply/outcomes of {bulk.id}.",
    )


def test_a_fact_is_told_as_a_sentence():
    """The sentence names the place, who says it and where, and the fact in words."""
    stated = str(facts_of("genero", "duplicate", "postJob", "empty accepted")[0])
    assert stated.startswith(
        "Breaks x-bulk/guard/refuse of postJob, stated at https://genero-api-doc.generosales.online/BatchManagement "
        "(denied when the list is empty"
    )
    assumed = str(facts_of("genero", "isolated", "postJob", "x")[0])
    assert assumed == "Departs from an assumption of the contract, x-bulk/unit of postJob."


def test_beside_an_assumption_no_statement_is_said_to_be_broken():
    """A finding that rests on both counts as a departure from the assumption, and its sentences say the same."""
    facts = facts_of("genero", "duplicate", "postJob", "empty accepted")
    assert fact_sentences(facts) == tuple(map(str, facts))
    both = facts_of("genero", "isolated", "postJob", "x") + facts
    assert [one.split()[0] for one in fact_sentences(both)] == ["Departs", "Rests", "Rests"]
