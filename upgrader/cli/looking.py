"""The commands that look at runs: ``status``, ``history``, ``report``, ``watch``. They read journals, and take no lock."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import click

from upgrader.cli.completion import RUN
from upgrader.cli.options import OUTPUT, output_option
from upgrader.cli.settings import Settings
from upgrader.cli.writing import write
from upgrader.journal.journal import read_journal
from upgrader.report import document, text
from upgrader.report.status import status_text


@click.command()
@click.argument("run", required=False, shell_complete=RUN)
@OUTPUT
@click.option("--all", "whole", is_flag=True, help="Show every step, not only those around where it stands.")
@click.pass_obj
def status(settings: Settings, run: str | None, output: str, whole: bool) -> None:
    """Say where the newest unfinished run (or RUN) stands; when none is, the newest. Reads the journals only.

    On one screen: what runs on which node since when, what comes next, what to type, and the steps around it.

    \b
    Example:
      upgrader status
      upgrader status --all
      upgrader status 20170801T101500Z -o json
    """
    archive, found = settings.archive, settings.archive.find(run)
    journal = archive.journal_path(found.plan.cloud, found.run_id)
    if output == "json":
        click.echo(document.render(document.run_document(found, str(journal), archive.is_locked(found.plan.cloud))))
    else:
        working = archive.is_worked_on(found.plan.cloud, found.run_id)
        click.echo(status_text(found, journal, working, datetime.now(timezone.utc), whole))


@click.command()
@OUTPUT
@click.pass_obj
def history(settings: Settings, output: str) -> None:
    """List all runs, newest last. Reads the journals only.

    \b
    Example:
      upgrader history
      upgrader history -o json
    """
    runs, unreadable = settings.archive.history()
    for sentence in unreadable:
        click.echo(f"upgrader: {sentence}", err=True)
    click.echo(document.render(document.history_document(runs)) if output == "json" else text.history_text(runs))


@click.command()
@click.argument("run", required=False, shell_complete=RUN)
@output_option("html", "md", "json")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write it there, readable by you only.")
@click.pass_obj
def report(settings: Settings, run: str | None, output: str, out: Path | None) -> None:
    """Tell a whole run on one page: what was done, when, what it took and what came of it; the newest run, or RUN.

    Of any run: finished, failed, interrupted, or still at work. The page is one file that needs no network. Reads the journal only.

    \b
    Example:
      upgrader report --out report.html
      upgrader report 20170801T101500Z -o md
    """
    from upgrader.report.account.document import report_document
    from upgrader.report.account.forms import FORMS

    archive = settings.archive
    path = archive.path_of(run)
    told = report_document(read_journal(path), str(path), archive.is_worked_on(path.parents[1].name, path.stem))
    shown = FORMS[output](told)
    if out is None:
        click.echo(shown, nl=False)
    else:
        write(out, shown, "report")
        click.echo(f"the report of run {told['run']} is in {out}")


@click.command()
@click.argument("run", required=False, shell_complete=RUN)
@click.pass_obj
def watch(settings: Settings, run: str | None) -> None:
    """Follow a run that was started elsewhere, to its end: the one that is at work, or RUN.

    Says in short what happened before, then every line that the run's own terminal shows. Ends with the run's exit code. Ctrl-C
    detaches and leaves the run alone. Takes no lock, writes nothing.

    \b
    Example:
      upgrader watch
      upgrader watch 20170801T101500Z | tee upgrade.log
    """
    from upgrader.cli import watching

    watching.watch(settings.archive, run)
