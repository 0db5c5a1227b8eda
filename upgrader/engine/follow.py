"""Asks a long step how far it is, without ever standing in its way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from upgrader.engine.events import Progress
from upgrader.errors import SaltUnreachable
from upgrader.plan.step import Call
from upgrader.transport.base import Transport

EVERY = 5.0


class ProgressFollower:
    """Submits the progress call now and then and keeps the last answer. Not journalled: it changes and decides nothing."""

    def __init__(self, transport: Transport, call: Call, clock: Callable[[], float]) -> None:
        self._transport, self._call, self._clock = transport, call, clock
        self._jid: str | None = None
        self._asked = clock()
        self._first: tuple[float, int] | None = None
        self._last: Progress | None = None

    def look(self) -> Progress | None:
        """What is known by now. A question that fails is asked again later; a step is not failed by its progress bar."""
        now = self._clock()
        if self._jid is not None:
            self._take_answer(now)
        if now - self._asked >= EVERY:
            self._asked, self._jid = now, self._transport.new_job_id()
            try:
                self._transport.submit(self._call, self._jid)
            except SaltUnreachable:
                self._jid = None
        return self._last

    def _take_answer(self, now: float) -> None:
        assert self._jid is not None
        for reply in self._transport.answers(self._call, self._jid).values():
            self._jid = None
            if reply.ok and isinstance(reply.value, Mapping):
                self._take(now, reply.value)
            return

    def _take(self, now: float, value: Mapping[str, Any]) -> None:
        done, total = value.get("done"), value.get("total")
        if isinstance(done, int):
            self._last = self._paced(now, str(value.get("what", "")), done, total if isinstance(total, int) else None)

    def _paced(self, now: float, what: str, done: int, total: int | None) -> Progress:
        """Seconds left by the pace since the first answer, once there is a pace."""
        if self._first is None or done < self._first[1]:
            self._first = (now, done)
        since, begun = self._first
        if total is None or done <= begun or now <= since:
            return Progress(what, done, total)
        return Progress(what, done, total, max(0, total - done) * (now - since) / (done - begun))
