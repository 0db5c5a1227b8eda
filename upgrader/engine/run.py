"""The loop. For each step: settled? pass. Something in its way? leave it. Else carry it out, and go on with what does not need it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from upgrader.engine.attempt import Attempt
from upgrader.engine.doubt import take_up
from upgrader.engine.events import Observer, RunFinished, RunStarted, StepPassed
from upgrader.engine.lanes import side_by_side
from upgrader.engine.results import Outcome, outcome_of
from upgrader.engine.spreading import carry_out
from upgrader.engine.telling import Audience
from upgrader.errors import Interrupted
from upgrader.journal.journal import Journal
from upgrader.journal.progress import Fold, RunProgress
from upgrader.journal.step_fold import SETTLED
from upgrader.journal.way import in_the_way, is_anew, left_out
from upgrader.plan.step import Plan, Step, beside
from upgrader.transport.base import Patience, Transport


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
        attempt = Attempt(
            self.journal, self.transport, self.now, Audience(self.observers), self.patience, self.clock, self.pause, self._fold
        )  # fmt: skip
        attempt.audience.tell(RunStarted(run.run_id, run.plan, resumed))
        try:
            _all_steps(attempt, list(run.plan.steps()), resumed)
        except KeyboardInterrupt:
            raise self._interrupted(attempt) from None
        outcome = outcome_of(attempt.progress())
        attempt.record(
            "run-finished", ok=outcome.ok, failed=list(outcome.failed), reason=outcome.reason, refused=outcome.refused,
            not_reached={step: list(causes) for step, causes in outcome.not_reached.items()},
        )  # fmt: skip
        seconds = self.clock() - started
        attempt.audience.tell(RunFinished(run.run_id, outcome.ok, seconds, outcome.failed, outcome.not_reached))
        return outcome

    def _interrupted(self, attempt: Attempt) -> Interrupted:
        attempt.record("run-interrupted", reason="interrupted by the operator")
        run = self.progress()
        return Interrupted(
            f"interrupted at step {run.first_unsettled()} of run {run.run_id}; what runs on the nodes goes on there, "
            f"and 'upgrader resume' takes it up again"
        )


def _all_steps(attempt: Attempt, steps: Sequence[Step], resumed: bool) -> None:
    """Jobs of earlier attempts first, then whatever is left and can be reached, in the plan's order."""
    total = len(steps)
    for number, step in enumerate(steps, start=1):
        if attempt.state(step).jobs:
            take_up(attempt, step, number, total)
    numbers = {step.id: number for number, step in enumerate(steps, start=1)}

    def one_after_the_other(of: Attempt, lane: Sequence[Step]) -> None:
        for step in lane:
            _one_step(of, step, numbers[step.id], total, resumed)

    for lanes in beside(steps):
        if len(lanes) == 1:
            one_after_the_other(attempt, *lanes.values())
        else:
            longest_first = sorted(lanes.values(), key=len, reverse=True)
            side_by_side(attempt, [partial(one_after_the_other, lane=lane) for lane in longest_first])


def _one_step(attempt: Attempt, step: Step, number: int, total: int, resumed: bool) -> None:
    """A resumed run asks ``anew`` steps again as long as anything is left to do, and no job of its own still runs: a gate
    would take its traces for a fault of the cloud. What closes a batch is done again whenever the batch was opened again.
    """
    run = attempt.progress()
    state = run.steps[step.id].state
    anew = resumed and is_anew(run, step)
    asked_again = anew and (step.batch or (run.first_unsettled() and not attempt.works_on()))
    if state in SETTLED and step.id not in attempt.taken_up and not asked_again:
        attempt.audience.tell(StepPassed(step, number, total, f"{state} before"))
        return
    causes = in_the_way(run, step)
    if causes:
        attempt.audience.tell(StepPassed(step, number, total, f"not reached because of {', '.join(causes)}"))
        return
    carry_out(attempt, step, number, total, left_out(run, step), whole=anew or bool(step.about))
