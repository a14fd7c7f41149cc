"""`x-source` of the bundled contracts: true to what the vendors' pages say, and told in `SOURCES.md`."""

import json
import re

import pytest
from writers import sources

from contracts.openapi.loading import BUNDLED, bundled_path, load, load_bundled

FACTS = {  # places of a contract, and who says what is there
    "genero": {
        "postJob/x-bulk/items/max": "api",
        "postJob/x-bulk/items/min": "batch",
        "postJob/x-bulk/items/at": "",
        "postJob/x-bulk/key": "batch",
        "postJob/x-bulk/unit": "",
        "postJob/x-bulk/order": "",
        "postJob/x-bulk/effect/action": "api",
        "postJob/x-bulk/effect/like": "",
        "postJob/x-bulk/reply/status/accepted": "",
        "postJob/x-bulk/job/state/map/InProgress": "batch",
        "postJob/x-bulk/job/takes": "",
        "postJob/x-bulk/job/keep": "",
        "postJob/x-bulk/job/every": "batch",
        "postJob/x-bulk/guard/refuse": "batch",
        "postJob/x-bulk/guard/refuse/duplicateTarget": "",
        "postJob/responses/400": "",
        "postMultiTenantJob/responses/207": "batch",
        "postMultiTenantJob/responses/403": "",
        "postMultiTenantJob/x-bulk/reply/status/someFailed": "batch",
        "postMultiTenantJob/x-bulk/reply/status/allFailed": "",
        "getEntity/summary": "api",
        "getEntity/responses/200": "",
        "listEntities": "",
        "fetchToken": "start",
        "schemas/job-status.json#/properties/batchJobStatus/enum": "batch",
        "schemas/job-status.json#/required": "batch",
        "schemas/job-status.json#/additionalProperties": "",
        "schemas/block.json#/properties/name": "batch",
        "schemas/block.json#/properties/name/maxLength": "",
        "schemas/customer.json#/properties/email": "",
        "schemas/entity-block.json#/properties/name": "",
        "schemas/problem.json": "",
        "schemas/items.json#/maxItems": "api",
        "x-resources/customer/defaults/prio": "import",
        "x-resources/customer/references": "",
    },
    "onkey": {
        "batchCreate/x-bulk/unit": "bulk",
        "batchCreate/x-bulk/items/max": "",
        "batchCreate/x-bulk/order": "",
        "batchCreate/x-bulk/job/takes": "",
        "batchCreate/x-bulk/reply/outcomes/key": "bulk",
        "batchCreate/x-bulk/reply/outcomes/inOrder": "",
        "batchCreate/x-bulk/reply/status/wholeFailed": "bulk",
        "batchCreate/x-bulk/reply/status/allFailed": "",
        "batchCreate/responses/400": "bulk",
        "batchCreate/responses/415": "",
        "batchUpdate/x-bulk/effect/version": "",
        "batchDelete/requestBody": "",
        "import/x-bulk/order/groupBy": "bulk",
        "importByPatch/x-bulk/order/groupBy": "bulk",
        "list": "okql",
        "list/responses/200": "",
        "schemas/message.json#/properties/severity/enum": "bulk",
        "schemas/message.json#/properties/pointer": "",
        "schemas/AssetImportance.json#/properties/description/maxLength": "bulk",
        "schemas/AssetImportance.json#/properties/code/maxLength": "",
        "schemas/entity.json#/properties/version": "responseTypes",
        "schemas/task.json": "",
        "components/headers/requestLocation": "responses",
        "components/parameters/top/schema/maximum": "",
        "x-resources/AssetImportance/required/1": "bulk",
        "x-resources/AssetImportance/required/0": "",
    },
}
CASES = [(api, place, page) for api, places in FACTS.items() for place, page in places.items()]


def reference(contract, place):
    """Return the reference of a place that is written from an operation, a file or the root."""
    root = contract.provenance.root
    if ".json" in place:
        return root.replace("openapi.yaml", place if "#" in place else f"{place}#")
    first, _, rest = place.partition("/")
    operation = contract.operation(first)
    return f"{root}#{operation.pointer if operation else f'/{first}'}{f'/{rest}' if rest else ''}"


@pytest.mark.parametrize("api", BUNDLED)
def test_the_sources_are_current(api):
    """`SOURCES.md` is what its writer makes of the contract."""
    assert bundled_path(api).with_name("SOURCES.md").read_text("utf-8") == sources.page(api)


@pytest.mark.parametrize("api", BUNDLED)
def test_the_loader_finds_no_fault_with_the_sources(api):
    """Every entry fits its schema, names a page that is known, and speaks of something that is there."""
    assert load(bundled_path(api), name=api).repairs == ()


@pytest.mark.parametrize(("api", "place", "page"), CASES, ids=[f"{api} {place}" for api, place, _ in CASES])
def test_facts_have_their_source(api, place, page):
    """A fact is stated by the page that says it, and an assumption where none does."""
    contract = load_bundled(api)
    found = contract.provenance.source_of(reference(contract, place))
    assert (found.says, found.title) == ("stated" if page else "assumed", page)


def described(contract):
    """Yield the places that have descriptions: operations, components, schema files and their members."""
    root = contract.provenance.root
    for one in contract.operations:
        yield f"{root}#{one.pointer}", one.description
    for kind in ("parameters", "headers", "responses"):
        for name, node in contract.document["components"][kind].items():
            yield f"{root}#/components/{kind}/{name}", node["description"]
    for uri, schema in contract.schemas.documents.items():
        if "/schemas/" in uri:
            yield f"{uri}#", schema["description"]
            for name, inner in schema.get("properties", {}).items():
                yield f"{uri}#/properties/{name}", inner.get("description", "")


@pytest.mark.parametrize("api", BUNDLED)
def test_what_a_description_calls_an_assumption_is_one(api):
    """A place whose description is nothing but an assumption has no page; one that is stated says what is not."""
    contract = load_bundled(api)
    told = contract.provenance
    pages = {place: told.source_of(place).says for place, text in described(contract) if text.startswith("Assumption:")}
    assert {place for place, says in pages.items() if says != "assumed"} == set()
    assert len(pages) > 5
    bare = {
        place
        for place, text in described(contract)
        if text and "Assumption:" not in text and told.source_of(place).assumed
    }
    lexical = {place for place in bare if "/schemas/" in place and "#/" in place}  # their file says it
    assert {place for place in bare - lexical if "/components/responses/" not in place} == set()


@pytest.mark.parametrize(("api", "count"), [("genero", 5), ("onkey", 8)])
def test_every_contradiction_of_the_pages_is_told(api, count):
    """The places where a vendor's page contradicts itself are facts of the document, in a table of their own."""
    facts = load_bundled(api).provenance.facts
    assert len([one for one in facts if one.says == "contradicted" and one.note and one.page]) == count
    part = sources.page(api).partition("## Where the pages contradict themselves")[2]
    assert part.count("| contradicted (") == count


def test_message_codes_have_their_source():
    """Each code of a message has a fact; those of our own begin with `Sandbox_`, and the others are stated."""
    contract = load_bundled("onkey")
    file = contract.provenance.root.replace("openapi.yaml", "schemas/message.json")
    facts = [one for one in contract.provenance.told_at(f"{file}#") if one.note]
    codes = {one.note.partition(" ")[0].strip("`"): one for one in facts}
    assert {*codes} == {*contract.schemas.documents[file]["properties"]["code"]["examples"]}
    assert [code for code, one in codes.items() if one.assumed != code.startswith("Sandbox_")] == []


def test_the_vendors_texts_stand_in_the_vendors_examples():
    """The text of each code that the page shows is that of the page's own message."""
    contract = load_bundled("onkey")
    document = json.dumps(contract.document, ensure_ascii=False)
    shown = {
        "AssetImportance->Description": "E->P",
        " 1 and 100 ": " <min> and <max> ",
        " 0 characters": " <n> characters",
    }
    for text, sign in shown.items():
        document = document.replace(text, sign)
    stated = [one for one in contract.provenance.facts if one.title == "bulk" and one.note.startswith("`Core_")]
    texts = [re.findall(r"`([^`]*)`", one.note)[1] for one in stated]
    assert len(texts) == 4
    assert [text for text in texts if text not in document] == []


def test_texts_of_genero_stand_in_its_document():
    """Words that answers have to the letter are found in the description or the examples."""
    contract = load_bundled("genero")
    document = json.dumps(contract.document, ensure_ascii=False)
    texts = [re.findall(r"`([^`]*)`", one.note)[0] for one in contract.provenance.facts if "the text for" in one.note]
    assert len(texts) == 2
    assert [text for text in texts if text not in document] == []
