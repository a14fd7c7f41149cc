"""Aim vendors' own Python clients at documents of their APIs' shape: does each understand partial success?

`python benchmarks/real_clients.py` installs the clients from PyPI into a virtual environment of its own (once, in
`--venv`), serves one document for each with `bulkproof serve`, and runs one scenario for each client. A scenario sends
good items and a bad one, and asserts what the client's own objects say of them. Nothing leaves this machine but the
downloads. `--only NAME` runs one; `--run NAME URL` is how the environment's interpreter is called.
"""

# ruff: noqa: PLC0415, PT017 - each scenario imports its own client; these are no tests of pytest
import argparse
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir
from typing import Any

HERE = Path(__file__).resolve().parent
DOCUMENTS = HERE.parent / "tests" / "cases" / "contract_only"
TIME_LIMIT = 120  # seconds for one client
Scenario = Callable[[str], object]


def hubspot(url: str) -> None:
    """hubspot-api-client: 207 with results, errors and their count."""
    from hubspot import HubSpot
    from hubspot.crm.contacts import BatchInputSimplePublicObjectBatchInputForCreate as Batch
    from hubspot.crm.contacts import SimplePublicObjectBatchInputForCreate as Input
    from hubspot.crm.contacts import SimplePublicObjectInputForCreate as Single

    client = HubSpot(access_token="none")  # noqa: S106 - no secret
    client.config["host"] = url
    api = client.crm.contacts
    api.batch_api.api_client.configuration.host = api.basic_api.api_client.configuration.host = url
    inputs = [
        Input(properties={"email": "ann@example.com"}, object_write_trace_id="a", associations=[]),
        Input(properties={"firstname": "Bob"}, object_write_trace_id="b", associations=[]),
    ]
    done = api.batch_api.create(Batch(inputs=inputs))
    assert (done.status, done.num_errors, len(done.results), len(done.errors)) == ("COMPLETE", 1, 1, 1), done
    assert done.errors[0].category == "VALIDATION_ERROR"
    assert done.errors[0].context == {"objectWriteTraceId": ["b"]}
    made = done.results[0]
    assert made.properties == {"email": "ann@example.com"}
    assert made.created_at.year >= 2000
    assert api.basic_api.get_by_id(made.id).properties["email"] == "ann@example.com"
    api.basic_api.create(Single(properties={"email": "cid@example.com"}, associations=[]))
    assert len(api.basic_api.get_page(limit=10).results) == 2


def meilisearch(url: str) -> None:
    """meilisearch: a task that succeeds, and one that fails as a whole with its reason."""
    import meilisearch as library

    index = library.Client(url, "none").index("books")
    sent = index.add_documents([{"id": 1, "title": "Emma"}, {"id": 2, "title": "Persuasion"}])
    assert (sent.index_uid, sent.status, sent.type) == ("books", "enqueued", "documentAdditionOrUpdate")
    task = index.wait_for_task(sent.task_uid)
    assert task.status == "succeeded", task
    assert task.details["indexedDocuments"] == 2
    assert task.finished_at >= task.enqueued_at
    assert [one.title for one in index.get_documents().results] == ["Emma", "Persuasion"]
    failed = index.wait_for_task(index.add_documents([{"id": 3, "title": ""}]).task_uid)
    assert failed.status == "failed"
    assert "title" in failed.error["message"]


def airtable(url: str) -> None:
    """pyairtable: records with their keys and times; a batch that falls as a whole raises with the vendor's error."""
    import requests
    from pyairtable import Api

    table = Api("none", endpoint_url=url).table("app00000000000000", "People")
    made = table.batch_create([{"Name": "Ann"}, {"Name": "Bob", "Age": 5}])
    assert [one["fields"]["Name"] for one in made] == ["Ann", "Bob"]
    assert all(one["id"].startswith("rec") and one["createdTime"] for one in made)
    changed = table.batch_update([{"id": made[0]["id"], "fields": {"Age": 41}}])
    assert changed[0]["fields"] == {"Name": "Ann", "Age": 41}
    try:
        table.batch_create([{"Name": "Cid"}, {"Name": ""}])
    except requests.HTTPError as error:
        assert error.response.status_code == 422
        assert "INVALID_REQUEST_UNKNOWN" in str(error)
    else:
        raise AssertionError("a bad record was taken")
    assert len(table.all()) == 2


def zendesk(url: str) -> None:
    """zenpy: a job status that is polled, with a result for each ticket."""
    from time import sleep

    from zenpy import Zenpy
    from zenpy.lib.api_objects import Ticket

    os.environ["ZENPY_FORCE_SCHEME"], _, netloc = url.partition("://")
    os.environ["ZENPY_FORCE_NETLOC"] = netloc.partition("/")[0]
    client = Zenpy(subdomain="x", email="a@example.com", token="none")  # noqa: S106 - no secret
    job = client.tickets.create([Ticket(description="It does not start."), Ticket(subject="Nothing")])
    for _ in range(50):
        job = client.job_status(id=job.id)
        if job.status == "completed":
            break
        sleep(0.1)
    assert (job.status, job.total, job.progress) == ("completed", 2, 2), job.to_dict()
    good, bad = sorted(job.results, key=lambda one: one.index)
    assert good.success is True
    assert bad.error == "TicketCreateFailed"
    assert client.tickets(id=good.id).description == "It does not start."


def sqs(url: str) -> None:
    """boto3, SQS: Successful and Failed."""
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "sqs",
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",  # noqa: S106 - no secret
        config=Config(retries={"max_attempts": 1}),
    )
    entries = [{"Id": "a", "MessageBody": "hello"}, {"Id": "b", "MessageBody": "x" * 101}]
    done = client.send_message_batch(QueueUrl=f"{url}/1/q", Entries=entries)
    assert [(one["Id"], bool(one["MessageId"])) for one in done["Successful"]] == [("a", True)]
    assert [(one["Id"], one["SenderFault"], one["Code"]) for one in done["Failed"]] == [
        ("b", True, "InvalidMessageContents")
    ]


def elasticsearch(url: str) -> None:
    """elasticsearch: helpers.bulk reports which documents failed."""
    from elasticsearch import Elasticsearch
    from elasticsearch.helpers import bulk

    client = Elasticsearch(url, max_retries=0)
    actions = [
        {"_op_type": "index", "_index": "notes", "_id": "1", "_source": {"title": "Emma"}},
        {"_op_type": "create", "_index": "notes", "_id": "1", "_source": {"title": "Again"}},
        {"_op_type": "index", "_index": "notes", "_id": "2", "_source": {"title": ""}},
        {"_op_type": "delete", "_index": "notes", "_id": "9"},
    ]
    done, errors = bulk(client, actions, raise_on_error=False)
    assert done == 1, errors
    assert [(name, one["status"]) for error in errors for name, one in error.items()] == [
        ("create", 409),
        ("index", 400),
        ("delete", 404),
    ]
    assert client.get(index="notes", id="1")["_source"] == {"title": "Emma"}


def scim(url: str) -> None:
    """scim2-client: a bulk request is no method of it, so its models read the response."""
    import httpx
    from scim2_models import BulkResponse, Error, User

    operations = [
        {"method": "POST", "path": "/Users", "bulkId": "a", "data": {"userName": "ann"}},
        {"method": "POST", "path": "/Users", "bulkId": "b", "data": {}},
    ]
    sent = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations}
    reply = httpx.post(f"{url}/Bulk", json=sent, headers={"Content-Type": "application/scim+json"})
    done = BulkResponse[User].model_validate(reply.json())
    good, bad = done.operations
    assert (good.bulk_id, int(good.status), good.method.value) == ("a", 201, "POST")
    assert good.location
    assert (bad.bulk_id, int(bad.status)) == ("b", 400)
    assert "userName" in Error.model_validate(bad.response).detail


def dynamodb(url: str) -> None:
    """boto3, DynamoDB: BatchWriteItem with puts and deletes, and what was not processed."""
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "dynamodb",
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",  # noqa: S106 - no secret
        config=Config(retries={"max_attempts": 1}),
    )
    puts = [{"PutRequest": {"Item": {"isbn": {"S": name}, "title": {"S": "Emma"}}}} for name in "ab"]
    done = client.batch_write_item(RequestItems={"books": puts})
    assert done["UnprocessedItems"] == {}
    try:
        client.batch_write_item(RequestItems={"books": [puts[0], puts[0]]})
    except client.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "ValidationException", error.response
    else:
        raise AssertionError("the same key twice was taken")


def salesforce(url: str) -> None:
    """simple-salesforce: a Bulk 2 job that is opened, filled with CSV and closed; its results in calls of their own."""
    from simple_salesforce import Salesforce

    client = Salesforce(instance_url=url.partition("/services")[0], session_id="none", version="59.0")
    client.bulk2_url = f"{url}/jobs/"
    done = client.bulk2.Account.insert(records=[{"Name": "Ann"}, {"Name": "x" * 30}])
    assert [(one["numberRecordsTotal"], one["numberRecordsFailed"]) for one in done] == [(2, 1)], done
    failed = client.bulk2.Account.get_failed_records(done[0]["job_id"])
    assert "sf__Error" in failed


def googleapi(url: str) -> None:
    """google-api-python-client: BatchHttpRequest, one part for each call; each callback gets its own response."""
    import httplib2
    from googleapiclient.http import BatchHttpRequest, HttpRequest

    http, seen = httplib2.Http(), {}
    batch = BatchHttpRequest(
        callback=lambda name, reply, error: seen.__setitem__(name, (reply, error)), batch_uri=f"{url}/batch"
    )

    def request(body: str) -> Any:
        headers = {"content-type": "application/json"}
        return HttpRequest(http, lambda _, text: text, f"{url}/v1/books", method="POST", body=body, headers=headers)

    batch.add(request('{"title": "Emma"}'), request_id="a")
    batch.add(request("{}"), request_id="b")
    batch.execute(http=http)
    assert b"Emma" in seen["a"][0]
    assert seen["b"][1].resp.status == 400


CLIENTS: dict[str, tuple[str, str, Scenario]] = {
    "hubspot-api-client": ("hubspot-api-client", "hubspot.yaml", hubspot),
    "meilisearch": ("meilisearch", "meilisearch.yaml", meilisearch),
    "pyairtable": ("pyairtable", "airtable.yaml", airtable),
    "zenpy": ("zenpy", "zendesk.yaml", zendesk),
    "boto3-sqs": ("boto3", "queue.yaml", sqs),
    "elasticsearch": ("elasticsearch", "elastic.yaml", elasticsearch),
    "scim2": ("scim2-models httpx", "scim.yaml", scim),
    "boto3-dynamodb": ("boto3", "dynamodb.yaml", dynamodb),
    "simple-salesforce": ("simple-salesforce", "ingest.yaml", salesforce),
    "google-api-python-client": ("google-api-python-client", "parts.yaml", googleapi),
}


def interpreter(folder: Path) -> Path:
    """Return the Python of the clients' environment, made and filled where it is not there."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        needed = sorted({word for packages, _, _ in CLIENTS.values() for word in packages.split()})
        subprocess.run([str(python), "-m", "pip", "install", "-q", *needed], check=True)
    return python


@contextmanager
def serving(document: Path) -> Iterator[str]:
    """Serve a document on a free port while the block runs; yield the API's URL."""
    command = [sys.executable, "-m", "mockserver", "serve", str(document), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        yield next(found[1].rstrip("/") for line in lines if (found := re.search(r"(http://\S+)", line)))
    finally:
        process.terminate()
        process.wait()


def main() -> int:
    """Run the scenarios, print one line for each; the exit code is the number of clients that did not understand."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--run", nargs=2, metavar=("NAME", "URL"))
    options.add_argument("--only", choices=CLIENTS)
    options.add_argument("--venv", type=Path, default=Path(gettempdir()) / "bulkproof-real-clients")
    given = options.parse_args()
    if given.run:
        CLIENTS[given.run[0]][2](given.run[1])
        return 0
    python, missed = interpreter(given.venv), 0
    for name, (_, document, scenario) in CLIENTS.items():
        if given.only not in {None, name}:
            continue
        if not (DOCUMENTS / document).exists():
            missed += 1
            print(f"{name:26} no document {document}")
            continue
        with serving(DOCUMENTS / document) as url:
            command = [str(python), str(Path(__file__).resolve()), "--run", name, url]
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT, check=False)
        missed += done.returncode != 0
        said = (scenario.__doc__ or "") if done.returncode == 0 else done.stderr.strip().rpartition("\n")[2][:200]
        print(f"{name:26} {'understood' if done.returncode == 0 else 'NOT':10} {said}")
    return missed


if __name__ == "__main__":
    sys.exit(main())
