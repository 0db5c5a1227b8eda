"""Exports of a proven backup's databases on the backup node: what database nodes fetch to clone them by tablespaces."""

from salt.exceptions import CommandExecutionError
from upgrader_node.clone import export
from upgrader_node.errors import told_as
from upgrader_node.host import lock, settings

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_export"


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
    told = told_as(CommandExecutionError, "nothing exported", pymysql)
    with told, lock.exclusively(lock.STORE, "upgrader_export.create", receipt):
        return export.create(settings.store(__pillar__), receipt, databases, pymysql, timeout)
