"""Runs of small made-up plans on a Salt that is kept in memory, which can be broken, killed and resumed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.clock import Clock
from tests.support.salt_in_memory import SaltInMemory
from upgrader.engine.events import Event
from upgrader.engine.results import Outcome
from upgrader.engine.run import Engine
from upgrader.journal.journal import Journal, Record, read_journal
from upgrader.journal.progress import RunProgress, read_progress
from upgrader.plan.step import GATE, Call, Plan, Stage, Step


def step(identity: str, **more: Any) -> Step:
    return Step(
        identity, identity, Call("module", f"do.{identity}", ("n1", "n2"), timeout=60), **{"retry_safe": True, **more}
    )


STEPS = (step("gate", phase=GATE), step("one"), step("two", needs=("one",)), step("tidy", always=True))


GOOD: Mapping[str, Any] = {"return": {"comment": "fine"}, "retcode": 0, "success": True}
BAD: Mapping[str, Any] = {"return": "ERROR: it broke", "retcode": 1, "success": False}


class Run:
    """An engine on a journal in a temporary folder, which can be started, broken and resumed."""

    def __init__(self, folder: Path, steps: tuple[Step, ...] = STEPS) -> None:
        self.path = folder / "r.jsonl"
        self.plan = Plan("lab", "mitaka", "ocata", "control-plane", (Stage("s", "t", steps),))
        self.salt, self.clock = SaltInMemory(), Clock()
        self.heard: list[Event] = []

    def notify(self, event: Event) -> None:
        self.heard.append(event)

    @property
    def seen(self) -> list[str]:
        return [type(event).__name__ for event in self.heard]

    def engine(self, journal: Journal) -> Engine:
        return Engine(journal, self.salt, self.clock.now, [self], clock=self.clock, pause=self.clock.pause)

    def start(self) -> Outcome:
        return self.engine(Journal.create(self.path)).start(self.plan, "r", "me")

    def resume(self) -> Outcome:
        return self.engine(Journal.open(self.path)).resume("me")

    def events(self) -> list[str]:
        return [record["event"] for record in read_journal(self.path)]

    def rows(self, event: str) -> list[Record]:
        return [record for record in read_journal(self.path) if record["event"] == event]

    def progress(self) -> RunProgress:
        return read_progress(read_journal(self.path))

    def state(self, identity: str) -> str:
        return self.progress().steps[identity].state

    def well(self) -> None:
        """Every node answers well from now on, and what was submitted so far is forgotten."""
        self.salt.answer, self.salt.submitted, self.salt.asked = (lambda call, node: dict(GOOD)), [], []


def failing(function: str, **answer: Any) -> Any:
    def answered(call: Call, node: str) -> Mapping[str, Any] | None:
        if call.function == function and node == "n2":
            return answer or {"return": "ERROR: it broke", "retcode": 1, "success": False}
        return {"return": {"comment": "fine", "node": node}, "retcode": 0, "success": True}

    return answered
