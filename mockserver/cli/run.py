"""`bulkproof run`: start a sandbox, run any test command against it, print the verdict on the clients, and end both."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from mockserver.cli.shared.options import (
    MAX_REPAIRS,
    load_apis,
    reading_of,
    reading_options,
    sandbox_options,
)
from mockserver.cli.shared.outputs import ReportingCommand, report_options
from mockserver.cli.verdict import REQUIRED_LAWS, as_table, judged, tell_unexercised

if TYPE_CHECKING:
    from mockserver.api.model import Api
    from mockserver.http.lifecycle import Running
    from mockserver.http.service import Options
    from mockserver.journal.journal import Journal, JournalEntry

EXIT_FAILED: Final = 1
COMMAND: Final = "bulkproof.command"  # in the context: what stands after `--`


class RunCommand(ReportingCommand):
    """A command whose arguments after `--` are another command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse what stands before `--`, and keep what stands after it. Raises UsageError: there is none."""
        before, after = (args[: args.index("--")], args[args.index("--") + 1 :]) if "--" in args else (args, [])
        ctx.meta[COMMAND] = after
        rest = super().parse_args(ctx, before)
        if not after and not ctx.resilient_parsing:
            raise click.UsageError("Write the command to run after --, such as: bulkproof run -- npm test", ctx)
        return rest


@click.command(cls=RunCommand, options_metavar="[OPTIONS]")
@click.argument("apis", nargs=-1, metavar="[API|FILE]... -- COMMAND...")
@reading_options
@sandbox_options
@click.option(
    "--url-variable",
    "url_variables",
    multiple=True,
    metavar="NAME[=API]",
    help="Environment variable that the command reads the base URL of an API from; repeatable.",
)
@REQUIRED_LAWS
@report_options
@click.pass_context
def run(
    ctx: click.Context,
    /,
    apis: tuple[str, ...],
    *,
    scenarios: tuple[str, ...],
    url_variables: tuple[str, ...],
    required: tuple[str, ...],
    **given: Any,
) -> int:
    """Run a test command against a sandbox of its own, and check the clients that it tests.

    The sandbox listens on a free port. The command finds its URL in BULKPROOF_URL, and that of each API in
    BULKPROOF_GENERO_URL, BULKPROOF_ONKEY_URL and so on, and in the variables that --url-variable names. It has the
    terminal to itself; signals are passed on to it, and what it leaves running is ended. The verdict is printed on
    stderr.

    Exit code: that of the command unless it is 0, 128 and the number of the signal that ended it; else 1 when a law of
    client conduct failed or what --require asks for was not exercised, 0 otherwise. 2 also means that the command or
    the sandbox could not be started.

    bulkproof run onkey --scenario rate-limit -- npm test
    """
    from dataclasses import replace

    from mockserver.cli.serve import choose_scenarios, options_of
    from mockserver.http.lifecycle import in_thread

    loaded = _loaded(apis, given)
    variables = _variables(url_variables, loaded)
    options: Options = options_of(given, choose_scenarios(scenarios, loaded), "127.0.0.1", None)
    journals = UsedJournals()
    _require_laws(required, loaded)
    with in_thread(loaded, replace(options, on_exchange=journals.tell)) as running:
        journals.running = running
        click.echo(f"BULKPROOF_URL={running.url}", err=True)
        code = _run(ctx.meta[COMMAND], running, variables)
        failed = _tell_verdict(journals, required, given)
    return code or (EXIT_FAILED if failed else 0)


def _loaded(names: tuple[str, ...], given: Mapping[str, Any]) -> "list[Api]":
    from mockserver.apis.sources import BUNDLED

    return load_apis(names or tuple(BUNDLED), reading_of(given), limit=MAX_REPAIRS)


def _variables(words: Iterable[str], apis: "Iterable[Api]") -> dict[str, str]:
    """Return the API of each named variable. Raises MisuseError: it is not served, or not said which is meant."""
    from contracts.errors import MisuseError
    from contracts.syntax.text import names_hint

    names = [api.name for api in apis]
    found: dict[str, str] = {}
    for word in words:
        variable, _, api = word.partition("=")
        if not api and len(names) > 1:
            raise MisuseError(f"--url-variable {word}: {len(names)} APIs are served.", cure=f"Write {word}={names[0]}.")
        if api and api not in names:
            raise MisuseError(
                f"--url-variable {word}: no API '{api}' is served.", cure=names_hint(api, names, "Served")
            )
        found[variable] = api or names[0]
    return found


def _require_laws(required: Iterable[str], apis: "Iterable[Api]") -> None:
    """Raise MisuseError before anything is run when a required law does not exist."""
    from mockserver.verdicts.verdict import as_json, judge

    judged(as_json(judge("default", apis, ())), required)


def _run(command: list[str], running: "Running", variables: Mapping[str, str]) -> int:
    """Run the command with the variables of the URLs; return its exit code, 128 and the signal that ended it."""
    import os

    from mockserver.mutation_testing.user_tests import variables as urls_of

    mounts = {name: running.url + api.mount for name, api in running.service.apis.items()}
    own = {variable: mounts[api] for variable, api in variables.items()}
    code = _supervised(command, {**os.environ, **urls_of(running), **own})
    return code if code >= 0 else 128 - code


def _supervised(command: list[str], environment: Mapping[str, str]) -> int:
    """Run a command in a session of its own, which is ended after it; pass signals on to all that is in it."""
    import os
    import signal
    import subprocess

    from contracts.errors import MisuseError
    from mockserver.mutation_testing.user_tests import end_session

    early: list[int] = []
    process: subprocess.Popen[bytes] | None = None

    def pass_on(number: int, frame: object) -> None:
        del frame
        if process is None:
            early.append(number)
        else:
            _send(process, number)

    def suspend(number: int, frame: object) -> None:
        del number, frame
        if process is not None:
            _send(process, signal.SIGSTOP)  # a session without a terminal does not hear SIGTSTP
            os.kill(os.getpid(), signal.SIGSTOP)
            _send(process, signal.SIGCONT)

    former = {number: signal.signal(number, pass_on) for number in _passed_signals()}
    if sys.platform != "win32":
        former[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, suspend)
    try:
        process = subprocess.Popen(command, env=environment, start_new_session=True)  # noqa: S603 - the user's own
        for number in early:
            _send(process, number)
        return process.wait()
    except OSError as error:
        raise MisuseError(f"cannot run '{command[0]}': {error.strerror}.", cure="Check the command.") from None
    finally:
        if process is not None:
            end_session(process)
        for number, handler in former.items():
            signal.signal(number, handler)


def _passed_signals() -> "Iterator[int]":
    import signal

    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH")
    return (getattr(signal, name) for name in names if hasattr(signal, name))


def _send(process: "Any", number: int) -> None:
    import os
    from contextlib import suppress

    with suppress(OSError):  # it has ended meanwhile
        if sys.platform == "win32":
            process.send_signal(number)
        else:
            os.killpg(process.pid, number)


class UsedJournals:
    """The journals of the sandboxes that were used, also of those that were dropped or reset meanwhile.

    `tell` is called with each recorded exchange.
    """

    def __init__(self) -> None:
        self.running: Running | None = None
        self._found: dict[int, tuple[str, Journal]] = {}
        self._last: Journal | None = None

    def tell(self, entry: "JournalEntry") -> None:
        """Keep the journal that an exchange was recorded in: most often that of the exchange before."""
        if self._last is not None and self._last.get(entry.n) is entry:
            return
        found = None if self.running is None else self.running.service.sandboxes.that_recorded(entry)
        if found is not None:
            self._last = found.journal
            self._found[id(found.journal)] = (found.name, found.journal)

    def verdict(self) -> dict[str, Any]:
        """Return the verdict on all of them, in the form of the control API."""
        from mockserver.verdicts.verdict import as_json, judge

        assert self.running is not None  # noqa: S101 - there is a server before there is a verdict
        apis = tuple(self.running.service.apis.values())
        journals = [*self._found.values()]
        bodies = [as_json(judge(name, apis, journal.after(0, len(journal)))) for name, journal in journals]
        if len(bodies) < 2:  # noqa: PLR2004 - nothing to join
            return bodies[0] if bodies else as_json(judge("default", apis, ()))
        return _joined(bodies)


def _joined(bodies: "list[dict[str, Any]]") -> dict[str, Any]:
    """Return one verdict on several sandboxes: of each what was exercised, and once what was exercised in none.

    In the place of the sandbox's name it has their number.
    """
    laws = [
        {**law, "api": f"{body['sandbox']}/{law['api']}"}
        for body in bodies
        for law in body["laws"]
        if law["status"] != "not-run"
    ]
    seen = {law["id"] for law in laws}
    laws += [law for law in bodies[0]["laws"] if law["id"] not in seen]
    exchanges = sum(body["exchanges"] for body in bodies)
    return {"sandbox": len(bodies), "exchanges": exchanges, "laws": laws}


def _tell_verdict(journals: UsedJournals, required: Iterable[str], given: Mapping[str, Any]) -> bool:
    """Print the verdict on stderr, and write it to the files that are asked for; return whether a law failed."""
    from dataclasses import replace

    from generators.reports.console import write_files
    from mockserver.verdicts.verdict import report_of

    body = judged(journals.verdict(), required)
    many = isinstance(body["sandbox"], int)
    report = report_of(body)
    report = replace(report, title=f"Conduct of the clients of {body['sandbox']} sandboxes") if many else report
    write_files(report, given)
    if body["passed"] or body["failed"]:
        click.echo(as_table(report, colour=sys.stderr.isatty(), brief=many), nl=False, err=True)
    tell_unexercised(body)
    return bool(body["failed"])
