"""Whatever is sent, On Key answers in its own shape and keeps its contract."""

from datetime import UTC, datetime
from urllib.parse import quote

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.messages import Headers
from mockserver.apis.onkey import api
from mockserver.http.service import Options, Service

ONKEY = api()
REAL = datetime(2026, 1, 1, tzinfo=UTC)
SERVICE = Service([ONKEY], Options(mode="frozen"), REAL)
BASE = "/onkey/api/tenants/contoso/sandbox/modules"
VENDOR = "application/vnd.onkey."
CALLS = {
    "batchCreate": ("POST", "/risk/assetimportances/batch", "entitycollection"),
    "batchUpdate": ("PATCH", "/risk/assetimportances/batch", "entitypatchcollection"),
    "batchDelete": ("DELETE", "/res/resources/batch", "entitydeletecollection"),
    "matchUpdate": ("PATCH", "/res/resources/matchbatch", "entitymatchupdatecollection"),
    "import": ("POST", "/system/imports", "entityimportcollection"),
    "create": ("POST", "/res/resourcetrades", "entity"),
    "update": ("PATCH", "/res/resources/5000001002", "entitypatch"),
    "delete": ("DELETE", "/res/trades/5000001003", "entitydelete"),
}
CONVERTERS = st.fixed_dictionaries(
    {"converter": st.sampled_from(["ReferenceLookup", "referencelookup", "x", 1])},
    optional={
        "type": st.sampled_from(["Code", "CUSTOM", "custom", None]),
        "code": st.sampled_from(["SHBE", "HAND", "A20", "", 5]),
        "properties": st.dictionaries(
            st.sampled_from(["Resource->Code", "trade_code", "Id", "zzz->y", ""]),
            st.sampled_from(["SHBE", 1, None, True]),
        ),
    },
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-5, 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)
VALUES = SCALARS | CONVERTERS | st.lists(SCALARS, max_size=2)
NAMES = st.sampled_from(
    [
        "code",
        "CODE",
        "description",
        "isActive",
        "resourceId",
        "tradeId",
        "defaultResourceTradeId",
        "permissionTreeId",
        "weight",
        "createdOn",
        "Resource->Code",
        "x",
        "",
    ]
)
OPERATIONS = st.lists(st.fixed_dictionaries({"path": NAMES, "value": VALUES}) | SCALARS, max_size=3)
IDS = (
    st.sampled_from([5000001002, "5000001003", 1543843155165003, 1, "007", -1, 1.0, 1.5, "x", True, None]) | CONVERTERS
)
MEMBERS = {
    "id": IDS,
    "Id": IDS,
    "version": st.sampled_from([1, "1", 3, 0, -1, "x", None]),
    "userObjectId": st.sampled_from(["a", "b", "c", "", 1]),
    "entityType": st.sampled_from(["Resource", "trade", "ResourceTrade", "PermissionTree", "x", 1]),
    "action": st.sampled_from(["Insert", "update", "DELETE", "Merge", "x", None]),
    "groupOrder": st.sampled_from(["1", "2", "x", 1.5, None, [], True, "NaN", "1e999999999"]),
    "properties": st.dictionaries(NAMES, VALUES, max_size=4) | SCALARS,
    "operations": OPERATIONS | SCALARS,
    "records": st.lists(st.fixed_dictionaries({"id": IDS, "version": st.just(1)}), max_size=2) | SCALARS,
}
RECORDS = st.fixed_dictionaries({}, optional=MEMBERS)
QUERIES = st.sampled_from(
    [
        "",
        "?mode=PerRecord",
        "?mode=allornone&ordered=true",
        "?mode=x",
        "?ordered=true&mode=PerRecord",
        "?async=true",
        "?async=no",
    ]
)


def send(method, path, body=b"", media=""):
    headers = Headers((("Content-Type", media),) if media else ())
    return SERVICE.handle(method, path, headers, body, REAL)


def check(reply):
    """Hold a reply to what every answer of On Key has."""
    assert reply.status < 500, reply.data
    assert "OnKey-Trace-Context" in reply.headers
    if reply.status >= 400:
        assert reply.headers.get("Content-Type") == f"{VENDOR}notification+json"
        messages = reply.data["messages"]
        assert messages
        assert all(list(one) == sorted(one) for one in messages)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(CALLS)), st.data(), QUERIES)
def test_a_body_of_any_shape_is_answered(operation, data, query):
    """No body that is near to what a call takes gives a fault of the sandbox's own."""
    method, path, media = CALLS[operation]
    many = operation in {"batchCreate", "batchUpdate", "batchDelete", "import"}
    body = data.draw(st.lists(RECORDS | SCALARS, max_size=4) if many else RECORDS)
    check(send(method, BASE + path + query, orjson.dumps(body), f"{VENDOR}{media}+json"))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=40), st.sampled_from(sorted(CALLS)))
def test_any_bytes_are_answered(body, operation):
    """No body at all gives a fault of the sandbox's own."""
    method, path, media = CALLS[operation]
    check(send(method, BASE + path, body, f"{VENDOR}{media}+json"))


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["$filter", "$orderby", "$select", "$top", "$skip", "includeHypermedia"]),
    st.lists(
        st.sampled_from(
            [
                "code",
                "parent_code",
                "eq",
                "startswith",
                "and",
                "'A'",
                "1",
                "null",
                "desc",
                ",",
                "id",
                "true",
                "-1",
                "\\",
                "'",
            ]
        )
        | st.text(max_size=3),
        max_size=6,
    ),
)
def test_any_query_is_answered(name, words):
    """A list answers any query with a list or with what is wrong with it."""
    check(send("GET", f"{BASE}/gc/permissiontrees?{quote(name)}={quote(' '.join(words))}"))


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["GET", "POST", "PATCH", "DELETE", "PUT", "OPTIONS"]),
    st.lists(
        st.sampled_from(
            [
                "res",
                "trades",
                "batch",
                "matchbatch",
                "5",
                "system",
                "backgroundtasks",
                "steps",
                "imports",
                "x",
                "%2F",
                "%00",
                "",
            ]
        ),
        max_size=5,
    ),
)
def test_any_path_is_answered(method, segments):
    """A path that leads nowhere is answered as anything else is refused."""
    check(send(method, BASE + "".join(f"/{one}" for one in segments)))


@pytest.mark.parametrize("operation", sorted(CALLS))
def test_a_refused_request_leaves_no_trace(operation):
    """A whole-request refusal changes nothing that is stored."""
    method, path, media = CALLS[operation]
    before = [
        send("GET", f"{BASE}/{kind}?$top=1000").body
        for kind in ("res/resources", "res/trades", "risk/assetimportances")
    ]
    assert send(method, f"{BASE}{path}?mode=zzz", b"[]", f"{VENDOR}{media}+json").status == 400
    assert before == [
        send("GET", f"{BASE}/{kind}?$top=1000").body
        for kind in ("res/resources", "res/trades", "risk/assetimportances")
    ]
