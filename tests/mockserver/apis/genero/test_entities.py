"""Which members of an item are written: Genero's fields and import settings."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.api.model import ApiState, ItemRun
from mockserver.apis.genero import access, api
from mockserver.apis.genero.entities import DEFAULT_OF, DEFAULTED, FIELDS, SWITCH_OF, SWITCHED, changes, prepare
from mockserver.domain.clock_and_ids import IdSource
from mockserver.domain.values import Item
from mockserver.stores.interface import Record
from mockserver.stores.memory import MemoryStore

API = api()
START = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = sorted(FIELDS)


def run(operation="postJob", **chosen):
    genero = {**access.DEFAULTS, "tenants": {"t": chosen}}
    api_state = ApiState(store=MemoryStore(), ids=IdSource(), settings={"genero": genero}, created=START)
    return ItemRun(api=API, api_state=api_state, scope="t", now=START, operation=API.contract.operation(operation))


def item(name, payload):
    resource = API.contract.resources[name]
    return Item(0, "1", "upsert", resource, "1", payload, None, None, payload)


def written(here, name, stored_record, given_):
    """Return what of `given_` an item of that kind writes."""
    prepared = prepare(here, API.contract.resources[name])
    return given_ if prepared is None else prepared([stored_record], [given_])[0]


STORED = Record("1", 1, deleted=False, body={}, created=START, modified=START)


@pytest.mark.parametrize("name", NAMES)
def test_fields_are_those_of_the_contract(name):
    """The table of fields says what the entity's schema says, in its order."""
    schema = API.contract.schemas.schema(API.contract.resources[name].schema)
    assert tuple(schema.members()) == FIELDS[name]


def test_every_setting_is_used_or_said_to_have_no_effect():
    """No switch and no default is there for show."""
    used = {*SWITCH_OF.values(), *DEFAULT_OF.values()}
    assert used.isdisjoint(access.NO_EFFECT)
    assert used | access.NO_EFFECT.keys() == {*access.SWITCHES, *access.FIELD_DEFAULTS}


def test_every_field_that_a_setting_names_is_reached():
    """Each switch and each default holds for some entity, and never for an entity's own key."""
    for names, table in ((SWITCH_OF, SWITCHED), (DEFAULT_OF, DEFAULTED)):
        assert {name for pairs in table.values() for _, name in pairs} == set(names.values())
        assert all(field != API.contract.resources[resource].key for resource in table for field, _ in table[resource])


@given(st.sampled_from(NAMES), st.dictionaries(st.sampled_from([*set().union(*FIELDS.values()), "odd", ""]), st.text()))
def test_unknown_members_are_left_out(name, payload):
    """What is written is what of the payload are fields of its entity, in its order."""
    (written_members,) = changes(API.contract.resources[name], [payload])
    assert list(written_members.items()) == [pair for pair in payload.items() if pair[0] in FIELDS[name]]


@given(st.sampled_from(NAMES), st.data())
def test_switches_hold_for_updates_only(name, data):
    """An update writes exactly the given fields whose switch is on; a creation writes every given field."""
    fields = sorted(FIELDS[name])
    given_ = dict.fromkeys(data.draw(st.sets(st.sampled_from(fields))), "x")
    chosen = {switch: data.draw(st.booleans()) for switch in access.SWITCHES}
    own, here = API.contract.resources[name].key, run(**chosen)
    kept = {field for field in given_ if field == own or chosen.get(SWITCH_OF.get(field), True)}
    assert written(here, name, STORED, given_).keys() == kept
    assert written(here, name, None, given_).keys() >= given_.keys()


@given(st.sampled_from(NAMES), st.data())
def test_defaults_fill_only_what_a_new_entity_lacks(name, data):
    """A creation gets each default that is set for a field that it lacks; what was given stays."""
    given_ = dict.fromkeys(data.draw(st.sets(st.sampled_from(sorted(FIELDS[name])))), "given")
    given_[API.contract.resources[name].key] = "1"
    given_.pop("deleted", None)
    chosen = {default: data.draw(st.sampled_from(["", "filled"])) for default in access.FIELD_DEFAULTS}
    got = written(run(**chosen), name, None, given_)
    filled = {field: "filled" for field, default in DEFAULTED[name] if chosen[default] and field not in given_}
    assert got == {**given_, **filled}


def test_import_settings_do_not_touch_single_entities():
    """A PUT is written as it is given."""
    given_ = {"customerId": "1", "phone": "2"}
    here = run("putEntity", DoUpdatePhone=False, DefaultPrio="Z")
    assert written(here, "customer", STORED, given_) == given_
    assert written(here, "customer", None, given_) == given_


def test_a_tenant_without_settings_has_the_vendors():
    """What a tenant leaves out is as the vendor's documentation says."""
    given_ = {"wholesalerId": "1", "salesDistrictId": "north"}
    assert written(run(), "wholesaler", STORED, given_) == {"wholesalerId": "1"}
    assert written(run(), "customer", None, {"customerId": "1"}) == {
        "customerId": "1",
        "prio": "N",
    }
