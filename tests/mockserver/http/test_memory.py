"""A server that is used gives memory back, one that is not used does nothing."""

import asyncio
from contextlib import suppress
from types import SimpleNamespace

from mockserver.http import lifecycle
from mockserver.http.lifecycle import return_memory, trim_heap


def test_memory_is_returned_after_requests_and_not_without(monkeypatch):
    """Once for each interval in which a request was answered."""
    trims, server = [], SimpleNamespace(requests_count=0)
    monkeypatch.setattr(lifecycle, "trim_heap", lambda: trims.append(server.requests_count))

    async def sleep(seconds):
        assert seconds == 7
        if not counts:
            raise asyncio.CancelledError
        server.requests_count = counts.pop(0)

    counts = [0, 3, 3, 5, 5]
    monkeypatch.setattr(lifecycle.asyncio, "sleep", sleep)
    with suppress(asyncio.CancelledError):
        asyncio.run(return_memory(server, seconds=7))
    assert trims == [3, 5]


def test_trimming_works_on_every_platform():
    """Where the C library cannot, nothing happens."""
    assert trim_heap() in {True, False}
