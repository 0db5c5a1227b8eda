"""What a journal says: the state of each step and of the run. Derived each time, stored nowhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from upgrader.errors import InDoubt
from upgrader.journal.journal import Record
from upgrader.plan.step import Plan, plan_from_json

PENDING, IN_DOUBT, DONE, FAILED, STAMPED, UNDONE = "pending", "in doubt", "done", "failed", "stamped", "undone"
SETTLED = (DONE, STAMPED)

RUNNING, FINISHED, STOPPED, ABANDONED = "unfinished", "finished", "failed", "abandoned"


@dataclass(frozen=True)
class StepProgress:
    """Where one step is: its state, its latest job id and the nodes that got it, how often it was started and what came of it."""

    state: str = PENDING
    jid: str | None = None
    attempts: int = 0
    seconds: float | None = None
    replies: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    reason: str = ""
    nodes: tuple[str, ...] = ()


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

    @property
    def stage(self) -> str:
        """Name of the stage that the run carries out (a run has one)."""
        return self.plan.stages[0].name

    def first_unsettled(self) -> str | None:
        """Id of the step where the run stands, or None when every step is settled."""
        return next((step.id for step in self.plan.steps() if self.steps[step.id].state not in SETTLED), None)

    def answers(self) -> dict[str, dict[str, Any]]:
        """What the nodes of each settled step answered, in the plan's order of nodes, for later steps that refer to it."""
        found: dict[str, dict[str, Any]] = {}
        for step in self.plan.steps():
            if self.steps[step.id].state in SETTLED:
                replies = self.steps[step.id].replies
                found[step.id] = {node: replies[node].get("value") for node in step.call.nodes if node in replies}
        return found


@lru_cache(maxsize=8)
def _plan(text: str, digest: str, run: str) -> Plan:
    """The plan of a journal's first line. A run asks for it several times a step, and it is the same each time."""
    plan = plan_from_json(text)
    if plan.digest != digest:
        raise InDoubt(f"run {run}: the plan in the journal does not have the digest it was started with")
    return plan


class Fold:
    """Folds a journal's lines into the state of its run, and goes on where it was when lines have been added."""

    def __init__(self) -> None:
        self._seen = 0
        self._steps: dict[str, StepProgress] = {}
        self._state, self._reason = RUNNING, ""

    def of(self, rows: Sequence[Record]) -> RunProgress:
        """The state after these lines. Raises InDoubt when they do not begin with a run."""
        if not rows or rows[0]["event"] != "run-started":
            raise InDoubt(
                "the journal does not begin with the start of a run; it was cut by a crash before anything was done: remove it"
            )
        first = rows[0]
        plan = _plan(first["plan"], first["digest"], first["run"])
        if not self._seen:
            self._steps, self._seen = {step.id: StepProgress() for step in plan.steps()}, 1
        for row in rows[self._seen :]:
            self._take(row)
        self._seen = len(rows)
        return RunProgress(
            first["run"], plan, first["digest"], first["operator"], first["at"], rows[-1]["at"], self._state, self._reason,
            dict(self._steps),
        )  # fmt: skip

    def _take(self, row: Record) -> None:
        if row["event"].startswith("step-"):
            self._steps[row["step"]] = _step_after(self._steps[row["step"]], row)
        elif row["event"] == "run-finished":
            self._state, self._reason = (FINISHED if row["ok"] else STOPPED), row.get("reason", "")
        elif row["event"] in ("run-resumed", "run-interrupted"):
            self._state, self._reason = RUNNING, row.get("reason", "")
        elif row["event"] == "run-abandoned":
            self._state, self._reason = ABANDONED, row.get("reason", "")


def read_progress(records: Iterable[Record]) -> RunProgress:
    """Fold a journal's lines into the state of its run. Raises InDoubt when it does not begin with a run."""
    return Fold().of(list(records))


def _step_after(before: StepProgress, row: Record) -> StepProgress:
    """State of a step after one more line about it.

    A start without a finish is in doubt, and so is a finish in which a node's answer was lost: it may have done its part.
    """
    event = row["event"]
    if event == "step-started":
        return StepProgress(IN_DOUBT, row["jid"], before.attempts + 1, nodes=tuple(row.get("nodes", ())))
    if event == "step-submitted":
        return StepProgress(IN_DOUBT, row["jid"], before.attempts, nodes=before.nodes)
    if event == "step-stamped":
        return StepProgress(STAMPED, before.jid, before.attempts, reason=row["reason"])
    if event == "step-undone":
        return StepProgress(UNDONE, before.jid, before.attempts)
    lost = any(reply.get("lost") for reply in row["replies"].values())
    ended = DONE if row["ok"] else IN_DOUBT if lost else FAILED
    return StepProgress(
        ended, row["jid"], before.attempts, row["seconds"], row["replies"], row.get("reason", ""), before.nodes
    )
