"""The command line, one module for each command. Misuse is reported in one sentence, with exit code 2.

Built on Click, https://click.palletsprojects.com/.
"""

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

import click

from mockserver import VERSION

COMMANDS: Final = (
    "check",
    "completion",
    "data",
    "diff",
    "explain",
    "fuzz",
    "init",
    "lint",
    "mutants",
    "replay",
    "report",
    "run",
    "schema",
    "serve",
    "snapshot",
    "verdict",
    "wait",
)
ALIASES: Final = {"mock": "serve"}
EXIT_MISUSE: Final = 2


class Program(click.Group):
    """The group of all commands, each imported when it is asked for; aliases are not listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own
        """Return the names of the commands."""
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name or alias; for another name import all, so that Click finds a near one."""
        name = ALIASES.get(cmd_name, cmd_name)
        for one in (name,) if name in COMMANDS else COMMANDS:
            if one not in self.commands:
                found: click.Command = getattr(import_module(f"{__name__}.{one}"), one)
                self.add_command(found)
        return super().get_command(ctx, name)

    def main(  # type: ignore[override] # click's two overloads in one
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        *,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the program and exit with its code: 0 no findings, 1 findings, 2 misuse."""
        given = {"args": args, "prog_name": prog_name, "complete_var": complete_var, **extra}
        if not standalone_mode:
            return super().main(**given, standalone_mode=False)
        from contracts.errors import BulkproofError

        ended: list[int] = []
        try:
            with _interrupted_by_sigterm(ended.append):
                sys.exit(super().main(**given, standalone_mode=False) or 0)
        except click.ClickException as error:
            click.echo(f"Error: {error.format_message()}", err=True)
            sys.exit(EXIT_MISUSE)
        except click.Abort:
            sys.exit(128 + (ended or [2])[0])  # as a shell tells it: 130 for Ctrl-C, 143 for SIGTERM
        except BulkproofError as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(EXIT_MISUSE)


@contextmanager
def _interrupted_by_sigterm(tell: Callable[[int], object]) -> Iterator[None]:
    """Handle SIGTERM like Ctrl-C in this block, so that nothing temporary is left behind; `tell` gets its number."""

    def interrupt(number: int, _: object) -> None:
        tell(number)
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # only the main thread hears of signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@click.group(cls=Program, no_args_is_help=False, invoke_without_command=True)
@click.version_option(VERSION, message="bulkproof %(version)s")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Contract tests and a stateful mock server for bulk and batch APIs."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
