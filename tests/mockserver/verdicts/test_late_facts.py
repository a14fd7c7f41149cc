"""Facts of bulk calls whose bodies are kept whole: taken down when somebody asks, and no others than at once."""

import json
from hashlib import sha256

import orjson
import pytest

from mockserver.journal.exchange_summary import DeferredSummary, summarise
from mockserver.journal.stored_messages import BODY_HEAD_BYTES, MAX_WHOLE_BODY_BYTES
from mockserver.stores.spooled_bodies import SpooledBody

BLOCKS = [{"blockId": "a", "name": "A", "deleted": False}, {"blockId": "b", "name": "B", "deleted": True}]
RECORDS = [
    {"userObjectId": "1", "properties": {"code": "C1", "description": "one"}},
    {"userObjectId": "1", "properties": {"code": "C2", "description": "two"}},
]
IMPORTS = [{"entityType": "AssetImportance", "action": "Create", "userobjectid": "1", "properties": {"code": "C3"}}]
LOADS = [{"ref": "1", "parcel": {"id": "p"}}, {"ref": "2", "parcel": {"id": "q"}}]
COLLECTION = "application/vnd.onkey.entitycollection+json"
IMPORT = "application/vnd.onkey.entityimportcollection+json"
CALLS = [
    ("genero", "/block/postJob", BLOCKS, "application/json"),
    ("onkey", "/risk/assetimportances/batch?mode=PerRecord", RECORDS[:1], COLLECTION),
    ("onkey", "/risk/assetimportances/batch?mode=AllOrNone", RECORDS, COLLECTION),
    ("onkey", "/system/imports?ordered=true", IMPORTS, IMPORT),
    ("parcels", "/loads", LOADS, "application/json"),
    ("genero", "/block/postJob", [{**BLOCKS[0], "blockId": f"b{n}"} for n in range(2000)], "application/json"),
    (
        "onkey",
        "/risk/assetimportances/batch?mode=PerRecord",
        [{"userObjectId": f"{n}", "properties": {"code": f"C{n}", "description": "d" * 50}} for n in range(1000)],
        COLLECTION,
    ),
]


@pytest.mark.parametrize("call", CALLS)
def test_facts_taken_down_later_are_those_of_the_moment(request, monkeypatch, call):
    """Reading the kept body again gives the facts that would have been taken down when the call was recorded."""
    api, path, body, media = call
    at_once = []

    def both(context, reply, *, delivered, whole):
        at_once.append(summarise(context, reply, delivered=delivered))
        return summarise(context, reply, delivered=delivered, whole=whole)

    monkeypatch.setattr("mockserver.journal.journal.summarise", both)
    client = request.getfixturevalue(api)
    client.call("POST", path, body, media)
    assert at_once[0].items.size == len(body)
    assert isinstance(client.entry(1).recorded_facts, DeferredSummary)
    assert client.entry(1).summary == at_once[0]


def test_the_digest_of_a_body_in_a_file_is_that_of_what_was_sent(genero):
    """A large body that was taken waits in a file, also after its job has run; one that was refused does not."""
    good, bad = ([{**BLOCKS[0], "blockId": f"b{n}", "deleted": kind} for n in range(2000)] for kind in (False, "no"))
    for body, waits in ((good, True), (bad, False)):
        sent = orjson.dumps(body)
        genero.call("POST", "/block/postJob", sent)
        genero.wait(minutes=5)
        kept = genero.entry(1 if waits else 2).request
        assert (kept.digest, kept.size, len(kept.body)) == (sha256(sent).hexdigest(), len(sent), BODY_HEAD_BYTES)
        assert isinstance(kept.kept, SpooledBody) is waits
        assert kept.memory < MAX_WHOLE_BODY_BYTES


def test_settings_of_the_moment_count(genero):
    """A limit that is changed afterwards does not change what an earlier call was allowed."""
    genero.call("POST", "/block/postJob", BLOCKS)
    before = genero.entry(1).summary.items.max_items
    genero.control("PATCH", "settings", {"genero": {"maxItems": 1}})
    genero.call("POST", "/block/postJob", BLOCKS)
    assert (genero.entry(1).summary.items.max_items, genero.entry(2).summary.items.max_items) == (before, 1)


def test_a_body_with_secrets_is_read_at_once(genero):
    """What the journal hides cannot be read again, so that its facts are taken down before."""
    hidden = [{**BLOCKS[0], "password": "s3cr3t"}]
    genero.call("POST", "/block/postJob", hidden)
    genero.call("POST", "/block/postJob", BLOCKS)
    assert [isinstance(genero.entry(n).recorded_facts, DeferredSummary) for n in (1, 2)] == [False, True]
    assert json.loads(genero.entry(1).request.body)[0]["password"] == "***"
