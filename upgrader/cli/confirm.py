"""What the operator is asked before a stage begins that asks: to type what is meant, exactly."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import click

from upgrader.errors import Refused, UsageError
from upgrader.plan.stages import CONTROL_PLANE, DATA_PLANE, stage_row
from upgrader.plan.step import Plan
from upgrader.report.wording import node_list, short

WORD = 12
"""So many digits of a plan's digest are typed where no backup is named."""


NODES = (
    "Their packages change as they were shown, and their agents restart; instances run on and may lose a few packets."
)
MEANS = {
    (
        CONTROL_PLANE,
        "real-upgrade",
    ): "This stops production's APIs, rebuilds its controllers and upgrades its databases once.",
    (
        CONTROL_PLANE,
        "rollback",
    ): "This stops the new controllers and puts databases and machines back; what was created since is lost.",
    (CONTROL_PLANE, "finish"): "After it no kept member and no kept disk leads back; a proven backup stays.",
    (DATA_PLANE, "sample"): NODES,
    (DATA_PLANE, "all"): NODES,
    (
        DATA_PLANE,
        "rollback",
    ): "Their packages and their configuration go back to what that run found; instances run on.",
}


def confirm(plan: Plan, yes: bool) -> None:
    """As often as the table of stages says; a stage that asks nothing just goes on. ``yes`` is for scripts."""
    for _ in range(0 if yes else stage_row(plan.part, plan.stages[0].name).asks):
        _ask(plan)


def _ask(plan: Plan) -> None:
    """A restore throws away what was written since the backup: somebody has to mean exactly this one."""
    receipt, kept = _receipt(plan), _kept(plan)
    what, word = ("the id of the backup", receipt) if receipt else ("the first digits of the plan", plan.digest[:WORD])
    what, word = ("the id of the run that keeps the member", kept) if kept else (what, word)
    if not sys.stdin.isatty():
        raise UsageError(
            f"{plan.part} {plan.stages[0].name} has to be confirmed, and there is no terminal to do that on: give --yes"
        )
    click.echo(_warning(plan, receipt, kept), err=True)
    typed = click.prompt(f"Type {what} to go on", default="", show_default=False, err=True).strip()
    if typed != word:
        raise Refused("not confirmed; nothing was done")


def _warning(plan: Plan, receipt: str, kept: str) -> str:
    if plan.part in (CONTROL_PLANE, DATA_PLANE):
        title, nodes = plan.stages[0].title, plan.in_batches()
        over = f" ({node_list(nodes)})" if nodes else ""
        return f"Plan {plan.digest[:WORD]}: {title}{over}. {MEANS.get((plan.part, plan.stages[0].name), '')}".rstrip()
    stopped = sorted(
        {node for step in plan.steps() if step.call.function.endswith(".stop") for node in step.call.nodes}
    )
    if kept and stopped:
        return (
            f"This stops the database servers of {', '.join(map(short, stopped))} and founds the cluster anew from the member that "
            f"run {kept} keeps. What was written since is no longer served (the present data directories are kept, renamed)."
        )
    if kept:
        return f"This ends the way back by the member that run {kept} keeps; after it only a backup goes back."
    if not receipt:
        return f"Plan {plan.digest[:WORD]}: {plan.stages[0].title}."
    return (
        f"This stops the database servers of {', '.join(map(short, stopped))} and puts them back to backup {receipt}. What was "
        f"written since is no longer served (the present data directories are kept, renamed)."
    )


def _kept(plan: Plan) -> str:
    """The run that keeps the member that the plan works with, if any."""
    given = (step.call.args.get("kept") for step in plan.steps())
    return next((str(kept["id"]) for kept in given if isinstance(kept, Mapping)), "")


def _receipt(plan: Plan) -> str:
    """The backup that the plan was given, if any."""
    given = (step.call.args.get("receipt") for step in plan.steps())
    return next((receipt for receipt in given if isinstance(receipt, str)), "")
