"""What the sandbox writes in any declared form, the reader of outcomes reads as it was meant."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.exchange.bulk_exchange import bulk_exchanges
from contracts.messages import Exchange, ExchangeHistory, Headers, Request
from contracts.openapi.loading import load
from contracts.openapi.routing import Router
from generators.oracles.response_laws import count, counts, key, outcome_order, status_class
from mockserver.api.model import Api
from mockserver.engine.default_hooks import DEFAULT_HOOKS
from mockserver.engine.pipeline import handle
from mockserver.sandbox.sandboxes import Sandbox, SandboxTemplate

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OK = {"allOk": 200, "someFailed": 207, "allFailed": 422}
WHOLE = {"allOk": 200, "wholeFailed": 422}
FAILED = {"at": "/ok", "is": False}

ENCODINGS = {
    # each item its entry: told apart by key, place, status, an error that is there, a word
    "array by key": {"outcomes": {"at": "/results", "key": "/ref", "failedIf": FAILED, "error": "/why"}},
    "array by place": {
        "key": {"by": "order"},
        "outcomes": {"at": "", "inOrder": True, "failedIf": FAILED, "id": "/id"},
    },
    "status of each": {"outcomes": {"at": "/r", "key": "/ref", "failedIf": {"at": "/status", "not": "2xx"}}},
    "declared statuses": {
        "outcomes": {
            "at": "/r",
            "key": "/ref",
            "failedIf": {"at": "/s", "not": "2xx"},
            "statuses": {"default": 400},
            "message": "/text",
        }
    },
    "an error or none": {"outcomes": {"at": "/r", "key": "/ref", "failedIf": {"at": "/error", "exists": True}}},
    "an error with a code": {
        "outcomes": {
            "at": "/r",
            "key": "/ref",
            "failedIf": {"at": "/error", "exists": True},
            "error": "/error/code",
            "message": "/error/text",
            "codes": {"default": "BAD"},
        }
    },
    "a word": {
        "outcomes": {
            "at": "/r",
            "key": "/ref",
            "failedIf": {"at": "/type", "not": "succeeded"},
            "setFailed": {"/type": "errored"},
        }
    },
    "a list of errors": {"outcomes": {"at": "/r", "key": "/ref", "failedIf": FAILED, "error": "/errors/0/code"}},
    "under the word of the action": {
        "key": {"by": "order"},
        "outcomes": {"at": "/items", "inOrder": True, "failedIf": {"at": "/*/error", "exists": True}, "status": "/*/s"},
    },
    "a map": {"outcomes": {"at": "/m", "as": "map", "failedIf": {"at": "/errors", "exists": True}, "record": "/one"}},
    "a map in the place of failures too": {
        "outcomes": {"at": "/m", "failedAt": "/m", "as": "map", "failedIf": {"at": "/e", "exists": True}}
    },
    # lists of their own
    "split": {"outcomes": {"at": "/good", "failedAt": "/bad", "covers": "split", "key": "/ref", "error": "/code"}},
    "split, the record is the entry": {
        "outcomes": {
            "at": "/good",
            "failedAt": "/bad",
            "covers": "split",
            "record": "",
            "key": "/ref",
            "failedKey": "/context/refs/0",
            "error": "/code",
        }
    },
    "split maps": {"outcomes": {"at": "/good", "failedAt": "/bad", "covers": "split", "as": "map", "error": ""}},
    "failures by pointer": {
        "key": {"by": "index"},
        "outcomes": {"at": "/good", "failedAt": "/bad", "covers": "split", "key": "/source/pointer"},
    },
    "failures by index": {"key": {"by": "index"}, "outcomes": {"at": "/bad", "covers": "failed", "as": "map"}},
    "texts without a key": {
        "outcomes": {"at": "/good", "failedAt": "/errors", "covers": "split", "record": "", "key": "/ref", "error": ""}
    },
    "null in the place of failures": {
        "key": {"by": "order"},
        "outcomes": {"at": "/good", "covers": "all", "gaps": True, "inOrder": True, "record": ""},
    },
    "null in the place of failures, which stand apart": {
        "outcomes": {
            "at": "/good",
            "failedAt": "/bad",
            "covers": "all",
            "gaps": True,
            "record": "",
            "failedKey": "/ref",
            "error": "/code",
        },
        "key": {"by": "client", "at": "/ref"},
    },
    # together
    "unless failed": {
        "unit": "whole",
        "key": {"by": "index"},
        "outcomes": {"at": "/good", "failedAt": "/errors", "covers": "unless-failed", "key": "/source/pointer"},
    },
    "marked": {
        "unit": "whole",
        "marked": "ROLLED_BACK",
        "outcomes": {"at": "/r", "key": "/ref", "failedIf": FAILED, "error": "/code"},
    },
}


def document(name, *, job=False):
    """Return a document with one bulk operation in an encoding, at once or as a job."""
    encoding = ENCODINGS[name]
    whole = encoding.get("unit") == "whole"
    mark = encoding.get("marked")
    outcomes = {"covers": "all", **encoding["outcomes"]}
    reply = {"status": {**(WHOLE if whole else OK), "accepted": 202}}
    bulk = {
        "items": {"at": "/items"},
        "effect": {"action": "create", "resource": "things", "payload": "/thing"},
        "key": encoding.get("key", {"by": "client", "at": "/ref"}),
        "unit": {"of": "whole" if whole else "item", **({"rolledBack": "marked", "markedAs": mark} if mark else {})},
        "order": {"run": "listed"},
        "reply": reply if job else {**reply, "outcomes": outcomes},
    }
    if job:
        bulk["job"] = {
            "when": "always",
            "handle": "/job",
            "poll": "poll",
            "results": "here",
            "state": {"at": "/state", "map": {"busy": "running", "over": "done"}},
            "outcomes": outcomes,
        }
    any_body = {"content": {"application/json": {"schema": {}}}}
    path = [{"name": "job", "in": "path", "required": True, "schema": {"type": "string"}}]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Things", "version": "1"},
        "paths": {
            "/things/bulk": {
                "post": {
                    "operationId": "bulk",
                    "requestBody": {"required": True, **any_body},
                    "responses": {"default": {"description": "", **any_body}},
                    "x-bulk": bulk,
                }
            },
            "/jobs/{job}": {
                "get": {
                    "operationId": "poll",
                    "parameters": path,
                    "responses": {"default": {"description": "", **any_body}},
                }
            },
        },
        "x-resources": {
            "things": {
                "schema": {"type": "object", "properties": {"name": {"type": "string"}}},
                "key": "id",
                "assigned": True,
                "required": ["name"],
            }
        },
    }


CASES = {}


def served(name, tmp_path_factory, *, job):
    """Return the API of an encoding, loaded once."""
    if (name, job) not in CASES:
        file = tmp_path_factory.mktemp("encoding") / "things.json"
        file.write_bytes(orjson.dumps(document(name, job=job)))
        CASES[name, job] = Api(name="things", contract=load(file), hooks=DEFAULT_HOOKS)
    return CASES[name, job]


def exchanged(api, sandbox, path, body, now):
    """Return the exchange of one request: the bulk request with a body, or the poll after it."""
    n, method = (2, "GET") if body is None else (1, "POST")
    data = b"" if body is None else orjson.dumps(body)
    headers = Headers((("Content-Type", "application/json"),)) if data else Headers()
    request = Request(method=method, path=path, headers=headers, body=data)
    response = handle(sandbox, api, request, now)
    name = "bulk" if method == "POST" else "poll"
    return Exchange(n=n, at=now, api="things", operation=name, request=request, response=response)


def told(api, good, *, job):
    """Return what a request with these items, good or bad, is read to report; the laws of replies find nothing."""
    sandbox = Sandbox("s", SandboxTemplate(apis={"things": api}), NOW)
    items = [{"ref": f"r{n}", "thing": {"name": f"n{n}"} if one else {}} for n, one in enumerate(good)]
    exchanges = [exchanged(api, sandbox, "/things/bulk", {"items": items}, NOW)]
    if job:
        handle_of = exchanges[0].response.data["job"]
        later = NOW + timedelta(hours=1)
        exchanges.append(exchanged(api, sandbox, f"/jobs/{handle_of}", None, later))
    views = list(bulk_exchanges(ExchangeHistory(exchanges=tuple(exchanges)), api.contract, router=Router(api.contract)))
    laws = (count, counts, key, outcome_order, status_class)
    assert [finding.says for law in laws for finding in law(views[0])] == []
    assert views[0].reports, exchanges[-1].response.data
    return [one.result for one in views[0].reports[0].outcomes]


def expected(name, good):
    """Return the results of items as they are meant."""
    if ENCODINGS[name].get("unit") == "whole" and not all(good):
        return ["not-run" if one else "failed" for one in good]
    return ["done" if one else "failed" for one in good]


@pytest.mark.parametrize("name", ENCODINGS)
@settings(max_examples=12)  # of the thirty that there are
@given(good=st.lists(st.booleans(), min_size=1, max_size=4))
def test_a_reply_is_read_as_it_was_meant(tmp_path_factory, name, good):
    """Every item has the outcome that it had, whatever the form of the reply."""
    assert told(served(name, tmp_path_factory, job=False), good, job=False) == expected(name, good)


@pytest.mark.parametrize("name", [name for name in ENCODINGS if ENCODINGS[name]["outcomes"]["at"]])
@settings(max_examples=12)  # of the thirty that there are
@given(good=st.lists(st.booleans(), min_size=1, max_size=4))
def test_the_results_of_a_job_are_read_as_they_were_meant(tmp_path_factory, name, good):
    """The same forms, in the poll of a job."""
    assert told(served(name, tmp_path_factory, job=True), good, job=True) == expected(name, good)
