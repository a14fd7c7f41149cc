"""A durable server whose process can be killed and begun again at once: `python killed_server.py FILE SYNC`.

Contracts are loaded once; each line on standard input forks a server, and its port and process number are written.
"""

import asyncio
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from mockserver.apis.sources import find_sources
from mockserver.http import durable_log, recovery
from mockserver.http.lifecycle import start
from mockserver.http.service import Options

BOOKS = Path(__file__).parents[1] / "cases" / "contract_only" / "books.yaml"


async def serve(apis, path, sync):
    """Serve until the process is killed."""
    options = Options(mode="frozen")
    service = recovery.open_service(apis, options, path, datetime.now(UTC), sync=sync)
    running = await start(service)
    sys.stdout.write(f"{running.port} {os.getpid()}\n")
    sys.stdout.flush()
    await recovery.keep_checkpoints(service, sys.exit)  # there is room, and all can be stored


def main(path, sync):
    """Fork a server for each line, until the input ends."""
    durable_log.MIN_SPENT_SECONDS = 0.05  # so that many kills meet a checkpoint
    recovery.CHECKPOINT_INTERVAL_SECONDS = 0.02
    apis = [source.load() for source in find_sources([str(BOOKS), "genero"])]
    child = 0
    while sys.stdin.readline():
        if child:
            os.waitpid(child, 0)  # it has been killed
        child = os.fork()
        if child == 0:
            asyncio.run(serve(apis, Path(path), sync))


if __name__ == "__main__":
    main(*sys.argv[1:])
