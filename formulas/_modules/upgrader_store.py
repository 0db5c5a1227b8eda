"""The backup store on the backup node: room, receipts, and the proof that a backup can be restored."""

import contextlib
import os
import shutil
import time

import upgrader_backup_tool as backup_tool
import upgrader_connection
import upgrader_contents
import upgrader_database
import upgrader_lock
import upgrader_pillar
import upgrader_pipeline
import upgrader_receipt
import upgrader_scratch
from salt.exceptions import CommandExecutionError

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_store"

SCRATCH, PREPARED = "scratch", "prepared"
SPARE_BYTES = 512 * 1024 * 1024
ROOM_FACTOR = 2.2
DEFAULT_KEEP = 5  # as salt-formula-xtrabackup's server has it


def __virtual__():
    return __virtualname__ if pymysql else (False, "PyMySQL is not installed in Salt's Python")


def check_room():
    """The store has room for an archive and a prepared copy of everything the server holds, with some to spare.

    The size is what information_schema says of all databases; an archive is never larger, a prepared copy a little.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_store.check_room
    """
    store = _store()
    with _admin() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT COALESCE(SUM(data_length + index_length), 0) FROM information_schema.tables")
        held = int(cursor.fetchone()[0])
    needed = int(held * ROOM_FACTOR) + SPARE_BYTES
    free = shutil.disk_usage(_existing(store)).free
    if free < needed:
        raise CommandExecutionError(
            "backup store {} has {} MB free and needs {} MB for databases of {} MB: make room there or set pillar "
            "xtrabackup:server:backup_dir to a larger disk".format(
                store, free // 1000000, needed // 1000000, held // 1000000
            )
        )
    return {
        "comment": "{} MB free, {} MB needed".format(free // 1000000, needed // 1000000),
        "free": free,
        "needed": needed,
    }


def receipts():
    """Every finished backup in the store, oldest first.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_store.receipts
    """
    store = _store()
    names = sorted(os.listdir(store)) if os.path.isdir(store) else []
    return [_receipt(store, n) for n in names if os.path.exists(os.path.join(store, n, upgrader_receipt.RECEIPT))]


def verify(receipt):
    """Compare an archive with its receipt, byte by byte (sha256).

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_store.verify receipt=20170801T101500Z-1a2b
    """
    try:
        return upgrader_receipt.verify(_store(), receipt)
    except upgrader_receipt.BadReceipt as error:
        raise CommandExecutionError(str(error)) from None


def prove(receipt, databases=None, timeout=14400):
    """Restore a backup into a scratch server and account for every table in it: only then is it called proven.

    Every table of every database is read by the engine (CHECK TABLE), and its rows and checksum are those that the source
    had at the moment of the backup. The position in the cluster's history is the receipt's.

    :param databases: whose row counts, live and soft-deleted, are answered as ``counts``: later steps compare with them
    Leaves behind: the prepared copy in ``<store>/scratch/<receipt>`` until ``remove_scratch``.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_store.prove receipt=20170801T101500Z-1a2b databases='[nova, nova_api]'
    """
    store, started, databases = _store(), time.time(), databases or []
    with _exclusively(store):
        document, expected = verify(receipt), _contents(store, receipt)
        missing = sorted(set(databases) - set(expected))
        if missing:
            raise CommandExecutionError(
                "the backup holds no database {}: is it the backup of the right server?".format(", ".join(missing))
            )
        _remove_other_copies(store, receipt)
        folder = _prepare(store, document, timeout)
        _same_position(document, folder)
        with _scratch_server(folder) as connection:
            _check_tables(connection, sorted(expected))
            _same_contents(expected, upgrader_contents.take(connection))
            counts = upgrader_database.table_counts(connection, databases)
        folder_of_backup = upgrader_receipt.folder(store, receipt)
        upgrader_receipt.write(os.path.join(folder_of_backup, upgrader_receipt.COUNTS), counts)
        document["proven"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        upgrader_receipt.write(os.path.join(folder_of_backup, upgrader_receipt.RECEIPT), document)
    tables = sum(len(held) for held in expected.values())
    return {
        "comment": "{} tables of {} databases equal their source in {:.0f} s".format(
            tables, len(expected), time.time() - started
        ),
        "counts": counts,
        "receipt": document,
    }


def require_proven(receipt, cloud=""):
    """Refuse a backup that was never proven, that is another cloud's, or whose archive is not what its receipt says.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_store.require_proven receipt=20170801T101500Z-1a2b cloud=prague
    """
    document = _receipt(_store(), receipt)
    if not document.get("proven"):
        raise CommandExecutionError(
            "backup {0} was never proven, so nobody knows whether it can be restored: run 'upgrader backup prove {0}' first".format(
                receipt
            )
        )
    if cloud and document.get("cloud") != cloud:
        raise CommandExecutionError(
            "backup {} is of cloud {}, this is cloud {}: name a backup of this one".format(
                receipt, document.get("cloud") or "unknown", cloud
            )
        )
    return {
        "comment": "proven {proven}, {bytes} bytes as their receipt says".format(**verify(receipt)),
        "receipt": document,
    }


def prune(keep=None, protected=(), dry_run=False):
    """Remove the oldest backups beyond ``keep``, never one that is ``protected``.

    :param keep: how many backups stay at least; pillar ``xtrabackup:server:full_backups_to_keep`` when it is not given, or 5
    :param protected: ids that journals refer to; they stay whatever their number

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_store.prune keep=5 protected='[20170801T101500Z-1a2b]' dry_run=True
    """
    if keep is None:
        keep = upgrader_pillar.value(__pillar__, "xtrabackup:server:full_backups_to_keep", DEFAULT_KEEP)
    if int(keep) < 1:
        raise CommandExecutionError("at least one backup has to stay: give keep as 1 or more")
    store = _store()
    with _exclusively(store):
        held = sorted(receipts(), key=lambda document: document["taken_at"])
        spare = [document for document in held[: -int(keep)] if document["id"] not in protected]
        for document in spare if not dry_run else []:
            _remove(store, document["id"])
    freed = sum(document["bytes"] for document in spare)
    removed = [document["id"] for document in spare]
    return {
        "comment": "{} {} of {} backups, {} MB".format(
            "would remove" if dry_run else "removed", len(removed), len(held), freed // 1000000
        ),
        "removed": removed,
        "kept": [document["id"] for document in held if document["id"] not in removed],
        "changed": bool(removed) and not dry_run,
    }


def prepared(receipt, timeout=14400):
    """The folder of a proven backup's prepared copy; the copy is made again from the verified archive when it is gone.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_store.prepared receipt=20170801T101500Z-1a2b
    """
    store = _store()
    document = _receipt(store, receipt)
    if not document.get("proven"):
        raise CommandExecutionError("backup {} was never proven: run upgrader_store.prove first".format(receipt))
    folder = _scratch_folder(store, receipt)
    if os.path.exists(os.path.join(folder, PREPARED)):
        return folder
    with _exclusively(store):
        return _prepare(store, verify(receipt), timeout)


def remove_scratch(receipt):
    """Remove a backup's prepared copy and its exports, ending a scratch server that may still run. The archive stays.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_store.remove_scratch receipt=20170801T101500Z-1a2b
    """
    store = _store()
    folder = _scratch_folder(store, receipt)
    exports = os.path.join(upgrader_receipt.folder(store, receipt), upgrader_receipt.EXPORT)
    with _exclusively(store):
        there = [path for path in (folder, exports) if os.path.isdir(path)]
        if folder in there:
            upgrader_scratch.stop(folder)
        for path in there:
            shutil.rmtree(path)
    return {"comment": "removed {}".format(" and ".join(there) or "nothing"), "changed": bool(there)}


def _scratch_folder(store, receipt):
    """Where the prepared copy of a backup is."""
    try:
        return os.path.join(store, SCRATCH, os.path.basename(upgrader_receipt.folder(store, receipt)))
    except upgrader_receipt.BadReceipt as error:
        raise CommandExecutionError(str(error)) from None


def _prepare(store, document, timeout):
    """Unpack and prepare an archive once; a copy that a crash left half-made has no mark and is made anew."""
    folder = _scratch_folder(store, document["id"])
    mark = os.path.join(folder, PREPARED)
    if os.path.exists(mark):
        return folder
    if os.path.isdir(folder):
        upgrader_scratch.stop(folder)
        shutil.rmtree(folder)
    os.makedirs(folder, mode=0o700)
    tool = backup_tool.find(shutil.which)
    if tool is None:
        raise CommandExecutionError(
            "no backup tool on the backup node: install mariadb-backup (or percona-xtrabackup) there too"
        )
    archive = os.path.join(upgrader_receipt.folder(store, document["id"]), upgrader_receipt.ARCHIVE)
    unpacking = [backup_tool.decompress_command(archive), backup_tool.unpack_command(tool, folder)]
    cause = upgrader_pipeline.first_cause(upgrader_pipeline.run(unpacking, timeout=timeout))
    if cause is not None:
        raise CommandExecutionError(
            "archive {} cannot be unpacked: {}".format(archive, upgrader_pipeline.describe(cause))
        )
    preparing = upgrader_pipeline.run([backup_tool.prepare_command(tool, folder)], timeout=timeout)[0]
    if preparing.code != 0 or not backup_tool.succeeded(preparing.words):
        raise CommandExecutionError(
            "backup {} cannot be prepared: {}".format(document["id"], backup_tool.last_complaint(preparing.words))
        )
    with open(mark, "w") as file:
        os.fsync(file.fileno())
    return folder


def _remove_other_copies(store, receipt):
    """Prepared copies that earlier runs left when they were given up. Their archives stay, so nothing is lost."""
    copies = os.path.join(store, SCRATCH)
    for name in os.listdir(copies) if os.path.isdir(copies) else []:
        if name != receipt:
            upgrader_scratch.stop(os.path.join(copies, name))
            shutil.rmtree(os.path.join(copies, name))


def _scratch_server(folder):
    """A running server on a prepared copy, as a context; gives a connection to it."""

    def connect(socket):
        return upgrader_connection.connect(pymysql, "the scratch server", unix_socket=socket, user="root")

    return upgrader_scratch.server(folder, connect)


def _remove(store, identity):
    """The receipt goes first: what has none is no backup any more, whenever this is cut off."""
    folder = upgrader_receipt.folder(store, identity)
    copy = _scratch_folder(store, identity)
    if os.path.isdir(copy):
        upgrader_scratch.stop(copy)
        shutil.rmtree(copy)
    os.unlink(os.path.join(folder, upgrader_receipt.RECEIPT))
    shutil.rmtree(folder)


def _same_position(document, folder):
    galera, found = document.get("galera"), backup_tool.position(folder)
    if galera and found != (galera["uuid"], galera["seqno"]):
        raise CommandExecutionError(
            "backup {} is at {} of its cluster's history and its receipt says {}: take another backup".format(
                document["id"], found, (galera["uuid"], galera["seqno"])
            )
        )


def _check_tables(connection, databases):
    """CHECK TABLE on every table: the engine's own word that it can read them."""
    for database in databases:
        for table in upgrader_database.table_names(connection, database):
            said = upgrader_database.rows(connection, "CHECK TABLE `{}`.`{}`".format(database, table))
            if said[-1][3] != "OK":
                raise CommandExecutionError(
                    "table {}.{} in the backup is damaged: {}; take another backup".format(database, table, said[-1][3])
                )


def _same_contents(expected, found):
    wrong = upgrader_contents.differences(expected, found, {name: name for name in set(expected) | set(found)})
    if wrong:
        raise CommandExecutionError(
            "the restored backup differs from what its source held: {}{}; take another backup".format(
                "; ".join(wrong[:5]), " and {} more".format(len(wrong) - 5) if len(wrong) > 5 else ""
            )
        )


def _contents(store, receipt):
    try:
        return upgrader_receipt.contents(store, receipt)
    except upgrader_receipt.BadReceipt as error:
        raise CommandExecutionError(str(error)) from None


@contextlib.contextmanager
def _exclusively(store):
    """One restoration at a time in this store."""
    try:
        with upgrader_lock.exclusively(os.path.join(_existing(store), ".lock"), "the backup store"):
            yield
    except upgrader_lock.LockHeld as error:
        raise CommandExecutionError(str(error)) from None


def _receipt(store, identity):
    try:
        return upgrader_receipt.read(store, identity)
    except upgrader_receipt.BadReceipt as error:
        raise CommandExecutionError(str(error)) from None


def _existing(path):
    """The folder itself, or the nearest one above it that exists: the one whose disk will be filled."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def _store():
    return upgrader_pillar.value(__pillar__, "xtrabackup:server:backup_dir", upgrader_receipt.DEFAULT_STORE)


def _admin():
    try:
        return upgrader_connection.admin(pymysql, upgrader_pillar.value(__pillar__, upgrader_connection.ADMIN, {}))
    except upgrader_connection.ConnectionRefused as error:
        raise CommandExecutionError(str(error)) from None
