"""A server of `data/calendar.yaml` that is right, and awkward where the document leaves it free to be.

It shares no code with the sandbox. `SWITCHES` are the kinds of awkwardness, all off by default;
`python tests/soundness/servers/calendar_server.py --on rewritten --on others` prints the address, `serve` runs it in
this process. `document` is the contract with what a switch must declare.
"""

import argparse
import json
import random
import re
import sys
import threading
import time
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import yaml
from calendar_store import Others, RefusedError, Store, seconds

SWITCHES = {
    "rewritten": "equal values are written otherwise each time: instants, durations, numbers, URIs, UUIDs, escapes",
    "headers": "fields with slashes stand before and after Location",
    "extras": "there are members that the document does not declare",
    "shuffled": "outcomes, lists and members come in any order",
    "eventual": "reads show a state of some time ago, within the declared time",
    "opaque": "versions jump",
    "others": "other clients create, change and delete records meanwhile",
    "slow": "jobs take long, and are asked for with Retry-After",
    "busy": "now and then the answer is 429 with Retry-After",
    "normalised": "texts are trimmed and in lower case, numbers rounded, as declared",
    "revived": "a device that was deleted and comes back keeps a member, or does not",
}
WITHIN = 0.1  # seconds after which reads are up to date, with `eventual`
BUSY_EVERY, BUSY_SECONDS = 150, 0.5
JOB_SECONDS, SLOW_JOB_SECONDS = 0.15, 2.5
DATA = Path(__file__).parents[1] / "data" / "calendar.yaml"
BASE = "/calendar"
UUID = r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"


def document(switches=()):
    """Return the contract, with what the switches must declare."""
    found = yaml.safe_load(DATA.read_text())
    if "eventual" in switches:
        for resource in found["x-resources"].values():
            resource["consistency"] = {"within": f"PT{WITHIN}S"}
    if "opaque" in switches:
        found["x-resources"]["events"]["versioning"] = "opaque"
    if "normalised" in switches:
        found["x-resources"]["devices"]["normalize"] = {"colour": ["trim", "lowercase"]}
        found["x-resources"]["events"]["normalize"] = {"note": ["trim"], "price": [{"round": 2}]}
    return found


class Writer:
    """Writes JSON: plainly, or each value in one of its spellings."""

    def __init__(self, is_on, seed):
        self.is_on, self.rng = is_on, random.Random(seed)

    def text(self, value, name=""):
        """Return JSON text of a value that is the member `name`."""
        if isinstance(value, dict):
            pairs = list(value.items())
            if self.is_on("shuffled"):
                self.rng.shuffle(pairs)
            return "{" + ", ".join(f"{json.dumps(one)}: {self.text(inner, one)}" for one, inner in pairs) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(self.text(inner, name) for inner in value) + "]"
        if not self.is_on("rewritten") or value is None or isinstance(value, bool):
            return json.dumps(value)
        if isinstance(value, str):
            text = self.spelling(value, name)
            is_ascii = self.rng.random() < 0.5 or any("\ud800" <= one <= "\udfff" for one in text)
            return json.dumps(text, ensure_ascii=is_ascii).replace("/", self.rng.choice(["/", "\\/"]))
        return self.number(value)

    def number(self, value):
        """Return a number in one of its spellings."""
        if abs(value) >= 10**15 or (isinstance(value, float) and not value.is_integer()):
            return json.dumps(value)
        return self.rng.choice([f"{int(value)}", f"{int(value)}.0", f"{int(value)}e0", f"{int(value)}.000"])

    def spelling(self, text, name):
        """Return a text in one of its spellings."""
        if name.endswith(("At", "doors")):
            return self.instant(text)
        if name in {"id", "deviceId", "series"} or (name == "key" and re.fullmatch(UUID, text)):
            return self.rng.choice([text.upper(), text.lower()])
        if name == "lasts":
            return self.rng.choice([text, seconds(text)])
        if name == "page" and "://" in text and "%" not in text:
            scheme, _, rest = text.partition("://")
            host = re.match(r"[^/?#]*", rest)[0]
            if "@" not in host and ":" not in host:
                return f"{scheme.upper()}://{host.upper()}{rest[len(host) :]}"
        return text

    def instant(self, text):
        """Return an instant at another offset, or with a fraction."""
        try:
            found = datetime.fromisoformat(text)
            zone = timezone(timedelta(minutes=self.rng.choice([0, 0, 120, -210])))
            found = found.astimezone(zone)
        except (ValueError, OverflowError):
            return text
        if re.search(r"[.]\d{7,}", text) or found.year < 1900:
            return text
        return found.isoformat(
            timespec="microseconds" if found.microsecond else self.rng.choice(["seconds", "milliseconds"])
        )


class Calendar:
    """Answers requests. `switches` are those that are on."""

    def __init__(self, switches=(), seed=0):
        self.switches = frozenset(switches)
        self.rng = random.Random(seed)
        self.store = Store(document()["components"]["schemas"], self.switches.__contains__, seed)
        self.writer = Writer(self.switches.__contains__, seed)
        self.lock = threading.Lock()
        self.jobs, self.once = {}, {}
        self.requests, self.job_numbers, self.busy_until = 0, count(1), 0.0
        self.others = Others(self.store)

    def on(self, switch):
        """Say whether a switch is on."""
        return switch in self.switches

    def respond(self, method, target, headers, body):
        """Return status, header fields and body."""
        with self.lock:
            self.requests += 1
            if self.on("busy") and (refusal := self.too_busy()) is not None:
                return refusal
            self.run_jobs()
            parts = urlsplit(target)
            path = [unquote(one) for one in parts.path.removeprefix(BASE).strip("/").split("/")]
            try:
                status, fields, data = self.route(method, path, dict(parse_qsl(parts.query)), headers, body)
            except RefusedError as why:
                fields = [("Allow", "POST, OPTIONS")] if why.status == 405 else []
                status, data = why.status, {"title": why.title}
            return self.rendered(status, fields, data)

    def rendered(self, status, fields, data):
        """Return an answer as it is sent."""
        content = b""
        if data is not None:
            data = self.shown(data)
            content = self.writer.text(data).encode()
            fields = [("Content-Type", "application/json"), *fields]
        if self.on("headers"):
            number = self.rng.randrange(100, 200)
            before = [
                ("Access-Control-Allow-Origin", "https://my-app.example.com"),
                ("X-Parent", f"{BASE}/events/{number}"),
            ]
            after = [("X-Trace", f"/a/b/{number}"), ("Report-To", f"https://logs.example.com{BASE}/events/{number}")]
            fields = [*before, *fields, *after]
        return status, fields, content

    def too_busy(self):
        """Return a refusal for a while after every so many requests, else None."""
        now = time.monotonic()
        if self.requests % BUSY_EVERY == 0:
            self.busy_until = now + BUSY_SECONDS
        if now >= self.busy_until:
            return None
        later = datetime.now(UTC) + timedelta(seconds=1)
        wait = self.rng.choice(["1", format_datetime(later.replace(microsecond=0) + timedelta(seconds=1), usegmt=True)])
        return self.rendered(429, [("Retry-After", wait)], {"title": "slow down"})

    def route(self, method, path, query, headers, body):  # noqa: C901, PLR0911 - a line for each operation
        """Return status, fields and data of one request."""
        match (method, *path):
            case ("GET", "devices" | "events" as name):
                return self.listed(name, query)
            case ("GET", "devices", key):
                return 200, [], self.device(key)
            case ("PUT", "devices", key):
                return self.put_device(key, read(body))
            case ("DELETE", "devices", key):
                self.store.drop_device(key.lower())
                return 204, [], None
            case ("POST", "devices", "sync"):
                return self.sync(read(body, list))
            case ("POST", "events"):
                made = self.store.add_event(read(body))
                return 201, [("Location", f"{BASE}/events/{made['id']}")], None
            case ("POST", "events", "batch"):
                return self.batch(query, headers, body)
            case ("GET", "events", key):
                found = self.store.events.get(number(key), self.ago())
                return (200, [], found) if found is not None else (404, [], {"title": "there is no such event"})
            case ("PATCH", "events", key):
                return 200, [], self.store.set_event(number(key), read(body))
            case ("DELETE", "events", key):
                self.store.drop_event(number(key))
                return 204, [], None
            case ("GET", "jobs", key) if key in self.jobs:
                return self.polled(self.jobs[key])
        raise RefusedError(404 if path[-1:] != ["batch"] else 405, "there is nothing here")

    def ago(self):
        """Return how many seconds ago the state was that a read shows."""
        return self.rng.random() * WITHIN * 0.9 if self.on("eventual") else 0.0

    def device(self, key):
        """Return a device as it is shown."""
        found = self.store.devices.get(key.lower(), self.ago())
        if found is None:
            raise RefusedError(404, "there is no such device")
        return found

    def listed(self, name, query):
        """Return a part of the records, and the number of all of them."""
        skip, take = (number(query.get(*one)) for one in (("offset", "0"), ("limit", "25")))
        if skip is None or take is None or skip < 0 or not 1 <= take <= 25:
            raise RefusedError(400, "there is no such part of a list")
        table = self.store.devices if name == "devices" else self.store.events
        every = [record for _, record in table.all(self.ago())]
        if self.on("shuffled"):
            every.sort(key=lambda one: str(one.get("serial", one.get("seats"))))
        total = len(table.all()) if self.on("eventual") else len(every)
        return 200, [("X-Total", str(total))], every[skip : skip + take]

    def put_device(self, key, members):
        """Write a device by itself."""
        if not isinstance(members.get("id", key), str) or members.get("id", key).lower() != key.lower():
            raise RefusedError(400, "the keys differ")
        if not isinstance(members.get("serial"), str) or "id" not in members:
            raise RefusedError(400, "a member is missing")
        is_new = self.store.put_device(key, {**members, "id": key})
        found = self.store.devices.get(key.lower())
        return (201 if is_new else 200), [], found or self.store.graves.get(key.lower()) or {**members, "id": key}

    def sync(self, items):
        """Write devices."""
        if not items or len(items) > 60:
            raise RefusedError(413 if items else 400, "there are too few or too many items")
        keys = [str(one.get("id")).lower() if isinstance(one, dict) else "" for one in items]
        if len(set(keys)) < len(keys):
            raise RefusedError(400, "a device is named twice")
        if any(not isinstance(one, dict) or not isinstance(one.get("id"), str) for one in items):
            raise RefusedError(400, "an item names no device")
        results = []
        for item in items:
            told = {"key": item["id"], "ok": True}
            try:
                self.store.put_device(item["id"], item)
            except RefusedError as why:
                told = {**told, "ok": False, "error": why.title}
            results.append(told)
        return (200 if all(one["ok"] for one in results) else 207), [], {"results": self.in_any_order(results)}

    def in_any_order(self, results):
        """Return outcomes in any order, where the switch says so."""
        return self.rng.sample(results, len(results)) if self.on("shuffled") else results

    def batch(self, query, headers, body):
        """Carry out a batch: at once or as a job, whole or item by item, and once for each idempotency key."""
        items = read(body).get("items")
        if not isinstance(items, list) or not all(map(is_item, items)) or not items:
            raise RefusedError(400, "these are no items")
        if len(items) > 60:
            raise RefusedError(413, "there are too many items")
        if len({one["ref"] for one in items}) < len(items):
            raise RefusedError(400, "a ref occurs twice")
        key, said = headers.get("Idempotency-Key"), (query.get("atomic", "false"), headers.get("Prefer"), body)
        if key is not None and key in self.once:
            if self.once[key][0] != said:
                raise RefusedError(422, "the key was used for something else")
            return self.once[key][1]
        if headers.get("Prefer") == "respond-async":
            reply = self.accepted(items, query.get("atomic") == "true")
        elif query.get("atomic") == "true":
            reply = self.whole(items)
        else:
            results = [self.store.apply(one) for one in items]
            reply = (200 if all(one["ok"] for one in results) else 207), [], {"results": self.in_any_order(results)}
        if key is not None:
            self.once[key] = (said, reply)
        return reply

    def whole(self, items):
        """Carry out all items or none."""
        before = dict(self.store.events.all())
        results = [self.store.apply(one) for one in items]
        if all(one["ok"] for one in results):
            return 200, [], {"results": self.in_any_order(results)}
        self.store.undo_to(before)
        results = [
            {"key": one["key"], "ok": False, "error": one.get("error", "UNDONE") if not one["ok"] else "UNDONE"}
            for one in results
        ]
        return 409, [], {"results": self.in_any_order(results)}

    def accepted(self, items, whole):
        """Begin a job."""
        name = f"{uuid.UUID(int=self.rng.getrandbits(128))}"
        takes = SLOW_JOB_SECONDS if self.on("slow") else JOB_SECONDS * self.rng.random()
        now = time.monotonic()
        job = {"job": name, "begun": now + takes / 3, "due": now + takes, "items": items, "whole": whole, "results": []}
        self.jobs[name] = job
        fields = [("Location", f"{BASE}/jobs/{name}"), *self.advice()]
        return 202, fields, {"job": name, "state": "waiting", "total": len(items), "processed": 0}

    def advice(self):
        """Return when to ask for a job again."""
        return [("Retry-After", "1")] if self.on("slow") else []

    def run_jobs(self):
        """Carry out what is due of each job, one item after the other."""
        now = time.monotonic()
        for job in self.jobs.values():
            size, left = len(job["items"]), len(job["items"]) - len(job["results"])
            if not left or now < job["begun"]:
                continue
            if job["whole"]:
                job["results"] = self.whole(job["items"])[2]["results"] if now >= job["due"] else []
                continue
            share = min(1.0, (now - job["begun"]) / max(job["due"] - job["begun"], 1e-6))
            for item in job["items"][len(job["results"]) : int(size * share)]:
                job["results"].append(self.store.apply(item))

    def polled(self, job):
        """Return the state of a job."""
        size, done = len(job["items"]), len(job["results"])
        told = {"job": job["job"], "total": size, "processed": done}
        if done < size:
            state = "waiting" if time.monotonic() < job["begun"] else "working"
            return 200, self.advice(), {**told, "state": state}
        failed = any(not one["ok"] for one in job["results"])
        results = self.in_any_order(job["results"])
        return 200, [], {**told, "state": "troubled" if failed else "finished", "results": results}

    def shown(self, data, *, top=True):
        """Return data with members that nobody has declared."""
        if not self.on("extras"):
            return data
        if isinstance(data, list):
            return [self.shown(one, top=False) for one in data]
        if not isinstance(data, dict):
            return data
        inner = {
            name: self.shown(one, top=False) if isinstance(one, dict | list) else one for name, one in data.items()
        }
        links = {"_links": {"self": {"href": f"{BASE}/events/{self.rng.randrange(100, 200)}"}}}
        more = (
            {"requestId": f"r-{self.requests}", "took": self.requests % 7} if top else {"rank": self.rng.randrange(9)}
        )
        return {**more, **inner, **links}


def is_item(item):
    """Say whether an element of a batch is an item."""
    return (
        isinstance(item, dict)
        and isinstance(item.get("ref"), str)
        and bool(item["ref"])
        and item.get("op") in ("add", "set", "drop")
        and isinstance(item.get("event", {}), dict)
        and all(is_integer(item.get(name, 1)) for name in ("id", "version"))
    )


def is_integer(value):
    """Say whether a JSON value is an integer; `7.0` is one."""
    return not isinstance(value, bool) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))


def read(body, kind=dict):
    """Return a body. Raises RefusedError when it is none of this kind."""
    try:
        data = json.loads(body.decode(), parse_float=exact, parse_constant=refused, object_pairs_hook=members)
        json.dumps(data, ensure_ascii=False).encode()  # half of a surrogate pair is no character
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, kind):
        raise RefusedError(400, "the body is none that is taken here")
    return data


def exact(text):
    """Return a number; one without a fraction is an integer, however it is written."""
    found = float(text)
    return int(found) if found.is_integer() else found


def refused(word):
    """Refuse what is no JSON."""
    raise ValueError(word)


def members(pairs):
    """Return an object. Raises ValueError when a member occurs twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(pairs)
    return found


def number(text):
    """Return a number in a path or a query, None for another text."""
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else None


def handler_of(calendar):
    """Return the class that answers for a calendar."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, fields, content = calendar.respond(self.command, self.path, self.headers, body)
            lines = [f"HTTP/1.1 {status} ", *(f"{name}: {value}" for name, value in fields)]
            lines += [f"Content-Length: {len(content)}"] if status != 204 else []
            self.wfile.write("\r\n".join([*lines, "", ""]).encode() + content)

        def __getattr__(self, name):
            if name.startswith("do_"):
                return self.answer
            raise AttributeError(name)

        def log_message(self, *args):
            """Say nothing."""

    return Handler


class Server(ThreadingHTTPServer):
    """A server whose threads end with the process."""

    daemon_threads = True


@contextmanager
def serve(switches=(), seed=0, port=0):
    """Yield the address of a server in this process, and end it."""
    calendar = Calendar(switches, seed)
    server = Server(("127.0.0.1", port), handler_of(calendar))
    over = threading.Event()
    threads = [threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)]
    if "others" in calendar.switches:
        threads.append(threading.Thread(target=disturb, args=(calendar, over), daemon=True))
    for one in threads:
        one.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        for one in threads:
            one.join()


def disturb(calendar, over):
    """Let others act every few milliseconds, until it is over."""
    while not over.wait(0.004):
        with calendar.lock:
            calendar.others.act()


def main():
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--on", action="append", choices=sorted(SWITCHES), default=[])
    given = parser.parse_args()
    with serve(given.on, given.seed, given.port) as url:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
