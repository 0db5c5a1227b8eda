"""A journal's lines as the events that the run told its own observers, for those who watch from another terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from upgrader.engine.events import (
    BatchFinished,
    Event,
    RunFinished,
    RunStarted,
    StepFinished,
    StepPassed,
    StepStarted,
    StepWaiting,
)
from upgrader.journal.journal import Record
from upgrader.journal.progress import Fold, RunProgress
from upgrader.plan.step import Step
from upgrader.report.account.times import seconds_between
from upgrader.transport.reply import Reply


class Replay:
    """Takes lines as they come. What a step waits for, which no line says, is asked with ``waiting``."""

    def __init__(self) -> None:
        self.run: RunProgress | None = None
        self._fold, self._seen = Fold(), 0
        self._open: dict[str, Record] = {}
        self._begun = ""

    def catch_up(self, records: Sequence[Record]) -> Iterator[Event]:
        """Of what happened before only what is open: the rest is a sentence's to tell. Folds all lines at once."""
        self.run, self._seen = self._fold.of(records), len(records)
        for row in records:
            self._note(row)
        for row in self._open.values():
            yield self._started(self.run, row)

    def take(self, records: Sequence[Record]) -> Iterator[Event]:
        """The events of the lines that were not taken yet. Fewer lines than before: some were cut off again, and come anew."""
        if len(records) < self._seen:
            self._fold, self._seen = Fold(), len(records)
        for number in range(self._seen, len(records)):
            self._seen = number + 1
            self.run = self._fold.of(records[: self._seen])
            self._note(records[number])
            yield from self._events(self.run, records[number])

    def since(self, step: str) -> str:
        """When an open step began."""
        return str(self._open[step]["at"])

    def waiting(self, now: str) -> tuple[StepWaiting, ...]:
        """For whom each open step waits, and since when; none between steps, several where lanes go beside each other."""
        return tuple(self._waiting(self.run, row, now) for row in self._open.values() if self.run is not None)

    def _waiting(self, run: RunProgress, row: Record, now: str) -> StepWaiting:
        step, state = self._step(run, row["step"]), run.steps[row["step"]]
        missing = tuple(node for node in state.nodes or step.call.nodes if node not in state.replies)
        return StepWaiting(step, seconds_between(row["at"], now), missing)

    def _note(self, row: Record) -> None:
        """Which steps are open, and since when somebody works on the run."""
        if row["event"] in ("run-started", "run-resumed"):
            self._open, self._begun = {}, row["at"]
        elif row["event"] in ("run-finished", "run-interrupted", "run-abandoned"):
            self._open = {}
        elif row["event"] == "step-finished":
            self._open.pop(row["step"], None)
        elif row["event"] == "step-started":
            self._open[row["step"]] = row

    def _events(self, run: RunProgress, row: Record) -> Iterator[Event]:
        event = row["event"]
        if event in ("run-started", "run-resumed"):
            yield RunStarted(run.run_id, run.plan, event == "run-resumed")
        elif event == "run-finished":
            yield self._finished(run, row)
        elif "step" in row:
            yield from self._of_step(run, row)

    def _finished(self, run: RunProgress, row: Record) -> RunFinished:
        failed = {step: run.steps[step].reason for step in row.get("failed", ())}
        seconds = seconds_between(self._begun, row["at"])
        return RunFinished(run.run_id, row["ok"], seconds, failed, row.get("not_reached", {}))

    def _started(self, run: RunProgress, row: Record) -> StepStarted:
        step = self._step(run, row["step"])
        shown = replace(step, call=replace(step.call, nodes=tuple(row.get("nodes") or step.call.nodes)))
        return StepStarted(shown, list(run.steps).index(step.id) + 1, len(run.steps))

    def _of_step(self, run: RunProgress, row: Record) -> Iterator[Event]:
        event, step = row["event"], self._step(run, row["step"])
        number, total, state = list(run.steps).index(step.id) + 1, len(run.steps), run.steps[step.id]
        if event == "step-started":
            yield self._started(run, row)
        elif event == "node-finished" and step.spread and state.replies and not state.jobs:
            good = sum(bool(reply.get("ok")) for reply in state.replies.values())
            yield BatchFinished(step, good, len(state.replies) - good, len(step.call.nodes))
        elif event == "step-finished":
            replies = {node: _reply(reply) for node, reply in state.replies.items()}
            yield StepFinished(step, number, total, row["ok"], row["seconds"], replies, row.get("reason", ""))
        elif event == "step-stamped":
            yield StepPassed(step, number, total, f"stamped by {row.get('operator', '')}: {row.get('reason', '')}")

    def _step(self, run: RunProgress, identity: str) -> Step:
        return next(step for step in run.plan.steps() if step.id == identity)


def _reply(reply: Mapping[str, Any]) -> Reply:
    """A reply as the journal has it. Keys of another version are left out."""
    return Reply(**{key: value for key, value in reply.items() if key in Reply.__dataclass_fields__})
