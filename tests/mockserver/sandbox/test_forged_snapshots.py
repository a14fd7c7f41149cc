"""Snapshots that somebody wrote or changed by hand: refused with their place, or the sandbox serves on from them.

Each part of a snapshot of several APIs is changed in turn. Either it is refused in one sentence that says where, or
afterwards no call is answered with an internal error: lists, polls, posts, moves of the clock, verdict, export.
"""

import json
import logging
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from case_inside import REAL
from sampling import ALL

from contracts.messages import ABSENT, Headers, Response
from mockserver.apis.sources import find_sources
from mockserver.http.recovery import open_service
from mockserver.http.service import Options, Service

MESSAGES = Path(__file__).parents[2] / "cases" / "contract_only" / "messages.yaml"
JSON_TYPE, FORM_TYPE = "application/json", "application/x-www-form-urlencoded"
IMPORT_TYPE = "application/vnd.onkey.entityimportcollection+json"
BLOCK = "/genero/api/v1/block"
MODULES = "/onkey/api/tenants/contoso/sandbox/modules"
IMPORTS = f"{MODULES}/system/imports"
CONTROL = "/_sandbox/sandboxes/default"
TOLD = ("snapshot?journal=true", "jobs?polls=true", "exchanges", "verdict", "entities", "settings", "scenarios")
SEED = 5  # of the order in which parts are changed
PARTS = 50  # in which all of them are tried
TOKEN = b"grant_type=client_credentials&client_id=multi&client_secret=sandbox"
FAILS = {"when": {"operation": ["import", "postJob"]}, "items": {"first": 1}, "then": {"fail": {"message": "No."}}}
COUNTS = {"when": {"nth": 2}, "then": {"count": "seen"}}
KEYED = {"Idempotency-Key": "k1"}
MESSAGE = {"Entries": [{"Id": "1", "Once": "a", "Body": {"text": "t"}}, {"Id": "2", "Body": {"text": 5}}]}


class Call(NamedTuple):
    """A call of the served APIs or of the control API."""

    method: str
    path: str
    data: Any = None
    media_type: str = JSON_TYPE
    fields: Any = ()


def send(service: Service, call: Call) -> Response:
    """Make a call without credentials, at the same real time."""
    body = b"" if call.data is None else call.data if isinstance(call.data, bytes) else json.dumps(call.data).encode()
    fields = (("Content-Type", call.media_type), *dict(call.fields).items()) if body else ()
    return service.handle(call.method, call.path, Headers(fields), body, REAL)


def blocks(*names: str) -> list[dict[str, str]]:
    return [{"blockId": name, "name": "N"} if name != "nameless" else {"blockId": name} for name in names]


def trades(*codes: str) -> list[dict[str, Any]]:
    return [
        {"entityType": "Trade", "action": "Insert", "userObjectId": str(n), "properties": {"code": code}}
        for n, code in enumerate(codes)
    ]


def imports(mode: str, *codes: str) -> Call:
    return Call("POST", f"{IMPORTS}?mode={mode}&async=true", trades(*codes), IMPORT_TYPE)


ENDED = (
    Call("POST", "/genero/oauth/token", TOKEN, FORM_TYPE),
    Call("PUT", f"{CONTROL}/scenarios", {"scenarios": [{"name": "fails", "rules": [FAILS, COUNTS]}]}),
    Call("POST", f"{BLOCK}/postJob", blocks("a0", "a1", "nameless")),
    Call("POST", f"{BLOCK}/multitenant/postJob", {"generoTenantIds": ["publicapitest2", "no"], "data": blocks("m")}),
    imports("PerRecord", "A", "B", "A"),
    imports("AllOrNone", "C", "C"),
    Call("POST", "/queue/send", MESSAGE),
    Call("POST", "/queue/send-once", MESSAGE, fields=KEYED),
    Call("POST", "/queue/send-slowly", MESSAGE),
    Call("POST", "/queue/jobs", MESSAGE, fields=KEYED),
    Call("POST", f"{CONTROL}/clock/advance", {"by": "PT6M"}),
    imports("PerRecord", "D", "E"),
)
WAITING = (
    Call("POST", f"{BLOCK}/postJob", blocks("q0", "a0")),
    imports("PerRecord", "F", "G"),
    imports("AllOrNone", "H"),
    Call("POST", "/queue/jobs", MESSAGE),
    Call("POST", f"{CONTROL}/clock/advance", {"by": "PT1S"}),
)


APIS = [source.load() for source in find_sources(("genero", "onkey", str(MESSAGES)))]


def new_service() -> Service:
    """Return a server of both bundled APIs and one of a contract alone, on a clock that stands still."""
    return Service(APIS, Options(mode="frozen"), REAL)


class Sandbox(NamedTuple):
    """A snapshot with jobs that ended, wait, and were cancelled, and the ids of the jobs of each API."""

    document: dict[str, Any]
    jobs: dict[str, list[str]]


def used() -> Sandbox:
    """Return a sandbox that was used for everything that a snapshot holds."""
    service = new_service()
    for call in ENDED:
        assert send(service, call).status < 300, call
    last = json.loads(send(service, Call("GET", f"{CONTROL}/jobs")).body)["jobs"][-2]["id"]
    send(service, Call("DELETE", f"{MODULES}/system/backgroundtasks/{last}"))
    for call in WAITING:
        assert send(service, call).status < 300, call
    jobs: dict[str, list[str]] = {}
    for job in json.loads(send(service, Call("GET", f"{CONTROL}/jobs")).body)["jobs"]:
        jobs.setdefault(job["api"], []).append(job["id"])
    for call in polls(jobs):
        assert send(service, call).status < 300, call
    document = json.loads(send(service, Call("GET", f"{CONTROL}/snapshot?journal=true")).body)
    return Sandbox(document, jobs)


def polls(jobs: dict[str, list[str]]) -> Iterator[Call]:
    """Yield all calls that tell of jobs."""
    yield from (Call("GET", f"{BLOCK}/jobStatus/{one}") for one in jobs["genero"])
    yield from (
        Call("GET", f"{MODULES}/system/backgroundtasks/{one}{end}") for one in jobs["onkey"] for end in ("", "/steps")
    )
    yield from (Call("GET", f"/queue/jobs/{one}") for one in jobs["messages"])


def tour(jobs: dict[str, list[str]]) -> Iterator[Call]:
    """Yield all kinds of calls, at three times: now, when what waits has ended, and when all is forgotten."""
    reads = ("jobs?polls=true", "exchanges", "exchanges/2", "verdict", "settings", "clock", "scenarios", "entities")
    yield from (Call("GET", f"{CONTROL}/{word}") for word in (*reads, "snapshot?journal=true"))
    yield from (Call("GET", f"{CONTROL}/exchanges/2/as/{form}") for form in ("curl", "pytest", "http", "har"))
    yield from (Call("GET", path) for path in (BLOCK, f"{BLOCK}/a1", f"{MODULES}/res/trades", "/queue/messages"))
    yield Call("GET", f"{CONTROL}/entities/genero/block?tenant=publicapitest")
    yield from polls(jobs)
    yield from (Call("POST", f"/queue/{word}", MESSAGE, fields=KEYED) for word in ("send", "send-once", "send-slowly"))
    yield Call("POST", "/queue/jobs", MESSAGE, fields=KEYED)
    yield Call("POST", "/genero/oauth/token", TOKEN, FORM_TYPE)
    yield Call("PUT", f"{BLOCK}/a1", {"blockId": "a1", "name": "P"})
    yield Call("POST", f"{BLOCK}/postJob", blocks("n"))
    yield Call("PATCH", f"{CONTROL}/settings", {"conduct": "enforce"})
    yield from polls({**jobs, "onkey": [], "messages": []})
    yield Call("POST", f"{BLOCK}/postJob", blocks("n"))
    yield Call("PATCH", f"{CONTROL}/settings", {"conduct": "observe"})
    yield imports("PerRecord", "N")
    yield Call("DELETE", f"{MODULES}/system/backgroundtasks/{jobs['onkey'][-1]}")
    yield Call("POST", f"{CONTROL}/clock/advance", {"to": "next-event"})
    yield Call("POST", f"{CONTROL}/clock/advance", {"by": "PT6M"})
    yield from polls(jobs)
    yield Call("PUT", f"{CONTROL}/clock", {"now": "2025-12-31T00:00:00Z"})
    yield from polls(jobs)
    yield Call("GET", f"{CONTROL}/jobs?polls=true")
    yield Call("POST", f"{CONTROL}/clock/advance", {"by": "P400D"})
    yield from (Call("GET", f"{CONTROL}/{word}") for word in ("jobs", "verdict", "snapshot?journal=true"))


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return used()


@pytest.fixture(scope="module")
def service() -> Service:
    return new_service()


def put(document: Any, pointer: str, value: Any) -> Any:
    """Return a document with a value at a pointer, ABSENT for none."""
    changed = deepcopy(document)
    *way, last = (token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])
    node = changed
    for token in way:
        node = node[int(token)] if isinstance(node, list) else node[token]
    place = int(last) if isinstance(node, list) else last
    if value is ABSENT:
        del node[place]
    else:
        node[place] = value
    return changed


def places(value: Any, at: str = "") -> Iterator[str]:
    """Yield the pointers into a document; of an array those of its first and last element."""
    inner = value.items() if isinstance(value, dict) else [*enumerate(value)] if isinstance(value, list) else ()
    for name, one in [*inner[:1], *inner[1:][-1:]] if isinstance(inner, list) else inner:
        pointer = f"{at}/{str(name).replace('~', '~0').replace('/', '~1')}"
        yield pointer
        yield from places(one, pointer)


def shapes(document: Any) -> dict[str, list[str]]:
    """Return the pointers into a document by what they are, whatever the ids are."""
    ids = {name for api in document["apis"].values() for name in api.get("jobs", ())}
    found: dict[str, list[str]] = {}
    for pointer in places({name: one for name, one in document.items() if name != "format"}):
        shape = "/".join("*" if token.isdigit() or token in ids else token for token in pointer.split("/"))
        found.setdefault(shape, []).append(pointer)
    return found


SCALARS = [
    None,
    True,
    0,
    -1,
    2**40,
    2**64 - 1,
    1.5,
    "",
    "x",
    "2026-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "PT5M",
    "P9999999D",
]
TAGGED = [
    {"$tuple": [1]},
    {"$instant": "2026-01-01T00:00:00Z"},
    {"$set": [1]},
    {"$text": "eA=="},
    {"$float": "nan"},
    {"$integer": "9" * 30},
    {"$absent": True},
    {"$map": [[1, 2]]},
    {"$headers": [["a", "b\r\nc: d"]]},
    {"$body": {"text": "[]"}},
    {"$resource": ""},
    {"$ItemFault": {"kind": "missing"}},
]
OTHERS = [ABSENT, *SCALARS, [], {}, [5], [[]], [{}], {"a": 5}, *TAGGED]
NAMES = ["publicapitest", "contoso/sandbox", "block", "Trade", "postJob", "batchImport", "a0", "A"]


def alike(value: Any) -> list[Any]:
    """Return other values of the same type, close to a value."""
    if isinstance(value, list):
        return [value[1:], value * 2, value[::-1], [*value, None]]
    if isinstance(value, dict):
        renamed = {("zz" if not n else name): one for n, (name, one) in enumerate(value.items())}
        return [{**value, "own": 1}, {**value, "own": {}}, renamed, dict(reversed(value.items()))]
    if isinstance(value, str):
        return [f"{value}0", value[:-1], "\u0000", "é" * 300]
    return [value + 1, -value, value * 10] if type(value) is int else []


def at(document: Any, pointer: str) -> Any:
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        document = document[int(name)] if isinstance(document, list) else document[name]
    return document


def require_harmless(service: Service, sandbox: Sandbox, document: Any, caplog: pytest.LogCaptureFixture) -> bool:
    """Require that a document is refused in a sentence with its place, or harms no call; tell whether it was put."""
    answer = send(service, Call("PUT", f"{CONTROL}/snapshot", document))
    assert answer.status in {200, 400}, answer.body
    if answer.status == 400:
        detail = answer.data["detail"]
        assert detail.startswith(("/", "snapshot: ")), detail
        assert "\n" not in detail
        return False
    caplog.clear()
    for call in tour(sandbox.jobs):
        answer = send(service, call)
        assert answer.status < 500, (call, answer.body)
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR], caplog.text
    return True


def test_what_is_as_it_was_written_is_put(service, sandbox, caplog):
    """The tour itself is answered, and the journal is part of the document."""
    assert require_harmless(service, sandbox, sandbox.document, caplog)
    assert len(shapes(sandbox.document)) > 300


FORGED = [
    ("/apis/onkey/results/*/entries", "x", "/apis/onkey/results/*: listTaskSteps cannot tell of the job (TypeError: "),
    ("/apis/onkey/results/*/entries", [], "/apis/onkey/results/*: listTaskSteps cannot tell of the job: "),
    ("/apis/onkey/results/*/entries/0/0/severity", 5, "/apis/onkey/results/*: listTaskSteps cannot tell of the job: "),
    ("/apis/genero/results/*/entries", {"$set": [1]}, "/apis/genero/results/*: jobStatus cannot tell of the job ("),
    ("/apis/genero/results/*/entries", {}, "/apis/genero/results/*: jobStatus cannot tell of the job: "),
    ("/apis/messages/results/*/entries", {"$tuple": [{"$set": []}]}, "/apis/messages/results/*: readJob cannot tell"),
    ("/apis/genero/jobs/*/due", "9999-12-31T23:59:59Z", "/due: it must be an instant of the years 1000 to 9499."),
    ("/apis/genero/jobs/*/retention", "P9999999D", "/retention: it must be a duration of at most 100000 days."),
    ("/apis/genero/jobs/-/due", None, "/apis/genero/dueQueue: of the job '"),
    ("/apis/genero/jobs/-/items", 9, "/items: the body has 2 items, and the job says 9."),
    ("/apis/genero/jobs/-/body", None, "/body: the job has not ended, and no body waits."),
    ("/apis/genero/jobs/-/body", {"text": "["}, ": the job cannot be run (ValueError: "),
    ("/apis/genero/jobs/-/extra/acts", {"$map": [[1, 2]]}, "/extra/acts/$map/0/1: it must be an object, not 2."),
    ("/apis/genero/jobs/-/extra/bugs", [5], "/extra/bugs: it must be an array of strings."),
    ("/apis/genero/expiring/0/3", [], "/apis/genero/expiring/0/3: it must be a key of 'tokens' in `memory`."),
    ("/apis/onkey/records/contoso~1sandbox/Trade/0/key", -1, "/Trade/0: the record cannot be shown: 'id' must be"),
    (
        "/apis/genero/counters/jobs",
        2**63,
        "/apis/genero/counters/jobs: 9223372036854775808 must be at most 9007199254740991.",
    ),
    ("/seed", -1, "/seed: -1 must be at least 0."),
    ("/journal/exchanges/0/response/size", -1, "/journal/exchanges/0: it cannot be shown: "),
]


@pytest.mark.parametrize(("pointer", "value", "says"), FORGED, ids=[f"{at} {value}" for at, value, _ in FORGED])
def test_what_would_break_a_later_call_is_refused(service, sandbox, pointer, value, says):
    """`*` is the first job, `-` the last one; nothing is changed."""
    ids = next((jobs for api, jobs in sandbox.jobs.items() if f"/{api}/" in pointer), [""])
    places_of = {"*": ids[0], "-": ids[-1]}
    pointer, says = (
        "/".join(places_of.get(one, one) for one in text.split("/"))
        for text in (pointer, says.replace("/*:", f"/{ids[0]}:"))
    )
    before = send(service, Call("GET", f"{CONTROL}/snapshot?journal=true")).body
    answer = send(service, Call("PUT", f"{CONTROL}/snapshot", put(sandbox.document, pointer, value)))
    assert (answer.status, says in answer.data["detail"]) == (400, True), answer.data["detail"]
    assert send(service, Call("GET", f"{CONTROL}/snapshot?journal=true")).body == before


def forgeries(sandbox: Sandbox) -> list[tuple[str, int]]:
    """Return every part of a snapshot, by its pointer, with the number of each value that it can be given."""
    parts = [pointers[0] for _, pointers in sorted(shapes(sandbox.document).items())]
    return [(pointer, n) for pointer in parts for n in range(len(values(sandbox, pointer)))]


def values(sandbox: Sandbox, pointer: str) -> list[Any]:
    """Return what to put at a place: nothing, another type, a value close to its own, what names something else."""
    jobs = [name for names in sandbox.jobs.values() for name in names]
    return [*OTHERS, *alike(at(sandbox.document, pointer)), *jobs[::3], *NAMES]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS if ALL else 1))
def test_whatever_is_changed_is_refused_or_harmless(service, sandbox, caplog, part):
    """Any part: left out, of another type, another value of the same type, twice, or what leads elsewhere."""
    every = forgeries(sandbox)
    Random(SEED).shuffle(every)
    assert len(every) > 20_000
    for pointer, n in every[part::PARTS] if ALL else every[:80]:
        changed = put(sandbox.document, pointer, values(sandbox, pointer)[n])
        try:
            require_harmless(service, sandbox, changed, caplog)
        except AssertionError as error:
            raise AssertionError(f"{pointer} is {values(sandbox, pointer)[n]!r}") from error


@pytest.mark.slow
def test_what_was_put_is_there_after_a_restart(service, sandbox, tmp_path):
    """A durable server restores what it took, whatever that was, and tells the same of it."""
    every, kept = forgeries(sandbox), 0
    Random(SEED + 1).shuffle(every)
    for pointer, n in every[: 2000 if ALL else 20]:
        changed = put(sandbox.document, pointer, values(sandbox, pointer)[n])
        if send(service, Call("PUT", f"{CONTROL}/snapshot", changed)).status == 400:
            continue
        kept, told = kept + 1, []
        for _ in range(2):
            durable = open_service(APIS, Options(mode="frozen"), tmp_path / f"{kept}.db", REAL, sync="normal")
            if not told:
                assert send(durable, Call("PUT", f"{CONTROL}/snapshot", changed)).status == 200
            told.append([send(durable, Call("GET", f"{CONTROL}/{what}")).body for what in TOLD])
            durable.log.close(whole=len(told) % 2 == kept % 2)
        assert told[0] == told[1], pointer
    assert kept > 3
