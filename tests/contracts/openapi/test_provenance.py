"""`x-source`: which entry speaks for a place, and what is refused."""

import json

import pytest

from contracts.errors import ContractError
from contracts.openapi.loading import LoadOptions, load

GUIDE = "https://books.example/guide"
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Books", "version": "1"},
    "x-source": {"says": "assumed", "note": "nobody says more"},
    "x-source-pages": {"guide": GUIDE},
    "x-resources": {"book": {"key": "id", "schema": {"$ref": "book.json"}}},
    "paths": {
        "/books": {
            "post": {
                "operationId": "createBooks",
                "x-source": [
                    {"says": "stated", "page": "guide", "note": "makes books"},
                    {"says": "assumed", "of": ["/responses/200", "/x-bulk/items/max"]},
                    {"says": "assumed", "of": [], "note": "takes a while"},
                ],
                "requestBody": {
                    "content": {"application/json": {"schema": {"type": "array", "items": {"$ref": "book.json"}}}}
                },
                "responses": {"200": {"description": "Done."}, "400": {"$ref": "#/components/responses/Refused"}},
                "x-bulk": {
                    "x-source": {"says": "stated", "page": "https://books.example/bulk"},
                    "items": {"at": "", "min": 1, "max": 10},
                    "effect": {"action": "create", "resource": "book"},
                    "key": {"by": "order"},
                    "unit": {"of": "whole"},
                    "reply": {"status": {"allOk": 200, "wholeFailed": 400}},
                },
            }
        }
    },
    "components": {"responses": {"Refused": {"description": "No.", "x-source": {"says": "stated", "page": "guide"}}}},
}
BOOK = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "readOnly": True},
        "x-source": {"type": "string", "description": "A member of that name."},
        "pages": {"type": "integer", "minimum": 1, "x-source": {"says": "stated", "page": f"{GUIDE}#pages"}},
    },
}
OPERATION = "/paths/~1books/post"


@pytest.fixture
def loaded(tmp_path):
    """Return a function that loads the document after a change of it."""

    def load_changed(change=None, **options):
        document, book = json.loads(json.dumps(DOCUMENT)), json.loads(json.dumps(BOOK))
        if change is not None:
            change(document, book)
        (tmp_path / "books.json").write_text(json.dumps(document))
        (tmp_path / "book.json").write_text(json.dumps(book))
        return load(tmp_path / "books.json", options=LoadOptions(**options))

    return load_changed


@pytest.mark.parametrize(
    ("pointer", "says", "page"),
    [
        ("", "assumed", ""),
        ("/info/title", "assumed", ""),
        (OPERATION, "stated", GUIDE),
        (f"{OPERATION}/responses/200/description", "assumed", ""),
        (f"{OPERATION}/responses/418", "stated", GUIDE),
        (f"{OPERATION}/x-bulk/unit/of", "stated", "https://books.example/bulk"),
        (f"{OPERATION}/x-bulk/order", "stated", "https://books.example/bulk"),
        (f"{OPERATION}/x-bulk/items/max", "assumed", ""),
        (f"{OPERATION}/x-bulk/items/min", "stated", "https://books.example/bulk"),
        ("/components/responses/Refused/content", "stated", GUIDE),
    ],
)
def test_the_nearest_entry_speaks_for_a_place(loaded, pointer, says, page):
    """What `of` names counts before the object around it, whichever object the entry stands on."""
    provenance = loaded().provenance
    found = provenance.source_of(f"{provenance.root}#{pointer}")
    assert (found.says, found.page) == (says, page)


def test_schemas_of_other_files_have_sources_of_their_own(loaded):
    """A member in a file is stated where it says so, and else as the whole document; also as a response has it."""
    contract = loaded()
    book = contract.operations[0].body.content[0].schema.items()
    assert contract.provenance.source_of(book.member("pages").ref).page == f"{GUIDE}#pages"
    assert contract.provenance.source_of(book.member("id").ref).note == "nobody says more"
    assert contract.provenance.source_of(book.member("x-source").ref).assumed
    assert contract.provenance.source_of(f"{book.request.ref}/properties/pages/minimum").page == f"{GUIDE}#pages"


def test_all_facts_are_told_in_order(loaded):
    """An operation tells its facts, one of them of nothing that is declared; a page has its name."""
    provenance = loaded().provenance
    told = provenance.told_at(f"{provenance.root}#{OPERATION}")
    assert [one.note for one in told] == ["makes books", "", "", "takes a while"]
    assert (told[0].title, told[0].page, told[-1].place) == ("guide", GUIDE, "")


def test_a_document_without_sources_has_none(loaded):
    """Without entries nothing is said; what others write as `x-source` is theirs."""

    def change(document, book):
        for one in (document, document["paths"]["/books"]["post"]):
            one["x-source"] = "crawler 7"
        del document["x-source-pages"], document["components"]["responses"]["Refused"]["x-source"]
        del document["paths"]["/books"]["post"]["x-bulk"]["x-source"], book["properties"]["pages"]["x-source"]

    contract = loaded(change)
    assert not contract.provenance
    assert contract.provenance.source_of(f"{contract.provenance.root}#/info") is None


def test_an_overlay_may_bring_sources(loaded, tmp_path):
    """Sources of a document that somebody else maintains stand in an overlay."""
    overlay = tmp_path / "own.overlay.yaml"
    overlay.write_text(
        "overlay: 1.0.0\ninfo: {title: Own, version: '1'}\nactions:\n"
        "  - target: $.paths['/books'].post\n    update: {x-source: {says: assumed, note: ours}}\n"
    )

    def change(document, book):
        del document["x-source"], document["paths"]["/books"]["post"]["x-source"]
        del document["components"]["responses"]["Refused"]["x-source"], document["x-source-pages"]
        del document["paths"]["/books"]["post"]["x-bulk"]["x-source"], book["properties"]["pages"]["x-source"]

    provenance = loaded(change, overlays=(overlay,)).provenance
    assert [one.note for one in provenance.facts] == ["ours"]


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"says": "stated"}, "'page' is missing"),
        ({"says": "asumed"}, "Did you mean 'assumed'?"),
        ({"page": "guide"}, "'says' is missing"),
        ({"says": "assumed", "notes": "x"}, "Did you mean 'note'?"),
        ({"says": "stated", "page": "gide"}, "Did you mean 'guide'?"),
        ({"says": "assumed", "of": ["/responses/404"]}, "'/responses/404' leads to nothing"),
        ({"says": "assumed", "of": ["responses"]}, "has not the right form"),
        ([{"says": "assumed"}, {"says": "assumed"}], "speaks for the same place"),
    ],
)
def test_what_is_wrong_is_refused(loaded, entry, told):
    """A wrong entry is refused with its place and what to do, never ignored."""

    def change(document, book):
        del book["properties"]["pages"]["x-source"]
        document["paths"]["/books"]["post"]["x-source"] = entry

    with pytest.raises(ContractError, match="x-source") as caught:
        loaded(change)
    assert told in str(caught.value)


def test_pages_are_urls(loaded):
    """A page without a URL is refused."""

    def change(document, _):
        document["x-source-pages"] = {"guide": "the guide"}

    with pytest.raises(ContractError, match="no map of names to URLs"):
        loaded(change)
