"""Opening an implementation: a sandbox of ours gives new sandboxes, any other server gives new names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from secrets import randbelow
from threading import get_ident
from typing import Any, Final

import orjson

from contracts.errors import MisuseError
from contracts.messages import Call, Headers, Reply
from contracts.model import Contract
from generators.caller import Caller, NoAnswerError
from generators.campaign.worlds import Target, World
from generators.http import CONTROL, DEFAULT, TIMEOUT, ControlledCaller, HttpCaller, base_of

DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
SALTS: Final = 36**5
JSON: Final = Headers((("Content-Type", "application/json"),))
EPOCH: Final = {"mode": "frozen", "now": "2026-01-01T00:00:00Z"}
SANDBOX_SALT: Final = "00000"
OK: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an implementation is, in values that another process understands.

    `headers` go with every call. `scenarios` are played in every new sandbox besides those of the one that the URL
    names.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    control_token: str = ""
    scenarios: tuple[Any, ...] = ()
    timeout: float = TIMEOUT


def open_target(contract: Contract, place: Place, label: str, first: int | None = None) -> Target:
    """Return the implementation at a place. Raises MisuseError.

    `label` begins the names of sandboxes, `first` is where the numbers of prefixes begin, by default anywhere.
    """
    root, sandbox = _root(contract, place)
    control = _Control(place, root)
    if control.answers():
        return SandboxTarget(contract, place, control, sandbox or DEFAULT, label)
    control.close()
    if place.scenarios:
        raise MisuseError("only a Bulkproof sandbox supports scenarios.", where=place.url, cure="Give a sandbox's URL.")
    return PlainTarget(contract, place, first)


def _root(contract: Contract, place: Place) -> tuple[str, str]:
    root, at, name = place.url.rstrip("/").removesuffix(contract.mount).partition("/@")
    header = next((value for one, value in place.headers.items() if one.lower() == "sandbox"), "")
    return root, header or (name.partition("/")[0] if at else "")


class PlainTarget:
    """A server that everybody shares: a new world is a new prefix of names. Every thread has its own connection."""

    controlled = False

    def __init__(self, contract: Contract, place: Place, first: int | None = None) -> None:
        self._contract, self._place = contract, place
        self._numbers = count(randbelow(SALTS) if first is None else first)
        self._callers: dict[int, HttpCaller] = {}

    def fresh(self, purpose: str = "") -> World:
        """Return a world of names that nobody has used."""
        del purpose
        return World(caller=self._caller(), salt=salt_text(next(self._numbers) % SALTS))

    def _caller(self) -> HttpCaller:
        place, thread = self._place, get_ident()
        if thread not in self._callers:
            base = base_of(self._contract, place.url)
            self._callers[thread] = HttpCaller(base, headers=place.headers, timeout=place.timeout)
        return self._callers[thread]

    def close(self) -> None:
        """Close the connections."""
        for caller in self._callers.values():
            caller.close()


class SandboxTarget:
    """A Bulkproof sandbox: a new world is a sandbox as it was made, with what is played and set in the one named."""

    controlled = True

    def __init__(self, contract: Contract, place: Place, control: "_Control", sandbox: str, label: str) -> None:
        self._contract, self._place, self._control, self._label = contract, place, control, label
        self._scenarios = [*control.scenarios(sandbox), *place.scenarios]
        self._settings = control.settings(sandbox)
        self._callers: dict[str, ControlledCaller] = {}

    def fresh(self, purpose: str = "") -> World:
        """Return a sandbox as it was when it was made, its clock standing still."""
        name = f"{self._label}{f'-{purpose}' if purpose else ''}"
        wanted = {"clock": EPOCH, "settings": self._settings, "scenarios": self._scenarios}
        self._control.ask("POST", name, "reset", wanted)
        return World(caller=self._caller(name), salt=SANDBOX_SALT)

    def _caller(self, name: str) -> Caller:
        if name not in self._callers:
            headers = {one: value for one, value in self._place.headers.items() if one.lower() != "sandbox"}
            base = f"{self._control.root}/@{name}{self._contract.mount}"
            calls = HttpCaller(base, headers=headers, timeout=self._place.timeout)
            self._callers[name] = ControlledCaller(calls, self._control.caller, sandbox=name)
        return self._callers[name]

    def close(self) -> None:
        """Drop the sandboxes and close the connections."""
        for name, caller in self._callers.items():
            self._control.drop(name)
            caller.close()
        self._control.close()


class _Control:
    """The control API of a server."""

    def __init__(self, place: Place, root: str) -> None:
        token = {"Authorization": f"Bearer {place.control_token}"} if place.control_token else {}
        self.root = root
        self.caller = HttpCaller(root, headers=token, timeout=place.timeout)

    def answers(self) -> bool:
        """Say whether there is one."""
        try:
            reply = self.caller.send(Call(method="GET", path=f"{CONTROL}/health"))
        except NoAnswerError:
            return False
        return reply.status == OK and isinstance(reply.data, dict) and reply.data.get("status") == "ok"

    def scenarios(self, sandbox: str) -> list[Any]:
        """Return the documents of the scenarios that a sandbox plays."""
        data: Any = self.ask("GET", sandbox, "scenarios").data
        return [_unused(one) for one in data["scenarios"]]

    def settings(self, sandbox: str) -> Mapping[str, Any]:
        """Return the settings of a sandbox."""
        data: Any = self.ask("GET", sandbox, "settings").data
        return dict(data)

    def ask(self, method: str, sandbox: str, what: str, body: object = None) -> Reply:
        """Make a control call about a sandbox. Raises MisuseError when it is refused, NoAnswerError."""
        path = f"{CONTROL}/sandboxes/{sandbox}/{what}"
        content = b"" if body is None else orjson.dumps(body)
        reply = self.caller.send(Call(method=method, path=path, headers=JSON if content else Headers(), body=content))
        if reply.status != OK:
            detail = reply.data.get("detail", "") if isinstance(reply.data, dict) else ""
            raise MisuseError(f"the sandbox refused {method} {path} ({reply.status}). {detail}", where=self.root)
        return reply

    def drop(self, sandbox: str) -> None:
        """Forget a sandbox, if the server still answers."""
        try:
            self.caller.send(Call(method="DELETE", path=f"{CONTROL}/sandboxes/{sandbox}"))
        except NoAnswerError:
            return

    def close(self) -> None:
        """Close the connection."""
        self.caller.close()


def _unused(scenario: dict[str, Any]) -> dict[str, Any]:
    """Return a scenario's document without the counts of how often its rules have decided."""
    rules = [{name: one for name, one in rule.items() if name != "used"} for rule in scenario["rules"]]
    return {**scenario, "rules": rules}


def salt_text(number: int) -> str:
    """Return a number below 36^5 as a salt."""
    text = ""
    for _ in range(5):
        number, digit = divmod(number, len(DIGITS))
        text = DIGITS[digit] + text
    return text
