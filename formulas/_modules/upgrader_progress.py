"""How far a long step has come, asked while it runs: from the databases and the store, never from guesses. Read only."""

from salt.exceptions import CommandExecutionError
from upgrader_node.backup import store
from upgrader_node.errors import told_as
from upgrader_node.host import pillar, settings
from upgrader_node.nova import progress

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_progress"


def __virtual__():
    return __virtualname__ if pymysql else (False, "PyMySQL is not installed in Salt's Python")


def nova(rows):
    """Rows done and rows in all of one of nova's long steps on the copy.

    :param rows: ``specs`` (online data migrations) or ``mappings`` (map_instances)

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_progress.nova rows=mappings
    """
    with told_as(CommandExecutionError, driver=pymysql):
        return progress.count(pymysql, pillar.value(__pillar__, "nova:controller:database", {}), rows)


def backup(receipt):
    """Megabytes of a backup that have arrived in the store. The total is not known before the end.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_progress.backup receipt=20170801T101500Z-1a2b
    """
    with told_as(CommandExecutionError):
        done = store.arrived(settings.store(__pillar__), receipt) // 1000000
    return {"what": "MB in the backup store", "done": done, "total": None}
