"""Options of commands that send requests to an implementation: its URL, and fields of every request."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from mockserver.cli.shared.options import CONTROL_TOKEN_OPTION, Decorated, Duration, load_apis, with_options

if TYPE_CHECKING:
    from socket import socket

    from contracts.openapi.loading import LoadOptions
    from contracts.openapi.model import Contract
    from generators.client.environments import TargetOptions
    from generators.oracles.facts import Assumptions
    from mockserver.api.model import Api

URL_PATTERN: Final = re.compile(r"https?://[^/?#\s]+")
NAMED_CREDENTIALS: Final = re.compile(r"([a-z][a-z0-9-]*)=([^=].*)", re.DOTALL)
NAME_PREFIX: Final = re.compile("[0-9a-z]{5}")


def headers(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Parse `NAME: VALUE` pairs to a dictionary."""
    for value in values:
        if not value.partition(":")[0].strip() or ":" not in value:
            raise click.BadParameter(f"'{value}' is not NAME: VALUE.", context, parameter)
    return {name.strip(): value.strip() for name, _, value in (one.partition(":") for one in values)}


class Credentials(NamedTuple):
    """The credentials of every request, and those of test clients by name."""

    default: str = ""
    named: Mapping[str, str] = {}


def credentials(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> Credentials:
    """Parse credentials, of all requests or as `NAME=` of a test client; by default those of the environment."""
    del parameter
    named = {found[1]: found[2] for value in values if (found := NAMED_CREDENTIALS.fullmatch(value))}
    plain = [value for value in values if not NAMED_CREDENTIALS.fullmatch(value)]
    if len(plain) > 1:
        raise click.UsageError("--auth is given twice without the name of a test client; write NAME=...", context)
    return Credentials((plain or [os.environ.get("BULKPROOF_AUTH", "")])[0], named)


def pairs(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Parse `NAME=VALUE` pairs to a dictionary."""
    for value in values:
        if "=" not in value:
            raise click.BadParameter(f"'{value}' is not NAME=VALUE.", context, parameter)
    return {name: value for name, _, value in (one.partition("=") for one in values)}


def name_prefix(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Validate the prefix of generated names: five of 0-9 and a-z."""
    if value is not None and NAME_PREFIX.fullmatch(value) is None:
        raise click.BadParameter(f"'{value}' is not 5 characters of 0-9 and a-z.", context, parameter)
    return value


def server_url(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Validate the URL of a server."""
    if value is not None and URL_PATTERN.match(value) is None:
        raise click.BadParameter(f"'{value}' is not a URL such as http://127.0.0.1:8080.", context, parameter)
    return value


def require_server(url: str, timeout: float) -> None:
    """Raise MisuseError when no server listens at a URL, or one whose certificate is not trusted."""
    from socket import create_connection
    from urllib.parse import urlsplit

    from contracts.errors import MisuseError

    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        with create_connection((parts.hostname or "", port), timeout) as plain:
            if parts.scheme == "https":
                _shake_hands(plain, parts.hostname or "", url)
    except (OSError, ValueError) as error:
        raise MisuseError(f"no server responds at {url} ({error}).", cure="Give the URL of a running server.") from None


def _shake_hands(plain: "socket", host: str, url: str) -> None:
    from ssl import SSLCertVerificationError, create_default_context

    from contracts.errors import MisuseError

    try:
        create_default_context().wrap_socket(plain, server_hostname=host).close()
    except SSLCertVerificationError as error:
        why = f"the certificate of {url} is not trusted ({error.verify_message})."
        cure = "Name a file with its certificate authority in the variable SSL_CERT_FILE."
        raise MisuseError(why, cure=cure) from None


def assumptions_of(given: Mapping[str, Any], *, is_sandbox: bool) -> "Assumptions":
    """Return what becomes of findings that depart from an assumption: as asked, else by whose server it is."""
    chosen: Assumptions | None = given["assumptions"]
    return chosen or ("fail" if is_sandbox else "warn")


ASSUMPTIONS: Final = click.option(
    "--assumptions",
    type=click.Choice(["fail", "warn", "ignore"]),
    help="What becomes of findings that depart from an assumption of the contract. Default: fail for a Bulkproof "
    "sandbox, warn for any other server.",
)


def place_of(url: str, given: Mapping[str, Any]) -> "TargetOptions":
    """Return the address of an implementation from the options of `target`."""
    from contracts.openapi.security import authorization_field, placeholder_of
    from generators.client.environments import TargetOptions

    default, clients = given["auth"]
    headers = {**given["headers"], **({"Authorization": authorization_field(default)} if default else {})}
    secrets = {placeholder_of(name): secret for name, secret in clients.items()}
    named = {name: given[name] for name in ("control_token", "timeout", "rate")}
    return TargetOptions(url=url, headers=headers, credentials=secrets, **named)


def api_of(api: str, mount: str | None, place: "TargetOptions", reading: "LoadOptions") -> "Api":
    """Return an API, its contract mounted at `mount` when that is given, else where the server has it."""
    from dataclasses import replace

    from generators.client.environments import as_served

    (loaded,) = load_apis((api,), reading)
    loaded = replace(loaded, contract=_with_clients(loaded.contract, place))
    if mount is None:
        return replace(loaded, contract=as_served(loaded.contract, place))
    mounted = replace(loaded.contract, mount=f"/{mount.strip('/')}" if mount.strip("/") else "")
    return replace(loaded, contract=mounted)


def _with_clients(contract: "Contract", place: "TargetOptions") -> "Contract":
    """Return a contract whose test clients have the given credentials. Raises MisuseError: one is not named there."""
    from dataclasses import replace

    from contracts.errors import MisuseError
    from contracts.openapi.security import placeholder_of

    known = {placeholder_of(one.name): one for one in contract.clients}
    for placeholder in place.credentials:
        if placeholder not in known:
            names = ", ".join(one.name for one in contract.clients)
            cure = f"Known: {names}." if names else "Name it in x-test-clients of the document."
            raise MisuseError(f"--auth names a test client that {contract.title} does not have.", cure=cure)
    given = {one.name: replace(one, auth=at) for at, one in known.items() if at in place.credentials}
    return replace(contract, clients=tuple(given.get(one.name, one) for one in contract.clients))


class Output(click.Path):
    """A file to write; its folder must exist."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path. Fails when its folder does not exist."""
        path = Path(str(super().convert(value, param, ctx)))
        if not path.parent.is_dir():
            self.fail(f"'{path}' cannot be written: there is no directory '{path.parent}'.", param, ctx)
        return path


OUTPUT: Final = Output(dir_okay=False, path_type=Path)
OPTIONS: Final = (
    click.option("--mount", metavar="PATH", help="Base path of the API on that server, instead of the contract's."),
    click.option(
        "--auth",
        multiple=True,
        callback=credentials,
        metavar="[NAME=]TOKEN|USER:PASSWORD",
        help="Authorization header: a bearer token, USER:PASSWORD, or a scheme with credentials, such as 'Bearer x'. "
        "Default: BULKPROOF_AUTH. With NAME= those of a test client of the contract; repeatable.",
    ),
    click.option(
        "--header",
        "headers",
        multiple=True,
        callback=headers,
        metavar="NAME: VALUE",
        help="Header to send with every request; repeatable.",
    ),
    click.option(
        "--param",
        "given",
        multiple=True,
        callback=pairs,
        metavar="NAME=VALUE",
        help="Value of a parameter, instead of the contract's example; repeatable.",
    ),
    CONTROL_TOKEN_OPTION,
    click.option("--timeout", type=Duration(), default="30s", show_default=True, help="Time limit of each response."),
    click.option(
        "--rate",
        type=click.FloatRange(min=0, min_open=True),
        default=None,
        callback=lambda _context, _parameter, value: value or 0.0,
        metavar="NUMBER",
        help="Maximum of requests a second that are sent to the API. Default: no limit.",
    ),
)


def target(command: Decorated, *, needs_url: bool = True) -> Decorated:
    """Add the options of a target to a command: url, mount, auth, headers, given, control_token, timeout, rate."""
    says = "Root URL of the server, or base URL of the API."
    url = click.option("--url", required=needs_url, callback=server_url, help=says)
    return with_options(command, (url, *OPTIONS))
