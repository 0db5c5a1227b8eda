"""``upgrader backup hold, back, rejoin``: one database member kept as the quickest way back."""

from __future__ import annotations

from dataclasses import replace

import click

from upgrader.cli import runs
from upgrader.cli.completion import RUN
from upgrader.cli.confirm import confirm
from upgrader.cli.options import OUTPUT, RESTART
from upgrader.cli.plans import Now
from upgrader.cli.questions import asked, question, readiness
from upgrader.cli.settings import Settings, modules_digest
from upgrader.errors import Refused, UpgradeError
from upgrader.journal.progress import RunProgress
from upgrader.plan.blocks.member import HELD
from upgrader.plan.stages import BACKUP as PART
from upgrader.plan.step import Kept, Options, Plan
from upgrader.report.wording import short
from upgrader.transport.base import Transport

YES = click.option("--yes", is_flag=True, help="Do not ask for the run's id to be typed; for scripts.")


@click.command()
@click.option("--node", default="", help="Which database node to keep.  [default: the last one of the model]")
@RESTART
@OUTPUT
@click.pass_obj
def hold(settings: Settings, node: str, restart: bool, output: str) -> None:
    """Stop one member of the database cluster cleanly and keep its data directory as it is: a way back within seconds.

    Needs three members, all well; the other two serve on, and neither may fail meanwhile. The moment that is kept is this one:
    stop whoever writes before. Go back with 'backup back RUN', or give the member back with 'backup rejoin RUN'.

    \b
    Example:
      upgrader backup hold --node dbs03
    """
    runs.start(settings, PART, "hold", restart, output, Options(member=node))


@click.command()
@click.argument("run", metavar="RUN", shell_complete=RUN)
@click.option(
    "--without", multiple=True, metavar="NODE", help="Leave out a database node whose machine is dead. May be repeated."
)
@YES
@RESTART
@OUTPUT
@click.pass_obj
def back(settings: Settings, run: str, without: tuple[str, ...], yes: bool, restart: bool, output: str) -> None:
    """Put the database cluster back to the moment at which run RUN kept a member. Asks twice.

    The cluster is founded from the kept member, the others join it. What they held until now stays on each of them, beside
    the data directory, under the name of the new run.

    \b
    Example:
      upgrader backup back 20170801T101500Z-1a2b
      upgrader backup back 20170801T101500Z-1a2b --without dbs02
    """
    transport = settings.transport()
    kept = kept_by(settings.archive.find(run))
    plan = _plan(transport, kept, "back", Options(kept=kept, without=without))
    click.echo(_lost(transport, kept, plan), err=True)
    confirm(plan, yes)
    runs.execute(settings, transport, plan, restart, output)


@click.command()
@click.argument("run", metavar="RUN", shell_complete=RUN)
@YES
@RESTART
@OUTPUT
@click.pass_obj
def rejoin(settings: Settings, run: str, yes: bool, restart: bool, output: str) -> None:
    """Give the member that run RUN keeps back to the cluster, which went on. After that it is no way back any more.

    The member is sent what was written meanwhile, or everything where that is no longer held; the others serve on.

    \b
    Example:
      upgrader backup rejoin 20170801T101500Z-1a2b
    """
    transport = settings.transport()
    kept = kept_by(settings.archive.find(run))
    plan = _plan(transport, kept, "rejoin", Options(kept=kept))
    confirm(plan, yes)
    runs.execute(settings, transport, plan, restart, output)


COMMANDS = (hold, back, rejoin)


def kept_by(run: RunProgress) -> Kept:
    """The member that a run keeps, by its journal. Raises Refused when it keeps none."""
    for node, value in run.answers().get(HELD, {}).items():
        if isinstance(value, dict) and "receipt" in value:
            members = next(step.call.nodes for step in run.plan.steps() if step.id == "member-window")
            return Kept(run.run_id, node, value["receipt"]["galera"], members)
    raise Refused(
        f"run {run.run_id} ({run.stage}) keeps no member of the database cluster: 'upgrader history' lists the runs; "
        f"without one, 'upgrader backup restore ID' goes back"
    )


def _plan(transport: Transport, kept: Kept, stage: str, options: Options) -> Plan:
    return Now(transport).plan(PART, stage, replace(options, kept=kept))


def _lost(transport: Transport, kept: Kept, plan: Plan) -> str:
    """How far the others went on since the kept moment, as far as they can still say it."""
    step = next(step for step in plan.steps() if step.id == "member-others")
    call = question(step.id, "ask how far the others went on", step.call.function, step.call.nodes, **step.call.args)
    call = replace(call, call=replace(call.call, args={**call.call.args, "run": ""}))
    head = f"run {kept.run} kept {short(kept.node)} at seqno {kept.galera['seqno']}"
    try:
        replies = asked(transport, (*readiness(step.call.nodes, modules_digest()), call))
    except UpgradeError as error:
        return f"{head}; how much was written since, nobody says ({error})"
    seqnos = [r.value["seqno"] for r in replies.values() if isinstance(r.value, dict) and r.value.get("seqno", -1) >= 0]
    if not seqnos:
        return f"{head}; how much was written since, nobody can say"
    return f"{head}, the others are at {max(seqnos)}: {max(0, max(seqnos) - kept.galera['seqno'])} events since are given up"
