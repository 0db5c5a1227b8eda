"""Physical backup of the database server on this node, streamed to the backup store without a temporary copy here."""

from salt.exceptions import CommandExecutionError
from upgrader_node.backup import take
from upgrader_node.database.local_server import LocalServer
from upgrader_node.errors import told_as
from upgrader_node.host import lock, settings

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_backup"


def __virtual__():
    return __virtualname__ if pymysql else (False, "PyMySQL is not installed in Salt's Python")


def check():
    """The backup tool is here, fits the running server and can log in. Returns the tool and both versions.

    CLI Example:

    .. code-block:: bash

        salt 'dbs01*' upgrader_backup.check
    """
    with told_as(CommandExecutionError, driver=pymysql):
        return take.check(LocalServer(__opts__["id"], pymysql, settings.client(__pillar__)))


def create(receipt, cloud="", timeout=14400):
    """Take a backup and send it to the store as ``receipt``; a backup of that id that is there already is returned as it is.

    The node steps out of its cluster's flow control meanwhile. Judged together: the exit code of every program in the
    pipe, the last line of the backup tool, the byte count and sha256 that the store computed itself. With the receipt goes
    what every table held at exactly the moment of the backup: the proof compares with it.

    :param receipt: id of the backup, unique in the store
    :param cloud: name of the cloud, for the receipt
    :param timeout: seconds
    Leaves behind on failure: a partial file in the store, overwritten by the next try. Raises CommandExecutionError.

    CLI Example:

    .. code-block:: bash

        salt 'dbs01*' upgrader_backup.create receipt=20170801T101500Z-1a2b cloud=prague
    """
    server = LocalServer(__opts__["id"], pymysql, settings.client(__pillar__))
    told = told_as(CommandExecutionError, "backup not taken", pymysql)
    with told, lock.exclusively(lock.DATABASE, "upgrader_backup.create", receipt):
        return take.create(server, receipt, cloud, timeout)
