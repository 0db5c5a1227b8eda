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
    moment, and the upgrade node needs no way to production.

    :param without: services that the copy does not have; what is theirs is not written down

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_verify.baseline run=20170801T101500Z-1a2b
    """
    with told_as(CommandExecutionError, "no baseline taken", pymysql):
        path = _release_path(__pillar__, __opts__, __salt__, release)
        return source.take(pymysql, __pillar__, run, folder, path, without)


def calls(run="", cloud="", openrc="", change=True, patience=120, timeout=900, folder=source.FOLDER, without=()):
    """
    Ask the cloud on this node the eight questions, compare with the baseline, and make, read and delete six objects.

    :param run: whose baseline to compare with; "" takes the newest on this node, "none" compares with nothing
    :param cloud: name of a cloud in clouds.yaml, ``openrc`` a file of ``export OS_..`` lines; without either, and on a
        copy, the account that the copy's keystone was given (``upgrader_copy.account``) is used
    :param change: whether objects are made and deleted
    :param patience: seconds to wait for services that have just been started
    :param without: services that the node does not have, ``[neutron]`` where OpenContrail makes the networks

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_verify.calls
    """
    asked = ask.Asked(cloud, openrc, change, patience, timeout, without)
    own = names.own(__opts__["id"], __grains__)
    with told_as(CommandExecutionError):
        return ask.calls(__pillar__, asked, own, source.chosen(folder, run), yaml)


def _release_path(pillar, opts, salt, release):
    node = opening.Node(pillar, opts["cachedir"], salt["cp.get_file_str"], pymysql, yaml, CommandExecutionError)
    with opening.errors(node):
        return opening.release_path(node, release)
