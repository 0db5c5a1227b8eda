"""Exports of a proven backup's databases on the backup node: what database nodes fetch to clone them by tablespaces."""

import json
import os
import tempfile
import time

import upgrader_backup_tool as backup_tool
import upgrader_connection
import upgrader_database
import upgrader_pillar
import upgrader_pipeline
import upgrader_receipt
import upgrader_scratch
import upgrader_tablespaces as tablespaces
from salt.exceptions import CommandExecutionError

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_export"

ARCHIVE = "{}.tar.zst"
INDEX = "index.json"


def __virtual__():
    return __virtualname__ if pymysql else (False, "PyMySQL is not installed in Salt's Python")


def create(receipt, databases, timeout=14400):
    """Export databases of a proven backup; says of each by which way it can be cloned, and why not by the fast one.

    The backup's scratch server holds the tables' files complete while they are packed. An export that is there is not
    made again.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_export.create receipt=20170801T101500Z-1a2b databases='[nova, nova_api]'
    """
    started = time.time()
    store = upgrader_pillar.value(__pillar__, "xtrabackup:server:backup_dir", upgrader_receipt.DEFAULT_STORE)
    target = os.path.join(upgrader_receipt.folder(store, receipt), upgrader_receipt.EXPORT)
    index = _index(target)
    wanted = [name for name in sorted(databases) if name not in index]
    if wanted:
        folder = __salt__["upgrader_store.prepared"](receipt, timeout)
        _own_folder(target)
        with upgrader_scratch.server(folder, _connect) as connection:
            for database in wanted:
                index[database] = _export(connection, folder, database, target, timeout)
                upgrader_receipt.write(os.path.join(target, INDEX), index)
    slow = sorted(name for name in databases if index[name]["unfit"])
    told = ["{} by dump and load, because {}".format(name, index[name]["unfit"]) for name in slow]
    fast = (
        ["{} by tablespaces".format(", ".join(sorted(set(databases) - set(slow))))]
        if len(slow) < len(databases)
        else []
    )
    return {
        "comment": "{} in {:.0f} s".format("; ".join(fast + told), time.time() - started),
        "exports": {name: index[name] for name in databases},
        "logical": slow,
        "changed": bool(wanted),
    }


def _index(target):
    """What was exported before; half a file is not in it."""
    try:
        with open(os.path.join(target, INDEX)) as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def _own_folder(target):
    """The folder belongs to the store's user, who has to read what is in it."""
    os.makedirs(target, mode=0o700, exist_ok=True)
    owner = os.stat(os.path.dirname(target))
    os.chown(target, owner.st_uid, owner.st_gid)


def _export(connection, folder, database, target, timeout):
    source = os.path.join(folder, database)
    unfit = tablespaces.unfit(connection, database, source)
    if unfit:
        return {"unfit": unfit}
    made = tablespaces.definitions(connection, database)
    path = os.path.join(target, ARCHIVE.format(database))
    with tempfile.TemporaryDirectory(prefix="upgrader-export-") as private:
        with open(os.path.join(private, tablespaces.DEFINITIONS), "w") as file:
            json.dump(made, file)
        if made:
            tablespaces.hold(connection, database, made)
        packing = ["tar", "-cf", "-", "--owner=mysql", "--group=mysql", "--mode=0660"]
        packing += ["-C", private, tablespaces.DEFINITIONS, "-C", source] + tablespaces.files(made)
        writing = ["dd", "bs=1M", "status=none", "of=" + path + ".new"]
        ended, passed, digest, _ = upgrader_pipeline.pump([packing, backup_tool.compress_command()], [writing], timeout)
        upgrader_database.rows(connection, "UNLOCK TABLES")
    cause = upgrader_pipeline.first_cause(ended)
    if cause is not None:
        os.unlink(path + ".new")
        raise CommandExecutionError(
            "{} cannot be exported to {}: {}".format(database, target, upgrader_pipeline.describe(cause))
        )
    owner = os.stat(target)
    os.chown(path + ".new", owner.st_uid, owner.st_gid)
    os.chmod(path + ".new", 0o600)
    os.replace(path + ".new", path)
    sizes = sum(os.path.getsize(os.path.join(source, table + ".ibd")) for table in made)
    return {"unfit": "", "bytes": passed, "sha256": digest, "data_bytes": sizes, "tables": len(made)}


def _connect(socket):
    return upgrader_connection.connect(pymysql, "the scratch server", unix_socket=socket, user="root")
