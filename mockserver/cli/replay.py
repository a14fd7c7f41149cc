"""`bulkproof replay`: whether a finding still shows."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mockserver.cli.target import target

if TYPE_CHECKING:
    from generators.campaign.kept import Kept

SHOWS: Final = 1


@click.command()
@click.argument("finding", type=click.Path(path_type=Path))
@target
@click.option("--api", metavar="API|FILE", help="The contract, by default the bundled one that the finding names.")
@click.option("--no-model", is_flag=True, help="Judge by the contract alone, not by what the sandbox would do.")
def replay(*, finding: Path, url: str, mount: str | None, api: str | None, **given: Any) -> int:
    """Do again what makes a finding show, in a fresh sandbox or under fresh names.

    The exit code is 1 when it still shows, 0 when it does not.

    bulkproof replay .bulkproof/findings/atomic-batchCreate-1f2e3d4c --url http://127.0.0.1:8080
    """
    from generators.campaign.corpus import read_finding  # noqa: PLC0415 - `--help` needs none of these
    from mockserver.cli.fuzz import contract_of  # noqa: PLC0415

    kept = read_finding(finding)
    contract = contract_of(api or kept.contract, mount)
    shown = _shows(kept, contract, api or kept.contract, url, given)
    says = "still shows" if shown else "does not show"
    click.echo(f"{kept.law} on {kept.operation} {says}: {kept.says}")
    return SHOWS if shown else 0


def _shows(kept: "Kept", contract: Any, api: str, url: str, given: dict[str, Any]) -> bool:
    from generators.campaign.investigating import Investigator  # noqa: PLC0415 - `--help` needs none of these
    from generators.campaign.leases import outfit_for  # noqa: PLC0415
    from generators.campaign.target import open_target  # noqa: PLC0415
    from mockserver.cli.fuzz import job_of  # noqa: PLC0415

    job = job_of(contract, api, url, {**given, "seed": 0})
    opened = open_target(contract, job.place, "replay")
    try:
        return Investigator(outfit=outfit_for(job, kept), target=opened, is_over=lambda: False).shows(kept)
    finally:
        opened.close()
