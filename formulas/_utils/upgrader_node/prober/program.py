"""The prober itself: a small program of its own, which goes on when the minion's job, or the minion, ends.

``program.py ORDER [detach]``: ORDER is the file with what is to be watched. It ends when its stop file appears, when its hours are
over, or by SIGTERM; each of these leaves a line that says so. What kills it leaves none, and the gap tells.
"""

import os
import threading
import time
import typing

from upgrader_node.prober import detached, record, targets

TICK = 0.2
PAUSE = 0.05
GRACE = 0.5
ASLEEP = 1.0
# Connecting and answering have a timeout each. A question that took longer than both: the node itself stood still meanwhile.
LONGEST = 2 * targets.SECONDS + 1.0
PROBER = detached.Program(
    "prober",
    "upgrader_node.prober.program",
    "What users notice during run {} of upgrader",
    "upgrader_prober.start",
)
HOURS_OVER, SIGNAL = "its hours are over", "the node, or somebody on it, ended it by a signal"


class Watched:
    """One target. A thread of its own asks it; the main one judges a question that stays open (a name server may be silent for long)."""

    def __init__(self, target: targets.Target, log: record.Log) -> None:
        self.target, self.log, self.guard = target, log, threading.Lock()
        self.asked, self.state, self.begun = 0, "", None  # type: int, str, typing.Optional[record.Moment]

    def keep_asking(self, interval: float, over: threading.Event) -> None:
        """Ask again and again, each ``interval`` seconds, or when the answer before is there."""
        while not over.is_set():
            self.begun = begun = record.now()
            self.heard(begun, targets.state(self.target), record.now())
            over.wait(max(PAUSE, begun.mono + interval - time.monotonic()))

    def heard(self, begun: record.Moment, state: str, ended: record.Moment) -> None:
        """An answer, or none. Down counts from the question that found it, up from the answer that came."""
        took = ended.mono - begun.mono
        with self.guard:
            self.begun = None
            self.asked += 1
            if took <= LONGEST:
                state = targets.TIMES_OUT if took > targets.SECONDS else state
                self._is(state, ended if state == targets.ANSWERS else begun)

    def overdue(self, now: record.Moment) -> None:
        """Say that the target times out, when its question is open for too long."""
        with self.guard:
            if self.begun and now.mono - self.begun.mono > targets.SECONDS + GRACE:
                self._is(targets.TIMES_OUT, self.begun)

    def _is(self, state: str, moment: record.Moment) -> None:
        if state != self.state:
            self.state = state
            self.log.add(record.CHANGE, moment, target=self.target.name, state=state)


def watch(order: typing.Mapping[str, typing.Any], files: record.Files, over: threading.Event) -> str:
    """Watch until it is over; why it was."""
    log = record.Log(files.seen)
    watched = [Watched(target, log) for target in targets.parsed(order["targets"])]
    log.add(record.BEGUN, record.now(), pid=os.getpid(), **order)
    log.flush()
    for one in watched:
        threading.Thread(target=one.keep_asking, args=(order["interval"], over), daemon=True).start()
    why = _until(order["hours"] * 3600, files.stop, watched, log, over)
    over.set()
    log.add(record.ENDED, record.now(), why=why, asked=_asked(watched))
    log.flush()
    return why


def _until(seconds: float, stop: str, watched: typing.Sequence[Watched], log: record.Log, over: threading.Event) -> str:
    before = began = beat = time.monotonic()
    while not over.wait(TICK):
        now = record.now()
        if os.path.exists(stop):
            return record.STOPPED
        if now.mono - began > seconds:
            return HOURS_OVER
        if now.mono - before < ASLEEP:
            for one in watched:
                one.overdue(now)
        if now.mono - beat >= record.BEAT:
            log.add(record.BEATS, now, asked=_asked(watched))
            beat = now.mono
        log.flush()
        before = now.mono
    return SIGNAL


def _asked(watched: typing.Iterable[Watched]) -> typing.Dict[str, int]:
    return {one.target.name: one.asked for one in watched}


if __name__ == "__main__":
    detached.main(PROBER, watch)
