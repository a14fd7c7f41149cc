"""The bulk calls of the fake, and its jobs. Each `broken == ...` is one law broken in one way."""

from datetime import timedelta

from shelf_store import ROOMS, SHELF, bad, plain

MOST = 20
STATES = {"waiting", "working", "finished", "troubled", "stopped"}


class Bulk:
    """What is done to many records at once."""

    def __init__(self, server):
        self.server, self.store = server, server.store
        self.jobs, self.used, self.turns = {}, {}, 0

    @property
    def broken(self):
        return self.store.broken

    # creating books: in one or each by itself, at once or as a job, once for each idempotency key

    def create_books(self, asked):
        mode = asked.request.parameter("mode", "all")
        problem = self._refusal(asked.data, mode)
        if problem:
            return problem
        key = asked.request.headers.get("Idempotency-Key")
        if key in self.used and key and self.broken != "idempotent":
            body, reply = self.used[key]
            return reply if body == asked.request.body else (422, {"problem": "another request had this key"})
        do = self._job if "respond-async" in asked.request.headers.get("Prefer") else self._told
        reply = do(asked.data, mode)
        self.used[key] = (asked.request.body, reply)
        return reply

    def _refusal(self, data, mode):
        if mode not in {"all", "each"}:
            return 400, {"problem": "no such mode"}
        if not isinstance(data, list) or not data:
            return 400, {"problem": "no items"}
        if len(data) > MOST + (self.broken == "boundary"):
            return 413, {"problem": "too many items"}
        if any(not isinstance(one, dict) or not {"ref", "book"} <= one.keys() for one in data):
            return 400, {"problem": "an item is none"}
        if len({one["ref"] for one in data}) < len(data) and self.broken != "duplicate":
            return 400, {"problem": "a ref stands twice"}
        return None

    def _told(self, data, mode):
        results = self._created(data, mode)
        failed = sum(not one["ok"] and one["error"] != "UNDONE" for one in results)
        done = sum(one["ok"] for one in results)
        status = 200 if done == len(results) else 400 if mode == "all" else 207
        if self.broken == "status-class":
            status = 200
        return status, self._shown(results, done, failed)

    def _shown(self, results, done, failed):
        if self.broken == "count" and len(results) > 1:
            results = results[:-1]
        if self.broken == "key" and len(results) > 1:
            results = [*results[:-1], {**results[-1], "ref": "nobody"}]
        if self.broken == "outcome-order":
            results = results[::-1]
        return {"results": results, "done": done, "failed": failed + (self.broken == "counts" and failed > 0)}

    def _created(self, data, mode):
        kept = self.store.copy()
        results = [result(one["ref"], *self.store.add_book(one["book"], bulk=True)) for one in data]
        if self.broken == "uniform" and len(results) > 16 and results[16]["ok"]:
            self.store.books.pop(results[16]["id"])
        if mode == "each":
            return self._isolated(results)
        if all(one["ok"] for one in results):
            return results
        if self.broken != "atomic":
            self.store.restore(kept)
        return [{"ref": one["ref"], "ok": False, "error": "UNDONE"} if one["ok"] else one for one in results]

    def _isolated(self, results):
        bad_one = next((n for n, one in enumerate(results) if not one["ok"]), len(results))
        for n, one in enumerate(results):
            if self.broken == "isolated" and n == bad_one + 1 and one["ok"]:
                self.store.books.pop(one["id"])
            if self.broken == "split" and n >= 8 and n == len(results) - 1 and one["ok"]:
                self.store.books.pop(one["id"])
        return results

    # changing books, and arranging them in groups

    def change_books(self, asked):
        items = asked.data.get("books")
        if not isinstance(items, list):
            return 400, {"problem": "books are a list"}
        if not items or len(items) > MOST:
            return (413 if items else 400), {"problem": "too few or too many"}
        results = []
        for one in items:
            book, problem = self.store.change_book(one["id"], one["version"], one.get("set", {}))
            results.append({"id": one["id"], **{k: v for k, v in result("", book, problem).items() if k != "ref"}})
            results[-1]["id"] = one["id"]
        return self._answer(results)

    def arrange_books(self, asked):
        if not asked.data or len(asked.data) > MOST or len({one["ref"] for one in asked.data}) < len(asked.data):
            return (413 if len(asked.data) > MOST else 400), {"problem": "too few, too many or twice"}
        order = range(len(asked.data))
        if asked.request.parameter("ordered") == "true" and self.broken != "grouped":
            steps = [one.get("step") for one in asked.data]
            read = float if all(_is_number(one) for one in steps if one is not None) else str
            order = sorted(order, key=lambda n: (steps[n] is None, read(steps[n] or 0)))
        results, failed = {}, set()
        for n in order:
            one = asked.data[n]
            waits = set(one.get("after", ())) & failed
            if waits and self.broken != "broken-reference":
                results[n] = {"ref": one["ref"], "ok": False, "error": "SKIPPED"}
            else:
                results[n] = result(one["ref"], *self._arranged(one))
            if not results[n]["ok"]:
                failed.add(one["ref"])
        return self._answer([results[n] for n in range(len(asked.data))])

    def _arranged(self, one):
        if one["do"] == "add":
            return self.store.add_book(one.get("book", {}))
        if one["do"] == "edit":
            return self.store.change_book(one["id"], one.get("version"), one.get("book", {}))
        return self.store.drop_book(one["id"], one.get("version"))

    def _answer(self, results):
        done = sum(one["ok"] for one in results)
        body = {"results": results, "done": done, "failed": len(results) - done}
        return (200 if done == len(results) else 207), body

    # jobs

    def _job(self, data, mode):
        if self._active() >= 2 and self.broken != "active":
            return 409, {"problem": "two jobs are active"}
        items = data[:-1] if self.broken == "async-is-sync" and len(data) > 1 else data
        absent = {
            n for n, one in enumerate(items) if self.broken == "job-lookup" and not self.store.stands(one["book"])
        }
        name = self._new_job(lambda: self._created_but(absent, items, mode), len(data), mode)
        return 202, None, ("Location", f"/shelves-api/jobs/{name}")

    def _created_but(self, absent, items, mode):
        results = self._created(items, mode)
        return [result(one["ref"], None, "no such shelf") if n in absent else one for n, one in enumerate(results)]

    def _new_job(self, action, size, mode):
        name, now = f"j{len(self.jobs) + 1}", self.server.now()
        self.jobs[name] = {
            "action": action,
            "size": size,
            "mode": mode,
            "results": None,
            "stopped": False,
            "asked": 0,
            "begins": now + timedelta(seconds=1),
            "ends": now + timedelta(seconds=4),
        }
        return name

    def _active(self):
        return sum(job["results"] is None and not job["stopped"] for job in self.jobs.values())

    def settle(self):
        for job in self.jobs.values():
            if job["results"] is None and not job["stopped"] and job["ends"] <= self.server.now():
                job["results"] = job["action"]()

    def read_job(self, asked):
        name, job = asked.variables["job"], self.jobs.get(asked.variables["job"])
        if job is None and self.broken == "job-name":
            job = next(reversed(self.jobs.values()))
        if job is None:
            return 404, {"problem": "no such job"}
        results = job["results"] or []
        failed = sum(not one["ok"] and one["error"] != "UNDONE" for one in results)
        processed = job["size"] if job["results"] is not None else 0
        if self.broken == "job-progress" and processed:
            processed -= 1
        body = {"job": name, "state": self._state(job, failed), "posted": job["size"], "processed": processed}
        return 200, {**body, "failed": failed, "results": results}

    def _state(self, job, failed):
        if job["stopped"]:
            return "stopped"
        if job["results"] is None:
            return "waiting" if self.server.now() < job["begins"] else "working"
        job["asked"] += 1
        if self.broken == "job-moves" and job["asked"] == 2:
            return "working"
        return "troubled" if failed else "finished"

    def cancel_job(self, asked):
        job = self.jobs.get(asked.variables["job"])
        if job is None or job["results"] is not None:
            return (404, {"problem": "no such job"}) if job is None else (409, {"problem": "it has ended"})
        job["stopped"] = True
        return self.read_job(asked)

    # shelves: as a job, in several rooms, and a few at a time

    def load_shelves(self, asked):
        problem = self._shelf_refusal(asked.data, MOST)
        if problem:
            return problem
        name = self._new_job(lambda: self._shelved("north", asked.data), len(asked.data), "each")
        return 202, {"job": name}

    def read_shelf_job(self, asked):
        status, body = self.read_job(asked)
        if status == 200:
            results = body.pop("results")
            body["errors"] = {one["ref"]: one["error"] for one in results if not one["ok"]}
            del body["failed"]
        return status, body

    def _shelf_refusal(self, data, most, *, strict=True):
        if not isinstance(data, list) or not data or len(data) > most:
            return (413 if isinstance(data, list) and data else 400), {"problem": "too few or too many"}
        if any(not isinstance(one, dict) or "code" not in one for one in data):
            return 400, {"problem": "an item is none"}
        if strict and any(bad(plain(one, SHELF), SHELF) for one in data):
            return 400, {"problem": "an item is none"}
        if len({one["code"] for one in data}) < len(data):
            return 400, {"problem": "a code stands twice"}
        return None

    def _shelved(self, room, data):
        results, last = [], {}
        for one in data:
            fields = plain(one, SHELF)
            if self.broken == "permuted" and "colour" in last:
                fields = {"colour": last["colour"], **fields}
            last = one
            shelf, problem = self.store.put_shelf(room, fields)
            results.append({"ref": one["code"], "ok": shelf is not None, "error": problem})
        return results

    def spread_shelves(self, asked):
        if not all(isinstance(asked.data.get(name), list) for name in ("shelves", "rooms")):
            return 400, {"problem": "shelves and rooms are lists"}
        if not all(isinstance(one, str) for one in asked.data["rooms"]):
            return 400, {"problem": "rooms are texts"}
        problem = self._shelf_refusal(asked.data["shelves"], 100, strict=False)
        if problem:
            return problem
        served, problems = {}, {}
        for room in asked.data["rooms"]:
            if room not in ROOMS:
                problems[room] = ["no such room"]
                continue
            also = [one for one in ROOMS if one != room] if self.broken == "fan-out" else []
            for other in also:
                self._shelved(other, asked.data["shelves"])
            results = self._shelved(room, asked.data["shelves"])
            served[room] = {"errors": {one["ref"]: one["error"] for one in results if not one["ok"]}}
        return (207 if problems else 200), {"served": served, "problems": problems}

    def store_shelves(self, asked):
        problem = self._shelf_refusal(asked.data, MOST, strict=False)
        if problem:
            return 400, {"problem": "no list of shelves"}
        now, left = asked.data[:8], asked.data[8:]
        results = self._shelved("north", now)
        errors = {one["ref"]: one["error"] for one in results if not one["ok"]}
        if self.broken == "unprocessed":
            left = left[:-1]
        return (207 if errors else 200), {"errors": errors, "left": left}


def result(ref, record, problem):
    if record is None:
        return {"ref": ref, "ok": False, "error": problem}
    return {"ref": ref, "ok": True, "id": record["id"], "version": record["version"]}


def _is_number(text):
    return text.removeprefix("-").replace(".", "", 1).isdecimal()
