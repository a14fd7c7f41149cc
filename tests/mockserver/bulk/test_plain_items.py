"""Items that are read by columns against the same items read one by one."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.messages import Request
from mockserver.api.model import ApiState, RequestContext
from mockserver.apis.genero import api as genero
from mockserver.apis.onkey import api as onkey
from mockserver.bulk.prepared_api import prepared
from mockserver.domain.clock_and_ids import IdSource
from mockserver.domain.columns import ItemColumns
from mockserver.stores.memory import MemoryStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)
APIS = {api.name: api for api in (genero(), onkey())}
VARIABLES = {"entity": "customer", "module": "res", "resources": "trades", "client": "c", "connection": "s"}
PLAIN = [("genero", "postJob"), ("onkey", "batchCreate"), ("onkey", "batchUpdate"), ("onkey", "batchDelete")]

raws = st.fixed_dictionaries(
    {},
    optional={
        "customerId": st.text(max_size=2),
        "userObjectId": st.text(max_size=2),
        "id": st.one_of(st.integers(0, 3), st.sampled_from(["5", "x"]), st.builds(dict)),
        "version": st.one_of(st.integers(0, 3), st.sampled_from(["5", "x", None, 1.0, 1.5])),
        "properties": st.dictionaries(st.sampled_from(["code", "id"]), st.integers()),
        "operations": st.lists(st.just({"path": "Code", "value": "x"}), max_size=1),
    },
)


@pytest.mark.parametrize(("name", "operation"), PLAIN)
@given(sent=st.lists(raws, max_size=5))
def test_columns_of_items_are_the_items(name, operation, sent):
    """Index, key, action, target, payload, version and raw value of each item are the same."""
    api = APIS[name]
    plan, state = (
        prepared(api).plans[operation],
        ApiState(store=MemoryStore(), ids=IdSource(), settings={}, created=NOW),
    )
    context = RequestContext(
        api=api, api_state=state, request=Request(method="POST", path="/"), now=NOW, operation=plan.operation
    )
    context.variables, context.data = VARIABLES, sent
    reader = plan.item_reader
    by_columns = reader.items(context)
    make = reader._maker(context, by_columns.resource, by_columns.action)  # noqa: SLF001 - how all other items are made
    assert isinstance(by_columns, ItemColumns)
    assert by_columns == [make(n, name, raw) for n, (name, raw) in enumerate(reader.collection(context))]
