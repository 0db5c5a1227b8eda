"""What a shell can complete: run ids and steps, from the journals alone. Never Salt, and never an error: nothing is offered then."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import click

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
