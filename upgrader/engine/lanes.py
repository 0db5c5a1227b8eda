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


def side_by_side(attempt: Attempt, lanes: Iterable[Lane]) -> None:
    """Returns when every lane has come to its end. Each gets the attempt with a pause of its own."""
    hub = getcurrent()
    own = replace(attempt, pause=lambda seconds: hub.switch(attempt.clock() + seconds))
    due = {greenlet(lane, parent=hub): attempt.clock() for lane in lanes}
    begun = set[greenlet]()
    try:
        while due:
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
