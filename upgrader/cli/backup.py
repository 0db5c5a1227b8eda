"""``upgrader backup``: take, list, verify, prove, place, restore and prune backups of the database cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from upgrader.cli import members, runs
from upgrader.cli.completion import RUN as RUN_IDS
from upgrader.cli.confirm import confirm
from upgrader.cli.options import OUTPUT, RESTART
from upgrader.cli.plans import Now
from upgrader.cli.questions import asked, question, readiness, refuse_failed
from upgrader.cli.settings import Settings, modules_digest, operator, read_cloud
from upgrader.cloud.cloud import BACKUP, DATABASE, Cloud
from upgrader.plan.backup_prune import prune_call
from upgrader.plan.stages import BACKUP as PART
from upgrader.plan.stages import keeps_backup
from upgrader.plan.step import Options, Plan, Step
from upgrader.report import backups, document
from upgrader.transport.base import Transport

HOUR = 3600
RUN = "RUN"
"""What stands for the run's id in a dry run."""

ANOTHER = click.option(
    "--another-cluster", is_flag=True, help="Accept a backup whose Galera cluster is not the one that is there now."
)


@click.group("backup")
def backup() -> None:
    """Back the databases up, prove it, and put the whole cluster back to one backup, named by its id.

    \b
    Example:
      upgrader backup create
      upgrader backup list
    """


@backup.command()
@OUTPUT
@click.pass_obj
def create(settings: Settings, output: str) -> None:
    """Back up the whole cluster from its least busy node into the backup store, and prove that it can be restored.

    The databases are only read. The id of the backup is the run's.

    \b
    Example:
      upgrader backup create
    """
    runs.start(settings, PART, "create", False, output, Options())


@backup.command()
@click.argument("receipt", metavar="ID", shell_complete=RUN_IDS)
@OUTPUT
@click.pass_obj
def prove(settings: Settings, receipt: str, output: str) -> None:
    """Prove again that backup ID can be restored: a scratch server starts on it and every table is compared.

    \b
    Example:
      upgrader backup prove 20170801T101500Z-1a2b
    """
    runs.start(settings, PART, "prove", False, output, Options(receipt=receipt))


@backup.command("list")
@OUTPUT
@click.pass_obj
def list_command(settings: Settings, output: str) -> None:
    """List the backups in the store, newest last.

    \b
    Example:
      upgrader backup list
      upgrader backup list -o json
    """
    transport = settings.transport()
    cloud = read_cloud(transport)
    held = _held(transport, cloud)
    if output == "json":
        click.echo(document.render(backups.list_document(cloud.name, held)))
    else:
        click.echo(backups.list_text(held))


@backup.command()
@click.argument("receipt", metavar="ID", shell_complete=RUN_IDS)
@OUTPUT
@click.pass_obj
def verify(settings: Settings, receipt: str, output: str) -> None:
    """Compare the archive of backup ID with its receipt: number of bytes, then sha256 over all of them.

    \b
    Example:
      upgrader backup verify 20170801T101500Z-1a2b
    """
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
@click.argument("receipt", metavar="ID", shell_complete=RUN_IDS)
@ANOTHER
@OUTPUT
@click.pass_obj
def place(settings: Settings, receipt: str, another_cluster: bool, output: str) -> None:
    """Make backup ID ready beside every data directory, so that restoring it later takes only renames and starts.

    Servers run on. Says beforehand what room it needs; the copies stay until a restore uses them, or until you remove them.

    \b
    Example:
      upgrader backup place 20170801T101500Z-1a2b
    """
    runs.start(settings, PART, "place", False, output, Options(receipt=receipt, another_cluster=another_cluster))


@backup.command()
@click.argument("receipt", metavar="ID", shell_complete=RUN_IDS)
@click.option(
    "--dry-run", is_flag=True, help="Print what would be done on which node; ask the nodes, change nothing there."
)
@click.option("--yes", is_flag=True, help="Do not ask for the id to be typed; for scripts.")
@ANOTHER
@RESTART
@OUTPUT
@click.pass_obj
def restore(
    settings: Settings, receipt: str, dry_run: bool, yes: bool, another_cluster: bool, restart: bool, output: str
) -> None:
    """Put every database node back to backup ID. All databases are replaced; the servers stand still meanwhile.

    What is there now stays on every node, beside the data directory, under the name of the run.

    \b
    Example:
      upgrader backup restore 20170801T101500Z-1a2b --dry-run
      upgrader backup restore 20170801T101500Z-1a2b
    """
    options = Options(receipt=receipt, another_cluster=another_cluster)
    if dry_run:
        _dry_run(settings, options, output)
        return
    transport = settings.transport()
    plan = Now(transport).plan(PART, "restore", options)
    confirm(plan, yes)
    runs.execute(settings, transport, plan, restart, output)


@backup.command()
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    help="How many stay, the newest.  [default: pillar upgrader:backup:server:full_backups_to_keep, or 5]",
)
@click.option("--dry-run", is_flag=True, help="Only say which would be removed.")
@OUTPUT
@click.pass_obj
def prune(settings: Settings, keep: int | None, dry_run: bool, output: str) -> None:
    """Remove the oldest backups. One that a run may still need stays, whatever its age: without it there is no way back.

    \b
    Example:
      upgrader backup prune --keep 5 --dry-run
      upgrader backup prune --keep 5
    """
    if dry_run:
        _prune_dry_run(settings, keep, output)
        return
    transport = settings.transport()
    now, archive = Now(transport), settings.archive
    with archive.lock(now.cloud.name, operator()):
        protected = sorted(archive.needed_backups(now.cloud.name, keeps_backup))
        plan = now.plan(PART, "prune", Options(keep=keep, protected=tuple(protected)))
        outcome = runs.begin(settings, transport, plan, restart=False)
    run = archive.find(outcome.run_id)
    runs.require_success(run, outcome)
    answer = run.answers()["prune"][now.cloud.role(BACKUP)[0]]
    _show_pruning(now.cloud.name, answer, protected, False, output, run.run_id)


def _prune_dry_run(settings: Settings, keep: int | None, output: str) -> None:
    """What would go, from the store itself. Nothing is removed, so neither lock nor journal is needed."""
    transport = settings.transport()
    cloud = read_cloud(transport)
    protected = sorted(settings.archive.needed_backups(cloud.name, keeps_backup))
    call = prune_call(cloud, Options(keep=keep, protected=tuple(protected)), dry_run=True)
    step = question("prune", "look for old backups", call.function, (), call.timeout, **call.args)
    _show_pruning(cloud.name, _of_store(transport, cloud, step), protected, True, output, None)


def _show_pruning(
    cloud: str, answer: Mapping[str, Any], protected: list[str], dry_run: bool, output: str, run: str | None
) -> None:
    if output == "json":
        click.echo(document.render(backups.prune_document(cloud, answer, protected, dry_run, run)))
    else:
        click.echo(backups.prune_text(answer, protected, dry_run))


def _of_store(transport: Transport, cloud: Cloud, step: Step) -> Any:
    """What the backup node answers to one question."""
    node = cloud.role(BACKUP)[:1]
    step = question(step.id, step.title, step.call.function, node, step.call.timeout, **step.call.args)
    replies = asked(transport, (*readiness(node, modules_digest()), step))
    refuse_failed(replies)
    return replies[node[0]].value


def _held(transport: Transport, cloud: Cloud) -> list[Mapping[str, Any]]:
    found = _of_store(transport, cloud, question("list", "read the receipts", "upgrader_store.receipts", ()))
    return sorted(found, key=lambda receipt: str(receipt.get("taken_at", "")))


def _dry_run(settings: Settings, options: Options, output: str) -> None:
    """The plan, and what each node says it would do. Refused when a gate would refuse."""
    transport = settings.transport()
    now = Now(transport)
    cloud, plan = now.cloud, now.plan(PART, "restore", options)
    steps = {step.id: step for step in plan.steps()}
    store, database = cloud.role(BACKUP)[:1], cloud.role(DATABASE)
    ready = readiness((*store, *database), modules_digest())
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


for command in members.COMMANDS:
    backup.add_command(command)
