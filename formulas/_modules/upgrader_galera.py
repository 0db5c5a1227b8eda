"""This node as a member of the database cluster: what it says of itself. Changes nothing but what a killed call left changed."""

import upgrader_borrowed
import upgrader_connection
import upgrader_galera
import upgrader_local_server
import upgrader_pillar
from salt.exceptions import CommandExecutionError

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_galera"

CLIENT = "xtrabackup:client"
LOAD_SECONDS = 1.0


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
    client = upgrader_pillar.value(__pillar__, CLIENT, {})
    try:
        connection = upgrader_local_server.connect(pymysql, client)
    except upgrader_connection.ConnectionRefused as error:
        raise CommandExecutionError(str(error)) from None
    with connection:
        upgrader_borrowed.give_back_stale(connection)
        found = upgrader_galera.status(connection, LOAD_SECONDS)
        findings = upgrader_galera.findings(__opts__["id"], found, int(members))
        if triggers:
            findings += upgrader_galera.trigger_findings(__opts__["id"], connection)
    role = upgrader_pillar.value(__pillar__, "galera:master") or upgrader_pillar.value(__pillar__, "galera:slave") or {}
    findings += upgrader_galera.model_findings(__opts__["id"], found, role, int(members))
    words = "{state}, seqno {seqno}".format(**found) if found["galera"] else "stands alone"
    return {**found, "comment": "{}, {} questions a second".format(words, found["load"]), "findings": findings}
