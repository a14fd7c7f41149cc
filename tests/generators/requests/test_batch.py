"""Batches: pure and seeded, valid where they mean to be, wrong only where and as they say."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import MisuseError
from contracts.openapi.loading import load, load_bundled
from contracts.openapi.routing import Router
from contracts.openapi.validation import validate_request
from contracts.syntax.text import look_up
from generators.requests.batch import Composer
from generators.requests.item_planner import UNKNOWN_MEMBER
from generators.requests.known_records import KnownRecords
from generators.requests.profiles import PROFILES, Profile, draw_profile, draw_size

CONTRACTS = {
    "genero": load_bundled("genero"),
    "onkey": load_bundled("onkey"),
    "shelves": load(Path(__file__).parent / "data" / "shelves.yaml"),
}
INGEST = load(Path(__file__).parents[2] / "cases" / "contract_only" / "ingest.yaml")
BULK = [
    (api, one.id)
    for api, loaded in CONTRACTS.items()
    for one in loaded.operations
    if one.bulk and one.id != "importRows"
]


FITTING = {"stale", "unknown", "taken", "duplicate", "referenced"}


def known_to(api, each=30):
    """Return a ledger with records of every resource; the first half refer to others of their number."""
    resources = CONTRACTS[api].resources
    known = KnownRecords(resources, targets=("north", "south"))
    for one in resources.values():
        for n in range(each):
            references = {
                member: _key(resources, named, n)
                for member, named in one.references.items()
                if n < each // 2 and named != one.name
            }
            unique = {members[0]: f"{one.name} {n}" for members in one.unique if members[0] not in one.references}
            known.put(
                one.name,
                _key(resources, one.name, n),
                version=3 if one.version else None,
                values={**unique, **references},
            )
    return known


def _key(resources, name, n):
    places = list(resources)
    return 1000 * places.index(name) + n if resources[name].assigned else f"{name}{n}"


def composer_of(api, operation, **given):
    found = CONTRACTS[api].operation(operation)
    assert found is not None
    return Composer(CONTRACTS[api], found, given=given)


def fits(composer, item):
    """Return whether an item is valid against the request's schema, and its members against the resource's."""
    is_change = item.action == "update" or item.intent == "unknown"
    design = composer.design
    return design.encoder.fits(item.value) and design.makers[item.resource or ""].fits(item.values, partial=is_change)


@pytest.mark.parametrize(("api", "operation"), BULK)
def test_a_valid_batch_keeps_the_contract(api, operation):
    """A batch without anything wrong is a call in which validation finds nothing, and says so of itself."""
    composer, known, router = composer_of(api, operation), known_to(api), Router(CONTRACTS[api])
    clean = 0
    for seed in range(25):
        batch = composer.compose(seed=seed, size=5, profile=PROFILES["valid"], known=known)
        route = router.match(batch.request.method, batch.request.path)
        assert route.operation.id == operation
        assert not validate_request(route.operation, batch.request, route.variables, data=batch.body)
        assert all(fits(composer, item) for item in batch.items)
        clean += not batch.refusals and all(item.intent == "good" for item in batch.items)
    assert clean >= 20  # now and then nothing is left that may be deleted


@pytest.mark.parametrize(("api", "operation"), BULK)
def test_the_same_arguments_give_the_same_batch(api, operation):
    """Composing is pure: equal arguments give equal batches, another seed another one."""
    known = known_to(api)
    one, again = (composer_of(api, operation).compose(seed=3, size=6, known=known) for _ in range(2))
    assert one == again
    assert one.request.body != composer_of(api, operation).compose(seed=4, size=6, known=known).request.body


@given(api=st.sampled_from(sorted({api for api, _ in BULK})), seed=st.integers(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_items_are_what_they_say(api, seed, data):
    """A good item fits, an invalid or malformed one does not, at the place that it names; keys are right."""
    operation = data.draw(st.sampled_from([name for one, name in BULK if one == api]))
    profile = PROFILES[data.draw(st.sampled_from(sorted(PROFILES)))]
    composer, known = composer_of(api, operation), known_to(api)
    batch = composer.compose(seed=seed, size=data.draw(st.integers(0, 15)), profile=profile, known=known)
    shared = composer.design.bulk.items.shared
    for item in batch.items:
        if item.intent == "good" or (item.intent in FITTING and not shared):
            assert fits(composer, item)
        if item.intent in {"invalid", "malformed"}:
            assert not fits(composer, item)
            assert item.mutation is not None
        if item.intent == "stale":
            live = known.find(item.resource, item.target)
            assert live is not None
            assert item.version not in {None, live.version}
        if item.intent == "unknown":
            assert known.find(item.resource, item.target) is None
        if item.intent == "invalid" and not shared:
            place = item.mutation.pointer if item.mutation.keyword != "additionalProperties" else ""
            assert look_up(item.value, place) is not look_up(item.value, "/no such place")


def test_batches_mix_good_and_bad_items():
    """One batch holds good items beside several kinds of wrong ones: what no fuzzer of single values sends."""
    batch = composer_of("onkey", "import").compose(seed=1, size=60, known=known_to("onkey"))
    intents = Counter(item.intent for item in batch.items)
    assert intents["good"] >= 30
    assert len(intents) >= 5


@pytest.mark.parametrize(
    "intent", ["invalid", "incomplete", "malformed", "duplicate", "stale", "unknown", "dangling", "taken", "referenced"]
)
def test_every_kind_of_wrong_item_occurs(intent):
    """A profile of one kind alone gives items of that kind, and good ones where it does not apply."""
    profile = Profile(name="one kind", **{intent: 0.5})
    batch = composer_of("onkey", "import").compose(seed=2, size=40, profile=profile, known=known_to("onkey"))
    intents = Counter(item.intent for item in batch.items)
    assert intents[intent] >= 1
    assert intents.keys() <= {intent, "good", "unknown"}


def test_what_an_incomplete_item_lacks_is_not_filled_in(tmp_path):
    """Where the body's schema, too, says what an item must have; any other item gets what it must have."""
    text = (Path(__file__).parents[2] / "cases" / "contract_only" / "library.yaml").read_text(encoding="utf-8")
    text = text.replace("Book: {type: object, required: [isbn]", "Book: {type: object, required: [isbn, genre]")
    text = text.replace("key: isbn}", "key: isbn, required: [genre]}")
    (tmp_path / "library.yaml").write_text(text, encoding="utf-8")
    contract = load(tmp_path / "library.yaml")
    composer, profile = Composer(contract, contract.operation("storeBooks")), Profile(name="one", incomplete=0.5)
    batches = [composer.compose(seed=seed, size=9, profile=profile, known=KnownRecords()) for seed in range(9)]
    lacking = {item.intent: [] for batch in batches for item in batch.items}
    for item in (item for batch in batches for item in batch.items):
        lacking[item.intent].append("genre" not in item.value)
    assert all(lacking["incomplete"])
    assert not any(lacking["good"])


def test_dangling_and_holding_references():
    """A good item refers to records that are there, a dangling one to one that is not."""
    known, resources = known_to("genero"), CONTRACTS["genero"].resources
    batch = composer_of("genero", "postJob", entity="customer").compose(
        seed=1, size=80, profile=Profile(name="dangling", dangling=0.4, existing=0.0, delete=0.0), known=known
    )
    for item in batch.items:
        held = [
            known.find(named, item.values[member]) is not None
            for member, named in resources["customer"].references.items()
            if member in item.values
        ]
        assert all(held) is (item.intent == "good")
    assert {item.intent for item in batch.items} == {"good", "dangling"}


def test_a_reference_to_the_same_batch_is_to_an_earlier_item():
    """Where items run as listed, they refer to records that earlier items make, never to those of a wrong one."""
    composer, known = composer_of("shelves", "bulkBooks"), known_to("shelves", each=2)
    seen = 0
    for seed in range(10):
        batch = composer.compose(seed=seed, size=20, profile=Profile(name="some", invalid=0.3), known=known)
        made = {item.target: item for item in batch.items if item.action == "create"}
        for item in batch.items:
            earlier = made.get((item.values or {}).get("follows")) if item.intent == "good" else None
            if earlier is not None:
                seen += 1
                assert earlier.index < item.index
                assert earlier.intent == "good"
    assert seen >= 5


def test_duplicates_repeat_a_key_and_the_guard_is_named():
    """A duplicate has the key of an earlier item, and the batch says which rule it breaks."""
    for api, operation, word in (("onkey", "batchCreate", "duplicateKey"), ("genero", "postJob", "duplicateTarget")):
        batch = composer_of(api, operation).compose(
            seed=1, size=30, profile=PROFILES["duplicates"], known=known_to(api)
        )
        keys = [item.key for item in batch.items]
        twice = {item.key for item in batch.items if item.intent == "duplicate"}
        assert twice == {key for key, n in Counter(keys).items() if n > 1}
        assert batch.refusals == (word,)


@pytest.mark.slow
@pytest.mark.parametrize(("api", "operation"), BULK)
def test_sizes_around_the_limits(api, operation):
    """Around the limits are none, one, the least, the greatest, and those beside; what the guard refuses is named."""
    composer = composer_of(api, operation)
    bulk = composer.design.bulk
    least, most = bulk.items.min, bulk.items.max or 0
    known = known_to(api)
    for size in sorted({0, 1, 2, least, least + 1, most - 1, most, most + 1} - {-1}):
        batch = composer.compose(seed=1, size=size, profile=PROFILES["valid"], known=known)
        assert len(batch.items) == size
        said = {"empty": size == 0, "tooMany": bulk.items.max is not None and size > bulk.items.max}
        assert batch.refusals == tuple(word for word, is_so in said.items() if is_so and word in bulk.guard.refuse)


def test_the_unit_is_the_callers_and_is_told():
    """Every unit is asked for, also by saying nothing; a word that there is not is `None`, and named by the guard."""
    composer, known = composer_of("onkey", "batchCreate"), known_to("onkey")
    asked = {}
    for seed in range(40):
        batch = composer.compose(seed=seed, size=1, profile=PROFILES["valid"], known=known)
        asked.setdefault(dict(batch.request.query).get("mode", ""), set()).add(batch.unit)
    assert asked == {"AllOrNone": {"whole"}, "PerRecord": {"item"}, "": {"whole"}}
    bad = composer.compose(seed=1, size=1, profile=PROFILES["bad-unit"], known=known)
    assert (bad.unit, bad.refusals) == (None, ("badMode",))
    only = composer.compose(seed=1, size=1, profile=replace(PROFILES["valid"], units=("item",)), known=known)
    assert only.unit == "item"


def test_groups_come_out_of_order_and_some_items_have_none():
    """Items name groups in any order; the wish for order is told."""
    composer, known = composer_of("onkey", "import"), known_to("onkey")
    batches = [composer.compose(seed=seed, size=12, profile=PROFILES["valid"], known=known) for seed in range(20)]
    assert {batch.grouped for batch in batches} == {True, False}
    assert all((("ordered", "true") in batch.request.query) is batch.grouped for batch in batches)
    groups = [item.group for batch in batches for item in batch.items]
    assert set(groups) == {1, 2, 3, None}
    assert any(
        [one for one in (item.group for item in batch.items) if one]
        != sorted(item.group for item in batch.items if item.group)
        for batch in batches
    )


def test_the_wish_for_a_job_is_said_in_each_way():
    """A deferred batch asks by header or by query; one that is not asks in neither way."""
    composer, known = composer_of("onkey", "batchUpdate"), known_to("onkey")
    ways = Counter()
    for seed in range(20):
        batch = composer.compose(seed=seed, size=1, profile=PROFILES["deferred"], known=known)
        ways[batch.request.headers.get("Prefer"), dict(batch.request.query).get("async")] += 1
        assert batch.deferred
    assert ways.keys() == {("respond-async", None), ("", "true")}
    assert not composer.compose(seed=1, size=1, profile=PROFILES["valid"], known=known).deferred


def test_targets_are_known_or_not_and_say_so():
    """A fan-out names known targets, and others when the profile asks for some."""
    composer, known = composer_of("genero", "postMultiTenantJob"), known_to("genero")
    seen = set()
    for seed in range(20):
        batch = composer.compose(seed=seed, size=1, profile=PROFILES["mixed"], known=known)
        assert list(batch.targets) == batch.body["generoTenantIds"]
        assert all((name in known.targets) is is_known for name, is_known in batch.targets.items())
        seen |= set(batch.targets.values())
    assert seen == {True, False}
    alone = composer.compose(seed=1, size=1, profile=PROFILES["valid"])
    assert alone.targets == {"publicapitest": True}


def test_items_in_a_map_with_a_unit_in_the_body():
    """Items may be members of an object; what the body needs besides is filled in, an idempotency key is sent."""
    composer, known = composer_of("shelves", "bulkBooks"), known_to("shelves")
    waits = 0
    for seed in range(10):
        batch = composer.compose(seed=seed, size=8, profile=PROFILES["valid"], known=known)
        assert [*batch.body["entries"]] == [item.key for item in batch.items]
        assert [*batch.body["entries"].values()] == [item.value for item in batch.items]
        assert "@" in batch.body["sender"]
        assert batch.unit == {True: "whole", False: "item", None: "item"}[batch.body.get("atomic")]
        assert batch.request.headers.get("Idempotency-Key")
        assert batch.request.headers.get("X-Tenant") == "north"
        for item in batch.items:
            assert item.value.get("waitsFor", []) == [batch.items[n].key for n in item.after]
            waits += len(item.after)
    assert waits >= 3


def test_items_in_lists_of_lists_and_changes_as_json_patch():
    """Groups are lists inside the list; a payload that lists changes is written as its schema has them."""
    batch = composer_of("shelves", "patchAuthors").compose(
        seed=1, size=6, profile=PROFILES["valid"], known=known_to("shelves")
    )
    inside = [one for group in batch.body for one in group["members"]]
    assert inside == [item.value for item in batch.items]
    for item in batch.items:
        assert item.value["changes"] == [
            {"op": "replace", "path": f"/{name}", "value": one} for name, one in item.values.items()
        ]


def test_what_all_items_share_is_said_once_and_may_be_wrong():
    """One list of changes for all stands in the body, sets no unique member, and breaks all items or none."""
    composer, known = composer_of("onkey", "matchUpdate"), known_to("onkey")
    profile = Profile(name="invalid", invalid=0.5)
    intents = []
    for seed in range(20):
        batch = composer.compose(seed=seed, size=4, profile=profile, known=known)
        intents.append({item.intent for item in batch.items})
        assert {change["path"] for change in batch.body["operations"]} <= {
            UNKNOWN_MEMBER,
            "description",
            "notes",
            "weight",
            "isActive",
            "defaultResourceTradeId",
        }
        assert all("operations" not in record for record in batch.body["records"])
    assert {frozenset(one) for one in intents} == {frozenset({"good"}), frozenset({"invalid"})}


def test_prefix_and_awkward_keys():
    """Made-up names begin with the prefix; awkward keys still fit the schema."""
    composer = composer_of("genero", "postJob", entity="block")
    batch = composer.compose(
        seed=1, size=40, profile=replace(PROFILES["awkward"], existing=0.0, delete=0.0), prefix="lease3-"
    )
    assert all(item.key.strip().lower().startswith("lease3-") and fits(composer, item) for item in batch.items)
    assert len({item.key for item in batch.items}) == 40
    assert any("/" in item.key for item in batch.items)


def test_profiles_and_sizes_are_drawn():
    """About a third of the batches are valid ones; sizes are small on average, within the limit."""
    rng = Random(1)
    names = Counter(draw_profile(rng).name for _ in range(2000))
    assert names.keys() == PROFILES.keys()
    assert 0.2 < names["valid"] / 2000 < 0.4
    bulk = CONTRACTS["genero"].operation("postJob").bulk
    drawn = [draw_size(bulk, rng) for _ in range(2000)]
    assert min(drawn) == 1
    assert 12 < sum(drawn) / 2000 < 20


def test_what_cannot_be_composed_is_said():
    """No bulk operation, an unknown word, or a form of items that is not composed: one sentence each."""
    loaded = CONTRACTS["genero"]
    for contract, name, given_, says in (
        (loaded, "getEntity", {}, "getEntity is no bulk operation."),
        (INGEST, "uploadJobData", {}, "uploadJobData cannot be made: a job that another call opens is not composed."),
        (loaded, "postJob", {"entity": "blok"}, "postJob knows no 'blok' for entity. Did you mean 'block'?"),
    ):
        with pytest.raises(MisuseError) as caught:
            Composer(contract, contract.operation(name), given=given_).compose(seed=1, size=1)
        assert says in str(caught.value)


def test_the_ledger_keeps_up():
    """Known records are found, changed and dropped, and what they take and refer to with them."""
    known = KnownRecords(CONTRACTS["shelves"].resources)
    known.put("author", "ann")
    known.put("book", "b1", version=1, values={"title": "One", "author": "ann"})
    known.put("book", "b2", version=1, values={"title": "Two"})
    assert known.is_referred_to("author", "ann")
    assert known.is_taken("book", ("title",), {"title": "One"})
    known.put("book", "b1", version=2, values={"title": "Uno"})
    assert not known.is_referred_to("author", "ann")
    assert not known.is_taken("book", ("title",), {"title": "One"})
    known.drop("book", "b1")
    known.drop("book", "b1")
    assert [one.key for one in known.live("book")] == ["b2"]
    assert list(known.gone("book")) == ["b1"]
    assert known.find("book", "b1") is None


TICKETS = {
    "openapi": "3.1.0",
    "info": {"title": "Tickets", "version": "1"},
    "paths": {
        "/tickets/batch": {
            "post": {
                "operationId": "changeTickets",
                "parameters": [
                    {"name": "do", "in": "query", "schema": {"enum": ["put", "drop"]}},
                    {"name": "as", "in": "query", "schema": {"enum": ["item", "whole"]}},
                ],
                "requestBody": {
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "properties": {"tickets": {"type": "array", "items": {"type": "object"}}},
                            },
                            "examples": {"one": {"value": {"tickets": [], "version": 7}}},
                        }
                    }
                },
                "responses": {"200": {"description": "Done."}},
                "x-bulk": {
                    "items": {"at": "/tickets"},
                    "effect": {"action": {"from": "query:do", "map": {"put": "upsert", "drop": "delete"}}},
                    "key": {"by": "target"},
                    "unit": {"of": {"from": "query:as"}},
                    "reply": {"status": {"allOk": 200, "someFailed": 422}},
                },
            }
        }
    },
    "x-resources": {
        "tickets": {"key": "code", "schema": {"type": "object", "properties": {"code": {"type": "string"}}}}
    },
}


def test_what_is_chosen_outside_the_body_holds_for_the_whole_request(tmp_path):
    """One action a request, said where it is chosen; every item names its record, deletions too."""
    (tmp_path / "tickets.json").write_text(json.dumps(TICKETS))
    contract = load(tmp_path / "tickets.json")
    known = KnownRecords(contract.resources)
    for n in range(40):
        known.put("tickets", f"T{n}", values={"code": f"T{n}"})
    meant = {"put": "upsert", "drop": "delete"}
    said, units = set(), set()
    for seed in range(30):
        batch = Composer(contract, contract.operation("changeTickets")).compose(seed=seed, size=4, known=known)
        query = dict(batch.request.query)
        assert {item.action for item in batch.items if item.intent == "good"} <= {meant[query["do"]]}
        assert all(item.value["code"] == item.target for item in batch.items if item.intent == "good")
        assert {item.resource for item in batch.items} == {"tickets"}
        assert batch.body["version"] == 7
        said.add(query["do"])
        units.add((query["as"], batch.unit))
    assert said == {"put", "drop"}
    assert units == {("item", "item"), ("whole", "whole")}
