"""The program that asks the paths of a node: a small one of its own, which goes on when the minion's job, or the minion, ends.

It ends when its stop file appears, when its hours are over, or by SIGTERM; each of these leaves a line that says so. What kills it
leaves none: what it had counted is written every two seconds.
"""

import os
import secrets
import select
import threading
import time
import typing

from upgrader_node.paths import path
from upgrader_node.paths.watch import LOST, Watched
from upgrader_node.prober import detached, record
from upgrader_node.prober.program import HOURS_OVER, SIGNAL

PROGRAM = detached.Program(
    "path",
    "upgrader_node.paths.program",
    "Echoes on the paths of this node during run {} of upgrader",
    "upgrader_path.start",
)
GAP = "gap"
BEAT, TICK = 2.0, 0.5
# Gaps of one path that are written down one by one; more are counted.
TOLD = 1000
SLOTS = 10


def watch(order: typing.Mapping[str, typing.Any], files: record.Files, over: threading.Event) -> str:
    """Ask until it is over; why it was."""
    log, first = record.Log(files.seen), secrets.randbits(24) << 8
    watched = [Watched(one, first + number) for number, one in enumerate(path.parsed(order["paths"]))]
    asking = Asking(watched, order["interval_ms"] / 1000, log)
    log.add(record.BEGUN, record.now(), pid=os.getpid(), **order)
    log.flush()
    why = asking.until(files.stop, order["hours"] * 3600, over)
    asking.last_answers()
    log.add(record.ENDED, record.now(), why=why, counts=asking.counts())
    log.flush()
    return why


class Asking:
    """All paths at once, by one thread that waits for what comes first: an answer, or the time of the next echo."""

    def __init__(self, watched: typing.Sequence[Watched], interval: float, log: record.Log) -> None:
        self.watched, self.interval, self.log = watched, interval, log
        self.by_socket = {}  # type: typing.Dict[typing.Any, Watched]
        self.reach()
        began = time.monotonic()
        # Not all echoes leave in the same instant.
        self.due = [began + interval * (number % SLOTS) / SLOTS for number in range(len(watched))]

    def reach(self) -> None:
        """Have a socket of each path that can have one."""
        for one in self.watched:
            one.reach()
        self.by_socket = {one.echo.receiver: one for one in self.watched if one.echo}

    def until(self, stop: str, seconds: float, over: threading.Event) -> str:
        """Ask until a reason comes to end; which."""
        tick = beat = began = time.monotonic()
        while not over.is_set():
            now = time.monotonic()
            self._send(now)
            self._hear(min(self.due) - now)
            if now - tick >= TICK:
                tick = now
                if os.path.exists(stop):
                    return record.STOPPED
                if now - began > seconds:
                    return HOURS_OVER
                self.reach()
            if now - beat >= BEAT:
                beat = now
                self.log.add(record.BEATS, record.now(), counts=self.counts())
                self.log.flush()
        return SIGNAL

    def _send(self, now: float) -> None:
        for number, one in enumerate(self.watched):
            if self.due[number] <= now:
                one.send(now)
                self.due[number] = max(self.due[number] + self.interval, now)
                self._settle(one, record.now())

    def _hear(self, seconds: float) -> None:
        """Wait for answers, for so long at most."""
        for receiver in select.select(list(self.by_socket), [], [], max(0.0, seconds))[0]:
            one = self.by_socket[receiver]
            one.hear()
            self._settle(one, record.now())

    def _settle(self, one: Watched, now: record.Moment) -> None:
        for gap in one.settle(now.mono):
            if one.gaps <= TOLD:
                at = record.Moment(now.wall - now.mono + gap.since, gap.since)
                self.log.add(
                    GAP, at, path=one.path.name, lost=gap.lost, late=gap.late, seconds=round(gap.seconds(now.mono), 3)
                )

    def last_answers(self) -> None:
        """What was sent last may still be answered; what is not answered now is lost."""
        deadline = time.monotonic() + LOST + 0.1
        while time.monotonic() < deadline and any(one.open for one in self.watched):
            self._hear(0.05)
            for one in self.watched:
                self._settle(one, record.now())

    def counts(self) -> typing.Dict[str, typing.Any]:
        """What each path has counted so far."""
        return {one.path.name: one.counts() for one in self.watched}


if __name__ == "__main__":
    detached.main(PROGRAM, watch)
