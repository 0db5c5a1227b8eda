"""Lanes of steps beside each other, in one thread: while one waits for its node, the others are gone on with.

Nothing but a pause lets another lane on, so between two pauses a lane has journal and Salt to itself, as a step without lanes
has. What ends one lane, Ctrl-C above all, ends the others where they pause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from greenlet import getcurrent, greenlet

from upgrader.engine.attempt import Attempt

Lane = Callable[[Attempt], None]
MOST = 3
"""Lanes at a time: more of them only take each other's processors, and nova's, the longest, takes as long as all others in two."""


def side_by_side(attempt: Attempt, lanes: Iterable[Lane]) -> None:
    """Returns when every lane has come to its end. Each gets the attempt with a pause of its own; they begin in their order."""
    hub = getcurrent()
    own = replace(attempt, pause=lambda seconds: hub.switch(attempt.clock() + seconds))
    waiting = [greenlet(lane, parent=hub) for lane in lanes]
    due, begun = dict[greenlet, float](), set[greenlet]()
    try:
        while due or waiting:
            while waiting and len(due) < MOST:
                due[waiting.pop(0)] = attempt.clock()
            lane = min(due, key=due.__getitem__)
            if due[lane] > attempt.clock():
                attempt.pause(due[lane] - attempt.clock())
            again = lane.switch() if lane in begun else lane.switch(own)
            begun.add(lane)
            if lane.dead:
                del due[lane]
            else:
                due[lane] = again
    finally:
        for lane in begun:
            if not lane.dead:
                lane.throw()
