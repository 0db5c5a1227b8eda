"""Plans, runs and histories as text for stdout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tabulate import tabulate

from upgrader.journal.progress import ABANDONED, FINISHED, RunProgress
from upgrader.journal.step_fold import FAILED, IN_DOUBT, SETTLED
from upgrader.journal.way import failing
from upgrader.plan.step import Plan, Step, beside
from upgrader.report.outcome import remedy, told
from upgrader.report.wording import duration, node_list


def plan_text(plan: Plan) -> str:
    """Every step with its phase, the nodes that must answer and what is called there."""
    lines = [f"{plan.part} of cloud {plan.cloud}, {plan.source} to {plan.target}", f"plan digest {plan.digest}", ""]
    for stage in plan.stages:
        rows = [
            (number, step.phase, step.id, node_list(step.call.nodes), str(step.call), step.title)
            for number, step in enumerate(stage.steps, start=1)
        ]
        lines += [
            f"stage {stage.name}: {stage.title}",
            tabulate(rows, ["#", "phase", "step", "nodes", "call", "what it does"], tablefmt="simple"),
            *(_beside(lanes) for lanes in beside(stage.steps) if len(lanes) > 1),
        ]
    return "\n".join(lines)


def _beside(lanes: Mapping[str, Sequence[Step]]) -> str:
    first, last = next(iter(lanes.values()))[0], list(lanes.values())[-1][-1]
    return f"from {first.id} to {last.id}: {', '.join(lanes)} beside each other"


def run_sentence(run: RunProgress) -> str:
    """Where a run is, in one sentence, with what to do next."""
    total, settled = len(run.steps), sum(1 for step in run.steps.values() if step.state in SETTLED)
    head = f"run {run.run_id} ({run.stage} of cloud {run.plan.cloud}): "
    if run.state == FINISHED:
        return f"{head}finished, all {total} steps done in {duration(run.seconds())}"
    if run.state == ABANDONED:
        return f"{head}left behind after {settled} of {total} steps"
    done = f"{head}{settled} of {total} steps done"
    if failing(run):
        return f"{done}, {told(run)}; {remedy(run)}"
    return f"{done}, at step {run.first_unsettled()}; 'upgrader resume' goes on"


def now_sentence(run: RunProgress) -> str:
    """Where a run is on which a process works now: what is open is not in doubt, it is being done."""
    settled = sum(1 for step in run.steps.values() if step.state in SETTLED)
    head = f"run {run.run_id} ({run.stage} of cloud {run.plan.cloud}): {settled} of {len(run.steps)} steps done"
    at = [step for step in failing(run) if run.steps[step.id].state == IN_DOUBT]
    failed = sum(1 for step in run.steps.values() if step.state == FAILED)
    return f"{head}{f', {failed} failed' if failed else ''}{f', now: {at[-1].title}' if at else ''}"


def history_text(runs: Sequence[RunProgress]) -> str:
    """One line a run, newest last."""
    rows = [
        (
            run.run_id,
            run.plan.cloud,
            f"{run.plan.part} {run.stage}",
            run.state,
            run.first_unsettled() or "",
            run.started_at,
            run.operator,
            run.digest[:12],
        )
        for run in runs
    ]
    return (
        tabulate(rows, ["run", "cloud", "stage", "state", "stopped at", "started", "by", "plan"], tablefmt="simple")
        if rows
        else "no run yet"
    )
