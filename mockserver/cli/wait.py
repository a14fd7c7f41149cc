"""`bulkproof wait`: wait until a server that is being started is ready."""

import click

from mockserver.cli.shared.options import SERVER_OPTIONS, Command, Duration

SECONDS_BETWEEN = 0.05


@click.command(cls=Command)
@SERVER_OPTIONS[0]
@click.option(
    "--timeout", type=Duration(), default="30s", show_default=True, help="How long to wait, such as 90s or 5m."
)
def wait(*, url: str, timeout: float) -> None:
    """Wait until a server is ready, such as one that was started in the background.

    Exit code: 0 it is ready, 2 it is not after --timeout.

    bulkproof serve & bulkproof wait && pytest; kill %1
    """
    from time import monotonic, sleep

    from contracts.errors import MisuseError
    from mockserver.testing.transports import ask, server_at

    server, end = server_at(url, ""), monotonic() + timeout
    while True:
        try:
            ask(server, "GET", "/ready")
        except MisuseError:
            if monotonic() >= end:
                raise
            sleep(SECONDS_BETWEEN)
        else:
            return
