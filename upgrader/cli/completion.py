"""What a shell can complete, and the script that makes it: commands, stages, run ids and steps.

Run ids and steps come from the journals alone: never from Salt, and never with an error, as nobody could read it. Nothing is
offered then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from upgrader.content import DEFAULT_STATE_DIR
from upgrader.errors import UpgradeError
from upgrader.journal.archive import Archive

Complete = Callable[[click.Context, click.Parameter, str], list[str]]
MOST = 30
"""Run ids that are offered, the newest."""


def _archive(ctx: click.Context) -> Archive:
    """The journals below the folder that the command line, or the environment, names."""
    given = ctx.find_root().params.get("state_dir")
    return Archive(Path(given) if given else DEFAULT_STATE_DIR)


def runs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Ids of runs, the newest first. No journal is opened."""
    try:
        return _fitting(reversed([path.stem for path in _archive(ctx).all_paths()]), incomplete)[:MOST]
    except OSError:
        return []


def steps(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Steps of the run that ``--run`` names, or of the one that stands now."""
    try:
        run = _archive(ctx).find(ctx.params.get("run"))
        return _fitting((step.id for step in run.plan.steps()), incomplete)
    except (UpgradeError, OSError):
        return []


def _fitting(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


RUN: Complete = runs
STEP: Complete = steps
SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command()
@click.argument("shell", type=click.Choice(list(SHELLS)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands, options, stages, runs and steps in bash, zsh or fish.

    \b
    Example:
      upgrader completion bash > /etc/bash_completion.d/upgrader
      upgrader completion zsh > "${fpath[1]}/_upgrader"
      upgrader completion fish > ~/.config/fish/completions/upgrader.fish
    """
    complete = SHELLS[shell](ctx.find_root().command, {}, "upgrader", "_UPGRADER_COMPLETE")
    # Not ShellComplete.source(): bash's would start a bash to ask its version, and fail where there is none.
    click.echo(complete.source_template % complete.source_vars())
