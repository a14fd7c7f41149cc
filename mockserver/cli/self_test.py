"""`bulkproof fuzz --self-test`: run the fuzzer on sandboxes with one planted bug each."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mockserver.cli.shared.options import Decorated, Duration, RenamedOption, with_options
from mockserver.cli.shared.target import OUTPUT

if TYPE_CHECKING:
    from contracts.openapi.model import Contract
    from mockserver.mutation_testing.fuzzer import SelfTestResult
    from mockserver.mutation_testing.run import SelfTestPlan

EXIT_NOT_DETECTED: Final = 1
DEFAULT_SECONDS_PER_BUG: Final = 60.0  # seconds a bug
OPTIONS: Final = (
    click.option(
        "--self-test", is_flag=True, help="Measure the detection rate on sandboxes with one planted bug each."
    ),
    click.option(
        "--only",
        multiple=True,
        metavar="BUG",
        help="Self-test: only bugs whose name matches; * is a wildcard; repeatable.",
    ),
    click.option(
        "--healthy-time", type=Duration(), help="Self-test: time for the sandbox without bugs; default: --max-time."
    ),
    click.option(
        "--compare-schemathesis",
        "beside_schemathesis",
        cls=RenamedOption,
        was="--beside-schemathesis",
        is_flag=True,
        help="Self-test: run plain schemathesis for the same time and compare the results.",
    ),
    click.option(
        "--json", "json_file", type=OUTPUT, metavar="FILE", help="Self-test: write the results to a JSON file."
    ),
    click.option("--markdown", type=OUTPUT, metavar="FILE", help="Self-test: write the results to a Markdown file."),
)
SELF_TEST_OPTIONS: Final = ("only", "healthy_time", "beside_schemathesis", "json_file", "markdown")
ALLOWED_OPTIONS: Final = (*SELF_TEST_OPTIONS, "self_test", "api", "max_time", "seed", "no_model", "no_schemathesis")


def self_test(command: Decorated) -> Decorated:
    """Add the options of the self-test to a command."""
    return with_options(command, OPTIONS)


def require_no_self_test(context: click.Context) -> None:
    """Raise MisuseError when an option of the self-test was given without it."""
    from contracts.errors import MisuseError

    for option in _given(context, set(SELF_TEST_OPTIONS)):
        raise MisuseError(f"{option} is an option of the self-test.", cure="Add --self-test.")


def run_self_tests(context: click.Context, api: str | None, given: Mapping[str, Any]) -> int:
    """Run the self-test for an API, or for all bundled ones; return the exit code. Raises MisuseError."""
    from contracts.errors import MisuseError
    from mockserver.mutation_testing.run import empty_result

    for option in _given(context, {str(one.name) for one in context.command.params} - set(ALLOWED_OPTIONS)):
        raise MisuseError(
            f"--self-test and {option} exclude each other.", cure="The self-test starts its own servers: leave it out."
        )
    plans = _plans(context, api, given)
    ratings = [empty_result(plan) for plan in plans]
    try:
        for plan, rating in zip(plans, ratings, strict=True):
            _run(plan, rating)
    except KeyboardInterrupt:
        click.echo("Interrupted. Results so far:")
    finally:
        _report(ratings, given)
    return 0 if all(rating.is_perfect for rating in ratings) else EXIT_NOT_DETECTED


def _given(context: click.Context, names: set[str]) -> Iterator[str]:
    """Yield the options that the command line has."""
    for one in context.command.params:
        source = context.get_parameter_source(str(one.name))
        if one.name in names and source is click.core.ParameterSource.COMMANDLINE:
            yield one.opts[0]


def _plans(context: click.Context, api: str | None, given: Mapping[str, Any]) -> "list[SelfTestPlan]":
    """Return the plans of the self-test; an API that allows none of the selected bugs is left out."""
    from mockserver.apis.sources import BUNDLED, find_sources
    from mockserver.mutation_testing.run import SelfTestPlan, empty_result

    names = (api,) if api is not None else tuple(BUNDLED)
    contracts = {name: source.load().contract for name, source in zip(names, find_sources(names), strict=True)}
    _require_known(given["only"], tuple(contracts.values()))
    budget = given["max_time"] if any(_given(context, {"max_time"})) else DEFAULT_SECONDS_PER_BUG
    plans = [
        SelfTestPlan(
            api=name,
            contract=contract,
            seconds=budget,
            healthy_seconds=given["healthy_time"] or budget,
            seed=given["seed"],
            only=given["only"],
            models=not given["no_model"],
            beside=given["beside_schemathesis"],
        )
        for name, contract in contracts.items()
    ]
    return [plan for plan in plans if empty_result(plan).planned or not plan.only]


def _require_known(only: Sequence[str], contracts: "Sequence[Contract]") -> None:
    from contracts.errors import MisuseError
    from contracts.syntax.text import names_hint
    from mockserver.mutation_testing.fuzzer import counted_bugs, uncounted_bugs
    from mockserver.mutation_testing.run import matches_any

    names = dict.fromkeys(bug.name for contract in contracts for bug in counted_bugs(contract))
    why = {bug.name: why for contract in contracts for why, bugs in uncounted_bugs(contract).items() for bug in bugs}
    for name in (one for one in only if not any(matches_any(known, (one,)) for known in names)):
        if name in why:
            raise MisuseError(f"bug '{name}' is not part of the self-test: {why[name]}.")
        cure = names_hint(name.replace("*", ""), names)
        raise MisuseError(f"there is no applicable bug named '{name}'.", cure=cure)


def _run(plan: "SelfTestPlan", rating: "SelfTestResult") -> None:
    from contracts.errors import MisuseError
    from generators.client.http import NoAnswerError
    from mockserver.mutation_testing.run import run_self_test

    try:
        run_self_test(plan, rating, _print_step)
    except NoAnswerError as error:
        raise MisuseError(f"the sandbox under test stopped responding: {error}.") from None


def _print_step(rating: "SelfTestResult") -> None:
    from mockserver.mutation_testing.fuzzer import healthy_lines, row_line

    for line in [row_line(rating.rows[-1])] if rating.rows else healthy_lines(rating):
        click.echo(line)


def _report(ratings: "Sequence[SelfTestResult]", given: Mapping[str, Any]) -> None:
    """Print the summary and write the files, of complete or interrupted results."""
    import orjson

    from mockserver import VERSION
    from mockserver.mutation_testing.fuzzer import as_json, markdown, summary

    tried = [rating for rating in ratings if rating.healthy is not None]
    for line in (line for rating in tried for line in summary(rating)):
        click.echo(line)
    if given["json_file"] is not None:
        _write(given["json_file"], orjson.dumps(as_json(tried, VERSION), option=orjson.OPT_INDENT_2))
    if given["markdown"] is not None:
        _write(given["markdown"], "\n".join(map(markdown, tried)).encode())


def _write(path: Path, text: bytes) -> None:
    from contracts.errors import MisuseError

    try:
        path.write_bytes(text)
    except OSError as error:
        raise MisuseError(f"cannot write {path}: {error.strerror}.", cure="Choose another file.") from None
