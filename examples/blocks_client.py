"""A first client of Genero's batch jobs: posts blocks, waits for the job, tells how it went. It is too naive.

python blocks_client.py        GENERO_URL says where the API is, MINUTE how many seconds a minute lasts.
"""

import json
import os
import time
import urllib.request

URL = os.environ.get("GENERO_URL", "http://127.0.0.1:8080/genero")
MINUTE = float(os.environ.get("MINUTE", "60"))
BLOCKS = [{"blockId": f"b{n}", "name": f"Block {n}"} for n in range(1, 4)]


def call(method: str, path: str, body: object = None) -> dict:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data=data, method=method, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as reply:
        return json.load(reply)


def sync(blocks: list[dict]) -> dict:
    """Post the blocks and wait until the job has ended."""
    job = call("POST", "/api/v1/block/postJob", blocks)["correlationId"]
    for _ in range(60):
        time.sleep(MINUTE)
        status = call("GET", f"/api/v1/block/jobStatus/{job}")
        if status["batchJobStatus"] != "InProgress":
            return status
    raise TimeoutError(f"job {job} has not ended after an hour")


def main() -> None:
    status = sync(BLOCKS)
    if status["jobItemErrors"]:
        print("there were errors, all of it again")
        status = sync(BLOCKS)
    print(status["batchJobStatus"], status["noOfItemsProcessed"], "items")


if __name__ == "__main__":
    main()
