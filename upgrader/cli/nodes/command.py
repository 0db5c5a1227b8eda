"""The commands of the data plane: ``data-plane``, and ``plan data-plane`` that only shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from upgrader.cli import plans
from upgrader.cli.completion import RUN
from upgrader.cli.options import OUTPUT, RESTART, OneOf, output_option
from upgrader.cli.settings import Settings
from upgrader.cli.writing import write
from upgrader.errors import UsageError

PART = "data-plane"


def _stages() -> Sequence[str]:
    from upgrader.plan.stages import stage_names

    return stage_names(PART)


GIVEN = (
    click.option("--target", default="", metavar="NODES", help="Names, globs or a compound: 'cmp*', 'I@nova:compute and not cmp007'."),
    click.option("--stage", type=OneOf(_stages), help="Which stage.  [default: the next ones, with an approval between]"),
    click.option("--test-nodes", default="", metavar="N|NAMES", help="Which nodes test asks.  [default: all of the target]"),
    click.option("--sample", default="", metavar="N|NAMES", help="Which nodes are upgraded first.  [default: 1]"),
    click.option("--batch", default="", metavar="N|N%", help="Computes that are upgraded side by side.  [default: 10%]"),
    click.option("--max-failures", default="", metavar="N|N%", help="Nodes of a stage that may fail before no batch begins.  [default: 0]"),
    click.option("--include", multiple=True, metavar="NAMES", help="Packages that are left alone otherwise: qemu,libvirt,openvswitch."),
    click.option("--allow", multiple=True, metavar="NAMES", help="Packages that may be removed or go back a version."),
    click.option("--repair-dvr-routes", is_flag=True, help="Put back a default route that is missing behind the upgrade, and prove it."),
    click.option("--evacuate", is_flag=True, help="Move instances to other hosts first, where that is possible."),
    click.option("--restart-openvswitch", is_flag=True, help="Restart Open vSwitch, too: instances lose seconds of traffic."),
    click.option("--beyond", default="", metavar="ADDRESS", help="An address behind the external network that answers pings: paths lead there."),
    click.option("--instances", multiple=True, metavar="NAMES", help="Namespaces that stand for instances, where paths begin."),
    click.option("--run", default="", metavar="RUN", shell_complete=RUN, help="Which run rollback takes back.  [default: the newest]"),
)  # fmt: skip


def node_options(command: Any) -> Any:
    """What says which nodes, and what is done to them."""
    for option in reversed(GIVEN):
        command = option(command)
    return command


@click.command("data-plane")
@node_options
@click.option(
    "--approve-within", default="2h", show_default=True, metavar="TIME", help="For so long an approval can be given."
)
@RESTART
@click.option("--dry-run", is_flag=True, help="Only print the plan of the stage that comes next.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation where a stage wants one; for scripts.")
@click.option(
    "--wait", is_flag=True, help="Ask nobody here: keep the plan, wait for 'upgrader approve', end with exit code 6."
)
@OUTPUT
@click.pass_obj
def data_plane(settings: Settings, stage: str | None, **given: Any) -> None:
    """Upgrade computes and gateways: show what would change, a sample, then all others in batches.

    test refreshes the lists of packages and shows what waits on each node. sample upgrades a few nodes and proves them, all
    the others batch after batch; each wants an approval of exactly what was shown. Instances run on. rollback puts the nodes of
    a run back. What a node loses on each path, and each route that is missing, is measured and told.

    \b
    Example:
      upgrader data-plane --target 'cmp*'
      upgrader data-plane --target 'I@nova:compute' --stage test
      upgrader data-plane --target 'cmp*' --stage sample --sample cmp001,cmp014
      upgrader data-plane --target 'cmp*' --stage all --batch 10% --max-failures 2
      upgrader data-plane --target 'gtw*' --wait
      upgrader data-plane --target cmp001 --stage rollback
      upgrader data-plane --stage rollback --run 20170801T101500Z
    """
    from upgrader.cli.nodes import flow, words

    flow.start(settings, words.read(stage or "", given))


@click.command("data-plane")
@node_options
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the plan there, for 'upgrader apply'."
)
@click.option(
    "--runbook", type=click.Path(path_type=Path, dir_okay=False), help="Write it there as commands that can be pasted."
)
@output_option("text", "json", "yaml")
@click.pass_obj
def plan_data_plane(
    settings: Settings, stage: str | None, out: Path | None, runbook: Path | None, output: str, **given: Any
) -> None:
    """Print the steps of a stage of the data plane, node by node, and keep the plan for 'upgrader apply DIGEST'.

    \b
    Example:
      upgrader plan data-plane --target 'cmp*' --stage test
      upgrader plan data-plane --target 'cmp*' --stage all --batch 20 -o yaml | less
      upgrader plan data-plane --target 'cmp*' --stage sample --runbook sample.md
    """
    from upgrader.cli.nodes import flow, words
    from upgrader.cli.plans import Now
    from upgrader.plan.step import Options

    transport = settings.transport()
    now = Now(transport)
    chosen = flow.choose(settings, now, transport, words.read(stage or "", given))
    if chosen is None:
        raise UsageError("every node that --target names is upgraded: there is nothing to plan")
    for sentence in chosen.told:
        click.echo(sentence, err=True)
    plan = now.plan(PART, chosen.stage, Options(rollout=chosen.rollout))
    if runbook is not None:
        write(runbook, plans.runbook_text(settings, plan), "runbook")
    plans.show_plan(settings, plan, output, out)
