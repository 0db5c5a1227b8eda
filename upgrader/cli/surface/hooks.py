"""When hooks are told, and of what."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import click

from upgrader.cli.settings import Settings, operator, utc_now
from upgrader.errors import UpgradeError
from upgrader.hooks import document
from upgrader.hooks.tell import tell
from upgrader.journal.progress import RunProgress
from upgrader.plan.step import Plan

BEFORE = timedelta(minutes=15)
"""How long before its end a waiting plan is spoken of again, once; at half of its time where it waits for less than twice that."""


def tell_run(settings: Settings, run: RunProgress, sentence: str, journal: str) -> None:
    """A run ended, well or not."""
    _tell(settings, document.of_run(run, sentence, journal, utc_now()))


def ask(settings: Settings, plan: Plan, seconds: int) -> None:
    """Ask for the approval of a plan, say so, and once more shortly before its time is over and nobody has decided."""
    now = utc_now()
    asked = settings.approvals.ask(plan, operator(), now, seconds)
    stage = plan.stages[0].name
    _tell(settings, document.of_approval(asked, plan.part, stage, now))
    before = min(BEFORE, timedelta(seconds=seconds) / 2)
    late = (datetime.fromisoformat(asked.expires_at) - before).isoformat()
    later = document.of_approval(asked, plan.part, stage, late, "expiring")
    _tell(settings, later, not_before=late, unless=str(settings.approvals.path(plan)))


def _tell(settings: Settings, told: Mapping[str, Any], **when: str) -> None:
    """Files of configuration are read anew: one that was broken meanwhile is said, and changes nothing of what the run came to."""
    try:
        sentences = tell(settings.config.hooks, told, settings.state_dir, **when)
    except UpgradeError as error:
        sentences = [f"no hook is told of this: {error}"]
    for sentence in sentences:
        click.echo(f"upgrader: {sentence}", err=True)
