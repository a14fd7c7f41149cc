"""Preloaded by the workers that a campaign starts itself: Ctrl-C is for the campaign, which then ends them."""

import signal


def dask_setup(worker: object) -> None:
    """Let a worker process take no notice of Ctrl-C at its terminal."""
    del worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
