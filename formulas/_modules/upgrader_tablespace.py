"""Clones on this database node: filled from the store's exports by tablespaces, and compared with the backup's contents."""

import contextlib
import json
import os
import shutil
import tempfile
import time

import upgrader_borrowed
import upgrader_connection
import upgrader_contents
import upgrader_database
import upgrader_galera
import upgrader_ledger
import upgrader_local_server
import upgrader_lock
import upgrader_pillar
import upgrader_pipeline
import upgrader_store_link
import upgrader_tablespaces as tablespaces
from salt.exceptions import CommandExecutionError

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_tablespace"

CHECKPOINT_SECONDS = 900
SPARE_BYTES = 256 * 1024 * 1024
REFUSALS = (
    upgrader_connection.ConnectionRefused,
    upgrader_store_link.LinkFailed,
    upgrader_lock.LockHeld,
    upgrader_contents.ContentsLost,
    upgrader_ledger.NotOurs,
)


def __virtual__():
    return __virtualname__ if pymysql else (False, "PyMySQL is not installed in Salt's Python")


def load(receipt, clones, exports, timeout=14400):
    """Fill clones on this node with the tables' own files. Every node of a cluster has to: nothing of it is replicated.

    A clone that holds what the backup holds is left alone; one that a cut-off call left in between is emptied on this
    node and filled again.

    :param clones: name of the clone to name of the database in the backup; each must be this run's in the ledger
    :param exports: name of the database to ``{bytes, sha256, unfit, ..}``, as ``upgrader_export.create`` answered

    CLI Example:

    .. code-block:: bash

        salt 'dbs*' upgrader_tablespace.load receipt=20170801T101500Z-1a2b clones='{nova_upgrade: nova}' exports='{...}'
    """
    started, loaded = time.time(), []
    fast = {clone: source for clone, source in clones.items() if not exports[source]["unfit"]}
    with _refusing("clones not filled"):
        link = upgrader_store_link.command(_client())
        contents = upgrader_store_link.ask(link, "contents", receipt)["databases"]
        with upgrader_lock.exclusively(
            upgrader_borrowed.LOCK, "the database server of this node"
        ), _connect() as connection:
            with connection.cursor() as cursor:
                upgrader_ledger.require(cursor, sorted(fast), receipt)
            _room(sum(exports[source]["data_bytes"] for source in fast.values()))
            for clone, source in sorted(fast.items()):
                if not _same(connection, contents, clone, source):
                    _load(connection, link, receipt, clone, source, exports[source], timeout)
                    loaded.append(clone)
            if not upgrader_borrowed.checkpoint(_connect, CHECKPOINT_SECONDS):
                raise CommandExecutionError(
                    "InnoDB has not written down the imported tables within {} s, and until then a backup or a state transfer "
                    "would leave them out: look at the disks of this node, then run the step again".format(
                        CHECKPOINT_SECONDS
                    )
                )
    return {
        "comment": "{} in {:.0f} s".format(
            "filled " + ", ".join(loaded) if loaded else "nothing to fill", time.time() - started
        ),
        "changed": bool(loaded),
    }


def compare(receipt, clones, members):
    """On this node the clones hold exactly what the backup held, and the node is a synced member of its cluster.

    :param clones: name of the clone to name of the database in the backup
    :param members: how many database nodes the model has

    CLI Example:

    .. code-block:: bash

        salt 'dbs*' upgrader_tablespace.compare receipt=20170801T101500Z-1a2b clones='{nova_upgrade: nova}' members=3
    """
    started = time.time()
    with _refusing("clones not compared"):
        contents = upgrader_store_link.ask(upgrader_store_link.command(_client()), "contents", receipt)["databases"]
        with _connect() as connection:
            if upgrader_galera.enabled(connection):
                upgrader_galera.run(connection, upgrader_galera.SETTLED_READS)
            found = upgrader_contents.take(connection, clones)
            health = upgrader_galera.status(connection)
    findings = upgrader_galera.findings(__opts__["id"], health, int(members))
    findings += [
        {
            "severity": "blocker",
            "subject": __opts__["id"],
            "what": "on {} {}".format(__opts__["id"], phrase),
            "remedy": "the clone is not used; start the stage again with --restart",
        }
        for phrase in upgrader_contents.differences(contents, found, clones)[:10]
    ]
    tables = sum(len(held) for held in found.values())
    return {
        "comment": "{} tables equal the backup in {:.0f} s".format(tables, time.time() - started),
        "findings": findings,
    }


def _load(connection, link, receipt, clone, source, export, timeout):
    """All tables of one clone, on this node only."""
    folder = os.path.join(upgrader_local_server.datadir(shutil.which), clone)
    with tempfile.TemporaryDirectory(prefix=".upgrader-clone-", dir=_beside(folder)) as arrived:
        made = _fetch(link, receipt, source, export, arrived, timeout)
        tablespaces.begin_locally(connection, clone)
        tablespaces.remove_all(connection, clone, folder)
        tablespaces.make_all(connection, made)
        for name in tablespaces.files(made):
            os.replace(os.path.join(arrived, name), os.path.join(folder, name))
        tablespaces.take_in(connection, made)
    for table in made:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(folder, table + ".cfg"))


def _beside(folder):
    """Where files wait on the clone's own filesystem: beside the data directory, where no server takes it for a database."""
    datadir = os.path.dirname(folder)
    outside = os.path.dirname(datadir)
    return outside if os.stat(outside).st_dev == os.stat(datadir).st_dev else folder


def _fetch(link, receipt, source, export, target, timeout):
    """The export's files into ``target``; their sha256 is the export's. Returns the tables' definitions."""
    unpacking = [["zstd", "-q", "-d", "-c"], ["tar", "-x", "--no-same-permissions", "-C", target, "-f", "-"]]
    ended, passed, digest, _ = upgrader_pipeline.pump(
        [link + ["export {} {}".format(receipt, source)]], unpacking, timeout
    )
    cause = upgrader_pipeline.first_cause(ended)
    if cause is not None:
        raise CommandExecutionError(
            "export of {} cannot be fetched: {}; {} MB are free on this node".format(
                source, upgrader_pipeline.describe(cause), shutil.disk_usage(target).free // 1000000
            )
        )
    if (passed, digest) != (export["bytes"], export["sha256"]):
        raise CommandExecutionError(
            "export of {} is not what was exported ({} bytes, sha256 {}): run the step clone-export again".format(
                source, passed, digest
            )
        )
    with open(os.path.join(target, tablespaces.DEFINITIONS)) as file:
        return json.load(file)


def _same(connection, contents, clone, source):
    """Whether the clone holds the backup's contents already. An empty one is told without reading any table."""
    if set(upgrader_database.table_names(connection, clone)) != set(contents[source]):
        return False
    try:
        found = upgrader_contents.take(connection, [clone])
    except (upgrader_contents.ContentsLost, *upgrader_connection.errors(pymysql)):
        return False  # tables without their files: a call was cut off between discard and import
    return not upgrader_contents.differences(contents, found, {clone: source})


def _room(needed):
    datadir = upgrader_local_server.datadir(shutil.which)
    free = shutil.disk_usage(datadir).free
    if free < needed + SPARE_BYTES:
        raise CommandExecutionError(
            "{} has {} MB free and the clones need {} MB: make room on this node, or take the way by dump and load".format(
                datadir, free // 1000000, (needed + SPARE_BYTES) // 1000000
            )
        )


def _client():
    return upgrader_pillar.value(__pillar__, "xtrabackup:client", {})


def _connect():
    return upgrader_local_server.connect(pymysql, _client())


@contextlib.contextmanager
def _refusing(what):
    """The tool's own errors become Salt's; the driver's say what the server said."""
    try:
        yield
    except REFUSALS as error:
        raise CommandExecutionError("{}: {}".format(what, error)) from None
    except upgrader_connection.errors(pymysql) as error:
        raise CommandExecutionError("{}: the database server says {}".format(what, error)) from None
