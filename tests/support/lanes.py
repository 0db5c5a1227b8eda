"""A small made-up plan with lanes, on a Salt whose answers take their time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.support.runs import Run, step
from tests.support.salt_in_memory import SaltInMemory
from upgrader.plan.step import Call, Step


def laned(identity: str, lane: str, *needs: str) -> Step:
    return replace(step(identity, needs=needs), call=Call("module", f"do.{identity}", ("n1", "n2")), lane=lane)


STEPS = (
    step("one"),
    laned("k1", "keystone", "one"),
    laned("k2", "keystone", "k1"),
    laned("k3", "keystone", "k2"),
    laned("g1", "glance", "one"),
    laned("g2", "glance", "g1"),
    laned("h1", "heat", "one"),
    step("last", needs=("k3", "g2", "h1")),
)


class Slow(SaltInMemory):
    """Each answer comes so many seconds after the job; what is not named, at once."""

    def __init__(self, clock: Callable[[], float], seconds: dict[str, float]) -> None:
        super().__init__()
        self.clock, self.seconds, self.due = clock, seconds, dict[str, float]()

    def submit(self, call: Call, jid: str) -> None:
        self.due[jid] = self.clock() + self.seconds.get(call.function, 0.0)
        super().submit(call, jid)

    def answers(self, call: Call, jid: str) -> dict[str, Any]:
        return dict(super().answers(call, jid)) if self.clock() >= self.due[jid] else {}

    def still_running(self, jid: str, nodes: Sequence[str]) -> dict[str, bool]:
        return {node: self.clock() < self.due.get(jid, 0.0) for node in nodes}


class SlowRun(Run):
    def __init__(self, folder: Path, seconds: dict[str, float], steps: tuple[Step, ...] = STEPS) -> None:
        super().__init__(folder, steps)
        self.salt = Slow(self.clock, seconds)
