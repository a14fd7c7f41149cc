"""Documents of snapshots: what is refused and where, what no document can do, and values in writing."""

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from case_inside import REAL
from hypothesis import given
from hypothesis import strategies as st

from contracts.messages import ABSENT, Headers, Response
from mockserver.apis.genero import api as genero_api
from mockserver.domain.values import ItemEffect, ItemFault
from mockserver.http.service import Options, Service
from mockserver.sandbox.snapshot import restore, snapshot_of, snapshot_text
from mockserver.sandbox.value_codec import ValueCodec
from mockserver.sandbox.value_forms import SnapshotError
from mockserver.stores.interface import Collection, Record
from mockserver.stores.spooled_bodies import Spool

CREDENTIALS = b"grant_type=client_credentials&client_id=multi&client_secret=sandbox"
JSON_HEADERS = Headers((("Content-Type", "application/json"),))


def new_service(*apis: Any) -> Service:
    """Return a server with a frozen clock; of Genero by default."""
    return Service(apis or [genero_api()], Options(mode="frozen"), REAL)


def send(service: Service, method: str, path: str, data: Any = None) -> Response:
    """Call an API in the default sandbox."""
    return service.handle(method, path, JSON_HEADERS, b"" if data is None else json.dumps(data).encode(), REAL)


def used(service: Service) -> Service:
    """Give the default sandbox records, a job that ended and one that waits, a token, a scenario."""
    form = Headers((("Content-Type", "application/x-www-form-urlencoded"),))
    service.handle("POST", "/genero/oauth/token", form, CREDENTIALS, REAL)
    send(service, "PUT", "/_sandbox/sandboxes/default/scenarios", {"scenarios": ["partial-success"]})
    for n in range(2):
        send(service, "POST", "/genero/api/v1/block/postJob", [{"blockId": f"{n}{one}", "name": "N"} for one in "abc"])
        send(service, "POST", "/_sandbox/sandboxes/default/clock/advance", {"by": "PT2.002S"})
    return service


@pytest.fixture(scope="module")
def service() -> Service:
    """Return a server whose sandbox was used."""
    return used(new_service())


@pytest.fixture
def document(service) -> Any:
    """Return its snapshot."""
    return json.loads(snapshot_text(snapshot_of(service.sandboxes.use("default", REAL), REAL, journal=True)))


def put(document: Any, pointer: str, value: Any) -> Any:
    """Return a document with a value at a pointer, ABSENT for none; `*` is the first member."""
    changed = deepcopy(document)
    *way, last = pointer.split("/")[1:]
    node = changed
    for token in way:
        node = node[int(token)] if isinstance(node, list) else node[next(iter(node)) if token == "*" else token]
    place = int(last) if isinstance(node, list) else last
    if value is ABSENT:
        del node[place]
    else:
        node[place] = value
    return changed


BLOCKS = "/apis/genero/records/publicapitest/block"
REFUSALS = [
    ("/format", 2, "/format: the format 2 is not known; it must be 1. Export the snapshot again"),
    ("/format", ABSENT, "snapshot: 'format' is missing. Add it."),
    ("/recrods", {}, "snapshot: 'recrods' is not known here."),
    ("/seed", "7", "/seed: it must be an integer, not a string."),
    ("/clock/mode", "warp", '/clock/mode: "warp" is not known here. Write system, frozen or scaled.'),
    ("/clock/at", "yesterday", "/clock: the clock has no time from 1970 to 9000."),
    ("/clock/elapsed", "P9999999D", "/clock: the clock has no time from 1970 to 9000."),
    ("/settings/auth", "shut", "/settings/auth: "),
    ("/settings/onkey", {}, "/settings/onkey: 'onkey' is not known here."),
    ("/scenarios/active/0/rules/0/then", {"fail": 5}, "/scenarios/active/0/rules/0/then/fail: "),
    ("/scenarios/played/0/rule", -1, "/scenarios/played/0/rule: "),
    (
        "/apis/generö",
        {"created": "2026-01-01T00:00:00Z"},
        "/apis/generö: no API 'generö' is served. Did you mean 'genero'?",
    ),
    ("/apis/genero/created", "2026-01-01T00:00:00", "/apis/genero/created: it must be an instant such as"),
    (
        "/apis/genero/records/publicapitest/blocks",
        [],
        "/apis/genero/records/publicapitest/blocks: the contract has no resource 'blocks'. Did you mean 'block'?",
    ),
    (f"{BLOCKS}/0/body/name", 5, f"{BLOCKS}/0/body/name: 5 does not fit the schema of block."),
    (f"{BLOCKS}/0/body", [], f"{BLOCKS}/0/body: it must be an object, not an array."),
    (f"{BLOCKS}/0/extra", 1, f"{BLOCKS}/0: 'extra' is not known here."),
    (f"{BLOCKS}/0/key", 1.5, f"{BLOCKS}/0/key: "),
    (f"{BLOCKS}/1/key", "0a", f'{BLOCKS}/1/key: the key "0a" was there before.'),
    (f"{BLOCKS}/1/modified", "now", f"{BLOCKS}/1: its times must be such as"),
    ("/apis/genero/jobs/*/operation", "post", "the contract has no bulk operation 'post'"),
    ("/apis/genero/jobs/*/id", "other", "the job must have the id"),
    ("/apis/genero/jobs/*/due", "soon", '/due: it must be an instant such as 2026-01-01T00:00:00Z, not "soon".'),
    ("/apis/genero/unfinished", {"x": None}, "/apis/genero/unfinished: there is no job 'x'."),
    (
        "/apis/genero/results/x",
        {"done": 0, "failed": 0, "notRun": 0, "status": 200, "entries": None},
        "/apis/genero/results: there is no job 'x'.",
    ),
    ("/apis/genero/memory/tokens", {"t": "multi"}, '/apis/genero/memory/tokens/t: it must be an array, not "multi".'),
    ("/apis/genero/memory/own", {"$Popen": ["ls"]}, "/apis/genero/memory/own/$Popen: '$Popen' names no kind of value."),
    ("/apis/genero/memory/own", {"$Outcome": {}}, "/apis/genero/memory/own/$Outcome: 'item' is missing."),
    ("/apis/genero/memory/own", {"$instant": 5}, "/apis/genero/memory/own/$instant: it must be an instant"),
    ("/apis/genero/memory/own", {"$set": [{}]}, "/apis/genero/memory/own/$set: each element of a set"),
    (
        "/apis/genero/memory/own",
        {"$resource": "blok"},
        '/apis/genero/memory/own/$resource: the contract has no resource "blok".',
    ),
    (
        "/apis/genero/expiring",
        [["2026-01-01T00:00:00Z", 1, 5, "x"]],
        "/apis/genero/expiring/0/2: it must be a string, not 5.",
    ),
    ("/journal/last", 2, "/journal: the exchanges must be numbered"),
    ("/journal/exchanges/0/status", "200", '/journal/exchanges/0/status: it must be an integer, not "200".'),
    (
        "/journal/exchanges/1/toRead/known",
        {"targets": {"json": 5}},
        "/journal/exchanges/1/toRead/known: its lists are not",
    ),
    (
        "/journal/exchanges/1/toRead/settings",
        9,
        "/journal/exchanges/1/toRead/settings: there are no settings of that number.",
    ),
    (
        "/journal/exchanges/1/toRead/operation",
        "x",
        "/journal/exchanges/1/toRead/operation: no bulk operation 'x' is served.",
    ),
]


@pytest.mark.parametrize(("pointer", "value", "says"), REFUSALS, ids=[f"{at} {value}" for at, value, _ in REFUSALS])
def test_what_does_not_fit_is_refused_in_one_sentence_with_its_place(service, document, pointer, value, says):
    """And nothing is changed."""
    sandbox = service.sandboxes.use("default", REAL)
    before = snapshot_text(snapshot_of(sandbox, REAL, journal=True))
    with pytest.raises(SnapshotError) as refused:
        restore(sandbox, put(document, pointer, value), REAL)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
    assert snapshot_text(snapshot_of(sandbox, REAL, journal=True)) == before


@pytest.mark.parametrize("given_value", [None, [], 5, "x", {}, {"format": True}])
def test_what_is_no_snapshot_at_all_is_refused(service, given_value):
    """Whatever JSON it is."""
    with pytest.raises(SnapshotError):
        restore(service.sandboxes.use("default", REAL), given_value, REAL)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from([2**40, 1e300, "PT5M", "x", "2026-01-01T00:00:00Z"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=6,
)


def places(value: Any, at: str = "") -> Iterator[str]:
    """Yield the pointers into a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inner:
        yield f"{at}/{name}"
        yield from places(one, f"{at}/{name}")


CHANGED = new_service()
TAGS = ["$tuple", "$map", "$Outcome", "$Job", "$resource", "$body", "$instant", "$set", "$text"]
TAGGED = st.builds(lambda tag, value: {tag: value}, st.sampled_from(TAGS), st.deferred(lambda: JSON))
CALLS = [
    ("GET", "/genero/api/v1/block", None),
    ("GET", "/genero/api/v1/block/0a", None),
    ("POST", "/genero/api/v1/block/postJob", [{"blockId": "n", "name": "N"}]),
    ("POST", "/_sandbox/sandboxes/default/clock/advance", {"by": "PT6M"}),
    *(("GET", f"/_sandbox/sandboxes/default/{word}", None) for word in ("jobs", "exchanges", "verdict", "settings")),
    ("GET", "/_sandbox/sandboxes/default/entities/genero/block?tenant=publicapitest", None),
    ("GET", "/_sandbox/sandboxes/default/snapshot?journal=true", None),
]


@given(st.data())
def test_no_document_does_harm(service, data):
    """Whatever is changed in one, it is refused with its place, or the sandbox serves on without an internal error."""
    document = snapshot_of(service.sandboxes.use("default", REAL), REAL, journal=True)
    document = json.loads(snapshot_text(document))
    pointer = data.draw(st.sampled_from(sorted(places(document))))
    if "~" in pointer:
        return
    changed = put(document, pointer, data.draw(st.one_of(st.just(ABSENT), JSON, TAGGED)))
    sandbox = CHANGED.sandboxes.use("default", REAL)
    try:
        restore(sandbox, changed, REAL)
    except SnapshotError:
        return
    for method, path, body in CALLS:
        answer = send(CHANGED, method, path, body)
        assert b"Internal error" not in answer.body, (pointer, path)


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(st.characters()),
    st.binary(),
    st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(fold=0)),
    st.timedeltas(timedelta(days=-400), timedelta(days=400_000)),
    st.decimals(allow_nan=False),
    st.just(ABSENT),
    st.builds(Collection, st.text(), st.text()),
    st.builds(Headers, st.lists(st.tuples(st.text(), st.text()), max_size=2)),
    st.builds(ItemEffect, st.sampled_from(["fail", "lose"]), st.text() | st.none()),
    st.builds(Response, status=st.integers(200, 599), body=st.binary() | st.just(b'{"a":[1.0,"b"]}')),
)
KEYS = st.text() | st.integers() | st.tuples(st.text(), st.integers()) | st.builds(Collection, st.text(), st.text())
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(KEYS, inner, max_size=3),
        st.dictionaries(st.sampled_from(["$map", "$tuple", "$", "a"]), inner, max_size=2),
        st.builds(ItemFault, st.text(), st.tuples(st.text()), inner, st.dictionaries(st.text(), inner, max_size=2)),
    ),
    max_leaves=12,
)


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are equal, and of the same types all through."""
    return repr(one) == repr(other) and type(one) is type(other)


@given(VALUES)
def test_values_come_back_as_they_were(value):
    """Through JSON text, with their types: tuples, keys of dicts, instants, infinity, lone surrogates."""
    codec = ValueCodec({}, Spool())
    data = codec.write(value)
    text = json.dumps(data)
    assert same(codec.read(json.loads(text)), value)
    assert json.dumps(codec.write(codec.read(json.loads(text)))) == text


@given(JSON)
def test_json_values_are_written_as_they_are(value):
    """What hooks keep as JSON is readable."""
    assert ValueCodec({}, Spool()).write(value) == value


class Kept(NamedTuple):
    """What a plug-in keeps."""

    at: datetime
    names: frozenset[str]


@dataclass
class Own:
    """Another."""

    at: datetime


def test_what_a_plug_in_keeps_is_written_by_its_declared_type_or_refused_by_name():
    """It is never dropped in silence."""
    kept = {"a": Kept(REAL, frozenset({"x", "y"}))}
    service = new_service(replace(genero_api(), memory_types={"kept": dict[str, Kept]}))
    sandbox = service.sandboxes.use("default", REAL)
    memory = sandbox.api_state(service.apis["genero"], REAL).memory
    memory["kept"] = kept
    document = json.loads(snapshot_text(snapshot_of(sandbox, REAL)))
    assert document["apis"]["genero"]["memory"]["kept"] == {"a": {"at": "2026-01-01T00:00:00Z", "names": ["x", "y"]}}
    restore(sandbox, document, REAL)
    assert sandbox.api_states["genero"].memory["kept"] == kept
    for value in (Own(REAL), Kept(REAL, frozenset()), object(), REAL.replace(tzinfo=None), print, {1: Own(REAL)}):
        sandbox.api_states["genero"].memory["other"] = {"deep": [value]}
        with pytest.raises(SnapshotError, match=r"^/apis/genero/memory/other/deep/0"):
            snapshot_of(sandbox, REAL)
    sandbox.api_states["genero"].memory["other"] = circle = []
    circle.append(circle)
    with pytest.raises(SnapshotError, match="contains itself"):
        snapshot_of(sandbox, REAL)


@pytest.mark.parametrize("body", [{"a": (1,)}, {"a": REAL}, {1: 2}, {"a": {"b": float("nan")}}, {"a": [{2}]}])
def test_a_record_that_is_not_json_is_refused_by_its_place(body):
    """A plug-in may have stored it."""
    service = new_service()
    sandbox = service.sandboxes.use("default", REAL)
    store = sandbox.api_state(service.apis["genero"], REAL).store
    store.put(Collection("t", "block"), Record("k", 1, deleted=False, body=body, created=REAL, modified=REAL))
    with pytest.raises(
        SnapshotError, match=r"^/apis/genero/records/t/block/0/body: the record has a value that is not"
    ):
        snapshot_of(sandbox, REAL)
