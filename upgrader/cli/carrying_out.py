"""The commands that carry a stage out: ``control-plane``, ``apply``, ``resume``, and ``stamp`` for what was done by hand."""

from __future__ import annotations

from typing import Any

import click

from upgrader.cli import control, runs
from upgrader.cli.completion import RUN, STEP
from upgrader.cli.options import OUTPUT, RESTART, repair_option, stage_option, window_options
from upgrader.cli.settings import Settings, operator, utc_now
from upgrader.journal.approvals import APPROVED, REJECTED


@click.command("control-plane")
@stage_option()
@repair_option()
@window_options
@RESTART
@click.option("--yes", is_flag=True, help="Do not ask for confirmation where the stage wants one; for scripts.")
@click.option(
    "--wait", is_flag=True, help="Ask nobody here: keep the plan, wait for 'upgrader approve', end with exit code 6."
)
@OUTPUT
@click.pass_obj
def control_plane(
    settings: Settings, stage: str, restart: bool, yes: bool, wait: bool, output: str, **words: Any
) -> None:
    """Run one stage of the control plane's upgrade.

    test-upgrade rehearses on a copy: it backs up the databases, restores the backup under other names, takes those to
    Ocata on the upgrade node and verifies. Production databases and services are only read.

    real-upgrade builds production's controllers anew on Ocata: the APIs are stopped, one database member and the machines'
    disks are kept, the schemas are upgraded once. rollback puts all of that back, from the receipts of that run. finish is
    the last word: the kept member and the kept disks are given up.

    \b
    Example:
      upgrader control-plane --stage test-upgrade
      upgrader control-plane --stage real-upgrade
      upgrader control-plane --stage real-upgrade --wait
      upgrader control-plane --stage rollback
      upgrader control-plane --stage finish
    """
    control.start(settings, control.asked(stage, restart=restart, yes=yes, wait=wait, output=output, **words))


@click.command()
@click.argument("plan", metavar="FILE|DIGEST")
@RESTART
@click.option("--yes", is_flag=True, help="Do not ask for confirmation where the stage wants one; for scripts.")
@OUTPUT
@click.pass_obj
def apply(settings: Settings, plan: str, restart: bool, yes: bool, output: str) -> None:
    """Run exactly the plan that 'upgrader plan' showed: the one in FILE, or the kept one whose digest begins so.

    Refused with exit code 3 when a formula, a Salt module or the pillar has changed since; it says which.

    \b
    Example:
      upgrader plan control-plane --stage test-upgrade --out /root/plan.json
      upgrader apply /root/plan.json
    """
    runs.apply(settings, plan, restart, yes, output)


@click.command()
@click.argument("run", required=False, shell_complete=RUN)
@click.option("--accept-pillar", is_flag=True, help="Go on although the pillar changed since; goes into the journal.")
@OUTPUT
@click.pass_obj
def resume(settings: Settings, run: str | None, accept_pillar: bool, output: str) -> None:
    """Go on with a run that stopped: the newest unfinished one, or RUN (the beginning of its id is enough).

    Refused with exit code 3 when a formula, a Salt module or the pillar has changed since; it says which.

    \b
    Example:
      upgrader resume
      upgrader resume 20170801T101500Z
    """
    runs.resume(settings, run, accept_pillar, output)


@click.command()
@click.argument("step", shell_complete=STEP)
@click.option("--run", shell_complete=RUN, help="Which run; the newest unfinished one by default.")
@click.option("--reason", required=True, help="Why this step counts as done; goes into the journal with your name.")
@click.pass_obj
def stamp(settings: Settings, step: str, run: str | None, reason: str) -> None:
    """Record that STEP was done by hand, so that resume passes over it.

    \b
    Example:
      upgrader stamp clone-fill --reason 'loaded by hand with mysql, see ticket 4711'
    """
    runs.stamp(settings, step, run, reason)


@click.command()
@click.argument("plan", metavar="DIGEST")
@click.option("--by", default="", metavar="NAME", help="Who approves.  [default: you]")
@click.pass_obj
def approve(settings: Settings, plan: str, by: str) -> None:
    """Approve the plan that waits under DIGEST (its first digits are enough); 'upgrader apply DIGEST' runs it then.

    It names exactly that plan, holds for two hours, and is void when formulas, modules or pillar change: apply says which.

    \b
    Example:
      upgrader approve 1a2b3c4d5e6f
    """
    given = settings.approvals.decide(plan, APPROVED, by or operator(), utc_now())
    click.echo(
        f"plan {given.short} ({given.what} of cloud {given.cloud}) is approved by {given.by} until {given.expires_at}"
    )


@click.command()
@click.argument("plan", metavar="DIGEST")
@click.option("--reason", required=True, help="Why not.")
@click.option("--by", default="", metavar="NAME", help="Who rejects.  [default: you]")
@click.pass_obj
def reject(settings: Settings, plan: str, reason: str, by: str) -> None:
    """Reject the plan that waits under DIGEST: it does not run any more.

    \b
    Example:
      upgrader reject 1a2b3c4d5e6f --reason 'not before the maintenance window'
    """
    given = settings.approvals.decide(plan, REJECTED, by or operator(), utc_now(), reason)
    click.echo(f"plan {given.short} ({given.what} of cloud {given.cloud}) is rejected by {given.by}: {given.reason}")
