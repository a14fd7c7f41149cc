"""What the awkward server stores: devices and events, with their rules. No HTTP, and nothing of Bulkproof.

Records are never changed in place, so that a read may show the state of some time ago.
"""

import random
import time
import uuid
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import jsonschema_rs

CREATE_ONLY = "colour"  # the member of a device that a record which comes back may keep


class RefusedError(Exception):
    """What is asked for cannot be done: a status of HTTP, and why."""

    def __init__(self, status, title):
        super().__init__(title)
        self.status, self.title = status, title


class Table:
    """Records by key, with every state that they ever had."""

    def __init__(self):
        self.states = {}

    def put(self, key, record):
        """Store a record; None deletes it."""
        self.states.setdefault(key, []).append((time.monotonic(), record))

    def get(self, key, ago=0.0):
        """Return a record as it was some seconds ago, None when there was none."""
        until = time.monotonic() - ago
        return next((record for at, record in reversed(self.states.get(key, ())) if at <= until), None)

    def all(self, ago=0.0):
        """Return all records as they were some seconds ago, in the order in which they were made."""
        found = ((key, self.get(key, ago)) for key in list(self.states))
        return [(key, record) for key, record in found if record is not None]


class Store:
    """Devices and events under their rules. `schemas` are those of the document, `is_on` tells the switches."""

    def __init__(self, schemas, is_on, seed):
        self.is_on, self.rng = is_on, random.Random(seed)
        self.ways = [(None, str.lower), (" ", str.casefold)][seed % 2]
        self.devices, self.events = Table(), Table()
        self.graves = {}
        self.is_taken = False  # whether a live device took another value: then one that comes back must, too
        self.last_id, self.last_version = 100, 1000
        checked = {"Device", "EventFields"}
        self.properties = {name: schemas[name]["properties"] for name in checked}
        self.valid = {
            name: jsonschema_rs.Draft202012Validator(
                {"type": "object", "properties": properties}, validate_formats=True
            ).is_valid
            for name, properties in self.properties.items()
        }

    def checked(self, name, members):
        """Return the declared members that a client may write. Raises RefusedError for invalid ones."""
        known = self.properties[name]
        given = {one: members[one] for one in members if one in known and not known[one].get("readOnly")}
        if not self.valid[name](given):
            raise RefusedError(400, "a member is not valid")
        return self.fitting(name, given) if self.is_on("normalised") else given

    def fitting(self, name, given):
        """Return members in normal form, those as they were sent that their schema allows in no other."""
        forms = self.normalised(given)
        return {one: form if self.valid[name]({**given, one: form}) else given[one] for one, form in forms.items()}

    def normalised(self, members):
        """Return members as they are stored; of what the rules leave open, one way or the other by the seed."""
        blanks, lower = self.ways
        ways = {
            "colour": lambda text: lower(text.strip(blanks)),
            "note": lambda text: text.strip(blanks),
            "price": lambda number: round(number, 2),
        }
        return {
            name: ways[name](value) if name in ways and value is not None else value for name, value in members.items()
        }

    def stamp(self, record, old=None):
        """Return a record with what the server sets."""
        now = datetime.now(UTC)
        if self.is_on("eventual"):
            now += timedelta(microseconds=self.rng.randrange(10**6))
        text = now.isoformat()
        made = old["createdAt"] if old is not None else text
        return {**record, "createdAt": made, "updatedAt": text, "version": self.next_version(record, old)}

    def next_version(self, record, old):
        """Return a counter, or, with `opaque` versions, numbers that jump."""
        del record
        if not self.is_on("opaque"):
            return 1 if old is None else old["version"] + 1
        self.last_version += self.rng.randrange(1, 10**6)
        return self.last_version

    def require_unused(self, table, member, value, key):
        """Raise RefusedError when another record has the value."""
        if value is not None and any(one.get(member) == value and own != key for own, one in table.all()):
            raise RefusedError(409, f"the {member} is in use")

    def put_device(self, key, members):
        """Write a device, and return whether it is new; `retired` deletes it."""
        members = self.checked("Device", members)
        try:
            key = str(uuid.UUID(str(key)))
        except ValueError:
            raise RefusedError(400, "the key is no UUID") from None
        old = self.devices.get(key)
        if members.get("retired") is True:
            self.drop_device(key)
            return False
        record = {**(old or {}), **members, "id": key}
        if not record.get("serial"):
            raise RefusedError(400, "a device has a serial")
        self.require_unused(self.devices, "serial", record["serial"], key)
        grave = self.graves.get(key)
        self.is_taken |= old is not None and record.get(CREATE_ONLY) != old.get(CREATE_ONLY)
        may_keep = self.is_on("revived") and old is None and not self.is_taken
        if may_keep and grave is not None and self.rng.random() < 0.5:
            record = {**record, **{name: grave[name] for name in (CREATE_ONLY,) if name in grave}}
        self.devices.put(key, record)
        return old is None

    def drop_device(self, key):
        """Delete a device."""
        old = self.devices.get(key)
        if old is None:
            raise RefusedError(404, "there is no such device")
        self.graves[key] = old
        self.devices.put(key, None)

    def add_event(self, members):
        """Store a new event and return it."""
        members = self.checked("EventFields", members)
        if not members.get("code") or not members.get("deviceId"):
            raise RefusedError(400, "an event has a code and a device")
        record = self._event(members, None)
        self.last_id += self.rng.randrange(1, 4)
        record = self.stamp({**record, "id": self.last_id})
        self.events.put(record["id"], record)
        return record

    def set_event(self, key, members, version=None):
        """Change an event and return it."""
        old = self.event(key)
        if version is not None and version != old["version"]:
            raise RefusedError(409, "the version is not the current one")
        record = self.stamp(self._event({**old, **self.checked("EventFields", members)}, key), old)
        self.events.put(key, record)
        return record

    def _event(self, record, key):
        device = record.get("deviceId")
        if device is None or self.devices.get(str(device).lower()) is None:
            raise RefusedError(400, "there is no such device")
        if not record.get("code"):
            raise RefusedError(400, "an event has a code")
        self.require_unused(self.events, "code", record["code"], key)
        return {**record, "deviceId": str(device).lower()}

    def event(self, key):
        """Return an event. Raises RefusedError when there is none."""
        found = self.events.get(key) if isinstance(key, int) else None
        if found is None:
            raise RefusedError(404, "there is no such event")
        return found

    def drop_event(self, key, version=None):
        """Delete an event."""
        old = self.event(key)
        if version is not None and version != old["version"]:
            raise RefusedError(409, "the version is not the current one")
        self.events.put(key, None)

    def apply(self, item):
        """Carry out one item of a batch and return its outcome."""
        told = {"key": item["ref"], "ok": True}
        version = item.get("version")
        try:
            if item["op"] == "add":
                done = self.add_event(item.get("event", {}))
            elif item["op"] == "set":
                done = self.set_event(item.get("id"), item.get("event", {}), version)
            else:
                self.drop_event(item.get("id"), version)
                done = {"id": item["id"]}
        except RefusedError as why:
            return {**told, "ok": False, "error": why.title}
        return told | {name: done[name] for name in ("id", "version") if name in done}

    def undo_to(self, before):
        """Bring every event back that is not as it was in `before`, as if nothing had happened."""
        for key in list(self.events.states):
            if self.events.get(key) is not before.get(key):
                self.events.put(key, before.get(key))


class Others:
    """Other clients of the store: they make, change and delete records of their own all the time."""

    def __init__(self, store):
        self.store, self.rng, self.own, self.made = store, random.Random(7), [], 0

    def act(self):
        """Do one thing."""
        store, rng = self.store, self.rng
        self.made += 1
        choice = rng.random()
        if len(self.own) < 3 or (choice < 0.4 and len(self.own) < 12):
            key = str(uuid.UUID(int=rng.getrandbits(128), version=4))
            store.put_device(key, {"serial": f"Z/{self.made}", "colour": rng.choice(["red", "blue"])})
            event = store.add_event({"code": f"Autumn fair {self.made}", "deviceId": key, "seats": 3})
            self.own.append((key, event["id"]))
            return
        key, event = rng.choice(self.own)
        if choice < 0.7:
            store.put_device(key, {"colour": rng.choice(["red", "blue", "green"])})
            store.set_event(event, {"seats": rng.randrange(50)})
        else:
            self.own.remove((key, event))
            store.drop_event(event)
            store.drop_device(key)


def seconds(text):
    """Return a duration without years and months as text in seconds, others as they are."""
    if not text.startswith("PT") or "." in text or any(letter in text for letter in "YW"):
        return text
    total, number = Fraction(0), ""
    for letter in text[2:]:
        if letter.isdigit():
            number += letter
        else:
            total += int(number) * {"H": 3600, "M": 60, "S": 1}[letter]
            number = ""
    return f"PT{total}S"
