"""This node as a member of the database cluster: what it says of itself. Changes nothing but what a killed call left changed."""

import shutil

from salt.exceptions import CommandExecutionError
from upgrader_node.backup import borrowed
from upgrader_node.database import galera, local_server
from upgrader_node.database.local_server import LocalServer
from upgrader_node.errors import told_as
from upgrader_node.host import settings
from upgrader_node.restore import kept

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_galera"


def __virtual__():
    return __virtualname__ if pymysql else (False, "PyMySQL is not installed in Salt's Python")


def check(members, triggers=False):
    """This node's view of the cluster, with a finding for everything that is wrong, and the load it carries.

    :param members: how many database nodes the model has; one that stands alone needs no Galera
    :param triggers: whether an account without SUPER must be able to make triggers, as keystone's expand phase does
    Also gives back the server's settings that a killed call of this tool left changed.

    CLI Example:

    .. code-block:: bash

        salt 'dbs*' upgrader_galera.check members=3
    """
    server = LocalServer(__opts__["id"], pymysql, settings.client(__pillar__))
    with told_as(CommandExecutionError, driver=pymysql):
        kept.refuse_kept(server.node, local_server.datadir(shutil.which))
        with server.connect() as connection:
            borrowed.give_back_stale(connection)
            return galera.check(server.node, connection, int(members), triggers, settings.galera_role(__pillar__))
