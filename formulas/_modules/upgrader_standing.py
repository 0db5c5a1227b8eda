"""How this node stands, for the preflight: clock, room, versions, package sources, haproxy, message queue, database member. Reads only."""

import shutil

from salt.exceptions import CommandExecutionError
from upgrader_node.database.local_server import LocalServer
from upgrader_node.errors import told_as
from upgrader_node.host import served, settings
from upgrader_node.options import report
from upgrader_node.standing import drivers, flow, haproxy, identity, mirrors, rabbitmq
from upgrader_node.standing import host as standing_host

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_standing"
DRIVERS = "salt://upgrader/openstack/files/drivers.json"


def __virtual__():
    return __virtualname__


def host():
    """Clock, room of every file system, versions of Salt, Python and what else matters.

    CLI Example:

    .. code-block:: bash

        salt '*' upgrader_standing.host
    """
    with told_as(CommandExecutionError):
        facts = standing_host.facts()
    return dict(
        facts, salt=__grains__["saltversion"], comment="{}, Salt {}".format(facts["system"], __grains__["saltversion"])
    )


def mirrors_reached():
    """Each of apt's sources is asked for its index; nothing is fetched.

    CLI Example:

    .. code-block:: bash

        salt 'cmp*' upgrader_standing.mirrors_reached
    """
    with told_as(CommandExecutionError):
        return mirrors.state(__opts__["id"])


def proxied(conf=haproxy.CONF):
    """Every proxy of this node's haproxy that has servers down, by the stats socket that its configuration names.

    CLI Example:

    .. code-block:: bash

        salt 'prx*' upgrader_standing.proxied
    """
    with told_as(CommandExecutionError):
        return haproxy.state(__opts__["id"], conf)


def queue(seconds=rabbitmq.SECONDS):
    """Alarms, partitions and members of this node's message queue, and queues that grow within ``seconds``.

    CLI Example:

    .. code-block:: bash

        salt 'msg*' upgrader_standing.queue seconds=30
    """
    with told_as(CommandExecutionError):
        return rabbitmq.state(__opts__["id"], float(seconds))


def replication(seconds=flow.SECONDS):
    """How long flow control held this database member's cluster up within ``seconds``, and what waits to be applied.

    CLI Example:

    .. code-block:: bash

        salt 'dbs*' upgrader_standing.replication seconds=30
    """
    if pymysql is None:
        raise CommandExecutionError("PyMySQL is not installed in Salt's Python")
    server = LocalServer(__opts__["id"], pymysql, settings.client(__pillar__))
    with told_as(CommandExecutionError, driver=pymysql), server.connect() as connection:
        return flow.state(server.node, connection, float(seconds))


def matrix():
    """The drivers that this node's services and hypervisor have, against what the new release works with, and who asks identity's old API.

    CLI Example:

    .. code-block:: bash

        salt 'ctl*' upgrader_standing.matrix
    """
    with told_as(CommandExecutionError):
        known = served.read(__salt__["cp.cache_file"], DRIVERS)
        files = report.files_of(__pillar__, ("cinder", "glance", "heat", "neutron", "nova"))
        packages = standing_host.packages() if shutil.which("dpkg-query") else {}
        node = __opts__["id"]
        found = drivers.findings(node, files, known, packages) + drivers.hypervisor(node, packages, known)
        found += drivers.switch(node, packages) + identity.findings(node, files)
    return {"comment": "{} services with files here".format(len(files)), "findings": found}
