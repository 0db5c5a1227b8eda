"""Clones on this database node: filled from the store's exports by tablespaces, and compared with the backup's contents."""

import contextlib
import json
import os
import shutil
import tempfile
import time
import typing

from upgrader_node.backup import backup_tool, borrowed, store_link
from upgrader_node.clone import alone, ledger, tablespaces
from upgrader_node.database import contents, galera, local_server, sql
from upgrader_node.database.local_server import LocalServer
from upgrader_node.errors import StepError, driver_errors
from upgrader_node.host import findings, pipeline

CHECKPOINT_SECONDS = 900
SPARE_BYTES = 256 * 1024 * 1024
SHOWN = 10
Export = typing.Mapping[str, typing.Any]
Exports = typing.Mapping[str, Export]
Clones = typing.Mapping[str, str]
Answer = typing.Dict[str, typing.Any]


def load(server: LocalServer, receipt: str, clones: Clones, exports: Exports, timeout: float) -> Answer:
    """Fill clones on this node with the tables' own files; those that are right are left alone. Hold ``lock.DATABASE``.

    :param clones: name of the clone to name of the database in the backup
    :param exports: name of the database to what ``export.create`` answered of it
    """
    started = time.time()
    fast = {clone: source for clone, source in clones.items() if not exports[source]["unfit"]}
    link = store_link.command(server.client)
    held = store_link.ask(link, "contents", receipt)["databases"]
    with server.connect() as connection:
        with connection.cursor() as cursor:
            ledger.require(cursor, sorted(fast), receipt)
        _room(sum(exports[source]["data_bytes"] for source in fast.values()))
        errors = driver_errors(server.driver)
        todo = sorted(clone for clone in fast if not _same(connection, held, clone, fast[clone], errors))
        for clone in todo:
            arriving = Arriving(link, receipt, fast[clone], exports[fast[clone]], timeout)
            _load(connection, arriving, clone)
    _written_down(server)
    said = "filled " + ", ".join(todo) if todo else "nothing to fill"
    return {"comment": "{} in {:.0f} s".format(said, time.time() - started), "changed": bool(todo)}


def compare(server: LocalServer, receipt: str, clones: Clones, members: int) -> Answer:
    """The clones hold exactly what the backup held, nothing leads out of them, and this node is a synced member of its cluster."""
    started = time.time()
    held = store_link.ask(store_link.command(server.client), "contents", receipt)["databases"]
    with server.connect() as connection:
        if galera.enabled(connection):
            galera.run(connection, galera.SETTLED_READS)
        taken = contents.take(connection, clones)
        strange = _strange(connection, clones)
        health = galera.status(connection)
    wrong = galera.findings(server.node, health, members)
    remedy = "the clone is not used; start the stage again with --restart"
    for phrase in (strange + contents.differences(held, taken, clones))[:SHOWN]:
        wrong.append(findings.finding(server.node, "on {} {}".format(server.node, phrase), remedy))
    tables = sum(len(database) for database in taken.values())
    said = "{} tables equal the backup in {:.0f} s".format(tables, time.time() - started)
    return {"comment": said, "findings": wrong}


def _strange(connection: typing.Any, clones: Clones) -> typing.List[str]:
    """What leads out of a clone, or runs by itself in it: it was not copied, so somebody made it since."""
    return [
        "{} has {}, and a copy must have nothing that acts outside it".format(clone, phrase)
        for clone in sorted(clones)
        for phrase in (*alone.leads_away(connection, clone), *alone.programs(connection, clone))
    ]


class Arriving(typing.NamedTuple):
    """One export on its way from the store."""

    link: typing.Sequence[str]
    receipt: str
    source: str
    export: Export
    timeout: float


def _load(connection: typing.Any, arriving: Arriving, clone: str) -> None:
    """All tables of one clone, on this node only; what a cut-off call left of them is removed first."""
    folder = os.path.join(local_server.datadir(shutil.which), clone)
    with tempfile.TemporaryDirectory(prefix=".upgrader-clone-", dir=_beside(folder)) as arrived:
        made = _fetch(arriving, arrived)
        tablespaces.begin_locally(connection, clone)
        tablespaces.remove_all(connection, clone, folder)
        tablespaces.make_all(connection, made)
        tablespaces.discard(connection, made)
        for name in tablespaces.files(made):
            os.replace(os.path.join(arrived, name), os.path.join(folder, name))
        tablespaces.take_in(connection, made)
    for table in made:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(folder, table + ".cfg"))


def _beside(folder: str) -> str:
    """Where files wait on the clone's own filesystem: beside the data directory, where no server takes it for a database."""
    datadir = os.path.dirname(folder)
    outside = os.path.dirname(datadir)
    return outside if os.stat(outside).st_dev == os.stat(datadir).st_dev else folder


def _fetch(arriving: Arriving, target: str) -> typing.Dict[str, typing.Any]:
    """The export's files into ``target``; their sha256 is the export's. Returns the tables' definitions."""
    unpacking = [
        backup_tool.decompress_command(arriving.export["compression"]),
        ["tar", "-x", "--no-same-permissions", "-C", target, "-f", "-"],
    ]
    asking = [*arriving.link, "export {} {}".format(arriving.receipt, arriving.source)]
    ended, passed, digest, _ = pipeline.pump([asking], unpacking, arriving.timeout)
    cause = pipeline.first_cause(ended)
    if cause is not None:
        raise StepError(
            "export of {} cannot be fetched: {}; {} MB are free on this node".format(
                arriving.source, pipeline.describe(cause), shutil.disk_usage(target).free // 1000000
            )
        )
    if (passed, digest) != (arriving.export["bytes"], arriving.export["sha256"]):
        raise StepError(
            "export of {} is not what was exported ({} bytes, sha256 {}): run the step clone-export again".format(
                arriving.source, passed, digest
            )
        )
    with open(os.path.join(target, tablespaces.DEFINITIONS)) as file:
        made = json.load(file)  # type: typing.Dict[str, typing.Any]
        return made


def _same(
    connection: typing.Any, held: contents.Contents, clone: str, source: str, errors: typing.Tuple[typing.Any, ...]
) -> bool:
    """Whether the clone holds the backup's contents already. An empty one is told without reading any table."""
    if set(sql.table_names(connection, clone)) != set(held[source]):
        return False
    try:
        taken = contents.take(connection, [clone])
    except (contents.ContentsLost, *errors):
        return False  # tables without their files: a call was cut off between discard and import
    return not contents.differences(held, taken, {clone: source})


def _room(needed: int) -> None:
    datadir = local_server.datadir(shutil.which)
    free = shutil.disk_usage(datadir).free
    if free < needed + SPARE_BYTES:
        raise StepError(
            "{} has {} MB free and the clones need {} MB: make room on this node, or take the way by dump and load".format(
                datadir, free // 1000000, (needed + SPARE_BYTES) // 1000000
            )
        )


def _written_down(server: LocalServer) -> None:
    if not borrowed.checkpoint(server.connect, CHECKPOINT_SECONDS):
        raise StepError(
            "InnoDB has not written down the imported tables within {} s, and until then a backup or a state transfer would "
            "leave them out: look at the disks of this node, then run the step again".format(CHECKPOINT_SECONDS)
        )
