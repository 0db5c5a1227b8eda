"""What one attempt at a run works with: journal, Salt, time and those who watch. A start is an attempt, and so is each resume."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from upgrader.engine.events import StepWaiting
from upgrader.engine.follow import ProgressFollower
from upgrader.engine.telling import Audience
from upgrader.journal import batches
from upgrader.journal.journal import Journal
from upgrader.journal.progress import Fold, RunProgress
from upgrader.journal.step_fold import StepProgress
from upgrader.plan.references import bind
from upgrader.plan.step import Call, Step
from upgrader.transport.base import Patience, Transport
from upgrader.transport.collect import Arrived, collect, who_runs
from upgrader.transport.reply import Reply

Replies = dict[str, Reply]


@dataclass
class Attempt:
    """``now`` gives UTC in ISO 8601; ``clock`` gives seconds that never jump back.

    ``taken_up`` holds what came of jobs that an earlier attempt had left, and ``waited`` how long they were waited for, by
    step: nobody waits for them twice in one attempt.
    """

    journal: Journal
    transport: Transport
    now: Callable[[], str]
    audience: Audience
    patience: Patience
    clock: Callable[[], float]
    pause: Callable[[float], None]
    fold: Fold
    taken_up: dict[str, Replies] = field(default_factory=dict)
    waited: dict[str, float] = field(default_factory=dict)

    def record(self, event: str, **fields: Any) -> None:
        """One line in the journal, on disk before this returns."""
        self.journal.append(event, self.now(), **fields)

    def record_nodes(self, event: str, step: Step, jid: str, fields: Mapping[str, Mapping[str, Any]]) -> None:
        """A line for each node, all on disk before this returns."""
        if fields:
            about = {"at": self.now(), "event": event, "step": step.id, "jid": jid}
            self.journal.append_all([{**about, "node": node, **more} for node, more in fields.items()])

    def record_replies(self, step: Step, jid: str, replies: Mapping[str, Reply]) -> None:
        """What nodes answered, or that they did not."""
        self.record_nodes("node-finished", step, jid, {node: {"reply": r.to_json()} for node, r in replies.items()})

    def progress(self) -> RunProgress:
        """Where the run is, from its journal."""
        return self.fold.of(self.journal.records)

    def state(self, step: Step) -> StepProgress:
        """Where one step is."""
        return self.progress().steps[step.id]

    def bound(self, call: Call) -> Call:
        """The call with its references replaced by what earlier steps answered."""
        progress = self.progress()
        return bind(call, progress.run_id, progress.answers(), lambda step: batches.well(progress, step))

    def wait(self, step: Step, call: Call, jid: str, waited: float = 0.0, arrived: Arrived | None = None) -> Replies:
        """A reply for every node of the call. ``arrived`` is told of each as it comes."""
        follower = ProgressFollower(self.transport, self.bound(step.progress), self.clock) if step.progress else None

        def waiting(seconds: float, missing: tuple[str, ...]) -> None:
            self.audience.tell(StepWaiting(step, seconds, missing, follower.look() if follower else None))

        told = arrived or (lambda replies: None)
        return collect(self.transport, call, jid, self.patience, waiting, self.clock, self.pause, told, waited)

    def works_on(self) -> bool:
        """Whether a job of an earlier attempt still runs on a node after it was waited for once more."""
        return any(reply.running for replies in self.taken_up.values() for reply in replies.values())

    def ask(self, step: Step, call: Call) -> Replies:
        """A question of the step's own, such as its check: not journalled, because it changes nothing."""
        jid = self.transport.new_job_id()
        self.transport.submit(call, jid)
        return self.wait(step, call, jid)

    def who_runs(self, jid: str, nodes: Sequence[str]) -> dict[str, bool]:
        """Whether each node runs the job. One that does not say so within the silence that is allowed is left out."""
        return who_runs(self.transport, jid, nodes, self.patience, self.clock, self.pause)
