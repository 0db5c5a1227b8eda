"""``upgrader backup``: take, list, verify, prove, place, restore and prune backups of the database cluster."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import click

from upgrader.cli import runs
from upgrader.cli.questions import asked, question, readiness, refuse_failed
from upgrader.cli.settings import Settings, formulas_digest, read_cloud
from upgrader.errors import Refused, UsageError
from upgrader.model.cloud import BACKUP, DATABASE, Cloud
from upgrader.plan import BACKUP as PART
from upgrader.plan import CREATE, PLACE, PROVE, RESTORE, make_plan
from upgrader.plan.step import Options, Plan, Step
from upgrader.report import backups, document
from upgrader.report.wording import short
from upgrader.transport.base import Transport

HOUR = 3600
RUN = "RUN"
"""What stands for the run's id in a dry run."""

OUTPUT = click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Form of the result on stdout.",
)
ANOTHER = click.option(
    "--another-cluster", is_flag=True, help="Accept a backup whose Galera cluster is not the one that is there now."
)


@click.group("backup")
def backup() -> None:
    """Back the databases up, prove it, and put the whole cluster back to one backup, named by its id."""


@backup.command()
@OUTPUT
@click.pass_obj
def create(settings: Settings, output: str) -> None:
    """Back up the whole cluster from its least busy node into the backup store, and prove that it can be restored.

    The databases are only read. The id of the backup is the run's.
    """
    runs.start(settings, PART, CREATE, False, output, Options())


@backup.command()
@click.argument("receipt", metavar="ID")
@OUTPUT
@click.pass_obj
def prove(settings: Settings, receipt: str, output: str) -> None:
    """Prove again that backup ID can be restored: a scratch server starts on it and every table is compared."""
    runs.start(settings, PART, PROVE, False, output, Options(receipt=receipt))


@backup.command("list")
@OUTPUT
@click.pass_obj
def list_command(settings: Settings, output: str) -> None:
    """List the backups in the store, newest last."""
    transport = settings.transport()
    cloud = read_cloud(transport)
    held = _held(transport, cloud)
    if output == "json":
        click.echo(document.render(backups.list_document(cloud.name, held)))
    else:
        click.echo(backups.list_text(held))


@backup.command()
@click.argument("receipt", metavar="ID")
@OUTPUT
@click.pass_obj
def verify(settings: Settings, receipt: str, output: str) -> None:
    """Compare the archive of backup ID with its receipt: number of bytes, then sha256 over all of them."""
    transport = settings.transport()
    cloud = read_cloud(transport)
    title = f"compare backup {receipt} with its receipt"
    found = _of_store(
        transport, cloud, question("verify", title, "upgrader_store.verify", (), 4 * HOUR, receipt=receipt)
    )
    if output == "json":
        click.echo(document.render(backups.one_document(cloud.name, found)))
    else:
        click.echo(f"backup {receipt} is as its receipt says: {found['bytes']} bytes, sha256 {found['sha256']}")


@backup.command()
@click.argument("receipt", metavar="ID")
@ANOTHER
@OUTPUT
@click.pass_obj
def place(settings: Settings, receipt: str, another_cluster: bool, output: str) -> None:
    """Make backup ID ready beside every data directory, so that restoring it later takes only renames and starts.

    Servers run on. Says beforehand what room it needs; the copies stay until a restore uses them, or until you remove them.
    """
    runs.start(settings, PART, PLACE, False, output, Options(receipt=receipt, another_cluster=another_cluster))


@backup.command()
@click.argument("receipt", metavar="ID")
@click.option(
    "--dry-run", is_flag=True, help="Print what would be done on which node; ask the nodes, change nothing there."
)
@click.option("--yes", is_flag=True, help="Do not ask for the id to be typed; for scripts.")
@ANOTHER
@click.option("--restart", is_flag=True, help="Leave an unfinished run of this cloud behind and begin anew.")
@OUTPUT
@click.pass_obj
def restore(
    settings: Settings, receipt: str, dry_run: bool, yes: bool, another_cluster: bool, restart: bool, output: str
) -> None:
    """Put every database node back to backup ID. All databases are replaced; the servers stand still meanwhile.

    What is there now stays on every node, beside the data directory, under the name of the run.
    """
    options = Options(receipt=receipt, another_cluster=another_cluster)
    if dry_run:
        _dry_run(settings, options, output)
        return
    _confirm(settings, receipt, yes)
    runs.start(settings, PART, RESTORE, restart, output, options)


@backup.command()
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    help="How many stay, the newest.  [default: pillar xtrabackup:server:full_backups_to_keep, or 5]",
)
@click.option("--dry-run", is_flag=True, help="Only say which would be removed.")
@OUTPUT
@click.pass_obj
def prune(settings: Settings, keep: int | None, dry_run: bool, output: str) -> None:
    """Remove the oldest backups. One that a run refers to stays, whatever its age: without it there is no way back."""
    transport = settings.transport()
    cloud = read_cloud(transport)
    protected = sorted(settings.archive.receipts_referred_to(cloud.name))
    args: dict[str, Any] = {"keep": keep, "protected": protected, "dry_run": dry_run}
    step = question("prune", "look for old backups", "upgrader_store.prune", (), HOUR, **args)
    found = _of_store(transport, cloud, step)
    if output == "json":
        click.echo(document.render(backups.prune_document(cloud.name, found, protected, dry_run)))
    else:
        click.echo(backups.prune_text(found, protected, dry_run))


def _of_store(transport: Transport, cloud: Cloud, step: Step) -> Any:
    """What the backup node answers to one question."""
    node = cloud.role(BACKUP)[:1]
    step = question(step.id, step.title, step.call.function, node, step.call.timeout, **step.call.args)
    replies = asked(transport, (*readiness(node, formulas_digest()), step))
    refuse_failed(replies)
    return replies[node[0]].value


def _held(transport: Transport, cloud: Cloud) -> list[Mapping[str, Any]]:
    found = _of_store(transport, cloud, question("list", "read the receipts", "upgrader_store.receipts", ()))
    return sorted(found, key=lambda receipt: str(receipt.get("taken_at", "")))


def _confirm(settings: Settings, receipt: str, yes: bool) -> None:
    """A restore throws away what was written since the backup: somebody has to mean exactly this one."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(
            f"restoring backup {receipt} replaces all databases, and there is no terminal to confirm it on: give --yes"
        )
    nodes = ", ".join(short(node) for node in read_cloud(settings.transport()).role(DATABASE))
    click.echo(
        f"This stops the database servers of {nodes} and puts them back to backup {receipt}. What was written since is no "
        f"longer served (the present data directories are kept, renamed).",
        err=True,
    )
    if click.prompt("Type the id of the backup to go on", default="", show_default=False, err=True).strip() != receipt:
        raise Refused("not confirmed; nothing was done")


def _dry_run(settings: Settings, options: Options, output: str) -> None:
    """The plan, and what each node says it would do. Refused when a gate would refuse."""
    transport = settings.transport()
    cloud = read_cloud(transport)
    plan = make_plan(cloud, PART, RESTORE, formulas_digest(), options)
    steps = {step.id: step for step in plan.steps()}
    store, database = cloud.role(BACKUP)[:1], cloud.role(DATABASE)
    ready = readiness((*store, *database), formulas_digest())
    proven = asked(transport, (*ready, steps["restore-receipt"]))
    refuse_failed(proven)
    document_of_backup = proven[store[0]].value["receipt"]
    args = {**steps["restore-node"].call.args, "receipt": document_of_backup}
    fits = asked(
        transport, [question("restore-node", steps["restore-node"].title, "upgrader_restore.check", database, **args)]
    )
    told = asked(
        transport,
        [
            question(
                "intended",
                "ask every node what it would do",
                "upgrader_restore.intended",
                database,
                receipt=document_of_backup,
                run=RUN,
                founder=database[0],
            )
        ],
    )
    refuse_failed(told)
    actions = {node: list(reply.value["actions"]) for node, reply in told.items()}
    _show_dry_run(plan, actions, _findings(fits), output)
    refuse_failed(fits)


def _findings(replies: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    values = [reply.value for reply in replies.values() if isinstance(reply.value, Mapping)]
    return [finding for value in values for finding in value.get("findings", [])]


def _show_dry_run(plan: Plan, actions: Mapping[str, list[str]], found: list[Mapping[str, Any]], output: str) -> None:
    if output == "json":
        click.echo(document.render(backups.dry_run_document(plan, actions, found)))
    else:
        click.echo(backups.dry_run_text(plan, actions, found, RUN))
