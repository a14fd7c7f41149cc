"""Columns of items and outcomes say what lists of them say."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from contracts.bulk.model import Resource
from contracts.messages import ABSENT
from mockserver.domain import columns
from mockserver.domain.columns import DoneOutcomes, ItemColumns
from mockserver.domain.values import Item, Outcome
from mockserver.stores.interface import Record

NOW = datetime(2026, 1, 1, tzinfo=UTC)
THING = Resource(name="thing")

rows = st.lists(
    st.tuples(st.one_of(st.none(), st.text(max_size=3)), st.one_of(st.just(ABSENT), st.integers()), st.builds(dict))
)


@given(rows)
def test_items_by_columns_are_the_items(some):
    """Length, elements, slices, equality and every column are those of the list."""
    keys, targets, payloads = (list(column) for column in zip(*some, strict=True)) if some else ([], [], [])
    by_columns = ItemColumns("create", THING, key=keys, target=targets, payload=payloads, raw=payloads)
    listed = [
        Item(n, key, "create", THING, target, payload, None, None, payload)
        for n, (key, target, payload) in enumerate(some)
    ]
    assert by_columns == listed
    assert list(by_columns) == listed
    assert by_columns[1:] == listed[1:]
    assert len(by_columns) == len(listed)
    for name in ("key", "target", "payload", "raw", "version"):
        assert list(columns.item_column(by_columns, name)) == list(columns.item_column(listed, name))
    if some:
        assert columns.resources_of(by_columns) == columns.resources_of(listed)
        assert columns.actions_of(by_columns) == columns.actions_of(listed)


@given(rows, st.booleans())
def test_outcomes_by_columns_are_the_outcomes(some, whole):
    """All of them are done, with their items and records."""
    keys, targets, payloads = (list(column) for column in zip(*some, strict=True)) if some else ([], [], [])
    items = ItemColumns("create", THING, key=keys, target=targets, payload=payloads, raw=payloads)
    records = [Record(n, 1, deleted=False, body={}, created=NOW, modified=NOW) for n in range(len(some))]
    done = DoneOutcomes(items if whole else list(items), ["create"] * len(some), records)
    listed = [Outcome(item, "done", "create", (), record) for item, record in zip(items, records, strict=True)]
    assert done == listed
    assert done[:1] == listed[:1]
    assert columns.result_words(done) == columns.result_words(listed)
    assert list(columns.undone(done)) == list(columns.undone(listed)) == []
    assert list(columns.outcome_keys(done)) == list(columns.outcome_keys(listed)) == keys
