"""
What can be asked about nova on the databases that this node's nova.conf names, beyond its phases. Read only.

Its phases are ``upgrader_schema``'s, as every other service's. Nothing is asked when nova.conf and pillar do not name the
same copy; ``allow_production`` is for the real upgrade alone.
"""

import yaml
from salt.exceptions import CommandExecutionError
from upgrader_node.host import pillar as host_pillar
from upgrader_node.nova import extras, online
from upgrader_node.schema import driver
from upgrader_node.upgrade import opening

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_nova"

HOUR = 3600


def __virtual__():
    if pymysql is None:
        return False, "upgrader_nova needs PyMySQL in the Python that runs salt-minion"
    return __virtualname__


def _session(pillar, opts, salt, allow_production, release):
    node = opening.Node(pillar, opts["cachedir"], salt["cp.get_file_str"], pymysql, yaml, CommandExecutionError)
    return opening.session(node, "nova", release, allow_production)


def remaining(allow_production=False, release=None):
    """
    Rows that online_data_migrations has still to move, by what they are; all zero means done.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_nova.remaining
    """
    with _session(__pillar__, __opts__, __salt__, allow_production, release) as session:
        return online.remaining(session)


def cells(allow_production=False, release=None):
    """
    What is mapped: cells by name (URLs with hidden passwords), hosts without mapping, instance mapping counts.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_nova.cells
    """
    with _session(__pillar__, __opts__, __salt__, allow_production, release) as session:
        return extras.cells(session)


def assert_isolated(allow_production=False, release=None):
    """
    Prove that nova.conf and every cell mapping name the copy's databases and its own queue, nothing of production.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_nova.assert_isolated
    """
    with _session(__pillar__, __opts__, __salt__, allow_production, release) as session:
        return extras.isolation(session)


def findings(expected=None, allow_production=False, release=None):
    """
    Everything that is wrong with the upgraded copy, as findings; an empty list is what one hopes for.

    ``expected`` are the snapshot's counts, ``{schema: {table: {"total": n, "live": n or None}}}`` under the source's names.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_nova.findings
    """
    with _session(__pillar__, __opts__, __salt__, allow_production, release) as session:
        return driver.findings(session, expected)


def status(timeout=HOUR, allow_production=False, release=None):
    """
    What the target release's ``nova-status upgrade check`` says, as findings; means something after the last phase only.

    Placement is expected where pillar has ``nova:controller:placement``; without it its failure is a warning.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_nova.status
    """
    placement = bool(host_pillar.value(__pillar__, "nova:controller:placement"))
    with _session(__pillar__, __opts__, __salt__, allow_production, release) as session:
        return extras.status(session, placement, timeout)


def unpinned():
    """
    The model of this controller pins nova's calls to computes to no older release any more (``upgrade_levels``). Reads the pillar only.

    CLI Example:

    .. code-block:: bash

        salt 'ctl*' upgrader_nova.unpinned
    """
    level = host_pillar.value(__pillar__, "nova:controller:upgrade_levels:compute")
    if level and level != "auto":
        raise CommandExecutionError(
            "pillar key nova:controller:upgrade_levels:compute of {} is {!r}, which keeps nova on calls of that release: set that key "
            "to auto in its model, then 'upgrader resume --accept-pillar'".format(__opts__["id"], level)
        )
    return {"comment": "nova is pinned to no older release"}
