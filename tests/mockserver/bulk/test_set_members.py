"""Members that a declaration sets: constants, expressions, text with expressions, translated words."""

from datetime import UTC, datetime

import pytest

from contracts.bulk.declarations import read_bulk
from contracts.messages import ABSENT
from mockserver.bulk.set_members import evaluate, put_members, time_facts

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FACTS = {**time_facts(NOW), "action": lambda _: "create", "item": lambda rest: {"#/a": 7}.get(rest, ABSENT)}


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("COMPLETE", "COMPLETE"),
        (3, 3),
        (None, None),
        ("$now", "2026-01-02T03:04:05.000Z"),
        ("$now.epoch", 1767323045),
        ("$item#/a", 7),
        ("$item#/b", ABSENT),
        ("$message", ABSENT),
        ("notes/{$item#/a}.json", "notes/7.json"),
        ({"from": "$action", "map": {"create": "created"}}, "created"),
        ({"from": "$action", "map": {"update": "updated"}, "default": "other"}, "other"),
        ({"a": "$item#/a", "b": "$item#/b", "c": ["$action", "x"]}, {"a": 7, "c": ["create", "x"]}),
    ],
)
def test_a_value_is_a_constant_or_an_expression(value, wanted):
    """What an expression does not find is absent."""
    assert evaluate(value, FACTS) == wanted


def test_members_are_set_where_they_are_declared():
    """In arrays too, at 0; one that finds nothing is left out."""
    body = {"kept": 1}
    put_members(body, {"/a/b": 1, "/list/0/code": "$action", "/gone": "$item#/b"}, FACTS)
    assert body == {"kept": 1, "a": {"b": 1}, "list": [{"code": "create"}]}


def test_every_member_of_the_reply_is_read():
    """A declaration with all of them becomes a value with all of them."""
    outcomes = {
        "at": "/r",
        "failedAt": "/f",
        "failedKey": "/k",
        "record": "",
        "status": "/s",
        "message": "/m",
        "codes": {"default": "BAD"},
        "statuses": {"default": 400},
        "gaps": True,
        "set": {"/a": 1},
        "setDone": {"/b": 2},
        "setFailed": {"/c": 3},
    }
    job = {
        "when": "always",
        "handle": "/h",
        "id": "/i",
        "handleAs": "x/{id}",
        "poll": "p",
        "error": "/e",
        "set": {"/j": 1},
        "state": {"at": "/t", "map": {"a": "done"}, "set": {"done": {"/d": 1}}},
        "results": {"done": "good", "failed": "bad"},
        "outcomes": outcomes,
    }
    reply = {"status": {"allOk": 200}, "error": "/e", "set": {"/x": 1}, "outcomes": outcomes}
    base = {"items": {"at": ""}, "effect": {"action": "create"}, "key": {"by": "order"}, "unit": {"of": "item"}}
    bulk = read_bulk({**base, "reply": reply, "job": job})
    read = bulk.reply.outcomes
    assert bulk.job is not None
    assert read is not None
    assert (read.failed_key, read.record, read.status, read.message, read.gaps) == ("/k", "", "/s", "/m", True)
    assert (read.codes, read.statuses) == ({"default": "BAD"}, {"default": 400})
    assert (read.set_members, read.set_done, read.set_failed) == ({"/a": 1}, {"/b": 2}, {"/c": 3})
    assert (bulk.reply.error, bulk.reply.set_members) == ("/e", {"/x": 1})
    assert (bulk.job.id_at, bulk.job.handle_as, bulk.job.error) == ("/i", "x/{id}", "/e")
    assert (bulk.job.set_members, bulk.job.set_in_state) == ({"/j": 1}, {"done": {"/d": 1}})
    assert (bulk.job.results, bulk.job.results_of) == (("good", "bad"), {"good": "done", "bad": "failed"})
