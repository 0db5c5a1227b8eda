"""Counts how often each node answers one job, on the master's event bus: two minions of one id answer twice.

A cloned machine, or a second salt-minion on the same one, does all that the first does (saltstack/salt issues 31742, 50372,
15099). The job cache cannot tell: it keeps the first answer and refuses the second ("an extra return was detected").
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from upgrader.transport.reply import Reply

LATE = 2.0
"""Seconds after the last answer in which a second one may still come."""


class Echoes:
    """Listens from before the job is published. ``bus`` has Salt's ``get_event`` and ``destroy``."""

    def __init__(self, bus: Any, jid: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._bus, self._tag, self._clock = bus, f"salt/job/{jid}/ret/", clock
        self._counted: Counter[str] = Counter()
        self._last, self._over = clock(), False

    def settled(self) -> bool:
        """Take in what was said by now. Whether nobody has said anything for so long that no second answer is to come.

        Then the bus is left: the master keeps for a listener whatever it does not fetch, and a run goes on for hours.
        """
        if self._over:
            return True
        while (event := self._next()) is not None:
            self._counted[str(event.get("id"))] += 1
            self._last = self._clock()
        self._over = self._clock() - self._last > LATE
        if self._over:
            self._bus.destroy()
        return self._over

    def doubled(self) -> set[str]:
        """Ids that answered more than once."""
        return {node for node, number in self._counted.items() if number > 1}

    def _next(self) -> dict[str, Any] | None:
        event: dict[str, Any] | None = self._bus.get_event(
            wait=0.01, tag=self._tag, match_type="startswith", no_block=True
        )
        return event


def heard_once(echoes: Echoes, replies: dict[str, Reply]) -> dict[str, Reply]:
    """Replies when no second one is to come any more, those of doubled ids as failures; none before."""
    if not echoes.settled():
        return {}
    doubled = {node: Reply(node, False, error=told(node)) for node in echoes.doubled() if node in replies}
    return {**replies, **doubled}


def told(node: str) -> str:
    """The sentence about a doubled id."""
    return (
        f"{node} answers twice: two minions have that id, and every step would run on both; look for a cloned machine or a "
        f"second salt-minion process there, stop it, and give it an id and a key of its own"
    )
