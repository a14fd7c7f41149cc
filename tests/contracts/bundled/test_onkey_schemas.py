"""The schemas of the bundled On Key contract draw the lines that the rules draw, by both validators alike."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from contracts.openapi.loading import load_bundled

ONKEY = load_bundled("onkey")
KINDS = ("AssetImportance", "PermissionTree", "Resource", "ResourceTrade", "Trade")


def uri(name):
    return f"contract:/onkey/schemas/{name}.json#"


@cache
def validators(name):
    """Return the two validators of the schema in a file of the contract."""
    shape = ONKEY.schemas.schema(uri(name))
    return shape, Draft202012Validator(shape.standalone(), format_checker=Draft202012Validator.FORMAT_CHECKER)


def fits_in(name, value):
    """Return the verdict on a value that both validators share."""
    first, second = (one.is_valid(value) for one in validators(name))
    assert first == second
    return first


NOW = "2026-01-05T08:30:00.0000000Z"
NUMERAL = st.one_of(st.integers(0, 2**64), st.integers(2**63 - 9, 2**63 + 9))


@given(NUMERAL, st.integers(0, 3))
def test_an_id_is_a_number_below_two_to_the_63rd(number, zeros):
    """A number and its digits, with leading zeros or not, are an id exactly when they are below 2^63."""
    fits = number < 2**63
    assert fits_in("id", number) == fits_in("id", "0" * zeros + str(number)) == fits


@pytest.mark.parametrize("name", ["id", "version", "reference"])
@pytest.mark.parametrize("value", [-1, "-1", 1.5, "1.5", "", " 1", "1e3", "0x1", "\u0661", True, [1], 1e300])
def test_what_is_no_id(name, value):
    """Negative numbers, fractions, other texts and other types are neither id nor version nor reference."""
    assert not fits_in(name, value)


@pytest.mark.parametrize("value", [1, 1.0, "007", 2**63 - 1])
def test_what_is_an_id(value):
    """A whole number is an id in any of its spellings."""
    assert all(fits_in(name, value) for name in ("id", "version", "reference"))


GOOD = {
    "create-request": {"properties": {}},
    "batch-create-record": {"userObjectId": "a", "properties": {}},
    "record-key": {"id": 1, "version": 1},
    "update-request": {"version": 1, "operations": []},
    "batch-update-record": {"id": 1, "version": 1, "operations": [{"path": "code", "value": None}]},
    "delete-request": {"version": "1"},
    "match-update-request": {"records": [{"id": 1, "version": 1}], "operations": []},
    "import-record": {"entityType": "Trade", "action": "Insert", "userObjectId": "a", "properties": {}},
    "operation": {"path": "code", "value": 1},
    "token-request": {"grant_type": "client_credentials", "client_id": "a", "client_secret": "b"},
}
MEMBERS = [(name, member) for name, value in GOOD.items() for member in value]


@pytest.mark.parametrize(("name", "member"), MEMBERS)
def test_a_request_lacks_nothing_that_it_needs(name, member):
    """Without a needed member, or with one of a wrong type, a request is refused; other members are ignored."""
    good = GOOD[name]
    assert fits_in(name, {**good, "colour": "red"})
    assert not fits_in(name, {key: value for key, value in good.items() if key != member})
    assert fits_in(name, {**good, member: True}) == (member == "value")


@pytest.mark.parametrize(("count", "fits"), [(0, False), (1, True), (1000, True), (1001, False)])
def test_how_many_records_a_request_may_have(count, fits):
    """A bulk request has 1 to 1000 records, wherever they stand."""
    keys = [{"id": n, "version": 1} for n in range(count)]
    assert fits_in("batch-create-request", [GOOD["batch-create-record"]] * count) is fits
    assert fits_in("batch-update-request", [{**key, "operations": []} for key in keys]) is fits
    assert fits_in("batch-delete-request", keys) is fits
    assert fits_in("match-update-request", {"records": keys, "operations": []}) is fits
    assert fits_in("import-request", [GOOD["import-record"]] * count) is fits


CONVERTER = {"converter": "ReferenceLookup", "code": "A"}


@pytest.mark.parametrize("fold", [str, str.lower, str.upper])
@pytest.mark.parametrize(
    ("action", "more", "fits"),
    [
        ("Insert", {"properties": {}}, True),
        ("Insert", {"properties": {}, "Id": True}, True),
        ("Insert", {}, False),
        ("Update", {"properties": {}, "Id": 1, "version": "2"}, True),
        ("Update", {"properties": {}, "Id": CONVERTER}, True),
        ("Update", {"properties": {}}, False),
        ("Update", {"properties": {}, "Id": None}, False),
        ("Update", {"properties": {}, "Id": {}}, False),
        ("Update", {"Id": 1}, False),
        ("Delete", {"Id": "7"}, True),
        ("Delete", {"Id": "seven"}, False),
        ("Delete", {"properties": {}}, False),
        ("Merge", {"properties": {}}, True),
        ("Merge", {"properties": {}, "Id": None, "groupOrder": 1.5}, True),
        ("Merge", {"properties": {}, "Id": True}, False),
        ("Merge", {"properties": {}, "groupOrder": ["1"]}, False),
        ("Merge", {"Id": 1}, False),
        ("Upsert", {"properties": {}, "Id": 1}, False),
    ],
)
def test_what_an_import_record_may_be(fold, action, more, fits):
    """Each action asks for the members that it needs, however its word and the entity's are written."""
    record = {"entityType": fold("ResourceTrade"), "action": fold(action), "userObjectId": "a", **more}
    assert fits_in("import-record", record) is fits
    assert not fits_in("import-record", {**record, "entityType": "Trader"})


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        (CONVERTER, True),
        ({**CONVERTER, "type": "Code"}, True),
        ({"converter": "referencelookup", "type": "custom", "properties": {"Resource->Code": "A"}}, True),
        ({"converter": "ReferenceLookup"}, False),
        ({**CONVERTER, "converter": "Other"}, False),
        ({**CONVERTER, "type": "Other"}, False),
        ({**CONVERTER, "type": "Custom"}, False),
        ({**CONVERTER, "code": 7}, False),
        ({**CONVERTER, "colour": "red"}, False),
        ({"converter": "ReferenceLookup", "type": "Custom", "properties": {}}, False),
        ({"converter": "ReferenceLookup", "type": "Custom", "properties": {"Resource->Code": ["A"]}}, False),
        ({}, False),
    ],
)
def test_what_a_converter_may_be(value, fits):
    """A converter looks up by a code, or by the values of at least one property."""
    assert fits_in("converter", value) is fits_in("reference", value) is fits


@pytest.mark.parametrize(
    ("kind", "member", "value", "fits"),
    [
        ("AssetImportance", "description", "x" * 100, True),
        ("AssetImportance", "description", "x" * 101, False),
        ("AssetImportance", "description", "", False),
        ("AssetImportance", "description", "\U0001f600" * 100, True),
        ("AssetImportance", "code", "x" * 51, False),
        ("AssetImportance", "code", None, False),
        ("AssetImportance", "notes", None, True),
        ("AssetImportance", "notes", "x" * 2001, False),
        ("AssetImportance", "weight", None, True),
        ("AssetImportance", "weight", "1", False),
        ("AssetImportance", "isActive", None, False),
        ("AssetImportance", "permissionTreeId", None, True),
        ("AssetImportance", "createdOn", "2026-01-05T08:30:00.0000000Z", False),
        ("Resource", "description", "", True),
        ("Resource", "description", None, True),
        ("Resource", "defaultResourceTradeId", None, True),
        ("ResourceTrade", "resourceId", None, False),
        ("ResourceTrade", "tradeId", CONVERTER, True),
        ("ResourceTrade", "permissionTreeId", None, True),
        ("PermissionTree", "parentId", "12", True),
        ("Trade", "isActive", True, False),
    ],
)
def test_what_a_property_may_be(kind, member, value, fits):
    """Lengths count characters, null is for what is optional, and unknown properties are none."""
    assert fits_in(kind, {member: value}) is fits


MESSAGE = {"code": "Core_Data_RecordUpdated", "message": "Record successfully updated", "severity": "information"}
ABOUT = {**MESSAGE, "objectId": "1", "objectType": "Trade"}
DONE = {**MESSAGE, "objectId": "1"}
STALE = {
    "code": "Sandbox_VersionConflict",
    "message": "Trade with id 1 is at version 2. You sent version 1",
    "objectId": "1",
    "objectType": "Trade",
    "severity": "error",
}
IGNORED = {"code": "Sandbox_GroupOrderIgnored", "message": "Groups were ignored", "severity": "warning"}
INVALID = {"code": "Sandbox_InvalidRequest", "message": "Bad.", "severity": "error", "pointer": "/0"}


@pytest.mark.parametrize(
    ("name", "messages", "fits"),
    [
        ("notification", [MESSAGE], False),
        ("notification", [DONE], True),
        ("notification", [{**DONE, "message": "Record successfully created"}], False),
        ("notification", [{**DONE, "properties": ["Trade->Code"]}], False),
        ("notification", [{**DONE, "severity": "warning"}], False),
        ("notification", [STALE], True),
        ("notification", [{**STALE, "message": "Trade with id 1 is at version 2"}], False),
        ("notification", [{**STALE, "properties": ["Trade->Version"]}], False),
        ("notification", [{**STALE, "severity": "warning"}], False),
        ("notification", [IGNORED], True),
        ("notification", [{**IGNORED, "userObjectId": "1"}], False),
        ("notification", [], False),
        ("notification", [{**MESSAGE, "pointer": "/0"}], False),
        ("notification", [{**MESSAGE, "severity": "fatal"}], False),
        ("notification", [{**MESSAGE, "objectId": 1}], False),
        ("notification", [{**MESSAGE, "properties": []}], False),
        ("notification", [{**MESSAGE, "colour": "red"}], False),
        ("refusal", [INVALID], True),
        ("refusal", [{key: value for key, value in INVALID.items() if key != "pointer"}], False),
        ("refusal", [INVALID, MESSAGE], False),
        ("done", [ABOUT], True),
        ("done", [ABOUT, ABOUT], False),
        ("done", [MESSAGE], False),
        ("done", [{**ABOUT, "severity": "warning"}], False),
    ],
)
def test_what_a_notification_may_be(name, messages, fits):
    """A refusal has errors alone, a single success one message, and text and members of a message are of its code."""
    assert fits_in(name, {"messages": messages}) is fits


JOINED = {
    "AssetImportance": "permissionTreeCode",
    "PermissionTree": "parentParentCode",
    "Resource": "defaultResourceTradeTradeCode",
    "ResourceTrade": "resourceCode",
    "Trade": "permissionTreeCode",
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_entity_shows_everything_unless_less_was_selected(kind):
    """All properties of a class and no others are shown, but in a list, where fewer and joined ones may be."""
    samples = {"code": "A", "description": "B", "isActive": True, "notes": None, "weight": None}
    samples |= dict.fromkeys(("createdOn", "modifiedOn"), NOW)
    shown = {name: samples.get(name, 7) for name in validators(f"{kind}Properties")[0].raw["properties"]}
    entity = {"class": kind, "id": 1, "version": 1, "properties": shown}
    assert fits_in("entity", entity)
    for name in shown:
        fewer = {**entity, "properties": {key: one for key, one in shown.items() if key != name}}
        assert (fits_in("entity", fewer), fits_in("selection", fewer)) == (False, True)
        other = {**entity, "properties": {**shown, name: [1]}}
        assert not fits_in("entity", other)
        assert not fits_in("selection", other)
    joined = {**entity, "properties": {**shown, JOINED[kind]: "A"}}
    assert (fits_in("entity", joined), fits_in("selection", joined)) == (False, True)
    assert not fits_in("selection", {**entity, "properties": {**shown, "colour": "red"}})


@pytest.mark.parametrize(
    ("status", "started", "completed", "steps", "fits"),
    [
        ("Queued", False, False, 0, True),
        ("Queued", True, False, 0, False),
        ("Executing", True, False, 1, True),
        ("Executing", True, True, 1, False),
        ("Completed", True, True, 2, True),
        ("Completed", True, False, 2, False),
        ("Cancelled", False, True, 0, True),
        ("Cancelled", True, True, 1, False),
        ("Failed", True, True, 2, False),
    ],
)
def test_a_task_has_the_instants_of_its_state(status, started, completed, steps, fits):
    """A task has begun once it executes, has ended once it is complete, and has done nothing when it was cancelled."""
    properties = {"status": status, "isValid": True, "stepCount": 2, "completedStepCount": steps, "createdOn": NOW}
    properties |= {"startedOn": NOW if started else None, "completedOn": NOW if completed else None}
    task = {"class": "BackgroundTask", "id": 1, "version": 1, "properties": properties}
    assert fits_in("task", task) is fits
