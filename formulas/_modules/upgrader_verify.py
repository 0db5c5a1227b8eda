"""
Verification that means something: what the source held, by id, and what the upgraded cloud answers.

``baseline`` reads a cloud's databases before anything is changed; ``calls`` asks the eight questions of the upgraded
cloud in one authenticated session, compares by id, and makes, reads and deletes one object of each kind.
"""

import yaml
from salt.exceptions import CommandExecutionError
from upgrader_node.errors import told_as
from upgrader_node.host import names
from upgrader_node.upgrade import opening
from upgrader_node.verify import ask
from upgrader_node.verify import baseline as source

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_verify"


def __virtual__():
    return __virtualname__ if pymysql else (False, "PyMySQL is not installed in Salt's Python")


def baseline(run, folder=source.FOLDER, release=None, without=()):
    """
    Write down, by id, what the databases of this node's model hold: services, images, flavors, servers, networks, volumes.

    Taken once for a run and then left as it is, because what it reads is migrated afterwards. On the upgrade node the
    databases are the clones, which were proven to equal the backup table by table: so it is the source at the backup's
    moment, and the upgrade node needs no way to production. On a controller of production they are production's own, before
    their schemas; a controller that is built anew gets the file back by ``packed`` and ``unpack``.

    :param without: services that the copy does not have; what is theirs is not written down

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_verify.baseline run=20170801T101500Z-1a2b
    """
    with told_as(CommandExecutionError, "no baseline taken", pymysql):
        path = _release_path(__pillar__, __opts__, __salt__, release)
        return source.take(pymysql, __pillar__, run, folder, path, without)


def packed(run, folder=source.FOLDER):
    """
    The baseline of a run as text, compressed: before a controller that is built anew loses it with its disk.

    CLI Example:

    .. code-block:: bash

        salt 'ctl01*' upgrader_verify.packed run=20170801T101500Z-1a2b
    """
    with told_as(CommandExecutionError):
        return source.packed(folder, run)


def unpack(run, baseline, folder=source.FOLDER):
    """
    Write down on this node what ``packed`` answered as ``baseline``. Twice is no error; another one of this run is refused.

    CLI Example:

    .. code-block:: bash

        salt 'ctl01*' upgrader_verify.unpack run=20170801T101500Z-1a2b baseline=eNq...
    """
    with told_as(CommandExecutionError):
        return source.unpack(folder, run, baseline)


def calls(
    run="",
    cloud="",
    openrc="",
    change=True,
    patience=120,
    timeout=900,
    folder=source.FOLDER,
    without=(),
    interface="",
    through="",
):
    """
    Ask the cloud on this node the eight questions, compare with the baseline, and make, read and delete six objects.

    :param run: whose baseline to compare with; "" takes the newest on this node, "none" compares with nothing
    :param cloud: name of a cloud in clouds.yaml, ``openrc`` a file of ``export OS_..`` lines; without either the account of pillar
        ``keystone:server`` is used: on a copy the one that its keystone was given (``upgrader_copy.account``), on a controller that
        pillar ``upgrader:production`` calls production's its administrator, at ``bind:public_address``
    :param change: whether objects are made and deleted
    :param patience: seconds to wait for services that have just been started
    :param without: services that the node does not have, ``[neutron]`` where OpenContrail makes the networks
    :param interface: of the catalogue; by default ``internal`` on a controller of production, else ``public``
    :param through: host, or ``scheme://host``, that is asked in place of the catalogue's: one controller of several, or a proxy;
        ``own`` is where this node's own services listen (``keystone:server:bind:address``)

    A copy may lead to this node only, and nobody else's services may register there. Of production both are as they were.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_verify.calls
        salt 'ctl01*' upgrader_verify.calls run=20170801T101500Z-1a2b through=10.0.0.11
    """
    asked = ask.Asked(cloud, openrc, change, patience, timeout, without, interface, through)
    own = names.own(__opts__["id"], __grains__)
    with told_as(CommandExecutionError):
        return ask.calls(__pillar__, asked, own, source.chosen(folder, run), yaml)


def _release_path(pillar, opts, salt, release):
    node = opening.Node(pillar, opts["cachedir"], salt["cp.get_file_str"], pymysql, yaml, CommandExecutionError)
    with opening.errors(node):
        return opening.release_path(node, release)
