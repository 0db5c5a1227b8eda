"""The backup store on the backup node: room, receipts, and the proof that a backup can be restored."""

from salt.exceptions import CommandExecutionError
from upgrader_node.backup import prepared as prepared_copy
from upgrader_node.backup import proof, store
from upgrader_node.backup import receipt as backup_receipt
from upgrader_node.clone import export
from upgrader_node.database import connection, sql
from upgrader_node.errors import told_as
from upgrader_node.host import lock, settings

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_store"


def __virtual__():
    return __virtualname__ if pymysql else (False, "PyMySQL is not installed in Salt's Python")


def check_room():
    """The store has room for an archive and a prepared copy of everything the server holds, with some to spare.

    The size is what information_schema says of all databases.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_store.check_room
    """
    with _told(), connection.admin(pymysql, settings.admin(__pillar__)) as session:
        return store.room(settings.store(__pillar__), int(sql.scalar(session, store.SIZE)))


def receipts():
    """Every finished backup in the store, oldest first.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_store.receipts
    """
    with _told():
        return store.receipts(settings.store(__pillar__))


def verify(receipt):
    """Compare an archive with its receipt, byte by byte (sha256).

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_store.verify receipt=20170801T101500Z-1a2b
    """
    with _told():
        return backup_receipt.verify(settings.store(__pillar__), receipt)


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
    with _told(), lock.exclusively(lock.STORE, "upgrader_store.prove", receipt):
        return proof.prove(settings.store(__pillar__), receipt, databases or [], pymysql, timeout)


def require_proven(receipt, cloud=""):
    """Refuse a backup that was never proven, that is another cloud's, or whose archive is not what its receipt says.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_store.require_proven receipt=20170801T101500Z-1a2b cloud=prague
    """
    with _told():
        return store.require_proven(settings.store(__pillar__), receipt, cloud)


def prune(keep=None, protected=(), dry_run=False):
    """Remove the oldest backups beyond ``keep``, never one that is ``protected``.

    :param keep: how many backups stay at least; the model's number (``settings.keep``) when it is not given, or 5
    :param protected: ids that journals refer to; they stay whatever their number

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_store.prune keep=5 protected='[20170801T101500Z-1a2b]' dry_run=True
    """
    number = settings.keep(__pillar__) if keep is None else int(keep)
    folder = settings.store(__pillar__)
    if dry_run:
        with _told():
            return store.prune(folder, number, protected, True)
    with _told(), lock.exclusively(lock.STORE, "upgrader_store.prune"):
        return store.prune(folder, number, protected, False)


def prepared(receipt, timeout=14400):
    """The folder of a proven backup's prepared copy; the copy is made again from the verified archive when it is gone.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_store.prepared receipt=20170801T101500Z-1a2b
    """
    with _told(), lock.exclusively(lock.STORE, "upgrader_store.prepared", receipt):
        return prepared_copy.of_proven(settings.store(__pillar__), receipt, timeout)


def remove_scratch(receipt):
    """Remove a backup's prepared copy and its exports, ending a scratch server that a killed call left. The archive stays.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_store.remove_scratch receipt=20170801T101500Z-1a2b
    """
    folder = settings.store(__pillar__)
    with _told(), lock.exclusively(lock.STORE, "upgrader_store.remove_scratch", receipt):
        removed = [prepared_copy.remove(folder, receipt), export.remove(folder, receipt)]
    what = [name for name, there in zip(("the prepared copy", "the exports"), removed) if there]
    return {"comment": "removed {}".format(" and ".join(what) or "nothing"), "changed": bool(what)}


def _told():
    return told_as(CommandExecutionError, driver=pymysql)
