"""Clones on this database node: filled from the store's exports by tablespaces, and compared with the backup's contents."""

from salt.exceptions import CommandExecutionError
from upgrader_node.clone import load as clone_load
from upgrader_node.database.local_server import LocalServer
from upgrader_node.errors import told_as
from upgrader_node.host import lock, settings

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_tablespace"


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
    server = LocalServer(__opts__["id"], pymysql, settings.client(__pillar__))
    told = told_as(CommandExecutionError, "clones not filled", pymysql)
    with told, lock.exclusively(lock.DATABASE, "upgrader_tablespace.load", receipt):
        return clone_load.load(server, receipt, clones, exports, timeout)


def compare(receipt, clones, members):
    """On this node the clones hold exactly what the backup held, and the node is a synced member of its cluster.

    :param clones: name of the clone to name of the database in the backup
    :param members: how many database nodes the model has

    CLI Example:

    .. code-block:: bash

        salt 'dbs*' upgrader_tablespace.compare receipt=20170801T101500Z-1a2b clones='{nova_upgrade: nova}' members=3
    """
    server = LocalServer(__opts__["id"], pymysql, settings.client(__pillar__))
    told = told_as(CommandExecutionError, "clones not compared", pymysql)
    with told, lock.exclusively(lock.DATABASE, "upgrader_tablespace.compare", receipt):
        return clone_load.compare(server, receipt, clones, int(members))
