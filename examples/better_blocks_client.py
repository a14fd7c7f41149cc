"""The same client after three bad days: polls as it was asked to, gives up in time, re-sends only what failed.

python better_blocks_client.py        GENERO_URL says where the API is, MINUTE how many seconds a minute lasts.
"""

import json
import os
import time
import urllib.error
import urllib.request

URL = os.environ.get("GENERO_URL", "http://127.0.0.1:8080/genero")
MINUTE = float(os.environ.get("MINUTE", "60"))
BLOCKS = [{"blockId": f"b{n}", "name": f"Block {n}"} for n in range(1, 4)]
POLL = 5  # minutes between two looks at a job
GIVE_UP = 30  # minutes after which a job may be taken for lost


def call(method: str, path: str, body: object = None) -> dict | list:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data=data, method=method, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return json.load(reply)
    except urllib.error.HTTPError:
        raise
    except OSError as error:
        raise ConnectionError(f"no response to {method} {path}") from error


def get(path: str) -> dict | list:
    """Read, and try again after longer and longer waits: reading twice does no harm."""
    for wait in (1, 2, 4):
        try:
            return call("GET", path)
        except ConnectionError:
            time.sleep(wait * MINUTE)
    return call("GET", path)


def sync(blocks: list[dict]) -> dict | None:
    """Post the blocks and wait until the job has ended; None when it must be given up."""
    job = call("POST", "/api/v1/block/postJob", blocks)["correlationId"]
    for _ in range(GIVE_UP // POLL + 1):
        time.sleep(POLL * MINUTE)
        status = get(f"/api/v1/block/jobStatus/{job}")
        if status["batchJobStatus"] != "InProgress":
            return status
    return None


def missing(blocks: list[dict]) -> list[dict]:
    """Return the blocks that are not stored as they are."""
    stored = {one["blockId"]: one for one in get("/api/v1/block")}
    return [block for block in blocks if not block.items() <= stored.get(block["blockId"], {}).items()]


def main() -> None:
    blocks = BLOCKS
    for _ in range(3):
        try:
            status = sync(blocks)
        except ConnectionError:
            time.sleep(POLL * MINUTE)
            blocks = missing(blocks)
            print(f"no response; {len(blocks)} blocks are not stored")
            if not blocks:
                return
            continue
        if status is None:
            print("the job was given up, the same again")
            continue
        print(status["batchJobStatus"], status["noOfItemsProcessed"], "items")
        failed = status["jobItemErrors"]
        if not failed:
            return
        for key, text in failed.items():
            print(f"{key}: {text}")
        blocks = [block for block in blocks if block["blockId"] in failed]


if __name__ == "__main__":
    main()
