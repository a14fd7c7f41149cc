"""`bulkproof fuzz`: fuzz an implementation with sequences of bulk requests, for a given time."""

import gc
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

import click

from mockserver.cli.self_test import require_no_self_test, run_self_tests, self_test
from mockserver.cli.shared.options import Duration, reading_of, reading_options
from mockserver.cli.shared.outputs import ReportingCommand, RunSoFar, baseline_of, report_options, reporting, tell
from mockserver.cli.shared.target import ASSUMPTIONS, api_of, assumptions_of, place_of, require_server, target

if TYPE_CHECKING:
    from contracts.openapi.model import Contract
    from generators.fuzz.executors import Executor
    from generators.fuzz.progress import CampaignState
    from generators.fuzz.shards import CampaignConfig
    from generators.reports.model import Report
    from mockserver.api.model import Api

EXIT_FINDINGS: Final = 1
MIN_SECONDS_OF_TWO: Final = 15.0  # shortest campaign that plays its lanes in two processes: one takes 1 s to start
COLLECTED_OBJECTS: Final = 10_000  # new objects between two runs of the garbage collector
FILE: Final = click.Path(dir_okay=False, path_type=Path)
FOLDER: Final = click.Path(file_okay=False, path_type=Path)


@click.command(cls=ReportingCommand)
@click.argument("api", metavar="API|FILE", required=False)
@reading_options
@partial(target, needs_url=False)
@click.option(
    "--max-time", type=Duration(), default="10m", show_default=True, help="Time limit, such as 90s, 10m or 8h."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of all generated data.")
@click.option(
    "--workers",
    type=click.IntRange(0),
    help="Number of worker processes on this machine, 0 for none beside this one. Default: one less than its cores, "
    "with Dask where that is two or more; else two processes where there are two cores.",
)
@click.option("--cluster", default="", metavar="ADDRESS", help="Run on the workers of this Dask scheduler.")
@click.option(
    "--corpus",
    type=FOLDER,
    default=Path(".bulkproof"),
    show_default=True,
    help="Directory of findings; stored ones are replayed first.",
)
@click.option("--no-schemathesis", is_flag=True, help="Do not run schemathesis.")
@click.option("--no-model", is_flag=True, help="Check against the contract only, not against the sandbox's behaviour.")
@ASSUMPTIONS
@click.option("--baseline", type=FILE, help="File of known findings: they are reported, but do not fail the run.")
@click.option("--baseline-update", is_flag=True, help="Write the findings to the baseline file.")
@click.option("--stop-at-first", is_flag=True, help="Stop after the first confirmed finding.")
@report_options
@self_test
@click.pass_context
def fuzz(context: click.Context, /, *, api: str | None, url: str | None, mount: str | None, **given: Any) -> int:
    """Fuzz an implementation with sequences of bulk requests.

    Responses are checked against the contract, the laws of bulk operations, the stored state and a reference model;
    schemathesis runs alongside. Each finding is minimised, replayed three times and stored with its reproducers. Exit
    code: 0 no findings, or only warnings and flaky ones that were never reproduced; 1 findings; 2 it could not run.

    bulkproof fuzz genero --url http://127.0.0.1:8080 --max-time 10m

    bulkproof fuzz openapi.yaml --url https://staging.example.com --auth "$TOKEN" --corpus findings

    With --self-test no --url is needed: sandboxes are started with one planted bug each and fuzzed, without
    schemathesis, for --max-time (default 60s) per bug. Prints which bugs were found, by what and after how long. Exit
    code: 0 every bug was found and the sandbox without bugs gave no false alarm, 1 otherwise.

    bulkproof fuzz genero --self-test
    """
    if given["self_test"]:
        return run_self_tests(context, api, given)
    require_no_self_test(context)
    from contracts.drafts.bulk_drafts import undeclared_note
    from contracts.errors import MisuseError
    from generators.client.http import NoAnswerError
    from mockserver.apis.sources import PYTHON_PLACE

    with reporting(api or "fuzz", given) as so_far:
        if api is None or url is None:
            raise click.UsageError(f"Missing {'argument API or FILE' if api is None else 'option --url'}.", context)
        served = api_of(api, mount, place_of(url, given), reading_of(given))
        require_server(url, given["timeout"])
        click.echo(undeclared_note(served.contract, api), err=True, nl=False)
        try:
            state = _campaign(served, url, given, so_far, may_travel=PYTHON_PLACE.fullmatch(api) is None)
        except NoAnswerError as error:
            cure = "Findings are stored in the corpus; run the same command again to continue."
            raise MisuseError(f"the server stopped responding: {error}.", cure=cure) from None
    return EXIT_FINDINGS if state.broken else 0


def _campaign(api: "Api", url: str, given: Mapping[str, Any], so_far: RunSoFar, *, may_travel: bool) -> "CampaignState":
    from contracts.errors import MisuseError
    from generators.client.environments import is_sandbox
    from generators.fuzz.coordinator import Campaign
    from generators.fuzz.progress import CampaignState, progress_listener
    from generators.triage.corpus import Corpus, broad_baseline_note, write_baseline

    known = baseline_of(given)
    job = job_of(api, url, given)
    progress = progress_listener(is_terminal=sys.stderr.isatty(), say=lambda text: click.echo(text, err=True))
    corpus = Corpus(folder=given["corpus"])
    on_sandbox = is_sandbox(api.contract, job.place)
    state = CampaignState(
        today=datetime.now(UTC).date().isoformat(),
        first_seen={one.fingerprint: one.first_seen for one in corpus.findings(lambda _: None)},
        known=known,
        assumptions=assumptions_of(given, is_sandbox=on_sandbox),
    )
    so_far.report = lambda: _report(api.contract, url, state, given)
    campaign = Campaign(
        job=job,
        executor=_executor(job, given, may_travel=may_travel),
        listener=progress,
        seconds=given["max_time"],
        corpus=corpus,
        schemas=not given["no_schemathesis"],
        state=state,
    )
    gc.freeze()  # what was loaded is no garbage
    gc.set_threshold(COLLECTED_OBJECTS)
    try:
        campaign.run()
    finally:
        progress.ended()
    if not (state.calls or state.findings or state.replays or campaign.interrupted):
        raise MisuseError("the campaign ended before it sent a request.", cure="Give it more --max-time.")
    findings = list(map(_finding, state.findings.values()))
    if given["baseline_update"]:
        write_baseline(given["baseline"], findings)
        state.known = frozenset(one.fingerprint for one in findings)
    tell(_report(api.contract, url, state, given), given, brief=True)
    click.echo(broad_baseline_note(state.known, findings), err=True, nl=False)
    return state


def _finding(kept: Any) -> Any:
    from generators.oracles.findings import Finding

    return Finding(law=kept.law, operation=kept.operation, shape=kept.shape, says=kept.says)


def job_of(api: "Api", url: str, given: Mapping[str, Any]) -> "CampaignConfig":
    """Return the configuration that all shards of a campaign share."""
    from generators.fuzz.shards import CampaignConfig
    from mockserver.apis.reference_model import SandboxModel
    from mockserver.control.server import bundled
    from mockserver.engine.default_hooks import DEFAULT_HOOKS

    return CampaignConfig(
        contract=api.contract,
        place=place_of(url, given),
        document=bundled(api.contract),
        given=given["given"],
        model_factory=None if given["no_model"] else partial(SandboxModel, api),
        made_of_document=api.hooks is DEFAULT_HOOKS and not api.behaviours,
        seed=given["seed"],
        stops_at_first=given["stop_at_first"],
        label=f"fuzz-{token_hex(3)}",  # two campaigns on one server keep out of each other's sandboxes
    )


def _executor(job: "CampaignConfig", given: Mapping[str, Any], *, may_travel: bool) -> "Executor":
    from contracts.errors import MisuseError
    from generators.fuzz.executors import LocalExecutor

    if given["workers"] and given["cluster"]:
        raise MisuseError("--workers and --cluster exclude each other.", cure="Give one of them.")
    workers = _default_workers() if given["workers"] is None and not given["cluster"] else given["workers"]
    if not workers and not given["cluster"]:
        pays = _core_count() > 1 and given["max_time"] >= MIN_SECONDS_OF_TWO and not job.place.rate
        return LocalExecutor(job, two_processes=pays and may_travel and given["workers"] is None)
    from generators.fuzz.executors import DaskExecutor

    return DaskExecutor(job, workers=workers or 0, address=given["cluster"])


def _default_workers() -> int:
    """Return the number of worker processes that pay on this machine: 0 below two, or without Dask."""
    free = _core_count() - 1
    return free if free > 1 and find_spec("distributed") is not None else 0


def _core_count() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _report(contract: "Contract", url: str, state: "CampaignState", given: Mapping[str, Any]) -> "Report":
    from generators.reports.from_runs import campaign_report
    from mockserver import VERSION

    names = tuple(place_of(url, given).headers)
    return campaign_report(state, contract, version=VERSION, url=url, seed=given["seed"], given=names)
