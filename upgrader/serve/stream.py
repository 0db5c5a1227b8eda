"""Server-sent events: the parts of a page that changed, at most once in a while, to any number of viewers."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping

from starlette.concurrency import run_in_threadpool

from upgrader.errors import UpgradeError
from upgrader.serve.markup import html

EVERY = 1.0
"""Seconds between two looks: what happens meanwhile is told at once."""
SLICE = 0.2
"""Seconds after which a stream notices that the server ends."""
ALIVE = 15.0
"""Seconds without news after which a line is sent all the same: a proxy would close the connection, and a lost one be missed."""
MOST = 64
"""Streams at one time."""
TROUBLE = "trouble"

Parts = Mapping[str, str]


class Streams:
    """What is sent to those who look. A page that several look at is made once for all of them."""

    def __init__(self, clock: Callable[[], str], stopping: Callable[[], bool]) -> None:
        self.open = 0
        self._clock, self._stopping = clock, stopping
        self._made: dict[str, tuple[float, Parts]] = {}
        self._making: dict[str, asyncio.Lock] = {}

    @property
    def full(self) -> bool:
        """Whether nobody more can look."""
        return self.open >= MOST

    async def of(self, address: str, make: Callable[[], Parts]) -> AsyncIterator[str]:
        """Everything first, then each part that is another one than before, until the viewer or the server goes."""
        self.open += 1
        sent: dict[str, str] = {}
        spoke = time.monotonic()
        try:
            yield "retry: 2000\n\n"
            while not self._stopping():
                parts = await self._parts(address, make)
                changed = {name: part for name, part in parts.items() if sent.get(name) != part}
                if changed:
                    yield f"data: {json.dumps({'now': self._clock(), 'parts': changed})}\n\n"
                    sent.update(changed)
                elif time.monotonic() - spoke > ALIVE:
                    yield ": nothing new\n\n"
                else:
                    await self._pause()
                    continue
                spoke = time.monotonic()
                await self._pause()
        finally:
            self.open -= 1

    async def _parts(self, address: str, make: Callable[[], Parts]) -> Parts:
        """The page of this moment. One that cannot be made says why, and is tried again."""
        async with self._making.setdefault(address, asyncio.Lock()):
            at, parts = self._made.get(address, (0.0, {}))
            if time.monotonic() - at >= EVERY * 0.9 or not parts:
                try:
                    parts = {TROUBLE: "", **await run_in_threadpool(make)}
                except UpgradeError as error:
                    parts = {TROUBLE: html('<p class="trouble">{}</p>', error)}
                self._made = {**self._kept(), address: (time.monotonic(), parts)}
        return parts

    def _kept(self) -> dict[str, tuple[float, Parts]]:
        """Without pages that nobody looked at for a while."""
        now = time.monotonic()
        kept = {address: made for address, made in self._made.items() if now - made[0] < 2 * ALIVE}
        self._making = {address: lock for address, lock in self._making.items() if address in kept or lock.locked()}
        return kept

    async def _pause(self) -> None:
        until = time.monotonic() + EVERY
        while time.monotonic() < until and not self._stopping():
            await asyncio.sleep(SLICE)
