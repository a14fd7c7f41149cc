"""Open an implementation under test, and fresh environments in it: new sandboxes, or new names on any other server.

`connect` returns a client for a server as it is, `open_target` a `Target` that gives one environment after another.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from secrets import randbelow
from threading import get_ident
from typing import Any, Final, Protocol, TypeAlias

from contracts.errors import MisuseError
from contracts.messages import Request, Response
from contracts.openapi.model import Contract, Route
from contracts.openapi.routing import Router
from contracts.openapi.security import made_up_headers, says_credentials, with_credentials
from generators.client.http import TIMEOUT, Client, ControlApi, HttpClient, base_url_of
from generators.requests.known_records import FIRST_NUMBER

PREFIX_LETTER: Final = "b"
NUMBERS_PER_ENVIRONMENT: Final = 10**8
DEFAULT_SANDBOX: Final = "default"
PREFIX_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
PREFIX_SIZE: Final = 5
PREFIX_COUNT: Final = len(PREFIX_DIGITS) ** PREFIX_SIZE
FROZEN_CLOCK: Final = {"mode": "frozen", "now": "2026-01-01T00:00:00Z"}
SANDBOX_PREFIX: Final = "0" * PREFIX_SIZE
Admitted: TypeAlias = Callable[[Request], Request]  # returns a request with the credentials that are asked for


def prefix_text(number: int) -> str:
    """Return a number modulo 36^5 as a name prefix: five characters of 0-9 and a-z."""
    text = ""
    for _ in range(PREFIX_SIZE):
        number, digit = divmod(number, len(PREFIX_DIGITS))
        text = PREFIX_DIGITS[digit] + text
    return text


class SandboxClient:
    """Sends requests to a sandbox and advances its clock with the control API, so that waiting takes no real time.

    `admitted` returns a request as it is sent: with the credentials that the sandbox asks for. `is_open` tells that it
    is set to ask for none.
    """

    controlled = True

    def __init__(
        self,
        http: HttpClient,
        control: ControlApi,
        *,
        sandbox: str,
        admitted: Admitted | None = None,
        is_open: bool = False,
    ) -> None:
        self.http, self._control, self.sandbox = http, control, sandbox
        self.admitted, self.is_open = admitted, is_open
        self._ahead = timedelta(0)

    @property
    def base(self) -> str:
        """The URL that request paths are appended to."""
        return self.http.base

    def send(self, request: Request) -> Response:
        """Send a request and return its response. Raises NoAnswerError."""
        return self.http.send(request if self.admitted is None else self.admitted(request))

    def advance(self, by: timedelta) -> None:
        """Advance the sandbox's clock. Raises NoAnswerError when that is refused."""
        self._control.advance(self.sandbox, by)
        self._ahead += by

    def now(self) -> datetime:
        """Return this machine's time plus what the sandbox's clock was advanced by."""
        return datetime.now(UTC) + self._ahead

    def close(self) -> None:
        """Close the connections."""
        self.http.close()
        self._control.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetOptions:
    """The address of an implementation, in values that can be sent to another process.

    `url` may name a sandbox as `/@NAME`; a `Sandbox` header takes precedence. `headers` are sent with every
    request. `scenarios` are added to those of that sandbox in every new one. `timeout` is in seconds, `rate` the
    maximum of requests a second, 0 for no limit.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    control_token: str = ""
    scenarios: tuple[Any, ...] = ()
    timeout: float = TIMEOUT
    rate: float = 0
    credentials: Mapping[str, str] = field(default_factory=dict)

    def control(self, contract: Contract) -> tuple[ControlApi | None, str]:
        """Return the server's control API and the sandbox's name; None and "" when the server has none.

        It is looked for beside the API, then at the root of the URL's host.
        """
        root, at, name = self.url.rstrip("/").removesuffix(contract.mount).partition("/@")
        header = next((value for one, value in self.headers.items() if one.lower() == "sandbox"), "")
        for place in dict.fromkeys((root, "/".join(root.split("/", 3)[:3]))):
            control = ControlApi(place, token=self.control_token, timeout=self.timeout)
            if control.answers():
                sandbox = header or (name.partition("/")[0] if at else "") or DEFAULT_SANDBOX
                control.probe(sandbox)
                return control, sandbox
            control.close()
        return None, ""

    def client(self, base: str) -> HttpClient:
        """Return a client in real time for a URL of the server."""
        return HttpClient(
            base, headers=self.headers, timeout=self.timeout, rate=self.rate, credentials=self.credentials
        )


def as_served(contract: Contract, place: TargetOptions) -> Contract:
    """Return a contract with its mount as the server at an address has it.

    A sandbox serves an API that has no path of its own at the root, or at its name beside others of that kind; its
    control API says where. Any other server has it at the URL.
    """
    control, _ = (None, "") if contract.mount else place.control(contract)
    if control is None:
        return contract
    mount = control.mount_of(contract.name)
    control.close()
    return replace(contract, mount=mount) if mount else contract


def is_sandbox(contract: Contract, place: TargetOptions) -> bool:
    """Say whether a Bulkproof server is at an address: one whose control API answers and lacks nothing."""
    control, _ = place.control(contract)
    if control is None:
        return False
    control.close()
    return not control.lacks


def connect(contract: Contract, place: TargetOptions) -> SandboxClient | HttpClient:
    """Return a client for a server: it controls the clock of a sandbox, and waits in real time for any other server.

    Raises MisuseError.
    """
    http = place.client(base_url_of(contract, place.url))
    control, sandbox = place.control(contract)
    if control is None:
        return http
    if "clock" in control.lacks:
        control.close()
        return http
    settings = control.get(sandbox, "settings")
    admitted, is_open = admission(contract, place.headers, settings), settings.get("auth") == "open"
    return SandboxClient(http, control, sandbox=sandbox, admitted=admitted, is_open=is_open)


def admission(contract: Contract, headers: Mapping[str, str], settings: Mapping[str, Any]) -> Admitted | None:
    """Return what gives requests made-up credentials: where a sandbox asks for some, and no headers are given.

    A request that has a field for them, such as one that is to carry none, is sent as it is.
    """
    if settings.get("auth") != "strict" or any(one.lower() != "sandbox" for one in headers):
        return None
    router = Router(contract)

    def admitted(request: Request) -> Request:
        found = router.match(request.method, request.path, request)
        if not isinstance(found, Route) or says_credentials(contract, found.operation, request):
            return request
        return with_credentials(contract, found.operation, request)

    return admitted


def headers_for(contract: Contract, client: object, given: Mapping[str, str]) -> Mapping[str, str]:
    """Return the given header fields, or made-up credentials where the client's sandbox asks for some."""
    asked = isinstance(client, SandboxClient) and client.admitted is not None
    return {**made_up_headers(contract), **given} if asked else given


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """An environment without earlier records of ours: a new sandbox, or fresh names on a shared server.

    `name_prefix` are five characters of 0-9 and a-z.
    """

    client: Client
    name_prefix: str

    @property
    def prefix(self) -> str:
        """The text that every generated name begins with: `b` and the name prefix."""
        return f"{PREFIX_LETTER}{self.name_prefix}"

    @property
    def base(self) -> int:
        """The first of the environment's 10^8 fresh numbers."""
        return FIRST_NUMBER + int(self.name_prefix, 36) * NUMBERS_PER_ENVIRONMENT


class Target(Protocol):
    """An implementation under test, which gives fresh environments."""

    @property
    def controlled(self) -> bool:
        """Whether its clock can be advanced, so that waiting takes no real time."""

    def fresh(self, purpose: str = "") -> Environment:
        """Return a new environment. Each purpose has its own; a new one replaces the last of the same purpose."""

    def close(self) -> None:
        """Close the connections and delete the sandboxes."""


def open_target(contract: Contract, place: TargetOptions, label: str, first: int | None = None) -> Target:
    """Return the target at an address. Raises MisuseError.

    The names of sandboxes begin with `label`. Name prefixes are counted from `first`, by default from a random
    number.
    """
    control, sandbox = place.control(contract)
    if control is not None and control.has_sandboxes:
        return SandboxTarget(contract, place, control, sandbox, label)
    if control is not None:
        control.close()
    if place.scenarios:
        raise MisuseError("only a Bulkproof sandbox supports scenarios.", where=place.url, cure="Give a sandbox's URL.")
    return PlainTarget(contract, place, first)


def control_note(contract: Contract, place: TargetOptions, *, needs_sandboxes: bool) -> tuple[bool, str]:
    """Return whether environments are sandboxes, and what a partial control API is done without, "" for nothing."""
    control, _ = place.control(contract)
    if control is None:
        return False, ""
    control.close()
    missing = [one for one in control.lacks if needs_sandboxes or one in {"clock", "settings"}]
    alone = ": it is judged as any other server, in real time and under new names"
    how = alone if needs_sandboxes and not control.has_sandboxes else ": time is real" if "clock" in missing else ""
    says = f"The control API of the server has {', '.join(f'no {one}' for one in missing)}{how}." if missing else ""
    return control.has_sandboxes, says


class PlainTarget:
    """A shared server: each environment has a new name prefix, each thread its own connection."""

    controlled = False

    def __init__(self, contract: Contract, place: TargetOptions, first: int | None = None) -> None:
        self._base, self._place = base_url_of(contract, place.url), place
        self._numbers = count(randbelow(PREFIX_COUNT) if first is None else first)
        self._clients: dict[int, HttpClient] = {}

    def fresh(self, purpose: str = "") -> Environment:
        """Return an environment with an unused name prefix."""
        del purpose
        if (thread := get_ident()) not in self._clients:
            self._clients[thread] = self._place.client(self._base)
        return Environment(client=self._clients[thread], name_prefix=prefix_text(next(self._numbers)))

    def close(self) -> None:
        """Close the connections."""
        for client in list(self._clients.values()):  # threads that are left behind may open others
            client.close()


class SandboxTarget:
    """A Bulkproof server: each environment is a sandbox with the scenarios and settings of the one named."""

    controlled = True

    def __init__(self, contract: Contract, place: TargetOptions, control: ControlApi, sandbox: str, label: str) -> None:
        self._mount, self._control, self._label = contract.mount, control, label
        headers = {one: value for one, value in place.headers.items() if one.lower() != "sandbox"}
        self._place = replace(place, headers=headers)
        active = control.get(sandbox, "scenarios").get("scenarios", ())
        self._scenarios = [*map(_without_counts, active), *place.scenarios]
        self._settings = control.get(sandbox, "settings")
        self._admitted = admission(contract, headers, self._settings)
        self._clients: dict[str, SandboxClient] = {}

    def fresh(self, purpose: str = "") -> Environment:
        """Return a reset sandbox with a frozen clock."""
        name = f"{self._label}{f'-{purpose}' if purpose else ''}"
        self._control.reset(name, {"clock": FROZEN_CLOCK, "settings": self._settings, "scenarios": self._scenarios})
        if name not in self._clients:
            base = f"{self._control.root}/@{name}{self._mount}"
            http, is_open = self._place.client(base), self._settings.get("auth") == "open"
            self._clients[name] = SandboxClient(
                http, self._control, sandbox=name, admitted=self._admitted, is_open=is_open
            )
        return Environment(client=self._clients[name], name_prefix=SANDBOX_PREFIX)

    def close(self) -> None:
        """Delete the sandboxes and close the connections."""
        for name, client in list(self._clients.items()):  # threads that are left behind may open others
            self._control.drop(name)
            client.close()
        self._control.close()


def _without_counts(scenario: dict[str, Any]) -> dict[str, Any]:
    """Return a scenario's document without the `used` counts of its rules."""
    rules = [{name: one for name, one in rule.items() if name != "used"} for rule in scenario["rules"]]
    return {**scenario, "rules": rules}


def new_name_prefix() -> str:
    """Return a random name prefix, so that the names of runs differ, those that begin at one moment too."""
    return prefix_text(randbelow(PREFIX_COUNT))
