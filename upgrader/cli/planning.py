"""The commands that plan and ask before anything is done: ``plan``, ``runbook``, ``preflight``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from upgrader.cli import control, plans, preflight
from upgrader.cli.nodes.command import plan_data_plane
from upgrader.cli.options import OUTPUT, PART, output_option, repair_option, stage_option, window_options
from upgrader.cli.settings import Settings
from upgrader.cli.writing import write
from upgrader.plan.step import Options


@click.command("preflight")
@click.option(
    "--stage",
    type=click.Choice(["test-upgrade", "real-upgrade"]),
    default="test-upgrade",
    show_default=True,
    help="The stage whose own gates are asked as well.",
)
@repair_option()
@click.option(
    "--deep",
    is_flag=True,
    help="Have the upgrade node's own code of the services judge the live rows as well, page by page. Takes minutes.",
)
@OUTPUT
@click.pass_obj
def preflight_command(settings: Settings, stage: str, repair_server_groups: bool, deep: bool, output: str) -> None:
    """Ask every node what would stop the upgrade, all at once, before anything moves.

    The databases' rows, the cluster, queue, load balancer, hypervisors, clocks, room, package sources, drivers, options, the
    model and the backups. Changes nothing but Salt's modules on a node that has those of another version: the session that
    asks a database refuses every write. Names every blocker with the rows, what would fail and the remedy; rows that are many
    are in a file that is named. A node that is silent is a finding. Exit code 3 when there is a blocker, and when --deep finds
    no code that could judge.

    \b
    Example:
      upgrader preflight
      upgrader preflight --stage real-upgrade
      upgrader preflight --deep -o json > preflight.json
    """
    preflight.ask(settings, output, stage, Options(repair_server_groups), deep)


@click.group()
def plan() -> None:
    """Show what a stage would do. Touches nothing: no node is asked, only the model is read.

    \b
    Example:
      upgrader plan control-plane --stage test-upgrade
    """


@plan.command("control-plane")
@stage_option()
@repair_option()
@window_options
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the plan there, for 'upgrader apply'."
)
@output_option("text", "json", "yaml", "orch")
@click.pass_obj
def plan_control_plane(settings: Settings, stage: str, out: Path | None, output: str, **words: Any) -> None:
    """Print the steps of a control plane stage, with the digest of the plan, and keep it for 'upgrader apply DIGEST'.

    \b
    Example:
      upgrader plan control-plane --stage test-upgrade
      upgrader plan control-plane --stage test-upgrade --out /root/plan.json
      upgrader plan control-plane --stage test-upgrade -o yaml | less
      upgrader plan control-plane --stage test-upgrade -o orch > /srv/salt/orch/rehearsal.sls
    """
    options = control.options_of(settings.archive, control.asked(stage, **words))
    plans.show(settings, PART, stage, output, options, out)


plan.add_command(plan_data_plane)


@click.command()
@click.argument("part", type=click.Choice([PART]), default=PART, metavar=f"[{PART}]")
@stage_option()
@repair_option()
@window_options
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write it there, readable by you only.")
@click.pass_obj
def runbook(settings: Settings, part: str, stage: str, out: Path | None, **words: Any) -> None:
    """Print a stage as commands that can be pasted: Markdown, for reading, or for doing it by hand.

    Each step with its commands on the Salt master and on the node, what to expect, how long it took the last time, the way
    back, and what to do when it fails. Touches nothing: no node is asked, only the model is read.

    \b
    Example:
      upgrader runbook --stage test-upgrade --out runbook.md
    """
    text = plans.runbook_of(settings, part, stage, control.options_of(settings.archive, control.asked(stage, **words)))
    if out is None:
        click.echo(text, nl=False)
    else:
        write(out, text, "runbook")
        click.echo(f"the runbook is in {out}")
