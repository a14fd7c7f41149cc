"""Whose turn it is while a call runs in slices (`Turns`): calls of one sandbox never mix."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from mockserver.sandbox.sandboxes import Sandbox

ALL: Final = 0  # stands for all sandboxes: no object has this id


class Turns:
    """Calls of each sandbox, one after the other in the order of their arrival, while one of them runs in slices."""

    def __init__(self) -> None:
        self._locks: dict[int, asyncio.Lock] = {}
        self._callers: Counter[int] = Counter()

    @property
    def are_free(self) -> bool:
        """Tell whether no call runs in slices."""
        return not self._locks

    def is_free(self, sandbox: Sandbox) -> bool:
        """Tell whether a call of this sandbox may be served at once."""
        return id(sandbox) not in self._locks

    @asynccontextmanager
    async def of(self, sandbox: Sandbox) -> AsyncIterator[None]:
        """Wait for the turn of a call of this sandbox, after calls of all sandboxes that came before it."""
        if ALL in self._locks:
            async with self._turn(ALL):
                pass
        async with self._turn(id(sandbox)):
            yield

    @asynccontextmanager
    async def of_all(self) -> AsyncIterator[None]:
        """Wait for the turn of a call that concerns any sandbox."""
        async with AsyncExitStack() as held:
            await held.enter_async_context(self._turn(ALL))
            for key in tuple(self._locks):
                if key != ALL:
                    await held.enter_async_context(self._turn(key))
            yield

    @asynccontextmanager
    async def _turn(self, key: int) -> AsyncIterator[None]:
        lock = self._locks.setdefault(key, asyncio.Lock())
        self._callers[key] += 1
        try:
            async with lock:
                yield
        finally:
            self._callers[key] -= 1
            if not self._callers[key]:
                del self._locks[key], self._callers[key]
