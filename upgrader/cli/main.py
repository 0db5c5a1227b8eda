"""The command line: options, exit codes and nothing else. Errors become one sentence and the documented exit code here."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from dataclasses import replace
from pathlib import Path

import click

from upgrader import __version__
from upgrader.cli import control, members, plans, preflight, runs
from upgrader.cli.backup import backup
from upgrader.cli.one_of import OneOf
from upgrader.cli.options import OUTPUT, PART, RESTART, repair_option, stage_option, window_options
from upgrader.cli.settings import Settings
from upgrader.cli.verify import verify
from upgrader.errors import UpgradeError
from upgrader.journal.archive import DEFAULT_STATE_DIR
from upgrader.plan.step import Options
from upgrader.transport.doors import DOORS


class LazyGroup(click.Group):
    """Loads commands only when they are asked for: an operator's cloud needs no lab, `upgrader status` no reclass."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), "lab", "model", "site"])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "lab":
            from upgrader.lab.cli import lab

            return lab
        if cmd_name == "model":
            from upgrader.cli.model import model

            return model
        if cmd_name == "site":
            from upgrader.cli.site import site

            return site
        return super().get_command(ctx, cmd_name)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="upgrader")
@click.option(
    "--salt-config",
    type=click.Path(path_type=Path),
    default=Path("/etc/salt/master"),
    show_default=True,
    envvar="UPGRADER_SALT_CONFIG",
    help="Configuration of the Salt master on this machine.",
)
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path),
    default=DEFAULT_STATE_DIR,
    show_default=True,
    envvar="UPGRADER_STATE_DIR",
    help="Folder of journals and locks.",
)
@click.option(
    "--transport",
    type=OneOf(lambda: DOORS),
    default="master",
    show_default=True,
    envvar="UPGRADER_TRANSPORT",
    help="How Salt is reached.",
)
@click.pass_context
def cli(ctx: click.Context, salt_config: Path, state_dir: Path, transport: str) -> None:
    """Take an OpenStack Mitaka cloud to Ocata, stage by stage, with a journal and a way back.

    \b
    Exit codes: 0 done, 1 a step failed, 2 usage, 3 a gate or check refused, 4 in doubt or locked,
    5 Salt unreachable, 6 waiting for approval, 130 interrupted (the run can be resumed).
    """
    ctx.obj = Settings(salt_config, state_dir, transport)


@cli.command("control-plane")
@stage_option()
@repair_option()
@window_options
@RESTART
@click.option("--yes", is_flag=True, help="Do not ask for confirmation where the stage wants one; for scripts.")
@OUTPUT
@click.pass_obj
def control_plane(
    settings: Settings, stage: str, repair_server_groups: bool, hard_stop: bool, member: str, run: str | None,
    without: tuple[str, ...], restart: bool, yes: bool, output: str,
) -> None:  # fmt: skip
    """Run one stage of the control plane's upgrade.

    test-upgrade rehearses on a copy: it backs up the databases, restores the backup under other names, takes those to
    Ocata on the upgrade node and verifies. Production databases and services are only read.

    real-upgrade builds production's controllers anew on Ocata: APIs are stopped, one database member and the machines' disks are
    kept, the schemas are upgraded once. rollback puts all of that back, from the receipts of that run. finish is the last word:
    the kept member and disks are given up.

    \b
    Examples:
      upgrader control-plane --stage test-upgrade
      upgrader control-plane --stage real-upgrade
      upgrader control-plane --stage rollback
      upgrader control-plane --stage finish
    """
    options = Options(repair_server_groups, hard_stop=hard_stop, member=member, without=without)
    control.start(settings, control.Asked(stage, options, run, restart, yes, output))


@cli.command("preflight")
@repair_option()
@click.option(
    "--deep",
    is_flag=True,
    help="Have the upgrade node's own code of the services judge the live rows as well, page by page. Takes minutes.",
)
@OUTPUT
@click.pass_obj
def preflight_command(settings: Settings, repair_server_groups: bool, deep: bool, output: str) -> None:
    """Ask the live databases all questions that the upgrade will ask, before anything moves.

    Changes nothing in the databases: the session that asks refuses every write. Names every blocker at once, with the
    rows, what would fail and the remedy. Exit code 3 when there is one, and when --deep finds no code that could judge.
    """
    preflight.ask(settings, output, Options(repair_server_groups), deep)


@cli.group()
def plan() -> None:
    """Show what a stage would do. Touches nothing: no node is asked, only the model is read."""


@plan.command("control-plane")
@stage_option()
@repair_option()
@window_options
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the plan there, for 'upgrader apply'."
)
@OUTPUT
@click.pass_obj
def plan_control_plane(
    settings: Settings, stage: str, repair_server_groups: bool, hard_stop: bool, member: str, run: str | None,
    without: tuple[str, ...], out: Path | None, output: str,
) -> None:  # fmt: skip
    """Print the steps of a control plane stage, with the digest of the plan, and keep it for 'upgrader apply DIGEST'."""
    options = Options(repair_server_groups, hard_stop=hard_stop, member=member, without=without)
    words = control.Asked(stage, options, run, False, True, output)
    plans.show(settings, PART, stage, output, replace(options, built=control.built_of(settings.archive, words)), out)


@cli.command()
@click.argument("plan", metavar="FILE|DIGEST")
@RESTART
@click.option("--yes", is_flag=True, help="Do not ask for confirmation where the stage wants one; for scripts.")
@OUTPUT
@click.pass_obj
def apply(settings: Settings, plan: str, restart: bool, yes: bool, output: str) -> None:
    """Run exactly the plan that 'upgrader plan' showed: the one in FILE, or the kept one whose digest begins so.

    Refused with exit code 3 when a formula, a Salt module or the pillar has changed since; it says which.
    """
    runs.apply(settings, plan, restart, yes, output)


@cli.command()
@click.argument("run", required=False)
@click.option("--accept-pillar", is_flag=True, help="Go on although the pillar changed since; goes into the journal.")
@OUTPUT
@click.pass_obj
def resume(settings: Settings, run: str | None, accept_pillar: bool, output: str) -> None:
    """Go on with a run that stopped: the newest unfinished one, or RUN (the beginning of its id is enough).

    Refused with exit code 3 when a formula, a Salt module or the pillar has changed since; it says which.
    """
    runs.resume(settings, run, accept_pillar, output)


@cli.command()
@click.argument("run", required=False)
@OUTPUT
@click.pass_obj
def status(settings: Settings, run: str | None, output: str) -> None:
    """Say where the newest unfinished run (or RUN) stands; when none is, the newest. Reads the journals only."""
    runs.status(settings, run, output)


@cli.command()
@OUTPUT
@click.pass_obj
def history(settings: Settings, output: str) -> None:
    """List all runs, newest last. Reads the journals only."""
    runs.history(settings, output)


@cli.command()
@click.argument("step")
@click.option("--run", help="Which run; the newest unfinished one by default.")
@click.option("--reason", required=True, help="Why this step counts as done; goes into the journal with your name.")
@click.pass_obj
def stamp(settings: Settings, step: str, run: str | None, reason: str) -> None:
    """Record that STEP was done by hand, so that resume passes over it."""
    runs.stamp(settings, step, run, reason)


for command in members.COMMANDS:
    backup.add_command(command)
cli.add_command(backup)
cli.add_command(verify)


def entry() -> None:
    """What the console script runs. The only place that turns errors into exit codes."""
    try:
        code = cli.main(prog_name="upgrader", standalone_mode=False)
    except click.exceptions.Abort:
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except UpgradeError as error:
        click.echo(f"upgrader: {' '.join(str(error).split())}", err=True)
        code = error.exit_code
    except KeyboardInterrupt:
        click.echo("upgrader: interrupted", err=True)
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except Exception as error:  # noqa: BLE001  the one place where an unexpected error becomes a sentence
        click.echo(
            f"upgrader: internal error ({type(error).__name__}); the details are in {_crash_report()}, please report them",
            err=True,
        )
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _crash_report() -> str:
    """The traceback goes to a file readable by its owner only, never to the terminal."""
    descriptor, path = tempfile.mkstemp(prefix="upgrader-crash-", suffix=".txt")
    with os.fdopen(descriptor, "w") as file:
        traceback.print_exc(file=file)
    return path
