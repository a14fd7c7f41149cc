"""`bulkproof replay`: replay a stored finding."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mockserver.cli.shared.options import Command, reading_of, reading_options
from mockserver.cli.shared.target import api_of, place_of, target

if TYPE_CHECKING:
    from generators.triage.stored_finding import StoredFinding
    from mockserver.api.model import Api

EXIT_REPRODUCED: Final = 1


@click.command(cls=Command)
@click.argument("finding", type=click.Path(path_type=Path))
@target
@reading_options
@click.option("--api", metavar="API|FILE", help="The contract; default: the bundled one that the finding names.")
@click.option("--no-model", is_flag=True, help="Check against the contract only, not against the sandbox's behaviour.")
def replay(*, finding: Path, url: str, mount: str | None, api: str | None, **given: Any) -> int:
    """Replay a stored finding, in a new sandbox or with new names.

    Exit code: 1 reproduced, 0 not reproduced, 2 the replay could not run.

    bulkproof replay .bulkproof/findings/atomic-batchCreate-1f2e3d4c --url http://127.0.0.1:8080 --api openapi.yaml
    """
    from generators.triage.corpus import read_finding

    kept = read_finding(finding)
    served = api_of(api or _named(kept), mount, place_of(url, given), reading_of(given))
    shown = _shows(kept, served, url, given)
    says = "reproduced" if shown else "not reproduced"
    click.echo(f"{says}: {kept.law} on {kept.operation}: {kept.says}")
    return EXIT_REPRODUCED if shown else 0


def _named(kept: "StoredFinding") -> str:
    """Return the name of the API that a finding is of. Raises MisuseError: it is that of a file."""
    from contracts.errors import MisuseError
    from mockserver.apis.sources import find_sources

    try:
        find_sources((kept.contract,))
    except MisuseError:
        fact = f"the finding is of '{kept.contract}', which was read from a file."
        raise MisuseError(fact, cure="Name it with --api FILE, and with --overlay what it was read with.") from None
    return kept.contract


def _shows(kept: "StoredFinding", api: "Api", url: str, given: dict[str, Any]) -> bool:
    from generators.client.environments import open_target
    from generators.fuzz.shards import oracle_factory_for
    from generators.triage.confirm import Triager
    from mockserver.cli.fuzz import job_of

    job = job_of(api, url, {**given, "seed": 0, "stop_at_first": False})
    opened = open_target(api.contract, job.place, "replay")
    try:
        return Triager(oracle_factory=oracle_factory_for(job, kept), target=opened, is_over=lambda: False).shows(kept)
    finally:
        opened.close()
