"""Outcomes as messages: codes, texts, and the order of members."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.apis.onkey import api
from mockserver.apis.onkey.messages import DONE, FAILED, IGNORED, INVALID, LENGTH, NOT_NULL, REQUIRED, entries
from mockserver.domain.columns import DoneOutcomes, ItemColumns
from mockserver.domain.values import Item, ItemFault, Outcome
from mockserver.stores.interface import Record

ONKEY = api()
NOW = datetime(2026, 1, 1, tzinfo=UTC)
KINDS = sorted({*FAILED, "missing", "scenario", "locked", "broken"})
OF_RECORDS = ("not-found", "referenced", "version")  # faults that no property has, of records that are there
ASKED = [
    ("batchCreate", "create"),
    ("batchUpdate", "update"),
    *(("import", one) for one in ("create", "update", "delete")),
]
CREATED = Record(12, 1, deleted=False, body={}, created=NOW, modified=NOW)


def said(operation, outcome, unit="item"):
    run = SimpleNamespace(api=ONKEY, operation=ONKEY.contract.operation(operation), unit=unit)
    return entries(run)([outcome])[0]


def outcome(action, *faults, target=7, resource="ResourceTrade"):
    item = Item(0, "mine", action, ONKEY.contract.resources[resource], target, {}, None, None, {})
    return Outcome(item, "failed" if faults else "done", action, faults, None if faults else CREATED)


def test_the_contract_names_every_code():
    """The codes that can be said are those that the contract shows as examples, but for a scenario's."""
    shown = (
        ONKEY.contract.operation("batchCreate").response(200).content[0].schema.at("/messages/0/code").raw["examples"]
    )
    told = {code for code, _ in (*DONE.values(), *FAILED.values(), LENGTH, NOT_NULL, REQUIRED)}
    assert told | {INVALID, IGNORED["code"]} == set(shown)


@given(
    st.sampled_from(KINDS),
    st.lists(st.sampled_from(["resourceId", "tradeId", "x->y", "{0}", ""]), max_size=2),
    st.sampled_from(ASKED),
    st.sampled_from([{}, {"closest": "tradeId"}, {"path": "Trade->Cod", "kind": "Trade"}]),
)
def test_a_message_fits_the_contract_and_its_members_are_in_order(kind, members, asked, facts):
    """Whatever the fault, its one message is an error that the contract knows, with members in alphabetical order."""
    of_changes = {*OF_RECORDS, "choice"}  # what cannot be said of a new record
    operation, action = ("import", "update") if kind in of_changes and asked[1] == "create" else asked
    members = [] if kind in OF_RECORDS else [*members, "tradeId"]
    fault = ItemFault(
        kind, tuple(members), "v", {"min": 1, "max": 5, "current": 3, "count": 2, "expected": "string", **facts}
    )
    (message,) = said(operation, outcome(action, fault, target=None if action == "create" else 7))
    assert list(message) == sorted(message)
    assert message["severity"] == "error"
    assert ONKEY.contract.operation(operation).response(200).content[0].schema.is_valid({"messages": [message]})


@given(
    st.lists(st.one_of(st.none(), st.text(max_size=3), st.integers()), min_size=1),
    st.sampled_from(["create", "update"]),
    st.sampled_from(["batchCreate", "batchUpdate", "import"]),
)
def test_messages_of_many_records_are_those_of_each(keys, action, operation):
    """Outcomes that are told by columns have the messages that they have one by one."""
    nothing = [{} for _ in keys]
    resource = ONKEY.contract.resources["Trade"]
    items = ItemColumns(action, resource, key=keys, target=nothing, payload=nothing, raw=nothing)
    records = [CREATED._replace(key=n) for n in range(len(keys))]
    done = DoneOutcomes(items, [action] * len(keys), records)
    run = SimpleNamespace(api=ONKEY, operation=ONKEY.contract.operation(operation), unit="item")
    assert list(map(list, entries(run)(done))) == [list(entries(run)([one])[0]) for one in done]


@pytest.mark.parametrize(
    ("operation", "action", "object_id", "user"),
    [
        ("batchCreate", "create", None, "mine"),
        ("batchUpdate", "update", "7", None),
        ("batchDelete", "delete", "7", None),
        ("matchUpdate", "update", "7", None),
        ("import", "create", None, "mine"),
        ("import", "update", "7", "mine"),
    ],
)
def test_who_is_named(operation, action, object_id, user):
    """A failed change names the record, a failed create only the caller's own name; batch updates never do."""
    (failed,) = said(operation, outcome(action, ItemFault("reference", ("tradeId",))))
    assert (failed.get("objectId"), failed.get("userObjectId")) == (object_id, user)
    (done,) = said(operation, outcome(action))
    assert (done["objectId"], done.get("userObjectId")) == ("12", user)


@pytest.mark.parametrize(
    ("action", "unit", "expected", "code"),
    [
        ("create", "item", "string", "Core_LengthValidator"),
        ("create", "whole", "string", "Core_Resources_SystemRequiredPropertyMissing"),
        ("update", "item", "string", "Core_LengthValidator"),
        ("update", "whole", "string", "Core_LengthValidator"),
        ("create", "item", "integer", "Core_NotNullValidator"),
        ("create", "whole", "integer", "Core_NotNullValidator"),
        ("update", "whole", "integer", "Core_NotNullValidator"),
    ],
)
def test_how_a_missing_property_is_told(action, unit, expected, code):
    """Texts differ by mode on create alone; what is no text must not be empty, in any mode."""
    fault = ItemFault("missing", ("code",), None, {"expected": expected, "min": 1, "max": 50})
    assert [one["code"] for one in said("import", outcome(action, fault, resource="Trade"), unit)] == [code]


def test_an_innocent_record_of_a_failed_unit_says_nothing():
    """What was undone with its neighbours has no message."""
    innocent = outcome("create")._replace(result="not-run", record=None)
    assert list(said("batchCreate", innocent, "whole")) == []


def test_a_name_of_any_length_makes_a_short_message():
    """An unknown property is named by its beginning."""
    (message,) = said("batchCreate", outcome("create", ItemFault("unknown", ("x" * 100_000,))))
    assert len(str(message)) < 1000
