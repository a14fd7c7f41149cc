"""Of a name or word that is not known the closest is told; a pattern that lists words is told as words."""

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from contracts.messages import Headers
from contracts.syntax.text import words_of
from mockserver.apis.sources import find_sources
from mockserver.http.service import Options, Service

REAL = datetime(2026, 1, 1, tzinfo=UTC)
PARCELS = Path(__file__).parents[1] / "data" / "parcels.yaml"
MODULES = "/onkey/api/tenants/contoso/sandbox/modules"
BATCH = f"{MODULES}/risk/assetimportances/batch"
IMPORTS = f"{MODULES}/system/imports"
BAD = [{"userObjectId": "a", "properties": {"code": "A", "descripton": "x"}}]


@pytest.fixture(scope="module")
def apis():
    return [source.load() for source in find_sources(("genero", "onkey", str(PARCELS)))]


@pytest.fixture
def call(apis):
    service = Service(apis, Options(mode="frozen"), REAL)

    def call(method, target, body=None, media="application/json"):
        data = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        if media.startswith("entity"):
            media = f"application/vnd.onkey.{media}+json"
        reply = service.handle(method, target, Headers((("Content-Type", media),)), data, REAL)
        journal = service.handle("GET", "/_sandbox/sandboxes/default/exchanges/1", Headers(), b"", REAL)
        return reply.status, reply.body.decode(), orjson.loads(journal.body)

    return call


def imported(**members):
    return [{"entityType": "Resource", "action": "Insert", "userObjectId": "a", "properties": {"code": "x"}, **members}]


def looked_up(**members):
    return imported(properties={"code": "x", "permissionTreeId": {"converter": "ReferenceLookup", **members}})


REFUSED = {
    "a mode": ("POST", f"{BATCH}?mode=PerRecrd", BAD, "entitycollection", "PerRecord"),
    "an unknown property": ("POST", f"{BATCH}?mode=AllOrNone", BAD, "entitycollection", "description"),
    "an envelope's member": (
        "POST",
        BATCH,
        [{"userObjctId": "a", "properties": {}}],
        "entitycollection",
        "userObjectId",
    ),
    "a resource": ("GET", f"{MODULES}/res/resorces", None, "", "resources"),
    "an entity type": ("POST", IMPORTS, imported(entityType="Resorce"), "entityimportcollection", "Resource"),
    "an action": ("POST", IMPORTS, imported(action="Insrt"), "entityimportcollection", "Insert"),
    "a converter": (
        "POST",
        IMPORTS,
        looked_up(converter="ReferenceLokup"),
        "entityimportcollection",
        "ReferenceLookup",
    ),
    "a converter's type": ("POST", IMPORTS, looked_up(type="Custm"), "entityimportcollection", "Custom"),
    "a property of a filter": ("GET", f"{MODULES}/res/resources?$filter=cod%20eq%20'x'", None, "", "code"),
    "an operator of a filter": ("GET", f"{MODULES}/res/resources?$filter=code%20eqq%20'x'", None, "", "eq"),
    "a property to order by": ("GET", f"{MODULES}/res/resources?$orderby=descripton", None, "", "description"),
    "a direction": ("GET", f"{MODULES}/res/resources?$orderby=code%20dsc", None, "", "desc"),
    "a property to select": ("GET", f"{MODULES}/res/resources?$select=isActve", None, "", "isActive"),
    "a boolean": ("POST", f"{BATCH}?async=tru", BAD, "entitycollection", "true"),
    "an entity": ("GET", "/genero/api/v1/blok/b", None, "", "block"),
    "a grant": (
        "POST",
        "/genero/oauth/token",
        b"grant_type=client_credental&client_id=a&client_secret=b",
        "application/x-www-form-urlencoded",
        "client_credentials",
    ),
    "a field of a batch": (
        "POST",
        "/genero/api/v1/block/postJob",
        [{"blockid": "b", "name": "n"}],
        "application/json",
        "blockId",
    ),
    "a unit": ("POST", "/parcels-api/parcels/batch?mode=eah", [{"code": "a"}], "application/json", "each"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_refusal_tells_the_closest_known_name(call, what):
    """In its own text, and as the hint of a violation in the journal; no regular expression is shown."""
    method, target, body, media, known = REFUSED[what]
    status, text, entry = call(method, target, body, media)
    assert 400 <= status < 500, text
    told = text.replace("Description", "description")
    assert f"Did you mean '{known}'?" in told or f"The closest is {{AssetImportance->{known}}}" in told
    assert known in [one["hint"] for one in entry["violations"]]
    assert "[" not in "".join(one["expected"] for one in entry["violations"])
    assert "(?:" not in text


@pytest.mark.parametrize("mode", ["PerRecord", "AllOrNone"])
def test_the_outcome_of_an_item_tells_the_closest_known_name(call, mode):
    """The journal's own words of a failed item have it too."""
    _, _, entry = call("POST", f"{BATCH}?mode={mode}", BAD, "entitycollection")
    assert "(did you mean description?)" in entry["outcomes"][0]["error"]


def test_a_vendors_fixed_text_stays_and_the_journal_has_the_hint(call):
    """Genero's text for an unknown tenant is its page's to the letter."""
    status, text, entry = call("GET", "/genero/api/v1/block/b?generoTenantId=publicapitst")
    assert (status, orjson.loads(text)["detail"]) == (404, "Unable to find tenant by identifier: publicapitst.")
    assert [one["hint"] for one in entry["violations"]] == ["publicapitest"]


def test_nothing_is_guessed_where_nothing_is_like_it(call):
    """A name that is like no other gets no hint, but the words that there are."""
    _, text, entry = call("POST", f"{BATCH}?mode=zzz", BAD, "entitycollection")
    assert "Did you mean" not in text
    assert entry["violations"][0]["expected"] == '"AllOrNone" or "PerRecord"'
    assert entry["violations"][0]["hint"] == ""


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("^(?:[Aa]sc|[Dd]esc)$", ("Asc", "Desc")),
        ("^(a|b|c d)$", ("a", "b", "c d")),
        ("^one$", ("one",)),
        ("^(?i:yes|no)$", ("yes", "no")),
        ("(?i)^(?:yes|no)$", ("yes", "no")),
        (r"^(?:1\.0|2\.0)$", ("1.0", "2.0")),
        ("^[Cc][Oo][Dd][Ee]$", ("Code",)),
        ("^a", ()),
        ("a|b", ()),
        ("^a|b$", ()),
        ("^[ab]c$", ()),
        ("^(?:a.|b)$", ()),
        ("^(?:a+|b)$", ()),
        ("^(?:a|b)?$", ()),
        ("^$", ()),
        (5, ()),
    ],
)
def test_which_patterns_are_lists_of_words(pattern, words):
    """Only those that allow these words and nothing else, but for their case."""
    assert words_of(pattern) == words


def test_words_are_written_as_the_schema_writes_them():
    """Its examples and its default tell the case."""
    raw = {"default": "AllOrNone", "examples": ["PerRecord"]}
    assert words_of("^(?:[Aa][Ll][Ll][Oo][Rr][Nn][Oo][Nn][Ee]|[Pp][Ee][Rr][Rr][Ee][Cc][Oo][Rr][Dd])$", raw) == (
        "AllOrNone",
        "PerRecord",
    )
