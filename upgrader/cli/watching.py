"""Following a run that was started elsewhere, from its journal. No lock is taken and nothing is written: the run is not touched."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import click
from rich.console import Console

from upgrader.cli.runs import require_success
from upgrader.cli.settings import utc_now
from upgrader.engine.results import outcome_of
from upgrader.errors import InDoubt, Interrupted, UpgradeError
from upgrader.journal.archive import Archive
from upgrader.journal.journal import Record
from upgrader.journal.progress import ABANDONED, FINISHED, RUNNING, RunProgress
from upgrader.journal.step_fold import FAILED
from upgrader.journal.tail import Tail
from upgrader.report import text
from upgrader.report.console import ConsoleObserver
from upgrader.report.replay import Replay

EVERY = 0.5
"""Seconds between two looks at the file."""
IDLE = 5.0
"""Seconds without a process that works on the run, after which it has stopped. A resume holds the lock a moment before its first line."""


def watch(archive: Archive, run: str | None) -> None:
    """To the run's end, whose exit code this has; Ctrl-C ends the watching alone."""
    path = _path(archive, run)
    try:
        with closing(ConsoleObserver(Console(highlight=False))) as console:
            ended, rows = _follow(archive, path, console)
    except KeyboardInterrupt:
        click.echo(f"detached; 'upgrader watch {path.stem}' returns, and the run goes on", err=True)
        return
    _conclude(ended, rows)


def _path(archive: Archive, run: str | None) -> Path:
    """The run that is named, else the one that is at work, else what ``status`` would tell of."""
    if run is None:
        found = archive.at_work()
        if found is not None:
            return found
        current = archive.find(None)
        return archive.journal_path(current.plan.cloud, current.run_id)
    return archive.path_of(run)


def _follow(archive: Archive, path: Path, console: ConsoleObserver) -> tuple[RunProgress, list[Record]]:
    """Until the run has ended, or until nobody has worked on it for ``IDLE`` seconds."""
    tail, replay, worked = Tail(path), Replay(), time.monotonic()
    while True:
        at_work = archive.is_worked_on(path.parents[1].name, path.stem)
        if tail.look():
            _tell(replay, tail.records, at_work, console)
        if replay.run is not None and replay.run.state != RUNNING:
            return replay.run, tail.records
        if at_work:
            worked = time.monotonic()
        elif time.monotonic() - worked > IDLE:
            return _known(replay.run, path), tail.records
        for waiting in replay.waiting(utc_now()) if at_work else ():
            console.notify(waiting)
        time.sleep(EVERY)


def _tell(replay: Replay, records: list[Record], at_work: bool, console: ConsoleObserver) -> None:
    """What came since the last look; at the first one only where the run stands and what is being done."""
    first = replay.run is None
    events = list(replay.catch_up(records) if first else replay.take(records))
    if first and at_work and replay.run is not None:
        _so_far(replay.run)
    for event in events if at_work or not first else ():
        console.notify(event)


def _known(run: RunProgress | None, path: Path) -> RunProgress:
    if run is None:
        raise InDoubt(f"journal {path} holds no line: the run was cut off before anything was done")
    return run


def _so_far(run: RunProgress) -> None:
    """In short what happened before: one sentence, and each step that failed."""
    if run.state != RUNNING:
        return
    click.echo(f"{text.now_sentence(run)}; started {run.started_at} by {run.operator}")
    for step in run.plan.steps():
        if run.steps[step.id].state == FAILED:
            click.echo(f"failed {step.id}: {run.steps[step.id].reason}")


def _conclude(run: RunProgress, rows: list[Record]) -> None:
    """The end as the run's own command has it: a sentence on stdout, or the exit code by exception."""
    sentence = text.run_sentence(run)
    if run.state == FINISHED:
        click.echo(sentence)
    elif run.state == ABANDONED:
        raise UpgradeError(sentence)
    elif run.state != RUNNING:
        require_success(run, outcome_of(run))
    elif rows[-1]["event"] == "run-interrupted":
        raise Interrupted(f"the run was interrupted, and no process works on it: {sentence}")
    else:
        raise InDoubt(f"the run was cut off, and no process works on it: {sentence}")
