"""The loop. For each step: settled? skip. In doubt? find out. Else write the intent, submit, collect, write what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from upgrader.engine.events import (
    Event,
    Observer,
    RunFinished,
    RunStarted,
    StepFinished,
    StepPassed,
    StepStarted,
    StepWaiting,
)
from upgrader.engine.follow import ProgressFollower
from upgrader.errors import InDoubt, Interrupted
from upgrader.journal.journal import Journal
from upgrader.journal.progress import DONE, FAILED, IN_DOUBT, SETTLED, Fold, RunProgress, StepProgress
from upgrader.plan.binding import bind
from upgrader.plan.step import GATE, Call, Plan, Step
from upgrader.transport.base import Patience, Transport, collect
from upgrader.transport.reply import Reply


@dataclass(frozen=True)
class Outcome:
    """How a run ended. ``refused`` means that a gate said no and nothing was changed."""

    run_id: str
    ok: bool
    refused: bool = False
    failed: tuple[str, ...] = ()
    reason: str = ""


@dataclass
class Engine:
    """Carries out one plan under one journal. ``now`` gives UTC in ISO 8601; ``clock`` gives seconds that never jump back."""

    journal: Journal
    transport: Transport
    now: Callable[[], str]
    observers: Sequence[Observer] = field(default_factory=tuple)
    patience: Patience = field(default_factory=Patience)
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep
    _fold: Fold = field(default_factory=Fold, init=False)
    _taken_up: dict[str, dict[str, Reply]] = field(default_factory=dict, init=False)

    def start(self, plan: Plan, run_id: str, operator: str, **facts: Any) -> Outcome:
        """A new run: the plan goes into the journal whole, before anything else."""
        self.journal.append(
            "run-started", self.now(), run=run_id, plan=plan.to_json(), digest=plan.digest, operator=operator, **facts
        )
        return self._carry_out(resumed=False)

    def resume(self, operator: str, **facts: Any) -> Outcome:
        """Go on where the journal ends; nothing that is settled is done again."""
        self.journal.append("run-resumed", self.now(), operator=operator, **facts)
        return self._carry_out(resumed=True)

    def progress(self) -> RunProgress:
        """Where the run is, from its journal."""
        return self._fold.of(self.journal.records)

    def _carry_out(self, resumed: bool) -> Outcome:
        started, run = self.clock(), self.progress()
        self._tell(RunStarted(run.run_id, run.plan, resumed))
        try:
            failed, reason, refused = self._steps(run.plan, resumed)
        except KeyboardInterrupt:
            self.journal.append("run-interrupted", self.now(), reason="interrupted by the operator")
            step = self.progress().first_unsettled()
            raise Interrupted(
                f"interrupted at step {step} of run {run.run_id}; what runs on the nodes goes on there, "
                f"and 'upgrader resume' takes it up again"
            ) from None
        outcome = Outcome(run.run_id, not failed, refused, tuple(failed), reason)
        self.journal.append(
            "run-finished", self.now(), ok=outcome.ok, failed=list(failed), reason=reason, refused=refused
        )
        self._tell(RunFinished(run.run_id, outcome.ok, self.clock() - started, outcome.failed, reason))
        return outcome

    def _steps(self, plan: Plan, resumed: bool) -> tuple[list[str], str, bool]:
        """Run what is left. After a failure only ``always`` steps whose needs are settled are still done.

        A resumed run asks ``anew`` steps again as long as anything that comes after them is left to do.
        """
        failed: list[str] = []
        reason, refused = "", False
        steps = list(plan.steps())
        self._wait_for_job_in_doubt(steps)
        for number, step in enumerate(steps, start=1):
            run = self.progress()
            state = run.steps[step.id]
            if state.state in SETTLED and not (resumed and step.anew and run.first_unsettled()):
                self._tell(StepPassed(step, number, len(steps), f"{state.state} before"))
                continue
            if failed and not self._may_still_run(step):
                continue
            result = self._settle(step, number, len(steps), state)
            if result.state not in SETTLED:
                refused = refused or (not failed and step.phase == GATE)
                reason = reason or f"step {step.id} failed: {result.reason}"
                failed.append(step.id)
        return failed, reason, refused

    def _wait_for_job_in_doubt(self, steps: Sequence[Step]) -> None:
        """Before any gate is asked anew: our own job may still run on a node, and a gate would take its traces for a
        fault of the cloud. A backup that runs, for one, keeps its node desynchronised, which is what the cluster's gate refuses.
        """
        run = self.progress()
        name = run.first_unsettled()
        if name is None or not any(step.anew and run.steps[step.id].state in SETTLED for step in steps):
            return
        number, step = next((number, step) for number, step in enumerate(steps, start=1) if step.id == name)
        state = run.steps[name]
        if state.state == IN_DOUBT and state.jid is not None and self.transport.is_known(state.jid):
            self._taken_up[name] = self._reattach(step, number, len(steps), state)

    def _reattach(self, step: Step, number: int, total: int, state: StepProgress) -> dict[str, Reply]:
        """Wait for the answers of a job that was submitted before, on the nodes that got it."""
        assert state.jid is not None
        self._tell(StepStarted(step, number, total, reattached=True))
        call = self._bound(step.call)
        return self._collect(step, replace(call, nodes=state.nodes or call.nodes), state.jid)

    def _may_still_run(self, step: Step) -> bool:
        states = self.progress().steps
        return step.always and all(states[need].state in SETTLED for need in step.needs)

    def _settle(self, step: Step, number: int, total: int, state: StepProgress) -> StepProgress:
        """One step to its end: re-attach to its job if it is in doubt, else (or if that is lost) decide and run it.

        A job that Salt does not know was never published, or is older than the job cache remembers (a day, by default):
        a step that is not retry-safe is not run again on that ground alone.
        """
        if state.state != IN_DOUBT or state.jid is None:
            return self._attempt(step, number, total)
        since = self.clock()
        replies = self._taken_up.pop(step.id, None)
        if replies is not None or self.transport.is_known(state.jid):
            replies = replies or self._reattach(step, number, total, state)
            if not any(reply.lost for reply in replies.values()):
                return self._finish(step, number, total, state.jid, replies, self.clock() - since)
        if step.check is not None and self._checked(step.check, step):
            return self._finish(step, number, total, state.jid, self._as_checked(step), self.clock() - since)
        if not step.retry_safe:
            raise InDoubt(
                f"step {step.id} ({step.title}) was cut off and nobody knows whether it was done: look at "
                f"{', '.join(step.call.nodes)}, then 'upgrader stamp {step.id}' if it was, or --restart the stage"
            )
        return self._attempt(step, number, total)

    def _attempt(self, step: Step, number: int, total: int) -> StepProgress:
        """Intent, effect, result: in this order, each on disk before the next."""
        call, jid, started = self._bound(step.call), self.transport.new_job_id(), self.clock()
        self.journal.append(
            "step-started", self.now(), step=step.id, jid=jid, args=dict(call.args), nodes=list(call.nodes)
        )
        self._tell(StepStarted(replace(step, call=call), number, total))
        self.transport.submit(call, jid)
        self.journal.append("step-submitted", self.now(), step=step.id, jid=jid)
        replies = self._collect(step, call, jid)
        return self._finish(step, number, total, jid, replies, self.clock() - started)

    def _checked(self, check: Call, step: Step) -> bool:
        """Ask the step's own check whether its effect is there, on every node."""
        call, jid = self._bound(check), self.transport.new_job_id()
        self.transport.submit(call, jid)
        return all(reply.ok and bool(reply.value) for reply in self._collect(step, call, jid).values())

    @staticmethod
    def _as_checked(step: Step) -> dict[str, Reply]:
        comment = {"comment": f"{step.id} was found done by its check"}
        return {node: Reply(node, True, value=comment) for node in step.call.nodes}

    def _collect(self, step: Step, call: Call, jid: str) -> dict[str, Reply]:
        follower = ProgressFollower(self.transport, self._bound(step.progress), self.clock) if step.progress else None

        def waiting(seconds: float, missing: tuple[str, ...]) -> None:
            self._tell(StepWaiting(step, seconds, missing, follower.look() if follower else None))

        return collect(self.transport, call, jid, self.patience, waiting, self.clock, self.pause)

    def _finish(
        self, step: Step, number: int, total: int, jid: str, replies: Mapping[str, Reply], seconds: float
    ) -> StepProgress:
        bad = [reply for reply in replies.values() if not reply.ok]
        reason = "; ".join(
            f"{reply.node}: {reply.error}" if reply.node not in reply.error else reply.error for reply in bad
        )
        self.journal.append(
            "step-finished",
            self.now(),
            step=step.id,
            jid=jid,
            ok=not bad,
            seconds=round(seconds, 3),
            replies={node: reply.to_json() for node, reply in replies.items()},
            reason=reason,
        )
        self._tell(StepFinished(step, number, total, not bad, seconds, replies, reason))
        return StepProgress(FAILED if bad else DONE, jid, reason=reason)

    def _bound(self, call: Call) -> Call:
        progress = self.progress()
        return bind(call, progress.run_id, progress.answers())

    def _tell(self, event: Event) -> None:
        for observer in self.observers:
            observer.notify(event)
