"""Options that commands share: how documents are read, the clock of a server, and those with a former name.

A former name (`RenamedOption`) still works, is not in `--help`, and prints a line on stderr.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import reduce
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import click

if TYPE_CHECKING:
    from contracts.errors import Fault
    from contracts.openapi.loading import LoadOptions
    from mockserver.api.model import Api

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Clock: TypeAlias = tuple[str, float]
PLAIN_NUMBER: Final = re.compile(r"\d*\.?\d+(?:e\d{1,2})?", re.ASCII)
MAX_CLOCK_FACTOR: Final = 86_400.0  # a day in a second


def clock(context: click.Context, parameter: click.Parameter, value: str) -> Clock:
    """Parse `frozen`, `system`, or `x60` (60 times as fast) to mode and factor."""
    if value in {"frozen", "system"}:
        return value, 1.0
    try:
        factor = float(value[1:]) if value.startswith("x") else 0.0
    except ValueError:
        factor = 0.0
    if not 0.0 < factor <= MAX_CLOCK_FACTOR:
        says = f"'{value}' is not frozen, system, or xFACTOR with a factor up to {MAX_CLOCK_FACTOR:g}, such as x60."
        raise click.BadParameter(says, context, parameter)
    return "scaled", factor


class Duration(click.ParamType):  # type: ignore[type-arg] # generic from Click 8.4 on
    """A duration such as `90s`, `1h30m` or `PT5M`, or a number of seconds; its value is in seconds.

    It is more than zero, or at least `least`, and at most `most`.
    """

    name = "duration"

    def __init__(self, *, least: float | None = None, most: float = float("inf")) -> None:
        self.least, self.most = least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number of seconds. Fails when it is no duration, or out of bounds."""
        from contracts.syntax.text import parse_duration

        text = str(value)
        try:
            length = float(text) if PLAIN_NUMBER.fullmatch(text) else parse_duration(text).total_seconds()
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if length > self.most:
            self.fail(f"'{value}' is more than {self.most:g} seconds.", param, ctx)
        if length < (self.least or 0) or (self.least is None and not length):
            self.fail(f"'{value}' is too short.", param, ctx)
        return length


def ref_map(context: click.Context, parameter: click.Parameter, words: tuple[str, ...]) -> dict[str, Path]:
    """Parse `URI=FILE` entries to the local files, or folders, of absolute URIs."""
    found: dict[str, Path] = {}
    for word in words:
        uri, _, file = word.partition("=")
        if ":" not in uri or not file:
            says = f"'{word}' is not URI=FILE, such as https://example.com/pet.json=pet.json."
            raise click.BadParameter(says, context, parameter)
        found[uri.partition("#")[0]] = Path(file)
    return found


def documents(context: click.Context, parameter: click.Parameter, words: tuple[str, ...]) -> tuple[Path | str, ...]:
    """Return files as paths, and URLs as they are."""
    del context, parameter
    from contracts.syntax.remote import is_url

    return tuple(word if is_url(word) else Path(word) for word in words)


READING_OPTIONS: Final = (
    click.option(
        "--overlay",
        "overlays",
        multiple=True,
        callback=documents,
        metavar="FILE|URL",
        help="OpenAPI Overlay that changes the document before it is read; repeatable, applied in turn.",
    ),
    click.option(
        "--preset",
        "presets",
        multiple=True,
        metavar="NAME",
        help="Known way of bulk requests, for the operations that fit it, such as scim-bulk; repeatable.",
    ),
    click.option(
        "--strict",
        is_flag=True,
        help="Refuse documents with mistakes, which are mended otherwise. Under serve, bundled APIs also take the "
        "stricter reading where a vendor's documentation contradicts itself.",
    ),
    click.option(
        "--allow-remote",
        is_flag=True,
        help="Read documents at other hosts than this machine, and follow references to URLs.",
    ),
    click.option(
        "--ref-map",
        "ref_map",
        multiple=True,
        callback=ref_map,
        metavar="URI=FILE",
        help="Local file of a URI that references name; one ending with / maps all below it to a folder; repeatable.",
    ),
    click.option(
        "--ref-root",
        type=click.Path(path_type=Path),
        metavar="FOLDER",
        help="Folder whose files references may lead to. Default: the document's own.",
    ),
)
MAX_REPAIRS: Final = 20


def with_options(command: Decorated, options: Sequence[Callable[[Any], Any]]) -> Decorated:
    """Return a command with options, which `--help` lists in this order."""
    return reduce(lambda made, option: option(made), reversed(options), command)


def reading_options(command: Decorated) -> Decorated:
    """Add the options of how a document is read to a command: overlays, presets, strict, allow_remote."""
    return with_options(command, READING_OPTIONS)


def reading_of(given: Mapping[str, Any]) -> "LoadOptions":
    """Return how documents are read, from the options of `reading_options`."""
    from contracts.openapi.loading import LoadOptions

    names = ("overlays", "presets", "strict", "allow_remote", "ref_map", "ref_root")
    return LoadOptions(**{name: given[name] for name in names})


CLOCK_OPTION: Final = click.option(
    "--clock",
    callback=clock,
    default="system",
    metavar="frozen|system|xFACTOR",
    show_default=True,
    help="Clock of the sandboxes.",
)
SEED_OPTION: Final = click.option(
    "--seed",
    type=click.IntRange(0, 2**53 - 1),
    default=0,
    show_default=True,
    help="Seed of ids and random choices.",
)
CONDUCT_OPTION: Final = click.option(
    "--conduct",
    type=click.Choice(["observe", "enforce"]),
    default="observe",
    show_default=True,
    help="Record breaches of the rules of client conduct, or refuse them.",
)
TEXT_OR_JSON: Final = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Output format."
)
SANDBOX_OPTIONS: Final = (
    click.option(
        "--auth",
        type=click.Choice(["open", "strict"]),
        help="Whether requests need valid credentials. Default: strict where only documents are served, else open.",
    ),
    CONDUCT_OPTION,
    click.option("--lenient-json", is_flag=True, help="Accept trailing commas in JSON."),
    click.option(
        "--validate-requests",
        type=click.Choice(["error", "warn", "off"]),
        default="error",
        show_default=True,
        help="Whether invalid requests of a document are refused, answered with a warning header, or answered.",
    ),
    click.option("--errors", is_flag=True, help="Answer 500 where a document's own answer breaks its contract."),
    click.option("--dynamic", "-d", is_flag=True, help="Generate a document's answers even where it has examples."),
    click.option(
        "--cors/--no-cors", default=True, show_default=True, help="Let browsers of any origin use a document."
    ),
    CLOCK_OPTION,
    SEED_OPTION,
    click.option(
        "--scenario",
        "scenarios",
        multiple=True,
        metavar="NAME|FILE",
        help="Activate a scenario in every new sandbox; repeatable.",
    ),
    click.option(
        "--max-sandboxes",
        type=click.IntRange(1),
        default=1000,
        show_default=True,
        help="Maximum number of sandboxes; the one idle longest is dropped first.",
    ),
)


def sandbox_options(command: Decorated) -> Decorated:
    """Add the options of how sandboxes behave, and which scenarios are active in each, to a command that serves."""
    return with_options(command, SANDBOX_OPTIONS)


CONTROL_TOKEN_OPTION: Final = click.option(
    "--control-token",
    default="",
    metavar="TOKEN",
    envvar="BULKPROOF_CONTROL_TOKEN",
    show_envvar=True,
    help="Control token of the server, where that is a sandbox with one.",
)
SERVER_OPTIONS: Final = (
    click.option("--url", default="http://127.0.0.1:8080", show_default=True, help="URL of the server."),
    CONTROL_TOKEN_OPTION,
)


def server_options(command: Decorated) -> Decorated:
    """Add the options of the server that a command speaks to: url, control_token."""
    return with_options(command, SERVER_OPTIONS)


def load_apis(names: Sequence[str], reading: "LoadOptions", *, limit: int = 0) -> "list[Api]":
    """Load the APIs of these names, and tell the mended mistakes of each: see `tell_repairs`."""
    from mockserver.apis.sources import find_sources

    loaded = [source.load() for source in find_sources(names, reading)]
    for name, one in zip(names, loaded, strict=True):
        tell_repairs(one.contract.repairs, name, limit=limit)
    return loaded


def tell_repairs(repairs: "Sequence[Fault]", source: str, *, limit: int = 0) -> None:
    """Print at most `limit` of a document's mended mistakes on stderr, one a line, and how many more there are."""
    for fault in repairs[:limit]:
        click.echo(fault, err=True)
    more = len(repairs) - limit
    if more > 0:
        cure = f"bulkproof lint {quote(source)}"
        count = f"and {more} more" if limit else f"{source}: {more} mistake{'s' if more > 1 else ''} mended"
        click.echo(f"{count}: {cure}", err=True)


class RenamedOption(click.Option):
    """An option with a former name, `was`, such as `--salt`: both set the same parameter.

    `--help` shows only the new name.
    """

    def __init__(self, param_decls: Sequence[str], *, was: str, **attrs: Any) -> None:
        super().__init__([*param_decls, was], **attrs)
        self.was = was

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the option's row of `--help`, without the former name."""
        return click.Option.get_help_record(self._shown(), ctx)

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """Return the option's name as error messages have it, without the former one."""
        return click.Option.get_error_hint(self._shown(), ctx)

    def _shown(self) -> "RenamedOption":
        shown = copy(self)
        shown.opts = [one for one in self.opts if one != self.was]
        return shown


class Command(click.Command):
    """A command that prints a deprecation line for each former name of an option that the command line has."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments. A value that equals a former name, such as `--header --salt`, is reported too."""
        words = args[: args.index("--")] if "--" in args else args
        given = {word.partition("=")[0] for word in words}
        for one in self.params:
            if isinstance(one, RenamedOption) and one.was in given:
                click.echo(f"{one.was} is now {one.opts[0]}; the old name will go in 1.0", err=True)
        return super().parse_args(ctx, args)
