"""What a journal says: the state of each step and of the run. Derived each time, stored nowhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from upgrader.errors import InDoubt
from upgrader.journal.journal import Record
from upgrader.journal.step_fold import DOUBTFUL, SETTLED, StepFold, StepProgress
from upgrader.plan.step import GATE, Plan, Step, plan_from_json, spent

RUNNING, FINISHED, STOPPED, ABANDONED = "unfinished", "finished", "failed", "abandoned"


@dataclass(frozen=True)
class RunProgress:
    """Where a run is, with its plan as it was approved."""

    run_id: str
    plan: Plan
    digest: str
    operator: str
    started_at: str
    last_at: str
    state: str
    reason: str
    steps: Mapping[str, StepProgress]
    planned: Mapping[str, Step]

    @property
    def stage(self) -> str:
        """Name of the stage that the run carries out (a run has one)."""
        return self.plan.stages[0].name

    def first_unsettled(self) -> str | None:
        """Id of the step where the run stands, or None when every step is settled: of lanes beside each other one that was begun."""
        left = [step.id for step in self.plan.steps() if self.steps[step.id].state not in SETTLED]
        return next((step for step in left if self.steps[step].state in DOUBTFUL), left[0] if left else None)

    def changed(self) -> bool:
        """Whether anything but gates was ever begun."""
        return any(self.steps[step.id].attempts for step in self.plan.steps() if step.phase != GATE)

    def seconds(self) -> float:
        """How long its steps took by now, without the time between its attempts."""
        return spent(self.plan.steps(), {step: state.seconds or 0.0 for step, state in self.steps.items()})

    def answers(self) -> Mapping[str, Mapping[str, Any]]:
        """What the nodes of each settled step answered, in the plan's order of nodes, for later steps that refer to it."""
        return Answers(self)

    def answer(self, step: str) -> dict[str, Any]:
        """What the nodes of one step answered last, in the plan's order of nodes."""
        replies = self.steps[step].replies
        return {node: replies[node].get("value") for node in self.planned[step].call.nodes if node in replies}


@lru_cache(maxsize=8)
def _plan(text: str, digest: str, run: str) -> Plan:
    """The plan of a journal's first line. A run asks for it several times a step, and it is the same each time."""
    if hashlib.sha256(text.encode()).hexdigest() != digest:
        raise InDoubt(f"run {run}: the plan in the journal does not have the digest it was started with")
    return plan_from_json(text)


class Answers(Mapping[str, Mapping[str, Any]]):
    """The answers of settled steps, each put together when it is asked for: a run over a thousand nodes has very many."""

    def __init__(self, run: RunProgress) -> None:
        self._run = run

    def __getitem__(self, step: str) -> Mapping[str, Any]:
        if step not in self._run.steps or self._run.steps[step].state not in SETTLED:
            raise KeyError(step)
        return self._run.answer(step)

    def __iter__(self) -> Iterator[str]:
        return (step for step, state in self._run.steps.items() if state.state in SETTLED)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Fold:
    """Folds a journal's lines into the state of its run, and goes on where it was when lines have been added."""

    def __init__(self) -> None:
        self._seen = 0
        self._folds: dict[str, StepFold] = {}
        self._steps: dict[str, StepProgress] = {}
        self._planned: dict[str, Step] = {}
        self._state, self._reason = RUNNING, ""
        self._last: RunProgress | None = None

    def of(self, rows: Sequence[Record]) -> RunProgress:
        """The state after these lines. Raises InDoubt when they do not begin with a run."""
        if not rows or rows[0]["event"] != "run-started":
            raise InDoubt(
                "the journal does not begin with the start of a run; it was cut by a crash before anything was done: remove it"
            )
        if self._last is not None and len(rows) == self._seen:
            return self._last
        first = rows[0]
        plan = _plan(first["plan"], first["digest"], first["run"])
        if not self._seen:
            self._folds, self._seen = {step.id: StepFold() for step in plan.steps()}, 1
            self._steps = {step.id: StepProgress() for step in plan.steps()}
            self._planned = {step.id: step for step in plan.steps()}
        self._take_all(rows[self._seen :])
        self._seen = len(rows)
        self._last = RunProgress(
            first["run"], plan, first["digest"], first["operator"], first["at"], rows[-1]["at"], self._state, self._reason,
            dict(self._steps), self._planned,
        )  # fmt: skip
        return self._last

    def _take_all(self, rows: Iterable[Record]) -> None:
        changed: set[str] = set()
        for row in rows:
            if "step" in row:
                self._folds[row["step"]].take(row)
                changed.add(row["step"])
            else:
                self._take(row)
        self._steps.update({identity: self._folds[identity].progress() for identity in changed})

    def _take(self, row: Record) -> None:
        if row["event"] == "run-finished":
            self._state, self._reason = (FINISHED if row["ok"] else STOPPED), row.get("reason", "")
        elif row["event"] in ("run-resumed", "run-interrupted"):
            self._state, self._reason = RUNNING, row.get("reason", "")
        elif row["event"] == "run-abandoned":
            self._state, self._reason = ABANDONED, row.get("reason", "")


def read_progress(records: Iterable[Record]) -> RunProgress:
    """Fold a journal's lines into the state of its run. Raises InDoubt when it does not begin with a run."""
    return Fold().of(list(records))
