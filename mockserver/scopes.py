"""Data sets: each is stocked when it is first used."""

from mockserver.turn import Run


def stocked(run: Run) -> None:
    """Put into the run's data set what a fresh one holds, once."""
    if run.scope not in run.world.stocked:
        run.world.stocked.add(run.scope)
        run.api.hooks.stock(run, run.world.store)
