"""Each member of the vocabulary is served, as a case shows, or refused where a document says it: none is ignored.

`SERVED` names a case for each member of `x-bulk.schema.json`, and for each word that one may have; the document of that
case uses the member. `REFUSED` are those that no document may use: see `contracts.openapi.bulk_checks`.
"""

import copy
import json
import re
from pathlib import Path

import pytest
import yaml
from case_inside import served_by
from case_text import read_cases

from contracts import ContractError, load
from contracts.openapi.document_checks import published_schema
from contracts.openapi.loading import BUNDLED_FOLDER

HERE = Path(__file__).parent
CASES = [case for file in sorted(HERE.glob("**/*.case")) for case in read_cases(file)]
SCHEMA = published_schema("x-bulk")
OUTCOMES = re.compile(r"^/(?:reply|job)/outcomes")  # the same members in both places
KINDS = re.compile(
    r"^(outcomes/(?:codes|statuses)|/job/state/set|/job/(?:steps/)?failedIf)/.*"
)  # one table for all kinds of faults or states
COMMON = (
    "/items /items/at /items/min /items/max /effect /effect/action /effect/like /effect/payload "
    "/key /key/by /key/by=index /unit /unit/of /order /order/run /order/run=listed /reply /reply/status "
    "/reply/status/allOk /reply/status/someFailed /reply/status/allFailed outcomes outcomes/at outcomes/as "
    "outcomes/as=array outcomes/covers outcomes/covers=all outcomes/inOrder outcomes/key outcomes/failedIf "
    "outcomes/failedIf/at outcomes/failedIf/not outcomes/id outcomes/version outcomes/error /guard /guard/refuse "
    "/guard/refuse/empty /guard/refuse/tooMany"
)
SERVED = {
    "contract_only/books: Each item stands for itself": COMMON,
    "contract_only/books: A whole falls together": (
        "/unit/rolledBack /unit/rolledBack=nothing /reply/status/wholeFailed"
    ),
    "contract_only/books: The caller chooses the unit": (
        "/unit/of/from /unit/of/map /unit/of/default /unit/rolledBack=marked /unit/markedAs"
    ),
    "contract_only/books: A stale version fails": "/effect/version /effect/target /key/by=target /key/at",
    "contract_only/books: Smaller groups run first": (
        "/order/run=grouped /order/when /order/groupBy /key/by=client /effect/action/from /effect/action/map"
    ),
    "contract_only/books: A repeated client key": "/guard/refuse/duplicateKey",
    "contract_only/books: A job waits, works": (
        "/job /job/when /job/handle /job/poll /job/state /job/state/at /job/state/map /job/progress "
        "/job/progress/posted /job/progress/processed /job/results "
        "/job/keep /job/takes /job/takes/base /job/takes/perItem /job/takes/queued outcomes/as=map "
        "outcomes/covers=failed /reply/status/accepted"
    ),
    "contract_only/books: A cancelled job": "/job/cancel",
    "contract_only/books: A fan-out does": (
        "/items/fanOut /items/fanOut/over /items/fanOut/succeeded /items/fanOut/failed"
    ),
    "contract_only/books: The same key and content": (
        "/guard/idempotency /guard/idempotency/key /guard/idempotency/scope /guard/idempotency/scope=request "
        "/guard/idempotency/keep /guard/idempotency/replay /guard/idempotency/replay=same-reply "
        "/guard/idempotency/mismatch"
    ),
    "contract_only/messages: An item that was done": "/guard/idempotency/scope=item",
    "contract_only/messages: A repeated request does": "/guard/idempotency/replay=current-state",
    "contract_only/messages: One job at a time": (
        "/guard/idempotency/concurrent /job/active /job/active/max /job/active/per /job/active/breach"
    ),
    "contract_only/messages: More requests than": (
        "/guard/quota /guard/quota/*/what /guard/quota/*/max /guard/quota/*/per /guard/quota/*/breach "
        "/guard/retry /guard/retry/codes"
    ),
    "contract_only/tables: Items of several tables": "/guard/retry/unprocessed /items/as /items/as=map",
    "contract_only/tables: No items, too many": "/guard/refuse/duplicateTarget",
    "contract_only/tables: An item or a body": "/items/maxBytes /items/maxItemBytes /guard/refuse/tooBig",
    "contract_only/tables: A table or a word": (
        "/guard/refuse/malformedItem /effect/resource /effect/resource/from /effect/resource/map"
    ),
    "contract_only/catalog: Each list stands": (
        "/items/groups /items/as=array /unit/rolledBack=skipped outcomes/failedAt"
    ),
    "contract_only/catalog: The lists are found": "/items/alsoAt",
    "contract_only/catalog: With gaps": "outcomes/gaps /unit/of/ignoreCase /effect/resource/ignoreCase",
    "contract_only/catalog: A mode that": "/guard/refuse/badMode",
    "contract_only/catalog: What was done, what failed": "/job/results/done /job/results/failed /job/results/notRun",
    "contract_only/documents: Pairs of lines": (
        "/items/as=line-pairs /effect/resource/default /key/by=order /reply/counts"
    ),
    "contract_only/documents: Lines stand": "/items/as=lines",
    "contract_only/documents: A request says": "/unit/stopAfter outcomes/failedIf/is",
    "contract_only/contacts: A row is an item": "/items/as=rows",
    "contract_only/contacts: Each part is a request": "/items/as=parts /key/optional",
    "contract_only/people: Each request gets": (
        "/effect/http /effect/http/method /effect/http/url /effect/http/body /key/onlyFor"
    ),
    "contract_only/people: An item refers": "/order/reference /order/forward",
    "contract_only/people: An item whose reference": "/order/onBroken",
    "contract_only/orders: A change set": "/effect/action/ignoreCase /unit/group",
    "contract_only/orders: Each by itself": "/order/run=any /order/dependsOn",
    "contract_only/orders: What the body says": "/items/shared /effect/http/headers",
    "contract_only/orders: A later request uses": (
        "outcomes/http outcomes/http/status outcomes/http/headers outcomes/http/body"
    ),
    "contract_only/keys: Items find their records": "/effect/action/default",
    "contract_only/shop: A tombstone deletes": "/effect/tombstone",
    "contract_only/shop: Items in a map": "outcomes/covers=split",
    "contract_only/airtable: One bad record": "/reply/error outcomes/covers=unless-failed outcomes/record",
    "contract_only/hubspot: Some fail: 207": (
        "outcomes/codes outcomes/message outcomes/failedKey outcomes/setFailed /reply/set"
    ),
    "contract_only/elastic: Each pair of lines": (
        "outcomes/set outcomes/setDone outcomes/status outcomes/statuses outcomes/failedIf/exists"
    ),
    "contract_only/meilisearch: The summary": "/job/id /job/set /job/state/set",
    "contract_only/meilisearch: A task with one bad": "/job/error",
    "contract_only/operations: Items that stand alone": "/job/handleAs",
    "onkey/messages": (
        "outcomes/many outcomes/alike outcomes/memberAs outcomes/members /job/failedIf /job/steps /job/steps/at "
        "/job/steps/failedIf /job/steps/outcomes /job/times /job/times/created /job/times/started /job/times/ended "
        "/job/cancelUntil "
        "/items/ignoreCase outcomes/faultOrder/*=version outcomes/faultOrder/*=sent"
    ),
    "genero/jobs": (
        "/job/every /job/timeout /x-source /job/lookUp /job/within outcomes/every outcomes/names /guard/faults "
        "/guard/faults/at /guard/faults/every /guard/faults/items /guard/faults/pointer /guard/faults/rule "
        "/guard/faults/total /guard/faults/points /guard/faults/points/missing /guard/faults/points/repeated "
        "outcomes/faultOrder outcomes/faultOrder/*=declared outcomes/faultOrder/*=missing"
    ),
    "contract_only/messagebatches: The counters stand in the batch": (
        "outcomes/as=lines /job/progress/done /job/progress/failed"
    ),
    "contract_only/messagebatches: A cancelled batch": "outcomes/setNotRun /job/progress/notRun",
    "contract_only/ingest: Rows are taken once": "outcomes/as=rows /job/open /job/start",
    "contract_only/parts: Each part of the answer": "outcomes/as=parts outcomes/keyAs",
    "presets/scim-bulk": "/preset",
}
REFUSED = {}  # none today


def collapsed(member):
    """Return a member's name: outcomes have one for reply and job, maps by kind of fault or state one for all."""
    return KINDS.sub(r"\1", OUTCOMES.sub("outcomes", member))


def resolved(schema):
    """Return a schema with the definition that it refers to."""
    while isinstance(schema, dict) and "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema if isinstance(schema, dict) else {}


def inner_schemas(schema):
    """Return the schemas of which a value must fit one."""
    return [
        resolved(one)
        for one in (*schema.get("anyOf", ()), *(schema[word] for word in ("then", "else") if word in schema))
    ]


def members_of(schema, at=""):
    """Yield each member that a schema has, and each word that a member may have, by its pointer."""
    schema = resolved(schema)
    if at and "$" not in at and schema in map(resolved, (SCHEMA["$defs"]["value"], SCHEMA["$defs"]["members"])):
        return
    for one in inner_schemas(schema):
        yield from members_of(one, at)
    yield from (f"{at}={word}" for word in schema.get("enum", ()) if isinstance(word, str))
    names = resolved(schema.get("propertyNames", {})).get("enum", ())
    for name, one in {**{name: {} for name in names}, **schema.get("properties", {})}.items():
        yield f"{at}/{name}"
        yield from members_of(one, f"{at}/{name}")
    if "items" in schema:
        yield from members_of(schema["items"], f"{at}/*")


def members_in(value, at=""):
    """Yield the members that an `x-bulk` has, and the words of those that have one, by their pointers."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield f"{at}/{name}"
            yield from members_in(one, f"{at}/{name}")
    elif isinstance(value, list):
        for one in value:
            yield from members_in(one, f"{at}/*")
    else:
        yield f"{at}={value}"


def document_of(case):
    """Return the OpenAPI document that a case is about."""
    step = served_by(case)
    path = case.file.parent / step.rest if step.word == "contract" else BUNDLED_FOLDER / step.rest / "openapi.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def declarations_of(document):
    """Yield every `x-bulk` of a document."""
    for item in document["paths"].values():
        yield from (one["x-bulk"] for one in item.values() if isinstance(one, dict) and "x-bulk" in one)


EVERY = sorted({collapsed(one) for one in members_of(SCHEMA)})
CASES_BY_NAME = {f"{case.file.relative_to(HERE).with_suffix('')}: {case.title}": case for case in CASES}


def test_every_member_is_served_or_refused():
    """The two tables have each member once, and nothing else."""
    named = sorted([*REFUSED, *(one for members in SERVED.values() for one in members.split())])
    assert named == EVERY


@pytest.mark.parametrize("named", SERVED)
def test_a_case_shows_that_a_member_is_served(named):
    """The case is there, and its document uses each member that it stands for."""
    case = next(case for name, case in CASES_BY_NAME.items() if name.startswith(named))
    used = {collapsed(one) for bulk in declarations_of(document_of(case)) for one in members_in(bulk)}
    assert set(SERVED[named].split()) - used == set()


@pytest.mark.parametrize("member", REFUSED)
def test_a_document_with_a_refused_member_is_refused_there(member, tmp_path):
    """Loading fails, and the fault points at the member."""
    pointer, value = REFUSED[member]
    document = yaml.safe_load((HERE / "contract_only" / "books.yaml").read_text(encoding="utf-8"))
    path = "/books/jobs" if pointer.startswith("/job") else "/books/bulk-each"
    bulk = copy.deepcopy(document["paths"][path]["post"]["x-bulk"])
    document["paths"][path]["post"]["x-bulk"] = bulk
    *parents, last = pointer.split("/")[1:]
    holder = bulk
    for name in parents:
        holder = holder[name]
    holder[last] = value
    (tmp_path / "books.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ContractError) as refused:
        load(tmp_path / "books.json")
    assert [one.pointer for one in refused.value.faults] == [f"/paths/{path.replace('/', '~1')}/post/x-bulk{pointer}"]
